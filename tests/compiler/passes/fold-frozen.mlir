// RUN: vernier-opt %s --split-input-file --vn-fold-frozen | FileCheck %s

// A frozen batch norm stays by its running statistics: in a frozen layer before it, or as a scale and a shift
// where the layer is trained.
// CHECK-LABEL: @infer
// CHECK-SAME: (%[[X:.*]]: tensor<2x4x4x3xf32>)
// CHECK: %[[W:.*]] = vn.parameter "a.weight" convolution_weight frozen : tensor<5x3x1x1xf32>
// CHECK: %[[FOLDED:.*]] = vn.fold_weight %[[W]]
// CHECK: %[[BIAS:.*]] = vn.fold_bias
// CHECK: %[[A:.*]] = vn.convolution %[[X]], %[[FOLDED]] bias %[[BIAS]]
// CHECK: %[[T:.*]] = vn.parameter "b.weight" convolution_weight : tensor<5x5x1x1xf32>
// CHECK: %[[B:.*]] = vn.convolution %[[A]], %[[T]] :
// CHECK: vn.affine %[[B]]
// CHECK-NOT: vn.batch_norm
func.func @infer(%x: tensor<2x4x4x3xf32>) -> tensor<2x4x4x5xf32> {
  %w = vn.parameter "a.weight" convolution_weight frozen : tensor<5x3x1x1xf32>
  %gamma = vn.parameter "bn.weight" gamma frozen : tensor<5xf32>
  %beta = vn.parameter "bn.bias" beta frozen : tensor<5xf32>
  %mean = vn.parameter "bn.running_mean" running_mean frozen : tensor<5xf32>
  %var = vn.parameter "bn.running_var" running_var frozen : tensor<5xf32>
  %a = vn.convolution %x, %w strides [1, 1] padding [0, 0, 0, 0] : (tensor<2x4x4x3xf32>, tensor<5x3x1x1xf32>) -> tensor<2x4x4x5xf32>
  %n = vn.batch_norm %a, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 0.1 : (tensor<2x4x4x5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x4x4x5xf32>
  %t = vn.parameter "b.weight" convolution_weight : tensor<5x5x1x1xf32>
  %b = vn.convolution %n, %t strides [1, 1] padding [0, 0, 0, 0] : (tensor<2x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<2x4x4x5xf32>
  %m = vn.batch_norm %b, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 0.1 : (tensor<2x4x4x5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x4x4x5xf32>
  return %m : tensor<2x4x4x5xf32>
}

// -----

// What is trained keeps its statistics, what has no scale for its sums in training its sums.
// CHECK-LABEL: @infer
// CHECK: vn.batch_norm
// CHECK: vn.transposed_convolution
// CHECK: vn.affine
func.func @infer(%x: tensor<2x4x4x5xf32>) -> tensor<2x4x4x5xf32> {
  %g = vn.parameter "a.weight" gamma : tensor<5xf32>
  %m = vn.parameter "a.running_mean" running_mean : tensor<5xf32>
  %a = vn.batch_norm %x, %g, %g, %m, %m epsilon 1.0e-5 momentum 0.1 : (tensor<2x4x4x5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x4x4x5xf32>
  %w = vn.parameter "t.weight" convolution_weight frozen : tensor<5x5x1x1xf32>
  %gamma = vn.parameter "bn.weight" gamma frozen : tensor<5xf32>
  %mean = vn.parameter "bn.running_mean" running_mean frozen : tensor<5xf32>
  %t = vn.transposed_convolution %a, %w strides [1, 1] padding [0, 0, 0, 0] : (tensor<2x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<2x4x4x5xf32>
  %n = vn.batch_norm %t, %gamma, %gamma, %mean, %mean epsilon 1.0e-5 momentum 0.1 : (tensor<2x4x4x5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x4x4x5xf32>
  return %n : tensor<2x4x4x5xf32>
}
