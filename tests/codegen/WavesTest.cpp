// Waves: what may run together does, what may not does not, and nothing else changes.
#include "codegen/plan/Waves.h"
#include "codegen/cpu/MachineModel.h"
#include "tests/codegen/Check.h"

using namespace vernier::codegen;
using vernier::tests::Choice;

namespace {

const View kMap = denseView(1, 4, 4, 16);

// Channels [begin, begin + count) of a map of 16.
StepOperand slice(int buffer, int64_t begin, int64_t count, bool written) {
  View view = kMap;
  view.c = count;
  return {buffer, 4 * begin, written, view};
}
StepOperand read(int buffer) { return slice(buffer, 0, 16, false); }
StepOperand write(int buffer) { return slice(buffer, 0, 16, true); }

Step step(const std::string &name, std::vector<StepOperand> operands, int64_t macs = 0) {
  Step result;
  result.kernel = name;
  result.operands = std::move(operands);
  result.macs = macs;
  return result;
}

// "a b | c": waves of step names.
std::string waves(std::vector<Step> steps, std::vector<Repeat> repeats = {}) {
  Program program;
  program.steps = std::move(steps);
  program.repeats = std::move(repeats);
  formWaves(program, MachineModel().largeStep);
  std::string text;
  for (const Step &step : program.steps)
    text += (text.empty() ? "" : step.withPrevious ? " " : " | ") + step.kernel;
  return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(waves_of_steps)

// The branches of a block, written one after the other, go side by side; each wave begins with its costliest
// step.
BOOST_AUTO_TEST_CASE(branches) {
  BOOST_TEST(waves({step("in", {write(0)}), step("pool_a", {read(0), write(1)}),
                    step("conv_a", {read(1), write(2)}), step("pool_b", {read(0), write(3)}),
                    step("conv_b", {read(3), write(4)}, 1000), step("join", {read(2), read(4), write(5)})}) ==
             "in | pool_a pool_b | conv_b conv_a | join");
}

// Producers of slices of one map may run together, those of overlapping slices may not.
BOOST_AUTO_TEST_CASE(slices) {
  BOOST_TEST(waves({step("a", {slice(0, 0, 6, true)}), step("b", {slice(0, 6, 10, true)})}) == "a b");
  BOOST_TEST(waves({step("a", {slice(0, 0, 7, true)}), step("b", {slice(0, 6, 10, true)})}) == "a | b");
  BOOST_TEST(waves({step("a", {slice(0, 0, 6, true)}), step("b", {slice(0, 6, 10, false), write(1)})}) ==
             "a b");
  // Rows of numbers in one buffer.
  const View row = denseView(1, 1, 1, 8);
  BOOST_TEST(waves({step("a", {{0, 0, true, row}}), step("b", {{0, 32, true, row}})}) == "a b");
  BOOST_TEST(waves({step("a", {{0, 0, true, row}}), step("b", {{0, 28, true, row}})}) == "a | b");
  // Pixels of another width: no telling.
  BOOST_TEST(waves({step("a", {slice(0, 0, 6, true)}),
                    step("b", {{0, 4 * 6, true, denseView(1, 4, 4, 2)}})}) == "a | b");
}

BOOST_AUTO_TEST_CASE(each_kind_of_dependence) {
  BOOST_TEST(waves({step("write", {write(0)}), step("read", {read(0)})}) == "write | read");
  BOOST_TEST(waves({step("read", {read(0)}), step("write", {write(0)})}) == "read | write");
  BOOST_TEST(waves({step("write", {write(0)}), step("again", {write(0)})}) == "write | again");
  BOOST_TEST(waves({step("read", {read(0)}), step("too", {read(0)})}) == "read too");
}

// What a step writes early occupies memory for longer.
BOOST_AUTO_TEST_CASE(no_step_moves_far) {
  std::vector<Step> steps;
  for (int i = 0; i < 20; ++i)
    steps.push_back(step("s", {read(0), write(0)}));
  steps.push_back(step("free", {write(1)}));
  Program program;
  program.steps = steps;
  formWaves(program, MachineModel().largeStep);
  const auto free = std::find_if(program.steps.begin(), program.steps.end(),
                                 [](const Step &s) { return s.kernel == "free"; });
  BOOST_TEST(free->withPrevious);
  BOOST_TEST((free - program.steps.begin()) == 13); // of 20 waves the 13th
}

BOOST_AUTO_TEST_CASE(repeated_parts_keep_their_steps) {
  BOOST_TEST(waves({step("before", {write(0)}), step("a", {write(1)}), step("b", {write(2)}),
                    step("after", {write(3)})},
                   {{1, 3, 4, {}}}) == "before | a b | after");
}

BOOST_AUTO_TEST_CASE(random_programs_keep_their_dependences) {
  int together = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    Choice choose(seed);
    std::vector<Step> steps;
    for (int64_t i = choose.in(2, 40); i > 0; --i) {
      std::vector<StepOperand> operands;
      for (int64_t n = choose.in(1, 3); n > 0; --n) {
        const int64_t begin = choose.in(0, 15);
        operands.push_back(
            slice(int(choose.in(0, 7)), begin, choose.in(1, 16 - begin), choose.in(0, 2) == 0));
      }
      steps.push_back(step(std::to_string(steps.size()), std::move(operands), choose.in(0, 5)));
    }
    Program program;
    program.steps = steps;
    formWaves(program, MachineModel().largeStep);
    BOOST_TEST(program.steps.size() == steps.size());
    const std::vector<int> wave = waveNumbers(program);
    std::vector<int> waveOf(steps.size(), -1);
    for (size_t i = 0; i < steps.size(); ++i)
      waveOf[std::stoul(program.steps[i].kernel)] = wave[i];
    for (size_t a = 0; a < steps.size(); ++a)
      for (size_t b = a + 1; b < steps.size(); ++b) {
        bool dependent = false;
        for (const StepOperand &x : steps[a].operands)
          for (const StepOperand &y : steps[b].operands)
            dependent |= x.buffer == y.buffer && (x.written || y.written) &&
                         x.offset < y.offset + 4 * y.view.c && y.offset < x.offset + 4 * x.view.c;
        if (dependent)
          BOOST_TEST(waveOf[a] < waveOf[b]);
        together += waveOf[a] == waveOf[b];
      }
  }
  BOOST_TEST(together > 100);
}

BOOST_AUTO_TEST_SUITE_END()
