// Convolutions as emitted code will have them, for nvcc: one of each arithmetic.
#include "codegen/cuda/device/hopper_convolution.cuh"
#include "codegen/cuda/device/hopper_rows.cuh"
#include "codegen/cuda/device/row_taps.cuh"
#include "codegen/cuda/device/weight_gradient.cuh"
#include "codegen/cuda/device/weights.cuh"

using namespace vn;

// 56x56, 64 channels to 62 of a concat's 88.
constexpr Convolution forward{
    .in = {.n = 1, .h = 56, .w = 56, .c = 64, .pixel = 64, .element = Element::BF16, .align = 8},
    .out = {.n = 1, .h = 56, .w = 56, .c = 62, .pixel = 88, .element = Element::BF16, .align = 8},
    .kernel = {3, 3},
    .padding = {1, 1},
    .arithmetic = Arithmetic::BF16,
    .epilogue = {.bias = true, .activation = Activation::Relu},
    .tile = {.m = 128, .n = 64, .k_bytes = 64, .warps_m = 2, .warps_n = 2, .stages = 4}};

VN_KERNEL(forward.tile.threads())
conv_3x3_56x56x64_to_62of88_bf16_bias_relu(Global<const bf16> in, Global<const bf16> weight, Global<bf16> out,
                                           EpilogueOperands operands) {
  convolution<forward>(in, weight, out, operands);
}

// One residue of a stride of 2.
constexpr Map gradient_map{.n = 2, .h = 56, .w = 56, .c = 32, .pixel = 32, .align = 4};
constexpr Convolution gradient{
    .in = {.n = 2, .h = 28, .w = 28, .c = 32, .pixel = 32, .align = 4},
    .out = gradient_map,
    .kernel = {3, 3},
    .stride = {2, 2},
    .padding = {1, 1},
    .direction = Direction::InputGradient,
    .residue = {1, 0},
    .arithmetic = Arithmetic::TF32,
    .epilogue = {.masked = Activation::Relu, .mask = gradient_map, .sums = Sums::Gradient, .x = gradient_map},
    .tile = {.m = 64, .n = 32, .k_bytes = 64, .warps_m = 2, .warps_n = 2, .stages = 3}};

VN_KERNEL(gradient.tile.threads())
conv_3x3_s2_gradient(Global<const float> in, Global<const float> weight, Global<float> out,
                     EpilogueOperands operands) {
  convolution<gradient>(in, weight, out, operands);
}

constexpr Map wide{.n = 1, .h = 14, .w = 14, .c = 256, .pixel = 256, .align = 4};
constexpr Convolution exact{
    .in = wide,
    .out = wide,
    .arithmetic = Arithmetic::F32,
    .epilogue =
        {.scale = true, .bias = true, .addends = 1, .addend = {{wide, {1, 1}}}, .sums = Sums::Moments},
    .tile = {.m = 64, .n = 64, .k_bytes = 64, .warps_m = 2, .warps_n = 2, .stages = 3}};

VN_KERNEL(exact.tile.threads())
conv_1x1_14x14x256(Global<const float> in, Global<const float> weight, Global<float> out,
                   EpilogueOperands operands) {
  convolution<exact>(in, weight, out, operands);
}

constexpr WeightLayout layout{.outputs = 62, .inputs = 64, .kernel = {3, 3}, .arithmetic = Arithmetic::BF16};

VN_KERNEL(256) pack_3x3(Global<const float> weight, Global<bf16> packed) {
  pack_weights<layout>(weight, packed);
}

constexpr WeightGradient weights_bf16{
    .x = {.n = 4, .h = 56, .w = 56, .c = 64, .pixel = 64, .element = Element::BF16, .align = 8},
    .dy = {.n = 4, .h = 56, .w = 56, .c = 64, .pixel = 64, .element = Element::BF16, .align = 8},
    .kernel = {3, 3},
    .padding = {1, 1},
    .arithmetic = Arithmetic::BF16,
    .splits = 16,
    .tile = {.m = 64, .n = 64, .k_bytes = 128, .warps_m = 2, .warps_n = 2, .stages = 3}};

VN_KERNEL(weights_bf16.tile.threads())
weight_gradient_3x3_bf16(Global<const bf16> x, Global<const bf16> dy, Global<float> parts) {
  weight_gradient<weights_bf16>(x, dy, nullptr, parts);
}

VN_KERNEL(256) weight_gradient_sum_3x3(Global<const float> parts, Global<float> result) {
  weight_gradient_sum<weights_bf16.sum()>(parts, result);
}

constexpr WeightGradient weights_wide{
    .x = {.n = 4, .h = 14, .w = 14, .c = 256, .pixel = 256, .element = Element::BF16, .align = 8},
    .dy = {.n = 4, .h = 14, .w = 14, .c = 1024, .pixel = 1024, .element = Element::BF16, .align = 8},
    .arithmetic = Arithmetic::BF16,
    .tile = {.m = 128, .n = 128, .k_bytes = 128, .warps_m = 2, .warps_n = 4, .stages = 3}};

VN_KERNEL(weights_wide.tile.threads())
weight_gradient_1x1_bf16(Global<const bf16> x, Global<const bf16> dy, Global<float> result) {
  weight_gradient<weights_wide>(x, dy, result, nullptr);
}

constexpr WeightGradient weights_tf32{.x = gradient_map,
                                      .dy = gradient_map,
                                      .arithmetic = Arithmetic::TF32,
                                      .tile = {.m = 32, .n = 32, .k_bytes = 128, .stages = 4}};

VN_KERNEL(weights_tf32.tile.threads())
weight_gradient_1x1_tf32(Global<const float> x, Global<const float> dy, Global<float> result) {
  weight_gradient<weights_tf32>(x, dy, result, nullptr);
}

// Narrow channels whose pixels are not aligned: copies of 4 bytes.
constexpr Convolution narrow{
    .in = {.n = 1, .h = 224, .w = 224, .c = 3, .pixel = 3},
    .out = {.n = 1, .h = 112, .w = 112, .c = 64, .pixel = 64, .align = 4},
    .kernel = {7, 7},
    .stride = {2, 2},
    .padding = {3, 3},
    .arithmetic = Arithmetic::TF32,
    .epilogue = {.bias = true, .activation = Activation::Relu},
    .tile = {.m = 128, .n = 64, .k_bytes = 64, .warps_m = 4, .warps_n = 1, .stages = 3}};

VN_KERNEL(narrow.tile.threads())
conv_7x7_s2_224x224x3_to_64_tf32(Global<const float> in, Global<const float> weight, Global<float> out,
                                 EpilogueOperands operands) {
  convolution<narrow>(in, weight, out, operands);
}

constexpr Convolution grouped{
    .in = {.n = 1, .h = 28, .w = 28, .c = 128, .pixel = 128, .element = Element::BF16, .align = 8},
    .out = {.n = 1, .h = 28, .w = 28, .c = 128, .pixel = 128, .element = Element::BF16, .align = 8},
    .kernel = {3, 3},
    .padding = {1, 1},
    .groups = 8,
    .arithmetic = Arithmetic::BF16,
    .epilogue = {.bias = true},
    .tile = {.m = 64, .n = 16, .k_bytes = 32, .warps_m = 4, .warps_n = 1, .stages = 4}};

VN_KERNEL(grouped.tile.threads())
conv_3x3_g8_28x28x128_bf16(Global<const bf16> in, Global<const bf16> weight, Global<bf16> out,
                           EpilogueOperands operands) {
  convolution<grouped>(in, weight, out, operands);
}

// By warp groups, for sm_90a.
constexpr HopperConvolution hopper_3x3{forward, 64, 6};

VN_KERNEL_ALONE(hopper_3x3.threads)
hopper_conv_3x3_56x56x64_to_62of88(VN_TENSOR_MAP in, VN_TENSOR_MAP weight, Global<bf16> out,
                                   EpilogueOperands operands) {
  hopper_convolution<hopper_3x3>(in, weight, out, operands);
}

constexpr Map deep{.n = 32, .h = 14, .w = 14, .c = 1024, .pixel = 1024, .element = Element::BF16, .align = 8};
constexpr HopperConvolution hopper_1x1{
    {.in = {.n = 32, .h = 14, .w = 14, .c = 256, .pixel = 256, .element = Element::BF16, .align = 8},
     .out = deep,
     .arithmetic = Arithmetic::BF16,
     .epilogue = {.bias = true,
                  .addends = 1,
                  .addend = {{deep, {1, 1}}},
                  .activation = Activation::Relu,
                  .sums = Sums::Moments}},
    256,
    3};

VN_KERNEL_ALONE(hopper_1x1.threads)
hopper_conv_1x1_14x14x256_to_1024(VN_TENSOR_MAP in, VN_TENSOR_MAP weight, Global<bf16> out,
                                  EpilogueOperands operands) {
  hopper_convolution<hopper_1x1>(in, weight, out, operands);
}

// A network's first convolution, a tap for each row of the window.
constexpr Convolution first{
    .in = {.n = 8, .h = 224, .w = 224, .c = 3, .pixel = 4, .element = Element::BF16, .align = 4},
    .out = {.n = 8, .h = 112, .w = 112, .c = 64, .pixel = 64, .element = Element::BF16, .align = 8},
    .kernel = {7, 7},
    .stride = {2, 2},
    .padding = {3, 3},
    .arithmetic = Arithmetic::BF16,
    .epilogue = {.bias = true, .activation = Activation::Relu}};
constexpr PaddedRows rows = padded_rows_of(first), rows_of_array{rows.in, rows.width, rows.left, true};

VN_KERNEL(256) pad_rows(Global<const bf16> in, Global<bf16> out) { padded_rows<rows>(in, out); }
VN_KERNEL(256) pad_rows_of_array(Global<const float> in, Global<bf16> out) {
  padded_rows<rows_of_array>(in, out);
}

constexpr HopperConvolution hopper_row_taps{by_rows(first), 64, 8};

VN_KERNEL_ALONE(hopper_row_taps.threads)
hopper_conv_7x7_s2_row_taps(VN_TENSOR_MAP in, VN_TENSOR_MAP weight, Global<bf16> out,
                            EpilogueOperands operands) {
  hopper_convolution<hopper_row_taps>(in, weight, out, operands);
}

constexpr WeightLayout layout_of_rows{
    .outputs = 64, .inputs = 3, .kernel = {7, 7}, .arithmetic = Arithmetic::BF16, .row_taps = true};

VN_KERNEL(256) pack_7x7_row_taps(Global<const float> weight, Global<bf16> packed) {
  pack_weights<layout_of_rows>(weight, packed);
}

constexpr HopperRows stem_rows{by_rows(first)};

VN_KERNEL_ALONE(stem_rows.threads)
hopper_rows_7x7_s2_224x224x3_to_64(Global<const bf16> in, Global<const bf16> weight, Global<bf16> out,
                                   EpilogueOperands operands) {
  hopper_rows<stem_rows>(in, weight, out, operands);
}
