#include "runtime/train/Progress.h"

#include <algorithm>
#include <cstdio>
#include <fmt/core.h>
#include <unistd.h>

namespace vernier::runtime {

std::string durationText(double seconds) {
  const int64_t total = int64_t(std::max(0.0, seconds) + 0.5), hours = total / 3600,
                minutes = total / 60 % 60;
  return hours ? fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60)
               : fmt::format("{}:{:02}", minutes, total % 60);
}

Progress::Progress(int64_t firstStep, int64_t steps, int64_t stepsPerEpoch)
    : firstStep(firstStep), steps(steps), stepsPerEpoch(stepsPerEpoch), terminal(isatty(STDOUT_FILENO)) {}

std::string Progress::remaining(int64_t step) const {
  return durationText(elapsed() / double(std::max<int64_t>(step - firstStep, 1)) * double(steps - step));
}

void Progress::step(const TrainState &state) {
  const Clock::time_point now = Clock::now();
  if (now - lastShown < std::chrono::milliseconds(terminal ? 100 : 30000))
    return;
  lastShown = now;
  const int64_t done = (state.step - 1) % stepsPerEpoch + 1;
  const double images = double(std::max<int64_t>(state.images, 1));
  const std::string numbers = fmt::format("loss {:.4f}, accuracy {:.2f}%, {:.0f} images/s, {} left",
                                          state.lossSum / double(done), 100 * double(state.correct) / images,
                                          images / std::max(state.epochSeconds, 1e-9), remaining(state.step));
  const int64_t epoch = (state.step - 1) / stepsPerEpoch + 1, epochs = steps / stepsPerEpoch;
  if (terminal) {
    const size_t filled = size_t(done * 24 / stepsPerEpoch);
    fmt::print("\r\033[Kepoch {}/{} [{}{}] {}/{}  {}", epoch, epochs, std::string(filled, '#'),
               std::string(24 - filled, '-'), done, stepsPerEpoch, numbers);
  } else {
    fmt::print("epoch {}/{}, step {}/{}: {}\n", epoch, epochs, done, stepsPerEpoch, numbers);
  }
  fflush(stdout);
}

void Progress::epoch(const TrainState &state) {
  const EpochResult &last = state.epochs.back();
  std::string validation;
  if (last.validation)
    validation = fmt::format("validation {:.2f}%, ", 100 * last.validation->top1);
  fmt::print("{}epoch {}/{}: loss {:.4f}, accuracy {:.2f}%, {}{}, {} left\n", terminal ? "\r\033[K" : "",
             last.epoch, steps / stepsPerEpoch, last.loss, 100 * last.accuracy, validation,
             durationText(last.seconds), remaining(state.step));
  fflush(stdout);
}

} // namespace vernier::runtime
