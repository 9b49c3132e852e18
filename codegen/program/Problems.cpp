#include "codegen/program/Problems.h"

#include "dsl/ShapeRules.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

#include <cstdio>

namespace vernier::codegen {

const char *nameOf(Binary op) {
  switch (op) {
  case Binary::Add:
    return "add";
  case Binary::Subtract:
    return "subtract";
  case Binary::Multiply:
    return "multiply";
  case Binary::Divide:
    return "divide";
  }
  return "";
}

namespace {

struct Name {
  const char *operator()(const ConvolutionProblem &p) const {
    return p.direction == Direction::Forward ? "convolution" : "convolution_input_gradient";
  }
  const char *operator()(const WeightLayoutProblem &) const { return "weight_layout"; }
  const char *operator()(const WeightGradientProblem &) const { return "weight_gradient"; }
  const char *operator()(const PoolProblem &p) const {
    return p.kind == PoolKind::Max ? "max_pool" : "average_pool";
  }
  const char *operator()(const PoolGradientProblem &p) const {
    return p.pool.kind == PoolKind::Max ? "max_pool_gradient" : "average_pool_gradient";
  }
  const char *operator()(const ChannelReductionProblem &p) const {
    return p.b                                     ? "pixel_dot"
           : p.reduction == ChannelReduction::Sum  ? "pixel_sum"
           : p.reduction == ChannelReduction::Mean ? "channel_mean"
                                                   : "channel_max";
  }
  const char *operator()(const ChannelBroadcastProblem &) const { return "channel_broadcast"; }
  const char *operator()(const ChannelMaxGradientProblem &) const { return "channel_max_gradient"; }
  const char *operator()(const SpatialSumProblem &p) const {
    return p.mean ? "spatial_mean" : p.b ? "spatial_dot" : "spatial_sum";
  }
  const char *operator()(const SpatialBroadcastProblem &) const { return "spatial_broadcast"; }
  const char *operator()(const ResizeProblem &) const { return "resize"; }
  const char *operator()(const ResizeGradientProblem &) const { return "resize_gradient"; }
  const char *operator()(const ResampleProblem &) const { return "resample"; }
  const char *operator()(const ShiftProblem &) const { return "shift"; }
  const char *operator()(const ReplicateGradientProblem &) const { return "replicate_gradient"; }
  const char *operator()(const ChannelShuffleProblem &) const { return "channel_shuffle"; }
  const char *operator()(const BinaryProblem &p) const { return nameOf(p.op); }
  const char *operator()(const ActivationProblem &) const { return "activation"; }
  const char *operator()(const ActivationGradientProblem &) const { return "activation_gradient"; }
  const char *operator()(const AffineProblem &) const { return "affine"; }
  const char *operator()(const FillProblem &) const { return "fill"; }
  const char *operator()(const CopyProblem &) const { return "copy"; }
  const char *operator()(const ArrayProblem &p) const { return p.toArray ? "to_array" : "from_array"; }
  const char *operator()(const BatchSumsProblem &) const { return "batch_sums"; }
  const char *operator()(const BatchFinishProblem &) const { return "batch_finish"; }
  const char *operator()(const UpdateRunningProblem &) const { return "update_running"; }
  const char *operator()(const BatchGradientSumsProblem &) const { return "batch_gradient_sums"; }
  const char *operator()(const BatchGradientFinishProblem &) const { return "batch_gradient_finish"; }
  const char *operator()(const BatchGradientApplyProblem &) const { return "batch_gradient_apply"; }
  const char *operator()(const LayerNormProblem &) const { return "layer_norm"; }
  const char *operator()(const LayerNormGradientProblem &) const { return "layer_norm_gradient"; }
  const char *operator()(const LayerNormGradientSumsProblem &) const { return "layer_norm_gradient_sums"; }
  const char *operator()(const LayerNormGradientFinishProblem &) const {
    return "layer_norm_gradient_finish";
  }
  const char *operator()(const GroupNormProblem &) const { return "group_norm"; }
  const char *operator()(const GroupNormGradientProblem &) const { return "group_norm_gradient"; }
  const char *operator()(const PreluProblem &) const { return "prelu"; }
  const char *operator()(const PreluGradientProblem &) const { return "prelu_gradient"; }
  const char *operator()(const SoftmaxProblem &p) const { return p.log ? "log_softmax" : "softmax"; }
  const char *operator()(const SpatialSoftmaxProblem &) const { return "spatial_softmax"; }
  const char *operator()(const MatmulProblem &) const { return "matmul"; }
  const char *operator()(const BlocksToChannelsProblem &p) const {
    return p.toChannels() ? "blocks_to_channels" : "channels_to_blocks";
  }
  const char *operator()(const ChannelSumsProblem &) const { return "channel_sums"; }
  const char *operator()(const FoldWeightProblem &) const { return "fold_weight"; }
  const char *operator()(const FoldScaleProblem &) const { return "fold_scale"; }
  const char *operator()(const FoldBiasProblem &) const { return "fold_bias"; }
  const char *operator()(const ScaleParameterProblem &) const { return "scale_parameter"; }
  const char *operator()(const SoftmaxLossProblem &) const { return "softmax_loss"; }
  const char *operator()(const SoftmaxLossGradientProblem &) const { return "softmax_loss_gradient"; }
  const char *operator()(const PointwiseLossProblem &) const { return "pointwise_loss"; }
  const char *operator()(const PointwiseLossGradientProblem &) const { return "pointwise_loss_gradient"; }
  const char *operator()(const CountLabelsProblem &) const { return "count_labels"; }
  const char *operator()(const MeanLossProblem &) const { return "mean_loss"; }
  const char *operator()(const NumbersProblem &) const { return "numbers"; }
  const char *operator()(const WeightedSumProblem &) const { return "weighted_sum"; }
  const char *operator()(const KeepMaskProblem &) const { return "keep_mask"; }
  const char *operator()(const SgdProblem &) const { return "sgd"; }
  const char *operator()(const AccumulateProblem &) const { return "accumulate_gradient"; }
  const char *operator()(const CheckFiniteProblem &) const { return "check_finite"; }
};

// What follows the name.
class Text {
public:
  std::string text;

  void operator()(const ConvolutionProblem &p) {
    map(p.in)
        .to(p.out)
        .pair("", p.kernel)
        .other("stride", p.stride, {1, 1})
        .other("padding", p.padding, {0, 0});
    other("dilation", p.dilation, {1, 1}).groups(p.groups).epilogue(p.epilogue);
  }
  void operator()(const WeightLayoutProblem &p) {
    number("", p.outputs).number("of", p.inputs).pair("", p.kernel).groups(p.groups);
    word(elementSuffix(p.element)).word(p.direction == Direction::Forward ? "" : "transposed");
  }
  void operator()(const WeightGradientProblem &p) {
    map(p.x)
        .map(p.dy)
        .pair("", p.kernel)
        .other("stride", p.stride, {1, 1})
        .other("padding", p.padding, {0, 0});
    other("dilation", p.dilation, {1, 1}).groups(p.groups);
  }
  void operator()(const PoolProblem &p) {
    map(p.in).to(p.out).pair("", p.kernel).other("stride", p.stride, {1, 1});
    if (p.padding != std::array<int64_t, 4>{0, 0, 0, 0}) {
      pair("padding", {p.padding[0], p.padding[1]}).pair("", {p.padding[2], p.padding[3]});
      word(p.kind == PoolKind::Average && p.countPadding ? "counted" : "");
    }
  }
  void operator()(const PoolGradientProblem &p) {
    (*this)(p.pool);
    map(p.dy).to(p.dx).epilogue(p.epilogue);
  }
  void operator()(const ChannelReductionProblem &p) {
    map(p.a);
    if (p.b)
      map(*p.b);
    to(p.out);
  }
  void operator()(const ChannelBroadcastProblem &p) { map(p.in).to(p.out).real("times", p.factor); }
  void operator()(const ChannelMaxGradientProblem &p) { map(p.x).map(p.y).map(p.dy).to(p.dx); }
  void operator()(const SpatialSumProblem &p) {
    map(p.a);
    if (p.b)
      map(*p.b);
    to(p.out);
  }
  void operator()(const SpatialBroadcastProblem &p) { map(p.in).to(p.out).real("times", p.factor); }
  void operator()(const ResizeProblem &p) {
    word(p.bilinear ? "bilinear" : "nearest").word(p.alignCorners ? "corners" : "").map(p.in).to(p.out);
    if (p.scale != 0)
      real("scale", p.scale);
  }
  void operator()(const ResizeGradientProblem &p) { (*this)(p.resize); }
  void operator()(const ResampleProblem &p) {
    word(nameOf(p.kind)).word(p.transposed ? "transposed" : "").word(p.alignCorners ? "corners" : "");
    map(p.in).to(p.out);
    if (p.scale != 0)
      real("scale", p.scale);
  }
  void operator()(const ShiftProblem &p) {
    map(p.in).to(p.out).pair("by", {p.top, p.left}).word(p.replicate ? "replicate" : "");
  }
  void operator()(const ReplicateGradientProblem &p) { map(p.dy).to(p.dx).pair("by", {p.top, p.left}); }
  void operator()(const ChannelShuffleProblem &p) { map(p.in).to(p.out).groups(p.groups); }
  void operator()(const BinaryProblem &p) { map(p.a).map(p.b).to(p.y).activation(p.activation); }
  void operator()(const ActivationProblem &p) { map(p.x).to(p.y).activation(p.activation); }
  void operator()(const ActivationGradientProblem &p) {
    map(p.y).map(p.dy).to(p.dx).activation(p.activation);
  }
  void operator()(const AffineProblem &p) {
    map(p.x).word(p.shift ? "" : "no shift");
    if (p.addend)
      word("plus").map(*p.addend);
    to(p.y).activation(p.activation);
  }
  void operator()(const FillProblem &p) { to(p.y).real("with", p.value); }
  void operator()(const CopyProblem &p) { map(p.x).to(p.y); }
  void operator()(const ArrayProblem &p) { map(p.map); }
  void operator()(const BatchSumsProblem &p) { map(p.x); }
  void operator()(const BatchFinishProblem &p) {
    map(p.x).number("parts", p.parts).real("epsilon", p.epsilon);
  }
  void operator()(const UpdateRunningProblem &p) {
    number("channels", p.channels).real("momentum", p.momentum).number("count", p.count);
  }
  void operator()(const BatchGradientSumsProblem &p) {
    map(p.x).map(p.dy);
    if (p.activation != Activation::None)
      map(p.y).activation(p.activation);
  }
  void operator()(const BatchGradientFinishProblem &p) {
    map(p.x).number("parts", p.parts).real("epsilon", p.epsilon);
  }
  void operator()(const BatchGradientApplyProblem &p) {
    map(p.x).map(p.dy);
    if (p.activation != Activation::None)
      map(p.y).activation(p.activation);
    to(p.dx);
  }
  void operator()(const LayerNormProblem &p) { map(p.x).to(p.y).real("epsilon", p.epsilon); }
  void operator()(const LayerNormGradientProblem &p) {
    map(p.x).map(p.dy).to(p.dx).real("epsilon", p.epsilon);
  }
  void operator()(const LayerNormGradientSumsProblem &p) { map(p.x).map(p.dy); }
  void operator()(const LayerNormGradientFinishProblem &p) { map(p.x).number("parts", p.parts); }
  void operator()(const GroupNormProblem &p) {
    map(p.x).to(p.y).number("groups", p.groups).real("epsilon", p.epsilon);
  }
  void operator()(const GroupNormGradientProblem &p) {
    map(p.x).map(p.dy).to(p.dx).number("groups", p.groups).real("epsilon", p.epsilon);
  }
  void operator()(const PreluProblem &p) { map(p.x).to(p.y).number("slopes", p.slopes()); }
  void operator()(const PreluGradientProblem &p) { map(p.x).map(p.dy).to(p.dx).number("slopes", p.slopes()); }
  void operator()(const SoftmaxProblem &p) { map(p.x).to(p.y).number("runs", p.runs); }
  void operator()(const SpatialSoftmaxProblem &p) { map(p.x).to(p.y); }
  void operator()(const MatmulProblem &p) {
    map(p.a).map(p.b).to(p.y).number("transposed", int64_t(p.transposeA) + 2 * int64_t(p.transposeB));
  }
  void operator()(const BlocksToChannelsProblem &p) { map(p.in).to(p.out).number("factor", p.factor); }
  void operator()(const ChannelSumsProblem &p) { map(p.dy); }
  void operator()(const FoldWeightProblem &p) {
    number("", p.outputs).number("of", p.perOutput).real("epsilon", p.epsilon);
  }
  void operator()(const FoldScaleProblem &p) { number("", p.channels).real("epsilon", p.epsilon); }
  void operator()(const FoldBiasProblem &p) {
    number("", p.channels).word(p.bias ? "bias" : "").real("epsilon", p.epsilon);
  }
  void operator()(const ScaleParameterProblem &p) { number("", p.outputs).number("of", p.perOutput); }
  void operator()(const SoftmaxLossProblem &p) { map(p.logits).ignored(p.ignored).weighted(p.weighted); }
  void operator()(const SoftmaxLossGradientProblem &p) {
    map(p.logits).to(p.gradient).ignored(p.ignored).weighted(p.weighted).real("weight", p.weight);
  }
  void operator()(const PointwiseLossProblem &p) { pointwise(p.function, p.x, p.target); }
  void operator()(const PointwiseLossGradientProblem &p) {
    pointwise(p.function, p.x, p.target).to(p.gradient).real("weight", p.weight);
  }
  void operator()(const CountLabelsProblem &p) {
    number("of", p.labels).ignored(p.ignored).parts(p.parts);
    if (p.classes != 0)
      number("weights", p.classes);
  }
  void operator()(const MeanLossProblem &p) {
    number("of", p.sums).word(p.count ? "" : "counted");
    if (p.count && *p.count * p.parts != p.sums)
      number("of", *p.count);
    parts(p.parts);
  }
  void operator()(const NumbersProblem &p) { word(p.name()); }
  void operator()(const WeightedSumProblem &p) {
    for (const double weight : p.weights)
      real("", weight);
    if (p.size != 1)
      number("each", p.size);
  }
  void operator()(const KeepMaskProblem &p) {
    map(p.mask).number("below", p.threshold).number("stream", p.stream).word(p.image ? "image" : "");
  }
  void operator()(const SgdProblem &p) { number("", p.count); }
  void operator()(const AccumulateProblem &p) { number("", p.count); }
  void operator()(const CheckFiniteProblem &p) { number("", p.count); }

private:
  Text &ignored(std::optional<int64_t> label) { return label ? number("ignored", *label) : *this; }
  Text &weighted(bool weighted) { return word(weighted ? "weighted" : ""); }
  Text &pointwise(const PointwiseFunction &f, const View &x, const View &target) {
    word(nameOf(f.kind));
    if (f.isSharp())
      real("sharpness", f.sharpness);
    if (f.kind == Pointwise::Focal)
      real("share", f.share);
    map(x);
    return f.hasTarget() ? map(target) : *this;
  }
  Text &word(const std::string &value) {
    if (!value.empty())
      text += " " + value;
    return *this;
  }
  Text &number(const char *what, int64_t value) { return word(what).word(std::to_string(value)); }
  Text &real(const char *what, double value) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.9g", value);
    return word(what).word(digits);
  }
  Text &pair(const char *what, const std::array<int64_t, 2> &values) {
    return word(what).word(std::to_string(values[0]) + "x" + std::to_string(values[1]));
  }
  Text &other(const char *what, const std::array<int64_t, 2> &values, const std::array<int64_t, 2> &usual) {
    return values == usual ? *this : pair(what, values);
  }
  Text &groups(int64_t groups) { return groups == 1 ? *this : number("groups", groups); }
  Text &parts(int64_t parts) { return parts == 1 ? *this : number("parts", parts); }
  Text &map(const View &view) { return word(view.name()); }
  Text &to(const View &view) { return word("to").word(view.name()); }
  Text &activation(Activation activation) { return word(activationName(activation)); }
  Text &epilogue(const Epilogue &epilogue) { return word(epilogue.name()); }
};

} // namespace

bool coversMap(const PoolProblem &pool) {
  return pool.out.h == 1 && pool.out.w == 1 && pool.padding == std::array<int64_t, 4>{0, 0, 0, 0} &&
         pool.kernel == std::array<int64_t, 2>{pool.in.h, pool.in.w};
}

bool disjointWindows(const PoolProblem &pool) {
  const auto along = [&](int axis, int64_t in, int64_t out) {
    return dsl::disjointWindows(in, pool.kernel[axis], pool.stride[axis], pool.padding[2 * axis], out);
  };
  return along(0, pool.in.h, pool.out.h) && along(1, pool.in.w, pool.out.w);
}

const char *nameOf(const Problem &problem) { return std::visit(Name(), problem); }

std::vector<dsl::ResamplingRun> ResampleProblem::runs(int axis) const {
  int64_t from = axis == 0 ? in.h : in.w, to = axis == 0 ? out.h : out.w;
  if (transposed)
    std::swap(from, to);
  return dsl::resamplingRuns({kind, from, to, alignCorners, scale}, transposed);
}

std::string NumbersProblem::name() const {
  const llvm::ArrayRef bytes(reinterpret_cast<const uint8_t *>(values.data()), 8 * values.size());
  return std::to_string(values.size()) + "_" + llvm::utohexstr(llvm::xxh3_64bits(bytes), /*LowerCase=*/true);
}

int64_t macsOf(const Problem &problem) {
  if (const auto *p = std::get_if<ConvolutionProblem>(&problem)) {
    // A weight meets each pixel of the convolution's result, which an input gradient reads.
    const View &result = p->direction == Direction::Forward ? p->out : p->in;
    const View &input = p->direction == Direction::Forward ? p->in : p->out;
    return result.size() * (input.c / p->groups) * p->kernel[0] * p->kernel[1];
  }
  if (const auto *p = std::get_if<WeightGradientProblem>(&problem))
    return p->dy.size() * (p->x.c / p->groups) * p->kernel[0] * p->kernel[1];
  if (const auto *p = std::get_if<MatmulProblem>(&problem))
    return p->y.size() * p->inner();
  return 0;
}

std::string textOf(const Problem &problem) {
  Text text;
  std::visit(text, problem);
  return nameOf(problem) + text.text;
}

} // namespace vernier::codegen
