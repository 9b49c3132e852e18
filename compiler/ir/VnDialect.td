// The dialect, its enumerations and its operand types.
#ifndef VERNIER_COMPILER_IR_VNDIALECT_TD
#define VERNIER_COMPILER_IR_VNDIALECT_TD

include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Vn_Dialect : Dialect {
  let name = "vn";
  let cppNamespace = "::vernier::vn";
  let summary = "convolutional networks on static NHWC tensors";
  let description = [{
    A program is one `func.func` without control flow: `@infer` maps an image to the outputs, `@train_step`
    computes the loss, stores the gradient of each trainable parameter and updates the running statistics.

    Maps are `tensor<N x H x W x C x f32>` or, where `--vn-choose-precision` has said so, of `bf16`. The maps of an
    op have one element type; `vn.cast` alone changes it, and the body of `vn.image_blocks` may. Parameters, vectors,
    gradients and losses are f32. Parameters keep PyTorch's layouts: convolution weights O x I/groups x KH x KW,
    linear weights O x I, everything else C. A dimension may be zero between the binding of holes and
    `--vn-drop-empty`.

    Discardable attributes: `vn.place` is the place in the specification that an op computes (`"layer1.0.conv1"`);
    `vn.scopes` are the block calls around it, outermost first, each `[place, block]`; `vn.choices` are the open
    `choose` holes that it depends on; a function's `vn.outputs` names its results; the module's `vn.model` names
    the model; its `vn.report` has a line for each pass, of what that pass saved. In a segment, a part of a network
    whose ops depend on the same open holes, `vn.inputs` names the arguments of `@infer`: the image, or the places
    that compute them; `vn.passed_on` are the places of the results behind the outputs, which later segments take. In
    a segment's `@train_step` `vn.gradients` names the results behind those, gradients for earlier segments, and
    `vn.backward` marks the ops that run when the later segments have run. A `@train_step`'s `vn.inputs` names its
    arguments, too, and `vn.targets` those of them that the loss compares with.
  }];
  let hasOperationAttrVerify = 1;
  let useDefaultAttributePrinterParser = 1;
}

//===- Activations --------------------------------------------------------------------------------------------===//

// Ops write it without the brackets: `custom<Activation>($activation)`.
def Vn_ActivationAttr : AttrDef<Vn_Dialect, "Activation"> {
  let mnemonic = "activation";
  let summary = "function applied to every element";
  let parameters = (ins "::vernier::Activation":$value);
  let assemblyFormat = "`<` custom<ActivationValue>($value) `>`";
  let returnType = "::vernier::Activation";
  let convertFromStorage = "$_self.getValue()";
  let constBuilderCall = "::vernier::vn::ActivationAttr::get($_builder.getContext(), $0)";
}

//===- Enumerations -------------------------------------------------------------------------------------------===//

class Vn_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::vernier::vn";
}

def Vn_ResizeModeAttr : Vn_Enum<"ResizeMode", "interpolation between pixels", [
  I32EnumAttrCase<"Nearest", 0, "nearest">, I32EnumAttrCase<"Bilinear", 1, "bilinear">]>;

// In the order of dsl::Resampling.
def Vn_ResamplingAttr : Vn_Enum<"Resampling", "what a result takes of a run of positions", [
  I32EnumAttrCase<"AdaptiveAverage", 0, "adaptive_average">, I32EnumAttrCase<"NearestExact", 1, "nearest_exact">,
  I32EnumAttrCase<"Bicubic", 2, "bicubic">, I32EnumAttrCase<"BilinearAntialias", 3, "bilinear_antialias">,
  I32EnumAttrCase<"BicubicAntialias", 4, "bicubic_antialias">]>;

def Vn_PadModeAttr : Vn_Enum<"PadMode", "what lies outside a map", [
  I32EnumAttrCase<"Zero", 0, "zero">, I32EnumAttrCase<"Replicate", 1, "replicate">]>;

def Vn_ChannelReductionAttr : Vn_Enum<"ChannelReduction", "what one number is made of all channels of a pixel", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Mean", 1, "mean">, I32EnumAttrCase<"Max", 2, "max">]>;

def Vn_PointwiseAttr : Vn_Enum<"Pointwise", "what a loss takes of each element and its target", [
  I32EnumAttrCase<"Mean", 0, "mean">, I32EnumAttrCase<"Binary", 1, "binary">, I32EnumAttrCase<"Focal", 2, "focal">,
  I32EnumAttrCase<"Squared", 3, "squared">, I32EnumAttrCase<"Absolute", 4, "absolute">,
  I32EnumAttrCase<"SmoothL1", 5, "smooth_l1">]>;

def Vn_DroppedPartAttr : Vn_Enum<"DroppedPart", "what is dropped, or kept, as a whole", [
  I32EnumAttrCase<"Element", 0, "element">, I32EnumAttrCase<"Channel", 1, "channel">,
  I32EnumAttrCase<"Image", 2, "image">]>;

// The numbers are those of vn_parameter_kind in runtime/include/vernier/abi.h.
def Vn_ParameterKindAttr : Vn_Enum<"ParameterKind", "role of a parameter", [
  I32EnumAttrCase<"ConvolutionWeight", 0, "convolution_weight">, I32EnumAttrCase<"LinearWeight", 1, "linear_weight">,
  I32EnumAttrCase<"Bias", 2, "bias">, I32EnumAttrCase<"Gamma", 3, "gamma">, I32EnumAttrCase<"Beta", 4, "beta">,
  I32EnumAttrCase<"RunningMean", 5, "running_mean">, I32EnumAttrCase<"RunningVar", 6, "running_var">]>;

def Vn_HoleKindAttr : Vn_Enum<"HoleKind", "what a hole leaves open", [
  I32EnumAttrCase<"Learned", 0, "learned">, I32EnumAttrCase<"Choose", 1, "choose">]>;

def Vn_BudgetKindAttr : Vn_Enum<"BudgetKind", "what an allocation may spend", [
  I32EnumAttrCase<"None", 0, "none">, I32EnumAttrCase<"Macs", 1, "macs">,
  I32EnumAttrCase<"Parameters", 2, "parameters">, I32EnumAttrCase<"Neurons", 3, "neurons">]>;

//===- Operand types ------------------------------------------------------------------------------------------===//

class Vn_Tensor<string ranks, string summary>
    : Type<CPred<"::vernier::vn::isFloatTensor($_self, " # ranks # ")">, summary, "::mlir::RankedTensorType">;

def Vn_Map : Type<CPred<"::vernier::vn::isMapType($_self)">, "static N x H x W x C f32 or bf16 tensor",
                  "::mlir::RankedTensorType">;
// Losses are computed of f32.
def Vn_F32Map : Vn_Tensor<"{4}", "static N x H x W x C f32 tensor">;
def Vn_Filter : Vn_Tensor<"{4}", "static O x I x KH x KW f32 tensor">;
def Vn_Matrix : Vn_Tensor<"{2}", "static O x I f32 tensor">;
def Vn_Vector : Vn_Tensor<"{1}", "static f32 vector">;
def Vn_Weight : Vn_Tensor<"{2, 4}", "static f32 matrix or filter">;
def Vn_AnyFloat : Vn_Tensor<"{1, 2, 4}", "static f32 tensor of rank 1, 2 or 4">;
def Vn_MapOrParameter : Type<Or<[Vn_Map.predicate, Vn_AnyFloat.predicate]>,
                             "map, or static f32 tensor of rank 1, 2 or 4", "::mlir::RankedTensorType">;
def Vn_Sums : Type<CPred<"::vernier::vn::isSums($_self)">, "static 2 x C f64 tensor", "::mlir::RankedTensorType">;
def Vn_Scalar : Type<And<[Vn_Vector.predicate, CPred<"::llvm::cast<::mlir::RankedTensorType>($_self).getDimSize(0) == 1">]>,
                     "tensor<1xf32>", "::mlir::RankedTensorType">;
def Vn_Labels : Type<CPred<"::vernier::vn::isLabels($_self)">, "static N or N x H x W i32 tensor",
                     "::mlir::RankedTensorType">;
def Vn_MapOrLabels : Type<Or<[Vn_Map.predicate, Vn_Labels.predicate]>, "map or labels", "::mlir::RankedTensorType">;

// I64Attr would be read as unsigned.
def Vn_Integer : TypedSignlessIntegerAttrBase<I64, "int64_t", "64-bit integer"> {
  let convertFromStorage = "$_self.getInt()";
}

// Two numbers (height, width), four numbers (top, bottom, left, right), and a positive count.
class Vn_Pair<int least> : ConfinedAttr<DenseI64ArrayAttr, [DenseArrayCount<2>,
    AttrConstraint<CPred<"::vernier::vn::atLeast($_self, " # least # ")">, "each at least " # least>]>;
def Vn_Padding : ConfinedAttr<DenseI64ArrayAttr, [DenseArrayCount<4>,
    AttrConstraint<CPred<"::vernier::vn::atLeast($_self, 0)">, "each at least 0">]>;
def Vn_Count : ConfinedAttr<Vn_Integer, [IntMinValue<1>]>;
def Vn_Epsilon : ConfinedAttr<F64Attr, [AttrConstraint<
    CPred<"::llvm::cast<::mlir::FloatAttr>($_self).getValueAsDouble() > 0">, "greater than 0">]>;
def Vn_Momentum : ConfinedAttr<F64Attr, [AttrConstraint<
    And<[CPred<"::llvm::cast<::mlir::FloatAttr>($_self).getValueAsDouble() >= 0">,
         CPred<"::llvm::cast<::mlir::FloatAttr>($_self).getValueAsDouble() <= 1">]>, "between 0 and 1">]>;

#endif
