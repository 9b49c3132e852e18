#include "codegen/program/View.h"

namespace vernier::codegen {

View denseView(int64_t n, int64_t h, int64_t w, int64_t c, Element element) {
  return {n, h, w, c, c, element};
}
View pixelsInOneRow(const View &view) {
  return {1, 1, view.n * view.h * view.w, view.c, view.pixel, view.element};
}

std::string View::name() const {
  std::string text;
  for (int64_t extent : {n, h, w, c})
    text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text + (dense() ? "" : "of" + std::to_string(pixel)) + elementSuffix(element);
}

} // namespace vernier::codegen
