// Holes, parameters, what inference derives from parameters, and what training stores.
#ifndef VERNIER_COMPILER_IR_VNPARAMETEROPS_TD
#define VERNIER_COMPILER_IR_VNPARAMETEROPS_TD

include "compiler/ir/VnOpBase.td"
include "mlir/IR/SymbolInterfaces.td"

def Vn_HoleOp : Vn_Op<"hole", [Symbol]> {
  let summary = "declares what the specification leaves open";
  let description = [{
    Stands in the module, named by its place. A `learned` hole is a vector of channel counts, present in the
    program at its `seed` values; convolutions refer to its elements by `hole` and `hole_index`. `limit` is its
    budget for one image. A `choose` hole is one of `choices`.

    - (C1) a `learned` hole has a seed of positive numbers and no choices.
    - (C2) a `choose` hole has choices, no seed and no budget.
    - (C3) `limit` is positive exactly if there is a budget.

    Example:
    ```mlir
    vn.hole @layer1.0.channels learned seed [26, 26, 26, 26] within macs 2359296
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Vn_HoleKindAttr:$kind,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$seed,
                       DefaultValuedAttr<Vn_BudgetKindAttr, "BudgetKind::None">:$budget,
                       DefaultValuedAttr<Vn_Integer, "0">:$limit,
                       DefaultValuedAttr<DenseF64ArrayAttr, "{}">:$choices);
  let assemblyFormat = [{
    $sym_name $kind (`seed` $seed^)? (`within` $budget^ $limit)? (`from` $choices^)? attr-dict
  }];
  let hasVerifier = 1; // C1, C2, C3
}

def Vn_ParameterOp : Vn_Op<"parameter", [Pure, DeclareOpInterfaceMethods<Vn_CostOpInterface,
                                                                          ["getParameterCount"]>]> {
  let summary = "reads a parameter or running statistic of the network";
  let description = [{
    The order of these ops in `@infer` is the order of the parameters in weight files. `initial` is what each element of
    a `gamma` is when training begins: 1 without it. Training leaves a `frozen` one as it is, so that it has no gradient.

    - (C1) the rank is that of `kind`: 4 for `convolution_weight`, 2 for `linear_weight`, else 1.
    - (C2) only a `gamma` has `initial`.

    Example:
    ```mlir
    %w = vn.parameter "layer1.0.conv1.weight" convolution_weight : tensor<64x64x1x1xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, Vn_ParameterKindAttr:$kind, OptionalAttr<F64Attr>:$initial, UnitAttr:$frozen);
  let results = (outs Vn_AnyFloat:$result);
  let assemblyFormat = "$name $kind (`initial` $initial^)? (`frozen` $frozen^)? attr-dict `:` type($result)";
  let hasVerifier = 1; // C1, C2
  let extraClassDeclaration = [{
    bool isStatistic() { return getKind() == ParameterKind::RunningMean || getKind() == ParameterKind::RunningVar; }
    /// False for what no optimizer touches: running statistics, and what is frozen.
    bool isTrainable() { return !getFrozen() && !isStatistic(); }
  }];
}

def Vn_ZerosOp : Vn_Op<"zeros", [Pure, Vn_Bytes]> {
  let summary = "a tensor of zeros";
  let description = [{
    The gradient of what the loss does not depend on.

    Example:
    ```mlir
    %z = vn.zeros : tensor<64xf32>
    ```
  }];
  let results = (outs Vn_MapOrParameter:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

//===- Derived from parameters for inference ------------------------------------------------------------------===//

def Vn_FoldWeightOp : Vn_Op<"fold_weight", [Pure, Vn_Bytes, Vn_ShapeOfOperands]> {
  let summary = "scales each output channel of a weight by a batch norm";
  let description = [{
    `result[o, ...] = weight[o, ...] * gamma[o] / sqrt(var[o] + epsilon)`. A function of parameters alone,
    computed once, before inference.

    - (C1) `gamma` and `var` have one element per output channel.
    - (C2) `result` has the type of `weight`.

    Example:
    ```mlir
    %folded = vn.fold_weight %w, %gamma, %var epsilon 1.0e-5
      : (tensor<64x32x3x3xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<64x32x3x3xf32>
    ```
  }];
  let arguments = (ins Vn_Weight:$weight, Vn_Vector:$gamma, Vn_Vector:$var, Vn_Epsilon:$epsilon);
  let results = (outs Vn_Weight:$result);
  let assemblyFormat = "$weight `,` $gamma `,` $var `epsilon` $epsilon attr-dict `:` functional-type(operands, results)";
}

def Vn_FoldScaleOp : Vn_Op<"fold_scale", [Pure, Vn_Bytes, Vn_ShapeOfOperands]> {
  let summary = "factor by which a batch norm scales each channel";
  let description = [{
    `result = gamma / sqrt(var + epsilon)`: the scale of the `vn.affine` that stands for a batch norm which
    does not fold into a weight.

    - (C1) `var` has the type of `gamma`.
    - (C2) `result` has the type of `gamma`.

    Example:
    ```mlir
    %scale = vn.fold_scale %gamma, %var epsilon 1.0e-5 : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
    ```
  }];
  let arguments = (ins Vn_Vector:$gamma, Vn_Vector:$var, Vn_Epsilon:$epsilon);
  let results = (outs Vn_Vector:$result);
  let assemblyFormat = "$gamma `,` $var `epsilon` $epsilon attr-dict `:` functional-type(operands, results)";
}

def Vn_ScaleParameterOp : Vn_Op<"scale_parameter", [Pure, Vn_Bytes, Vn_ShapeOfOperands]> {
  let summary = "multiplies each output channel of a weight, or element of a bias, by a number of its own";
  let description = [{
    `result[o, ...] = input[o, ...] * scale[o]`. A function of parameters alone, computed once, before inference.

    - (C1) `scale` has one element per output channel.
    - (C2) `result` has the type of `input`.

    Example:
    ```mlir
    %scaled = vn.scale_parameter %w, %scale : (tensor<64x32x3x3xf32>, tensor<64xf32>) -> tensor<64x32x3x3xf32>
    ```
  }];
  let arguments = (ins Vn_AnyFloat:$input, Vn_Vector:$scale);
  let results = (outs Vn_AnyFloat:$result);
  let assemblyFormat = "$input `,` $scale attr-dict `:` functional-type(operands, results)";
}

def Vn_FoldBiasOp : Vn_Op<"fold_bias", [Pure, Vn_Bytes, Vn_ShapeOfOperands]> {
  let summary = "what a batch norm adds to each channel";
  let description = [{
    `result = beta + (bias - mean) * gamma / sqrt(var + epsilon)`, `bias` being that of the convolution before,
    or zero.

    - (C1) `beta`, `mean`, `var` and `bias` have the type of `gamma`.
    - (C2) `result` has the type of `gamma`.

    Example:
    ```mlir
    %shift = vn.fold_bias %gamma, %beta, %mean, %var bias %b epsilon 1.0e-5
      : (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
    ```
  }];
  let arguments = (ins Vn_Vector:$gamma, Vn_Vector:$beta, Vn_Vector:$mean, Vn_Vector:$var, Optional<Vn_Vector>:$bias,
                       Vn_Epsilon:$epsilon);
  let results = (outs Vn_Vector:$result);
  let assemblyFormat = [{
    $gamma `,` $beta `,` $mean `,` $var (`bias` $bias^)? `epsilon` $epsilon attr-dict `:` functional-type(operands, results)
  }];
}

//===- Parts of parameters ------------------------------------------------------------------------------------===//

def Vn_SliceParameterOp : Vn_Op<"slice_parameter", [Pure, Vn_Bytes, Vn_Shape, Vn_Gradient]> {
  let summary = "takes consecutive input channels of a weight, or elements of a vector";
  let description = [{
    As many as `result` has, from `begin`: along dimension 1 of a weight, dimension 0 of a vector. What a
    convolution of some of its input's channels needs.

    - (C1) `begin` + the input channels (elements) of `result` is at most those of `input`.
    - (C2) `result` has the other dimensions of `input`.

    Example:
    ```mlir
    %part = vn.slice_parameter %w from 62 : (tensor<256x71x1x1xf32>) -> tensor<256x9x1x1xf32>
    ```
  }];
  let arguments = (ins Vn_AnyFloat:$input, ConfinedAttr<Vn_Integer, [IntMinValue<0>]>:$begin);
  let results = (outs Vn_AnyFloat:$result);
  let assemblyFormat = "$input `from` $begin attr-dict `:` functional-type(operands, results)";
}

def Vn_ConcatParametersOp : Vn_Op<"concat_parameters", [Pure, Vn_Bytes, Vn_Shape, Vn_Gradient]> {
  let summary = "joins weights along their input channels, or vectors";
  let description = [{
    - (C1) there is at least one input.
    - (C2) the inputs differ in their input channels (elements) alone.
    - (C3) `result` has the sum of them.

    Example:
    ```mlir
    %w = vn.concat_parameters %a, %b : (tensor<256x62x1x1xf32>, tensor<256x9x1x1xf32>) -> tensor<256x71x1x1xf32>
    ```
  }];
  let arguments = (ins Variadic<Vn_AnyFloat>:$inputs);
  let results = (outs Vn_AnyFloat:$result);
  let assemblyFormat = "$inputs attr-dict `:` functional-type(operands, results)";
}

def Vn_EmbedParameterOp : Vn_Op<"embed_parameter", [Pure, Vn_Bytes, Vn_Shape]> {
  let summary = "places a part of a parameter among zeros";
  let description = [{
    The gradient of `vn.slice_parameter`: `--vn-differentiate` joins those that cover a parameter.

    - (C1) `begin` + the input channels (elements) of `input` is at most those of `result`.
    - (C2) `result` has the other dimensions of `input`.

    Example:
    ```mlir
    %dw = vn.embed_parameter %d at 62 : (tensor<256x9x1x1xf32>) -> tensor<256x71x1x1xf32>
    ```
  }];
  let arguments = (ins Vn_AnyFloat:$input, ConfinedAttr<Vn_Integer, [IntMinValue<0>]>:$begin);
  let results = (outs Vn_AnyFloat:$result);
  let assemblyFormat = "$input `at` $begin attr-dict `:` functional-type(operands, results)";
}

def Vn_SpreadParameterOp : Vn_Op<"spread_parameter", [Pure, Vn_Bytes, Vn_Shape]> {
  let summary = "starts runs of a parameter's channels at multiples, zeros between them";
  let description = [{
    `outputs` are lengths of the runs along dimension 0 of `input` (elements of a vector), `inputs` along dimension
    1; empty: as they are. In `result` each run is followed by zeros up to the next multiple of `multiple`. Made by
    `--vn-align-slices`.

    - (C1) the runs of a dimension, each at least 1 long, sum to its size; a vector has no `inputs`.
    - (C2) `result` has the rounded runs' sums, and the other dimensions of `input`.

    Example:
    ```mlir
    %s = vn.spread_parameter %w to 8 outputs [26, 26] inputs [62, 9]
      : (tensor<52x71x1x1xf32>) -> tensor<64x80x1x1xf32>
    ```
  }];
  let arguments = (ins Vn_AnyFloat:$input, ConfinedAttr<Vn_Integer, [IntMinValue<1>]>:$multiple,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$outputs,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$inputs);
  let results = (outs Vn_AnyFloat:$result);
  let assemblyFormat = [{
    $input `to` $multiple (`outputs` $outputs^)? (`inputs` $inputs^)? attr-dict `:` functional-type(operands, results)
  }];
}

//===- Effects of a training step -----------------------------------------------------------------------------===//

def Vn_UpdateRunningOp : Vn_Op<"update_running", [Vn_Bytes]> {
  let summary = "moves the running statistics of a batch norm";
  let description = [{
    `mean = (1 - momentum) * mean + momentum * batch_mean`, and with the unbiased variance
    `var = (1 - momentum) * var + momentum * batch_var * count / (count - 1)`, where `count` is the number of
    elements per channel, N * H * W; with a count of 1 the factor is 1. `mean` and `var` are parameters, by
    name.

    - (C1) `batch_mean` and `batch_var` have the same type.

    Example:
    ```mlir
    vn.update_running "bn1.running_mean", "bn1.running_var", %m, %v momentum 1.0e-1 count 3136
      : tensor<64xf32>, tensor<64xf32>
    ```
  }];
  let arguments = (ins StrAttr:$mean_name, StrAttr:$var_name, Vn_Vector:$batch_mean, Vn_Vector:$batch_var,
                       Vn_Momentum:$momentum, Vn_Count:$count);
  let assemblyFormat = [{
    $mean_name `,` $var_name `,` $batch_mean `,` $batch_var `momentum` $momentum `count` $count attr-dict
    `:` type(operands)
  }];
  let hasVerifier = 1; // C1
}

def Vn_StoreGradientOp : Vn_Op<"store_gradient", [Vn_Bytes]> {
  let summary = "stores the gradient of a parameter";
  let description = [{
    Overwrites the gradient of the parameter called `name`. `@train_step` has one for each trainable parameter.

    Example:
    ```mlir
    vn.store_gradient "fc.bias", %g : tensor<10xf32>
    ```
  }];
  let arguments = (ins StrAttr:$name, Vn_AnyFloat:$gradient);
  let assemblyFormat = "$name `,` $gradient attr-dict `:` type($gradient)";
}

#endif
