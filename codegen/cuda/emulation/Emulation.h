// All of the emulation that the device library calls (codegen/cuda/device): what is inline PTX with nvcc is a
// function here. Nothing here is for programs that run on a GPU.
#ifndef VERNIER_CUDA_EMULATION_EMULATION_H
#define VERNIER_CUDA_EMULATION_EMULATION_H

#include "Pointer.h"
#include "Streams.h"

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

// --- mbarriers: 8 bytes of shared memory each

void mbarrierInit(const Pointer<uint64_t, Space::Shared> &mbarrier, unsigned arrivals, Place place);
// One arrival, after `bytes` more are expected.
void mbarrierArrive(const Pointer<uint64_t, Space::Shared> &mbarrier, unsigned bytes, Place place);
void mbarrierWait(const Pointer<uint64_t, Space::Shared> &mbarrier, unsigned parity, Place place);
void fenceProxyAsync(Place place);

// --- bulk copies

enum class Swizzle { None, B32, B64, B128 };

// What the driver makes of the same arguments is opaque. Dimension 0 is dense; sizes, boxes and steps are in
// elements, strides in bytes.
struct TensorMap {
  static constexpr int kMostRank = 5;

  int rank = 0, elementBytes = 0;
  Pointer<const std::byte, Space::Global> begin;
  std::array<int64_t, kMostRank> size{}, stride{};
  std::array<int, kMostRank> box{}, step{}; // tiled
  bool im2col = false;
  std::array<int, kMostRank> lower{}, upper{}; // of im2col, of dimensions 1 to rank - 2
  int channels = 0, pixels = 0;
  Swizzle swizzle = Swizzle::None;
};
// Throws a Fault that says what the driver refuses; by the host.
void checkTensorMap(const TensorMap &map);

// Of a multiple of 16 bytes.
void copyBulk(const Pointer<std::byte, Space::Shared> &to,
              const Pointer<const std::byte, Space::Global> &from, unsigned bytes,
              const Pointer<uint64_t, Space::Shared> &mbarrier, Place place);
// `rank` coordinates; of im2col rank - 2 offsets.
void copyTensor(const Pointer<std::byte, Space::Shared> &to, const TensorMap &map, const int *coordinates,
                int rank, const int *offsets, const Pointer<uint64_t, Space::Shared> &mbarrier, Place place);

// --- warp groups: of 128 threads from a multiple of 128 on

// Where a shared place lies, as a matrix descriptor has it: bytes from the block's first.
uint32_t sharedAddress(const Pointer<const std::byte, Space::Shared> &place);

struct ProductShape {
  int columns;         // n
  bool tf32;           // or bfloat16
  bool aAlong, bAlong; // rows (columns) are what is next to each other in memory, not what is summed over
};
// d[columns / 2] of each thread = a b, or d + a b. Null fragments: A is where its descriptor says.
void multiplyGroup(const ProductShape &shape, float *d, const uint32_t *fragments, uint64_t a, uint64_t b,
                   bool accumulate, Place place);
void fenceProducts(Place place);
void commitProducts(Place place);
void waitProducts(unsigned pending, Place place);
// Registers of each thread of the warp group from here on; more are waited for.
void setRegisters(unsigned count, bool more, Place place);
// Of the warp's lanes one and always the same.
bool electLane(Place place);

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
