// RUN: vernier-opt %s --vn-evaluation-form --split-input-file --verify-diagnostics | FileCheck %s
// Losses of each image, by running statistics, and nothing dropped.

// CHECK-LABEL: @infer
// CHECK-SAME: (%[[IMAGE:.*]]: tensor<2x4x4x3xf32>, %[[MASK:.*]]: tensor<2x4x4xi32>, %[[EDGE:.*]]: tensor<2x4x4x1xf32>)
// CHECK-SAME: -> (tensor<2xf32>, tensor<2x4x4x5xf32>, tensor<2xf32>)
// CHECK-SAME: vn.inputs = ["<image>", "mask", "edge"]
// CHECK-SAME: vn.outputs = ["loss", "classes", "loss.edge"]
// CHECK-SAME: vn.targets = ["mask", "edge"]
// CHECK-NOT: vn.dropout
// CHECK: %[[Y:.*]] = vn.batch_norm
// CHECK: %[[S:.*]] = vn.convolution %[[IMAGE]], %{{.*}} {vn.place = "side"}
// CHECK: %[[SMOOTH:.*]] = vn.number 1.000000e-01 : tensor<1xf32>
// CHECK: %[[COUNT:.*]] = vn.count_labels %[[MASK]] ignored 255 each_image : (tensor<2x4x4xi32>) -> tensor<2xf32>
// CHECK: %[[A:.*]] = vn.softmax_cross_entropy %[[Y]], %[[MASK]], %[[SMOOTH]], %[[COUNT]] ignored 255 each_image
// CHECK: %[[B:.*]] = vn.pointwise_loss binary %[[S]], %[[EDGE]] each_image
// CHECK: %[[LOSS:.*]] = vn.weighted_sum %[[A]], %[[B]] weights [1.000000e+00, 4.000000e-01] {vn.place = "loss"} : tensor<2xf32>, tensor<2xf32> -> tensor<2xf32>
// CHECK: %[[NAMED:.*]] = vn.weighted_sum %[[B]] weights [4.000000e-01]
// CHECK: return %[[LOSS]], %[[Y]], %[[NAMED]]
func.func @infer(%x: tensor<2x4x4x3xf32>) -> tensor<2x4x4x5xf32> attributes {vn.outputs = ["classes"]} {
  %mask = vn.target "mask" : tensor<2x4x4xi32>
  %edge = vn.target "edge" : tensor<2x4x4x1xf32>
  %unread = vn.parameter "unread.weight" convolution_weight : tensor<1x3x1x1xf32>
  %w = vn.parameter "classes.weight" convolution_weight : tensor<5x3x1x1xf32>
  %c = vn.convolution %x, %w {vn.place = "classes"} : (tensor<2x4x4x3xf32>, tensor<5x3x1x1xf32>) -> tensor<2x4x4x5xf32>
  %g = vn.parameter "bn.weight" gamma : tensor<5xf32>
  %h = vn.parameter "bn.bias" beta : tensor<5xf32>
  %m = vn.parameter "bn.running_mean" running_mean : tensor<5xf32>
  %v = vn.parameter "bn.running_var" running_var : tensor<5xf32>
  %n = vn.batch_norm %c, %g, %h, %m, %v epsilon 1.0e-5 momentum 0.1 : (tensor<2x4x4x5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x4x4x5xf32>
  %y = vn.dropout element rate 0.5 stream 0 %n : tensor<2x4x4x5xf32>
  %u = vn.parameter "side.weight" convolution_weight : tensor<1x3x1x1xf32>
  %s = vn.convolution %x, %u {vn.place = "side"} : (tensor<2x4x4x3xf32>, tensor<1x3x1x1xf32>) -> tensor<2x4x4x1xf32>
  %smooth = vn.number 0.1 : tensor<1xf32>
  %count = vn.count_labels %mask ignored 255 : (tensor<2x4x4xi32>) -> tensor<1xf32>
  %a = vn.softmax_cross_entropy %y, %mask, %smooth, %count ignored 255 : (tensor<2x4x4x5xf32>, tensor<2x4x4xi32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1xf32>
  %b = vn.pointwise_loss binary %s, %edge : (tensor<2x4x4x1xf32>, tensor<2x4x4x1xf32>) -> tensor<1xf32>
  vn.minimize %a weight 1.0 : tensor<1xf32>
  vn.minimize %b weight 0.4 name "edge" : tensor<1xf32>
  return %y : tensor<2x4x4x5xf32>
}

// -----

// expected-error @below {{needs a function @infer of one image that declares losses}}
module {
  func.func @infer(%x: tensor<2x4x4x3xf32>) -> tensor<2x4x4x3xf32> attributes {vn.outputs = ["y"]} {
    return %x : tensor<2x4x4x3xf32>
  }
}
