#include "compiler/ir/VnDialect.h"
#include "compiler/ir/VnOps.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include <bit>
#include <cmath>

using namespace mlir;
using namespace vernier::vn;

//===- Activations
//--------------------------------------------------------------------------------------------===//

llvm::hash_code vernier::hash_value(Activation activation) {
  const auto bits = [](double number) { return std::bit_cast<uint64_t>(number + 0.0); }; // -0 is 0
  return llvm::hash_combine(int(activation.kind), bits(activation.slope), bits(activation.offset));
}

// `leaky_relu(0.01)`, `scale_shift(2.0, -1.0)`: with the numbers that it has.

static ParseResult parseActivationValue(AsmParser &parser, Activation &activation) {
  StringRef name;
  const SMLoc place = parser.getCurrentLocation();
  if (parser.parseKeyword(&name))
    return failure();
  const auto *kind = llvm::find_if(vernier::kActivations, [&](auto kind) { return name == nameOf(kind); });
  if (kind == std::end(vernier::kActivations))
    return parser.emitError(place, "unknown activation `") << name << "`";
  activation = *kind;
  if (!activation.hasSlope())
    return success();
  if (parser.parseLParen() || parser.parseFloat(activation.slope) ||
      (activation.hasOffset() && (parser.parseComma() || parser.parseFloat(activation.offset))) ||
      parser.parseRParen())
    return failure();
  // The gradient of `leaky_relu` is told from its result, whose sign a negative slope would hide.
  if (!std::isfinite(float(activation.slope)) || !std::isfinite(float(activation.offset)) ||
      (activation.kind == Activation::LeakyRelu && activation.slope < 0))
    return parser.emitError(place, "`") << name << "` of numbers that it does not take";
  return success();
}

static void printActivationValue(AsmPrinter &printer, Activation activation) {
  printer << nameOf(activation.kind);
  if (!activation.hasSlope())
    return;
  printer << '(';
  printer.printFloat(llvm::APFloat(activation.slope));
  if (activation.hasOffset()) {
    printer << ", ";
    printer.printFloat(llvm::APFloat(activation.offset));
  }
  printer << ')';
}

// As ops have it.
static ParseResult parseActivation(OpAsmParser &parser, ActivationAttr &attribute) {
  Activation activation;
  if (parseActivationValue(parser, activation))
    return failure();
  attribute = ActivationAttr::get(parser.getContext(), activation);
  return success();
}

static void printActivation(OpAsmPrinter &printer, Operation *, ActivationAttr attribute) {
  printActivationValue(printer, attribute.getValue());
}

#include "compiler/ir/VnDialect.cpp.inc"
#include "compiler/ir/VnEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "compiler/ir/VnAttributes.cpp.inc"
#define GET_OP_CLASSES
#include "compiler/ir/VnOps.cpp.inc"

void VnDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "compiler/ir/VnAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "compiler/ir/VnOps.cpp.inc"
      >();
}

//===- Discardable attributes
//---------------------------------------------------------------------------------===//

static bool isStringArray(Attribute attribute, std::optional<size_t> size = std::nullopt) {
  auto array = dyn_cast<ArrayAttr>(attribute);
  return array && (!size || array.size() == *size) && llvm::all_of(array, llvm::IsaPred<StringAttr>);
}

LogicalResult VnDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  StringRef name = attribute.getName();
  Attribute value = attribute.getValue();
  if (name == kPlaceAttr || name == kModelAttr)
    return isa<StringAttr>(value) ? success() : op->emitError() << "`" << name << "` must be a string";
  if (llvm::is_contained(
          {kChoicesAttr, kInputsAttr, kTargetsAttr, kOutputsAttr, kPassedOnAttr, kGradientsAttr, kReportAttr},
          name))
    return isStringArray(value) ? success()
                                : op->emitError() << "`" << name << "` must be an array of strings";
  if (name == kBackwardAttr)
    return isa<UnitAttr>(value) ? success() : op->emitError() << "`" << name << "` must be a unit";
  if (name == kScopesAttr) {
    auto scopes = dyn_cast<ArrayAttr>(value);
    if (!scopes || !llvm::all_of(scopes, [](Attribute scope) { return isStringArray(scope, 2); }))
      return op->emitError() << "`" << name << "` must be an array of [place, block]";
    return success();
  }
  return op->emitError() << "unknown attribute `" << name << "`";
}

//===- Operand types
//------------------------------------------------------------------------------------------===//

bool vernier::vn::isFloatTensor(Type type, ArrayRef<int64_t> ranks) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getElementType().isF32() &&
         llvm::is_contained(ranks, tensor.getRank());
}

bool vernier::vn::isMapType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getRank() == 4 &&
         (tensor.getElementType().isF32() || tensor.getElementType().isBF16());
}

bool vernier::vn::isSums(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getElementType().isF64() && tensor.getRank() == 2 &&
         tensor.getDimSize(0) == 2;
}

bool vernier::vn::isLabels(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getElementType().isSignlessInteger(32) &&
         (tensor.getRank() == 1 || tensor.getRank() == 3);
}

bool vernier::vn::atLeast(Attribute array, int64_t least) {
  return llvm::all_of(cast<DenseI64ArrayAttr>(array).asArrayRef(),
                      [&](int64_t value) { return value >= least; });
}
