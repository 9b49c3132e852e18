// RUN: vernier-opt %s --split-input-file --verify-diagnostics
// Each constraint of the ops on channels and between maps, by its label in the op's documentation.

// vn.slice (C1)
func.func @slice_outside(%x: tensor<1x8x8x10xf32>) {
  // expected-error @below {{takes 4 channels from 7 of 10}}
  %0 = vn.slice %x from 7 : (tensor<1x8x8x10xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.slice (C2)
func.func @slice_result(%x: tensor<1x8x8x10xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x4x4xf32>', its operands make it 'tensor<1x8x8x4xf32>'}}
  %0 = vn.slice %x from 2 : (tensor<1x8x8x10xf32>) -> tensor<1x8x4x4xf32>
  return
}

// -----

// vn.concat (C1)
func.func @concat_nothing() {
  // expected-error @below {{needs at least one input}}
  %0 = "vn.concat"() : () -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.concat (C2)
func.func @concat_sizes(%a: tensor<1x8x8x4xf32>, %b: tensor<1x4x8x4xf32>) {
  // expected-error @below {{joins maps of different size, 'tensor<1x8x8x4xf32>' and 'tensor<1x4x8x4xf32>'}}
  %0 = vn.concat %a, %b : (tensor<1x8x8x4xf32>, tensor<1x4x8x4xf32>) -> tensor<1x8x8x8xf32>
  return
}

// -----

// vn.concat (C3)
func.func @concat_result(%a: tensor<1x8x8x4xf32>, %b: tensor<1x8x8x5xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x8x8xf32>', its operands make it 'tensor<1x8x8x9xf32>'}}
  %0 = vn.concat %a, %b : (tensor<1x8x8x4xf32>, tensor<1x8x8x5xf32>) -> tensor<1x8x8x8xf32>
  return
}

// -----

// vn.channel_shuffle (C1)
func.func @shuffle_groups(%x: tensor<1x8x8x10xf32>) {
  // expected-error @below {{interleaves 4 groups of 10 channels}}
  %0 = vn.channel_shuffle %x in 4 : (tensor<1x8x8x10xf32>) -> tensor<1x8x8x10xf32>
  return
}

// -----

// vn.channel_shuffle (C2)
func.func @shuffle_result(%x: tensor<1x8x8x10xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x8x8xf32>', its operands make it 'tensor<1x8x8x10xf32>'}}
  %0 = vn.channel_shuffle %x in 2 : (tensor<1x8x8x10xf32>) -> tensor<1x8x8x8xf32>
  return
}

// -----

// vn.embed_channels (C1)
func.func @embed_outside(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{places 4 channels at 7 of 10}}
  %0 = vn.embed_channels %x at 7 : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x10xf32>
  return
}

// -----

// vn.embed_channels (C2)
func.func @embed_result(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x4x8x10xf32>', its operands make it 'tensor<1x8x8x10xf32>'}}
  %0 = vn.embed_channels %x at 6 : (tensor<1x8x8x4xf32>) -> tensor<1x4x8x10xf32>
  return
}

// -----

// vn.add (C1)
func.func @add_other_size(%a: tensor<2x8x8x4xf32>, %b: tensor<1x1x1x4xf32>) {
  // expected-error @below {{combines 'tensor<2x8x8x4xf32>' with 'tensor<1x1x1x4xf32>', neither equal nor one pixel per image nor one channel}}
  %0 = vn.add %a, %b : (tensor<2x8x8x4xf32>, tensor<1x1x1x4xf32>) -> tensor<2x8x8x4xf32>
  return
}

// -----

// vn.add (C1): no broadcast the other way round
func.func @add_reversed(%a: tensor<1x1x1x4xf32>, %b: tensor<1x8x8x4xf32>) {
  // expected-error @below {{neither equal nor one pixel per image nor one channel}}
  %0 = vn.add %a, %b : (tensor<1x1x1x4xf32>, tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.add (C2)
func.func @add_result(%a: tensor<4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8xf32>', its operands make it 'tensor<4xf32>'}}
  %0 = vn.add %a, %a : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
  return
}

// -----

// vn.multiply (C1)
func.func @multiply_other_channels(%a: tensor<1x8x8x4xf32>, %b: tensor<1x1x1x8xf32>) {
  // expected-error @below {{combines 'tensor<1x8x8x4xf32>' with 'tensor<1x1x1x8xf32>', neither equal nor one pixel per image nor one channel}}
  %0 = vn.multiply %a, %b : (tensor<1x8x8x4xf32>, tensor<1x1x1x8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.multiply (C2)
func.func @multiply_result(%a: tensor<1x8x8x4xf32>, %b: tensor<1x1x1x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x1x1x4xf32>', its operands make it 'tensor<1x8x8x4xf32>'}}
  %0 = vn.multiply %a, %b : (tensor<1x8x8x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32>
  return
}

// -----

// vn.subtract (C1)
func.func @subtract_other_channels(%a: tensor<1x8x8x4xf32>, %b: tensor<1x1x1x8xf32>) {
  // expected-error @below {{combines 'tensor<1x8x8x4xf32>' with 'tensor<1x1x1x8xf32>', neither equal nor one pixel per image nor one channel}}
  %0 = vn.subtract %a, %b : (tensor<1x8x8x4xf32>, tensor<1x1x1x8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.subtract (C2)
func.func @subtract_result(%a: tensor<1x8x8x4xf32>, %b: tensor<1x1x1x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x1x1x4xf32>', its operands make it 'tensor<1x8x8x4xf32>'}}
  %0 = vn.subtract %a, %b : (tensor<1x8x8x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32>
  return
}

// -----

// vn.subtract (C3)
func.func @subtract_mixed(%a: tensor<1x8x8x4xbf16>, %gate: tensor<1x1x1x4xf32>) {
  // expected-error @below {{mixes maps of different element types}}
  %0 = vn.subtract %a, %gate : (tensor<1x8x8x4xbf16>, tensor<1x1x1x4xf32>) -> tensor<1x8x8x4xbf16>
  return
}

// -----

// vn.divide (C1)
func.func @divide_other_channels(%a: tensor<1x8x8x4xf32>, %b: tensor<1x1x1x8xf32>) {
  // expected-error @below {{combines 'tensor<1x8x8x4xf32>' with 'tensor<1x1x1x8xf32>', neither equal nor one pixel per image nor one channel}}
  %0 = vn.divide %a, %b : (tensor<1x8x8x4xf32>, tensor<1x1x1x8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.divide (C2)
func.func @divide_result(%a: tensor<1x8x8x4xf32>, %b: tensor<1x1x1x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x1x1x4xf32>', its operands make it 'tensor<1x8x8x4xf32>'}}
  %0 = vn.divide %a, %b : (tensor<1x8x8x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32>
  return
}

// -----

// vn.divide (C3)
func.func @divide_mixed(%a: tensor<1x8x8x4xbf16>, %gate: tensor<1x1x1x4xf32>) {
  // expected-error @below {{mixes maps of different element types}}
  %0 = vn.divide %a, %gate : (tensor<1x8x8x4xbf16>, tensor<1x1x1x4xf32>) -> tensor<1x8x8x4xbf16>
  return
}

// -----

// vn.channel_sum (C1)
func.func @channel_sum(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8xf32>', its operands make it 'tensor<4xf32>'}}
  %0 = vn.channel_sum %x : (tensor<1x8x8x4xf32>) -> tensor<8xf32>
  return
}

// -----

// vn.spatial_sum (C1)
func.func @spatial_sum(%x: tensor<2x8x8x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x1x1x4xf32>', its operands make it 'tensor<2x1x1x4xf32>'}}
  %0 = vn.spatial_sum %x : (tensor<2x8x8x4xf32>) -> tensor<1x1x1x4xf32>
  return
}

// -----

// vn.multiply (C1): one number for each pixel of another map
func.func @multiply_other_pixels(%a: tensor<1x8x8x4xf32>, %b: tensor<1x4x8x1xf32>) {
  // expected-error @below {{combines 'tensor<1x8x8x4xf32>' with 'tensor<1x4x8x1xf32>', neither equal nor one pixel per image nor one channel}}
  %0 = vn.multiply %a, %b : (tensor<1x8x8x4xf32>, tensor<1x4x8x1xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.reduce_channels (C1)
func.func @reduce_channels(%a: tensor<2x8x8x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<2x8x8x4xf32>', its operands make it 'tensor<2x8x8x1xf32>'}}
  %0 = vn.reduce_channels max %a : (tensor<2x8x8x4xf32>) -> tensor<2x8x8x4xf32>
  return
}

// -----

// vn.pixel_dot (C1)
func.func @pixel_dot(%a: tensor<2x8x8x4xf32>, %b: tensor<2x8x8x1xf32>) {
  // expected-error @below {{needs `rhs` of type 'tensor<2x8x8x4xf32>', found 'tensor<2x8x8x1xf32>'}}
  %0 = vn.pixel_dot %a, %b : (tensor<2x8x8x4xf32>, tensor<2x8x8x1xf32>) -> tensor<2x8x8x1xf32>
  return
}

// -----

// vn.pixel_dot (C2)
func.func @pixel_dot_result(%a: tensor<2x8x8x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<2x1x1x4xf32>', its operands make it 'tensor<2x8x8x1xf32>'}}
  %0 = vn.pixel_dot %a, %a : (tensor<2x8x8x4xf32>, tensor<2x8x8x4xf32>) -> tensor<2x1x1x4xf32>
  return
}

// -----

// vn.broadcast_channels (C1)
func.func @broadcast_channels(%a: tensor<2x8x8x2xf32>) {
  // expected-error @below {{repeats a map of 2 channels instead of one}}
  %0 = vn.broadcast_channels %a times 1.0 : (tensor<2x8x8x2xf32>) -> tensor<2x8x8x4xf32>
  return
}

// -----

// vn.broadcast_channels (C2)
func.func @broadcast_channels_result(%a: tensor<2x8x8x1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<2x8x4x4xf32>', its operands make it 'tensor<2x8x8x4xf32>'}}
  %0 = vn.broadcast_channels %a times 1.0 : (tensor<2x8x8x1xf32>) -> tensor<2x8x4x4xf32>
  return
}

// -----

// vn.channel_max_grad (C1)
func.func @channel_max_grad(%x: tensor<2x8x8x4xf32>, %y: tensor<2x8x8x1xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<2x8x8x1xf32>', found 'tensor<2x8x8x4xf32>'}}
  %0 = vn.channel_max_grad %x, %y, %x : (tensor<2x8x8x4xf32>, tensor<2x8x8x1xf32>, tensor<2x8x8x4xf32>) -> tensor<2x8x8x4xf32>
  return
}

// -----

// vn.channel_max_grad (C2)
func.func @channel_max_grad_result(%x: tensor<2x8x8x4xf32>, %y: tensor<2x8x8x1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<2x8x8x1xf32>', its operands make it 'tensor<2x8x8x4xf32>'}}
  %0 = vn.channel_max_grad %x, %y, %y : (tensor<2x8x8x4xf32>, tensor<2x8x8x1xf32>, tensor<2x8x8x1xf32>) -> tensor<2x8x8x1xf32>
  return
}

// -----

// vn.channel_dot (C1)
func.func @channel_dot(%a: tensor<2x8x8x4xf32>, %b: tensor<2x1x1x4xf32>) {
  // expected-error @below {{needs `rhs` of type 'tensor<2x8x8x4xf32>', found 'tensor<2x1x1x4xf32>'}}
  %0 = vn.channel_dot %a, %b : (tensor<2x8x8x4xf32>, tensor<2x1x1x4xf32>) -> tensor<4xf32>
  return
}

// -----

// vn.channel_dot (C2)
func.func @channel_dot_result(%a: tensor<2x8x8x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<2xf32>', its operands make it 'tensor<4xf32>'}}
  %0 = vn.channel_dot %a, %a : (tensor<2x8x8x4xf32>, tensor<2x8x8x4xf32>) -> tensor<2xf32>
  return
}

// -----

// vn.spatial_dot (C1)
func.func @spatial_dot(%a: tensor<2x8x8x4xf32>, %b: tensor<2x1x1x4xf32>) {
  // expected-error @below {{needs `rhs` of type 'tensor<2x8x8x4xf32>', found 'tensor<2x1x1x4xf32>'}}
  %0 = vn.spatial_dot %a, %b : (tensor<2x8x8x4xf32>, tensor<2x1x1x4xf32>) -> tensor<2x1x1x4xf32>
  return
}

// -----

// vn.spatial_dot (C2)
func.func @spatial_dot_result(%a: tensor<2x8x8x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x1x1x4xf32>', its operands make it 'tensor<2x1x1x4xf32>'}}
  %0 = vn.spatial_dot %a, %a : (tensor<2x8x8x4xf32>, tensor<2x8x8x4xf32>) -> tensor<1x1x1x4xf32>
  return
}

// -----

// vn.concat (C4)
func.func @concat_mixed(%a: tensor<1x8x8x4xbf16>, %b: tensor<1x8x8x4xf32>) {
  // expected-error @below {{mixes maps of different element types, 'tensor<1x8x8x4xbf16>' and 'tensor<1x8x8x4xf32>': `vn.cast` one of them}}
  %0 = vn.concat %a, %b : (tensor<1x8x8x4xbf16>, tensor<1x8x8x4xf32>) -> tensor<1x8x8x8xbf16>
  return
}

// -----

// vn.add (C3)
func.func @add_mixed(%a: tensor<1x8x8x4xf32>, %b: tensor<1x8x8x4xbf16>) {
  // expected-error @below {{mixes maps of different element types}}
  %0 = vn.add %a, %b : (tensor<1x8x8x4xf32>, tensor<1x8x8x4xbf16>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// Vectors are f32.
func.func @add_vectors(%a: tensor<4xbf16>) {
  // expected-error @below {{operand #0 must be map, or static f32 tensor of rank 1, 2 or 4}}
  %0 = vn.add %a, %a : (tensor<4xbf16>, tensor<4xbf16>) -> tensor<4xbf16>
  return
}

// -----

// vn.multiply (C3)
func.func @multiply_mixed(%a: tensor<1x8x8x4xbf16>, %gate: tensor<1x1x1x4xf32>) {
  // expected-error @below {{mixes maps of different element types}}
  %0 = vn.multiply %a, %gate : (tensor<1x8x8x4xbf16>, tensor<1x1x1x4xf32>) -> tensor<1x8x8x4xbf16>
  return
}

// -----

// vn.cast (C1)
func.func @cast_shape(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x4x4xbf16>', its operands make it 'tensor<1x8x8x4xbf16>'}}
  %0 = vn.cast %x : (tensor<1x8x8x4xf32>) -> tensor<1x8x4x4xbf16>
  return
}

// -----

// vn.cast (C2)
func.func @cast_nothing(%x: tensor<1x8x8x4xbf16>) {
  // expected-error @below {{casts 'tensor<1x8x8x4xbf16>' to the element type that it has}}
  %0 = vn.cast %x : (tensor<1x8x8x4xbf16>) -> tensor<1x8x8x4xbf16>
  return
}

// -----

// No third type.
func.func @cast_half(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{result #0 must be static N x H x W x C f32 or bf16 tensor}}
  %0 = vn.cast %x : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf16>
  return
}

// -----

// vn.pixel_shuffle (C1)
func.func @pixel_shuffle(%x: tensor<1x4x4x8xf32>) {
  // expected-error @below {{makes squares of 3 pixels of 8 channels}}
  %0 = vn.pixel_shuffle %x by 3 : (tensor<1x4x4x8xf32>) -> tensor<1x12x12x1xf32>
  return
}

// -----

// vn.pixel_shuffle (C2)
func.func @pixel_shuffle_result(%x: tensor<1x4x4x8xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x8x4xf32>', its operands make it 'tensor<1x8x8x2xf32>'}}
  %0 = vn.pixel_shuffle %x by 2 : (tensor<1x4x4x8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.pixel_unshuffle (C1)
func.func @pixel_unshuffle(%x: tensor<1x4x4x8xf32>) {
  // expected-error @below {{takes squares of 3 pixels from a map of 4x4}}
  %0 = vn.pixel_unshuffle %x by 3 : (tensor<1x4x4x8xf32>) -> tensor<1x1x1x72xf32>
  return
}

// -----

// vn.pixel_unshuffle (C2)
func.func @pixel_unshuffle_result(%x: tensor<1x4x4x8xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x2x2x16xf32>', its operands make it 'tensor<1x2x2x32xf32>'}}
  %0 = vn.pixel_unshuffle %x by 2 : (tensor<1x4x4x8xf32>) -> tensor<1x2x2x16xf32>
  return
}

// -----

// vn.softmax (C1)
func.func @softmax(%x: tensor<1x4x4x8xf32>) {
  // expected-error @below {{divides 8 channels into 3 runs}}
  %0 = vn.softmax %x of 3 : (tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
  return
}

// -----

// vn.softmax (C2)
func.func @softmax_result(%x: tensor<1x4x4x8xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x4x4x4xf32>', its operands make it 'tensor<1x4x4x8xf32>'}}
  %0 = vn.softmax %x of 2 : (tensor<1x4x4x8xf32>) -> tensor<1x4x4x4xf32>
  return
}

// -----

// vn.spatial_softmax (C1)
func.func @spatial_softmax(%x: tensor<1x4x4x8xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x1x1x8xf32>', its operands make it 'tensor<1x4x4x8xf32>'}}
  %0 = vn.spatial_softmax %x : (tensor<1x4x4x8xf32>) -> tensor<1x1x1x8xf32>
  return
}

// -----

// vn.matmul (C1)
func.func @matmul(%x: tensor<1x4x4x8xf32>, %y: tensor<1x4x4x8xf32>) {
  // expected-error @below {{multiplies 1 matrices of 16x8 by 1 of 16x8}}
  %0 = vn.matmul %x, %y : (tensor<1x4x4x8xf32>, tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
  return
}

// -----

// vn.matmul (C2)
func.func @matmul_result(%x: tensor<1x4x4x8xf32>, %y: tensor<1x2x4x8xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x16x1x8xf32>', its operands make it 'tensor<1x4x4x8xf32>'}}
  %0 = vn.matmul %x, %y : (tensor<1x4x4x8xf32>, tensor<1x2x4x8xf32>) -> tensor<1x16x1x8xf32>
  return
}

// -----

// vn.matmul (C2)
func.func @matmul_transposed(%x: tensor<1x4x4x8xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x3x2x8xf32>', its operands make it 'tensor<1x8x1x8xf32>'}}
  %0 = vn.matmul %x, %x transpose_lhs : (tensor<1x4x4x8xf32>, tensor<1x4x4x8xf32>) -> tensor<1x3x2x8xf32>
  return
}

// -----

// vn.matmul (C3)
func.func @matmul_batches(%x: tensor<1x4x4x8xf32>, %y: tensor<2x2x4x8xf32>) {
  // expected-error @below {{multiplies 1 matrices of 16x8 by 2 of 8x8}}
  %0 = vn.matmul %x, %y : (tensor<1x4x4x8xf32>, tensor<2x2x4x8xf32>) -> tensor<1x4x4x8xf32>
  return
}

// -----

// vn.matmul (C3)
func.func @matmul_elements(%x: tensor<1x4x4x8xf32>, %y: tensor<1x2x4x8xbf16>) {
  // expected-error @below {{mixes maps of different element types}}
  %0 = vn.matmul %x, %y : (tensor<1x4x4x8xf32>, tensor<1x2x4x8xbf16>) -> tensor<1x4x4x8xf32>
  return
}
