// Small kernels, each of which shows one primitive of the device library, and what each writes. One source
// for the emulation, whose results PrimitivesTest.cpp compares with the PTX manual, and for a GPU, whose
// results must be the same bits.
#ifndef VERNIER_TESTS_CUDA_PRIMITIVES_CUH
#define VERNIER_TESTS_CUDA_PRIMITIVES_CUH

#include "codegen/cuda/device/vernier.cuh"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace primitives {

using namespace vn;

// --- warps

constexpr int kShuffles = 10;
struct ShuffleCase {
  char kind; // index, up, down, xor
  int operand, width;
};
// Operands of `index` are multiplied by the lane.
constexpr ShuffleCase kShuffleCases[kShuffles] = {{'i', 3, 32}, {'i', 5, 8},  {'u', 1, 32}, {'u', 3, 16},
                                                  {'d', 2, 32}, {'d', 7, 8},  {'x', 1, 32}, {'x', 16, 32},
                                                  {'x', 5, 4},  {'d', 16, 32}};

template <int i> VN_DEVICE uint32_t shuffled(uint32_t value, int lane) {
  constexpr ShuffleCase c = kShuffleCases[i];
  if constexpr (c.kind == 'i')
    return shfl_sync(all_lanes, value, c.operand * lane, c.width);
  else if constexpr (c.kind == 'u')
    return shfl_up_sync(all_lanes, value, c.operand, c.width);
  else if constexpr (c.kind == 'd')
    return shfl_down_sync(all_lanes, value, c.operand, c.width);
  else
    return shfl_xor_sync(all_lanes, value, c.operand, c.width);
}

// y[case][lane]
VN_KERNEL(32) shuffles(Global<uint32_t> y) {
  const int lane = int(threadIdx.x);
  const uint32_t value = uint32_t(100 + lane);
  y[0 * 32 + lane] = shuffled<0>(value, lane);
  y[1 * 32 + lane] = shuffled<1>(value, lane);
  y[2 * 32 + lane] = shuffled<2>(value, lane);
  y[3 * 32 + lane] = shuffled<3>(value, lane);
  y[4 * 32 + lane] = shuffled<4>(value, lane);
  y[5 * 32 + lane] = shuffled<5>(value, lane);
  y[6 * 32 + lane] = shuffled<6>(value, lane);
  y[7 * 32 + lane] = shuffled<7>(value, lane);
  y[8 * 32 + lane] = shuffled<8>(value, lane);
  y[9 * 32 + lane] = shuffled<9>(value, lane);
}

// Of all lanes, and of the even and the odd ones apart.
VN_KERNEL(64) ballots(Global<uint32_t> y) {
  const int lane = int(threadIdx.x % 32);
  const bool multiple = threadIdx.x % 3 == 0;
  y[threadIdx.x] = ballot_sync(all_lanes, multiple);
  uint32_t votes;
  if (lane % 2 == 0)
    votes = ballot_sync(0x5555'5555, multiple);
  else
    votes = ballot_sync(0xAAAA'AAAA, multiple);
  y[64 + threadIdx.x] = votes;
}

// --- matrices

constexpr int kRow = 24; // elements between rows in shared memory: 48 bytes

// y[lane][x1 1, x2 2, x4 4, then the same transposed]; matrices lie below each other, element (row, column)
// is 100 row + column.
VN_KERNEL(32) matrices(Global<uint32_t> y) {
  VN_SHARED(uint16_t, rows, 32 * kRow);
  const int lane = int(threadIdx.x);
  for (int column = 0; column < 8; ++column)
    rows[lane * kRow + column] = uint16_t(100 * lane + column);
  syncwarp();
  const Shared<uint16_t> row = rows + lane * kRow;
  uint32_t r1[1], r2[2], r4[4], t1[1], t2[2], t4[4];
  ldmatrix_x1(r1, row);
  ldmatrix_x2(r2, row);
  ldmatrix_x4(r4, row);
  ldmatrix_x1_trans(t1, row);
  ldmatrix_x2_trans(t2, row);
  ldmatrix_x4_trans(t4, row);
  const uint32_t all[14] = {r1[0], r2[0], r2[1], r4[0], r4[1], r4[2], r4[3],
                            t1[0], t2[0], t2[1], t4[0], t4[1], t4[2], t4[3]};
  for (int i = 0; i < 14; ++i)
    y[lane * 14 + i] = all[i];
}

// y[lane][4] from a[lane][4], b[lane][2], c[lane][4]: registers as they are.
template <bool bfloat16>
VN_KERNEL(32)
products(Global<const uint32_t> a, Global<const uint32_t> b, Global<const float> c, Global<float> y) {
  const int lane = int(threadIdx.x);
  uint32_t ra[4], rb[2];
  float d[4];
  for (int i = 0; i < 4; ++i) {
    ra[i] = a[lane * 4 + i];
    d[i] = c[lane * 4 + i];
  }
  for (int i = 0; i < 2; ++i)
    rb[i] = b[lane * 2 + i];
  if constexpr (bfloat16)
    mma_m16n8k16_bf16(d, ra, rb);
  else
    mma_m16n8k8_tf32(d, ra, rb);
  for (int i = 0; i < 4; ++i)
    y[lane * 4 + i] = d[i];
}

// --- copies

// y[bytes / 4][from_bytes]: what 16 bytes are after a copy into them, which were 0xEEEEEEEE.
template <int bytes> VN_DEVICE void copy_case(Global<const uint32_t> x, Global<uint32_t> y) {
  VN_SHARED(uint32_t, words, 17 * 4);
  const int from_bytes = int(threadIdx.x);
  if (from_bytes <= bytes) {
    for (int i = 0; i < 4; ++i)
      words[from_bytes * 4 + i] = 0xEEEE'EEEE;
    cp_async<bytes>(words + from_bytes * 4, x, from_bytes);
  }
  cp_async_commit_group();
  cp_async_wait_group<0>();
  if (from_bytes <= bytes)
    for (int i = 0; i < 4; ++i)
      y[from_bytes * 4 + i] = words[from_bytes * 4 + i];
}
VN_KERNEL(32) copies(Global<const uint32_t> x, Global<uint32_t> y) {
  copy_case<4>(x, y);
  copy_case<8>(x, y + 17 * 4);
  copy_case<16>(x, y + 2 * 17 * 4);
}

// y = x, by stages of 32 words, three on their way.
VN_KERNEL(32) pipeline(Global<const uint32_t> x, Global<uint32_t> y, int stages) {
  const Shared<uint32_t> ring = dynamic_shared<uint32_t>(0, 4 * 32, "ring");
  const int lane = int(threadIdx.x);
  for (int s = 0; s < 3; ++s) {
    cp_async<4>(ring + s * 32 + lane, x + s * 32 + lane);
    cp_async_commit_group();
  }
  for (int s = 0; s < stages; ++s) {
    cp_async_wait_group<2>();
    syncthreads();
    y[s * 32 + lane] = ring[s % 4 * 32 + (31 - lane)];
    if (s + 3 < stages)
      cp_async<4>(ring + (s + 3) % 4 * 32 + lane, x + (s + 3) * 32 + lane);
    cp_async_commit_group();
  }
  cp_async_wait_all();
}

// Vectors of 2, 4, 8 and 16 bytes through registers and shared memory.
VN_KERNEL(32) vectors(Global<const uint32_t> x, Global<uint32_t> y) {
  VN_SHARED(uint32_t, words, 32 * 4);
  const int lane = int(threadIdx.x);
  store_shared(words + lane * 4, load_global<4>(x + lane * 4));
  store_global(y + lane * 4, load_shared<4>(words + lane * 4));
  store_global(y + 128 + lane * 2, load_read_only<2>(x + lane * 2));
  const Global<uint16_t> halves = global_as<uint16_t>(y + 192);
  store_global(halves + lane, load_read_only<1>(global_as<const uint16_t>(x) + lane));
}

// --- numbers

VN_KERNEL(128) conversions(Global<const float> x, Global<uint32_t> y, int count) {
  for (int i = int(blockIdx.x * blockDim.x + threadIdx.x); i < count; i += int(gridDim.x * blockDim.x)) {
    const float value = x[i];
    y[3 * i] = to_bf16(value).bits;
    y[3 * i + 1] = to_bf16x2(value, 1.0f);
    y[3 * i + 2] = to_tf32(value);
  }
}

// --- order

// Warp 0 makes numbers, warp 1 takes them: full and empty places are told by named barriers.
VN_KERNEL(64) handshake(Global<uint32_t> y, int rounds) {
  VN_SHARED(uint32_t, place, 32);
  const int lane = int(threadIdx.x % 32);
  const int full = 1, empty = 2;
  if (threadIdx.x < 32) {
    for (int i = 0; i < rounds; ++i) {
      named_barrier_sync(empty, 64);
      place[lane] = uint32_t(1000 * i + lane);
      named_barrier_arrive(full, 64);
    }
  } else {
    for (int i = 0; i < rounds; ++i) {
      named_barrier_arrive(empty, 64);
      named_barrier_sync(full, 64);
      y[i * 32 + lane] = place[31 - lane];
    }
  }
}

// The last block to come adds what the others wrote, in their order: y[0] is the sum, y[1] how many blocks
// added.
VN_KERNEL(64) last_adds(Global<uint32_t> parts, Global<unsigned> counter, Global<uint32_t> y) {
  parts[blockIdx.x * 64 + threadIdx.x] = blockIdx.x * 64 + threadIdx.x;
  if (!last_block_arrives(counter, gridDim.x))
    return;
  VN_SHARED(unsigned, sum, 1);
  if (threadIdx.x == 0)
    sum[0] = 0;
  syncthreads();
  uint32_t mine = 0;
  for (unsigned block = 0; block < gridDim.x; ++block)
    mine += parts[block * 64 + threadIdx.x];
  atomic_add_shared(sum, mine);
  syncthreads();
  if (threadIdx.x == 0) {
    y[0] = sum[0];
    y[1] = counter[0];
  }
}

// --- the host's side

// Device memory with a host's numbers in it.
template <class T> class Array {
public:
  Array(const std::vector<T> &values, const std::string &name) : count(values.size()) {
    memory = allocate_device(count * sizeof(T), name);
    copy_to_device(memory, values.data(), count * sizeof(T));
  }
  Array(std::size_t count, const std::string &name)
      : count(count), memory(allocate_device(count * sizeof(T), name)) {}
  Array(const Array &) = delete;
  ~Array() { free_device(memory); }
  operator Global<T>() const { return static_cast<T *>(memory); }
  operator Global<const T>() const { return static_cast<const T *>(memory); }
  std::vector<T> values() const {
    std::vector<T> values(count);
    copy_to_host(values.data(), memory, count * sizeof(T));
    return values;
  }

private:
  std::size_t count;
  void *memory = nullptr;
};

inline std::vector<uint32_t> numbers(std::size_t count, uint32_t from) {
  std::vector<uint32_t> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = uint32_t(i * 2654435761u + from);
  return values;
}

// float32 numbers with every class of bits: ties, the smallest and largest, infinities, NaN.
inline std::vector<float> roundingNumbers() {
  std::vector<float> values;
  for (uint32_t exponent : {0u, 1u, 126u, 127u, 128u, 200u, 254u, 255u})
    for (uint32_t mantissa : {0u, 1u, 0x0FFFu, 0x1000u, 0x1001u, 0x2000u, 0x3000u, 0x7FFFu, 0x8000u, 0x8001u,
                              0x18000u, 0x17FFFu, 0x400000u, 0x7FE000u, 0x7FF000u, 0x7F8000u, 0x7FFFFFu})
      for (uint32_t sign : {0u, 1u}) {
        const uint32_t bits = sign << 31 | exponent << 23 | mantissa;
        float value;
        __builtin_memcpy(&value, &bits, 4);
        values.push_back(value);
      }
  return values;
}

// Whole numbers from -8 to 8 as bfloat16 pairs, as tf32 or as float: products and sums are exact.
inline int wholeNumber(std::size_t i, uint32_t salt) { return int((i * 2654435761u + salt) >> 20 & 15) - 8; }
inline uint32_t bitsOf(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}
inline std::vector<uint32_t> wholePairs(std::size_t count, uint32_t salt) {
  std::vector<uint32_t> pairs(count);
  for (std::size_t i = 0; i < count; ++i)
    pairs[i] = bitsOf(float(wholeNumber(2 * i, salt))) >> 16 |
               (bitsOf(float(wholeNumber(2 * i + 1, salt))) & 0xFFFF0000u);
  return pairs;
}
inline std::vector<uint32_t> wholeTf32(std::size_t count, uint32_t salt) {
  std::vector<uint32_t> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = bitsOf(float(wholeNumber(i, salt))) | 0x1FFF; // the lower bits are ignored
  return values;
}
inline std::vector<float> wholeFloats(std::size_t count, uint32_t salt) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = float(wholeNumber(i, salt));
  return values;
}
inline std::vector<uint32_t> wordsOf(const std::vector<float> &values) {
  std::vector<uint32_t> words;
  for (float value : values)
    words.push_back(bitsOf(value));
  return words;
}

// Each primitive's name, and a function that runs its kernel and returns what it wrote.
using Case = std::pair<std::string, std::function<std::vector<uint32_t>()>>;
inline std::vector<Case> cases() {
  const auto onlyWrites = [](std::size_t count, auto launch) {
    return [=] {
      Array<uint32_t> y(count, "y");
      launch(y);
      return y.values();
    };
  };
  return {
      {"shuffles", onlyWrites(kShuffles * 32,
                              [](Global<uint32_t> y) { VN_LAUNCH(shuffles, {.grid = 1, .block = 32}, y); })},
      {"ballots",
       onlyWrites(128, [](Global<uint32_t> y) { VN_LAUNCH(ballots, {.grid = 1, .block = 64}, y); })},
      {"matrices",
       onlyWrites(32 * 14, [](Global<uint32_t> y) { VN_LAUNCH(matrices, {.grid = 1, .block = 32}, y); })},
      {"products_bf16",
       [] {
         Array<uint32_t> a(wholePairs(128, 1), "a"), b(wholePairs(64, 2), "b");
         Array<float> c(wholeFloats(128, 3), "c"), y(128, "y");
         VN_LAUNCH(products<true>, {.grid = 1, .block = 32}, a, b, c, y);
         return wordsOf(y.values());
       }},
      {"products_tf32",
       [] {
         Array<uint32_t> a(wholeTf32(128, 4), "a"), b(wholeTf32(64, 5), "b");
         Array<float> c(wholeFloats(128, 6), "c"), y(128, "y");
         VN_LAUNCH(products<false>, {.grid = 1, .block = 32}, a, b, c, y);
         return wordsOf(y.values());
       }},
      {"copies",
       [] {
         Array<uint32_t> x(numbers(4, 7), "x"), y(std::vector<uint32_t>(3 * 17 * 4), "y");
         VN_LAUNCH(copies, {.grid = 1, .block = 32}, x, y);
         return y.values();
       }},
      {"pipeline",
       [] {
         Array<uint32_t> x(numbers(11 * 32, 8), "x"), y(11 * 32, "y");
         VN_LAUNCH(pipeline, {.grid = 1, .block = 32, .shared_bytes = 4 * 32 * 4}, x, y, 11);
         return y.values();
       }},
      {"vectors",
       [] {
         Array<uint32_t> x(numbers(128, 9), "x"), y(208, "y");
         VN_LAUNCH(vectors, {.grid = 1, .block = 32}, x, y);
         return y.values();
       }},
      {"conversions",
       [] {
         const std::vector<float> values = roundingNumbers();
         Array<float> x(values, "x");
         Array<uint32_t> y(3 * values.size(), "y");
         VN_LAUNCH(conversions, {.grid = 2, .block = 128}, x, y, int(values.size()));
         return y.values();
       }},
      {"handshake",
       onlyWrites(5 * 32, [](Global<uint32_t> y) { VN_LAUNCH(handshake, {.grid = 1, .block = 64}, y, 5); })},
      {"last_adds",
       [] {
         Array<uint32_t> parts(7 * 64, "parts"), y(2, "y");
         Array<unsigned> counter(std::vector<unsigned>{0}, "counter");
         VN_LAUNCH(last_adds, {.grid = 7, .block = 64}, parts, counter, y);
         return y.values();
       }},
  };
}

} // namespace primitives

#endif
