// The `vn` dialect, its enumerations and the checks that its operand types use.
#ifndef VERNIER_COMPILER_IR_VNDIALECT_H
#define VERNIER_COMPILER_IR_VNDIALECT_H

#include "dsl/Activation.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"

#include "compiler/ir/VnDialect.h.inc"
#include "compiler/ir/VnEnums.h.inc"

namespace vernier {
llvm::hash_code hash_value(Activation activation);
} // namespace vernier

#define GET_ATTRDEF_CLASSES
#include "compiler/ir/VnAttributes.h.inc"

namespace vernier::vn {

using vernier::Activation;

/// Names of the discardable attributes; see the dialect's description.
inline constexpr llvm::StringLiteral kPlaceAttr = "vn.place";
inline constexpr llvm::StringLiteral kScopesAttr = "vn.scopes";
inline constexpr llvm::StringLiteral kChoicesAttr = "vn.choices";
inline constexpr llvm::StringLiteral kInputsAttr = "vn.inputs";
inline constexpr llvm::StringLiteral kTargetsAttr = "vn.targets";
inline constexpr llvm::StringLiteral kOutputsAttr = "vn.outputs";
inline constexpr llvm::StringLiteral kPassedOnAttr = "vn.passed_on";
inline constexpr llvm::StringLiteral kGradientsAttr = "vn.gradients";
inline constexpr llvm::StringLiteral kBackwardAttr = "vn.backward";
inline constexpr llvm::StringLiteral kModelAttr = "vn.model";
inline constexpr llvm::StringLiteral kReportAttr = "vn.report";

/// In vn.inputs the network's image, which is no op's place.
inline constexpr llvm::StringLiteral kImageInput = "<image>";
/// And what `vn.random_state` becomes.
inline constexpr llvm::StringLiteral kRandomInput = "<random>";

/// Names of the programs.
inline constexpr llvm::StringLiteral kInferFunction = "infer";
inline constexpr llvm::StringLiteral kTrainStepFunction = "train_step";

/// A static f32 tensor whose rank is one of `ranks`.
bool isFloatTensor(mlir::Type type, llvm::ArrayRef<int64_t> ranks);
inline bool isFloatTensor(mlir::Type type, std::initializer_list<int64_t> ranks) {
  return isFloatTensor(type, llvm::ArrayRef<int64_t>(ranks.begin(), ranks.size()));
}

/// Static, N x H x W x C, of f32 or bf16.
bool isMapType(mlir::Type type);

/// A static 2 x C f64 tensor.
bool isSums(mlir::Type type);
/// A static i32 tensor, N or N x H x W.
bool isLabels(mlir::Type type);

/// True if no element of the DenseI64ArrayAttr `array` is less than `least`.
bool atLeast(mlir::Attribute array, int64_t least);

} // namespace vernier::vn

#endif
