// A model's parameters and statistics to and from a safetensors file, by name.
#ifndef VERNIER_RUNTIME_IO_WEIGHTS_H
#define VERNIER_RUNTIME_IO_WEIGHTS_H

#include "runtime/core/ModelOutline.h"
#include "runtime/core/Session.h"
#include "runtime/io/Safetensors.h"

#include <string>
#include <string_view>
#include <vector>

namespace vernier::runtime {

/// What is done with weights that are infinite or no number: a network with such computes nothing, and an
/// accuracy or a class does not show it.
struct NonFiniteWeights {
  bool allowed = false; ///< named in a warning on standard error, and used; else refused
  std::string option{}; ///< the option that allows them, for the message; empty: there is none
};

/// Refuses, or only names, tensors of the file that are not finite as float32: which, where and how many
/// elements. With `prefix`, those whose names begin with it.
void checkFinite(const Safetensors &file, const NonFiniteWeights &policy = {},
                 const std::string &prefix = "");

/// The tensor of each of the model's parameters, its name without `prefix`. Refuses a file where one is
/// missing, unexpected, not finite or of another shape or type; the message lists each. PyTorch's
/// `num_batches_tracked` is passed over, and so are other choices' parameters of a batch norm that the model
/// has for some (`bn1[0.65].weight` beside `bn1[1].weight`): one file serves all configurations. What
/// only training needs is passed over, too. Tensors whose names begin with `others`, if it is not empty,
/// belong to another model.
using FoundWeights = std::vector<const Safetensors::Tensor *>;
FoundWeights findWeights(const ModelOutline &model, const Safetensors &file, const std::string &prefix = "",
                         const std::string &others = "", const NonFiniteWeights &policy = {});

/// The same of the parameters of a place, `PLACE.` and more: their names in the file are without the place,
/// or whole. Null for other parameters; what else the file has is passed over. Refuses a place that has none.
FoundWeights findWeightsOf(const ModelOutline &model, const Safetensors &file, const std::string &place);

/// The place of a parameter that is spelt most like this one; empty: none is.
std::string closestPlace(const ModelOutline &model, const std::string &place);

/// Copies what was found in `file`.
void takeWeights(Session &session, const Safetensors &file, const FoundWeights &found);

/// Both: all of the session's weights, or none where the file is refused.
void loadWeights(Session &session, const Safetensors &file, const std::string &prefix = "",
                 const std::string &others = "", const NonFiniteWeights &policy = {});

/// In the file of an adaptive model before the names of its classifier's tensors.
inline constexpr std::string_view classifierPrefix = "scale_classifier.";

/// Tensors that are a device's, copied to be written.
struct HostTensors {
  std::vector<TensorView> views;           ///< may be added to
  std::vector<std::vector<float>> storage; ///< of the views

  void add(std::string name, std::span<const int64_t> shape, std::vector<float> values) {
    storage.push_back(std::move(values));
    views.push_back({std::move(name), {shape.begin(), shape.end()}, storage.back()});
  }
};

/// The session's weights, named with `prefix`.
HostTensors weightTensors(const Session &session, const std::string &prefix = "");

} // namespace vernier::runtime

#endif
