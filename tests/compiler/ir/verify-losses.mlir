// RUN: vernier-opt %s --split-input-file --verify-diagnostics
// Each constraint of the losses and their gradients, by its label in the op's documentation.

// vn.softmax_cross_entropy (C1)
func.func @pixels(%x: tensor<8x2x2x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{needs logits of one pixel, found 2 x 2}}
  %0 = vn.softmax_cross_entropy %x, %l, %s : (tensor<8x2x2x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<1xf32>
  return
}

// -----

// vn.softmax_cross_entropy (C2)
func.func @labels(%x: tensor<8x1x1x10xf32>, %l: tensor<4xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{needs `labels` of type 'tensor<8xi32>', found 'tensor<4xi32>'}}
  %0 = vn.softmax_cross_entropy %x, %l, %s : (tensor<8x1x1x10xf32>, tensor<4xi32>, tensor<1xf32>) -> tensor<1xf32>
  return
}

// -----

// vn.softmax_cross_entropy (C3)
func.func @loss(%x: tensor<8x1x1x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{result #0 must be tensor<1xf32>, but got 'tensor<8xf32>'}}
  %0 = vn.softmax_cross_entropy %x, %l, %s : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<8xf32>
  return
}

// -----

// vn.softmax_cross_entropy_grad (C1)
func.func @grad_pixels(%x: tensor<8x2x2x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{needs logits of one pixel, found 2 x 2}}
  %0 = vn.softmax_cross_entropy_grad %x, %l, %s : (tensor<8x2x2x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<8x2x2x10xf32>
  return
}

// -----

// vn.softmax_cross_entropy_grad (C2)
func.func @smoothing(%x: tensor<8x1x1x10xf32>, %l: tensor<8xi32>, %s: tensor<8xf32>) {
  // expected-error @below {{operand #2 must be tensor<1xf32>, but got 'tensor<8xf32>'}}
  %0 = vn.softmax_cross_entropy_grad %x, %l, %s : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<8xf32>) -> tensor<8x1x1x10xf32>
  return
}

// -----

// vn.softmax_cross_entropy_grad (C3)
func.func @grad_result(%x: tensor<8x1x1x10xf32>, %l: tensor<8xi32>, %s: tensor<1xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8x1x1x5xf32>', its operands make it 'tensor<8x1x1x10xf32>'}}
  %0 = vn.softmax_cross_entropy_grad %x, %l, %s : (tensor<8x1x1x10xf32>, tensor<8xi32>, tensor<1xf32>) -> tensor<8x1x1x5xf32>
  return
}

// -----

// vn.binary_cross_entropy (C1)
func.func @binary_pixels(%x: tensor<8x2x2x10xf32>, %t: tensor<8x10xf32>) {
  // expected-error @below {{needs logits of one pixel, found 2 x 2}}
  %0 = vn.binary_cross_entropy %x, %t : (tensor<8x2x2x10xf32>, tensor<8x10xf32>) -> tensor<1xf32>
  return
}

// -----

// vn.binary_cross_entropy (C2)
func.func @targets(%x: tensor<8x1x1x10xf32>, %t: tensor<10x8xf32>) {
  // expected-error @below {{needs `targets` of type 'tensor<8x10xf32>', found 'tensor<10x8xf32>'}}
  %0 = vn.binary_cross_entropy %x, %t : (tensor<8x1x1x10xf32>, tensor<10x8xf32>) -> tensor<1xf32>
  return
}

// -----

// vn.binary_cross_entropy (C3)
func.func @binary_loss(%x: tensor<8x1x1x10xf32>, %t: tensor<8x10xf32>) {
  // expected-error @below {{result #0 must be tensor<1xf32>, but got 'tensor<2xf32>'}}
  %0 = vn.binary_cross_entropy %x, %t : (tensor<8x1x1x10xf32>, tensor<8x10xf32>) -> tensor<2xf32>
  return
}

// -----

// vn.binary_cross_entropy_grad (C1)
func.func @binary_grad_pixels(%x: tensor<8x2x2x10xf32>, %t: tensor<8x10xf32>) {
  // expected-error @below {{needs logits of one pixel, found 2 x 2}}
  %0 = vn.binary_cross_entropy_grad %x, %t : (tensor<8x2x2x10xf32>, tensor<8x10xf32>) -> tensor<8x2x2x10xf32>
  return
}

// -----

// vn.binary_cross_entropy_grad (C2)
func.func @binary_grad_targets(%x: tensor<8x1x1x10xf32>, %t: tensor<8x9xf32>) {
  // expected-error @below {{needs `targets` of type 'tensor<8x10xf32>', found 'tensor<8x9xf32>'}}
  %0 = vn.binary_cross_entropy_grad %x, %t : (tensor<8x1x1x10xf32>, tensor<8x9xf32>) -> tensor<8x1x1x10xf32>
  return
}

// -----

// vn.binary_cross_entropy_grad (C3)
func.func @binary_grad_result(%x: tensor<8x1x1x10xf32>, %t: tensor<8x10xf32>) {
  // expected-error @below {{has result #0 of type 'tensor<8x1x1x9xf32>', its operands make it 'tensor<8x1x1x10xf32>'}}
  %0 = vn.binary_cross_entropy_grad %x, %t : (tensor<8x1x1x10xf32>, tensor<8x10xf32>) -> tensor<8x1x1x9xf32>
  return
}
