// Everything but convolutions.
#include "codegen/cuda/device/arrays.cuh"
#include "codegen/cuda/device/batch_norm.cuh"
#include "codegen/cuda/device/batch_norm_gradient.cuh"
#include "codegen/cuda/device/channel_reduction.cuh"
#include "codegen/cuda/device/channel_shuffle.cuh"
#include "codegen/cuda/device/elementwise.cuh"
#include "codegen/cuda/device/fold.cuh"
#include "codegen/cuda/device/layer_norm.cuh"
#include "codegen/cuda/device/optimizer.cuh"
#include "codegen/cuda/device/pixel_sums.cuh"
#include "codegen/cuda/device/pool_gradient.cuh"
#include "codegen/cuda/device/resize.cuh"
#include "codegen/cuda/device/shift.cuh"
#include "codegen/cuda/device/spatial.cuh"
#include "codegen/cuda/schedule/Selection.h"

namespace vernier::codegen {
static ::vn::Operation operationOf(Binary op) {
  switch (op) {
  case Binary::Add:
    return ::vn::Operation::Add;
  case Binary::Subtract:
    return ::vn::Operation::Subtract;
  case Binary::Multiply:
    return ::vn::Operation::Multiply;
  case Binary::Divide:
    return ::vn::Operation::Divide;
  }
  return ::vn::Operation::Add;
}

static std::string textOf(::vn::Operation op) {
  static constexpr const char *names[] = {"Add", "Subtract", "Multiply", "Divide"};
  return std::string("vn::Operation::") + names[size_t(op)];
}

static Constant constantOf(const ::vn::Pool &pool) {
  Constant constant, padding;
  const ::vn::Border &p = pool.padding;
  padding.field("top", p.top).field("bottom", p.bottom).field("left", p.left).field("right", p.right);
  constant.field("in", pool.in)
      .field("out", pool.out)
      .field("kernel", pool.kernel)
      .field("stride", pool.stride);
  constant.field("padding", padding);
  constant.field(
      "kind", std::string(pool.kind == ::vn::PoolKind::Max ? "vn::PoolKind::Max" : "vn::PoolKind::Average"));
  return constant.field("count_padding", std::string(pool.count_padding ? "true" : "false"));
}

static Constant constantOf(const ::vn::Resize &resize) {
  Constant constant;
  constant.field("in", resize.in).field("out", resize.out).field("scale", resize.scale);
  return constant.field("bilinear", resize.bilinear).field("align_corners", resize.align_corners);
}

// Problems that one kernel solves.
void CudaSelection::plain(const Problem &problem, const Places &at) {
  if (loss(problem, at))
    return;
  Draft d;
  std::vector<int> reusable; // reads that may share memory with the output
  const auto all = [&](std::initializer_list<const char *> reads,
                       std::initializer_list<const char *> writes) {
    size_t next = 0;
    for (const char *name : reads)
      read(d, name, at.reads[next++]);
    next = 0;
    for (const char *name : writes)
      write(d, name, at.writes[next++]);
  };
  // Numbers of channels at a multiple of 16 bytes.
  const auto whole = [](const Location &numbers) { return numbers.offset % 16 == 0; };
  const auto kind = [&](const char *type, const char *function) {
    d.type = type;
    d.function = function;
  };
  if (const auto *p = std::get_if<PoolProblem>(&problem)) {
    const ::vn::Pool pool = poolOf(d, *p, at.reads[0], at.writes[0]);
    kind("Pool", "pool");
    d.constant = constantOf(pool);
    d.launch = launch_of(pool);
    all({"in"}, {"out"});
  } else if (const auto *p = std::get_if<PoolGradientProblem>(&problem)) {
    poolGradient(*p, at);
    return;
  } else if (const auto *p = std::get_if<SpatialBroadcastProblem>(&problem)) {
    const ::vn::SpatialBroadcast broadcast{map(d, p->in, at.reads[0]), map(d, p->out, at.writes[0]),
                                           p->factor};
    kind("SpatialBroadcast", "spatial_broadcast");
    d.constant.field("in", broadcast.in).field("out", broadcast.out).field("factor", broadcast.factor);
    d.launch = launch_of(broadcast);
    all({"in"}, {"out"});
  } else if (const auto *p = std::get_if<ResizeProblem>(&problem)) {
    const ::vn::Resize resize = resizeOf(d, *p, at.reads[0], at.writes[0]);
    kind("Resize", "resize");
    d.constant = constantOf(resize);
    d.launch = launch_of(resize);
    all({"in"}, {"out"});
  } else if (const auto *p = std::get_if<ResizeGradientProblem>(&problem)) {
    // The resize's input is the gradient that is written.
    const ::vn::ResizeGradient gradient{resizeOf(d, p->resize, at.writes[0], at.reads[0])};
    kind("ResizeGradient", "resize_gradient");
    d.constant.field("resize", constantOf(gradient.resize));
    d.launch = launch_of(gradient);
    all({"dy"}, {"dx"});
  } else if (const auto *p = std::get_if<ShiftProblem>(&problem)) {
    const ::vn::Shift shift{map(d, p->in, at.reads[0]), map(d, p->out, at.writes[0]), int(p->top),
                            int(p->left), p->replicate};
    kind("Shift", "shift");
    d.constant.field("in", shift.in)
        .field("out", shift.out)
        .field("top", shift.top)
        .field("left", shift.left);
    d.constant.field("replicate", shift.replicate);
    d.launch = launch_of(shift);
    all({"in"}, {"out"});
  } else if (const auto *p = std::get_if<ReplicateGradientProblem>(&problem)) {
    const ::vn::ReplicateGradient gradient{map(d, p->dy, at.reads[0]), map(d, p->dx, at.writes[0]),
                                           int(p->top), int(p->left)};
    kind("ReplicateGradient", "replicate_gradient");
    d.constant.field("dy", gradient.dy).field("dx", gradient.dx).field("top", gradient.top);
    d.constant.field("left", gradient.left);
    d.launch = launch_of(gradient);
    all({"dy"}, {"dx"});
  } else if (const auto *p = std::get_if<ChannelShuffleProblem>(&problem)) {
    const ::vn::ChannelShuffle shuffle{map(d, p->in, at.reads[0]), map(d, p->out, at.writes[0]),
                                       int(p->groups)};
    kind("ChannelShuffle", "channel_shuffle");
    d.constant.field("in", shuffle.in).field("out", shuffle.out).field("groups", shuffle.groups);
    d.launch = launch_of(shuffle);
    all({"in"}, {"out"});
  } else if (const auto *p = std::get_if<BinaryProblem>(&problem)) {
    const ::vn::Binary binary{operationOf(p->op), map(d, p->a, at.reads[0]), map(d, p->b, at.reads[1]),
                              map(d, p->y, at.writes[0]), deviceActivation(p->activation)};
    kind("Binary", "binary");
    d.constant.field("op", textOf(binary.op));
    d.constant.field("a", binary.a).field("b", binary.b).field("y", binary.y);
    d.constant.field("activation", binary.activation);
    d.launch = launch_of(binary);
    // As the problem sees them: rows of numbers have another shape at their place.
    read(d, "a", at.reads[0], elementType(p->a.element, false).c_str(), p->a.elements());
    read(d, "b", at.reads[1], elementType(p->b.element, false).c_str(), p->b.elements());
    write(d, "y", at.writes[0], elementType(p->y.element, true).c_str(), p->y.elements());
    reusable = {0, 1};
  } else if (const auto *p = std::get_if<ActivationProblem>(&problem)) {
    const ::vn::Activate activate{map(d, p->x, at.reads[0]), map(d, p->y, at.writes[0]),
                                  deviceActivation(p->activation)};
    kind("Activate", "activate");
    d.constant.field("x", activate.x).field("y", activate.y).field("activation", activate.activation);
    d.launch = launch_of(activate);
    all({"x"}, {"y"});
    reusable = {0};
  } else if (const auto *p = std::get_if<ActivationGradientProblem>(&problem)) {
    const ::vn::ActivationGradient gradient{map(d, p->y, at.reads[0]), map(d, p->dy, at.reads[1]),
                                            map(d, p->dx, at.writes[0]), deviceActivation(p->activation)};
    kind("ActivationGradient", "activation_gradient");
    d.constant.field("y", gradient.y).field("dy", gradient.dy).field("dx", gradient.dx);
    d.constant.field("activation", gradient.activation);
    d.launch = launch_of(gradient);
    all({"y", "dy"}, {"dx"});
    reusable = {1};
  } else if (const auto *p = std::get_if<AffineProblem>(&problem)) {
    ::vn::Affine affine{map(d, p->x, at.reads[0]), map(d, p->y, at.writes[0]),
                        deviceActivation(p->activation)};
    kind("Affine", "affine");
    d.constant.field("x", affine.x).field("y", affine.y).field("activation", affine.activation);
    read(d, "x", at.reads[0]);
    read(d, "scale", at.reads[1]);
    size_t next = 2;
    if (p->shift)
      read(d, "shift", at.reads[next++]);
    if (p->addend) {
      affine.adds = true;
      affine.addend = map(d, *p->addend, at.reads[next]);
      read(d, "addend", at.reads[next]);
    }
    write(d, "y", at.writes[0]);
    affine.shifts = p->shift;
    d.constant.field("adds", affine.adds);
    if (!p->shift)
      d.constant.field("shifts", std::string("false"));
    if (p->addend)
      d.constant.field("addend", affine.addend);
    if (!p->shift || !p->addend)
      d.arguments = std::string("x, scale, ") + (p->shift ? "shift" : "nullptr") + ", " +
                    (p->addend ? "addend" : "nullptr") + ", y";
    if (whole(at.reads[1]) && (!p->shift || whole(at.reads[2]))) {
      affine.parameters = 4;
      d.constant.field("parameters", affine.parameters);
    }
    d.aligned.push_back(affine.parameters == 4 ? 0 : affine.parameters);
    d.launch = launch_of(affine);
    reusable = {0, 3};
  } else if (const auto *p = std::get_if<FillProblem>(&problem)) {
    const ::vn::Fill fill{map(d, p->y, at.writes[0]), p->value};
    kind("Fill", "fill");
    d.constant.field("y", fill.y).field("value", fill.value);
    d.launch = launch_of(fill);
    all({}, {"y"});
  } else if (const auto *p = std::get_if<CopyProblem>(&problem)) {
    const ::vn::Copy copy{map(d, p->x, at.reads[0]), map(d, p->y, at.writes[0])};
    kind("Copy", "copy");
    d.constant.field("x", copy.x).field("y", copy.y);
    d.launch = launch_of(copy);
    read(d, "x", at.reads[0], elementType(p->x.element, false).c_str(), p->x.elements());
    write(d, "y", at.writes[0], elementType(p->y.element, true).c_str(), p->y.elements());
  } else if (const auto *p = std::get_if<ArrayProblem>(&problem)) {
    const ::vn::Array array{map(d, p->map, p->toArray ? at.reads[0] : at.writes[0]), p->toArray, p->alone};
    kind("Array", p->toArray ? "to_array" : "from_array");
    d.constant.field("map", array.map).field("to_array", array.to_array);
    if (array.whole_pixels()) {
      d.constant.field("alone", true);
      d.chosen = "whole pixels";
    }
    d.launch = launch_of(array);
    if (p->toArray)
      all({"map"}, {"array"});
    else
      all({"array"}, {"map"});
  } else if (const auto *p = std::get_if<BatchFinishProblem>(&problem)) {
    const ::vn::BatchFinish finish{mapAt(p->x, {}), int(p->parts), p->epsilon};
    kind("BatchFinish", "batch_finish");
    d.constant.field("x", finish.x).field("parts", finish.parts).field("epsilon", finish.epsilon);
    d.launch = launch_of(finish);
    read(d, "sums", at.reads[0], "const double", p->parts * 2 * p->x.c);
    read(d, "gamma", at.reads[1]);
    read(d, "beta", at.reads[2]);
    size_t next = 0;
    for (const char *name : {"mean", "variance", "scale", "shift"})
      write(d, name, at.writes[next++]);
  } else if (const auto *p = std::get_if<UpdateRunningProblem>(&problem)) {
    const ::vn::UpdateRunning update{
        .channels = int(p->channels), .count = int(p->count), .momentum = p->momentum};
    kind("UpdateRunning", "update_running");
    d.constant.field("channels", update.channels)
        .field("count", update.count)
        .field("momentum", update.momentum);
    d.launch = launch_of(update);
    all({"mean", "variance"}, {"running_mean", "running_variance"});
  } else if (const auto *p = std::get_if<BatchGradientFinishProblem>(&problem)) {
    const ::vn::BatchGradientFinish finish{mapAt(p->x, {}), int(p->parts), p->epsilon};
    kind("BatchGradientFinish", "batch_gradient_finish");
    d.constant.field("x", finish.x).field("parts", finish.parts).field("epsilon", finish.epsilon);
    d.launch = launch_of(finish);
    read(d, "sums", at.reads[0], "const double", p->parts * 2 * p->x.c);
    size_t next = 1;
    for (const char *name : {"gamma", "mean", "variance"})
      read(d, name, at.reads[next++]);
    next = 0;
    for (const char *name : {"dgamma", "dbeta", "coefficients"})
      write(d, name, at.writes[next++]);
  } else if (const auto *p = std::get_if<BatchGradientApplyProblem>(&problem)) {
    const bool masked = p->activation != Activation::None;
    ::vn::BatchGradientApply apply;
    apply.x = map(d, p->x, at.reads[0]);
    apply.dy = map(d, p->dy, at.reads[1]);
    kind("BatchGradientApply", "batch_gradient_apply");
    d.constant.field("x", apply.x).field("dy", apply.dy);
    if (masked) {
      apply.y = map(d, p->y, at.reads[2]);
      d.constant.field("y", apply.y);
      all({"x", "dy", "y", "coefficients"}, {"dx"});
    } else {
      all({"x", "dy", "coefficients"}, {"dx"});
      d.arguments = "x, dy, nullptr, coefficients, dx";
    }
    apply.dx = map(d, p->dx, at.writes[0]);
    apply.activation = deviceActivation(p->activation);
    d.constant.field("dx", apply.dx).field("activation", apply.activation);
    d.launch = launch_of(apply);
    reusable = {1, 0};
  } else if (const auto *p = std::get_if<ChannelReductionProblem>(&problem)) {
    ::vn::ChannelReduction reduction;
    reduction.reduction = p->reduction == ChannelReduction::Sum    ? ::vn::Reduction::Sum
                          : p->reduction == ChannelReduction::Mean ? ::vn::Reduction::Mean
                                                                   : ::vn::Reduction::Max;
    static constexpr const char *names[] = {"Sum", "Mean", "Max"};
    kind("ChannelReduction", "channel_reduction");
    d.constant.field("reduction", std::string("vn::Reduction::") + names[size_t(p->reduction)]);
    reduction.dot = p->b.has_value();
    d.constant.field("dot", reduction.dot);
    reduction.a = map(d, p->a, at.reads[0]);
    d.constant.field("a", reduction.a);
    if (p->b) {
      reduction.b = map(d, *p->b, at.reads[1]);
      d.constant.field("b", reduction.b);
    }
    reduction.out = map(d, p->out, at.writes[0]);
    d.constant.field("out", reduction.out);
    d.launch = launch_of(reduction);
    if (p->b) {
      all({"a", "b"}, {"out"});
    } else {
      all({"a"}, {"out"});
      d.arguments = "a, nullptr, out";
    }
  } else if (const auto *p = std::get_if<ChannelBroadcastProblem>(&problem)) {
    const ::vn::ChannelBroadcast broadcast{map(d, p->in, at.reads[0]), map(d, p->out, at.writes[0]),
                                           p->factor};
    kind("ChannelBroadcast", "channel_broadcast");
    d.constant.field("in", broadcast.in).field("out", broadcast.out).field("factor", broadcast.factor);
    d.launch = launch_of(broadcast);
    all({"in"}, {"out"});
  } else if (const auto *p = std::get_if<ChannelMaxGradientProblem>(&problem)) {
    const ::vn::ChannelMaxGradient gradient{map(d, p->x, at.reads[0]), map(d, p->y, at.reads[1]),
                                            map(d, p->dy, at.reads[2]), map(d, p->dx, at.writes[0])};
    kind("ChannelMaxGradient", "channel_max_gradient");
    d.constant.field("x", gradient.x)
        .field("y", gradient.y)
        .field("dy", gradient.dy)
        .field("dx", gradient.dx);
    d.launch = launch_of(gradient);
    all({"x", "y", "dy"}, {"dx"});
  } else if (const auto *p = std::get_if<LayerNormProblem>(&problem)) {
    ::vn::LayerNorm norm{.x = map(d, p->x, at.reads[0]), .y = map(d, p->y, at.writes[0])};
    norm.epsilon = p->epsilon;
    kind("LayerNorm", "layer_norm");
    d.constant.field("x", norm.x).field("y", norm.y);
    if (whole(at.reads[1]) && whole(at.reads[2])) {
      norm.parameters = 4;
      d.constant.field("parameters", norm.parameters);
    }
    d.aligned.push_back(norm.parameters == 4 ? 0 : norm.parameters);
    d.constant.field("epsilon", norm.epsilon);
    d.launch = launch_of(norm);
    all({"x", "gamma", "beta"}, {"y"});
    reusable = {0};
  } else if (const auto *p = std::get_if<LayerNormGradientProblem>(&problem)) {
    ::vn::LayerNormGradient gradient{
        .x = map(d, p->x, at.reads[0]), .dy = map(d, p->dy, at.reads[1]), .dx = map(d, p->dx, at.writes[0])};
    gradient.epsilon = p->epsilon;
    kind("LayerNormGradient", "layer_norm_gradient");
    d.constant.field("x", gradient.x).field("dy", gradient.dy).field("dx", gradient.dx);
    if (whole(at.reads[2])) {
      gradient.parameters = 4;
      d.constant.field("parameters", gradient.parameters);
    }
    d.aligned.push_back(gradient.parameters == 4 ? 0 : gradient.parameters);
    d.constant.field("epsilon", gradient.epsilon);
    d.launch = launch_of(gradient);
    all({"x", "dy", "gamma"}, {"dx", "statistics"});
  } else if (const auto *p = std::get_if<LayerNormGradientFinishProblem>(&problem)) {
    const ::vn::LayerNormGradientFinish finish{int(p->x.c), int(p->parts)};
    kind("LayerNormGradientFinish", "layer_norm_gradient_finish");
    d.constant.field("channels", finish.channels).field("parts", finish.parts);
    d.launch = launch_of(finish);
    read(d, "sums", at.reads[0], "const double", p->parts * 2 * p->x.c);
    write(d, "dgamma", at.writes[0]);
    write(d, "dbeta", at.writes[1]);
  } else if (const auto *p = std::get_if<ScaleParameterProblem>(&problem)) {
    const ::vn::ScaleParameter scale{int(p->outputs), int(p->perOutput)};
    kind("ScaleParameter", "scale_parameter");
    d.constant.field("outputs", scale.outputs).field("per_output", scale.per_output);
    d.launch = launch_of(scale);
    all({"parameter", "scale"}, {"scaled"});
  } else if (const auto *p = std::get_if<FoldWeightProblem>(&problem)) {
    const ::vn::FoldWeight fold{int(p->outputs), int(p->perOutput), p->epsilon};
    kind("FoldWeight", "fold_weight");
    d.constant.field("outputs", fold.outputs)
        .field("per_output", fold.per_output)
        .field("epsilon", fold.epsilon);
    d.launch = launch_of(fold);
    all({"weight", "gamma", "variance"}, {"folded"});
  } else if (const auto *p = std::get_if<FoldScaleProblem>(&problem)) {
    const ::vn::FoldScale fold{int(p->channels), p->epsilon};
    kind("FoldScale", "fold_scale");
    d.constant.field("channels", fold.channels).field("epsilon", fold.epsilon);
    d.launch = launch_of(fold);
    all({"gamma", "variance"}, {"scale"});
  } else if (const auto *p = std::get_if<FoldBiasProblem>(&problem)) {
    const ::vn::FoldBias fold{int(p->channels), p->bias, p->epsilon};
    kind("FoldBias", "fold_bias");
    d.constant.field("channels", fold.channels).field("bias", fold.bias).field("epsilon", fold.epsilon);
    d.launch = launch_of(fold);
    if (p->bias) {
      all({"gamma", "beta", "mean", "variance", "bias"}, {"folded"});
    } else {
      all({"gamma", "beta", "mean", "variance"}, {"folded"});
      d.arguments = "gamma, beta, mean, variance, nullptr, folded";
    }
  } else if (const auto *p = std::get_if<SgdProblem>(&problem)) {
    const ::vn::Sgd sgd{int(p->count)};
    kind("Sgd", "sgd");
    d.constant.field("count", sgd.count);
    d.launch = launch_of(sgd);
    all({"gradient", "rate", "factor", "decay", "nesterov", "trained"}, {"weight", "momentum", "not_finite"});
  } else if (const auto *p = std::get_if<AccumulateProblem>(&problem)) {
    const ::vn::Accumulate accumulate{int(p->count)};
    kind("Accumulate", "accumulate");
    d.constant.field("count", accumulate.count);
    d.launch = launch_of(accumulate);
    read(d, "gradient", at.reads[0], "float", p->count); // and written, at the end
    read(d, "how", at.reads[1]);
    write(d, "sum", at.writes[0]);
    write(d, "not_finite", at.writes[1]);
  } else {
    const auto &check = std::get<CheckFiniteProblem>(problem);
    const ::vn::CheckFinite finite{int(check.count)};
    kind("CheckFinite", "check_finite");
    d.constant.field("count", finite.count);
    d.launch = launch_of(finite);
    all({"numbers"}, {"not_finite"});
  }
  Step &made = step(problem, d);
  for (int read : reusable)
    mayReuse(made, {read});
}

::vn::Pool CudaSelection::poolOf(Draft &draft, const PoolProblem &p, const Location &in,
                                 const Location &out) const {
  return {.in = map(draft, p.in, in),
          .out = map(draft, p.out, out),
          .kernel = pairOf(p.kernel),
          .stride = pairOf(p.stride),
          .padding = {int(p.padding[0]), int(p.padding[1]), int(p.padding[2]), int(p.padding[3])},
          .kind = p.kind == PoolKind::Max ? ::vn::PoolKind::Max : ::vn::PoolKind::Average,
          .count_padding = p.countPadding};
}

::vn::Resize CudaSelection::resizeOf(Draft &draft, const ResizeProblem &p, const Location &in,
                                     const Location &out) const {
  return {.in = map(draft, p.in, in),
          .out = map(draft, p.out, out),
          .scale = p.scale,
          .bilinear = p.bilinear,
          .align_corners = p.alignCorners};
}

void CudaSelection::poolGradient(const PoolGradientProblem &p, const Places &at) {
  Draft d;
  d.type = "PoolGradient";
  ::vn::PoolGradient gradient;
  const bool maximum = p.pool.kind == PoolKind::Max;
  // Of an average the maps are not read.
  gradient.pool = maximum ? poolOf(d, p.pool, at.reads[0], at.reads[1]) : poolOf(d, p.pool, {}, {});
  gradient.dy = map(d, p.dy, at.reads[maximum ? 2 : 0]);
  gradient.dx = map(d, p.dx, at.writes[0]);
  if (maximum) {
    d.function = "max_pool_gradient";
    read(d, "in", at.reads[0]);
    read(d, "out", at.reads[1]);
    read(d, "dy", at.reads[2]);
    gradient.epilogue = epilogueOf(p.epilogue, at, d);
    d.arguments = "in, out, dy, dx, {" + d.arguments + "}";
  } else {
    d.function = "average_pool_gradient";
    read(d, "dy", at.reads[0]);
  }
  write(d, "dx", at.writes[0]);
  d.constant.field("pool", constantOf(gradient.pool)).field("dy", gradient.dy).field("dx", gradient.dx);
  if (maximum)
    d.constant.field("epilogue", constantOf(gradient.epilogue));
  d.launch = launch_of(gradient);
  Step &made = step(p, d);
  for (int i = 3; maximum && i < int(at.reads.size()); ++i)
    mayReuse(made, {i});
}

void CudaSelection::spatialSum(const SpatialSumProblem &p, const Places &at) {
  Draft d{.type = "SpatialSum", .function = "spatial_sum"};
  ::vn::SpatialSum sum;
  sum.a = map(d, p.a, at.reads[0]);
  if (p.b)
    sum.b = map(d, *p.b, at.reads[1]);
  sum.out = map(d, p.out, at.writes[0]);
  sum.dot = p.b.has_value();
  sum.mean = p.mean;
  d.constant.field("a", sum.a);
  read(d, "a", at.reads[0]);
  if (p.b) {
    d.constant.field("b", sum.b);
    read(d, "b", at.reads[1]);
  }
  d.constant.field("out", sum.out).field("dot", sum.dot).field("mean", sum.mean);
  d.arguments = p.b ? "a, b, out" : "a, nullptr, out";
  write(d, "out", at.writes[0]);
  if (sum.sums()) {
    write(d, "sums", doubles(sum.sums()), "double", sum.sums());
    write(d, "counters", zeros(sum.counters()), "unsigned", sum.counters());
    d.arguments += ", sums, counters";
  } else {
    d.arguments += ", nullptr, nullptr";
  }
  d.launch = launch_of(sum);
  step(p, d);
}

void CudaSelection::channelSums(const ChannelSumsProblem &p, const Places &at) {
  Draft first{.type = "ChannelSums", .function = "channel_sums"};
  const ::vn::ChannelSums sums{map(first, p.dy, at.reads[0])};
  const int64_t count = int64_t(parts_of(sums)) * p.dy.c;
  const Location parts = doubles(count);
  first.constant.field("dy", sums.dy);
  first.launch = launch_of(sums);
  read(first, "dy", at.reads[0]);
  write(first, "parts", parts, "double", count);
  step(p, first);

  Draft last{.type = "ChannelSumsFinish", .function = "channel_sums_finish"};
  const ::vn::ChannelSumsFinish finish{int(p.dy.c), parts_of(sums)};
  last.chosen = "finish of " + std::to_string(finish.parts);
  last.constant.field("channels", finish.channels).field("parts", finish.parts);
  last.launch = launch_of(finish);
  read(last, "parts", parts, "const double", count);
  write(last, "sums", at.writes[0]);
  step(p, last);
}

PartialSums CudaSelection::batchSums(const BatchSumsProblem &p, const Places &at) {
  Draft d{.type = "BatchSums", .function = "batch_sums"};
  const ::vn::BatchSums sums{map(d, p.x, at.reads[0])};
  const PartialSums partial{doubles(int64_t(parts_of(sums)) * 2 * p.x.c), parts_of(sums)};
  d.constant.field("x", sums.x);
  d.launch = launch_of(sums);
  read(d, "x", at.reads[0]);
  write(d, "sums", partial.sums, "double", partial.parts * 2 * p.x.c);
  step(p, d);
  return partial;
}

PartialSums CudaSelection::layerNormGradientSums(const LayerNormGradientSumsProblem &p, const Places &at) {
  Draft d{.type = "LayerNormGradientSums", .function = "layer_norm_gradient_sums"};
  const ::vn::LayerNormGradientSums sums{map(d, p.x, at.reads[0]), map(d, p.dy, at.reads[1])};
  const PartialSums partial{doubles(int64_t(parts_of(sums)) * 2 * p.x.c), parts_of(sums)};
  d.constant.field("x", sums.x).field("dy", sums.dy);
  d.launch = launch_of(sums);
  read(d, "x", at.reads[0]);
  read(d, "dy", at.reads[1]);
  read(d, "statistics", at.reads[2]);
  write(d, "sums", partial.sums, "double", partial.parts * 2 * p.x.c);
  step(p, d);
  return partial;
}

PartialSums CudaSelection::batchGradientSums(const BatchGradientSumsProblem &p, const Places &at) {
  const bool masked = p.activation != Activation::None;
  Draft d{.type = "BatchGradientSums", .function = "batch_gradient_sums"};
  ::vn::BatchGradientSums sums{.x = map(d, p.x, at.reads[0]), .dy = map(d, p.dy, at.reads[1])};
  d.constant.field("x", sums.x).field("dy", sums.dy);
  read(d, "x", at.reads[0]);
  read(d, "dy", at.reads[1]);
  d.arguments = "x, dy, nullptr, mean, sums";
  if (masked) {
    sums.y = map(d, p.y, at.reads[2]);
    sums.activation = deviceActivation(p.activation);
    d.constant.field("y", sums.y).field("activation", sums.activation);
    read(d, "y", at.reads[2]);
    d.arguments.clear();
  }
  read(d, "mean", at.reads[masked ? 3 : 2]);
  const PartialSums partial{doubles(int64_t(parts_of(sums)) * 2 * p.x.c), parts_of(sums)};
  d.launch = launch_of(sums);
  write(d, "sums", partial.sums, "double", partial.parts * 2 * p.x.c);
  step(p, d);
  return partial;
}

} // namespace vernier::codegen
