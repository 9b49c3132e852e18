// RUN: vernier-opt %s --split-input-file --vn-fold-batch-norm | FileCheck %s

// CHECK-LABEL: @infer
// CHECK: %[[W:.*]] = vn.fold_weight {{.*}} epsilon 1.000000e-03 {vn.place = "bn1"} : (tensor<3x5x1x1xf32>, tensor<3xf32>, tensor<3xf32>)
// CHECK: %[[B:.*]] = vn.fold_bias
// CHECK-NOT: bias
// CHECK-SAME: epsilon 1.000000e-03 {vn.place = "bn1"}
// CHECK: %[[Y:.*]] = vn.convolution %{{.*}}, %[[W]] bias %[[B]] strides [2, 2] {vn.place = "conv1"}
// CHECK-NEXT: return %[[Y]]
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x2x2x3xf32> {
  %w = vn.parameter "conv1.weight" convolution_weight : tensor<3x5x1x1xf32>
  %gamma = vn.parameter "bn1.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "bn1.bias" beta : tensor<3xf32>
  %mean = vn.parameter "bn1.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "bn1.running_var" running_var : tensor<3xf32>
  %0 = vn.convolution %x, %w strides [2, 2] {vn.place = "conv1"} : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x2x2x3xf32>
  %1 = vn.batch_norm %0, %gamma, %beta, %mean, %var epsilon 1.0e-3 momentum 1.0e-1 {vn.place = "bn1"} : (tensor<1x2x2x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x2x2x3xf32>
  return %1 : tensor<1x2x2x3xf32>
}

// -----

// The layer's own bias goes into the folded one; a linear layer folds like a convolution.
// CHECK-LABEL: @infer
// CHECK: %[[BIAS:.*]] = vn.parameter "fc.bias"
// CHECK: %[[B:.*]] = vn.fold_bias {{.*}} bias %[[BIAS]]
// CHECK: vn.linear %{{.*}}, %{{.*}} bias %[[B]]
// CHECK-NOT: vn.batch_norm
func.func @infer(%x: tensor<2x1x1x5xf32>) -> tensor<2x1x1x3xf32> {
  %w = vn.parameter "fc.weight" linear_weight : tensor<3x5xf32>
  %b = vn.parameter "fc.bias" bias : tensor<3xf32>
  %gamma = vn.parameter "bn1.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "bn1.bias" beta : tensor<3xf32>
  %mean = vn.parameter "bn1.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "bn1.running_var" running_var : tensor<3xf32>
  %0 = vn.linear %x, %w bias %b : (tensor<2x1x1x5xf32>, tensor<3x5xf32>, tensor<3xf32>) -> tensor<2x1x1x3xf32>
  %1 = vn.batch_norm %0, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<2x1x1x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x1x1x3xf32>
  return %1 : tensor<2x1x1x3xf32>
}

// -----

// Through a resize, bilinear included: its weights sum to one.
// CHECK-LABEL: @infer
// CHECK: %[[W:.*]] = vn.fold_weight
// CHECK: %[[C:.*]] = vn.convolution %{{.*}}, %[[W]] bias
// CHECK: %[[Y:.*]] = vn.resize bilinear %[[C]] align_corners {vn.place = "up"} : (tensor<1x4x4x3xf32>) -> tensor<1x7x7x3xf32>
// CHECK-NEXT: return %[[Y]]
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x7x7x3xf32> {
  %w = vn.parameter "conv1.weight" convolution_weight : tensor<3x5x1x1xf32>
  %gamma = vn.parameter "bn1.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "bn1.bias" beta : tensor<3xf32>
  %mean = vn.parameter "bn1.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "bn1.running_var" running_var : tensor<3xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %1 = vn.resize bilinear %0 align_corners {vn.place = "up"} : (tensor<1x4x4x3xf32>) -> tensor<1x7x7x3xf32>
  %2 = vn.batch_norm %1, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x7x7x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x7x7x3xf32>
  return %2 : tensor<1x7x7x3xf32>
}

// -----

// The resized map has another user, which needs it unscaled.
// CHECK-LABEL: @infer
// CHECK: %[[U:.*]] = vn.resize
// CHECK: %[[S:.*]] = vn.fold_scale
// CHECK: %[[T:.*]] = vn.fold_bias
// CHECK: vn.affine %[[U]], %[[S]], %[[T]] {vn.place = "bn1"}
func.func @infer(%x: tensor<1x4x4x5xf32>) -> (tensor<1x8x8x3xf32>, tensor<1x8x8x3xf32>) {
  %w = vn.parameter "conv1.weight" convolution_weight : tensor<3x5x1x1xf32>
  %gamma = vn.parameter "bn1.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "bn1.bias" beta : tensor<3xf32>
  %mean = vn.parameter "bn1.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "bn1.running_var" running_var : tensor<3xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %1 = vn.resize nearest %0 : (tensor<1x4x4x3xf32>) -> tensor<1x8x8x3xf32>
  %2 = vn.batch_norm %1, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 {vn.place = "bn1"} : (tensor<1x8x8x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x8x8x3xf32>
  return %1, %2 : tensor<1x8x8x3xf32>, tensor<1x8x8x3xf32>
}

// -----

// So has the convolution, directly and below a resize.
// CHECK-LABEL: @infer
// CHECK-NOT: vn.fold_weight
// CHECK-COUNT-2: vn.affine
// CHECK-NOT: vn.batch_norm
func.func @infer(%x: tensor<1x4x4x5xf32>) -> (tensor<1x4x4x3xf32>, tensor<1x8x8x3xf32>) {
  %w = vn.parameter "conv1.weight" convolution_weight : tensor<3x5x1x1xf32>
  %gamma = vn.parameter "bn1.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "bn1.bias" beta : tensor<3xf32>
  %mean = vn.parameter "bn1.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "bn1.running_var" running_var : tensor<3xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %1 = vn.batch_norm %0, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x4x4x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  %2 = vn.resize nearest %0 : (tensor<1x4x4x3xf32>) -> tensor<1x8x8x3xf32>
  %3 = vn.batch_norm %2, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x8x8x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x8x8x3xf32>
  return %1, %3 : tensor<1x4x4x3xf32>, tensor<1x8x8x3xf32>
}

// -----

// Of a sum both summands are scaled, through resize and crop too, and one is shifted.
// CHECK-LABEL: @infer
// CHECK-DAG: %[[W1:.*]] = vn.parameter "conv1.weight"
// CHECK-DAG: %[[W2:.*]] = vn.parameter "conv2.weight"
// CHECK: %[[V1:.*]] = vn.fold_weight %[[W1]],
// CHECK: %[[B:.*]] = vn.fold_bias
// CHECK: %[[C1:.*]] = vn.convolution %arg0, %[[V1]] bias %[[B]]
// CHECK: %[[V2:.*]] = vn.fold_weight %[[W2]],
// CHECK: %[[C2:.*]] = vn.convolution %arg1, %[[V2]] {{[{:]}}
// CHECK: %[[U:.*]] = vn.resize bilinear %[[C2]]
// CHECK: %[[K:.*]] = vn.crop %[[U]]
// CHECK: %[[Y:.*]] = vn.add %[[C1]], %[[K]] {vn.place = "sum"}
// CHECK-NEXT: return %[[Y]]
func.func @infer(%x: tensor<1x4x4x5xf32>, %low: tensor<1x3x3x5xf32>) -> tensor<1x4x4x3xf32> {
  %w1 = vn.parameter "conv1.weight" convolution_weight : tensor<3x5x1x1xf32>
  %w2 = vn.parameter "conv2.weight" convolution_weight : tensor<3x5x1x1xf32>
  %gamma = vn.parameter "bn1.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "bn1.bias" beta : tensor<3xf32>
  %mean = vn.parameter "bn1.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "bn1.running_var" running_var : tensor<3xf32>
  %0 = vn.convolution %x, %w1 : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %1 = vn.convolution %low, %w2 : (tensor<1x3x3x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x3x3x3xf32>
  %2 = vn.resize bilinear %1 : (tensor<1x3x3x3xf32>) -> tensor<1x6x6x3xf32>
  %3 = vn.crop %2 at [1, 1] : (tensor<1x6x6x3xf32>) -> tensor<1x4x4x3xf32>
  %4 = vn.add %0, %3 {vn.place = "sum"} : (tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %5 = vn.batch_norm %4, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x4x4x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  return %5 : tensor<1x4x4x3xf32>
}

// -----

// The summand with a bias is the one that is shifted.
// CHECK-LABEL: @infer
// CHECK: %[[BIAS:.*]] = vn.parameter "conv2.bias"
// CHECK: %[[C1:.*]] = vn.convolution %arg0, %{{[^ ]*}} :
// CHECK: %[[B:.*]] = vn.fold_bias {{.*}} bias %[[BIAS]]
// CHECK: %[[C2:.*]] = vn.convolution %arg0, %{{.*}} bias %[[B]]
// CHECK: vn.add %[[C1]], %[[C2]]
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x3xf32> {
  %w1 = vn.parameter "conv1.weight" convolution_weight : tensor<3x5x1x1xf32>
  %w2 = vn.parameter "conv2.weight" convolution_weight : tensor<3x5x1x1xf32>
  %b2 = vn.parameter "conv2.bias" bias : tensor<3xf32>
  %gamma = vn.parameter "bn1.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "bn1.bias" beta : tensor<3xf32>
  %mean = vn.parameter "bn1.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "bn1.running_var" running_var : tensor<3xf32>
  %0 = vn.convolution %x, %w1 : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %1 = vn.convolution %x, %w2 bias %b2 : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  %2 = vn.add %0, %1 : (tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %3 = vn.batch_norm %2, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x4x4x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  return %3 : tensor<1x4x4x3xf32>
}

// -----

// Two summands with a bias of their own.
// CHECK-LABEL: @infer
// CHECK-NOT: vn.fold_weight
// CHECK: %[[S:.*]] = vn.add
// CHECK: vn.affine %[[S]]
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x3xf32> {
  %w1 = vn.parameter "conv1.weight" convolution_weight : tensor<3x5x1x1xf32>
  %b1 = vn.parameter "conv1.bias" bias : tensor<3xf32>
  %w2 = vn.parameter "conv2.weight" convolution_weight : tensor<3x5x1x1xf32>
  %b2 = vn.parameter "conv2.bias" bias : tensor<3xf32>
  %gamma = vn.parameter "bn1.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "bn1.bias" beta : tensor<3xf32>
  %mean = vn.parameter "bn1.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "bn1.running_var" running_var : tensor<3xf32>
  %0 = vn.convolution %x, %w1 bias %b1 : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  %1 = vn.convolution %x, %w2 bias %b2 : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  %2 = vn.add %0, %1 : (tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %3 = vn.batch_norm %2, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x4x4x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  return %3 : tensor<1x4x4x3xf32>
}

// -----

// A summand that no layer computes, one that is broadcast, a sum with another user.
// CHECK-LABEL: @infer
// CHECK-NOT: vn.fold_weight
// CHECK-COUNT-3: vn.affine
// CHECK-NOT: vn.batch_norm
func.func @infer(%x: tensor<1x4x4x5xf32>, %pool: tensor<1x1x1x5xf32>, %r: tensor<1x4x4x3xf32>) -> (tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>) {
  %w1 = vn.parameter "conv1.weight" convolution_weight : tensor<3x5x1x1xf32>
  %w2 = vn.parameter "conv2.weight" convolution_weight : tensor<3x5x1x1xf32>
  %gamma = vn.parameter "bn1.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "bn1.bias" beta : tensor<3xf32>
  %mean = vn.parameter "bn1.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "bn1.running_var" running_var : tensor<3xf32>
  %0 = vn.convolution %x, %w1 : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %1 = vn.add %0, %r : (tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %2 = vn.batch_norm %1, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x4x4x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  %3 = vn.convolution %x, %w1 : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %4 = vn.convolution %pool, %w2 : (tensor<1x1x1x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x1x1x3xf32>
  %5 = vn.add %3, %4 : (tensor<1x4x4x3xf32>, tensor<1x1x1x3xf32>) -> tensor<1x4x4x3xf32>
  %6 = vn.batch_norm %5, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x4x4x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  %7 = vn.convolution %x, %w1 : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %8 = vn.convolution %x, %w2 : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %9 = vn.add %7, %8 : (tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %10 = vn.batch_norm %9, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x4x4x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  return %2, %6, %9, %10 : tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>
}

// -----

// The input is computed by no layer: neither directly nor below the resize, which then stays where it is.
// CHECK-LABEL: @infer
// CHECK: %[[U:.*]] = vn.resize nearest %arg0
// CHECK: %[[A:.*]] = vn.affine %[[U]]
// CHECK: %[[P:.*]] = vn.max_pool %[[A]]
// CHECK: vn.affine %[[P]]
func.func @infer(%x: tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32> {
  %gamma = vn.parameter "bn1.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "bn1.bias" beta : tensor<3xf32>
  %mean = vn.parameter "bn1.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "bn1.running_var" running_var : tensor<3xf32>
  %0 = vn.resize nearest %x : (tensor<1x4x4x3xf32>) -> tensor<1x8x8x3xf32>
  %1 = vn.batch_norm %0, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x8x8x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x8x8x3xf32>
  %2 = vn.max_pool %1 kernel [2, 2] strides [2, 2] : (tensor<1x8x8x3xf32>) -> tensor<1x4x4x3xf32>
  %3 = vn.batch_norm %2, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x4x4x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  return %3 : tensor<1x4x4x3xf32>
}

// -----

// What no output needs is not computed, but its parameters are still the model's: the files of published weights have them.
// CHECK-LABEL: @infer
// CHECK-COUNT-5: vn.parameter "unused.
// CHECK-NEXT: return %arg0
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32> {
  %w = vn.parameter "unused.conv.weight" convolution_weight : tensor<3x5x1x1xf32>
  %gamma = vn.parameter "unused.bn.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "unused.bn.bias" beta : tensor<3xf32>
  %mean = vn.parameter "unused.bn.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "unused.bn.running_var" running_var : tensor<3xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %1 = vn.batch_norm %0, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x4x4x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  return %x : tensor<1x4x4x5xf32>
}

// -----

// A transposed convolution's weights have the outputs within the inputs: its sums take the scale. A second batch norm
// finds one there.
// CHECK-LABEL: @infer
// CHECK: %[[S:.*]] = vn.fold_scale {{.*}} epsilon 1.000000e-03
// CHECK: %[[B:.*]] = vn.fold_bias {{.*}} bias %{{.*}} epsilon 1.000000e-03
// CHECK: %[[Y:.*]] = vn.transposed_convolution %arg0, %{{.*}} scale %[[S]] bias %[[B]] strides [2, 2] {vn.place = "up"}
// CHECK: vn.affine %[[Y]]
// CHECK-NOT: vn.batch_norm
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x8x8x3xf32> {
  %w = vn.parameter "up.weight" convolution_weight : tensor<5x3x2x2xf32>
  %b = vn.parameter "up.bias" bias : tensor<3xf32>
  %gamma = vn.parameter "bn1.weight" gamma : tensor<3xf32>
  %beta = vn.parameter "bn1.bias" beta : tensor<3xf32>
  %mean = vn.parameter "bn1.running_mean" running_mean : tensor<3xf32>
  %var = vn.parameter "bn1.running_var" running_var : tensor<3xf32>
  %0 = vn.transposed_convolution %x, %w bias %b strides [2, 2] {vn.place = "up"} : (tensor<1x4x4x5xf32>, tensor<5x3x2x2xf32>, tensor<3xf32>) -> tensor<1x8x8x3xf32>
  %1 = vn.batch_norm %0, %gamma, %beta, %mean, %var epsilon 1.0e-3 momentum 1.0e-1 : (tensor<1x8x8x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x8x8x3xf32>
  %2 = vn.batch_norm %1, %gamma, %beta, %mean, %var epsilon 1.0e-3 momentum 1.0e-1 : (tensor<1x8x8x3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x8x8x3xf32>
  return %2 : tensor<1x8x8x3xf32>
}

// -----

// A scale of channels multiplies weight and bias, of a sum both summands' biases; nothing is shifted.
// CHECK-LABEL: @infer
// CHECK: %[[A:.*]] = vn.parameter "a.weight"
// CHECK: %[[AB:.*]] = vn.parameter "a.bias"
// CHECK: %[[B:.*]] = vn.parameter "b.weight"
// CHECK: %[[BB:.*]] = vn.parameter "b.bias"
// CHECK: %[[S:.*]] = vn.parameter "scale.weight"
// CHECK: %[[AW:.*]] = vn.scale_parameter %[[A]], %[[S]]
// CHECK: %[[ABS:.*]] = vn.scale_parameter %[[AB]], %[[S]]
// CHECK: %[[Y:.*]] = vn.convolution %{{.*}}, %[[AW]] bias %[[ABS]]
// CHECK: %[[BW:.*]] = vn.scale_parameter %[[B]], %[[S]]
// CHECK: %[[BBS:.*]] = vn.scale_parameter %[[BB]], %[[S]]
// CHECK: %[[Z:.*]] = vn.convolution %{{.*}}, %[[BW]] bias %[[BBS]]
// CHECK: %[[SUM:.*]] = vn.add %[[Y]], %[[Z]]
// CHECK-NEXT: return %[[SUM]]
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x3xf32> {
  %wa = vn.parameter "a.weight" convolution_weight : tensor<3x5x1x1xf32>
  %ba = vn.parameter "a.bias" bias : tensor<3xf32>
  %wb = vn.parameter "b.weight" convolution_weight : tensor<3x5x1x1xf32>
  %bb = vn.parameter "b.bias" bias : tensor<3xf32>
  %scale = vn.parameter "scale.weight" gamma initial 1.0e-6 : tensor<3xf32>
  %0 = vn.convolution %x, %wa bias %ba : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  %1 = vn.convolution %x, %wb bias %bb : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  %2 = vn.add %0, %1 : (tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  %3 = vn.scale_channels %2, %scale : (tensor<1x4x4x3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  return %3 : tensor<1x4x4x3xf32>
}

// -----

// What is read unscaled, too, is scaled where it is.
// CHECK-LABEL: @infer
// CHECK: %[[C:.*]] = vn.convolution
// CHECK: %[[S:.*]] = vn.scale_channels %[[C]]
// CHECK: vn.add %[[S]], %[[C]]
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x3xf32> {
  %w = vn.parameter "a.weight" convolution_weight : tensor<3x5x1x1xf32>
  %scale = vn.parameter "scale.weight" gamma : tensor<3xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %1 = vn.scale_channels %0, %scale : (tensor<1x4x4x3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  %2 = vn.add %1, %0 : (tensor<1x4x4x3xf32>, tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  return %2 : tensor<1x4x4x3xf32>
}
