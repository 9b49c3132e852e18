// The primitives that only compute capability 9.0 has, as Primitives.cuh has the others.
#ifndef VERNIER_TESTS_CUDA_HOPPER_PRIMITIVES_CUH
#define VERNIER_TESTS_CUDA_HOPPER_PRIMITIVES_CUH

#include "Primitives.cuh"

namespace primitives {

// --- mbarriers and bulk copies

constexpr int kRing = 3, kStageWords = 64;

// y = x, each stage reversed: warp 0 fetches stages into a ring, warps 1 and 2 take them, each a half.
VN_KERNEL(96) bulk_ring(Global<const uint32_t> x, Global<uint32_t> y, int stages) {
  const Shared<uint32_t> ring = dynamic_shared<uint32_t>(0, kRing * kStageWords, "ring");
  VN_SHARED(uint64_t, full, kRing);
  VN_SHARED(uint64_t, empty, kRing);
  if (threadIdx.x == 0) {
    for (int i = 0; i < kRing; ++i) {
      mbarrier_init(full + i, 1);
      mbarrier_init(empty + i, 64);
    }
    fence_proxy_async();
  }
  syncthreads();
  if (threadIdx.x == 0) {
    for (int s = 0; s < stages; ++s) {
      mbarrier_wait(empty + s % kRing, (s / kRing + 1) % 2);
      mbarrier_arrive_expect(full + s % kRing, kStageWords * 4);
      // Two copies make a stage.
      for (int half = 0; half < 2; ++half)
        copy_bulk(ring + (s % kRing * kStageWords + half * kStageWords / 2),
                  x + (s * kStageWords + half * kStageWords / 2), kStageWords * 2, full + s % kRing);
    }
  } else if (threadIdx.x >= 32) {
    const int t = int(threadIdx.x) - 32;
    for (int s = 0; s < stages; ++s) {
      mbarrier_wait(full + s % kRing, s / kRing % 2);
      y[s * kStageWords + t] = ring[s % kRing * kStageWords + kStageWords - 1 - t];
      fence_proxy_async();
      mbarrier_arrive(empty + s % kRing);
    }
  }
}

// --- tensor copies

constexpr int kMostBoxWords = 2048;

// y: the box's bytes as they lie in shared memory.
template <int rank>
VN_KERNEL(32)
tensor_box(VN_TENSOR_MAP map, Coordinates<rank> from, int words, Global<uint32_t> y) {
  const Shared<uint32_t> box = dynamic_shared<uint32_t>(0, kMostBoxWords, "box");
  VN_SHARED(uint64_t, full, 1);
  if (threadIdx.x == 0) {
    mbarrier_init(full, 1);
    fence_proxy_async();
    mbarrier_arrive_expect(full, words * 4);
    copy_tensor(box, map, from, full);
  }
  syncthreads();
  mbarrier_wait(full, 0);
  for (int i = int(threadIdx.x); i < words; i += 32)
    y[i] = box[i];
}

VN_KERNEL(32)
im2col_box(VN_TENSOR_MAP map, Coordinates<4> from, Pair tap, int words, Global<uint32_t> y) {
  const Shared<uint32_t> box = dynamic_shared<uint32_t>(0, kMostBoxWords, "box");
  VN_SHARED(uint64_t, full, 1);
  if (threadIdx.x == 0) {
    mbarrier_init(full, 1);
    fence_proxy_async();
    mbarrier_arrive_expect(full, words * 4);
    copy_im2col(box, map, from, tap, full);
  }
  syncthreads();
  mbarrier_wait(full, 0);
  for (int i = int(threadIdx.x); i < words; i += 32)
    y[i] = box[i];
}

// A tensor of numbers that all differ, and a box of it.
struct TensorCase {
  const char *name;
  TiledTensor tensor;
  int from[5];
};
inline std::vector<TensorCase> tensorCases() {
  const auto bf16 = Element::BF16, f32 = Element::F32;
  return {
      {"tensor_2d_b128", {2, {64, 20}, {0, 144}, {64, 16}, {1, 1, 1, 1, 1}, bf16, Swizzle::B128}, {0, 3}},
      {"tensor_2d_outside",
       {2, {50, 20}, {0, 112}, {64, 16}, {1, 1, 1, 1, 1}, bf16, Swizzle::B128},
       {-8, 11}},
      {"tensor_2d_b64", {2, {32, 9}, {0, 64}, {32, 16}, {1, 1, 1, 1, 1}, bf16, Swizzle::B64}, {8, -2}},
      {"tensor_2d_b32", {2, {8, 40}, {0, 48}, {8, 32}, {1, 1, 1, 1, 1}, f32, Swizzle::B32}, {4, 5}},
      {"tensor_3d",
       {3, {12, 5, 4}, {0, 64, 320}, {4, 3, 4}, {1, 1, 1, 1, 1}, f32, Swizzle::None},
       {8, -1, 1}},
      {"tensor_4d_step",
       {4, {64, 7, 6, 2}, {0, 128, 896, 5376}, {64, 8, 6, 1}, {1, 2, 2, 1, 1}, bf16, Swizzle::B128},
       {0, -1, -1, 1}},
      {"tensor_5d",
       {5, {8, 3, 4, 3, 2}, {0, 16, 48, 192, 576}, {8, 2, 3, 2, 2}, {1, 1, 1, 1, 1}, bf16, Swizzle::None},
       {0, 1, 2, -1, 1}},
  };
}

struct Im2colCase {
  const char *name;
  Im2colTensor tensor;
  Coordinates<4> from;
  Pair tap;
};
inline std::vector<Im2colCase> im2colCases() {
  const auto bf16 = Element::BF16, f32 = Element::F32;
  return {
      // 3x3 of 7 x 6 pixels, padded by 1: from the second row on into the next image.
      {"im2col_3x3",
       {64, 7, 6, 2, 128, 896, 5376, {-1, -1}, {-1, -1}, {1, 1}, 64, 32, bf16, Swizzle::B128},
       {{0, 2, 0, 0}},
       {0, 2}},
      // The last results, and what is behind them.
      {"im2col_end",
       {40, 7, 6, 2, 96, 672, 4032, {-1, -1}, {-1, -1}, {1, 1}, 64, 16, bf16, Swizzle::B128},
       {{0, 3, 4, 1}},
       {1, 1}},
      // 3x3 with a stride of 2: 4 x 3 results of 7 x 6 pixels.
      {"im2col_stride",
       {16, 7, 6, 3, 32, 224, 1344, {-1, -1}, {-2, -1}, {2, 2}, 16, 24, bf16, Swizzle::B32},
       {{0, 1, -1, 0}},
       {2, 1}},
      // Of a dilation of 2, padded by 2.
      {"im2col_dilation",
       {8, 5, 5, 1, 32, 160, 800, {-2, -2}, {-2, -2}, {1, 1}, 8, 25, f32, Swizzle::None},
       {{0, -2, -2, 0}},
       {2, 4}},
  };
}

inline int bytesOf(Element element) { return element == Element::F32 ? 4 : 2; }
inline long long bytesOf(const TiledTensor &tensor) {
  return tensor.size[tensor.rank - 1] * tensor.stride[tensor.rank - 1];
}
inline int wordsOf(const TiledTensor &tensor) {
  int bytes = bytesOf(tensor.element) * tensor.box[0];
  for (int i = 1; i < tensor.rank; ++i)
    bytes *= (tensor.box[i] + tensor.step[i] - 1) / tensor.step[i];
  return bytes / 4;
}
inline int wordsOf(const Im2colTensor &tensor) {
  return bytesOf(tensor.element) * tensor.channels * tensor.pixels / 4;
}

template <int rank> void runBox(const TensorCase &box, Global<const uint32_t> x, Global<uint32_t> y) {
  Coordinates<rank> from{};
  for (int i = 0; i < rank; ++i)
    from.at[i] = box.from[i];
  VN_LAUNCH(tensor_box<rank>, {.grid = 1, .block = 32, .shared_bytes = kMostBoxWords * 4},
            tensor_map(box.tensor, x), from, wordsOf(box.tensor), y);
}

// --- products

// How a matrix of `rows` and 64 bf16 or 32 tf32 lies.
struct MatrixLayout {
  int rows = 64;
  bool tf32 = false, along = false;
  Swizzle swizzle = Swizzle::None;

  static constexpr int row_bytes = 128; // of what is summed over
  VN_CONSTANT int depth() const { return tf32 ? 32 : 64; }
  VN_CONSTANT int element() const { return tf32 ? 4 : 2; }
  VN_CONSTANT int span() const { return bytes_of(swizzle); }
  VN_CONSTANT int bytes() const { return rows * row_bytes; }
  VN_CONSTANT int leading() const { return along && span() ? depth() * span() : 128; }
  VN_CONSTANT int stride() const {
    return span() ? 8 * span() : along ? depth() / 8 * 128 : row_bytes / 16 * 128;
  }
  // Bytes from the first.
  VN_CONSTANT int place(int row, int k) const {
    if (span() == 0)
      return along ? row / 8 * stride() + k / 8 * leading() + k % 8 * 16 + row % 8 * 2
                   : row / 8 * stride() + k * element() / 16 * leading() + row % 8 * 16 + k * element() % 16;
    const int line = span() / element(); // elements
    const int byte = along ? row / line * leading() + k / 8 * stride() + k % 8 * span() + row % line * 2
                           : k / line * rows * span() + row * span() + k % line * element();
    return byte ^ (byte >> 3 & (span() - 16));
  }
  // Where the summands of step i begin, 32 bytes each.
  VN_CONSTANT int step(int i) const {
    if (along)
      return i * 2 * (span() ? stride() : leading());
    return span() ? i * 32 / span() * rows * span() + i * 32 % span() : i * 2 * leading();
  }
};

// d = a b^T, then d += a b^T, by row-major matrices of 64 and n rows; A from registers where it has no
// layout.
struct ProductCase {
  MatrixLayout a, b;
  bool fragments = false;
};

constexpr ProductCase kProductCases[] = {
    {{64, false, false, Swizzle::B128}, {64, false, false, Swizzle::B128}},
    {{64, false, false, Swizzle::B64}, {8, false, false, Swizzle::B32}},
    {{64, false, false, Swizzle::None}, {32, false, false, Swizzle::None}},
    {{64, false, true, Swizzle::B128}, {128, false, true, Swizzle::B128}},
    {{64, false, true, Swizzle::B32}, {64, false, true, Swizzle::B64}},
    {{64, false, true, Swizzle::None}, {16, false, true, Swizzle::None}},
    {{64, false, false, Swizzle::B128}, {256, false, true, Swizzle::B128}},
    {{64, false, false, Swizzle::None}, {192, false, false, Swizzle::B128}, true},
    {{64, true, false, Swizzle::B128}, {96, true, false, Swizzle::B128}},
    {{64, true, false, Swizzle::B32}, {16, true, false, Swizzle::None}},
    {{64, true, false, Swizzle::None}, {64, true, false, Swizzle::B64}, true},
};
constexpr int kProducts = sizeof(kProductCases) / sizeof(ProductCase);

template <int i>
VN_KERNEL(128)
group_product(Global<const uint32_t> a, Global<const uint32_t> b, Global<float> y) {
  constexpr ProductCase c = kProductCases[i];
  using Word = std::conditional_t<c.a.tf32, uint32_t, uint16_t>;
  const Shared<unsigned char> left = dynamic_shared<unsigned char>(0, c.a.bytes(), "a"),
                              right = dynamic_shared<unsigned char>(c.a.bytes(), c.b.bytes(), "b");
  constexpr int n = c.b.rows, depth = c.a.depth();
  const int t = int(threadIdx.x), row = t / 32 * 16 + t % 32 / 4, member = t % 4;
  for (int at = t; at < 64 * depth; at += 128)
    shared_as<Word>(left + c.a.place(at / depth, at % depth))[0] = Word(global_as<const Word>(a)[at]);
  for (int at = t; at < n * depth; at += 128)
    shared_as<Word>(right + c.b.place(at / depth, at % depth))[0] = Word(global_as<const Word>(b)[at]);
  fence_proxy_async();
  syncthreads();
  uint32_t fragments[4][4] = {};
  if (c.fragments)
    for (int step = 0; step < 4; ++step)
      for (int r = 0; r < 4; ++r)
        fragments[step][r] = a[(row + r % 2 * 8) * 32 + step * 8 + member + r / 2 * 4];
  float d[n / 2];
  for (int r = 0; r < n / 2; ++r)
    d[r] = 1000;
  for (int round = 0; round < 2; ++round) {
    wgmma_fence();
    VN_UNROLL
    for (int step = 0; step < 4; ++step) {
      const uint64_t from_a =
                         matrix_descriptor(left + c.a.step(step), c.a.leading(), c.a.stride(), c.a.swizzle),
                     from_b =
                         matrix_descriptor(right + c.b.step(step), c.b.leading(), c.b.stride(), c.b.swizzle);
      const bool accumulate = round > 0 || step > 0;
      if constexpr (c.a.tf32 && c.fragments)
        wgmma_tf32<n>(d, fragments[step], from_b, accumulate);
      else if constexpr (c.a.tf32)
        wgmma_tf32<n>(d, from_a, from_b, accumulate);
      else if constexpr (c.fragments)
        wgmma_bf16<n, c.b.along>(d, fragments[step], from_b, accumulate);
      else
        wgmma_bf16<n, c.a.along, c.b.along>(d, from_a, from_b, accumulate);
    }
    wgmma_commit_group();
    wgmma_wait_group<0>(d);
  }
  for (int r = 0; r < n / 2; ++r)
    y[(row + r / 2 % 2 * 8) * n + r / 4 * 8 + member * 2 + r % 2] = d[r];
}

// The same of tiles that tensor copies bring, 64 x 64 and n x 64 bf16.
VN_KERNEL(128) product_of_tiles(VN_TENSOR_MAP a, VN_TENSOR_MAP b, Global<float> y) {
  const Shared<bf16> left = dynamic_shared<bf16>(0, 64 * 64, "a"),
                     right = dynamic_shared<bf16>(64 * 128, 96 * 64, "b");
  VN_SHARED(uint64_t, full, 1);
  constexpr int n = 96;
  if (threadIdx.x == 0) {
    mbarrier_init(full, 1);
    fence_proxy_async();
    mbarrier_arrive_expect(full, (64 + n) * 128);
    copy_tensor(left, a, Coordinates<2>{{0, 0}}, full);
    copy_tensor(right, b, Coordinates<2>{{0, 0}}, full);
  }
  syncthreads();
  mbarrier_wait(full, 0);
  float d[n / 2];
  wgmma_fence();
  VN_UNROLL
  for (int step = 0; step < 4; ++step)
    wgmma_bf16<n>(d, matrix_descriptor(left + step * 16, 16, 1024, Swizzle::B128),
                  matrix_descriptor(right + step * 16, 16, 1024, Swizzle::B128), step > 0);
  wgmma_commit_group();
  wgmma_wait_group<0>(d);
  const int t = int(threadIdx.x), row = t / 32 * 16 + t % 32 / 4;
  for (int i = 0; i < n / 2; ++i)
    y[(row + i / 2 % 2 * 8) * n + i / 4 * 8 + t % 4 * 2 + i % 2] = d[i];
}

// y: of each warp how many lanes are elected, twice, and that they are the same.
VN_KERNEL_ALONE(384) elections(Global<uint32_t> y) {
  if (threadIdx.x < 128)
    fewer_registers<40>();
  else
    more_registers<232>();
  const bool first = elect_sync(), second = elect_sync();
  const uint32_t votes = ballot_sync(all_lanes, first), again = ballot_sync(all_lanes, second);
  int count = 0;
  for (int lane = 0; lane < 32; ++lane)
    count += int(votes >> lane & 1);
  if (threadIdx.x % 32 == 0)
    y[threadIdx.x / 32] = uint32_t(count) + (votes == again ? 0 : 100);
}

inline std::vector<uint32_t> factors(const MatrixLayout &layout, uint32_t salt) {
  const std::size_t words = std::size_t(layout.rows) * MatrixLayout::row_bytes / 4;
  return layout.tf32 ? wholeTf32(words, salt) : wholePairs(words, salt);
}

template <int i> Case productCase() {
  return {"group_product_" + std::to_string(i), [] {
            constexpr ProductCase c = kProductCases[i];
            Array<uint32_t> a(factors(c.a, 1), "a"), b(factors(c.b, 2), "b");
            Array<float> y(64 * c.b.rows, "y");
            VN_LAUNCH(group_product<i>,
                      {.grid = 1, .block = 128, .shared_bytes = unsigned(c.a.bytes() + c.b.bytes())}, a, b,
                      y);
            return wordsOf(y.values());
          }};
}
template <int... i> void addProducts(std::vector<Case> &all, std::integer_sequence<int, i...>) {
  (all.push_back(productCase<i>()), ...);
}

// Of Primitives.cuh and of this file, as far as they run here.
inline std::vector<Case> allCases() {
  std::vector<Case> all = cases();
  if (!is_hopper())
    return all;
  all.push_back({"bulk_ring", [] {
                   Array<uint32_t> x(numbers(11 * kStageWords, 10), "x"), y(11 * kStageWords, "y");
                   VN_LAUNCH(bulk_ring, {.grid = 1, .block = 96, .shared_bytes = kRing * kStageWords * 4}, x,
                             y, 11);
                   return y.values();
                 }});
  for (const TensorCase &box : tensorCases())
    all.push_back({box.name, [box] {
                     Array<uint32_t> x(numbers(std::size_t(bytesOf(box.tensor) / 4), 11), "x"),
                         y(std::size_t(wordsOf(box.tensor)), "y");
                     switch (box.tensor.rank) {
                     case 2:
                       runBox<2>(box, x, y);
                       break;
                     case 3:
                       runBox<3>(box, x, y);
                       break;
                     case 4:
                       runBox<4>(box, x, y);
                       break;
                     default:
                       runBox<5>(box, x, y);
                     }
                     return y.values();
                   }});
  for (const Im2colCase &box : im2colCases())
    all.push_back({box.name, [box] {
                     Array<uint32_t> x(numbers(std::size_t(box.tensor.image * box.tensor.n / 4), 12), "x"),
                         y(std::size_t(wordsOf(box.tensor)), "y");
                     VN_LAUNCH(im2col_box, {.grid = 1, .block = 32, .shared_bytes = kMostBoxWords * 4},
                               tensor_map(box.tensor, Global<const uint32_t>(x)), box.from, box.tap,
                               wordsOf(box.tensor), y);
                     return y.values();
                   }});
  addProducts(all, std::make_integer_sequence<int, kProducts>());
  all.push_back({"product_of_tiles", [] {
                   Array<uint32_t> a(wholePairs(64 * 32, 3), "a"), b(wholePairs(96 * 32, 4), "b");
                   Array<float> y(64 * 96, "y");
                   const TiledTensor left{
                       2, {64, 64}, {0, 128}, {64, 64}, {1, 1, 1, 1, 1}, Element::BF16, Swizzle::B128},
                       right{2, {64, 96}, {0, 128}, {64, 96}, {1, 1, 1, 1, 1}, Element::BF16, Swizzle::B128};
                   VN_LAUNCH(product_of_tiles, {.grid = 1, .block = 128, .shared_bytes = (64 + 96) * 128},
                             tensor_map(left, Global<const uint32_t>(a)),
                             tensor_map(right, Global<const uint32_t>(b)), y);
                   return wordsOf(y.values());
                 }});
  all.push_back({"elections", [] {
                   Array<uint32_t> y(12, "y");
                   VN_LAUNCH(elections, {.grid = 1, .block = 384}, y);
                   return y.values();
                 }});
  return all;
}

} // namespace primitives

#endif
