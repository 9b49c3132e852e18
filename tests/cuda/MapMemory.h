// Maps of random numbers in emulated device memory: what lies between the channels of a slice was never
// written.
#ifndef VERNIER_TESTS_CUDA_MAP_MEMORY_H
#define VERNIER_TESTS_CUDA_MAP_MEMORY_H

#include "codegen/cuda/device/epilogue.cuh"
#include "codegen/cuda/device/gemm_tile.cuh"
#include "codegen/cuda/device/map.cuh"
#include "codegen/cuda/device/vernier.cuh"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#ifndef VERNIER_FIRST_PROBLEM
#define VERNIER_FIRST_PROBLEM 0
#endif

namespace cuda_tests {

// Calls body<seed>() for `count` problems, which are constants of kernels; -DVERNIER_FIRST_PROBLEM=100:
// others.
template <class Body, uint64_t... seeds>
void overSeeds(Body body, std::integer_sequence<uint64_t, seeds...>) {
  (body.template operator()<VERNIER_FIRST_PROBLEM + seeds>(), ...);
}
template <uint64_t count, class Body> void overSeeds(Body body) {
  overSeeds(body, std::make_integer_sequence<uint64_t, count>());
}

// The same of structs Check<seed>, each with a function run().
template <template <uint64_t> class Check, uint64_t... seeds>
void checkAll(std::integer_sequence<uint64_t, seeds...>) {
  (Check<VERNIER_FIRST_PROBLEM + seeds>::run(), ...);
}

// Calls body(place in the values, n, y, x, channel) for each number of a map.
template <class Body> void overNumbers(const vn::Map &map, Body body) {
  size_t at = 0;
  for (int n = 0; n < map.n; ++n)
    for (int y = 0; y < map.h; ++y)
      for (int x = 0; x < map.w; ++x)
        for (int channel = 0; channel < map.c; ++channel)
          body(at++, n, y, x, channel);
}

// Random numbers of a test or, in constant expressions, of a problem.
struct Random {
  uint64_t state;
  constexpr uint64_t next() {
    state += 0x9E3779B97F4A7C15;
    uint64_t x = state;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return x ^ x >> 31;
  }
  constexpr int between(int least, int most) { return least + int(next() % uint64_t(most - least + 1)); }
  constexpr bool chance(int percent) { return between(1, 100) <= percent; }
  constexpr float number() { return float(between(-1000, 1000)) / 1000; }
};

constexpr vn::Activation randomActivation(Random &random, bool orNone = true) {
  const auto kind = vn::Activation::Kind(random.between(orNone ? 0 : 1, int(vn::Activation::ScaleShift)));
  switch (kind) {
  case vn::Activation::LeakyRelu:
    return {kind, random.between(0, 4) / 8.0f};
  case vn::Activation::ScaleShift:
    return {kind, random.number(), random.number()};
  default:
    return kind;
  }
}

inline double sigmoidInDouble(double x) { return 1 / (1 + std::exp(-x)); }
inline double normalDistributionInDouble(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }
inline double geluArgumentInDouble(double x) {
  return std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
}

// NaN stays NaN.
inline double activatedInDouble(vn::Activation activation, double x) {
  if (std::isnan(x))
    return x;
  const double hard = std::clamp(x + 3, 0.0, 6.0) / 6;
  switch (activation.kind) {
  case vn::Activation::None:
    return x;
  case vn::Activation::Relu:
    return std::max(x, 0.0);
  case vn::Activation::Relu6:
    return std::clamp(x, 0.0, 6.0);
  case vn::Activation::LeakyRelu:
    return x > 0 ? x : activation.slope * x;
  case vn::Activation::Sigmoid:
    return sigmoidInDouble(x);
  case vn::Activation::HardSigmoid:
    return hard;
  case vn::Activation::Tanh:
    return std::tanh(x);
  case vn::Activation::Exp:
    return std::exp(x);
  case vn::Activation::Silu:
    return x * sigmoidInDouble(x);
  case vn::Activation::HardSwish:
    return x * hard;
  case vn::Activation::Gelu:
    return x * normalDistributionInDouble(x);
  case vn::Activation::GeluTanh:
    return x / 2 * (1 + std::tanh(geluArgumentInDouble(x)));
  case vn::Activation::ScaleShift:
    return double(activation.slope) * x + activation.offset;
  }
  return x;
}

// dy passing back through the activation whose result, or input, was `of`. A gradient that is masked is 0,
// whatever it was; where it cannot be said, it passes.
inline double gradientInDouble(vn::Activation activation, double of, double dy) {
  switch (activation.kind) {
  case vn::Activation::None:
    return dy;
  case vn::Activation::Relu:
    return of <= 0 ? 0 : dy;
  case vn::Activation::Relu6:
    return of <= 0 || of >= 6 ? 0 : dy;
  case vn::Activation::LeakyRelu:
    return of <= 0 ? activation.slope * dy : dy;
  case vn::Activation::Sigmoid:
    return dy * of * (1 - of);
  case vn::Activation::HardSigmoid:
    return of <= 0 || of >= 1 ? 0 : dy / 6;
  case vn::Activation::Tanh:
    return dy * (1 - of * of);
  case vn::Activation::Exp:
    return dy * of;
  case vn::Activation::Silu:
    return dy * (sigmoidInDouble(of) + of * sigmoidInDouble(of) * sigmoidInDouble(-of));
  case vn::Activation::HardSwish:
    return dy * (of <= -3 ? 0 : of >= 3 ? 1 : (2 * of + 3) / 6);
  case vn::Activation::Gelu:
    return dy *
           (normalDistributionInDouble(of) + of * std::exp(-of * of / 2) / std::sqrt(2 * std::numbers::pi));
  case vn::Activation::GeluTanh: {
    const double tanh = std::tanh(geluArgumentInDouble(of)),
                 slope = std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * of * of);
    return dy * ((1 + tanh) / 2 + of / 2 * (1 - tanh * tanh) * slope);
  }
  case vn::Activation::ScaleShift:
    return dy * activation.slope;
  }
  return dy;
}

inline size_t bytesOf(vn::Element element) { return element == vn::Element::F32 ? 4 : 2; }

// The values are [pixel][channel], as they are in memory.
class MapMemory {
public:
  MapMemory(const vn::Map &map, const std::string &name)
      : map(map), memory(vn::allocate_device(bytes(), name)) {}
  MapMemory(const vn::Map &map, const std::string &name, const std::vector<float> &numbers)
      : MapMemory(map, name) {
    for (const float number : numbers)
      values.push_back(map.element == vn::Element::F32 ? number : vn::to_float(vn::to_bf16(number)));
    for (int pixel = 0; pixel < map.pixels(); ++pixel)
      for (int channel = 0; channel < map.c; ++channel) {
        const float value = values[size_t(pixel * map.c + channel)];
        const vn::bf16 half = vn::to_bf16(value);
        vn::copy_to_device(place(pixel, channel),
                           map.element == vn::Element::F32 ? static_cast<const void *>(&value) : &half,
                           bytesOf(map.element));
      }
  }
  // So many of 100 numbers are none.
  MapMemory(const vn::Map &map, const std::string &name, Random &random, int nanPercent = 0)
      : MapMemory(map, name, randomNumbers(map, random, nanPercent)) {}
  MapMemory(const MapMemory &) = delete;
  ~MapMemory() { vn::free_device(memory); }

  // Of its first element: one vector into the memory, so that it is aligned as the map says and no better.
  template <class T> T *first() const { return reinterpret_cast<T *>(place(0, 0)); }
  vn::emulation::Rows rows() const {
    return {place(0, 0), size_t(map.c) * bytesOf(map.element), size_t(map.pixel) * bytesOf(map.element),
            size_t(map.pixels())};
  }
  // What a kernel stored. Throws where it stored nothing, and where it wrote between the channels, unless the
  // pixels are `alone`.
  std::vector<float> stored(bool alone = false) const {
    vn::emulation::requireWritten(rows());
    std::vector<unsigned char> all(bytes());
    vn::copy_to_host(all.data(), memory, all.size());
    std::vector<float> result;
    for (int pixel = 0; pixel < map.pixels(); ++pixel)
      for (int channel = 0; channel < map.pixel; ++channel) {
        const unsigned char *at = all.data() + offset(pixel, channel);
        if (!alone && channel >= map.c && pixel + 1 < map.pixels() &&
            std::memcmp(at, &vn::emulation::kUnwrittenGlobal, bytesOf(map.element)) != 0)
          throw std::runtime_error("written between the channels");
        float value;
        vn::bf16 half;
        std::memcpy(&value, at, map.element == vn::Element::F32 ? 4 : 0);
        std::memcpy(&half, at, 2);
        if (channel < map.c)
          result.push_back(map.element == vn::Element::F32 ? value : vn::to_float(half));
      }
    return result;
  }
  float at(int n, int y, int x, int channel) const {
    return values[size_t(((n * map.h + y) * map.w + x) * map.c + channel)];
  }

  const vn::Map map;
  std::vector<float> values;

private:
  static std::vector<float> randomNumbers(const vn::Map &map, Random &random, int nanPercent) {
    std::vector<float> numbers;
    for (int i = 0; i < map.pixels() * map.c; ++i)
      numbers.push_back(nanPercent > 0 && random.chance(nanPercent) ? NAN : random.number());
    return numbers;
  }
  size_t offset(int pixel, int channel) const {
    return size_t(map.align + pixel * map.pixel + channel) * bytesOf(map.element);
  }
  size_t bytes() const { return offset(map.pixels() - 1, map.pixel); }
  void *place(int pixel, int channel) const { return static_cast<char *>(memory) + offset(pixel, channel); }

  void *memory;
};

// Numbers of device memory, random ones or not yet written.
template <class T> class Numbers {
public:
  Numbers(size_t count, const std::string &name)
      : count(count), memory(vn::allocate_device(count * sizeof(T), name)) {}
  Numbers(size_t count, const std::string &name, Random &random) : Numbers(count, name) {
    for (size_t i = 0; i < count; ++i)
      values.push_back(random.number());
    vn::copy_to_device(memory, values.data(), count * sizeof(T));
  }
  Numbers(const std::vector<T> &numbers, const std::string &name) : Numbers(numbers.size(), name) {
    values.assign(numbers.begin(), numbers.end());
    vn::copy_to_device(memory, numbers.data(), count * sizeof(T));
  }
  Numbers(const Numbers &) = delete;
  ~Numbers() { vn::free_device(memory); }
  operator T *() const { return static_cast<T *>(memory); }
  std::vector<T> stored() const {
    vn::emulation::requireWritten({memory, count * sizeof(T)});
    std::vector<T> result(count);
    vn::copy_to_host(result.data(), memory, count * sizeof(T));
    return result;
  }
  std::vector<T> values;

private:
  size_t count;
  void *memory;
};

// As a product takes them.
inline float rounded(vn::Arithmetic arithmetic, float value) {
  switch (arithmetic) {
  case vn::Arithmetic::F32:
    return value;
  case vn::Arithmetic::TF32:
    return vn::detail::bits<float>(vn::to_tf32(value));
  case vn::Arithmetic::BF16:
    return vn::to_float(vn::to_bf16(value));
  }
  return value;
}

constexpr vn::Pair randomPair(Random &random, int least, int most) {
  const int y = random.between(least, most);
  return {y, random.chance(70) ? y : random.between(least, most)};
}

constexpr int sizeAfter(int size, int kernel, int stride, int padding, int after, int dilation) {
  return (size + padding + after - (kernel - 1) * dilation - 1) / stride + 1;
}

constexpr vn::Element randomElement(Random &random) {
  return random.chance(50) ? vn::Element::F32 : vn::Element::BF16;
}

// A map of a size, at random places of wider pixels.
constexpr vn::Map randomMap(Random &random, int n, int h, int w, int c, vn::Element element) {
  vn::Map map{n, h, w, c, c, element, 1};
  if (random.chance(60)) {
    map.align = 1 << random.between(0, element == vn::Element::F32 ? 2 : 3);
    map.pixel = (c + random.between(0, 9) + map.align - 1) / map.align * map.align;
  }
  return map;
}

// The map of one shape with another, elsewhere and of another type.
constexpr vn::Map randomMapLike(Random &random, const vn::Map &map) {
  return randomMap(random, map.n, map.h, map.w, map.c, randomElement(random));
}
// Of any size: up to 9 x 9 pixels and 70 channels.
constexpr vn::Map randomMap(Random &random) {
  const int n = random.chance(50) ? 1 : 3, h = random.between(1, 9), w = random.between(1, 9);
  return randomMap(random, n, h, w, random.between(1, 70), randomElement(random));
}

// Whether a kernel's number is the expected one, NaN where that is NaN: within a part of `magnitude` and,
// where it was stored as bf16, that rounding.
inline bool close(float found, double expected, double magnitude, vn::Element element) {
  if (std::isnan(expected))
    return std::isnan(found);
  return double(found) == expected ||
         std::abs(found - expected) <=
             1e-6 * magnitude + (element == vn::Element::BF16 ? std::abs(expected) / 256 : 0);
}

// The first place where a map's numbers are not as expected; empty where there is none. `magnitudes` of their
// terms.
inline std::string difference(const MapMemory &map, const std::vector<double> &expected,
                              const std::vector<double> &magnitudes) {
  const std::vector<float> found = map.stored();
  for (size_t i = 0; i < expected.size(); ++i)
    if (!close(found[i], expected[i], magnitudes[i], map.map.element)) {
      const int channel = int(i) % map.map.c, pixel = int(i) / map.map.c;
      return "image " + std::to_string(pixel / (map.map.h * map.map.w)) + " row " +
             std::to_string(pixel / map.map.w % map.map.h) + " column " + std::to_string(pixel % map.map.w) +
             " channel " + std::to_string(channel) + ": " + std::to_string(found[i]) + ", expected " +
             std::to_string(expected[i]);
    }
  return "";
}

inline std::string textOf(const vn::Map &map) {
  return std::to_string(map.n) + "x" + std::to_string(map.h) + "x" + std::to_string(map.w) + "x" +
         std::to_string(map.c) + " of " + std::to_string(map.pixel) +
         (map.element == vn::Element::F32 ? " f32" : " bf16") + " align " + std::to_string(map.align);
}

} // namespace cuda_tests

#endif
