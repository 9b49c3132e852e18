// Losses and their gradients, and what is drawn by chance.
#include "codegen/cuda/device/losses.cuh"
#include "codegen/cuda/device/random.cuh"
#include "codegen/cuda/schedule/Selection.h"

namespace vernier::codegen {
namespace {

Constant constantOf(const PointwiseFunction &function) {
  static constexpr const char *names[] = {"Mean", "Binary", "Focal", "Squared", "Absolute", "SmoothL1"};
  Constant constant;
  constant.field("kind", std::string("vn::Pointwise::") + names[size_t(function.kind)]);
  return constant.field("sharpness", float(function.sharpness)).field("share", float(function.share));
}

::vn::PointwiseFunction deviceFunction(const PointwiseFunction &function) {
  return {::vn::Pointwise(int(function.kind)), float(function.sharpness), float(function.share)};
}

} // namespace

bool CudaSelection::loss(const Problem &problem, const Places &at) {
  return std::visit(
      [&](const auto &p) {
        using P = std::decay_t<decltype(p)>;
        if constexpr (std::is_same_v<P, SoftmaxLossProblem>)
          softmaxLoss(p, at);
        else if constexpr (std::is_same_v<P, SoftmaxLossGradientProblem>)
          softmaxLossGradient(p, at);
        else if constexpr (std::is_same_v<P, PointwiseLossProblem>)
          pointwiseLoss(p, at);
        else if constexpr (std::is_same_v<P, PointwiseLossGradientProblem>)
          pointwiseLossGradient(p, at);
        else if constexpr (std::is_same_v<P, CountLabelsProblem>)
          countLabels(p, at);
        else if constexpr (std::is_same_v<P, MeanLossProblem>)
          meanLoss(p, at);
        else if constexpr (std::is_same_v<P, NumbersProblem>)
          numbers(p, at);
        else if constexpr (std::is_same_v<P, WeightedSumProblem>)
          weightedSum(p, at);
        else if constexpr (std::is_same_v<P, KeepMaskProblem>)
          keepMask(p, at);
        else
          return false;
        return true;
      },
      problem);
}

void CudaSelection::softmaxLoss(const SoftmaxLossProblem &p, const Places &at) {
  Draft d{.type = "SoftmaxLoss", .function = "softmax_loss"};
  ::vn::SoftmaxLoss loss{.logits = mapAt(at.reads[0].view, {}), .ignores = p.ignored.has_value()};
  loss.ignored = int(p.ignored.value_or(0));
  d.constant.field("logits", loss.logits).field("ignored", loss.ignored).field("ignores", loss.ignores);
  d.constant.field("weighted", p.weighted);
  d.launch = launch_of(loss);
  read(d, "logits", at.reads[0]);
  read(d, "labels", at.reads[1], "const int", at.reads[1].view.elements());
  read(d, "smoothing", at.reads[2]);
  if (p.weighted)
    read(d, "weights", at.reads[3]);
  else
    d.arguments = "logits, labels, smoothing, nullptr, sums";
  write(d, "sums", at.writes[0]);
  step(p, d);
}

void CudaSelection::softmaxLossGradient(const SoftmaxLossGradientProblem &p, const Places &at) {
  Draft d{.type = "SoftmaxGradient", .function = "softmax_gradient"};
  ::vn::SoftmaxGradient gradient{.logits = mapAt(at.reads[0].view, {}),
                                 .gradient = mapAt(at.writes[0].view, {}),
                                 .ignores = p.ignored.has_value()};
  gradient.ignored = int(p.ignored.value_or(0));
  d.constant.field("logits", gradient.logits).field("gradient", gradient.gradient);
  d.constant.field("ignored", gradient.ignored).field("ignores", gradient.ignores);
  d.constant.field("weighted", p.weighted).field("weight", p.weight);
  d.launch = launch_of(gradient);
  read(d, "logits", at.reads[0]);
  read(d, "labels", at.reads[1], "const int", at.reads[1].view.elements());
  read(d, "smoothing", at.reads[2]);
  if (p.counted())
    read(d, "count", at.reads[3]);
  if (p.weighted)
    read(d, "weights", at.reads[4]);
  else
    d.arguments = std::string("logits, labels, smoothing, ") + (p.ignored ? "count" : "nullptr") +
                  ", nullptr, gradient";
  write(d, "gradient", at.writes[0]);
  step(p, d);
}

// What the kernels of a loss and of its gradient have in common.
template <class Kernel>
void CudaSelection::pointwiseReads(Draft &d, Kernel &kernel, const PointwiseFunction &function,
                                   const char *written, const Places &at) {
  const bool targets = function.hasTarget();
  kernel.x = mapAt(at.reads[0].view, {});
  kernel.target = mapAt(at.reads[targets ? 1 : 0].view, {});
  kernel.function = deviceFunction(function);
  d.constant.field("x", kernel.x).field("target", kernel.target);
  read(d, "x", at.reads[0]);
  if (targets)
    read(d, "target", at.reads[1]);
  else
    d.arguments = std::string("x, nullptr, ") + written;
  write(d, written, at.writes[0]);
}

void CudaSelection::pointwiseLoss(const PointwiseLossProblem &p, const Places &at) {
  Draft d{.type = "PointwiseLoss", .function = "pointwise_loss"};
  ::vn::PointwiseLoss loss;
  pointwiseReads(d, loss, p.function, "sums", at);
  d.constant.field("function", constantOf(p.function));
  d.launch = launch_of(loss);
  step(p, d);
}

void CudaSelection::pointwiseLossGradient(const PointwiseLossGradientProblem &p, const Places &at) {
  Draft d{.type = "PointwiseGradient", .function = "pointwise_gradient"};
  ::vn::PointwiseGradient gradient;
  pointwiseReads(d, gradient, p.function, "gradient", at);
  gradient.gradient = mapAt(at.writes[0].view, {});
  d.constant.field("gradient", gradient.gradient).field("function", constantOf(p.function));
  d.constant.field("weight", p.weight);
  d.launch = launch_of(gradient);
  step(p, d);
}

void CudaSelection::countLabels(const CountLabelsProblem &p, const Places &at) {
  Draft d{.type = "CountLabels", .function = "count_labels"};
  const ::vn::CountLabels count{int(p.labels / p.parts), int(p.ignored.value_or(0)), int(p.parts),
                                p.ignored.has_value(), p.classes > 0};
  d.constant.field("count", count.count).field("ignored", count.ignored);
  if (p.parts != 1)
    d.constant.field("parts", count.parts);
  d.constant.field("ignores", count.ignores).field("weighted", count.weighted);
  d.launch = launch_of(count);
  read(d, "labels", at.reads[0], "const int", p.labels);
  if (p.classes)
    read(d, "weights", at.reads[1]);
  else
    d.arguments = "labels, nullptr, number";
  write(d, "number", at.writes[0]);
  step(p, d);
}

void CudaSelection::meanLoss(const MeanLossProblem &p, const Places &at) {
  Draft d{.type = "MeanLoss", .function = "mean_loss"};
  const ::vn::MeanLoss mean{int(p.sums / p.parts), int(p.count.value_or(1)), int(p.parts), !p.count};
  d.constant.field("sums", mean.sums).field("count", mean.count);
  if (p.parts != 1)
    d.constant.field("parts", mean.parts);
  d.constant.field("counted", mean.counted);
  d.launch = launch_of(mean);
  read(d, "sums", at.reads[0]);
  if (!p.count)
    read(d, "count", at.reads[1]);
  else
    d.arguments = "sums, nullptr, mean";
  write(d, "mean", at.writes[0]);
  step(p, d);
}

void CudaSelection::numbers(const NumbersProblem &p, const Places &at) {
  const std::string count = std::to_string(p.values.size());
  Draft d{.type = "NumberTable<" + count + ">", .function = "numbers"};
  d.constant.field("values", llvm::ArrayRef(p.values));
  d.launch = launch_of(::vn::NumberTable<1>{});
  write(d, "out", at.writes[0]);
  step(p, d);
}

// Four at a time, and what came before.
void CudaSelection::weightedSum(const WeightedSumProblem &p, const Places &at) {
  static constexpr const char *names[] = {"first", "second", "third", "fourth"};
  static constexpr size_t most = std::size(names);
  Location before;
  for (size_t begin = 0; begin < p.weights.size(); begin += most) {
    const size_t terms = std::min(most, p.weights.size() - begin);
    const bool adds = begin > 0, last = begin + terms == p.weights.size();
    Draft d{.type = "WeightedSum", .function = "weighted_sum"};
    d.constant.field("terms", int(terms));
    if (p.size != 1)
      d.constant.field("size", int(p.size));
    d.constant.field("adds", adds);
    for (size_t i = 0; i < most; ++i) {
      if (i < terms) {
        d.constant.field(names[i], p.weights[begin + i]);
        read(d, names[i], at.reads[begin + i]);
      }
      d.arguments += std::string(i < terms ? names[i] : "nullptr") + ", ";
    }
    if (adds)
      read(d, "other", before);
    d.arguments += adds ? "other, sum" : "nullptr, sum";
    d.launch = launch_of(::vn::WeightedSum{.size = int(p.size)});
    before = last ? at.writes[0] : writer.scratch(p.size);
    write(d, "sum", before);
    d.chosen = "from " + std::to_string(begin);
    step(p, d);
  }
}

void CudaSelection::keepMask(const KeepMaskProblem &p, const Places &at) {
  Draft d{.type = "KeepMask", .function = "keep_mask"};
  const ::vn::KeepMask mask{map(d, p.mask, at.writes[0]), p.threshold, p.stream, p.image};
  d.constant.field("mask", mask.mask).field("below", std::to_string(p.threshold) + "u");
  d.constant.field("stream", std::to_string(p.stream) + "u").field("image", p.image);
  d.launch = launch_of(mask);
  read(d, "state", at.reads[0], "const int", 2);
  write(d, "mask", at.writes[0]);
  step(p, d);
}

} // namespace vernier::codegen
