#include "runtime/train/Initialize.h"

#include "runtime/core/Random.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

namespace vernier::runtime {

static uint64_t hash(std::string_view text) { // FNV-1a
  uint64_t value = 14695981039346656037u;
  for (unsigned char c : text)
    value = (value ^ c) * 1099511628211u;
  return value;
}

/// The inputs of one output of the convolution or linear layer that `bias` belongs to; 1 where there is none.
static int64_t fanInOfBias(const vn_model &model, const vn_parameter &bias) {
  std::string weight = bias.name;
  weight.replace(weight.rfind('.') + 1, std::string::npos, "weight");
  for (int64_t i = 0; i < model.num_parameters; ++i)
    if (const vn_parameter &p = model.parameters[i]; p.name == weight && p.rank >= 2 && p.shape[0] > 0)
      return std::max<int64_t>(elementCount(p) / p.shape[0], 1);
  return 1;
}

static void fillUniform(std::span<float> values, float bound, RandomStream random) {
  for (float &value : values)
    value = (2 * random.uniform() - 1) * bound;
}

void initializeWeights(Session &session, const Initialization &options) {
  const vn_model &model = session.model();
  std::vector<float> values;
  for (int64_t i = 0; i < model.num_parameters; ++i) {
    const vn_parameter &p = model.parameters[i];
    values.resize(size_t(elementCount(p)));
    RandomStream random(options.seed, RandomPurpose::Initialization, 0, hash(p.name));
    switch (p.kind) {
    case VN_CONVOLUTION_WEIGHT: {
      const float deviation =
          std::sqrt(2.0f / float(std::max<int64_t>(p.shape[0] * p.shape[2] * p.shape[3], 1)));
      if (options.uniform)
        fillUniform(values, deviation * std::sqrt(3.0f), random);
      else
        std::ranges::generate(values, [&] { return deviation * random.normal(); });
      break;
    }
    case VN_LINEAR_WEIGHT:
      fillUniform(values, 1 / std::sqrt(float(std::max<int64_t>(p.shape[1], 1))), random);
      break;
    case VN_BIAS:
      fillUniform(values, 1 / std::sqrt(float(fanInOfBias(model, p))), random);
      break;
    case VN_GAMMA:
      std::ranges::fill(values, float(p.initial));
      break;
    case VN_RUNNING_VAR:
      std::ranges::fill(values, 1.0f);
      break;
    default: // beta, running mean
      std::ranges::fill(values, 0.0f);
    }
    session.write(p, values);
  }
}

} // namespace vernier::runtime
