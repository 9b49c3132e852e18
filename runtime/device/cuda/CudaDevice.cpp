#include "runtime/device/cuda/CudaDevice.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"
#include "runtime/device/Parts.h"

#include <algorithm>
#include <cstring>
#include <fmt/core.h>

namespace vernier::runtime {

static const char *const spaceNames[VN_SPACE_IO] = {"arena",          "parameters",    "running statistics",
                                                    "packed weights", "gradients",     "sums of gradients",
                                                    "momentum",       "frozen weights"};

void Accelerator::check(const char *failure) const {
  if (failure)
    throw Error(VN_ERROR_DEVICE, fmt::format("{}: {}", functions.name, failure))
        .at(fmt::format("device {}", number));
}

/// What a training changes, beside gradients.
static constexpr vn_space trainedSpaces[] = {VN_SPACE_PARAMETERS, VN_SPACE_STATISTICS, VN_SPACE_MOMENTUM};

/// What runs side by side at most: as many streams as a GPU has queues for by default.
constexpr int64_t mostStreams = 8;

static int64_t widestWave(const vn_program &program) {
  int64_t widest = 1, width = 0;
  for (int64_t s = 0; s < program.num_steps; ++s) {
    width = program.steps[s].with_previous ? width + 1 : 1;
    widest = std::max(widest, width);
  }
  return widest;
}

CudaDevice::CudaDevice(const vn_model &model, const SessionOptions &options)
    : model(model), size(&model), accelerator(*model.accelerator, options.number),
      checked(options.checked.value_or(false)), pipelined(options.pipelined) {
  int64_t devices = 0;
  accelerator.call(&vn_accelerator::count, &devices);
  if (options.number < 0 || options.number >= devices)
    throw Error(VN_ERROR_DEVICE, fmt::format("there is no device {}", options.number))
        .note(fmt::format("{} {} found", counted(devices, "device"), devices == 1 ? "was" : "were"))
        .help("devices are counted from 0");
  accelerator.choose();
  const bool training = options.training;
  std::vector<const vn_program *> called;
  spaceBytes[VN_SPACE_ARENA] = model.prepare.arena_bytes;
  for (const vn_model *each : neededSizes(model, options)) {
    called.insert(called.end(), {&each->infer, &each->evaluate});
    if (training)
      called.push_back(&each->train_step);
  }
  for (const vn_program *program : called)
    spaceBytes[VN_SPACE_ARENA] = std::max(spaceBytes[VN_SPACE_ARENA], program->arena_bytes);
  spaceBytes[VN_SPACE_PARAMETERS] = model.parameter_bytes;
  spaceBytes[VN_SPACE_STATISTICS] = model.statistics_bytes;
  spaceBytes[VN_SPACE_FROZEN] = model.frozen_bytes;
  spaceBytes[VN_SPACE_DERIVED] = model.derived_bytes;
  if (training) {
    spaceBytes[VN_SPACE_GRADIENTS] = model.parameter_bytes;
    spaceBytes[VN_SPACE_SUMS] = model.accumulate.num_steps ? model.parameter_bytes : 0;
    spaceBytes[VN_SPACE_MOMENTUM] = model.update.num_steps ? model.parameter_bytes : 0;
  }
  if (training)
    called.insert(called.end(), {&model.accumulate, &model.update});
  int64_t needed = 0;
  for (int64_t bytes : spaceBytes)
    needed += bytes;
  for (const vn_program *program : called) {
    const IoLayout layout(*program);
    needed += layout.bytes + (pipelined ? layout.inputBytes + layout.outputBytes() : 0);
  }
  int64_t keptBytes = 0;
  if (pipelined && training)
    for (vn_space space : trainedSpaces)
      keptBytes += spaceBytes[space];
  needed += copies * keptBytes;
  requireMemory(needed);
  stream = createStream();
  if (pipelined)
    in = createStream(), out = createStream();
  int64_t widest = widestWave(model.prepare);
  for (const vn_program *program : called)
    widest = std::max(widest, widestWave(*program));
  if (widest > 1)
    waveBegins = createEvent();
  for (int64_t side = 1; side < std::min(widest, mostStreams); ++side)
    sides.push_back({createStream(), createEvent()});
  for (size_t space = 0; space < spaces.size(); ++space) {
    spaces[space] = allocate(std::max<int64_t>(spaceBytes[space], 64), spaceNames[space]);
    if (space != VN_SPACE_ARENA) // whose contents do not outlive a run
      accelerator.call(&vn_accelerator::clear, spaces[space].get(), spaceBytes[space], stream.get());
  }
  for (const vn_program *program : called)
    makeArrays(*program);
  for (DeviceResource &copy : kept)
    if (keptBytes)
      copy = allocate(keptBytes, "a copy of the parameters");
  accelerator.call(&vn_accelerator::synchronize, stream.get());
  chosen.assign(size_t(model.num_holes), 0);
}

CudaDevice::~CudaDevice() {
  accelerator.tryTo(&vn_accelerator::choose, accelerator.number);
  // A call that failed may have left work behind.
  for (const DeviceResource *each : {&in, &stream, &out})
    if (*each)
      accelerator.tryTo(&vn_accelerator::synchronize, each->get());
  for (const Side &side : sides)
    accelerator.tryTo(&vn_accelerator::synchronize, side.stream.get());
}

DeviceResource CudaDevice::createStream() const {
  void *created = nullptr;
  accelerator.call(&vn_accelerator::create_stream, &created);
  return {accelerator, created, &vn_accelerator::release_stream};
}

DeviceResource CudaDevice::createEvent() const {
  void *created = nullptr;
  accelerator.call(&vn_accelerator::create_event, &created);
  return {accelerator, created, &vn_accelerator::release_event};
}

void CudaDevice::makeArrays(const vn_program &program) {
  if (program.num_io == 0)
    return;
  Arrays &made =
      arrays.emplace(&program, Arrays{IoLayout(program), {}, {}, {}, {}, {}, {}, {}}).first->second;
  made.block = allocate(made.layout.bytes, "the arrays of a call");
  if (!pipelined)
    return;
  made.inputs = allocate(made.layout.inputBytes, "the inputs of the next call");
  made.outputs = allocate(made.layout.outputBytes(), "the outputs of the last call");
  for (DeviceResource *event : {&made.inputsThere, &made.inputsTaken, &made.outputsThere, &made.outputsTaken})
    *event = createEvent();
}

void CudaDevice::requireMemory(int64_t needed) const {
  vn_accelerator_facts facts{};
  accelerator.call(&vn_accelerator::facts, &facts);
  if (needed > facts.free_bytes)
    throw Error(VN_ERROR_MEMORY,
                fmt::format("out of memory: model `{}` needs {}, {} has {} free", model.name,
                            bytesText(uint64_t(needed)), facts.name, bytesText(uint64_t(facts.free_bytes))))
        .at(fmt::format("device {}", accelerator.number))
        .note(fmt::format("it has {} in all; the model was built for a batch of {} of {}x{}",
                          bytesText(uint64_t(facts.memory_bytes)), counted(model.batch, "image"),
                          model.height, model.width))
        .help("build it for a smaller batch or input");
}

std::string CudaDevice::name() const {
  vn_accelerator_facts facts{};
  accelerator.choose();
  accelerator.call(&vn_accelerator::facts, &facts);
  return facts.name;
}

DeviceResource CudaDevice::allocate(int64_t bytes, const std::string &name) const {
  void *memory = nullptr;
  accelerator.call(&vn_accelerator::allocate, bytes, name.c_str(), &memory);
  return {accelerator, memory, &vn_accelerator::release};
}

static std::byte *within(const DeviceResource &memory, int64_t offset) {
  return static_cast<std::byte *>(memory.get()) + offset;
}

void CudaDevice::read(vn_space space, int64_t offset, std::span<std::byte> to) const {
  if (to.empty())
    return;
  accelerator.choose();
  accelerator.call(&vn_accelerator::copy_out, to.data(), within(spaces[space], offset), int64_t(to.size()),
                   stream.get());
  accelerator.call(&vn_accelerator::synchronize, stream.get());
}

void CudaDevice::write(vn_space space, int64_t offset, std::span<const std::byte> from) {
  if (from.empty())
    return;
  accelerator.choose();
  accelerator.call(&vn_accelerator::copy_in, within(spaces[space], offset), from.data(), int64_t(from.size()),
                   stream.get());
  accelerator.call(&vn_accelerator::synchronize, stream.get());
}

void CudaDevice::choose(std::span<const int64_t> choices) { chosen.assign(choices.begin(), choices.end()); }

CudaDevice::Bound &CudaDevice::bound(Task task) {
  const vn_model &own = dependsOnSize(task) ? *size : model;
  const auto found = programs.find({&own, task});
  return found != programs.end()
             ? found->second
             : programs.emplace(std::pair(&own, task), bind(programOf(own, task), task)).first->second;
}

CudaDevice::Bound CudaDevice::bind(const vn_program &program, Task task) {
  const auto own = arrays.find(&program);
  Bound bound{program, own == arrays.end() ? nullptr : &own->second, {}, {}, partsOf(program, task), {}};
  for (const std::vector<StepRange> &variants : bound.parts)
    bound.graphs.emplace_back(variants.size());
  for (int64_t s = 0; s < program.num_steps; ++s) {
    const vn_step &step = program.steps[s];
    bound.firstAddress.push_back(bound.addresses.size());
    for (int64_t i = 0; i < step.num_operands; ++i) {
      const vn_operand &operand = step.operands[i];
      bound.addresses.push_back(
          operand.space == VN_SPACE_IO
              ? within(bound.arrays->block,
                       bound.arrays->layout.offsets[size_t(operand.array)] + operand.offset)
              : within(spaces[size_t(operand.space)], operand.offset));
    }
  }
  return bound;
}

void CudaDevice::launch(const Bound &bound, int64_t step, const DeviceResource &stream) const {
  const vn_step &launched = bound.program.steps[step];
  if (const char *failure =
          launched.launch(bound.addresses.data() + bound.firstAddress[size_t(step)], stream.get()))
    throw Error(VN_ERROR_DEVICE, fmt::format("{}: {}", model.accelerator->name, failure)).at(launched.place);
}

/// Steps of a wave divide among the streams; the next wave comes when all of them are done.
void CudaDevice::launch(const Bound &bound, StepRange steps) const {
  for (int64_t begin = steps.begin, end; begin < steps.end; begin = end) {
    end = begin + 1;
    while (end < steps.end && bound.program.steps[end].with_previous)
      ++end;
    const size_t used = std::min(size_t(end - begin) - 1, sides.size());
    if (used)
      record(waveBegins, stream);
    for (size_t side = 0; side < used; ++side)
      follow(sides[side].stream, waveBegins);
    for (int64_t step = begin; step < end; ++step) {
      const size_t i = size_t(step - begin) % (used + 1);
      launch(bound, step, i == 0 ? stream : sides[i - 1].stream);
    }
    for (size_t side = 0; side < used; ++side) {
      record(sides[side].done, sides[side].stream);
      follow(stream, sides[side].done);
    }
  }
}

size_t CudaDevice::variantOf(const Bound &bound, size_t part) const {
  return bound.program.num_segments ? variantIndex(model, bound.program.segments[part], chosen) : 0;
}

void CudaDevice::makeGraph(Bound &bound, size_t part, size_t variant) const {
  const StepRange steps = bound.parts[part][variant];
  DeviceResource &graph = bound.graphs[part][variant];
  if (graph || steps.begin == steps.end)
    return;
  void *created = nullptr;
  accelerator.call(&vn_accelerator::begin_graph, stream.get());
  try {
    launch(bound, steps);
  } catch (...) {
    accelerator.tryTo(&vn_accelerator::end_graph, stream.get(), &created);
    DeviceResource(accelerator, created, &vn_accelerator::release_graph);
    throw;
  }
  accelerator.call(&vn_accelerator::end_graph, stream.get(), &created);
  graph = {accelerator, created, &vn_accelerator::release_graph};
}

/// The first time without a graph: kernels are loaded when they are first launched, which may not be while a
/// graph is made.
void CudaDevice::launchPart(const Bound &bound, size_t part, size_t variant) const {
  if (const DeviceResource &graph = bound.graphs[part][variant]) {
    accelerator.call(&vn_accelerator::run_graph, graph.get(), stream.get());
    return;
  }
  launch(bound, bound.parts[part][variant]);
}

void CudaDevice::makeGraphs(Bound &bound) const {
  for (size_t part = 0; part < bound.parts.size(); ++part)
    makeGraph(bound, part, variantOf(bound, part));
}

void CudaDevice::record(const DeviceResource &event, const DeviceResource &stream) const {
  accelerator.call(&vn_accelerator::record, event.get(), stream.get());
}

void CudaDevice::follow(const DeviceResource &stream, const DeviceResource &event) const {
  accelerator.call(&vn_accelerator::follow, stream.get(), event.get());
}

DeviceResource CudaDevice::record() const {
  DeviceResource event = createEvent();
  record(event, stream);
  return event;
}

/// One after the other, without a graph, an event between each and the next.
void CudaDevice::timeSteps(const Bound &bound, StepRange steps, std::vector<double> &seconds) const {
  std::vector<DeviceResource> events;
  events.push_back(record());
  for (int64_t s = steps.begin; s < steps.end; ++s) {
    launch(bound, s, stream);
    events.push_back(record());
  }
  accelerator.call(&vn_accelerator::synchronize, stream.get());
  for (int64_t s = steps.begin; s < steps.end; ++s) {
    const size_t i = size_t(s - steps.begin);
    accelerator.call(&vn_accelerator::seconds, events[i].get(), events[i + 1].get(), &seconds[size_t(s)]);
  }
}

void CudaDevice::forgetArena(const vn_program &program) const {
  if (checked && program.arena_bytes)
    accelerator.call(&vn_accelerator::forget, spaces[VN_SPACE_ARENA].get(), program.arena_bytes,
                     stream.get());
}

void CudaDevice::run(Task task, std::span<void *const> io, std::vector<double> *seconds, Timed timed) {
  accelerator.choose();
  Bound &bound = this->bound(task);
  const vn_program &program = bound.program;
  const auto arrayOf = [&](int64_t i) {
    return within(bound.arrays->block, bound.arrays->layout.offsets[size_t(i)]);
  };
  forgetArena(program);
  for (int64_t i = 0; i < program.num_io; ++i)
    if (program.io[i].is_output != VN_OUTPUT) // what a partial output holds may stay
      accelerator.call(&vn_accelerator::copy_in, arrayOf(i), io[size_t(i)], 4 * elementCount(program.io[i]),
                       stream.get());
  const bool whole = seconds && timed == Timed::Program, parts = seconds && timed == Timed::Waves,
             steps = seconds && timed == Timed::Steps;
  if (seconds)
    seconds->assign(whole ? 1 : size_t(program.num_steps), 0.0);
  DeviceResource begin, end;
  std::vector<DeviceResource> between; // parts, and before and after them
  if (whole)
    begin = record();
  if (parts)
    between.push_back(record());
  for (size_t part = 0; part < bound.parts.size(); ++part) {
    const size_t variant = variantOf(bound, part);
    if (steps)
      timeSteps(bound, bound.parts[part][variant], *seconds);
    else
      launchPart(bound, part, variant);
    if (parts)
      between.push_back(record());
  }
  if (whole)
    end = record();
  if (!steps)
    makeGraphs(bound);
  if (task != Task::Statistics) // whose outputs mean nothing
    for (int64_t i = 0; i < program.num_io; ++i)
      if (program.io[i].is_output != VN_INPUT)
        accelerator.call(&vn_accelerator::copy_out, io[size_t(i)], arrayOf(i),
                         4 * elementCount(program.io[i]), stream.get());
  accelerator.call(&vn_accelerator::synchronize, stream.get());
  if (whole)
    accelerator.call(&vn_accelerator::seconds, begin.get(), end.get(), seconds->data());
  for (size_t part = 0; parts && part < bound.parts.size(); ++part)
    if (const StepRange run = bound.parts[part][variantOf(bound, part)]; run.begin < run.end)
      accelerator.call(&vn_accelerator::seconds, between[part].get(), between[part + 1].get(),
                       &(*seconds)[size_t(run.begin)]);
}

HostMemory CudaDevice::hostMemory(size_t bytes) {
  accelerator.choose();
  void *memory = nullptr;
  accelerator.call(&vn_accelerator::allocate_host, int64_t(bytes), &memory);
  memset(memory, 0, bytes);
  return {static_cast<std::byte *>(memory), [this](std::byte *memory) {
            accelerator.tryTo(&vn_accelerator::choose, accelerator.number);
            for (const DeviceResource *each : {&in, &stream, &out}) // a copy may be on its way
              accelerator.tryTo(&vn_accelerator::synchronize, each->get());
            accelerator.tryTo(&vn_accelerator::release_host, memory);
          }};
}

int64_t CudaDevice::start(Task task, const IoArrays &io) {
  accelerator.choose();
  Bound &bound = this->bound(task);
  const Arrays &arrays = *bound.arrays;
  const int64_t inputBytes = arrays.layout.inputBytes;
  follow(in, arrays.inputsTaken); // of the run before
  accelerator.call(&vn_accelerator::copy_in, arrays.inputs.get(), io.block(), inputBytes, in.get());
  record(arrays.inputsThere, in);
  follow(stream, arrays.inputsThere);
  accelerator.call(&vn_accelerator::copy, arrays.block.get(), arrays.inputs.get(), inputBytes, stream.get());
  record(arrays.inputsTaken, stream);
  forgetArena(bound.program);
  for (size_t part = 0; part < bound.parts.size(); ++part)
    launchPart(bound, part, variantOf(bound, part));
  makeGraphs(bound);
  const int64_t begin = arrays.layout.outputBegin, bytes = arrays.layout.outputBytes();
  follow(stream, arrays.outputsTaken); // of the run before
  accelerator.call(&vn_accelerator::copy, arrays.outputs.get(), within(arrays.block, begin), bytes,
                   stream.get());
  record(arrays.outputsThere, stream);
  follow(out, arrays.outputsThere);
  accelerator.call(&vn_accelerator::copy_out, io.block() + begin, arrays.outputs.get(), bytes, out.get());
  record(arrays.outputsTaken, out);
  DeviceResource end;
  if (events.empty())
    end = createEvent();
  else
    end = std::move(events.back()), events.pop_back();
  record(end, out);
  ends.emplace_back(++started, std::move(end));
  return started;
}

void CudaDevice::wait(int64_t run) {
  accelerator.choose();
  const DeviceResource *last = nullptr;
  for (const auto &[number, end] : ends)
    if (number <= run)
      last = &end;
  if (last)
    accelerator.call(&vn_accelerator::await, last->get());
  for (; !ends.empty() && ends.front().first <= run; ends.pop_front())
    events.push_back(std::move(ends.front().second));
}

void CudaDevice::copySpaces(int copy, bool back) const {
  accelerator.choose();
  int64_t offset = 0;
  for (vn_space space : trainedSpaces) {
    const int64_t bytes = spaceBytes[space];
    void *const own = spaces[space].get(), *const other = within(kept[size_t(copy)], offset);
    offset += bytes;
    if (bytes)
      accelerator.call(&vn_accelerator::copy, back ? own : other, back ? other : own, bytes, stream.get());
  }
}

void CudaDevice::keep(int copy) { copySpaces(copy, false); }

void CudaDevice::restore(int copy) { copySpaces(copy, true); }

} // namespace vernier::runtime
