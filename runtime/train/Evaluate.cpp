#include "runtime/train/Evaluate.h"

#include "runtime/Error.h"
#include "runtime/core/Cpus.h"
#include "runtime/core/Shape.h"
#include "runtime/process/Interrupt.h"

#include <algorithm>
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
    rank += std::isnan(logits[i]) || logits[i] > own || (logits[i] == own && int64_t(i) < label) ? 1 : 0;
  return rank;
}

static double crossEntropy(std::span<const float> logits, int64_t label) {
  const double largest = double(*std::ranges::max_element(logits));
  double sum = 0;
  for (float logit : logits)
    sum += std::exp(double(logit) - largest);
  return largest + std::log(sum) - double(logits[size_t(label)]);
}

void AccuracyMeter::add(std::span<const float> logits, int64_t label) {
  const int64_t rank = rankOf(logits, label);
  best += rank < 1, bestFive += rank < 5;
  loss += crossEntropy(logits, label);
  notFinite += !std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); });
  ++images;
}

Accuracy AccuracyMeter::result() const {
  const double count = double(std::max<int64_t>(images, 1));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return {images, double(best) / count, double(bestFive) / count, loss / count, seconds.count(), notFinite};
}

void requireClassifier(const ModelOutline &model) {
  if (model.classes <= 0)
    throw Error(VN_ERROR_ARGUMENT,
                fmt::format("model `{}` is no classifier: its first output is a map", model.name))
        .help("`run` computes its outputs; `vernier build --for train` evaluates the losses that a "
              "specification declares");
}

void checkLabels(const Dataset &dataset, const ModelOutline &model) {
  if (const auto *arrays = dynamic_cast<const ArrayDataset *>(&dataset)) {
    const std::vector<int64_t> input = {model.channels, model.height, model.width};
    if (arrays->shape != input)
      throw Error(VN_ERROR_ARGUMENT, fmt::format("the arrays have shape {}, model `{}` takes {}",
                                                 shapeText(arrays->shape), model.name, shapeText(input)));
  } else {
    requireImages(model);
  }
  requireClassifier(model);
  for (int64_t i = 0; i < dataset.size(); ++i)
    if (dataset.label(i) >= model.classes)
      throw Error(VN_ERROR_VALUE, fmt::format("image {} has label {}, model `{}` has {}", i, dataset.label(i),
                                              model.name, counted(model.classes, "class")))
          .help(dataset.classNames.empty() ? "build the model with as many classes as the data set has"
                                           : fmt::format("the data set has {}: build the model with as many",
                                                         counted(dataset.classNames.size(), "class")));
}

void checkRange(const Dataset &dataset, const ImageRange &images) {
  if (images.first >= dataset.size())
    throw Error(VN_ERROR_ARGUMENT, fmt::format("the data set has {}, none from {} on",
                                               counted(dataset.size(), "image"), images.first))
        .at("--first");
}

int defaultLoaderThreads(const Dataset &dataset) {
  const bool inMemory =
      dynamic_cast<const MemoryDataset *>(&dataset) || dynamic_cast<const ArrayDataset *>(&dataset);
  return inMemory ? 1 : int(std::min<int64_t>(usableCpus(), 16));
}

LoaderOptions inOrder(const Dataset &dataset, int64_t batch, int loaderThreads, ImageRange images) {
  LoaderOptions options;
  options.batch = batch;
  const int64_t end = images.first + std::min(images.count, dataset.size() - images.first);
  for (int64_t i = images.first; i < end; i += images.every)
    options.order.push_back(i);
  options.padLast = true;
  options.threads = loaderThreads;
  return options;
}

void runCalls(Session &session, Loader &loader, Task task,
              const std::function<void(Call &, const Batch &)> &fill,
              const std::function<void(Call &)> &done) {
  std::vector<Call> calls; // in turns
  const size_t underWay = session.pipeline() ? 2 : 1;
  for (size_t i = 0; i < underWay; ++i)
    calls.push_back({IoArrays(programOf(session.model(), task), session.pipeline()), {}, {}, 0});
  size_t started = 0, finished = 0;
  const auto finish = [&] {
    Call &call = calls[finished++ % calls.size()];
    session.wait(call.run);
    stopIfAsked();
    done(call);
  };
  while (const Batch *batch = loader.next()) {
    Call &call = calls[started++ % calls.size()];
    std::ranges::copy(batch->images, call.arrays.floats(size_t(0)).begin());
    call.labels = batch->labels, call.indices = batch->indices;
    if (fill)
      fill(call, *batch);
    call.run = session.start(task, call.arrays);
    if (started - finished == calls.size())
      finish();
  }
  while (finished < started)
    finish();
}

Accuracy evaluate(Session &session, const Dataset &dataset, const Preprocessing &preprocessing,
                  int loaderThreads, ImageRange images, const ImageObserver &observer) {
  const vn_model &model = session.model();
  AccuracyMeter meter;
  const LoaderOptions options = inOrder(dataset, model.batch, loaderThreads, images);
  Loader loader(dataset, preprocessing, options);
  runCalls(session, loader, Task::Infer, {}, [&](Call &call) {
    const std::span<const float> logits = call.arrays.floats(size_t(1));
    for (size_t i = 0; i < call.indices.size(); ++i) {
      meter.add(logits.subspan(i * size_t(model.classes), size_t(model.classes)), call.labels[i]);
      if (observer)
        observer(call.arrays, int64_t(i), call.indices[i]);
    }
  });
  if (dataset.broken.count() > 0 && meter.count() == 0)
    throw Error(VN_ERROR_FORMAT, fmt::format("all {} images are broken", options.order.size()));
  return meter.result();
}

} // namespace vernier::runtime
