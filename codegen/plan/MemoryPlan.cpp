#include "codegen/plan/MemoryPlan.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace vernier::codegen {
namespace {

// The waves of all groups, one group after the other, between which a buffer is in use.
struct Lifetime {
  int first = INT32_MAX, last = -1;
  int segment = 0, variant = 0; // variant -1: several use it

  void use(int wave, int inSegment, int inVariant) {
    if (last < 0)
      segment = inSegment, variant = inVariant;
    else if (segment != inSegment || variant != inVariant)
      variant = -1;
    first = std::min(first, wave);
    last = std::max(last, wave);
  }
  bool shared() const { return variant < 0; }
  bool meets(const Lifetime &other) const {
    const bool alternatives =
        !shared() && !other.shared() && segment == other.segment && variant != other.variant;
    return first <= other.last && other.first <= last && !alternatives;
  }
};

class Planner {
public:
  explicit Planner(std::vector<Buffer> &buffers) : buffers(buffers) {}

  int64_t plan(const std::vector<Alternatives> &groups) {
    std::vector<std::vector<std::vector<int>>> times; // of each step
    int begin = 0;
    for (const auto &[segment, variants] : groups) {
      times.emplace_back();
      int end = begin;
      for (int v = 0; v < int(variants.size()); ++v) {
        // Time is counted in waves: the steps of one may run in any order.
        std::vector<int> &time = times.back().emplace_back(waveNumbers(*variants[v]));
        for (int &wave : time)
          wave += begin;
        if (!time.empty())
          end = std::max(end, time.back() + 1);
        findUses(*variants[v], time, segment, v);
      }
      begin = end;
    }
    for (size_t g = 0; g < groups.size(); ++g)
      for (size_t v = 0; v < groups[g].variants.size(); ++v)
        keepThroughRepeats(*groups[g].variants[v], times[g][v]);
    for (size_t g = 0; g < groups.size(); ++g)
      for (size_t v = 0; v < groups[g].variants.size(); ++v)
        reuseInPlace(*groups[g].variants[v], times[g][v]);
    return place();
  }

private:
  void findUses(const Program &program, const std::vector<int> &time, int segment, int variant) {
    for (size_t s = 0; s < program.steps.size(); ++s)
      for (const StepOperand &operand : program.steps[s].operands)
        if (buffers[operand.buffer].space == VN_SPACE_ARENA)
          lifetimes[operand.buffer].use(time[s], segment, variant);
  }

  // What is older than a repeated part of the program, or outlives it, is alive in all of its runs.
  void keepThroughRepeats(const Program &program, const std::vector<int> &time) {
    for (const Repeat &repeat : program.repeats) {
      const int first = time[repeat.begin], last = time[repeat.end - 1];
      for (auto &[buffer, life] : lifetimes)
        if (life.last >= first && life.first <= last &&
            (life.first < first || life.last > last || repeat.advances.count(buffer))) {
          life.first = std::min(life.first, first);
          life.last = std::max(life.last, last);
        }
    }
  }

  int representative(int buffer) const {
    for (auto taken = takenOver.find(buffer); taken != takenOver.end(); taken = takenOver.find(buffer))
      buffer = taken->second;
    return buffer;
  }

  // An output born in the step in which an operand of the same size dies takes its memory over. Chains of
  // such steps end in one representative.
  void reuseInPlace(const Program &program, const std::vector<int> &time) {
    // Operands of the wave of step s whose buffer is `wanted`.
    const auto usesInWave = [&](size_t s, auto wanted) {
      int64_t uses = 0;
      const auto [begin, end] = std::equal_range(time.begin(), time.end(), time[s]);
      for (auto t = begin; t != end; ++t)
        for (const StepOperand &operand : program.steps[t - time.begin()].operands)
          uses += wanted(operand.buffer);
      return uses;
    };
    for (size_t s = 0; s < program.steps.size(); ++s) {
      const Step &step = program.steps[s];
      const auto output =
          std::find_if(step.operands.begin(), step.operands.end(), [](const auto &o) { return o.written; });
      if (output == step.operands.end() || !lifetimes.count(output->buffer) ||
          lifetimes[output->buffer].first != time[s] || lifetimes[output->buffer].shared() ||
          takenOver.count(output->buffer) ||
          usesInWave(s, [&](int buffer) { return buffer == output->buffer; }) != 1)
        continue;
      for (int index : step.mayReuse) {
        const StepOperand &operand = step.operands[index];
        if (operand.buffer == output->buffer || !lifetimes.count(operand.buffer) ||
            operand.offset != output->offset ||
            buffers[operand.buffer].bytes != buffers[output->buffer].bytes)
          continue;
        const int root = representative(operand.buffer);
        // The operand's own last use must be here; its memory may already have passed through several hands.
        if (lifetimes[operand.buffer].last != time[s] || lifetimes[root].last != time[s])
          continue;
        if (usesInWave(s, [&](int buffer) {
              return lifetimes.count(buffer) && representative(buffer) == root;
            }) != 1)
          continue;
        takenOver[output->buffer] = root;
        lifetimes[root].last = lifetimes[output->buffer].last;
        break;
      }
    }
  }

  // Greedy by size: the largest first, each at the lowest place that is free during its life.
  int64_t place() {
    std::vector<int> order;
    for (const auto &[buffer, life] : lifetimes)
      if (!takenOver.count(buffer))
        order.push_back(buffer);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return buffers[a].bytes > buffers[b].bytes; });
    std::vector<int> placed;
    int64_t bound = 0;
    for (int buffer : order) {
      std::vector<std::pair<int64_t, int64_t>> taken;
      for (int other : placed)
        if (lifetimes[other].meets(lifetimes[buffer]))
          taken.push_back({buffers[other].offset, buffers[other].offset + aligned(buffers[other].bytes)});
      std::sort(taken.begin(), taken.end());
      int64_t offset = 0;
      for (auto [begin, end] : taken) {
        if (offset + aligned(buffers[buffer].bytes) <= begin)
          break;
        offset = std::max(offset, end);
      }
      buffers[buffer].offset = offset;
      bound = std::max(bound, offset + aligned(buffers[buffer].bytes));
      placed.push_back(buffer);
    }
    for (const auto &[buffer, root] : takenOver)
      buffers[buffer].offset = buffers[representative(buffer)].offset;
    return bound;
  }

  std::vector<Buffer> &buffers;
  std::map<int, Lifetime> lifetimes;
  std::map<int, int> takenOver; // buffer -> the earlier buffer whose memory it has
};

} // namespace

void planMemory(std::vector<Buffer> &buffers, Program &program) {
  program.arenaBytes = planMemory(buffers, {{0, {&program}}});
}

int64_t planMemory(std::vector<Buffer> &buffers, const std::vector<Alternatives> &groups) {
  return Planner(buffers).plan(groups);
}

void placeApart(std::vector<Buffer> &buffers, Program &program, int64_t begin) {
  program.arenaBytes = begin;
  for (const Step &step : program.steps)
    for (const StepOperand &operand : step.operands)
      if (Buffer &buffer = buffers[operand.buffer]; buffer.space == VN_SPACE_ARENA && buffer.offset < 0) {
        buffer.offset = program.arenaBytes;
        program.arenaBytes += aligned(buffer.bytes);
      }
}

void expandRepeats(Program &program) {
  std::vector<Step> steps;
  int next = 0;
  const auto appendUntil = [&](int end) {
    for (; next < end; ++next)
      steps.push_back(program.steps[next]);
  };
  for (const Repeat &repeat : program.repeats) {
    appendUntil(repeat.begin);
    for (int64_t run = 0; run < repeat.count; ++run)
      for (int s = repeat.begin; s < repeat.end; ++s) {
        steps.push_back(program.steps[s]);
        for (StepOperand &operand : steps.back().operands)
          if (auto advance = repeat.advances.find(operand.buffer); advance != repeat.advances.end())
            operand.offset += run * advance->second;
      }
    next = repeat.end;
  }
  appendUntil(int(program.steps.size()));
  program.steps = std::move(steps);
  program.repeats.clear();
}

} // namespace vernier::codegen
