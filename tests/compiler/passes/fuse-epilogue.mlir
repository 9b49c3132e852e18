// RUN: vernier-opt %s --split-input-file --vn-fuse-epilogue | FileCheck %s

// All at once, in the order that the fused op has: bias, addition, activation.
// CHECK-LABEL: @infer
// CHECK: %[[Y:.*]] = vn.fused_convolution %arg0, %{{.*}} bias %{{.*}} add %arg1 activation relu6 strides [2, 2] padding [1, 1, 0, 0] dilations [1, 2] groups 2 {vn.place = "conv1"}
// CHECK-NEXT: return %[[Y]]
func.func @infer(%x: tensor<1x4x6x4xf32>, %r: tensor<1x2x1x6xf32>) -> tensor<1x2x1x6xf32> {
  %w = vn.parameter "conv1.weight" convolution_weight : tensor<6x2x3x3xf32>
  %b = vn.parameter "conv1.bias" bias : tensor<6xf32>
  %0 = vn.convolution %x, %w bias %b strides [2, 2] padding [1, 1, 0, 0] dilations [1, 2] groups 2 {vn.place = "conv1"} : (tensor<1x4x6x4xf32>, tensor<6x2x3x3xf32>, tensor<6xf32>) -> tensor<1x2x1x6xf32>
  %1 = vn.add %0, %r : (tensor<1x2x1x6xf32>, tensor<1x2x1x6xf32>) -> tensor<1x2x1x6xf32>
  %2 = vn.activate relu6 %1 : tensor<1x2x1x6xf32>
  return %2 : tensor<1x2x1x6xf32>
}

// -----

// The addend may be the first summand, and computed after the convolution. Of two convolutions the later one takes the other.
// CHECK-LABEL: @infer
// CHECK: %[[A:.*]] = vn.convolution %arg0, %{{.*}} {vn.place = "a"}
// CHECK: %[[B:.*]] = vn.fused_convolution %arg0, %{{.*}} add %[[A]] {vn.place = "b"}
// CHECK: %[[P:.*]] = vn.max_pool %[[B]]
// CHECK: %[[C:.*]] = vn.fused_convolution %[[B]], %{{.*}} add %[[P]] {vn.place = "c"}
// CHECK: return %[[C]]
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32> {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x5x1x1xf32>
  %0 = vn.convolution %x, %w {vn.place = "a"} : (tensor<1x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x4x5xf32>
  %1 = vn.convolution %x, %w {vn.place = "b"} : (tensor<1x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x4x5xf32>
  %2 = vn.add %0, %1 : (tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  %3 = vn.convolution %2, %w {vn.place = "c"} : (tensor<1x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x4x5xf32>
  %4 = vn.max_pool %2 kernel [1, 1] strides [1, 1] : (tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  %5 = vn.add %4, %3 : (tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  return %5 : tensor<1x4x4x5xf32>
}

// -----

// An activation without an addition, and one after an affine op.
// CHECK-LABEL: @infer
// CHECK: %[[A:.*]] = vn.fused_convolution {{.*}} activation relu :
// CHECK: %[[B:.*]] = vn.affine %[[A]], {{.*}} activation sigmoid
// CHECK-NEXT: return %[[B]]
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x3xf32> {
  %w = vn.parameter "a.weight" convolution_weight : tensor<3x5x1x1xf32>
  %s = vn.parameter "bn.weight" gamma : tensor<3xf32>
  %t = vn.parameter "bn.bias" beta : tensor<3xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<3x5x1x1xf32>) -> tensor<1x4x4x3xf32>
  %1 = vn.activate relu %0 : tensor<1x4x4x3xf32>
  %2 = vn.affine %1, %s, %t : (tensor<1x4x4x3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x4x4x3xf32>
  %3 = vn.activate sigmoid %2 : tensor<1x4x4x3xf32>
  return %3 : tensor<1x4x4x3xf32>
}

// -----

// The convolution's result is also returned: neither activation nor addition may change it.
// CHECK-LABEL: @infer
// CHECK-NOT: vn.fused_convolution
// CHECK: vn.activate relu
// CHECK: vn.add
func.func @infer(%x: tensor<1x4x4x5xf32>) -> (tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>) {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x5x1x1xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x4x5xf32>
  %1 = vn.activate relu %0 : tensor<1x4x4x5xf32>
  %2 = vn.add %0, %x : (tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  return %0, %1, %2 : tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>
}

// -----

// A convolution added to itself has two uses.
// CHECK-LABEL: @infer
// CHECK: %[[A:.*]] = vn.convolution
// CHECK: vn.add %[[A]], %[[A]]
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32> {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x5x1x1xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x4x5xf32>
  %1 = vn.add %0, %0 : (tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  return %1 : tensor<1x4x4x5xf32>
}

// -----

// The addend is broadcast.
// CHECK-LABEL: @infer
// CHECK: vn.add
func.func @infer(%x: tensor<1x4x4x5xf32>, %s: tensor<1x1x1x5xf32>) -> tensor<1x4x4x5xf32> {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x5x1x1xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x4x5xf32>
  %1 = vn.add %0, %s : (tensor<1x4x4x5xf32>, tensor<1x1x1x5xf32>) -> tensor<1x4x4x5xf32>
  return %1 : tensor<1x4x4x5xf32>
}

// -----

// The activation comes before the addition.
// CHECK-LABEL: @infer
// CHECK: %[[A:.*]] = vn.fused_convolution {{.*}} activation relu :
// CHECK: vn.add %[[A]], %arg0
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32> {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x5x1x1xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x4x5xf32>
  %1 = vn.activate relu %0 : tensor<1x4x4x5xf32>
  %2 = vn.add %1, %x : (tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  return %2 : tensor<1x4x4x5xf32>
}

// -----

// Any number of additions, but one activation.
// CHECK-LABEL: @infer
// CHECK: %[[B:.*]] = vn.fused_convolution {{.*}} add %arg0, %arg1 :
// CHECK: %[[C:.*]] = vn.fused_convolution %[[B]], {{.*}} activation relu :
// CHECK: %[[D:.*]] = vn.activate sigmoid %[[C]]
// CHECK: %[[E:.*]] = vn.affine %[[D]], {{.*}} activation relu :
// CHECK: vn.activate sigmoid %[[E]]
func.func @infer(%x: tensor<1x4x4x5xf32>, %r: tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32> {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x5x1x1xf32>
  %s = vn.parameter "bn.weight" gamma : tensor<5xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x4x5xf32>
  %1 = vn.add %0, %x : (tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  %2 = vn.add %1, %r : (tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  %3 = vn.convolution %2, %w : (tensor<1x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x4x5xf32>
  %4 = vn.activate relu %3 : tensor<1x4x4x5xf32>
  %5 = vn.activate sigmoid %4 : tensor<1x4x4x5xf32>
  %6 = vn.affine %5, %s, %s : (tensor<1x4x4x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<1x4x4x5xf32>
  %7 = vn.activate relu %6 : tensor<1x4x4x5xf32>
  %8 = vn.activate sigmoid %7 : tensor<1x4x4x5xf32>
  return %8 : tensor<1x4x4x5xf32>
}

// -----

// A map enlarged by whole factors is read while it is added, also by others; so is the convolution's own size.
// CHECK-LABEL: @infer
// CHECK: %[[U:.*]] = vn.resize nearest %arg1 {{.*}} -> tensor<1x4x6x5xf32>
// CHECK-NOT: vn.resize
// CHECK: %[[Y:.*]] = vn.fused_convolution {{.*}} add %arg1, %arg2 activation relu : (tensor<1x4x6x5xf32>, tensor<5x5x1x1xf32>, tensor<1x2x2x5xf32>, tensor<1x4x3x5xf32>)
// CHECK: return %[[Y]], %[[U]]
func.func @infer(%x: tensor<1x4x6x5xf32>, %r: tensor<1x2x2x5xf32>, %s: tensor<1x4x3x5xf32>) -> (tensor<1x4x6x5xf32>, tensor<1x4x6x5xf32>) {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x5x1x1xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x6x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x6x5xf32>
  %1 = vn.resize nearest %r : (tensor<1x2x2x5xf32>) -> tensor<1x4x6x5xf32>
  %2 = vn.resize nearest %s : (tensor<1x4x3x5xf32>) -> tensor<1x4x6x5xf32>
  %3 = vn.add %1, %0 : (tensor<1x4x6x5xf32>, tensor<1x4x6x5xf32>) -> tensor<1x4x6x5xf32>
  %4 = vn.add %3, %2 : (tensor<1x4x6x5xf32>, tensor<1x4x6x5xf32>) -> tensor<1x4x6x5xf32>
  %5 = vn.activate relu %4 : tensor<1x4x6x5xf32>
  return %5, %1 : tensor<1x4x6x5xf32>, tensor<1x4x6x5xf32>
}

// -----

// A map enlarged bilinearly, or by a broken factor, is added as it is.
// CHECK-LABEL: @infer
// CHECK: %[[B:.*]] = vn.resize bilinear
// CHECK: %[[N:.*]] = vn.resize nearest
// CHECK: vn.fused_convolution {{.*}} add %[[B]], %[[N]] :
func.func @infer(%x: tensor<1x4x4x5xf32>, %r: tensor<1x2x2x5xf32>, %s: tensor<1x3x4x5xf32>) -> tensor<1x4x4x5xf32> {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x5x1x1xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x4x5xf32>
  %1 = vn.resize bilinear %r : (tensor<1x2x2x5xf32>) -> tensor<1x4x4x5xf32>
  %2 = vn.resize nearest %s : (tensor<1x3x4x5xf32>) -> tensor<1x4x4x5xf32>
  %3 = vn.add %0, %1 : (tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  %4 = vn.add %3, %2 : (tensor<1x4x4x5xf32>, tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32>
  return %4 : tensor<1x4x4x5xf32>
}

// -----

// By 41, float32 repeats the first of two pixels 42 times; by a factor of 3.3, unequally too: neither is read while
// the convolution adds.
// CHECK-LABEL: @infer
// CHECK: %[[A:.*]] = vn.resize nearest %arg1
// CHECK: %[[B:.*]] = vn.resize nearest %arg2 scale
// CHECK: vn.fused_convolution {{.*}} add %[[A]], %[[B]] :
func.func @infer(%x: tensor<1x82x3x5xf32>, %r: tensor<1x2x1x5xf32>, %s: tensor<1x25x1x5xf32>) -> tensor<1x82x3x5xf32> {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x5x1x1xf32>
  %0 = vn.convolution %x, %w : (tensor<1x82x3x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x82x3x5xf32>
  %1 = vn.resize nearest %r : (tensor<1x2x1x5xf32>) -> tensor<1x82x3x5xf32>
  %2 = vn.resize nearest %s scale 3.3 : (tensor<1x25x1x5xf32>) -> tensor<1x82x3x5xf32>
  %3 = vn.add %0, %1 : (tensor<1x82x3x5xf32>, tensor<1x82x3x5xf32>) -> tensor<1x82x3x5xf32>
  %4 = vn.add %3, %2 : (tensor<1x82x3x5xf32>, tensor<1x82x3x5xf32>) -> tensor<1x82x3x5xf32>
  return %4 : tensor<1x82x3x5xf32>
}

// -----

// Pooling lies between.
// CHECK-LABEL: @infer
// CHECK: vn.convolution
// CHECK: vn.max_pool
// CHECK: vn.activate
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x2x2x5xf32> {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x5x1x1xf32>
  %0 = vn.convolution %x, %w : (tensor<1x4x4x5xf32>, tensor<5x5x1x1xf32>) -> tensor<1x4x4x5xf32>
  %1 = vn.max_pool %0 kernel [2, 2] strides [2, 2] : (tensor<1x4x4x5xf32>) -> tensor<1x2x2x5xf32>
  %2 = vn.activate relu %1 : tensor<1x2x2x5xf32>
  return %2 : tensor<1x2x2x5xf32>
}

// -----

// Parameters that nothing uses stay the model's.
// CHECK-LABEL: @infer
// CHECK-NEXT: vn.parameter "unused.weight"
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32> {
  %w = vn.parameter "unused.weight" convolution_weight : tensor<3x5x1x1xf32>
  return %x : tensor<1x4x4x5xf32>
}

// -----

// Behind an addition or a product that no convolution computes, the activation is part of it.
// CHECK-LABEL: @infer
// CHECK: %[[P:.*]] = vn.multiply %arg0, %arg1 activation sigmoid :
// CHECK-NEXT: %[[S:.*]] = vn.add %[[P]], %arg0 activation relu :
// CHECK-NEXT: return %[[S]]
func.func @infer(%x: tensor<2x4x4x8xf32>, %s: tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32> {
  %0 = vn.multiply %x, %s : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.activate sigmoid %0 : tensor<2x4x4x8xf32>
  %2 = vn.add %1, %x : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %3 = vn.activate relu %2 : tensor<2x4x4x8xf32>
  return %3 : tensor<2x4x4x8xf32>
}

// -----

// Not where the sum has another user.
// CHECK-LABEL: @infer
// CHECK: vn.add %arg0, %arg1 :
// CHECK-NEXT: vn.activate relu
func.func @infer(%x: tensor<2x4x4x8xf32>, %s: tensor<2x4x4x8xf32>) -> (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) {
  %0 = vn.add %x, %s : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.activate relu %0 : tensor<2x4x4x8xf32>
  return %0, %1 : tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>
}

// -----

// With the numbers that it has; behind a difference and a quotient, too.
// CHECK-LABEL: @infer
// CHECK: %[[C:.*]] = vn.fused_convolution {{.*}} activation leaky_relu(1.250000e-01) :
// CHECK-NEXT: %[[D:.*]] = vn.subtract %[[C]], %arg0 activation scale_shift(-2.000000e+00, 5.000000e-01) :
// CHECK-NEXT: %[[Q:.*]] = vn.divide %[[D]], %[[C]] activation gelu :
// CHECK-NEXT: return %[[Q]]
func.func @infer(%x: tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<8x8x1x1xf32>
  %c = vn.convolution %x, %w : (tensor<2x4x4x8xf32>, tensor<8x8x1x1xf32>) -> tensor<2x4x4x8xf32>
  %l = vn.activate leaky_relu(0.125) %c : tensor<2x4x4x8xf32>
  %d = vn.subtract %l, %x : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %s = vn.activate scale_shift(-2.0, 0.5) %d : tensor<2x4x4x8xf32>
  %q = vn.divide %s, %l : (tensor<2x4x4x8xf32>, tensor<2x4x4x8xf32>) -> tensor<2x4x4x8xf32>
  %g = vn.activate gelu %q : tensor<2x4x4x8xf32>
  return %g : tensor<2x4x4x8xf32>
}

// -----

// A transposed convolution takes in the same, and keeps what it has.
// CHECK-LABEL: @infer
// CHECK: %[[Y:.*]] = vn.transposed_convolution %arg0, %{{.*}} scale %[[S:.*]] bias %[[S]] add %arg1, %arg2 activation relu strides [2, 2] padding [0, 1, 0, 1] output_padding [1, 1] {vn.place = "up"}
// CHECK-NEXT: return %[[Y]]
func.func @infer(%x: tensor<1x4x4x5xf32>, %r: tensor<1x8x8x3xf32>, %h: tensor<1x4x4x3xf32>) -> tensor<1x8x8x3xf32> {
  %w = vn.parameter "up.weight" convolution_weight : tensor<5x3x2x2xf32>
  %s = vn.parameter "up.bias" bias : tensor<3xf32>
  %0 = vn.transposed_convolution %x, %w scale %s bias %s strides [2, 2] padding [0, 1, 0, 1] output_padding [1, 1] {vn.place = "up"} : (tensor<1x4x4x5xf32>, tensor<5x3x2x2xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<1x8x8x3xf32>
  %1 = vn.add %0, %r : (tensor<1x8x8x3xf32>, tensor<1x8x8x3xf32>) -> tensor<1x8x8x3xf32>
  %2 = vn.resize nearest %h : (tensor<1x4x4x3xf32>) -> tensor<1x8x8x3xf32>
  %3 = vn.add %1, %2 : (tensor<1x8x8x3xf32>, tensor<1x8x8x3xf32>) -> tensor<1x8x8x3xf32>
  %4 = vn.activate relu %3 : tensor<1x8x8x3xf32>
  return %4 : tensor<1x8x8x3xf32>
}
