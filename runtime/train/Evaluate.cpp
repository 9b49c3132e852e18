#include "runtime/train/Evaluate.h"

#include "runtime/Error.h"
#include "runtime/data/Loader.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/core.h>
#include <thread>

namespace vernier::runtime {

int64_t rankOf(std::span<const float> logits, int64_t label) {
  const float own = logits[size_t(label)];
  if (std::isnan(own))
    return int64_t(logits.size());
  int64_t rank = 0;
  for (size_t i = 0; i < logits.size(); ++i)
    rank += logits[i] > own || (logits[i] == own && int64_t(i) < label) ? 1 : 0;
  return rank;
}

static double crossEntropy(std::span<const float> logits, int64_t label) {
  const double largest = double(*std::ranges::max_element(logits));
  double sum = 0;
  for (float logit : logits)
    sum += std::exp(double(logit) - largest);
  return largest + std::log(sum) - double(logits[size_t(label)]);
}

void checkLabels(const Dataset &dataset, const vn_model &model) {
  if (model.classes <= 0)
    throw Error(VN_ERROR_ARGUMENT,
                fmt::format("model `{}` is no classifier: its first output is a map", model.name));
  for (int64_t i = 0; i < dataset.size(); ++i)
    if (dataset.label(i) >= model.classes)
      throw Error(VN_ERROR_VALUE, fmt::format("image {} has label {}, model `{}` has {} classes", i,
                                              dataset.label(i), model.name, model.classes))
          .help(dataset.classNames.empty()
                    ? "build the model with as many classes as the data set has"
                    : fmt::format("the data set has {} classes: build the model with as many",
                                  dataset.classNames.size()));
}

void checkRange(const Dataset &dataset, const ImageRange &images) {
  if (images.first >= dataset.size())
    throw Error(VN_ERROR_ARGUMENT,
                fmt::format("there are {} images, none from {} on", dataset.size(), images.first))
        .at("--first");
}

int defaultLoaderThreads(const Dataset &dataset) {
  const bool inMemory = dynamic_cast<const MemoryDataset *>(&dataset) != nullptr;
  return inMemory ? 1 : int(std::clamp(std::thread::hardware_concurrency(), 1u, 16u));
}

Accuracy evaluate(Session &session, const Dataset &dataset, const Preprocessing &preprocessing,
                  int loaderThreads, ImageRange images, const ImageObserver &observer) {
  const vn_model &model = session.model();
  const auto begin = std::chrono::steady_clock::now();
  IoArrays arrays(model.infer);
  const std::span<float> image = arrays.floats(size_t(0)), logits = arrays.floats(size_t(1));
  LoaderOptions options;
  options.batch = model.batch;
  const int64_t end = images.first + std::min(images.count, dataset.size() - images.first);
  for (int64_t i = images.first; i < end; i += images.every)
    options.order.push_back(i);
  const std::vector<int64_t> order = options.order;
  options.padLast = true;
  options.threads = loaderThreads;
  Loader loader(dataset, preprocessing, std::move(options));

  Accuracy result;
  int64_t best = 0, bestFive = 0;
  double loss = 0;
  while (const Batch *batch = loader.next()) {
    std::ranges::copy(batch->images, image.begin());
    session.infer(arrays.pointers());
    for (int64_t i = 0; i < batch->count; ++i) {
      const auto row = logits.subspan(size_t(i * model.classes), size_t(model.classes));
      const int64_t label = batch->labels[size_t(i)], rank = rankOf(row, label);
      best += rank < 1, bestFive += rank < 5;
      loss += crossEntropy(row, label);
      if (observer)
        observer(arrays, i, order[size_t(result.images + i)]);
    }
    result.images += batch->count;
  }
  const double count = double(std::max<int64_t>(result.images, 1));
  result.top1 = double(best) / count, result.top5 = double(bestFive) / count, result.loss = loss / count;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

} // namespace vernier::runtime
