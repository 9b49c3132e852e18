#include "codegen/plan/Waves.h"

#include <algorithm>

namespace vernier::codegen {
namespace {

// How many waves a step may move forward.
constexpr int kReach = 8;

// Whether two places in one buffer have no element in common: channels of the same pixels, or parts of a row
// of numbers.
bool disjoint(const StepOperand &a, const StepOperand &b) {
  const auto apart = [&](int64_t fromA, int64_t fromB) {
    return fromA + a.view.c <= fromB || fromB + b.view.c <= fromA;
  };
  if (a.view.element != b.view.element)
    return false;
  const int64_t bytes = elementBytes(a.view.element);
  const int64_t elementA = a.offset / bytes, elementB = b.offset / bytes;
  if (a.view.n * a.view.h * a.view.w == 1 && b.view.n * b.view.h * b.view.w == 1)
    return apart(elementA, elementB);
  if (a.view.pixel != b.view.pixel)
    return false;
  const int64_t channelA = elementA % a.view.pixel, channelB = elementB % b.view.pixel;
  return channelA + a.view.c <= a.view.pixel && channelB + b.view.c <= b.view.pixel &&
         apart(channelA, channelB);
}

bool conflict(const Step &a, const Step &b) {
  for (const StepOperand &x : a.operands)
    for (const StepOperand &y : b.operands)
      if (x.buffer == y.buffer && (x.written || y.written) && !disjoint(x, y))
        return true;
  return false;
}

void formWaves(std::vector<Step>::iterator begin, std::vector<Step>::iterator end, int64_t largeStep) {
  std::vector<std::vector<Step>> waves;
  for (auto step = begin; step != end; ++step) {
    int wave = int(waves.size());
    while (wave > 0 && step->cost() < largeStep && int(waves.size()) - wave < kReach &&
           std::none_of(waves[wave - 1].begin(), waves[wave - 1].end(),
                        [&](const Step &other) { return conflict(*step, other); }))
      --wave;
    if (wave == int(waves.size()))
      waves.emplace_back();
    waves[wave].push_back(std::move(*step));
  }
  auto out = begin;
  for (std::vector<Step> &wave : waves) {
    // A thread's share ends within a step: best in one of many tasks.
    std::stable_sort(wave.begin(), wave.end(),
                     [](const Step &a, const Step &b) { return a.cost() > b.cost(); });
    for (size_t i = 0; i < wave.size(); ++i) {
      wave[i].withPrevious = i > 0;
      *out++ = std::move(wave[i]);
    }
  }
}

} // namespace

void formWaves(Program &program, int64_t largeStep) {
  int next = 0;
  const auto formUntil = [&](int end) {
    formWaves(program.steps.begin() + next, program.steps.begin() + end, largeStep);
    next = end;
  };
  for (const Repeat &repeat : program.repeats) {
    formUntil(repeat.begin);
    formUntil(repeat.end);
  }
  formUntil(int(program.steps.size()));
}

} // namespace vernier::codegen
