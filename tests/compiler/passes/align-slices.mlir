// RUN: vernier-opt %s --split-input-file --vn-align-slices | FileCheck %s
// RUN: vernier-opt %s --split-input-file --vn-align-slices=multiple=4 | FileCheck %s --check-prefix=FOUR

// A split and a concat, as Res2Net has them: what the first convolution writes and the last reads is spread, and
// all between, a batch norm's parameters too. The result has no slices, and stays.
// CHECK: vn.report = ["align-slices: inference: slices of 11 maps start at multiples of 8 channels"]
// CHECK-LABEL: @infer
// CHECK: %[[W:.*]] = vn.parameter "w"
// CHECK: %[[SW:.*]] = vn.spread_parameter %[[W]] to 8 outputs [26, 6] {vn.place = "first"} : (tensor<32x3x1x1xf32>) -> tensor<40x3x1x1xf32>
// CHECK: %[[SB:.*]] = vn.spread_parameter %{{.*}} to 8 outputs [26, 6] {{.*}} : (tensor<32xf32>) -> tensor<40xf32>
// CHECK: %[[X:.*]] = vn.convolution %arg0, %[[SW]] bias %[[SB]] {vn.place = "first"} : {{.*}} -> tensor<1x8x8x40xf32>
// CHECK: vn.slice %[[X]] from 0 : {{.*}} -> tensor<1x8x8x32xf32>
// CHECK: vn.slice %[[X]] from 32 : {{.*}} -> tensor<1x8x8x8xf32>
// CHECK: vn.spread_parameter %{{.*}} to 8 outputs [26] inputs [26] : (tensor<26x26x3x3xf32>) -> tensor<32x32x3x3xf32>
// CHECK-COUNT-4: vn.spread_parameter %{{.*}} to 8 outputs [26] : (tensor<26xf32>) -> tensor<32xf32>
// CHECK: vn.batch_norm {{.*}} -> tensor<1x8x8x32xf32>
// CHECK: vn.activate {{.*}} : tensor<1x8x8x32xf32>
// CHECK: vn.spread_parameter %{{.*}} to 8 outputs [6] : (tensor<6x1x3x3xf32>) -> tensor<8x1x3x3xf32>
// CHECK: vn.convolution {{.*}} groups 8 : {{.*}} -> tensor<1x8x8x8xf32>
// CHECK: vn.concat {{.*}} -> tensor<1x8x8x40xf32>
// CHECK: vn.add {{.*}} -> tensor<1x8x8x40xf32>
// CHECK: vn.max_pool {{.*}} -> tensor<1x4x4x40xf32>
// CHECK: vn.global_avg_pool {{.*}} -> tensor<1x1x1x40xf32>
// CHECK: vn.spread_parameter %{{.*}} to 8 inputs [26, 6] : (tensor<5x32xf32>) -> tensor<5x40xf32>
// CHECK: vn.linear {{.*}} -> tensor<1x1x1x5xf32>
// With multiples of 4 a run of 26 takes 28, one of 6 takes 8.
// FOUR-LABEL: @infer
// FOUR: vn.slice %{{.*}} from 28 : (tensor<1x8x8x36xf32>) -> tensor<1x8x8x8xf32>
func.func @infer(%x: tensor<1x8x8x3xf32>) -> tensor<1x1x1x5xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<32x3x1x1xf32>
  %b = vn.parameter "b" bias : tensor<32xf32>
  %v = vn.parameter "v" convolution_weight : tensor<26x26x3x3xf32>
  %d = vn.parameter "d" convolution_weight : tensor<6x1x3x3xf32>
  %n0 = vn.parameter "g" gamma : tensor<26xf32>
  %n1 = vn.parameter "h" beta : tensor<26xf32>
  %n2 = vn.parameter "m" running_mean : tensor<26xf32>
  %n3 = vn.parameter "s" running_var : tensor<26xf32>
  %l = vn.parameter "l" linear_weight : tensor<5x32xf32>
  %a = vn.convolution %x, %w bias %b {vn.place = "first"} : (tensor<1x8x8x3xf32>, tensor<32x3x1x1xf32>, tensor<32xf32>) -> tensor<1x8x8x32xf32>
  %a0 = vn.slice %a from 0 : (tensor<1x8x8x32xf32>) -> tensor<1x8x8x26xf32>
  %a1 = vn.slice %a from 26 : (tensor<1x8x8x32xf32>) -> tensor<1x8x8x6xf32>
  %c0 = vn.convolution %a0, %v padding [1, 1, 1, 1] : (tensor<1x8x8x26xf32>, tensor<26x26x3x3xf32>) -> tensor<1x8x8x26xf32>
  %c1 = vn.batch_norm %c0, %n0, %n1, %n2, %n3 epsilon 1.0e-5 momentum 1.0e-1 : (tensor<1x8x8x26xf32>, tensor<26xf32>, tensor<26xf32>, tensor<26xf32>, tensor<26xf32>) -> tensor<1x8x8x26xf32>
  %c2 = vn.activate sigmoid %c1 : tensor<1x8x8x26xf32>
  %d0 = vn.convolution %a1, %d padding [1, 1, 1, 1] groups 6 : (tensor<1x8x8x6xf32>, tensor<6x1x3x3xf32>) -> tensor<1x8x8x6xf32>
  %j = vn.concat %c2, %d0 : (tensor<1x8x8x26xf32>, tensor<1x8x8x6xf32>) -> tensor<1x8x8x32xf32>
  %r = vn.add %j, %a : (tensor<1x8x8x32xf32>, tensor<1x8x8x32xf32>) -> tensor<1x8x8x32xf32>
  %p = vn.max_pool %r kernel [2, 2] strides [2, 2] : (tensor<1x8x8x32xf32>) -> tensor<1x4x4x32xf32>
  %q = vn.global_avg_pool %p : (tensor<1x4x4x32xf32>) -> tensor<1x1x1x32xf32>
  %y = vn.linear %q, %l : (tensor<1x1x1x32xf32>, tensor<5x32xf32>) -> tensor<1x1x1x5xf32>
  return %y : tensor<1x1x1x5xf32>
}

// -----

// Concats whose operands begin at multiples already; a concat of concats, of which one operand does not.
// CHECK-LABEL: @infer
// CHECK: vn.concat {{.*}} -> tensor<1x4x4x32xf32>
// CHECK: vn.concat {{.*}} : (tensor<1x4x4x16xf32>, tensor<1x4x4x8xf32>) -> tensor<1x4x4x24xf32>
// CHECK: vn.concat {{.*}} : (tensor<1x4x4x24xf32>, tensor<1x4x4x16xf32>) -> tensor<1x4x4x40xf32>
// CHECK: vn.spread_parameter %{{.*}} to 8 inputs [9, 8, 16] : (tensor<4x33x1x1xf32>) -> tensor<4x40x1x1xf32>
func.func @infer(%x: tensor<1x4x4x4xf32>) -> (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) {
  %w9 = vn.parameter "w9" convolution_weight : tensor<9x4x1x1xf32>
  %w8 = vn.parameter "w8" convolution_weight : tensor<8x4x1x1xf32>
  %w16 = vn.parameter "w16" convolution_weight : tensor<16x4x1x1xf32>
  %u = vn.parameter "u" convolution_weight : tensor<4x32x1x1xf32>
  %v = vn.parameter "v" convolution_weight : tensor<4x33x1x1xf32>
  %a = vn.convolution %x, %w16 : (tensor<1x4x4x4xf32>, tensor<16x4x1x1xf32>) -> tensor<1x4x4x16xf32>
  %b = vn.convolution %x, %w16 : (tensor<1x4x4x4xf32>, tensor<16x4x1x1xf32>) -> tensor<1x4x4x16xf32>
  %even = vn.concat %a, %b : (tensor<1x4x4x16xf32>, tensor<1x4x4x16xf32>) -> tensor<1x4x4x32xf32>
  %y0 = vn.convolution %even, %u : (tensor<1x4x4x32xf32>, tensor<4x32x1x1xf32>) -> tensor<1x4x4x4xf32>
  %c = vn.convolution %x, %w9 : (tensor<1x4x4x4xf32>, tensor<9x4x1x1xf32>) -> tensor<1x4x4x9xf32>
  %d = vn.convolution %x, %w8 : (tensor<1x4x4x4xf32>, tensor<8x4x1x1xf32>) -> tensor<1x4x4x8xf32>
  %e = vn.convolution %x, %w16 : (tensor<1x4x4x4xf32>, tensor<16x4x1x1xf32>) -> tensor<1x4x4x16xf32>
  %inner = vn.concat %c, %d : (tensor<1x4x4x9xf32>, tensor<1x4x4x8xf32>) -> tensor<1x4x4x17xf32>
  %outer = vn.concat %inner, %e : (tensor<1x4x4x17xf32>, tensor<1x4x4x16xf32>) -> tensor<1x4x4x33xf32>
  %y1 = vn.convolution %outer, %v : (tensor<1x4x4x33xf32>, tensor<4x33x1x1xf32>) -> tensor<1x4x4x4xf32>
  return %y0, %y1 : tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>
}

// -----

// What stays: a concat that is returned, one with an argument, one that a grouped convolution or a channel shuffle
// reads, and one that would more than double.
// CHECK-NOT: vn.report
// CHECK-LABEL: @infer
// CHECK-NOT: vn.spread_parameter
func.func @infer(%x: tensor<1x4x4x4xf32>) -> (tensor<1x4x4x28xf32>, tensor<1x4x4x8xf32>, tensor<1x4x4x8xf32>, tensor<1x4x4x28xf32>, tensor<1x4x4x8xf32>) {
  %w12 = vn.parameter "w12" convolution_weight : tensor<12x4x1x1xf32>
  %w16 = vn.parameter "w16" convolution_weight : tensor<16x4x1x1xf32>
  %w2 = vn.parameter "w2" convolution_weight : tensor<2x4x1x1xf32>
  %u16 = vn.parameter "u16" convolution_weight : tensor<8x16x1x1xf32>
  %u4 = vn.parameter "u4" convolution_weight : tensor<8x4x1x1xf32>
  %grouped = vn.parameter "grouped" convolution_weight : tensor<8x14x1x1xf32>
  %a = vn.convolution %x, %w12 : (tensor<1x4x4x4xf32>, tensor<12x4x1x1xf32>) -> tensor<1x4x4x12xf32>
  %b = vn.convolution %x, %w16 : (tensor<1x4x4x4xf32>, tensor<16x4x1x1xf32>) -> tensor<1x4x4x16xf32>
  %returned = vn.concat %a, %b : (tensor<1x4x4x12xf32>, tensor<1x4x4x16xf32>) -> tensor<1x4x4x28xf32>
  %c = vn.convolution %x, %w12 : (tensor<1x4x4x4xf32>, tensor<12x4x1x1xf32>) -> tensor<1x4x4x12xf32>
  %argument = vn.concat %x, %c : (tensor<1x4x4x4xf32>, tensor<1x4x4x12xf32>) -> tensor<1x4x4x16xf32>
  %y1 = vn.convolution %argument, %u16 : (tensor<1x4x4x16xf32>, tensor<8x16x1x1xf32>) -> tensor<1x4x4x8xf32>
  %d = vn.convolution %x, %w12 : (tensor<1x4x4x4xf32>, tensor<12x4x1x1xf32>) -> tensor<1x4x4x12xf32>
  %e = vn.convolution %x, %w16 : (tensor<1x4x4x4xf32>, tensor<16x4x1x1xf32>) -> tensor<1x4x4x16xf32>
  %pairs = vn.concat %d, %e : (tensor<1x4x4x12xf32>, tensor<1x4x4x16xf32>) -> tensor<1x4x4x28xf32>
  %y2 = vn.convolution %pairs, %grouped groups 2 : (tensor<1x4x4x28xf32>, tensor<8x14x1x1xf32>) -> tensor<1x4x4x8xf32>
  %f = vn.convolution %x, %w12 : (tensor<1x4x4x4xf32>, tensor<12x4x1x1xf32>) -> tensor<1x4x4x12xf32>
  %g = vn.convolution %x, %w16 : (tensor<1x4x4x4xf32>, tensor<16x4x1x1xf32>) -> tensor<1x4x4x16xf32>
  %shuffled = vn.concat %f, %g : (tensor<1x4x4x12xf32>, tensor<1x4x4x16xf32>) -> tensor<1x4x4x28xf32>
  %y3 = vn.channel_shuffle %shuffled in 2 : (tensor<1x4x4x28xf32>) -> tensor<1x4x4x28xf32>
  %h = vn.convolution %x, %w2 : (tensor<1x4x4x4xf32>, tensor<2x4x1x1xf32>) -> tensor<1x4x4x2xf32>
  %i = vn.convolution %x, %w2 : (tensor<1x4x4x4xf32>, tensor<2x4x1x1xf32>) -> tensor<1x4x4x2xf32>
  %narrow = vn.concat %h, %i : (tensor<1x4x4x2xf32>, tensor<1x4x4x2xf32>) -> tensor<1x4x4x4xf32>
  %y4 = vn.convolution %narrow, %u4 : (tensor<1x4x4x4xf32>, tensor<8x4x1x1xf32>) -> tensor<1x4x4x8xf32>
  return %returned, %y1, %y2, %y3, %y4 : tensor<1x4x4x28xf32>, tensor<1x4x4x8xf32>, tensor<1x4x4x8xf32>, tensor<1x4x4x28xf32>, tensor<1x4x4x8xf32>
}

// -----

// What a quotient reads is not padded: 0 / 0 is no number, whatever weight it meets.
// CHECK-LABEL: @infer
// CHECK-NOT: vn.spread_parameter
func.func @infer(%x: tensor<1x4x4x4xf32>) -> tensor<1x4x4x8xf32> {
  %w12 = vn.parameter "w12" convolution_weight : tensor<12x4x1x1xf32>
  %w16 = vn.parameter "w16" convolution_weight : tensor<16x4x1x1xf32>
  %u = vn.parameter "u" convolution_weight : tensor<8x28x1x1xf32>
  %a = vn.convolution %x, %w12 : (tensor<1x4x4x4xf32>, tensor<12x4x1x1xf32>) -> tensor<1x4x4x12xf32>
  %q = vn.divide %a, %a : (tensor<1x4x4x12xf32>, tensor<1x4x4x12xf32>) -> tensor<1x4x4x12xf32>
  %b = vn.convolution %x, %w16 : (tensor<1x4x4x4xf32>, tensor<16x4x1x1xf32>) -> tensor<1x4x4x16xf32>
  %both = vn.concat %q, %b : (tensor<1x4x4x12xf32>, tensor<1x4x4x16xf32>) -> tensor<1x4x4x28xf32>
  %y = vn.convolution %both, %u : (tensor<1x4x4x28xf32>, tensor<8x28x1x1xf32>) -> tensor<1x4x4x8xf32>
  return %y : tensor<1x4x4x8xf32>
}

// -----

// One number for each pixel is every channel's: it stays one, and what it multiplies moves.
// CHECK-LABEL: @infer
// CHECK: %[[X:.*]] = vn.convolution {{.*}} -> tensor<1x4x4x16xf32>
// CHECK: %[[A:.*]] = vn.slice %[[X]] from 0 : {{.*}} -> tensor<1x4x4x8xf32>
// CHECK: %[[G:.*]] = vn.convolution {{.*}} -> tensor<1x4x4x1xf32>
// CHECK: %[[Y:.*]] = vn.multiply %[[A]], %[[G]] : (tensor<1x4x4x8xf32>, tensor<1x4x4x1xf32>) -> tensor<1x4x4x8xf32>
// CHECK: vn.concat %[[Y]], %{{.*}} -> tensor<1x4x4x16xf32>
func.func @infer(%x: tensor<1x4x4x3xf32>) -> tensor<1x4x4x5xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<12x3x1x1xf32>
  %g = vn.parameter "g" convolution_weight : tensor<1x3x1x1xf32>
  %v = vn.parameter "v" convolution_weight : tensor<5x12x1x1xf32>
  %a = vn.convolution %x, %w : (tensor<1x4x4x3xf32>, tensor<12x3x1x1xf32>) -> tensor<1x4x4x12xf32>
  %a0 = vn.slice %a from 0 : (tensor<1x4x4x12xf32>) -> tensor<1x4x4x6xf32>
  %a1 = vn.slice %a from 6 : (tensor<1x4x4x12xf32>) -> tensor<1x4x4x6xf32>
  %gate = vn.convolution %x, %g : (tensor<1x4x4x3xf32>, tensor<1x3x1x1xf32>) -> tensor<1x4x4x1xf32>
  %b = vn.multiply %a0, %gate : (tensor<1x4x4x6xf32>, tensor<1x4x4x1xf32>) -> tensor<1x4x4x6xf32>
  %c = vn.concat %b, %a1 : (tensor<1x4x4x6xf32>, tensor<1x4x4x6xf32>) -> tensor<1x4x4x12xf32>
  %y = vn.convolution %c, %v : (tensor<1x4x4x12xf32>, tensor<5x12x1x1xf32>) -> tensor<1x4x4x5xf32>
  return %y : tensor<1x4x4x5xf32>
}
