// This machine's threads and memory.
#ifndef VERNIER_RUNTIME_DEVICE_CPU_CPUDEVICE_H
#define VERNIER_RUNTIME_DEVICE_CPU_CPUDEVICE_H

#include "runtime/core/Buffer.h"
#include "runtime/core/Choices.h"
#include "runtime/device/Device.h"
#include "runtime/device/cpu/Schedule.h"
#include "runtime/device/cpu/Workers.h"

#include <map>
#include <utility>

namespace vernier::runtime {

class CpuDevice : public Device {
public:
  CpuDevice(const vn_model &model, const SessionOptions &options);

  int threads() const override { return workers.threads(); }
  int64_t bytes(vn_space space) const override { return int64_t(spaces[space].size()); }
  void read(vn_space space, int64_t offset, std::span<std::byte> to) const override;
  void write(vn_space space, int64_t offset, std::span<const std::byte> from) override;
  void choose(std::span<const int64_t> choices) override;
  void resize(const vn_model &size) override { this->size = &size; }
  void run(Task task, std::span<void *const> io, std::vector<double> *seconds, Timed timed) override;

private:
  /// A program with the addresses of its operands.
  struct Bound {
    const vn_program &program;
    std::vector<std::vector<Schedule>> parts; ///< of each segment's variants; of all steps if there are none
    Schedule schedule;                        ///< of what is chosen
    std::vector<void *> addresses;            ///< of all steps, one after the other
    std::vector<size_t> firstAddress;         ///< of each step
    struct Patch {
      size_t address;
      int64_t array, offset;
    };
    std::vector<Patch> patches; ///< addresses that each call's arrays replace
  };

  /// Made when it is first needed.
  Bound &bound(Task task);
  Bound bind(const vn_program &program, Task task);
  void choose(Bound &bound) const;
  void checkGuards(std::span<const vn_step> wave) const;

  const vn_model &model;
  const vn_model *size; ///< that runs
  Workers workers;
  bool guarded;
  Choices chosen;
  Buffer spaces[VN_SPACE_IO];
  std::map<std::pair<const vn_model *, Task>, Bound> programs; ///< of each size
};

} // namespace vernier::runtime

#endif
