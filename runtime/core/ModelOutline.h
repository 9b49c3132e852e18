// What a model says of itself without its programs: known before there is code for it.
#ifndef VERNIER_RUNTIME_CORE_MODELOUTLINE_H
#define VERNIER_RUNTIME_CORE_MODELOUTLINE_H

#include "vernier/abi.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace vernier::runtime {

/// Whether the specification says what a training step minimises; else it is the loss of a classifier's
/// logits, which takes a label smoothing beside the labels. A target of floats has other dimensions.
inline bool declaresLosses(const vn_program &trainStep) {
  for (int64_t i = 0; i < trainStep.num_io; ++i)
    if (const vn_io &io = trainStep.io[i]; io.is_output == VN_INPUT &&
                                           std::string_view(io.name) == "label_smoothing" &&
                                           io.type == VN_FLOAT32 && io.rank == 1)
      return false;
  return trainStep.num_io > 0;
}

struct ModelOutline {
  std::string_view name;
  int64_t batch = 1, channels = 0, height = 0, width = 0; ///< of one call's image
  int64_t classes = 0;                                    ///< 0: its first output is a map
  std::span<const vn_parameter> parameters;               ///< offsets are of no account
  std::span<const vn_hole> holes;                         ///< the open ones
  std::span<const std::string> trainingOnly; ///< tensors that files may have: what losses alone need
  bool declaresLosses = false;    ///< what a training step minimises; its arrays are then these, too
  std::span<const vn_io> targets; ///< what it is given for each image beside it, in order
  std::span<const vn_io> terms;   ///< the losses with names that it gives: "loss.NAME"

  ModelOutline() = default;
  /// Implicit: a model's outline is a part of it.
  ModelOutline(const vn_model &model)
      : name(model.name), batch(model.batch), channels(model.channels), height(model.height),
        width(model.width), classes(model.classes),
        parameters(model.parameters, size_t(model.num_parameters)),
        holes(model.holes, size_t(model.num_holes)),
        declaresLosses(runtime::declaresLosses(model.train_step)) {
    if (!declaresLosses)
      return;
    const std::span<const vn_io> arrays(model.train_step.io, size_t(model.train_step.num_io));
    size_t inputs = 0, others = arrays.size();
    while (inputs < arrays.size() && arrays[inputs].is_output == VN_INPUT)
      ++inputs;
    while (others > inputs && std::string_view(arrays[others - 1].name).starts_with("loss."))
      --others;
    if (inputs > 0 && std::string_view(arrays[inputs - 1].name) == "random") // no target's name
      --inputs;
    if (inputs > 0)
      targets = arrays.subspan(1, inputs - 1); // behind the image
    terms = arrays.subspan(others);
  }
};

} // namespace vernier::runtime

#endif
