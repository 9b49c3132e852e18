// A drawing as SVG, which is as large as what is drawn on it: texts are measured, so that none is cut off.
#ifndef VERNIER_RUNTIME_CORE_SVG_H
#define VERNIER_RUNTIME_CORE_SVG_H

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vernier::runtime {

/// Width in pixels that a sans-serif text needs at most, whichever font a reader has; `size` in pixels.
double textWidth(std::string_view text, double size = 11, bool bold = false);

/// Positions of round numbers within [low, high]: multiples of 1, 2 or 5 times a power of ten, about `count`
/// of them. At least one, also where both ends are equal.
std::vector<double> roundTicks(double low, double high, int count = 5);

/// A tick's number with as many digits as tell it from its neighbours: "0.25", "1500".
std::string tickText(double value, const std::vector<double> &ticks);

class Svg {
public:
  enum class Anchor { Start, Middle, End };
  struct TextStyle {
    Anchor anchor = Anchor::Start;
    bool bold = false;
    std::string_view fill = "#000";
    double angle = 0; ///< degrees about the anchor, clockwise
  };

  void rectangle(double x, double y, double width, double height, std::string_view fill);
  void line(double x1, double y1, double x2, double y2, std::string_view stroke);
  void circle(double x, double y, double radius, std::string_view fill);
  void polyline(const std::vector<std::pair<double, double>> &points, std::string_view stroke);
  void text(double x, double y, std::string_view content, const TextStyle &style);
  void text(double x, double y, std::string_view content) { text(x, y, content, TextStyle()); }

  std::string finish() const;

private:
  void extend(double x, double y);

  std::string body;
  double left = 0, top = 0, right = 0, bottom = 0;
};

} // namespace vernier::runtime

#endif
