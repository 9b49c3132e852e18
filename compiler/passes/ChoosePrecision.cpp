// Gives the maps of @infer their element type. What computes them follows by the shape rule of each op; casts
// stand where the function meets its callers, who give and take f32.
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
  MapTypes(func::FuncOp infer, Type element) : infer(infer), element(element) {}

  LogicalResult run() {
    castArguments();
    if (failed(retype(infer.front())))
      return failure();
    castResults();
    infer.setFunctionType(FunctionType::get(infer.getContext(), infer.front().getArgumentTypes(),
                                            infer.front().getTerminator()->getOperandTypes()));
    return success();
  }

  int64_t maps = 0, elements = 0, casts = 0;

private:
  // The image is cast; what other segments pass on comes in the type that they give it.
  void castArguments() {
    auto names = infer->getAttrOfType<ArrayAttr>(kInputsAttr);
    OpBuilder builder = OpBuilder::atBlockBegin(&infer.front());
    for (BlockArgument argument : infer.getArguments()) {
      const bool isImage =
          !names || cast<StringAttr>(names[argument.getArgNumber()]).getValue() == kImageInput;
      const bool returnedAlone =
          llvm::all_of(argument.getUsers(), [](Operation *user) { return isa<func::ReturnOp>(user); });
      if (!isMapType(argument.getType()))
        continue;
      if (!isImage) {
        setType(argument, withElement(typeOf(argument), element));
      } else if (!argument.hasOneUse() || !returnedAlone) {
        Value inside = castTo(builder, argument, element);
        argument.replaceAllUsesExcept(inside, inside.getDefiningOp());
      }
    }
  }

  LogicalResult retype(Block &block) {
    for (Operation &op : block.without_terminator()) {
      if (auto blocks = dyn_cast<ImageBlocksOp>(op)) {
        Block &body = blocks.getBody().front();
        for (auto [argument, input] : llvm::zip_equal(body.getArguments(), blocks.getInputs()))
          argument.setType(withElement(typeOf(argument), typeOf(input).getElementType()));
        if (failed(retype(body)))
          return failure();
        for (auto [result, yielded] :
             llvm::zip_equal(blocks.getResults(), body.getTerminator()->getOperands()))
          setType(result, withElement(typeOf(result), typeOf(yielded).getElementType()));
      } else if (auto zeros = dyn_cast<ZerosOp>(op); zeros && isMapType(zeros.getType())) {
        setType(zeros.getResult(), withElement(typeOf(zeros.getResult()), element));
      } else if (auto shaped = dyn_cast<ShapeOpInterface>(op); shaped && !isa<CastOp>(op)) {
        SmallVector<RankedTensorType> types;
        if (failed(shaped.inferShapes(types)))
          return failure();
        for (auto [result, type] : llvm::zip_equal(op.getResults(), types))
          setType(result, type);
      }
    }
    return success();
  }

  // A cast of its own for each: a map that is returned twice is one that is read twice.
  void castResults() {
    Operation *terminator = infer.front().getTerminator();
    OpBuilder builder(terminator);
    auto outputs = infer->getAttrOfType<ArrayAttr>(kOutputsAttr);
    for (OpOperand &result : terminator->getOpOperands()) {
      const bool passedOn =
          infer->hasAttr(kPassedOnAttr) && result.getOperandNumber() >= (outputs ? outputs.size() : 0);
      const Type wanted = passedOn ? element : builder.getF32Type();
      if (isMapType(result.get().getType()) && typeOf(result.get()).getElementType() != wanted)
        result.set(castTo(builder, result.get(), wanted));
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

  func::FuncOp infer;
  const Type element;
};

struct ChoosePrecision : vernier::compiler::impl::ChoosePrecisionBase<ChoosePrecision> {
  using ChoosePrecisionBase::ChoosePrecisionBase;

  void runOnOperation() override {
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (!infer || maps.getValue() == "f32")
      return;
    if (maps.getValue() != "bf16") {
      infer.emitError("maps cannot be of `") << maps.getValue() << "`, but of f32 or bf16";
      return signalPassFailure();
    }
    MapTypes types(infer, BFloat16Type::get(&getContext()));
    if (failed(types.run()))
      return signalPassFailure();
    chosen += types.maps;
    casts += types.casts;
    if (types.maps)
      vernier::compiler::report(*this, getOperation(),
                                llvm::formatv("inference: {0} maps in bf16, {1:F1} MB less", types.maps,
                                              2 * double(types.elements) / 1e6)
                                    .str());
  }
};

} // namespace
