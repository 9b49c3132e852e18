#include "codegen/cpu/emit/KernelBuilder.h"

#include "codegen/cpu/emit/BFloat16Code.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace vernier::codegen {

static Type storedType(OpBuilder &b, Element element) {
  switch (element) {
  case Element::F32:
    return b.getF32Type();
  case Element::F64:
    return b.getF64Type();
  case Element::I32:
    return b.getI32Type();
  case Element::BF16:
    return b.getI16Type();
  }
  return {};
}

static bool isBFloat16(Value buffer) { return getElementTypeOrSelf(buffer.getType()).isInteger(16); }

void KernelBuilder::begin(llvm::StringRef name, llvm::ArrayRef<KernelOperand> operands) {
  llvm::SmallVector<Type> inputs;
  for (const KernelOperand &operand : operands) {
    inputs.push_back(MemRefType::get({operand.elements}, storedType(b, operand.type)));
  }
  inputs.append(2, b.getIndexType()); // begin and end of the tasks
  b.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(b, loc, name, b.getFunctionType(inputs, {}));
  b.setInsertionPointToStart(function.addEntryBlock());
  tables = 0;
}

Value KernelBuilder::tableOf(DenseElementsAttr numbers) {
  const std::string name = function.getName().str() + "_table" + std::to_string(tables++);
  auto type = MemRefType::get(cast<RankedTensorType>(numbers.getType()).getShape(), numbers.getElementType());
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(function);
    memref::GlobalOp::create(b, loc, name, b.getStringAttr("private"), type, numbers, /*constant=*/true,
                             b.getI64IntegerAttr(64));
  }
  return memref::GetGlobalOp::create(b, loc, type, name);
}
Value KernelBuilder::table(llvm::ArrayRef<int32_t> numbers) {
  return tableOf(
      DenseElementsAttr::get(RankedTensorType::get({int64_t(numbers.size())}, b.getI32Type()), numbers));
}
Value KernelBuilder::table(llvm::ArrayRef<float> numbers) {
  return tableOf(
      DenseElementsAttr::get(RankedTensorType::get({int64_t(numbers.size())}, b.getF32Type()), numbers));
}

Value KernelBuilder::localBuffer(KernelOperand operand) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.getBody().front());
  auto type = MemRefType::get({operand.elements}, storedType(b, operand.type));
  return memref::AllocaOp::create(b, loc, type, b.getI64IntegerAttr(64));
}

void KernelBuilder::end() { func::ReturnOp::create(b, loc); }

void KernelBuilder::forTasks(llvm::function_ref<void(Value)> body) {
  const unsigned count = function.getNumArguments();
  forLoop(function.getArgument(count - 2), function.getArgument(count - 1), 1, body);
}

Value KernelBuilder::firstTask() { return function.getArgument(function.getNumArguments() - 2); }

// --- indices
// ---------------------------------------------------------------------------------------------------------

Value KernelBuilder::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
Value KernelBuilder::add(Value a, Value c) { return b.createOrFold<arith::AddIOp>(loc, a, c); }
Value KernelBuilder::add(Value a, int64_t c) { return c == 0 ? a : add(a, index(c)); }
Value KernelBuilder::sub(Value a, Value c) { return b.createOrFold<arith::SubIOp>(loc, a, c); }
Value KernelBuilder::mul(Value a, Value c) { return b.createOrFold<arith::MulIOp>(loc, a, c); }
Value KernelBuilder::mul(Value a, int64_t c) { return c == 1 ? a : mul(a, index(c)); }
Value KernelBuilder::div(Value a, int64_t c) {
  return c == 1 ? a : b.createOrFold<arith::DivUIOp>(loc, a, index(c));
}
Value KernelBuilder::rem(Value a, int64_t c) {
  return c == 1 ? index(0) : b.createOrFold<arith::RemUIOp>(loc, a, index(c));
}
Value KernelBuilder::min(Value a, Value c) { return b.createOrFold<arith::MinSIOp>(loc, a, c); }
Value KernelBuilder::max(Value a, Value c) { return b.createOrFold<arith::MaxSIOp>(loc, a, c); }

Value KernelBuilder::floorDiv(Value a, int64_t c) {
  if (c == 1)
    return a;
  // divsi rounds towards zero: one less where the remainder is negative.
  Value quotient = arith::DivSIOp::create(b, loc, a, index(c));
  Value remainder = sub(a, mul(quotient, c));
  return choose(less(remainder, index(0)), add(quotient, -1), quotient);
}
Value KernelBuilder::ceilDiv(Value a, int64_t c) { return floorDiv(add(a, c - 1), c); }

Value KernelBuilder::less(Value a, Value c) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, a, c);
}
Value KernelBuilder::equal(Value a, Value c) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, a, c);
}
Value KernelBuilder::both(Value a, Value c) { return arith::AndIOp::create(b, loc, a, c); }
Value KernelBuilder::either(Value a, Value c) { return arith::OrIOp::create(b, loc, a, c); }
Value KernelBuilder::choose(Value condition, Value a, Value c) {
  return arith::SelectOp::create(b, loc, condition, a, c);
}

llvm::SmallVector<Value> KernelBuilder::split(Value task, llvm::ArrayRef<int64_t> extents) {
  llvm::SmallVector<Value> digits(extents.size());
  for (size_t i = extents.size(); i-- > 1;) {
    digits[i] = rem(task, extents[i]);
    task = div(task, extents[i]);
  }
  digits[0] = task;
  return digits;
}

// --- control
// ---------------------------------------------------------------------------------------------------------

void KernelBuilder::forLoop(Value lower, Value upper, int64_t step, llvm::function_ref<void(Value)> body) {
  forLoop(lower, upper, step, ValueRange{}, [&](Value iv, ValueRange) {
    body(iv);
    return Values{};
  });
}

void KernelBuilder::forLoop(int64_t lower, int64_t upper, int64_t step,
                            llvm::function_ref<void(Value)> body) {
  if (lower >= upper)
    return;
  if (lower + step >= upper)
    return body(index(lower));
  forLoop(index(lower), index(upper), step, body);
}

KernelBuilder::Values KernelBuilder::forLoop(Value lower, Value upper, int64_t step, ValueRange init,
                                             llvm::function_ref<Values(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(b, loc, lower, upper, index(step), init,
                                 [&](OpBuilder &, Location, Value iv, ValueRange args) {});
  OpBuilder::InsertionGuard guard(b);
  Block *block = loop.getBody();
  if (!block->empty() && block->back().hasTrait<OpTrait::IsTerminator>())
    block->back().erase();
  b.setInsertionPointToEnd(block);
  Values results = body(loop.getInductionVar(), loop.getRegionIterArgs());
  scf::YieldOp::create(b, loc, results);
  return Values(loop.getResults());
}

void KernelBuilder::ifThen(Value condition, llvm::function_ref<void()> then,
                           llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&branch.getThenRegion().front());
  then();
  if (otherwise) {
    b.setInsertionPointToStart(&branch.getElseRegion().front());
    otherwise();
  }
}

void KernelBuilder::forChannels(int64_t channels, llvm::function_ref<void(Value, int64_t)> body) {
  const int64_t whole = channels / lanes() * lanes();
  forLoop(0, whole, lanes(), [&](Value c) { body(c, lanes()); });
  if (whole < channels)
    body(index(whole), channels - whole);
}

// --- floats
// ----------------------------------------------------------------------------------------------------------

VectorType KernelBuilder::vectorType() { return VectorType::get({lanes()}, b.getF32Type()); }

Value KernelBuilder::constant(float value) {
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(vectorType(), value));
}
Value KernelBuilder::scalar(float value) {
  return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
}

namespace {
Value firstLanes(KernelBuilder &k, int64_t count) {
  OpBuilder &b = k.builder();
  llvm::SmallVector<bool> bits(k.lanes(), false);
  std::fill(bits.begin(), bits.begin() + count, true);
  auto type = VectorType::get({k.lanes()}, b.getI1Type());
  return arith::ConstantOp::create(b, k.location(), DenseElementsAttr::get(type, llvm::ArrayRef<bool>(bits)));
}
} // namespace

Value KernelBuilder::loadStored(Value buffer, Value position, int64_t count) {
  auto type = VectorType::get({lanes()}, getElementTypeOrSelf(buffer.getType()));
  if (count == lanes())
    return vector::LoadOp::create(b, loc, type, buffer, ValueRange{position});
  Value zeros = arith::ConstantOp::create(b, loc, b.getZeroAttr(type));
  return vector::MaskedLoadOp::create(b, loc, type, buffer, ValueRange{position}, firstLanes(*this, count),
                                      zeros);
}

Value KernelBuilder::load(Value buffer, Value position, int64_t count) {
  Value stored = loadStored(buffer, position, count);
  return isBFloat16(buffer) ? widenBFloat16(*this, stored) : stored;
}

void KernelBuilder::store(Value value, Value buffer, Value position, int64_t count) {
  if (isBFloat16(buffer)) {
    value = roundToBFloat16(*this, value);
    // Of a narrowed vector's first lane alone LLVM 22 stores all 32 bits (X86, masked truncating store).
    if (count == 1) {
      memref::StoreOp::create(b, loc, vector::ExtractOp::create(b, loc, value, 0), buffer,
                              ValueRange{position});
      return;
    }
  }
  if (count == lanes()) {
    vector::StoreOp::create(b, loc, value, buffer, ValueRange{position});
    return;
  }
  if (lanes() == 16) {
    vector::MaskedStoreOp::create(b, loc, buffer, ValueRange{position}, firstLanes(*this, count), value);
    return;
  }
  // Without registers for masks a masked store takes as long as a dozen others: in halves, quarters, ...
  int64_t first = 0;
  for (int64_t part = lanes() / 2; part >= 1; part /= 2)
    if (count & part) {
      Value lower = vector::ExtractStridedSliceOp::create(b, loc, value, {first}, {part}, {1});
      vector::StoreOp::create(b, loc, lower, buffer, ValueRange{add(position, first)});
      first += part;
    }
}

Value KernelBuilder::wide(Value value) {
  auto vector = dyn_cast<VectorType>(value.getType());
  const Type type = vector ? Type(VectorType::get({lanes()}, b.getF64Type())) : b.getF64Type();
  return arith::ExtFOp::create(b, loc, type, value);
}
Value KernelBuilder::narrow(Value value) {
  const Type type = isa<VectorType>(value.getType()) ? Type(vectorType()) : b.getF32Type();
  return arith::TruncFOp::create(b, loc, type, value);
}
Value KernelBuilder::wideScalar(double value) {
  return arith::ConstantOp::create(b, loc, b.getF64FloatAttr(value));
}
Value KernelBuilder::wideConstant(double value) {
  auto type = VectorType::get({lanes()}, b.getF64Type());
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, value));
}
Value KernelBuilder::loadWide(Value buffer, Value position) {
  return vector::LoadOp::create(b, loc, VectorType::get({lanes()}, b.getF64Type()), buffer,
                                ValueRange{position});
}
void KernelBuilder::storeWide(Value value, Value buffer, Value position) {
  vector::StoreOp::create(b, loc, value, buffer, ValueRange{position});
}

void KernelBuilder::prefetch(Value buffer, Value position) {
  memref::PrefetchOp::create(b, loc, buffer, ValueRange{position}, /*isWrite=*/false, /*localityHint=*/3,
                             /*isDataCache=*/true);
}
void KernelBuilder::prefetchForWrite(Value buffer, Value position) {
  memref::PrefetchOp::create(b, loc, buffer, ValueRange{position}, /*isWrite=*/true, /*localityHint=*/3,
                             /*isDataCache=*/true);
}

Value KernelBuilder::loadScalar(Value buffer, Value position) {
  Value stored = memref::LoadOp::create(b, loc, buffer, ValueRange{position});
  return isBFloat16(buffer) ? widenBFloat16(*this, stored) : stored;
}
void KernelBuilder::storeScalar(Value value, Value buffer, Value position) {
  if (isBFloat16(buffer))
    value = roundToBFloat16(*this, value);
  memref::StoreOp::create(b, loc, value, buffer, ValueRange{position});
}
Value KernelBuilder::gather(llvm::ArrayRef<Value> scalars) {
  return vector::FromElementsOp::create(b, loc, vectorType(), ValueRange(scalars));
}
Value KernelBuilder::openBuffer(Value buffer) {
  auto element = cast<MemRefType>(buffer.getType()).getElementType();
  return memref::CastOp::create(b, loc, MemRefType::get({ShapedType::kDynamic}, element), buffer);
}
Value KernelBuilder::splat(Value scalar) { return vector::BroadcastOp::create(b, loc, vectorType(), scalar); }
Value KernelBuilder::splatIndex(Value index) {
  Value number = arith::IndexCastOp::create(b, loc, b.getI32Type(), index);
  return vector::BroadcastOp::create(b, loc, VectorType::get({lanes()}, b.getI32Type()), number);
}

Value KernelBuilder::fma(Value a, Value c, Value accumulator) {
  if (target.fma && isa<VectorType>(a.getType()))
    return vector::FMAOp::create(b, loc, a, c, accumulator);
  return arith::AddFOp::create(b, loc, arith::MulFOp::create(b, loc, a, c), accumulator);
}

// By name: of a comparison and a choice LLVM makes a comparison more wherever another choice follows.
Value KernelBuilder::extreme(bool largest, Value a, Value c) {
  if (!isa<VectorType>(a.getType()) || !StringRef(target.triple).starts_with("x86_64")) {
    const auto predicate = largest ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT;
    return choose(arith::CmpFOp::create(b, loc, predicate, a, c), a, c);
  }
  const std::string name = largest ? "max.ps" : "min.ps";
  llvm::SmallVector<Value> operands = {a, c};
  std::string instruction = "llvm.x86.sse." + name;
  if (lanes() == 8)
    instruction = "llvm.x86.avx." + name + ".256";
  if (lanes() == 16) {
    instruction = "llvm.x86.avx512." + name + ".512";
    operands.push_back(LLVM::ConstantOp::create(b, loc, b.getI32IntegerAttr(4))); // rounding as it is
  }
  return LLVM::CallIntrinsicOp::create(b, loc, a.getType(), b.getStringAttr(instruction), operands)
      .getResult(0);
}
Value KernelBuilder::larger(Value a, Value c) { return extreme(true, a, c); }
Value KernelBuilder::smaller(Value a, Value c) { return extreme(false, a, c); }

Value KernelBuilder::shuffle(Value vector, llvm::ArrayRef<int64_t> lanes) {
  return shuffle(vector, vector, lanes);
}
Value KernelBuilder::shuffle(Value a, Value c, llvm::ArrayRef<int64_t> lanes) {
  return vector::ShuffleOp::create(b, loc, a, c, lanes);
}
Value KernelBuilder::reduceAdd(Value vector) {
  // Reassociated: a tree over the lanes rather than a chain.
  return vector::ReductionOp::create(b, loc, vector::CombiningKind::ADD, vector,
                                     arith::FastMathFlags::reassoc);
}
Value KernelBuilder::reduceMax(Value vector) {
  return vector::ReductionOp::create(b, loc, vector::CombiningKind::MAXIMUMF, vector);
}

} // namespace vernier::codegen
