// What the kernels of max pools share.
#ifndef VERNIER_CODEGEN_CPU_EMIT_MAXPOOLCODE_H
#define VERNIER_CODEGEN_CPU_EMIT_MAXPOOLCODE_H

#include "codegen/cpu/emit/PoolCode.h"
#include "codegen/cpu/emit/ScatterSums.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace vernier::codegen {

// The larger of each of `best` and the vectors that begin at `position`.
inline KernelBuilder::Values maximaWith(KernelBuilder &k, mlir::ValueRange best, Value buffer, Value position,
                                        llvm::ArrayRef<int64_t> counts) {
  KernelBuilder::Values result;
  for (size_t v = 0; v < counts.size(); ++v)
    result.push_back(
        maxFloat(k, k.load(buffer, k.add(position, int64_t(v) * k.lanes()), counts[v]), best[v]));
  return result;
}

inline void storeVectors(KernelBuilder &k, mlir::ValueRange values, Value buffer, Value position,
                         llvm::ArrayRef<int64_t> counts) {
  for (size_t v = 0; v < counts.size(); ++v)
    k.store(values[v], buffer, k.add(position, int64_t(v) * k.lanes()), counts[v]);
}

// The most windows along an axis that share an element, whose maximum it may be in all.
inline int64_t windowsThatShare(const PoolProblem &spec, int axis) {
  return std::min(ceilDiv(spec.kernel[axis], spec.stride[axis]), axis == 0 ? spec.out.h : spec.out.w);
}

// The gradient of one window's maximum goes to the first of equal elements, and to the last of several NaN,
// as in PyTorch.
//   walk(mayUnroll, init, body(y, x, carried) -> carried) visits the window's elements in their order,
//   load(y, x) reads one, put(y, x, share) takes its share of the gradient.
template <typename Walk, typename Load, typename Put>
void distributeGradient(KernelBuilder &k, Value best, Value gradient, Walk walk, Load load, Put put) {
  using Predicate = mlir::arith::CmpFPredicate;
  Value zero = k.constant(0.0f), one = k.constant(1.0f);
  const auto equal = [&](Value a, Value b) -> Value {
    return mlir::arith::CmpFOp::create(k.builder(), k.location(), Predicate::OEQ, a, b);
  };
  // Gives (y, x) what no element before it has taken; what then remains.
  const auto give = [&](Value y, Value x, Value takes, Value remaining) {
    put(y, x, k.choose(takes, remaining, zero));
    return k.choose(takes, zero, remaining);
  };
  const auto numbers = [&] {
    walk(true, mlir::ValueRange{gradient}, [&](Value y, Value x, mlir::ValueRange carried) {
      return KernelBuilder::Values{give(y, x, equal(load(y, x), best), carried[0])};
    });
  };
  const auto withNaN = [&] {
    const auto count = walk(false, mlir::ValueRange{zero}, [&](Value y, Value x, mlir::ValueRange carried) {
      return KernelBuilder::Values{addFloat(k, carried[0], k.choose(isNaN(k, load(y, x)), one, zero))};
    });
    walk(false, mlir::ValueRange{gradient, count[0]}, [&](Value y, Value x, mlir::ValueRange carried) {
      Value value = load(y, x), bad = isNaN(k, value);
      Value later = subFloat(k, carried[1], k.choose(bad, one, zero));
      // Where the maximum is NaN nothing equals it.
      Value last = k.both(bad, equal(later, zero));
      Value takes = mlir::arith::OrIOp::create(k.builder(), k.location(), equal(value, best), last);
      return KernelBuilder::Values{give(y, x, takes, carried[0]), later};
    });
  };
  Value ordered = mlir::arith::CmpFOp::create(k.builder(), k.location(), Predicate::ORD, best, best);
  k.ifThen(
      mlir::vector::ReductionOp::create(k.builder(), k.location(), mlir::vector::CombiningKind::AND, ordered),
      numbers, withNaN);
}

} // namespace vernier::codegen

#endif
