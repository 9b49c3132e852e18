#include "driver/Sizes.h"

#include "runtime/core/Shape.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace vernier::driver {
namespace {

// More are a slip: each takes as long to build as a binary of its own.
constexpr size_t kMostSizes = 64;

// Whole, and each entry once: `key` says which entries are equal.
template <class Key>
std::vector<std::string> entriesOf(const std::string &text, const std::string &option,
                                   const std::string &example, const Key &key) {
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(text).split(parts, ',');
  std::vector<std::string> entries;
  std::vector<decltype(key(text))> known;
  for (llvm::StringRef part : parts) {
    const std::string entry = part.trim().str();
    if (entry.empty() && parts.size() > 1)
      refuse("`" + text + "` has an empty entry", option, "one or several, comma-separated: " + example);
    known.push_back(key(entry));
    if (llvm::count(known, known.back()) > 1)
      refuse("`" + entry + "` is there twice in `" + text + "`", option, "each size once: " + example);
    entries.push_back(entry);
  }
  return entries;
}

int64_t parseBatch(const std::string &text) {
  int64_t batch = 0;
  if (llvm::StringRef(text).getAsInteger(10, batch))
    refuse("`" + text + "` is no number of images", "--batch",
           "how many a call takes, or several such numbers, comma-separated: --batch 1,8");
  return batch;
}

} // namespace

std::vector<ModelOptions> sizesOf(const ModelOptions &options, const std::string &inputs,
                                  const std::string &batches) {
  const auto sideOf = [](const std::string &entry) { // of the specification where nothing is said
    return entry.empty() ? std::pair<int64_t, int64_t>() : parseInput(entry);
  };
  std::vector<ModelOptions> sizes;
  const std::vector<std::string> counts = entriesOf(batches, "--batch", "--batch 1,8", parseBatch);
  for (const std::string &input : entriesOf(inputs, "--input", "--input 224,256x320", sideOf))
    for (const std::string &count : counts) {
      if (sizes.size() == kMostSizes)
        refuse("--input and --batch name more than " + std::to_string(kMostSizes) + " sizes", "",
               "each is built: name those that are needed");
      sizes.push_back(options);
      sizes.back().input = input;
      sizes.back().batch = parseBatch(count);
    }
  return sizes;
}

std::string sizeText(const LoadedModel &model, const ModelOptions &size) {
  return std::to_string(model.height) + "x" + std::to_string(model.width) + ", batch " +
         std::to_string(size.batch);
}

void atSize(const ModelOptions &size, bool isOneOfSeveral, const std::function<void()> &body) {
  try {
    body();
  } catch (const Refusal &refusal) {
    if (!isOneOfSeveral)
      throw;
    std::string text = refusal.what();
    if (!llvm::StringRef(text).ends_with("\n"))
      text += "\n";
    throw Refusal(text + "note: at " + (size.input.empty() ? "" : "--input " + size.input + " ") +
                  "--batch " + std::to_string(size.batch) + ", of the sizes that are asked for");
  }
}

void requireSameParameters(const DescribedModel &first, const DescribedModel &size, const std::string &file) {
  const runtime::ModelOutline &a = first.get(), &b = size.get();
  const auto text = [](const runtime::ModelOutline &model) {
    return std::to_string(model.height) + "x" + std::to_string(model.width);
  };
  std::string difference;
  const size_t count = std::max(a.parameters.size(), b.parameters.size());
  for (size_t i = 0; i < count && difference.empty(); ++i) {
    if (i >= a.parameters.size() || i >= b.parameters.size() ||
        llvm::StringRef(a.parameters[i].name) != b.parameters[i].name)
      difference =
          std::string("`") + (i < a.parameters.size() ? a : b).parameters[i].name + "` is not in both";
    else if (!llvm::equal(runtime::shapeOf(a.parameters[i]), runtime::shapeOf(b.parameters[i])))
      difference = "`" + std::string(a.parameters[i].name) + "` is " +
                   runtime::shapeText(runtime::shapeOf(b.parameters[i])) + " there, " +
                   runtime::shapeText(runtime::shapeOf(a.parameters[i])) + " here";
  }
  if (difference.empty() && a.classes == b.classes)
    return;
  if (difference.empty())
    difference = "its first output has another shape";
  refuse("`" + std::string(a.name) + "` has other parameters at " + text(b) + " than at " + text(a) + ": " +
             difference,
         file,
         "one binary serves sizes at which the weights are the same, as of a network that pools "
         "globally before its last layer; build one for each of these");
}

} // namespace vernier::driver
