#include "runtime/train/Sgd.h"

#include "runtime/Error.h"
#include "runtime/core/Finite.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <atomic>
#include <fmt/core.h>

namespace vernier::runtime {

static constexpr int64_t chunkSize = 16384;

Sgd::Sgd(Session &session, const Recipe::Optimizer &options) : session(session), options(options) {
  const vn_model &model = session.model();
  momentum.resize(size_t(model.num_parameters));
  for (int64_t i = 0; i < model.num_parameters; ++i) {
    const vn_parameter &parameter = model.parameters[i];
    if (parameter.space != VN_SPACE_PARAMETERS)
      continue;
    const int64_t count = elementCount(parameter);
    momentum[size_t(i)].assign(size_t(count), 0.0f);
    const bool isWeight = parameter.kind == VN_CONVOLUTION_WEIGHT || parameter.kind == VN_LINEAR_WEIGHT;
    const double decay = isWeight || options.decayNormsAndBiases ? options.weightDecay : 0.0;
    for (int64_t first = 0; first < count; first += chunkSize)
      chunks.push_back({session.values(parameter).data() + first, session.gradient(parameter).data() + first,
                        momentum[size_t(i)].data() + first, std::min(chunkSize, count - first), float(decay),
                        size_t(i)});
  }
}

// One version per vector width; the loader of the program picks the widest that the CPU has. Returns 0 where
// all new weights are finite: they are at hand here, a pass of its own would read them from memory again.
#if defined(__x86_64__) && defined(__linux__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static uint32_t
update(float *__restrict weights, const float *__restrict gradients, float *__restrict momentum,
       int64_t count, float decay, float mu, float rate, bool nesterov) {
  uint32_t bad = 0;
  if (nesterov) {
    for (int64_t i = 0; i < count; ++i) {
      const float g = gradients[i] + decay * weights[i];
      momentum[i] = mu * momentum[i] + g;
      weights[i] -= rate * (g + mu * momentum[i]);
      bad |= isNonFinite(weights[i]);
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      momentum[i] = mu * momentum[i] + (gradients[i] + decay * weights[i]);
      weights[i] -= rate * momentum[i];
      bad |= isNonFinite(weights[i]);
    }
  }
  return bad;
}

bool Sgd::step(double learningRate, const std::vector<bool> *trained) {
  const float mu = float(options.momentum), rate = float(learningRate);
  std::atomic<uint32_t> bad{0};
  session.workers().forEach(int64_t(chunks.size()), [&](int64_t i) {
    const Chunk &chunk = chunks[size_t(i)];
    if (trained && !(*trained)[chunk.parameter])
      return;
    if (update(chunk.weights, chunk.gradients, chunk.momentum, chunk.count, chunk.decay, mu, rate,
               options.nesterov))
      bad.store(1, std::memory_order_relaxed);
  });
  session.weightsChanged();
  return bad == 0;
}

std::vector<TensorView> Sgd::tensors(const std::string &prefix) const {
  std::vector<TensorView> result;
  for (size_t i = 0; i < momentum.size(); ++i) {
    const vn_parameter &parameter = session.model().parameters[i];
    const auto shape = shapeOf(parameter);
    if (parameter.space == VN_SPACE_PARAMETERS)
      result.push_back({prefix + parameter.name, {shape.begin(), shape.end()}, momentum[i]});
  }
  return result;
}

std::vector<const Safetensors::Tensor *> Sgd::find(const vn_model &model, const Safetensors &file,
                                                   const std::string &prefix) {
  std::vector<const Safetensors::Tensor *> sources(size_t(model.num_parameters));
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
  for (size_t i = 0; i < momentum.size(); ++i) // in place: the updates know its address
    if (sources[i])
      file.copyFloats(*sources[i], momentum[i].data());
}

} // namespace vernier::runtime
