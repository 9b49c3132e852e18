#include "compiler/passes/DifferentiateSegment.h"

#include "compiler/ir/Shapes.h"
#include "compiler/passes/Backward.h"
#include "compiler/passes/TrainingForm.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace vernier::vn;

namespace vernier::compiler {
namespace {

SmallVector<StringRef> namesOf(func::FuncOp function, StringRef attribute) {
  SmallVector<StringRef> names;
  for (Attribute name : function->getAttrOfType<ArrayAttr>(attribute))
    names.push_back(cast<StringAttr>(name).getValue());
  return names;
}

func::FuncOp inferOf(ModuleOp module) { return module.lookupSymbol<func::FuncOp>(kInferFunction); }

} // namespace

std::vector<SegmentTraining> planSegmentTraining(ArrayRef<ModuleOp> segments, StringRef logits) {
  std::vector<SegmentTraining> plan(segments.size());
  llvm::StringMap<std::string> gradients; // of each map, the newest
  for (size_t s = segments.size(); s-- > 0;) {
    auto infer = inferOf(segments[s]);
    SegmentTraining &segment = plan[s];
    segment.hasLoss = llvm::is_contained(namesOf(infer, kOutputsAttr), logits);
    segment.needed = segment.hasLoss;
    for (StringRef name : namesOf(infer, kPassedOnAttr)) {
      segment.gradientOf.push_back(gradients.lookup(name));
      segment.needed |= !segment.gradientOf.back().empty();
    }
    for (auto [name, argument] : llvm::zip_equal(namesOf(infer, kInputsAttr), infer.getArguments())) {
      const bool flows = segment.needed && name != kImageInput;
      std::string &newest = gradients[name];
      segment.gradientBefore.push_back(flows ? newest : "");
      if (flows)
        newest = "gradient " + std::to_string(s) + " of " + name.str();
      segment.gradientAfter.push_back(flows ? newest : "");
    }
  }
  return plan;
}

LogicalResult differentiateSegment(ModuleOp module, const SegmentTraining &training, LossKind loss) {
  func::FuncOp infer = inferOf(module), forward = module.lookupSymbol<func::FuncOp>(kTrainForwardFunction);
  OpBuilder builder(module.getContext());
  builder.setInsertionPointAfter(infer);
  auto step =
      func::FuncOp::create(builder, infer.getLoc(), kTrainStepFunction, builder.getFunctionType({}, {}));
  Block &entry = *step.addEntryBlock();
  builder.setInsertionPointToEnd(&entry);
  SmallVector<StringRef> inputs;
  const auto addArgument = [&](StringRef name, Type type) {
    inputs.push_back(name);
    return entry.addArgument(type, infer.getLoc());
  };

  IRMapping mapping;
  SmallVector<Value> taken;
  for (auto [name, argument] : llvm::zip_equal(namesOf(infer, kInputsAttr), forward.getArguments())) {
    Value value = addArgument(name, argument.getType());
    mapping.map(argument, value);
    if (name != kImageInput)
      taken.push_back(value);
  }
  const SmallVector<Value> results = cloneForward(builder, forward, mapping);
  forward->erase();
  const auto outputs = namesOf(infer, kOutputsAttr), passedOn = namesOf(infer, kPassedOnAttr);
  const ArrayRef<Value> passed = ArrayRef(results).drop_front(outputs.size());

  SmallVector<Value> returned;
  SmallVector<StringRef> outputNames, targetNames, passedNames, gradientNames;
  Operation *lastForward = entry.empty() ? nullptr : &entry.back();
  Value minimized;
  if (training.hasLoss) {
    Value logits = results.front();
    Value labels = addArgument("labels", labelsType(loss, cast<RankedTensorType>(logits.getType()))),
          smoothing = addArgument("label_smoothing", floatTensor(module.getContext(), {1}));
    minimized = buildLoss(builder, loss, logits, labels, smoothing);
    returned = {minimized, logits};
    outputNames = {"loss", "logits"};
    targetNames = {"labels"};
  }

  takeRandomState(entry, [&](Type type) { return addArgument(kRandomInput, type); });

  // Gradients from later segments come first.
  Backward backward(builder, entry, taken);
  if (minimized)
    backward.minimize(minimized, 1);
  for (auto [value, name] : llvm::zip_equal(passed, training.gradientOf))
    if (!name.empty())
      backward.contribute(value, addArgument(name, value.getType()));
  size_t input = 0;
  for (auto [index, name] : llvm::enumerate(namesOf(infer, kInputsAttr))) {
    if (name == kImageInput)
      continue;
    Value value = taken[input++];
    if (!training.gradientBefore[index].empty())
      backward.contribute(value, addArgument(training.gradientBefore[index], value.getType()));
  }
  if (failed(backward.run()))
    return failure();
  for (auto [value, name, gradient] : llvm::zip_equal(passed, passedOn, training.gradientOf))
    if (!gradient.empty()) {
      returned.push_back(value);
      passedNames.push_back(name);
    }
  input = 0;
  for (auto [index, name] : llvm::enumerate(training.gradientAfter)) {
    if (name.empty())
      continue;
    Value value = taken[input++], gradient = backward.gradientOf(value);
    returned.push_back(gradient ? gradient : ZerosOp::create(builder, step.getLoc(), value.getType()));
    gradientNames.push_back(name);
  }
  func::ReturnOp::create(builder, infer.getLoc(), returned);
  step.setFunctionType(builder.getFunctionType(entry.getArgumentTypes(), ValueRange(returned).getTypes()));
  step->setAttr(kInputsAttr, builder.getStrArrayAttr(inputs));
  step->setAttr(kTargetsAttr, builder.getStrArrayAttr(targetNames));
  step->setAttr(kOutputsAttr, builder.getStrArrayAttr(outputNames));
  step->setAttr(kPassedOnAttr, builder.getStrArrayAttr(passedNames));
  step->setAttr(kGradientsAttr, builder.getStrArrayAttr(gradientNames));
  bool isForward = lastForward != nullptr;
  for (Operation &op : entry) {
    if (!isForward)
      op.setAttr(kBackwardAttr, builder.getUnitAttr());
    isForward &= &op != lastForward;
  }
  eraseUnused(entry);
  return success();
}

} // namespace vernier::compiler
