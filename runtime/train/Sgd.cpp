#include "runtime/train/Sgd.h"

#include "runtime/Error.h"
#include "runtime/core/Finite.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <fmt/core.h>

namespace vernier::runtime {

Sgd::Sgd(Session &session, const Recipe::Optimizer &options) : session(session), options(options) {}

IoArrays Sgd::arrays() const {
  IoArrays arrays(session.model().update, session.pipeline());
  arrays.floats("momentum")[0] = float(options.momentum);
  arrays.floats("weight_decay")[0] = float(options.weightDecay);
  arrays.floats("vector_decay")[0] = options.decayNormsAndBiases ? float(options.weightDecay) : 0.0f;
  arrays.ints("nesterov")[0] = options.nesterov;
  return arrays;
}

int64_t Sgd::start(IoArrays &arrays, double learningRate, const std::vector<bool> *trained) const {
  arrays.floats("learning_rate")[0] = float(learningRate);
  const std::span<int32_t> flags = arrays.ints("trained");
  for (size_t i = 0; i < flags.size(); ++i)
    flags[i] = !trained || (*trained)[i];
  return session.start(Task::Update, arrays);
}

bool Sgd::finite(IoArrays &arrays) {
  return std::ranges::all_of(arrays.ints("not_finite"), [](int32_t flag) { return flag == 0; });
}

HostTensors Sgd::tensors(const std::string &prefix) const {
  HostTensors result;
  for (int64_t i = 0; i < session.model().num_parameters; ++i)
    if (const vn_parameter &parameter = session.model().parameters[i]; parameter.space == VN_SPACE_PARAMETERS)
      result.add(prefix + parameter.name, shapeOf(parameter), session.readMomentum(parameter));
  return result;
}

std::vector<const Safetensors::Tensor *> Sgd::find(const ModelOutline &model, const Safetensors &file,
                                                   const std::string &prefix) {
  std::vector<const Safetensors::Tensor *> sources(model.parameters.size());
  std::vector<float> values;
  for (size_t i = 0; i < sources.size(); ++i) {
    const vn_parameter &parameter = model.parameters[i];
    if (parameter.space != VN_SPACE_PARAMETERS)
      continue;
    const Safetensors::Tensor *tensor = file.find(prefix + parameter.name);
    if (!tensor || !std::ranges::equal(tensor->shape, shapeOf(parameter)) || !Safetensors::isFloat(*tensor))
      throw Error(VN_ERROR_WEIGHTS, fmt::format("the checkpoint has no tensor `{}{}` of shape {}", prefix,
                                                parameter.name, shapeText(shapeOf(parameter))))
          .at(file.place());
    sources[i] = tensor;
    values.resize(size_t(*elementCount(tensor->shape)));
    file.copyFloats(*tensor, values.data());
    if (const NonFinite found = findNonFinite(values))
      throw Error(VN_ERROR_VALUE,
                  fmt::format("tensor `{}` holds {}", tensor->name, nonFiniteText(found, tensor->shape)))
          .at(file.place())
          .help("the checkpoint is damaged: begin anew with another --out");
  }
  return sources;
}

void Sgd::load(const Safetensors &file, const std::string &prefix) {
  const auto sources = find(session.model(), file, prefix);
  std::vector<float> values;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (!sources[i])
      continue;
    const vn_parameter &parameter = session.model().parameters[i];
    values.resize(size_t(elementCount(parameter)));
    file.copyFloats(*sources[i], values.data());
    session.writeMomentum(parameter, values);
  }
}

} // namespace vernier::runtime
