#include "runtime/train/GradientSum.h"

#include <algorithm>
#include <functional>

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

void GradientSum::add() {
  const std::vector<bool> &written = trained();
  for (size_t i = 0; i < sums.size(); ++i) {
    if (!written[i])
      continue;
    const std::span<const float> gradient = session.gradient(session.model().parameters[i]);
    if (has[i])
      std::ranges::transform(sums[i], gradient, sums[i].begin(), std::plus<>());
    else
      std::ranges::copy(gradient, sums[i].begin());
    has[i] = true;
  }
}

void GradientSum::finish() {
  for (size_t i = 0; i < sums.size(); ++i)
    if (has[i])
      std::ranges::copy(sums[i], session.gradient(session.model().parameters[i]).begin());
}

} // namespace vernier::runtime
