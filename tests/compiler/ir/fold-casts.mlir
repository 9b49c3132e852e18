// RUN: vernier-opt %s --canonicalize | FileCheck %s
// Casts that undo each other.

// Every bf16 number is an f32 one.
// CHECK-LABEL: @there_and_back
// CHECK-NEXT: return %arg0
func.func @there_and_back(%x: tensor<1x8x8x4xbf16>) -> tensor<1x8x8x4xbf16> {
  %wide = vn.cast %x : (tensor<1x8x8x4xbf16>) -> tensor<1x8x8x4xf32>
  %y = vn.cast %wide : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xbf16>
  return %y : tensor<1x8x8x4xbf16>
}

// The first cast rounds.
// CHECK-LABEL: @rounded
// CHECK-COUNT-2: vn.cast
func.func @rounded(%x: tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32> {
  %narrow = vn.cast %x : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xbf16>
  %y = vn.cast %narrow : (tensor<1x8x8x4xbf16>) -> tensor<1x8x8x4xf32>
  return %y : tensor<1x8x8x4xf32>
}
