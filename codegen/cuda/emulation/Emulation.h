// All of the emulation that the device library calls (codegen/cuda/device): what is inline PTX with nvcc is a
// function here. Nothing here is for programs that run on a GPU.
#ifndef VERNIER_CUDA_EMULATION_EMULATION_H
#define VERNIER_CUDA_EMULATION_EMULATION_H

#include "Pointer.h"

#include <array>
#include <tuple>

namespace vn::emulation {

// --- the thread that runs

struct Position {
  dim3 thread, block, blockSize, grid;
};
extern thread_local constinit const Position *position;

// --- barriers, fences and atomic operations

void syncThreads(Place place);
void namedBarrierSync(unsigned id, unsigned threads, Place place);
void namedBarrierArrive(unsigned id, unsigned threads, Place place);
void threadFence(Place place);
unsigned atomicAdd(const Pointer<unsigned, Space::Global> &word, unsigned value, Place place);
unsigned atomicAdd(const Pointer<unsigned, Space::Shared> &word, unsigned value, Place place);
unsigned atomicOr(const Pointer<unsigned, Space::Global> &word, unsigned value, Place place);

// --- warps. Every lane of the mask must come, and none else may.

enum class Shuffle { Index, Up, Down, Xor };
void syncWarp(uint32_t mask, Place place);
uint32_t shuffle(Shuffle kind, uint32_t mask, uint32_t value, int operand, int width, Place place);
uint32_t ballot(uint32_t mask, bool predicate, Place place);

// --- tensor cores: registers are laid out as the PTX manual has them

// `count` 8x8 matrices of 16-bit elements; lane 8i + r brings the address of row r of matrix i, 16 bytes.
void ldmatrix(int count, bool transposed, uint32_t *registers,
              const Pointer<const uint16_t, Space::Shared> &row, Place place);
// d = a b + c. Shapes m16n8k16 of bfloat16, m16n8k8 of tf32, whose lower 13 bits are ignored.
void mmaBf16(float *d, const uint32_t *a, const uint32_t *b, const float *c, Place place);
void mmaTf32(float *d, const uint32_t *a, const uint32_t *b, const float *c, Place place);

// --- asynchronous copies: of `bytes` (4, 8 or 16), the first `fromBytes` from memory, the others zero

void cpAsync(const Pointer<std::byte, Space::Shared> &to, const Pointer<const std::byte, Space::Global> &from,
             unsigned bytes, unsigned fromBytes, Place place);
void cpAsyncCommitGroup();
void cpAsyncWaitGroup(unsigned pending, Place place);
void cpAsyncWaitAll(Place place);

// --- launches

struct LaunchShape {
  const char *kernel;
  dim3 grid, block;
  size_t shared = 0; // bytes of dynamic shared memory
};
// Throws the Fault that it finds, or what the kernel throws. One launch at a time runs in a process.
void launch(const LaunchShape &shape, void (*invoke)(void *), void *arguments);

template <class... Parameters>
void launch(const LaunchShape &shape, void (*kernel)(Parameters...), const Parameters &...arguments) {
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<const Parameters &...> arguments;
  } call{kernel, {arguments...}};
  launch(
      shape,
      [](void *opaque) {
        std::apply(static_cast<Call *>(opaque)->kernel, static_cast<Call *>(opaque)->arguments);
      },
      &call);
}

// The order of blocks and threads; from VERNIER_EMULATION_SEED at the start, 1 without it.
void setSeed(uint64_t seed);

} // namespace vn::emulation

#endif
