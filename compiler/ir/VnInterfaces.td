// What the compiler asks of an op without knowing which it is.
#ifndef VERNIER_COMPILER_IR_VNINTERFACES_TD
#define VERNIER_COMPILER_IR_VNINTERFACES_TD

include "mlir/IR/OpBase.td"

def Vn_ShapeOpInterface : OpInterface<"ShapeOpInterface"> {
  let cppNamespace = "::vernier::vn";
  let description = [{
    The shape rule of an op: both its verifier and the way shapes are inferred anew after holes are bound
    (`inferFunctionShapes` in compiler/ir/Shapes.h).
  }];
  let methods = [
    InterfaceMethod<[{
      Result types as they follow from operands and attributes; sizes that only the result type tells (of
      resize, crop, slice) are kept. Reports violated constraints as errors of the op.
    }], "::llvm::LogicalResult", "inferShapes", (ins "::llvm::SmallVectorImpl<::mlir::RankedTensorType> &":$results)>,
    InterfaceMethod<[{
      Types that operands must have, as they follow from the input and the attributes. With `channels`, for
      that many output channels instead of the present ones.
    }], "::llvm::SmallVector<::vernier::vn::ExpectedOperand>", "expectedOperands",
    (ins "std::optional<int64_t>":$channels), [{}], [{ return {}; }]>,
  ];
  let verify = [{ return ::vernier::vn::detail::verifyShapes($_op); }];
}

def Vn_CostOpInterface : OpInterface<"CostOpInterface"> {
  let cppNamespace = "::vernier::vn";
  let description = "What an op costs, for its whole batch.";
  let methods = [
    InterfaceMethod<"Multiply-adds as the papers count them: convolutions and linear layers, padding included.",
                    "int64_t", "getMacs", (ins), [{}], [{ return 0; }]>,
    InterfaceMethod<"Trainable numbers that the op introduces.", "int64_t", "getParameterCount", (ins), [{}],
                    [{ return 0; }]>,
    InterfaceMethod<"Bytes of operands and results, each read or written once.", "int64_t", "getBytes", (ins), [{}],
                    [{ return ::vernier::vn::detail::bytesOfOperandsAndResults($_op.getOperation()); }]>,
  ];
}

def Vn_ReceptiveFieldOpInterface : OpInterface<"ReceptiveFieldOpInterface"> {
  let cppNamespace = "::vernier::vn";
  let description = "Which pixels of an operand one pixel of the result sees.";
  let methods = [
    InterfaceMethod<"Window on an operand, in the operand's pixels; by default one pixel.",
                    "::vernier::vn::ReceptiveWindow", "getReceptiveWindow", (ins "unsigned":$operand), [{}],
                    [{ return {}; }]>,
  ];
}

def Vn_GradientOpInterface : OpInterface<"GradientOpInterface"> {
  let cppNamespace = "::vernier::vn";
  let description = "The adjoint of an op, built by `--vn-differentiate`.";
  let methods = [
    InterfaceMethod<[{
      Builds the gradient of each operand for which `wanted` holds from those of the results (null where a
      result does not matter). Leaves the others of `operandGradients`, which has one element per operand, null.
    }], "void", "buildGradient",
    (ins "::mlir::OpBuilder &":$builder, "::mlir::ValueRange":$resultGradients,
         "::llvm::function_ref<bool(::mlir::Value)>":$wanted,
         "::llvm::MutableArrayRef<::mlir::Value>":$operandGradients)>,
  ];
}

def Vn_LossOpInterface : OpInterface<"LossOpInterface"> {
  let cppNamespace = "::vernier::vn";
  let description = "One number that training minimises: its gradient needs no other one.";
  let methods = [
    InterfaceMethod<[{
      Builds the gradient of `weight` times the loss with respect to each operand for which `wanted` holds, as
      `buildGradient` does. Fails, with an error of the op, where there is none.
    }], "::llvm::LogicalResult", "buildLossGradient",
    (ins "::mlir::OpBuilder &":$builder, "double":$weight, "::llvm::function_ref<bool(::mlir::Value)>":$wanted,
         "::llvm::MutableArrayRef<::mlir::Value>":$operandGradients)>,
  ];
}

#endif
