// RUN: vernier-opt %s --split-input-file --vn-sink-pointwise | FileCheck %s
// RUN: vernier-opt %s --split-input-file --vn-sink-pointwise --vn-fuse-epilogue | FileCheck %s --check-prefix=FUSED

// ScaleNet's block: three scales behind one relu. The quarter's sum joins the half's, the half's the whole's; the
// bias is added once.
// CHECK: vn.report = ["sink-pointwise: inference: 2 parts of 1x1 convolutions below resizes, 0.0 M multiply-adds less; 0 elementwise ops and 0 batch norms likewise"]
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK-DAG: %[[RC:.*]] = vn.activate relu %arg2
// CHECK-DAG: %[[WC:.*]] = vn.slice_parameter %[[W:.*]] from 24 {vn.place = "conv3"} : (tensor<32x32x1x1xf32>) -> tensor<32x8x1x1xf32>
// CHECK: %[[C:.*]] = vn.convolution %[[RC]], %[[WC]] {vn.place = "conv3"} : (tensor<1x2x2x8xf32>
// CHECK: %[[RB:.*]] = vn.activate relu %arg1
// CHECK: %[[WB:.*]] = vn.slice_parameter %[[W]] from 16 {{.*}} -> tensor<32x8x1x1xf32>
// CHECK: %[[B:.*]] = vn.convolution %[[RB]], %[[WB]] {vn.place = "conv3"} : (tensor<1x4x4x8xf32>
// CHECK: %[[UC:.*]] = vn.resize nearest %[[C]] {{.*}} -> tensor<1x4x4x32xf32>
// CHECK: %[[BC:.*]] = vn.add %[[B]], %[[UC]]
// CHECK: %[[U:.*]] = vn.resize nearest %[[BC]] {{.*}} -> tensor<1x8x8x32xf32>
// CHECK: %[[RA:.*]] = vn.activate relu %arg0
// CHECK: %[[WA:.*]] = vn.slice_parameter %[[W]] from 0 {{.*}} -> tensor<32x16x1x1xf32>
// CHECK: %[[A:.*]] = vn.convolution %[[RA]], %[[WA]] bias %{{.*}} {vn.place = "conv3"}
// CHECK: %[[Y:.*]] = vn.add %[[A]], %[[U]]
// CHECK-NEXT: return %[[Y]]
// FUSED: %[[C:.*]] = vn.convolution {{.*}} -> tensor<1x2x2x32xf32>
// FUSED: %[[B:.*]] = vn.fused_convolution {{.*}} add %[[C]] {{.*}} -> tensor<1x4x4x32xf32>
// FUSED: vn.fused_convolution {{.*}} bias %{{.*}} add %[[B]] {{.*}} -> tensor<1x8x8x32xf32>
// FUSED-NOT: vn.resize
func.func @infer(%a: tensor<1x8x8x16xf32>, %b: tensor<1x4x4x8xf32>, %c: tensor<1x2x2x8xf32>) -> tensor<1x8x8x32xf32> {
  %w = vn.parameter "conv3.weight" convolution_weight : tensor<32x32x1x1xf32>
  %bias = vn.parameter "conv3.bias" bias : tensor<32xf32>
  %b1 = vn.resize nearest %b : (tensor<1x4x4x8xf32>) -> tensor<1x8x8x8xf32>
  %c1 = vn.resize nearest %c : (tensor<1x2x2x8xf32>) -> tensor<1x8x8x8xf32>
  %0 = vn.concat %a, %b1, %c1 : (tensor<1x8x8x16xf32>, tensor<1x8x8x8xf32>, tensor<1x8x8x8xf32>) -> tensor<1x8x8x32xf32>
  %1 = vn.activate relu %0 : tensor<1x8x8x32xf32>
  %2 = vn.convolution %1, %w bias %bias {vn.place = "conv3"} : (tensor<1x8x8x32xf32>, tensor<32x32x1x1xf32>, tensor<32xf32>) -> tensor<1x8x8x32xf32>
  return %2 : tensor<1x8x8x32xf32>
}

// -----

// Sizes that do not divide one another: each sum is enlarged to the full resolution. Slices that stay are one
// convolution, its weight joined from what lies around the one that leaves.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: %[[C:.*]] = vn.convolution {{.*}} -> tensor<1x2x2x32xf32>
// CHECK: %[[UC:.*]] = vn.resize nearest %[[C]] {{.*}} -> tensor<1x6x6x32xf32>
// CHECK: %[[B:.*]] = vn.convolution {{.*}} -> tensor<1x3x3x32xf32>
// CHECK: %[[UB:.*]] = vn.resize nearest %[[B]] {{.*}} -> tensor<1x6x6x32xf32>
// CHECK: %[[W0:.*]] = vn.slice_parameter %{{.*}} from 0 : {{.*}} -> tensor<32x8x1x1xf32>
// CHECK: %[[W1:.*]] = vn.slice_parameter %{{.*}} from 24 : {{.*}} -> tensor<32x4x1x1xf32>
// CHECK: %[[X:.*]] = vn.concat %arg0, %arg3
// CHECK: %[[W:.*]] = vn.concat_parameters %[[W0]], %[[W1]]
// CHECK: %[[A:.*]] = vn.convolution %[[X]], %[[W]]
// CHECK: %[[S:.*]] = vn.add %[[A]], %[[UC]]
// CHECK: vn.add %[[S]], %[[UB]]
// FUSED: vn.fused_convolution {{.*}} add %{{.*}}, %{{.*}} : (tensor<1x6x6x12xf32>, tensor<32x12x1x1xf32>, tensor<1x2x2x32xf32>, tensor<1x3x3x32xf32>)
func.func @infer(%a: tensor<1x6x6x8xf32>, %b: tensor<1x3x3x8xf32>, %c: tensor<1x2x2x8xf32>, %d: tensor<1x6x6x4xf32>) -> tensor<1x6x6x32xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<32x28x1x1xf32>
  %b1 = vn.resize nearest %b : (tensor<1x3x3x8xf32>) -> tensor<1x6x6x8xf32>
  %c1 = vn.resize nearest %c : (tensor<1x2x2x8xf32>) -> tensor<1x6x6x8xf32>
  %0 = vn.concat %a, %b1, %c1, %d : (tensor<1x6x6x8xf32>, tensor<1x6x6x8xf32>, tensor<1x6x6x8xf32>, tensor<1x6x6x4xf32>) -> tensor<1x6x6x28xf32>
  %1 = vn.convolution %0, %w : (tensor<1x6x6x28xf32>, tensor<32x28x1x1xf32>) -> tensor<1x6x6x32xf32>
  return %1 : tensor<1x6x6x32xf32>
}

// -----

// A bilinear resize commutes with the convolution; it stays an op of its own. Parts of equal resolution are one
// convolution.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: %[[W:.*]] = vn.slice_parameter %{{.*}} from 0 : {{.*}} -> tensor<8x32x1x1xf32>
// CHECK: %[[X:.*]] = vn.concat %arg0, %arg1 : (tensor<1x3x4x16xf32>, tensor<1x3x4x16xf32>)
// CHECK: %[[B:.*]] = vn.convolution %[[X]], %[[W]]
// CHECK: %[[U:.*]] = vn.resize bilinear %[[B]] {{.*}} -> tensor<1x7x7x8xf32>
// CHECK: %[[A:.*]] = vn.convolution %arg2
// CHECK: vn.add %[[A]], %[[U]]
// FUSED: %[[U:.*]] = vn.resize bilinear
// FUSED: vn.fused_convolution {{.*}} add %[[U]]
func.func @infer(%a: tensor<1x3x4x16xf32>, %b: tensor<1x3x4x16xf32>, %c: tensor<1x7x7x8xf32>) -> tensor<1x7x7x8xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<8x40x1x1xf32>
  %a1 = vn.resize bilinear %a : (tensor<1x3x4x16xf32>) -> tensor<1x7x7x16xf32>
  %b1 = vn.resize bilinear %b : (tensor<1x3x4x16xf32>) -> tensor<1x7x7x16xf32>
  %0 = vn.concat %a1, %b1, %c : (tensor<1x7x7x16xf32>, tensor<1x7x7x16xf32>, tensor<1x7x7x8xf32>) -> tensor<1x7x7x40xf32>
  %1 = vn.convolution %0, %w : (tensor<1x7x7x40xf32>, tensor<8x40x1x1xf32>) -> tensor<1x7x7x8xf32>
  return %1 : tensor<1x7x7x8xf32>
}

// -----

// Nothing stays at the full resolution: the bias moves along. Nested concats and a scale and shift between are seen
// through; the latter's vectors are sliced.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: %[[S:.*]] = vn.slice_parameter %{{.*}} from 4 : (tensor<12xf32>) -> tensor<8xf32>
// CHECK: %[[T:.*]] = vn.slice_parameter %{{.*}} from 4 : (tensor<12xf32>) -> tensor<8xf32>
// CHECK: vn.affine %arg1, %[[S]], %[[T]] activation relu : (tensor<1x2x2x8xf32>
// CHECK: %[[C:.*]] = vn.convolution {{.*}} -> tensor<1x2x2x8xf32>
// CHECK: %[[B:.*]] = vn.convolution {{.*}} bias %{{.*}} -> tensor<1x4x4x8xf32>
// CHECK: %[[UC:.*]] = vn.resize nearest %[[C]] {{.*}} -> tensor<1x4x4x8xf32>
// CHECK: %[[BC:.*]] = vn.add %[[B]], %[[UC]]
// CHECK: %[[Y:.*]] = vn.resize nearest %[[BC]] {{.*}} -> tensor<1x8x8x8xf32>
// CHECK-NEXT: return %[[Y]]
func.func @infer(%b: tensor<1x4x4x8xf32>, %c: tensor<1x2x2x8xf32>, %d: tensor<1x2x2x4xf32>) -> tensor<1x8x8x8xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<8x20x1x1xf32>
  %bias = vn.parameter "b" bias : tensor<8xf32>
  %s = vn.parameter "s" gamma : tensor<12xf32>
  %t = vn.parameter "t" beta : tensor<12xf32>
  %b1 = vn.resize nearest %b : (tensor<1x4x4x8xf32>) -> tensor<1x8x8x8xf32>
  %c1 = vn.resize nearest %c : (tensor<1x2x2x8xf32>) -> tensor<1x8x8x8xf32>
  %d1 = vn.resize nearest %d : (tensor<1x2x2x4xf32>) -> tensor<1x8x8x4xf32>
  %0 = vn.concat %d1, %c1 : (tensor<1x8x8x4xf32>, tensor<1x8x8x8xf32>) -> tensor<1x8x8x12xf32>
  %1 = vn.affine %0, %s, %t activation relu : (tensor<1x8x8x12xf32>, tensor<12xf32>, tensor<12xf32>) -> tensor<1x8x8x12xf32>
  %2 = vn.concat %1, %b1 : (tensor<1x8x8x12xf32>, tensor<1x8x8x8xf32>) -> tensor<1x8x8x20xf32>
  %3 = vn.convolution %2, %w bias %bias : (tensor<1x8x8x20xf32>, tensor<8x20x1x1xf32>, tensor<8xf32>) -> tensor<1x8x8x8xf32>
  return %3 : tensor<1x8x8x8xf32>
}

// -----

// What moved below one resize moves below the next, whatever stands between; so do elementwise ops alone.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: vn.activate relu %arg0
// CHECK-NEXT: vn.convolution
// CHECK-NEXT: vn.activate sigmoid
// CHECK-NEXT: vn.resize nearest
// CHECK-NEXT: vn.resize nearest
// CHECK-NEXT: return
func.func @infer(%x: tensor<1x2x2x16xf32>) -> tensor<1x8x8x4xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<4x16x1x1xf32>
  %0 = vn.resize nearest %x : (tensor<1x2x2x16xf32>) -> tensor<1x4x4x16xf32>
  %1 = vn.activate relu %0 : tensor<1x4x4x16xf32>
  %2 = vn.resize nearest %1 : (tensor<1x4x4x16xf32>) -> tensor<1x8x8x16xf32>
  %3 = vn.convolution %2, %w : (tensor<1x8x8x16xf32>, tensor<4x16x1x1xf32>) -> tensor<1x8x8x4xf32>
  %4 = vn.activate sigmoid %3 : tensor<1x8x8x4xf32>
  return %4 : tensor<1x8x8x4xf32>
}

// -----

// A scale and shift moves below a bilinear resize, an activation does not.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: vn.affine %arg0
// CHECK: vn.resize bilinear
// CHECK: vn.activate relu
func.func @infer(%x: tensor<1x2x2x4xf32>) -> tensor<1x5x5x4xf32> {
  %s = vn.parameter "s" gamma : tensor<4xf32>
  %0 = vn.resize bilinear %x : (tensor<1x2x2x4xf32>) -> tensor<1x5x5x4xf32>
  %1 = vn.affine %0, %s, %s : (tensor<1x5x5x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x5x5x4xf32>
  %2 = vn.activate relu %1 : tensor<1x5x5x4xf32>
  return %2 : tensor<1x5x5x4xf32>
}

// -----

// An activation comes between the bilinear resize and the convolution.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: vn.resize bilinear
// CHECK: vn.activate relu
// CHECK: vn.convolution {{.*}} -> tensor<1x8x8x4xf32>
func.func @infer(%x: tensor<1x4x4x16xf32>) -> tensor<1x8x8x4xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<4x16x1x1xf32>
  %0 = vn.resize bilinear %x : (tensor<1x4x4x16xf32>) -> tensor<1x8x8x16xf32>
  %1 = vn.activate relu %0 : tensor<1x8x8x16xf32>
  %2 = vn.convolution %1, %w : (tensor<1x8x8x16xf32>, tensor<4x16x1x1xf32>) -> tensor<1x8x8x4xf32>
  return %2 : tensor<1x8x8x4xf32>
}

// -----

// Of two parts behind a relu the bilinear one stays at the full resolution, resized and beside the other.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: vn.resize bilinear %arg1
// CHECK: vn.resize nearest %{{.*}} : (tensor<1x4x4x32xf32>) -> tensor<1x8x8x32xf32>
// CHECK: vn.concat
func.func @infer(%a: tensor<1x8x8x16xf32>, %b: tensor<1x3x3x8xf32>, %c: tensor<1x4x4x16xf32>) -> tensor<1x8x8x32xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<32x40x1x1xf32>
  %b1 = vn.resize bilinear %b : (tensor<1x3x3x8xf32>) -> tensor<1x8x8x8xf32>
  %c1 = vn.resize nearest %c : (tensor<1x4x4x16xf32>) -> tensor<1x8x8x16xf32>
  %0 = vn.concat %a, %b1, %c1 : (tensor<1x8x8x16xf32>, tensor<1x8x8x8xf32>, tensor<1x8x8x16xf32>) -> tensor<1x8x8x40xf32>
  %1 = vn.activate relu %0 : tensor<1x8x8x40xf32>
  %2 = vn.convolution %1, %w : (tensor<1x8x8x40xf32>, tensor<32x40x1x1xf32>) -> tensor<1x8x8x32xf32>
  return %2 : tensor<1x8x8x32xf32>
}

// -----

// Nearest without whole factors moves where it pays, but no convolution reads it while it adds.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: vn.convolution {{.*}} -> tensor<1x3x3x8xf32>
// CHECK: vn.resize nearest
// FUSED: %[[U:.*]] = vn.resize nearest {{.*}} -> tensor<1x8x8x8xf32>
// FUSED: vn.fused_convolution {{.*}} add %[[U]]
func.func @infer(%a: tensor<1x8x8x8xf32>, %b: tensor<1x3x3x32xf32>) -> tensor<1x8x8x8xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<8x40x1x1xf32>
  %b1 = vn.resize nearest %b : (tensor<1x3x3x32xf32>) -> tensor<1x8x8x32xf32>
  %0 = vn.concat %a, %b1 : (tensor<1x8x8x8xf32>, tensor<1x8x8x32xf32>) -> tensor<1x8x8x40xf32>
  %1 = vn.convolution %0, %w : (tensor<1x8x8x40xf32>, tensor<8x40x1x1xf32>) -> tensor<1x8x8x8xf32>
  return %1 : tensor<1x8x8x8xf32>
}

// -----

// Parts by a factor keep it, and do not join those of the same sizes without; the coarser one, whose pixels do not go
// through either, is enlarged on its own.
// CHECK-LABEL: @infer
// CHECK-DAG: vn.resize nearest %{{.*}} scale 2.600000e+00 {{.*}} : (tensor<1x4x4x8xf32>) -> tensor<1x10x10x8xf32>
// CHECK-DAG: vn.resize nearest %{{[^ ]*}} : (tensor<1x4x4x8xf32>) -> tensor<1x10x10x8xf32>
// CHECK-DAG: vn.resize nearest %{{.*}} scale 3.400000e+00 {{.*}} : (tensor<1x3x3x8xf32>) -> tensor<1x10x10x8xf32>
func.func @infer(%a: tensor<1x4x4x32xf32>, %b: tensor<1x4x4x32xf32>, %c: tensor<1x3x3x32xf32>) -> tensor<1x10x10x8xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<8x96x1x1xf32>
  %a1 = vn.resize nearest %a scale 2.6 {vn.place = "a"} : (tensor<1x4x4x32xf32>) -> tensor<1x10x10x32xf32>
  %b1 = vn.resize nearest %b : (tensor<1x4x4x32xf32>) -> tensor<1x10x10x32xf32>
  %c1 = vn.resize nearest %c scale 3.4 {vn.place = "c"} : (tensor<1x3x3x32xf32>) -> tensor<1x10x10x32xf32>
  %0 = vn.concat %a1, %b1, %c1 : (tensor<1x10x10x32xf32>, tensor<1x10x10x32xf32>, tensor<1x10x10x32xf32>) -> tensor<1x10x10x96xf32>
  %1 = vn.convolution %0, %w : (tensor<1x10x10x96xf32>, tensor<8x96x1x1xf32>) -> tensor<1x10x10x8xf32>
  return %1 : tensor<1x10x10x8xf32>
}

// -----

// It saves less than it costs: one channel of input against 64 of output.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: vn.concat
// CHECK: vn.convolution {{.*}} -> tensor<1x8x8x64xf32>
// CHECK-NOT: vn.add
func.func @infer(%a: tensor<1x8x8x16xf32>, %b: tensor<1x4x4x1xf32>) -> tensor<1x8x8x64xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<64x17x1x1xf32>
  %b1 = vn.resize nearest %b : (tensor<1x4x4x1xf32>) -> tensor<1x8x8x1xf32>
  %0 = vn.concat %a, %b1 : (tensor<1x8x8x16xf32>, tensor<1x8x8x1xf32>) -> tensor<1x8x8x17xf32>
  %1 = vn.convolution %0, %w : (tensor<1x8x8x17xf32>, tensor<64x17x1x1xf32>) -> tensor<1x8x8x64xf32>
  return %1 : tensor<1x8x8x64xf32>
}

// -----

// Nothing stays at the full resolution, and the activation would leave the epilogue for a wide map of its own: it goes
// below the resize instead, once the convolution is there. With an addition in between, the convolution stays.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: vn.resize
// CHECK: vn.convolution {{.*}} -> tensor<1x8x8x64xf32>
// CHECK: vn.add
func.func @infer(%x: tensor<1x4x4x16xf32>, %r: tensor<1x8x8x64xf32>) -> tensor<1x8x8x64xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<64x16x1x1xf32>
  %0 = vn.resize nearest %x : (tensor<1x4x4x16xf32>) -> tensor<1x8x8x16xf32>
  %1 = vn.convolution %0, %w : (tensor<1x8x8x16xf32>, tensor<64x16x1x1xf32>) -> tensor<1x8x8x64xf32>
  %2 = vn.add %1, %r : (tensor<1x8x8x64xf32>, tensor<1x8x8x64xf32>) -> tensor<1x8x8x64xf32>
  return %2 : tensor<1x8x8x64xf32>
}

// -----

// The resized map has other users, which need it at the full resolution anyway.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: vn.resize
// CHECK: vn.convolution {{.*}} -> tensor<1x8x8x4xf32>
// CHECK: vn.activate relu {{.*}} tensor<1x8x8x16xf32>
func.func @infer(%x: tensor<1x4x4x16xf32>) -> (tensor<1x8x8x4xf32>, tensor<1x8x8x16xf32>) {
  %w = vn.parameter "w" convolution_weight : tensor<4x16x1x1xf32>
  %0 = vn.resize nearest %x : (tensor<1x4x4x16xf32>) -> tensor<1x8x8x16xf32>
  %1 = vn.convolution %0, %w : (tensor<1x8x8x16xf32>, tensor<4x16x1x1xf32>) -> tensor<1x8x8x4xf32>
  %2 = vn.activate relu %0 : tensor<1x8x8x16xf32>
  return %1, %2 : tensor<1x8x8x4xf32>, tensor<1x8x8x16xf32>
}

// -----

// The concat has another user.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: vn.concat
// CHECK: vn.convolution {{.*}} -> tensor<1x8x8x4xf32>
func.func @infer(%a: tensor<1x8x8x8xf32>, %x: tensor<1x4x4x16xf32>) -> (tensor<1x8x8x4xf32>, tensor<1x8x8x24xf32>) {
  %w = vn.parameter "w" convolution_weight : tensor<4x24x1x1xf32>
  %0 = vn.resize nearest %x : (tensor<1x4x4x16xf32>) -> tensor<1x8x8x16xf32>
  %1 = vn.concat %a, %0 : (tensor<1x8x8x8xf32>, tensor<1x8x8x16xf32>) -> tensor<1x8x8x24xf32>
  %2 = vn.convolution %1, %w : (tensor<1x8x8x24xf32>, tensor<4x24x1x1xf32>) -> tensor<1x8x8x4xf32>
  return %2, %1 : tensor<1x8x8x4xf32>, tensor<1x8x8x24xf32>
}

// -----

// The resize makes the map smaller.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK: vn.resize
// CHECK: vn.convolution {{.*}} -> tensor<1x4x4x4xf32>
// CHECK: vn.activate relu
// CHECK: vn.resize
// CHECK: vn.activate sigmoid
func.func @infer(%x: tensor<1x8x8x16xf32>) -> tensor<1x2x2x4xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<4x16x1x1xf32>
  %0 = vn.resize nearest %x : (tensor<1x8x8x16xf32>) -> tensor<1x4x4x16xf32>
  %1 = vn.convolution %0, %w : (tensor<1x4x4x16xf32>, tensor<4x16x1x1xf32>) -> tensor<1x4x4x4xf32>
  %2 = vn.activate relu %1 : tensor<1x4x4x4xf32>
  %3 = vn.resize nearest %2 : (tensor<1x4x4x4xf32>) -> tensor<1x2x2x4xf32>
  %4 = vn.activate sigmoid %3 : tensor<1x2x2x4xf32>
  return %4 : tensor<1x2x2x4xf32>
}

// -----

// A window larger than a pixel, a stride, and groups.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK-COUNT-3: vn.resize nearest %arg0
// CHECK: vn.convolution {{.*}} padding [1, 1, 1, 1]
// CHECK: vn.convolution {{.*}} strides [2, 2]
// CHECK: vn.convolution {{.*}} groups 2
func.func @infer(%x: tensor<1x4x4x16xf32>) -> (tensor<1x8x8x4xf32>, tensor<1x4x4x4xf32>, tensor<1x8x8x4xf32>) {
  %w3 = vn.parameter "w3" convolution_weight : tensor<4x16x3x3xf32>
  %w1 = vn.parameter "w1" convolution_weight : tensor<4x16x1x1xf32>
  %wg = vn.parameter "wg" convolution_weight : tensor<4x8x1x1xf32>
  %0 = vn.resize nearest %x : (tensor<1x4x4x16xf32>) -> tensor<1x8x8x16xf32>
  %1 = vn.resize nearest %x : (tensor<1x4x4x16xf32>) -> tensor<1x8x8x16xf32>
  %2 = vn.resize nearest %x : (tensor<1x4x4x16xf32>) -> tensor<1x8x8x16xf32>
  %3 = vn.convolution %0, %w3 padding [1, 1, 1, 1] : (tensor<1x8x8x16xf32>, tensor<4x16x3x3xf32>) -> tensor<1x8x8x4xf32>
  %4 = vn.convolution %1, %w1 strides [2, 2] : (tensor<1x8x8x16xf32>, tensor<4x16x1x1xf32>) -> tensor<1x4x4x4xf32>
  %5 = vn.convolution %2, %wg groups 2 : (tensor<1x8x8x16xf32>, tensor<4x8x1x1xf32>) -> tensor<1x8x8x4xf32>
  return %3, %4, %5 : tensor<1x8x8x4xf32>, tensor<1x4x4x4xf32>, tensor<1x8x8x4xf32>
}

// -----

// Strides and paddings that together keep the map's size.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK-COUNT-2: vn.resize nearest %arg0
// CHECK: vn.convolution {{.*}} strides [2, 1] padding [1, 0, 0, 0]
// CHECK: vn.convolution {{.*}} strides [1, 4] padding [0, 0, 21, 0]
func.func @infer(%x: tensor<1x1x4x64xf32>) -> (tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>) {
  %w1 = vn.parameter "w1" convolution_weight : tensor<4x64x1x1xf32>
  %w2 = vn.parameter "w2" convolution_weight : tensor<4x64x1x1xf32>
  %0 = vn.resize nearest %x : (tensor<1x1x4x64xf32>) -> tensor<1x2x8x64xf32>
  %1 = vn.resize nearest %x : (tensor<1x1x4x64xf32>) -> tensor<1x2x8x64xf32>
  %2 = vn.convolution %0, %w1 strides [2, 1] padding [1, 0, 0, 0] : (tensor<1x2x8x64xf32>, tensor<4x64x1x1xf32>) -> tensor<1x2x8x4xf32>
  %3 = vn.convolution %1, %w2 strides [1, 4] padding [0, 0, 21, 0] : (tensor<1x2x8x64xf32>, tensor<4x64x1x1xf32>) -> tensor<1x2x8x4xf32>
  return %2, %3 : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
}

// -----

// Parameters that nothing uses stay the model's.
// CHECK-LABEL: @infer
// FUSED-LABEL: @infer
// CHECK-NEXT: vn.parameter "unused.weight"
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32> {
  %w = vn.parameter "unused.weight" convolution_weight : tensor<3x5x1x1xf32>
  return %x : tensor<1x4x4x5xf32>
}
