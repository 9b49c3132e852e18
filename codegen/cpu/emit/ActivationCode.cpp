#include "codegen/cpu/emit/ActivationCode.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace vernier::codegen {
namespace {

Value like(KernelBuilder &k, Value x, float value) {
  return isa<VectorType>(x.getType()) ? k.constant(value) : k.scalar(value);
}

// x where a condition holds, else 0.
Value where(KernelBuilder &k, arith::CmpFPredicate predicate, Value a, float bound, Value x) {
  OpBuilder &b = k.builder();
  Value condition = arith::CmpFOp::create(b, k.location(), predicate, a, like(k, a, bound));
  return arith::SelectOp::create(b, k.location(), condition, x, like(k, x, 0.0f));
}

} // namespace

Value exponential(KernelBuilder &k, Value x) { return math::ExpOp::create(k.builder(), k.location(), x); }
Value logarithm(KernelBuilder &k, Value x) { return math::LogOp::create(k.builder(), k.location(), x); }

Value applyActivation(KernelBuilder &k, Value x, Activation activation) {
  OpBuilder &b = k.builder();
  switch (activation) {
  case Activation::None:
    return x;
  case Activation::Relu:
    return k.larger(like(k, x, 0.0f), x);
  case Activation::Relu6:
    return k.smaller(like(k, x, 6.0f), k.larger(like(k, x, 0.0f), x));
  case Activation::Sigmoid: {
    Value negative = arith::SubFOp::create(b, k.location(), like(k, x, 0.0f), x);
    Value denominator = arith::AddFOp::create(b, k.location(), exponential(k, negative), like(k, x, 1.0f));
    return arith::DivFOp::create(b, k.location(), like(k, x, 1.0f), denominator);
  }
  }
  return x;
}

Value activationGradient(KernelBuilder &k, Value y, Value dy, Activation activation) {
  OpBuilder &b = k.builder();
  switch (activation) {
  case Activation::None:
    return dy;
  // Where y is NaN, the gradient passes.
  case Activation::Relu:
    return where(k, arith::CmpFPredicate::UGT, y, 0.0f, dy);
  case Activation::Relu6:
    return where(k, arith::CmpFPredicate::ULT, y, 6.0f, where(k, arith::CmpFPredicate::UGT, y, 0.0f, dy));
  case Activation::Sigmoid: {
    Value slope = arith::MulFOp::create(b, k.location(), y,
                                        arith::SubFOp::create(b, k.location(), like(k, y, 1.0f), y));
    return arith::MulFOp::create(b, k.location(), dy, slope);
  }
  }
  return dy;
}

} // namespace vernier::codegen
