// RUN: not vernier-opt %s --vn-bind-holes="bindings=layer1.0.chanels=2,2" 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not vernier-opt %s --vn-bind-holes="bindings=elsewhere=2" 2>&1 | FileCheck %s --check-prefix=FAR
// RUN: not vernier-opt %s --vn-bind-holes="bindings=layer1.0.channels=2,2,2" 2>&1 | FileCheck %s --check-prefix=LENGTH
// RUN: not vernier-opt %s --vn-bind-holes="bindings=layer1.0.channels=2,-1" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not vernier-opt %s --vn-bind-holes="bindings=layer1.0.channels=65537,1" 2>&1 | FileCheck %s --check-prefix=LARGE
// RUN: not vernier-opt %s --vn-bind-holes="bindings=scale=2" 2>&1 | FileCheck %s --check-prefix=CHOOSE
// RUN: not vernier-opt %s --vn-bind-holes="bindings=layer1.0.channels=2,2;layer1.0.channels=1,3" 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not vernier-opt %s --vn-bind-holes="bindings=layer1.0.channels=2,x" 2>&1 | FileCheck %s --check-prefix=SYNTAX
// RUN: not vernier-opt %s --vn-bind-holes="bindings=elsewhere=2;layer1.0.channels=1" 2>&1 | FileCheck %s --check-prefix=BOTH

// UNKNOWN: error: unknown hole `layer1.0.chanels`
// UNKNOWN: note: help: closest hole: `layer1.0.channels`

// FAR: error: unknown hole `elsewhere`
// FAR-NOT: closest

// LENGTH: error: hole `layer1.0.channels` has 2 elements, but 3 are given
// LENGTH: :[[#@LINE+17]]:3: note: the hole is declared here

// NEGATIVE: error: hole `layer1.0.channels` cannot have -1 as element 1; a number of channels is between 0 and 65536

// LARGE: error: hole `layer1.0.channels` cannot have 65537 as element 0; a number of channels is between 0 and 65536

// CHOOSE: error: hole `scale` is a `choose` hole; channels can only be bound to `learned` ones

// TWICE: error: hole `layer1.0.channels` is bound twice

// SYNTAX: error: `layer1.0.channels=2,x` is not of the form hole=channels,channels,...

// Mistakes do not hide one another.
// BOTH: error: unknown hole `elsewhere`
// BOTH: error: hole `layer1.0.channels` has 2 elements, but 1 are given

module {
  vn.hole @layer1.0.channels learned seed [2, 2]
  vn.hole @scale choose from [0.45, 1.0]
  func.func @infer(%x: tensor<1x4x4x5xf32>) -> tensor<1x4x4x5xf32> {
    return %x : tensor<1x4x4x5xf32>
  }
}
