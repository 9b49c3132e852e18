// What training minimises: targets, losses, and the gradient of each loss.
#ifndef VERNIER_COMPILER_IR_VNLOSSOPS_TD
#define VERNIER_COMPILER_IR_VNLOSSOPS_TD

include "compiler/ir/VnOpBase.td"

//===- What a specification declares ------------------------------------------------------------------------===//

def Vn_TargetOp : Vn_Op<"target", [Pure, Vn_Bytes]> {
  let summary = "what training is given beside the image";
  let description = [{
    A map, or the class of each pixel or image. `--vn-differentiate` makes it an argument of @train_step; what
    @infer keeps depends on none.

    Example:
    ```mlir
    %mask = vn.target "mask" : tensor<8x224x224xi32>
    ```
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs Vn_MapOrLabels:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

def Vn_MinimizeOp : Vn_Op<"minimize", [Vn_Bytes]> {
  let summary = "a term of the loss";
  let description = [{
    Training minimises the sum over these of `weight` times `loss`. Where `name` is not empty, the term is a
    result of @train_step, "loss." and its name. `--vn-differentiate` takes them out of @infer, with all that
    only they need.

    Example:
    ```mlir
    vn.minimize %loss weight 4.0e-1 name "side" : tensor<1xf32>
    ```
  }];
  let arguments = (ins Vn_Scalar:$loss, F64Attr:$weight, DefaultValuedAttr<StrAttr, "\"\"">:$name);
  let assemblyFormat = "$loss `weight` $weight (`name` $name^)? attr-dict `:` type($loss)";
}

def Vn_NumberOp : Vn_Op<"number", [Pure, Vn_Bytes]> {
  let summary = "one number";
  let description = [{
    Example:
    ```mlir
    %smoothing = vn.number 1.0e-1 : tensor<1xf32>
    ```
  }];
  let arguments = (ins F64Attr:$value);
  let results = (outs Vn_Scalar:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
}

def Vn_NumbersOp : Vn_Op<"numbers", [Pure, Vn_Bytes]> {
  let summary = "some numbers";
  let description = [{
    - (C1) `result` has as many elements as there are `values`.

    Example:
    ```mlir
    %weights = vn.numbers [1.0, 2.5, 0.5] : tensor<3xf32>
    ```
  }];
  let arguments = (ins DenseF64ArrayAttr:$values);
  let results = (outs Vn_Vector:$result);
  let assemblyFormat = "$values attr-dict `:` type($result)";
  let hasVerifier = 1; // C1
}

def Vn_WeightedSumOp : Vn_Op<"weighted_sum", [Pure, Vn_Bytes]> {
  let summary = "sum of numbers, each times its weight";
  let description = [{
    Of losses of each image another sum for each.

    - (C1) `weights` has a number for each term.
    - (C2) `result` has the type of each term.

    Example:
    ```mlir
    %loss = vn.weighted_sum %a, %b weights [1.0, 4.0e-1] : tensor<1xf32>, tensor<1xf32> -> tensor<1xf32>
    ```
  }];
  let arguments = (ins Variadic<Vn_Vector>:$terms, DenseF64ArrayAttr:$weights);
  let results = (outs Vn_Vector:$result);
  let assemblyFormat = "$terms `weights` $weights attr-dict `:` type($terms) `->` type($result)";
  let hasVerifier = 1; // C1, C2
}

//===- Softmax cross-entropy --------------------------------------------------------------------------------===//

def Vn_CountLabelsOp : Vn_Op<"count_labels", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "how many labels are not ignored";
  let description = [{
    With `weights`, one for each class, the sum of theirs. 1 where it would be 0, so that the mean of nothing is
    0.

    - (C1) `count` is tensor<1xf32>, or of `each_image` one number.
    - (C2) A label is `ignored` or there are `weights`; else all count.

    Example:
    ```mlir
    %count = vn.count_labels %mask ignored 255 : (tensor<8x224x224xi32>) -> tensor<1xf32>
    ```
  }];
  let arguments = (ins Vn_Labels:$labels, Optional<Vn_Vector>:$weights, OptionalAttr<Vn_Integer>:$ignored,
                       UnitAttr:$each_image);
  let results = (outs Vn_Vector:$count);
  let assemblyFormat = [{
    $labels (`weights` $weights^)? (`ignored` $ignored^)? (`each_image` $each_image^)? attr-dict
    `:` functional-type(operands, results)
  }];
}

def Vn_SoftmaxCrossEntropyOp : Vn_Op<"softmax_cross_entropy",
    [Pure, AttrSizedOperandSegments, Vn_ShapeOfOperands, Vn_Loss, Vn_Bytes]> {
  let summary = "mean cross-entropy of softmax, with label smoothing";
  let description = [{
    With p = softmax(logits[n, y, x]) over the K classes, l the pixel's label and s = `smoothing`, its loss is
    `-(1 - s) * log p[l] - s / K * (sum over k of log p[k])`; the result is the mean over all pixels. A label
    `ignored` has loss 0; the mean is then over `count`, those that are not. With `weights`, w, one for each
    class, it is `-(1 - s) * w[l] * log p[l] - s / K * (sum over k of w[k] * log p[k])`, and `count` the sum of
    the labels' weights. With `each_image` there is a mean
    for each of them, as evaluation needs it; such a loss has no gradient.

    - (C1) `labels` is N, if H and W are 1, else N x H x W.
    - (C2) `loss` is tensor<1xf32>, or of `each_image` one number.
    - (C3) There is a `count` if something is `ignored` or there are `weights`.
    - (C4) `count` has the type of `loss`.
    - (C5) `weights` is tensor<Kxf32>.

    Example:
    ```mlir
    %loss = vn.softmax_cross_entropy %logits, %labels, %smoothing
      : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<1xf32>
    ```
  }];
  let arguments = (ins Vn_F32Map:$logits, Vn_Labels:$labels, Vn_Scalar:$smoothing, Optional<Vn_Vector>:$count,
                       Optional<Vn_Vector>:$weights, OptionalAttr<Vn_Integer>:$ignored, UnitAttr:$each_image);
  let results = (outs Vn_Vector:$loss);
  let assemblyFormat = [{
    $logits `,` $labels `,` $smoothing (`,` $count^)? (`weights` $weights^)? (`ignored` $ignored^)? (`each_image` $each_image^)? attr-dict
    `:` functional-type(operands, results)
  }];
}

def Vn_SoftmaxCrossEntropyGradOp : Vn_Op<"softmax_cross_entropy_grad",
    [Pure, AttrSizedOperandSegments, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "gradient of the mean cross-entropy with respect to the logits";
  let description = [{
    `weight * (p[k] - (1 - s) * (k == l) - s / K) / M` for each pixel, in the terms of
    `vn.softmax_cross_entropy`; M is the number of pixels, or `count`, and of an ignored pixel it is 0. With
    `weights` the target t[k] is `(1 - s) * w[l] * (k == l) + s / K * w[k]`, and p[k] is multiplied by the sum of
    all.

    - (C1) `labels` is N, if H and W are 1, else N x H x W.
    - (C2) `result` has the type of `logits`.
    - (C3) There is a `count` if something is `ignored` or there are `weights`.
    - (C4) `weights` is tensor<Kxf32>.

    Example:
    ```mlir
    %dlogits = vn.softmax_cross_entropy_grad %logits, %labels, %smoothing
      : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<8x1x1x10xf32>
    ```
  }];
  let arguments = (ins Vn_F32Map:$logits, Vn_Labels:$labels, Vn_Scalar:$smoothing, Optional<Vn_Scalar>:$count,
                       Optional<Vn_Vector>:$weights, OptionalAttr<Vn_Integer>:$ignored,
                       DefaultValuedAttr<F64Attr, "1.0">:$weight);
  let results = (outs Vn_F32Map:$result);
  let assemblyFormat = [{
    $logits `,` $labels `,` $smoothing (`,` $count^)? (`weights` $weights^)? (`ignored` $ignored^)? (`weight` $weight^)? attr-dict
    `:` functional-type(operands, results)
  }];
}

//===- Losses of single elements ----------------------------------------------------------------------------===//

def Vn_PointwiseLossOp : Vn_Op<"pointwise_loss", [Pure, Vn_ShapeOfOperands, Vn_Loss, Vn_Bytes]> {
  let summary = "mean over all elements of a function of each and its target";
  let description = [{
    Of an element x and its target t, with p = sigmoid(x):

    - `mean`: x; there is no target;
    - `binary`: -(sharpness t log p + (1 - t) log(1 - p)), computed as
      `(1 - t) x + (1 + (sharpness - 1) t) (max(-x, 0) + log(1 + exp(-|x|)))`;
    - `focal`: -(share t (1 - p)^sharpness log p + (1 - share) (1 - t) p^sharpness log(1 - p)) (Lin et al.,
      Focal Loss for Dense Object Detection, equation 5; sharpness is its gamma, share its alpha);
    - `squared`: (x - t)^2;
    - `absolute`: |x - t|;
    - `smooth_l1`: with d = |x - t|, d^2 / (2 sharpness) where d < sharpness, else d - sharpness / 2
      (Girshick, Fast R-CNN, equation 3).

    With `each_image` the mean is over the elements of one image, for each of them; such a loss has no gradient.

    Constraints:

    - (C1) `target` has the type of `input`.
    - (C2) `loss` is tensor<1xf32>, or of `each_image` one number.
    - (C3) There is a target unless it is the `mean`.

    Example:
    ```mlir
    %loss = vn.pointwise_loss binary %x, %t : (tensor<8x56x56x1xf32>, tensor<8x56x56x1xf32>) -> tensor<1xf32>
    ```
  }];
  let arguments = (ins Vn_PointwiseAttr:$kind, Vn_F32Map:$input, Optional<Vn_F32Map>:$target,
                       DefaultValuedAttr<F64Attr, "1.0">:$sharpness, DefaultValuedAttr<F64Attr, "0.5">:$share,
                       UnitAttr:$each_image);
  let results = (outs Vn_Vector:$loss);
  let assemblyFormat = [{
    $kind $input (`,` $target^)? (`sharpness` $sharpness^)? (`share` $share^)? (`each_image` $each_image^)? attr-dict
    `:` functional-type(operands, results)
  }];
}

def Vn_PointwiseLossGradOp : Vn_Op<"pointwise_loss_grad", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "gradient of a mean over all elements with respect to the input";
  let description = [{
    `weight` times the derivative by x of `vn.pointwise_loss`'s function, divided by the number of elements. The
    derivative of |d| at 0 is 0.

    - (C1) `target` has the type of `input`.
    - (C2) `result` has the type of `input`.
    - (C3) There is a target unless it is the `mean`.

    Example:
    ```mlir
    %dx = vn.pointwise_loss_grad binary %x, %t weight 4.0e-1
      : (tensor<8x56x56x1xf32>, tensor<8x56x56x1xf32>) -> tensor<8x56x56x1xf32>
    ```
  }];
  let arguments = (ins Vn_PointwiseAttr:$kind, Vn_F32Map:$input, Optional<Vn_F32Map>:$target,
                       DefaultValuedAttr<F64Attr, "1.0">:$sharpness, DefaultValuedAttr<F64Attr, "0.5">:$share,
                       DefaultValuedAttr<F64Attr, "1.0">:$weight);
  let results = (outs Vn_F32Map:$result);
  let assemblyFormat = [{
    $kind $input (`,` $target^)? (`sharpness` $sharpness^)? (`share` $share^)? (`weight` $weight^)? attr-dict
    `:` functional-type(operands, results)
  }];
}

#endif
