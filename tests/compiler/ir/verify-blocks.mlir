// RUN: vernier-opt %s --split-input-file --verify-diagnostics

// vn.image_blocks (C1)
func.func @no_input() {
  // expected-error @below {{needs at least one input}}
  vn.image_blocks of 1 () : () -> () {
    vn.yield
  }
  return
}

// -----

// vn.image_blocks (C1)
func.func @batches(%x: tensor<4x1x1x8xf32>, %y: tensor<2x1x1x8xf32>) {
  // expected-error @below {{has maps of different batch, 4 and 2}}
  vn.image_blocks of 1 (%x, %y) : (tensor<4x1x1x8xf32>, tensor<2x1x1x8xf32>) -> () {
  ^bb0(%a: tensor<1x1x1x8xf32>, %b: tensor<1x1x1x8xf32>):
    vn.yield
  }
  return
}

// -----

// vn.image_blocks (C1)
func.func @divides(%x: tensor<4x1x1x8xf32>) {
  // expected-error @below {{divides a batch of 4 into blocks of 3}}
  vn.image_blocks of 3 (%x) : (tensor<4x1x1x8xf32>) -> () {
  ^bb0(%a: tensor<3x1x1x8xf32>):
    vn.yield
  }
  return
}

// -----

// vn.image_blocks (C2)
func.func @argument(%x: tensor<4x1x1x8xf32>) {
  // expected-error @below {{input 0 is 'tensor<1x1x1x8xf32>' in its body instead of 'tensor<2x1x1x8xf32>'}}
  vn.image_blocks of 2 (%x) : (tensor<4x1x1x8xf32>) -> () {
  ^bb0(%a: tensor<1x1x1x8xf32>):
    vn.yield
  }
  return
}

// -----

// vn.image_blocks (C2)
func.func @arguments(%x: tensor<4x1x1x8xf32>) {
  // expected-error @below {{has 1 inputs outside of its body and 0 inside}}
  vn.image_blocks of 2 (%x) : (tensor<4x1x1x8xf32>) -> () {
    vn.yield
  }
  return
}

// -----

// vn.image_blocks (C3)
func.func @result(%x: tensor<4x1x1x8xf32>) {
  // expected-error @below {{result 0 is 'tensor<2x1x1x8xf32>' in its body instead of 'tensor<2x1x1x4xf32>'}}
  %y = vn.image_blocks of 2 (%x) : (tensor<4x1x1x8xf32>) -> tensor<4x1x1x4xf32> {
  ^bb0(%a: tensor<2x1x1x8xf32>):
    vn.yield %a : tensor<2x1x1x8xf32>
  }
  return
}
