// Kernels of group norms, learned slopes, softmax and products of maps, so that nvcc compiles one or two of
// each template.
#include "codegen/cuda/device/blocks_to_channels.cuh"
#include "codegen/cuda/device/group_norm.cuh"
#include "codegen/cuda/device/matmul.cuh"
#include "codegen/cuda/device/prelu.cuh"
#include "codegen/cuda/device/softmax.cuh"

namespace attention_kernels {

using namespace vn;

constexpr Map wide{8, 28, 28, 62, 88, Element::BF16, 8}, dense{8, 28, 28, 62, 62, Element::F32, 2};
constexpr Map scores{8, 28, 28, 196, 196, Element::BF16, 4}, values{8, 14, 14, 64, 64, Element::BF16, 8};
constexpr Map mixed{8, 28, 28, 64, 64, Element::BF16, 8}, fine{8, 56, 56, 16, 16, Element::BF16, 8};

constexpr GroupSums sums{.x = wide}, both_sums{.x = wide, .dy = dense, .gradient = true};
VN_KERNEL(256) group_sums_62(Global<const bf16> x, Global<double> parts) {
  group_sums<sums>(x, nullptr, parts);
}
VN_KERNEL(256) group_gradient_sums_62(Global<const bf16> x, Global<const float> dy, Global<double> parts) {
  group_sums<both_sums>(x, dy, parts);
}
constexpr GroupFinish finish{.images = 8,
                             .pixels = 784,
                             .channels = 62,
                             .groups = 2,
                             .parts = parts_of(both_sums),
                             .gradient = true,
                             .epsilon = 1e-5};
VN_KERNEL(group_threads)
group_finish_62(Global<const double> parts, Global<const float> gamma, Global<float> coefficients,
                Global<double> channel_sums) {
  group_finish<finish>(parts, gamma, coefficients, channel_sums);
}
constexpr GroupApply apply{.x = wide, .y = dense},
    apply_gradient{.x = wide, .dy = dense, .y = wide, .gradient = true};
VN_KERNEL(256)
group_apply_62(Global<const bf16> x, Global<const float> beta, Global<const float> coefficients,
               Global<float> y) {
  group_apply<apply>(x, nullptr, beta, coefficients, y);
}
VN_KERNEL(256)
group_apply_gradient_62(Global<const bf16> x, Global<const float> dy, Global<const float> coefficients,
                        Global<bf16> dx) {
  group_apply<apply_gradient>(x, dy, nullptr, coefficients, dx);
}

constexpr Prelu slopes{.x = wide, .y = dense, .per_channel = true};
VN_KERNEL(256) prelu_62(Global<const bf16> x, Global<const float> slope, Global<float> y) {
  prelu<slopes>(x, slope, y);
}
constexpr PreluGradient slopes_gradient{.x = wide, .dy = dense, .dx = wide};
VN_KERNEL(256)
prelu_gradient_62(Global<const bf16> x, Global<const float> dy, Global<const float> slope, Global<bf16> dx) {
  prelu_gradient<slopes_gradient>(x, dy, slope, dx);
}
constexpr PreluSums slope_sums{.x = wide, .dy = dense};
VN_KERNEL(256) prelu_sums_62(Global<const bf16> x, Global<const float> dy, Global<double> parts) {
  prelu_sums<slope_sums>(x, dy, parts);
}
constexpr PreluFinish slope{.elements = parts_of(slope_sums) * 62};
VN_KERNEL(256) prelu_finish_62(Global<const double> parts, Global<float> dslope) {
  prelu_finish<slope>(parts, dslope);
}

constexpr ChannelSoftmax shares{.x = scores, .y = scores};
VN_KERNEL(256) channel_softmax_196(Global<const bf16> x, Global<bf16> y) { channel_softmax<shares>(x, y); }
constexpr RunSoftmax branches{.x = wide, .y = dense, .runs = 2};
VN_KERNEL(256) run_softmax_2(Global<const bf16> x, Global<float> y) { run_softmax<branches>(x, y); }
constexpr ChannelSoftmax log_shares{.x = scores, .y = scores, .log = true};
VN_KERNEL(256) channel_log_softmax_196(Global<const bf16> x, Global<bf16> y) {
  channel_softmax<log_shares>(x, y);
}
constexpr RunSoftmax log_branches{.x = wide, .y = dense, .runs = 2, .log = true};
VN_KERNEL(256) run_log_softmax_2(Global<const bf16> x, Global<float> y) { run_softmax<log_branches>(x, y); }
constexpr SpatialSoftmax of_pixels{.x = dense, .y = wide};
VN_KERNEL(256) spatial_softmax_62(Global<const float> x, Global<bf16> y) { spatial_softmax<of_pixels>(x, y); }

constexpr Matmul product{.a = scores, .b = values, .y = mixed};
VN_KERNEL(256) matmul_196(Global<const bf16> a, Global<const bf16> b, Global<bf16> y) {
  matmul<product>(a, b, y);
}
constexpr Matmul compared{.a = mixed, .b = values, .y = scores, .transpose_b = true};
VN_KERNEL(256) matmul_transposed(Global<const bf16> a, Global<const bf16> b, Global<bf16> y) {
  matmul<compared>(a, b, y);
}

constexpr BlocksToChannels shuffled{.in = mixed, .out = fine, .factor = 2}, unshuffled{fine, mixed, 2};
VN_KERNEL(256) channels_to_blocks_64(Global<const bf16> in, Global<bf16> out) {
  blocks_to_channels<shuffled>(in, out);
}
VN_KERNEL(256) blocks_to_channels_64(Global<const bf16> in, Global<bf16> out) {
  blocks_to_channels<unshuffled>(in, out);
}

} // namespace attention_kernels
