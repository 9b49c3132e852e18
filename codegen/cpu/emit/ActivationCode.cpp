#include "codegen/cpu/emit/ActivationCode.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace vernier::codegen {
namespace {

// Arithmetic on numbers like `x`: one, or a vector of them.
class Elements {
public:
  Elements(KernelBuilder &k, Value like) : k(k), b(k.builder()), vector(isa<VectorType>(like.getType())) {}

  Value constant(double value) { return vector ? k.constant(float(value)) : k.scalar(float(value)); }
  Value add(Value x, Value y) { return arith::AddFOp::create(b, k.location(), x, y); }
  Value add(Value x, double y) { return add(x, constant(y)); }
  Value subtract(Value x, Value y) { return arith::SubFOp::create(b, k.location(), x, y); }
  Value multiply(Value x, Value y) { return arith::MulFOp::create(b, k.location(), x, y); }
  Value multiply(Value x, double y) { return multiply(x, constant(y)); }
  Value divide(Value x, Value y) { return arith::DivFOp::create(b, k.location(), x, y); }
  Value absolute(Value x) { return math::AbsFOp::create(b, k.location(), x); }
  Value exp(Value x) { return exponential(k, x); }
  // c0 + c1 * x + c2 * x^2 + ...
  Value polynomial(Value x, std::initializer_list<double> coefficients) {
    Value sum;
    for (auto c = std::rbegin(coefficients); c != std::rend(coefficients); ++c)
      sum = sum ? k.fma(sum, x, constant(*c)) : constant(*c);
    return sum;
  }
  // NaN stays NaN.
  Value clamp(Value x, double least, double most) {
    return k.smaller(constant(most), k.larger(constant(least), x));
  }
  Value select(arith::CmpFPredicate predicate, Value x, double bound, Value yes, Value no) {
    Value condition = arith::CmpFOp::create(b, k.location(), predicate, x, constant(bound));
    return arith::SelectOp::create(b, k.location(), condition, yes, no);
  }

  Value sigmoid(Value x) { return divide(constant(1), add(exp(subtract(constant(0), x)), 1)); }
  Value hardSigmoid(Value x) { return multiply(clamp(add(x, 3), 0, 6), 1.0 / 6); }
  // Near 0, where 1 - 2 / (exp(2 |x|) + 1) loses its digits, an odd polynomial; both to some last places.
  // (Coefficients: Moshier's Cephes, tanhf.)
  Value tanh(Value x) {
    Value magnitude = absolute(x), square = multiply(x, x);
    Value small = k.fma(multiply(x, square),
                        polynomial(square, {-3.33332819422e-1, 1.33314422036e-1, -5.37397155531e-2,
                                            2.06390887954e-2, -5.70498872745e-3}),
                        x);
    Value large = subtract(constant(1), divide(constant(2), add(exp(multiply(magnitude, 2)), 1)));
    large = math::CopySignOp::create(b, k.location(), large, x);
    return select(arith::CmpFPredicate::OLT, magnitude, 0.625, small, large);
  }
  // P(N(0, 1) <= x) = erfc(-x / sqrt(2)) / 2, by a Chebyshev fit of erfc to 1.2e-7 of itself everywhere
  // (Press et al., Numerical Recipes, section 6.2: erfcc), so that the tail keeps its digits.
  Value normalDistribution(Value x) {
    Value z = multiply(absolute(x), 0.70710678118654752);
    Value t = divide(constant(1), k.fma(z, constant(0.5), constant(1)));
    Value fit = polynomial(t, {-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807,
                               -1.13520398, 1.48851587, -0.82215223, 0.17087277});
    Value tail = multiply(multiply(t, exp(subtract(fit, multiply(z, z)))), 0.5);
    return select(arith::CmpFPredicate::OGT, x, 0, subtract(constant(1), tail), tail);
  }
  // What GeluTanh takes the hyperbolic tangent of.
  Value geluArgument(Value x) {
    return multiply(k.fma(multiply(x, multiply(x, x)), constant(0.044715), x), 0.79788456080286536);
  }

private:
  KernelBuilder &k;
  OpBuilder &b;
  bool vector;
};

} // namespace

Value exponential(KernelBuilder &k, Value x) { return math::ExpOp::create(k.builder(), k.location(), x); }
Value logarithm(KernelBuilder &k, Value x) { return math::LogOp::create(k.builder(), k.location(), x); }

Value applyActivation(KernelBuilder &k, Value x, Activation activation) {
  Elements e(k, x);
  switch (activation.kind) {
  case Activation::None:
    return x;
  case Activation::Relu:
    return k.larger(e.constant(0), x);
  case Activation::Relu6:
    return e.clamp(x, 0, 6);
  case Activation::LeakyRelu:
    return e.select(arith::CmpFPredicate::OGT, x, 0, x, e.multiply(x, activation.slope));
  case Activation::Sigmoid:
    return e.sigmoid(x);
  case Activation::HardSigmoid:
    return e.hardSigmoid(x);
  case Activation::Tanh:
    return e.tanh(x);
  case Activation::Exp:
    return e.exp(x);
  case Activation::Silu:
    return e.divide(x, e.add(e.exp(e.subtract(e.constant(0), x)), 1));
  case Activation::HardSwish:
    return e.multiply(x, e.hardSigmoid(x));
  case Activation::Gelu:
    return e.multiply(x, e.normalDistribution(x));
  case Activation::GeluTanh: {
    // (1 + tanh(u)) / 2 = sigmoid(2 u), whose tail keeps its digits
    return e.divide(x, e.add(e.exp(e.multiply(e.geluArgument(x), -2)), 1));
  }
  case Activation::ScaleShift:
    return k.fma(x, e.constant(activation.slope), e.constant(activation.offset));
  }
  return x;
}

Value activationGradient(KernelBuilder &k, Value of, Value dy, Activation activation) {
  Elements e(k, of);
  // Where `of` is NaN, the gradient passes, or is NaN.
  const auto where = [&](arith::CmpFPredicate predicate, double bound, Value x) {
    return e.select(predicate, of, bound, x, e.constant(0));
  };
  switch (activation.kind) {
  case Activation::None:
    return dy;
  case Activation::Relu:
    return where(arith::CmpFPredicate::UGT, 0, dy);
  case Activation::Relu6:
    return where(arith::CmpFPredicate::ULT, 6, where(arith::CmpFPredicate::UGT, 0, dy));
  case Activation::LeakyRelu:
    return e.select(arith::CmpFPredicate::UGT, of, 0, dy, e.multiply(dy, activation.slope));
  case Activation::Sigmoid:
    return e.multiply(dy, e.multiply(of, e.subtract(e.constant(1), of)));
  case Activation::HardSigmoid:
    return where(arith::CmpFPredicate::ULT, 1, where(arith::CmpFPredicate::UGT, 0, e.multiply(dy, 1.0 / 6)));
  case Activation::Tanh:
    return e.multiply(dy, e.subtract(e.constant(1), e.multiply(of, of)));
  case Activation::Exp:
    return e.multiply(dy, of);
  case Activation::Silu: {
    // s + x * s * (1 - s)
    Value s = e.sigmoid(of);
    return e.multiply(dy, k.fma(e.multiply(of, s), e.subtract(e.constant(1), s), s));
  }
  case Activation::HardSwish: {
    Value slope = k.fma(of, e.constant(1.0 / 3), e.constant(0.5));
    slope = e.select(arith::CmpFPredicate::OGE, of, 3, e.constant(1), slope);
    return e.multiply(dy, e.select(arith::CmpFPredicate::OLE, of, -3, e.constant(0), slope));
  }
  case Activation::Gelu: {
    Value density = e.multiply(e.exp(e.multiply(e.multiply(of, of), -0.5)), 0.39894228040143268);
    return e.multiply(dy, k.fma(of, density, e.normalDistribution(of)));
  }
  case Activation::GeluTanh: {
    // With s = sigmoid(2 u): s + x * s * (1 - s) * 2 u', u' = sqrt(2 / pi) * (1 + 3 * 0.044715 * x^2)
    Value s = e.sigmoid(e.multiply(e.geluArgument(of), 2));
    Value slope = k.fma(e.multiply(of, of), e.constant(2 * 0.79788456080286536 * 3 * 0.044715),
                        e.constant(2 * 0.79788456080286536));
    return e.multiply(dy, k.fma(e.multiply(e.multiply(of, s), e.subtract(e.constant(1), s)), slope, s));
  }
  case Activation::ScaleShift:
    return e.multiply(dy, activation.slope);
  }
  return dy;
}

} // namespace vernier::codegen
