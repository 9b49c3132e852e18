// Additions and activations behind the batch norms of a training step.
#include "compiler/passes/FuseActivation.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/Report.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_FUSEBATCHNORM
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;

namespace {

struct FuseBatchNorm : vernier::compiler::impl::FuseBatchNormBase<FuseBatchNorm> {
  void runOnOperation() override {
    auto step = getOperation().lookupSymbol<func::FuncOp>(kTrainStepFunction);
    if (!step)
      return;
    IRRewriter rewriter(&getContext());
    int64_t fused = 0;
    for (auto norm : llvm::to_vector(step.getOps<BatchNormTrainingOp>()))
      fused += fuseAddition(norm, rewriter);
    for (auto activate : llvm::to_vector(step.getOps<ActivateOp>()))
      fused += succeeded(vernier::compiler::fuseActivationInto<BatchNormTrainingOp>(activate, rewriter)) ||
               succeeded(vernier::compiler::fuseActivationInto<AddOp>(activate, rewriter)) ||
               succeeded(vernier::compiler::fuseActivationInto<SubtractOp>(activate, rewriter)) ||
               succeeded(vernier::compiler::fuseActivationInto<MultiplyOp>(activate, rewriter)) ||
               succeeded(vernier::compiler::fuseActivationInto<DivideOp>(activate, rewriter));
    fusedOps += fused;
    if (fused)
      vernier::compiler::report(
          *this, getOperation(),
          llvm::formatv("{0} additions and activations in what computes their operands", fused).str());
  }

  static bool fuseAddition(BatchNormTrainingOp norm, IRRewriter &rewriter) {
    Value result = norm.getResult();
    auto add = result.hasOneUse() ? dyn_cast<AddOp>(*result.user_begin()) : AddOp();
    if (!add || norm.getAddend() || norm.getActivation() != Activation::None ||
        add.getActivation() != Activation::None)
      return false;
    Value other = add.getLhs() == result ? add.getRhs() : add.getLhs();
    Operation *producer = other.getDefiningOp();
    // A smaller map would have to be broadcast, and what is computed later is not there yet.
    if (other.getType() != result.getType() || (producer && !producer->isBeforeInBlock(norm)))
      return false;
    rewriter.modifyOpInPlace(norm, [&] { norm.getAddendMutable().assign(other); });
    rewriter.replaceOp(add, result);
    return true;
  }
};

} // namespace
