#include "codegen/tools/DescribeSvg.h"

#include "codegen/tools/Canvas.h"
#include "codegen/tools/DescribeText.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

namespace vernier::tools {
namespace {

constexpr std::array kColours = {"#1b4965", "#3a86a8", "#8ecae6", "#ffb703", "#fb8500", "#d62828"};
constexpr double kBar = 30, kGap = 10, kHeight = 220, kLeft = 64, kPanelGap = 64, kLabels = 90, kTop = 44;
constexpr double kCharacter = 6.2; // width of a character of a label, about

std::string number(double value) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.4g", value);
  return text;
}

double barX(size_t number) { return kLeft + kGap / 2 + double(number) * (kBar + kGap); }

// The panel's title and the names below its bars; returns the y below them.
double frame(Canvas &canvas, double top, const std::string &title, const std::vector<std::string> &names) {
  canvas.text(kLeft, top - 12, title, "font-weight=\"bold\"");
  size_t longest = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    const double x = barX(i) + kBar / 2 + 4, y = top + kHeight + 12;
    canvas.text(x, y, names[i],
                llvm::formatv("text-anchor=\"end\" transform=\"rotate(-45 {0:F1} {1:F1})\"", x, y).str());
    longest = std::max(longest, names[i].size());
  }
  canvas.extend(barX(names.size()), 0);
  return top + kHeight + std::max(kLabels, 12 + kCharacter * 0.71 * double(longest));
}

// --- shares of channels

double drawShares(Canvas &canvas, double top, const Drawn &drawn) {
  std::vector<std::string> names;
  for (const HoleChannels &hole : drawn.model.holes)
    names.push_back(blockOf(hole).empty() ? hole.name : blockOf(hole));
  const double below = frame(canvas, top, drawn.title + ": channels of each scale", names);
  for (int percent : {0, 25, 50, 75, 100}) {
    const double y = top + kHeight * (1 - percent / 100.0);
    canvas.line(kLeft, barX(names.size()), y);
    canvas.text(kLeft - 6, y + 4, std::to_string(percent) + "%", "text-anchor=\"end\" fill=\"#555\"");
  }
  for (size_t block = 0; block < names.size(); ++block) {
    const std::vector<int64_t> &channels = drawn.model.holes[block].channels;
    const double all =
        double(std::max<int64_t>(1, std::accumulate(channels.begin(), channels.end(), int64_t(0))));
    double y = top + kHeight;
    for (size_t scale = 0; scale < channels.size(); ++scale) {
      const double height = kHeight * double(channels[scale]) / all;
      y -= height;
      const size_t colour = scale % kColours.size();
      canvas.rectangle(barX(block), y, kBar, height, kColours[colour]);
      const bool dark = colour < 2 || colour + 1 == kColours.size();
      if (height >= 14)
        canvas.text(barX(block) + kBar / 2, y + height / 2 + 4, std::to_string(channels[scale]),
                    dark ? "text-anchor=\"middle\" fill=\"#fff\"" : "text-anchor=\"middle\"");
    }
  }
  return below;
}

// "full scale", "1/2 scale"; "scale 3" where holes disagree about the third one.
void drawLegend(Canvas &canvas, const std::vector<Drawn> &configurations) {
  std::vector<std::set<double>> factors;
  for (const Drawn &drawn : configurations)
    for (const HoleChannels &hole : drawn.model.holes) {
      factors.resize(std::max(factors.size(), hole.channels.size()));
      for (size_t scale = 0; scale < hole.factors.size(); ++scale)
        factors[scale].insert(hole.factors[scale]);
    }
  for (size_t scale = 0; scale < factors.size(); ++scale) {
    std::string name = "scale " + std::to_string(scale + 1);
    if (factors[scale].size() == 1)
      name = *factors[scale].begin() == 1 ? "full scale" : "1/" + number(*factors[scale].begin()) + " scale";
    const double x = kLeft + double(scale) * 96;
    canvas.rectangle(x, 10, 12, 12, kColours[scale % kColours.size()]);
    canvas.text(x + 18, 20, name);
  }
}

// --- receptive fields

// A round number of at least a fifth of `most`: 1, 2 or 5 times a power of ten.
double tick(double most) {
  const double power = std::pow(10, std::floor(std::log10(std::max(most, 1.0) / 5)));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= most / 5)
      return factor * power;
  return 10 * power;
}

double drawFields(Canvas &canvas, double top, const Drawn &drawn) {
  std::vector<const compiler::BlockCost *> blocks;
  double most = 1;
  for (const compiler::BlockCost &block : drawn.cost.blocks)
    if (block.depth == 0 && block.field) {
      blocks.push_back(&block);
      most = std::max({most, block.field->most[0], block.field->most[1]});
    }
  if (blocks.empty())
    return top;
  std::vector<std::string> names;
  for (const compiler::BlockCost *block : blocks)
    names.push_back(block->place);
  const double below =
      frame(canvas, top, drawn.title + ": pixels of the image that a block sees, least to most", names);
  const double scale = kHeight / most;
  for (double pixels = 0; pixels <= most; pixels += tick(most)) {
    const double y = top + kHeight - scale * pixels;
    canvas.line(kLeft, barX(names.size()), y);
    canvas.text(kLeft - 6, y + 4, llvm::formatv("{0:F0}", pixels).str(), "text-anchor=\"end\" fill=\"#555\"");
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    const double least = *std::min_element(blocks[i]->field->least, blocks[i]->field->least + 2),
                 largest = *std::max_element(blocks[i]->field->most, blocks[i]->field->most + 2);
    const double height = std::max(2.0, scale * (largest - least)); // a line where they are equal
    canvas.rectangle(barX(i), top + kHeight - scale * largest, kBar, height, kColours[1]);
    canvas.text(barX(i) + kBar / 2, top + kHeight - scale * largest - 4,
                llvm::formatv("{0:F0}", largest).str(), "text-anchor=\"middle\" fill=\"#555\"");
  }
  return below;
}

} // namespace

std::string drawSvg(const std::vector<Drawn> &configurations) {
  Canvas canvas;
  drawLegend(canvas, configurations);
  double y = kTop;
  for (const Drawn &drawn : configurations)
    if (!drawn.model.holes.empty())
      y = drawShares(canvas, y + kPanelGap / 2, drawn);
  for (const Drawn &drawn : configurations)
    y = drawFields(canvas, y + kPanelGap / 2, drawn);
  canvas.extend(0, y);
  return canvas.finish();
}

} // namespace vernier::tools
