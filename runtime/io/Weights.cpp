#include "runtime/io/Weights.h"

#include "runtime/Error.h"
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

static Error mismatch(const ModelOutline &model, const Safetensors &file,
                      const std::vector<std::string> &problems) {
  Error error(VN_ERROR_WEIGHTS, fmt::format("the weights do not fit model `{}`", model.name));
  error.at(file.place());
  for (size_t i = 0; i < std::min(problems.size(), mostProblemsListed); ++i)
    error.note(problems[i]);
  if (problems.size() > mostProblemsListed)
    error.note(fmt::format("and {} more", problems.size() - mostProblemsListed));
  return error.help(
      "the file must come from the same specification and configuration; `info` lists the model's tensors");
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
    const std::string expected = shapeText(shapeOf(parameter));
    const auto entry = found.find(parameter.name);
    if (entry == found.end()) {
      problems.push_back(fmt::format("tensor `{}` of shape {} is missing", parameter.name, expected));
      continue;
    }
    const Safetensors::Tensor &tensor = *entry->second;
    found.erase(entry);
    sources.push_back(&tensor);
    if (!std::ranges::equal(tensor.shape, shapeOf(parameter)))
      problems.push_back(fmt::format("tensor `{}` has shape {}, expected {}", parameter.name,
                                     shapeText(tensor.shape), expected));
    else if (!Safetensors::isFloat(tensor))
      problems.push_back(fmt::format("tensor `{}` has type {}, expected F32, F64, F16 or BF16",
                                     parameter.name, tensor.type));
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
    throw mismatch(model, file, problems);
  checkFinite(sources, file, policy);
  return sources;
}

void takeWeights(Session &session, const Safetensors &file, const FoundWeights &found) {
  std::vector<float> values;
  for (size_t i = 0; i < found.size(); ++i) {
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
