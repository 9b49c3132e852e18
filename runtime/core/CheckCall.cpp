#include "runtime/core/CheckCall.h"

#include "runtime/Error.h"
#include "runtime/core/ModelOutline.h"
#include "runtime/core/Shape.h"

#include <fmt/core.h>
#include <string_view>

namespace vernier::runtime {

static void checkAddresses(const vn_program &program, std::span<void *const> io) {
  if (int64_t(io.size()) != program.num_io)
    throw Error(VN_ERROR_ARGUMENT,
                fmt::format("{} arrays given, the program takes {}", io.size(), program.num_io));
  constexpr uintptr_t elementBytes = 4;
  const auto begin = [&](size_t i) { return reinterpret_cast<uintptr_t>(io[i]); };
  const auto bytes = [&](size_t i) { return uintptr_t(elementCount(program.io[i])) * elementBytes; };
  for (size_t i = 0; i < io.size(); ++i) {
    const vn_io &array = program.io[i];
    if (!io[i])
      throw Error(VN_ERROR_ARGUMENT, fmt::format("array `{}` is null", array.name));
    if (begin(i) % elementBytes != 0)
      throw Error(
          VN_ERROR_ARGUMENT,
          fmt::format("array `{}` is at an address that is no multiple of {}, the bytes of an element",
                      array.name, elementBytes));
    for (size_t j = 0; j < i; ++j)
      if ((array.is_output != VN_INPUT || program.io[j].is_output != VN_INPUT) &&
          begin(i) < begin(j) + bytes(j) && begin(j) < begin(i) + bytes(i))
        throw Error(VN_ERROR_ARGUMENT,
                    fmt::format("arrays `{}` and `{}` overlap", program.io[j].name, array.name))
            .help("what a program writes needs memory of its own");
  }
}

static bool isProbability(float value) { return value >= 0 && value <= 1; } // false of NaN

/// Of a classifier whose loss is binary.
static void checkProbabilities(const vn_io &array, const void *values) {
  const int64_t count = elementCount(array);
  for (int64_t i = 0; i < count; ++i)
    if (const float target = static_cast<const float *>(values)[i]; !isProbability(target))
      throw Error(VN_ERROR_VALUE, fmt::format("element {} of `{}` is {}", i, array.name, target))
          .help("targets are probabilities, from 0 to 1");
}

static void checkLabels(const vn_model &model, const vn_io &array, const void *values) {
  const int64_t count = elementCount(array);
  for (int64_t i = 0; i < count; ++i)
    if (const int32_t label = static_cast<const int32_t *>(values)[i];
        (label < 0 || label >= array.classes) && (label != array.ignored))
      throw Error(VN_ERROR_VALUE, fmt::format("element {} of `{}` is {}, model `{}` has {} classes", i,
                                              array.name, label, model.name, array.classes))
          .help(array.ignored ? fmt::format("labels are numbers from 0 to {}, and {} for what does not count",
                                            array.classes - 1, array.ignored)
                              : fmt::format("labels are numbers from 0 to {}", array.classes - 1));
}

/// Of an array whose numbers stand for something: `most` is the last one that does.
static void checkKinds(const vn_io &array, const void *values, int32_t most) {
  const int64_t count = elementCount(array);
  for (int64_t i = 0; i < count; ++i)
    if (const int32_t value = static_cast<const int32_t *>(values)[i]; value < 0 || value > most)
      throw Error(VN_ERROR_VALUE, fmt::format("element {} of `{}` is {}", i, array.name, value))
          .help(fmt::format("a number from 0 to {}", most));
}

void checkCall(const vn_model &model, const vn_program &program, std::span<void *const> io) {
  checkAddresses(program, io);
  if (&program == &model.infer)
    return;
  // Else the specification's targets have names of their own, such as `trained`.
  const bool named =
      &program != &model.evaluate && (&program != &model.train_step || !declaresLosses(program));
  for (size_t i = 0; i < io.size(); ++i) {
    const vn_io &array = program.io[i];
    const std::string_view name = array.name;
    if (array.is_output != VN_INPUT)
      continue;
    if (array.classes > 0)
      checkLabels(model, array, io[i]);
    else if (!named)
      continue;
    else if (name == "how")
      checkKinds(array, io[i], VN_END);
    else if (name == "nesterov" || name == "trained")
      checkKinds(array, io[i], 1);
    else if (name == "labels" && array.type == VN_FLOAT32)
      checkProbabilities(array, io[i]);
    else if (name == "label_smoothing" && elementCount(array) == 1)
      if (const float smoothing = *static_cast<const float *>(io[i]); !isProbability(smoothing))
        throw Error(VN_ERROR_VALUE, fmt::format("`label_smoothing` is {}", smoothing))
            .help("a number from 0 to 1");
  }
}

} // namespace vernier::runtime
