// Shape rules of ops whose result is computed window by window, over op types with the same geometry
// attributes.
#ifndef VERNIER_COMPILER_IR_WINDOWS_H
#define VERNIER_COMPILER_IR_WINDOWS_H

#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "dsl/ShapeRules.h"

namespace vernier::vn {

using EmitError = llvm::function_ref<mlir::InFlightDiagnostic()>;

/// Type of the convolution of `input` with `weight` by the geometry of `op`, or an error of the op.
template <class Op>
mlir::FailureOr<mlir::RankedTensorType> convolutionType(Op op, mlir::RankedTensorType input,
                                                        mlir::RankedTensorType weight) {
  int64_t groups = op.getGroups(), outputs = weight.getDimSize(0);
  if (channelsOf(input) % groups != 0 || outputs % groups != 0) // C1
    return op.emitOpError("groups ") << groups << " do not divide " << channelsOf(input) << " input and "
                                     << outputs << " output channels";
  int64_t size[2];
  for (int axis : {0, 1}) {
    int64_t kernel = weight.getDimSize(2 + axis),
            padding[2] = {op.getPadding()[2 * axis], op.getPadding()[2 * axis + 1]};
    int64_t output = dsl::convolutionSize(input.getDimSize(1 + axis), kernel, op.getStrides()[axis],
                                          op.getDilations()[axis], padding[0], padding[1]);
    if (output < 1) // C4
      return op.emitOpError("window of ")
             << kernel << " with dilation " << op.getDilations()[axis] << " does not fit into "
             << input.getDimSize(1 + axis) << " + " << padding[0] << " + " << padding[1]
             << (axis ? " columns" : " rows");
    size[axis] = output;
  }
  return mapLike(input, {batchOf(input), size[0], size[1], outputs});
}

/// Type of the transposed convolution of the input of `op`, or an error of the op.
template <class Op> mlir::FailureOr<mlir::RankedTensorType> transposedConvolutionType(Op op) {
  mlir::RankedTensorType input = op.getInput().getType(), weight = op.getWeight().getType();
  const int64_t groups = op.getGroups();
  if (channelsOf(input) % groups != 0) // C1
    return op.emitOpError("groups ") << groups << " do not divide " << channelsOf(input) << " input channels";
  int64_t size[2];
  for (int axis : {0, 1}) {
    const int64_t stride = op.getStrides()[axis], dilation = op.getDilations()[axis],
                  more = op.getOutputPadding()[axis];
    if (more >= std::max(stride, dilation)) // C4
      return op.emitOpError("output padding ")
             << more << " is not less than the stride " << stride << " or the dilation " << dilation;
    size[axis] = dsl::transposedConvolutionSize(input.getDimSize(1 + axis), weight.getDimSize(2 + axis),
                                                stride, dilation, op.getPadding()[2 * axis],
                                                op.getPadding()[2 * axis + 1], more);
    if (size[axis] < 1) // C5
      return op.emitOpError("padding ") << op.getPadding()[2 * axis] << " + " << op.getPadding()[2 * axis + 1]
                                        << " leaves no " << (axis ? "columns" : "rows");
  }
  return mapLike(input, {batchOf(input), size[0], size[1], weight.getDimSize(1) * groups});
}

/// Type of the weight that a convolution from `input` to `outputs` channels has.
template <class Op>
mlir::RankedTensorType convolutionWeightType(Op op, mlir::RankedTensorType input,
                                             mlir::RankedTensorType weight, int64_t outputs) {
  return floatTensor(op.getContext(), {outputs, channelsOf(input) / op.getGroups(), weight.getDimSize(2),
                                       weight.getDimSize(3)});
}

/// Type of `input` pooled by the geometry of `op`, or an error of the op.
template <class Op> mlir::FailureOr<mlir::RankedTensorType> poolType(Op op, mlir::RankedTensorType input) {
  int64_t size[2];
  for (int axis : {0, 1}) {
    int64_t kernel = op.getKernel()[axis],
            padding[2] = {op.getPadding()[2 * axis], op.getPadding()[2 * axis + 1]};
    if (2 * std::max(padding[0], padding[1]) > kernel) // C1
      return op.emitOpError("padding ")
             << std::max(padding[0], padding[1]) << " is more than half the kernel " << kernel;
    int64_t output = dsl::poolSize(input.getDimSize(1 + axis), kernel, op.getStrides()[axis], padding[0],
                                   padding[1], op.getCeil());
    if (output < 1) // C2
      return op.emitOpError("window of ")
             << kernel << " does not fit into " << input.getDimSize(1 + axis) << " + " << padding[0] << " + "
             << padding[1] << (axis ? " columns" : " rows");
    size[axis] = output;
  }
  return mapLike(input, {batchOf(input), size[0], size[1], channelsOf(input)});
}

} // namespace vernier::vn

#endif
