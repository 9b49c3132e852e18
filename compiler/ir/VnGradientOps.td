// Adjoints of layers and spatial ops. `dy` is the gradient of the forward op's result; attributes are the forward op's.
#ifndef VERNIER_COMPILER_IR_VNGRADIENTOPS_TD
#define VERNIER_COMPILER_IR_VNGRADIENTOPS_TD

include "compiler/ir/VnOpBase.td"

//===- Layers -------------------------------------------------------------------------------------------------===//

def Vn_ConvolutionInputGradOp : Vn_Op<"convolution_input_grad", [Pure, AttrSizedOperandSegments, Vn_ShapeOfOperands,
                                                                Vn_Macs]> {
  let summary = "gradient of a convolution with respect to its input";
  let description = [{
    The transposed convolution of `dy`, plus `addends`; then, with a `mask`, the gradient of the activation `masked`
    by the mask (as `vn.activate_grad`). `result` has the shape of the forward input. `sums`, if there,
    are the sums over N, H and W of `result` and of `result * (sums_input - sums_mean)`. `--vn-differentiate` makes
    the op with neither; `--vn-fuse-gradients` and `--vn-fuse-sums` add them.

    - (C1) a `vn.convolution` of `result` with `weight` and these attributes has the type of `dy`.
    - (C2) addends, `mask` and `sums_input` have the type of `result`, `sums_mean` one element per channel.
    - (C3) `sums`, which is 2 x C, goes with `sums_input` and `sums_mean`, `mask` with an activation.

    Example:
    ```mlir
    %dx = vn.convolution_input_grad %dy, %w strides [2, 2] padding [1, 1, 1, 1]
      : (tensor<1x16x16x24xf32>, tensor<24x16x3x3xf32>) -> tensor<1x32x32x16xf32>
    ```
  }];
  let arguments = !con((ins Vn_Map:$dy, Vn_Filter:$weight, Variadic<Vn_Map>:$addends, Optional<Vn_Map>:$mask,
                            Optional<Vn_Map>:$sums_input, Optional<Vn_Vector>:$sums_mean,
                            DefaultValuedAttr<Vn_ActivationAttr, "Activation::None">:$masked),
                       Vn_ConvolutionGeometry);
  let results = (outs Vn_Map:$result, Optional<Vn_Sums>:$sums);
  let assemblyFormat = !strconcat(
      "$dy `,` $weight (`add` $addends^)? (`mask` custom<Activation>($masked) $mask^)? (`sums` $sums_input^ `,` $sums_mean)?",
      Vn_ConvolutionGeometryFormat, "attr-dict `:` functional-type(operands, results)");
  // Nothing fused.
  let builders = [OpBuilder<(ins "::mlir::Type":$type, "::mlir::Value":$dy, "::mlir::Value":$weight,
                                 "::mlir::DenseI64ArrayAttr":$strides, "::mlir::DenseI64ArrayAttr":$padding,
                                 "::mlir::DenseI64ArrayAttr":$dilations, "::mlir::IntegerAttr":$groups), [{
    build($_builder, $_state, ::mlir::TypeRange(type), dy, weight, ::mlir::ValueRange(), ::mlir::Value(),
          ::mlir::Value(), ::mlir::Value(), ActivationAttr(), strides, padding, dilations, groups);
  }]>];
}

def Vn_ConvolutionWeightGradOp : Vn_Op<"convolution_weight_grad", [Pure, Vn_ShapeOfOperands, Vn_Macs]> {
  let summary = "gradient of a convolution with respect to its weight";
  let description = [{
    `result` has the shape of the weight.

    - (C1) a `vn.convolution` of `input` with a weight like `result` and these attributes has the type of `dy`.

    Example:
    ```mlir
    %dw = vn.convolution_weight_grad %x, %dy strides [2, 2] padding [1, 1, 1, 1]
      : (tensor<1x32x32x16xf32>, tensor<1x16x16x24xf32>) -> tensor<24x16x3x3xf32>
    ```
  }];
  let arguments = !con((ins Vn_Map:$input, Vn_Map:$dy), Vn_ConvolutionGeometry);
  let results = (outs Vn_Filter:$result);
  let assemblyFormat = !strconcat(
      "$input `,` $dy", Vn_ConvolutionGeometryFormat,
      "attr-dict `:` functional-type(operands, results)");
}

def Vn_LinearInputGradOp : Vn_Op<"linear_input_grad", [Pure, Vn_ShapeOfOperands, Vn_Macs]> {
  let summary = "gradient of a fully connected layer with respect to its input";
  let description = [{
    `result[n, 0, 0, c] = sum over k of dy[n, 0, 0, k] * weight[k, c]`.

    - (C1) `dy` is N x 1 x 1 x K and `weight` K x C.
    - (C2) `result` is N x 1 x 1 x C.

    Example:
    ```mlir
    %dx = vn.linear_input_grad %dy, %w : (tensor<2x1x1x10xf32>, tensor<10x64xf32>) -> tensor<2x1x1x64xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$dy, Vn_Matrix:$weight);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$dy `,` $weight attr-dict `:` functional-type(operands, results)";
}

def Vn_LinearWeightGradOp : Vn_Op<"linear_weight_grad", [Pure, Vn_ShapeOfOperands, Vn_Macs]> {
  let summary = "gradient of a fully connected layer with respect to its weight";
  let description = [{
    `result[k, c] = sum over n of dy[n, 0, 0, k] * input[n, 0, 0, c]`.

    - (C1) `input` and `dy` are maps of one pixel with the same batch.
    - (C2) `result` is K x C.

    Example:
    ```mlir
    %dw = vn.linear_weight_grad %x, %dy : (tensor<2x1x1x64xf32>, tensor<2x1x1x10xf32>) -> tensor<10x64xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Map:$dy);
  let results = (outs Vn_Matrix:$result);
  let assemblyFormat = "$input `,` $dy attr-dict `:` functional-type(operands, results)";
}

def Vn_BatchNormGradOp : Vn_Op<"batch_norm_grad", [Pure, AttrSizedOperandSegments, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "gradients of batch normalisation by batch statistics";
  let description = [{
    `mean` and `var` are those that `vn.batch_norm_training` computed from `input`; the gradient flows through
    them too. With h = (input - mean) / sqrt(var + epsilon) and sums over N, H, W (M elements): `dbeta = sum
    dy`, `dgamma = sum dy * h`, `dx = gamma / sqrt(var + epsilon) * (dy - dbeta / M - h * dgamma / M)`. With a `mask`,
    `dy` is first multiplied by the gradient of the activation `masked` by the mask (as
    `vn.activate_grad`); `sums` are those of dy and of dy * (input - mean), where what computes `dy` has added them up.
    `--vn-differentiate` makes the op with neither; `--vn-fuse-gradients` and `--vn-fuse-sums` add them.

    - (C1) `dy` has the type of `input`; `gamma`, `mean` and `var` have one element per channel.
    - (C2) `dx` has the type of `input`, `dgamma` and `dbeta` that of `gamma`.
    - (C3) `mask` has the type of `input` and goes with an activation; `sums` is 2 x C and goes with no mask.

    Example:
    ```mlir
    %dx, %dgamma, %dbeta = vn.batch_norm_grad %x, %dy, %gamma, %mean, %var epsilon 1.0e-5
      : (tensor<8x4x4x4xf32>, tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
      -> (tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>)
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Map:$dy, Vn_Vector:$gamma, Vn_Vector:$mean, Vn_Vector:$var,
                       Optional<Vn_Map>:$mask, Optional<Vn_Sums>:$sums, Vn_Epsilon:$epsilon,
                       DefaultValuedAttr<Vn_ActivationAttr, "Activation::None">:$masked);
  let results = (outs Vn_Map:$dx, Vn_Vector:$dgamma, Vn_Vector:$dbeta);
  let assemblyFormat = [{
    $input `,` $dy `,` $gamma `,` $mean `,` $var (`mask` custom<Activation>($masked) $mask^)? (`sums` $sums^)? `epsilon` $epsilon attr-dict
    `:` functional-type(operands, results)
  }];
  // Nothing fused.
  let builders = [OpBuilder<(ins "::mlir::TypeRange":$types, "::mlir::Value":$input, "::mlir::Value":$dy,
                                 "::mlir::Value":$gamma, "::mlir::Value":$mean, "::mlir::Value":$var,
                                 "::mlir::FloatAttr":$epsilon), [{
    build($_builder, $_state, types, input, dy, gamma, mean, var, ::mlir::Value(), ::mlir::Value(), epsilon,
          ActivationAttr());
  }]>];
}

def Vn_LayerNormGradOp : Vn_Op<"layer_norm_grad", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "gradients of layer normalisation";
  let description = [{
    With mean, deviation d = sqrt(var + epsilon) and h = (input - mean) / d of each pixel over its C channels, and
    g = `dy` * `gamma`: `dx = (g - sum g / C - h * sum (g * h) / C) / d`, the sums over channels; `dgamma = sum dy * h` and
    `dbeta = sum dy` over N, H and W.

    - (C1) `dy` has the type of `input`, `gamma` one element per channel.
    - (C2) `dx` has the type of `input`, `dgamma` and `dbeta` that of `gamma`.

    Example:
    ```mlir
    %dx, %dgamma, %dbeta = vn.layer_norm_grad %x, %dy, %gamma epsilon 1.0e-6
      : (tensor<8x4x4x4xf32>, tensor<8x4x4x4xf32>, tensor<4xf32>)
      -> (tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>)
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Map:$dy, Vn_Vector:$gamma, Vn_Epsilon:$epsilon);
  let results = (outs Vn_Map:$dx, Vn_Vector:$dgamma, Vn_Vector:$dbeta);
  let assemblyFormat = "$input `,` $dy `,` $gamma `epsilon` $epsilon attr-dict `:` functional-type(operands, results)";
}

def Vn_GroupNormGradOp : Vn_Op<"group_norm_grad", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "gradients of group normalisation";
  let description = [{
    With mean, deviation d = sqrt(var + epsilon) and h = (input - mean) / d of each image's groups of m elements, and
    g = `dy` * `gamma`: `dx = (g - sum g / m - h * sum (g * h) / m) / d`, the sums over a group; `dgamma = sum dy * h` and
    `dbeta = sum dy` over N, H and W.

    - (C1) `dy` has the type of `input`, `gamma` one element per channel.
    - (C2) `dx` has the type of `input`, `dgamma` and `dbeta` that of `gamma`.
    - (C3) `groups` divides the channels of `input`.

    Example:
    ```mlir
    %dx, %dgamma, %dbeta = vn.group_norm_grad %x, %dy, %gamma in 2 epsilon 1.0e-5
      : (tensor<8x4x4x4xf32>, tensor<8x4x4x4xf32>, tensor<4xf32>)
      -> (tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>)
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Map:$dy, Vn_Vector:$gamma, Vn_Count:$groups, Vn_Epsilon:$epsilon);
  let results = (outs Vn_Map:$dx, Vn_Vector:$dgamma, Vn_Vector:$dbeta);
  let assemblyFormat = [{
    $input `,` $dy `,` $gamma `in` $groups `epsilon` $epsilon attr-dict `:` functional-type(operands, results)
  }];
}

def Vn_PreluGradOp : Vn_Op<"prelu_grad", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "gradients of a rectifier with a learned slope";
  let description = [{
    `dx` is `dy` where `input` is above 0, else `slope * dy`; `dslope` is the sum of `input * dy` where `input` is not above 0,
    over N, H and W and, where there is one slope, over the channels.

    - (C1) `dy` has the type of `input`, `slope` one element per channel or one for all of them.
    - (C2) `dx` has the type of `input`, `dslope` that of `slope`.

    Example:
    ```mlir
    %dx, %dslope = vn.prelu_grad %x, %dy, %slope
      : (tensor<8x4x4x4xf32>, tensor<8x4x4x4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xf32>, tensor<4xf32>)
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Map:$dy, Vn_Vector:$slope);
  let results = (outs Vn_Map:$dx, Vn_Vector:$dslope);
  let assemblyFormat = "$input `,` $dy `,` $slope attr-dict `:` functional-type(operands, results)";
}

def Vn_ActivateGradOp : Vn_Op<"activate_grad", [Pure, SameOperandsAndResultType, Vn_Shape, Vn_Bytes]> {
  let summary = "gradient of an activation, from its result or input";
  let description = [{
    `dy` times the activation's derivative. `of` is the forward op's result y, or its input x of those activations
    that have the same y for several x: `silu`, `hard_swish`, `gelu` and `gelu_tanh`.

    | activation | derivative |
    | --- | --- |
    | `relu`, `relu6` | 1 where y > 0 (and y < 6), else 0 |
    | `leaky_relu(a)` | 1 where y > 0, else a |
    | `sigmoid` | y * (1 - y) |
    | `hard_sigmoid` | 1 / 6 where 0 < y < 1, else 0 |
    | `tanh` | 1 - y^2 |
    | `exp` | y |
    | `silu` | s + x * s * (1 - s), s = sigmoid(x) |
    | `hard_swish` | x / 3 + 1 / 2 where -3 < x < 3, else 0 or 1 |
    | `gelu`, `gelu_tanh` | that of their formula |
    | `scale_shift(a, b)` | a |

    - (C1) operands and `result` have the same type.

    Example:
    ```mlir
    %dx = vn.activate_grad relu %y, %dy : tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_ActivationAttr:$activation, Vn_Map:$of, Vn_Map:$dy);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "custom<Activation>($activation) $of `,` $dy attr-dict `:` type($result)";
}

//===- Spatial ops --------------------------------------------------------------------------------------------===//

def Vn_MaxPoolGradOp : Vn_Op<"max_pool_grad", [Pure, AttrSizedOperandSegments, Vn_Shape, Vn_Bytes]> {
  let summary = "gradient of max pooling";
  let description = [{
    Each window's `dy` goes to the first of its elements, row by row, that equals the maximum `y`. Then `addends`
    are added and, with a `mask`, the gradient of the activation `masked` by the mask is taken, as
    `vn.convolution_input_grad` does; made by `--vn-fuse-gradients`.

    - (C1) a `vn.max_pool` of `input` with these attributes has the type of `y` and of `dy`.
    - (C2) `result` has the type of `input`.
    - (C3) addends and `mask` have the type of `input`; `mask` goes with an activation.

    Example:
    ```mlir
    %dx = vn.max_pool_grad %x, %y, %dy kernel [2, 2] strides [2, 2]
      : (tensor<1x8x8x4xf32>, tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = !con((ins Vn_Map:$input, Vn_Map:$y, Vn_Map:$dy, Variadic<Vn_Map>:$addends, Optional<Vn_Map>:$mask,
                            DefaultValuedAttr<Vn_ActivationAttr, "Activation::None">:$masked),
                       Vn_PoolGeometry);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = !strconcat(
      "$input `,` $y `,` $dy (`add` $addends^)? (`mask` custom<Activation>($masked) $mask^)?", Vn_PoolGeometryFormat,
      "attr-dict `:` functional-type(operands, results)");
  // Nothing fused.
  let builders = [OpBuilder<(ins "::mlir::Type":$type, "::mlir::Value":$input, "::mlir::Value":$y, "::mlir::Value":$dy,
                                 "::mlir::DenseI64ArrayAttr":$kernel, "::mlir::DenseI64ArrayAttr":$strides,
                                 "::mlir::DenseI64ArrayAttr":$padding, "::mlir::UnitAttr":$ceil), [{
    build($_builder, $_state, type, input, y, dy, ::mlir::ValueRange(), ::mlir::Value(), ActivationAttr(), kernel,
          strides, padding, ceil);
  }]>];
}

def Vn_AvgPoolGradOp : Vn_Op<"avg_pool_grad", [Pure, Vn_Shape, Vn_Bytes]> {
  let summary = "gradient of average pooling";
  let description = [{
    Each element of `dy`, divided by its window's divisor, goes to every input element of the window.

    - (C1) a `vn.avg_pool` of `result` with these attributes has the type of `dy`.

    Example:
    ```mlir
    %dx = vn.avg_pool_grad %dy kernel [2, 2] strides [2, 2] : (tensor<1x4x4x4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = !con((ins Vn_Map:$dy), Vn_PoolGeometry, (ins DefaultValuedAttr<BoolAttr, "true">:$count_padding));
  let results = (outs Vn_Map:$result);
  let assemblyFormat = !strconcat(
      "$dy", Vn_PoolGeometryFormat,
      "(`count_padding` $count_padding^)? attr-dict `:` functional-type(operands, results)");
}

def Vn_GlobalAvgPoolGradOp : Vn_Op<"global_avg_pool_grad", [Pure, Vn_Shape, Vn_Bytes]> {
  let summary = "gradient of global average pooling";
  let description = [{
    `result[n, h, w, c] = dy[n, 0, 0, c] / (H * W)`.

    - (C1) `dy` is N x 1 x 1 x C.
    - (C2) `result` has the batch and channels of `dy`.

    Example:
    ```mlir
    %dx = vn.global_avg_pool_grad %dy : (tensor<1x1x1x512xf32>) -> tensor<1x7x7x512xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$dy);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$dy attr-dict `:` functional-type(operands, results)";
}

def Vn_ResizeGradOp : Vn_Op<"resize_grad", [Pure, Vn_Shape, Vn_Bytes]> {
  let summary = "gradient of resampling";
  let description = [{
    Each element of `dy` goes to the elements it was interpolated from, by their weights.

    - (C1) `align_corners` needs `bilinear`.
    - (C2) `dy` and `result` have at least one row and one column.
    - (C3) `result` has the batch and channels of `dy`.
    - (C4) `scale` is positive and finite, and not with `align_corners`.
    - (C5) with `scale`, `dy` has floor(H * scale) rows and floor(W * scale) columns of `result`'s H and W.

    Example:
    ```mlir
    %dx = vn.resize_grad bilinear %dy : (tensor<1x14x14x32xf32>) -> tensor<1x7x7x32xf32>
    ```
  }];
  let arguments = (ins Vn_ResizeModeAttr:$mode, Vn_Map:$dy, UnitAttr:$align_corners, OptionalAttr<F64Attr>:$scale);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = [{
    $mode $dy (`align_corners` $align_corners^)? (`scale` $scale^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    /// As of `vn.resize`.
    double factor() { return getScale() ? getScale()->convertToDouble() : 0.0; }
  }];
}

def Vn_PadGradOp : Vn_Op<"pad_grad", [Pure, Vn_Shape, Vn_Bytes]> {
  let summary = "gradient of padding by replication";
  let description = [{
    Each element of `dy` goes to the element it was copied from. (The gradient of zero padding is `vn.crop`.)

    - (C1) `dy` is N x (H + top + bottom) x (W + left + right) x C, `result` being N x H x W x C.

    Example:
    ```mlir
    %dx = vn.pad_grad %dy by [0, 1, 0, 1] : (tensor<1x8x8x4xf32>) -> tensor<1x7x7x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$dy, Vn_Padding:$padding);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$dy `by` $padding attr-dict `:` functional-type(operands, results)";
}

#endif
