#include "runtime/device/cpu/CpuDevice.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"
#include "runtime/core/Threads.h"
#include "runtime/device/Parts.h"
#include "runtime/device/cpu/CpuFeatures.h"
#include "runtime/device/cpu/WaveShares.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fmt/core.h>
#include <numeric>
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

static Workers startWorkers(int64_t asked) {
  const ThreadCount count = threadCount(asked);
  return Workers(count.threads, count.asked);
}

/// The model, if this CPU can run it.
static const vn_model &runnable(const vn_model &model) {
  requireCpuFeatures(model);
  return model;
}

CpuDevice::CpuDevice(const vn_model &model, const SessionOptions &options)
    : model(runnable(model)), size(&model), workers(startWorkers(options.threads)),
      guarded(options.checked.value_or(false)) {
  const bool training = options.training;
  int64_t arena = model.prepare.arena_bytes;
  for (const vn_model *each : neededSizes(model, options))
    arena = std::max({arena, each->infer.arena_bytes, each->evaluate.arena_bytes,
                      training ? each->train_step.arena_bytes : int64_t(0)});
  const int64_t gradients = training ? model.parameter_bytes : 0;
  const int64_t momentum = training && model.update.num_steps ? model.parameter_bytes : 0;
  const int64_t sums = training && model.accumulate.num_steps ? model.parameter_bytes : 0;
  requireMemory(model, arena + gradients + momentum + sums + model.parameter_bytes + model.statistics_bytes +
                           model.frozen_bytes + model.derived_bytes);
  spaces[VN_SPACE_ARENA] = Buffer(size_t(arena), "the arena", guarded);
  spaces[VN_SPACE_PARAMETERS] = Buffer(size_t(model.parameter_bytes), "parameters", guarded);
  spaces[VN_SPACE_STATISTICS] = Buffer(size_t(model.statistics_bytes), "running statistics", guarded);
  spaces[VN_SPACE_DERIVED] = Buffer(size_t(model.derived_bytes), "packed weights", guarded);
  spaces[VN_SPACE_GRADIENTS] = Buffer(size_t(gradients), "gradients", guarded);
  spaces[VN_SPACE_SUMS] = Buffer(size_t(sums), "sums of gradients", guarded);
  spaces[VN_SPACE_MOMENTUM] = Buffer(size_t(momentum), "momentum", guarded);
  spaces[VN_SPACE_FROZEN] = Buffer(size_t(model.frozen_bytes), "frozen weights", guarded);
  chosen.assign(size_t(model.num_holes), 0);
}

void CpuDevice::read(vn_space space, int64_t offset, std::span<std::byte> to) const {
  if (!to.empty())
    memcpy(to.data(), spaces[space].data() + offset, to.size());
}

void CpuDevice::write(vn_space space, int64_t offset, std::span<const std::byte> from) {
  if (!from.empty())
    memcpy(spaces[space].data() + offset, from.data(), from.size());
}

CpuDevice::Bound &CpuDevice::bound(Task task) {
  const vn_model &own = dependsOnSize(task) ? *size : model;
  const auto found = programs.find({&own, task});
  return found != programs.end()
             ? found->second
             : programs.emplace(std::pair(&own, task), bind(programOf(own, task), task)).first->second;
}

CpuDevice::Bound CpuDevice::bind(const vn_program &program, Task task) {
  Bound bound{program, {}, Schedule(threads()), {}, {}, {}};
  for (const std::vector<StepRange> &variants : partsOf(program, task)) {
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
        bound.patches.push_back({bound.addresses.size(), operand.array, operand.offset});
        bound.addresses.push_back(nullptr);
      } else {
        bound.addresses.push_back(spaces[operand.space].data() + operand.offset);
      }
    }
  }
  return bound;
}

void CpuDevice::choose(std::span<const int64_t> choices) {
  chosen.assign(choices.begin(), choices.end());
  for (auto &[task, bound] : programs)
    choose(bound);
}

void CpuDevice::choose(Bound &bound) const {
  bound.schedule = Schedule(threads());
  for (size_t s = 0; s < bound.parts.size(); ++s) {
    const auto variant =
        bound.program.num_segments ? variantIndex(model, bound.program.segments[s], chosen) : 0;
    bound.schedule.append(bound.parts[s][variant]);
  }
}

void CpuDevice::checkGuards(std::span<const vn_step> wave) const {
  static constexpr const char *names[] = {"the arena",      "parameters",    "running statistics",
                                          "packed weights", "gradients",     "sums of gradients",
                                          "momentum",       "frozen weights"};
  std::string kernels;
  for (const vn_step &step : wave)
    kernels += fmt::format("{}`{}`", kernels.empty() ? "" : " or ", step.kernel_name);
  for (int space = 0; space < VN_SPACE_IO; ++space)
    if (!spaces[space].intact())
      throw Error(VN_ERROR_INTERNAL, fmt::format("kernel {} wrote outside {}", kernels, names[space]))
          .at(wave.front().place)
          .help("this is a defect of the compiler; please report the specification and the build's options");
}

void CpuDevice::run(Task task, std::span<void *const> io, std::vector<double> *seconds, Timed timed) {
  Bound &bound = this->bound(task);
  const vn_program &program = bound.program;
  for (const Bound::Patch &patch : bound.patches)
    bound.addresses[patch.address] = static_cast<std::byte *>(io[size_t(patch.array)]) + patch.offset;
  if (seconds)
    seconds->assign(size_t(program.num_steps), 0.0);
  if (guarded)
    spaces[VN_SPACE_ARENA].seal(size_t(program.arena_bytes));

  std::optional<Schedule> oneByOne;
  if (seconds && timed == Timed::Steps) {
    oneByOne.emplace(threads());
    for (const StepRange &steps : chosenSteps(model, program, chosen))
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
  workers.run([&](int thread) { shares.go(schedule.waves(), thread, runShare, finished); });
  if (broken)
    std::rethrow_exception(broken);
  if (seconds && timed == Timed::Program)
    *seconds = {std::accumulate(seconds->begin(), seconds->end(), 0.0)};
}

} // namespace vernier::runtime
