#include "runtime/data/Targets.h"

#include "runtime/Error.h"
#include "runtime/core/Digest.h"
#include "runtime/core/Finite.h"
#include "runtime/core/Shape.h"
#include "runtime/image/Preprocess.h"
#include "runtime/io/Npy.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/core.h>

namespace vernier::runtime {

namespace fs = std::filesystem;

namespace {

/// "train-mask.npy"
std::string fileOf(std::string_view name, Split split) {
  return fmt::format("{}-{}.npy", split == Split::Training ? "train" : "test", name);
}
std::string fileOf(const vn_io &target, Split split) { return fileOf(target.name, split); }
std::string imagesFile(Split split) { return fileOf("arrays", split); }

bool isLabels(const vn_io &target) { return target.type == VN_INT32; }

/// Of one image's: without the batch.
std::span<const int64_t> rowShape(const vn_io &target) { return shapeOf(target).subspan(1); }

/// "N x 64 x 64": of all images.
std::string extentsText(std::span<const int64_t> row) {
  std::string text = "N";
  for (int64_t length : row)
    text += fmt::format(" x {}", length);
  return text;
}

/// "whole numbers from 0 to 3, and 255 for what does not count"
std::string labelsText(const vn_io &target) {
  if (target.classes == 0)
    return "whole numbers of 32 bits";
  const std::string range = fmt::format("whole numbers from 0 to {}", target.classes - 1);
  return target.ignored ? fmt::format("{}, and {} for what does not count", range, target.ignored) : range;
}

std::string neededText(const vn_io &target, Split split) {
  return fmt::format("{}, {} of shape {}", fileOf(target, split),
                     isLabels(target) ? labelsText(target) : "floats", extentsText(rowShape(target)));
}

bool isPossible(const vn_io &target, double label) {
  if (label != std::trunc(label)) // false of NaN
    return false;
  if (target.classes == 0)
    return label >= double(INT32_MIN) && label <= double(INT32_MAX);
  return (label >= 0 && label < double(target.classes)) ||
         (target.ignored && label == double(target.ignored));
}

/// " at [2, 5]"; nothing where the image has one value.
std::string positionText(size_t index, std::span<const int64_t> shape) {
  if (shape.empty())
    return "";
  std::vector<int64_t> position(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    position[i] = int64_t(index) % shape[i];
    index /= size_t(shape[i]);
  }
  return " at " + shapeText(position);
}

Error impossibleLabel(const vn_io &target, const std::string &image, double label, size_t index,
                      const std::string &place) {
  return Error(VN_ERROR_VALUE, fmt::format("image {} has label {}{}, which target `{}` cannot have", image,
                                           label, positionText(index, rowShape(target)), target.name))
      .at(place)
      .help("labels are " + labelsText(target));
}

/// Refuses numbers of an image that are not finite; `what` holds them.
void requireFinite(std::span<const float> values, const std::string &what, std::span<const int64_t> shape,
                   const std::string &place) {
  if (const NonFinite found = findNonFinite(values))
    throw Error(VN_ERROR_VALUE, fmt::format("{} holds {}", what, nonFiniteText(found, shape)))
        .at(place)
        .help("give a finite number, or leave the image out");
}

/// The file of a target, for so many images.
TargetValues readTarget(const std::string &path, const vn_io &target, int64_t images, Split split) {
  const NpyFile file(path);
  const std::span<const int64_t> row = rowShape(target);
  if (file.shape.empty() || !std::ranges::equal(std::span(file.shape).subspan(1), row))
    throw Error(VN_ERROR_FORMAT, fmt::format("the array has shape {}, target `{}` takes {}",
                                             shapeText(file.shape), target.name, extentsText(row)))
        .at(path)
        .help("it needs " + neededText(target, split));
  if (file.shape[0] != images)
    throw Error(VN_ERROR_FORMAT, fmt::format("there are {}, and target `{}` is here for {}",
                                             counted(images, "image"), target.name, file.shape[0]))
        .at(path)
        .help(fmt::format("one for each image of {}, in its order", imagesFile(split)));
  TargetValues values;
  values.bytes.resize(4 * file.size());
  const size_t rowSize = file.size() / size_t(images);
  values.rowBytes = 4 * rowSize;
  if (!isLabels(target)) {
    auto *to = reinterpret_cast<float *>(values.bytes.data());
    for (size_t i = 0; i < file.size(); ++i)
      to[i] = float(file[i]);
    for (size_t image = 0; image < size_t(images); ++image)
      requireFinite({to + image * rowSize, rowSize},
                    fmt::format("target `{}` of image {}", target.name, image), row, path);
    return values;
  }
  auto *to = reinterpret_cast<int32_t *>(values.bytes.data());
  for (size_t i = 0; i < file.size(); ++i) {
    const double label = file[i];
    if (!isPossible(target, label))
      throw impossibleLabel(target, std::to_string(i / rowSize), label, i % rowSize, path);
    to[i] = int32_t(label);
  }
  return values;
}

/// The labels of images.
TargetValues labelsOf(const Dataset &images, const vn_io &target, const std::string &place) {
  TargetValues values;
  values.rowBytes = 4;
  values.bytes.resize(size_t(images.size()) * values.rowBytes);
  auto *to = reinterpret_cast<int32_t *>(values.bytes.data());
  for (int64_t i = 0; i < images.size(); ++i) {
    if (!isPossible(target, double(images.label(i))))
      throw impossibleLabel(target, images.name(i), double(images.label(i)), 0, place);
    to[i] = int32_t(images.label(i));
  }
  return values;
}

std::unique_ptr<ArrayDataset> readImages(const std::string &path, const ModelOutline &model) {
  auto images = openArrays(path);
  const int64_t input[] = {model.channels, model.height, model.width};
  if (!std::ranges::equal(images->shape, input))
    throw Error(VN_ERROR_ARGUMENT, fmt::format("the arrays have shape {}, model `{}` takes {}",
                                               shapeText(images->shape), model.name, shapeText(input)))
        .at(path)
        .help(fmt::format("give the images as {}", extentsText(input)));
  for (int64_t i = 0; i < images->size(); ++i)
    requireFinite(images->array(i), fmt::format("image {}", i), input, path);
  return images;
}

Error withoutArrays(const std::string &folder, const ModelOutline &model, Split split) {
  const int64_t input[] = {model.channels, model.height, model.width};
  std::string files =
      fmt::format("{}, the images, floats of shape {}", imagesFile(split), extentsText(input));
  for (const vn_io &target : model.targets)
    files += "; " + neededText(target, split);
  return Error(VN_ERROR_FORMAT, fmt::format("labels of images are not what model `{}` is trained with: its "
                                            "targets come from arrays",
                                            model.name))
      .at(folder)
      .help("it needs " + files);
}

} // namespace

uint64_t DataWithTargets::targetsDigest() const {
  Digest digest;
  for (const TargetValues &target : targets)
    digest.add(std::span<const std::byte>(target.bytes));
  return digest.value();
}

bool takesLabels(const ModelOutline &model) {
  return model.targets.size() == 1 && isLabels(model.targets[0]) && model.targets[0].rank == 1;
}

DataWithTargets openWithTargets(const std::string &folder, const ModelOutline &model, Split split) {
  if (!fs::is_directory(folder))
    throw Error(VN_ERROR_FILE, "there is no such folder of data").at(folder);
  const auto path = [&](const std::string &file) { return (fs::path(folder) / file).string(); };
  const auto isThere = [&](const std::string &file) { return fs::exists(path(file)); };
  for (const vn_io &target : model.targets)
    if (fileOf(target, split) == imagesFile(split))
      throw Error(VN_ERROR_ARGUMENT, fmt::format("the file of target `{}` would be that of the images, {}",
                                                 target.name, imagesFile(split)))
          .at(folder)
          .help("give the target another name in the specification");

  // One label for each image, or nothing: what data sets of images have.
  const bool labelled = model.targets.empty() || takesLabels(model);
  DataWithTargets data;
  if (!isThere(imagesFile(split))) {
    if (!labelled)
      throw withoutArrays(folder, model, split);
    data.images = openDataset(folder, split);
    requireImages(model);
    for (const vn_io &target : model.targets)
      data.targets.push_back(labelsOf(*data.images, target, folder));
    return data;
  }
  data.images = readImages(path(imagesFile(split)), model);
  for (const vn_io &target : model.targets) {
    std::string file = fileOf(target, split);
    if (const std::string labels = fileOf("labels", split); labelled && !isThere(file) && isThere(labels))
      file = labels; // as of a classifier
    if (!isThere(file))
      throw Error(VN_ERROR_FILE,
                  fmt::format("the data set lacks `{}`, target `{}` of each image", file, target.name))
          .at(folder)
          .help("it needs " + neededText(target, split));
    data.targets.push_back(readTarget(path(file), target, data.images->size(), split));
  }
  return data;
}

std::optional<DataWithTargets> openValidation(const std::string &folder, const ModelOutline &model) {
  const bool some = hasTestSplit(folder) || std::ranges::any_of(model.targets, [&](const vn_io &target) {
                      return fs::exists(fs::path(folder) / fileOf(target, Split::Test));
                    });
  return some ? std::optional(openWithTargets(folder, model, Split::Test)) : std::nullopt;
}

} // namespace vernier::runtime
