// RUN: vernier-opt %s --vn-training-form --vn-differentiate --vn-choose-precision="maps=bf16 function=train_step" | FileCheck %s
// RUN: vernier-opt %s --vn-training-form --vn-differentiate --vn-choose-precision="maps=bf16 function=train_step" | FileCheck %s --check-prefix=INFER

// Maps and their gradients; parameters, their gradients, statistics and the loss with its logits stay f32.
// CHECK-LABEL: func.func @train_step(
// CHECK: %[[X:.*]] = vn.cast %{{.*}} : (tensor<2x4x4x4xf32>) -> tensor<2x4x4x4xbf16>
// CHECK: vn.convolution %[[X]], {{.*}} : (tensor<2x4x4x4xbf16>, tensor<4x4x3x3xf32>) -> tensor<2x4x4x4xbf16>
// CHECK: vn.batch_norm_training {{.*}} -> (tensor<2x4x4x4xbf16>, tensor<4xf32>, tensor<4xf32>)
// CHECK: %[[L:.*]] = vn.linear {{.*}} -> tensor<2x1x1x3xbf16>
// CHECK: %[[LOGITS:.*]] = vn.cast %[[L]] : (tensor<2x1x1x3xbf16>) -> tensor<2x1x1x3xf32>
// CHECK: %[[LOSS:.*]] = vn.softmax_cross_entropy %[[LOGITS]], {{.*}} -> tensor<1xf32>
// CHECK: %[[G:.*]] = vn.softmax_cross_entropy_grad %[[LOGITS]], {{.*}}tensor<2x1x1x3xf32>
// CHECK: %[[DY:.*]] = vn.cast %[[G]] : (tensor<2x1x1x3xf32>) -> tensor<2x1x1x3xbf16>
// CHECK: vn.linear_weight_grad %{{.*}}, %[[DY]] : (tensor<2x1x1x4xbf16>, tensor<2x1x1x3xbf16>) -> tensor<3x4xf32>
// CHECK: vn.batch_norm_grad {{.*}} -> (tensor<2x4x4x4xbf16>, tensor<4xf32>, tensor<4xf32>)
// CHECK: vn.convolution_weight_grad {{.*}} : (tensor<2x4x4x4xbf16>, tensor<2x4x4x4xbf16>) -> tensor<4x4x3x3xf32>
// The gradient of a weight that nothing uses is a weight, too.
// CHECK: %[[Z:.*]] = vn.zeros : tensor<4x4x1x1xf32>
// CHECK: vn.store_gradient "unused.weight", %[[Z]]
// CHECK: return %[[LOSS]], %[[LOGITS]]

// INFER-LABEL: func.func @infer(
// INFER-NOT: bf16
// INFER: func.func @train_step(
func.func @infer(%x: tensor<2x4x4x4xf32>) -> tensor<2x1x1x3xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x4x3x3xf32>
  %gamma = vn.parameter "bn.weight" gamma : tensor<4xf32>
  %beta = vn.parameter "bn.bias" beta : tensor<4xf32>
  %mean = vn.parameter "bn.running_mean" running_mean : tensor<4xf32>
  %var = vn.parameter "bn.running_var" running_var : tensor<4xf32>
  %u = vn.parameter "unused.weight" convolution_weight : tensor<4x4x1x1xf32>
  %m = vn.parameter "fc.weight" linear_weight : tensor<3x4xf32>
  %c = vn.convolution %x, %w padding [1, 1, 1, 1] : (tensor<2x4x4x4xf32>, tensor<4x4x3x3xf32>) -> tensor<2x4x4x4xf32>
  %n = vn.batch_norm %c, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 0.1 : (tensor<2x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4x4x4xf32>
  %g = vn.global_avg_pool %n : (tensor<2x4x4x4xf32>) -> tensor<2x1x1x4xf32>
  %l = vn.linear %g, %m : (tensor<2x1x1x4xf32>, tensor<3x4xf32>) -> tensor<2x1x1x3xf32>
  return %l : tensor<2x1x1x3xf32>
}
