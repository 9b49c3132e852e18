// The losses that a specification declares, of a data set.
#ifndef VERNIER_RUNTIME_TRAIN_EVALUATELOSSES_H
#define VERNIER_RUNTIME_TRAIN_EVALUATELOSSES_H

#include "runtime/data/Targets.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/Metrics.h"

#include <span>
#include <string>
#include <vector>

namespace vernier::runtime {

/// Means over images, each of which counts alike; of one image its loss by itself, in inference.
struct Losses {
  int64_t images = 0;
  double loss = 0;
  std::vector<double> terms{}; ///< of ModelOutline::terms
  double seconds = 0;
  int64_t notFinite = 0;  ///< images with a loss that is infinite or no number
  NamedNumbers metrics{}; ///< "TARGET.top1" and so on, see metricsOf
  nlohmann::ordered_json perClass = nlohmann::ordered_json::object(); ///< of targets, see Metric
};

/// "loss", "loss.NAME", and the metrics.
NamedNumbers namedLosses(const Losses &losses, std::span<const std::string> terms);

/// Whether the model has a program for it.
inline bool evaluatesLosses(const vn_model &model) { return model.evaluate.num_steps > 0; }

/// Runs `evaluate` on these images; the last batch is padded.
Losses evaluateLosses(Session &session, const DataWithTargets &data, const Preprocessing &preprocessing,
                      int loaderThreads, ImageRange images = {}, const ImageObserver &observer = {});

} // namespace vernier::runtime

#endif
