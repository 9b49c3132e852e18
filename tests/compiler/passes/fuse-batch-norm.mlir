// RUN: vernier-opt %s --split-input-file --vn-fuse-batch-norm | FileCheck %s

// Addition, then activation; the statistics stay.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[Y:.*]], %{{.*}}, %{{.*}} = vn.batch_norm_training %arg0, %arg2, %arg3 add %arg1 epsilon 1.000000e-05 activation relu :
// CHECK-NEXT: return %[[Y]]
func.func @train_step(%x: tensor<2x4x4x8xf32>, %r: tensor<2x4x4x8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<2x4x4x8xf32>) {
  %n, %nm, %nv = vn.batch_norm_training %x, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %0 = vn.add %r, %n : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.activate relu %0 : tensor<2x4x4x8xf32>
  return %1 : tensor<2x4x4x8xf32>
}

// -----

// An activation alone; and a product's.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[Y:.*]], %{{.*}}, %{{.*}} = vn.batch_norm_training %arg0, %arg2, %arg3 epsilon 1.000000e-05 activation relu6 :
// CHECK-NEXT: %[[P:.*]] = vn.multiply %[[Y]], %arg1 activation sigmoid :
// CHECK-NEXT: return %[[P]]
func.func @train_step(%x: tensor<2x4x4x8xf32>, %r: tensor<2x4x4x8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<2x4x4x8xf32>) {
  %n, %nm, %nv = vn.batch_norm_training %x, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %0 = vn.activate relu6 %n : tensor<2x4x4x8xf32>
  %1 = vn.multiply %0, %r : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %2 = vn.activate sigmoid %1 : tensor<2x4x4x8xf32>
  return %2 : tensor<2x4x4x8xf32>
}

// -----

// Of two batch norms the later one adds: the other's result is there by then.
// CHECK-LABEL: @train_step
// CHECK-NEXT: %[[A:.*]], %{{.*}}, %{{.*}} = vn.batch_norm_training %arg0, %arg2, %arg3 epsilon
// CHECK-NEXT: %[[B:.*]], %{{.*}}, %{{.*}} = vn.batch_norm_training %arg1, %arg2, %arg3 add %[[A]] epsilon 1.000000e-05 activation relu :
// CHECK-NEXT: return %[[B]]
func.func @train_step(%x: tensor<2x4x4x8xf32>, %r: tensor<2x4x4x8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<2x4x4x8xf32>) {
  %n, %nm, %nv = vn.batch_norm_training %x, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %o, %om, %ov = vn.batch_norm_training %r, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %0 = vn.add %n, %o : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.activate relu %0 : tensor<2x4x4x8xf32>
  return %1 : tensor<2x4x4x8xf32>
}

// -----

// Refused: an addend that is computed later. The activation joins the addition.
// CHECK-LABEL: @train_step
// CHECK-NEXT: vn.batch_norm_training %arg0, %arg2, %arg3 epsilon
// CHECK-NEXT: vn.max_pool
// CHECK-NEXT: vn.add %{{.*}}, %{{.*}} activation relu :
func.func @train_step(%x: tensor<2x4x4x8xf32>, %r: tensor<2x4x4x8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<2x4x4x8xf32>) {
  %n, %nm, %nv = vn.batch_norm_training %x, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %p = vn.max_pool %r kernel [1, 1] strides [1, 1] : (tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %0 = vn.add %n, %p : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.activate relu %0 : tensor<2x4x4x8xf32>
  return %1 : tensor<2x4x4x8xf32>
}

// -----

// Refused: the normalised map has another user.
// CHECK-LABEL: @train_step
// CHECK-NEXT: vn.batch_norm_training %arg0, %arg2, %arg3 epsilon
// CHECK-NEXT: vn.activate relu
func.func @train_step(%x: tensor<2x4x4x8xf32>, %r: tensor<2x4x4x8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) {
  %n, %nm, %nv = vn.batch_norm_training %x, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %0 = vn.activate relu %n : tensor<2x4x4x8xf32>
  return %0, %n : tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>
}

// -----

// Refused: an addend that would be broadcast.
// CHECK-LABEL: @train_step
// CHECK-NEXT: vn.batch_norm_training %arg0, %arg1, %arg2 epsilon
// CHECK-NEXT: vn.add
func.func @train_step(%x: tensor<2x4x4x8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>, %s: tensor<2x1x1x8xf32>) -> tensor<2x4x4x8xf32> {
  %n, %nm, %nv = vn.batch_norm_training %x, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %0 = vn.add %n, %s : (tensor<2x4x4x8xf32>, tensor<2x1x1x8xf32>) -> tensor<2x4x4x8xf32>
  return %0 : tensor<2x4x4x8xf32>
}

// -----

// Refused: the activation comes before the addition, whose own activation it is not.
// CHECK-LABEL: @train_step
// CHECK-NEXT: vn.batch_norm_training %arg0, %arg2, %arg3 epsilon 1.000000e-05 activation relu :
// CHECK-NEXT: vn.add %{{.*}}, %arg1 :
func.func @train_step(%x: tensor<2x4x4x8xf32>, %r: tensor<2x4x4x8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<2x4x4x8xf32>) {
  %n, %nm, %nv = vn.batch_norm_training %x, %g, %b epsilon 1.0e-5 : (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<2x4x4x8xf32>, tensor<8xf32>, tensor<8xf32>)
  %0 = vn.activate relu %n : tensor<2x4x4x8xf32>
  %1 = vn.add %0, %r : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  return %1 : tensor<2x4x4x8xf32>
}

// -----

// Inference has none of these.
// CHECK-LABEL: @infer
// CHECK: vn.add %arg0, %arg1 :
// CHECK-NEXT: vn.activate
func.func @infer(%x: tensor<2x4x4x8xf32>, %r: tensor<2x4x4x8xf32>, %g: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<2x4x4x8xf32>) {
  %0 = vn.add %x, %r : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.activate relu %0 : tensor<2x4x4x8xf32>
  return %1 : tensor<2x4x4x8xf32>
}
