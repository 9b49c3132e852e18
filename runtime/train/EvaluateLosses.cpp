#include "runtime/train/EvaluateLosses.h"

#include "runtime/Error.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fmt/core.h>

namespace vernier::runtime {

namespace {

/// Adds up what calls computed of single images.
class Meter {
public:
  explicit Meter(const vn_model &model) : outline(model), classes(model.classes) {
    losses.terms.assign(outline.terms.size(), 0);
    if (classes > 0 && takesLabels(outline))
      accuracy.emplace();
  }

  void add(Call &call) {
    const auto loss = call.arrays.floats("loss");
    const size_t images = call.indices.size();
    for (size_t i = 0; i < images; ++i) {
      losses.loss += double(loss[i]);
      losses.notFinite += !std::isfinite(loss[i]);
    }
    for (size_t term = 0; term < outline.terms.size(); ++term) {
      const auto values = call.arrays.floats(outline.terms[term].name);
      for (size_t i = 0; i < images; ++i)
        losses.terms[term] += double(values[i]);
    }
    losses.images += int64_t(images);
    if (!accuracy)
      return;
    const auto logits = call.arrays.floats(outline.targets.size() + 2); // behind image, targets and loss
    for (size_t i = 0; i < images; ++i)
      if (call.labels[i] >= 0 && call.labels[i] < classes) // one that is ignored has no rank
        accuracy->add(logits.subspan(i * size_t(classes), size_t(classes)), call.labels[i]);
  }

  Losses result() const {
    Losses result = losses;
    const double count = double(std::max<int64_t>(losses.images, 1));
    result.loss /= count;
    for (double &term : result.terms)
      term /= count;
    if (accuracy && accuracy->count() > 0)
      result.accuracy = accuracy->result();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    result.seconds = seconds.count();
    return result;
  }

private:
  const std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  const ModelOutline outline;
  const int64_t classes;
  Losses losses;
  std::optional<AccuracyMeter> accuracy;
};

} // namespace

std::vector<std::pair<std::string, double>> namedLosses(const Losses &losses,
                                                        std::span<const std::string> terms) {
  std::vector<std::pair<std::string, double>> named = {{"loss", losses.loss}};
  for (size_t i = 0; i < terms.size(); ++i)
    named.emplace_back(terms[i], losses.terms[i]);
  if (losses.accuracy)
    named.insert(named.end(), {{"top1", losses.accuracy->top1}, {"top5", losses.accuracy->top5}});
  return named;
}

Losses evaluateLosses(Session &session, const DataWithTargets &data, const Preprocessing &preprocessing,
                      int loaderThreads, ImageRange images, const ImageObserver &observer) {
  const vn_model &model = session.model();
  Meter meter(model);
  LoaderOptions options = inOrder(*data.images, model.batch, loaderThreads, images);
  options.targets = data.targets;
  Loader loader(*data.images, preprocessing, options);
  const auto fill = [&](Call &call, const Batch &batch) {
    for (size_t i = 0; i < batch.targets.size(); ++i) // behind the image
      std::memcpy(call.arrays.pointers()[i + 1], batch.targets[i].data(), batch.targets[i].size());
    if (takesLabels(model)) { // which the images of arrays have not
      call.labels.resize(batch.targets[0].size() / sizeof(int32_t));
      std::memcpy(call.labels.data(), batch.targets[0].data(), batch.targets[0].size());
    }
  };
  runCalls(session, loader, Task::Evaluate, fill, [&](Call &call) {
    meter.add(call);
    for (size_t i = 0; observer && i < call.indices.size(); ++i)
      observer(call.arrays, int64_t(i), call.indices[i]);
  });
  const Losses result = meter.result();
  if (data.images->broken.count() > 0 && result.images == 0)
    throw Error(VN_ERROR_FORMAT, fmt::format("all {} images are broken", options.order.size()));
  return result;
}

} // namespace vernier::runtime
