// What training is given and minimises: statements, sums and operations.
#include "dsl/Elaborator.h"

#include "dsl/ShapeRules.h"
#include "dsl/Unused.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vernier::dsl {

bool Elaborator::executeTarget(const TargetStmt &target, Frame &frame) {
  const Value size = eval(*target.size, frame);
  const std::string_view forms = target.labels
                                     ? "[], one label of each image, or [height, width], one of each pixel"
                                     : "[channels] or [channels, height, width]";
  const std::vector<size_t> counts = target.labels ? std::vector<size_t>{0, 2} : std::vector<size_t>{1, 3};
  auto dims = sizes(size, *target.size, target.name, forms, counts, frame);
  if (!dims)
    return false;
  Node node;
  node.kind = OpKind::Target;
  node.labels = target.labels;
  if (dims->size() % 2 == 0)
    dims->insert(dims->begin(), 1);
  dims->resize(3, 1);
  node.shape = {(*dims)[0], (*dims)[1], (*dims)[2]};
  const Value value = addNamed(std::move(node), target.name, "target", size.choices, frame);
  if (value.error())
    return false;
  info_.back().target = value.node();
  frame.names[target.name.text] = target.labels ? Value::ofLabels(value.node()) : value;
  return true;
}

bool Elaborator::executeLoss(const LossStmt &loss, Frame &frame) {
  Value value = eval(*loss.value, frame);
  // Nothing is computed from what it adds: what follows may hold further errors.
  if (aborted_ || !conform(value, Type::loss(), "what `loss` adds", loss.value->span, frame))
    return !aborted_;
  const Identifier &name = loss.name;
  if (!name.text.empty()) {
    auto [found, added] = lossNames_.emplace(name.text, name.span);
    if (!added) {
      auto report = error(diag::DuplicateLoss, name.span, frame, name.text);
      report.note("the first one", found->second);
      if (found->second == name.span)
        report.help("in a loop, leave the name out, or add the losses up behind it: `loss " + name.text +
                    ": sum(for ...)`");
      return true;
    }
  }
  for (auto [node, weight] : *value.loss) {
    graph_.losses.push_back({name.text, node, weight, locate(loss.span)});
    // Another choice gives it another weight, or none.
    std::vector<int> &choices = graph_.nodes[node].choices;
    for (size_t i = 0; i < chooseHoles_.size(); ++i)
      if (value.choices >> i & 1 &&
          std::find(choices.begin(), choices.end(), chooseHoles_[i]) == choices.end())
        choices.push_back(chooseHoles_[i]);
    std::sort(choices.begin(), choices.end());
  }
  return step(static_cast<int64_t>(value.loss->size()));
}

// A training step is given the image and the targets, and gives the loss, its terms and the outputs: arrays
// by name.
void Elaborator::checkArrayNames(Frame &frame) {
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node &node = graph_.nodes[i];
    if (node.kind != OpKind::Target)
      continue;
    if (node.place == "image")
      error(diag::DuplicateTarget, info_[i].span, frame, node.place, "the input's array");
    if (node.place == "random")
      error(diag::DuplicateTarget, info_[i].span, frame, node.place, "the array of random numbers");
    const auto output = places_.find("r" + node.place);
    if (output != places_.end())
      error(diag::DuplicateTarget, info_[i].span, frame, node.place, "an output")
          .note("the output", output->second);
  }
  if (graph_.losses.empty())
    return;
  for (const Output &output : graph_.outputs)
    if (output.name == "loss")
      error(diag::BadValue, places_.at("r" + output.name), frame, "the name of an output",
            "another one, which no loss has,", "`" + output.name + "`");
}

// Of targets that no loss of the model reads: in another model a loss may, in a branch that was taken there.
void Elaborator::warnOfTargets() {
  std::vector<bool> read(graph_.nodes.size());
  for (const LossTerm &term : graph_.losses)
    read[term.node] = true;
  for (size_t i = graph_.nodes.size(); i-- > 0;)
    if (read[i])
      for (int operand : graph_.nodes[i].operands)
        read[operand] = true;
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node &node = graph_.nodes[i];
    if (node.kind == OpKind::Target && !read[i] && node.place.front() != '_')
      diagnostics_.report(diag::UnusedValue, info_[i].span, node.place).help(std::string(unusedTarget));
  }
}

// ---- values

// The sum of two losses, or a multiple of one.
Value Elaborator::lossArithmetic(const BinaryExpr &binary, const Value &left, const Value &right,
                                 Frame &frame) {
  const bool first = left.is(Value::Kind::Loss);
  LossTerms terms = *(first ? left : right).loss;
  if (binary.op == BinaryOp::Add) {
    for (auto [node, weight] : *right.loss)
      terms[node] += weight;
    return makeLoss(std::move(terms), "+", binary.opSpan, frame);
  }
  const double number = (first ? right : left).asDouble();
  if (binary.op == BinaryOp::Divide && number == 0) {
    error(diag::DivisionByZero, binary.opSpan, frame);
    return {};
  }
  for (auto &[node, weight] : terms)
    weight = binary.op == BinaryOp::Divide ? weight / number : weight * number;
  return makeLoss(std::move(terms), spelling(binary.op), binary.opSpan, frame);
}

Value Elaborator::makeLoss(LossTerms terms, std::string_view written, Span span, Frame &frame) {
  const auto count = static_cast<int64_t>(terms.size());
  if (!step(count) || !charge(static_cast<int64_t>(sizeof(LossTerms) + 64 * terms.size())))
    return {};
  for (auto [node, weight] : terms)
    if (!std::isfinite(static_cast<float>(weight))) {
      error(diag::BadValue, span, frame, "the weight of a loss that `" + std::string(written) + "` makes",
            "a number of 32 bits", formatFloat(weight));
      return {};
    }
  return Value::ofLoss(std::move(terms));
}

// ---- operations

Value Elaborator::addLoss(OpCall &op, Node node) {
  if (op.failed)
    return {};
  const Value &x = op.values[0];
  if (shapeOf(x).channels == 0) {
    error(diag::NothingLeft, op.call->callee.span, *op.frame, op.op->name);
    return {};
  }
  node.operands.insert(node.operands.begin(), x.node());
  node.channels = 1;
  node.shape = {1, 1, 1};
  const Value value = addNode(op, std::move(node), nullptr, 0);
  return value.error() ? Value() : Value::ofLoss({{value.node(), 1.0}});
}

// Empty where an argument is wrong.
std::vector<double> Elaborator::classWeights(OpCall &op, size_t i, int64_t classes) {
  std::vector<double> weights;
  const std::vector<Value> &given = op.values[i].list->elements;
  double sum = 0;
  for (const Value &value : given) {
    if (value.learned()) {
      learnedUse(value, op.what(i), op.span(i), *op.frame);
      op.failed = true;
      return {};
    }
    const double weight = value.asDouble();
    if (!(weight >= 0 && std::isfinite(static_cast<float>(weight)))) {
      badValue(op, i, "numbers of 32 bits from 0", value);
      return {};
    }
    weights.push_back(weight);
    sum += weight;
  }
  if (static_cast<int64_t>(weights.size()) != classes) {
    op.failed = true;
    error(diag::BadValue, op.span(i), *op.frame, op.what(i),
          "a weight for each of the " + std::to_string(classes) + " classes", std::to_string(weights.size()));
    return {};
  }
  if (sum == 0)
    badValue(op, i, "weights of which one is above 0", op.values[i]);
  return weights;
}

Value Elaborator::softmaxCrossEntropy(OpCall &op) {
  const Value &x = op.values[0], &labels = op.values[1];
  const Span span = op.call->callee.span;
  Node node;
  node.kind = OpKind::SoftmaxCrossEntropy;
  node.operands = {labels.node()};
  node.smoothing = floatArgument(op, 2, 0);
  if (!op.failed && !(node.smoothing >= 0 && node.smoothing < 1))
    badValue(op, 2, "from 0 and below 1", op.values[2]);
  if (op.given[3])
    node.ignored =
        intArgument(op, 3, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max(), 0);
  if (op.failed)
    return {};
  const Shape logits = shapeOf(x), truth = shapeOf(labels);
  if (logits.height != truth.height || logits.width != truth.width) {
    auto report = sizeMismatch(logits, truth, op.op->name, span, *op.frame);
    if (report)
      traceSizes(report, {x, labels});
    if (elementCount(truth) == 1)
      report.help(
          "these are labels of images: `global_avg_pool` makes a map 1x1; labels of pixels are a target "
          "`[image.height, image.width] of int`");
    else
      report.help(
          "logits of each pixel come from `resize(x, bilinear, size = [labels.height, labels.width])`");
    return {};
  }
  if (LearnedWidthPtr width = widthOf(x)) {
    learnedMismatch(width, op.op->name, span, *op.frame);
    return {};
  }
  if (logits.channels < 2) {
    auto report = error(diag::BadValue, op.span(0), *op.frame, op.what(0), "logits of at least 2 classes",
                        std::to_string(logits.channels) + (logits.channels == 1 ? " channel" : " channels"));
    if (report)
      traceChannels(report, x);
    report.help("one channel decides between two: `binary_cross_entropy` takes it, and a target `of float`");
    return {};
  }
  if (op.given[4])
    node.weights = classWeights(op, 4, logits.channels);
  return addLoss(op, std::move(node));
}

// Whether they have one shape, for every allocation.
bool Elaborator::sameShape(OpCall &op, const Value &a, const Value &b) {
  const Span span = op.call->callee.span;
  const Shape left = shapeOf(a), right = shapeOf(b);
  if (left.channels != right.channels) {
    channelMismatch(a, b, op.op->name, span, *op.frame);
    return false;
  }
  if (left.height != right.height || left.width != right.width) {
    auto report = sizeMismatch(left, right, op.op->name, span, *op.frame);
    if (report)
      traceSizes(report, {a, b});
    return false;
  }
  if (formOf(a) == formOf(b))
    return true;
  learnedMismatch(widthOf(a) ? widthOf(a) : widthOf(b), op.op->name, span, *op.frame);
  return false;
}

Value Elaborator::pointwiseLoss(OpCall &op) {
  Node node;
  node.kind = OpKind::PointwiseLoss;
  node.pointwise = op.op->pointwise;
  if (node.pointwise == Pointwise::Focal) {
    node.sharpness = floatArgument(op, 2, 2.0);
    node.share = floatArgument(op, 3, 0.25);
    if (!op.failed && !(node.sharpness >= 0 && std::isfinite(static_cast<float>(node.sharpness))))
      badValue(op, 2, "a number of 32 bits from 0", op.values[2]);
    if (!op.failed && !(node.share >= 0 && node.share <= 1))
      badValue(op, 3, "from 0 to 1", op.values[3]);
  } else if (node.pointwise == Pointwise::Binary) {
    node.sharpness = floatArgument(op, 2, 1.0);
    if (!op.failed && !(node.sharpness >= 0 && std::isfinite(static_cast<float>(node.sharpness))))
      badValue(op, 2, "a number of 32 bits from 0", op.values[2]);
  } else if (node.pointwise == Pointwise::SmoothL1) {
    node.sharpness = floatArgument(op, 2, 1.0);
    const float beta = static_cast<float>(node.sharpness);
    if (!op.failed && !(beta > 0 && std::isfinite(beta)))
      badValue(op, 2, "a number of 32 bits above 0", op.values[2]);
  }
  if (node.pointwise != Pointwise::Mean) {
    if (op.failed || !sameShape(op, op.values[0], op.values[1]))
      return {};
    node.operands = {op.values[1].node()};
  }
  return addLoss(op, std::move(node));
}

} // namespace vernier::dsl
