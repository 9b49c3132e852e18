// Runs passes on vn programs in text form: what the tests of the compiler use.
#include "compiler/ir/VnDialect.h"
#include "compiler/passes/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::func::FuncDialect, vernier::vn::VnDialect>();
  vernier::compiler::registerVernierPasses();
  mlir::registerCSEPass();
  mlir::registerCanonicalizerPass();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "vernier-opt: passes on vn programs\n", registry));
}
