#include "codegen/cpu/emit/SumCode.h"

#include "codegen/cpu/emit/MapLoops.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace vernier::codegen {

Value pairwiseSum(KernelBuilder &k, llvm::ArrayRef<Value> terms) {
  if (terms.size() == 1)
    return terms.front();
  const size_t half = (terms.size() + 1) / 2;
  return addFloat(k, pairwiseSum(k, terms.take_front(half)), pairwiseSum(k, terms.drop_front(half)));
}

Value wideSum(KernelBuilder &k, Value first, Value last, Value start,
              llvm::function_ref<Value(llvm::ArrayRef<Value>)> sumOf) {
  Value count = k.max(k.sub(last, first), k.index(0));
  Value rest = k.rem(count, kTermsInFloat);
  Value whole = k.sub(k.add(first, count), rest);
  Value total = k.forLoop(first, whole, kTermsInFloat, start, [&](Value i, mlir::ValueRange carried) {
    llvm::SmallVector<Value> indices;
    for (int64_t j = 0; j < kTermsInFloat; ++j)
      indices.push_back(k.add(i, j));
    return KernelBuilder::Values{addFloat(k, carried[0], k.wide(sumOf(indices)))};
  })[0];
  if (mlir::isConstantIntValue(rest, 0))
    return total;
  Value few = k.forLoop(whole, last, 1, k.constant(0.0f), [&](Value i, mlir::ValueRange carried) {
    return KernelBuilder::Values{addFloat(k, carried[0], sumOf(i))};
  })[0];
  return addFloat(k, total, k.wide(few));
}

// Longer sums pay for a load, an addition and a store per block.
constexpr int64_t kBlock = 256;
// From here on sums are those of fully connected layers, at the pace of the memory that weights come from.
constexpr int64_t kLongSum = 8192, kShortBlock = 64;

SumBlocks sumBlocks(int64_t products, int64_t uncut) {
  if (products <= uncut)
    return {};
  return products < kLongSum ? SumBlocks{kBlock, Element::F32} : SumBlocks{kShortBlock, Element::F64};
}

TileTotals::TileTotals(KernelBuilder &k, SumBlocks blocks, int64_t vectors)
    : k(k), inDouble(blocks.totals == Element::F64) {
  if (blocks.block)
    buffer = k.localBuffer({vectors * k.lanes(), blocks.totals});
}

void TileTotals::start(int64_t i, Value vector) {
  if (inDouble)
    k.storeWide(k.wide(vector), buffer, position(i));
  else
    k.store(vector, buffer, position(i), k.lanes());
}

void TileTotals::add(int64_t i, Value vector) {
  if (inDouble)
    k.storeWide(addFloat(k, k.loadWide(buffer, position(i)), k.wide(vector)), buffer, position(i));
  else
    k.store(addFloat(k, k.load(buffer, position(i), k.lanes()), vector), buffer, position(i), k.lanes());
}

Value TileTotals::result(int64_t i) {
  return inDouble ? k.narrow(k.loadWide(buffer, position(i))) : k.load(buffer, position(i), k.lanes());
}

} // namespace vernier::codegen
