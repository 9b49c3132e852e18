// Computes max pools from smaller max pools of the same map, so that the map is read once.
//
// Windows of 4 x 4 that do not overlap consist of four windows of 2 x 2 each, and so do those at the borders:
// floor(floor(H / 2) / 2) = floor(H / 4). Only @infer: a training step's gradient goes to the first of equal
// elements, row by row, which another order of windows would change.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/Report.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_SHAREMAXPOOLS
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;

namespace {

// Why the windows of `pool` do not lie side by side from the first pixel on, or nothing.
std::optional<StringRef> irregularity(MaxPoolOp pool) {
  if (pool.getKernel() != pool.getStrides())
    return "windows overlap or leave gaps";
  if (llvm::any_of(pool.getPadding(), [](int64_t padding) { return padding != 0; }))
    return "the map is padded";
  RankedTensorType from = pool.getInput().getType(), to = pool.getType();
  if (heightOf(to) * pool.getKernel()[0] > heightOf(from) ||
      widthOf(to) * pool.getKernel()[1] > widthOf(from))
    return "the last windows are partial";
  return std::nullopt;
}

int64_t areaOf(MaxPoolOp pool) { return pool.getKernel()[0] * pool.getKernel()[1]; }

// Do windows of `large` consist of several windows of `small`?
bool consistsOf(MaxPoolOp large, MaxPoolOp small) {
  return areaOf(large) > areaOf(small) && large.getKernel()[0] % small.getKernel()[0] == 0 &&
         large.getKernel()[1] % small.getKernel()[1] == 0;
}

// The largest other pool of the same map whose windows `pool` can be computed from, or null.
MaxPoolOp smallerPool(MaxPoolOp pool) {
  MaxPoolOp smaller;
  for (Operation *user : pool.getInput().getUsers()) {
    auto other = dyn_cast<MaxPoolOp>(user);
    if (other && consistsOf(pool, other) && !irregularity(other) &&
        (!smaller || areaOf(other) > areaOf(smaller)))
      smaller = other;
  }
  return smaller;
}

struct ShareMaxPools : vernier::compiler::impl::ShareMaxPoolsBase<ShareMaxPools> {
  void runOnOperation() override {
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (!infer)
      return;
    int64_t pools = 0, bytes = 0;
    auto largestFirst =
        llvm::to_vector(infer.getOps<MaxPoolOp>()); // the smaller ones still read the map itself
    llvm::sort(largestFirst, [](MaxPoolOp a, MaxPoolOp b) { return areaOf(a) > areaOf(b); });
    for (MaxPoolOp pool : largestFirst) {
      MaxPoolOp smaller = irregularity(pool) ? MaxPoolOp() : smallerPool(pool);
      if (!smaller)
        continue;
      ++pools;
      bytes += 4 * (pool.getInput().getType().getNumElements() - smaller.getType().getNumElements());
      readFrom(smaller, pool);
    }
    shared += pools;
    savedBytes += bytes;
    if (pools)
      vernier::compiler::report(
          *this, getOperation(),
          llvm::formatv("inference: {0} max pools of smaller ones, {1:F1} MB of maps not read again", pools,
                        double(bytes) / 1e6)
              .str());
  }

  static void readFrom(MaxPoolOp smaller, MaxPoolOp pool) {
    if (pool->isBeforeInBlock(smaller))
      smaller->moveBefore(pool);
    const int64_t quotients[] = {pool.getKernel()[0] / smaller.getKernel()[0],
                                 pool.getKernel()[1] / smaller.getKernel()[1]};
    pool.getInputMutable().assign(smaller.getResult());
    pool.setKernel(quotients);
    pool.setStrides(quotients);
  }
};

} // namespace
