// RUN: vernier-opt %s --split-input-file --vn-choose-precision=maps=bf16 | FileCheck %s
// RUN: vernier-opt %s --split-input-file --vn-choose-precision | FileCheck %s --check-prefix=FLOAT
// RUN: not vernier-opt %s --split-input-file --vn-choose-precision=maps=f16 2>&1 | FileCheck %s --check-prefix=OTHER

// OTHER: error: maps cannot be of `f16`, but of f32 or bf16
// FLOAT-NOT: bf16

// Every map, the vector of logits too. Parameters and what follows from them stay f32; a result that is read within
// the network is cast for the caller.
// CHECK-LABEL: func.func @infer(
// CHECK-SAME: %[[IMAGE:.*]]: tensor<1x8x8x4xf32>) -> (tensor<1x1x1x10xf32>, tensor<1x8x8x8xf32>)
// CHECK-NEXT: %[[X:.*]] = vn.cast %[[IMAGE]] : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xbf16>
// CHECK: %[[W:.*]] = vn.fold_weight {{.*}} -> tensor<4x4x3x3xf32>
// CHECK: %[[B:.*]] = vn.fold_bias {{.*}} -> tensor<4xf32>
// CHECK: %[[A:.*]] = vn.fused_convolution %[[X]], %[[W]] bias %[[B]] add %[[X]] {{.*}} : (tensor<1x8x8x4xbf16>, tensor<4x4x3x3xf32>, tensor<4xf32>, tensor<1x8x8x4xbf16>) -> tensor<1x8x8x4xbf16>
// CHECK: %[[P:.*]] = vn.max_pool %[[A]] {{.*}} -> tensor<1x4x4x4xbf16>
// CHECK: %[[U:.*]] = vn.resize bilinear %[[P]] : (tensor<1x4x4x4xbf16>) -> tensor<1x8x8x4xbf16>
// CHECK: %[[C:.*]] = vn.concat %[[A]], %[[U]] : {{.*}} -> tensor<1x8x8x8xbf16>
// CHECK: %[[G:.*]] = vn.global_avg_pool %[[C]] : {{.*}} -> tensor<1x1x1x8xbf16>
// CHECK: %[[L:.*]] = vn.linear %[[G]], %{{.*}} bias %{{.*}} : (tensor<1x1x1x8xbf16>, tensor<10x8xf32>, tensor<10xf32>) -> tensor<1x1x1x10xbf16>
// CHECK: %[[LOGITS:.*]] = vn.cast %[[L]] : (tensor<1x1x1x10xbf16>) -> tensor<1x1x1x10xf32>
// CHECK: %[[MAP:.*]] = vn.cast %[[C]] : (tensor<1x8x8x8xbf16>) -> tensor<1x8x8x8xf32>
// CHECK: return %[[LOGITS]], %[[MAP]]
func.func @infer(%x: tensor<1x8x8x4xf32>) -> (tensor<1x1x1x10xf32>, tensor<1x8x8x8xf32>) {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x4x3x3xf32>
  %gamma = vn.parameter "bn.weight" gamma : tensor<4xf32>
  %beta = vn.parameter "bn.bias" beta : tensor<4xf32>
  %mean = vn.parameter "bn.running_mean" running_mean : tensor<4xf32>
  %var = vn.parameter "bn.running_var" running_var : tensor<4xf32>
  %v = vn.fold_weight %w, %gamma, %var epsilon 1.0e-5 : (tensor<4x4x3x3xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4x4x3x3xf32>
  %b = vn.fold_bias %gamma, %beta, %mean, %var epsilon 1.0e-5 : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %a = vn.fused_convolution %x, %v bias %b add %x activation relu padding [1, 1, 1, 1] : (tensor<1x8x8x4xf32>, tensor<4x4x3x3xf32>, tensor<4xf32>, tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
  %p = vn.max_pool %a kernel [2, 2] strides [2, 2] : (tensor<1x8x8x4xf32>) -> tensor<1x4x4x4xf32>
  %u = vn.resize bilinear %p : (tensor<1x4x4x4xf32>) -> tensor<1x8x8x4xf32>
  %c = vn.concat %a, %u : (tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>) -> tensor<1x8x8x8xf32>
  %g = vn.global_avg_pool %c : (tensor<1x8x8x8xf32>) -> tensor<1x1x1x8xf32>
  %fc = vn.parameter "fc.weight" linear_weight : tensor<10x8xf32>
  %fcb = vn.parameter "fc.bias" bias : tensor<10xf32>
  %y = vn.linear %g, %fc bias %fcb : (tensor<1x1x1x8xf32>, tensor<10x8xf32>, tensor<10xf32>) -> tensor<1x1x1x10xf32>
  return %y, %c : tensor<1x1x1x10xf32>, tensor<1x8x8x8xf32>
}

// -----

// An image that is only returned is as the caller gave it.
// CHECK-LABEL: func.func @infer(
// CHECK-NEXT: return %arg0 : tensor<1x8x8x4xf32>
func.func @infer(%x: tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32> {
  return %x : tensor<1x8x8x4xf32>
}

// -----

// One that is read as well is rounded everywhere. What is returned twice is read twice.
// CHECK-LABEL: func.func @infer(
// CHECK: %[[X:.*]] = vn.cast %arg0
// CHECK: %[[A:.*]] = vn.activate relu %[[X]] : tensor<1x8x8x4xbf16>
// CHECK: %[[Y:.*]] = vn.cast %[[X]] : (tensor<1x8x8x4xbf16>) -> tensor<1x8x8x4xf32>
// CHECK: %[[FIRST:.*]] = vn.cast %[[A]]
// CHECK: %[[SECOND:.*]] = vn.cast %[[A]]
// CHECK: return %[[Y]], %[[FIRST]], %[[SECOND]]
func.func @infer(%x: tensor<1x8x8x4xf32>) -> (tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>) {
  %a = vn.activate relu %x : tensor<1x8x8x4xf32>
  return %x, %a, %a : tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>
}

// -----

// Within blocks of images.
// CHECK-LABEL: func.func @infer(
// CHECK: %[[X:.*]] = vn.cast %arg0
// CHECK: %[[B:.*]]:2 = vn.image_blocks of 1(%[[X]]) : (tensor<4x8x8x4xbf16>) -> (tensor<4x8x8x4xbf16>, tensor<4x1x1x4xbf16>)
// CHECK-NEXT: ^bb0(%[[IMAGE:.*]]: tensor<1x8x8x4xbf16>):
// CHECK-NEXT: %[[A:.*]] = vn.activate relu %[[IMAGE]] : tensor<1x8x8x4xbf16>
// CHECK-NEXT: %[[P:.*]] = vn.global_avg_pool %[[A]] : (tensor<1x8x8x4xbf16>) -> tensor<1x1x1x4xbf16>
// CHECK-NEXT: vn.yield %[[A]], %[[P]] : tensor<1x8x8x4xbf16>, tensor<1x1x1x4xbf16>
// CHECK: vn.activate sigmoid %[[B]]#0 : tensor<4x8x8x4xbf16>
// CHECK: vn.cast %[[B]]#1 : (tensor<4x1x1x4xbf16>) -> tensor<4x1x1x4xf32>
func.func @infer(%x: tensor<4x8x8x4xf32>) -> (tensor<4x8x8x4xf32>, tensor<4x1x1x4xf32>) {
  %b:2 = vn.image_blocks of 1 (%x) : (tensor<4x8x8x4xf32>) -> (tensor<4x8x8x4xf32>, tensor<4x1x1x4xf32>) {
    ^bb0(%image: tensor<1x8x8x4xf32>):
    %a = vn.activate relu %image : tensor<1x8x8x4xf32>
    %p = vn.global_avg_pool %a : (tensor<1x8x8x4xf32>) -> tensor<1x1x1x4xf32>
    vn.yield %a, %p : tensor<1x8x8x4xf32>, tensor<1x1x1x4xf32>
  }
  %y = vn.activate sigmoid %b#0 : tensor<4x8x8x4xf32>
  return %y, %b#1 : tensor<4x8x8x4xf32>, tensor<4x1x1x4xf32>
}

// -----

// A segment: what it takes from others and passes on is bf16, the image and its outputs are f32.
// CHECK-LABEL: func.func @infer(
// CHECK-SAME: %[[FROM:.*]]: tensor<1x8x8x4xbf16>, %[[IMAGE:.*]]: tensor<1x8x8x4xf32>) -> (tensor<1x8x8x4xf32>, tensor<1x8x8x4xbf16>, tensor<1x8x8x4xbf16>)
// CHECK: %[[X:.*]] = vn.cast %[[IMAGE]]
// CHECK: %[[A:.*]] = vn.add %[[FROM]], %[[X]]
// CHECK: %[[Y:.*]] = vn.cast %[[A]] : (tensor<1x8x8x4xbf16>) -> tensor<1x8x8x4xf32>
// CHECK: return %[[Y]], %[[A]], %[[FROM]]
func.func @infer(%from: tensor<1x8x8x4xf32>, %x: tensor<1x8x8x4xf32>) -> (tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>)
    attributes {vn.inputs = ["layer1", "<image>"], vn.outputs = ["y"], vn.passed_on = ["layer2", "layer1"]} {
  %a = vn.add %from, %x : (tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
  return %a, %a, %from : tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>
}

// -----

// An image that is passed on alone.
// CHECK-LABEL: func.func @infer(
// CHECK: %[[X:.*]] = vn.cast %arg0 : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xbf16>
// CHECK: return %[[X]]
func.func @infer(%x: tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
    attributes {vn.inputs = ["<image>"], vn.outputs = [], vn.passed_on = ["x"]} {
  return %x : tensor<1x8x8x4xf32>
}

// -----

// A training step stays as it is.
// CHECK-LABEL: func.func @infer(
// CHECK: vn.activate relu %{{.*}} : tensor<1x8x8x4xbf16>
// CHECK-LABEL: func.func @train_forward(
// CHECK: vn.activate relu %arg0 : tensor<1x8x8x4xf32>
func.func @infer(%x: tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32> {
  %a = vn.activate relu %x : tensor<1x8x8x4xf32>
  return %a : tensor<1x8x8x4xf32>
}
func.func @train_forward(%x: tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32> {
  %a = vn.activate relu %x : tensor<1x8x8x4xf32>
  return %a : tensor<1x8x8x4xf32>
}
