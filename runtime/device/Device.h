// Where a model's spaces lie and its programs run. Sessions, training and evaluation know the host's memory
// alone: what a device holds is copied from and to it, and the arrays of a call are the host's.
#ifndef VERNIER_RUNTIME_DEVICE_DEVICE_H
#define VERNIER_RUNTIME_DEVICE_DEVICE_H

#include "vernier/abi.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vernier::runtime {

struct SessionOptions {
  int64_t threads = 0;   ///< see threadCount
  bool training = false; ///< allocate gradients, momentum and the arena of train_step
  /// Watch that steps stay within the arena, and let what none has written be NaN; unset: as the
  /// environment's VERNIER_CHECK_ARENA says.
  std::optional<bool> checked = {};
  int64_t number = 0; ///< of several devices of the model's kind: which
  /// Memory for runs that the host does not wait for, where the device can do that (Pipeline).
  bool pipelined = false;
  bool resizable = false; ///< memory for every size of the model (vn_model.sizes), not for one alone
};

/// What is run: a program of a model, or train_step as far as it updates running statistics, its outputs and
/// gradients meaning nothing then.
enum class Task { Prepare, Infer, TrainStep, Statistics, Accumulate, Update, Evaluate };
const vn_program &programOf(const vn_model &model, Task task);
/// Whether a task's program is another at each size of the model.
inline bool dependsOnSize(Task task) {
  return task == Task::Infer || task == Task::TrainStep || task == Task::Statistics || task == Task::Evaluate;
}

/// What is timed: each step, which then run one after the other; each wave of steps as it is, at the place of
/// its first step, on an accelerator what it runs as one: all steps of a variant of a segment; or the program
/// as it is, one number, without the copies of its arrays.
enum class Timed { Steps, Waves, Program };

class Pipeline;

class Device {
public:
  virtual ~Device() = default;

  /// Of an accelerator's device, as its maker calls it; empty: the CPU.
  virtual std::string name() const { return ""; }
  /// Threads of the host that run programs.
  virtual int threads() const = 0;

  /// Bytes of a space; those of VN_SPACE_IO are the callers'.
  virtual int64_t bytes(vn_space space) const = 0;
  /// A part of a space, from byte `offset`, which was 0 before anything wrote it.
  virtual void read(vn_space space, int64_t offset, std::span<std::byte> to) const = 0;
  virtual void write(vn_space space, int64_t offset, std::span<const std::byte> from) = 0;

  /// What follows runs with these choices, one for each of the model's holes; takes microseconds.
  virtual void choose(std::span<const int64_t> choices) = 0;
  /// What follows runs at this size, one of the model's; for a session that has asked for all of them.
  virtual void resize(const vn_model &size) = 0;

  /// Returns when all is done and what it wrote to `io` is there. `seconds` receives the time of each step,
  /// or wave, 0 of those that did not run, or one time of all.
  virtual void run(Task task, std::span<void *const> io, std::vector<double> *seconds = nullptr,
                   Timed timed = Timed::Steps) = 0;

  /// For runs that the host does not wait for, of a session that has asked for it; null: there is only `run`.
  virtual Pipeline *pipeline() { return nullptr; }
};

/// Those of the model's sizes that a session with these options runs.
std::vector<const vn_model *> neededSizes(const vn_model &model, const SessionOptions &options);

/// The device that `model`, of which the tables are checked, was built for, with the memory that it needs.
/// Throws where there is none, or it lacks memory or a feature.
std::unique_ptr<Device> openDevice(const vn_model &model, SessionOptions options);

} // namespace vernier::runtime

#endif
