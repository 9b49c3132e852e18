// Weighted runs of rows and columns: random tables against a plain loop. -DVERNIER_FIRST_PROBLEM=100 tries
// others.
#define BOOST_TEST_MODULE cuda_resample
#include <boost/test/included/unit_test.hpp>

#include "MapMemory.h"
#include "codegen/cuda/device/resample.cuh"

#include <vector>

namespace {

using namespace vn;
using cuda_tests::MapMemory;
using cuda_tests::overNumbers;
using cuda_tests::overSeeds;
using cuda_tests::Random;
using cuda_tests::randomElement;
using cuda_tests::randomMap;
using cuda_tests::textOf;

constexpr Resample randomResample(uint64_t seed) {
  Random random{seed};
  Resample r;
  const int n = random.chance(50) ? 1 : 3, c = random.between(1, 70);
  const int h = random.between(1, 20), w = random.between(1, 20);
  r.in = randomMap(random, n, h, w, c, randomElement(random));
  r.out = randomMap(random, n, random.between(1, 9), random.between(1, 9), c, randomElement(random));
  r.longest = {random.between(1, h), random.between(1, w)};
  return r;
}

// Runs of up to `longest` of `in` positions, some of none.
struct Table {
  std::vector<Run> runs;
  std::vector<float> weights;

  Table(Random &random, int in, int out, int longest) : weights(size_t(out * longest), NAN) {
    for (int i = 0; i < out; ++i) {
      const int count = random.chance(10) ? 0 : random.between(1, longest);
      runs.push_back({random.between(0, in - count), count});
      for (int k = 0; k < count; ++k)
        weights[size_t(i * longest + k)] = float(random.between(-8, 8)) / 8;
    }
  }
  Runs view() const { return {runs.data(), weights.data()}; }
};

template <Resample r>
VN_KERNEL(map_threads)
resample_kernel(Global<const Number<r.in.element>> in, Global<Number<r.out.element>> out, Runs rows,
                Runs columns) {
  resample<r>(in, out, rows, columns);
}

template <Resample r> void checkResample(uint64_t seed) {
  BOOST_TEST_CONTEXT("problem " << seed << ": " << textOf(r.in) << " to " << textOf(r.out) << " by "
                                << r.longest.y << "x" << r.longest.x << " share " << r.share()) {
    Random random{seed};
    emulation::setSeed(seed);
    const Table rows(random, r.in.h, r.out.h, r.longest.y), columns(random, r.in.w, r.out.w, r.longest.x);
    const MapMemory in(r.in, "in", random), out(r.out, "out");
    VN_LAUNCH(resample_kernel<r>, launch_of(r), in.first<Number<r.in.element>>(),
              out.first<Number<r.out.element>>(), rows.view(), columns.view());
    std::vector<double> expected, magnitudes;
    overNumbers(r.out, [&](size_t, int n, int oy, int ox, int channel) {
      const Run row = rows.runs[size_t(oy)], column = columns.runs[size_t(ox)];
      double sum = 0, magnitude = 0.1;
      for (int y = 0; y < row.count; ++y)
        for (int x = 0; x < column.count; ++x) {
          const double term = double(rows.weights[size_t(oy * r.longest.y + y)]) *
                              columns.weights[size_t(ox * r.longest.x + x)] *
                              in.at(n, row.begin + y, column.begin + x, channel);
          sum += term;
          magnitude += std::abs(term);
        }
      expected.push_back(sum);
      magnitudes.push_back(magnitude);
    });
    BOOST_TEST(cuda_tests::difference(out, expected, magnitudes) == "");
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(weighted_runs) {
  // Few pixels, each of a whole map: threads share them.
  constexpr Resample whole{.in = {2, 40, 31, 9, 9}, .out = {2, 2, 1, 9, 9}, .longest = {33, 31}};
  constexpr Resample wide{
      .in = {1, 20, 20, 5, 8, Element::BF16, 8}, .out = {1, 3, 3, 5, 5}, .longest = {9, 8}};
  static_assert(whole.share() == 32 && wide.share() > 1);
  checkResample<whole>(0);
  checkResample<wide>(1);
  overSeeds<20>([]<uint64_t seed>() {
    constexpr Resample r = randomResample(seed);
    checkResample<r>(seed);
  });
}
// NaN of one pixel is in all that read it: not lost in a sum.
BOOST_AUTO_TEST_CASE(nan_stays) {
  constexpr Resample r{.in = {1, 1, 5, 1, 1}, .out = {1, 1, 3, 1, 1}, .longest = {1, 3}};
  const std::vector<Run> row{{0, 1}}, columns{{0, 2}, {1, 3}, {3, 2}};
  const std::vector<float> one{1}, weights{0.5f, 0.5f, 0, 0, 0.5f, 0.5f, 0.5f, 0.5f, 0};
  const MapMemory in(r.in, "in", std::vector<float>{1, NAN, 2, 3, 4}), out(r.out, "out");
  VN_LAUNCH(resample_kernel<r>, launch_of(r), in.first<float>(), out.first<float>(),
            (Runs{row.data(), one.data()}), (Runs{columns.data(), weights.data()}));
  const std::vector<float> found = out.stored();
  BOOST_TEST(std::isnan(found[0]));
  BOOST_TEST(std::isnan(found[1])); // with weight 0
  BOOST_TEST(found[2] == 3.5f);
}
