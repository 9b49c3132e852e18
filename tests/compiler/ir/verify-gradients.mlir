// RUN: vernier-opt %s --split-input-file --verify-diagnostics
// Each constraint of the adjoints, by its label in the op's documentation.

// vn.convolution_input_grad (C1)
func.func @input_grad(%dy: tensor<1x15x16x24xf32>, %w: tensor<24x16x3x3xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<1x16x16x24xf32>', found 'tensor<1x15x16x24xf32>'}}
  %0 = vn.convolution_input_grad %dy, %w strides [2, 2] padding [1, 1, 1, 1] : (tensor<1x15x16x24xf32>, tensor<24x16x3x3xf32>) -> tensor<1x32x32x16xf32>
  return
}

// -----

// vn.convolution_input_grad (C1)
func.func @input_grad_weight(%dy: tensor<1x32x32x24xf32>, %w: tensor<24x16x3x3xf32>) {
  // expected-error @below {{needs `weight` of type 'tensor<24x8x3x3xf32>', found 'tensor<24x16x3x3xf32>'}}
  %0 = vn.convolution_input_grad %dy, %w padding [1, 1, 1, 1] groups 2 : (tensor<1x32x32x24xf32>, tensor<24x16x3x3xf32>) -> tensor<1x32x32x16xf32>
  return
}

// -----

// vn.convolution_weight_grad (C1)
func.func @weight_grad(%x: tensor<1x32x32x16xf32>, %dy: tensor<1x32x32x24xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<1x16x16x24xf32>', found 'tensor<1x32x32x24xf32>'}}
  %0 = vn.convolution_weight_grad %x, %dy strides [2, 2] padding [1, 1, 1, 1] : (tensor<1x32x32x16xf32>, tensor<1x32x32x24xf32>) -> tensor<24x16x3x3xf32>
  return
}

// -----

// vn.convolution_weight_grad (C1)
func.func @weight_grad_result(%x: tensor<1x32x32x16xf32>, %dy: tensor<1x32x32x24xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<24x16x1x1xf32>', its operands make it 'tensor<24x4x1x1xf32>'}}
  %0 = vn.convolution_weight_grad %x, %dy groups 4 : (tensor<1x32x32x16xf32>, tensor<1x32x32x24xf32>) -> tensor<24x16x1x1xf32>
  return
}

// -----

// vn.linear_input_grad (C1)
func.func @linear_input_grad(%dy: tensor<2x2x1x10xf32>, %w: tensor<10x64xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<2x1x1x10xf32>', found 'tensor<2x2x1x10xf32>'}}
  %0 = vn.linear_input_grad %dy, %w : (tensor<2x2x1x10xf32>, tensor<10x64xf32>) -> tensor<2x2x1x64xf32>
  return
}

// -----

// vn.linear_input_grad (C2)
func.func @linear_input_grad_result(%dy: tensor<2x1x1x10xf32>, %w: tensor<10x64xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<2x1x1x10xf32>', its operands make it 'tensor<2x1x1x64xf32>'}}
  %0 = vn.linear_input_grad %dy, %w : (tensor<2x1x1x10xf32>, tensor<10x64xf32>) -> tensor<2x1x1x10xf32>
  return
}

// -----

// vn.linear_weight_grad (C1)
func.func @linear_weight_grad(%x: tensor<2x1x1x64xf32>, %dy: tensor<4x1x1x10xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<2x1x1x10xf32>', found 'tensor<4x1x1x10xf32>'}}
  %0 = vn.linear_weight_grad %x, %dy : (tensor<2x1x1x64xf32>, tensor<4x1x1x10xf32>) -> tensor<10x64xf32>
  return
}

// -----

// vn.linear_weight_grad (C2)
func.func @linear_weight_grad_result(%x: tensor<2x1x1x64xf32>, %dy: tensor<2x1x1x10xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<64x10xf32>', its operands make it 'tensor<10x64xf32>'}}
  %0 = vn.linear_weight_grad %x, %dy : (tensor<2x1x1x64xf32>, tensor<2x1x1x10xf32>) -> tensor<64x10xf32>
  return
}

// -----

// vn.batch_norm_grad (C1)
func.func @norm_grad(%x: tensor<8x4x4x4xf32>, %dy: tensor<8x4x2x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<8x4x4x4xf32>', found 'tensor<8x4x2x4xf32>'}}
  %0:3 = vn.batch_norm_grad %x, %dy, %c, %c, %c epsilon 1.0e-5 : (tensor<8x4x4x4xf32>, tensor<8x4x2x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

// vn.batch_norm_grad (C2)
func.func @norm_grad_result(%x: tensor<8x4x4x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{has result #1 of type 'tensor<8xf32>', its operands make it 'tensor<4xf32>'}}
  %0:3 = vn.batch_norm_grad %x, %x, %c, %c, %c epsilon 1.0e-5 : (tensor<8x4x4x4xf32>, tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xf32>, tensor<8xf32>, tensor<4xf32>)
  return
}

// -----

// vn.layer_norm_grad (C1)
func.func @layer_norm_grad(%x: tensor<8x4x4x4xf32>, %dy: tensor<8x4x2x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<8x4x4x4xf32>', found 'tensor<8x4x2x4xf32>'}}
  %0:3 = vn.layer_norm_grad %x, %dy, %c epsilon 1.0e-6 : (tensor<8x4x4x4xf32>, tensor<8x4x2x4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

// vn.layer_norm_grad (C2)
func.func @layer_norm_grad_result(%x: tensor<8x4x4x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{has result #2 of type 'tensor<8xf32>', its operands make it 'tensor<4xf32>'}}
  %0:3 = vn.layer_norm_grad %x, %x, %c epsilon 1.0e-6 : (tensor<8x4x4x4xf32>, tensor<8x4x4x4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<8xf32>)
  return
}

// -----

// vn.group_norm_grad (C1)
func.func @group_norm_grad(%x: tensor<8x4x4x4xf32>, %dy: tensor<8x4x2x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<8x4x4x4xf32>', found 'tensor<8x4x2x4xf32>'}}
  %0:3 = vn.group_norm_grad %x, %dy, %c in 2 epsilon 1.0e-6 : (tensor<8x4x4x4xf32>, tensor<8x4x2x4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

// vn.group_norm_grad (C2)
func.func @group_norm_grad_result(%x: tensor<8x4x4x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{has result #2 of type 'tensor<8xf32>', its operands make it 'tensor<4xf32>'}}
  %0:3 = vn.group_norm_grad %x, %x, %c in 2 epsilon 1.0e-6 : (tensor<8x4x4x4xf32>, tensor<8x4x4x4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<8xf32>)
  return
}

// -----

// vn.group_norm_grad (C3)
func.func @group_norm_grad_groups(%x: tensor<8x4x4x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{normalises 3 groups of 4 channels}}
  %0:3 = vn.group_norm_grad %x, %x, %c in 3 epsilon 1.0e-6 : (tensor<8x4x4x4xf32>, tensor<8x4x4x4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

// vn.prelu_grad (C1)
func.func @prelu_grad(%x: tensor<8x4x4x4xf32>, %dy: tensor<8x4x2x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<8x4x4x4xf32>', found 'tensor<8x4x2x4xf32>'}}
  %0:2 = vn.prelu_grad %x, %dy, %c : (tensor<8x4x4x4xf32>, tensor<8x4x2x4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xf32>, tensor<4xf32>)
  return
}

// -----

// vn.prelu_grad (C2)
func.func @prelu_grad_result(%x: tensor<8x4x4x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{has result #1 of type 'tensor<1xf32>', its operands make it 'tensor<4xf32>'}}
  %0:2 = vn.prelu_grad %x, %x, %c : (tensor<8x4x4x4xf32>, tensor<8x4x4x4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xf32>, tensor<1xf32>)
  return
}

// -----

// vn.activate_grad (C1)
func.func @activate_grad(%y: tensor<1x8x8x4xf32>, %dy: tensor<1x8x8x8xf32>) {
  // expected-error @below {{requires the same type for all operands and results}}
  %0 = "vn.activate_grad"(%y, %dy) {activation = #vn.activation<relu>} : (tensor<1x8x8x4xf32>, tensor<1x8x8x8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.max_pool_grad (C1)
func.func @max_pool_grad(%x: tensor<1x8x8x4xf32>, %y: tensor<1x4x4x4xf32>, %dy: tensor<1x5x4x4xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<1x4x4x4xf32>', found 'tensor<1x5x4x4xf32>'}}
  %0 = vn.max_pool_grad %x, %y, %dy kernel [2, 2] strides [2, 2] : (tensor<1x8x8x4xf32>, tensor<1x4x4x4xf32>, tensor<1x5x4x4xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.max_pool_grad (C2)
func.func @max_pool_grad_result(%x: tensor<1x9x9x4xf32>, %y: tensor<1x4x4x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x8x4xf32>', its operands make it 'tensor<1x9x9x4xf32>'}}
  %0 = vn.max_pool_grad %x, %y, %y kernel [2, 2] strides [2, 2] : (tensor<1x9x9x4xf32>, tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.avg_pool_grad (C1)
func.func @avg_pool_grad(%dy: tensor<1x4x4x4xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<1x5x5x4xf32>', found 'tensor<1x4x4x4xf32>'}}
  %0 = vn.avg_pool_grad %dy kernel [2, 2] strides [2, 2] ceil : (tensor<1x4x4x4xf32>) -> tensor<1x9x9x4xf32>
  return
}

// -----

// vn.global_avg_pool_grad (C1)
func.func @global_grad(%dy: tensor<1x2x1x4xf32>) {
  // expected-error @below {{needs `dy` of one pixel, found 2 x 1}}
  %0 = vn.global_avg_pool_grad %dy : (tensor<1x2x1x4xf32>) -> tensor<1x7x7x4xf32>
  return
}

// -----

// vn.global_avg_pool_grad (C2)
func.func @global_grad_result(%dy: tensor<1x1x1x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x7x7x8xf32>', its operands make it 'tensor<1x7x7x4xf32>'}}
  %0 = vn.global_avg_pool_grad %dy : (tensor<1x1x1x4xf32>) -> tensor<1x7x7x8xf32>
  return
}

// -----

// vn.resize_grad (C1)
func.func @resize_grad_corners(%dy: tensor<1x14x14x4xf32>) {
  // expected-error @below {{`align_corners` needs `bilinear`}}
  %0 = vn.resize_grad nearest %dy align_corners : (tensor<1x14x14x4xf32>) -> tensor<1x7x7x4xf32>
  return
}

// -----

// vn.resize_grad (C2)
func.func @resize_grad_no_pixels(%dy: tensor<1x14x0x4xf32>) {
  // expected-error @below {{resizes 'tensor<1x14x0x4xf32>' to 'tensor<1x7x7x4xf32>': no pixels}}
  %0 = vn.resize_grad nearest %dy : (tensor<1x14x0x4xf32>) -> tensor<1x7x7x4xf32>
  return
}

// -----

// vn.resize_grad (C3)
func.func @resize_grad_result(%dy: tensor<1x14x14x4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<2x7x7x4xf32>', its operands make it 'tensor<1x7x7x4xf32>'}}
  %0 = vn.resize_grad nearest %dy : (tensor<1x14x14x4xf32>) -> tensor<2x7x7x4xf32>
  return
}

// -----

// vn.resize_grad (C4)
func.func @resize_grad_scale(%dy: tensor<1x14x14x4xf32>) {
  // expected-error @below {{`scale` is -2.000000e+00, it must be positive and finite}}
  %0 = vn.resize_grad nearest %dy scale -2.0 : (tensor<1x14x14x4xf32>) -> tensor<1x7x7x4xf32>
  return
}

// -----

// vn.resize_grad (C5)
func.func @resize_grad_scale_of_other_size(%dy: tensor<1x5x5x4xf32>) {
  // expected-error @below {{scale 7.500000e-01 makes 6 of 8 rows, found 5}}
  %0 = vn.resize_grad nearest %dy scale 0.75 : (tensor<1x5x5x4xf32>) -> tensor<1x8x7x4xf32>
  return
}

// -----

// vn.pad_grad (C1)
func.func @pad_grad(%dy: tensor<1x8x8x4xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<1x9x8x4xf32>', found 'tensor<1x8x8x4xf32>'}}
  %0 = vn.pad_grad %dy by [1, 1, 0, 1] : (tensor<1x8x8x4xf32>) -> tensor<1x7x7x4xf32>
  return
}

// -----

// vn.convolution_input_grad (C2)
func.func @input_grad_addend(%dy: tensor<1x8x8x4xf32>, %w: tensor<4x4x3x3xf32>, %a: tensor<1x8x8x8xf32>) {
  // expected-error @below {{needs `addends` of type 'tensor<1x8x8x4xf32>', found 'tensor<1x8x8x8xf32>'}}
  %0 = vn.convolution_input_grad %dy, %w add %a padding [1, 1, 1, 1] : (tensor<1x8x8x4xf32>, tensor<4x4x3x3xf32>, tensor<1x8x8x8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.convolution_input_grad (C2)
func.func @input_grad_mask(%dy: tensor<1x8x8x4xf32>, %w: tensor<4x4x3x3xf32>, %y: tensor<1x8x8x8xf32>) {
  // expected-error @below {{needs `mask` of type 'tensor<1x8x8x4xf32>', found 'tensor<1x8x8x8xf32>'}}
  %0 = vn.convolution_input_grad %dy, %w mask relu %y padding [1, 1, 1, 1] : (tensor<1x8x8x4xf32>, tensor<4x4x3x3xf32>, tensor<1x8x8x8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.convolution_input_grad (C3)
func.func @input_grad_no_activation(%dy: tensor<1x8x8x4xf32>, %w: tensor<4x4x3x3xf32>, %y: tensor<1x8x8x4xf32>) {
  // expected-error @below {{needs a mask and its activation together}}
  %0 = vn.convolution_input_grad %dy, %w mask none %y padding [1, 1, 1, 1] : (tensor<1x8x8x4xf32>, tensor<4x4x3x3xf32>, tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.convolution_input_grad (C3)
func.func @input_grad_sums(%dy: tensor<1x8x8x4xf32>, %w: tensor<4x4x3x3xf32>, %x: tensor<1x8x8x4xf32>, %mean: tensor<4xf32>) {
  // expected-error @below {{needs the operands of sums and their result together}}
  %0 = vn.convolution_input_grad %dy, %w sums %x, %mean padding [1, 1, 1, 1] : (tensor<1x8x8x4xf32>, tensor<4x4x3x3xf32>, tensor<1x8x8x4xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.convolution_input_grad (C3)
func.func @input_grad_sums_type(%dy: tensor<1x8x8x4xf32>, %w: tensor<4x4x3x3xf32>, %x: tensor<1x8x8x4xf32>, %mean: tensor<4xf32>) {
  // expected-error @below {{has result #1 of type 'tensor<2x8xf64>', its operands make it 'tensor<2x4xf64>'}}
  %0:2 = vn.convolution_input_grad %dy, %w sums %x, %mean padding [1, 1, 1, 1] : (tensor<1x8x8x4xf32>, tensor<4x4x3x3xf32>, tensor<1x8x8x4xf32>, tensor<4xf32>) -> (tensor<1x8x8x4xf32>, tensor<2x8xf64>)
  return
}

// -----

// vn.batch_norm_grad (C3)
func.func @batch_norm_grad_mask(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>, %y: tensor<1x8x8x8xf32>) {
  // expected-error @below {{needs `mask` of type 'tensor<1x8x8x4xf32>', found 'tensor<1x8x8x8xf32>'}}
  %0:3 = vn.batch_norm_grad %x, %x, %c, %c, %c mask relu %y epsilon 1.0e-5 : (tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<1x8x8x8xf32>) -> (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

// vn.batch_norm_grad (C3)
func.func @batch_norm_grad_both(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>, %s: tensor<2x4xf64>) {
  // expected-error @below {{takes sums of what no mask is applied to}}
  %0:3 = vn.batch_norm_grad %x, %x, %c, %c, %c mask relu %x sums %s epsilon 1.0e-5 : (tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<1x8x8x4xf32>, tensor<2x4xf64>) -> (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

// vn.max_pool_grad (C3)
func.func @max_pool_grad_addend(%x: tensor<1x8x8x4xf32>, %y: tensor<1x4x4x4xf32>, %a: tensor<1x8x8x8xf32>) {
  // expected-error @below {{needs `addends` of type 'tensor<1x8x8x4xf32>', found 'tensor<1x8x8x8xf32>'}}
  %0 = vn.max_pool_grad %x, %y, %y add %a kernel [2, 2] strides [2, 2] : (tensor<1x8x8x4xf32>, tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>, tensor<1x8x8x8xf32>) -> tensor<1x8x8x4xf32>
  return
}
