#include "runtime/core/CheckModel.h"

#include "runtime/Error.h"
#include "runtime/core/Choices.h"
#include "runtime/core/Shape.h"

#include <cmath>
#include <fmt/core.h>

namespace vernier::runtime {

static constexpr int64_t largestSpace = int64_t(1) << 46; // what an address of today's CPUs reaches

static void require(bool condition, const vn_model &model, const std::string &what) {
  if (!condition)
    throw Error(VN_ERROR_ABI,
                fmt::format("the tables of model `{}` contradict themselves: {}", model.name, what))
        .help("build the model again; if it persists, this is a defect of the compiler");
}

/// Whether a table of so many entries is there.
static bool isTable(const void *entries, int64_t count) { return count == 0 || (count > 0 && entries); }

static void checkTables(const vn_model &model, const vn_program &program, const char *name) {
  const auto need = [&](bool condition) {
    require(condition, model, std::string(name) + " lacks a table or a name");
  };
  need(isTable(program.steps, program.num_steps) && isTable(program.segments, program.num_segments) &&
       isTable(program.io, program.num_io));
  for (int64_t i = 0; i < program.num_io; ++i)
    need(program.io[i].name);
  for (int64_t s = 0; s < program.num_steps; ++s) {
    const vn_step &step = program.steps[s];
    need((model.accelerator ? step.launch != nullptr : step.kernel != nullptr) && step.kernel_name &&
         step.place && isTable(step.operands, step.num_operands));
  }
  for (int64_t s = 0; s < program.num_segments; ++s)
    need(isTable(program.segments[s].holes, program.segments[s].num_holes) &&
         isTable(program.segments[s].variants, program.segments[s].num_variants));
}

/// Before anything follows the pointers.
static void checkTables(const vn_model &model) {
  if (!model.name || !model.description || !model.target)
    throw Error(VN_ERROR_ABI, "the model has no name, description or target");
  require(isTable(model.parameters, model.num_parameters) && isTable(model.holes, model.num_holes), model,
          "it lacks a table");
  for (int64_t i = 0; i < model.num_parameters; ++i)
    require(model.parameters[i].name, model, "a parameter has no name");
  for (int64_t i = 0; i < model.num_holes; ++i)
    require(model.holes[i].name && isTable(model.holes[i].choices, model.holes[i].num_choices), model,
            "a hole has no name or no choices");
  checkTables(model, model.prepare, "prepare");
  checkTables(model, model.infer, "infer");
  checkTables(model, model.train_step, "train_step");
  checkTables(model, model.accumulate, "accumulate");
  checkTables(model, model.update, "update");
  checkTables(model, model.evaluate, "evaluate");
}

static void checkShape(const int64_t (&shape)[4], int64_t rank, const vn_model &model,
                       const std::string &what) {
  require(rank >= 0 && rank <= 4, model, what + " has rank " + std::to_string(rank));
  const auto count = elementCount({shape, size_t(rank)});
  require(count && *count <= largestSpace / 4, model, what + " has an impossible shape");
}

/// Of the space, or array, that an operand lies in; less than 0 where there is none.
static int64_t bytesAround(const vn_model &model, const vn_program &program, const vn_operand &operand) {
  switch (operand.space) {
  case VN_SPACE_ARENA:
    return program.arena_bytes;
  case VN_SPACE_PARAMETERS:
  case VN_SPACE_GRADIENTS:
  case VN_SPACE_SUMS:
  case VN_SPACE_MOMENTUM:
    return model.parameter_bytes;
  case VN_SPACE_STATISTICS:
    return model.statistics_bytes;
  case VN_SPACE_FROZEN:
    return model.frozen_bytes;
  case VN_SPACE_DERIVED:
    return model.derived_bytes;
  case VN_SPACE_IO:
    return operand.array >= 0 && operand.array < program.num_io ? 4 * elementCount(program.io[operand.array])
                                                                : -1;
  }
  return -1;
}

static void checkProgram(const vn_model &model, const vn_program &program, const std::string &name) {
  require(program.arena_bytes >= 0 && program.arena_bytes < largestSpace, model,
          name + " has an impossible arena");
  for (int64_t i = 0; i < program.num_io; ++i) {
    const vn_io &io = program.io[i];
    checkShape(io.shape, io.rank, model, fmt::format("array `{}` of {}", io.name, name));
    require(io.type == VN_FLOAT32 || io.type == VN_INT32, model,
            fmt::format("array `{}` has no known type", io.name));
  }
  const int64_t smallest = model.map_type == VN_BFLOAT16 ? 2 : 4; // element's bytes
  for (int64_t s = 0; s < program.num_steps; ++s) {
    const vn_step &step = program.steps[s];
    const std::string where = fmt::format("step {} of {} ({})", s, name, step.kernel_name);
    require(step.num_tasks >= 0, model, where + " has a negative number of tasks");
    for (int64_t i = 0; i < step.num_operands; ++i) {
      const vn_operand &operand = step.operands[i];
      const int64_t limit = bytesAround(model, program, operand);
      require(limit >= 0, model, fmt::format("operand {} of {} names no space or array", i, where));
      require(operand.offset >= 0 && operand.offset % (operand.space == VN_SPACE_IO ? 4 : smallest) == 0 &&
                  operand.offset <= limit,
              model, fmt::format("operand {} of {} lies outside its space", i, where));
    }
  }
  if (&program == &model.infer || &program == &model.train_step)
    require((program.num_segments > 0) ==
                (model.num_holes > 0 && program.num_io > 0 && program.num_steps > 0),
            model, name + " has open holes or segments, but not both");
  else
    require(program.num_segments == 0, model, name + " has segments");
  for (int64_t s = 0; s < program.num_segments; ++s) {
    const vn_segment &segment = program.segments[s];
    const std::string where = fmt::format("segment {} of {}", s, name);
    int64_t variants = 1;
    for (int64_t i = 0; i < segment.num_holes; ++i) {
      const int64_t hole = segment.holes[i];
      require(hole >= 0 && hole < model.num_holes && (i == 0 || hole > segment.holes[i - 1]), model,
              where + " names no hole");
      variants *= model.holes[hole].num_choices;
      require(variants <= segment.num_variants, model, where + " has too few variants");
    }
    require(variants == segment.num_variants, model, where + " has too many variants");
    for (const vn_variant &variant : variantsOf(segment))
      require(variant.begin >= 0 && variant.begin <= variant.end && variant.end <= program.num_steps, model,
              where + " names no steps");
  }
}

static void checkOneSize(const vn_model &model) {
  if (model.abi_version != VN_ABI_VERSION)
    throw Error(VN_ERROR_ABI,
                fmt::format("this model was generated for runtime interface {}, the runtime has {}",
                            model.abi_version, VN_ABI_VERSION))
        .help("build the model again with the `vernier` this runtime came with");
  checkTables(model);

  require(model.map_type == VN_FLOAT32 || model.map_type == VN_BFLOAT16, model,
          "its maps have no known type");
  for (int64_t length : {model.batch, model.channels, model.height, model.width})
    require(length > 0 && length < int64_t(1) << 31, model,
            "batch, channels, height and width are not all positive");
  for (int64_t bytes :
       {model.parameter_bytes, model.statistics_bytes, model.frozen_bytes, model.derived_bytes})
    require(bytes >= 0 && bytes < largestSpace, model, "a space has an impossible size");
  for (int64_t i = 0; i < model.num_parameters; ++i) {
    const vn_parameter &p = model.parameters[i];
    const std::string what = fmt::format("parameter `{}`", p.name);
    checkShape(p.shape, p.rank, model, what);
    require(std::isfinite(p.initial), model, what + " begins with no finite number");
    require(p.space == VN_SPACE_PARAMETERS || p.space == VN_SPACE_STATISTICS || p.space == VN_SPACE_FROZEN,
            model, what + " is in no space of weights");
    const int64_t limit = p.space == VN_SPACE_PARAMETERS   ? model.parameter_bytes
                          : p.space == VN_SPACE_STATISTICS ? model.statistics_bytes
                                                           : model.frozen_bytes;
    require(p.offset >= 0 && p.offset % 64 == 0 && p.offset <= limit &&
                elementCount(p) <= (limit - p.offset) / 4,
            model, what + " lies outside its space");
  }
  for (const vn_hole &hole : holesOf(model))
    require(hole.num_choices > 0 && hole.num_choices < int64_t(1) << 31, model,
            fmt::format("hole `{}` has no choices", hole.name));
  checkProgram(model, model.prepare, "prepare");
  checkProgram(model, model.infer, "infer");
  checkProgram(model, model.train_step, "train_step");
  checkProgram(model, model.accumulate, "accumulate");
  checkProgram(model, model.update, "update");
  checkProgram(model, model.evaluate, "evaluate");
  require(model.prepare.num_io == 0, model, "prepare takes arrays");
  require(model.infer.num_io >= 2, model, "infer has no image or no output");
  require(model.classes >= 0 && model.classes < int64_t(1) << 31, model,
          "it has an impossible number of classes");
}

void checkModel(const vn_model &model) {
  checkOneSize(model);
  require(isTable(model.sizes, model.num_sizes), model, "it lacks the table of its sizes");
  bool found = model.num_sizes == 0;
  for (int64_t i = 0; i < model.num_sizes; ++i) {
    const vn_model *size = model.sizes[i];
    require(size, model, "a size is missing");
    found |= size == &model;
    if (size == &model)
      continue;
    checkOneSize(*size);
    require(size->sizes == model.sizes && size->num_sizes == model.num_sizes &&
                size->parameters == model.parameters && size->num_parameters == model.num_parameters &&
                size->holes == model.holes && size->num_holes == model.num_holes &&
                size->parameter_bytes == model.parameter_bytes &&
                size->statistics_bytes == model.statistics_bytes &&
                size->frozen_bytes == model.frozen_bytes && size->derived_bytes == model.derived_bytes &&
                size->prepare.steps == model.prepare.steps && size->channels == model.channels &&
                size->classes == model.classes && size->accelerator == model.accelerator,
            model, "its sizes differ in more than their programs");
  }
  require(found, model, "it is none of its own sizes");
}

} // namespace vernier::runtime
