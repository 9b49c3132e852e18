// RUN: vernier-opt %s --split-input-file --verify-diagnostics
// Each constraint of the transposed convolution, by its label in the op's documentation.

// vn.transposed_convolution (C1)
func.func @groups(%x: tensor<1x8x8x6xf32>, %w: tensor<6x2x3x3xf32>) {
  // expected-error @below {{groups 4 do not divide 6 input channels}}
  %0 = vn.transposed_convolution %x, %w groups 4 : (tensor<1x8x8x6xf32>, tensor<6x2x3x3xf32>) -> tensor<1x10x10x8xf32>
  return
}

// -----

// vn.transposed_convolution (C2)
func.func @weight(%x: tensor<1x8x8x6xf32>, %w: tensor<3x4x3x3xf32>) {
  // expected-error @below {{needs `weight` of type 'tensor<6x4x3x3xf32>', found 'tensor<3x4x3x3xf32>'}}
  %0 = vn.transposed_convolution %x, %w groups 2 : (tensor<1x8x8x6xf32>, tensor<3x4x3x3xf32>) -> tensor<1x10x10x8xf32>
  return
}

// -----

// vn.transposed_convolution (C3)
func.func @bias(%x: tensor<1x8x8x6xf32>, %w: tensor<6x4x3x3xf32>, %s: tensor<8xf32>, %b: tensor<6xf32>) {
  // expected-error @below {{needs `bias` of type 'tensor<8xf32>', found 'tensor<6xf32>'}}
  %0 = vn.transposed_convolution %x, %w scale %s bias %b groups 2 : (tensor<1x8x8x6xf32>, tensor<6x4x3x3xf32>, tensor<8xf32>, tensor<6xf32>) -> tensor<1x10x10x8xf32>
  return
}

// -----

// vn.transposed_convolution (C3)
func.func @scale(%x: tensor<1x8x8x6xf32>, %w: tensor<6x4x3x3xf32>, %s: tensor<6xf32>) {
  // expected-error @below {{needs `scale` of type 'tensor<8xf32>', found 'tensor<6xf32>'}}
  %0 = vn.transposed_convolution %x, %w scale %s groups 2 : (tensor<1x8x8x6xf32>, tensor<6x4x3x3xf32>, tensor<6xf32>) -> tensor<1x10x10x8xf32>
  return
}

// -----

// vn.transposed_convolution (C4)
func.func @output_padding(%x: tensor<1x8x8x6xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @below {{output padding 2 is not less than the stride 2 or the dilation 1}}
  %0 = vn.transposed_convolution %x, %w strides [2, 2] output_padding [1, 2] : (tensor<1x8x8x6xf32>, tensor<6x4x3x3xf32>) -> tensor<1x18x19x4xf32>
  return
}

// -----

// vn.transposed_convolution (C5)
func.func @result(%x: tensor<1x8x8x6xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x17x20x4xf32>', its operands make it 'tensor<1x18x20x4xf32>'}}
  %0 = vn.transposed_convolution %x, %w strides [2, 2] padding [0, 0, 1, 2] dilations [1, 3] output_padding [1, 2] : (tensor<1x8x8x6xf32>, tensor<6x4x3x3xf32>) -> tensor<1x17x20x4xf32>
  return
}

// -----

// vn.transposed_convolution (C5)
func.func @nothing(%x: tensor<1x8x2x6xf32>, %w: tensor<6x4x2x2xf32>) {
  // expected-error @below {{padding 2 + 1 leaves no columns}}
  %0 = vn.transposed_convolution %x, %w padding [0, 0, 2, 1] : (tensor<1x8x2x6xf32>, tensor<6x4x2x2xf32>) -> tensor<1x9x1x4xf32>
  return
}

// -----

// vn.transposed_convolution (C6)
func.func @addend(%x: tensor<1x4x4x6xf32>, %w: tensor<6x8x2x2xf32>, %r: tensor<1x4x3x8xf32>) {
  // expected-error @below {{adds 'tensor<1x4x3x8xf32>', which does not enlarge to 'tensor<1x8x8x8xf32>' by whole factors}}
  %0 = vn.transposed_convolution %x, %w add %r strides [2, 2] : (tensor<1x4x4x6xf32>, tensor<6x8x2x2xf32>, tensor<1x4x3x8xf32>) -> tensor<1x8x8x8xf32>
  return
}

// -----

// vn.transposed_convolution (C6)
func.func @mixed_addend(%x: tensor<1x4x4x6xbf16>, %w: tensor<6x8x2x2xf32>, %r: tensor<1x8x8x8xf32>) {
  // expected-error @below {{mixes maps of different element types}}
  %0 = vn.transposed_convolution %x, %w add %r strides [2, 2] : (tensor<1x4x4x6xbf16>, tensor<6x8x2x2xf32>, tensor<1x8x8x8xf32>) -> tensor<1x8x8x8xbf16>
  return
}

// -----

// vn.transposed_convolution (C7)
func.func @sums(%x: tensor<1x4x4x6xf32>, %w: tensor<6x8x2x2xf32>) {
  // expected-error @below {{has result #1 of type 'tensor<2x6xf64>', its operands make it 'tensor<2x8xf64>'}}
  %0, %1 = vn.transposed_convolution %x, %w strides [2, 2] : (tensor<1x4x4x6xf32>, tensor<6x8x2x2xf32>) -> (tensor<1x8x8x8xf32>, tensor<2x6xf64>)
  return
}
