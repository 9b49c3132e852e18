// RUN: vernier-opt %s --split-input-file --vn-training-form --vn-sink-pointwise="function=train_forward" | FileCheck %s
// RUN: vernier-opt %s --split-input-file --vn-training-form --vn-sink-pointwise="function=train_forward" --vn-differentiate --vn-fuse-epilogue="function=train_step" | FileCheck %s --check-prefix=STEP

// A batch norm, the relu after the concat and a slice of the 1x1 convolution move below the resize; the running variance
// still counts the pixels of the large map. The gradient of the weight is joined from its slices.
// CHECK: vn.report = ["sink-pointwise: training: 1 parts of 1x1 convolutions below resizes, 0.1 M multiply-adds less; 0 elementwise ops and 1 batch norms likewise"]
// CHECK-LABEL: @train_forward
// CHECK: %[[N:.*]], %[[M:.*]], %[[V:.*]] = vn.batch_norm_training %{{.*}} {vn.place = "bn"} : (tensor<2x4x4x32xf32>
// CHECK: vn.update_running "m", "v", %[[M]], %[[V]] momentum {{.*}} count 128
// CHECK: %[[R:.*]] = vn.activate relu %[[N]] : tensor<2x4x4x32xf32>
// CHECK: %[[W:.*]] = vn.slice_parameter %{{.*}} from 8
// CHECK: %[[B:.*]] = vn.convolution %[[R]], %[[W]] : {{.*}} -> tensor<2x4x4x32xf32>
// CHECK: %[[U:.*]] = vn.resize nearest %[[B]]
// CHECK: %[[A:.*]] = vn.convolution {{.*}} -> tensor<2x8x8x32xf32>
// CHECK: vn.add %[[A]], %[[U]]
// STEP-LABEL: @train_step
// STEP-NOT: vn.add
// STEP: %[[W:.*]] = vn.slice_parameter %{{.*}} from 8
// STEP: %[[B:.*]] = vn.convolution %{{.*}}, %[[W]]
// STEP: vn.fused_convolution {{.*}} add %[[B]]
// STEP-NOT: vn.embed_parameter
// STEP: %[[G:.*]] = vn.concat_parameters {{.*}} : (tensor<32x8x1x1xf32>, tensor<32x32x1x1xf32>) -> tensor<32x40x1x1xf32>
// STEP: vn.store_gradient "w", %[[G]]
func.func @infer(%x: tensor<2x8x8x8xf32>) -> tensor<2x1x1x32xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<32x40x1x1xf32>
  %wb = vn.parameter "wb" convolution_weight : tensor<32x8x1x1xf32>
  %g = vn.parameter "g" gamma : tensor<32xf32>
  %b = vn.parameter "b" beta : tensor<32xf32>
  %m = vn.parameter "m" running_mean : tensor<32xf32>
  %v = vn.parameter "v" running_var : tensor<32xf32>
  %0 = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<2x8x8x8xf32>) -> tensor<2x4x4x8xf32>
  %1 = vn.convolution %0, %wb : (tensor<2x4x4x8xf32>, tensor<32x8x1x1xf32>) -> tensor<2x4x4x32xf32>
  %2 = vn.resize nearest %1 : (tensor<2x4x4x32xf32>) -> tensor<2x8x8x32xf32>
  %3 = vn.batch_norm %2, %g, %b, %m, %v epsilon 1.0e-5 momentum 0.1 {vn.place = "bn"} : (tensor<2x8x8x32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<32xf32>) -> tensor<2x8x8x32xf32>
  %4 = vn.concat %x, %3 : (tensor<2x8x8x8xf32>, tensor<2x8x8x32xf32>) -> tensor<2x8x8x40xf32>
  %5 = vn.activate relu %4 : tensor<2x8x8x40xf32>
  %6 = vn.convolution %5, %w : (tensor<2x8x8x40xf32>, tensor<32x40x1x1xf32>) -> tensor<2x8x8x32xf32>
  %7 = vn.activate sigmoid %6 : tensor<2x8x8x32xf32>
  %8 = vn.global_avg_pool %7 : (tensor<2x8x8x32xf32>) -> tensor<2x1x1x32xf32>
  return %8 : tensor<2x1x1x32xf32>
}

// -----

// The batch's statistics of a bilinearly resized map are others than those of the small one; so are those of a map whose
// pixels are repeated more or less often.
// CHECK-LABEL: @train_forward
// CHECK: vn.resize bilinear
// CHECK: vn.batch_norm_training {{.*}} : (tensor<2x8x8x4xf32>
// CHECK: vn.resize nearest
// CHECK: vn.batch_norm_training {{.*}} : (tensor<2x8x8x4xf32>
// STEP-LABEL: @train_step
func.func @infer(%x: tensor<2x3x3x4xf32>) -> tensor<2x1x1x8xf32> {
  %g = vn.parameter "g" gamma : tensor<4xf32>
  %m = vn.parameter "m" running_mean : tensor<4xf32>
  %v = vn.parameter "v" running_var : tensor<4xf32>
  %0 = vn.resize bilinear %x : (tensor<2x3x3x4xf32>) -> tensor<2x8x8x4xf32>
  %1 = vn.batch_norm %0, %g, %g, %m, %v epsilon 1.0e-5 momentum 0.1 : (tensor<2x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x8x8x4xf32>
  %2 = vn.resize nearest %x : (tensor<2x3x3x4xf32>) -> tensor<2x8x8x4xf32>
  %3 = vn.batch_norm %2, %g, %g, %m, %v epsilon 1.0e-5 momentum 0.1 : (tensor<2x8x8x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x8x8x4xf32>
  %4 = vn.concat %1, %3 : (tensor<2x8x8x4xf32>, tensor<2x8x8x4xf32>) -> tensor<2x8x8x8xf32>
  %5 = vn.global_avg_pool %4 : (tensor<2x8x8x8xf32>) -> tensor<2x1x1x8xf32>
  return %5 : tensor<2x1x1x8xf32>
}

// -----

// The resized map has another user; and a resize that makes the map smaller drops pixels.
// CHECK-LABEL: @train_forward
// CHECK: vn.resize
// CHECK: vn.batch_norm_training {{.*}} : (tensor<2x4x4x4xf32>
// CHECK: vn.resize
// CHECK: vn.batch_norm_training {{.*}} : (tensor<2x1x1x4xf32>
// STEP-LABEL: @train_step
func.func @infer(%x: tensor<2x2x2x4xf32>) -> tensor<2x1x1x4xf32> {
  %g = vn.parameter "g" gamma : tensor<4xf32>
  %m = vn.parameter "m" running_mean : tensor<4xf32>
  %v = vn.parameter "v" running_var : tensor<4xf32>
  %0 = vn.resize nearest %x : (tensor<2x2x2x4xf32>) -> tensor<2x4x4x4xf32>
  %1 = vn.batch_norm %0, %g, %g, %m, %v epsilon 1.0e-5 momentum 0.1 : (tensor<2x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4x4x4xf32>
  %2 = vn.add %0, %1 : (tensor<2x4x4x4xf32>, tensor<2x4x4x4xf32>) -> tensor<2x4x4x4xf32>
  %3 = vn.resize nearest %2 : (tensor<2x4x4x4xf32>) -> tensor<2x1x1x4xf32>
  %4 = vn.batch_norm %3, %g, %g, %m, %v epsilon 1.0e-5 momentum 0.1 : (tensor<2x1x1x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x1x1x4xf32>
  return %4 : tensor<2x1x1x4xf32>
}

// -----

// Eight channels to 64: inference would gain, but the gradient of the wide sum would have to be made small again.
// CHECK-LABEL: @train_forward
// CHECK: vn.resize
// CHECK: vn.concat
// CHECK: vn.convolution {{.*}} -> tensor<2x8x8x64xf32>
// CHECK-NOT: vn.add
// CHECK: return
// STEP-LABEL: @train_step
func.func @infer(%x: tensor<2x8x8x4xf32>) -> tensor<2x1x1x64xf32> {
  %w = vn.parameter "w" convolution_weight : tensor<64x12x1x1xf32>
  %wb = vn.parameter "wb" convolution_weight : tensor<8x4x1x1xf32>
  %0 = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<2x8x8x4xf32>) -> tensor<2x4x4x4xf32>
  %1 = vn.convolution %0, %wb : (tensor<2x4x4x4xf32>, tensor<8x4x1x1xf32>) -> tensor<2x4x4x8xf32>
  %2 = vn.resize nearest %1 : (tensor<2x4x4x8xf32>) -> tensor<2x8x8x8xf32>
  %3 = vn.concat %x, %2 : (tensor<2x8x8x4xf32>, tensor<2x8x8x8xf32>) -> tensor<2x8x8x12xf32>
  %4 = vn.convolution %3, %w : (tensor<2x8x8x12xf32>, tensor<64x12x1x1xf32>) -> tensor<2x8x8x64xf32>
  %5 = vn.global_avg_pool %4 : (tensor<2x8x8x64xf32>) -> tensor<2x1x1x64xf32>
  return %5 : tensor<2x1x1x64xf32>
}
