#include "compiler/ir/VnDialect.h"
#include "compiler/ir/VnOps.h"

using namespace mlir;
using namespace vernier::vn;

#include "compiler/ir/VnDialect.cpp.inc"
#include "compiler/ir/VnEnums.cpp.inc"
#define GET_OP_CLASSES
#include "compiler/ir/VnOps.cpp.inc"

void VnDialect::initialize() {
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
          {kChoicesAttr, kInputsAttr, kOutputsAttr, kPassedOnAttr, kGradientsAttr, kReportAttr}, name))
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
         tensor.getRank() == 1;
}

bool vernier::vn::atLeast(Attribute array, int64_t least) {
  return llvm::all_of(cast<DenseI64ArrayAttr>(array).asArrayRef(),
                      [&](int64_t value) { return value >= least; });
}
