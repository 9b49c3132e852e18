#include "runtime/data/Dataset.h"

#include "runtime/Error.h"

#include <fmt/core.h>

namespace vernier::runtime {

void prepareDataset(Dataset &dataset, const ImageOptions &options) {
  for (const std::string &warning : dataset.warnings)
    fmt::print(stderr, "warning: {}\n", warning);
  dataset.skipBroken = options.skipBroken;
}

std::unique_ptr<Dataset> openDataset(const std::string &path, const std::string &split,
                                     const ImageOptions &options) {
  auto dataset = openDataset(path, split == "train" ? Split::Training : Split::Test);
  prepareDataset(*dataset, options);
  return dataset;
}

bool BrokenImages::add(int64_t index, const Error &failure) {
  if (failure.status() != VN_ERROR_FORMAT && failure.status() != VN_ERROR_VALUE)
    return false;
  const std::lock_guard lock(mutex);
  images.try_emplace(index, failure.what());
  return true;
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
