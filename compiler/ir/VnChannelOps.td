// Ops on channels and between maps, and sums over the other dimensions.
#ifndef VERNIER_COMPILER_IR_VNCHANNELOPS_TD
#define VERNIER_COMPILER_IR_VNCHANNELOPS_TD

include "compiler/ir/VnOpBase.td"

def Vn_SliceOp : Vn_Op<"slice", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "takes consecutive channels";
  let description = [{
    As many as `result` has, from channel `begin`.

    - (C1) `begin` + the channels of `result` is at most the channels of `input`.
    - (C2) `result` has the batch, height and width of `input`.

    Example:
    ```mlir
    %y = vn.slice %x from 26 : (tensor<1x8x8x104xf32>) -> tensor<1x8x8x26xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, ConfinedAttr<Vn_Integer, [IntMinValue<0>]>:$begin);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input `from` $begin attr-dict `:` functional-type(operands, results)";
}

def Vn_ConcatOp : Vn_Op<"concat", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "joins maps along channels";
  let description = [{
    - (C1) there is at least one input.
    - (C2) the inputs have the same batch, height and width.
    - (C3) `result` has the sum of their channels.
    - (C4) the inputs have one element type.

    Example:
    ```mlir
    %y = vn.concat %a, %b : (tensor<1x8x8x62xf32>, tensor<1x8x8x9xf32>) -> tensor<1x8x8x71xf32>
    ```
  }];
  let arguments = (ins Variadic<Vn_Map>:$inputs);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$inputs attr-dict `:` functional-type(operands, results)";
}

def Vn_ChannelShuffleOp : Vn_Op<"channel_shuffle", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "interleaves groups of channels";
  let description = [{
    The channels are `groups` groups of n; channel i of group g becomes channel i * `groups` + g of `result`. A shuffle with n
    groups undoes it.

    - (C1) `groups` divides the channels of `input`.
    - (C2) `result` has the type of `input`.

    Example:
    ```mlir
    %y = vn.channel_shuffle %x in 2 : (tensor<1x8x8x116xf32>) -> tensor<1x8x8x116xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Count:$groups);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input `in` $groups attr-dict `:` functional-type(operands, results)";
}

def Vn_PixelShuffleOp : Vn_Op<"pixel_shuffle", [Pure, Vn_Shape, Vn_Bytes, Vn_Window, Vn_Gradient]> {
  let summary = "channels become pixels of a larger map";
  let description = [{
    `result[n, h * f + i, w * f + j, c] = input[n, h, w, (c * f + i) * f + j]`, f being `factor` (Shi et al.: Real-Time
    Single Image and Video Super-Resolution, 2016).

    - (C1) the square of `factor` divides the channels of `input`.
    - (C2) `result` has `factor` times its rows and columns, and its channels divided by the square of `factor`.

    Example:
    ```mlir
    %y = vn.pixel_shuffle %x by 2 : (tensor<1x8x8x16xf32>) -> tensor<1x16x16x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Count:$factor);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input `by` $factor attr-dict `:` functional-type(operands, results)";
}

def Vn_PixelUnshuffleOp : Vn_Op<"pixel_unshuffle", [Pure, Vn_Shape, Vn_Bytes, Vn_Window, Vn_Gradient]> {
  let summary = "pixels become channels of a smaller map";
  let description = [{
    `result[n, h, w, (c * f + i) * f + j] = input[n, h * f + i, w * f + j, c]`, f being `factor`: undoes `vn.pixel_shuffle`,
    whose gradient it is.

    - (C1) `factor` divides the rows and columns of `input`.
    - (C2) `result` has its rows and columns divided by `factor`, and its channels times the square of `factor`.

    Example:
    ```mlir
    %y = vn.pixel_unshuffle %x by 2 : (tensor<1x16x16x4xf32>) -> tensor<1x8x8x16xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Count:$factor);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input `by` $factor attr-dict `:` functional-type(operands, results)";
}

def Vn_EmbedChannelsOp : Vn_Op<"embed_channels", [Pure, Vn_Shape, Vn_Bytes]> {
  let summary = "places a map among channels of zeros";
  let description = [{
    The gradient of `vn.slice`: channel c of `input` becomes channel `begin` + c of `result`, the others are
    zero.

    - (C1) `begin` + the channels of `input` is at most the channels of `result`.
    - (C2) `result` has the batch, height and width of `input`.

    Example:
    ```mlir
    %dx = vn.embed_channels %dy at 26 : (tensor<1x8x8x26xf32>) -> tensor<1x8x8x104xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, ConfinedAttr<Vn_Integer, [IntMinValue<0>]>:$begin);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input `at` $begin attr-dict `:` functional-type(operands, results)";
}

//===- Arithmetic ---------------------------------------------------------------------------------------------===//

def Vn_AddOp : Vn_Op<"add", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "elementwise sum";
  let description = [{
    `activation(lhs + rhs)`. A second operand of N x 1 x 1 x C is added to every pixel, one of N x H x W x 1 to every
    channel. The activation is put there by
    `--vn-fuse-epilogue` and `--vn-fuse-batch-norm`.

    - (C1) `rhs` has the type of `lhs`, or for maps is N x 1 x 1 x C, N x H x W x 1 or N x 1 x 1 x 1.
    - (C2) `result` has the type of `lhs`.
    - (C3) maps have one element type.

    Example:
    ```mlir
    %y = vn.add %a, %b : (tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_MapOrParameter:$lhs, Vn_MapOrParameter:$rhs,
                       DefaultValuedAttr<Vn_ActivationAttr, "Activation::None">:$activation);
  let results = (outs Vn_MapOrParameter:$result);
  let assemblyFormat =
      "$lhs `,` $rhs (`activation` custom<Activation>($activation)^)? attr-dict `:` functional-type(operands, results)";
}

def Vn_MultiplyOp : Vn_Op<"multiply", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "elementwise product";
  let description = [{
    `activation(lhs * rhs)`. A second operand of N x 1 x 1 x C multiplies every pixel, as squeeze-and-excitation
    does, one of N x H x W x 1 every channel, as spatial attention does. The activation is put there as into `vn.add`.

    - (C1) `rhs` has the type of `lhs`, or is N x 1 x 1 x C, N x H x W x 1 or N x 1 x 1 x 1.
    - (C2) `result` has the type of `lhs`.
    - (C3) maps have one element type.

    Example:
    ```mlir
    %y = vn.multiply %x, %gate : (tensor<1x8x8x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$lhs, Vn_Map:$rhs, DefaultValuedAttr<Vn_ActivationAttr, "Activation::None">:$activation);
  let results = (outs Vn_Map:$result);
  let assemblyFormat =
      "$lhs `,` $rhs (`activation` custom<Activation>($activation)^)? attr-dict `:` functional-type(operands, results)";
}

def Vn_SubtractOp : Vn_Op<"subtract", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "elementwise difference";
  let description = [{
    `activation(lhs - rhs)`. A second operand of N x 1 x 1 x C is subtracted from every pixel, one of N x H x W x 1
    from every channel. The activation is put there as into `vn.add`.

    - (C1) `rhs` has the type of `lhs`, or is N x 1 x 1 x C, N x H x W x 1 or N x 1 x 1 x 1.
    - (C2) `result` has the type of `lhs`.
    - (C3) maps have one element type.

    Example:
    ```mlir
    %y = vn.subtract %x, %mean : (tensor<1x8x8x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$lhs, Vn_Map:$rhs, DefaultValuedAttr<Vn_ActivationAttr, "Activation::None">:$activation);
  let results = (outs Vn_Map:$result);
  let assemblyFormat =
      "$lhs `,` $rhs (`activation` custom<Activation>($activation)^)? attr-dict `:` functional-type(operands, results)";
}

def Vn_DivideOp : Vn_Op<"divide", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "elementwise quotient";
  let description = [{
    `activation(lhs / rhs)`. A second operand of N x 1 x 1 x C divides every pixel, one of N x H x W x 1 every channel.
    The activation is put there as into `vn.add`.

    - (C1) `rhs` has the type of `lhs`, or is N x 1 x 1 x C, N x H x W x 1 or N x 1 x 1 x 1.
    - (C2) `result` has the type of `lhs`.
    - (C3) maps have one element type.

    Example:
    ```mlir
    %y = vn.divide %weights, %sum : (tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$lhs, Vn_Map:$rhs, DefaultValuedAttr<Vn_ActivationAttr, "Activation::None">:$activation);
  let results = (outs Vn_Map:$result);
  let assemblyFormat =
      "$lhs `,` $rhs (`activation` custom<Activation>($activation)^)? attr-dict `:` functional-type(operands, results)";
}

//===- Element types ------------------------------------------------------------------------------------------===//

def Vn_CastOp : Vn_Op<"cast", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise]> {
  let summary = "changes the element type of a map";
  let description = [{
    To bf16, each element is rounded to the nearest number of that type, of two to the even one; NaN stays NaN, and
    what is too large becomes infinite. To f32 nothing changes: from bf16 to f32 and back is the map itself. Made by
    `--vn-choose-precision`.

    - (C1) `result` has the shape of `input`.
    - (C2) `result` has another element type than `input`.

    Example:
    ```mlir
    %y = vn.cast %x : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xbf16>
    ```
  }];
  let arguments = (ins Vn_Map:$input);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

//===- Over channels ------------------------------------------------------------------------------------------===//

def Vn_ReduceChannelsOp : Vn_Op<"reduce_channels", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "sum, mean or maximum over the channels of each pixel";
  let description = [{
    - (C1) `result` is N x H x W x 1.

    Example:
    ```mlir
    %y = vn.reduce_channels mean %x : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x1xf32>
    ```
  }];
  let arguments = (ins Vn_ChannelReductionAttr:$reduction, Vn_Map:$input);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$reduction $input attr-dict `:` functional-type(operands, results)";
}

def Vn_SoftmaxOp : Vn_Op<"softmax", [Pure, Vn_Shape, Vn_Bytes, Vn_Pointwise, Vn_Gradient]> {
  let summary = "exponentials of runs of channels, as parts of their sum";
  let description = [{
    The C channels of each pixel are `runs` runs of neighbours of equal length; of each place in a run the exponentials of all
    runs are divided by their sum: `result[c] = exp(input[c]) / sum exp(input[r])` over all r with r = c modulo C / `runs`.
    With as many runs as channels it is the softmax of each pixel over its channels, with 2 the weights of two branches of which
    `input` has one after the other. Computed of differences from the largest, so that no exponential is too large. `log`
    gives the logarithms, computed without the shares, which may be too small for a number.

    - (C1) `runs` divides the channels of `input`.
    - (C2) `result` has the type of `input`.

    Example:
    ```mlir
    %y = vn.softmax %x of 4 : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Count:$runs, UnitAttr:$log);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "(`log` $log^)? $input `of` $runs attr-dict `:` functional-type(operands, results)";
}

def Vn_SpatialSoftmaxOp : Vn_Op<"spatial_softmax", [Pure, Vn_Shape, Vn_Bytes, Vn_Window, Vn_Gradient]> {
  let summary = "exponentials of pixels, as parts of their sum, per channel";
  let description = [{
    `result[n, h, w, c] = exp(input[n, h, w, c]) / sum exp(input[n, i, j, c])`, the sum over i and j. Computed of differences
    from the largest.

    - (C1) `result` has the type of `input`.

    Example:
    ```mlir
    %y = vn.spatial_softmax %x : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def Vn_MatmulOp : Vn_Op<"matmul", [Pure, Vn_Shape, Vn_Macs, Vn_Window, Vn_Gradient]> {
  let summary = "product of the maps of each image as matrices";
  let description = [{
    A map is a matrix with a row for each pixel, row by row, and a column for each channel. `transpose_lhs` and
    `transpose_rhs` exchange rows and columns of an operand before it is multiplied.

    - (C1) the columns of the first matrix are as many as the rows of the second.
    - (C2) `result` has a pixel for each row of the first and a channel for each column of the second matrix; its height and
      width are those of `lhs`, but with `transpose_lhs` as its type says.
    - (C3) the operands have one batch and one element type.

    Example:
    ```mlir
    %scores = vn.matmul %q, %k transpose_rhs : (tensor<1x8x8x32xf32>, tensor<1x4x4x32xf32>) -> tensor<1x8x8x16xf32>
    %values = vn.matmul %scores, %v : (tensor<1x8x8x16xf32>, tensor<1x4x4x48xf32>) -> tensor<1x8x8x48xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$lhs, Vn_Map:$rhs, UnitAttr:$transpose_lhs, UnitAttr:$transpose_rhs);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`transpose_lhs` $transpose_lhs^)? (`transpose_rhs` $transpose_rhs^)? attr-dict
    `:` functional-type(operands, results)
  }];
}

def Vn_PixelDotOp : Vn_Op<"pixel_dot", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "sum of a product over channels, per pixel";
  let description = [{
    The gradient of the operand of one channel of `vn.multiply`.

    - (C1) `rhs` has the type of `lhs`.
    - (C2) `result` is N x H x W x 1.

    Example:
    ```mlir
    %dgate = vn.pixel_dot %dy, %x : (tensor<2x8x8x4xf32>, tensor<2x8x8x4xf32>) -> tensor<2x8x8x1xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$lhs, Vn_Map:$rhs);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
}

def Vn_BroadcastChannelsOp : Vn_Op<"broadcast_channels", [Pure, Vn_Shape, Vn_Bytes]> {
  let summary = "a multiple of one channel as every channel";
  let description = [{
    `factor * input`: the gradient of sums and means over channels.

    - (C1) `input` has one channel.
    - (C2) `result` has the batch, height and width of `input`.

    Example:
    ```mlir
    %dx = vn.broadcast_channels %dy times 2.5e-1 : (tensor<2x8x8x1xf32>) -> tensor<2x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, F64Attr:$factor);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input `times` $factor attr-dict `:` functional-type(operands, results)";
}

def Vn_ChannelMaxGradOp : Vn_Op<"channel_max_grad", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "gradient of a maximum over channels";
  let description = [{
    `dy` of each pixel goes to the first of its channels that equals the maximum `y`.

    - (C1) `y` and `dy` are N x H x W x 1.
    - (C2) `result` has the type of `input`.

    Example:
    ```mlir
    %dx = vn.channel_max_grad %x, %y, %dy
      : (tensor<2x8x8x4xf32>, tensor<2x8x8x1xf32>, tensor<2x8x8x1xf32>) -> tensor<2x8x8x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input, Vn_Map:$y, Vn_Map:$dy);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input `,` $y `,` $dy attr-dict `:` functional-type(operands, results)";
}

//===- Sums ---------------------------------------------------------------------------------------------------===//

def Vn_ChannelSumOp : Vn_Op<"channel_sum", [Pure, Vn_Shape, Vn_Bytes]> {
  let summary = "sum of each channel over batch, height and width";
  let description = [{
    The gradient of a bias.

    - (C1) `result` has one element per channel.

    Example:
    ```mlir
    %db = vn.channel_sum %dy : (tensor<2x8x8x4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input);
  let results = (outs Vn_Vector:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def Vn_ChannelDotOp : Vn_Op<"channel_dot", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "sum of a product over batch, height and width, per channel";
  let description = [{
    The gradient of the numbers that `vn.scale_channels` multiplies by.

    - (C1) `rhs` has the type of `lhs`.
    - (C2) `result` has one element per channel.

    Example:
    ```mlir
    %ds = vn.channel_dot %dy, %x : (tensor<2x8x8x4xf32>, tensor<2x8x8x4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$lhs, Vn_Map:$rhs);
  let results = (outs Vn_Vector:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
}

def Vn_SpatialSumOp : Vn_Op<"spatial_sum", [Pure, Vn_Shape, Vn_Bytes]> {
  let summary = "sum of each channel over height and width";
  let description = [{
    The gradient of the operand of one pixel of `vn.add`.

    - (C1) `result` is N x 1 x 1 x C.

    Example:
    ```mlir
    %db = vn.spatial_sum %dy : (tensor<2x8x8x4xf32>) -> tensor<2x1x1x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$input);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def Vn_SpatialDotOp : Vn_Op<"spatial_dot", [Pure, Vn_ShapeOfOperands, Vn_Bytes]> {
  let summary = "sum of a product over height and width, per channel";
  let description = [{
    The gradient of the operand of one pixel of `vn.multiply`.

    - (C1) `rhs` has the type of `lhs`.
    - (C2) `result` is N x 1 x 1 x C.

    Example:
    ```mlir
    %dgate = vn.spatial_dot %dy, %x : (tensor<2x8x8x4xf32>, tensor<2x8x8x4xf32>) -> tensor<2x1x1x4xf32>
    ```
  }];
  let arguments = (ins Vn_Map:$lhs, Vn_Map:$rhs);
  let results = (outs Vn_Map:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
}

#endif
