// RUN: vernier-opt %s --split-input-file --verify-diagnostics
// Each constraint of the ops that change height and width, by its label in the op's documentation.

// vn.max_pool (C1)
func.func @pool_padding(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{padding 2 is more than half the kernel 3}}
  %0 = vn.max_pool %x kernel [3, 3] strides [2, 2] padding [1, 2, 1, 1] : (tensor<1x8x8x4xf32>) -> tensor<1x5x4x4xf32>
  return
}

// -----

// vn.max_pool (C2)
func.func @pool_window(%x: tensor<1x1x8x4xf32>) {
  // expected-error @below {{window of 2 does not fit into 1 + 0 + 0 rows}}
  %0 = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<1x1x8x4xf32>) -> tensor<1x0x4x4xf32>
  return
}

// -----

// vn.max_pool (C3)
func.func @pool_floor(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x4x4x4xf32>', its operands make it 'tensor<1x3x3x4xf32>'}}
  %0 = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<1x7x7x4xf32>) -> tensor<1x4x4x4xf32>
  return
}

// -----

// vn.max_pool (C3): a last window that would begin in the trailing padding is dropped
func.func @pool_ceil(%x: tensor<1x4x4x4xf32>) {
  %0 = vn.max_pool %x kernel [2, 2] strides [3, 3] padding [1, 1, 1, 1] ceil : (tensor<1x4x4x4xf32>) -> tensor<1x2x2x4xf32>
  // expected-error @below {{has result #0 of type 'tensor<1x4x4x4xf32>', its operands make it 'tensor<1x3x3x4xf32>'}}
  %1 = vn.max_pool %x kernel [2, 2] strides [2, 2] padding [1, 1, 1, 1] ceil : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  return
}

// -----

// vn.avg_pool (C1)
func.func @avg_padding(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{padding 2 is more than half the kernel 3}}
  %0 = vn.avg_pool %x kernel [3, 3] strides [2, 2] padding [1, 2, 1, 1] : (tensor<1x8x8x4xf32>) -> tensor<1x5x4x4xf32>
  return
}

// -----

// vn.avg_pool (C2)
func.func @avg_window(%x: tensor<1x8x1x4xf32>) {
  // expected-error @below {{window of 2 does not fit into 1 + 0 + 0 columns}}
  %0 = vn.avg_pool %x kernel [2, 2] strides [2, 2] : (tensor<1x8x1x4xf32>) -> tensor<1x4x0x4xf32>
  return
}

// -----

// vn.avg_pool (C3)
func.func @avg_ceil(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x3x3x4xf32>', its operands make it 'tensor<1x4x4x4xf32>'}}
  %0 = vn.avg_pool %x kernel [2, 2] strides [2, 2] ceil : (tensor<1x7x7x4xf32>) -> tensor<1x3x3x4xf32>
  return
}

// -----

// vn.global_avg_pool (C1)
func.func @global(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x7x1x4xf32>', its operands make it 'tensor<1x1x1x4xf32>'}}
  %0 = vn.global_avg_pool %x : (tensor<1x7x7x4xf32>) -> tensor<1x7x1x4xf32>
  return
}

// -----

// vn.resize (C1)
func.func @corners(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{`align_corners` needs `bilinear`}}
  %0 = vn.resize nearest %x align_corners : (tensor<1x7x7x4xf32>) -> tensor<1x14x14x4xf32>
  return
}

// -----

// vn.resize (C2)
func.func @no_pixels(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{resizes 'tensor<1x7x7x4xf32>' to 'tensor<1x0x14x4xf32>': no pixels}}
  %0 = vn.resize nearest %x : (tensor<1x7x7x4xf32>) -> tensor<1x0x14x4xf32>
  return
}

// -----

// vn.resize (C3)
func.func @resize_channels(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x14x14x8xf32>', its operands make it 'tensor<1x14x14x4xf32>'}}
  %0 = vn.resize bilinear %x : (tensor<1x7x7x4xf32>) -> tensor<1x14x14x8xf32>
  return
}

// -----

// vn.resize (C4)
func.func @scale_zero(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{`scale` is 0.000000e+00, it must be positive and finite}}
  %0 = vn.resize bilinear %x scale 0.0 : (tensor<1x7x7x4xf32>) -> tensor<1x14x14x4xf32>
  return
}

// -----

// vn.resize (C4)
func.func @scale_of_corners(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{`align_corners` has no `scale`: the sizes decide}}
  %0 = vn.resize bilinear %x align_corners scale 2.0 : (tensor<1x7x7x4xf32>) -> tensor<1x14x14x4xf32>
  return
}

// -----

// vn.resize (C5)
func.func @scale_of_other_size(%x: tensor<1x7x9x4xf32>) {
  // expected-error @below {{scale 7.500000e-01 makes 6 of 9 columns, found 7}}
  %0 = vn.resize nearest %x scale 0.75 : (tensor<1x7x9x4xf32>) -> tensor<1x5x7x4xf32>
  return
}

// -----

// vn.resample (C1)
func.func @corners_of_windows(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{`align_corners` needs `bicubic`}}
  %0 = vn.resample adaptive_average %x align_corners : (tensor<1x7x7x4xf32>) -> tensor<1x3x3x4xf32>
  return
}

// -----

// vn.resample (C2)
func.func @no_windows(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{resizes 'tensor<1x7x7x4xf32>' to 'tensor<1x3x0x4xf32>': no pixels}}
  %0 = vn.resample adaptive_average %x : (tensor<1x7x7x4xf32>) -> tensor<1x3x0x4xf32>
  return
}

// -----

// vn.resample (C3)
func.func @resampled_channels(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x9x9x8xf32>', its operands make it 'tensor<1x9x9x4xf32>'}}
  %0 = vn.resample bicubic %x : (tensor<1x7x7x4xf32>) -> tensor<1x9x9x8xf32>
  return
}

// -----

// vn.resample (C4)
func.func @scale_of_windows(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{`adaptive_average` has no `scale`: the sizes decide}}
  %0 = vn.resample adaptive_average %x scale 0.5 : (tensor<1x8x8x4xf32>) -> tensor<1x4x4x4xf32>
  return
}

// -----

// vn.resample (C4)
func.func @infinite_scale(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{it must be positive and finite}}
  %0 = vn.resample bicubic_antialias %x scale 0x7FF0000000000000 : (tensor<1x8x8x4xf32>) -> tensor<1x4x4x4xf32>
  return
}

// -----

// vn.resample (C5)
func.func @scale_of_a_gradient(%dy: tensor<1x5x6x4xf32>) {
  // expected-error @below {{scale 7.500000e-01 makes 6 of 8 rows, found 5}}
  %0 = vn.resample nearest_exact %dy scale 0.75 transposed : (tensor<1x5x6x4xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.pad (C1)
func.func @pad_nothing(%x: tensor<1x0x7x4xf32>) {
  // expected-error @below {{has nothing to replicate in 'tensor<1x0x7x4xf32>'}}
  %0 = vn.pad replicate %x by [0, 1, 0, 1] : (tensor<1x0x7x4xf32>) -> tensor<1x1x8x4xf32>
  return
}

// -----

// vn.pad (C2)
func.func @pad_result(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x9x4xf32>', its operands make it 'tensor<1x9x8x4xf32>'}}
  %0 = vn.pad zero %x by [1, 1, 0, 1] : (tensor<1x7x7x4xf32>) -> tensor<1x8x9x4xf32>
  return
}

// -----

// vn.crop (C1)
func.func @crop_outside(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{cuts 6 from 2 out of 7 columns}}
  %0 = vn.crop %x at [1, 2] : (tensor<1x7x7x4xf32>) -> tensor<1x6x6x4xf32>
  return
}

// -----

// vn.crop (C2)
func.func @crop_result(%x: tensor<1x7x7x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<2x6x6x4xf32>', its operands make it 'tensor<1x6x6x4xf32>'}}
  %0 = vn.crop %x at [0, 0] : (tensor<1x7x7x4xf32>) -> tensor<2x6x6x4xf32>
  return
}
