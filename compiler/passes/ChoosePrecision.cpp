// Gives the maps of a function their element type. Casts stand where the function meets its callers, who give
// and take f32, and around losses.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/Report.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_CHOOSEPRECISION
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

class MapTypes {
public:
  MapTypes(func::FuncOp function, Type element) : function(function), element(element) {}

  void run() {
    castArguments();
    retype(function.front());
    castResults();
    function.setFunctionType(FunctionType::get(function.getContext(), function.front().getArgumentTypes(),
                                               function.front().getTerminator()->getOperandTypes()));
  }

  int64_t maps = 0, elements = 0, casts = 0;

private:
  // The image and targets are cast; what other segments pass on comes in the type that they give it.
  void castArguments() {
    auto names = function->getAttrOfType<ArrayAttr>(kInputsAttr),
         targets = function->getAttrOfType<ArrayAttr>(kTargetsAttr);
    OpBuilder builder = OpBuilder::atBlockBegin(&function.front());
    for (BlockArgument argument : function.getArguments()) {
      const auto name = names ? cast<StringAttr>(names[argument.getArgNumber()]) : StringAttr();
      const bool isGiven =
          !names || name.getValue() == kImageInput || (targets && llvm::is_contained(targets, name));
      const bool returnedAlone =
          llvm::all_of(argument.getUsers(), [](Operation *user) { return isa<func::ReturnOp>(user); });
      if (!isMapType(argument.getType()))
        continue;
      if (!isGiven) {
        setType(argument, withElement(typeOf(argument), element));
      } else if (!argument.hasOneUse() || !returnedAlone) {
        Value inside = castTo(builder, argument, element);
        argument.replaceAllUsesExcept(inside, inside.getDefiningOp());
      }
    }
  }

  void retype(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block.without_terminator())) {
      if (auto blocks = dyn_cast<ImageBlocksOp>(op)) {
        Block &body = blocks.getBody().front();
        for (auto [argument, input] : llvm::zip_equal(body.getArguments(), blocks.getInputs()))
          argument.setType(withElement(typeOf(argument), typeOf(input).getElementType()));
        retype(body);
        for (auto [result, yielded] :
             llvm::zip_equal(blocks.getResults(), body.getTerminator()->getOperands()))
          setType(result, withElement(typeOf(result), typeOf(yielded).getElementType()));
      } else if (isa<LossOpInterface, SoftmaxCrossEntropyGradOp, PointwiseLossGradOp>(op)) {
        castLoss(op);
      } else if (!isa<CastOp>(op)) {
        for (Value result : op.getResults())
          if (isMap(result))
            setType(result, withElement(typeOf(result), element));
      }
    }
  }

  // Losses, and their gradients, are f32.
  void castLoss(Operation &loss) {
    OpBuilder builder(&loss);
    for (OpOperand &operand : loss.getOpOperands())
      if (isMapType(operand.get().getType()))
        operand.set(floatOf(builder, operand.get()));
    for (Value result : loss.getResults())
      if (isMapType(result.getType())) {
        builder.setInsertionPointAfter(&loss);
        Value inside = castTo(builder, result, element);
        result.replaceAllUsesExcept(inside, inside.getDefiningOp());
      }
  }

  // One cast for all that read it; none of what came in f32.
  Value floatOf(OpBuilder &builder, Value value) {
    if (auto given = value.getDefiningOp<CastOp>();
        given && given.getInput().getType().getElementType().isF32())
      return given.getInput();
    Value &cast = floats[value];
    if (!cast)
      cast = castTo(builder, value, builder.getF32Type());
    return cast;
  }

  // A cast of its own for each, where there is none: a map that is returned twice is one that is read twice.
  void castResults() {
    Operation *terminator = function.front().getTerminator();
    OpBuilder builder(terminator);
    auto outputs = function->getAttrOfType<ArrayAttr>(kOutputsAttr);
    for (OpOperand &result : terminator->getOpOperands()) {
      const bool passedOn =
          function->hasAttr(kPassedOnAttr) && result.getOperandNumber() >= (outputs ? outputs.size() : 0);
      const Type wanted = passedOn ? element : builder.getF32Type();
      if (isMapType(result.get().getType()) && typeOf(result.get()).getElementType() != wanted)
        result.set(floats.contains(result.get()) ? floats.lookup(result.get())
                                                 : castTo(builder, result.get(), wanted));
    }
  }

  Value castTo(OpBuilder &builder, Value value, Type to) {
    ++casts;
    auto cast = CastOp::create(builder, value.getLoc(), withElement(typeOf(value), to), value);
    count(cast.getType());
    return cast;
  }

  void setType(Value value, RankedTensorType type) {
    if (value.getType() != type)
      count(type);
    value.setType(type);
  }

  void count(RankedTensorType type) {
    if (type.getElementType() != element)
      return;
    ++maps;
    elements += type.getNumElements();
  }

  func::FuncOp function;
  const Type element;
  DenseMap<Value, Value> floats; // casts to f32 that losses read
};

struct ChoosePrecision : vernier::compiler::impl::ChoosePrecisionBase<ChoosePrecision> {
  using ChoosePrecisionBase::ChoosePrecisionBase;

  void runOnOperation() override {
    auto chosenFunction = getOperation().lookupSymbol<func::FuncOp>(function);
    if (!chosenFunction || maps.getValue() == "f32")
      return;
    if (maps.getValue() != "bf16") {
      chosenFunction.emitError("maps cannot be of `") << maps.getValue() << "`, but of f32 or bf16";
      return signalPassFailure();
    }
    MapTypes types(chosenFunction, BFloat16Type::get(&getContext()));
    types.run();
    chosen += types.maps;
    casts += types.casts;
    if (types.maps)
      vernier::compiler::report(*this, getOperation(),
                                llvm::formatv("{0}: {1} maps in bf16, {2:F1} MB less",
                                              function == kInferFunction ? "inference" : "training step",
                                              types.maps, 2 * double(types.elements) / 1e6)
                                    .str());
  }
};

} // namespace
