// Convolutions of few channels with one tap for each row of the window, random problems against a plain loop:
// odd sizes, slices, borders, windows of 2 to 7, strides of 2 and 4, from maps and from arrays, by mma.sync
// and by warp groups, with numbers that are none. -DVERNIER_FIRST_PROBLEM=100 tries others.
#define BOOST_TEST_MODULE cuda_row_taps
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/hopper_convolution.cuh"
#include "codegen/cuda/device/hopper_rows.cuh"
#include "codegen/cuda/device/row_taps.cuh"
#include "codegen/cuda/device/weights.cuh"

namespace {

using namespace vn;
using cuda_tests::MapMemory;
using cuda_tests::Numbers;
using cuda_tests::Random;
using cuda_tests::randomMap;
using cuda_tests::sizeAfter;

constexpr Convolution randomProblem(uint64_t seed) {
  Random random{seed * 8 + 7};
  Convolution c;
  c.arithmetic = Arithmetic::BF16;
  c.kernel = {random.between(1, 7), random.between(2, 7)};
  c.stride = {random.between(1, 3), random.chance(70) ? 2 : 4};
  c.padding = {random.between(0, 3), random.between(0, 3)};
  c.dilation = {random.chance(70) ? 1 : 2, 1};
  const int h = random.between(1, 12) + (c.kernel.y - 1) * c.dilation.y,
            w = (random.chance(40)   ? random.between(106, 122)
                 : random.chance(30) ? random.between(206, 250)
                                     : random.between(1, 30)) +
                c.kernel.x - 1;
  const int n = random.chance(50) ? 1 : 3, channels = random.between(1, 4);
  c.in = randomMap(random, n, h, w, channels, Element::BF16);
  const Element out = random.chance(70) ? Element::BF16 : Element::F32;
  c.out = randomMap(
      random, n, sizeAfter(h, c.kernel.y, c.stride.y, c.padding.y, random.between(0, 2), c.dilation.y),
      sizeAfter(w, c.kernel.x, c.stride.x, c.padding.x, random.between(0, 2), 1), random.between(1, 70), out);
  c.epilogue.bias = random.chance(50);
  c.epilogue.activation = random.chance(50) ? Activation::Relu : Activation::None;
  c.tile = {.m = 32, .n = 32, .k_bytes = 64, .warps_m = 2, .warps_n = 2, .stages = 3};
  return c;
}

template <PaddedRows p>
VN_KERNEL(p.threads)
pad(Global<const std::conditional_t<p.array, float, bf16>> in, Global<bf16> out) {
  padded_rows<p>(in, out);
}
template <WeightLayout layout> VN_KERNEL(256) pack(Global<const float> weight, Global<bf16> packed) {
  pack_weights<layout>(weight, packed);
}
template <Convolution c>
VN_KERNEL(c.tile.threads())
convolve(Global<const bf16> in, Global<const bf16> weight, Global<Number<c.out.element>> out,
         EpilogueOperands operands) {
  convolution<c>(in, weight, out, operands);
}
template <HopperConvolution h>
VN_KERNEL_ALONE(h.threads)
convolve_by_warp_groups(VN_TENSOR_MAP in, VN_TENSOR_MAP weight, Global<Number<h.convolution.out.element>> out,
                        EpilogueOperands operands) {
  hopper_convolution<h>(in, weight, out, operands);
}

template <HopperRows h>
VN_KERNEL_ALONE(h.threads)
convolve_rows(Global<const bf16> in, Global<const bf16> weight, Global<Number<h.convolution.out.element>> out,
              EpilogueOperands operands) {
  hopper_rows<h>(in, weight, out, operands);
}

int convolvedByRows = 0;

// What a convolution of these numbers is, with the magnitudes of its terms. Windows have taps of weight 0
// behind the last.
void convolvePlainly(const Convolution &c, const MapMemory &in, const std::vector<float> &weight,
                     const std::vector<float> &bias, std::vector<double> &results,
                     std::vector<double> &magnitudes) {
  const auto bfloat = [](float value) { return double(to_float(to_bf16(value))); };
  cuda_tests::overNumbers(c.out, [&](size_t, int n, int y, int x, int o) {
    double sum = c.epilogue.bias ? double(bias[size_t(o)]) : 0, magnitude = 1;
    for (int r = 0; r < c.kernel.y; ++r)
      for (int s = 0; s < row_channels(c.kernel.x) / row_pixel; ++s) {
        const int iy = y * c.stride.y - c.padding.y + r * c.dilation.y, ix = x * c.stride.x - c.padding.x + s;
        if (iy >= 0 && iy < c.in.h && ix >= 0 && ix < c.in.w)
          for (int i = 0; i < c.in.c; ++i) {
            const int at = ((o * c.in.c + i) * c.kernel.y + r) * c.kernel.x + s;
            const double term = in.at(n, iy, ix, i) * (s < c.kernel.x ? bfloat(weight[size_t(at)]) : 0);
            sum += term;
            magnitude += std::abs(term);
          }
      }
    results.push_back(cuda_tests::activatedInDouble(c.epilogue.activation, sum));
    magnitudes.push_back(magnitude);
  });
}

// The numbers of a map as a caller's array.
std::vector<float> arrayOf(const MapMemory &map) {
  std::vector<float> array(map.values.size());
  const Map &m = map.map;
  cuda_tests::overNumbers(m, [&](size_t at, int n, int y, int x, int channel) {
    array[size_t(((n * m.c + channel) * m.h + y) * m.w + x)] = map.values[at];
  });
  return array;
}

template <Convolution c> void check(uint64_t seed) {
  static_assert(has_row_taps(c));
  BOOST_TEST_CONTEXT("problem " << seed << ": " << cuda_tests::textOf(c.in) << " to "
                                << cuda_tests::textOf(c.out) << " kernel " << c.kernel.y << "x" << c.kernel.x
                                << " stride " << c.stride.y << "x" << c.stride.x << " padding " << c.padding.y
                                << "x" << c.padding.x) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory in(c.in, "in", random, seed % 4 == 0 ? 3 : 0);
    constexpr WeightLayout layout{.outputs = c.out.c,
                                  .inputs = c.in.c,
                                  .kernel = c.kernel,
                                  .arithmetic = Arithmetic::BF16,
                                  .row_taps = true};
    const Numbers<float> weight(size_t(c.out.c * c.in.c * c.kernel.y * c.kernel.x), "weight", random),
        bias(size_t(c.out.c), "bias", random);
    const Numbers<bf16> packed(size_t(layout.elements()), "packed");
    VN_LAUNCH(pack<layout>, launch_of(layout), static_cast<float *>(weight), static_cast<bf16 *>(packed));

    constexpr PaddedRows rows = padded_rows_of(c);
    constexpr PaddedRows rowsOfArray{rows.in, rows.width, rows.left, true};
    const size_t count = size_t(rows.vectors() * rows.vector);
    const Numbers<float> array(arrayOf(in), "array");
    const Numbers<bf16> fromMap(count, "rows"), fromArray(count, "rows of array");
    VN_LAUNCH(pad<rows>, launch_of(rows), in.first<bf16>(), static_cast<bf16 *>(fromMap));
    VN_LAUNCH(pad<rowsOfArray>, launch_of(rowsOfArray), static_cast<float *>(array),
              static_cast<bf16 *>(fromArray));
    const std::vector<bf16> one = fromMap.stored(), other = fromArray.stored();
    for (size_t i = 0; i < count; ++i)
      if (std::isnan(to_float(one[i])) ? !std::isnan(to_float(other[i])) : one[i].bits != other[i].bits) {
        BOOST_TEST_ERROR("element " << i << " of the rows: " << to_float(one[i]) << ", of the array's "
                                    << to_float(other[i]));
        return;
      }

    std::vector<double> expected, magnitudes;
    convolvePlainly(c, in, weight.values, bias.values, expected, magnitudes);
    const EpilogueOperands operands{.bias = static_cast<float *>(bias)};
    constexpr Convolution product = by_rows(c);
    const MapMemory plain(c.out, "out"), byWarpGroups(c.out, "out by warp groups");
    VN_LAUNCH(convolve<product>, launch_of(product), static_cast<bf16 *>(fromMap),
              static_cast<bf16 *>(packed), plain.first<Number<c.out.element>>(), operands);
    BOOST_TEST(cuda_tests::difference(plain, expected, magnitudes) == "");

    constexpr HopperConvolution h{product, c.out.c > 32 ? 64 : 32, 3, 2}; // few blocks, of several tiles
    static_assert(h.legal(), "so many channels fill a stage");
    VN_LAUNCH(convolve_by_warp_groups<h>, launch_of(h),
              tensor_map(input_of(h), Global<const bf16>(static_cast<bf16 *>(fromMap))),
              tensor_map(weight_of(h), Global<const bf16>(static_cast<bf16 *>(packed))),
              byWarpGroups.first<Number<c.out.element>>(), operands);
    BOOST_TEST(cuda_tests::difference(byWarpGroups, expected, magnitudes) == "");

    constexpr HopperRows byRows{product,
                                c.out.c > 64   ? 128
                                : c.out.c > 32 ? 64
                                : c.out.c > 16 ? 32
                                               : 16,
                                2, 2};
    if constexpr (byRows.legal()) {
      const MapMemory stored(c.out, "out by rows");
      VN_LAUNCH(convolve_rows<byRows>, launch_of(byRows), static_cast<bf16 *>(fromMap),
                static_cast<bf16 *>(packed), stored.first<Number<c.out.element>>(), operands);
      BOOST_TEST(cuda_tests::difference(stored, expected, magnitudes) == "");
      ++convolvedByRows;
    }
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(random_problems) {
  cuda_tests::overSeeds<VERNIER_PROBLEMS>([]<uint64_t seed>() { check<randomProblem(seed)>(seed); });
  BOOST_TEST(convolvedByRows > 1);
}
// Sizes of a network's first convolution, but for the images'.
BOOST_AUTO_TEST_CASE(first_convolution) {
  check<Convolution{.in = {2, 23, 31, 3, 4, Element::BF16, 4},
                    .out = {2, 12, 16, 64, 64, Element::BF16, 8},
                    .kernel = {7, 7},
                    .stride = {2, 2},
                    .padding = {3, 3},
                    .arithmetic = Arithmetic::BF16,
                    .epilogue = {.bias = true, .activation = Activation::Relu}}>(1);
}
