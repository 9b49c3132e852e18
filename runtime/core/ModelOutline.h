// What a model says of itself without its programs: known before there is code for it.
#ifndef VERNIER_RUNTIME_CORE_MODELOUTLINE_H
#define VERNIER_RUNTIME_CORE_MODELOUTLINE_H

#include "vernier/abi.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace vernier::runtime {

struct ModelOutline {
  std::string_view name;
  int64_t batch = 1, channels = 0, height = 0, width = 0; ///< of one call's image
  int64_t classes = 0;                                    ///< 0: its first output is a map
  std::span<const vn_parameter> parameters;               ///< offsets are of no account
  std::span<const vn_hole> holes;                         ///< the open ones
  std::span<const std::string> trainingOnly; ///< tensors that files may have: what losses alone need

  ModelOutline() = default;
  /// Implicit: a model's outline is a part of it.
  ModelOutline(const vn_model &model)
      : name(model.name), batch(model.batch), channels(model.channels), height(model.height),
        width(model.width), classes(model.classes),
        parameters(model.parameters, size_t(model.num_parameters)),
        holes(model.holes, size_t(model.num_holes)) {}
};

} // namespace vernier::runtime

#endif
