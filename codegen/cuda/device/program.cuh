// A model's program: its steps, and what the runtime does with a device (vernier/abi.h). Nothing here throws.
//
//   VN_STEP(add, "model.add") {
//     return vn::attempt([&] { VN_LAUNCH(add, {.grid = 4, .block = 128, .stream = vn::stream_of(stream)},
//                                        vn::operand<const float>(operands[0], 512, "x")); });
//   }
//   VN_ACCELERATOR("model.accelerator", "sm_80, sm_90a")
#ifndef VERNIER_CUDA_DEVICE_PROGRAM_CUH
#define VERNIER_CUDA_DEVICE_PROGRAM_CUH

#include "convert.cuh"
#include "launch.cuh"

#include "vernier/abi.h"

#include <cstdio>
#include <exception>
#include <mutex>

namespace vn {

#define VN_STEP(name, symbol)                                                                                \
  extern "C" const char *name##_step(void *const *operands, void *stream) __asm__(symbol);                   \
  extern "C" const char *name##_step([[maybe_unused]] void *const *operands, void *stream)

inline Stream stream_of(void *stream) { return static_cast<Stream>(stream); }

// An operand's `count` elements, by the name that its kernel has for it.
template <class T> Global<T> operand(void *address, std::size_t count, const char *name) {
  return device_part<T>(address, 0, count, name);
}

inline thread_local std::string failure; // the last call's
#ifdef VN_EMULATED
inline std::recursive_mutex one_launch; // at a time runs in a process
#endif

// Null, or what went wrong: until the thread's next call.
template <class Body> const char *attempt(const Body &body) {
  try {
#ifdef VN_EMULATED
    const std::lock_guard<std::recursive_mutex> lock(one_launch);
#endif
    body();
    return nullptr;
  } catch (const std::exception &error) {
    failure = error.what();
  }
  return failure.c_str();
}

// A number that is not what a kernel computed, for the tests of what compares results.
template <class T> VN_DEVICE void spoil(Global<T> result) {
  if constexpr (std::is_same_v<T, bf16>)
    result[0] = to_bf16(2 * to_float(bf16(result[0])) + 1);
  else
    result[0] = T(2 * T(result[0]) + 1);
}

namespace accelerator {

#ifdef VN_EMULATED

inline constexpr const char *name = "CUDA, emulated";

inline const char *count(int64_t *devices) {
  *devices = 1;
  return nullptr;
}
inline const char *choose(int64_t) { return nullptr; }
inline const char *facts(vn_accelerator_facts *facts) {
  *facts = {"the emulated device", int64_t(1) << 40, int64_t(1) << 40};
  return nullptr;
}
inline const char *allocate_host(int64_t bytes, void **memory) {
  return attempt([&] { *memory = emulation::allocatePinned(std::size_t(bytes)); });
}
inline const char *release_host(void *memory) {
  return attempt([&] { emulation::releasePinned(memory); });
}
inline const char *create_stream(void **stream) {
  return attempt([&] { *stream = new EmulatedStream; });
}
inline const char *release_stream(void *stream) {
  return attempt([&] { delete stream_of(stream); });
}
inline const char *forget(void *memory, int64_t bytes, void *stream) {
  return attempt([&] {
    stream_of(stream)->launch([=] {
      emulation::poison({memory, std::size_t(bytes), std::size_t(bytes), 1});
    });
  });
}
using EmulatedGraph = std::shared_ptr<const emulation::Graph>;
inline const char *begin_graph(void *stream) {
  return attempt([&] { stream_of(stream)->beginCapture(); });
}
inline const char *end_graph(void *stream, void **graph) {
  return attempt([&] { *graph = new EmulatedGraph(stream_of(stream)->endCapture()); });
}
inline const char *run_graph(void *graph, void *stream) {
  return attempt(
      [&] { stream_of(stream)->launch([own = *static_cast<EmulatedGraph *>(graph)] { own->run(); }); });
}
inline const char *release_graph(void *graph) {
  delete static_cast<EmulatedGraph *>(graph);
  return nullptr;
}
inline emulation::Event &event_of(void *event) { return *static_cast<emulation::Event *>(event); }
inline const char *create_event(void **event) {
  return attempt([&] { *event = new emulation::Event; });
}
inline const char *release_event(void *event) {
  delete &event_of(event);
  return nullptr;
}
inline const char *record(void *event, void *stream) {
  return attempt([&] { event_of(event).record(*stream_of(stream)); });
}
inline const char *follow(void *stream, void *event) {
  return attempt([&] { stream_of(stream)->follow(event_of(event)); });
}
inline const char *await(void *event) {
  return attempt([&] { event_of(event).synchronize(); });
}
// By the host's clock: how long the emulation takes, which says nothing of a GPU.
inline const char *seconds(void *from, void *to, double *seconds) {
  *seconds = event_of(to).secondsSince(event_of(from));
  return nullptr;
}

#else

inline constexpr const char *name = "CUDA";

// Does nothing; shows whether the code runs on a device.
static __global__ void probe() {}

inline const char *count(int64_t *devices) {
  return attempt([&] {
    int found = 0;
    const cudaError_t status = cudaGetDeviceCount(&found);
    if (status == cudaErrorInsufficientDriver)
      throw std::runtime_error("there is no driver of an NVIDIA GPU, or it is older than CUDA 13");
    if (status != cudaErrorNoDevice)
      check(status, "devices cannot be counted");
    if (found == 0)
      throw std::runtime_error("there is no GPU");
    *devices = found;
  });
}
inline const char *choose(int64_t number) {
  return attempt([&] { check(cudaSetDevice(int(number)), "the device cannot be used"); });
}
inline const char *facts(vn_accelerator_facts *facts) {
  return attempt([&] {
    int device = 0;
    check(cudaGetDevice(&device), "device");
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), "device");
    std::snprintf(facts->name, sizeof facts->name, "%s", properties.name);
    cudaFuncAttributes attributes{};
    const cudaError_t status = cudaFuncGetAttributes(&attributes, probe);
    if (status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction)
      throw std::runtime_error(std::string("the code does not run on ") + properties.name +
                               ", of compute capability " + std::to_string(properties.major) + "." +
                               std::to_string(properties.minor));
    check(status, "device");
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "memory");
    facts->free_bytes = int64_t(free);
    facts->memory_bytes = int64_t(total);
  });
}
inline const char *allocate_host(int64_t bytes, void **memory) {
  return attempt([&] { check(cudaMallocHost(memory, std::size_t(bytes)), "memory for copies"); });
}
inline const char *release_host(void *memory) {
  return attempt([&] { check(cudaFreeHost(memory), "memory for copies"); });
}
inline const char *create_stream(void **stream) {
  return attempt([&] {
    cudaStream_t created{};
    check(cudaStreamCreateWithFlags(&created, cudaStreamNonBlocking), "stream");
    *stream = created;
  });
}
inline const char *release_stream(void *stream) {
  return attempt([&] { check(cudaStreamDestroy(stream_of(stream)), "stream"); });
}
// Every float, and every bfloat16, is NaN.
inline const char *forget(void *memory, int64_t bytes, void *stream) {
  return attempt([&] { fill_device(memory, 0xFF, std::size_t(bytes), stream_of(stream)); });
}
inline const char *begin_graph(void *stream) {
  return attempt(
      [&] { check(cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeThreadLocal), "graph"); });
}
inline const char *end_graph(void *stream, void **graph) {
  return attempt([&] {
    cudaGraph_t captured{};
    check(cudaStreamEndCapture(stream_of(stream), &captured), "graph");
    cudaGraphExec_t executable{};
    const cudaError_t status = cudaGraphInstantiate(&executable, captured, 0);
    cudaGraphDestroy(captured);
    check(status, "graph");
    *graph = executable;
  });
}
inline const char *run_graph(void *graph, void *stream) {
  return attempt(
      [&] { check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream)), "graph"); });
}
inline const char *release_graph(void *graph) {
  return attempt([&] { check(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)), "graph"); });
}
inline const char *create_event(void **event) {
  return attempt([&] {
    cudaEvent_t created{};
    check(cudaEventCreate(&created), "event");
    *event = created;
  });
}
inline const char *release_event(void *event) {
  return attempt([&] { check(cudaEventDestroy(static_cast<cudaEvent_t>(event)), "event"); });
}
inline const char *record(void *event, void *stream) {
  return attempt(
      [&] { check(cudaEventRecord(static_cast<cudaEvent_t>(event), stream_of(stream)), "event"); });
}
inline const char *follow(void *stream, void *event) {
  return attempt(
      [&] { check(cudaStreamWaitEvent(stream_of(stream), static_cast<cudaEvent_t>(event), 0), "event"); });
}
inline const char *await(void *event) {
  return attempt([&] { check(cudaEventSynchronize(static_cast<cudaEvent_t>(event)), "synchronize"); });
}
inline const char *seconds(void *from, void *to, double *seconds) {
  return attempt([&] {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, static_cast<cudaEvent_t>(from), static_cast<cudaEvent_t>(to)),
          "event");
    *seconds = 1e-3 * double(milliseconds);
  });
}

#endif

inline const char *allocate(int64_t bytes, const char *name, void **memory) {
  return attempt([&] { *memory = allocate_device(std::size_t(bytes), name); });
}
inline const char *release(void *memory) {
  return attempt([&] { free_device(memory); });
}
inline const char *synchronize(void *stream) {
  return attempt([&] { ::vn::synchronize(stream_of(stream)); });
}
inline const char *clear(void *memory, int64_t bytes, void *stream) {
  return attempt([&] { fill_device(memory, 0, std::size_t(bytes), stream_of(stream)); });
}
inline const char *copy_in(void *memory, const void *host, int64_t bytes, void *stream) {
  return attempt([&] { copy_to_device(memory, host, std::size_t(bytes), stream_of(stream)); });
}
inline const char *copy_out(void *host, const void *memory, int64_t bytes, void *stream) {
  return attempt([&] { queue_copy_to_host(host, memory, std::size_t(bytes), stream_of(stream)); });
}
inline const char *copy(void *to, const void *from, int64_t bytes, void *stream) {
  return attempt([&] { copy_on_device(to, from, std::size_t(bytes), stream_of(stream)); });
}

} // namespace accelerator

#define VN_ACCELERATOR(symbol, architectures)                                                                \
  extern "C" const vn_accelerator vernier_accelerator __asm__(symbol);                                       \
  extern "C" const vn_accelerator vernier_accelerator = {                                                    \
      ::vn::accelerator::name,           architectures,                                                      \
      ::vn::accelerator::count,          ::vn::accelerator::choose,                                          \
      ::vn::accelerator::facts,          ::vn::accelerator::allocate,                                        \
      ::vn::accelerator::release,        ::vn::accelerator::allocate_host,                                   \
      ::vn::accelerator::release_host,   ::vn::accelerator::create_stream,                                   \
      ::vn::accelerator::release_stream, ::vn::accelerator::synchronize,                                     \
      ::vn::accelerator::clear,          ::vn::accelerator::copy_in,                                         \
      ::vn::accelerator::copy_out,       ::vn::accelerator::copy,                                            \
      ::vn::accelerator::forget,         ::vn::accelerator::begin_graph,                                     \
      ::vn::accelerator::end_graph,      ::vn::accelerator::run_graph,                                       \
      ::vn::accelerator::release_graph,  ::vn::accelerator::create_event,                                    \
      ::vn::accelerator::release_event,  ::vn::accelerator::record,                                          \
      ::vn::accelerator::follow,         ::vn::accelerator::await,                                           \
      ::vn::accelerator::seconds};

} // namespace vn

#endif
