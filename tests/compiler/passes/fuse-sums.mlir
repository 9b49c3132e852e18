// RUN: vernier-opt %s --split-input-file --vn-fuse-sums | FileCheck %s

// Two batch norms of one map share its sums.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[C:.*]], %[[S:.*]] = vn.fused_convolution %arg0, %arg1 padding [1, 1, 1, 1] {vn.place = "c"} : {{.*}} -> (tensor<2x4x4x8xf32>, tensor<2x8xf64>)
// CHECK-NEXT: vn.batch_norm_training %[[C]], %arg2, %arg3 sums %[[S]] epsilon
// CHECK-NEXT: vn.batch_norm_training %[[C]], %arg2, %arg3 sums %[[S]] epsilon
func.func @train_step(%x: tensor<2x4x4x8xf32>, %w: tensor<8x8x3x3xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) {
  %0 = vn.convolution %x, %w padding [1, 1, 1, 1] {vn.place = "c"} : (tensor<2x4x4x8xf32>, tensor<8x8x3x3xf32>) -> tensor<2x4x4x8xf32>
  %n, %nm, %nv = vn.batch_norm_training %0, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %o, %om, %ov = vn.batch_norm_training %0, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return %n, %o : tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>
}

// -----

// A fused convolution keeps what it has; the sums are of what it stores.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[C:.*]], %[[S:.*]] = vn.fused_convolution %arg0, %arg1 add %arg0 activation relu padding
// CHECK-NEXT: vn.batch_norm_training %[[C]], %arg2, %arg3 sums %[[S]] epsilon
func.func @train_step(%x: tensor<2x4x4x8xf32>, %w: tensor<8x8x3x3xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<2x4x4x8xf32>) {
  %0 = vn.fused_convolution %x, %w add %x activation relu padding [1, 1, 1, 1] : (tensor<2x4x4x8xf32>, tensor<8x8x3x3xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %n, %nm, %nv = vn.batch_norm_training %0, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return %n : tensor<2x4x4x8xf32>
}

// -----

// Refused: no convolution computes the map.
// CHECK-LABEL: @train_step
// CHECK: vn.batch_norm_training %{{.*}}, %arg2, %arg3 epsilon
func.func @train_step(%x: tensor<2x4x4x8xf32>, %w: tensor<8x8x3x3xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<2x4x4x8xf32>) {
  %0 = vn.max_pool %x kernel [1, 1] strides [1, 1] : (tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %n, %nm, %nv = vn.batch_norm_training %0, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return %n : tensor<2x4x4x8xf32>
}

// -----

// The gradient's, of the last of two batch norms: the other one's x is another.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[D:.*]], %[[S:.*]] = vn.convolution_input_grad %arg1, %arg2 add %arg0 mask relu %arg6 sums %arg6, %arg4 padding
// CHECK-NEXT: vn.batch_norm_grad %arg0, %[[D]], %arg3, %arg4, %arg5 epsilon
// CHECK-NEXT: vn.batch_norm_grad %arg6, %[[D]], %arg3, %arg4, %arg5 sums %[[S]] epsilon
func.func @train_step(%x: tensor<2x4x4x8xf32>, %dy: tensor<2x4x4x8xf32>, %w: tensor<8x8x3x3xf32>, %g: tensor<8xf32>, %m: tensor<8xf32>, %v: tensor<8xf32>, %y: tensor<2x4x4x8xf32>) -> (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) {
  %0 = vn.convolution_input_grad %dy, %w add %x mask relu %y padding [1, 1, 1, 1] : (tensor<2x4x4x8xf32>, tensor<8x8x3x3xf32>, tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %1:3 = vn.batch_norm_grad %x, %0, %g, %m, %v epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %2:3 = vn.batch_norm_grad %y, %0, %g, %m, %v epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return %1#0, %2#0 : tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>
}

// -----

// Refused: the batch norm's gradient masks what it reads; no convolution computes it.
// CHECK-LABEL: @train_step
// CHECK-NEXT: vn.convolution_input_grad %arg1, %arg2 padding
// CHECK-NEXT: vn.batch_norm_grad %arg0, %{{.*}}, %arg3, %arg4, %arg5 mask relu %arg6 epsilon
// CHECK-NEXT: vn.batch_norm_grad %arg0, %arg1, %arg3, %arg4, %arg5 epsilon
func.func @train_step(%x: tensor<2x4x4x8xf32>, %dy: tensor<2x4x4x8xf32>, %w: tensor<8x8x3x3xf32>, %g: tensor<8xf32>, %m: tensor<8xf32>, %v: tensor<8xf32>, %y: tensor<2x4x4x8xf32>) -> (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) {
  %0 = vn.convolution_input_grad %dy, %w padding [1, 1, 1, 1] : (tensor<2x4x4x8xf32>, tensor<8x8x3x3xf32>) -> tensor<2x4x4x8xf32>
  %1:3 = vn.batch_norm_grad %x, %0, %g, %m, %v mask relu %y epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<2x4x4x8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %2:3 = vn.batch_norm_grad %x, %dy, %g, %m, %v epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return %1#0, %2#0 : tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>
}

// -----

// A transposed convolution keeps what it has, too.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[C:.*]], %[[S:.*]] = vn.transposed_convolution %arg0, %arg1 bias %arg3 strides [2, 2] {vn.place = "up"} : {{.*}} -> (tensor<2x8x8x8xf32>, tensor<2x8xf64>)
// CHECK-NEXT: vn.batch_norm_training %[[C]], %arg2, %arg3 sums %[[S]] epsilon
func.func @train_step(%x: tensor<2x4x4x8xf32>, %w: tensor<8x8x2x2xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<2x8x8x8xf32>) {
  %0 = vn.transposed_convolution %x, %w bias %b strides [2, 2] {vn.place = "up"} : (tensor<2x4x4x8xf32>, tensor<8x8x2x2xf32>, tensor<8xf32>) -> tensor<2x8x8x8xf32>
  %n, %nm, %nv = vn.batch_norm_training %0, %g, %b epsilon 1.0e-5 : (tensor<2x8x8x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x8x8x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return %n : tensor<2x8x8x8xf32>
}
