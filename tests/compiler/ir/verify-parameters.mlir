// RUN: vernier-opt %s --split-input-file --verify-diagnostics
// Each constraint of holes, parameters and what derives from them, by its label in the op's documentation.

// vn.hole (C1)
// expected-error @below {{is learned: needs a seed of positive numbers and no choices}}
vn.hole @layer1.channels learned seed [16, 0, 16]

// -----

// vn.hole (C2)
// expected-error @below {{is chosen: needs choices, no seed and no budget}}
vn.hole @width choose seed [16] from [0.5, 1.0]

// -----

// vn.hole (C3)
// expected-error @below {{needs a positive limit if and only if it has a budget, found 0}}
vn.hole @layer1.channels learned seed [16, 16] within macs 0

// -----

// vn.hole (C3)
// expected-error @below {{needs a positive limit if and only if it has a budget, found 9}}
"vn.hole"() {sym_name = "layer1.channels", kind = 0 : i32, seed = array<i64: 16>, limit = 9 : i64} : () -> ()

// -----

// vn.parameter (C1)
func.func @rank() {
  // expected-error @below {{of kind gamma needs rank 1, found 'tensor<4x4xf32>'}}
  %0 = vn.parameter "bn1.weight" gamma : tensor<4x4xf32>
  return
}

// -----

// vn.parameter (C2)
func.func @initial() {
  // expected-error @below {{of kind beta has an initial value, as only gamma can}}
  %0 = vn.parameter "bn1.bias" beta initial 1.0 : tensor<4xf32>
  return
}

// -----

// vn.fold_weight (C1)
func.func @fold_weight(%w: tensor<8x6x3x3xf32>, %c: tensor<8xf32>, %d: tensor<6xf32>) {
  // expected-error @below {{needs `var` of type 'tensor<8xf32>', found 'tensor<6xf32>'}}
  %0 = vn.fold_weight %w, %c, %d epsilon 1.0e-5 : (tensor<8x6x3x3xf32>, tensor<8xf32>, tensor<6xf32>) -> tensor<8x6x3x3xf32>
  return
}

// -----

// vn.fold_weight (C2)
func.func @fold_weight_result(%w: tensor<8x6xf32>, %c: tensor<8xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<6x8xf32>', its operands make it 'tensor<8x6xf32>'}}
  %0 = vn.fold_weight %w, %c, %c epsilon 1.0e-5 : (tensor<8x6xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<6x8xf32>
  return
}

// -----

// vn.fold_scale (C1)
func.func @fold_scale(%c: tensor<8xf32>, %d: tensor<6xf32>) {
  // expected-error @below {{needs `var` of type 'tensor<8xf32>', found 'tensor<6xf32>'}}
  %0 = vn.fold_scale %c, %d epsilon 1.0e-5 : (tensor<8xf32>, tensor<6xf32>) -> tensor<8xf32>
  return
}

// -----

// vn.fold_scale (C2)
func.func @fold_scale_result(%c: tensor<8xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<6xf32>', its operands make it 'tensor<8xf32>'}}
  %0 = vn.fold_scale %c, %c epsilon 1.0e-5 : (tensor<8xf32>, tensor<8xf32>) -> tensor<6xf32>
  return
}

// -----

// vn.scale_parameter (C1)
func.func @scale_parameter(%w: tensor<8x6x3x3xf32>, %d: tensor<6xf32>) {
  // expected-error @below {{needs `scale` of type 'tensor<8xf32>', found 'tensor<6xf32>'}}
  %0 = vn.scale_parameter %w, %d : (tensor<8x6x3x3xf32>, tensor<6xf32>) -> tensor<8x6x3x3xf32>
  return
}

// -----

// vn.scale_parameter (C2)
func.func @scale_parameter_result(%b: tensor<8xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<6xf32>', its operands make it 'tensor<8xf32>'}}
  %0 = vn.scale_parameter %b, %b : (tensor<8xf32>, tensor<8xf32>) -> tensor<6xf32>
  return
}

// -----

// vn.fold_bias (C1)
func.func @fold_bias(%c: tensor<8xf32>, %d: tensor<6xf32>) {
  // expected-error @below {{needs `bias` of type 'tensor<8xf32>', found 'tensor<6xf32>'}}
  %0 = vn.fold_bias %c, %c, %c, %c bias %d epsilon 1.0e-5 : (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<6xf32>) -> tensor<8xf32>
  return
}

// -----

// vn.fold_bias (C2)
func.func @fold_bias_result(%c: tensor<8xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<6xf32>', its operands make it 'tensor<8xf32>'}}
  %0 = vn.fold_bias %c, %c, %c, %c epsilon 1.0e-5 : (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<6xf32>
  return
}

// -----

// vn.slice_parameter (C1)
func.func @slice_outside(%w: tensor<8x6x3x3xf32>) {
  // expected-error @below {{takes 4 inputs from 3 of 6}}
  %0 = vn.slice_parameter %w from 3 : (tensor<8x6x3x3xf32>) -> tensor<8x4x3x3xf32>
  return
}

// -----

// vn.slice_parameter (C2)
func.func @slice_result(%w: tensor<8x6x3x3xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8x4x1x1xf32>', its operands make it 'tensor<8x4x3x3xf32>'}}
  %0 = vn.slice_parameter %w from 2 : (tensor<8x6x3x3xf32>) -> tensor<8x4x1x1xf32>
  return
}

// -----

// vn.slice_parameter (C2)
func.func @slice_rank(%w: tensor<8x6xf32>) {
  // expected-error @below {{takes 'tensor<6xf32>' out of 'tensor<8x6xf32>'}}
  %0 = vn.slice_parameter %w from 0 : (tensor<8x6xf32>) -> tensor<6xf32>
  return
}

// -----

// vn.concat_parameters (C1)
func.func @concat_nothing() {
  // expected-error @below {{needs at least one input}}
  %0 = "vn.concat_parameters"() : () -> tensor<8xf32>
  return
}

// -----

// vn.concat_parameters (C2)
func.func @concat_outputs(%a: tensor<8x6x1x1xf32>, %b: tensor<4x6x1x1xf32>) {
  // expected-error @below {{joins 'tensor<8x6x1x1xf32>' and 'tensor<4x6x1x1xf32>'}}
  %0 = vn.concat_parameters %a, %b : (tensor<8x6x1x1xf32>, tensor<4x6x1x1xf32>) -> tensor<8x12x1x1xf32>
  return
}

// -----

// vn.concat_parameters (C3)
func.func @concat_result(%a: tensor<8xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8xf32>', its operands make it 'tensor<12xf32>'}}
  %0 = vn.concat_parameters %a, %b : (tensor<8xf32>, tensor<4xf32>) -> tensor<8xf32>
  return
}

// -----

// vn.embed_parameter (C1)
func.func @embed_outside(%w: tensor<8x4x1x1xf32>) {
  // expected-error @below {{places 4 inputs at 3 of 6}}
  %0 = vn.embed_parameter %w at 3 : (tensor<8x4x1x1xf32>) -> tensor<8x6x1x1xf32>
  return
}

// -----

// vn.embed_parameter (C2)
func.func @embed_result(%w: tensor<8x4x1x1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<4x6x1x1xf32>', its operands make it 'tensor<8x6x1x1xf32>'}}
  %0 = vn.embed_parameter %w at 0 : (tensor<8x4x1x1xf32>) -> tensor<4x6x1x1xf32>
  return
}

// -----

// vn.spread_parameter (C1)
func.func @spread_runs(%w: tensor<8x6x1x1xf32>) {
  // expected-error @below {{has runs of 7 channels along dimension 1 of 'tensor<8x6x1x1xf32>'}}
  %0 = vn.spread_parameter %w to 4 inputs [3, 4] : (tensor<8x6x1x1xf32>) -> tensor<8x8x1x1xf32>
  return
}

// -----

// vn.spread_parameter (C1)
func.func @spread_nothing(%w: tensor<8x6xf32>) {
  // expected-error @below {{has a run of 0 channels}}
  %0 = vn.spread_parameter %w to 4 outputs [8, 0] : (tensor<8x6xf32>) -> tensor<8x6xf32>
  return
}

// -----

// vn.spread_parameter (C1)
func.func @spread_vector(%w: tensor<8xf32>) {
  // expected-error @below {{has runs of 8 channels along dimension 1 of 'tensor<8xf32>'}}
  %0 = vn.spread_parameter %w to 4 inputs [8] : (tensor<8xf32>) -> tensor<8xf32>
  return
}

// -----

// vn.spread_parameter (C2)
func.func @spread_result(%w: tensor<8x6x1x1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8x8x1x1xf32>', its operands make it 'tensor<8x12x1x1xf32>'}}
  %0 = vn.spread_parameter %w to 4 inputs [1, 1, 4] : (tensor<8x6x1x1xf32>) -> tensor<8x8x1x1xf32>
  return
}

// -----

// vn.update_running (C1)
func.func @update(%c: tensor<8xf32>, %d: tensor<6xf32>) {
  // expected-error @below {{has a mean of type 'tensor<8xf32>', a variance of 'tensor<6xf32>'}}
  vn.update_running "bn1.running_mean", "bn1.running_var", %c, %d momentum 0.1 count 64 : tensor<8xf32>, tensor<6xf32>
  return
}

// -----

// expected-error @below {{`vn.scopes` must be an array of [place, block]}}
func.func @scopes() attributes {vn.scopes = [["layer1"]]} {
  return
}

// -----

// expected-error @below {{unknown attribute `vn.palce`}}
func.func @unknown() attributes {vn.palce = "conv1"} {
  return
}
