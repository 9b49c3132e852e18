#include "runtime/train/Progress.h"

#include "runtime/core/Terminal.h"

#include <algorithm>
#include <cstdio>
#include <fmt/core.h>

namespace vernier::runtime {

static constexpr int64_t longestBar = 24, shortestBar = 6;

std::string durationText(double seconds) {
  const int64_t total = int64_t(std::max(0.0, seconds) + 0.5), hours = total / 3600,
                minutes = total / 60 % 60;
  return hours ? fmt::format("{}:{:02}:{:02}", hours, minutes, total % 60)
               : fmt::format("{}:{:02}", minutes, total % 60);
}

/// Nothing where no class is predicted.
static std::string accuracyText(const std::optional<double> &accuracy) {
  return accuracy ? fmt::format(", accuracy {:.2f}%", 100 * *accuracy) : "";
}

std::string progressLine(const ProgressFacts &facts, int64_t columns) {
  const std::string loss = fmt::format("loss {:.4f}", facts.loss), accuracy = accuracyText(facts.accuracy),
                    speed = fmt::format(", {:.0f} images/s", facts.imagesPerSecond),
                    left = fmt::format(", {} left", durationText(facts.secondsLeft)),
                    epoch = fmt::format("epoch {}/{}", facts.epoch, facts.epochs),
                    step = fmt::format("{}/{}", facts.step, facts.stepsPerEpoch);
  if (columns == 0)
    return fmt::format("{}, step {}: {}{}{}{}", epoch, step, loss, accuracy, speed, left);
  const int64_t room = columns - 1; // the cursor needs a place, too
  for (const std::string &numbers : {loss + accuracy + speed + left, loss + accuracy + left, loss + left}) {
    const std::string before = epoch + " ", after = fmt::format(" {}  {}", step, numbers);
    const int64_t bar = std::min(longestBar, room - int64_t(before.size() + after.size()) - 2);
    if (bar >= shortestBar) {
      const int64_t filled = bar * facts.step / std::max<int64_t>(facts.stepsPerEpoch, 1);
      return fmt::format("{}[{}{}]{}", before, std::string(size_t(filled), '#'),
                         std::string(size_t(bar - filled), '-'), after);
    }
    if (int64_t(epoch.size() + after.size()) <= room)
      return epoch + after;
  }
  return (epoch + " " + step + left).substr(0, size_t(std::max<int64_t>(room, 0)));
}

Progress::Progress(int64_t firstStep, int64_t steps, int64_t stepsPerEpoch, bool quiet)
    : firstStep(firstStep), steps(steps), stepsPerEpoch(stepsPerEpoch), quiet(quiet) {}

Progress::~Progress() {
  if (lineIsOpen) // what comes next, such as an error, begins a line of its own
    fmt::print("\n");
  fflush(stdout);
}

double Progress::secondsLeft(int64_t step) const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
  return elapsed / double(std::max<int64_t>(step - firstStep, 1)) * double(steps - step);
}

void Progress::step(const TrainState &state) {
  if (quiet)
    return;
  const Clock::time_point now = Clock::now();
  const auto pause = now - lastShown;
  if (pause < std::chrono::milliseconds(100))
    return;
  const int64_t columns = terminalColumns();
  if (columns == 0 && pause < std::chrono::seconds(30))
    return;
  lastShown = now;
  const int64_t done = (state.step - 1) % stepsPerEpoch + 1;
  const double images = double(std::max<int64_t>(state.images, 1));
  std::optional<double> accuracy;
  if (!state.terms)
    accuracy = double(state.correct) / images;
  const std::string line = progressLine({.epoch = (state.step - 1) / stepsPerEpoch + 1,
                                         .epochs = steps / stepsPerEpoch,
                                         .step = done,
                                         .stepsPerEpoch = stepsPerEpoch,
                                         .loss = state.lossSum / double(done),
                                         .accuracy = accuracy,
                                         .imagesPerSecond = images / std::max(state.epochSeconds, 1e-9),
                                         .secondsLeft = secondsLeft(state.step)},
                                        columns);
  if (columns > 0)
    fmt::print("\r\033[K{}", line);
  else
    fmt::print("{}\n", line);
  lineIsOpen = columns > 0;
  fflush(stdout);
}

std::string epochLine(const EpochResult &last, int64_t epochs, double secondsLeft, int64_t columns) {
  const std::string loss = fmt::format("epoch {}/{}: loss {:.4f}", last.epoch, epochs, last.loss),
                    accuracy = accuracyText(last.accuracy),
                    validation = last.validation
                                     ? fmt::format(", validation {:.2f}%", 100 * last.validation->top1)
                                 : last.validationLosses
                                     ? fmt::format(", validation {:.4f}", last.validationLosses->loss)
                                     : "",
                    duration = fmt::format(", {}", durationText(last.seconds)),
                    left = fmt::format(", {} left", durationText(secondsLeft));
  const std::string whole = loss + accuracy + validation + duration + left;
  if (columns == 0)
    return whole;
  const size_t room = size_t(std::max<int64_t>(columns - 1, 0));
  for (const std::string &line : {whole, loss + accuracy + validation + left, loss + validation + left})
    if (line.size() <= room)
      return line;
  return (loss + validation).substr(0, room);
}

void Progress::epoch(const TrainState &state) {
  if (quiet)
    return;
  fmt::print(
      "{}{}\n", lineIsOpen ? "\r\033[K" : "",
      epochLine(state.epochs.back(), steps / stepsPerEpoch, secondsLeft(state.step), terminalColumns()));
  lineIsOpen = false;
  fflush(stdout);
}

} // namespace vernier::runtime
