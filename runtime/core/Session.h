// One model's weights and state on a device, and its programs.
#ifndef VERNIER_RUNTIME_CORE_SESSION_H
#define VERNIER_RUNTIME_CORE_SESSION_H

#include "runtime/core/Choices.h"
#include "runtime/core/IoArrays.h"
#include "runtime/device/Device.h"
#include "vernier/abi.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace vernier::runtime {

class Session {
public:
  explicit Session(const vn_model &model, SessionOptions options = {});

  /// At the size that runs.
  const vn_model &model() const { return *theModel; }
  /// As the last run of a program left it.
  const Device &device() const { return *theDevice; }
  /// Null: `start` returns when all is done.
  Pipeline *pipeline() const { return theDevice->pipeline(); }
  int threads() const { return theDevice->threads(); }
  bool trains() const { return training; }

  // Of a parameter or statistic, in its published layout: `to` and `from` have room for, or hold, all of its
  // elements. The parameter is one of model().
  void read(const vn_parameter &parameter, std::span<float> to) const;
  std::vector<float> read(const vn_parameter &parameter) const;
  void write(const vn_parameter &parameter, std::span<const float> from);
  // The same of a parameter's gradient, and of its momentum.
  std::vector<float> readGradient(const vn_parameter &parameter) const;
  void writeGradient(const vn_parameter &parameter, std::span<const float> from);
  std::vector<float> readMomentum(const vn_parameter &parameter) const;
  void writeMomentum(const vn_parameter &parameter, std::span<const float> from);
  /// Whether every parameter and statistic has been written.
  bool hasWeights() const { return missing == 0; }

  /// What follows runs this configuration: for each of the model's holes the index of a choice. Takes
  /// microseconds; before the first call it is the first of each. Refuses what is no choice.
  void choose(std::span<const int64_t> choices);
  std::span<const int64_t> choices() const { return chosen; }

  /// What follows runs at this size, one of the model's: of a session with SessionOptions::resizable.
  void resize(const vn_model &size);

  /// Runs `prepare` where weights changed since its last run. `seconds`, here and below, receives the time of
  /// each step, or wave, or of all.
  void prepare(std::vector<double> *seconds = nullptr);
  /// Runs `prepare` where needed, then `infer`.
  void infer(std::span<void *const> io, std::vector<double> *seconds = nullptr, Timed timed = Timed::Steps);
  /// Runs `prepare` where needed, then `evaluate`, of a specification that declares losses.
  void evaluate(std::span<void *const> io);
  /// Runs `train_step`: gradients are then there to be read, running statistics are updated.
  void trainStep(std::span<void *const> io, std::vector<double> *seconds = nullptr,
                 Timed timed = Timed::Steps);
  /// Runs `train_step` as far as it updates running statistics: its outputs and gradients mean nothing then.
  void updateStatistics(std::span<void *const> io);
  /// Runs `accumulate`, of a model with open holes.
  void accumulate(std::span<void *const> io);
  /// Runs `update`: the optimizer's step.
  void update(std::span<void *const> io, std::vector<double> *seconds = nullptr);

  /// Each of the above without its times, to be waited for: see Pipeline, from which the arrays' memory is
  /// where there is one.
  int64_t start(Task task, const IoArrays &arrays);
  void wait(int64_t run);

private:
  void requireTraining() const;
  void requireEvaluation() const;
  void run(Task task, std::span<void *const> io, std::vector<double> *seconds = nullptr,
           Timed timed = Timed::Steps);
  void train(Task task, std::span<void *const> io, std::vector<double> *seconds = nullptr,
             Timed timed = Timed::Steps);

  const vn_model *theModel;
  const bool training;
  std::unique_ptr<Device> theDevice;
  std::vector<bool> written; ///< of each parameter and statistic, whether it has been
  int64_t missing = 0;       ///< so many have not
  bool prepared = false;
  Choices chosen;
};

} // namespace vernier::runtime

#endif
