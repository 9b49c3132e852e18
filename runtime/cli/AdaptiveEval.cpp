// `eval` of an adaptive model: beside the accuracy what each image cost, and what the same configuration for
// all images would have given.
#include "runtime/cli/Commands.h"
#include "runtime/cli/OpenSession.h"

#include "runtime/Error.h"
#include "runtime/core/Configurations.h"
#include "runtime/core/Shape.h"
#include "runtime/io/Text.h"
#include "runtime/train/Evaluate.h"

#include <algorithm>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vernier::runtime {

using nlohmann::ordered_json;

namespace {

struct AdaptiveResult {
  Accuracy accuracy;
  std::vector<int64_t> images; ///< of each candidate
  double macs = 0;             ///< mean
};

struct StaticResult {
  std::string configuration;
  int64_t macs = 0;
  Accuracy accuracy;
};

double imagesPerSecond(const Accuracy &accuracy) {
  return double(accuracy.images) / std::max(accuracy.seconds, 1e-9);
}

} // namespace

static AdaptiveResult evaluateAdaptive(Adaptive &adaptive, const Dataset &dataset,
                                       const Preprocessing &preprocessing, int loaders,
                                       const ImageRange &range) {
  AdaptiveResult result;
  result.images.resize(adaptive.candidates());
  adaptive.prepare();
  AccuracyMeter meter;
  const auto deliver = [&](int64_t image, std::span<const float> logits, size_t candidate) {
    meter.add(logits, dataset.label(image));
    ++result.images[candidate];
  };
  const int64_t batch = adaptive.model().network->batch;
  Loader loader(dataset, preprocessing, inOrder(dataset, batch, loaders, range));
  while (const Batch *images = loader.next()) {
    const size_t imageSize = images->images.size() / size_t(batch);
    for (int64_t i = 0; i < images->count; ++i)
      adaptive.add(images->indices[size_t(i)],
                   std::span(images->images).subspan(size_t(i) * imageSize, imageSize), deliver);
  }
  adaptive.flush(deliver);
  result.accuracy = meter.result();
  if (result.accuracy.images == 0)
    throw Error(VN_ERROR_FORMAT, "all images are broken");
  for (size_t c = 0; c < result.images.size(); ++c)
    result.macs += double(result.images[c]) * double(adaptive.macs(c)) /
                   double(std::max<int64_t>(result.accuracy.images, 1));
  return result;
}

/// Each configuration of the network for all images.
static std::vector<StaticResult> evaluateStatic(Session &network, const Dataset &dataset,
                                                const Preprocessing &preprocessing, int loaders,
                                                const ImageRange &range) {
  const vn_model &model = network.model();
  std::vector<StaticResult> results;
  for (const Choices &choices : enumerateConfigurations(model)) {
    network.choose(choices);
    results.push_back({choicesText(model, choices), macsOf(model, choices),
                       evaluate(network, dataset, preprocessing, loaders, range)});
  }
  std::ranges::sort(results, {},
                    [](const StaticResult &result) { return std::pair(result.macs, result.configuration); });
  return results;
}

/// The most accurate of those that cost at most `macs`; null where there is none.
static const StaticResult *bestWithin(const std::vector<StaticResult> &results, double macs) {
  const StaticResult *best = nullptr;
  for (const StaticResult &result : results)
    if (double(result.macs) <= macs && (!best || result.accuracy.top1 > best->accuracy.top1))
      best = &result;
  return best;
}

static ordered_json figures(const Accuracy &accuracy, double macs) {
  return {{"top1", accuracy.top1},
          {"top5", accuracy.top5},
          {"loss", accuracy.loss},
          {"macs", macs},
          {"images_per_second", imagesPerSecond(accuracy)}};
}

static ordered_json json(const vn_adaptive &model, const EvalOptions &options, const AdaptiveResult &result,
                         const std::vector<StaticResult> &statics) {
  ordered_json report = {{"model", model.network->name},
                         {"data", utf8Text(options.data + options.images)},
                         {"split", options.split},
                         {"images", result.accuracy.images},
                         {"cost_weight", options.costWeight}};
  report.update(figures(result.accuracy, result.macs));
  report["classifier_macs"] = model.classifier->macs;
  for (size_t c = 0; c < result.images.size(); ++c)
    report["candidates"].push_back(
        {{"configuration", choicesText(*model.network, candidateChoices(model, c))},
         {"macs", macsOf(*model.network, candidateChoices(model, c))},
         {"images", result.images[c]}});
  if (options.compare) {
    for (const StaticResult &entry : statics) {
      ordered_json row = {{"configuration", entry.configuration}};
      row.update(figures(entry.accuracy, double(entry.macs)));
      report["static"].push_back(std::move(row));
    }
    const StaticResult *best = bestWithin(statics, result.macs);
    report["best_static"] = best ? ordered_json(best->configuration) : ordered_json();
  }
  return report;
}

static void printRow(const std::string &name, const Accuracy &accuracy, double macs, const char *mark = "") {
  fmt::print("  {:6.2f}%  {:>9} MACs  {:>9.1f} images/s  {}{}\n", 100 * accuracy.top1, countText(macs),
             imagesPerSecond(accuracy), name, mark);
}

static void print(const vn_adaptive &model, const EvalOptions &options, const AdaptiveResult &result,
                  const std::vector<StaticResult> &statics) {
  const Accuracy &accuracy = result.accuracy;
  fmt::print("top-1 {:.2f}%, top-5 {:.2f}%, cross-entropy {:.4f} on {}, {} MACs and {:.1f} images/s\n",
             100 * accuracy.top1, 100 * accuracy.top5, accuracy.loss, counted(accuracy.images, "image"),
             countText(result.macs), imagesPerSecond(accuracy));
  fmt::print("chosen, after a first run and the classifier ({} MACs):\n",
             countText(double(model.classifier->macs)));
  for (size_t c = 0; c < result.images.size(); ++c)
    fmt::print("  {:6.2f}%  {:>9} MACs  {}\n",
               100 * double(result.images[c]) / double(std::max<int64_t>(accuracy.images, 1)),
               countText(double(macsOf(*model.network, candidateChoices(model, c)))),
               choicesText(*model.network, candidateChoices(model, c)));
  if (!options.compare)
    return;
  const StaticResult *best = bestWithin(statics, result.macs);
  fmt::print("\none configuration for all images:\n");
  for (const StaticResult &entry : statics)
    printRow(entry.configuration, entry.accuracy, double(entry.macs),
             &entry == best ? "  (the best of at most this cost)" : "");
  printRow("chosen for each image", accuracy, result.macs);
}

void evalCommand(const vn_adaptive &model, const EvalOptions &options) {
  checkSource(options);
  OpenAdaptive open = openAdaptive(model, options);
  Preprocessing preprocessing(*model.network);
  preprocessing.restore(open.metadata, open.weights);
  preprocessing.apply(options.preprocessing);
  const auto dataset = openSource(options);
  checkLabels(*dataset, *model.network);
  const int loaders = options.loaders ? int(options.loaders) : defaultLoaderThreads(*dataset);
  const ImageRange range = rangeOf(*dataset, options);
  const AdaptiveResult result = evaluateAdaptive(*open.adaptive, *dataset, preprocessing, loaders, range);
  std::vector<StaticResult> statics;
  if (options.compare)
    statics = evaluateStatic(open.adaptive->network(), *dataset, preprocessing, loaders, range);
  dataset->broken.print();
  if (options.json)
    fmt::print("{}\n", json(model, options, result, statics).dump(2));
  else
    print(model, options, result, statics);
}

} // namespace vernier::runtime
