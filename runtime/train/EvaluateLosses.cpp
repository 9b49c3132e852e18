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
  explicit Meter(const vn_model &model) : outline(model), metrics(metricsOf(model)) {
    losses.terms.assign(outline.terms.size(), 0);
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
    for (const auto &metric : metrics)
      metric->add(call.arrays, int64_t(images));
  }

  Losses result() const {
    Losses result = losses;
    const double count = double(std::max<int64_t>(losses.images, 1));
    result.loss /= count;
    for (double &term : result.terms)
      term /= count;
    for (const auto &metric : metrics) {
      for (const auto &[name, value] : metric->result())
        result.metrics.emplace_back(metric->target + "." + name, value);
      if (auto each = metric->perClass(); !each.empty())
        result.perClass[metric->target] = std::move(each);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    result.seconds = seconds.count();
    return result;
  }

private:
  const std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  const ModelOutline outline;
  const std::vector<std::unique_ptr<Metric>> metrics;
  Losses losses;
};

} // namespace

NamedNumbers namedLosses(const Losses &losses, std::span<const std::string> terms) {
  NamedNumbers named = {{"loss", losses.loss}};
  for (size_t i = 0; i < terms.size(); ++i)
    named.emplace_back(terms[i], losses.terms[i]);
  named.insert(named.end(), losses.metrics.begin(), losses.metrics.end());
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
