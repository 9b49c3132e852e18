#include "driver/verify/ReducedSize.h"

#include <cmath>

namespace vernier::driver {
namespace {

// Of the shorter side.
constexpr int64_t kSides[] = {32, 48, 64, 96, 128, 160, 192, 224, 256};

// The statistics of fewer pixels of a few images are mostly noise, and their gradients cancel.
constexpr int64_t kNormPixels = 4;

// Pixels of each batch norm's map, at most kNormPixels.
std::vector<int64_t> normPixels(const dsl::Graph &graph) {
  std::vector<int64_t> pixels;
  for (const dsl::Node &node : graph.nodes)
    if (node.kind == dsl::OpKind::BatchNorm)
      pixels.push_back(std::min(kNormPixels, node.shape.height * node.shape.width));
  return pixels;
}

} // namespace

std::string reducedInput(const ModelOptions &options) {
  dsl::Program program = loadProgram(options.file, options.importRoots);
  const auto elaborate = [&](int64_t height, int64_t width) {
    dsl::ElaborateOptions size = elaborateOptions(options);
    size.height = height;
    size.width = width;
    dsl::Diagnostics ignored; // loadModel reports what is wrong at the network's own size
    return dsl::elaborateModel(program, options.model, size, ignored);
  };
  const auto text = [](int64_t height, int64_t width) {
    return std::to_string(height) + "x" + std::to_string(width);
  };
  const std::optional<dsl::Graph> full = elaborate(0, 0);
  if (!full)
    return "";
  const dsl::Shape image = full->nodes.front().shape;
  const int64_t shorter = std::min(image.height, image.width);
  for (int64_t side : kSides) {
    if (side >= shorter)
      break;
    const auto scaled = [&](int64_t extent) {
      return extent == shorter ? side
                               : int64_t(std::lround(double(extent * side) / double(shorter) / 16)) * 16;
    };
    const int64_t height = scaled(image.height), width = scaled(image.width);
    const std::optional<dsl::Graph> reduced = elaborate(height, width);
    if (reduced && normPixels(*reduced) == normPixels(*full))
      return text(height, width);
  }
  return text(image.height, image.width);
}

} // namespace vernier::driver
