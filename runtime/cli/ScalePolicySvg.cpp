// The figure of --scale-policy-svg: above the score of each block over all images, below that of each image.
#include "runtime/cli/ScalePolicy.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <iterator>

namespace vernier::runtime {

namespace {

constexpr double topEdge = 64, column = 26, panelHeight = 220, row = 3;
// What a character of a label at 45 degrees adds to the left and below, about.
constexpr double slantedCharacter = 4.4;
constexpr size_t mostRows = 400; // of the lower panel, so that a browser still shows it
constexpr const char *fullColour = "#1b4965", *reducedColour = "#fb8500", *boxColour = "#8ecae6";

std::string escaped(const std::string &text) {
  std::string result;
  for (char c : text)
    switch (c) {
    case '&':
      result += "&amp;";
      break;
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      result += c;
    }
  return result;
}

/// The finite scores of a block, sorted.
std::vector<double> sortedScores(const std::vector<ScoredImage> &images, size_t block) {
  std::vector<double> values;
  for (const ScoredImage &image : images)
    if (std::isfinite(image.scores[block]))
      values.push_back(image.scores[block]);
  std::ranges::sort(values);
  return values;
}

double quantile(const std::vector<double> &sorted, double share) {
  const double at = share * double(sorted.size() - 1);
  const size_t below = size_t(at), above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - double(below)) * (sorted[above] - sorted[below]);
}

/// A round number of at least a sixth of `range`: 1, 2 or 5 times a power of ten.
double tick(double range) {
  const double power = std::pow(10, std::floor(std::log10(range / 6)));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= range / 6)
      return factor * power;
  return 10 * power;
}

/// From the colour of the reduced resolution at -1 through white to that of the full one at 1.
std::string shade(double score) {
  const int full[] = {0x1b, 0x49, 0x65}, reduced[] = {0xfb, 0x85, 0x00};
  const double weight = std::min(std::abs(score), 1.0);
  std::string colour = "#";
  for (int i = 0; i < 3; ++i)
    colour += fmt::format("{:02x}", int(std::lround(255 + weight * ((score > 0 ? full : reduced)[i] - 255))));
  return colour;
}

class Drawing {
public:
  Drawing(const std::vector<std::string> &places, const std::vector<ScoredImage> &images)
      : places(places), images(images) {
    size_t longest = 0;
    for (size_t block = 0; block < places.size(); ++block) {
      sorted.push_back(sortedScores(images, block));
      longest = std::max(longest, places[block].size());
    }
    leftEdge = std::max(72.0, slantedCharacter * double(longest));
    labelHeight = 44 + slantedCharacter * double(longest);
  }

  std::string draw(const std::string &model) {
    text(leftEdge, 20, fmt::format("Scale policy score of each block: {}, {} images", model, images.size()),
         "font-weight=\"bold\"");
    text(leftEdge, 36, "above 0: full resolution is more active; below 0: reduced resolution");
    text(leftEdge, 50, "point: mean; box: 10% to 90% of the images; line: all");
    drawSpread();
    const double heat = topEdge + panelHeight + labelHeight;
    drawImages(heat);
    const double width = std::max(leftEdge + column * double(places.size()) + 20, 480.0);
    const double height = heat + row * double(std::min(images.size(), mostRows)) + 20;
    return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
                       "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"sans-serif\" font-size=\"11\">\n"
                       "<rect width=\"{0:.0f}\" height=\"{1:.0f}\" fill=\"#fff\"/>\n{2}</svg>\n",
                       width, height, body);
  }

private:
  void text(double x, double y, const std::string &content, const std::string &attributes = "") {
    fmt::format_to(std::back_inserter(body), "<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y,
                   attributes, escaped(content));
  }
  void line(double x1, double y1, double x2, double y2, const char *stroke) {
    fmt::format_to(std::back_inserter(body),
                   "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1,
                   x2, y2, stroke);
  }
  void rectangle(double x, double y, double width, double height, const std::string &fill) {
    fmt::format_to(std::back_inserter(body),
                   "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n", x, y,
                   width, height, fill);
  }
  double middle(size_t block) const { return leftEdge + column * (double(block) + 0.5); }

  void drawSpread() {
    double low = 0, high = 0;
    for (const std::vector<double> &values : sorted)
      if (!values.empty())
        low = std::min(low, values.front()), high = std::max(high, values.back());
    if (low == high)
      high = 1;
    const auto y = [&](double score) { return topEdge + panelHeight * (high - score) / (high - low); };
    const double right = leftEdge + column * double(places.size()), step = tick(high - low);
    for (double i = std::ceil(low / step); i * step <= high; ++i) {
      line(leftEdge, y(i * step), right, y(i * step), i == 0 ? "#555" : "#ddd");
      text(leftEdge - 6, y(i * step) + 4, fmt::format("{:g}", i * step), "text-anchor=\"end\" fill=\"#555\"");
    }
    for (size_t block = 0; block < places.size(); ++block) {
      const double x = middle(block), below = topEdge + panelHeight + 14;
      text(x + 4, below, places[block],
           fmt::format("text-anchor=\"end\" transform=\"rotate(-45 {:.1f} {:.1f})\"", x + 4, below));
      const std::vector<double> &values = sorted[block];
      if (values.empty())
        continue;
      double mean = 0;
      for (double value : values)
        mean += value / double(values.size());
      line(x, y(values.back()), x, y(values.front()), "#555");
      const double top = y(quantile(values, 0.9)), bottom = y(quantile(values, 0.1));
      rectangle(x - 7, top, 14, std::max(bottom - top, 1.0), boxColour);
      fmt::format_to(std::back_inserter(body), "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n",
                     x, y(mean), mean > 0 ? fullColour : reducedColour);
    }
  }

  void drawImages(double top) {
    const size_t rows = std::min(images.size(), mostRows);
    text(leftEdge, top - 8,
         rows < images.size()
             ? fmt::format("the first {} images, a row each; colours relative to the largest of the block",
                           rows)
             : "the images, a row each; colours relative to the largest of the block",
         "fill=\"#555\"");
    for (size_t block = 0; block < places.size(); ++block) {
      const std::vector<double> &values = sorted[block];
      const double largest = values.empty() ? 0 : std::max(std::abs(values.front()), std::abs(values.back()));
      for (size_t i = 0; i < rows; ++i) {
        const double score = images[i].scores[block];
        if (std::isfinite(score) && largest > 0)
          rectangle(middle(block) - column / 2, top + row * double(i), column, row, shade(score / largest));
      }
    }
  }

  const std::vector<std::string> &places;
  const std::vector<ScoredImage> &images;
  std::vector<std::vector<double>> sorted; // of each block
  double leftEdge, labelHeight;            // as the longest label needs them
  std::string body;
};

} // namespace

std::string scalePolicySvg(const std::string &model, const std::vector<std::string> &places,
                           const std::vector<ScoredImage> &images) {
  return Drawing(places, images).draw(model);
}

} // namespace vernier::runtime
