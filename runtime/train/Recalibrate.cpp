#include "runtime/train/Recalibrate.h"

#include "runtime/Error.h"
#include "runtime/core/Finite.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Shape.h"
#include "runtime/data/Loader.h"
#include "runtime/train/StepArrays.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>

namespace vernier::runtime {

namespace {

/// One running statistic: a step leaves (1 - momentum) * before + momentum * (the batch's).
struct Statistic {
  const vn_parameter *parameter;
  std::vector<float> original, values; ///< of the session, before and as they are
  std::vector<double> momentum;        ///< of each element; 0 where this configuration does not touch it
  std::vector<double> sum;             ///< of what steps left that began with 0
};

/// So large that a batch's share is lost beside it: what a step leaves of it tells the momentum.
constexpr float probe = 0x1p100f;

/// 1 - momentum comes back with the 24 bits of a float32, which has no further decimals of 0.9 than these.
double roundedMomentum(float left) { return std::round(1e7 * (1 - double(left) / double(probe))) / 1e7; }

class Recalibrator {
public:
  Recalibrator(Session &session, uint64_t seed)
      : session(session), arrays(session.model().train_step), seed(seed) {
    const vn_model &model = session.model();
    for (int64_t i = 0; i < model.num_parameters; ++i)
      if (const vn_parameter &parameter = model.parameters[i]; parameter.space == VN_SPACE_STATISTICS) {
        const std::vector<float> values = session.read(parameter);
        statistics.push_back({.parameter = &parameter,
                              .original = values,
                              .values = values,
                              .momentum = {},
                              .sum = std::vector<double>(values.size())});
      }
  }

  ~Recalibrator() {
    if (finished)
      return;
    for (const Statistic &statistic : statistics)
      session.write(*statistic.parameter, statistic.original);
  }

  void add(const Batch &batch) {
    std::ranges::copy(batch.images, arrays.floats("image").begin());
    drawRandomState(arrays, seed, batches, 0);
    if (batches++ == 0)
      findMomentum();
    step(0.0f);
    for (Statistic &statistic : statistics)
      std::ranges::transform(statistic.sum, statistic.values, statistic.sum.begin(),
                             [](double sum, float value) { return sum + double(value); });
  }

  /// For each of the model's parameters whether it was computed.
  std::vector<bool> finish() {
    std::vector<bool> changed(size_t(session.model().num_parameters));
    for (Statistic &statistic : statistics) {
      std::vector<float> computed = statistic.original;
      for (size_t i = 0; i < computed.size(); ++i)
        if (statistic.momentum[i] != 0) {
          computed[i] = float(statistic.sum[i] / (statistic.momentum[i] * double(batches)));
          changed[size_t(statistic.parameter - session.model().parameters)] = true;
        }
      if (const NonFinite found = findNonFinite(computed))
        throw Error(VN_ERROR_VALUE, fmt::format("statistic `{}` would hold {}", statistic.parameter->name,
                                                nonFiniteText(found, shapeOf(*statistic.parameter))))
            .help("the weights, or the images, are beyond what float32 computes with");
      results.push_back(std::move(computed));
    }
    for (size_t i = 0; i < statistics.size(); ++i)
      session.write(*statistics[i].parameter, results[i]);
    finished = true;
    return changed;
  }

private:
  void step(float before) {
    for (Statistic &statistic : statistics) {
      std::ranges::fill(statistic.values, before);
      session.write(*statistic.parameter, statistic.values);
    }
    session.updateStatistics(arrays.pointers());
    for (Statistic &statistic : statistics)
      session.read(*statistic.parameter, statistic.values);
  }

  void findMomentum() {
    step(probe);
    for (Statistic &statistic : statistics)
      for (float left : statistic.values)
        statistic.momentum.push_back(roundedMomentum(left));
  }

  Session &session;
  IoArrays arrays;
  const uint64_t seed; // of what is dropped
  std::vector<Statistic> statistics;
  std::vector<std::vector<float>> results;
  int64_t batches = 0;
  bool finished = false;
};

} // namespace

Recalibration recalibrate(Session &session, const Dataset &dataset, const Preprocessing &preprocessing,
                          const RecalibrationOptions &options) {
  const vn_model &model = session.model();
  Recalibration result;
  result.batches = std::min(options.images, dataset.size()) / model.batch;
  result.images = result.batches * model.batch;
  if (const int64_t images = std::min(options.images, dataset.size()); images < model.batch)
    throw Error(VN_ERROR_VALUE, fmt::format("{} {} not fill one batch of {}", counted(images, "image"),
                                            images == 1 ? "does" : "do", model.batch))
        .help("take more images, or build the model with a smaller --batch");
  LoaderOptions load;
  load.batch = model.batch;
  // Drawn: in the order of their files, images of one class would come together.
  load.order = shuffledOrder(dataset.size(), options.seed, 0);
  load.order.resize(size_t(result.images));
  load.threads = options.loaders;
  Loader loader(dataset, preprocessing, std::move(load));
  Recalibrator recalibrator(session, options.seed);
  while (const Batch *batch = loader.next())
    recalibrator.add(*batch);
  result.changed = recalibrator.finish();
  return result;
}

} // namespace vernier::runtime
