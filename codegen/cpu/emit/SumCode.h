// Sums that keep float32's precision whatever their length: a few terms are added pairwise in float32, and
// their sums in double.
//
// One float32 sum of n equal terms is off by about n x 1.5e-8: each addition rounds, and always to the same
// side while the sum stays between the same two powers of two. A pairwise sum of 8 terms rounds three times.
#ifndef VERNIER_CODEGEN_CPU_EMIT_SUMCODE_H
#define VERNIER_CODEGEN_CPU_EMIT_SUMCODE_H

#include "codegen/cpu/emit/KernelBuilder.h"

namespace vernier::codegen {

// Terms that are added in float32 before their sum joins one in double.
constexpr int64_t kTermsInFloat = 8;

// The sum of at least one term, as a tree.
Value pairwiseSum(KernelBuilder &k, llvm::ArrayRef<Value> terms);

// `start`, in double, and the terms of [first, last), of which there may be none: `sumOf` gives the float32
// sum of those at `indices`, kTermsInFloat of them or, of the last ones, one.
Value wideSum(KernelBuilder &k, Value first, Value last, Value start,
              llvm::function_ref<Value(llvm::ArrayRef<Value> indices)> sumOf);

// How sums of `products` products in registers are cut: `block` of them in one float32 sum, then added to
// totals in memory. 0: one sum of all, where they are at most `uncut`.
struct SumBlocks {
  int64_t block = 0;
  Element totals = Element::F32;
};
constexpr int64_t kUncutProducts = 512;
SumBlocks sumBlocks(int64_t products, int64_t uncut = kUncutProducts);

// Totals of a task's register tile, in memory of its own.
class TileTotals {
public:
  // For up to `vectors` vectors; at the beginning of a kernel.
  TileTotals(KernelBuilder &k, SumBlocks blocks, int64_t vectors);

  void start(int64_t i, Value vector);
  void add(int64_t i, Value vector);
  Value result(int64_t i);

private:
  Value position(int64_t i) { return k.index(i * k.lanes()); }

  KernelBuilder &k;
  bool inDouble;
  Value buffer;
};

} // namespace vernier::codegen

#endif
