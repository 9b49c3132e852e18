// RUN: vernier-opt %s --split-input-file --vn-differentiate="loss=softmax" | FileCheck %s
// RUN: vernier-opt %s --split-input-file --vn-differentiate="loss=binary" | FileCheck %s --check-prefix=BINARY

// Batch norm in training form, one gradient per trainable parameter, none for the image, each at its place.
// CHECK-LABEL: @infer
// CHECK: vn.batch_norm
// CHECK-LABEL: @train_step
// CHECK-SAME: (%[[X:.*]]: tensor<2x8x8x3xf32>, %[[L:.*]]: tensor<2xi32>, %[[S:.*]]: tensor<1xf32>) -> (tensor<1xf32>, tensor<2x1x1x4xf32>)
// CHECK-SAME: vn.outputs = ["loss", "logits"]
// CHECK-DAG: %[[W:.*]] = vn.parameter "conv.weight"
// CHECK-DAG: %[[C:.*]] = vn.convolution %[[X]], %[[W]]
// CHECK-DAG: %[[G:.*]] = vn.parameter "bn.weight"
// CHECK-DAG: %[[B:.*]] = vn.parameter "bn.bias"
// CHECK-NOT: running_mean : tensor
// CHECK: %[[N:.*]], %[[M:.*]], %[[V:.*]] = vn.batch_norm_training %[[C]], %[[G]], %[[B]] epsilon 1.0{{.*}}e-05 {vn.place = "bn"}
// CHECK: vn.update_running "bn.running_mean", "bn.running_var", %[[M]], %[[V]] momentum 1.0{{.*}}e-01 count 32 {vn.place = "bn"}
// CHECK: %[[R:.*]] = vn.activate relu %[[N]]
// CHECK: %[[P:.*]] = vn.global_avg_pool %[[R]]
// CHECK: %[[F:.*]] = vn.parameter "fc.weight"
// CHECK: %[[Y:.*]] = vn.linear %[[P]], %[[F]]
// CHECK: %[[LOSS:.*]] = vn.softmax_cross_entropy %[[Y]], %[[L]], %[[S]]
// CHECK: %[[DY:.*]] = vn.softmax_cross_entropy_grad %[[Y]], %[[L]], %[[S]]
// CHECK: %[[DP:.*]] = vn.linear_input_grad %[[DY]], %[[F]] {vn.place = "fc"}
// CHECK: %[[DF:.*]] = vn.linear_weight_grad %[[P]], %[[DY]] {vn.place = "fc"}
// CHECK: %[[DB:.*]] = vn.channel_sum %[[DY]]
// CHECK: vn.store_gradient "fc.bias", %[[DB]]
// CHECK: vn.store_gradient "fc.weight", %[[DF]]
// CHECK: %[[DR:.*]] = vn.global_avg_pool_grad %[[DP]]
// CHECK: %[[DN:.*]] = vn.activate_grad relu %[[R]], %[[DR]]
// CHECK: %[[DC:.*]], %[[DG:.*]], %[[DBETA:.*]] = vn.batch_norm_grad %[[C]], %[[DN]], %[[G]], %[[M]], %[[V]]
// CHECK: vn.store_gradient "bn.bias", %[[DBETA]]
// CHECK: vn.store_gradient "bn.weight", %[[DG]]
// CHECK-NOT: vn.convolution_input_grad
// CHECK: %[[DW:.*]] = vn.convolution_weight_grad %[[X]], %[[DC]] strides [2, 2] padding [1, 1, 1, 1]
// CHECK: vn.store_gradient "conv.weight", %[[DW]]
// CHECK-NOT: vn.store_gradient
// CHECK: return %[[LOSS]], %[[Y]]

// BINARY-LABEL: @train_step
// BINARY-SAME: (%{{.*}}: tensor<2x8x8x3xf32>, %[[T:.*]]: tensor<2x1x1x4xf32>, %{{.*}}: tensor<1xf32>)
// BINARY: %[[LOSS:.*]] = vn.pointwise_loss binary %[[Y:.*]], %[[T]]
// BINARY: vn.pointwise_loss_grad binary %[[Y]], %[[T]]
// BINARY: return %[[LOSS]], %[[Y]]
func.func @infer(%x: tensor<2x8x8x3xf32>) -> tensor<2x1x1x4xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<5x3x3x3xf32>
  %c = vn.convolution %x, %w strides [2, 2] padding [1, 1, 1, 1] {vn.place = "conv"} : (tensor<2x8x8x3xf32>, tensor<5x3x3x3xf32>) -> tensor<2x4x4x5xf32>
  %gamma = vn.parameter "bn.weight" gamma : tensor<5xf32>
  %beta = vn.parameter "bn.bias" beta : tensor<5xf32>
  %mean = vn.parameter "bn.running_mean" running_mean : tensor<5xf32>
  %var = vn.parameter "bn.running_var" running_var : tensor<5xf32>
  %n = vn.batch_norm %c, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 0.1 {vn.place = "bn"} : (tensor<2x4x4x5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x4x4x5xf32>
  %r = vn.activate relu %n : tensor<2x4x4x5xf32>
  %p = vn.global_avg_pool %r : (tensor<2x4x4x5xf32>) -> tensor<2x1x1x5xf32>
  %fw = vn.parameter "fc.weight" linear_weight : tensor<4x5xf32>
  %fb = vn.parameter "fc.bias" bias : tensor<4xf32>
  %y = vn.linear %p, %fw bias %fb {vn.place = "fc"} : (tensor<2x1x1x5xf32>, tensor<4x5xf32>, tensor<4xf32>) -> tensor<2x1x1x4xf32>
  return %y : tensor<2x1x1x4xf32>
}

// -----

// A value with two users gets the sum of their gradients: here the shortcut's and the convolution's.
// CHECK-LABEL: @train_step
// CHECK: %[[DA:.*]] = vn.global_avg_pool_grad
// CHECK: %[[DX:.*]] = vn.convolution_input_grad %[[DA]]
// CHECK: vn.add %[[DA]], %[[DX]]
func.func @infer(%x: tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32> {
  %v = vn.parameter "stem.weight" convolution_weight : tensor<4x4x1x1xf32>
  %s = vn.convolution %x, %v : (tensor<1x4x4x4xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x4x4xf32>
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x4x1x1xf32>
  %c = vn.convolution %s, %w : (tensor<1x4x4x4xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x4x4xf32>
  %a = vn.add %s, %c : (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  %p = vn.global_avg_pool %a : (tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32>
  return %p : tensor<1x1x1x4xf32>
}

// -----

// Slices that cover their input get their gradients joined, in the order of the channels.
// CHECK-LABEL: @train_step
// CHECK-NOT: vn.embed_channels
// CHECK: %[[D:.*]] = vn.global_avg_pool_grad
// CHECK: %[[DB:.*]] = vn.slice %[[D]] from 0 : {{.*}} -> tensor<1x4x4x3xf32>
// CHECK: %[[DA:.*]] = vn.slice %[[D]] from 3 : {{.*}} -> tensor<1x4x4x1xf32>
// CHECK: vn.concat %[[DA]], %[[DB]] : (tensor<1x4x4x1xf32>, tensor<1x4x4x3xf32>) -> tensor<1x4x4x4xf32>
func.func @infer(%x: tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x4x1x1xf32>
  %c = vn.convolution %x, %w : (tensor<1x4x4x4xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x4x4xf32>
  %a = vn.slice %c from 0 : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x1xf32>
  %b = vn.slice %c from 1 : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x3xf32>
  %j = vn.concat %b, %a : (tensor<1x4x4x3xf32>, tensor<1x4x4x1xf32>) -> tensor<1x4x4x4xf32>
  %p = vn.global_avg_pool %j : (tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32>
  return %p : tensor<1x1x1x4xf32>
}

// -----

// A slice that leaves channels out is embedded in zeros.
// CHECK-LABEL: @train_step
// CHECK: vn.embed_channels %{{.*}} at 1 : (tensor<1x4x4x2xf32>) -> tensor<1x4x4x4xf32>
func.func @infer(%x: tensor<1x4x4x4xf32>) -> tensor<1x1x1x2xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x4x1x1xf32>
  %c = vn.convolution %x, %w : (tensor<1x4x4x4xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x4x4xf32>
  %a = vn.slice %c from 1 : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x2xf32>
  %p = vn.global_avg_pool %a : (tensor<1x4x4x2xf32>) -> tensor<1x1x1x2xf32>
  return %p : tensor<1x1x1x2xf32>
}

// -----

// A shuffle is undone by one with as many groups as its groups have channels.
// CHECK-LABEL: @train_step
// CHECK: vn.channel_shuffle %{{.*}} in 2 :
// CHECK: vn.channel_shuffle %{{.*}} in 3 :
func.func @infer(%x: tensor<1x4x4x4xf32>) -> tensor<1x1x1x6xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<6x4x1x1xf32>
  %c = vn.convolution %x, %w : (tensor<1x4x4x4xf32>, tensor<6x4x1x1xf32>) -> tensor<1x4x4x6xf32>
  %a = vn.channel_shuffle %c in 2 : (tensor<1x4x4x6xf32>) -> tensor<1x4x4x6xf32>
  %p = vn.global_avg_pool %a : (tensor<1x4x4x6xf32>) -> tensor<1x1x1x6xf32>
  return %p : tensor<1x1x1x6xf32>
}

// -----

// A parameter that only another output depends on gets zeros, and what computes that output goes.
// CHECK-LABEL: @train_step
// CHECK: %[[P:.*]] = vn.global_avg_pool
// CHECK: %[[Y:.*]] = vn.linear %[[P]]
// CHECK-NOT: vn.linear %
// CHECK: %[[Z:.*]] = vn.zeros : tensor<7x4xf32>
// CHECK: vn.store_gradient "auxiliary.weight", %[[Z]]
// CHECK: return %{{.*}}, %[[Y]]
func.func @infer(%x: tensor<1x4x4x4xf32>) -> (tensor<1x1x1x2xf32>, tensor<1x1x1x7xf32>) {
  %p = vn.global_avg_pool %x : (tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32>
  %w = vn.parameter "fc.weight" linear_weight : tensor<2x4xf32>
  %y = vn.linear %p, %w : (tensor<1x1x1x4xf32>, tensor<2x4xf32>) -> tensor<1x1x1x2xf32>
  %v = vn.parameter "auxiliary.weight" linear_weight : tensor<7x4xf32>
  %z = vn.linear %p, %v : (tensor<1x1x1x4xf32>, tensor<7x4xf32>) -> tensor<1x1x1x7xf32>
  return %y, %z : tensor<1x1x1x2xf32>, tensor<1x1x1x7xf32>
}

// -----

// Squeeze-and-excitation: the gate's gradient is a dot product per channel; a broadcast sum's is a sum.
// CHECK-LABEL: @train_step
// CHECK: %[[C:.*]] = vn.convolution
// CHECK: %[[G:.*]] = vn.activate sigmoid
// CHECK: %[[DM:.*]] = vn.global_avg_pool_grad
// CHECK: vn.spatial_sum %[[DM]]
// CHECK: vn.multiply %[[DM]], %[[G]]
// CHECK: vn.spatial_dot %[[DM]], %[[C]]
func.func @infer(%x: tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x4x1x1xf32>
  %c = vn.convolution %x, %w : (tensor<1x4x4x4xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x4x4xf32>
  %s = vn.global_avg_pool %c : (tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32>
  %g = vn.activate sigmoid %s : tensor<1x1x1x4xf32>
  %m = vn.multiply %c, %g : (tensor<1x4x4x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x4x4x4xf32>
  %a = vn.add %m, %s : (tensor<1x4x4x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x4x4x4xf32>
  %p = vn.global_avg_pool %a : (tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32>
  return %p : tensor<1x1x1x4xf32>
}

// -----

// The adjoint of weighted runs has them transposed.
// CHECK-LABEL: @train_step
// CHECK: %[[D:.*]] = vn.resample bicubic %{{.*}} align_corners transposed : (tensor<1x9x8x4xf32>) -> tensor<1x3x4x4xf32>
// CHECK: %[[E:.*]] = vn.resample bilinear_antialias %[[D]] scale 7.500000e-01 transposed : (tensor<1x3x4x4xf32>) -> tensor<1x5x6x4xf32>
// CHECK: vn.resample adaptive_average %[[E]] transposed : (tensor<1x5x6x4xf32>) -> tensor<1x9x9x4xf32>
func.func @infer(%x: tensor<1x9x9x4xf32>) -> tensor<1x1x1x4xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x4x1x1xf32>
  %c = vn.convolution %x, %w : (tensor<1x9x9x4xf32>, tensor<4x4x1x1xf32>) -> tensor<1x9x9x4xf32>
  %0 = vn.resample adaptive_average %c : (tensor<1x9x9x4xf32>) -> tensor<1x5x6x4xf32>
  %1 = vn.resample bilinear_antialias %0 scale 0.75 : (tensor<1x5x6x4xf32>) -> tensor<1x3x4x4xf32>
  %2 = vn.resample bicubic %1 align_corners : (tensor<1x3x4x4xf32>) -> tensor<1x9x8x4xf32>
  %p = vn.global_avg_pool %2 : (tensor<1x9x8x4xf32>) -> tensor<1x1x1x4xf32>
  return %p : tensor<1x1x1x4xf32>
}

// -----

// Adjoints of pooling, resampling and borders keep the forward op's attributes; zero padding's is cropping and the
// other way round.
// CHECK-LABEL: @train_step
// CHECK: %[[M:.*]] = vn.max_pool %[[C:.*]] kernel
// CHECK: vn.crop %{{.*}} at [1, 2] : (tensor<1x8x9x4xf32>) -> tensor<1x6x6x4xf32>
// CHECK: vn.pad zero %{{.*}} by [1, 2, 0, 3] : (tensor<1x6x6x4xf32>) -> tensor<1x9x9x4xf32>
// CHECK: vn.pad_grad %{{.*}} by [0, 1, 0, 1] : (tensor<1x9x9x4xf32>) -> tensor<1x8x8x4xf32>
// CHECK: vn.resize_grad nearest %{{.*}} scale 1.150000e+00 : (tensor<1x8x8x4xf32>) -> tensor<1x7x7x4xf32>
// CHECK: vn.resize_grad bilinear %{{.*}} align_corners : (tensor<1x7x7x4xf32>) -> tensor<1x3x3x4xf32>
// CHECK: vn.avg_pool_grad %{{.*}} kernel [2, 2] strides [2, 2] ceil count_padding false : (tensor<1x3x3x4xf32>) -> tensor<1x5x5x4xf32>
// CHECK: vn.max_pool_grad %[[C]], %[[M]], %{{.*}} kernel [3, 3] strides [2, 2] padding [1, 1, 1, 1] : {{.*}} -> tensor<1x9x9x4xf32>
func.func @infer(%x: tensor<1x9x9x4xf32>) -> tensor<1x1x1x4xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x4x1x1xf32>
  %c = vn.convolution %x, %w : (tensor<1x9x9x4xf32>, tensor<4x4x1x1xf32>) -> tensor<1x9x9x4xf32>
  %0 = vn.max_pool %c kernel [3, 3] strides [2, 2] padding [1, 1, 1, 1] : (tensor<1x9x9x4xf32>) -> tensor<1x5x5x4xf32>
  %1 = vn.avg_pool %0 kernel [2, 2] strides [2, 2] ceil count_padding false : (tensor<1x5x5x4xf32>) -> tensor<1x3x3x4xf32>
  %2 = vn.resize bilinear %1 align_corners : (tensor<1x3x3x4xf32>) -> tensor<1x7x7x4xf32>
  %s = vn.resize nearest %2 scale 1.15 : (tensor<1x7x7x4xf32>) -> tensor<1x8x8x4xf32>
  %3 = vn.pad replicate %s by [0, 1, 0, 1] : (tensor<1x8x8x4xf32>) -> tensor<1x9x9x4xf32>
  %4 = vn.crop %3 at [1, 0] : (tensor<1x9x9x4xf32>) -> tensor<1x6x6x4xf32>
  %5 = vn.pad zero %4 by [1, 1, 2, 1] : (tensor<1x6x6x4xf32>) -> tensor<1x8x9x4xf32>
  %p = vn.global_avg_pool %5 : (tensor<1x8x9x4xf32>) -> tensor<1x1x1x4xf32>
  return %p : tensor<1x1x1x4xf32>
}

// -----

// The gradient of a difference, a quotient and a number's product; an activation's is told from its result, that of
// silu from what it was applied to.
// CHECK-LABEL: @train_step
// CHECK: %[[C:.*]] = vn.convolution
// CHECK: %[[D:.*]] = vn.activate scale_shift(2.000000e+00, 1.000000e+00) %[[C]]
// CHECK: %[[S:.*]] = vn.activate silu %[[D]]
// CHECK: %[[Q:.*]] = vn.divide %[[S]], %[[D]]
// CHECK: %[[T:.*]] = vn.activate tanh %[[Q]]
// CHECK: %[[DY:.*]] = vn.global_avg_pool_grad
// CHECK: %[[DT:.*]] = vn.spatial_sum %[[DY]]
// CHECK: vn.activate scale_shift(-1.000000e+00, 0.000000e+00) %[[DT]]
// CHECK: %[[DQ:.*]] = vn.activate_grad tanh %[[T]], %[[DY]]
// CHECK: %[[DS:.*]] = vn.divide %[[DQ]], %[[D]]
// CHECK: %[[P:.*]] = vn.multiply %[[DS]], %[[Q]]
// CHECK: vn.activate scale_shift(-1.000000e+00, 0.000000e+00) %[[P]]
// CHECK: vn.activate_grad silu %[[D]], %[[DS]]
// CHECK: vn.activate scale_shift(2.000000e+00, 0.000000e+00)
func.func @infer(%x: tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x4x1x1xf32>
  %c = vn.convolution %x, %w : (tensor<1x4x4x4xf32>, tensor<4x4x1x1xf32>) -> tensor<1x4x4x4xf32>
  %d = vn.activate scale_shift(2.0, 1.0) %c : tensor<1x4x4x4xf32>
  %s = vn.activate silu %d : tensor<1x4x4x4xf32>
  %q = vn.divide %s, %d : (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32>
  %t = vn.activate tanh %q : tensor<1x4x4x4xf32>
  %m = vn.global_avg_pool %c : (tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32>
  %a = vn.subtract %t, %m : (tensor<1x4x4x4xf32>, tensor<1x1x1x4xf32>) -> tensor<1x4x4x4xf32>
  %p = vn.global_avg_pool %a : (tensor<1x4x4x4xf32>) -> tensor<1x1x1x4xf32>
  return %p : tensor<1x1x1x4xf32>
}

// -----

// A transposed convolution's gradients are those of the convolution of which it is the transposed one, operand and result
// exchanged.
// CHECK-LABEL: @train_step
// CHECK: %[[W:.*]] = vn.parameter "up.weight"
// CHECK: %[[Y:.*]] = vn.transposed_convolution %[[X:.*]], %[[W]] bias %{{.*}} strides [2, 2] padding [1, 1, 1, 1] output_padding [1, 0]
// CHECK: %[[DY:.*]] = vn.global_avg_pool_grad
// CHECK: %[[DX:.*]] = vn.convolution %[[DY]], %[[W]] strides [2, 2] padding [1, 1, 1, 1] {vn.place = "up"} : (tensor<2x9x8x4xf32>, tensor<3x4x4x4xf32>) -> tensor<2x4x4x3xf32>
// CHECK: %[[DW:.*]] = vn.convolution_weight_grad %[[DY]], %[[X]] strides [2, 2] padding [1, 1, 1, 1] {vn.place = "up"}
// CHECK: %[[DB:.*]] = vn.channel_sum %[[DY]]
// CHECK: vn.store_gradient "up.bias", %[[DB]]
// CHECK: vn.store_gradient "up.weight", %[[DW]]
func.func @infer(%x: tensor<2x4x4x3xf32>) -> tensor<2x1x1x4xf32> {
  %v = vn.parameter "conv.weight" convolution_weight : tensor<3x3x1x1xf32>
  %c = vn.convolution %x, %v : (tensor<2x4x4x3xf32>, tensor<3x3x1x1xf32>) -> tensor<2x4x4x3xf32>
  %w = vn.parameter "up.weight" convolution_weight : tensor<3x4x4x4xf32>
  %b = vn.parameter "up.bias" bias : tensor<4xf32>
  %u = vn.transposed_convolution %c, %w bias %b strides [2, 2] padding [1, 1, 1, 1] output_padding [1, 0] {vn.place = "up"} : (tensor<2x4x4x3xf32>, tensor<3x4x4x4xf32>, tensor<4xf32>) -> tensor<2x9x8x4xf32>
  %p = vn.global_avg_pool %u : (tensor<2x9x8x4xf32>) -> tensor<2x1x1x4xf32>
  return %p : tensor<2x1x1x4xf32>
}

// -----

// Output padding of a stride or more: of the pixels that the convolution makes of the gradient, those that the input has.
// CHECK-LABEL: @train_step
// CHECK: %[[DY:.*]] = vn.global_avg_pool_grad
// CHECK: %[[ALL:.*]] = vn.convolution %[[DY]], {{.*}} dilations [3, 3] {{.*}} -> tensor<2x5x6x3xf32>
// CHECK: vn.crop %[[ALL]] at [0, 0] {{.*}} -> tensor<2x4x4x3xf32>
// CHECK: %[[X:.*]] = vn.pad zero %{{.*}} by [0, 1, 0, 2]
// CHECK: vn.convolution_weight_grad %[[DY]], %[[X]] dilations [3, 3]
func.func @infer(%x: tensor<2x4x4x3xf32>) -> tensor<2x1x1x4xf32> {
  %v = vn.parameter "conv.weight" convolution_weight : tensor<3x3x1x1xf32>
  %c = vn.convolution %x, %v : (tensor<2x4x4x3xf32>, tensor<3x3x1x1xf32>) -> tensor<2x4x4x3xf32>
  %w = vn.parameter "up.weight" convolution_weight : tensor<3x4x2x2xf32>
  %u = vn.transposed_convolution %c, %w dilations [3, 3] output_padding [1, 2] : (tensor<2x4x4x3xf32>, tensor<3x4x2x2xf32>) -> tensor<2x8x9x4xf32>
  %p = vn.global_avg_pool %u : (tensor<2x8x9x4xf32>) -> tensor<2x1x1x4xf32>
  return %p : tensor<2x1x1x4xf32>
}

// -----

// Layer norm has an op of its own; the gradient of a scale of channels is scaled as they are, the scale's a product.
// CHECK-LABEL: @train_step
// CHECK: %[[C:.*]] = vn.convolution
// CHECK: %[[N:.*]] = vn.layer_norm %[[C]], %[[G:.*]], %[[B:.*]] epsilon 1.000000e-03
// CHECK: %[[S:.*]] = vn.scale_channels %[[N]], %[[SCALE:.*]] :
// CHECK: %[[DY:.*]] = vn.softmax_cross_entropy_grad
// CHECK: %[[DN:.*]] = vn.scale_channels %[[DY]], %[[SCALE]]
// CHECK: %[[DS:.*]] = vn.channel_dot %[[DY]], %[[N]]
// CHECK: vn.store_gradient "scale.weight", %[[DS]]
// CHECK: %[[DC:.*]], %[[DG:.*]], %[[DB:.*]] = vn.layer_norm_grad %[[C]], %[[DN]], %[[G]] epsilon 1.000000e-03
// CHECK: vn.store_gradient "ln.bias", %[[DB]]
// CHECK: vn.store_gradient "ln.weight", %[[DG]]
// CHECK: vn.convolution_weight_grad %{{.*}}, %[[DC]]
func.func @infer(%x: tensor<2x1x1x3xf32>) -> tensor<2x1x1x4xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x3x1x1xf32>
  %c = vn.convolution %x, %w : (tensor<2x1x1x3xf32>, tensor<4x3x1x1xf32>) -> tensor<2x1x1x4xf32>
  %gamma = vn.parameter "ln.weight" gamma : tensor<4xf32>
  %beta = vn.parameter "ln.bias" beta : tensor<4xf32>
  %n = vn.layer_norm %c, %gamma, %beta epsilon 1.0e-3 : (tensor<2x1x1x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x1x1x4xf32>
  %scale = vn.parameter "scale.weight" gamma initial 1.0e-6 : tensor<4xf32>
  %s = vn.scale_channels %n, %scale : (tensor<2x1x1x4xf32>, tensor<4xf32>) -> tensor<2x1x1x4xf32>
  return %s : tensor<2x1x1x4xf32>
}

// -----

// One number for all channels and pixels of an image, and a parameter for all images: sums go back to them.
// CHECK-LABEL: @train_step
// CHECK: %[[C:.*]] = vn.convolution
// CHECK: %[[M:.*]] = vn.parameter_map
// CHECK: %[[DY:.*]] = vn.global_avg_pool_grad
// CHECK: vn.multiply %[[DY]], %[[M]]
// CHECK: %[[PIXELS:.*]] = vn.spatial_dot %[[DY]], %[[C]]
// CHECK: %[[DM:.*]] = vn.reduce_channels sum %[[PIXELS]]
// CHECK: %[[DP:.*]] = vn.channel_sum %[[DM]]
// CHECK: vn.store_gradient "scale.weight", %[[DP]]
func.func @infer(%x: tensor<2x3x3x3xf32>) -> tensor<2x1x1x4xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x3x1x1xf32>
  %c = vn.convolution %x, %w : (tensor<2x3x3x3xf32>, tensor<4x3x1x1xf32>) -> tensor<2x3x3x4xf32>
  %scale = vn.parameter "scale.weight" gamma : tensor<1xf32>
  %m = vn.parameter_map %scale : (tensor<1xf32>) -> tensor<2x1x1x1xf32>
  %s = vn.multiply %c, %m : (tensor<2x3x3x4xf32>, tensor<2x1x1x1xf32>) -> tensor<2x3x3x4xf32>
  %p = vn.global_avg_pool %s : (tensor<2x3x3x4xf32>) -> tensor<2x1x1x4xf32>
  return %p : tensor<2x1x1x4xf32>
}

// -----

// A number for each pixel: sums over channels go back to it, of a product the product with the other operand.
// CHECK-LABEL: @train_step
// CHECK: %[[C:.*]] = vn.convolution
// CHECK: %[[MAX:.*]] = vn.reduce_channels max %[[C]]
// CHECK: %[[P:.*]] = vn.multiply %[[C]], %[[MAX]]
// CHECK: %[[MEAN:.*]] = vn.reduce_channels mean %[[C]]
// CHECK: %[[S:.*]] = vn.subtract %[[P]], %[[MEAN]]
// CHECK: %[[DY:.*]] = vn.softmax_cross_entropy_grad
// CHECK: %[[SUM:.*]] = vn.reduce_channels sum %[[DY]]
// CHECK: %[[DMEAN:.*]] = vn.activate scale_shift(-1.000000e+00, 0.000000e+00) %[[SUM]]
// CHECK: %[[B:.*]] = vn.broadcast_channels %[[DMEAN]] times 2.500000e-01
// CHECK: %[[DC:.*]] = vn.multiply %[[DY]], %[[MAX]]
// CHECK: %[[DMAX:.*]] = vn.pixel_dot %[[DY]], %[[C]]
// CHECK: vn.channel_max_grad %[[C]], %[[MAX]], %[[DMAX]]
func.func @infer(%x: tensor<2x1x1x3xf32>) -> tensor<2x1x1x4xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<4x3x1x1xf32>
  %c = vn.convolution %x, %w : (tensor<2x1x1x3xf32>, tensor<4x3x1x1xf32>) -> tensor<2x1x1x4xf32>
  %max = vn.reduce_channels max %c : (tensor<2x1x1x4xf32>) -> tensor<2x1x1x1xf32>
  %p = vn.multiply %c, %max : (tensor<2x1x1x4xf32>, tensor<2x1x1x1xf32>) -> tensor<2x1x1x4xf32>
  %mean = vn.reduce_channels mean %c : (tensor<2x1x1x4xf32>) -> tensor<2x1x1x1xf32>
  %s = vn.subtract %p, %mean : (tensor<2x1x1x4xf32>, tensor<2x1x1x1xf32>) -> tensor<2x1x1x4xf32>
  return %s : tensor<2x1x1x4xf32>
}
