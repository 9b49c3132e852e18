// Owns the spaces of one model and runs its programs.
#ifndef VERNIER_RUNTIME_CORE_SESSION_H
#define VERNIER_RUNTIME_CORE_SESSION_H

#include "runtime/core/Buffer.h"
#include "runtime/core/Choices.h"
#include "runtime/core/Schedule.h"
#include "runtime/core/Workers.h"
#include "vernier/abi.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace vernier::runtime {

struct SessionOptions {
  int64_t threads = 0;   ///< see threadCount
  bool training = false; ///< allocate gradients and the arena of train_step
  /// Watch that steps stay within the arena, and let what none has written be NaN; unset: as the
  /// environment's VERNIER_CHECK_ARENA says.
  std::optional<bool> checked = {};
};

/// What is timed: each step, which then run one after the other, or each wave of steps as it is, at the place
/// of its first step.
enum class Timed { Steps, Waves };

class Session {
public:
  explicit Session(const vn_model &model, SessionOptions options = {});

  const vn_model &model() const { return theModel; }
  int threads() const { return theWorkers.threads(); }
  /// The threads that run the programs; free between two runs.
  Workers &workers() { return theWorkers; }
  bool trains() const { return training; }

  /// A parameter or statistic in its published layout. After writing, call weightsChanged.
  std::span<float> values(const vn_parameter &parameter);
  std::span<float> gradient(const vn_parameter &parameter);
  void weightsChanged() { haveWeights = true, prepared = false; }
  bool hasWeights() const { return haveWeights; }

  /// What follows runs this configuration: for each of the model's holes the index of a choice. Takes
  /// microseconds; before the first call it is the first of each. Refuses what is no choice.
  void choose(std::span<const int64_t> choices);
  std::span<const int64_t> choices() const { return chosen; }

  /// A space as the last run of a program left it.
  std::span<const std::byte> contents(vn_space space) const {
    return {spaces[space].data(), spaces[space].size()};
  }
  /// Bytes of each space, by vn_space.
  int64_t spaceBytes(vn_space space) const { return int64_t(spaces[space].size()); }

  /// Runs `prepare` where weights changed since its last run. `seconds`, here and below, receives the time of
  /// each step, or wave.
  void prepare(std::vector<double> *seconds = nullptr);
  /// Runs `prepare` where needed, then `infer`.
  void infer(std::span<void *const> io, std::vector<double> *seconds = nullptr, Timed timed = Timed::Steps);
  /// Runs `train_step`: gradients are then in gradient(), running statistics are updated.
  void trainStep(std::span<void *const> io, std::vector<double> *seconds = nullptr);
  /// Runs `train_step` as far as it updates running statistics: its outputs and gradients mean nothing then.
  void updateStatistics(std::span<void *const> io);

private:
  /// A program with the addresses of its operands.
  struct Bound {
    const vn_program &program;
    std::vector<std::vector<Schedule>> parts; ///< of each segment's variants; of all steps if there are none
    Schedule schedule;                        ///< of what is chosen
    std::vector<void *> addresses;            ///< of all steps, one after the other
    std::vector<size_t> firstAddress;         ///< of each step
    struct Patch {
      size_t address;
      int64_t io;
    };
    std::vector<Patch> patches; ///< addresses that each call's arrays replace
  };

  /// How much of a program runs.
  enum class Extent { Whole, ToLastStatistics };
  Bound bind(const vn_program &program, Extent extent = Extent::Whole) const;
  void choose(Bound &bound) const;
  void run(Bound &bound, std::span<void *const> io, std::vector<double> *seconds, Timed timed = Timed::Steps);
  void checkGuards(std::span<const vn_step> wave) const;

  const vn_model &theModel;
  Workers theWorkers;
  bool training, guarded;
  bool haveWeights = false, prepared = false;
  Choices chosen;
  Buffer spaces[VN_SPACE_IO];
  std::optional<Bound> prepareProgram, inferProgram, trainProgram;
  std::optional<Bound> statisticsProgram; ///< made when it is first needed
};

} // namespace vernier::runtime

#endif
