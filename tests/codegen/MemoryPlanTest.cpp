// Laws of the memory plan, on random programs, and a few plans worked out by hand.
#include "codegen/plan/MemoryPlan.h"
#include "codegen/cpu/MachineModel.h"
#include "codegen/plan/Waves.h"
#include "tests/codegen/Check.h"

using namespace vernier::codegen;
using vernier::tests::Choice;

namespace {

StepOperand read(int buffer, int64_t offset = 0) { return {buffer, offset, false, {}}; }
StepOperand write(int buffer, int64_t offset = 0) { return {buffer, offset, true, {}}; }

Step step(std::vector<StepOperand> operands, std::vector<int> mayReuse = {}) {
  Step result;
  result.operands = std::move(operands);
  result.mayReuse = std::move(mayReuse);
  return result;
}

std::vector<Buffer> arena(const std::vector<int64_t> &sizes) {
  std::vector<Buffer> buffers;
  for (int64_t bytes : sizes)
    buffers.push_back({VN_SPACE_ARENA, bytes, -1});
  return buffers;
}

struct Life { // in waves
  int first = -1, last = -1;
};

std::vector<Life> lives(const std::vector<Buffer> &buffers, const Program &program) {
  std::vector<Life> result(buffers.size());
  const std::vector<int> wave = waveNumbers(program);
  for (int s = 0; s < int(program.steps.size()); ++s)
    for (const StepOperand &operand : program.steps[s].operands) {
      Life &life = result[operand.buffer];
      life.first = life.first < 0 ? wave[s] : life.first;
      life.last = wave[s];
    }
  return result;
}

// Whether `program` lets `born` take over the memory of `dying` in the one wave in which both are alive.
bool mayTakeOver(const Program &program, const std::vector<Buffer> &buffers, const std::vector<Life> &life,
                 int dying, int born) {
  if (life[dying].last != life[born].first || buffers[dying].bytes != buffers[born].bytes)
    return false;
  const std::vector<int> wave = waveNumbers(program);
  int uses = 0;
  bool allowed = false;
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const Step &step = program.steps[s];
    for (size_t i = 0; wave[s] == life[born].first && i < step.operands.size(); ++i) {
      if (step.operands[i].buffer != dying)
        continue;
      ++uses;
      for (const StepOperand &output : step.operands)
        if (output.written && output.buffer == born && output.offset == step.operands[i].offset)
          allowed |= std::count(step.mayReuse.begin(), step.mayReuse.end(), int(i)) > 0;
    }
  }
  return allowed && uses == 1; // another view of the same memory would see the output
}

// Returns the number of pairs that share memory in place. `tight`: the bound is reached.
int checkLaws(const std::vector<Buffer> &buffers, const Program &program, bool tight = true) {
  const std::vector<Life> life = lives(buffers, program);
  int64_t most = 0;
  int shared = 0;
  for (int a = 0; a < int(buffers.size()); ++a) {
    if (buffers[a].space != VN_SPACE_ARENA || life[a].first < 0)
      continue;
    BOOST_TEST(buffers[a].offset >= 0);
    BOOST_TEST(buffers[a].offset % kAlignment == 0);
    most = std::max(most, buffers[a].offset + aligned(buffers[a].bytes));
    for (int b = 0; b < a; ++b) {
      if (buffers[b].space != VN_SPACE_ARENA || life[b].first < 0)
        continue;
      const bool together = life[a].first <= life[b].last && life[b].first <= life[a].last;
      const bool apart = buffers[a].offset + buffers[a].bytes <= buffers[b].offset ||
                         buffers[b].offset + buffers[b].bytes <= buffers[a].offset;
      if (!together || apart)
        continue;
      ++shared;
      const bool legal =
          buffers[a].offset == buffers[b].offset &&
          (mayTakeOver(program, buffers, life, a, b) || mayTakeOver(program, buffers, life, b, a));
      BOOST_TEST(legal, "buffers " << b << " and " << a << " overlap");
    }
  }
  BOOST_TEST((tight ? program.arenaBytes == most : program.arenaBytes >= most));
  return shared;
}

} // namespace

BOOST_AUTO_TEST_SUITE(memory_plan)

// a -> b -> c: a and b are alive together, c takes a's place.
BOOST_AUTO_TEST_CASE(chain) {
  std::vector<Buffer> buffers = arena({100, 100, 100});
  Program program;
  program.steps = {step({write(0)}), step({read(0), write(1)}), step({read(1), write(2)}), step({read(2)})};
  planMemory(buffers, program);
  BOOST_TEST(buffers[0].offset == 0);
  BOOST_TEST(buffers[1].offset == 128);
  BOOST_TEST(buffers[2].offset == 0);
  BOOST_TEST(program.arenaBytes == 256);
}

// For comparing kernels one by one nothing shares memory, whatever dies when.
BOOST_AUTO_TEST_CASE(placed_apart) {
  std::vector<Buffer> buffers = arena({100, 64, 100});
  Program program;
  program.steps = {step({write(0)}), step({read(0), write(1)}, {0}), step({read(1), write(2)}),
                   step({read(2)})};
  placeApart(buffers, program, 640);
  BOOST_TEST(buffers[0].offset == 640);
  BOOST_TEST(buffers[1].offset == 768);
  BOOST_TEST(buffers[2].offset == 832);
  BOOST_TEST(program.arenaBytes == 960);
}

// The largest goes first; what lives beside it comes behind, and what lives after both fills from the bottom.
BOOST_AUTO_TEST_CASE(largest_first) {
  std::vector<Buffer> buffers = arena({64, 640, 256, 320});
  Program program;
  program.steps = {step({write(0)}), step({read(0), write(1)}), step({read(1), write(2)}),
                   step({read(2), write(3)})};
  planMemory(buffers, program);
  BOOST_TEST(buffers[1].offset == 0);
  BOOST_TEST(buffers[3].offset == 0);
  BOOST_TEST(buffers[2].offset == 640);
  BOOST_TEST(buffers[0].offset == 640);
  BOOST_TEST(program.arenaBytes == 896);
}

// An elementwise chain stays in one place.
BOOST_AUTO_TEST_CASE(in_place_chain) {
  std::vector<Buffer> buffers = arena({256, 256, 256});
  Program program;
  program.steps = {step({write(0)}), step({read(0), write(1)}, {0}), step({read(1), write(2)}, {0}),
                   step({read(2)})};
  planMemory(buffers, program);
  for (const Buffer &buffer : buffers)
    BOOST_TEST(buffer.offset == 0);
  BOOST_TEST(program.arenaBytes == 256);
}

// Each reason not to overwrite an operand.
BOOST_AUTO_TEST_CASE(reasons_not_to_reuse) {
  const auto apart = [](std::vector<int64_t> sizes, std::vector<Step> steps) {
    std::vector<Buffer> buffers = arena(sizes);
    Program program;
    program.steps = std::move(steps);
    planMemory(buffers, program);
    return buffers[0].offset != buffers[1].offset;
  };
  // The step does not allow it.
  BOOST_TEST(apart({64, 64}, {step({write(0)}), step({read(0), write(1)})}));
  // The operand is read again later.
  BOOST_TEST(apart({64, 64}, {step({write(0)}), step({read(0), write(1)}, {0}), step({read(0)})}));
  // The sizes differ.
  BOOST_TEST(apart({128, 64}, {step({write(0)}), step({read(0), write(1)}, {0})}));
  // The places within the buffers differ.
  BOOST_TEST(apart({64, 64}, {step({write(0)}), step({read(0, 4), write(1)}, {0})}));
  // The step reads the operand a second time, elsewhere.
  BOOST_TEST(apart({64, 64}, {step({write(0)}), step({read(0), read(0, 8), write(1)}, {0})}));
  // The output was begun earlier.
  BOOST_TEST(apart({64, 64}, {step({write(0)}), step({write(1)}), step({read(0), write(1)}, {0})}));
  // Without any of these it is reused.
  BOOST_TEST(!apart({64, 64}, {step({write(0)}), step({read(0), write(1)}, {0})}));
}

// Inside a repeated part memory is shared as elsewhere, but what the part reads from outside lives until its
// last run ends, and what it leaves behind from its first run on.
BOOST_AUTO_TEST_CASE(repeated_part) {
  std::vector<Buffer> buffers = arena({256, 64, 64, 64, 256});
  Program program;
  program.steps = {step({write(0)}),          step({read(0), write(1)}), step({read(1), write(2)}),
                   step({read(2), write(3)}), step({read(3), write(4)}), step({read(4)})};
  program.repeats = {{1, 5, 4, {{0, 64}, {4, 64}}}};
  planMemory(buffers, program);
  BOOST_TEST(buffers[0].offset == 0);
  BOOST_TEST(buffers[4].offset == 256);
  BOOST_TEST(buffers[1].offset == 512);
  BOOST_TEST(buffers[2].offset == 576);
  BOOST_TEST(buffers[3].offset == 512);
  BOOST_TEST(program.arenaBytes == 640);

  expandRepeats(program);
  BOOST_TEST(program.steps.size() == 2u + 4 * 4);
  BOOST_TEST(program.repeats.empty());
  for (int run = 0; run < 4; ++run) {
    BOOST_TEST(program.steps[1 + 4 * run].operands[0].offset == 64 * run);
    BOOST_TEST(program.steps[1 + 4 * run].operands[1].offset == 0);
    BOOST_TEST(program.steps[4 + 4 * run].operands[1].offset == 64 * run);
  }
  BOOST_TEST(program.steps.back().operands[0].buffer == 4);
}

// Only the arena is planned.
BOOST_AUTO_TEST_CASE(other_spaces_stay) {
  std::vector<Buffer> buffers = {
      {VN_SPACE_PARAMETERS, 640, 128}, {VN_SPACE_ARENA, 64, -1}, {VN_SPACE_IO, 64, 64}};
  Program program;
  program.steps = {step({read(0), read(2), write(1)}, {1})};
  planMemory(buffers, program);
  BOOST_TEST(buffers[0].offset == 128);
  BOOST_TEST(buffers[1].offset == 0);
  BOOST_TEST(buffers[2].offset == 64);
  BOOST_TEST(program.arenaBytes == 64);
}

BOOST_AUTO_TEST_CASE(random_programs) {
  int shared = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    Choice choose(seed);
    const int count = int(choose.in(2, 25));
    std::vector<Buffer> buffers;
    for (int i = 0; i < count; ++i)
      buffers.push_back({choose.in(0, 9) ? VN_SPACE_ARENA : VN_SPACE_PARAMETERS,
                         choose.yes() ? 256 : 4 * choose.in(1, 200), -1});
    Program program;
    std::vector<int> written;
    for (int i = 0; i < count; ++i) {
      // Each step begins buffer i, or goes on with one, from up to three operands, some of them recent.
      Step next;
      for (int64_t reads = written.empty() ? 0 : choose.in(0, 3); reads > 0; --reads) {
        const size_t back =
            size_t(choose.in(1, std::min<int64_t>(int64_t(written.size()), choose.yes() ? 2 : 100)));
        next.operands.push_back(read(written[written.size() - back], choose.in(0, 3) ? 0 : 4));
        if (choose.yes())
          next.mayReuse.push_back(int(next.operands.size()) - 1);
      }
      next.operands.push_back(write(i));
      if (choose.in(0, 4) == 0) // scratch of a second kind
        next.operands.push_back(write(int(choose.in(0, i))));
      program.steps.push_back(std::move(next));
      written.push_back(i);
    }
    if (seed % 2)
      formWaves(program, MachineModel().largeStep);
    planMemory(buffers, program);
    shared += checkLaws(buffers, program);
  }
  BOOST_TEST(shared > 100); // the laws were put to the test
}

// Variants of a part share memory; what is passed on keeps its place, clear of all of them.
BOOST_AUTO_TEST_CASE(variants_share_memory) {
  std::vector<Buffer> buffers = arena({64, 640, 320, 64});
  Program first, large, small, last;
  first.steps = {step({write(0)})};
  large.steps = {step({read(0), write(1)}), step({read(1), write(3)})};
  small.steps = {step({read(0), write(2)}), step({read(2), write(3)})};
  last.steps = {step({read(3)})};
  const int64_t bytes = planMemory(buffers, {{0, {&first}}, {1, {&large, &small}}, {2, {&last}}});
  BOOST_TEST(buffers[1].offset == 0);
  BOOST_TEST(buffers[2].offset == 0);
  BOOST_TEST(buffers[0].offset >= 640);
  BOOST_TEST(buffers[3].offset >= 640);
  BOOST_TEST(bytes == 704); // the first dies before the last is born
}

// Two groups of one segment run the same variant: what the first leaves for the second shares memory with
// what another variant leaves.
BOOST_AUTO_TEST_CASE(a_segment_in_two_groups) {
  std::vector<Buffer> buffers = arena({640, 320, 64});
  Program large, small, between, largeAgain, smallAgain;
  large.steps = {step({write(0)})};
  small.steps = {step({write(1)})};
  between.steps = {step({write(2)})};
  largeAgain.steps = {step({read(0)})};
  smallAgain.steps = {step({read(1)})};
  const auto plan = [&](int second) {
    return planMemory(buffers,
                      {{0, {&large, &small}}, {1, {&between}}, {second, {&largeAgain, &smallAgain}}});
  };
  BOOST_TEST(plan(0) == 640 + 64);
  BOOST_TEST(plan(2) == 640 + 320 + 64); // of segments apart any variants may run together
}

// Whichever variants are chosen, the programs that run keep the laws.
BOOST_AUTO_TEST_CASE(random_variants) {
  int shared = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    Choice choose(seed);
    std::vector<Buffer> buffers;
    const auto newBuffer = [&](int64_t bytes) {
      buffers.push_back({VN_SPACE_ARENA, bytes, -1});
      return int(buffers.size()) - 1;
    };
    std::vector<std::vector<Program>> groups(size_t(choose.in(2, 4)));
    std::vector<int> passedOn;
    for (std::vector<Program> &variants : groups) {
      const int result = newBuffer(256);
      variants.resize(size_t(choose.in(1, 3)));
      for (Program &program : variants) {
        std::vector<int> known = passedOn;
        for (int64_t i = choose.in(1, 5); i >= 0; --i) {
          Step next;
          for (int64_t reads = known.empty() ? 0 : choose.in(0, 2); reads > 0; --reads) {
            next.operands.push_back(read(known[size_t(choose.in(0, int64_t(known.size()) - 1))]));
            if (choose.yes())
              next.mayReuse.push_back(int(next.operands.size()) - 1);
          }
          known.push_back(i == 0 ? result : newBuffer(choose.yes() ? 256 : 4 * choose.in(1, 200)));
          next.operands.push_back(write(known.back()));
          program.steps.push_back(std::move(next));
        }
        if (seed % 2)
          formWaves(program, MachineModel().largeStep);
      }
      passedOn.push_back(result);
    }
    std::vector<Alternatives> pointers;
    for (const std::vector<Program> &variants : groups) {
      pointers.push_back({int(pointers.size()), {}});
      for (const Program &program : variants)
        pointers.back().variants.push_back(&program);
    }
    const int64_t bytes = planMemory(buffers, pointers);
    for (int path = 0; path < 8; ++path) {
      Program chosen;
      for (const std::vector<Program> &variants : groups) {
        const Program &program = variants[size_t(choose.in(0, int64_t(variants.size()) - 1))];
        chosen.steps.insert(chosen.steps.end(), program.steps.begin(), program.steps.end());
      }
      chosen.arenaBytes = bytes;
      shared += checkLaws(buffers, chosen, /*tight=*/false);
    }
  }
  BOOST_TEST(shared > 100);
}

BOOST_AUTO_TEST_SUITE_END()
