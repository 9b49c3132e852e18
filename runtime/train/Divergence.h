// Says why a training stops: what is no longer finite, and where, or that the device has failed. Slow, and
// only then.
#ifndef VERNIER_RUNTIME_TRAIN_DIVERGENCE_H
#define VERNIER_RUNTIME_TRAIN_DIVERGENCE_H

#include "runtime/Error.h"
#include "runtime/core/Session.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vernier::runtime {

struct TrainingPlace {
  int64_t step = 0, steps = 0, epoch = 0, epochs = 0; ///< from 1, of how many
  double learningRate = 0;
  std::string configuration;             ///< of open holes; empty: there are none
  std::string checkpoint;                ///< the file that training goes on from
  std::optional<int64_t> checkpointStep; ///< so many steps are in it; none: there is no such file
};

/// After a training step whose loss, statistics, gradients or new parameters are not finite. `images`: a line
/// for each of the batch's images that are not.
Error divergence(Session &session, double loss, const std::vector<std::string> &images,
                 const TrainingPlace &place);

/// Of a step of which only that is known; `why`: not more.
Error unnamedDivergence(const std::string &why, const TrainingPlace &place);

/// Where the device has failed at this step, of which `underWay` were started, or between two.
Error deviceFailure(const Error &error, int64_t underWay, const TrainingPlace &place);

/// After a validation whose loss is not finite. `notes`: what is known of its images.
Error validationDivergence(double loss, const std::vector<std::string> &notes, const TrainingPlace &place);

} // namespace vernier::runtime

#endif
