// Kernels of maps, parameters and losses, so that nvcc compiles one or two of each template.
#include "codegen/cuda/device/arrays.cuh"
#include "codegen/cuda/device/batch_norm.cuh"
#include "codegen/cuda/device/batch_norm_gradient.cuh"
#include "codegen/cuda/device/channel_reduction.cuh"
#include "codegen/cuda/device/elementwise.cuh"
#include "codegen/cuda/device/fold.cuh"
#include "codegen/cuda/device/layer_norm.cuh"
#include "codegen/cuda/device/losses.cuh"
#include "codegen/cuda/device/optimizer.cuh"
#include "codegen/cuda/device/random.cuh"

using namespace vn;

constexpr Map wide{8, 56, 56, 62, 88, Element::BF16, 8}, dense{8, 56, 56, 62, 62, Element::F32, 2};
constexpr Map pooled{8, 1, 1, 62, 62, Element::F32, 2}, image{8, 224, 224, 3, 3, Element::F32, 1};
constexpr Map padded_image{256, 224, 224, 3, 8, Element::BF16, 8};

constexpr Binary sum{.a = wide, .b = dense, .y = wide, .activation = Activation::Relu};
VN_KERNEL(256) add_relu(Global<const bf16> a, Global<const float> b, Global<bf16> y) { binary<sum>(a, b, y); }
constexpr Binary gate{.op = Operation::Multiply, .a = dense, .b = pooled, .y = dense};
VN_KERNEL(256) multiply(Global<const float> a, Global<const float> b, Global<float> y) {
  binary<gate>(a, b, y);
}

constexpr Map attention{8, 56, 56, 1, 1, Element::F32, 1};
constexpr Binary spatial_gate{.op = Operation::Multiply, .a = wide, .b = attention, .y = wide};
VN_KERNEL(256) multiply_per_pixel(Global<const bf16> a, Global<const float> b, Global<bf16> y) {
  binary<spatial_gate>(a, b, y);
}
constexpr ChannelReduction channel_mean{.reduction = Reduction::Mean, .a = wide, .out = attention};
VN_KERNEL(256) channel_mean_62(Global<const bf16> x, Global<float> y) {
  channel_reduction<channel_mean>(x, nullptr, y);
}
constexpr ChannelReduction channel_max{.reduction = Reduction::Max, .a = wide, .out = attention};
VN_KERNEL(256) channel_max_62(Global<const bf16> x, Global<float> y) {
  channel_reduction<channel_max>(x, nullptr, y);
}
constexpr ChannelReduction pixel_dot{.dot = true, .a = wide, .b = dense, .out = attention};
VN_KERNEL(256) pixel_dot_62(Global<const bf16> a, Global<const float> b, Global<float> y) {
  channel_reduction<pixel_dot>(a, b, y);
}
constexpr ChannelBroadcast from_mean{.in = attention, .out = wide, .factor = 1.0f / 62};
VN_KERNEL(256) channel_broadcast_62(Global<const float> x, Global<bf16> y) {
  channel_broadcast<from_mean>(x, y);
}
constexpr ChannelMaxGradient from_max{.x = wide, .y = attention, .dy = attention, .dx = dense};
VN_KERNEL(256)
channel_max_gradient_62(Global<const bf16> x, Global<const float> y, Global<const float> dy,
                        Global<float> dx) {
  channel_max_gradient<from_max>(x, y, dy, dx);
}

constexpr Binary quotient{.op = Operation::Divide,
                          .a = wide,
                          .b = dense,
                          .y = wide,
                          .activation = {Activation::ScaleShift, 2.0f, -0.5f}};
VN_KERNEL(256) divide(Global<const bf16> a, Global<const float> b, Global<bf16> y) {
  binary<quotient>(a, b, y);
}

constexpr Activate gates{.x = dense, .y = wide, .activation = Activation::Sigmoid};
VN_KERNEL(256) activate_sigmoid(Global<const float> x, Global<bf16> y) { activate<gates>(x, y); }
constexpr Activate exact_gelu{.x = dense, .y = wide, .activation = Activation::Gelu};
VN_KERNEL(256) activate_gelu(Global<const float> x, Global<bf16> y) { activate<exact_gelu>(x, y); }
constexpr ActivationGradient swish{.y = wide, .dy = wide, .dx = dense, .activation = Activation::Silu};
VN_KERNEL(256) silu_gradient(Global<const bf16> x, Global<const bf16> dy, Global<float> dx) {
  activation_gradient<swish>(x, dy, dx);
}
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

constexpr Affine factors{.x = wide, .y = wide, .shifts = false};
VN_KERNEL(256) scale_channels(Global<const bf16> x, Global<const float> scale, Global<bf16> y) {
  affine<factors>(x, scale, nullptr, nullptr, y);
}

constexpr Map tokens{8, 14, 14, 384, 384, Element::BF16, 8};
constexpr LayerNorm layer{.x = tokens, .y = tokens, .parameters = 4, .epsilon = 1e-6};
VN_KERNEL(256)
layer_norm_384(Global<const bf16> x, Global<const float> gamma, Global<const float> beta, Global<bf16> y) {
  layer_norm<layer>(x, gamma, beta, y);
}
constexpr LayerNorm few{.x = wide, .y = dense, .epsilon = 1e-5};
VN_KERNEL(256)
layer_norm_62(Global<const bf16> x, Global<const float> gamma, Global<const float> beta, Global<float> y) {
  layer_norm<few>(x, gamma, beta, y);
}
constexpr LayerNormGradient layer_gradient{
    .x = tokens, .dy = tokens, .dx = tokens, .parameters = 4, .epsilon = 1e-6};
VN_KERNEL(256)
layer_norm_gradient_384(Global<const bf16> x, Global<const bf16> dy, Global<const float> gamma,
                        Global<bf16> dx, Global<float> statistics) {
  layer_norm_gradient<layer_gradient>(x, dy, gamma, dx, statistics);
}
constexpr LayerNormGradientSums layer_sums{.x = tokens, .dy = tokens};
VN_KERNEL(256)
layer_norm_gradient_sums_384(Global<const bf16> x, Global<const bf16> dy, Global<const float> statistics,
                             Global<double> parts) {
  layer_norm_gradient_sums<layer_sums>(x, dy, statistics, parts);
}
constexpr LayerNormGradientFinish layer_finish{.channels = 384, .parts = parts_of(layer_sums)};
VN_KERNEL(layer_finish.all().threads())
layer_norm_gradient_finish_384(Global<const double> sums, Global<float> dgamma, Global<float> dbeta) {
  layer_norm_gradient_finish<layer_finish>(sums, dgamma, dbeta);
}

constexpr Fill ones{.y = wide, .value = 1};
VN_KERNEL(256) fill_ones(Global<bf16> y) { fill<ones>(y); }
constexpr Copy narrowed{.x = dense, .y = wide};
VN_KERNEL(256) copy_narrowed(Global<const float> x, Global<bf16> y) { copy<narrowed>(x, y); }

constexpr Array read{.map = image};
VN_KERNEL(256) read_image(Global<const float> array, Global<float> map) { from_array<read>(array, map); }
constexpr Array read_whole{.map = padded_image, .alone = true};
VN_KERNEL(256) read_pixels(Global<const float> array, Global<bf16> map) {
  from_array<read_whole>(array, map);
}
constexpr Array written{.map = wide, .to_array = true};
VN_KERNEL(256) write_map(Global<const bf16> map, Global<float> array) { to_array<written>(map, array); }

constexpr FoldWeight folded_weight{.outputs = 64, .per_output = 147, .epsilon = 1e-5};
VN_KERNEL(256)
fold_weight_64x147(Global<const float> weight, Global<const float> gamma, Global<const float> variance,
                   Global<float> folded) {
  fold_weight<folded_weight>(weight, gamma, variance, folded);
}
constexpr ScaleParameter scaled{.outputs = 64, .per_output = 147};
VN_KERNEL(256)
scale_parameter_64x147(Global<const float> parameter, Global<const float> scale, Global<float> result) {
  scale_parameter<scaled>(parameter, scale, result);
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

constexpr BatchSums moments{.x = wide};
VN_KERNEL(256) batch_sums_wide(Global<const bf16> x, Global<double> parts) { batch_sums<moments>(x, parts); }
constexpr BatchSums exact_moments{.x = pooled};
VN_KERNEL(256) batch_sums_f32(Global<const float> x, Global<double> parts) {
  batch_sums<exact_moments>(x, parts);
}
constexpr BatchFinish moments_finish{.x = wide, .parts = parts_of(moments), .epsilon = 1e-5};
VN_KERNEL(moments_finish.all().threads())
batch_finish_wide(Global<const double> sums, Global<const float> gamma, Global<const float> beta,
                  Global<float> mean, Global<float> variance, Global<float> scale, Global<float> shift) {
  batch_finish<moments_finish>(sums, gamma, beta, mean, variance, scale, shift);
}
constexpr UpdateRunning running{.channels = 62, .count = 25088, .momentum = 0.1};
VN_KERNEL(256)
update_running_62(Global<const float> mean, Global<const float> variance, Global<float> running_mean,
                  Global<float> running_variance) {
  update_running<running>(mean, variance, running_mean, running_variance);
}

constexpr BatchGradientSums gradient_sums{.x = wide, .dy = wide, .y = wide, .activation = Activation::Relu};
VN_KERNEL(256)
batch_gradient_sums_relu(Global<const bf16> x, Global<const bf16> dy, Global<const bf16> y,
                         Global<const float> mean, Global<double> parts) {
  batch_gradient_sums<gradient_sums>(x, dy, y, mean, parts);
}
constexpr BatchGradientFinish gradient_finish{.x = wide, .parts = 20000, .epsilon = 1e-5};
VN_KERNEL(gradient_finish.all().threads())
batch_gradient_finish_wide(Global<const double> sums, Global<const float> gamma, Global<const float> mean,
                           Global<const float> variance, Global<float> dgamma, Global<float> dbeta,
                           Global<float> coefficients) {
  batch_gradient_finish<gradient_finish>(sums, gamma, mean, variance, dgamma, dbeta, coefficients);
}
constexpr BatchGradientApply gradient_apply{
    .x = wide, .dy = wide, .y = wide, .dx = wide, .activation = Activation::Relu};
VN_KERNEL(256)
batch_gradient_apply_relu(Global<const bf16> x, Global<const bf16> dy, Global<const bf16> y,
                          Global<const float> coefficients, Global<bf16> dx) {
  batch_gradient_apply<gradient_apply>(x, dy, y, coefficients, dx);
}

constexpr ChannelSums bias_sums{.dy = dense};
VN_KERNEL(256) channel_sums_dense(Global<const float> dy, Global<double> parts) {
  channel_sums<bias_sums>(dy, parts);
}
constexpr ChannelSumsFinish bias_finish{.channels = 62, .parts = parts_of(bias_sums)};
VN_KERNEL(bias_finish.all().threads())
channel_sums_finish_62(Global<const double> parts, Global<float> result) {
  channel_sums_finish<bias_finish>(parts, result);
}

constexpr Map logits{.n = 32, .c = 1000, .pixel = 1000, .align = 4};
constexpr SoftmaxLoss classes{.logits = logits};
VN_KERNEL(classes.threads())
softmax_loss_32x1000(Global<const float> z, Global<const int> labels, Global<const float> smoothing,
                     Global<float> sums) {
  softmax_loss<classes>(z, labels, smoothing, nullptr, sums);
}
constexpr SoftmaxGradient classes_gradient{.logits = logits, .gradient = logits};
VN_KERNEL(classes_gradient.threads())
softmax_gradient_32x1000(Global<const float> z, Global<const int> labels, Global<const float> smoothing,
                         Global<float> gradient) {
  softmax_gradient<classes_gradient>(z, labels, smoothing, nullptr, nullptr, gradient);
}
constexpr Map mask{.n = 8, .h = 56, .w = 56, .c = 21, .pixel = 24, .align = 4};
constexpr SoftmaxLoss pixels{.logits = mask, .ignored = 255, .ignores = true, .weighted = true};
VN_KERNEL(pixels.threads())
softmax_loss_8x56x56x21(Global<const float> z, Global<const int> labels, Global<const float> smoothing,
                        Global<const float> weights, Global<float> sums) {
  softmax_loss<pixels>(z, labels, smoothing, weights, sums);
}
constexpr SoftmaxGradient pixels_gradient{
    .logits = mask, .gradient = mask, .ignored = 255, .ignores = true, .weighted = true, .weight = 0.4};
VN_KERNEL(pixels_gradient.threads())
softmax_gradient_8x56x56x21(Global<const float> z, Global<const int> labels, Global<const float> smoothing,
                            Global<const float> count, Global<const float> weights, Global<float> gradient) {
  softmax_gradient<pixels_gradient>(z, labels, smoothing, count, weights, gradient);
}
constexpr CountLabels labelled{.count = 8 * 56 * 56, .ignored = 255, .ignores = true, .weighted = true};
VN_KERNEL(labelled.threads())
count_labels_25088(Global<const int> labels, Global<const float> weights, Global<float> number) {
  count_labels<labelled>(labels, weights, number);
}
constexpr NumberTable<3> class_weights{{1.0f, 0.5f, 2.0f}};
VN_KERNEL(1) numbers_3(Global<float> out) { numbers<class_weights>(out); }
constexpr KeepMask kept{.mask = mask, .below = 1u << 30, .stream = 7};
VN_KERNEL(kept.threads()) keep_mask_8x56x56x21(Global<const int> state, Global<float> y) {
  keep_mask<kept>(state, y);
}
constexpr PointwiseLoss attributes{
    .x = logits, .target = logits, .function = {Pointwise::Focal, 2.0f, 0.25f}};
VN_KERNEL(attributes.threads())
focal_loss_32x1000(Global<const float> z, Global<const float> targets, Global<float> sums) {
  pointwise_loss<attributes>(z, targets, sums);
}
constexpr PointwiseGradient attributes_gradient{
    .x = logits, .target = logits, .gradient = logits, .function = {Pointwise::Focal, 2.0f, 0.25f}};
VN_KERNEL(attributes_gradient.threads())
focal_gradient_32x1000(Global<const float> z, Global<const float> targets, Global<float> gradient) {
  pointwise_gradient<attributes_gradient>(z, targets, gradient);
}
constexpr MeanLoss all_images{.sums = 32, .count = 32};
VN_KERNEL(all_images.threads()) mean_loss_32(Global<const float> sums, Global<float> mean) {
  mean_loss<all_images>(sums, nullptr, mean);
}
constexpr WeightedSum auxiliary{.terms = 2, .first = 1, .second = 0.4};
VN_KERNEL(1) weighted_sum_2(Global<const float> loss, Global<const float> side, Global<float> sum) {
  weighted_sum<auxiliary>(loss, side, nullptr, nullptr, nullptr, sum);
}

constexpr Sgd step{.count = 9408};
VN_KERNEL(256)
sgd_9408(Global<const float> gradient, Global<const float> rate, Global<const float> factor,
         Global<const float> decay, Global<const int> nesterov, Global<const int> trained,
         Global<float> weight, Global<float> momentum, Global<int> not_finite) {
  sgd<step>(gradient, rate, factor, decay, nesterov, trained, weight, momentum, not_finite);
}
constexpr Accumulate accumulated{.count = 9408};
VN_KERNEL(256)
accumulate_9408(Global<float> gradient, Global<const int> how, Global<float> sum, Global<int> not_finite) {
  accumulate<accumulated>(gradient, how, sum, not_finite);
}
constexpr CheckFinite checked{.count = 64};
VN_KERNEL(256) check_finite_64(Global<const float> numbers, Global<int> not_finite) {
  check_finite<checked>(numbers, not_finite);
}
