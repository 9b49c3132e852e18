#include "runtime/data/Dataset.h"

#include "runtime/Error.h"
#include "runtime/core/Digest.h"
#include "runtime/core/Shape.h"
#include "runtime/io/Npy.h"

#include <fmt/core.h>

namespace vernier::runtime {

std::span<const float> ArrayDataset::array(int64_t index) const {
  const size_t length = values.size() / labels.size();
  return std::span(values).subspan(size_t(index) * length, length);
}

uint64_t ArrayDataset::digest() const {
  Digest digest;
  digest.add(std::span<const int64_t>(shape));
  digest.add(std::span<const float>(values));
  digest.add(std::span<const int32_t>(labels));
  return digest.value();
}

std::unique_ptr<ArrayDataset> openArrays(const std::string &arrays) {
  NpyArray inputs = readNpy(arrays);
  if (inputs.shape.size() != 4 || inputs.values.empty())
    throw Error(VN_ERROR_FORMAT, fmt::format("the arrays have shape {}", shapeText(inputs.shape)))
        .at(arrays)
        .help("give N x C x H x W, N of them");
  auto set = std::make_unique<ArrayDataset>();
  set->shape.assign(inputs.shape.begin() + 1, inputs.shape.end());
  set->values = std::move(inputs.values);
  set->labels.assign(size_t(inputs.shape[0]), 0);
  return set;
}

std::unique_ptr<ArrayDataset> openArrays(const std::string &arrays, const std::string &labels) {
  auto set = openArrays(arrays);
  const NpyArray classes = readNpy(labels);
  if (classes.shape.size() != 1 || classes.shape[0] != set->size())
    throw Error(VN_ERROR_FORMAT, fmt::format("there are {} arrays, and labels of shape {}", set->size(),
                                             shapeText(classes.shape)))
        .at(labels);
  for (size_t i = 0; i < classes.values.size(); ++i) {
    const float value = classes.values[i];
    if (!(value >= 0 && value < float(1 << 24) && value == float(int32_t(value))))
      throw Error(VN_ERROR_FORMAT, fmt::format("the label {} is no class's number", value)).at(labels);
    set->labels[i] = int32_t(value);
  }
  return set;
}

} // namespace vernier::runtime
