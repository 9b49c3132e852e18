#include "runtime/core/Svg.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <iterator>
#include <numbers>

namespace vernier::runtime {

namespace {

constexpr double fontSize = 11, margin = 12;

/// Of the font's size: as wide as the letter is in the widest of the usual fonts (DejaVu Sans, Verdana).
double characterWidth(char c) {
  if (std::string_view("mwMW@%").find(c) != std::string_view::npos)
    return 1.03;
  if (std::string_view("ijlI.,:;'|!()[]f/ ").find(c) != std::string_view::npos)
    return 0.46;
  if (c >= 'A' && c <= 'Z')
    return 0.79;
  return 0.66;
}

std::string escaped(std::string_view text) {
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
      result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c; // XML has no other control characters
    }
  return result;
}

} // namespace

double textWidth(std::string_view text, double size, bool bold) {
  double width = 0;
  for (char c : text)
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) // a UTF-8 sequence is one letter
      width += static_cast<unsigned char>(c) < 0x80 ? characterWidth(c) : 1.03;
  return width * size * (bold ? 1.12 : 1);
}

std::vector<double> roundTicks(double low, double high, int count) {
  const double range = high > low ? high - low : std::max(std::abs(high), 1.0);
  const double power = std::pow(10, std::floor(std::log10(range / count)));
  double step = 10 * power;
  for (double factor : {5.0, 2.0, 1.0})
    if (factor * power * (1 + 1e-9) >= range / count)
      step = factor * power;
  std::vector<double> ticks;
  const double slack = 1e-9 * range;
  for (double i = std::ceil((low - slack) / step); i * step <= high + slack; ++i)
    ticks.push_back(i == 0 ? 0 : i * step);
  if (ticks.empty())
    ticks.push_back(low);
  return ticks;
}

std::string tickText(double value, const std::vector<double> &ticks) {
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : std::abs(value);
  if (!(step > 0) || std::abs(value) >= 1e7 || (value != 0 && std::abs(value) < 1e-6))
    return fmt::format("{:.6g}", value);
  const int digits = ticks.size() > 1 ? std::max(0, int(std::ceil(-std::log10(step) - 1e-9))) : 2;
  std::string text = fmt::format("{:.{}f}", value, std::min(digits, 9));
  if (ticks.size() == 1 && text.find('.') != std::string::npos)
    text = fmt::format("{:.6g}", value);
  return text;
}

void Svg::extend(double x, double y) {
  left = std::min(left, x);
  right = std::max(right, x);
  top = std::min(top, y);
  bottom = std::max(bottom, y);
}

void Svg::rectangle(double x, double y, double width, double height, std::string_view fill) {
  fmt::format_to(std::back_inserter(body),
                 "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n", x, y,
                 width, height, fill);
  extend(x, y);
  extend(x + width, y + height);
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view stroke) {
  fmt::format_to(std::back_inserter(body),
                 "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1,
                 x2, y2, stroke);
  extend(x1, y1);
  extend(x2, y2);
}

void Svg::circle(double x, double y, double radius, std::string_view fill) {
  fmt::format_to(std::back_inserter(body), "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\"/>\n",
                 x, y, radius, fill);
  extend(x - radius, y - radius);
  extend(x + radius, y + radius);
}

void Svg::polyline(const std::vector<std::pair<double, double>> &points, std::string_view stroke) {
  fmt::format_to(std::back_inserter(body), "<polyline fill=\"none\" stroke=\"{}\" points=\"", stroke);
  for (auto [x, y] : points) {
    fmt::format_to(std::back_inserter(body), "{:.1f},{:.1f} ", x, y);
    extend(x, y);
  }
  body += "\"/>\n";
}

void Svg::text(double x, double y, std::string_view content, const TextStyle &style) {
  static constexpr const char *anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
  fmt::format_to(std::back_inserter(body), "<text x=\"{:.1f}\" y=\"{:.1f}\"{}", x, y,
                 anchors[int(style.anchor)]);
  if (style.bold)
    body += " font-weight=\"bold\"";
  if (style.fill != "#000")
    fmt::format_to(std::back_inserter(body), " fill=\"{}\"", style.fill);
  if (style.angle != 0)
    fmt::format_to(std::back_inserter(body), " transform=\"rotate({:g} {:.1f} {:.1f})\"", style.angle, x, y);
  fmt::format_to(std::back_inserter(body), ">{}</text>\n", escaped(content));
  const double width = textWidth(content, fontSize, style.bold), turn = style.angle * std::numbers::pi / 180;
  const double from = style.anchor == Anchor::Start    ? 0
                      : style.anchor == Anchor::Middle ? -width / 2
                                                       : -width;
  for (double along : {from, from + width})
    for (double across : {-fontSize, 0.35 * fontSize})
      extend(x + along * std::cos(turn) - across * std::sin(turn),
             y + along * std::sin(turn) + across * std::cos(turn));
}

std::string Svg::finish() const {
  const double x = std::floor(left - margin), y = std::floor(top - margin);
  const double width = std::ceil(right + margin) - x, height = std::ceil(bottom + margin) - y;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{2:.0f}\" height=\"{3:.0f}\" "
      "viewBox=\"{0:.0f} {1:.0f} {2:.0f} {3:.0f}\" font-family=\"sans-serif\" font-size=\"{4:.0f}\">\n"
      "<rect x=\"{0:.0f}\" y=\"{1:.0f}\" width=\"{2:.0f}\" height=\"{3:.0f}\" fill=\"#fff\"/>\n{5}"
      "</svg>\n",
      x, y, width, height, fontSize, body);
}

} // namespace vernier::runtime
