#include "runtime/train/GradientSum.h"

#include <algorithm>

namespace vernier::runtime {

GradientSum::GradientSum(Session &session) : session(session), has(size_t(session.model().num_parameters)) {}

IoArrays GradientSum::arrays() const { return IoArrays(session.model().accumulate, session.pipeline()); }

void GradientSum::clear() { std::fill(has.begin(), has.end(), false); }

const std::vector<bool> &GradientSum::trained() {
  const auto choices = session.choices();
  const auto [entry, isNew] = known.try_emplace(Choices(choices.begin(), choices.end()));
  if (isNew)
    entry->second = trainedParameters(session.model(), choices);
  return entry->second;
}

int64_t GradientSum::add(IoArrays &arrays) {
  const std::vector<bool> &written = trained();
  const std::span<int32_t> how = arrays.ints("how");
  for (size_t i = 0; i < how.size(); ++i) {
    how[i] = !written[i] ? VN_LEAVE : has[i] ? VN_ADD : VN_BEGIN;
    has[i] = has[i] || written[i];
  }
  return session.start(Task::Accumulate, arrays);
}

bool GradientSum::finite(IoArrays &arrays) {
  return std::ranges::all_of(arrays.ints("not_finite"), [](int32_t flag) { return flag == 0; });
}

int64_t GradientSum::finish(IoArrays &arrays) {
  const std::span<int32_t> how = arrays.ints("how");
  for (size_t i = 0; i < how.size(); ++i)
    how[i] = has[i] ? VN_END : VN_LEAVE;
  return session.start(Task::Accumulate, arrays);
}

} // namespace vernier::runtime
