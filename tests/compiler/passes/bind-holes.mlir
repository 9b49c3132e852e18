// RUN: vernier-opt %s --split-input-file --vn-bind-holes="bindings=branch.channels=3,1" | FileCheck %s

// Shapes follow to the end: parameters, what comes after, the function's result.
// CHECK-NOT: vn.hole
// CHECK-LABEL: @infer
// CHECK-SAME: -> tensor<1x4x4x4xf32>
// CHECK-DAG: vn.parameter "a.weight" convolution_weight : tensor<3x5x1x1xf32>
// CHECK-DAG: vn.parameter "b.weight" convolution_weight : tensor<1x5x3x3xf32>
// CHECK-DAG: vn.parameter "bn.weight" gamma : tensor<4xf32>
// CHECK-DAG: vn.parameter "bn.running_var" running_var : tensor<4xf32>
// CHECK-NOT: hole
// CHECK: vn.concat {{.*}} -> tensor<1x4x4x4xf32>
module {
  vn.hole @branch.channels learned seed [2, 2]
  func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x4xf32> {
    %a = vn.parameter "a.weight" convolution_weight : tensor<2x5x1x1xf32>
    %b = vn.parameter "b.weight" convolution_weight : tensor<2x5x3x3xf32>
    %gamma = vn.parameter "bn.weight" gamma : tensor<4xf32>
    %beta = vn.parameter "bn.bias" beta : tensor<4xf32>
    %mean = vn.parameter "bn.running_mean" running_mean : tensor<4xf32>
    %var = vn.parameter "bn.running_var" running_var : tensor<4xf32>
    %0 = vn.convolution %x, %a hole @branch.channels[0] : (tensor<1x4x4x5xf32>, tensor<2x5x1x1xf32>) -> tensor<1x4x4x2xf32>
    %1 = vn.convolution %x, %b padding [1, 1, 1, 1] hole @branch.channels[1] : (tensor<1x4x4x5xf32>, tensor<2x5x3x3xf32>) -> tensor<1x4x4x2xf32>
    %2 = vn.concat %0, %1 : (tensor<1x4x4x2xf32>, tensor<1x4x4x2xf32>) -> tensor<1x4x4x4xf32>
    %3 = vn.batch_norm %2, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x4x4xf32>
    return %3 : tensor<1x4x4x4xf32>
  }
}

// -----

// The next layer's weight and the result have as many channels as the hole now says; another hole keeps its seed.
// CHECK-LABEL: module
// CHECK: vn.hole @other.channels learned seed [2]
// CHECK: func.func @infer(%{{.*}}: tensor<2x4x4x5xf32>) -> tensor<2x4x4x2xf32>
// CHECK-DAG: vn.parameter "a.bias" bias : tensor<3xf32>
// CHECK-DAG: vn.parameter "b.weight" convolution_weight : tensor<1x3x1x1xf32>
// CHECK-DAG: vn.parameter "c.weight" convolution_weight : tensor<2x1x1x1xf32>
// CHECK: vn.convolution {{.*}} hole @other.channels[0]
module {
  vn.hole @branch.channels learned seed [2, 2]
  vn.hole @other.channels learned seed [2]
  func.func @infer(%x: tensor<2x4x4x5xf32>) -> tensor<2x4x4x2xf32> {
    %a = vn.parameter "a.weight" convolution_weight : tensor<2x5x1x1xf32>
    %bias = vn.parameter "a.bias" bias : tensor<2xf32>
    %b = vn.parameter "b.weight" convolution_weight : tensor<2x2x1x1xf32>
    %c = vn.parameter "c.weight" convolution_weight : tensor<2x2x1x1xf32>
    %0 = vn.convolution %x, %a bias %bias hole @branch.channels[0] : (tensor<2x4x4x5xf32>, tensor<2x5x1x1xf32>, tensor<2xf32>) -> tensor<2x4x4x2xf32>
    %1 = vn.convolution %0, %b hole @branch.channels[1] : (tensor<2x4x4x2xf32>, tensor<2x2x1x1xf32>) -> tensor<2x4x4x2xf32>
    %2 = vn.convolution %1, %c hole @other.channels[0] : (tensor<2x4x4x2xf32>, tensor<2x2x1x1xf32>) -> tensor<2x4x4x2xf32>
    return %2 : tensor<2x4x4x2xf32>
  }
}

// -----

// A linear layer's features too.
// CHECK-LABEL: module
// CHECK: func.func @infer(%{{.*}}: tensor<2x1x1x5xf32>) -> tensor<2x1x1x1xf32>
// CHECK-DAG: vn.parameter "fc.weight" linear_weight : tensor<3x5xf32>
// CHECK-DAG: vn.parameter "out.weight" linear_weight : tensor<1x3xf32>
module {
  vn.hole @branch.channels learned seed [2, 2]
  func.func @infer(%x: tensor<2x1x1x5xf32>) -> tensor<2x1x1x2xf32> {
    %w = vn.parameter "fc.weight" linear_weight : tensor<2x5xf32>
    %v = vn.parameter "out.weight" linear_weight : tensor<2x2xf32>
    %0 = vn.linear %x, %w hole @branch.channels[0] : (tensor<2x1x1x5xf32>, tensor<2x5xf32>) -> tensor<2x1x1x2xf32>
    %1 = vn.linear %0, %v hole @branch.channels[1] : (tensor<2x1x1x2xf32>, tensor<2x2xf32>) -> tensor<2x1x1x2xf32>
    return %1 : tensor<2x1x1x2xf32>
  }
}

// -----

// A transposed convolution has its channels second in its weight, and those of what it reads first.
// CHECK-LABEL: module
// CHECK: func.func @infer(%{{.*}}: tensor<2x4x4x5xf32>) -> tensor<2x8x8x1xf32>
// CHECK-DAG: vn.parameter "a.weight" convolution_weight : tensor<5x3x1x1xf32>
// CHECK-DAG: vn.parameter "a.bias" bias : tensor<3xf32>
// CHECK-DAG: vn.parameter "b.weight" convolution_weight : tensor<3x1x2x2xf32>
// CHECK-NOT: hole
module {
  vn.hole @branch.channels learned seed [2, 2]
  func.func @infer(%x: tensor<2x4x4x5xf32>) -> tensor<2x8x8x2xf32> {
    %a = vn.parameter "a.weight" convolution_weight : tensor<5x2x1x1xf32>
    %bias = vn.parameter "a.bias" bias : tensor<2xf32>
    %b = vn.parameter "b.weight" convolution_weight : tensor<2x2x2x2xf32>
    %0 = vn.transposed_convolution %x, %a bias %bias hole @branch.channels[0] : (tensor<2x4x4x5xf32>, tensor<5x2x1x1xf32>, tensor<2xf32>) -> tensor<2x4x4x2xf32>
    %1 = vn.transposed_convolution %0, %b strides [2, 2] hole @branch.channels[1] : (tensor<2x4x4x2xf32>, tensor<2x2x2x2xf32>) -> tensor<2x8x8x2xf32>
    return %1 : tensor<2x8x8x2xf32>
  }
}
