// Running statistics of batch norms, computed anew from images: those of a configuration whose weights were
// trained together with others', of averaged weights, of weights from elsewhere.
#ifndef VERNIER_RUNTIME_TRAIN_RECALIBRATE_H
#define VERNIER_RUNTIME_TRAIN_RECALIBRATE_H

#include "runtime/core/Session.h"
#include "runtime/data/Dataset.h"
#include "runtime/image/Preprocess.h"

#include <cstdint>
#include <vector>

namespace vernier::runtime {

struct RecalibrationOptions {
  int64_t images = 4096; ///< at most; whole batches of them are used
  uint64_t seed = 1;     ///< of which images are drawn
  int loaders = 1;       ///< threads that make batches
};

struct Recalibration {
  int64_t images = 0, batches = 0;
  std::vector<bool>
      changed; ///< for each of the model's parameters, whether it is a statistic that was computed
};

/// Replaces the running statistics of the session's configuration: the mean over all batches of the batches'
/// means and unbiased variances, each of a training step's forward half with the weights as they are, added
/// up in double. All else, such as the batch norms of other configurations, stays. The images are treated as
/// in evaluation. For a session that trains; refuses statistics that are not finite, and then changes
/// nothing.
Recalibration recalibrate(Session &session, const Dataset &dataset, const Preprocessing &preprocessing,
                          const RecalibrationOptions &options);

} // namespace vernier::runtime

#endif
