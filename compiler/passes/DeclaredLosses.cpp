#include "compiler/passes/DeclaredLosses.h"

#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace vernier::compiler {

bool declaresLosses(mlir::func::FuncOp function) { return !function.getOps<vn::MinimizeOp>().empty(); }

std::vector<std::string> namesOfLosses(mlir::func::FuncOp function) {
  std::vector<std::string> names;
  for (vn::MinimizeOp term : function.getOps<vn::MinimizeOp>())
    if (const std::string name = term.getName().str(); !name.empty() && !llvm::is_contained(names, name))
      names.push_back(name);
  return names;
}

void dropLosses(mlir::func::FuncOp infer) {
  if (!declaresLosses(infer) && infer.getOps<vn::TargetOp>().empty())
    return;
  // What nothing read before stays: a checkpoint may have it.
  llvm::SetVector<mlir::Operation *> read;
  for (vn::TargetOp target : infer.getOps<vn::TargetOp>())
    read.insert(target);
  for (vn::MinimizeOp term : llvm::make_early_inc_range(infer.getOps<vn::MinimizeOp>())) {
    read.insert(term.getLoss().getDefiningOp());
    term.erase();
  }
  for (size_t i = 0; i < read.size(); ++i)
    for (mlir::Value operand : read[i]->getOperands())
      if (mlir::Operation *producer = operand.getDefiningOp())
        read.insert(producer);
  for (mlir::Operation &op : llvm::make_early_inc_range(llvm::reverse(infer.front())))
    if (read.contains(&op) && mlir::isOpTriviallyDead(&op))
      op.erase();
}

LossFunction::LossFunction(mlir::func::FuncOp function)
    : function(function), inputs{vn::kImageInput}, outputs{"loss"} {}

mlir::Value LossFunction::take(llvm::StringRef name, mlir::Type type) {
  inputs.push_back(name);
  return function.front().addArgument(type, function.getLoc());
}

void LossFunction::takeTargets() {
  for (vn::TargetOp target : llvm::make_early_inc_range(function.front().getOps<vn::TargetOp>())) {
    targets.push_back(target.getName());
    target.replaceAllUsesWith(take(target.getName(), target.getType()));
    target.erase();
  }
}

llvm::SmallVector<std::pair<mlir::Value, double>>
LossFunction::returnLosses(mlir::OpBuilder &builder, mlir::ArrayAttr names,
                           llvm::ArrayRef<mlir::Value> values) {
  using Terms = llvm::SmallVector<std::pair<mlir::Value, double>>;
  Terms terms;
  llvm::MapVector<llvm::StringRef, Terms> named;
  for (vn::MinimizeOp term : llvm::make_early_inc_range(function.front().getOps<vn::MinimizeOp>())) {
    terms.emplace_back(term.getLoss(), term.getWeight().convertToDouble());
    if (!term.getName().empty())
      named[term.getNameAttr().getValue()].push_back(terms.back());
    term.erase();
  }
  const auto sum = [&](const Terms &of) {
    if (of.size() == 1 && of.front().second == 1)
      return of.front().first;
    llvm::SmallVector<mlir::Value> losses;
    llvm::SmallVector<double> weights;
    for (auto [loss, weight] : of) {
      losses.push_back(loss);
      weights.push_back(weight);
    }
    auto total =
        vn::WeightedSumOp::create(builder, function.getLoc(), losses.front().getType(), losses, weights);
    total->setAttr(vn::kPlaceAttr, builder.getStringAttr("loss"));
    return mlir::Value(total);
  };
  results.push_back(sum(terms));
  for (auto [name, value] : llvm::zip_equal(names, values)) {
    outputs.push_back(llvm::cast<mlir::StringAttr>(name).getValue());
    results.push_back(value);
  }
  for (auto &[name, group] : named) {
    outputs.push_back(builder.getStringAttr("loss." + name).getValue());
    results.push_back(sum(group));
  }
  return terms;
}

void LossFunction::finish(mlir::OpBuilder &builder) {
  mlir::func::ReturnOp::create(builder, function.getLoc(), results);
  function.setFunctionType(
      builder.getFunctionType(function.front().getArgumentTypes(), mlir::ValueRange(results).getTypes()));
  function->setAttr(vn::kInputsAttr, builder.getStrArrayAttr(inputs));
  function->setAttr(vn::kTargetsAttr, builder.getStrArrayAttr(targets));
  function->setAttr(vn::kOutputsAttr, builder.getStrArrayAttr(outputs));
}

} // namespace vernier::compiler
