// The open holes of a model and what is chosen of them.
#ifndef VERNIER_RUNTIME_CORE_CHOICES_H
#define VERNIER_RUNTIME_CORE_CHOICES_H

#include "runtime/core/ModelOutline.h"
#include "runtime/core/StepRange.h"
#include "vernier/abi.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vernier::runtime {

/// One configuration: for each hole of a model, in its order, the index of a choice.
using Choices = std::vector<int64_t>;

inline std::span<const vn_hole> holesOf(const vn_model &model) {
  return {model.holes, size_t(model.num_holes)};
}
inline std::span<const vn_variant> variantsOf(const vn_segment &segment) {
  return {segment.variants, size_t(segment.num_variants)};
}

/// Throws VN_ERROR_ARGUMENT unless there is one choice for each hole.
void checkChoices(const ModelOutline &model, std::span<const int64_t> choices);

/// The variant of a segment that runs with these choices.
size_t variantIndex(const vn_model &model, const vn_segment &segment, std::span<const int64_t> choices);

/// The choices of a segment's holes that a variant stands for, as choicesText has them.
std::string variantText(const vn_model &model, const vn_segment &segment, int64_t variant);

/// What runs with these choices, in order.
std::vector<StepRange> chosenSteps(const vn_model &model, const vn_program &program,
                                   std::span<const int64_t> choices);

/// Multiply-adds per image with these choices.
int64_t macsOf(const vn_model &model, std::span<const int64_t> choices);

/// Whether train_step with these choices writes the gradient, for each of the model's parameters.
std::vector<bool> trainedParameters(const vn_model &model, std::span<const int64_t> choices);

/// The choices that `text` names: HOLE=VALUE[,HOLE=VALUE...], where holes that it does not name are at their
/// first choice; or, as many values as there are holes, VALUE[,VALUE...]. Refuses, with the known names, what
/// is no hole or no choice.
Choices parseChoices(const ModelOutline &model, const std::string &text);

/// "layer1.factor=0.45,layer2.factor=1", as parseChoices takes it.
std::string choicesText(const ModelOutline &model, std::span<const int64_t> choices);

} // namespace vernier::runtime

#endif
