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

std::vector<size_t> readInputs(const ClassifyOptions &options, const Preprocessing &preprocessing,
                               size_t &next, size_t most, std::span<float> inputs, BrokenImages &broken) {
  std::vector<size_t> read;
  const size_t size = inputs.size() / most;
  for (; next < options.images.size() && read.size() < most; ++next) {
    try {
      writeInput(readImage(options.images[next]), preprocessing, &inputs[read.size() * size]);
      read.push_back(next);
    } catch (const Error &error) {
      if (!options.preprocessing.skipBroken || !broken.add(int64_t(next), error))
        throw;
    }
  }
  if (next == options.images.size() && broken.count() == int64_t(next))
    throw Error(VN_ERROR_FORMAT, fmt::format("all {} images are broken", next));
  std::ranges::fill(inputs.subspan(read.size() * size), 0.0f);
  return read;
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
  const size_t classes = size_t(model.classes);
  BrokenImages broken;
  for (size_t next = 0; next < options.images.size();) {
    const auto read = readInputs(options, preprocessing, next, size_t(model.batch), input, broken);
    if (read.empty())
      break;
    open.session->infer(arrays.pointers());
    for (size_t i = 0; i < read.size(); ++i) {
      printBest(options.images[read[i]], logits.subspan(i * classes, classes), names, options.top);
      scalePolicy.add(arrays, int64_t(i), options.images[read[i]]);
    }
  }
  scalePolicy.write();
  broken.print();
}

} // namespace vernier::runtime
