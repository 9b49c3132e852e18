// RUN: vernier-opt %s --split-input-file --vn-print-cost | FileCheck %s

// Two branches as in ScaleNet: 3x3 at full scale sees 3 pixels; pooled by 2, 3x3, upsampled: 2 + 2 * 2 = 6. Costs are per
// image, though the batch is 2. A scope with the place of the one around it is no row of its own.
// CHECK-NOT: conv_bn
// CHECK: layer1 stage: 21120 macs, 496 parameters, tensor<2x8x8x10xf32>, sees 3x3 to 6x6
// CHECK-NEXT:   layer1.0 scale_aggregation: 17280 macs, 436 parameters, tensor<2x8x8x6xf32>, sees 3x3 to 6x6
// CHECK-NEXT: @infer: 21120 macs, 496 parameters
func.func @infer(%x: tensor<2x8x8x8xf32>) -> tensor<2x8x8x10xf32> {
  %w0 = vn.parameter "layer1.0.conv0.weight" convolution_weight {vn.scopes = [["layer1", "stage"], ["layer1.0", "scale_aggregation"]]} : tensor<3x8x3x3xf32>
  %0 = vn.convolution %x, %w0 padding [1, 1, 1, 1] {vn.scopes = [["layer1", "stage"], ["layer1.0", "scale_aggregation"]]} : (tensor<2x8x8x8xf32>, tensor<3x8x3x3xf32>) -> tensor<2x8x8x3xf32>
  %p = vn.max_pool %x kernel [2, 2] strides [2, 2] {vn.scopes = [["layer1", "stage"], ["layer1.0", "scale_aggregation"]]} : (tensor<2x8x8x8xf32>) -> tensor<2x4x4x8xf32>
  %w1 = vn.parameter "layer1.0.conv1.weight" convolution_weight {vn.scopes = [["layer1", "stage"], ["layer1.0", "scale_aggregation"], ["layer1.0", "conv_bn"]]} : tensor<3x8x3x3xf32>
  %b1 = vn.parameter "layer1.0.conv1.bias" bias {vn.scopes = [["layer1", "stage"], ["layer1.0", "scale_aggregation"], ["layer1.0", "conv_bn"]]} : tensor<4xf32>
  %1 = vn.convolution %p, %w1 padding [1, 1, 1, 1] {vn.scopes = [["layer1", "stage"], ["layer1.0", "scale_aggregation"], ["layer1.0", "conv_bn"]]} : (tensor<2x4x4x8xf32>, tensor<3x8x3x3xf32>) -> tensor<2x4x4x3xf32>
  %u = vn.resize nearest %1 {vn.scopes = [["layer1", "stage"], ["layer1.0", "scale_aggregation"]]} : (tensor<2x4x4x3xf32>) -> tensor<2x8x8x3xf32>
  %c = vn.concat %0, %u {vn.scopes = [["layer1", "stage"], ["layer1.0", "scale_aggregation"]]} : (tensor<2x8x8x3xf32>, tensor<2x8x8x3xf32>) -> tensor<2x8x8x6xf32>
  %w2 = vn.parameter "layer1.conv2.weight" convolution_weight {vn.scopes = [["layer1", "stage"]]} : tensor<10x6x1x1xf32>
  %2 = vn.convolution %c, %w2 {vn.scopes = [["layer1", "stage"]]} : (tensor<2x8x8x6xf32>, tensor<10x6x1x1xf32>) -> tensor<2x8x8x10xf32>
  return %2 : tensor<2x8x8x10xf32>
}

// -----

// A gate sees the whole image through global pooling, the gated map one pixel. Running statistics are no parameters of
// training. Dilation widens the window; bilinear resizing sees two pixels.
// CHECK: gate block: 64 macs, 64 parameters, tensor<1x8x8x8xf32>, sees 1x1 to 8x8
// CHECK-NEXT: wide block: 0 macs, 8 parameters, tensor<1x16x16x8xf32>, sees 2x2 to 9x9
// CHECK-NEXT: dilated block: 36864 macs, 144 parameters, tensor<1x16x16x1xf32>, sees 4x4 to 11x11
// CHECK-NEXT: @infer: 36928 macs, 216 parameters
func.func @infer(%x: tensor<1x8x8x8xf32>) -> tensor<1x16x16x1xf32> {
  %p = vn.global_avg_pool %x {vn.scopes = [["gate", "block"]]} : (tensor<1x8x8x8xf32>) -> tensor<1x1x1x8xf32>
  %w = vn.parameter "gate.weight" linear_weight {vn.scopes = [["gate", "block"]]} : tensor<8x8xf32>
  %l = vn.linear %p, %w {vn.scopes = [["gate", "block"]]} : (tensor<1x1x1x8xf32>, tensor<8x8xf32>) -> tensor<1x1x1x8xf32>
  %g = vn.multiply %x, %l {vn.scopes = [["gate", "block"]]} : (tensor<1x8x8x8xf32>, tensor<1x1x1x8xf32>) -> tensor<1x8x8x8xf32>
  %beta = vn.parameter "wide.bias" beta {vn.scopes = [["wide", "block"]]} : tensor<8xf32>
  %mean = vn.parameter "wide.running_mean" running_mean {vn.scopes = [["wide", "block"]]} : tensor<8xf32>
  %u = vn.resize bilinear %g {vn.scopes = [["wide", "block"]]} : (tensor<1x8x8x8xf32>) -> tensor<1x16x16x8xf32>
  %v = vn.parameter "dilated.weight" convolution_weight {vn.scopes = [["dilated", "block"]]} : tensor<1x16x3x3xf32>
  %e = vn.concat %u, %u {vn.scopes = [["dilated", "block"]]} : (tensor<1x16x16x8xf32>, tensor<1x16x16x8xf32>) -> tensor<1x16x16x16xf32>
  %d = vn.convolution %e, %v padding [2, 2, 2, 2] dilations [2, 2] {vn.scopes = [["dilated", "block"]]} : (tensor<1x16x16x16xf32>, tensor<1x16x3x3xf32>) -> tensor<1x16x16x1xf32>
  return %d : tensor<1x16x16x1xf32>
}

// -----

// Each weight is multiplied once for each pixel of the operand. A pixel of the result lies under two windows along each
// axis; two pixels of the result are one step of the operand.
// CHECK: up block: 18432 macs, 1160 parameters, tensor<1x8x8x8xf32>, sees 2x2 to 2x2
// CHECK-NEXT: fine block: 4608 macs, 72 parameters, tensor<1x8x8x1xf32>, sees 3x3 to 3x3
// CHECK-NEXT: @infer
func.func @infer(%x: tensor<1x4x4x9xf32>) -> tensor<1x8x8x1xf32> {
  %w = vn.parameter "up.weight" convolution_weight {vn.scopes = [["up", "block"]]} : tensor<9x8x4x4xf32>
  %b = vn.parameter "up.bias" bias {vn.scopes = [["up", "block"]]} : tensor<8xf32>
  %u = vn.transposed_convolution %x, %w bias %b strides [2, 2] padding [1, 1, 1, 1] {vn.scopes = [["up", "block"]]} : (tensor<1x4x4x9xf32>, tensor<9x8x4x4xf32>, tensor<8xf32>) -> tensor<1x8x8x8xf32>
  %v = vn.parameter "fine.weight" convolution_weight {vn.scopes = [["fine", "block"]]} : tensor<1x8x3x3xf32>
  %f = vn.convolution %u, %v padding [1, 1, 1, 1] {vn.scopes = [["fine", "block"]]} : (tensor<1x8x8x8xf32>, tensor<1x8x3x3xf32>) -> tensor<1x8x8x1xf32>
  return %f : tensor<1x8x8x1xf32>
}

// -----

// Of 8 positions 3 are means of 3 or 4: the window is the largest. A cubic reads four positions, here all three.
// CHECK: pooled block: 0 macs, 0 parameters, tensor<1x3x3x4xf32>, sees 4x4 to 4x4
// CHECK-NEXT: enlarged block: 0 macs, 0 parameters, tensor<1x7x7x4xf32>, sees 9.33333x9.33333 to 9.33333x9.33333
// CHECK-NEXT: @infer
func.func @infer(%x: tensor<1x8x8x4xf32>) -> tensor<1x7x7x4xf32> {
  %p = vn.resample adaptive_average %x {vn.scopes = [["pooled", "block"]]} : (tensor<1x8x8x4xf32>) -> tensor<1x3x3x4xf32>
  %u = vn.resample bicubic %p {vn.scopes = [["enlarged", "block"]]} : (tensor<1x3x3x4xf32>) -> tensor<1x7x7x4xf32>
  return %u : tensor<1x7x7x4xf32>
}
