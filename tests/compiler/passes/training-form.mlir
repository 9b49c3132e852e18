// RUN: vernier-opt %s --split-input-file --verify-diagnostics --vn-training-form | FileCheck %s

// The batch norm alone changes; @infer stays, and so do the unused parameters of the copy.
// CHECK-LABEL: @infer
// CHECK: vn.batch_norm
// CHECK-LABEL: @train_forward
// CHECK-SAME: (%[[X:.*]]: tensor<2x4x4x5xf32>) -> tensor<2x4x4x5xf32>
// CHECK: %[[N:.*]], %[[M:.*]], %[[V:.*]] = vn.batch_norm_training %[[X]], %{{.*}}, %{{.*}} epsilon 1.0{{.*}}e-05 {vn.place = "bn"}
// CHECK: vn.update_running "bn.running_mean", "bn.running_var", %[[M]], %[[V]] momentum 1.0{{.*}}e-01 count 32 {vn.place = "bn"}
// CHECK: %[[R:.*]] = vn.activate relu %[[N]]
// CHECK: return %[[R]]
func.func @infer(%x: tensor<2x4x4x5xf32>) -> tensor<2x4x4x5xf32> {
  %gamma = vn.parameter "bn.weight" gamma : tensor<5xf32>
  %beta = vn.parameter "bn.bias" beta : tensor<5xf32>
  %mean = vn.parameter "bn.running_mean" running_mean : tensor<5xf32>
  %var = vn.parameter "bn.running_var" running_var : tensor<5xf32>
  %n = vn.batch_norm %x, %gamma, %beta, %mean, %var epsilon 1.0e-5 momentum 0.1 {vn.place = "bn"} : (tensor<2x4x4x5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x4x4x5xf32>
  %r = vn.activate relu %n : tensor<2x4x4x5xf32>
  return %r : tensor<2x4x4x5xf32>
}

// -----

// Running statistics that are computed cannot be updated.
func.func @infer(%x: tensor<2x4x4x5xf32>, %mean: tensor<5xf32>, %var: tensor<5xf32>) -> tensor<2x4x4x5xf32> {
  %gamma = vn.parameter "bn.weight" gamma : tensor<5xf32>
  // expected-error @below {{has running statistics that are no parameters}}
  %n = vn.batch_norm %x, %gamma, %gamma, %mean, %var epsilon 1.0e-5 momentum 0.1 : (tensor<2x4x4x5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x4x4x5xf32>
  return %n : tensor<2x4x4x5xf32>
}
