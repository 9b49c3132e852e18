#include "runtime/data/Dataset.h"

#include "runtime/Error.h"
#include "runtime/io/File.h"
#include "runtime/io/Json.h"

#include <filesystem>
#include <fmt/core.h>
#include <sstream>

namespace vernier::runtime {

static constexpr const char *kListEnding = ".jsonl";

void prepareDataset(Dataset &dataset, const ImageOptions &options) {
  for (const std::string &warning : dataset.warnings)
    fmt::print(stderr, "warning: {}\n", warning);
  dataset.skipBroken = options.skipBroken;
  dataset.broken.list = options.brokenList;
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
  if (!list.empty()) {
    std::string lines;
    for (const auto &[index, why] : images)
      lines += nlohmann::json{{"why", why}}.dump() + "\n";
    writeFileAtomically(list + "/" + unpredictableName() + kListEnding, lines);
    return;
  }
  // The first one's message reads "error: why\n  --> file\n...".
  std::string why = images.begin()->second;
  if (why.starts_with("error: "))
    why = why.substr(7);
  fmt::print(stderr, "warning: {} broken image{} left out; the first: {}\n", images.size(),
             images.size() == 1 ? " is" : "s are", why);
}

std::set<std::string> listedBrokenImages(const std::string &folder) {
  std::set<std::string> images;
  std::error_code error;
  for (const auto &entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string path = entry.path().string();
    if (entry.path().extension() != kListEnding)
      continue;
    const std::vector<unsigned char> bytes = readFile(path);
    std::istringstream lines(std::string(bytes.begin(), bytes.end()));
    int64_t number = 1;
    for (std::string line; std::getline(lines, line); ++number) {
      try {
        images.insert(stringAt(parseJson(line), "why"));
      } catch (const JsonError &wrong) {
        throw Error(VN_ERROR_FORMAT, fmt::format("this is no line of a broken image: {}", wrong.what()))
            .at(fmt::format("{}:{}", path, number))
            .help("remove the file");
      }
    }
  }
  if (error)
    throw Error(VN_ERROR_FILE, fmt::format("cannot read the folder: {}", error.message())).at(folder);
  return images;
}

} // namespace vernier::runtime
