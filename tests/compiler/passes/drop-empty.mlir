// RUN: vernier-opt %s --split-input-file --vn-drop-empty | FileCheck %s

// The second branch goes with its pooling, batch norm and parameters.
// CHECK-LABEL: @infer
// CHECK-NOT: "b.
// CHECK-NOT: vn.max_pool
// CHECK: %[[A:.*]] = vn.convolution
// CHECK-NEXT: %[[C:.*]] = vn.convolution
// CHECK-NEXT: %[[Y:.*]] = vn.concat %[[A]], %[[C]] {vn.place = "join"}
// CHECK-NEXT: return %[[Y]]
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x4xf32> {
  %a = vn.parameter "a.weight" convolution_weight : tensor<3x5x1x1xf32>
  %b = vn.parameter "b.weight" convolution_weight : tensor<0x5x1x1xf32>
  %gamma = vn.parameter "b.bn.weight" gamma : tensor<0xf32>
  %beta = vn.parameter "b.bn.bias" beta : tensor<0xf32>
  %mean = vn.parameter "b.bn.running_mean" running_mean : tensor<0xf32>
  %var = vn.parameter "b.bn.running_var" running_var : tensor<0xf32>
  %c = vn.parameter "c.weight" convolution_weight : tensor<1x5x1x1xf32>
  %0 = vn.convolution %x, %a : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %p = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<1x4x4x5xf32>) -> tensor<1x2x2x5xf32>
  %1 = vn.convolution %p, %b : (tensor<1x2x2x5xf32>, tensor<0x5x1x1xf32>) -> tensor<1x2x2x0xf32>
  %2 = vn.resize nearest %1 : (tensor<1x2x2x0xf32>) -> tensor<1x4x4x0xf32>
  %3 = vn.batch_norm %2, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x4x4x0xf32>, tensor<0xf32>, tensor<0xf32>, tensor<0xf32>, tensor<0xf32>) -> tensor<1x4x4x0xf32>
  %4 = vn.convolution %x, %c : (tensor<1x4x4x5xf32>, tensor<1x5x1x1xf32>) -> tensor<1x4x4x1xf32>
  %y = vn.concat %0, %3, %4 {vn.place = "join"} : (tensor<1x4x4x3xf32>, tensor<1x4x4x0xf32>, tensor<1x4x4x1xf32>) -> tensor<1x4x4x4xf32>
  return %y : tensor<1x4x4x4xf32>
}

// -----

// A concat of one branch is that branch. What the dropped one shared stays.
// CHECK-LABEL: @infer
// CHECK: %[[P:.*]] = vn.max_pool
// CHECK: %[[A:.*]] = vn.convolution %[[P]]
// CHECK-NEXT: return %[[A]]
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x2x2x3xf32> {
  %a = vn.parameter "a.weight" convolution_weight : tensor<3x5x1x1xf32>
  %b = vn.parameter "b.weight" convolution_weight : tensor<0x5x1x1xf32>
  %p = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<1x4x4x5xf32>) -> tensor<1x2x2x5xf32>
  %0 = vn.convolution %p, %a : (tensor<1x2x2x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x2x2x3xf32>
  %1 = vn.convolution %p, %b : (tensor<1x2x2x5xf32>, tensor<0x5x1x1xf32>) -> tensor<1x2x2x0xf32>
  %y = vn.concat %0, %1 : (tensor<1x2x2x3xf32>, tensor<1x2x2x0xf32>) -> tensor<1x2x2x3xf32>
  return %y : tensor<1x2x2x3xf32>
}

// -----

// Two maps of zero channels added are one more.
// CHECK-LABEL: @infer
// CHECK-NEXT: return %arg0
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32> {
  %a = vn.parameter "a.weight" convolution_weight : tensor<0x5x1x1xf32>
  %b = vn.parameter "b.weight" convolution_weight : tensor<0x5x1x1xf32>
  %0 = vn.convolution %x, %a : (tensor<1x4x4x5xf32>, tensor<0x5x1x1xf32>) -> tensor<1x4x4x0xf32>
  %1 = vn.convolution %x, %b : (tensor<1x4x4x5xf32>, tensor<0x5x1x1xf32>) -> tensor<1x4x4x0xf32>
  %2 = vn.add %0, %1 : (tensor<1x4x4x0xf32>, tensor<1x4x4x0xf32>) -> tensor<1x4x4x0xf32>
  %y = vn.concat %2, %x : (tensor<1x4x4x0xf32>, tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  return %y : tensor<1x4x4x5xf32>
}

// -----

// Nothing is empty: a concat of one input is not this pass's concern then, nor what no output needs.
// CHECK-LABEL: @infer
// CHECK: vn.parameter "unused.weight"
// CHECK: vn.convolution
// CHECK: vn.concat
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32> {
  %w = vn.parameter "unused.weight" convolution_weight : tensor<3x5x1x1xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %y = vn.concat %x : (tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  return %y : tensor<1x4x4x5xf32>
}
