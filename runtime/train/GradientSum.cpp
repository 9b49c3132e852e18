#include "runtime/train/GradientSum.h"

#include "runtime/core/Finite.h"

#include <algorithm>

namespace vernier::runtime {

GradientSum::GradientSum(Session &session)
    : session(session), sums(size_t(session.model().num_parameters)), has(sums.size()) {
  for (size_t i = 0; i < sums.size(); ++i)
    if (const vn_parameter &parameter = session.model().parameters[i]; parameter.space == VN_SPACE_PARAMETERS)
      sums[i].resize(session.gradient(parameter).size());
}

void GradientSum::clear() { std::fill(has.begin(), has.end(), false); }

const std::vector<bool> &GradientSum::trained() {
  const auto choices = session.choices();
  const auto [entry, isNew] = known.try_emplace(Choices(choices.begin(), choices.end()));
  if (isNew)
    entry->second = trainedParameters(session.model(), choices);
  return entry->second;
}

/// Adds or copies; in the same pass it looks whether the gradients are finite.
static uint32_t accumulate(std::span<float> sums, std::span<const float> gradients, bool first) {
  uint32_t bad = 0;
  float *__restrict sum = sums.data();
  const float *__restrict gradient = gradients.data();
  for (size_t i = 0; i < sums.size(); ++i) {
    sum[i] = first ? gradient[i] : sum[i] + gradient[i];
    bad |= isNonFinite(gradient[i]);
  }
  return bad;
}

bool GradientSum::add() {
  uint32_t bad = 0;
  const std::vector<bool> &written = trained();
  for (size_t i = 0; i < sums.size(); ++i) {
    if (!written[i])
      continue;
    const std::span<const float> gradient = session.gradient(session.model().parameters[i]);
    bad |= accumulate(sums[i], gradient, !has[i]);
    has[i] = true;
  }
  return bad == 0;
}

void GradientSum::finish() {
  for (size_t i = 0; i < sums.size(); ++i)
    if (has[i])
      std::ranges::copy(sums[i], session.gradient(session.model().parameters[i]).begin());
}

} // namespace vernier::runtime
