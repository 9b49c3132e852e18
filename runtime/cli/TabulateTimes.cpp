#include "runtime/cli/TabulateTimes.h"

#include "runtime/core/Configurations.h"
#include "runtime/core/IoArrays.h"
#include "runtime/io/File.h"

#include <algorithm>
#include <chrono>

namespace vernier::runtime {
namespace {

/// A configuration and its runs, by whose waves the kernels' times are known too.
struct Timing {
  Choices choices;
  bool waves = false;
  std::vector<TimedRun> runs;
};

TimedRun timeRun(Session &session, IoArrays &arrays, bool waves) {
  TimedRun run;
  const auto before = std::chrono::steady_clock::now();
  session.infer(arrays.pointers(), waves ? &run.waves : nullptr, Timed::Waves);
  run.whole = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  return run;
}

/// Puts the timings of the second list between those of the first, evenly.
std::vector<Timing> spread(const std::vector<Timing> &first, const std::vector<Timing> &second) {
  std::vector<Timing> all;
  for (size_t i = 0, j = 0; i < first.size() || j < second.size();)
    if (j == second.size() || (i < first.size() && i * second.size() <= j * first.size()))
      all.push_back(first[i++]);
    else
      all.push_back(second[j++]);
  return all;
}

/// Comes to each configuration several times for a few runs, so that all of them see the same machine where
/// its speed drifts.
void timeInTurns(Session &session, std::vector<Timing> &timings, int64_t runs) {
  constexpr int64_t mostTurns = 5;
  const int64_t turns = std::min(runs, mostTurns);
  IoArrays arrays(session.model().infer);
  for (int64_t turn = 0; turn < turns; ++turn)
    for (Timing &timing : timings) {
      session.choose(timing.choices);
      timeRun(session, arrays, timing.waves); // warms up, once more in the first turn
      if (turn == 0)
        timeRun(session, arrays, timing.waves);
      for (int64_t run = runs * turn / turns; run < runs * (turn + 1) / turns; ++run)
        timing.runs.push_back(timeRun(session, arrays, timing.waves));
    }
}

std::vector<double> wholeTimes(const Timing &timing) {
  std::vector<double> seconds;
  for (const TimedRun &run : timing.runs)
    seconds.push_back(run.whole);
  std::ranges::sort(seconds);
  return seconds;
}

} // namespace

void timeConfigurations(Session &session, const std::vector<Choices> &configurations,
                        const TimingOptions &options,
                        const std::function<void(const Choices &, std::vector<double>)> &report) {
  // So many are timed in turns, and are lost together if the process is killed.
  constexpr size_t together = 64;
  // Kernels are timed at least so often, each time in other configurations.
  constexpr int64_t fewestRounds = 3;
  const vn_model &model = session.model();
  KernelTimes kernels(model, session.device().name());
  bool wanted = !options.kernels.empty();
  if (wanted) {
    const OutputPlace place = findOutput(options.kernels);
    if (place.exists && !place.isThrough()) {
      kernels.read(options.kernels);
      wanted = !configurations.empty() || !kernels.complete();
    }
  }
  const size_t parts = (configurations.size() + together - 1) / together;
  const int64_t rounds = (fewestRounds - 1) / std::max(int64_t(parts), int64_t(1)) + 1; // of each part
  int64_t round = 0;
  for (size_t part = 0; part < parts || (part == 0 && wanted); ++part) {
    std::vector<Timing> whole, covering;
    for (size_t i = part * together; i < std::min((part + 1) * together, configurations.size()); ++i)
      whole.push_back({configurations[i], false, {}});
    for (const int64_t end = round + rounds; wanted && round < end; ++round)
      for (Choices &choices : coveringConfigurations(model, model.infer, round))
        covering.push_back({std::move(choices), true, {}});
    std::vector<Timing> timings = spread(whole, covering);
    timeInTurns(session, timings, options.runs);
    for (Timing &timing : timings)
      if (timing.waves)
        kernels.add(timing.choices, std::move(timing.runs));
    if (wanted)
      kernels.write(options.kernels);
    for (const Timing &timing : timings)
      if (!timing.waves)
        report(timing.choices, wholeTimes(timing));
  }
}

} // namespace vernier::runtime
