// How far a result may move: the bounds of `vernier verify`, all of them. docs/verify.md explains them.
//
// Differences are relative: the L2 norm of the change over that of the reference. (See Difference in
// Results.h for references near zero.)
#ifndef VERNIER_DRIVER_VERIFY_BOUNDS_H
#define VERNIER_DRIVER_VERIFY_BOUNDS_H

#include "llvm/ADT/StringRef.h"

namespace vernier::driver::bounds {

// What rounds results, or what they are products of: float32; float32 maps whose products are of tf32, with
// 10 bits behind the point; maps of bfloat16, with 7.
enum class Numbers { F32, TF32, BF16 };

// A directional derivative of the loss by the gradients of `vn-differentiate` and by central differences.
// What is left is the differences' own error: a ReLU changes sides within the step.
inline constexpr double kFiniteDifferences = 1e-5;

// What an element of a result is a sum of; of many products, their own rounding errors cancel.
enum class Terms { One, FewProducts, Many };
inline constexpr int64_t kManyProducts = 16;

// One op's result as its kernels compute it from the very operands that they read. Of sums in float32 the
// largest errors are those of Winograd's F(4x4, 3x3), whose budget this is; what is computed element by
// element, or sums in double, is rounded a few times. In bfloat16 the rounding of the result is all that
// counts, by up to 2^-8 of it, but for weights rounded as much before they are multiplied: of a few products,
// those of a depthwise 1x1 convolution, both may add up. In tf32 that of the two factors counts.
inline double ofKernel(Numbers numbers, Terms terms) {
  switch (numbers) {
  case Numbers::BF16:
    return terms == Terms::FewProducts ? 8e-3 : 4e-3;
  case Numbers::TF32:
    return terms == Terms::One ? 2e-6 : 1e-3;
  case Numbers::F32:
    return terms == Terms::One ? 2e-6 : 1e-5;
  }
  return 0;
}

// What these bounds are relative to: the result, or this part of the magnitudes of what was added up for it
// where that is more, since terms may cancel and their rounding stays. A sum of n terms of float32 is rounded
// on the way, with errors that mostly cancel too; weights in bfloat16 are rounded before they are multiplied,
// each by up to half of the bound; so are the factors of products in tf32.
inline double ofTerms(Numbers numbers) { return numbers == Numbers::F32 ? 0.1 : 1; }

// Where a result depends on last places, a gradient that is zero but for rounding or one behind batch norms
// over few pixels, so do two ways to compute it. How much is seen when all parameters and the image move by
// `step` of their size, more than rounding moves anything: the results may be as far apart as this many times
// what they move.
struct Movement {
  double step, times = 10;
};
inline constexpr Movement kDouble{1e-12};
inline Movement ofNumbers(Numbers numbers) {
  return {numbers == Numbers::BF16 ? 0x1p-8 : numbers == Numbers::TF32 ? 0x1p-11 : 0x1p-22};
}

// The outputs of the whole program in float32 or bfloat16 against double precision; what it adds to the
// checks above is that nothing was left out. Errors add up here. Of gradients, no bound can be given: where a
// ReLU near zero decides otherwise, and where a batch norm has few pixels, they jump.
// In training, batch norms over a few pixels of a reduced image magnify rounding errors: up to 1.1e-2 (a
// ScaleNet of 50 layers).
inline double ofProgram(Numbers numbers, bool training) {
  return numbers == Numbers::BF16 ? 0.3 : numbers == Numbers::TF32 || training ? 1e-1 : 1e-2;
}

// What a pass may change, computed in double precision before and after it, and how the inputs are moved to
// see how much depends on last places. 0: the pass moves no result by as much as a bit. Others add in another
// order, where rounding errors of 1e-16 grow with the network's depth, in gradients by up to a factor of 1e8
// (ScaleNet-152). The choice of bfloat16 says of each map what type it has: but for that type's rounding not
// a bit may move.
struct Pass {
  double bound;
  Movement movement = kDouble;
};
inline bool choosesPrecision(llvm::StringRef pass) { return pass.starts_with("vn-choose-precision"); }
// With the rounding, of what is no gradient.
inline Pass ofRounding(bool training) {
  return {ofProgram(Numbers::BF16, training), ofNumbers(Numbers::BF16)};
}
inline Pass ofPass(llvm::StringRef pass, bool training) {
  for (llvm::StringRef exact : {"vn-drop-empty", "vn-align-slices", "vn-training-form", "vn-share-max-pools",
                                "vn-block-images", "vn-choose-precision"})
    if (pass.starts_with(exact))
      return {0};
  return {training ? 1e-6 : 1e-9};
}

// The program as it is built, with shared memory and all threads, has the bits of the one whose every result
// has been checked.
inline constexpr double kAsBuilt = 0;

} // namespace vernier::driver::bounds

#endif
