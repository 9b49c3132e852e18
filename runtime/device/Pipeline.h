// What a device can do beside `run` where the host need not wait for it: runs are started one behind the
// other and are done in this order; their arrays are copied ahead to the device and back while others run.
#ifndef VERNIER_RUNTIME_DEVICE_PIPELINE_H
#define VERNIER_RUNTIME_DEVICE_PIPELINE_H

#include "runtime/device/Device.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace vernier::runtime {

class IoArrays;

using HostMemory = std::unique_ptr<std::byte[], std::function<void(std::byte *)>>;

class Pipeline {
public:
  virtual ~Pipeline() = default;

  /// Zeros, for the arrays of runs that are started; to be given back before the device is. That waits for
  /// all runs.
  virtual HostMemory hostMemory(size_t bytes) = 0;

  /// As Device::run, but returns before it is done, with the run's number: from 1 on. Until it has been
  /// waited for, the arrays, which lie in hostMemory, may be neither read nor written.
  virtual int64_t start(Task task, const IoArrays &arrays) = 0;
  /// Returns when this run, and all before it, are done and what they wrote to their arrays is there. A
  /// failure of any of them is thrown here, or by what comes first.
  virtual void wait(int64_t run) = 0;

  /// Copies of parameters, running statistics and momentum on the device, as the runs started so far leave
  /// them; there is room for `copies`.
  static constexpr int copies = 2;
  virtual void keep(int copy) = 0;
  /// What is started from now on has them as they were kept.
  virtual void restore(int copy) = 0;
};

} // namespace vernier::runtime

#endif
