// RUN: vernier-opt %s --split-input-file --verify-diagnostics --vn-drop-empty

func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x0xf32> {
  %a = vn.parameter "a.weight" convolution_weight : tensor<0x5x1x1xf32>
  %0 = vn.convolution %x, %a : (tensor<1x4x4x5xf32>, tensor<0x5x1x1xf32>) -> tensor<1x4x4x0xf32>
  // expected-error @+2 {{every branch of the concat has 0 channels at `layer1.0.concat1`}}
  // expected-note @+1 {{help: give at least one of them a channel}}
  %y = vn.concat %0, %0 {vn.place = "layer1.0.concat1"} : (tensor<1x4x4x0xf32>, tensor<1x4x4x0xf32>) -> tensor<1x4x4x0xf32>
  return %y : tensor<1x4x4x0xf32>
}

// -----

// A convolution of nothing is its bias: not a branch that can be left out.
func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x3xf32> {
  %a = vn.parameter "a.weight" convolution_weight : tensor<0x5x1x1xf32>
  %b = vn.parameter "b.weight" convolution_weight : tensor<3x0x1x1xf32>
  %0 = vn.convolution %x, %a : (tensor<1x4x4x5xf32>, tensor<0x5x1x1xf32>) -> tensor<1x4x4x0xf32>
  // expected-error @+1 {{'vn.convolution' depends on a map of 0 channels at `b`}}
  %y = vn.convolution %0, %b {vn.place = "b"} : (tensor<1x4x4x0xf32>, tensor<3x0x1x1xf32>) -> tensor<1x4x4x3xf32>
  return %y : tensor<1x4x4x3xf32>
}

// -----

func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x0xf32> {
  %a = vn.parameter "a.weight" convolution_weight : tensor<0x5x1x1xf32>
  %0 = vn.convolution %x, %a : (tensor<1x4x4x5xf32>, tensor<0x5x1x1xf32>) -> tensor<1x4x4x0xf32>
  // expected-error @+1 {{'func.return' depends on a map of 0 channels}}
  return %0 : tensor<1x4x4x0xf32>
}
