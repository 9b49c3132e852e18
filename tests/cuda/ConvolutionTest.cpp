// Convolutions and the gradients of their inputs, random problems against a plain loop: odd sizes, slices,
// borders, strides, dilations, groups, epilogues, tiles. Problems are constants of kernels;
// -DVERNIER_FIRST_PROBLEM=100 tries others. With -DVERNIER_HOPPER by warp groups, where those can.
#define BOOST_TEST_MODULE cuda_convolution
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/hopper_convolution.cuh"
#include "codegen/cuda/device/weights.cuh"

#include <memory>
#include <numeric>

namespace {

using namespace vn;
using cuda_tests::activatedInDouble;
using cuda_tests::gradientInDouble;
using cuda_tests::MapMemory;
using cuda_tests::Numbers;
using cuda_tests::Random;
using cuda_tests::randomActivation;
using cuda_tests::randomPair;
using cuda_tests::rounded;
using cuda_tests::sizeAfter;

constexpr Tile kTiles[] = {
    {.m = 16, .n = 16, .k_bytes = 64, .warps_m = 1, .warps_n = 1, .stages = 2},
    {.m = 32, .n = 32, .k_bytes = 64, .warps_m = 2, .warps_n = 2, .stages = 3},
    {.m = 64, .n = 32, .k_bytes = 32, .warps_m = 2, .warps_n = 1, .stages = 4},
    {.m = 64, .n = 64, .k_bytes = 128, .warps_m = 4, .warps_n = 1, .stages = 3},
    {.m = 16, .n = 16, .k_bytes = 64, .warps_m = 1, .warps_n = 1, .stages = 3, .slices = 4},
    {.m = 32, .n = 8, .k_bytes = 128, .warps_m = 2, .warps_n = 1, .stages = 2, .slices = 3},
    {.m = 32, .n = 8, .k_bytes = 128, .warps_m = 1, .warps_n = 1, .stages = 2}};

constexpr Convolution randomProblem(uint64_t seed, Arithmetic arithmetic, Direction direction) {
  Random random{seed * 6 + uint64_t(arithmetic) * 2 + uint64_t(direction)};
  Convolution c;
  c.arithmetic = arithmetic;
  c.direction = direction;
  c.kernel = random.chance(30) ? Pair{1, 1} : randomPair(random, 1, 4);
  c.stride = random.chance(50) ? Pair{1, 1} : randomPair(random, 1, 3);
  c.dilation = random.chance(60) ? Pair{1, 1} : randomPair(random, 1, 3);
  c.padding = randomPair(random, 0, 2);
#ifdef VERNIER_HOPPER
  random.next();
#else
  c.groups = random.chance(75) ? 1 : random.between(2, 5);
#endif
  const int n = random.chance(50) ? 1 : 3;
  const int inputs = c.groups * random.between(1, 70 / c.groups),
            outputs = c.groups * random.between(1, 70 / c.groups);
  const int h = random.between(1, 9) + (c.kernel.y - 1) * c.dilation.y,
            w = random.between(1, 9) + (c.kernel.x - 1) * c.dilation.x;
  const int h2 = sizeAfter(h, c.kernel.y, c.stride.y, c.padding.y, random.between(0, 2), c.dilation.y);
  const int w2 = sizeAfter(w, c.kernel.x, c.stride.x, c.padding.x, random.between(0, 2), c.dilation.x);
  const Element in = arithmetic == Arithmetic::BF16 ? Element::BF16 : Element::F32;
  const Element out = random.chance(arithmetic == Arithmetic::BF16 ? 70 : 20) ? Element::BF16 : Element::F32;
  const bool forward = direction == Direction::Forward;
  c.in = cuda_tests::randomMap(random, n, forward ? h : h2, forward ? w : w2, forward ? inputs : outputs, in);
  c.out =
      cuda_tests::randomMap(random, n, forward ? h2 : h, forward ? w2 : w, forward ? outputs : inputs, out);
  Epilogue &epilogue = c.epilogue;
  epilogue.scale = random.chance(30);
  epilogue.bias = random.chance(50);
  epilogue.addends = random.chance(50) ? random.chance(20) ? most_addends : random.between(1, 3) : 0;
  for (int i = 0; i < epilogue.addends; ++i) {
    const Pair factor = random.chance(50) ? Pair{1, 1} : randomPair(random, 1, 3);
    epilogue.addend[i] = {cuda_tests::randomMap(random, n, ceil_div(c.out.h, factor.y),
                                                ceil_div(c.out.w, factor.x), c.out.c,
                                                random.chance(50) ? out : Element::F32),
                          factor};
  }
  if (forward || random.chance(20))
    epilogue.activation = randomActivation(random);
  else if (random.chance(50)) {
    epilogue.masked = randomActivation(random, /*orNone=*/false);
    epilogue.mask = cuda_tests::randomMap(random, n, c.out.h, c.out.w, c.out.c, out);
  }
  // Of transposed convolutions, which are such gradients, moments too.
  epilogue.sums = random.chance(60) ? Sums::None : forward || seed % 3 == 0 ? Sums::Moments : Sums::Gradient;
  epilogue.x = cuda_tests::randomMap(random, n, c.out.h, c.out.w, c.out.c, out);
  c.tile = kTiles[random.between(0, 6)];
#ifdef VERNIER_HOPPER
  c.in.align = 8;
  c.in.pixel = ceil_div(c.in.pixel, 8) * 8;
#endif
  return c;
}

#ifdef VERNIER_HOPPER
// Few blocks, so that each has several tiles.
constexpr HopperConvolution byWarpGroups(const Convolution &c) {
  Random random{uint64_t(c.in.c) * 100 + uint64_t(c.out.c)};
  constexpr int columns[] = {8, 16, 32, 64, 96, 128};
  HopperConvolution h{c};
  h.columns = columns[random.between(0, 5)];
  h.stages = random.between(2, 4);
  h.blocks = random.between(1, 3);
  return h;
}

template <HopperConvolution h>
VN_KERNEL_ALONE(h.threads)
convolve_by_warp_groups(VN_TENSOR_MAP in, VN_TENSOR_MAP weight, Global<Number<h.convolution.out.element>> out,
                        EpilogueOperands operands) {
  hopper_convolution<h>(in, weight, out, operands);
}

// How many launches went that way.
int launchesByWarpGroups = 0;
#endif

constexpr int partsOfLaunch(const Convolution &c) {
#ifdef VERNIER_HOPPER
  if (byWarpGroups(c).legal())
    return parts_of(byWarpGroups(c));
#endif
  return parts_of(c);
}

template <Convolution c>
VN_KERNEL(c.tile.threads())
convolve(Global<const Number<c.in.element>> in, Global<const Factor<c.arithmetic>> weight,
         Global<Number<c.out.element>> out, EpilogueOperands operands) {
  convolution<c>(in, weight, out, operands);
}

template <WeightLayout layout>
VN_KERNEL(256)
pack(Global<const float> weight, Global<Factor<layout.arithmetic>> packed) {
  pack_weights<layout>(weight, packed);
}

// The sums of products [pixel][channel] and those of their magnitudes, output by output of the convolution,
// tap by tap.
void multiplyPlainly(const Convolution &c, const MapMemory &in, const std::vector<float> &weight,
                     std::vector<double> &sums, std::vector<double> &magnitudes) {
  const bool forward = c.direction == Direction::Forward;
  const Map &x = forward ? c.in : c.out, &y = forward ? c.out : c.in;
  const int inputs = x.c / c.groups, outputs = y.c / c.groups;
  sums.assign(size_t(c.out.pixels() * c.out.c), 0);
  magnitudes = sums;
  for (int n = 0; n < y.n; ++n)
    for (int oy = 0; oy < y.h; ++oy)
      for (int ox = 0; ox < y.w; ++ox)
        for (int r = 0; r < c.kernel.y; ++r)
          for (int s = 0; s < c.kernel.x; ++s) {
            const int iy = oy * c.stride.y - c.padding.y + r * c.dilation.y,
                      ix = ox * c.stride.x - c.padding.x + s * c.dilation.x;
            if (iy < 0 || iy >= x.h || ix < 0 || ix >= x.w)
              continue;
            for (int o = 0; o < y.c; ++o)
              for (int i = 0; i < inputs; ++i) {
                const int channel = o / outputs * inputs + i;
                const double w = rounded(
                    c.arithmetic, weight[size_t(((o * inputs + i) * c.kernel.y + r) * c.kernel.x + s)]);
                const double other =
                    rounded(c.arithmetic, forward ? in.at(n, iy, ix, channel) : in.at(n, oy, ox, o));
                const size_t at = size_t(forward ? ((n * y.h + oy) * y.w + ox) * y.c + o
                                                 : ((n * x.h + iy) * x.w + ix) * x.c + channel);
                sums[at] += w * other;
                magnitudes[at] += std::abs(w * other);
              }
          }
}

template <Convolution c, int... residues>
void launchAll(std::integer_sequence<int, residues...>, const MapMemory &in,
               const Factor<c.arithmetic> *packed, const MapMemory &out, const EpilogueOperands &operands) {
  constexpr auto with = [](int residue) {
    Convolution one = c;
    const auto residueOf = [](int i) { return Pair{i / c.stride.x, i % c.stride.x}; };
    one.residue = residueOf(residue);
    for (int before = 0; before < residue; ++before) {
      Convolution earlier = c;
      earlier.residue = residueOf(before);
      one.epilogue.first_part += partsOfLaunch(earlier);
    }
    return one;
  };
  const auto launchOne = [&]<int residue>() {
    constexpr Convolution one = with(residue);
#ifdef VERNIER_HOPPER
    constexpr HopperConvolution h = byWarpGroups(one);
    if constexpr (h.legal()) {
      ++launchesByWarpGroups;
      VN_LAUNCH(convolve_by_warp_groups<h>, launch_of(h),
                tensor_map(input_of(h), Global<const bf16>(in.first<bf16>())),
                tensor_map(weight_of(h), Global<const bf16>(packed)), out.first<Number<c.out.element>>(),
                operands);
      return;
    }
#endif
    if constexpr (results_of(one) > 0)
      VN_LAUNCH(convolve<one>, launch_of(one), in.first<Number<c.in.element>>(), packed,
                out.first<Number<c.out.element>>(), operands);
  };
  (launchOne.template operator()<residues>(), ...);
}

template <Convolution c> int partsOfAll() {
  if (c.direction == Direction::Forward)
    return partsOfLaunch(c);
  int parts = 0;
  for (int i = 0; i < c.stride.y * c.stride.x; ++i) {
    Convolution one = c;
    one.residue = {i / c.stride.x, i % c.stride.x};
    parts += partsOfLaunch(one);
  }
  return parts;
}

template <uint64_t seed, Arithmetic arithmetic, Direction direction> void check() {
  constexpr Convolution c = randomProblem(seed, arithmetic, direction);
  constexpr bool forward = direction == Direction::Forward;
  BOOST_TEST_CONTEXT("problem " << seed << ": " << c.in.n << "x" << c.in.h << "x" << c.in.w << "x" << c.in.c
                                << " of " << c.in.pixel << " to " << c.out.h << "x" << c.out.w << "x"
                                << c.out.c << " of " << c.out.pixel << " kernel " << c.kernel.y << "x"
                                << c.kernel.x << " stride " << c.stride.y << "x" << c.stride.x << " groups "
                                << c.groups << " tile " << c.tile.m << "x" << c.tile.n) {
    Random random{seed};
    emulation::setSeed(seed);
    const MapMemory in(c.in, "in", random), mask(c.epilogue.mask, "mask", random),
        x(c.epilogue.x, "x", random);
    std::vector<std::unique_ptr<MapMemory>> addends;
    EpilogueOperands operands;
    for (int i = 0; i < c.epilogue.addends; ++i) {
      addends.push_back(std::make_unique<MapMemory>(c.epilogue.addend[i].map, "addend", random));
      operands.addend[i] = addends.back()->first<unsigned char>();
    }
    const MapMemory out(c.out, "out");
    constexpr int merged = seed % 3 == 0 ? 1 : c.groups % 2 == 0 && seed % 3 == 1 ? 2 : c.groups;
    constexpr bool padded = seed % 4 < 2 && c.groups == merged;
    constexpr WeightLayout layout{c.groups,
                                  (forward ? c.out.c : c.in.c) / c.groups,
                                  (forward ? c.in.c : c.out.c) / c.groups,
                                  c.kernel,
                                  arithmetic,
                                  direction,
                                  merged,
                                  false,
                                  padded ? c.out.c + 3 : 0,
                                  padded ? packed_channels(arithmetic, c.in.c) + 16 : 0};
    constexpr auto product = [=] {
      Convolution with = c;
      with.groups /= merged;
      with.weight_rows = layout.rows, with.weight_channels = layout.channels;
      return with;
    }();
    const Numbers<float> weight(
        size_t(layout.groups * layout.outputs * layout.inputs * c.kernel.y * c.kernel.x), "weight", random);
    const Numbers<float> scale(size_t(c.out.c), "scale", random), bias(size_t(c.out.c), "bias", random),
        mean(size_t(c.out.c), "mean", random);
    const Numbers<double> parts(size_t(partsOfAll<c>() * 2 * c.out.c), "parts");
    const Numbers<Factor<arithmetic>> packed(size_t(layout.elements()), "packed");
    VN_LAUNCH(pack<layout>, launch_of(layout), static_cast<float *>(weight),
              static_cast<Factor<arithmetic> *>(packed));
    operands.scale = static_cast<float *>(scale), operands.bias = static_cast<float *>(bias);
    operands.mean = static_cast<float *>(mean), operands.sums = static_cast<double *>(parts);
    operands.mask = mask.first<unsigned char>(), operands.x = x.first<unsigned char>();
    launchAll<product>(std::make_integer_sequence < int, forward ? 1 : c.stride.y *c.stride.x > (), in,
                       packed, out, operands);

    std::vector<double> sums, magnitudes;
    multiplyPlainly(c, in, weight.values, sums, magnitudes);
    const std::vector<float> found = out.stored();
    std::vector<double> first(size_t(c.out.c)), second(size_t(c.out.c)), spread(size_t(c.out.c));
    for (int pixel = 0; pixel < c.out.pixels(); ++pixel)
      for (int channel = 0; channel < c.out.c; ++channel) {
        const size_t at = size_t(pixel * c.out.c + channel);
        const int n = pixel / (c.out.h * c.out.w), oy = pixel / c.out.w % c.out.h, ox = pixel % c.out.w;
        double value = sums[at], magnitude = magnitudes[at];
        if (c.epilogue.scale)
          value *= scale.values[size_t(channel)];
        if (c.epilogue.bias)
          value += bias.values[size_t(channel)], magnitude += 1;
        for (int i = 0; i < c.epilogue.addends; ++i) {
          const Pair factor = c.epilogue.addend[i].factor;
          value += addends[size_t(i)]->at(n, oy / factor.y, ox / factor.x, channel), magnitude += 1;
        }
        value = activatedInDouble(c.epilogue.activation, value);
        if (c.epilogue.masked != Activation::None)
          value = gradientInDouble(c.epilogue.masked, mask.at(n, oy, ox, channel), value);
        // What an activation makes of a sum's error.
        const double steep = c.epilogue.activation == Activation::Exp ? std::max(1.0, value) : 1.5;
        const double tolerance =
            1e-6 * magnitude * steep + 1e-6 + (c.out.element == Element::BF16 ? std::abs(value) / 256 : 0);
        if (!(std::abs(found[at] - value) <= tolerance)) {
          BOOST_TEST_ERROR("pixel " << pixel << " channel " << channel << ": " << found[at] << ", expected "
                                    << value);
          return;
        }
        const double factor = c.epilogue.sums == Sums::Gradient
                                  ? x.at(n, oy, ox, channel) - double(mean.values[size_t(channel)])
                                  : double(found[at]);
        first[size_t(channel)] += found[at];
        second[size_t(channel)] += found[at] * factor;
        spread[size_t(channel)] += std::abs(found[at]) * (1 + std::abs(factor));
      }
    if (c.epilogue.sums == Sums::None)
      return;
    const std::vector<double> part = parts.stored();
    for (int channel = 0; channel < c.out.c; ++channel) {
      double sum[2] = {0, 0};
      for (size_t i = 0; i < part.size() / size_t(c.out.c); ++i)
        sum[i % 2] += part[i * size_t(c.out.c) + size_t(channel)];
      BOOST_TEST(std::abs(sum[0] - first[size_t(channel)]) <= 1e-5 * spread[size_t(channel)] + 1e-6);
      BOOST_TEST(std::abs(sum[1] - second[size_t(channel)]) <= 1e-5 * spread[size_t(channel)] + 1e-6);
    }
  }
}

template <Arithmetic arithmetic, Direction direction, uint64_t... seeds>
void checkAll(std::integer_sequence<uint64_t, seeds...>) {
  (check<VERNIER_FIRST_PROBLEM + seeds, arithmetic, direction>(), ...);
}
using Seeds = std::make_integer_sequence<uint64_t, VERNIER_PROBLEMS>;

// Rounding errors of equal terms do not cancel: one float32 sum of so many products is off by 4e-5 of them.
constexpr Convolution kManyProducts = {.in = {1, 3, 3, 1824, 1824, Element::F32, 4},
                                       .out = {1, 1, 1, 5, 8, Element::F32, 4},
                                       .kernel = {3, 3},
                                       .tile = kTiles[0]};
double errorOfEqualTerms() {
  constexpr WeightLayout layout{.outputs = 5, .inputs = 1824, .kernel = {3, 3}};
  const MapMemory in(kManyProducts.in, "in", std::vector<float>(9 * 1824, 0.1f)),
      out(kManyProducts.out, "out");
  const Numbers<float> packed(std::vector<float>(size_t(layout.elements()), 0.3f), "packed");
  VN_LAUNCH(convolve<kManyProducts>, launch_of(kManyProducts), in.first<float>(),
            static_cast<float *>(packed), out.first<float>(), EpilogueOperands{});
  double error = 0;
  for (float found : out.stored())
    error = std::max(error, std::abs(found / (9 * 1824 * double(0.1f) * double(0.3f)) - 1));
  return error;
}

} // namespace

BOOST_AUTO_TEST_CASE(forward) { checkAll<Arithmetic::VERNIER_ARITHMETIC, Direction::Forward>(Seeds()); }
BOOST_AUTO_TEST_CASE(input_gradient) {
  checkAll<Arithmetic::VERNIER_ARITHMETIC, Direction::InputGradient>(Seeds());
}
// Tensor cores add theirs in one sum.
BOOST_AUTO_TEST_CASE(sums_of_many_products,
                     *boost::unit_test::enable_if<Arithmetic::VERNIER_ARITHMETIC == Arithmetic::F32>()) {
  BOOST_TEST(errorOfEqualTerms() < 5e-6);
}
#ifdef VERNIER_HOPPER
BOOST_AUTO_TEST_CASE(went_by_warp_groups) { BOOST_TEST(launchesByWarpGroups >= 2 * VERNIER_PROBLEMS); }
#endif
