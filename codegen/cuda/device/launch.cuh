// What the host does: device memory and launches. Everything throws: std::runtime_error, emulation::Fault
// among them.
//
//   VN_LAUNCH(add, {.grid = blocks, .block = 128}, x, y);
//
// With nvcc a launch only queues. Under emulation it has run when it returns, unless something before it in
// its stream waits (emulation/Streams.h), or the stream records it.
#ifndef VERNIER_CUDA_DEVICE_LAUNCH_CUH
#define VERNIER_CUDA_DEVICE_LAUNCH_CUH

#include "platform.cuh"

#include <stdexcept>
#include <string>
#include <type_traits>

#ifdef VN_EMULATED
#include <functional>
#include <vector>
#endif

namespace vn {

#ifdef VN_EMULATED
using EmulatedStream = emulation::Stream;
using Stream = EmulatedStream *;
#else
using Stream = cudaStream_t;
#endif

struct Launch {
  dim3 grid, block;
  unsigned shared_bytes = 0; // dynamic
  Stream stream = {};
  // While what is before it in the stream still runs, where a GPU can (sm_90): the kernel begins with
  // follow_previous().
  bool early = false;
};
constexpr Launch early(Launch launch) {
  launch.early = true;
  return launch;
}

// A kernel in parentheses when there are commas in its name.
#define VN_LAUNCH(kernel, ...) ::vn::launch(#kernel, kernel, __VA_ARGS__)

#ifdef VN_EMULATED

template <class... Parameters>
void launch(const char *name, void (*kernel)(Parameters...), const Launch &shape,
            const std::type_identity_t<Parameters> &...arguments) {
  const emulation::LaunchShape emulated{name, shape.grid, shape.block, shape.shared_bytes};
  const auto work = [=] { emulation::launch(emulated, kernel, arguments...); };
  shape.stream ? shape.stream->launch(work) : work();
}
inline void *allocate_device(std::size_t bytes, const std::string &name) {
  return emulation::allocate(bytes, name);
}
inline void free_device(void *memory) { emulation::release(memory); }
inline void copy_to_device(void *to, const void *from, std::size_t bytes, Stream stream = {}) {
  stream ? stream->copyToDevice(to, from, bytes) : emulation::copyToDevice(to, from, bytes);
}
inline void queue_copy_to_host(void *to, const void *from, std::size_t bytes, Stream stream = {}) {
  stream ? stream->copyToHost(to, from, bytes) : emulation::copyToHost(to, from, bytes);
}
inline void copy_on_device(void *to, const void *from, std::size_t bytes, Stream stream = {}) {
  stream ? stream->copyOnDevice(to, from, bytes) : emulation::copyOnDevice(to, from, bytes);
}
inline void fill_device(void *memory, int byte, std::size_t bytes, Stream stream = {}) {
  const auto work = [=] { emulation::fill(memory, byte, bytes); };
  stream ? stream->launch(work) : work();
}
inline void synchronize(Stream stream = {}) {
  if (stream)
    stream->synchronize();
}
// Whether kernels for sm_90a run.
inline bool is_hopper() { return true; }
// `count` elements from a byte of device memory on, as a kernel's argument, by a name that reports have.
template <class T>
Global<T> device_part(void *memory, std::size_t byte, std::size_t count, const std::string &name) {
  auto *const begin = static_cast<std::byte *>(memory) + byte;
  return {reinterpret_cast<T *>(begin), emulation::part(begin, count * sizeof(T), name)};
}

#else

inline void check(cudaError_t status, const std::string &what) {
  if (status != cudaSuccess)
    throw std::runtime_error(what + ": " + cudaGetErrorString(status));
}

// Of the device that was chosen: 90 of 9.0.
inline int capability() {
  int device = 0, major = 0, minor = 0;
  check(cudaGetDevice(&device), "device");
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "device");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "device");
  return 10 * major + minor;
}

// Whether the kernel's code has follow_previous()'s instructions: what a newer GPU makes of PTX for sm_80 has
// not.
template <class... Parameters> bool follows(const char *name, void (*kernel)(Parameters...)) {
  cudaFuncAttributes attributes{};
  check(cudaFuncGetAttributes(&attributes, kernel), std::string("kernel `") + name + "`");
  return attributes.ptxVersion >= 90;
}

template <class... Parameters>
void launch(const char *name, void (*kernel)(Parameters...), const Launch &shape,
            const std::type_identity_t<Parameters> &...arguments) {
  constexpr unsigned without_asking = 48 * 1024;
  if (shape.shared_bytes > without_asking)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shape.shared_bytes)),
          std::string("kernel `") + name + "`");
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = shape.stream;
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  if (shape.early && capability() >= 90 && follows(name, kernel))
    config.attrs = &attribute, config.numAttrs = 1;
  check(cudaLaunchKernelEx(&config, kernel, arguments...), std::string("kernel `") + name + "`");
}
inline void *allocate_device(std::size_t bytes, const std::string &name) {
  void *memory = nullptr;
  check(cudaMalloc(&memory, bytes), name + ", " + std::to_string(bytes) + " bytes");
  return memory;
}
inline void free_device(void *memory) { cudaFree(memory); }
inline void copy_to_device(void *to, const void *from, std::size_t bytes, Stream stream = {}) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream), "copy to the device");
}
inline void queue_copy_to_host(void *to, const void *from, std::size_t bytes, Stream stream = {}) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream), "copy from the device");
}
inline void copy_on_device(void *to, const void *from, std::size_t bytes, Stream stream = {}) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream), "copy on the device");
}
inline void fill_device(void *memory, int byte, std::size_t bytes, Stream stream = {}) {
  check(cudaMemsetAsync(memory, byte, bytes, stream), "fill");
}
inline bool is_hopper() { return capability() == 90; }
inline void synchronize(Stream stream = {}) { check(cudaStreamSynchronize(stream), "synchronize"); }
template <class T> Global<T> device_part(void *memory, std::size_t byte, std::size_t, const std::string &) {
  return reinterpret_cast<T *>(static_cast<unsigned char *>(memory) + byte);
}

#endif

inline void copy_to_host(void *to, const void *from, std::size_t bytes, Stream stream = {}) {
  queue_copy_to_host(to, from, bytes, stream);
  synchronize(stream);
}

} // namespace vn

#endif
