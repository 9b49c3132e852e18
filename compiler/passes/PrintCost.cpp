// The cost and receptive-field analyses as text.
#include "compiler/analysis/Cost.h"
#include "compiler/passes/Passes.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_PRINTCOST
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace vernier::compiler;

namespace {

void printSize(llvm::raw_ostream &out, const double (&size)[2]) {
  out << llvm::format("%gx%g", size[0], size[1]);
}

void printCost(llvm::raw_ostream &out, mlir::func::FuncOp function) {
  CostSummary summary = summarizeCost(function);
  for (const BlockCost &block : summary.blocks) {
    out.indent(2 * block.depth) << block.place << " " << block.block << ": " << block.macs << " macs, "
                                << block.parameters << " parameters";
    if (block.field) {
      out << ", " << block.result << ", sees ";
      printSize(out, block.field->least);
      out << " to ";
      printSize(out, block.field->most);
    }
    out << "\n";
  }
  out << "@" << function.getName() << ": " << summary.macs << " macs, " << summary.parameters
      << " parameters\n";
}

struct PrintCost : vernier::compiler::impl::PrintCostBase<PrintCost> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<mlir::func::FuncOp>())
      printCost(llvm::outs(), function);
    markAllAnalysesPreserved();
  }
};

} // namespace
