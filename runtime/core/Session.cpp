#include "runtime/core/Session.h"

#include "runtime/Error.h"
#include "runtime/core/CheckCall.h"
#include "runtime/core/CheckModel.h"
#include "runtime/core/Shape.h"
#include "runtime/core/Threads.h"
#include "runtime/core/WaveShares.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fmt/core.h>
#include <unistd.h>

namespace vernier::runtime {

/// Allocation itself succeeds beyond the machine's memory and the process is killed later, so compare
/// beforehand.
static void requireMemory(const vn_model &model, int64_t needed) {
  const int64_t physical = int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  if (needed > physical)
    throw Error(VN_ERROR_MEMORY,
                fmt::format("out of memory: model `{}` needs {}, this machine has {}", model.name,
                            bytesText(uint64_t(needed)), bytesText(uint64_t(physical))))
        .note(fmt::format("it was built for a batch of {} of {}x{}", counted(model.batch, "image"),
                          model.height, model.width))
        .help("build it for a smaller batch or input");
}

static bool guardsWanted() {
  const char *value = std::getenv("VERNIER_CHECK_ARENA");
  return value && *value && strcmp(value, "0") != 0;
}

static const vn_model &checked(const vn_model &model) {
  checkModel(model);
  return model;
}

static Workers startWorkers(int64_t asked) {
  const ThreadCount count = threadCount(asked);
  return Workers(count.threads, count.asked);
}

Session::Session(const vn_model &model, SessionOptions options)
    : theModel(checked(model)), theWorkers(startWorkers(options.threads)), training(options.training),
      guarded(options.checked.value_or(guardsWanted())) {
  if (training && model.train_step.num_steps == 0)
    throw Error(VN_ERROR_STATE, fmt::format("model `{}` was built for inference only", model.name))
        .help("build it with `vernier build --for train`");

  const int64_t arena = std::max({model.prepare.arena_bytes, model.infer.arena_bytes,
                                  training ? model.train_step.arena_bytes : int64_t(0)});
  const int64_t gradients = training ? model.parameter_bytes : 0;
  requireMemory(model,
                arena + gradients + model.parameter_bytes + model.statistics_bytes + model.derived_bytes);
  spaces[VN_SPACE_ARENA] = Buffer(size_t(arena), "the arena", guarded);
  spaces[VN_SPACE_PARAMETERS] = Buffer(size_t(model.parameter_bytes), "parameters", guarded);
  spaces[VN_SPACE_STATISTICS] = Buffer(size_t(model.statistics_bytes), "running statistics", guarded);
  spaces[VN_SPACE_DERIVED] = Buffer(size_t(model.derived_bytes), "packed weights", guarded);
  spaces[VN_SPACE_GRADIENTS] = Buffer(size_t(gradients), "gradients", guarded);

  haveWeights = model.num_parameters == 0; // then there is nothing to load
  chosen.assign(size_t(model.num_holes), 0);
  prepareProgram.emplace(bind(model.prepare));
  inferProgram.emplace(bind(model.infer));
  if (training)
    trainProgram.emplace(bind(model.train_step));
}

/// The steps of a range up to the last that reads or writes a running statistic; none where none does.
static StepRange toLastStatistics(const vn_program &program, StepRange steps) {
  const auto touches = [](const vn_operand &operand) { return operand.space == VN_SPACE_STATISTICS; };
  for (; steps.end > steps.begin; --steps.end) {
    const vn_step &last = program.steps[steps.end - 1];
    if (std::any_of(last.operands, last.operands + last.num_operands, touches))
      break;
  }
  return steps;
}

Session::Bound Session::bind(const vn_program &program, Extent extent) const {
  Bound bound{program, {}, Schedule(threads()), {}, {}, {}};
  std::vector<std::vector<StepRange>> parts; // of each segment the steps of its variants
  for (int64_t s = 0; s < program.num_segments; ++s) {
    std::vector<StepRange> &variants = parts.emplace_back();
    for (const vn_variant &v : variantsOf(program.segments[s]))
      variants.push_back({v.begin, v.end});
  }
  if (program.num_segments == 0)
    parts.push_back({{0, program.num_steps}});
  if (extent == Extent::ToLastStatistics)
    for (size_t s = parts.size(); s-- > 0;) {
      bool any = false;
      for (StepRange &steps : parts[s]) {
        steps = toLastStatistics(program, steps);
        any |= steps.begin < steps.end;
      }
      if (any) // what comes before it runs whole
        break;
    }
  for (const std::vector<StepRange> &variants : parts) {
    std::vector<Schedule> &schedules = bound.parts.emplace_back();
    for (StepRange steps : variants)
      schedules.emplace_back(program, steps, threads(), true);
  }
  choose(bound);
  for (int64_t s = 0; s < program.num_steps; ++s) {
    const vn_step &step = program.steps[s];
    bound.firstAddress.push_back(bound.addresses.size());
    for (int64_t i = 0; i < step.num_operands; ++i) {
      const vn_operand &operand = step.operands[i];
      if (operand.space == VN_SPACE_IO) {
        bound.patches.push_back({bound.addresses.size(), operand.offset / 64});
        bound.addresses.push_back(nullptr);
      } else {
        bound.addresses.push_back(spaces[operand.space].data() + operand.offset);
      }
    }
  }
  return bound;
}

void Session::choose(std::span<const int64_t> choices) {
  checkChoices(theModel, choices);
  chosen.assign(choices.begin(), choices.end());
  choose(*inferProgram);
  if (trainProgram)
    choose(*trainProgram);
  if (statisticsProgram)
    choose(*statisticsProgram);
}

void Session::choose(Bound &bound) const {
  bound.schedule = Schedule(threads());
  for (size_t s = 0; s < bound.parts.size(); ++s) {
    const auto variant =
        bound.program.num_segments ? variantIndex(theModel, bound.program.segments[s], chosen) : 0;
    bound.schedule.append(bound.parts[s][variant]);
  }
}

std::span<float> Session::values(const vn_parameter &parameter) {
  auto *start = reinterpret_cast<float *>(spaces[parameter.space].data() + parameter.offset);
  return {start, size_t(elementCount(parameter))};
}

std::span<float> Session::gradient(const vn_parameter &parameter) {
  auto *start = reinterpret_cast<float *>(spaces[VN_SPACE_GRADIENTS].data() + parameter.offset);
  return {start, size_t(elementCount(parameter))};
}

void Session::prepare(std::vector<double> *seconds) {
  if (!haveWeights)
    throw Error(VN_ERROR_STATE, "the session has no weights yet")
        .help("load weights before running the model");
  if (!prepared)
    run(*prepareProgram, {}, seconds);
  prepared = true;
}

void Session::infer(std::span<void *const> io, std::vector<double> *seconds, Timed timed) {
  prepare();
  run(*inferProgram, io, seconds, timed);
}

void Session::trainStep(std::span<void *const> io, std::vector<double> *seconds) {
  if (!training)
    throw Error(VN_ERROR_STATE, "this session was created for inference");
  if (!haveWeights)
    throw Error(VN_ERROR_STATE, "the session has no weights yet")
        .help("load weights or initialise them first");
  run(*trainProgram, io, seconds);
  prepared = false; // the running statistics changed
}

void Session::updateStatistics(std::span<void *const> io) {
  if (!training)
    throw Error(VN_ERROR_STATE, "this session was created for inference");
  if (!haveWeights)
    throw Error(VN_ERROR_STATE, "the session has no weights yet").help("load weights first");
  if (!statisticsProgram)
    statisticsProgram.emplace(bind(theModel.train_step, Extent::ToLastStatistics));
  run(*statisticsProgram, io, nullptr);
  prepared = false;
}

void Session::checkGuards(std::span<const vn_step> wave) const {
  static constexpr const char *names[] = {"the arena", "parameters", "running statistics", "packed weights",
                                          "gradients"};
  std::string kernels;
  for (const vn_step &step : wave)
    kernels += fmt::format("{}`{}`", kernels.empty() ? "" : " or ", step.kernel_name);
  for (int space = 0; space < VN_SPACE_IO; ++space)
    if (!spaces[space].intact())
      throw Error(VN_ERROR_INTERNAL, fmt::format("kernel {} wrote outside {}", kernels, names[space]))
          .at(wave.front().place)
          .help("this is a defect of the compiler; please report the specification and the build's options");
}

void Session::run(Bound &bound, std::span<void *const> io, std::vector<double> *seconds, Timed timed) {
  const vn_program &program = bound.program;
  checkCall(theModel, program, io);
  for (const Bound::Patch &patch : bound.patches)
    bound.addresses[patch.address] = io[size_t(patch.io)];
  if (seconds)
    seconds->assign(size_t(program.num_steps), 0.0);
  if (guarded)
    spaces[VN_SPACE_ARENA].seal(size_t(program.arena_bytes));

  std::optional<Schedule> oneByOne;
  if (seconds && timed == Timed::Steps) {
    oneByOne.emplace(threads());
    for (const StepRange &steps : chosenSteps(theModel, program, chosen))
      oneByOne->append(Schedule(program, steps, threads(), false));
  }
  const Schedule &schedule = oneByOne ? *oneByOne : bound.schedule;

  using Clock = std::chrono::steady_clock;
  std::exception_ptr broken;
  Clock::time_point before = Clock::now();
  auto finished = [&](int64_t wave) {
    const StepRange steps = schedule.steps(wave);
    if (seconds) {
      const Clock::time_point after = Clock::now();
      (*seconds)[size_t(steps.begin)] = std::chrono::duration<double>(after - before).count();
      before = after;
    }
    if (guarded && !broken) {
      try {
        checkGuards({program.steps + steps.begin, program.steps + steps.end});
      } catch (...) {
        broken = std::current_exception();
      }
    }
  };
  auto runShare = [&](int64_t wave, int share) {
    for (const TaskRange &tasks : schedule.share(wave, share))
      program.steps[tasks.step].kernel(bound.addresses.data() + bound.firstAddress[size_t(tasks.step)],
                                       tasks.begin, tasks.end);
  };
  // Fewer threads may come than there are shares; they then take all of them.
  WaveShares shares(threads());
  theWorkers.run([&](int thread) { shares.go(schedule.waves(), thread, runShare, finished); });
  if (broken)
    std::rethrow_exception(broken);
}

} // namespace vernier::runtime
