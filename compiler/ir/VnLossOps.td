// Losses, each with the gradient at its root: the step's loss itself has gradient 1.
#ifndef VERNIER_COMPILER_IR_VNLOSSOPS_TD
#define VERNIER_COMPILER_IR_VNLOSSOPS_TD

include "compiler/ir/VnOpBase.td"

def Vn_SoftmaxCrossEntropyOp : Vn_Op<"softmax_cross_entropy", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "mean cross-entropy of softmax, with label smoothing";
  let description = [{
    With p = softmax(logits[n]) over the K classes and s = `smoothing`, the loss of image n is
    `-(1 - s) * log p[labels[n]] - s / K * (sum over k of log p[k])`; the result is the mean over N.

    - (C1) `logits` is N x 1 x 1 x K.
    - (C2) `labels` has N elements, `smoothing` one.
    - (C3) `loss` is tensor<1xf32>.

    Example:
    ```mlir
    %loss = vn.softmax_cross_entropy %logits, %labels, %smoothing
      : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<1xf32>
    ```
  }];
  let arguments = (ins Vn_F32Map:$logits, Vn_Labels:$labels, Vn_Scalar:$smoothing);
  let results = (outs Vn_Scalar:$loss);
  let assemblyFormat = "$logits `,` $labels `,` $smoothing attr-dict `:` functional-type(operands, results)";
}

def Vn_SoftmaxCrossEntropyGradOp : Vn_Op<"softmax_cross_entropy_grad", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "gradient of the mean cross-entropy with respect to the logits";
  let description = [{
    `(p[k] - (1 - s) * (k == labels[n]) - s / K) / N`, in the terms of `vn.softmax_cross_entropy`.

    - (C1) `logits` is N x 1 x 1 x K.
    - (C2) `labels` has N elements, `smoothing` one.
    - (C3) `result` has the type of `logits`.

    Example:
    ```mlir
    %dlogits = vn.softmax_cross_entropy_grad %logits, %labels, %smoothing
      : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<8x1x1x10xf32>
    ```
  }];
  let arguments = (ins Vn_F32Map:$logits, Vn_Labels:$labels, Vn_Scalar:$smoothing);
  let results = (outs Vn_F32Map:$result);
  let assemblyFormat = "$logits `,` $labels `,` $smoothing attr-dict `:` functional-type(operands, results)";
}

def Vn_BinaryCrossEntropyOp : Vn_Op<"binary_cross_entropy", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "mean binary cross-entropy with logits";
  let description = [{
    The mean over N and K of `max(x, 0) - x * t + log(1 + exp(-|x|))`, x being a logit and t its target in [0,
    1].

    - (C1) `logits` is N x 1 x 1 x K.
    - (C2) `targets` is N x K.
    - (C3) `loss` is tensor<1xf32>.

    Example:
    ```mlir
    %loss = vn.binary_cross_entropy %logits, %targets : (tensor<8x1x1x80xf32>, tensor<8x80xf32>) -> tensor<1xf32>
    ```
  }];
  let arguments = (ins Vn_F32Map:$logits, Vn_Matrix:$targets);
  let results = (outs Vn_Scalar:$loss);
  let assemblyFormat = "$logits `,` $targets attr-dict `:` functional-type(operands, results)";
}

def Vn_BinaryCrossEntropyGradOp : Vn_Op<"binary_cross_entropy_grad", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "gradient of the binary cross-entropy with respect to the logits";
  let description = [{
    `(sigmoid(x) - t) / (N * K)`.

    - (C1) `logits` is N x 1 x 1 x K.
    - (C2) `targets` is N x K.
    - (C3) `result` has the type of `logits`.

    Example:
    ```mlir
    %dlogits = vn.binary_cross_entropy_grad %logits, %targets
      : (tensor<8x1x1x80xf32>, tensor<8x80xf32>) -> tensor<8x1x1x80xf32>
    ```
  }];
  let arguments = (ins Vn_F32Map:$logits, Vn_Matrix:$targets);
  let results = (outs Vn_F32Map:$result);
  let assemblyFormat = "$logits `,` $targets attr-dict `:` functional-type(operands, results)";
}

#endif
