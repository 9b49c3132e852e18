// Losses and their gradients, a row of pixels a task; of logits without a map, a row is an image. Sums over
// classes, pixels and images are in double.
#include "codegen/cpu/emit/ActivationCode.h"
#include "codegen/cpu/emit/ChannelLoops.h"
#include "codegen/cpu/kernels/PointwiseCode.h"

#include <limits>

namespace vernier::codegen {
namespace {

// Folds numbers that are one after the other.
Value fold(KernelBuilder &k, int64_t count, Value init, llvm::function_ref<Value(Value, Value)> step) {
  return k.forLoop(k.index(0), k.index(count), 1, init, [&](Value j, mlir::ValueRange carried) {
    return KernelBuilder::Values{step(j, carried[0])};
  })[0];
}

Value sumOf(KernelBuilder &k, int64_t count, llvm::function_ref<Value(Value)> term, double factor = 1) {
  Value sum = fold(k, count, k.wideScalar(0.0),
                   [&](Value j, Value sum) { return addFloat(k, sum, k.wide(term(j))); });
  return k.narrow(mulFloat(k, sum, k.wideScalar(factor)));
}

//===- Softmax
//-----------------------------------------------------------------------------------------------------===//

std::string ignoredName(std::optional<int64_t> ignored) {
  return ignored ? "_ignored" + numberName(double(*ignored)) : "";
}

std::string weightedName(bool weighted) { return weighted ? "_weighted" : ""; }
std::string partsName(int64_t parts) { return parts == 1 ? "" : "_in" + std::to_string(parts); }

// Operands 0 to 2 of all softmax kernels: logits, labels, smoothing; `weights` is null without.
class Softmax {
public:
  Softmax(KernelBuilder &k, const View &logits, std::optional<int64_t> ignored, Value weights, Value pixel)
      : k(k), classes(logits.c), weights(weights), start(k.mul(pixel, logits.pixel)) {
    maximum = fold(k, classes, k.scalar(-std::numeric_limits<float>::infinity()),
                   [&](Value j, Value best) { return maxFloat(k, best, logit(j)); });
    sum = sumOf(k, classes, [&](Value j) { return exponential(k, subFloat(k, logit(j), maximum)); });
    smoothing = k.loadScalar(k.operand(2), k.index(0));
    Value raw = k.loadScalar(k.operand(1), pixel);
    label = mlir::arith::IndexCastOp::create(k.builder(), k.location(), k.builder().getIndexType(), raw);
    if (ignored) {
      isIgnored = k.equal(label, k.index(*ignored));
      label = k.choose(isIgnored, k.index(0), label); // which there is
    }
  }

  Value logit(Value j) { return k.loadScalar(k.operand(0), k.add(start, j)); }
  Value zeroWhereIgnored(Value value) {
    return isIgnored ? k.choose(isIgnored, k.scalar(0.0f), value) : value;
  }

  // A number of a class, times its weight.
  Value weighted(Value number, Value j) {
    return weights ? mulFloat(k, number, k.loadScalar(weights, j)) : number;
  }

  Value loss() {
    Value logSum = addFloat(k, maximum, logarithm(k, sum));
    const auto ofClass = [&](Value j) { return weighted(subFloat(k, logSum, logit(j)), j); };
    Value mean = sumOf(k, classes, ofClass, 1.0 / double(classes));
    Value own = mulFloat(k, ofClass(label), subFloat(k, k.scalar(1.0f), smoothing));
    // Without smoothing the other classes take no part, even where a logit is -infinity.
    Value smooths = mlir::arith::CmpFOp::create(k.builder(), k.location(), mlir::arith::CmpFPredicate::UNE,
                                                smoothing, k.scalar(0.0f));
    Value spread = k.choose(smooths, mulFloat(k, mean, smoothing), k.scalar(0.0f));
    return zeroWhereIgnored(addFloat(k, own, spread));
  }

  // Calls body(j, gradient) for each class.
  void gradients(Value factor, llvm::function_ref<void(Value, Value)> body) {
    Value others = mulFloat(k, smoothing, k.scalar(1.0f / float(classes)));
    Value target = addFloat(k, others, subFloat(k, k.scalar(1.0f), smoothing)), all;
    if (weights) { // what is wanted of all classes is not 1 then
      Value own = mulFloat(k, subFloat(k, k.scalar(1.0f), smoothing), k.loadScalar(weights, label));
      Value spread = sumOf(k, classes, [&](Value j) { return k.loadScalar(weights, j); });
      all = addFloat(k, own, mulFloat(k, others, spread));
    }
    k.forLoop(0, classes, 1, [&](Value j) {
      Value probability = divFloat(k, exponential(k, subFloat(k, logit(j), maximum)), sum);
      if (all)
        probability = mulFloat(k, probability, all);
      Value wanted = weighted(k.choose(k.equal(j, label), target, others), j);
      body(j, zeroWhereIgnored(mulFloat(k, subFloat(k, probability, wanted), factor)));
    });
  }

private:
  KernelBuilder &k;
  const int64_t classes;
  Value weights;
  Value start, maximum, sum, smoothing, label, isIgnored;
};

} // namespace

KernelCode softmaxLoss(const SoftmaxLossProblem &p, const Target &target) {
  const View logits = p.logits;
  const int64_t rows = rowTasks(logits);
  std::vector<KernelOperand> operands = {logits.operand(), {rows * logits.w, Element::I32}, {1}};
  if (p.weighted)
    operands.push_back({logits.c});
  const unsigned output = unsigned(operands.size());
  operands.push_back({rows});
  return makeKernel(
      "softmax_loss_" + logits.name() + ignoredName(p.ignored) + weightedName(p.weighted), rows, operands,
      [=](KernelBuilder &k, Value row) {
        Value sum = sumOf(k, logits.w, [&](Value column) {
          Value pixel = k.add(k.mul(row, logits.w), column);
          return Softmax(k, logits, p.ignored, p.weighted ? k.operand(3) : Value(), pixel).loss();
        });
        k.storeScalar(sum, k.operand(output), row);
      });
}

KernelCode softmaxLossGradient(const SoftmaxLossGradientProblem &p, const Target &target) {
  const View logits = p.logits, gradient = p.gradient;
  const int64_t rows = rowTasks(logits), pixels = rows * logits.w;
  std::vector<KernelOperand> operands = {logits.operand(), {pixels, Element::I32}, {1}};
  if (p.counted())
    operands.push_back({1});
  if (p.weighted)
    operands.push_back({logits.c});
  const unsigned output = unsigned(operands.size());
  operands.push_back(gradient.operand());
  return makeKernel("softmax_loss_gradient_" + logits.name() + "_" + gradient.name() +
                        ignoredName(p.ignored) + weightedName(p.weighted) + "_times" + numberName(p.weight),
                    rows, operands, [=](KernelBuilder &k, Value row) {
                      Value factor = p.counted() ? divFloat(k, k.scalar(float(p.weight)),
                                                            k.loadScalar(k.operand(3), k.index(0)))
                                                 : k.scalar(float(p.weight / double(pixels)));
                      overPixels(k, logits, row, [&](Value pixel) {
                        Value to = k.mul(pixel, gradient.pixel);
                        Value weights = p.weighted ? k.operand(4) : Value();
                        Softmax softmax(k, logits, p.ignored, weights, pixel);
                        softmax.gradients(factor, [&](Value j, Value value) {
                          k.storeScalar(value, k.operand(output), k.add(to, j));
                        });
                      });
                    });
}

KernelCode countLabels(const CountLabelsProblem &p) {
  const int64_t each = p.labels / p.parts;
  std::vector<KernelOperand> operands = {{p.labels, Element::I32}};
  std::string name = "count_labels_" + std::to_string(p.labels) + ignoredName(p.ignored) + partsName(p.parts);
  if (p.classes) {
    operands.push_back({p.classes});
    name += "_weights" + std::to_string(p.classes);
  }
  operands.push_back({p.parts});
  return makeKernel(name, p.parts, operands, [=](KernelBuilder &k, Value part) {
    Value first = k.mul(part, each);
    Value count = sumOf(k, each, [&](Value i) {
      Value label = mlir::arith::IndexCastOp::create(k.builder(), k.location(), k.builder().getIndexType(),
                                                     k.loadScalar(k.operand(0), k.add(first, i)));
      Value isIgnored = p.ignored ? k.equal(label, k.index(*p.ignored)) : Value();
      if (isIgnored)
        label = k.choose(isIgnored, k.index(0), label); // which there is
      Value one = p.classes ? k.loadScalar(k.operand(1), label) : k.scalar(1.0f);
      return isIgnored ? k.choose(isIgnored, k.scalar(0.0f), one) : one;
    });
    Value nothing = mlir::arith::CmpFOp::create(k.builder(), k.location(), mlir::arith::CmpFPredicate::OEQ,
                                                count, k.scalar(0.0f));
    k.storeScalar(k.choose(nothing, k.scalar(1.0f), count), k.operand(p.classes ? 2 : 1), part);
  });
}

//===- Losses of single elements
//-------------------------------------------------------------------------------------------------------===//

namespace {

std::string pointwiseName(const PointwiseFunction &f) {
  std::string name = nameOf(f.kind);
  if (f.isSharp())
    name += numberName(f.sharpness);
  return f.kind == Pointwise::Focal ? name + "_" + numberName(f.share) : name;
}

// What the name begins with, and the operands that are read.
template <class Problem>
std::pair<std::string, std::vector<KernelOperand>> readsOf(const char *kind, const Problem &p) {
  std::string name = kind + pointwiseName(p.function) + "_" + p.x.name();
  std::vector<KernelOperand> operands = {p.x.operand()};
  if (p.function.hasTarget()) {
    name += "_" + p.target.name();
    operands.push_back(p.target.operand());
  }
  return {std::move(name), std::move(operands)};
}

// Rows of maps whose pixels are one after the other are vectors as long as the row.
int64_t runOf(std::initializer_list<View> maps) {
  const View &first = *maps.begin();
  return llvm::all_of(maps, [](const View &map) { return map.dense(); }) ? first.w * first.c : first.c;
}

} // namespace

KernelCode pointwiseLoss(const PointwiseLossProblem &p, const Target &target) {
  const View x = p.x, wanted = p.function.hasTarget() ? p.target : p.x;
  auto [name, operands] = readsOf("pointwise_loss_", p);
  const unsigned output = unsigned(operands.size());
  operands.push_back({rowTasks(x)});
  const int64_t run = runOf({x, wanted}), runs = x.w * x.c / run;
  return makeKernel(name, rowTasks(x), operands, [=](KernelBuilder &k, Value row) {
    Value total = fold(k, runs, k.wideScalar(0.0), [&](Value i, Value sum) {
      Value pixel = k.add(k.mul(row, x.w), i), from = k.mul(pixel, x.pixel), of = k.mul(pixel, wanted.pixel);
      return addFloat(k, sum, sumChannels(k, run, 1, [&](Value c, int64_t count) {
                        Value element = k.load(k.operand(0), k.add(from, c), count);
                        Value t =
                            p.function.hasTarget() ? k.load(k.operand(1), k.add(of, c), count) : Value();
                        return KernelBuilder::Values{
                            k.wide(firstLanes(k, pointwiseValue(k, p.function, element, t), count))};
                      })[0]);
    });
    k.storeScalar(k.narrow(total), k.operand(output), row);
  });
}

KernelCode pointwiseLossGradient(const PointwiseLossGradientProblem &p, const Target &target) {
  const View x = p.x, wanted = p.function.hasTarget() ? p.target : p.x, gradient = p.gradient;
  auto [name, operands] = readsOf("pointwise_loss_gradient_", p);
  const unsigned output = unsigned(operands.size());
  operands.push_back(gradient.operand());
  name += "_" + gradient.name() + "_times" + numberName(p.weight);
  const int64_t run = runOf({x, wanted, gradient}), runs = x.w * x.c / run;
  const float factor = float(p.weight / double(x.size()));
  return makeKernel(name, rowTasks(x), operands, [=](KernelBuilder &k, Value row) {
    k.forLoop(0, runs, 1, [&](Value i) {
      Value pixel = k.add(k.mul(row, x.w), i), from = k.mul(pixel, x.pixel), of = k.mul(pixel, wanted.pixel),
            to = k.mul(pixel, gradient.pixel);
      k.forChannels(run, [&](Value c, int64_t count) {
        Value element = k.load(k.operand(0), k.add(from, c), count);
        Value t = p.function.hasTarget() ? k.load(k.operand(1), k.add(of, c), count) : Value();
        Value slope = mulFloat(k, pointwiseDerivative(k, p.function, element, t), k.constant(factor));
        k.store(slope, k.operand(output), k.add(to, c), count);
      });
    });
  });
}

//===- What sums become
//-------------------------------------------------------------------------------------------------------===//

KernelCode meanLoss(const MeanLossProblem &p) {
  std::string name = "mean_loss_" + std::to_string(p.sums);
  std::vector<KernelOperand> operands = {{p.sums}};
  const int64_t each = p.sums / p.parts;
  if (!p.count) {
    name += "_counted";
    operands.push_back({p.parts});
  } else if (*p.count != each) {
    name += "_of" + std::to_string(*p.count);
  }
  operands.push_back({p.parts});
  return makeKernel(name + partsName(p.parts), p.parts, operands, [=](KernelBuilder &k, Value part) {
    Value first = k.mul(part, each);
    const auto term = [&](Value i) { return k.loadScalar(k.operand(0), k.add(first, i)); };
    Value sum = sumOf(k, each, term, p.count ? 1.0 / double(*p.count) : 1.0);
    if (!p.count)
      sum = divFloat(k, sum, k.loadScalar(k.operand(1), part));
    k.storeScalar(sum, k.operand(p.count ? 1 : 2), part);
  });
}

KernelCode numbers(const NumbersProblem &p) {
  return makeKernel("numbers_" + p.name(), 1, {{int64_t(p.values.size())}}, [=](KernelBuilder &k, Value) {
    for (auto [i, value] : llvm::enumerate(p.values))
      k.storeScalar(k.scalar(float(value)), k.operand(0), k.index(int64_t(i)));
  });
}

KernelCode weightedSum(const WeightedSumProblem &p) {
  std::string name = "weighted_sum";
  for (const double weight : p.weights)
    name += "_" + numberName(weight);
  if (p.size != 1)
    name += "_each" + std::to_string(p.size);
  std::vector<KernelOperand> operands(p.weights.size() + 1, {p.size});
  return makeKernel(name, p.size, operands, [=](KernelBuilder &k, Value element) {
    Value sum = k.wideScalar(0.0);
    for (auto [i, weight] : llvm::enumerate(p.weights))
      sum = addFloat(
          k, sum, mulFloat(k, k.wide(k.loadScalar(k.operand(unsigned(i)), element)), k.wideScalar(weight)));
    k.storeScalar(k.narrow(sum), k.operand(unsigned(p.weights.size())), element);
  });
}

} // namespace vernier::codegen
