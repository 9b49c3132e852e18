// RUN: vernier-opt %s --vn-differentiate --split-input-file --verify-diagnostics | FileCheck %s
// What training minimises where the specification says it.

// Two targets; `side` is for its loss alone, and leaves @infer with its weight; what nothing reads stays.
// CHECK-LABEL: @infer
// CHECK: vn.parameter "unread.weight"
// CHECK-NOT: side.weight
// CHECK-NOT: vn.minimize
// CHECK-NOT: vn.target
// CHECK-LABEL: @train_step
// CHECK-SAME: (%[[IMAGE:.*]]: tensor<2x4x4x3xf32>, %[[MASK:.*]]: tensor<2x4x4xi32>, %[[EDGE:.*]]: tensor<2x4x4x1xf32>)
// CHECK-SAME: vn.inputs = ["<image>", "mask", "edge"]
// CHECK-SAME: vn.outputs = ["loss", "classes", "loss.edge"]
// CHECK-SAME: vn.targets = ["mask", "edge"]
// CHECK: %[[Y:.*]] = vn.convolution %[[IMAGE]], %[[W:.*]] {vn.place = "classes"}
// CHECK: %[[S:.*]] = vn.convolution %[[IMAGE]], %[[V:.*]] {vn.place = "side"}
// CHECK: %[[SMOOTH:.*]] = vn.number 1.000000e-01
// CHECK: %[[COUNT:.*]] = vn.count_labels %[[MASK]] ignored 255
// CHECK: %[[A:.*]] = vn.softmax_cross_entropy %[[Y]], %[[MASK]], %[[SMOOTH]], %[[COUNT]] ignored 255
// CHECK: %[[B:.*]] = vn.pointwise_loss binary %[[S]], %[[EDGE]]
// CHECK: %[[C:.*]] = vn.pointwise_loss squared %[[S]], %[[EDGE]]
// CHECK: %[[LOSS:.*]] = vn.weighted_sum %[[A]], %[[B]], %[[C]], %[[A]] weights [1.000000e+00, 4.000000e-01, 2.000000e+00, 5.000000e-01]
// CHECK: %[[NAMED:.*]] = vn.weighted_sum %[[B]], %[[C]] weights [4.000000e-01, 2.000000e+00]
// CHECK: vn.pointwise_loss_grad squared %[[S]], %[[EDGE]] weight 2.000000e+00
// CHECK: vn.pointwise_loss_grad binary %[[S]], %[[EDGE]] weight 4.000000e-01
// CHECK: vn.softmax_cross_entropy_grad %[[Y]], %[[MASK]], %[[SMOOTH]], %[[COUNT]] ignored 255 weight 1.500000e+00
// CHECK: vn.store_gradient "side.weight"
// CHECK: vn.store_gradient "classes.weight"
// CHECK: return %[[LOSS]], %[[Y]], %[[NAMED]]
func.func @infer(%x: tensor<2x4x4x3xf32>) -> tensor<2x4x4x5xf32> attributes {vn.outputs = ["classes"]} {
  %unread = vn.parameter "unread.weight" convolution_weight : tensor<5x3x1x1xf32>
  %mask = vn.target "mask" : tensor<2x4x4xi32>
  %edge = vn.target "edge" : tensor<2x4x4x1xf32>
  %w = vn.parameter "classes.weight" convolution_weight : tensor<5x3x1x1xf32>
  %y = vn.convolution %x, %w {vn.place = "classes"} : (tensor<2x4x4x3xf32>, tensor<5x3x1x1xf32>) -> tensor<2x4x4x5xf32>
  %v = vn.parameter "side.weight" convolution_weight : tensor<1x3x1x1xf32>
  %s = vn.convolution %x, %v {vn.place = "side"} : (tensor<2x4x4x3xf32>, tensor<1x3x1x1xf32>) -> tensor<2x4x4x1xf32>
  %smooth = vn.number 0.1 : tensor<1xf32>
  %count = vn.count_labels %mask ignored 255 : (tensor<2x4x4xi32>) -> tensor<1xf32>
  %a = vn.softmax_cross_entropy %y, %mask, %smooth, %count ignored 255 : (tensor<2x4x4x5xf32>, tensor<2x4x4xi32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1xf32>
  %b = vn.pointwise_loss binary %s, %edge : (tensor<2x4x4x1xf32>, tensor<2x4x4x1xf32>) -> tensor<1xf32>
  %c = vn.pointwise_loss squared %s, %edge : (tensor<2x4x4x1xf32>, tensor<2x4x4x1xf32>) -> tensor<1xf32>
  vn.minimize %a weight 1.0 : tensor<1xf32>
  vn.minimize %b weight 0.4 name "edge" : tensor<1xf32>
  vn.minimize %c weight 2.0 name "edge" : tensor<1xf32>
  vn.minimize %a weight 0.5 : tensor<1xf32>
  return %y : tensor<2x4x4x5xf32>
}

// -----

// Two maps of the network are compared: both have a gradient. One term of weight 1 is the loss.
// CHECK-LABEL: @train_step
// CHECK: %[[Y:.*]] = vn.convolution
// CHECK: %[[Z:.*]] = vn.convolution
// CHECK: %[[LOSS:.*]] = vn.pointwise_loss smooth_l1 %[[Y]], %[[Z]] sharpness 5.000000e-01
// CHECK-NOT: vn.weighted_sum
// CHECK: %[[DY:.*]] = vn.pointwise_loss_grad smooth_l1 %[[Y]], %[[Z]] sharpness 5.000000e-01
// CHECK: %[[DZ:.*]] = vn.activate scale_shift(-1.000000e+00, 0.000000e+00) %[[DY]]
// CHECK: vn.convolution_weight_grad %{{.*}}, %[[DZ]]
// CHECK: vn.convolution_weight_grad %{{.*}}, %[[DY]]
// CHECK: return %[[LOSS]], %[[Y]]
func.func @infer(%x: tensor<2x4x4x3xf32>) -> tensor<2x4x4x5xf32> attributes {vn.outputs = ["classes"]} {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x3x1x1xf32>
  %y = vn.convolution %x, %w : (tensor<2x4x4x3xf32>, tensor<5x3x1x1xf32>) -> tensor<2x4x4x5xf32>
  %v = vn.parameter "b.weight" convolution_weight : tensor<5x3x1x1xf32>
  %z = vn.convolution %x, %v : (tensor<2x4x4x3xf32>, tensor<5x3x1x1xf32>) -> tensor<2x4x4x5xf32>
  %a = vn.pointwise_loss smooth_l1 %y, %z sharpness 0.5 : (tensor<2x4x4x5xf32>, tensor<2x4x4x5xf32>) -> tensor<1xf32>
  vn.minimize %a weight 1.0 : tensor<1xf32>
  return %y : tensor<2x4x4x5xf32>
}

// -----

func.func @infer(%x: tensor<2x4x4x3xf32>) -> tensor<2x4x4x5xf32> attributes {vn.outputs = ["classes"]} {
  %w = vn.parameter "a.weight" convolution_weight : tensor<5x3x1x1xf32>
  %y = vn.convolution %x, %w : (tensor<2x4x4x3xf32>, tensor<5x3x1x1xf32>) -> tensor<2x4x4x5xf32>
  // expected-error @below {{the target of a focal loss depends on parameters that are trained}}
  %a = vn.pointwise_loss focal %y, %y : (tensor<2x4x4x5xf32>, tensor<2x4x4x5xf32>) -> tensor<1xf32>
  vn.minimize %a weight 1.0 : tensor<1xf32>
  return %y : tensor<2x4x4x5xf32>
}
