// What follows a training step's gradients, of one parameter, numbers in a row: the optimizer's step, the sum
// of several steps' gradients, the check of numbers that neither has at hand. A flag is an int32 that becomes
// 1 where a number is not finite; something else clears it before.
#ifndef VERNIER_CUDA_DEVICE_OPTIMIZER_CUH
#define VERNIER_CUDA_DEVICE_OPTIMIZER_CUH

#include "barrier.cuh"
#include "launch.cuh"
#include "map.cuh"
#include "warp.cuh"

#include <math.h>

namespace vn {

constexpr int optimizer_threads = 256, optimizer_each = 4; // numbers of a thread

constexpr Launch optimizer_launch(int count, Stream stream) {
  return {{unsigned(ceil_div(count, optimizer_threads * optimizer_each))}, {optimizer_threads}, 0, stream};
}

namespace detail {

// Calls body(i) for this thread's numbers; it returns what has to be finite. All threads of the block call
// it.
template <int count, class Body> VN_DEVICE void for_numbers(Global<int> flag, const Body &body) {
  static_assert(count < (1ll << 31) - optimizer_threads * optimizer_each, "places are counted in int");
  bool bad = false;
  VN_UNROLL
  for (int k = 0; k < optimizer_each; ++k) {
    const int i = (int(blockIdx.x) * optimizer_each + k) * optimizer_threads + int(threadIdx.x);
    if (i < count) {
      const float value = body(i);
      if (!(fabsf(value) < INFINITY))
        bad = true;
    }
  }
  // By several blocks at once.
  if (ballot_sync(all_lanes, bad) != 0 && threadIdx.x % 32 == 0)
    atomic_or_global(global_as<unsigned>(flag), 1);
}

} // namespace detail

// runtime/include/vernier/abi.h: update.
struct Sgd {
  int count = 0;
};

constexpr Launch launch_of(const Sgd &p, Stream stream = {}) { return optimizer_launch(p.count, stream); }

// Rate, factor of the momentum, decay and the two flags are one number each. Where `trained` is 0 nothing is
// touched.
template <Sgd p>
VN_DEVICE void sgd(Global<const float> gradient, Global<const float> rate, Global<const float> factor,
                   Global<const float> decay, Global<const int> nesterov, Global<const int> trained,
                   Global<float> weight, Global<float> momentum, Global<int> not_finite) {
  if (trained[0] == 0)
    return;
  const float downhill = -rate[0], kept = factor[0], decayed = decay[0];
  const bool looks_ahead = nesterov[0] == 1;
  detail::for_numbers<p.count>(not_finite, [&](int i) {
    const float before = weight[i];
    const float slope = fmaf(decayed, before, gradient[i]);
    const float moved = fmaf(kept, momentum[i], slope);
    momentum[i] = moved;
    const float after = fmaf(downhill, looks_ahead ? fmaf(kept, moved, slope) : moved, before);
    weight[i] = after;
    return after;
  });
}

// abi.h: vn_accumulation.
enum class Accumulation { Leave, Begin, Add, End };

struct Accumulate {
  int count = 0;
};

constexpr Launch launch_of(const Accumulate &p, Stream stream = {}) {
  return optimizer_launch(p.count, stream);
}

// `how` is one number, an Accumulation.
template <Accumulate p>
VN_DEVICE void accumulate(Global<float> gradient, Global<const int> how, Global<float> sum,
                          Global<int> not_finite) {
  const int task = how[0];
  if (task == int(Accumulation::Leave))
    return;
  detail::for_numbers<p.count>(not_finite, [&](int i) {
    if (task == int(Accumulation::End)) {
      const float all = sum[i];
      gradient[i] = all;
      return 0.0f; // each gradient was looked at when it was taken
    }
    const float taken = gradient[i];
    if (task == int(Accumulation::Add))
      sum[i] += taken;
    else
      sum[i] = taken;
    return taken;
  });
}

struct CheckFinite {
  int count = 0;
};

constexpr Launch launch_of(const CheckFinite &p, Stream stream = {}) {
  return optimizer_launch(p.count, stream);
}

template <CheckFinite p> VN_DEVICE void check_finite(Global<const float> numbers, Global<int> not_finite) {
  detail::for_numbers<p.count>(not_finite, [&](int i) { return float(numbers[i]); });
}

} // namespace vn

#endif
