#include "runtime/core/Sizes.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <fmt/core.h>

namespace vernier::runtime {

std::vector<const vn_model *> sizesOf(const vn_model &model) {
  if (model.num_sizes == 0)
    return {&model};
  return {model.sizes, model.sizes + model.num_sizes};
}

std::string imageSizeText(const vn_model &size) { return fmt::format("{}x{}", size.height, size.width); }

std::string sizesText(const vn_model &model) {
  std::vector<std::pair<std::string, std::string>> batches; // of each height and width
  for (const vn_model *size : sizesOf(model)) {
    const std::string image = imageSizeText(*size);
    auto known = std::ranges::find(batches, image, &std::pair<std::string, std::string>::first);
    if (known == batches.end())
      batches.emplace_back(image, std::to_string(size->batch));
    else
      known->second += fmt::format(", {}", size->batch);
  }
  std::string text;
  for (const auto &[image, counts] : batches)
    text += fmt::format("{}{} (batch {})", text.empty() ? "" : ", ", image, counts);
  return text;
}

const vn_model &sizeOf(const vn_model &model, int64_t batch, int64_t height, int64_t width) {
  for (const vn_model *size : sizesOf(model))
    if (size->batch == batch && size->height == height && size->width == width)
      return *size;
  throw Error(VN_ERROR_ARGUMENT, fmt::format("model `{}` was not built for {} of {}x{}", model.name,
                                             counted(batch, "image"), height, width))
      .help("it has " + sizesText(model));
}

std::vector<const vn_model *> batchesOf(const vn_model &model, int64_t height, int64_t width) {
  std::vector<const vn_model *> batches;
  for (const vn_model *size : sizesOf(model))
    if (size->height == height && size->width == width)
      batches.push_back(size);
  std::ranges::sort(batches, std::ranges::greater(), &vn_model::batch);
  return batches;
}

const vn_model &nextBatch(const std::vector<const vn_model *> &batches, int64_t images) {
  const auto filled =
      std::ranges::find_if(batches, [&](const vn_model *size) { return size->batch <= images; });
  return filled == batches.end() ? *batches.back() : **filled;
}

} // namespace vernier::runtime
