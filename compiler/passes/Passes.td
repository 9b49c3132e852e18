// All passes of the compiler. What each needs before and leaves after is part of its description.
#ifndef VERNIER_COMPILER_PASSES_PASSES_TD
#define VERNIER_COMPILER_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

def BindHoles : Pass<"vn-bind-holes", "::mlir::ModuleOp"> {
  let summary = "gives learned holes their channel counts";
  let description = [{
    Convolutions and linear layers that refer to a bound hole get that many output channels; shapes, those of
    parameters included, are inferred anew; bound holes disappear. A hole without a binding stays, at its seed.
    An unknown hole, a vector of another length, and a count that is negative or above 65536 are errors.

    Needs the program as lowered from the specification. Leaves legal IR in which maps and parameters may have
    zero channels until `--vn-drop-empty`.

    With `bindings=branch.channels=3,1`
    ```mlir
    %a = vn.convolution %x, %w hole @branch.channels[0] : (tensor<1x8x8x4xf32>, tensor<2x4x1x1xf32>) -> tensor<1x8x8x2xf32>
    ```
    becomes
    ```mlir
    %a = vn.convolution %x, %w : (tensor<1x8x8x4xf32>, tensor<3x4x1x1xf32>) -> tensor<1x8x8x3xf32>
    ```
  }];
  let options = [
    Option<"bindings", "bindings", "std::string", /*default=*/"\"\"",
           "hole=channels,channels,...; as many as there are holes to bind">,
  ];
  let statistics = [Statistic<"boundHoles", "bound-holes", "Holes bound">];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def DropEmpty : Pass<"vn-drop-empty", "::mlir::ModuleOp"> {
  let summary = "removes branches of zero channels";
  let description = [{
    Inputs of zero channels leave their concat, and with them what then nothing needs any more; a concat of one
    input is that input. A concat of which nothing is left, and any other op that needs a map of zero channels,
    is an error.

    Follows `--vn-bind-holes`; afterwards no tensor is empty.

    ```mlir
    %a = vn.convolution %x, %v : (tensor<1x8x8x4xf32>, tensor<3x4x1x1xf32>) -> tensor<1x8x8x3xf32>
    %b = vn.convolution %x, %w : (tensor<1x8x8x4xf32>, tensor<0x4x1x1xf32>) -> tensor<1x8x8x0xf32>
    %y = vn.concat %a, %b : (tensor<1x8x8x3xf32>, tensor<1x8x8x0xf32>) -> tensor<1x8x8x3xf32>
    ```
    becomes
    ```mlir
    %y = vn.convolution %x, %v : (tensor<1x8x8x4xf32>, tensor<3x4x1x1xf32>) -> tensor<1x8x8x3xf32>
    ```
  }];
  let statistics = [
    Statistic<"droppedBranches", "dropped-branches", "Inputs dropped from concats">,
    Statistic<"erasedOps", "erased-ops", "Ops that only fed them">,
  ];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def FoldFrozen : Pass<"vn-fold-frozen", "::mlir::ModuleOp"> {
  let summary = "folds the batch norms of @infer that training leaves alone";
  let description = [{
    What `--vn-fold-batch-norm` does, of batch norms whose parameters are `frozen` and layers whose weights are; of others
    these batch norms become `vn.affine`. All that it leaves has a gradient. Precedes `--vn-training-form`, in whose
    copy a batch norm takes the batch's statistics.

    ```mlir
    %y = vn.convolution %x, %w ... // of a frozen %w
    %n = vn.batch_norm %y, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 0.1 : (...) -> tensor<8x4x4x5xf32>
    ```
    becomes
    ```mlir
    %f = vn.fold_weight %w, %gamma, %var epsilon 1.0e-5 : (...) -> tensor<5x3x1x1xf32>
    %b = vn.fold_bias %gamma, %beta, %mean, %var epsilon 1.0e-5 : (...) -> tensor<5xf32>
    %n = vn.convolution %x, %f, %b ...
    ```
  }];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def TrainingForm : Pass<"vn-training-form", "::mlir::ModuleOp"> {
  let summary = "copies @infer to @train_forward, batch norms in training form";
  let description = [{
    A batch norm takes the batch's own statistics (`vn.batch_norm_training`) and keeps the running ones
    (`vn.update_running`). Passes over `@train_forward` rewrite what a training step computes;
    `--vn-differentiate` turns it into `@train_step`. Frozen batch norms have been folded.

    ```mlir
    %y = vn.batch_norm %x, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 0.1 : (...) -> tensor<8x4x4x5xf32>
    ```
    becomes
    ```mlir
    %y, %m, %v = vn.batch_norm_training %x, %gamma, %beta epsilon 1.0e-5 : (...)
    vn.update_running "bn.running_mean", "bn.running_var", %m, %v momentum 0.1 count 128 : tensor<5xf32>
    ```
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::vernier::vn::VnDialect"];
}

def Differentiate : Pass<"vn-differentiate", "::mlir::ModuleOp"> {
  let summary = "builds @train_step from @infer";
  let description = [{
    From `@train_forward`, which it consumes, where `--vn-training-form` made one.

    `@train_step(image, labels, smoothing) -> (loss, logits)` runs the network as `@infer` does, with batch
    norms by the batch's own statistics (`vn.batch_norm_training`, `vn.update_running`), then the loss of the
    first output, then the adjoint of every op between trainable parameters and the loss, in reverse order. It
    has exactly one `vn.store_gradient` for each trainable parameter; those that the loss does not depend on
    get zeros.

    `labels` is `tensor<Nxi32>` for `loss=softmax`, `tensor<Nx1x1xKxf32>` for `loss=binary`; `smoothing` is
    `tensor<1xf32>`, which the latter ignores.

    Where `@infer` has `vn.minimize`, training minimises the sum of these instead. The step takes the image and
    each `vn.target`, and returns the loss, every output of `@infer` and the terms that have names; what only
    they need leaves `@infer`.

    Needs the program as lowered from the specification: after `--vn-fold-batch-norm` or `--vn-fuse-epilogue`
    an op has no gradient, which is an error.

    ```mlir
    %y = vn.linear %x, %w : (tensor<8x1x1x4xf32>, tensor<10x4xf32>) -> tensor<8x1x1x10xf32>
    return %y : tensor<8x1x1x10xf32>
    ```
    becomes
    ```mlir
    %y = vn.linear %x, %w : (tensor<8x1x1x4xf32>, tensor<10x4xf32>) -> tensor<8x1x1x10xf32>
    %loss = vn.softmax_cross_entropy %y, %labels, %smoothing : (...) -> tensor<1xf32>
    %dy = vn.softmax_cross_entropy_grad %y, %labels, %smoothing : (...) -> tensor<8x1x1x10xf32>
    %dw = vn.linear_weight_grad %x, %dy : (tensor<8x1x1x4xf32>, tensor<8x1x1x10xf32>) -> tensor<10x4xf32>
    vn.store_gradient "fc.weight", %dw : tensor<10x4xf32>
    return %loss, %y : tensor<1xf32>, tensor<8x1x1x10xf32>
    ```
  }];
  let options = [
    Option<"loss", "loss", "::vernier::compiler::LossKind", "::vernier::compiler::LossKind::Softmax",
           "Loss of the first output", [{
      ::llvm::cl::values(
        clEnumValN(::vernier::compiler::LossKind::Softmax, "softmax", "cross-entropy of softmax, with label smoothing"),
        clEnumValN(::vernier::compiler::LossKind::Binary, "binary", "binary cross-entropy with logits"))
    }]>,
  ];
  let statistics = [
    Statistic<"storedGradients", "stored-gradients", "Parameters that the loss depends on">,
    Statistic<"zeroGradients", "zero-gradients", "Parameters that it does not">,
  ];
  let dependentDialects = ["::mlir::func::FuncDialect", "::vernier::vn::VnDialect"];
}

def EvaluationForm : Pass<"vn-evaluation-form", "::mlir::ModuleOp"> {
  let summary = "turns @infer into what evaluates the losses that it declares";
  let description = [{
    `@infer` then takes the image and each `vn.target`, and returns the loss, its outputs and the terms that have
    names, as `@train_step` does of `--vn-differentiate`; but batch norms keep to their running statistics,
    nothing is dropped, and losses are those of each image by itself, so that their mean over a data set does not
    depend on how it is cut into batches.

    Needs the program as lowered from the specification; the passes of inference follow.

    ```mlir
    %t = vn.target "t" : tensor<8x1x1x10xf32>
    %a = vn.pointwise_loss squared %y, %t : (...) -> tensor<1xf32>
    vn.minimize %a weight 5.0e-1 name "error" : tensor<1xf32>
    return %y : tensor<8x1x1x10xf32>
    ```
    becomes, with an argument `%t`,
    ```mlir
    %a = vn.pointwise_loss squared %y, %t each_image : (...) -> tensor<8xf32>
    %loss = vn.weighted_sum %a weights [5.0e-1] : tensor<8xf32> -> tensor<8xf32>
    return %loss, %y, %loss : tensor<8xf32>, tensor<8x1x1x10xf32>, tensor<8xf32>
    ```
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::vernier::vn::VnDialect"];
}

def FoldBatchNorm : Pass<"vn-fold-batch-norm", "::mlir::ModuleOp"> {
  let summary = "folds batch norms of @infer into the layers before them";
  let description = [{
    A batch norm whose input is the result of a convolution or linear layer scales that layer's weight
    (`vn.fold_weight`) and shifts its bias (`vn.fold_bias`), directly or through resizes, crops and additions. It
    commutes with a resize because each resized pixel is a mean of input pixels; of a sum each summand is scaled and
    one is shifted: the one with a bias, of which there may be but one. Nothing else may use the layer's result or
    what lies between. A transposed convolution, whose weight has the outputs within the inputs, takes its scale
    (`vn.fold_scale`) as an operand instead. Any other batch norm becomes a `vn.affine`. A `vn.scale_channels` merges in the
    same way (`vn.scale_parameter`), but that it scales every bias on its way and stays what it is where it cannot. What is
    folded is a function of parameters alone, to be computed once.

    For inference only: afterwards @infer has no `vn.batch_norm`, ops without a gradient, and no op that no output needs
    except parameters, which belong to the model's files.

    ```mlir
    %c = vn.convolution %x, %w : (tensor<1x8x8x4xf32>, tensor<4x4x1x1xf32>) -> tensor<1x8x8x4xf32>
    %y = vn.batch_norm %c, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (...) -> tensor<1x8x8x4xf32>
    ```
    becomes
    ```mlir
    %v = vn.fold_weight %w, %gamma, %var epsilon 1.0e-5 : (...) -> tensor<4x4x1x1xf32>
    %b = vn.fold_bias %gamma, %beta, %mean, %var epsilon 1.0e-5 : (...) -> tensor<4xf32>
    %y = vn.convolution %x, %v bias %b : (...) -> tensor<1x8x8x4xf32>
    ```
  }];
  let statistics = [
    Statistic<"folded", "folded", "Batch norms folded into a layer">,
    Statistic<"toAffine", "to-affine", "Batch norms turned into vn.affine">,
  ];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def SinkPointwise : Pass<"vn-sink-pointwise", "::mlir::ModuleOp"> {
  let summary = "moves 1x1 convolutions and elementwise ops below resizes";
  let description = [{
    A 1x1 convolution of stride 1 whose input comes through a resize that enlarges, directly or through concats and
    elementwise ops (`vn.activate`, `vn.affine`) that nothing else uses, is split by its concat's inputs. The parts
    below a resize are computed at the low resolution, those of equal resolution as one convolution, and their
    resized results are added; what stays at the full resolution is one convolution. An elementwise op and, in its
    training form, a batch norm move below a resize likewise.

    A convolution and `vn.affine` without activation commute with every resize, an activation with `nearest` alone,
    batch statistics with `nearest` by whole factors. A part moves if the multiply-adds that it saves outweigh the
    maps that are moved more (the pass's source has the estimate); partial sums join the coarsest other one that
    they enlarge to by whole factors.

    `function=infer` follows `--vn-fold-batch-norm`, `function=train_forward` follows `--vn-training-form`. Precedes `--vn-fuse-epilogue`, which takes the additions, and resizes by whole factors with
    them, into the convolutions.

    ```mlir
    %u = vn.resize nearest %b : (tensor<1x4x4x16xf32>) -> tensor<1x8x8x16xf32>
    %c = vn.concat %a, %u : (tensor<1x8x8x16xf32>, tensor<1x8x8x16xf32>) -> tensor<1x8x8x32xf32>
    %r = vn.activate relu %c : tensor<1x8x8x32xf32>
    %y = vn.convolution %r, %w : (tensor<1x8x8x32xf32>, tensor<64x32x1x1xf32>) -> tensor<1x8x8x64xf32>
    ```
    becomes
    ```mlir
    %r1 = vn.activate relu %b : tensor<1x4x4x16xf32>
    %w1 = vn.slice_parameter %w from 16 : (tensor<64x32x1x1xf32>) -> tensor<64x16x1x1xf32>
    %y1 = vn.convolution %r1, %w1 : (tensor<1x4x4x16xf32>, tensor<64x16x1x1xf32>) -> tensor<1x4x4x64xf32>
    %u = vn.resize nearest %y1 : (tensor<1x4x4x64xf32>) -> tensor<1x8x8x64xf32>
    %r0 = vn.activate relu %a : tensor<1x8x8x16xf32>
    %w0 = vn.slice_parameter %w from 0 : (tensor<64x32x1x1xf32>) -> tensor<64x16x1x1xf32>
    %y0 = vn.convolution %r0, %w0 : (tensor<1x8x8x16xf32>, tensor<64x16x1x1xf32>) -> tensor<1x8x8x64xf32>
    %y = vn.add %y0, %u : (tensor<1x8x8x64xf32>, tensor<1x8x8x64xf32>) -> tensor<1x8x8x64xf32>
    ```
  }];
  let options = [
    Option<"function", "function", "std::string", /*default=*/"\"infer\"", "the function to rewrite">,
    Option<"macsPerByte", "macs-per-byte", "int64_t", "8", "Multiply-adds that take as long as moving one byte of a map">,
  ];
  let statistics = [
    Statistic<"sunkParts", "sunk-parts", "Parts of 1x1 convolutions moved below a resize">,
    Statistic<"savedMacs", "saved-macs", "Multiply-adds of the forward program that this saves">,
    Statistic<"sunkElementwise", "sunk-elementwise", "Elementwise ops moved below a resize">,
    Statistic<"sunkNorms", "sunk-norms", "Batch norms moved below a resize">,
  ];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def AlignSlices : Pass<"vn-align-slices", "::mlir::ModuleOp"> {
  let summary = "starts slices of concats and splits of @infer at multiples of a few channels";
  let description = [{
    Where operands of a `vn.concat`, or a `vn.slice`, begin between multiples of `multiple` channels, channels of
    zeros come between them, so that pixels of each can be moved in whole vectors. Maps that share these channels
    (as sums, pools, batch norms, depthwise convolutions) get the same; the weights of the convolutions and linear
    layers around them get rows and columns of zeros (`vn.spread_parameter`), and so do the parameters of batch
    norms. Maps that a grouped convolution or a channel shuffle reads or writes, or a caller, stay as they are, and
    so do maps that would grow to more than one and a half times their bytes.

    For inference, before all passes but those that bind holes. What a hole between runs holds is finite and no
    result depends on it: an activation may make other numbers of its zeros.

    With `multiple=8`
    ```mlir
    %a = vn.convolution %x, %v : (tensor<1x8x8x8xf32>, tensor<12x8x1x1xf32>) -> tensor<1x8x8x12xf32>
    %b = vn.convolution %x, %w : (tensor<1x8x8x8xf32>, tensor<16x8x1x1xf32>) -> tensor<1x8x8x16xf32>
    %c = vn.concat %a, %b : (tensor<1x8x8x12xf32>, tensor<1x8x8x16xf32>) -> tensor<1x8x8x28xf32>
    %y = vn.convolution %c, %u : (tensor<1x8x8x28xf32>, tensor<8x28x1x1xf32>) -> tensor<1x8x8x8xf32>
    ```
    becomes
    ```mlir
    %sv = vn.spread_parameter %v to 8 outputs [12] : (tensor<12x8x1x1xf32>) -> tensor<16x8x1x1xf32>
    %a = vn.convolution %x, %sv : (tensor<1x8x8x8xf32>, tensor<16x8x1x1xf32>) -> tensor<1x8x8x16xf32>
    %b = vn.convolution %x, %w : (tensor<1x8x8x8xf32>, tensor<16x8x1x1xf32>) -> tensor<1x8x8x16xf32>
    %c = vn.concat %a, %b : (tensor<1x8x8x16xf32>, tensor<1x8x8x16xf32>) -> tensor<1x8x8x32xf32>
    %su = vn.spread_parameter %u to 8 inputs [12, 16] : (tensor<8x28x1x1xf32>) -> tensor<8x32x1x1xf32>
    %y = vn.convolution %c, %su : (tensor<1x8x8x32xf32>, tensor<8x32x1x1xf32>) -> tensor<1x8x8x8xf32>
    ```
  }];
  let options = [
    Option<"multiple", "multiple", "int64_t", /*default=*/"8", "Channels at whose multiples slices start">,
  ];
  let statistics = [
    Statistic<"alignedMaps", "aligned-maps", "Maps whose channels moved">,
    Statistic<"grownBytes", "grown-bytes", "Bytes of float32 by which they grew">,
  ];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def ShareMaxPools : Pass<"vn-share-max-pools", "::mlir::ModuleOp"> {
  let summary = "computes max pools of @infer from smaller ones of the same map";
  let description = [{
    A max pool whose windows lie side by side (kernel equal to strides, no padding, no partial window) reads the
    result of the largest other such pool of the same map whose kernel divides its own: the map is read once.

    For inference only: in training the gradient of a window goes to the first of its equal elements, row by row,
    and after a ReLU many are equal.

    ```mlir
    %2 = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<1x8x8x4xf32>) -> tensor<1x4x4x4xf32>
    %4 = vn.max_pool %x kernel [4, 4] strides [4, 4] : (tensor<1x8x8x4xf32>) -> tensor<1x2x2x4xf32>
    ```
    becomes
    ```mlir
    %2 = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<1x8x8x4xf32>) -> tensor<1x4x4x4xf32>
    %4 = vn.max_pool %2 kernel [2, 2] strides [2, 2] : (tensor<1x4x4x4xf32>) -> tensor<1x2x2x4xf32>
    ```
  }];
  let statistics = [
    Statistic<"shared", "shared", "Max pools computed from a smaller one">,
    Statistic<"savedBytes", "saved-bytes", "Bytes of maps that are not read again">,
  ];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def FuseEpilogue : Pass<"vn-fuse-epilogue", "::mlir::ModuleOp"> {
  let summary = "fuses additions and activations into convolutions";
  let description = [{
    An addition of a map of equal shape, and an activation, become part of the convolution that computes their
    operand if nothing else uses it; an activation becomes part of a `vn.affine`, `vn.add` or `vn.multiply` likewise. The order of a fused
    convolution is fixed: bias, additions, activation. What comes in another order stays. Of a map that is enlarged
    by `nearest` and whole factors the convolution adds the small one.

    Follows `--vn-fold-batch-norm` and `--vn-sink-pointwise`, which bring convolutions next to additions and
    activations. In `function=train_step` it takes additions alone: activations join batch norms
    (`--vn-fuse-batch-norm`).

    ```mlir
    %c = vn.convolution %x, %w bias %b : (...) -> tensor<1x8x8x4xf32>
    %s = vn.add %c, %r : (tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
    %y = vn.activate relu %s : tensor<1x8x8x4xf32>
    ```
    becomes
    ```mlir
    %y = vn.fused_convolution %x, %w bias %b add %r activation relu : (...) -> tensor<1x8x8x4xf32>
    ```
  }];
  let options = [
    Option<"function", "function", "std::string", /*default=*/"\"infer\"", "the function to rewrite">,
  ];
  let statistics = [Statistic<"fusedOps", "fused-ops", "Ops that became part of another">];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def FuseBatchNorm : Pass<"vn-fuse-batch-norm", "::mlir::ModuleOp"> {
  let summary = "fuses additions and activations into the batch norms of a training step";
  let description = [{
    An addition of a map of equal shape that is computed before a `vn.batch_norm_training`, and then an activation,
    become part of it if nothing else uses what lies between: the pass that normalises adds and activates. An
    activation behind another `vn.add` or `vn.multiply` becomes part of that.

    ```mlir
    %n, %mean, %var = vn.batch_norm_training %x, %gamma, %beta epsilon 1.0e-5 : (...)
    %s = vn.add %n, %r : (tensor<8x8x8x4xf32>, tensor<8x8x8x4xf32>) -> tensor<8x8x8x4xf32>
    %y = vn.activate relu %s : tensor<8x8x8x4xf32>
    ```
    becomes
    ```mlir
    %y, %mean, %var = vn.batch_norm_training %x, %gamma, %beta add %r epsilon 1.0e-5 activation relu : (...)
    ```
  }];
  let statistics = [Statistic<"fusedOps", "fused-ops", "Ops that became part of another">];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def FuseGradients : Pass<"vn-fuse-gradients", "::mlir::ModuleOp"> {
  let summary = "lets the op that computes a map's gradient finish it";
  let description = [{
    A `vn.convolution_input_grad`, or a `vn.max_pool_grad` of windows that share no element, takes in the additions
    of the map's other gradients and then the gradient of the activation that made the map, as far as nothing
    else uses what lies between. Of two ops that could take in an addition it is the later one, since the earlier
    one's result has to exist by then anyway. An op that takes in what is computed after it moves behind that.

    A gradient of an activation that is left, and that a `vn.batch_norm_grad` alone reads, becomes part of it.

    ```mlir
    %a = vn.convolution_input_grad %dy, %w : (...) -> tensor<8x8x8x4xf32>
    %s = vn.add %a, %b : (tensor<8x8x8x4xf32>, tensor<8x8x8x4xf32>) -> tensor<8x8x8x4xf32>
    %d = vn.activate_grad relu %y, %s : tensor<8x8x8x4xf32>
    ```
    becomes
    ```mlir
    %d = vn.convolution_input_grad %dy, %w add %b mask relu %y : (...) -> tensor<8x8x8x4xf32>
    ```
  }];
  let statistics = [Statistic<"fusedOps", "fused-ops", "Ops that became part of another">];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def FuseSums : Pass<"vn-fuse-sums", "::mlir::ModuleOp"> {
  let summary = "lets convolutions add up what batch norms need";
  let description = [{
    The sums of a map and of its squares that a `vn.batch_norm_training` needs become a result of the
    convolution that computes the map; those of a gradient g and of g * (x - mean) that a `vn.batch_norm_grad`
    without a mask needs, of the `vn.convolution_input_grad` that computes it: of several, the last one's, since
    each has its own x. A backend whose kernel cannot add them up reads the map once more.

    ```mlir
    %x = vn.convolution %i, %w : (...) -> tensor<8x8x8x4xf32>
    %y, %mean, %var = vn.batch_norm_training %x, %gamma, %beta epsilon 1.0e-5 : (...)
    ```
    becomes
    ```mlir
    %x, %sums = vn.fused_convolution %i, %w : (...) -> (tensor<8x8x8x4xf32>, tensor<2x4xf64>)
    %y, %mean, %var = vn.batch_norm_training %x, %gamma, %beta sums %sums epsilon 1.0e-5 : (...)
    ```
  }];
  let statistics = [Statistic<"sums", "sums", "Batch norms, and gradients of them, that need no pass over a map">];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def BlockImages : Pass<"vn-block-images", "::mlir::ModuleOp"> {
  let summary = "runs parts of @infer for a few images of the batch at a time";
  let description = [{
    Over a large batch, each map of an early layer is larger than the caches: what one op writes, the next reads
    from memory. Such a part of the network is faster when it runs for a few images at a time
    (`vn.image_blocks`), its maps staying in the cache. Late layers, with small maps and large weights, are
    faster for all images at once, because every block reads the weights anew.

    The function is cut into parts, each with its own number of images, so that the estimated cost is least: a
    byte of a map costs 1 where the maps of an op, for the images of its block, exceed `cache` bytes; a byte of
    weights costs 0.1 in each block; each run of an op costs 16384 for handing out its tasks; and a cut costs 2 for
    each byte of the maps, of the whole batch, that cross it. (On the machine of docs/performance.md a megabyte
    of maps from memory took 160 microseconds, a megabyte of weights, which are read in order, 12.)

    Comes after all other rewrites of ops. Changes nothing where the batch is one image, where an op mixes the
    images of the batch, or where the whole batch at once costs least.

    ```mlir
    %a = vn.activate relu %x : tensor<4x96x96x64xf32>
    %y = vn.global_avg_pool %a : (tensor<4x96x96x64xf32>) -> tensor<4x1x1x64xf32>
    ```
    becomes
    ```mlir
    %y = vn.image_blocks of 1 (%x) : (tensor<4x96x96x64xf32>) -> tensor<4x1x1x64xf32> {
      ^bb0(%image: tensor<1x96x96x64xf32>):
      %a = vn.activate relu %image : tensor<1x96x96x64xf32>
      %p = vn.global_avg_pool %a : (tensor<1x96x96x64xf32>) -> tensor<1x1x1x64xf32>
      vn.yield %p : tensor<1x1x1x64xf32>
    }
    ```
  }];
  let options = [
    Option<"cache", "cache", "int64_t", "8388608", "Bytes of maps that stay in a cache from one op to the next">,
    Option<"weightByte", "weight-byte", "double", "0.1", "What a byte of weights costs in each block">,
    Option<"run", "run", "double", "16384", "What each run of an op costs">,
    Option<"cutByte", "cut-byte", "double", "2", "What each byte of the maps that cross a cut costs">,
    Option<"images", "images", "int64_t", "0", "Images at a time, a divisor of the batch, for all ops instead of choosing">,
  ];
  let statistics = [
    Statistic<"parts", "parts", "Parts that run for a few images at a time">,
    Statistic<"savedMegabytes", "saved-megabytes", "Megabytes of maps per batch that stay in the cache">,
  ];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def ChoosePrecision : Pass<"vn-choose-precision", "::mlir::ModuleOp"> {
  let summary = "chooses the element type of a function's maps";
  let description = [{
    With `maps=bf16` every map that an op of the function computes is of bf16, those within `vn.image_blocks` too. The
    image, an f32 argument, is cast before its first use, and each result is cast back, since callers give and take
    f32. In a segment the maps that segments pass on are bf16 on both sides. Parameters and vectors stay f32, and with
    them, in `@train_step`, the gradients of parameters, sums and statistics; so does an image that is returned as it
    is.

    The lowering obeys: where a cast is all that reads a map, the kernel that computes the map stores the cast's
    result, so that the image is read and a result written once, and the latter without the rounding.

    The last pass before code generation; needs maps of f32. `maps=f32` changes nothing.

    ```mlir
    func.func @infer(%x: tensor<1x8x8x4xf32>) -> tensor<1x1x1x4xf32> {
      %p = vn.global_avg_pool %x : (tensor<1x8x8x4xf32>) -> tensor<1x1x1x4xf32>
      return %p : tensor<1x1x1x4xf32>
    }
    ```
    becomes
    ```mlir
    func.func @infer(%x: tensor<1x8x8x4xf32>) -> tensor<1x1x1x4xf32> {
      %h = vn.cast %x : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xbf16>
      %p = vn.global_avg_pool %h : (tensor<1x8x8x4xbf16>) -> tensor<1x1x1x4xbf16>
      %y = vn.cast %p : (tensor<1x1x1x4xbf16>) -> tensor<1x1x1x4xf32>
      return %y : tensor<1x1x1x4xf32>
    }
    ```
  }];
  let options = [
    Option<"maps", "maps", "std::string", "\"f32\"", "f32 or bf16">,
    Option<"function", "function", "std::string", /*default=*/"\"infer\"", "the function to rewrite">,
  ];
  let statistics = [
    Statistic<"chosen", "chosen", "Maps that got the type">,
    Statistic<"casts", "casts", "Casts of images and results">,
  ];
  let dependentDialects = ["::vernier::vn::VnDialect"];
}

def PrintCost : Pass<"vn-print-cost", "::mlir::ModuleOp"> {
  let summary = "prints what each block costs and sees";
  let description = [{
    For each function, one line for each block call of the specification, indented by its depth, then one for
    the whole: multiply-adds of one image, trainable parameters, the type of its last map, and the least and
    most pixels of the image, height x width, that an element of this map sees. Changes nothing.
    ```
    layer1.0 bottleneck: 231211008 macs, 75008 parameters, tensor<1x56x56x256xf32>, sees 9x9 to 27x27
    @infer: 4089184256 macs, 25557032 parameters
    ```
  }];
}

#endif
