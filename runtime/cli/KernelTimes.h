// The time of each kernel of a model with open holes, which predicts the time of every configuration.
//
// A configuration's waves of steps run one after the other, and a wave is the same kernels on maps of the
// same size in every configuration that has it: its time, measured in a few configurations, goes for all of
// them.
#ifndef VERNIER_RUNTIME_CLI_KERNELTIMES_H
#define VERNIER_RUNTIME_CLI_KERNELTIMES_H

#include "runtime/core/Choices.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vernier::runtime {

/// One run of a configuration, in seconds.
struct TimedRun {
  double whole = 0;
  std::vector<double> waves; ///< by their first steps, as Session::infer reports them
};

class KernelTimes {
public:
  /// `device`: the name of the one that is timed; empty: the CPU, or none is.
  explicit KernelTimes(const vn_model &model, std::string device = "");

  /// Goes on with what a file of `write` holds. Refuses one of another model or build.
  void read(const std::string &path);
  /// The same of its text; `place` is named in messages.
  void parse(const std::string &text, const std::string &place);
  void write(const std::string &path) const;

  /// Takes the runs of a configuration whose time is in the middle half, so that their sums are near the
  /// median, which disturbed runs do not move.
  void add(std::span<const int64_t> choices, std::vector<TimedRun> runs);

  /// Whether every kernel has been timed.
  bool complete() const;

  /// Seconds of one run of a configuration.
  double predict(std::span<const int64_t> choices) const;

private:
  struct Mean {
    double sum = 0;
    int64_t runs = 0;
    double value() const { return sum / double(runs); }
  };
  template <class Body> void forEachWave(StepRange steps, const Body &body) const;
  bool beginsWave(StepRange steps, int64_t step) const;
  std::string joined(int64_t wave, const char *vn_step::*name) const;
  void readLine(const std::string &text);

  const vn_model &model;
  const std::string device;
  std::vector<Mean> waves; ///< by their first steps
  Mean call;               ///< what a run takes beside its waves
};

} // namespace vernier::runtime

#endif
