#include "driver/describe/DescribeSvg.h"

#include "driver/describe/DescribeText.h"
#include "runtime/core/Svg.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

namespace vernier::driver {
namespace {

using runtime::Svg;
using Anchor = runtime::Svg::Anchor;

constexpr std::array kColours = {"#1b4965", "#3a86a8", "#8ecae6", "#ffb703", "#fb8500", "#d62828"};
constexpr double kBar = 30, kGap = 10, kHeight = 220, kLeft = 64, kPanelGap = 64, kTop = 44;
constexpr const char *kGrey = "#555", *kGrid = "#ddd";

std::string number(double value) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.4g", value);
  return text;
}

// A title, a vertical axis with its name, and a bar for each name, as wide as its numbers need.
class Panel {
public:
  Panel(Svg &svg, double top, const std::string &title, const std::string &axis,
        std::vector<std::string> names, double widest)
      : svg(svg), top(top), names(std::move(names)), bar(std::max(kBar, widest + 4)) {
    svg.text(kLeft, top - 18, title, {.bold = true});
    svg.text(kLeft - 46, top + kHeight / 2, axis, {.anchor = Anchor::Middle, .fill = kGrey, .angle = -90});
    for (size_t i = 0; i < this->names.size(); ++i)
      svg.text(middle(i) + 4, top + kHeight + 12, this->names[i], {.anchor = Anchor::End, .angle = -45});
  }

  void tick(double share, const std::string &text) {
    const double y = top + kHeight * (1 - share);
    svg.line(kLeft, y, x(names.size()), y, kGrid);
    svg.text(kLeft - 6, y + 4, text, {.anchor = Anchor::End, .fill = kGrey});
  }

  double x(size_t block) const { return kLeft + kGap / 2 + double(block) * (bar + kGap); }
  double middle(size_t block) const { return x(block) + bar / 2; }
  double y(double share) const { return top + kHeight * (1 - share); }

  // Below the names, whose letters slant.
  double below() const {
    double widest = 0;
    for (const std::string &name : names)
      widest = std::max(widest, runtime::textWidth(name));
    return top + kHeight + 24 + 0.71 * widest;
  }

  Svg &svg;
  const double top;
  const std::vector<std::string> names;
  const double bar;
};

// --- shares of channels

double drawShares(Svg &svg, double top, const Drawn &drawn) {
  std::vector<std::string> names;
  double widest = 0;
  for (const HoleChannels &hole : drawn.model.holes) {
    names.push_back(blockOf(hole).empty() ? hole.name : blockOf(hole));
    for (int64_t channels : hole.channels)
      widest = std::max(widest, runtime::textWidth(std::to_string(channels)));
  }
  Panel panel(svg, top, drawn.title + ": channels of each scale", "share of channels", names, widest);
  for (int percent : {0, 25, 50, 75, 100})
    panel.tick(percent / 100.0, std::to_string(percent) + "%");
  for (size_t block = 0; block < names.size(); ++block) {
    const std::vector<int64_t> &channels = drawn.model.holes[block].channels;
    const double all =
        double(std::max<int64_t>(1, std::accumulate(channels.begin(), channels.end(), int64_t(0))));
    double y = top + kHeight;
    for (size_t scale = 0; scale < channels.size(); ++scale) {
      const double height = kHeight * double(channels[scale]) / all;
      y -= height;
      const size_t colour = scale % kColours.size();
      svg.rectangle(panel.x(block), y, panel.bar, height, kColours[colour]);
      const bool dark = colour < 2 || colour + 1 == kColours.size();
      if (height >= 14)
        svg.text(panel.middle(block), y + height / 2 + 4, std::to_string(channels[scale]),
                 {.anchor = Anchor::Middle, .fill = dark ? "#fff" : "#000"});
    }
  }
  return panel.below();
}

// "full scale", "1/2 scale"; "scale 3" where holes disagree about the third one.
void drawLegend(Svg &svg, const std::vector<Drawn> &configurations) {
  std::vector<std::set<double>> factors;
  for (const Drawn &drawn : configurations)
    for (const HoleChannels &hole : drawn.model.holes) {
      factors.resize(std::max(factors.size(), hole.channels.size()));
      for (size_t scale = 0; scale < hole.factors.size(); ++scale)
        factors[scale].insert(hole.factors[scale]);
    }
  double x = kLeft;
  for (size_t scale = 0; scale < factors.size(); ++scale) {
    std::string name = "scale " + std::to_string(scale + 1);
    if (factors[scale].size() == 1)
      name = *factors[scale].begin() == 1 ? "full scale" : "1/" + number(*factors[scale].begin()) + " scale";
    svg.rectangle(x, 10, 12, 12, kColours[scale % kColours.size()]);
    svg.text(x + 18, 20, name);
    x += 18 + runtime::textWidth(name) + 16;
  }
}

// --- receptive fields

double drawFields(Svg &svg, double top, const Drawn &drawn) {
  std::vector<const compiler::BlockCost *> blocks;
  std::vector<std::string> names;
  double most = 1, widest = 0;
  for (const compiler::BlockCost &block : drawn.cost.blocks)
    if (block.depth == 0 && block.field) {
      blocks.push_back(&block);
      names.push_back(block.place);
      const double largest = std::max(block.field->most[0], block.field->most[1]);
      most = std::max(most, largest);
      widest = std::max(widest, runtime::textWidth(number(largest)));
    }
  if (blocks.empty())
    return top;
  Panel panel(svg, top, drawn.title + ": what a block sees of the image, least to most", "pixels", names,
              widest);
  const std::vector<double> ticks = runtime::roundTicks(0, most);
  for (double pixels : ticks)
    panel.tick(pixels / most, runtime::tickText(pixels, ticks));
  for (size_t i = 0; i < blocks.size(); ++i) {
    const double least = *std::min_element(blocks[i]->field->least, blocks[i]->field->least + 2),
                 largest = *std::max_element(blocks[i]->field->most, blocks[i]->field->most + 2);
    const double height = std::max(2.0, kHeight * (largest - least) / most); // a line where they are equal
    svg.rectangle(panel.x(i), panel.y(largest / most), panel.bar, height, kColours[1]);
    svg.text(panel.middle(i), panel.y(largest / most) - 4, number(largest),
             {.anchor = Anchor::Middle, .fill = kGrey});
  }
  return panel.below();
}

} // namespace

std::string drawSvg(const std::vector<Drawn> &configurations) {
  Svg svg;
  drawLegend(svg, configurations);
  double y = kTop;
  for (const Drawn &drawn : configurations)
    if (!drawn.model.holes.empty())
      y = drawShares(svg, y + kPanelGap / 2, drawn);
  for (const Drawn &drawn : configurations) {
    const double top = y + kPanelGap / 2, below = drawFields(svg, top, drawn);
    if (below != top)
      y = below;
  }
  if (y == kTop)
    svg.text(kLeft, kTop, configurations.front().title + ": no blocks and no learned holes to draw",
             {.bold = true});
  return svg.finish();
}

} // namespace vernier::driver
