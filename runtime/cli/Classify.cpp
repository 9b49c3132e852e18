#include "runtime/cli/Commands.h"
#include "runtime/cli/OpenSession.h"
#include "runtime/cli/ScalePolicy.h"

#include "runtime/Error.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Shape.h"
#include "runtime/image/Preprocess.h"
#include "runtime/io/TextFile.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

namespace vernier::runtime {

std::vector<std::string> classNames(const vn_model &model, const ClassifyOptions &options,
                                    const Metadata &metadata, const std::string &place) {
  std::vector<std::string> names;
  if (!options.labels.empty()) {
    std::istringstream lines(readText(options.labels));
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r'))
        line.pop_back();
      names.push_back(line);
    }
    if (int64_t(names.size()) != model.classes)
      throw Error(VN_ERROR_FORMAT, fmt::format("the file names {}, model `{}` has {}",
                                               counted(names.size(), "class"), model.name, model.classes))
          .at(options.labels);
    return names;
  }
  if (const auto stored = metadata.find("vernier.classes"); stored != metadata.end()) {
    const auto list = nlohmann::json::parse(stored->second, nullptr, false);
    if (!list.is_array() || int64_t(list.size()) > model.classes ||
        !std::ranges::all_of(list, [](const auto &name) { return name.is_string(); }))
      throw Error(VN_ERROR_FORMAT,
                  fmt::format("the metadata `vernier.classes` is no list of at most {} names", model.classes))
          .at(place)
          .help("give the names with --labels FILE");
    names = list.get<std::vector<std::string>>();
  }
  for (int64_t i = int64_t(names.size()); i < model.classes; ++i)
    names.push_back(fmt::format("class {}", i));
  return names;
}

static std::vector<double> softmax(std::span<const float> logits) {
  const double largest = double(*std::ranges::max_element(logits));
  std::vector<double> result;
  double sum = 0;
  for (float logit : logits)
    sum += result.emplace_back(std::exp(double(logit) - largest));
  for (double &value : result)
    value /= sum;
  return result;
}

void printBest(const std::string &image, std::span<const float> logits, const std::vector<std::string> &names,
               int64_t top) {
  const std::vector<double> probabilities = softmax(logits);
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t(0));
  // What is no number comes first, to be seen.
  auto score = [&](size_t i) {
    return std::pair(std::isnan(logits[i]), std::isnan(logits[i]) ? 0.0f : logits[i]);
  };
  std::ranges::sort(order,
                    [&](size_t a, size_t b) { return score(a) != score(b) ? score(a) > score(b) : a < b; });
  const bool finite = std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); });
  fmt::print("{}{}\n", image, finite ? "" : ": the model's result is not finite");
  for (size_t i = 0; i < std::min(order.size(), size_t(top)); ++i)
    fmt::print("  {:6.2f}%  {}\n", 100 * probabilities[order[i]], names[order[i]]);
}

void classifyCommand(const vn_model &model, const ClassifyOptions &options) {
  if (model.classes <= 0)
    throw Error(VN_ERROR_ARGUMENT,
                fmt::format("model `{}` is no classifier: its first output is a map", model.name))
        .help("use `run --input x.npy --output y.npy`");
  requireImages(model);
  OpenSession open = openSession(model, options);
  Preprocessing preprocessing(model);
  preprocessing.restore(open.metadata, open.weights);
  preprocessing.apply(options.preprocessing);
  const std::vector<std::string> names = classNames(model, options, open.metadata, open.weights);
  ScalePolicyLog scalePolicy(model, options.scalePolicy);
  IoArrays arrays(model.infer);
  const auto input = arrays.floats(size_t(0)), logits = arrays.floats(size_t(1));
  const size_t imageSize = input.size() / size_t(model.batch), classes = size_t(model.classes);

  for (size_t first = 0; first < options.images.size(); first += size_t(model.batch)) {
    const size_t count = std::min(size_t(model.batch), options.images.size() - first);
    std::ranges::fill(input, 0.0f);
    for (size_t i = 0; i < count; ++i)
      writeInput(readImage(options.images[first + i]), preprocessing, &input[i * imageSize]);
    open.session->infer(arrays.pointers());
    for (size_t i = 0; i < count; ++i) {
      printBest(options.images[first + i], logits.subspan(i * classes, classes), names, options.top);
      scalePolicy.add(arrays, int64_t(i), options.images[first + i]);
    }
  }
  scalePolicy.write();
}

} // namespace vernier::runtime
