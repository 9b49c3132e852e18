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

def Vn_ResampleOp : Vn_Op<"resample", [Pure, Vn_Shape, Vn_Bytes, Vn_Window, Vn_Gradient]> {
  let summary = "weighted means of runs of rows and of columns";
  let description = [{
    `result = Wy * input * Wx^T` for each image and channel. A row of Wy has weights for a run of consecutive input
    rows and is zero elsewhere; what is outside the run is not read. Wx is the same for columns. For one axis, with
    n positions of which n' are made and s = n / n' or, with `scale`, s = 1 / scale (as `vn.resize`), result i has
    the weights

    | kind | of input position p |
    | --- | --- |
    | `adaptive_average` | equal ones, from p = floor(i * n / n') to before ceil((i + 1) * n / n') |
    | `nearest_exact` | 1 at p = floor((i + 0.5) * s), s being rounded to float32 |
    | `bicubic` | k(c - p) around c = (i + 0.5) * s - 0.5, with `align_corners` c = i * (n - 1) / (n' - 1), k being Keys' cubic with a = -0.75; what lies outside is the border |
    | `bilinear_antialias`, `bicubic_antialias` | k((p + 0.5 - (i + 0.5) * s) / max(s, 1)), divided by their sum; k is the triangle or Keys' cubic with a = -0.5 |

    Where n' = n, positions are copied. All are as PyTorch's `adaptive_avg_pool2d` and `interpolate`.

    `transposed` is the gradient: Wy and Wx are those from `result`'s size to `input`'s, transposed.

    - (C1) `align_corners` needs `bicubic`.
    - (C2) `input` and `result` have at least one row and one column.
    - (C3) `result` has the batch and channels of `input`.
    - (C4) `scale` is positive and finite, and not with `align_corners` or `adaptive_average`.
    - (C5) with `scale`, `result` has floor(H * scale) rows and floor(W * scale) columns; `input`, if `transposed`.

    Example:
    ```mlir
    %y = vn.resample bicubic %x : (tensor<1x7x7x32xf32>) -> tensor<1x14x14x32xf32>
    %z = vn.resample adaptive_average %x : (tensor<1x7x7x32xf32>) -> tensor<1x3x3x32xf32>
    %dx = vn.resample adaptive_average %z transposed : (tensor<1x3x3x32xf32>) -> tensor<1x7x7x32xf32>
    ```
  }];
  let arguments = (ins Vn_ResamplingAttr:$kind, Vn_Map:$input, UnitAttr:$align_corners, OptionalAttr<F64Attr>:$scale,
                       UnitAttr:$transposed);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = [{
    $kind $input (`align_corners` $align_corners^)? (`scale` $scale^)? (`transposed` $transposed^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    /// As of `vn.resize`.
    double factor() { return getScale() ? getScale()->convertToDouble() : 0.0; }
    /// How rows (0) or columns (1) are sampled, in the forward direction.
    ::vernier::dsl::ResamplingAxis axis(int axis);
    /// Of each of the result's rows or columns what it reads.
    ::std::vector<::vernier::dsl::ResamplingRun> runs(int axis);
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
