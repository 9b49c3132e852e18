// Kernels of maps and of parameters, so that nvcc compiles one or two of each template.
#include "codegen/cuda/device/arrays.cuh"
#include "codegen/cuda/device/elementwise.cuh"
#include "codegen/cuda/device/fold.cuh"

using namespace vn;

constexpr Map wide{8, 56, 56, 62, 88, Element::BF16, 8}, dense{8, 56, 56, 62, 62, Element::F32, 2};
constexpr Map pooled{8, 1, 1, 62, 62, Element::F32, 2}, image{8, 224, 224, 3, 3, Element::F32, 1};

constexpr Binary sum{.a = wide, .b = dense, .y = wide, .activation = Activation::Relu};
VN_KERNEL(256) add_relu(Global<const bf16> a, Global<const float> b, Global<bf16> y) { binary<sum>(a, b, y); }
constexpr Binary gate{.op = Operation::Multiply, .a = dense, .b = pooled, .y = dense};
VN_KERNEL(256) multiply(Global<const float> a, Global<const float> b, Global<float> y) {
  binary<gate>(a, b, y);
}

constexpr Activate sigmoid{.x = dense, .y = wide, .activation = Activation::Sigmoid};
VN_KERNEL(256) activate_sigmoid(Global<const float> x, Global<bf16> y) { activate<sigmoid>(x, y); }
constexpr ActivationGradient relu6{.y = wide, .dy = wide, .dx = dense, .activation = Activation::Relu6};
VN_KERNEL(256) activate_gradient(Global<const bf16> y, Global<const bf16> dy, Global<float> dx) {
  activation_gradient<relu6>(y, dy, dx);
}

constexpr Affine normalised{.x = dense, .y = wide, .activation = Activation::Relu};
VN_KERNEL(256)
affine_relu(Global<const float> x, Global<const float> scale, Global<const float> shift, Global<bf16> y) {
  affine<normalised>(x, scale, shift, nullptr, y);
}
constexpr Affine residual{.x = wide, .y = wide, .adds = true, .addend = dense};
VN_KERNEL(256)
affine_add(Global<const bf16> x, Global<const float> scale, Global<const float> shift,
           Global<const float> addend, Global<bf16> y) {
  affine<residual>(x, scale, shift, addend, y);
}

constexpr Fill ones{.y = wide, .value = 1};
VN_KERNEL(256) fill_ones(Global<bf16> y) { fill<ones>(y); }
constexpr Copy narrowed{.x = dense, .y = wide};
VN_KERNEL(256) copy_narrowed(Global<const float> x, Global<bf16> y) { copy<narrowed>(x, y); }

constexpr Array read{.map = image};
VN_KERNEL(256) read_image(Global<const float> array, Global<float> map) { from_array<read>(array, map); }
constexpr Array written{.map = wide, .to_array = true};
VN_KERNEL(256) write_map(Global<const bf16> map, Global<float> array) { to_array<written>(map, array); }

constexpr FoldWeight folded_weight{.outputs = 64, .per_output = 147, .epsilon = 1e-5};
VN_KERNEL(256)
fold_weight_64x147(Global<const float> weight, Global<const float> gamma, Global<const float> variance,
                   Global<float> folded) {
  fold_weight<folded_weight>(weight, gamma, variance, folded);
}
constexpr FoldScale folded_scale{.channels = 64, .epsilon = 1e-5};
VN_KERNEL(256)
fold_scale_64(Global<const float> gamma, Global<const float> variance, Global<float> scale) {
  fold_scale<folded_scale>(gamma, variance, scale);
}
constexpr FoldBias folded_bias{.channels = 64, .bias = true, .epsilon = 1e-5};
VN_KERNEL(256)
fold_bias_64(Global<const float> gamma, Global<const float> beta, Global<const float> mean,
             Global<const float> variance, Global<const float> bias, Global<float> folded) {
  fold_bias<folded_bias>(gamma, beta, mean, variance, bias, folded);
}
