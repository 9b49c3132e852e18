#include "runtime/cli/NamedSize.h"

#include "runtime/Error.h"
#include "runtime/core/Sizes.h"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace vernier::runtime {

/// False where it is no number.
static bool parseSide(std::string_view text, int64_t &side) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  return error == std::errc() && end == text.data() + text.size();
}

std::vector<const vn_model *> namedBatches(const vn_model &model, const std::string &size) {
  if (size.empty()) {
    const vn_model &first = *sizesOf(model).front();
    return batchesOf(model, first.height, first.width);
  }
  const size_t cross = size.find('x');
  int64_t height = 0, width = 0;
  if (!parseSide(std::string_view(size).substr(0, cross), height) ||
      !parseSide(cross == std::string::npos ? size : std::string_view(size).substr(cross + 1), width))
    throw Error(VN_ERROR_ARGUMENT, fmt::format("`{}` is no size", size))
        .at("--size")
        .help("height and width in pixels, such as --size 224x320; model `" + std::string(model.name) +
              "` has " + sizesText(model));
  std::vector<const vn_model *> batches = batchesOf(model, height, width);
  if (batches.empty())
    throw Error(VN_ERROR_ARGUMENT,
                fmt::format("model `{}` was not built for images of {}x{}", model.name, height, width))
        .at("--size")
        .help("it has " + sizesText(model));
  return batches;
}

const vn_model &namedSize(const vn_model &model, const std::string &size, int64_t batch) {
  const std::vector<const vn_model *> batches = namedBatches(model, size);
  const auto named = batch ? std::ranges::find(batches, batch, &vn_model::batch) : batches.begin();
  if (named == batches.end())
    throw Error(VN_ERROR_ARGUMENT, fmt::format("model `{}` has no batch of {} at {}", model.name, batch,
                                               imageSizeText(*batches.front())))
        .at("--batch")
        .help("it has " + sizesText(model));
  return **named;
}

std::vector<const vn_model *> fittingBatches(const vn_model &model, int64_t height, int64_t width) {
  /// 1 where the proportions are equal, else more.
  const auto distance = [&](const vn_model &size) {
    const double a = double(height) * double(size.width), b = double(width) * double(size.height);
    return std::max(a, b) / std::min(a, b);
  };
  const auto filled = [&](const vn_model &size) { return height >= size.height && width >= size.width; };
  const auto better = [&](const vn_model &a, const vn_model &b) {
    if (distance(a) != distance(b))
      return distance(a) < distance(b);
    if (filled(a) != filled(b))
      return filled(a);
    return filled(a) ? a.height * a.width > b.height * b.width : a.height * a.width < b.height * b.width;
  };
  const std::vector<const vn_model *> sizes = sizesOf(model);
  const vn_model *best = sizes.front();
  for (const vn_model *size : sizes)
    if (better(*size, *best))
      best = size;
  return batchesOf(model, best->height, best->width);
}

std::string sizeNote(const vn_model &model) { return model.num_sizes > 1 ? ", " + imageSizeText(model) : ""; }

} // namespace vernier::runtime
