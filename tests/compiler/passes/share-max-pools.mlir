// RUN: vernier-opt %s --split-input-file --vn-share-max-pools | FileCheck %s

// A pyramid, in any order: each pool reads the largest one that divides it. Sides that do not divide
// drop the same rest.
// CHECK: vn.report = ["share-max-pools: inference: 3 max pools of smaller ones, 0.0 MB of maps not read again"]
// CHECK-LABEL: @infer
// CHECK-DAG: %[[P2:.*]] = vn.max_pool %arg0 kernel [2, 2] strides [2, 2] : {{.*}} -> tensor<1x15x14x4xf32>
// CHECK-DAG: %[[P7:.*]] = vn.max_pool %arg0 kernel [7, 7] strides [7, 7]
// CHECK-DAG: %[[P4:.*]] = vn.max_pool %[[P2]] kernel [2, 2] strides [2, 2] {vn.place = "four"} : {{.*}} -> tensor<1x7x7x4xf32>
// CHECK-DAG: %[[P8:.*]] = vn.max_pool %[[P4]] kernel [2, 2] strides [2, 2] : {{.*}} -> tensor<1x3x3x4xf32>
// CHECK-DAG: %[[P14:.*]] = vn.max_pool %[[P7]] kernel [2, 2] strides [2, 2]
// CHECK-DAG: %[[P32:.*]] = vn.max_pool %arg0 kernel [3, 2] strides [3, 2]
// CHECK: return %[[P8]], %[[P4]], %[[P2]], %[[P7]], %[[P14]], %[[P32]]
func.func @infer(%x: tensor<1x31x29x4xf32>) -> (tensor<1x3x3x4xf32>, tensor<1x7x7x4xf32>, tensor<1x15x14x4xf32>, tensor<1x4x4x4xf32>, tensor<1x2x2x4xf32>, tensor<1x10x14x4xf32>) {
  %8 = vn.max_pool %x kernel [8, 8] strides [8, 8] : (tensor<1x31x29x4xf32>) -> tensor<1x3x3x4xf32>
  %4 = vn.max_pool %x kernel [4, 4] strides [4, 4] {vn.place = "four"} : (tensor<1x31x29x4xf32>) -> tensor<1x7x7x4xf32>
  %2 = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<1x31x29x4xf32>) -> tensor<1x15x14x4xf32>
  %7 = vn.max_pool %x kernel [7, 7] strides [7, 7] : (tensor<1x31x29x4xf32>) -> tensor<1x4x4x4xf32>
  %14 = vn.max_pool %x kernel [14, 14] strides [14, 14] : (tensor<1x31x29x4xf32>) -> tensor<1x2x2x4xf32>
  %32 = vn.max_pool %x kernel [3, 2] strides [3, 2] : (tensor<1x31x29x4xf32>) -> tensor<1x10x14x4xf32>
  return %8, %4, %2, %7, %14, %32 : tensor<1x3x3x4xf32>, tensor<1x7x7x4xf32>, tensor<1x15x14x4xf32>, tensor<1x4x4x4xf32>, tensor<1x2x2x4xf32>, tensor<1x10x14x4xf32>
}

// -----

// Windows that overlap, windows with gaps, a padded map, and partial last windows; a kernel that divides along one axis.
// CHECK-NOT: vn.report
// CHECK-LABEL: @infer
// CHECK: vn.max_pool %arg0 kernel [2, 2] strides [2, 2]
// CHECK: vn.max_pool %arg0 kernel [4, 4] strides [2, 2]
// CHECK: vn.max_pool %arg0 kernel [4, 4] strides [6, 6]
// CHECK: vn.max_pool %arg0 kernel [4, 4] strides [4, 4] padding [2, 2, 2, 2]
// CHECK: vn.max_pool %arg0 kernel [4, 4] strides [4, 4] ceil
// CHECK: vn.max_pool %arg0 kernel [4, 3] strides [4, 3]
func.func @infer(%x: tensor<1x10x10x4xf32>) -> (tensor<1x5x5x4xf32>, tensor<1x4x4x4xf32>, tensor<1x2x2x4xf32>, tensor<1x3x3x4xf32>, tensor<1x3x3x4xf32>, tensor<1x2x3x4xf32>) {
  %0 = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<1x10x10x4xf32>) -> tensor<1x5x5x4xf32>
  %1 = vn.max_pool %x kernel [4, 4] strides [2, 2] : (tensor<1x10x10x4xf32>) -> tensor<1x4x4x4xf32>
  %2 = vn.max_pool %x kernel [4, 4] strides [6, 6] : (tensor<1x10x10x4xf32>) -> tensor<1x2x2x4xf32>
  %3 = vn.max_pool %x kernel [4, 4] strides [4, 4] padding [2, 2, 2, 2] : (tensor<1x10x10x4xf32>) -> tensor<1x3x3x4xf32>
  %4 = vn.max_pool %x kernel [4, 4] strides [4, 4] ceil : (tensor<1x10x10x4xf32>) -> tensor<1x3x3x4xf32>
  %5 = vn.max_pool %x kernel [4, 3] strides [4, 3] : (tensor<1x10x10x4xf32>) -> tensor<1x2x3x4xf32>
  return %0, %1, %2, %3, %4, %5 : tensor<1x5x5x4xf32>, tensor<1x4x4x4xf32>, tensor<1x2x2x4xf32>, tensor<1x3x3x4xf32>, tensor<1x3x3x4xf32>, tensor<1x2x3x4xf32>
}

// -----

// Pools of different maps.
// CHECK-LABEL: @infer
// CHECK: vn.max_pool %arg0
// CHECK: vn.max_pool %arg1
func.func @infer(%x: tensor<1x8x8x4xf32>, %y: tensor<1x8x8x4xf32>) -> (tensor<1x4x4x4xf32>, tensor<1x2x2x4xf32>) {
  %0 = vn.max_pool %x kernel [2, 2] strides [2, 2] : (tensor<1x8x8x4xf32>) -> tensor<1x4x4x4xf32>
  %1 = vn.max_pool %y kernel [4, 4] strides [4, 4] : (tensor<1x8x8x4xf32>) -> tensor<1x2x2x4xf32>
  return %0, %1 : tensor<1x4x4x4xf32>, tensor<1x2x2x4xf32>
}
