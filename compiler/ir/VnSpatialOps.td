// Ops that change height and width.
#ifndef VERNIER_COMPILER_IR_VNSPATIALOPS_TD
#define VERNIER_COMPILER_IR_VNSPATIALOPS_TD

include "compiler/ir/VnOpBase.td"

//===- Pooling ------------------------------------------------------------------------------------------------===//

def Vn_MaxPoolOp : Vn_Op<"max_pool", [Pure, Vn_Shape, Vn_Bytes, Vn_Window, Vn_Gradient]> {
  let summary = "largest value in each window";
  let description = [{
    Padding counts as minus infinity. With `ceil` a last, partial window is added where the stride leaves a
    rest, unless it would begin beyond the input and its leading padding (as in PyTorch).

    - (C1) each padding is at most half the kernel, so that no window lies in padding alone.
    - (C2) the window fits into the padded input.
    - (C3) `result` is N x H' x W' x C with H' = floor((H + top + bottom - kernel) / stride) + 1, W' alike;
      with `ceil`, the ceiling, less one where the last window would begin at H + top or beyond.

    Example:
    ```mlir
    %y = vn.max_pool %x kernel [3, 3] strides [2, 2] padding [1, 1, 1, 1]
      : (tensor<1x112x112x64xf32>) -> tensor<1x56x56x64xf32>
    ```
  }];
  let arguments = !con((ins Vn_Map:$input), Vn_PoolGeometry);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = !strconcat(
      "$input", Vn_PoolGeometryFormat,
      "attr-dict `:` functional-type(operands, results)");
}

def Vn_AvgPoolOp : Vn_Op<"avg_pool", [Pure, Vn_Shape, Vn_Bytes, Vn_Window, Vn_Gradient]> {
  let summary = "mean of each window";
  let description = [{
    The divisor is the number of window positions inside the padded input, or inside the input itself with
    `count_padding false`; with `ceil`, positions beyond the padding never count.

    - (C1) each padding is at most half the kernel.
    - (C2) the window fits into the padded input.
    - (C3) `result` as for `vn.max_pool`.

    Example:
    ```mlir
    %y = vn.avg_pool %x kernel [3, 3] strides [2, 2] padding [1, 1, 1, 1] ceil count_padding false
      : (tensor<1x8x8x4xf32>) -> tensor<1x5x5x4xf32>
    ```
  }];
  let arguments = !con((ins Vn_Map:$input), Vn_PoolGeometry, (ins DefaultValuedAttr<BoolAttr, "true">:$count_padding));
  let results = (outs Vn_Map:$result);
  let assemblyFormat = !strconcat(
      "$input", Vn_PoolGeometryFormat,
      "(`count_padding` $count_padding^)? attr-dict `:` functional-type(operands, results)");
}

def Vn_GlobalAvgPoolOp : Vn_Op<"global_avg_pool", [Pure, Vn_Shape, Vn_Bytes, Vn_Window, Vn_Gradient]> {
  let summary = "mean of each channel over height and width";
  let description = [{
    - (C1) `result` is N x 1 x 1 x C.

    Example:
    ```mlir
    %y = vn.global_avg_pool %x : (tensor<1x7x7x512xf32>) -> tensor<1x1x1x512xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

//===- Resampling ---------------------------------------------------------------------------------------------===//

def Vn_ResizeOp : Vn_Op<"resize", [Pure, Vn_Shape, Vn_Bytes, Vn_Window, Vn_Gradient]> {
  let summary = "interpolates to the height and width of the result";
  let description = [{
    As PyTorch's `interpolate` without antialiasing. A result row is a step of s = H / H' input rows, H and H'
    being the rows of input and result, or with `scale` of s = 1 / scale. Result row i takes, per axis:
    `nearest` the input row floor(i * s), s and the product being rounded to float32; `bilinear` the rows around
    (i + 0.5) * s - 0.5, raised to 0 if negative (half-pixel centres), or with `align_corners` around
    i * (H - 1) / (H' - 1) (0 if H' = 1). The row past the last is the last. Whatever the scale, where H' = H rows
    are copied, and where H' = 2 H `nearest` repeats each.

    - (C1) `align_corners` needs `bilinear`.
    - (C2) `input` and `result` have at least one row and one column.
    - (C3) `result` has the batch and channels of `input`.
    - (C4) `scale` is positive and finite, and not with `align_corners`.
    - (C5) with `scale`, `result` has floor(H * scale) rows and floor(W * scale) columns.

    Example:
    ```mlir
    %y = vn.resize bilinear %x : (tensor<1x7x7x32xf32>) -> tensor<1x14x14x32xf32>
    %z = vn.resize nearest %x scale 7.500000e-01 : (tensor<1x7x7x32xf32>) -> tensor<1x5x5x32xf32>
    ```
  }];
  let arguments = (ins Vn_ResizeModeAttr:$mode, Vn_Map:$input, UnitAttr:$align_corners,
                       OptionalAttr<F64Attr>:$scale);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = [{
    $mode $input (`align_corners` $align_corners^)? (`scale` $scale^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    /// The factor that the sizes were rounded down from; 0 where they were given themselves.
    double factor() { return getScale() ? getScale()->convertToDouble() : 0.0; }
    /// `nearest`, and each pixel of the input is repeated equally often: pixel (y, x) of the result is pixel
    /// (y / fy, x / fx) of the input, fy and fx being the quotients of the sizes.
    bool repeatsEqually();
    /// `nearest`: the input row (axis 0) or column (1) of each of the result's.
    ::llvm::SmallVector<int64_t> nearestSources(int axis);
  }];
}

//===- Borders ------------------------------------------------------------------------------------------------===//

def Vn_PadOp : Vn_Op<"pad", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "adds rows and columns at the borders";
  let description = [{
    `padding` is top, bottom, left, right; the new elements are zero, or with `replicate` the nearest element
    of the input.

    - (C1) `replicate` needs a non-empty input.
    - (C2) `result` is N x (H + top + bottom) x (W + left + right) x C.

    Example:
    ```mlir
    %y = vn.pad replicate %x by [0, 1, 0, 1] : (tensor<1x7x7x4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_PadModeAttr:$mode, Vn_Map:$input, Vn_Padding:$padding);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$mode $input `by` $padding attr-dict `:` functional-type(operands, results)";
}

def Vn_CropOp : Vn_Op<"crop", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "cuts out the height and width of the result";
  let description = [{
    `offset` is the top row and left column.

    - (C1) `offset` + the size of `result` lies inside `input`.
    - (C2) `result` has the batch and channels of `input`.

    Example:
    ```mlir
    %y = vn.crop %x at [0, 0] : (tensor<1x8x8x4xf32>) -> tensor<1x7x7x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Pair<0>:$offset);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input `at` $offset attr-dict `:` functional-type(operands, results)";
}

#endif
