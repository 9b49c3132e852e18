#include "runtime/cli/Commands.h"
#include "runtime/cli/NamedSize.h"
#include "runtime/cli/OpenSession.h"
#include "runtime/cli/ScalePolicy.h"

#include "runtime/Error.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Shape.h"
#include "runtime/core/Sizes.h"
#include "runtime/image/Preprocess.h"
#include "runtime/io/TextFile.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <map>
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

namespace {

/// Runs images at the sizes that fit them, those of one size that follow each other together, and prints what
/// they show in their order.
class Classification {
public:
  Classification(const vn_model &model, const ClassifyOptions &options)
      : model(model), options(options),
        sizeOfAll(options.size.empty() && model.num_sizes > 1 ? std::vector<const vn_model *>()
                                                              : namedBatches(model, options.size)),
        open(openSession(model, options, Purpose::EverySize)), preprocessing(preprocessingOf()),
        names(classNames(model, options, open.metadata, open.weights)),
        scalePolicy(model, options.scalePolicy) {}

  void run() {
    for (size_t i = 0; i < options.images.size(); ++i) {
      try {
        prepare(readImage(options.images[i]));
      } catch (const Error &error) {
        if (!options.preprocessing.skipBroken || !broken.add(int64_t(i), error))
          throw;
        continue;
      }
      add(i);
    }
    if (broken.count() == int64_t(options.images.size()))
      throw Error(VN_ERROR_FORMAT, fmt::format("all {} images are broken", options.images.size()));
    runWaiting();
    scalePolicy.write();
    broken.print();
  }

private:
  /// Of each size.
  std::map<const vn_model *, Preprocessing> preprocessingOf() const {
    std::map<const vn_model *, Preprocessing> result;
    for (const vn_model *size : sizesOf(model)) {
      Preprocessing &how = result.emplace(size, *size).first->second;
      how.restore(open.metadata, open.weights);
      how.apply(options.preprocessing);
    }
    return result;
  }

  void prepare(Image image) {
    if (preprocessing.begin()->second.orientation)
      image = upright(std::move(image));
    fitting = sizeOfAll.empty() ? fittingBatches(model, image.height, image.width) : sizeOfAll;
    const vn_model &size = *fitting.front();
    prepared.resize(size_t(size.channels * size.height * size.width));
    writeInput(image, preprocessing.at(&size), prepared.data());
  }

  /// The image that was prepared last.
  void add(size_t index) {
    if (fitting != batches)
      runWaiting();
    batches = fitting;
    inputs.insert(inputs.end(), prepared.begin(), prepared.end());
    waiting.push_back(index);
    if (int64_t(waiting.size()) == batches.front()->batch)
      runWaiting();
  }

  void runWaiting() {
    for (size_t first = 0, count; first < waiting.size(); first += count) {
      const vn_model &size = nextBatch(batches, int64_t(waiting.size() - first));
      open.session->resize(size);
      IoArrays &arrays = arraysOf.try_emplace(&size, size.infer).first->second;
      const auto input = arrays.floats(size_t(0)), logits = arrays.floats(size_t(1));
      const size_t imageSize = input.size() / size_t(size.batch), classes = size_t(size.classes);
      count = std::min(size_t(size.batch), waiting.size() - first);
      const auto source = std::span(inputs).subspan(first * imageSize, count * imageSize);
      std::ranges::fill(std::ranges::copy(source, input.begin()).out, input.end(), 0.0f);
      open.session->infer(arrays.pointers());
      for (size_t i = 0; i < count; ++i) {
        const std::string &image = options.images[waiting[first + i]];
        printBest(image, logits.subspan(i * classes, classes), names, options.top);
        scalePolicy.add(arrays, int64_t(i), image);
      }
    }
    waiting.clear(), inputs.clear();
  }

  const vn_model &model;
  const ClassifyOptions &options;
  const std::vector<const vn_model *> sizeOfAll; ///< its batches; empty: each image has the one that fits it
  OpenSession open;
  const std::map<const vn_model *, Preprocessing> preprocessing;
  const std::vector<std::string> names;
  ScalePolicyLog scalePolicy;
  std::map<const vn_model *, IoArrays> arraysOf;
  std::vector<const vn_model *> fitting; ///< batches of the size of the image that was prepared last
  std::vector<float> prepared;           ///< its input
  std::vector<const vn_model *> batches; ///< of the size of those that wait
  std::vector<size_t> waiting;           ///< images, by their place among the options
  std::vector<float> inputs;             ///< theirs
  BrokenImages broken;
};

} // namespace

void classifyCommand(const vn_model &model, const ClassifyOptions &options) {
  if (model.classes <= 0)
    throw Error(VN_ERROR_ARGUMENT,
                fmt::format("model `{}` is no classifier: its first output is a map", model.name))
        .help("use `run --input x.npy --output y.npy`");
  requireImages(model);
  Classification(model, options).run();
}

} // namespace vernier::runtime
