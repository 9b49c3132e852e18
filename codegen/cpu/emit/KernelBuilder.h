// Writes the loop nests of kernels: scf, memref, arith and vector operations over flat buffers.
//
// A kernel is a function of its operands' buffers and of a range of tasks; forTasks() makes the loop over
// them. Positions are element indices that the generators compute from compile-time strides, so that every
// shape is a constant in the code.
#ifndef VERNIER_CODEGEN_CPU_EMIT_KERNELBUILDER_H
#define VERNIER_CODEGEN_CPU_EMIT_KERNELBUILDER_H

#include "codegen/cpu/Target.h"
#include "codegen/program/Element.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <string>

namespace vernier::codegen {

using mlir::Value;

class KernelBuilder {
public:
  KernelBuilder(mlir::ModuleOp module, const Target &target)
      : module(module), b(module.getContext()), target(target), loc(b.getUnknownLoc()) {}

  const Target &getTarget() const { return target; }
  int64_t lanes() const { return target.lanes; }

  void begin(llvm::StringRef name, llvm::ArrayRef<KernelOperand> operands);
  void end();
  Value operand(unsigned i) { return function.getArgument(i); }
  // Memory of this call, on its stack.
  Value localBuffer(KernelOperand operand);
  // Constant numbers, beside the code.
  Value table(llvm::ArrayRef<int32_t> numbers);
  Value table(llvm::ArrayRef<float> numbers);
  // The loop over this call's tasks.
  void forTasks(llvm::function_ref<void(Value task)> body);
  Value firstTask(); // of this call's

  // --- indices
  // -------------------------------------------------------------------------------------------------------
  Value index(int64_t value);
  Value add(Value a, Value c);
  Value add(Value a, int64_t c);
  Value sub(Value a, Value c);
  Value mul(Value a, int64_t c);
  Value mul(Value a, Value c);
  Value div(Value a, int64_t c); // of values that are not negative
  Value rem(Value a, int64_t c);
  Value min(Value a, Value c);
  Value max(Value a, Value c);
  Value ceilDiv(Value a, int64_t c);  // signed
  Value floorDiv(Value a, int64_t c); // signed
  Value less(Value a, Value c);       // i1, signed
  Value equal(Value a, Value c);
  Value both(Value a, Value c);
  Value either(Value a, Value c);
  Value choose(Value condition, Value a, Value c);
  // Splits a task number into digits, the last extent varying fastest.
  llvm::SmallVector<Value> split(Value task, llvm::ArrayRef<int64_t> extents);

  // --- control
  // -------------------------------------------------------------------------------------------------------
  using Values = llvm::SmallVector<Value>;
  void forLoop(Value lower, Value upper, int64_t step, llvm::function_ref<void(Value)> body);
  void forLoop(int64_t lower, int64_t upper, int64_t step, llvm::function_ref<void(Value)> body);
  Values forLoop(Value lower, Value upper, int64_t step, mlir::ValueRange init,
                 llvm::function_ref<Values(Value, mlir::ValueRange)> body);
  void ifThen(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise = {});
  // Calls body(c, count) for runs of `count` channels that cover [0, channels): whole vectors in a loop, then
  // a tail.
  void forChannels(int64_t channels, llvm::function_ref<void(Value c, int64_t count)> body);

  // --- floats
  // --------------------------------------------------------------------------------------------------------
  // Vectors always have lanes() elements; of a partial one the first `count` are loaded or stored and the
  // rest are 0. A bfloat16 buffer's elements become float32 when they are loaded and are rounded when they
  // are stored.
  mlir::VectorType vectorType();
  Value constant(float value); // a vector of it
  Value scalar(float value);
  Value load(Value buffer, Value position, int64_t count);
  Value openBuffer(Value buffer); // without its size: choose() may choose between two of them
  void store(Value value, Value buffer, Value position, int64_t count);
  // As they are stored, bfloat16 as 16-bit integers.
  Value loadStored(Value buffer, Value position, int64_t count);
  // Vectors of lanes() doubles, or single ones, for sums that must not lose float32's last bits.
  Value wide(Value value);
  Value narrow(Value value);
  Value wideConstant(double value); // a vector of it
  Value wideScalar(double value);
  Value loadWide(Value buffer, Value position);
  void storeWide(Value value, Value buffer, Value position);
  // Asks for the cache line of an element that will be read, or written, soon; one beyond the buffer's end
  // does no harm.
  void prefetch(Value buffer, Value position);
  void prefetchForWrite(Value buffer, Value position);
  Value loadScalar(Value buffer, Value position);
  void storeScalar(Value value, Value buffer, Value position);
  Value splat(Value scalar);
  Value splatIndex(Value index);                  // as int32
  Value gather(llvm::ArrayRef<Value> scalars);    // a vector of as many scalars as it has lanes
  Value fma(Value a, Value c, Value accumulator); // fused where the target can
  // The larger, or smaller, of two numbers; c's where either is NaN. One instruction on x86.
  Value larger(Value a, Value c);
  Value smaller(Value a, Value c);
  Value shuffle(Value vector, llvm::ArrayRef<int64_t> lanes);
  Value shuffle(Value a, Value c, llvm::ArrayRef<int64_t> lanes); // c's follow a's
  Value reduceAdd(Value vector);
  Value reduceMax(Value vector);

  mlir::OpBuilder &builder() { return b; }
  mlir::Location location() const { return loc; }

private:
  Value extreme(bool largest, Value a, Value c);
  Value tableOf(mlir::DenseElementsAttr numbers);

  mlir::ModuleOp module;
  mlir::OpBuilder b;
  Target target;
  mlir::Location loc;
  mlir::func::FuncOp function;
  unsigned tables = 0; // of `function`
};

} // namespace vernier::codegen

#endif
