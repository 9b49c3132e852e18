// Shapes and text of a drawing as SVG, which is as large as what is drawn on it.
#ifndef VERNIER_CODEGEN_TOOLS_CANVAS_H
#define VERNIER_CODEGEN_TOOLS_CANVAS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <string>

namespace vernier::tools {

class Canvas {
public:
  void rectangle(double x, double y, double width, double height, llvm::StringRef fill) {
    out << llvm::format("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"", x, y, width, height)
        << " fill=\"" << fill << "\"/>\n";
    extend(x + width, y + height);
  }
  // A horizontal line of a grid.
  void line(double x1, double x2, double y) {
    out << llvm::format("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", x1, x2,
                        y, y);
  }
  void circle(double x, double y, double radius, llvm::StringRef fill) {
    out << llvm::format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"", x, y, radius) << " fill=\"" << fill
        << "\"/>\n";
    extend(x + radius, y + radius);
  }
  void polyline(llvm::ArrayRef<std::pair<double, double>> points, llvm::StringRef stroke) {
    out << "<polyline fill=\"none\" stroke=\"" << stroke << "\" points=\"";
    for (auto [x, y] : points)
      out << llvm::format("%.1f,%.1f ", x, y);
    out << "\"/>\n";
  }
  // `attributes` such as "fill=\"#fff\"".
  void text(double x, double y, llvm::StringRef content, llvm::StringRef attributes = "") {
    out << llvm::format("<text x=\"%.1f\" y=\"%.1f\"", x, y) << (attributes.empty() ? "" : " ") << attributes
        << ">";
    llvm::printHTMLEscaped(content, out);
    out << "</text>\n";
    extend(x, y);
  }
  void extend(double x, double y) {
    width = std::max(width, x + 20);
    height = std::max(height, y + 20);
  }
  std::string finish() {
    return llvm::formatv("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:F0}\" height=\"{1:F0}\" "
                         "viewBox=\"0 0 {0:F0} {1:F0}\" font-family=\"sans-serif\" font-size=\"11\">\n"
                         "<rect width=\"{0:F0}\" height=\"{1:F0}\" fill=\"#fff\"/>\n",
                         width, height)
               .str() +
           body + "</svg>\n";
  }

private:
  std::string body;
  llvm::raw_string_ostream out{body};
  double width = 0, height = 0;
};

} // namespace vernier::tools

#endif
