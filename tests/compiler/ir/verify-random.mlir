// RUN: vernier-opt %s --split-input-file --verify-diagnostics

// vn.dropout (C1)
func.func @rate(%x: tensor<2x4x4x5xf32>) {
  // expected-error @below {{drops with probability 1.0}}
  %0 = vn.dropout element rate 1.0 stream 7 %x : tensor<2x4x4x5xf32>
  return
}

// -----

// vn.dropout (C2)
func.func @result(%x: tensor<2x4x4x5xf32>) {
  // expected-error @below {{requires the same type for all operands and results}}
  %0 = "vn.dropout"(%x) {part = 0 : i32, rate = 0.5 : f64, stream = 7 : i64} : (tensor<2x4x4x5xf32>) -> tensor<2x4x4x6xf32>
  return
}

// -----

// vn.keep_mask (C1)
func.func @state(%state: tensor<3xi32>) {
  // expected-error @below {{needs a state of two numbers}}
  %0 = vn.keep_mask %state rate 0.5 stream 7 : tensor<3xi32> -> tensor<2x4x4x5xf32>
  return
}

// -----

// vn.keep_mask (C2)
func.func @rate_of_mask(%state: tensor<2xi32>) {
  // expected-error @below {{drops with probability -}}
  %0 = vn.keep_mask %state rate -0.5 stream 7 : tensor<2xi32> -> tensor<2x4x4x5xf32>
  return
}
