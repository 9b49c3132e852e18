#include "runtime/io/Weights.h"

#include "runtime/Error.h"
#include "runtime/core/Closest.h"
#include "runtime/core/Finite.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <cstdio>
#include <fmt/core.h>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace vernier::runtime {

static constexpr size_t mostProblemsListed = 20;

/// `fitted`: "model `m`".
static Error mismatch(const std::string &fitted, const Safetensors &file,
                      const std::vector<std::string> &problems, const std::string &help) {
  Error error(VN_ERROR_WEIGHTS, "the weights do not fit " + fitted);
  error.at(file.place());
  for (size_t i = 0; i < std::min(problems.size(), mostProblemsListed); ++i)
    error.note(problems[i]);
  if (problems.size() > mostProblemsListed)
    error.note(fmt::format("and {} more", problems.size() - mostProblemsListed));
  return error.help(help);
}

static void checkFinite(const std::vector<const Safetensors::Tensor *> &tensors, const Safetensors &file,
                        const NonFiniteWeights &policy) {
  std::vector<std::string> problems;
  std::vector<float> values;
  for (const Safetensors::Tensor *tensor : tensors) {
    values.resize(size_t(*elementCount(tensor->shape)));
    file.copyFloats(*tensor, values.data());
    if (const NonFinite found = findNonFinite(values))
      problems.push_back(
          fmt::format("tensor `{}` holds {}", tensor->name, nonFiniteText(found, tensor->shape)));
  }
  if (problems.empty())
    return;
  Error error(VN_ERROR_VALUE,
              fmt::format("{} of the weights {} not finite", problems.size() == 1 ? "a tensor" : "tensors",
                          problems.size() == 1 ? "is" : "are"));
  error.at(file.place());
  for (size_t i = 0; i < std::min(problems.size(), mostProblemsListed); ++i)
    error.note(problems[i]);
  if (problems.size() > mostProblemsListed)
    error.note(fmt::format("and {} more", problems.size() - mostProblemsListed));
  if (policy.allowed) {
    const std::string text = error.what();
    fmt::print(stderr, "warning{}\n", text.substr(text.find(':')));
    return;
  }
  error.help("the training that wrote them diverged, or the file is damaged: take an earlier one");
  if (!policy.option.empty())
    error.help(policy.option + " uses them all the same");
  throw error;
}

void checkFinite(const Safetensors &file, const NonFiniteWeights &policy, const std::string &prefix) {
  std::vector<const Safetensors::Tensor *> tensors;
  for (const Safetensors::Tensor &tensor : file.tensors())
    if (tensor.name.starts_with(prefix) && Safetensors::isFloat(tensor))
      tensors.push_back(&tensor);
  checkFinite(tensors, file, policy);
}

// "bn1.weight" of "bn1[0.65].weight"; nothing where there is no choice.
static std::string withoutChoice(std::string_view name) {
  const size_t begin = name.find('['), end = name.find(']');
  if (begin == name.npos || end == name.npos || end < begin)
    return {};
  return std::string(name.substr(0, begin)) + std::string(name.substr(end + 1));
}

/// Of a parameter and the tensor that is to be its values; empty: none.
static std::string problemOf(const vn_parameter &parameter, const Safetensors::Tensor *tensor) {
  const std::string expected = shapeText(shapeOf(parameter));
  if (!tensor)
    return fmt::format("tensor `{}` of shape {} is missing", parameter.name, expected);
  if (!std::ranges::equal(tensor->shape, shapeOf(parameter)))
    return fmt::format("tensor `{}` has shape {}, expected {}", parameter.name, shapeText(tensor->shape),
                       expected);
  if (!Safetensors::isFloat(*tensor))
    return fmt::format("tensor `{}` has type {}, expected F32, F64, F16 or BF16", parameter.name,
                       tensor->type);
  return "";
}

FoundWeights findWeights(const ModelOutline &model, const Safetensors &file, const std::string &prefix,
                         const std::string &others, const NonFiniteWeights &policy) {
  std::unordered_map<std::string, const Safetensors::Tensor *> found;
  for (const Safetensors::Tensor &tensor : file.tensors())
    if (tensor.name.starts_with(prefix))
      found[tensor.name.substr(prefix.size())] = &tensor;

  std::unordered_set<std::string> chosen; // parameters of a choice
  for (const vn_parameter &parameter : model.parameters)
    chosen.insert(withoutChoice(parameter.name));

  std::vector<std::string> problems;
  FoundWeights sources;
  for (const vn_parameter &parameter : model.parameters) {
    const auto entry = found.find(parameter.name);
    const Safetensors::Tensor *const tensor = entry == found.end() ? nullptr : entry->second;
    if (tensor)
      found.erase(entry);
    sources.push_back(tensor);
    if (std::string problem = problemOf(parameter, tensor); !problem.empty())
      problems.push_back(std::move(problem));
  }
  for (const Safetensors::Tensor &tensor : file.tensors()) {
    if (!tensor.name.starts_with(prefix) || !found.contains(tensor.name.substr(prefix.size())))
      continue;
    if (!others.empty() && tensor.name.starts_with(others))
      continue;
    const std::string shared = withoutChoice(std::string_view(tensor.name).substr(prefix.size()));
    const bool otherChoice = !shared.empty() && chosen.contains(shared);
    if (std::ranges::find(model.trainingOnly, tensor.name.substr(prefix.size())) != model.trainingOnly.end())
      continue;
    if (!otherChoice && !tensor.name.ends_with(".num_batches_tracked"))
      problems.push_back(
          fmt::format("tensor `{}` of shape {} is unexpected", tensor.name, shapeText(tensor.shape)));
  }
  if (!problems.empty())
    throw mismatch(
        fmt::format("model `{}`", model.name), file, problems,
        "the file must come from the same specification and configuration; `info` lists the model's tensors");
  checkFinite(sources, file, policy);
  return sources;
}

std::string closestPlace(const ModelOutline &model, const std::string &place) {
  std::vector<std::string> places;
  for (const vn_parameter &parameter : model.parameters)
    for (std::string_view name = parameter.name; name.find('.') != name.npos;)
      places.emplace_back(name = name.substr(0, name.rfind('.')));
  return closestName(place, places);
}

FoundWeights findWeightsOf(const ModelOutline &model, const Safetensors &file, const std::string &place) {
  std::vector<std::string> problems;
  FoundWeights sources(model.parameters.size());
  std::vector<const Safetensors::Tensor *> found;
  for (size_t i = 0; i < sources.size(); ++i) {
    const vn_parameter &parameter = model.parameters[i];
    const std::string name = parameter.name;
    if (!name.starts_with(place + "."))
      continue;
    sources[i] = file.find(name.substr(place.size() + 1));
    if (!sources[i])
      sources[i] = file.find(name);
    found.push_back(sources[i]);
    if (std::string problem = problemOf(parameter, sources[i]); !problem.empty())
      problems.push_back(std::move(problem));
  }
  if (found.empty()) {
    Error error(VN_ERROR_ARGUMENT, fmt::format("no parameter of model `{}` is in `{}`", model.name, place));
    error.at("--weights");
    if (const std::string close = closestPlace(model, place); !close.empty())
      error.help(fmt::format("did you mean `{}`?", close));
    throw error.help(
        "`--weights PLACE=FILE` is for the parameters that begin with PLACE and a dot; `info` lists them");
  }
  if (!problems.empty())
    throw mismatch(fmt::format("`{}` of model `{}`", place, model.name), file, problems,
                   fmt::format("the file's tensors have names without `{}.`, or with it; {}", place,
                               file.tensors().empty()
                                   ? "it has none"
                                   : fmt::format("its first one is `{}`", file.tensors()[0].name)));
  checkFinite(found, file, {});
  return sources;
}

void takeWeights(Session &session, const Safetensors &file, const FoundWeights &found) {
  std::vector<float> values;
  for (size_t i = 0; i < found.size(); ++i) {
    if (!found[i])
      continue;
    const vn_parameter &parameter = session.model().parameters[i];
    values.resize(size_t(elementCount(parameter)));
    file.copyFloats(*found[i], values.data());
    session.write(parameter, values);
  }
}

void loadWeights(Session &session, const Safetensors &file, const std::string &prefix,
                 const std::string &others, const NonFiniteWeights &policy) {
  takeWeights(session, file, findWeights(session.model(), file, prefix, others, policy));
}

HostTensors weightTensors(const Session &session, const std::string &prefix) {
  HostTensors tensors;
  for (int64_t i = 0; i < session.model().num_parameters; ++i) {
    const vn_parameter &parameter = session.model().parameters[i];
    tensors.add(prefix + parameter.name, shapeOf(parameter), session.read(parameter));
  }
  return tensors;
}

} // namespace vernier::runtime
