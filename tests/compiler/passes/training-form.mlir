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

// -----

// What is drawn by chance: of elements, of channels, of images. Inference drops nothing.
// CHECK-LABEL: @infer
// CHECK-SAME: (%[[IMAGE:.*]]: tensor<2x4x4x5xf32>)
// CHECK-NEXT: return %[[IMAGE]]
// CHECK-LABEL: @train_forward
// CHECK-SAME: (%[[X:.*]]: tensor<2x4x4x5xf32>) -> tensor<2x4x4x5xf32>
// CHECK: %[[STATE:.*]] = vn.random_state : tensor<2xi32>
// CHECK: %[[MASK:.*]] = vn.keep_mask %[[STATE]] rate 2.0{{.*}}e-01 stream 7 {vn.place = "a"} : tensor<2xi32> -> tensor<2x4x4x5xf32>
// CHECK: %[[KEPT:.*]] = vn.multiply %[[X]], %[[MASK]] {vn.place = "a"}
// CHECK: %[[Y:.*]] = vn.activate scale_shift(1.25{{0*}}e+00, 0.0{{0*}}e+00) %[[KEPT]] {vn.place = "a"}
// CHECK: vn.keep_mask %[[STATE]] rate 5.0{{.*}}e-01 stream 8 : tensor<2xi32> -> tensor<2x1x1x5xf32>
// CHECK: vn.keep_mask %[[STATE]] rate 5.0{{.*}}e-01 stream 9 image : tensor<2xi32> -> tensor<2x1x1x5xf32>
func.func @infer(%x: tensor<2x4x4x5xf32>) -> tensor<2x4x4x5xf32> {
  %a = vn.dropout element rate 2.0e-1 stream 7 %x {vn.place = "a"} : tensor<2x4x4x5xf32>
  %b = vn.dropout channel rate 5.0e-1 stream 8 %a : tensor<2x4x4x5xf32>
  %c = vn.dropout image rate 5.0e-1 stream 9 %b : tensor<2x4x4x5xf32>
  return %c : tensor<2x4x4x5xf32>
}

// -----

func.func @infer(%x: tensor<2x4x4x5xf32>) -> tensor<2x4x4x5xf32> {
  %gamma = vn.parameter "bn.weight" gamma frozen : tensor<5xf32>
  %mean = vn.parameter "bn.running_mean" running_mean frozen : tensor<5xf32>
  // expected-error @below {{is frozen: `--vn-fold-frozen` comes first}}
  %n = vn.batch_norm %x, %gamma, %gamma, %mean, %mean epsilon 1.0e-5 momentum 0.1 : (tensor<2x4x4x5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<2x4x4x5xf32>
  return %n : tensor<2x4x4x5xf32>
}
