// A GPU, by the functions that come with the generated code (vn_accelerator).
//
// A call copies its arrays to the device, lets the program run and copies back what it wrote. What runs are
// graphs, one for each part of the program: each variant of a segment of a model with open holes, else all
// of it; they are made when they have first run, so that another configuration is another list of graphs.
//
// Runs that are started (Pipeline) go through three streams, which wait for each other's events; the host
// waits for none of them:
//
//   in    copy to the device, into a buffer beside the arrays        of the next run
//   main  buffer -> arrays, the program's graphs, arrays -> buffer    of this run
//   out   copy to the host, from that buffer                          of the run before
#ifndef VERNIER_RUNTIME_DEVICE_CUDA_CUDADEVICE_H
#define VERNIER_RUNTIME_DEVICE_CUDA_CUDADEVICE_H

#include "runtime/core/Choices.h"
#include "runtime/core/IoArrays.h"
#include "runtime/device/Device.h"
#include "runtime/device/Pipeline.h"

#include <array>
#include <deque>
#include <map>
#include <string>
#include <utility>

namespace vernier::runtime {

/// Functions of an accelerator that throw what they return.
class Accelerator {
public:
  Accelerator(const vn_accelerator &functions, int64_t number) : functions(functions), number(number) {}

  /// Throws VN_ERROR_DEVICE.
  template <typename... Parameters, typename... Arguments>
  void call(const char *(*vn_accelerator::*function)(Parameters...), Arguments... arguments) const {
    check((functions.*function)(arguments...));
  }
  /// Where nothing can be done about a failure.
  template <typename... Parameters, typename... Arguments>
  void tryTo(const char *(*vn_accelerator::*function)(Parameters...), Arguments... arguments) const noexcept {
    (functions.*function)(arguments...);
  }
  void check(const char *failure) const;
  /// Of the calling thread, before its other calls.
  void choose() const { call(&vn_accelerator::choose, number); }

  const vn_accelerator &functions;
  const int64_t number;
};

/// Memory of the device, a stream, a graph or an event.
class DeviceResource {
public:
  using Release = const char *(*vn_accelerator::*)(void *);
  DeviceResource() = default;
  DeviceResource(const Accelerator &accelerator, void *resource, Release release)
      : accelerator(&accelerator), resource(resource), release(release) {}
  DeviceResource(DeviceResource &&other) noexcept { *this = std::move(other); }
  DeviceResource &operator=(DeviceResource &&other) noexcept {
    std::swap(accelerator, other.accelerator);
    std::swap(resource, other.resource);
    std::swap(release, other.release);
    return *this;
  }
  ~DeviceResource() {
    if (resource)
      accelerator->tryTo(release, resource);
  }
  void *get() const { return resource; }
  explicit operator bool() const { return resource != nullptr; }

private:
  const Accelerator *accelerator = nullptr;
  void *resource = nullptr;
  Release release = nullptr;
};

class CudaDevice : public Device, private Pipeline {
public:
  CudaDevice(const vn_model &model, const SessionOptions &options);
  ~CudaDevice() override;

  std::string name() const override;
  int threads() const override { return 1; }
  int64_t bytes(vn_space space) const override { return spaceBytes[size_t(space)]; }
  void read(vn_space space, int64_t offset, std::span<std::byte> to) const override;
  void write(vn_space space, int64_t offset, std::span<const std::byte> from) override;
  void choose(std::span<const int64_t> choices) override;
  void resize(const vn_model &size) override { this->size = &size; }
  void run(Task task, std::span<void *const> io, std::vector<double> *seconds, Timed timed) override;
  Pipeline *pipeline() override { return pipelined ? this : nullptr; }

private:
  HostMemory hostMemory(size_t bytes) override;
  int64_t start(Task task, const IoArrays &arrays) override;
  void wait(int64_t run) override;
  void keep(int copy) override;
  void restore(int copy) override;

  /// The arrays of a program's calls, and what a pipeline has beside them.
  struct Arrays {
    IoLayout layout;
    DeviceResource block;
    DeviceResource inputs, outputs;            ///< on their way
    DeviceResource inputsThere, inputsTaken;   ///< events: in `inputs`; from there
    DeviceResource outputsThere, outputsTaken; ///< likewise
  };
  /// A program with the addresses of its operands.
  struct Bound {
    const vn_program &program;
    Arrays *arrays;                   ///< null: calls have none
    std::vector<void *> addresses;    ///< of all steps, one after the other
    std::vector<size_t> firstAddress; ///< of each step
    std::vector<std::vector<StepRange>> parts;
    std::vector<std::vector<DeviceResource>> graphs; ///< of each part's variants, as they are needed
  };

  Bound &bound(Task task);
  Bound bind(const vn_program &program, Task task);
  DeviceResource allocate(int64_t bytes, const std::string &name) const;
  DeviceResource createStream() const;
  DeviceResource createEvent() const;
  void makeArrays(const vn_program &program);
  void forgetArena(const vn_program &program) const;
  void record(const DeviceResource &event, const DeviceResource &stream) const;
  void follow(const DeviceResource &stream, const DeviceResource &event) const;
  void copySpaces(int copy, bool back) const;
  void launch(const Bound &bound, int64_t step, const DeviceResource &stream) const;
  void launch(const Bound &bound, StepRange steps) const;
  size_t variantOf(const Bound &bound, size_t part) const;
  void makeGraph(Bound &bound, size_t part, size_t variant) const;
  void launchPart(const Bound &bound, size_t part, size_t variant) const;
  void makeGraphs(Bound &bound) const;
  DeviceResource record() const; ///< an event
  void timeSteps(const Bound &bound, StepRange steps, std::vector<double> &seconds) const;
  void requireMemory(int64_t needed) const;

  const vn_model &model;
  const vn_model *size; ///< that runs
  Accelerator accelerator;
  const bool checked, pipelined;
  Choices chosen;
  DeviceResource stream, in, out;
  /// For the steps of a wave beside those in `stream`.
  struct Side {
    DeviceResource stream, done;
  };
  std::vector<Side> sides;
  DeviceResource waveBegins;
  std::array<int64_t, VN_SPACE_IO> spaceBytes{};
  std::array<DeviceResource, VN_SPACE_IO> spaces;
  std::array<DeviceResource, copies> kept; ///< the spaces that training changes, one behind the other
  std::map<const vn_program *, Arrays> arrays;
  std::map<std::pair<const vn_model *, Task>, Bound> programs; ///< of each size
  int64_t started = 0;
  std::deque<std::pair<int64_t, DeviceResource>> ends; ///< of runs that were not waited for: number, event
  std::vector<DeviceResource> events;                  ///< that are free
};

} // namespace vernier::runtime

#endif
