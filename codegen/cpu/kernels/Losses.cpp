// Softmax cross-entropy with label smoothing and binary cross-entropy with logits, one image a task. Sums
// over classes and over images are in double.
#include "codegen/cpu/emit/ActivationCode.h"
#include "codegen/cpu/emit/MapLoops.h"

#include <limits>

namespace vernier::codegen {
namespace {

std::string shape(int64_t batch, int64_t classes) {
  return std::to_string(batch) + "x" + std::to_string(classes);
}

struct Softmax {
  Value start, maximum, sum;
};

// Folds a row of logits into a scalar, element by element: rows are short and rows are tasks.
Value foldRow(KernelBuilder &k, int64_t classes, Value init, llvm::function_ref<Value(Value, Value)> step) {
  return k.forLoop(k.index(0), k.index(classes), 1, init, [&](Value j, mlir::ValueRange carried) {
    return KernelBuilder::Values{step(j, carried[0])};
  })[0];
}

Value sumRow(KernelBuilder &k, int64_t count, llvm::function_ref<Value(Value)> term, double factor = 1) {
  Value sum = foldRow(k, count, k.wideScalar(0.0),
                      [&](Value j, Value sum) { return addFloat(k, sum, k.wide(term(j))); });
  return k.narrow(mulFloat(k, sum, k.wideScalar(factor)));
}

Softmax softmaxOf(KernelBuilder &k, Value image, int64_t classes) {
  Softmax s;
  s.start = k.mul(image, classes);
  const auto logit = [&](Value j) { return k.loadScalar(k.operand(0), k.add(s.start, j)); };
  s.maximum = foldRow(k, classes, k.scalar(-std::numeric_limits<float>::infinity()),
                      [&](Value j, Value best) { return maxFloat(k, best, logit(j)); });
  s.sum = sumRow(k, classes, [&](Value j) { return exponential(k, subFloat(k, logit(j), s.maximum)); });
  return s;
}

Value label(KernelBuilder &k, Value image) {
  Value raw = k.loadScalar(k.operand(1), image);
  return mlir::arith::IndexCastOp::create(k.builder(), k.location(), k.builder().getIndexType(), raw);
}

} // namespace

KernelCode softmaxLoss(int64_t batch, int64_t classes, const Target &target) {
  return makeKernel("softmax_loss_" + shape(batch, classes), batch,
                    {{batch * classes}, {batch, Element::I32}, {1}, {batch}},
                    [=](KernelBuilder &k, Value image) {
                      Softmax s = softmaxOf(k, image, classes);
                      Value logSum = addFloat(k, s.maximum, logarithm(k, s.sum));
                      Value smoothing = k.loadScalar(k.operand(2), k.index(0));
                      const auto loss = [&](Value j) {
                        return subFloat(k, logSum, k.loadScalar(k.operand(0), k.add(s.start, j)));
                      };
                      Value mean = sumRow(k, classes, loss, 1.0 / double(classes));
                      Value own = mulFloat(k, loss(label(k, image)), subFloat(k, k.scalar(1.0f), smoothing));
                      // Without smoothing the other classes take no part, even where a logit is -infinity.
                      Value smooths = mlir::arith::CmpFOp::create(k.builder(), k.location(),
                                                                  mlir::arith::CmpFPredicate::UNE, smoothing,
                                                                  k.scalar(0.0f));
                      Value spread = k.choose(smooths, mulFloat(k, mean, smoothing), k.scalar(0.0f));
                      k.storeScalar(addFloat(k, own, spread), k.operand(3), image);
                    });
}

KernelCode meanLoss(int64_t count) {
  return makeKernel("mean_loss_" + std::to_string(count), 1, {{count}, {1}}, [=](KernelBuilder &k, Value) {
    const auto loss = [&](Value i) { return k.loadScalar(k.operand(0), i); };
    k.storeScalar(sumRow(k, count, loss, 1.0 / double(count)), k.operand(1), k.index(0));
  });
}

KernelCode softmaxGradient(int64_t batch, int64_t classes, const Target &target) {
  return makeKernel(
      "softmax_gradient_" + shape(batch, classes), batch,
      {{batch * classes}, {batch, Element::I32}, {1}, {batch * classes}}, [=](KernelBuilder &k, Value image) {
        Softmax s = softmaxOf(k, image, classes);
        Value smoothing = k.loadScalar(k.operand(2), k.index(0)), own = label(k, image);
        Value others = mulFloat(k, smoothing, k.scalar(1.0f / float(classes)));
        Value target = addFloat(k, others, subFloat(k, k.scalar(1.0f), smoothing));
        k.forLoop(0, classes, 1, [&](Value j) {
          Value at = k.add(s.start, j);
          Value probability =
              divFloat(k, exponential(k, subFloat(k, k.loadScalar(k.operand(0), at), s.maximum)), s.sum);
          Value wanted = k.choose(k.equal(j, own), target, others);
          k.storeScalar(mulFloat(k, subFloat(k, probability, wanted), k.scalar(1.0f / float(batch))),
                        k.operand(3), at);
        });
      });
}

KernelCode binaryLoss(int64_t batch, int64_t classes, const Target &target) {
  return makeKernel("binary_loss_" + shape(batch, classes), batch,
                    {{batch * classes}, {batch * classes}, {batch}}, [=](KernelBuilder &k, Value image) {
                      // (1 - t) z - min(z, 0) + log(1 + exp(-|z|)), which overflows nowhere.
                      Value start = k.mul(image, classes), zero = k.scalar(0.0f), one = k.scalar(1.0f);
                      const auto loss = [&](Value j) {
                        Value z = k.loadScalar(k.operand(0), k.add(start, j)),
                              t = k.loadScalar(k.operand(1), k.add(start, j));
                        Value least = subFloat(k, zero, maxFloat(k, subFloat(k, zero, z), zero)); // min(z, 0)
                        Value negative = subFloat(k, zero, maxFloat(k, z, subFloat(k, zero, z)));
                        Value tail = logarithm(k, addFloat(k, one, exponential(k, negative)));
                        Value linear = subFloat(k, mulFloat(k, subFloat(k, one, t), z), least);
                        return addFloat(k, linear, tail);
                      };
                      k.storeScalar(sumRow(k, classes, loss, 1.0 / double(classes)), k.operand(2), image);
                    });
}

KernelCode binaryGradient(int64_t batch, int64_t classes, const Target &target) {
  return makeKernel(
      "binary_gradient_" + shape(batch, classes), batch,
      {{batch * classes}, {batch * classes}, {batch * classes}}, [=](KernelBuilder &k, Value image) {
        k.forLoop(0, classes, 1, [&](Value j) {
          Value at = k.add(k.mul(image, classes), j);
          Value probability = applyActivation(k, k.loadScalar(k.operand(0), at), Activation::Sigmoid);
          Value difference = subFloat(k, probability, k.loadScalar(k.operand(1), at));
          k.storeScalar(mulFloat(k, difference, k.scalar(1.0f / float(batch * classes))), k.operand(2), at);
        });
      });
}

} // namespace vernier::codegen
