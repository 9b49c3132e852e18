#include "codegen/cpu/kernels/PointwiseCode.h"

#include "codegen/cpu/emit/ActivationCode.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace vernier::codegen {
namespace {

Value absolute(KernelBuilder &k, Value x) { return math::AbsFOp::create(k.builder(), k.location(), x); }

Value where(KernelBuilder &k, arith::CmpFPredicate predicate, Value x, Value bound, Value yes, Value no) {
  Value condition = arith::CmpFOp::create(k.builder(), k.location(), predicate, x, bound);
  return arith::SelectOp::create(k.builder(), k.location(), condition, yes, no);
}

Value negative(KernelBuilder &k, Value x) { return subFloat(k, k.constant(0), x); }

// log(1 + exp(-|x|)): 0 and 1 are the bounds of the exponential, so that nothing overflows.
Value tailOf(KernelBuilder &k, Value x) {
  return logarithm(k, addFloat(k, k.constant(1), exponential(k, negative(k, absolute(k, x)))));
}

// Of a binary loss: 1 where nothing is wanted, `sharpness` where it is.
Value weightOf(KernelBuilder &k, const PointwiseFunction &f, Value t) {
  return addFloat(k, k.constant(1), mulFloat(k, t, k.constant(float(f.sharpness - 1))));
}

// What a focal loss is made of: log(1 + exp(x)), log(1 + exp(-x)) and the powers of both probabilities.
struct Focal {
  Focal(KernelBuilder &k, const PointwiseFunction &f, Value x) {
    Value tail = tailOf(k, x), zero = k.constant(0);
    ofZero = addFloat(k, maxFloat(k, x, zero), tail);
    ofOne = addFloat(k, maxFloat(k, negative(k, x), zero), tail);
    p = applyActivation(k, x, Activation::Sigmoid);
    q = applyActivation(k, negative(k, x), Activation::Sigmoid);
    // p = exp(-ofOne): a power needs no logarithm.
    const auto power = [&](Value minusLog) {
      return f.sharpness == 0 ? k.constant(1)
                              : exponential(k, mulFloat(k, minusLog, k.constant(float(-f.sharpness))));
    };
    pPower = power(ofOne), qPower = power(ofZero);
  }
  Value ofOne, ofZero, p, q, pPower, qPower;
};

} // namespace

Value pointwiseValue(KernelBuilder &k, const PointwiseFunction &f, Value x, Value t) {
  Value one = k.constant(1);
  switch (f.kind) {
  case Pointwise::Mean:
    return x;
  case Pointwise::Binary: {
    // (1 - t) x - min(x, 0) + log(1 + exp(-|x|)), which overflows nowhere
    Value others = mulFloat(k, subFloat(k, one, t), x);
    if (f.sharpness != 1) {
      Value ofOne = addFloat(k, maxFloat(k, negative(k, x), k.constant(0)), tailOf(k, x));
      return addFloat(k, others, mulFloat(k, weightOf(k, f, t), ofOne));
    }
    Value least = negative(k, maxFloat(k, negative(k, x), k.constant(0)));
    return addFloat(k, subFloat(k, others, least), tailOf(k, x));
  }
  case Pointwise::Focal: {
    const Focal own(k, f, x);
    Value ofOne = mulFloat(k, mulFloat(k, mulFloat(k, t, k.constant(float(f.share))), own.qPower), own.ofOne);
    Value others = mulFloat(k, subFloat(k, one, t), k.constant(float(1 - f.share)));
    return addFloat(k, ofOne, mulFloat(k, mulFloat(k, others, own.pPower), own.ofZero));
  }
  case Pointwise::Squared: {
    Value d = subFloat(k, x, t);
    return mulFloat(k, d, d);
  }
  case Pointwise::Absolute:
    return absolute(k, subFloat(k, x, t));
  case Pointwise::SmoothL1: {
    Value d = absolute(k, subFloat(k, x, t)), bound = k.constant(float(f.sharpness));
    Value square = mulFloat(k, mulFloat(k, d, d), k.constant(float(0.5 / f.sharpness)));
    return where(k, arith::CmpFPredicate::OLT, d, bound, square,
                 subFloat(k, d, k.constant(float(f.sharpness / 2))));
  }
  }
  return x;
}

Value pointwiseDerivative(KernelBuilder &k, const PointwiseFunction &f, Value x, Value t) {
  Value zero = k.constant(0), one = k.constant(1);
  // Of |d|; NaN stays NaN.
  const auto sign = [&](Value d) {
    return where(k, arith::CmpFPredicate::OGT, d, zero, one,
                 where(k, arith::CmpFPredicate::OLT, d, zero, k.constant(-1), mulFloat(k, d, zero)));
  };
  switch (f.kind) {
  case Pointwise::Mean:
    return one;
  case Pointwise::Binary:
    if (f.sharpness != 1) {
      Value rest = applyActivation(k, negative(k, x), Activation::Sigmoid);
      return subFloat(k, subFloat(k, one, t), mulFloat(k, weightOf(k, f, t), rest));
    }
    return subFloat(k, applyActivation(k, x, Activation::Sigmoid), t);
  case Pointwise::Focal: {
    const Focal own(k, f, x);
    Value g = k.constant(float(f.sharpness));
    Value ofOne = addFloat(k, own.q, mulFloat(k, mulFloat(k, g, own.p), own.ofOne));
    Value ofZero = addFloat(k, own.p, mulFloat(k, mulFloat(k, g, own.q), own.ofZero));
    Value others = mulFloat(k, subFloat(k, one, t), k.constant(float(1 - f.share)));
    Value wanted = mulFloat(k, t, k.constant(float(f.share)));
    return subFloat(k, mulFloat(k, mulFloat(k, others, own.pPower), ofZero),
                    mulFloat(k, mulFloat(k, wanted, own.qPower), ofOne));
  }
  case Pointwise::Squared: {
    Value d = subFloat(k, x, t);
    return addFloat(k, d, d);
  }
  case Pointwise::Absolute:
    return sign(subFloat(k, x, t));
  case Pointwise::SmoothL1: {
    Value d = subFloat(k, x, t);
    return where(k, arith::CmpFPredicate::OLT, absolute(k, d), k.constant(float(f.sharpness)),
                 mulFloat(k, d, k.constant(float(1 / f.sharpness))), sign(d));
  }
  }
  return x;
}

Value firstLanes(KernelBuilder &k, Value vector, int64_t count) {
  if (count == k.lanes())
    return vector;
  llvm::SmallVector<int64_t> lanes;
  for (int64_t i = 0; i < k.lanes(); ++i)
    lanes.push_back(i < count ? i : k.lanes() + i);
  return k.shuffle(vector, k.constant(0), lanes);
}

} // namespace vernier::codegen
