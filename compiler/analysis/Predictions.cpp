#include "compiler/analysis/Predictions.h"

#include "compiler/ir/VnOps.h"

namespace vernier::compiler {

std::vector<Prediction> findPredictions(mlir::func::FuncOp evaluation) {
  auto inputs = evaluation->getAttrOfType<mlir::ArrayAttr>(vn::kInputsAttr),
       outputs = evaluation->getAttrOfType<mlir::ArrayAttr>(vn::kOutputsAttr);
  const auto nameIn = [](mlir::ArrayAttr names, unsigned index) {
    return llvm::cast<mlir::StringAttr>(names[index]).str();
  };
  std::vector<Prediction> found;
  const auto add = [&](mlir::Value read, mlir::Value truth, bool classes) {
    auto target = llvm::dyn_cast_if_present<mlir::BlockArgument>(truth);
    if (!target)
      return;
    for (mlir::OpOperand &result : evaluation.front().getTerminator()->getOpOperands()) {
      auto activate = result.get().getDefiningOp<vn::ActivateOp>();
      const bool isSigmoid = activate && activate.getInput() == read &&
                             activate.getActivation() == Activation(Activation::Sigmoid);
      if (result.get() != read && (classes || !isSigmoid))
        continue;
      Prediction prediction{nameIn(outputs, result.getOperandNumber()), nameIn(inputs, target.getArgNumber()),
                            classes                ? Prediction::Kind::Classes
                            : result.get() == read ? Prediction::Kind::Logits
                                                   : Prediction::Kind::Probabilities};
      if (llvm::none_of(found, [&](const Prediction &known) {
            return known.target == prediction.target && known.output == prediction.output;
          }))
        found.push_back(std::move(prediction));
    }
  };
  for (mlir::Operation &op : evaluation.front()) {
    if (auto loss = llvm::dyn_cast<vn::SoftmaxCrossEntropyOp>(op))
      add(loss.getLogits(), loss.getLabels(), true);
    else if (auto loss = llvm::dyn_cast<vn::PointwiseLossOp>(op);
             loss && (loss.getKind() == vn::Pointwise::Binary || loss.getKind() == vn::Pointwise::Focal))
      add(loss.getInput(), loss.getTarget(), false);
  }
  return found;
}

} // namespace vernier::compiler
