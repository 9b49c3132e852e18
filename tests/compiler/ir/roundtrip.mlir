// Custom and generic form say the same; defaults are not printed. (Every op's example is parsed by check_examples.py.)
// RUN: vernier-opt %s | vernier-opt | FileCheck %s
// RUN: vernier-opt %s --mlir-print-op-generic | vernier-opt | FileCheck %s

// CHECK: module attributes {vn.model = "small"}
module attributes {vn.model = "small"} {
  // CHECK: vn.hole @layer1.0.channels learned seed [16, 16] within macs 2359296{{$}}
  vn.hole @layer1.0.channels learned seed [16, 16] within macs 2359296
  // CHECK: vn.hole @"2nd width" choose from [4.500000e-01, 1.000000e+00]{{$}}
  vn.hole @"2nd width" choose from [0.45, 1.0]
  // CHECK: func.func @infer(%[[X:.*]]: tensor<1x8x8x4xf32>) -> tensor<1x4x4x6xf32> attributes {vn.outputs = ["logits"]}
  func.func @infer(%x: tensor<1x8x8x4xf32>) -> tensor<1x4x4x6xf32> attributes {vn.outputs = ["logits"]} {
    // CHECK: %[[W:.*]] = vn.parameter "conv1.weight" convolution_weight {vn.place = "conv1"} : tensor<6x2x3x3xf32>
    %w = vn.parameter "conv1.weight" convolution_weight {vn.place = "conv1"} : tensor<6x2x3x3xf32>
    // CHECK: vn.convolution %[[X]], %[[W]] strides [2, 2] padding [1, 1, 1, 1] groups 2 hole @layer1.0.channels[1] {vn.place = "conv1"} :
    %c = vn.convolution %x, %w strides [2, 2] padding [1, 1, 1, 1] dilations [1, 1] groups 2 hole @layer1.0.channels[1] {vn.place = "conv1"} : (tensor<1x8x8x4xf32>, tensor<6x2x3x3xf32>) -> tensor<1x4x4x6xf32>
    // CHECK: vn.fused_convolution %[[X]], %[[W]] add %{{.*}} strides [2, 2] padding [1, 1, 1, 1] groups 2 :
    %f = vn.fused_convolution %x, %w add %c activation none strides [2, 2] padding [1, 1, 1, 1] groups 2 : (tensor<1x8x8x4xf32>, tensor<6x2x3x3xf32>, tensor<1x4x4x6xf32>) -> tensor<1x4x4x6xf32>
    // CHECK: vn.transposed_convolution %[[X]], %[[W2:.*]] padding [1, 1, 1, 1] hole @layer1.0.channels[0] :
    %w2 = vn.parameter "up.weight" convolution_weight : tensor<4x6x3x3xf32>
    %t = vn.transposed_convolution %x, %w2 activation none strides [1, 1] padding [1, 1, 1, 1] output_padding [0, 0] hole @layer1.0.channels[0] : (tensor<1x8x8x4xf32>, tensor<4x6x3x3xf32>) -> tensor<1x8x8x6xf32>
    // CHECK: vn.avg_pool %[[X]] kernel [2, 2] strides [2, 2] :
    %p = vn.avg_pool %x kernel [2, 2] strides [2, 2] padding [0, 0, 0, 0] count_padding true : (tensor<1x8x8x4xf32>) -> tensor<1x4x4x4xf32>
    // CHECK: vn.activate leaky_relu(2.500000e-01) %
    %l = vn.activate leaky_relu(0.25) %f : tensor<1x4x4x6xf32>
    // CHECK: vn.activate_grad gelu_tanh %
    %g = vn.activate_grad gelu_tanh %f, %l : tensor<1x4x4x6xf32>
    // CHECK: vn.subtract %{{.*}}, %{{.*}} activation scale_shift(-2.000000e+00, 5.000000e-01) :
    %d = vn.subtract %l, %g activation scale_shift(-2.0, 0.5) : (tensor<1x4x4x6xf32>, tensor<1x4x4x6xf32>) -> tensor<1x4x4x6xf32>
    return %d : tensor<1x4x4x6xf32>
  }
}
