// Reverse-mode differentiation of @infer into @train_step by the ops' gradient interface.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Backward.h"
#include "compiler/passes/DeclaredLosses.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/TrainingForm.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/ADT/MapVector.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;
using namespace vernier::compiler;

namespace {

struct Differentiate : vernier::compiler::impl::DifferentiateBase<Differentiate> {
  using DifferentiateBase::DifferentiateBase;

  // A training step while it is made: what it takes and returns, by name.
  struct Step {
    func::FuncOp function;
    SmallVector<StringRef> inputs = {kImageInput}, targets, outputs = {"loss"};
    SmallVector<Value> results;
    Value take(StringRef name, Type type) {
      inputs.push_back(name);
      return function.front().addArgument(type, function.getLoc());
    }
    void finish(OpBuilder &builder) {
      func::ReturnOp::create(builder, function.getLoc(), results);
      function.setFunctionType(
          builder.getFunctionType(function.front().getArgumentTypes(), ValueRange(results).getTypes()));
      function->setAttr(kInputsAttr, builder.getStrArrayAttr(inputs));
      function->setAttr(kTargetsAttr, builder.getStrArrayAttr(targets));
      function->setAttr(kOutputsAttr, builder.getStrArrayAttr(outputs));
    }
  };

  // What @infer must be for a training step to make sense.
  LogicalResult checkInfer(func::FuncOp infer) {
    if (!infer || infer.isExternal() || infer.getNumArguments() != 1 || infer.getNumResults() < 1)
      return getOperation().emitError("needs a function @infer from one image to at least one output");
    if (getOperation().lookupSymbol(kTrainStepFunction))
      return getOperation().emitError("already has a function @train_step");
    auto logits = dyn_cast<RankedTensorType>(infer.getResultTypes().front());
    if (!vernier::compiler::declaresLosses(infer) &&
        (!logits || logits.getRank() != 4 || heightOf(logits) != 1 || widthOf(logits) != 1))
      return infer.emitError("the first output is ")
             << infer.getResultTypes().front() << "; a loss needs one pixel of logits per image";
    return success();
  }

  // The loss that the pass is asked for, of the first of `outputs`.
  void minimizeLogits(OpBuilder &builder, Step &step, ArrayRef<Value> outputs) {
    Value logits = outputs.front();
    step.targets = {"labels"};
    Value labels = step.take("labels", labelsType(loss, cast<RankedTensorType>(logits.getType())));
    Value smoothing = step.take("label_smoothing", floatTensor(&getContext(), {1}));
    step.results = {buildLoss(builder, loss, logits, labels, smoothing), logits};
    step.outputs.push_back("logits");
    minimized.emplace_back(step.results.front(), 1.0);
  }

  // The losses that the specification declares. The step gives their sum, all outputs, and the terms that
  // have names.
  void minimizeDeclared(OpBuilder &builder, Step &step, func::FuncOp infer, ArrayRef<Value> outputs) {
    Block &entry = step.function.front();
    for (TargetOp target : llvm::make_early_inc_range(entry.getOps<TargetOp>())) {
      step.targets.push_back(target.getName());
      target.replaceAllUsesWith(step.take(target.getName(), target.getType()));
      target.erase();
    }
    SmallVector<Value> terms, named;
    SmallVector<double> weights;
    llvm::MapVector<StringRef, std::pair<SmallVector<Value>, SmallVector<double>>> byName;
    for (MinimizeOp term : llvm::make_early_inc_range(entry.getOps<MinimizeOp>())) {
      const double weight = term.getWeight().convertToDouble();
      terms.push_back(term.getLoss());
      weights.push_back(weight);
      minimized.emplace_back(term.getLoss(), weight);
      if (!term.getName().empty()) {
        byName[term.getNameAttr().getValue()].first.push_back(term.getLoss());
        byName[term.getNameAttr().getValue()].second.push_back(weight);
      }
      term.erase();
    }
    const auto sum = [&](ArrayRef<Value> values, ArrayRef<double> factors) {
      if (factors.size() == 1 && factors.front() == 1)
        return values.front();
      auto total =
          WeightedSumOp::create(builder, infer.getLoc(), floatTensor(&getContext(), {1}), values, factors);
      total->setAttr(kPlaceAttr, builder.getStringAttr("loss"));
      return Value(total);
    };
    step.results.push_back(sum(terms, weights));
    for (auto [name, output] : llvm::zip_equal(infer->getAttrOfType<ArrayAttr>(kOutputsAttr), outputs)) {
      step.outputs.push_back(cast<StringAttr>(name).getValue());
      step.results.push_back(output);
    }
    for (auto &[name, group] : byName) {
      step.outputs.push_back(builder.getStringAttr("loss." + name).getValue());
      step.results.push_back(sum(group.first, group.second));
    }
  }

  // Those that a training step need not keep; of the others its ops are all that says what they are.
  static llvm::StringSet<> parametersOf(func::FuncOp infer) {
    llvm::StringSet<> names;
    infer.walk([&](ParameterOp parameter) { names.insert(parameter.getName()); });
    return names;
  }

  void runOnOperation() override {
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (failed(checkInfer(infer)))
      return signalPassFailure();

    FailureOr<func::FuncOp> forwardForm =
        getOperation().lookupSymbol<func::FuncOp>(vernier::compiler::kTrainForwardFunction);
    if (!*forwardForm)
      forwardForm = vernier::compiler::buildTrainingForm(infer);
    if (failed(forwardForm))
      return signalPassFailure();

    OpBuilder builder(&getContext());
    builder.setInsertionPointAfter(infer);
    Step step;
    step.function = func::FuncOp::create(builder, infer.getLoc(), kTrainStepFunction,
                                         builder.getFunctionType(infer.getArgumentTypes(), {}));
    Block &entry = *step.function.addEntryBlock();
    builder.setInsertionPointToEnd(&entry);
    IRMapping mapping;
    mapping.map(forwardForm->getArgument(0), entry.getArgument(0));
    const SmallVector<Value> outputs = cloneForward(builder, *forwardForm, mapping);
    forwardForm->erase();

    minimized.clear();
    if (vernier::compiler::declaresLosses(infer))
      minimizeDeclared(builder, step, infer, outputs);
    else
      minimizeLogits(builder, step, outputs);
    takeRandomState(entry, [&](Type type) { return step.take(kRandomInput, type); });
    Backward backward(builder, entry, {});
    for (auto [term, weight] : minimized)
      backward.minimize(term, weight);
    if (failed(backward.run()))
      return signalPassFailure();
    storedGradients += backward.storedGradients;
    zeroGradients += backward.zeroGradients;
    step.finish(builder);
    vernier::compiler::dropLosses(infer);
    eraseUnused(entry, parametersOf(infer)); // joined slices, and what only other outputs needed
  }

  SmallVector<std::pair<Value, double>> minimized;
};

} // namespace
