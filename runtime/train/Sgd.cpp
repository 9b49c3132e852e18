#include "runtime/train/Sgd.h"

#include "runtime/Error.h"
#include "runtime/core/Finite.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <fmt/core.h>

namespace vernier::runtime {

static bool isIn(const vn_parameter &parameter, const std::string &place) {
  return std::string_view(parameter.name).starts_with(place + ".");
}

Sgd::Sgd(Session &session, const Recipe::Optimizer &options) : session(session), options(options) {
  const vn_model &model = session.model();
  for (int64_t i = 0; i < model.num_parameters; ++i) {
    size_t longest = 0;
    double &rate = rates.emplace_back(1);
    for (const auto &[place, factor] : options.rates)
      if (isIn(model.parameters[i], place) && place.size() >= longest)
        longest = place.size(), rate = factor;
  }
}

void Sgd::checkRates(const ModelOutline &model, const Recipe::Optimizer &options, const std::string &recipe) {
  for (const auto &[place, factor] : options.rates) {
    if (std::ranges::any_of(model.parameters, [&](const vn_parameter &parameter) {
          return parameter.space == VN_SPACE_PARAMETERS && isIn(parameter, place);
        }))
      continue;
    Error error(VN_ERROR_ARGUMENT,
                fmt::format("`rates` names `{}`, in which model `{}` trains nothing", place, model.name));
    error.at(recipe);
    if (const std::string close = closestPlace(model, place); !close.empty() && close != place)
      error.help(fmt::format("did you mean `{}`?", close));
    throw error;
  }
}

IoArrays Sgd::arrays() const {
  IoArrays arrays(session.model().update, session.pipeline());
  arrays.floats("momentum")[0] = float(options.momentum);
  arrays.floats("weight_decay")[0] = float(options.weightDecay);
  arrays.floats("vector_decay")[0] = options.decayNormsAndBiases ? float(options.weightDecay) : 0.0f;
  arrays.ints("nesterov")[0] = options.nesterov;
  return arrays;
}

int64_t Sgd::start(IoArrays &arrays, double learningRate, const std::vector<bool> *trained) const {
  const std::span<float> each = arrays.floats("learning_rate");
  const std::span<int32_t> flags = arrays.ints("trained");
  for (size_t i = 0; i < flags.size(); ++i) {
    each[i] = float(learningRate * rates[i]);
    flags[i] = rates[i] != 0 && (!trained || (*trained)[i]);
  }
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
