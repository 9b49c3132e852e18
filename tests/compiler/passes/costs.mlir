// What a machine costs is the passes' to ask: with other prices they decide otherwise.
// RUN: vernier-opt %s --split-input-file --vn-sink-pointwise --vn-block-images | FileCheck %s --check-prefixes=USUAL
// RUN: vernier-opt %s --split-input-file --vn-sink-pointwise=macs-per-byte=1000000 --vn-block-images=cache=1000000000 | FileCheck %s --check-prefixes=OTHER
// RUN: vernier-opt %s --split-input-file --vn-sink-pointwise --vn-block-images=run=1e12 | FileCheck %s --check-prefixes=RUNS
// RUN: vernier-opt %s --split-input-file --vn-sink-pointwise --vn-block-images="weight-byte=0.1 run=16384 cut-byte=2 cache=8388608" | FileCheck %s --check-prefixes=USUAL

// USUAL-LABEL: @infer
// USUAL: vn.slice_parameter
// OTHER-LABEL: @infer
// OTHER-NOT: vn.slice_parameter
// OTHER: vn.convolution {{.*}} (tensor<1x8x8x32xf32>
func.func @infer(%a: tensor<1x8x8x16xf32>, %b: tensor<1x4x4x16xf32>) -> tensor<1x8x8x128xf32> {
  %w = vn.parameter "c.weight" convolution_weight : tensor<128x32x1x1xf32>
  %u = vn.resize nearest %b : (tensor<1x4x4x16xf32>) -> tensor<1x8x8x16xf32>
  %c = vn.concat %a, %u : (tensor<1x8x8x16xf32>, tensor<1x8x8x16xf32>) -> tensor<1x8x8x32xf32>
  %y = vn.convolution %c, %w : (tensor<1x8x8x32xf32>, tensor<128x32x1x1xf32>) -> tensor<1x8x8x128xf32>
  return %y : tensor<1x8x8x128xf32>
}

// -----

// USUAL-LABEL: @infer
// USUAL: vn.image_blocks of 1
// OTHER-LABEL: @infer
// OTHER-NOT: vn.image_blocks
// OTHER: return
// RUNS-LABEL: @infer
// RUNS-LABEL: @infer
// RUNS-NOT: vn.image_blocks
// RUNS: return
func.func @infer(%x: tensor<4x96x96x64xf32>) -> tensor<4x1x1x64xf32> {
  %a = vn.activate relu %x : tensor<4x96x96x64xf32>
  %y = vn.global_avg_pool %a : (tensor<4x96x96x64xf32>) -> tensor<4x1x1x64xf32>
  return %y : tensor<4x1x1x64xf32>
}
