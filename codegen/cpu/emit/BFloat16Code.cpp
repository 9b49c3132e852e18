#include "codegen/cpu/emit/BFloat16Code.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace vernier::codegen {
namespace {

// `element`, or a vector of as many as `like` has.
Type shaped(Value like, Type element) {
  auto vector = dyn_cast<VectorType>(like.getType());
  return vector ? Type(VectorType::get(vector.getShape(), element)) : element;
}

Value integers(KernelBuilder &k, Type type, int64_t value) {
  OpBuilder &b = k.builder();
  TypedAttr attribute = b.getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, cast<Attribute>(attribute));
  return arith::ConstantOp::create(b, k.location(), attribute);
}

Value asFloat(KernelBuilder &k, Value bits) {
  return arith::BitcastOp::create(k.builder(), k.location(), shaped(bits, k.builder().getF32Type()), bits);
}

Value shiftLeft(KernelBuilder &k, Value bits) {
  return arith::ShLIOp::create(k.builder(), k.location(), bits, integers(k, bits.getType(), 16));
}
Value shiftRight(KernelBuilder &k, Value bits) {
  return arith::ShRUIOp::create(k.builder(), k.location(), bits, integers(k, bits.getType(), 16));
}

VectorType vectorOf(KernelBuilder &k, int64_t count, Type element) {
  return VectorType::get({count}, element);
}

} // namespace

Value widenBFloat16(KernelBuilder &k, Value bits) {
  OpBuilder &b = k.builder();
  return asFloat(k,
                 shiftLeft(k, arith::ExtUIOp::create(b, k.location(), shaped(bits, b.getI32Type()), bits)));
}

Value roundToBFloat16(KernelBuilder &k, Value value) {
  OpBuilder &b = k.builder();
  const auto loc = k.location();
  if (k.getTarget().bfloat16Dot && isa<VectorType>(value.getType())) {
    Value rounded = LLVM::CallIntrinsicOp::create(b, loc, shaped(value, b.getBF16Type()),
                                                  b.getStringAttr("llvm.x86.avx512bf16.cvtneps2bf16.512"),
                                                  ValueRange{value})
                        .getResult(0);
    return arith::BitcastOp::create(b, loc, shaped(value, b.getI16Type()), rounded);
  }
  // Half of the last place is added before the lower half is cut off; the last place itself makes ties even.
  Value bits = arith::BitcastOp::create(b, loc, shaped(value, b.getI32Type()), value);
  Value upper = shiftRight(k, bits);
  Value odd = arith::AndIOp::create(b, loc, upper, integers(k, bits.getType(), 1));
  Value half = arith::AddIOp::create(b, loc, odd, integers(k, bits.getType(), 0x7FFF));
  Value rounded = shiftRight(k, arith::AddIOp::create(b, loc, bits, half));
  // A NaN keeps its upper half, made quiet so that it does not become an infinity.
  Value isNan = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, value, value);
  Value quiet = arith::OrIOp::create(b, loc, upper, integers(k, bits.getType(), 0x40));
  Value result = arith::SelectOp::create(b, loc, isNan, quiet, rounded);
  return arith::TruncIOp::create(b, loc, shaped(value, b.getI16Type()), result);
}

Value loadPairs(KernelBuilder &k, Value buffer, Value position) {
  OpBuilder &b = k.builder();
  Value bits = vector::LoadOp::create(b, k.location(), vectorOf(k, 2 * k.lanes(), b.getI16Type()), buffer,
                                      ValueRange{position});
  return vector::BitCastOp::create(b, k.location(), vectorOf(k, k.lanes(), b.getI32Type()), bits);
}

Value broadcastPair(KernelBuilder &k, Value buffer, Value position) {
  OpBuilder &b = k.builder();
  const auto loc = k.location();
  Value bits = vector::LoadOp::create(b, loc, vectorOf(k, 2, b.getI16Type()), buffer, ValueRange{position});
  Value pair = vector::ExtractOp::create(
      b, loc, vector::BitCastOp::create(b, loc, vectorOf(k, 1, b.getI32Type()), bits), 0);
  return vector::BroadcastOp::create(b, loc, vectorOf(k, k.lanes(), b.getI32Type()), pair);
}

Value broadcastSecond(KernelBuilder &k, Value buffer, Value position) {
  OpBuilder &b = k.builder();
  const auto loc = k.location();
  Value bits = memref::LoadOp::create(b, loc, buffer, ValueRange{position});
  Value pair = shiftLeft(k, arith::ExtUIOp::create(b, loc, b.getI32Type(), bits));
  return vector::BroadcastOp::create(b, loc, vectorOf(k, k.lanes(), b.getI32Type()), pair);
}

Value loadPermutedPairs(KernelBuilder &k, Value buffer, Value position, int64_t count,
                        llvm::ArrayRef<int64_t> pairs) {
  OpBuilder &b = k.builder();
  Value bits = k.loadStored(buffer, position, count);
  Value joined = vector::BitCastOp::create(b, k.location(), vectorOf(k, k.lanes() / 2, b.getI32Type()), bits);
  return k.shuffle(joined, pairs);
}

Value dotPairs(KernelBuilder &k, Value a, Value c, Value accumulator) {
  OpBuilder &b = k.builder();
  const auto loc = k.location();
  if (k.getTarget().bfloat16Dot) {
    const auto numbers = [&](Value pairs) {
      return Value(vector::BitCastOp::create(b, loc, vectorOf(k, 2 * k.lanes(), b.getBF16Type()), pairs));
    };
    return LLVM::CallIntrinsicOp::create(b, loc, k.vectorType(),
                                         b.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512"),
                                         ValueRange{accumulator, numbers(a), numbers(c)})
        .getResult(0);
  }
  const auto second = [&](Value pairs) {
    return asFloat(k, arith::AndIOp::create(b, loc, pairs, integers(k, pairs.getType(), 0xFFFF0000)));
  };
  const auto first = [&](Value pairs) { return asFloat(k, shiftLeft(k, pairs)); };
  return k.fma(first(a), first(c), k.fma(second(a), second(c), accumulator));
}

} // namespace vernier::codegen
