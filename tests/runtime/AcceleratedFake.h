// FakeModel as a model for an accelerator: its kernels run in the streams of the emulation of CUDA, whose
// functions can be watched, left out, and made to fail.
#ifndef VERNIER_TESTS_RUNTIME_ACCELERATEDFAKE_H
#define VERNIER_TESTS_RUNTIME_ACCELERATEDFAKE_H

#include "tests/runtime/FakeModel.h"

#include "codegen/cuda/device/program.cuh"

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace vernier::test {

/// What was asked of the accelerator, and what becomes of it.
struct Watched {
  /// In their order: I copies to the device, C on it, O to the host, G launches of a program's part, F waits
  /// of a stream, R records, A waits of the host for an event, S for a stream.
  std::string calls;
  std::set<int64_t> leftOut;    ///< of the waits of streams in each run that is started: 0 to 3
  bool neverWaits = false;      ///< the host, for an event
  int64_t brokenAt = INT64_MAX; ///< the launch that fails, from 0 on, and all that comes behind it
  int64_t spoiltAt = INT64_MAX; ///< the copy to the host that brings NaN instead, from 0 on
  int64_t launches = 0, waits = 0, results = 0;
};
extern Watched watched;

extern const vn_accelerator watchedAccelerator;

template <const vn_step *step> const char *launchFake(void *const *operands, void *stream) {
  return vn::attempt([&] {
    const std::vector<void *> own(operands, operands + step->num_operands);
    const auto work = [own] { step->kernel(own.data(), 0, step->num_tasks); };
    vn::stream_of(stream)->launch(work);
  });
}

template <const vn_step *first, size_t... indices>
constexpr std::array<vn_step, sizeof...(indices)> launchedSteps(std::index_sequence<indices...>) {
  std::array<vn_step, sizeof...(indices)> steps{first[indices]...};
  ((steps[indices].kernel = nullptr, steps[indices].launch = launchFake<first + indices>), ...);
  return steps;
}

template <class Fake> struct AcceleratedFake {
  template <const vn_step *first, size_t count>
  static constexpr auto launched = launchedSteps<first>(std::make_index_sequence<count>());

  static vn_model model() {
    vn_model model = Fake::model;
    model.prepare.steps = launched<Fake::prepareSteps, 1>.data();
    model.infer.steps = launched<Fake::inferSteps, 2>.data();
    model.train_step.steps = launched<Fake::trainSteps, 5>.data();
    model.update.steps = launched<Fake::updateSteps, 4>.data();
    model.accelerator = &watchedAccelerator;
    return model;
  }
  static vn_model declaredModel() {
    vn_model declared = model();
    declared.train_step = Fake::declaredModel().train_step;
    declared.train_step.steps = launched<Fake::declaredSteps, 6>.data();
    return declared;
  }
  static vn_model openModel() {
    vn_model model = Fake::openModel();
    model.prepare.steps = launched<Fake::prepareSteps, 1>.data();
    model.infer.steps = launched<Fake::openSteps, 3>.data();
    model.train_step.steps = launched<Fake::openTrainSteps, 6>.data();
    model.update.steps = launched<Fake::updateSteps, 4>.data();
    model.accumulate.steps = launched<Fake::accumulateSteps, 4>.data();
    model.accelerator = &watchedAccelerator;
    return model;
  }
};

} // namespace vernier::test

#endif
