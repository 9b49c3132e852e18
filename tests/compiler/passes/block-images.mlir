// RUN: vernier-opt %s --split-input-file --vn-block-images | FileCheck %s
// RUN: vernier-opt %s --split-input-file --vn-block-images=images=2 | FileCheck %s --check-prefix=TWO
// RUN: not vernier-opt %s --split-input-file --vn-block-images=images=3 2>&1 | FileCheck %s --check-prefix=THREE

// THREE: error: a batch of 4 cannot run for 3 images at a time

// Large maps run image by image, the small ones behind them all at once. A value that both parts read is a result;
// what follows from parameters alone stays outside.
// CHECK-LABEL: @infer
// CHECK: %[[W:.*]] = vn.parameter "conv.weight"
// CHECK: %[[PARTS:.*]]:2 = vn.image_blocks of 1(%arg0) : (tensor<4x96x96x64xf32>) -> (tensor<4x1x1x64xf32>, tensor<4x1x1x64xf32>)
// CHECK-NEXT: ^bb0(%[[IMAGE:.*]]: tensor<1x96x96x64xf32>):
// CHECK-NEXT:   %[[A:.*]] = vn.activate relu %[[IMAGE]] : tensor<1x96x96x64xf32>
// CHECK-NEXT:   %[[P:.*]] = vn.global_avg_pool %[[A]] : (tensor<1x96x96x64xf32>) -> tensor<1x1x1x64xf32>
// CHECK-NEXT:   %[[Q:.*]] = vn.global_avg_pool %[[IMAGE]]
// CHECK-NEXT:   vn.yield %[[P]], %[[Q]]
// CHECK: %[[V:.*]] = vn.parameter "other.weight"
// CHECK: vn.convolution %[[PARTS]]#0, %[[W]] : (tensor<4x1x1x64xf32>
// CHECK: vn.convolution %[[PARTS]]#1, %[[V]] : (tensor<4x1x1x64xf32>
// TWO-LABEL: @infer
// TWO: vn.image_blocks of 2(%arg0) : (tensor<4x96x96x64xf32>) -> tensor<4x1x1x512xf32>
// TWO: vn.convolution {{.*}} (tensor<2x1x1x64xf32>
func.func @infer(%x: tensor<4x96x96x64xf32>) -> tensor<4x1x1x512xf32> {
  %w = vn.parameter "conv.weight" convolution_weight : tensor<512x64x1x1xf32>
  %a = vn.activate relu %x : tensor<4x96x96x64xf32>
  %p = vn.global_avg_pool %a : (tensor<4x96x96x64xf32>) -> tensor<4x1x1x64xf32>
  %q = vn.global_avg_pool %x : (tensor<4x96x96x64xf32>) -> tensor<4x1x1x64xf32>
  %v = vn.parameter "other.weight" convolution_weight : tensor<512x64x1x1xf32>
  %c = vn.convolution %p, %w : (tensor<4x1x1x64xf32>, tensor<512x64x1x1xf32>) -> tensor<4x1x1x512xf32>
  %d = vn.convolution %q, %v : (tensor<4x1x1x64xf32>, tensor<512x64x1x1xf32>) -> tensor<4x1x1x512xf32>
  %y = vn.add %c, %d : (tensor<4x1x1x512xf32>, tensor<4x1x1x512xf32>) -> tensor<4x1x1x512xf32>
  return %y : tensor<4x1x1x512xf32>
}

// -----

// A map of parameters is made for the images of a block.
// CHECK-LABEL: @infer
// CHECK: vn.parameter_map
// TWO-LABEL: @infer
// TWO: %[[W:.*]] = vn.parameter "w"
// TWO-NEXT: vn.image_blocks of 2
// TWO: %[[M:.*]] = vn.parameter_map %[[W]] : (tensor<64xf32>) -> tensor<2x1x1x64xf32>
// TWO: vn.multiply {{.*}}, %[[M]] : (tensor<2x96x96x64xf32>, tensor<2x1x1x64xf32>)
func.func @infer(%x: tensor<4x96x96x64xf32>) -> tensor<4x96x96x64xf32> {
  %w = vn.parameter "w" gamma : tensor<64xf32>
  %m = vn.parameter_map %w : (tensor<64xf32>) -> tensor<4x1x1x64xf32>
  %y = vn.multiply %x, %m : (tensor<4x96x96x64xf32>, tensor<4x1x1x64xf32>) -> tensor<4x96x96x64xf32>
  return %y : tensor<4x96x96x64xf32>
}

// -----

// Maps of the whole batch stay in the cache: nothing to gain.
// CHECK-LABEL: @infer
// CHECK-NOT: image_blocks
// TWO-LABEL: @infer
func.func @infer(%x: tensor<4x8x8x64xf32>) -> tensor<4x1x1x64xf32> {
  %a = vn.activate relu %x : tensor<4x8x8x64xf32>
  %p = vn.global_avg_pool %a : (tensor<4x8x8x64xf32>) -> tensor<4x1x1x64xf32>
  return %p : tensor<4x1x1x64xf32>
}

// -----

// The batch is one image.
// CHECK-LABEL: @infer
// CHECK-NOT: image_blocks
// TWO-LABEL: @infer
// TWO-NOT: image_blocks
func.func @infer(%x: tensor<1x96x96x64xf32>) -> tensor<1x1x1x64xf32> {
  %a = vn.activate relu %x : tensor<1x96x96x64xf32>
  %p = vn.global_avg_pool %a : (tensor<1x96x96x64xf32>) -> tensor<1x1x1x64xf32>
  return %p : tensor<1x1x1x64xf32>
}

// -----

// Statistics of the batch mix its images.
// CHECK-LABEL: @infer
// CHECK-NOT: image_blocks
// TWO-LABEL: @infer
// TWO-NOT: image_blocks
func.func @infer(%x: tensor<4x96x96x64xf32>) -> tensor<4x96x96x64xf32> {
  %gamma = vn.parameter "bn.weight" gamma : tensor<64xf32>
  %beta = vn.parameter "bn.bias" beta : tensor<64xf32>
  %y, %mean, %var = vn.batch_norm_training %x, %gamma, %beta epsilon 1.0e-5 : (tensor<4x96x96x64xf32>, tensor<64xf32>, tensor<64xf32>) -> (tensor<4x96x96x64xf32>, tensor<64xf32>, tensor<64xf32>)
  return %y : tensor<4x96x96x64xf32>
}
