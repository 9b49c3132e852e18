// Layers with parameters, and activations.
#ifndef VERNIER_COMPILER_IR_VNLAYEROPS_TD
#define VERNIER_COMPILER_IR_VNLAYEROPS_TD

include "compiler/ir/VnOpBase.td"

//===- Convolution and linear ---------------------------------------------------------------------------------===//

def Vn_ConvolutionOp : Vn_Op<"convolution", [Pure, Vn_ShapeOfOperands, Vn_Macs, Vn_Window, Vn_Gradient]> {
  let summary = "two-dimensional convolution in groups";
  let description = [{
    Cross-correlation, as in deep learning: output channel o of group g sees the input channels of group g.
    `padding` (top, bottom, left, right) surrounds the input with zeros. `hole[i]` says which hole element
    decides the number of output channels.

    - (C1) `groups` divides the channels of `input` and of `result`.
    - (C2) `weight` is O x I/groups x KH x KW, I being the channels of `input`.
    - (C3) `bias` has O elements.
    - (C4) the dilated window, dilation * (K - 1) + 1, fits into the padded input.
    - (C5) `result` is N x H' x W' x O with H' = floor((H + top + bottom - dilation * (KH - 1) - 1) / stride) +
      1, W' alike.

    Example:
    ```mlir
    %y = vn.convolution %x, %w bias %b strides [2, 2] padding [1, 1, 1, 1]
      : (tensor<1x32x32x16xf32>, tensor<24x16x3x3xf32>, tensor<24xf32>) -> tensor<1x16x16x24xf32>
    ```
  }];
  let arguments = !con((ins Vn_Map:$input, Vn_Filter:$weight, Optional<Vn_Vector>:$bias), Vn_ConvolutionGeometry, Vn_HoleUse);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = !strconcat(
      "$input `,` $weight (`bias` $bias^)?", Vn_ConvolutionGeometryFormat, Vn_HoleUseFormat,
      "attr-dict `:` functional-type(operands, results)");
}

def Vn_FusedConvolutionOp : Vn_Op<"fused_convolution", [Pure, AttrSizedOperandSegments, Vn_ShapeOfOperands, Vn_Macs,
                                                       Vn_Window]> {
  let summary = "convolution with bias, additions and activation in its epilogue";
  let description = [{
    `activation(convolution(input, weight) + bias + addends)`. An addend smaller than the result is read as if
    enlarged by `vn.resize nearest`: pixel (y, x) of the result reads its pixel (y / fy, x / fx), fy and fx being
    the quotients of the sizes. `sums`, if there, are the sums over N, H and W of `result` and of its squares.
    Made by `--vn-fuse-epilogue` and `--vn-fuse-sums`.

    - (C1) to (C5) as for `vn.convolution`.
    - (C6) each addend has the batch and channels of `result`, and a height and width that divide its.
    - (C7) `sums` is 2 x C, C being the channels of `result`.
    - (C8) addends have the element type of `input`.

    Example:
    ```mlir
    %y = vn.fused_convolution %x, %w bias %b add %r, %half activation relu padding [1, 1, 1, 1]
      : (tensor<1x8x8x16xf32>, tensor<16x16x3x3xf32>, tensor<16xf32>, tensor<1x8x8x16xf32>, tensor<1x4x4x16xf32>)
      -> tensor<1x8x8x16xf32>
    ```
  }];
  let arguments = !con((ins Vn_Map:$input, Vn_Filter:$weight, Optional<Vn_Vector>:$bias, Variadic<Vn_Map>:$addends,
                            DefaultValuedAttr<Vn_ActivationAttr, "Activation::None">:$activation),
                       Vn_ConvolutionGeometry);
  let results = (outs Vn_Map:$result, Optional<Vn_Sums>:$sums);
  let assemblyFormat = !strconcat(
      "$input `,` $weight (`bias` $bias^)? (`add` $addends^)? (`activation` custom<Activation>($activation)^)?", Vn_ConvolutionGeometryFormat,
      "attr-dict `:` functional-type(operands, results)");
}

def Vn_TransposedConvolutionOp : Vn_Op<"transposed_convolution", [Pure, AttrSizedOperandSegments, Vn_ShapeOfOperands,
                                                                 Vn_Macs, Vn_Window, Vn_Gradient]> {
  let summary = "two-dimensional transposed convolution in groups";
  let description = [{
    `activation(scale * transposed(input, weight) + bias + addends)`, where `transposed` is the adjoint of the
    `vn.convolution` with this weight and geometry: pixel (y, x) of `input` times the weight is added to the window of
    `result` that begins at (y * stride - top, x * stride - left). What falls outside is dropped: `padding` cuts the
    result. A convolution with a stride makes maps of several sizes equally small; `output_padding`, rows below and
    columns to the right, says which of them the result has. `scale` has a factor for each output channel. Addends, and
    `sums`, are as in `vn.fused_convolution`. A specification's op has no scale, addends, activation or sums:
    `--vn-fold-batch-norm`, `--vn-fuse-epilogue` and `--vn-fuse-sums` add them. `hole[i]` says which hole element decides
    the number of output channels.

    - (C1) `groups` divides the channels of `input`.
    - (C2) `weight` is I x O/groups x KH x KW, I being the channels of `input`, O those of `result`.
    - (C3) `scale` and `bias` have O elements.
    - (C4) `output_padding` is less than the stride or less than the dilation.
    - (C5) `result` is N x H' x W' x O with H' = (H - 1) * stride - top - bottom + dilation * (KH - 1) +
      output_padding + 1, W' alike, both at least 1.
    - (C6) each addend has the batch, the channels and the element type of `result`, and a height and width that divide
      its.
    - (C7) `sums` is 2 x O.

    Example:
    ```mlir
    %y = vn.transposed_convolution %x, %w bias %b strides [2, 2] padding [1, 1, 1, 1]
      : (tensor<1x8x8x16xf32>, tensor<16x24x4x4xf32>, tensor<24xf32>) -> tensor<1x16x16x24xf32>
    ```
  }];
  let arguments = !con((ins Vn_Map:$input, Vn_Filter:$weight, Optional<Vn_Vector>:$scale, Optional<Vn_Vector>:$bias,
                            Variadic<Vn_Map>:$addends,
                            DefaultValuedAttr<Vn_ActivationAttr, "Activation::None">:$activation),
                       Vn_ConvolutionGeometry, (ins DefaultValuedAttr<Vn_Pair<0>, "{0, 0}">:$output_padding), Vn_HoleUse);
  let results = (outs Vn_Map:$result, Optional<Vn_Sums>:$sums);
  let assemblyFormat = !strconcat(
      "$input `,` $weight (`scale` $scale^)? (`bias` $bias^)? (`add` $addends^)? (`activation` custom<Activation>($activation)^)?",
      Vn_ConvolutionGeometryFormat, "(`output_padding` $output_padding^)?", Vn_HoleUseFormat,
      "attr-dict `:` functional-type(operands, results)");
}

def Vn_LinearOp : Vn_Op<"linear", [Pure, Vn_ShapeOfOperands, Vn_Macs, Vn_Window, Vn_Gradient]> {
  let summary = "fully connected layer";
  let description = [{
    `result[n, 0, 0, k] = bias[k] + sum over c of input[n, 0, 0, c] * weight[k, c]`.

    - (C1) `input` is N x 1 x 1 x C.
    - (C2) `weight` is K x C.
    - (C3) `bias` has K elements.
    - (C4) `result` is N x 1 x 1 x K.

    Example:
    ```mlir
    %y = vn.linear %x, %w bias %b
      : (tensor<2x1x1x64xf32>, tensor<10x64xf32>, tensor<10xf32>) -> tensor<2x1x1x10xf32>
    ```
  }];
  let arguments = !con((ins Vn_Map:$input, Vn_Matrix:$weight, Optional<Vn_Vector>:$bias), Vn_HoleUse);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = !strconcat(
      "$input `,` $weight (`bias` $bias^)?", Vn_HoleUseFormat,
      "attr-dict `:` functional-type(operands, results)");
}

//===- Normalisation ------------------------------------------------------------------------------------------===//

def Vn_BatchNormOp : Vn_Op<"batch_norm", [Pure, Vn_ShapeOfOperands, Vn_Bytes, Vn_Pointwise]> {
  let summary = "batch normalisation by running statistics";
  let description = [{
    `gamma * (input - mean) / sqrt(var + epsilon) + beta`, per channel. `momentum` is for training:
    `--vn-differentiate` turns this op into `vn.batch_norm_training` and `vn.update_running`.

    - (C1) `gamma`, `beta`, `mean` and `var` have one element per channel.
    - (C2) `result` has the type of `input`.

    Example:
    ```mlir
    %y = vn.batch_norm %x, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1
      : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Vector:$gamma, Vn_Vector:$beta, Vn_Vector:$mean, Vn_Vector:$var,
                       Vn_Epsilon:$epsilon, Vn_Momentum:$momentum);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = [{
    $input `,` $gamma `,` $beta `,` $mean `,` $var `epsilon` $epsilon `momentum` $momentum attr-dict
    `:` functional-type(operands, results)
  }];
}

def Vn_BatchNormTrainingOp : Vn_Op<"batch_norm_training", [Pure, AttrSizedOperandSegments, Vn_ShapeOfOperands, Vn_Bytes,
                                                          Vn_Pointwise, Vn_Gradient]> {
  let summary = "batch normalisation by the batch's own statistics";
  let description = [{
    `batch_mean` and `batch_var` are mean and biased variance of each channel over N, H and W; `result =
    activation(gamma * (input - batch_mean) / sqrt(batch_var + epsilon) + beta + addend)`. `sums` are those over N, H
    and W of `input` and of its squares, where what computes `input` has added them up. `--vn-differentiate` makes
    the op without addend, activation and sums; `--vn-fuse-batch-norm` and `--vn-fuse-sums` add them.

    - (C1) `gamma` and `beta` have one element per channel.
    - (C2) `result` has the type of `input`, `batch_mean` and `batch_var` that of `gamma`.
    - (C3) `addend` has the type of `input`, `sums` is 2 x C.

    Example:
    ```mlir
    %y, %mean, %var = vn.batch_norm_training %x, %gamma, %beta epsilon 1.0e-5
      : (tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>)
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Vector:$gamma, Vn_Vector:$beta, Optional<Vn_Map>:$addend,
                       Optional<Vn_Sums>:$sums, Vn_Epsilon:$epsilon,
                       DefaultValuedAttr<Vn_ActivationAttr, "Activation::None">:$activation);
  let results = (outs Vn_Map:$result, Vn_Vector:$batch_mean, Vn_Vector:$batch_var);
  let assemblyFormat = [{
    $input `,` $gamma `,` $beta (`add` $addend^)? (`sums` $sums^)? `epsilon` $epsilon (`activation` custom<Activation>($activation)^)?
    attr-dict `:` functional-type(operands, results)
  }];
  // Nothing fused.
  let builders = [OpBuilder<(ins "::mlir::TypeRange":$types, "::mlir::Value":$input, "::mlir::Value":$gamma,
                                 "::mlir::Value":$beta, "::mlir::FloatAttr":$epsilon), [{
    build($_builder, $_state, types, input, gamma, beta, ::mlir::Value(), ::mlir::Value(), epsilon, ActivationAttr());
  }]>];
}

def Vn_LayerNormOp : Vn_Op<"layer_norm", [Pure, Vn_ShapeOfOperands, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "normalisation of each pixel over its channels";
  let description = [{
    `gamma * (input - mean) / sqrt(var + epsilon) + beta`, mean and biased variance being those of the pixel's channels
    (Ba, Kiros, Hinton: Layer Normalization, 2016; over channels alone as in ConvNeXt).

    - (C1) `gamma` and `beta` have one element per channel.
    - (C2) `result` has the type of `input`.

    Example:
    ```mlir
    %y = vn.layer_norm %x, %gamma, %beta epsilon 1.0e-6
      : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Vector:$gamma, Vn_Vector:$beta, Vn_Epsilon:$epsilon);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = [{
    $input `,` $gamma `,` $beta `epsilon` $epsilon attr-dict `:` functional-type(operands, results)
  }];
}

def Vn_GroupNormOp : Vn_Op<"group_norm", [Pure, Vn_ShapeOfOperands, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "normalisation of groups of channels over their pixels";
  let description = [{
    `gamma * (input - mean) / sqrt(var + epsilon) + beta`, mean and biased variance being those of all pixels of an image and
    the C / `groups` neighbouring channels of a group (Wu, He: Group Normalization, 2018). With as many groups as channels it
    is instance normalisation. As of batch norms in training, statistics do not count in receptive fields.

    - (C1) `gamma` and `beta` have one element per channel.
    - (C2) `result` has the type of `input`.
    - (C3) `groups` divides the channels of `input`.

    Example:
    ```mlir
    %y = vn.group_norm %x, %gamma, %beta in 2 epsilon 1.0e-5
      : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Vector:$gamma, Vn_Vector:$beta, Vn_Count:$groups, Vn_Epsilon:$epsilon);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = [{
    $input `,` $gamma `,` $beta `in` $groups `epsilon` $epsilon attr-dict `:` functional-type(operands, results)
  }];
}

def Vn_PreluOp : Vn_Op<"prelu", [Pure, Vn_ShapeOfOperands, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "rectifier with a learned slope below 0";
  let description = [{
    `input` where it is above 0, else `slope * input` (He et al.: Delving Deep into Rectifiers, 2015).

    - (C1) `slope` has one element per channel, or one for all of them.
    - (C2) `result` has the type of `input`.

    Example:
    ```mlir
    %y = vn.prelu %x, %slope : (tensor<1x8x8x4xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Vector:$slope);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input `,` $slope attr-dict `:` functional-type(operands, results)";
}

def Vn_ScaleChannelsOp : Vn_Op<"scale_channels", [Pure, Vn_ShapeOfOperands, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "multiplies each channel by a number of its own";
  let description = [{
    `input * scale`. `--vn-fold-batch-norm` merges it with the layer before (LayerScale: Touvron et al., Going deeper with
    Image Transformers, 2021).

    - (C1) `scale` has one element per channel.
    - (C2) `result` has the type of `input`.

    Example:
    ```mlir
    %y = vn.scale_channels %x, %scale : (tensor<1x8x8x4xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Vector:$scale);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input `,` $scale attr-dict `:` functional-type(operands, results)";
}

def Vn_ParameterMapOp : Vn_Op<"parameter_map", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "a vector of parameters as a map of one pixel, the same for each image";
  let description = [{
    `result[n, 0, 0, c] = parameter[c]`. What is computed of such maps alone depends on parameters alone, and is computed
    once, before inference.

    - (C1) `result` has the channels of `parameter`, and one pixel.

    Example:
    ```mlir
    %y = vn.parameter_map %w : (tensor<3xf32>) -> tensor<8x1x1x3xf32>
    ```
  }];
  let arguments = (ins Vn_Vector:$parameter);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$parameter attr-dict `:` functional-type(operands, results)";
}

def Vn_AffineOp : Vn_Op<"affine", [Pure, Vn_ShapeOfOperands, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "per-channel scale and shift, then an activation";
  let description = [{
    `activation(input * scale + shift)`. What is left of a batch norm that does not fold into a convolution. It has a gradient
    for its input alone, where there is no activation: of a frozen batch norm.

    - (C1) `scale` and `shift` have one element per channel.
    - (C2) `result` has the type of `input`.

    Example:
    ```mlir
    %y = vn.affine %x, %scale, %shift activation relu
      : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Vector:$scale, Vn_Vector:$shift,
                       DefaultValuedAttr<Vn_ActivationAttr, "Activation::None">:$activation);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = [{
    $input `,` $scale `,` $shift (`activation` custom<Activation>($activation)^)? attr-dict `:` functional-type(operands, results)
  }];
}

//===- Activation ---------------------------------------------------------------------------------------------===//

def Vn_ActivateOp : Vn_Op<"activate", [Pure, SameOperandsAndResultType, Vn_Shape, Vn_Bytes, Vn_Pointwise,
                                      Vn_Gradient]> {
  let summary = "applies a function to every element";
  let description = [{
    | activation | |
    | --- | --- |
    | `relu` | max(x, 0) |
    | `relu6` | min(max(x, 0), 6) |
    | `leaky_relu(a)` | x where x > 0, else a * x; a is not negative |
    | `sigmoid` | 1 / (1 + exp(-x)) |
    | `hard_sigmoid` | relu6(x + 3) / 6 |
    | `tanh`, `exp` | |
    | `silu` | x * sigmoid(x) |
    | `hard_swish` | x * hard_sigmoid(x) |
    | `gelu` | x times the probability that a standard normal variable is at most x |
    | `gelu_tanh` | its approximation x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) |
    | `scale_shift(a, b)` | a * x + b |

    - (C1) `result` has the type of `input`.

    Example:
    ```mlir
    %y = vn.activate relu %x : tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_ActivationAttr:$activation, Vn_Map:$input);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "custom<Activation>($activation) $input attr-dict `:` type($result)";
}

#endif
