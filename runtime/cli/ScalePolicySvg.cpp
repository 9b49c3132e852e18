// The figure of --scale-policy-svg: above the score of each block over all images, below that of each image.
#include "runtime/cli/ScalePolicy.h"
#include "runtime/core/Shape.h"
#include "runtime/core/Svg.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>

namespace vernier::runtime {

namespace {

constexpr double leftEdge = 72, topEdge = 64, column = 26, panelHeight = 220, row = 3;
constexpr size_t mostRows = 400; // of the lower panel, so that a browser still shows it
constexpr const char *fullColour = "#1b4965", *reducedColour = "#fb8500", *boxColour = "#8ecae6";

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
    for (size_t block = 0; block < places.size(); ++block) {
      sorted.push_back(sortedScores(images, block));
      longest = std::max(longest, textWidth(places[block]));
    }
  }

  std::string draw(const std::string &model) {
    svg.text(leftEdge, 20,
             fmt::format("Scale policy score of each block: {}, {}", model, counted(images.size(), "image")),
             {.bold = true});
    svg.text(leftEdge, 36, "above 0: full resolution is more active; below 0: reduced resolution");
    svg.text(leftEdge, 50, "point: mean; box: 10% to 90% of the images; line: all");
    drawSpread();
    drawImages(topEdge + panelHeight + 44 + 0.71 * longest);
    return svg.finish();
  }

private:
  using Anchor = Svg::Anchor;

  double middle(size_t block) const { return leftEdge + column * (double(block) + 0.5); }

  void drawSpread() {
    double low = 0, high = 0;
    for (const std::vector<double> &values : sorted)
      if (!values.empty())
        low = std::min(low, values.front()), high = std::max(high, values.back());
    if (low == high)
      high = 1;
    const auto y = [&](double score) { return topEdge + panelHeight * (high - score) / (high - low); };
    const double right = leftEdge + column * double(places.size());
    const std::vector<double> ticks = roundTicks(low, high, 6);
    for (double score : ticks) {
      svg.line(leftEdge, y(score), right, y(score), score == 0 ? "#555" : "#ddd");
      svg.text(leftEdge - 6, y(score) + 4, tickText(score, ticks), {.anchor = Anchor::End, .fill = "#555"});
    }
    svg.text(leftEdge - 52, topEdge + panelHeight / 2, "score",
             {.anchor = Anchor::Middle, .fill = "#555", .angle = -90});
    for (size_t block = 0; block < places.size(); ++block) {
      const double x = middle(block);
      svg.text(x + 4, topEdge + panelHeight + 14, places[block], {.anchor = Anchor::End, .angle = -45});
      const std::vector<double> &values = sorted[block];
      if (values.empty())
        continue;
      double mean = 0;
      for (double value : values)
        mean += value / double(values.size());
      svg.line(x, y(values.back()), x, y(values.front()), "#555");
      const double top = y(quantile(values, 0.9)), bottom = y(quantile(values, 0.1));
      svg.rectangle(x - 7, top, 14, std::max(bottom - top, 1.0), boxColour);
      svg.circle(x, y(mean), 3, mean > 0 ? fullColour : reducedColour);
    }
  }

  void drawImages(double top) {
    const size_t rows = std::min(images.size(), mostRows);
    svg.text(leftEdge, top - 8,
             rows < images.size()
                 ? fmt::format("the first {}, a row each; colours relative to the largest of the block",
                               counted(rows, "image"))
                 : "the images, a row each; colours relative to the largest of the block",
             {.fill = "#555"});
    for (size_t block = 0; block < places.size(); ++block) {
      const std::vector<double> &values = sorted[block];
      const double largest = values.empty() ? 0 : std::max(std::abs(values.front()), std::abs(values.back()));
      for (size_t i = 0; i < rows; ++i) {
        const double score = images[i].scores[block];
        if (std::isfinite(score) && largest > 0)
          svg.rectangle(middle(block) - column / 2, top + row * double(i), column, row,
                        shade(score / largest));
      }
    }
  }

  const std::vector<std::string> &places;
  const std::vector<ScoredImage> &images;
  std::vector<std::vector<double>> sorted; // of each block
  double longest = 0;                      // of the places, in pixels
  Svg svg;
};

} // namespace

std::string scalePolicySvg(const std::string &model, const std::vector<std::string> &places,
                           const std::vector<ScoredImage> &images) {
  return Drawing(places, images).draw(model);
}

} // namespace vernier::runtime
