#include "runtime/train/GradientSum.h"

#include <algorithm>

namespace vernier::runtime {

GradientSum::GradientSum(Session &session)
    : session(session), arrays(session.model().accumulate), has(size_t(session.model().num_parameters)) {}

void GradientSum::clear() { std::fill(has.begin(), has.end(), false); }

const std::vector<bool> &GradientSum::trained() {
  const auto choices = session.choices();
  const auto [entry, isNew] = known.try_emplace(Choices(choices.begin(), choices.end()));
  if (isNew)
    entry->second = trainedParameters(session.model(), choices);
  return entry->second;
}

bool GradientSum::add() {
  const std::vector<bool> &written = trained();
  const std::span<int32_t> how = arrays.ints("how");
  for (size_t i = 0; i < how.size(); ++i) {
    how[i] = !written[i] ? VN_LEAVE : has[i] ? VN_ADD : VN_BEGIN;
    has[i] = has[i] || written[i];
  }
  session.accumulate(arrays.pointers());
  return std::ranges::all_of(arrays.ints("not_finite"), [](int32_t flag) { return flag == 0; });
}

void GradientSum::finish() {
  const std::span<int32_t> how = arrays.ints("how");
  for (size_t i = 0; i < how.size(); ++i)
    how[i] = has[i] ? VN_END : VN_LEAVE;
  session.accumulate(arrays.pointers());
}

} // namespace vernier::runtime
