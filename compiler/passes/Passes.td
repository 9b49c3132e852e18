// All passes of the compiler. What each needs before and leaves after is part of its description.
#ifndef VERNIER_COMPILER_PASSES_PASSES_TD
#define VERNIER_COMPILER_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

def Differentiate : Pass<"vn-differentiate", "::mlir::ModuleOp"> {
  let summary = "builds @train_step from @infer";
  let description = [{
    `@train_step(image, labels, smoothing) -> (loss, logits)` runs the network as `@infer` does, with batch norms by the
    batch's own statistics (`vn.batch_norm_training`, `vn.update_running`), then the loss of the first output, then the
    adjoint of every op between trainable parameters and the loss, in reverse order. It has exactly one
    `vn.store_gradient` for each trainable parameter; those that the loss does not depend on get zeros.

    `labels` is `tensor<Nxi32>` for `loss=softmax`, `tensor<NxKxf32>` for `loss=binary`; `smoothing` is `tensor<1xf32>`, which the
    latter ignores.

    Needs the program as lowered from the specification: after `--vn-fold-batch-norm` or `--vn-fuse-epilogue` an op has no
    gradient, which is an error.

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

#endif
