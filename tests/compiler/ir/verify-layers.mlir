// RUN: vernier-opt %s --split-input-file --verify-diagnostics
// Each constraint of the layers, by its label in the op's documentation.

// vn.convolution (C1)
func.func @groups(%x: tensor<1x8x8x6xf32>, %w: tensor<8x1x3x3xf32>) {
  // expected-error @below {{groups 4 do not divide 6 input and 8 output channels}}
  %0 = vn.convolution %x, %w groups 4 : (tensor<1x8x8x6xf32>, tensor<8x1x3x3xf32>) -> tensor<1x6x6x8xf32>
  return
}

// -----

// vn.convolution (C2)
func.func @weight(%x: tensor<1x8x8x6xf32>, %w: tensor<8x6x3x3xf32>) {
  // expected-error @below {{needs `weight` of type 'tensor<8x3x3x3xf32>', found 'tensor<8x6x3x3xf32>'}}
  %0 = vn.convolution %x, %w groups 2 : (tensor<1x8x8x6xf32>, tensor<8x6x3x3xf32>) -> tensor<1x6x6x8xf32>
  return
}

// -----

// vn.convolution (C3)
func.func @bias(%x: tensor<1x8x8x6xf32>, %w: tensor<8x6x3x3xf32>, %b: tensor<6xf32>) {
  // expected-error @below {{needs `bias` of type 'tensor<8xf32>', found 'tensor<6xf32>'}}
  %0 = vn.convolution %x, %w bias %b : (tensor<1x8x8x6xf32>, tensor<8x6x3x3xf32>, tensor<6xf32>) -> tensor<1x6x6x8xf32>
  return
}

// -----

// vn.convolution (C4)
func.func @window(%x: tensor<1x8x3x6xf32>, %w: tensor<8x6x3x3xf32>) {
  // expected-error @below {{window of 3 with dilation 2 does not fit into 3 + 1 + 0 columns}}
  %0 = vn.convolution %x, %w padding [0, 0, 1, 0] dilations [1, 2] : (tensor<1x8x3x6xf32>, tensor<8x6x3x3xf32>) -> tensor<1x6x1x8xf32>
  return
}

// -----

// vn.convolution (C5)
func.func @result(%x: tensor<1x9x8x6xf32>, %w: tensor<8x6x3x3xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x4x4x8xf32>', its operands make it 'tensor<1x5x4x8xf32>'}}
  %0 = vn.convolution %x, %w strides [2, 2] padding [1, 1, 1, 1] : (tensor<1x9x8x6xf32>, tensor<8x6x3x3xf32>) -> tensor<1x4x4x8xf32>
  return
}

// -----

func.func @stride(%x: tensor<1x8x8x6xf32>, %w: tensor<8x6x3x3xf32>) {
  // expected-error @below {{attribute 'strides' failed to satisfy constraint: i64 dense array attribute with exactly 2 elements each at least 1}}
  %0 = vn.convolution %x, %w strides [0, 2] : (tensor<1x8x8x6xf32>, tensor<8x6x3x3xf32>) -> tensor<1x4x4x8xf32>
  return
}

// -----

func.func @dynamic(%x: tensor<?x8x8x6xf32>, %w: tensor<8x6x3x3xf32>) {
  // expected-error @below {{operand #0 must be static N x H x W x C f32 or bf16 tensor}}
  %0 = vn.convolution %x, %w : (tensor<?x8x8x6xf32>, tensor<8x6x3x3xf32>) -> tensor<1x6x6x8xf32>
  return
}

// -----

// vn.fused_convolution (C1)
func.func @fused_groups(%x: tensor<1x8x8x6xf32>, %w: tensor<8x1x3x3xf32>) {
  // expected-error @below {{groups 4 do not divide 6 input and 8 output channels}}
  %0 = vn.fused_convolution %x, %w groups 4 : (tensor<1x8x8x6xf32>, tensor<8x1x3x3xf32>) -> tensor<1x6x6x8xf32>
  return
}

// -----

// vn.fused_convolution (C5)
func.func @fused_result(%x: tensor<1x8x8x6xf32>, %w: tensor<8x6x1x1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x8x6xf32>', its operands make it 'tensor<1x8x8x8xf32>'}}
  %0 = vn.fused_convolution %x, %w activation relu : (tensor<1x8x8x6xf32>, tensor<8x6x1x1xf32>) -> tensor<1x8x8x6xf32>
  return
}

// -----

// vn.fused_convolution (C6)
func.func @addend(%x: tensor<1x8x8x6xf32>, %w: tensor<8x6x1x1xf32>, %r: tensor<1x4x3x8xf32>) {
  // expected-error @below {{adds 'tensor<1x4x3x8xf32>', which does not enlarge to 'tensor<1x8x8x8xf32>' by whole factors}}
  %0 = vn.fused_convolution %x, %w add %r : (tensor<1x8x8x6xf32>, tensor<8x6x1x1xf32>, tensor<1x4x3x8xf32>) -> tensor<1x8x8x8xf32>
  return
}

// -----

// vn.linear (C1)
func.func @pixels(%x: tensor<2x7x7x64xf32>, %w: tensor<10x64xf32>) {
  // expected-error @below {{needs an input of one pixel, found 7 x 7}}
  %0 = vn.linear %x, %w : (tensor<2x7x7x64xf32>, tensor<10x64xf32>) -> tensor<2x1x1x10xf32>
  return
}

// -----

// vn.linear (C2)
func.func @linear_weight(%x: tensor<2x1x1x64xf32>, %w: tensor<10x32xf32>) {
  // expected-error @below {{needs `weight` of type 'tensor<10x64xf32>', found 'tensor<10x32xf32>'}}
  %0 = vn.linear %x, %w : (tensor<2x1x1x64xf32>, tensor<10x32xf32>) -> tensor<2x1x1x10xf32>
  return
}

// -----

// vn.linear (C3)
func.func @linear_bias(%x: tensor<2x1x1x64xf32>, %w: tensor<10x64xf32>, %b: tensor<64xf32>) {
  // expected-error @below {{needs `bias` of type 'tensor<10xf32>', found 'tensor<64xf32>'}}
  %0 = vn.linear %x, %w bias %b : (tensor<2x1x1x64xf32>, tensor<10x64xf32>, tensor<64xf32>) -> tensor<2x1x1x10xf32>
  return
}

// -----

// vn.linear (C4)
func.func @linear_result(%x: tensor<2x1x1x64xf32>, %w: tensor<10x64xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<2x1x1x64xf32>', its operands make it 'tensor<2x1x1x10xf32>'}}
  %0 = vn.linear %x, %w : (tensor<2x1x1x64xf32>, tensor<10x64xf32>) -> tensor<2x1x1x64xf32>
  return
}

// -----

// vn.batch_norm (C1)
func.func @norm(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>, %d: tensor<8xf32>) {
  // expected-error @below {{needs `mean` of type 'tensor<4xf32>', found 'tensor<8xf32>'}}
  %0 = vn.batch_norm %x, %c, %c, %d, %c epsilon 1.0e-5 momentum 0.1 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<8xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.batch_norm (C2)
func.func @norm_result(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x4x4xf32>', its operands make it 'tensor<1x8x8x4xf32>'}}
  %0 = vn.batch_norm %x, %c, %c, %c, %c epsilon 1.0e-5 momentum 0.1 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x8x4x4xf32>
  return
}

// -----

func.func @epsilon(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{attribute 'epsilon' failed to satisfy constraint: 64-bit float attribute greater than 0}}
  %0 = vn.batch_norm %x, %c, %c, %c, %c epsilon 0.0 momentum 0.1 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

func.func @momentum(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{attribute 'momentum' failed to satisfy constraint: 64-bit float attribute between 0 and 1}}
  %0 = vn.batch_norm %x, %c, %c, %c, %c epsilon 1.0e-5 momentum 1.5 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.batch_norm_training (C1)
func.func @norm_training(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>, %d: tensor<8xf32>) {
  // expected-error @below {{needs `beta` of type 'tensor<4xf32>', found 'tensor<8xf32>'}}
  %0:3 = vn.batch_norm_training %x, %c, %d epsilon 1.0e-5 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<8xf32>) -> (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

// vn.batch_norm_training (C2)
func.func @norm_training_result(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{has result #2 of type 'tensor<8xf32>', its operands make it 'tensor<4xf32>'}}
  %0:3 = vn.batch_norm_training %x, %c, %c epsilon 1.0e-5 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<8xf32>)
  return
}

// -----

// vn.layer_norm (C1)
func.func @layer_norm(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>, %d: tensor<8xf32>) {
  // expected-error @below {{needs `beta` of type 'tensor<4xf32>', found 'tensor<8xf32>'}}
  %0 = vn.layer_norm %x, %c, %d epsilon 1.0e-6 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.layer_norm (C2)
func.func @layer_norm_result(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x4x4xf32>', its operands make it 'tensor<1x8x8x4xf32>'}}
  %0 = vn.layer_norm %x, %c, %c epsilon 1.0e-6 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x8x4x4xf32>
  return
}

// -----

// vn.group_norm (C1)
func.func @group_norm(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>, %d: tensor<8xf32>) {
  // expected-error @below {{needs `beta` of type 'tensor<4xf32>', found 'tensor<8xf32>'}}
  %0 = vn.group_norm %x, %c, %d in 2 epsilon 1.0e-6 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.group_norm (C2)
func.func @group_norm_result(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x4x4xf32>', its operands make it 'tensor<1x8x8x4xf32>'}}
  %0 = vn.group_norm %x, %c, %c in 2 epsilon 1.0e-6 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x8x4x4xf32>
  return
}

// -----

// vn.group_norm (C3)
func.func @group_norm_groups(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{normalises 3 groups of 4 channels}}
  %0 = vn.group_norm %x, %c, %c in 3 epsilon 1.0e-6 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.prelu (C1)
func.func @prelu(%x: tensor<1x8x8x4xf32>, %d: tensor<8xf32>) {
  // expected-error @below {{needs `slope` of type 'tensor<4xf32>', found 'tensor<8xf32>'}}
  %0 = vn.prelu %x, %d : (tensor<1x8x8x4xf32>, tensor<8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.prelu (C2)
func.func @prelu_result(%x: tensor<1x8x8x4xf32>, %d: tensor<1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x4x4xf32>', its operands make it 'tensor<1x8x8x4xf32>'}}
  %0 = vn.prelu %x, %d : (tensor<1x8x8x4xf32>, tensor<1xf32>) -> tensor<1x8x4x4xf32>
  return
}

// -----

// vn.parameter_map (C1)
func.func @parameter_map(%w: tensor<4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8x1x2x4xf32>', its operands make it 'tensor<8x1x1x4xf32>'}}
  %0 = vn.parameter_map %w : (tensor<4xf32>) -> tensor<8x1x2x4xf32>
  return
}

// -----

// vn.parameter_map (C1)
func.func @parameter_map_channels(%w: tensor<4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8x1x1x3xf32>', its operands make it 'tensor<8x1x1x4xf32>'}}
  %0 = vn.parameter_map %w : (tensor<4xf32>) -> tensor<8x1x1x3xf32>
  return
}

// -----

// vn.scale_channels (C1)
func.func @scale_channels(%x: tensor<1x8x8x4xf32>, %d: tensor<8xf32>) {
  // expected-error @below {{needs `scale` of type 'tensor<4xf32>', found 'tensor<8xf32>'}}
  %0 = vn.scale_channels %x, %d : (tensor<1x8x8x4xf32>, tensor<8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.scale_channels (C2)
func.func @scale_channels_result(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x8x8xf32>', its operands make it 'tensor<1x8x8x4xf32>'}}
  %0 = vn.scale_channels %x, %c : (tensor<1x8x8x4xf32>, tensor<4xf32>) -> tensor<1x8x8x8xf32>
  return
}

// -----

// vn.affine (C1)
func.func @affine(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>, %d: tensor<8xf32>) {
  // expected-error @below {{needs `shift` of type 'tensor<4xf32>', found 'tensor<8xf32>'}}
  %0 = vn.affine %x, %c, %d : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<8xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// vn.affine (C2)
func.func @affine_result(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x8x8xf32>', its operands make it 'tensor<1x8x8x4xf32>'}}
  %0 = vn.affine %x, %c, %c activation relu : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x8x8x8xf32>
  return
}

// -----

// vn.activate (C1)
func.func @activate(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{requires the same type for all operands and results}}
  %0 = "vn.activate"(%x) {activation = #vn.activation<relu>} : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x8xf32>
  return
}

// -----

// vn.batch_norm_training (C3)
func.func @batch_norm_training_addend(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>, %a: tensor<1x8x8x8xf32>) {
  // expected-error @below {{needs `addend` of type 'tensor<1x8x8x4xf32>', found 'tensor<1x8x8x8xf32>'}}
  %0:3 = vn.batch_norm_training %x, %c, %c add %a epsilon 1.0e-5 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<1x8x8x8xf32>) -> (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

// vn.batch_norm_training (C3)
func.func @batch_norm_training_sums(%x: tensor<1x8x8x4xf32>, %c: tensor<4xf32>, %s: tensor<2x8xf64>) {
  // expected-error @below {{needs `sums` of type 'tensor<2x4xf64>', found 'tensor<2x8xf64>'}}
  %0:3 = vn.batch_norm_training %x, %c, %c sums %s epsilon 1.0e-5 : (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<2x8xf64>) -> (tensor<1x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

// vn.fused_convolution (C7)
func.func @fused_convolution_sums(%x: tensor<1x8x8x4xf32>, %w: tensor<4x4x3x3xf32>) {
  // expected-error @below {{has result #1 of type 'tensor<2x8xf64>', its operands make it 'tensor<2x4xf64>'}}
  %0:2 = vn.fused_convolution %x, %w padding [1, 1, 1, 1] : (tensor<1x8x8x4xf32>, tensor<4x4x3x3xf32>) -> (tensor<1x8x8x4xf32>, tensor<2x8xf64>)
  return
}

// -----

// vn.fused_convolution (C8)
func.func @fused_mixed(%x: tensor<1x8x8x4xbf16>, %w: tensor<4x4x1x1xf32>, %r: tensor<1x8x8x4xf32>) {
  // expected-error @below {{mixes maps of different element types, 'tensor<1x8x8x4xbf16>' and 'tensor<1x8x8x4xf32>': `vn.cast` one of them}}
  %0 = vn.fused_convolution %x, %w add %r : (tensor<1x8x8x4xbf16>, tensor<4x4x1x1xf32>, tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xbf16>
  return
}

// -----

// A result has the element type of the map that it follows from.
func.func @widened(%x: tensor<1x8x8x4xbf16>, %w: tensor<4x4x1x1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<1x8x8x4xf32>', its operands make it 'tensor<1x8x8x4xbf16>'}}
  %0 = vn.convolution %x, %w : (tensor<1x8x8x4xbf16>, tensor<4x4x1x1xf32>) -> tensor<1x8x8x4xf32>
  return
}

// -----

// Parameters are f32.
func.func @bf16_weight(%x: tensor<1x8x8x4xbf16>, %w: tensor<4x4x1x1xbf16>) {
  // expected-error @below {{operand #1 must be static O x I x KH x KW f32 tensor}}
  %0 = vn.convolution %x, %w : (tensor<1x8x8x4xbf16>, tensor<4x4x1x1xbf16>) -> tensor<1x8x8x4xbf16>
  return
}

// -----

// Statistics are f32, of maps of either type.
func.func @bf16_statistics(%x: tensor<8x4x4x4xbf16>, %g: tensor<4xf32>) {
  // expected-error @below {{result #1 must be static f32 vector, but got 'tensor<4xbf16>'}}
  %y, %mean, %var = vn.batch_norm_training %x, %g, %g epsilon 1.0e-5 : (tensor<8x4x4x4xbf16>, tensor<4xf32>, tensor<4xf32>) -> (tensor<8x4x4x4xbf16>, tensor<4xbf16>, tensor<4xbf16>)
  return
}

// -----

// A gradient has the type of what it is the gradient of.
func.func @mixed_gradient(%x: tensor<1x8x8x4xbf16>, %dy: tensor<1x8x8x4xf32>) {
  // expected-error @below {{needs `dy` of type 'tensor<1x8x8x4xbf16>'}}
  %dw = vn.convolution_weight_grad %x, %dy : (tensor<1x8x8x4xbf16>, tensor<1x8x8x4xf32>) -> tensor<4x4x1x1xf32>
  return
}

// -----

// Losses are computed of f32.
func.func @bf16_loss(%x: tensor<8x1x1x4xbf16>, %l: tensor<8xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{operand #0 must be static N x H x W x C f32 tensor}}
  %loss = vn.softmax_cross_entropy %x, %l, %s : (tensor<8x1x1x4xbf16>, tensor<8xi32>, tensor<1xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @unknown_activation(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{unknown activation `swish`}}
  %0 = vn.activate swish %x : tensor<1x8x8x4xf32>
  return
}

// -----

func.func @falling_leaky_relu(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{`leaky_relu` of numbers that it does not take}}
  %0 = vn.activate leaky_relu(-0.5) %x : tensor<1x8x8x4xf32>
  return
}

// -----

func.func @missing_numbers(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{expected ','}}
  %0 = vn.activate scale_shift(2.0) %x : tensor<1x8x8x4xf32>
  return
}

// -----

func.func @number_too_large(%x: tensor<1x8x8x4xf32>) {
  // expected-error @below {{`scale_shift` of numbers that it does not take}}
  %0 = vn.activate scale_shift(1.0e300, 0.0) %x : tensor<1x8x8x4xf32>
  return
}
