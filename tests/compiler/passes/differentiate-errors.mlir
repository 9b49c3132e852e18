// RUN: vernier-opt %s --split-input-file --verify-diagnostics --vn-differentiate

// expected-error @below {{needs a function @infer from one image to at least one output}}
module {}

// -----

// expected-error @below {{already has a function @train_step}}
module {
  func.func @infer(%x: tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32> {
    return %x : tensor<1x1x1x4xf32>
  }
  func.func private @train_step()
}

// -----

module {
  // expected-error @below {{the first output is 'tensor<1x7x7x4xf32>'; a loss needs one pixel of logits per image}}
  func.func @infer(%x: tensor<1x7x7x4xf32>) -> tensor<1x7x7x4xf32> {
    return %x : tensor<1x7x7x4xf32>
  }
}

// -----

module {
  func.func @infer(%x: tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32> {
    %w = vn.parameter "conv.weight" convolution_weight : tensor<4x4x1x1xf32>
    // expected-error @below {{has no gradient: differentiate before folding and fusing}}
    %y = vn.fused_convolution %x, %w activation relu : (tensor<1x1x1x4xf32>, tensor<4x4x1x1xf32>) -> tensor<1x1x1x4xf32>
    return %y : tensor<1x1x1x4xf32>
  }
}

// -----

module {
  func.func @infer(%x: tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32> {
    %c = vn.parameter "bn.weight" gamma : tensor<4xf32>
    %m = vn.zeros : tensor<4xf32>
    // expected-error @below {{has running statistics that are no parameters}}
    %y = vn.batch_norm %x, %c, %c, %m, %m epsilon 1.0e-5 momentum 0.1 : (tensor<1x1x1x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x1x1x4xf32>
    return %y : tensor<1x1x1x4xf32>
  }
}

// -----

// Of a batch norm that is trained, a scale and a shift have lost the statistics.
module {
  func.func @infer(%x: tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32> {
    %s = vn.parameter "scale" gamma : tensor<4xf32>
    %t = vn.zeros : tensor<4xf32>
    // expected-error @below {{has no gradient: differentiate before folding and fusing}}
    %y = vn.affine %x, %s, %t : (tensor<1x1x1x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x1x1x4xf32>
    return %y : tensor<1x1x1x4xf32>
  }
}
