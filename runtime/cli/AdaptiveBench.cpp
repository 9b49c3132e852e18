// `bench` of an adaptive model: what a batch takes in each part. What an image takes depends on the images.
#include "runtime/cli/Commands.h"
#include "runtime/cli/OpenSession.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"
#include "runtime/io/Weights.h"
#include "runtime/train/Initialize.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vernier::runtime {

namespace {

struct Part {
  std::string name;
  int64_t macs;        ///< of one image
  double milliseconds; ///< of one image: the median of the runs
};

} // namespace

static double medianOfRuns(Session &session, int64_t runs) {
  IoArrays arrays(session.model().infer);
  const auto image = arrays.floats(size_t(0));
  for (size_t i = 0; i < image.size(); ++i)
    image[i] = std::sin(float(i % 9973)) * 1.5f;
  std::vector<double> times;
  for (int64_t run = -2; run < runs; ++run) { // the first two warm caches and clocks up
    const auto before = std::chrono::steady_clock::now();
    session.infer(arrays.pointers());
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - before;
    if (run >= 0)
      times.push_back(time.count());
  }
  std::ranges::sort(times);
  return times[times.size() / 2] / double(session.model().batch);
}

void benchCommand(const vn_adaptive &model, const BenchOptions &options) {
  if (options.layers || options.train)
    throw Error(VN_ERROR_ARGUMENT, "steps and training are measured of one configuration")
        .at("--layers, --train")
        .help("name it with --configuration HOLE=VALUE,...");
  Adaptive adaptive(model, options.session());
  if (options.weights.empty()) { // speed does not depend on the values
    initializeWeights(adaptive.network(), {});
    initializeWeights(adaptive.classifier(), {});
  } else {
    adaptive.loadWeights(Safetensors::read(options.weights), options.nonFinite());
  }
  std::vector<Part> parts;
  for (size_t c = 0; c < adaptive.candidates(); ++c) {
    const auto choices = candidateChoices(model, c);
    adaptive.network().choose(choices);
    parts.push_back({choicesText(*model.network, choices), macsOf(*model.network, choices),
                     medianOfRuns(adaptive.network(), options.runs)});
  }
  const Part classifier = {"classifier", model.classifier->macs,
                           medianOfRuns(adaptive.classifier(), options.runs)};
  const auto total = [&](size_t c) {
    return parts[0].milliseconds + classifier.milliseconds + (c > 0 ? parts[c].milliseconds : 0);
  };
  if (options.json) {
    nlohmann::ordered_json result = {{"model", model.network->name},
                                     {"batch", model.network->batch},
                                     {"threads", adaptive.network().threads()},
                                     {"runs", options.runs},
                                     {"classifier_milliseconds", classifier.milliseconds}};
    for (size_t c = 0; c < parts.size(); ++c)
      result["candidates"].push_back({{"configuration", parts[c].name},
                                      {"macs", parts[c].macs},
                                      {"milliseconds", parts[c].milliseconds},
                                      {"milliseconds_when_chosen", total(c)}});
    fmt::print("{}\n", result.dump(2));
    return;
  }
  fmt::print("{}, batch {}, {}, {}: milliseconds per image, alone and when chosen\n", model.network->name,
             model.network->batch, counted(adaptive.network().threads(), "thread"),
             counted(options.runs, "run"));
  for (size_t c = 0; c < parts.size(); ++c)
    fmt::print("  {:9.4f}  {:9.4f}  {:>9} MACs  {}\n", parts[c].milliseconds, total(c),
               countText(double(parts[c].macs)), parts[c].name);
  fmt::print("  {:9.4f}  {:>9}  {:>9} MACs  {}\n", classifier.milliseconds, "",
             countText(double(classifier.macs)), classifier.name);
}

} // namespace vernier::runtime
