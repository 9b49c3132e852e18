// Generated code against the interpreter, on random inputs and parameters.
#ifndef VERNIER_TESTS_CODEGEN_COMPARE_H
#define VERNIER_TESTS_CODEGEN_COMPARE_H

#include "codegen/program/Backend.h"
#include "compiler/passes/Passes.h"

#include "codegen/cpu/kernels/Winograd.h"

#include <map>
#include <string>
#include <vector>

namespace vernier::tests {

struct Comparison {
  std::string error; // empty if both ran
  // Relative L2 difference of each output ("logits", "training loss"), gradient ("gradient fc.weight") and
  // running statistic
  // ("statistic bn1.running_mean"); absolute where the reference is 0.
  std::map<std::string, double> differences;

  double worst() const;
  std::string worstName() const;
};

struct CompareOptions {
  std::string target = "native";
  bool train = false;           // differentiate, and run @train_step after @infer
  std::string loss = "softmax"; // or "binary", in training
  unsigned seed = 1;
  int threads = 2;
  codegen::WinogradOptions winograd = {};
  const codegen::Backend *backend = nullptr; // instead of the CPU's
  std::string passes = compiler::kInferencePasses;
  codegen::Element maps = codegen::Element::F32; // of @infer
  // Unless 0: the image's values are whole numbers up to this magnitude and the parameters -1, 0 or 1, so
  // that sums are exact, in bfloat16 up to 256.
  int64_t wholeNumbers = 0;
  // Unless 0: what all values of the image, or of the parameters, are: rounding errors of a sum of equal
  // terms do not cancel.
  float equalImage = 0, equalParameters = 0;
};

// `text` is a module of the vn dialect with @infer. The compiled side is folded and fused; the interpreter's
// is as it stands. While it runs, memory beyond the plan's bound is watched, what no
// step has written is NaN, and the caller's arrays end at an unreadable page.
Comparison compareWithInterpreter(const std::string &text, const CompareOptions &options);

// NaN, infinity and minus infinity one after the other at each `every`-th place of the image, or of the
// parameters: where the results of compiled code are one of these and the interpreter's are not the same one,
// in words.
//   Same: NaN and the two infinities are told apart.
//   Finite: numbers from those that are not. Folded batch norms and sums in another order may find NaN where
//           infinities of different signs would meet.
//   Spread: only that nothing is hidden. Winograd's algorithm mixes the outputs of a tile.
enum class Places { Same, Finite, Spread };
struct NonFinite {
  std::string error;           // empty if all ran
  int64_t runs = 0, found = 0; // found: results that are not finite
  std::vector<std::string> wrong;
};
enum class PutInto { Image, Parameters };
NonFinite compareNonFinite(const std::string &text, const CompareOptions &options, Places places,
                           PutInto where = PutInto::Image, int64_t every = 1);

} // namespace vernier::tests

#endif
