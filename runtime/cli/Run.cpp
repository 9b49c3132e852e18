#include "runtime/cli/Commands.h"
#include "runtime/cli/OpenSession.h"
#include "runtime/cli/ScalePolicy.h"

#include "runtime/Error.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Shape.h"
#include "runtime/core/Sizes.h"
#include "runtime/io/Npy.h"

#include <algorithm>
#include <filesystem>
#include <fmt/core.h>
#include <map>

namespace vernier::runtime {

int64_t imageCount(const vn_model &model, const NpyArray &input, const std::string &path) {
  const int64_t image[] = {model.channels, model.height, model.width};
  const std::span<const int64_t> shape = input.shape;
  if ((shape.size() != 3 && shape.size() != 4) || !std::ranges::equal(shape.last(3), image))
    throw Error(VN_ERROR_ARGUMENT, fmt::format("the array has shape {}, model `{}` takes images of {}",
                                               shapeText(shape), model.name, shapeText(image)))
        .at(path)
        .help("give N x C x H x W of any N; for another height or width build the model with `--input HxW`");
  return shape.size() == 3 ? 1 : shape[0];
}

static std::string outputBeside(const std::string &path, const std::string &name) {
  std::filesystem::path result(path);
  const std::string extension = result.extension() == ".npy" ? ".npy" : "";
  result.replace_extension(extension.empty() ? result.extension() : "");
  result += fmt::format(".{}{}", name, extension);
  return result.string();
}

ArrayOutputs::ArrayOutputs(const std::string &path) : path(path) {
  if (findOutput(path).isThrough())
    through = std::make_unique<AtomicFile>(path);
}

void ArrayOutputs::write(const std::string &name, std::span<const int64_t> shape,
                         std::span<const float> values) {
  if (through)
    writeNpy(*through, shape, values);
  else
    writeNpy(name.empty() ? path : outputBeside(path, name), shape, values);
}

void ArrayOutputs::finish() {
  if (through)
    through->commit();
}

/// The batches for images as large as the array's.
static std::vector<const vn_model *> batchesFor(const vn_model &model, const NpyArray &input,
                                                const std::string &path) {
  const std::span<const int64_t> shape = input.shape;
  std::vector<const vn_model *> batches;
  if (shape.size() >= 2)
    batches = batchesOf(model, shape[shape.size() - 2], shape.back());
  if (batches.empty() && model.num_sizes > 1)
    throw Error(VN_ERROR_ARGUMENT,
                fmt::format("the array has shape {}, model `{}` takes images of {} channels and {}",
                            shapeText(shape), model.name, model.channels, sizesText(model)))
        .at(path)
        .help("give N x C x H x W of any N; build the model with this size too: `--input H1xW1,H2xW2`");
  return batches.empty() ? std::vector{&model} : batches;
}

void runCommand(const vn_model &model, const RunOptions &options) {
  OpenSession open = openSession(model, options, Purpose::EverySize);
  const NpyArray input = readNpy(options.input);
  const std::vector<const vn_model *> batches = batchesFor(model, input, options.input);
  const vn_model &largest = *batches.front();
  ScalePolicyLog scalePolicy(largest, options.scalePolicy);
  const int64_t images = imageCount(largest, input, options.input);
  const size_t imageSize = size_t(model.channels * largest.height * largest.width);

  std::map<const vn_model *, IoArrays> arraysOf;
  std::vector<std::vector<float>> results(size_t(largest.infer.num_io));
  for (int64_t first = 0, count; first < images; first += count) {
    const vn_model &size = nextBatch(batches, images - first);
    open.session->resize(size);
    IoArrays &arrays = arraysOf.try_emplace(&size, size.infer).first->second;
    const std::span<float> image = arrays.floats(size_t(0));
    count = std::min(size.batch, images - first);
    const auto source = std::span(input.values).subspan(size_t(first) * imageSize, size_t(count) * imageSize);
    std::ranges::fill(std::ranges::copy(source, image.begin()).out, image.end(), 0.0f); // pads the last batch
    open.session->infer(arrays.pointers());
    for (int64_t i = 0; i < count; ++i)
      scalePolicy.add(arrays, i, std::to_string(first + i));
    for (size_t i = 0; i < results.size(); ++i)
      if (size.infer.io[i].is_output == VN_OUTPUT) {
        const auto output = arrays.floats(i);
        const auto used = output.first(output.size() / size_t(size.batch) * size_t(count));
        results[i].insert(results[i].end(), used.begin(), used.end());
      }
  }

  ArrayOutputs outputs(options.output);
  bool isFirst = true;
  for (size_t i = 0; i < results.size(); ++i) {
    const vn_io &io = largest.infer.io[i];
    if (io.is_output != VN_OUTPUT)
      continue;
    std::vector<int64_t> shape(io.shape, io.shape + io.rank);
    shape[0] = images;
    outputs.write(isFirst ? "" : io.name, shape, results[i]);
    isFirst = false;
  }
  outputs.finish();
  scalePolicy.write();
}

} // namespace vernier::runtime
