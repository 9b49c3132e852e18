// Pools, sums over pixels and resampling, so that nvcc compiles one or two of each template.
#include "codegen/cuda/device/channel_shuffle.cuh"
#include "codegen/cuda/device/pool_gradient.cuh"
#include "codegen/cuda/device/resample.cuh"
#include "codegen/cuda/device/resize.cuh"
#include "codegen/cuda/device/shift.cuh"
#include "codegen/cuda/device/spatial.cuh"

using namespace vn;

constexpr Map map_112{.n = 2, .h = 112, .w = 112, .c = 64, .pixel = 64, .align = 4};
constexpr Map map_56{.n = 2, .h = 56, .w = 56, .c = 64, .pixel = 64, .align = 4};
constexpr Map map_56_bf16{
    .n = 2, .h = 56, .w = 56, .c = 62, .pixel = 88, .element = Element::BF16, .align = 8};

constexpr Pool max_3x3{
    .in = map_112, .out = map_56, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1, 1, 1}};
VN_KERNEL(map_threads) max_pool_3x3_s2(Global<const float> in, Global<float> out) { pool<max_3x3>(in, out); }

constexpr Pool average_19x17{
    .in = map_56_bf16,
    .out = {.n = 2, .h = 3, .w = 3, .c = 62, .pixel = 62, .element = Element::BF16, .align = 2},
    .kernel = {19, 17},
    .stride = {18, 19},
    .kind = PoolKind::Average,
    .count_padding = false};
VN_KERNEL(map_threads) average_pool_19x17(Global<const bf16> in, Global<bf16> out) {
  pool<average_19x17>(in, out);
}

constexpr PoolGradient max_3x3_gradient{.pool = max_3x3, .dy = map_56, .dx = map_112};
VN_KERNEL(map_threads)
max_pool_3x3_s2_gradient(Global<const float> in, Global<const float> out, Global<const float> dy,
                         Global<float> dx) {
  max_pool_gradient<max_3x3_gradient>(in, out, dy, dx);
}

constexpr PoolGradient max_2x2_gradient{
    .pool = {.in = map_112, .out = map_56, .kernel = {2, 2}, .stride = {2, 2}},
    .dy = map_56,
    .dx = map_112,
    .epilogue = {.addends = 1, .addend = {{map_112, {1, 1}}}, .masked = Activation::Relu, .mask = map_112}};
VN_KERNEL(map_threads)
max_pool_2x2_gradient(Global<const float> in, Global<const float> out, Global<const float> dy,
                      Global<float> dx, EpilogueOperands operands) {
  max_pool_gradient<max_2x2_gradient>(in, out, dy, dx, operands);
}

constexpr PoolGradient average_gradient{.pool = {.in = map_56,
                                                 .out = map_56,
                                                 .kernel = {9, 9},
                                                 .padding = {4, 4, 4, 4},
                                                 .kind = PoolKind::Average,
                                                 .count_padding = false},
                                        .dy = map_56,
                                        .dx = map_56};
VN_KERNEL(map_threads) average_pool_9x9_gradient(Global<const float> dy, Global<float> dx) {
  average_pool_gradient<average_gradient>(dy, dx);
}

constexpr SpatialSum mean{.a = map_56, .out = {.n = 2, .c = 64, .pixel = 64, .align = 4}, .mean = true};
VN_KERNEL(map_threads)
spatial_mean(Global<const float> a, Global<float> out, Global<double> sums, Global<unsigned> counters) {
  spatial_sum<mean>(a, nullptr, out, sums, counters);
}

constexpr SpatialSum dot{.a = map_56_bf16,
                         .b = map_56_bf16,
                         .out = {.n = 2, .c = 62, .pixel = 62, .element = Element::F32, .align = 2},
                         .dot = true};
VN_KERNEL(map_threads)
spatial_dot(Global<const bf16> a, Global<const bf16> b, Global<float> out, Global<double> sums,
            Global<unsigned> counters) {
  spatial_sum<dot>(a, b, out, sums, counters);
}

constexpr SpatialBroadcast broadcast{
    .in = {.n = 2, .c = 64, .pixel = 64, .align = 4}, .out = map_56, .factor = 0.5f};
VN_KERNEL(map_threads) spatial_broadcast_56(Global<const float> in, Global<float> out) {
  spatial_broadcast<broadcast>(in, out);
}

constexpr Resize twice{.in = map_56, .out = map_112};
VN_KERNEL(map_threads) resize_nearest(Global<const float> in, Global<float> out) { resize<twice>(in, out); }

constexpr Map map_100{.n = 2, .h = 100, .w = 87, .c = 62, .pixel = 62, .align = 2};
constexpr Resize bilinear{.in = map_56_bf16, .out = map_100, .bilinear = true};
VN_KERNEL(map_threads) resize_bilinear(Global<const bf16> in, Global<float> out) {
  resize<bilinear>(in, out);
}
constexpr Resize scaled{.in = map_56_bf16, .out = map_100, .scale = 1.8, .bilinear = true};
VN_KERNEL(map_threads) resize_scaled(Global<const bf16> in, Global<float> out) { resize<scaled>(in, out); }
constexpr ResizeGradient bilinear_gradient{bilinear};
VN_KERNEL(map_threads) resize_bilinear_gradient(Global<const float> dy, Global<bf16> dx) {
  resize_gradient<bilinear_gradient>(dy, dx);
}
constexpr ResizeGradient spread_gradient{
    {.in = {.n = 2, .c = 62, .pixel = 62, .align = 2}, .out = map_100, .align_corners = true}};
VN_KERNEL(map_threads) resize_spread_gradient(Global<const float> dy, Global<float> dx) {
  resize_gradient<spread_gradient>(dy, dx);
}

// With tables as emitted code has them.
constexpr Resample halved{.in = map_56_bf16,
                          .out = {.n = 2, .h = 2, .w = 2, .c = 62, .pixel = 62, .align = 2},
                          .longest = {28, 28}};
VN_KERNEL(map_threads) resample_halved(Global<const bf16> in, Global<float> out) {
  static const Run rows[] = {{0, 28}, {28, 28}};
  static const float rows_weights[56] = {0.5f};
  resample<halved>(in, out, {rows, rows_weights}, {rows, rows_weights});
}
constexpr Resample one_more{
    .in = map_56, .out = {.n = 2, .h = 57, .w = 57, .c = 64, .pixel = 64, .align = 4}, .longest = {2, 2}};
VN_KERNEL(map_threads) resample_one_more(Global<const float> in, Global<float> out) {
  static const Run rows[57] = {{0, 2}, {1, 2}};
  static const float rows_weights[114] = {0.25f, 0.75f};
  static const Run columns[57] = {{0, 1}, {0, 2}};
  static const float columns_weights[114] = {0.75f, 0.25f};
  resample<one_more>(in, out, {rows, rows_weights}, {columns, columns_weights});
}

constexpr Shift bordered{.in = map_56_bf16, .out = map_100, .top = 22, .left = 15, .replicate = true};
VN_KERNEL(map_threads) shift_replicate(Global<const bf16> in, Global<float> out) { shift<bordered>(in, out); }
constexpr ReplicateGradient border{.dy = map_100, .dx = map_56_bf16, .top = 22, .left = 15};
VN_KERNEL(map_threads) border_gradient(Global<const float> dy, Global<bf16> dx) {
  replicate_gradient<border>(dy, dx);
}

constexpr ChannelShuffle halves{.in = map_56, .out = map_56, .groups = 2};
VN_KERNEL(map_threads) shuffle_halves(Global<const float> in, Global<float> out) {
  channel_shuffle<halves>(in, out);
}
