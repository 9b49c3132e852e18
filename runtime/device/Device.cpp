#include "runtime/device/Device.h"

#include "runtime/Error.h"
#include "runtime/core/Sizes.h"
#include "runtime/device/cpu/CpuDevice.h"
#include "runtime/device/cuda/CudaDevice.h"

#include <cstdlib>
#include <cstring>
#include <fmt/core.h>

namespace vernier::runtime {

const vn_program &programOf(const vn_model &model, Task task) {
  switch (task) {
  case Task::Prepare:
    return model.prepare;
  case Task::Infer:
    return model.infer;
  case Task::TrainStep:
  case Task::Statistics:
    return model.train_step;
  case Task::Accumulate:
    return model.accumulate;
  case Task::Update:
    return model.update;
  case Task::Evaluate:
    return model.evaluate;
  }
  return model.infer;
}

std::vector<const vn_model *> neededSizes(const vn_model &model, const SessionOptions &options) {
  return options.resizable ? sizesOf(model) : std::vector{&model};
}

static bool checksWanted() {
  const char *value = std::getenv("VERNIER_CHECK_ARENA");
  return value && *value && strcmp(value, "0") != 0;
}

std::unique_ptr<Device> openDevice(const vn_model &model, SessionOptions options) {
  options.checked = options.checked.value_or(checksWanted());
  if (model.accelerator)
    return std::make_unique<CudaDevice>(model, options);
  if (options.number != 0)
    throw Error(VN_ERROR_ARGUMENT, fmt::format("there is no device {}", options.number))
        .help(fmt::format("model `{}` was built for the CPU, which is device 0", model.name));
  return std::make_unique<CpuDevice>(model, options);
}

} // namespace vernier::runtime
