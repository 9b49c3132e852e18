// The arrays of train_step, filled from batches.
#ifndef VERNIER_RUNTIME_TRAIN_STEPARRAYS_H
#define VERNIER_RUNTIME_TRAIN_STEPARRAYS_H

#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"
#include "runtime/data/Loader.h"

#include <cstdint>
#include <span>

namespace vernier::runtime {

/// Fills the array `random` of train_step, where it has one.
void drawRandomState(IoArrays &arrays, uint64_t seed, int64_t step, uint32_t run);

class StepArrays {
public:
  StepArrays(const Session &session, double labelSmoothing);

  /// What a network with dropout drops follows from these: of a run, one of a step's.
  void draw(uint64_t seed, int64_t step, uint32_t run) { drawRandomState(arrays, seed, step, run); }

  /// Returns the number of the run, see Session::start.
  int64_t start(Session &session, const Batch &batch);

  // After it has been waited for:
  double loss() { return double(arrays.floats("loss")[0]); }
  /// Of a model that declares its losses, one of ModelOutline::terms.
  double term(size_t index);
  /// Of a classifier, images whose label has the largest logit; `labels`: of those that count.
  int64_t correct(std::span<const int32_t> labels);

private:
  size_t indexOf(const vn_io &array) const;

  const vn_model &model;
  const ModelOutline outline;
  IoArrays arrays;
  bool oneHot = false;
};

} // namespace vernier::runtime

#endif
