#include "tests/golden/GoldenTensors.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <stdexcept>

namespace vernier::golden {
namespace {

using Json = nlohmann::json;

uint64_t fnv1a(const std::string &text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text)
    hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

// A 24-bit uniform number in [0, 1): exact in float32, as are 2u - 1 and u - 0.5.
float uniform(uint64_t hash, uint64_t index) {
  uint64_t z = (index + hash) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  z ^= z >> 31;
  return static_cast<float>(z >> 40) * 0x1p-24f;
}

// The conventions say "in float32": the factor is rounded, then the product.
float value(const std::string &kind, float u, double fanIn) {
  if (kind == "conv")
    return (2 * u - 1) * static_cast<float>(std::sqrt(6 / fanIn));
  if (kind == "fc")
    return (2 * u - 1) * static_cast<float>(std::sqrt(3 / fanIn));
  if (kind == "bias" || kind == "beta" || kind == "mean")
    return (u - 0.5f) * 0.2f;
  if (kind == "gamma")
    return 0.25f + 0.5f * u;
  if (kind == "var")
    return 0.5f + u;
  if (kind == "input")
    return (2 * u - 1) * 1.7f;
  throw std::runtime_error("tensors of unknown kind " + kind);
}

Forward parseForward(const Json &json) {
  Forward forward{json.at("input"), json.at("logits"), {}};
  for (const auto &[name, stage] : json.at("stages").items())
    forward.stages.push_back({name, stage.at("mean"), stage.at("rms")});
  return forward;
}

Train parseTrain(const Json &json) {
  Train train{json.at("input"),
              json.at("labels"),
              json.at("lr"),
              json.at("momentum"),
              json.at("weight_decay"),
              json.at("losses"),
              {},
              {}};
  for (const auto &[name, values] : json.at("grad_norm_and_probe").items())
    train.gradients[name] = {values.at(0), values.at(1)};
  for (const auto &[name, values] : json.at("running_norm_after_3").items())
    train.runningNormsAfterAll[name] = values.at(0);
  return train;
}

} // namespace

Record readRecord(const std::string &path) {
  try {
    std::ifstream file(path);
    if (!file)
      throw std::runtime_error("cannot open it");
    Json json = Json::parse(file);
    Record record{json.at("model"), json.at("params"), json.at("macs_224"), {}, {}, {}};
    for (const Json &tensor : json.at("tensors"))
      record.tensors.push_back({tensor.at(0), tensor.at(1), tensor.at(2)});
    for (const Json &forward : json.at("forward"))
      record.forwards.push_back(parseForward(forward));
    if (json.contains("train"))
      record.train = parseTrain(json.at("train"));
    return record;
  } catch (const std::exception &e) {
    throw std::runtime_error(path + ": " + e.what());
  }
}

std::vector<float> regenerate(const TensorInfo &tensor) {
  int64_t size = 1;
  for (int64_t d : tensor.shape)
    size *= d;
  const double fanIn = static_cast<double>(size) / static_cast<double>(tensor.shape.front());
  const uint64_t hash = fnv1a(tensor.name);
  std::vector<float> values(size);
  for (int64_t i = 0; i < size; ++i)
    values[i] = value(tensor.kind, uniform(hash, i), fanIn);
  return values;
}

} // namespace vernier::golden
