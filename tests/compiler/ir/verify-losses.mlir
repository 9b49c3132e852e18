// RUN: vernier-opt %s --split-input-file --verify-diagnostics
// Each constraint of the losses and their gradients, by its label in the op's documentation.

// vn.softmax_cross_entropy (C1)
func.func @pixels(%x: tensor<8x2x3x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{needs `labels` of type 'tensor<8x2x3xi32>', found 'tensor<8xi32>'}}
  %0 = vn.softmax_cross_entropy %x, %l, %s : (tensor<8x2x3x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<1xf32>
  return
}

// -----

// vn.softmax_cross_entropy (C1)
func.func @labels(%x: tensor<8x1x1x10xf32>, %l: tensor<4xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{needs `labels` of type 'tensor<8xi32>', found 'tensor<4xi32>'}}
  %0 = vn.softmax_cross_entropy %x, %l, %s : (tensor<8x1x1x10xf32>, tensor<4xi32>, tensor<1xf32>) -> tensor<1xf32>
  return
}

// -----

// vn.softmax_cross_entropy (C2)
func.func @loss(%x: tensor<8x1x1x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8xf32>', its operands make it 'tensor<1xf32>'}}
  %0 = vn.softmax_cross_entropy %x, %l, %s : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<8xf32>
  return
}

// -----

// vn.softmax_cross_entropy (C3)
func.func @count(%x: tensor<8x1x1x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{needs a count of labels if some are ignored or weighted, and only then}}
  %0 = vn.softmax_cross_entropy %x, %l, %s ignored 255 : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<1xf32>
  return
}

// -----

// vn.softmax_cross_entropy (C4)
func.func @count_of_each(%x: tensor<8x1x1x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{has a count of type 'tensor<1xf32>'; expected 'tensor<8xf32>'}}
  %0 = vn.softmax_cross_entropy %x, %l, %s, %s ignored 255 each_image : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>) -> tensor<8xf32>
  return
}

// -----

// vn.count_labels (C1)
func.func @count_labels(%l: tensor<8x2x2xi32>) {
  // expected-error @below {{has result #0 of type 'tensor<1xf32>', its operands make it 'tensor<8xf32>'}}
  %0 = vn.count_labels %l ignored 255 each_image : (tensor<8x2x2xi32>) -> tensor<1xf32>
  return
}

// -----

// vn.count_labels (C2)
func.func @count_all(%l: tensor<8x2x2xi32>) {
  // expected-error @below {{counts all labels: none is ignored, and none is weighted}}
  %0 = vn.count_labels %l : (tensor<8x2x2xi32>) -> tensor<1xf32>
  return
}

// -----

// vn.softmax_cross_entropy (C5)
func.func @weights(%x: tensor<8x1x1x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>, %w: tensor<9xf32>) {
  // expected-error @below {{needs `weights` of type 'tensor<10xf32>', found 'tensor<9xf32>'}}
  %0 = vn.softmax_cross_entropy %x, %l, %s, %s weights %w : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>, tensor<9xf32>) -> tensor<1xf32>
  return
}

// -----

// vn.softmax_cross_entropy_grad (C4)
func.func @grad_weights(%x: tensor<8x1x1x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>, %w: tensor<9xf32>) {
  // expected-error @below {{needs `weights` of type 'tensor<10xf32>', found 'tensor<9xf32>'}}
  %0 = vn.softmax_cross_entropy_grad %x, %l, %s, %s weights %w : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>, tensor<9xf32>) -> tensor<8x1x1x10xf32>
  return
}

// -----

// vn.numbers (C1)
func.func @numbers() {
  // expected-error @below {{has 3 values for 'tensor<2xf32>'}}
  %0 = vn.numbers [1.0, 2.0, 3.0] : tensor<2xf32>
  return
}

// -----

// vn.weighted_sum (C2)
func.func @sum_of_each(%a: tensor<8xf32>, %b: tensor<1xf32>) {
  // expected-error @below {{adds 'tensor<1xf32>' to a sum of type 'tensor<8xf32>'}}
  %0 = vn.weighted_sum %a, %b weights [1.0, 2.0] : tensor<8xf32>, tensor<1xf32> -> tensor<8xf32>
  return
}

// -----

// vn.softmax_cross_entropy_grad (C1)
func.func @grad_pixels(%x: tensor<8x2x2x10xf32>, %l: tensor<8x4xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{operand #1 must be static N or N x H x W i32 tensor, but got 'tensor<8x4xi32>'}}
  %0 = vn.softmax_cross_entropy_grad %x, %l, %s : (tensor<8x2x2x10xf32>, tensor<8x4xi32>, tensor<1xf32>) -> tensor<8x2x2x10xf32>
  return
}

// -----

func.func @smoothing(%x: tensor<8x1x1x10xf32>, %l: tensor<8xi32>, %s: tensor<8xf32>) {
  // expected-error @below {{operand #2 must be tensor<1xf32>, but got 'tensor<8xf32>'}}
  %0 = vn.softmax_cross_entropy_grad %x, %l, %s : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<8xf32>) -> tensor<8x1x1x10xf32>
  return
}

// -----

// vn.softmax_cross_entropy_grad (C2)
func.func @grad_result(%x: tensor<8x1x1x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8x1x1x5xf32>', its operands make it 'tensor<8x1x1x10xf32>'}}
  %0 = vn.softmax_cross_entropy_grad %x, %l, %s : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<8x1x1x5xf32>
  return
}

// -----

// vn.softmax_cross_entropy_grad (C3)
func.func @grad_count(%x: tensor<8x1x1x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{needs a count of labels if some are ignored or weighted, and only then}}
  %0 = vn.softmax_cross_entropy_grad %x, %l, %s, %s : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>) -> tensor<8x1x1x10xf32>
  return
}

// -----

// vn.pointwise_loss (C1)
func.func @target(%x: tensor<8x2x2x1xf32>, %t: tensor<8x2x3x1xf32>) {
  // expected-error @below {{needs `target` of type 'tensor<8x2x2x1xf32>', found 'tensor<8x2x3x1xf32>'}}
  %0 = vn.pointwise_loss binary %x, %t : (tensor<8x2x2x1xf32>, tensor<8x2x3x1xf32>) -> tensor<1xf32>
  return
}

// -----

// vn.pointwise_loss (C2)
func.func @pointwise_loss(%x: tensor<8x2x2x1xf32>, %t: tensor<8x2x2x1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<2xf32>', its operands make it 'tensor<1xf32>'}}
  %0 = vn.pointwise_loss squared %x, %t : (tensor<8x2x2x1xf32>, tensor<8x2x2x1xf32>) -> tensor<2xf32>
  return
}

// -----

// vn.pointwise_loss (C3)
func.func @no_target(%x: tensor<8x2x2x1xf32>) {
  // expected-error @below {{needs a target unless it is the mean, and only then}}
  %0 = vn.pointwise_loss absolute %x : (tensor<8x2x2x1xf32>) -> tensor<1xf32>
  return
}

// -----

// vn.pointwise_loss_grad (C1)
func.func @grad_target(%x: tensor<8x2x2x1xf32>, %t: tensor<8x2x2x2xf32>) {
  // expected-error @below {{needs `target` of type 'tensor<8x2x2x1xf32>', found 'tensor<8x2x2x2xf32>'}}
  %0 = vn.pointwise_loss_grad focal %x, %t sharpness 2.0 : (tensor<8x2x2x1xf32>, tensor<8x2x2x2xf32>) -> tensor<8x2x2x1xf32>
  return
}

// -----

// vn.pointwise_loss_grad (C2)
func.func @grad_of_another_shape(%x: tensor<8x2x2x1xf32>, %t: tensor<8x2x2x1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8x2x2x3xf32>', its operands make it 'tensor<8x2x2x1xf32>'}}
  %0 = vn.pointwise_loss_grad smooth_l1 %x, %t : (tensor<8x2x2x1xf32>, tensor<8x2x2x1xf32>) -> tensor<8x2x2x3xf32>
  return
}

// -----

// vn.pointwise_loss_grad (C3)
func.func @mean_of_target(%x: tensor<8x2x2x1xf32>) {
  // expected-error @below {{needs a target unless it is the mean, and only then}}
  %0 = vn.pointwise_loss_grad mean %x, %x : (tensor<8x2x2x1xf32>, tensor<8x2x2x1xf32>) -> tensor<8x2x2x1xf32>
  return
}

// -----

// vn.weighted_sum (C1)
func.func @weights(%a: tensor<1xf32>) {
  // expected-error @below {{has 1 terms and 2 weights}}
  %0 = vn.weighted_sum %a weights [1.0, 2.0] : tensor<1xf32> -> tensor<1xf32>
  return
}
