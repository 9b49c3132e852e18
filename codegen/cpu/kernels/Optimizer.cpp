// The optimizer's step, the sum of several steps' gradients, the check of numbers that neither has at hand. A
// task is kOptimizerBlock numbers in a row: every parameter begins at a multiple of 64 bytes, and what
// follows its last number is 0, so that one kernel serves all parameters.
#include "codegen/cpu/emit/MapLoops.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "vernier/abi.h"

namespace vernier::codegen {
namespace {

constexpr KernelOperand kNumbers{int64_t(1) << 40}; // however many
constexpr KernelOperand kNumber{1}, kFlag{1, Element::I32};

Value integer(KernelBuilder &k, int32_t value) {
  return mlir::arith::ConstantIntOp::create(k.builder(), k.location(), value, 32);
}

Value isEqual(KernelBuilder &k, Value flag, int32_t value) {
  return mlir::arith::CmpIOp::create(k.builder(), k.location(), mlir::arith::CmpIPredicate::eq, flag,
                                     integer(k, value));
}

Value flagAt(KernelBuilder &k, unsigned operand) { return k.loadScalar(k.operand(operand), k.index(0)); }

// Calls body(position) for the vectors of all tasks of this call; it returns the values that have to be
// finite. Where one is not, `flag` becomes 1: by several calls at once, hence atomically.
void overBlocks(KernelBuilder &k, unsigned flag, llvm::function_ref<llvm::SmallVector<Value>(Value)> body) {
  Value zero = k.constant(0.0f), begin = k.firstTask(), end = k.operand(flag + 2);
  const auto blocks = k.forLoop(begin, end, 1, zero, [&](Value block, mlir::ValueRange carried) {
    Value bad = carried[0];
    for (int64_t at = 0; at < kOptimizerBlock; at += k.lanes())
      for (Value value : body(k.add(k.mul(block, kOptimizerBlock), at)))
        bad = k.fma(value, zero, bad); // NaN, and it stays
    return KernelBuilder::Values{bad};
  });
  k.ifThen(isNaN(k, k.reduceAdd(blocks[0])), [&] {
    mlir::memref::AtomicRMWOp::create(k.builder(), k.location(), mlir::arith::AtomicRMWKind::ori,
                                      integer(k, 1), k.operand(flag), mlir::ValueRange{k.index(0)});
  });
}

KernelCode make(const char *name, std::vector<KernelOperand> operands,
                std::function<void(KernelBuilder &)> body) {
  KernelCode kernel;
  kernel.definition = {name, operands, [=](KernelBuilder &k) {
                         k.begin(name, operands);
                         body(k);
                         k.end();
                       }};
  return kernel;
}

} // namespace

KernelCode sgd() {
  return make("sgd", {kNumbers, kNumber, kNumber, kNumber, kFlag, kFlag, kNumbers, kNumbers, kFlag},
              [](KernelBuilder &k) {
                const auto number = [&](unsigned operand) {
                  return k.splat(k.loadScalar(k.operand(operand), k.index(0)));
                };
                Value downhill = mulFloat(k, number(1), k.constant(-1.0f));
                Value momentum = number(2), decay = number(3);
                Value nesterov = isEqual(k, flagAt(k, 4), 1);
                const auto step = [&](Value at) {
                  const int64_t lanes = k.lanes();
                  Value weight = k.load(k.operand(6), at, lanes);
                  Value gradient = k.fma(decay, weight, k.load(k.operand(0), at, lanes));
                  Value moved = k.fma(momentum, k.load(k.operand(7), at, lanes), gradient);
                  k.store(moved, k.operand(7), at, lanes);
                  Value along = k.choose(nesterov, k.fma(momentum, moved, gradient), moved);
                  Value updated = k.fma(downhill, along, weight);
                  k.store(updated, k.operand(6), at, lanes);
                  return llvm::SmallVector<Value>{updated};
                };
                k.ifThen(
                    isEqual(k, flagAt(k, 5), 0), [] {}, [&] { overBlocks(k, 8, step); });
              });
}

KernelCode accumulateGradient() {
  return make("accumulate_gradient", {kNumbers, kFlag, kNumbers, kFlag}, [](KernelBuilder &k) {
    const int64_t lanes = k.lanes();
    Value how = flagAt(k, 1);
    const auto end = [&](Value at) {
      k.store(k.load(k.operand(2), at, lanes), k.operand(0), at, lanes);
      return llvm::SmallVector<Value>{};
    };
    const auto take = [&](Value at) {
      Value gradient = k.load(k.operand(0), at, lanes);
      Value sum = addFloat(k, k.load(k.operand(2), at, lanes), gradient);
      k.store(k.choose(isEqual(k, how, VN_ADD), sum, gradient), k.operand(2), at, lanes);
      return llvm::SmallVector<Value>{gradient};
    };
    k.ifThen(
        isEqual(k, how, VN_END), [&] { overBlocks(k, 3, end); },
        [&] {
          k.ifThen(
              isEqual(k, how, VN_LEAVE), [] {}, [&] { overBlocks(k, 3, take); });
        });
  });
}

KernelCode checkFinite() {
  return make("check_finite", {kNumbers, kFlag}, [](KernelBuilder &k) {
    overBlocks(k, 1, [&](Value at) { return llvm::SmallVector<Value>{k.load(k.operand(0), at, k.lanes())}; });
  });
}

} // namespace vernier::codegen
