#include "runtime/data/Dataset.h"

#include <fmt/core.h>

namespace vernier::runtime {

void printWarnings(const Dataset &dataset) {
  for (const std::string &warning : dataset.warnings)
    fmt::print(stderr, "warning: {}\n", warning);
}

void BrokenImages::add(int64_t index, const std::string &why) {
  const std::lock_guard lock(mutex);
  images.try_emplace(index, why);
}

int64_t BrokenImages::count() const {
  const std::lock_guard lock(mutex);
  return int64_t(images.size());
}

void BrokenImages::print() const {
  const std::lock_guard lock(mutex);
  if (images.empty())
    return;
  // The first one's message reads "error: why\n  --> file\n...".
  std::string why = images.begin()->second;
  if (why.starts_with("error: "))
    why = why.substr(7);
  fmt::print(stderr, "warning: {} broken image{} left out; the first: {}\n", images.size(),
             images.size() == 1 ? " is" : "s are", why);
}

} // namespace vernier::runtime
