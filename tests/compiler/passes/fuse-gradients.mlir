// RUN: vernier-opt %s --split-input-file --vn-fuse-gradients | FileCheck %s

// Additions, then the mask. The place is the convolution's.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[D:.*]] = vn.convolution_input_grad %arg0, %arg1 add %arg3, %arg2 mask relu %arg2 padding [1, 1, 1, 1] {vn.place = "c"} :
// CHECK-NEXT: return %[[D]]
func.func @train_step(%dy: tensor<2x4x4x8xf32>, %w: tensor<8x8x3x3xf32>, %y: tensor<2x4x4x8xf32>, %r: tensor<2x4x4x8xf32>) -> (tensor<2x4x4x8xf32>) {
  %0 = vn.convolution_input_grad %dy, %w padding [1, 1, 1, 1] {vn.place = "c"} : (tensor<2x4x4x8xf32>, tensor<8x8x3x3xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.add %0, %r : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %2 = vn.add %y, %1 : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %3 = vn.activate_grad relu %y, %2 : tensor<2x4x4x8xf32>
  return %3 : tensor<2x4x4x8xf32>
}

// -----

// What is added is computed later: the op moves behind it. Of two the later one adds.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[A:.*]] = vn.convolution_input_grad %arg0, %arg1 padding
// CHECK-NEXT: %[[P:.*]] = vn.avg_pool_grad
// CHECK-NEXT: %[[B:.*]] = vn.convolution_input_grad %arg3, %arg1 add %[[A]], %[[P]] mask relu %arg2 padding
// CHECK-NEXT: return %[[B]]
func.func @train_step(%dy: tensor<2x4x4x8xf32>, %w: tensor<8x8x3x3xf32>, %y: tensor<2x4x4x8xf32>, %r: tensor<2x4x4x8xf32>) -> (tensor<2x4x4x8xf32>) {
  %0 = vn.convolution_input_grad %dy, %w padding [1, 1, 1, 1] : (tensor<2x4x4x8xf32>, tensor<8x8x3x3xf32>) -> tensor<2x4x4x8xf32>
  %b = vn.convolution_input_grad %r, %w padding [1, 1, 1, 1] : (tensor<2x4x4x8xf32>, tensor<8x8x3x3xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.add %0, %b : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %p = vn.avg_pool_grad %y kernel [1, 1] strides [1, 1] : (tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %2 = vn.add %1, %p : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %3 = vn.activate_grad relu %y, %2 : tensor<2x4x4x8xf32>
  return %3 : tensor<2x4x4x8xf32>
}

// -----

// Windows that share no element.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[D:.*]] = vn.max_pool_grad %arg0, %arg1, %arg2 add %arg3 mask relu6 %arg0 kernel [2, 2] strides [2, 2] :
// CHECK-NEXT: return %[[D]]
func.func @train_step(%x: tensor<2x4x4x8xf32>, %y: tensor<2x2x2x8xf32>, %dy: tensor<2x2x2x8xf32>, %r: tensor<2x4x4x8xf32>) -> (tensor<2x4x4x8xf32>) {
  %0 = vn.max_pool_grad %x, %y, %dy kernel [2, 2] strides [2, 2] : (tensor<2x4x4x8xf32>, tensor<2x2x2x8xf32>, tensor<2x2x2x8xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.add %0, %r : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %2 = vn.activate_grad relu6 %x, %1 : tensor<2x4x4x8xf32>
  return %2 : tensor<2x4x4x8xf32>
}

// -----

// Refused: windows that overlap write an element several times.
// CHECK-LABEL: @train_step
// CHECK-NEXT: vn.max_pool_grad %arg0, %arg1, %arg2 kernel [3, 3] strides [1, 1] :
// CHECK-NEXT: vn.add
func.func @train_step(%x: tensor<2x4x4x8xf32>, %y: tensor<2x2x2x8xf32>, %dy: tensor<2x2x2x8xf32>, %r: tensor<2x4x4x8xf32>) -> (tensor<2x4x4x8xf32>) {
  %0 = vn.max_pool_grad %x, %y, %dy kernel [3, 3] strides [1, 1] : (tensor<2x4x4x8xf32>, tensor<2x2x2x8xf32>, tensor<2x2x2x8xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.add %0, %r : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  return %1 : tensor<2x4x4x8xf32>
}

// -----

// Refused: the gradient has another user, here by a second mask.
// CHECK-LABEL: @train_step
// CHECK-NEXT: vn.convolution_input_grad %arg0, %arg1 padding
// CHECK-NEXT: vn.activate_grad
// CHECK-NEXT: vn.activate_grad
func.func @train_step(%dy: tensor<2x4x4x8xf32>, %w: tensor<8x8x3x3xf32>, %y: tensor<2x4x4x8xf32>, %r: tensor<2x4x4x8xf32>) -> (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) {
  %0 = vn.convolution_input_grad %dy, %w padding [1, 1, 1, 1] : (tensor<2x4x4x8xf32>, tensor<8x8x3x3xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.activate_grad relu %y, %0 : tensor<2x4x4x8xf32>
  %2 = vn.activate_grad relu %r, %0 : tensor<2x4x4x8xf32>
  return %1, %2 : tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>
}

// -----

// Nothing follows a mask; and an activation's result is no gradient.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[A:.*]] = vn.convolution_input_grad %arg0, %arg1 mask relu %arg2 padding
// CHECK-NEXT: vn.add %[[A]], %arg3 :
// CHECK-NEXT: %[[B:.*]] = vn.convolution_input_grad %arg3, %arg1 padding
// CHECK-NEXT: vn.activate_grad relu %[[B]], %arg3 :
func.func @train_step(%dy: tensor<2x4x4x8xf32>, %w: tensor<8x8x3x3xf32>, %y: tensor<2x4x4x8xf32>, %r: tensor<2x4x4x8xf32>) -> (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) {
  %0 = vn.convolution_input_grad %dy, %w padding [1, 1, 1, 1] : (tensor<2x4x4x8xf32>, tensor<8x8x3x3xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.activate_grad relu %y, %0 : tensor<2x4x4x8xf32>
  %2 = vn.add %1, %r : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %3 = vn.convolution_input_grad %r, %w padding [1, 1, 1, 1] : (tensor<2x4x4x8xf32>, tensor<8x8x3x3xf32>) -> tensor<2x4x4x8xf32>
  %4 = vn.activate_grad relu %3, %r : tensor<2x4x4x8xf32>
  return %2, %4 : tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>
}

// -----

// A gradient of an activation that a batch norm's alone reads.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[D:.*]], %{{.*}}, %{{.*}} = vn.batch_norm_grad %arg0, %arg1, %arg3, %arg4, %arg5 mask relu %arg2 epsilon
// CHECK-NEXT: return %[[D]]
func.func @train_step(%x: tensor<2x4x4x8xf32>, %dy: tensor<2x4x4x8xf32>, %y: tensor<2x4x4x8xf32>, %g: tensor<8xf32>, %m: tensor<8xf32>, %v: tensor<8xf32>) -> (tensor<2x4x4x8xf32>) {
  %0 = vn.activate_grad relu %y, %dy : tensor<2x4x4x8xf32>
  %1:3 = vn.batch_norm_grad %x, %0, %g, %m, %v epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return %1#0 : tensor<2x4x4x8xf32>
}

// -----

// Refused: two read it.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[A:.*]] = vn.activate_grad
// CHECK-NEXT: vn.batch_norm_grad %arg0, %[[A]], %arg3, %arg4, %arg5 epsilon
// CHECK-NEXT: vn.batch_norm_grad %arg2, %[[A]], %arg3, %arg4, %arg5 epsilon
func.func @train_step(%x: tensor<2x4x4x8xf32>, %dy: tensor<2x4x4x8xf32>, %y: tensor<2x4x4x8xf32>, %g: tensor<8xf32>, %m: tensor<8xf32>, %v: tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) {
  %0 = vn.activate_grad relu %y, %dy : tensor<2x4x4x8xf32>
  %1:3 = vn.batch_norm_grad %x, %0, %g, %m, %v epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %2:3 = vn.batch_norm_grad %y, %0, %g, %m, %v epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  return %1#0, %2#0 : tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>
}
