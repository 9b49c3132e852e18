// `info`, `run` and `classify` of an adaptive model.
#include "runtime/cli/Commands.h"
#include "runtime/cli/OpenSession.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <fmt/core.h>

namespace vernier::runtime {

void infoCommand(const vn_adaptive &model, bool json) {
  checkAdaptive(model);
  if (!json)
    for (size_t c = 0; c < size_t(model.num_candidates); ++c)
      fmt::print("{:<11} {} ({} MACs)\n", c ? "" : "candidates",
                 choicesText(*model.network, candidateChoices(model, c)),
                 countText(double(macsOf(*model.network, candidateChoices(model, c)))));
  infoCommand(*model.network, json);
}

void runCommand(const vn_adaptive &model, const RunOptions &options) {
  OpenAdaptive open = openAdaptive(model, options);
  const NpyArray input = readNpy(options.input);
  const int64_t images = imageCount(*model.network, input, options.input);
  const int64_t shape[] = {images, model.network->classes};
  std::vector<float> logits(size_t(images * model.network->classes));
  std::vector<int64_t> chosen(static_cast<size_t>(images));
  open.adaptive->runAll(input.values.data(), images, logits.data(), chosen.data());
  ArrayOutputs outputs(options.output);
  outputs.write("", shape, logits);
  outputs.write("candidate", std::span(shape).first(1), std::vector<float>(chosen.begin(), chosen.end()));
  outputs.finish();
}

/// Reads the images into `inputs`, one after the other; returns their indices. Those that are left out are in
/// `broken`.
static std::vector<size_t> readInputs(const ClassifyOptions &options, const Preprocessing &preprocessing,
                                      std::span<float> inputs, BrokenImages &broken) {
  std::vector<size_t> read;
  const size_t size = inputs.size() / options.images.size();
  for (size_t i = 0; i < options.images.size(); ++i) {
    try {
      writeInput(readImage(options.images[i]), preprocessing, &inputs[read.size() * size]);
      read.push_back(i);
    } catch (const Error &error) {
      if (!options.preprocessing.skipBroken || !broken.add(int64_t(i), error))
        throw;
    }
  }
  if (read.empty())
    throw Error(VN_ERROR_FORMAT, fmt::format("all {} images are broken", options.images.size()));
  return read;
}

void classifyCommand(const vn_adaptive &model, const ClassifyOptions &options) {
  const vn_model &network = *model.network;
  requireImages(network);
  OpenAdaptive open = openAdaptive(model, options);
  Preprocessing preprocessing(network);
  preprocessing.restore(open.metadata, open.weights);
  preprocessing.apply(options.preprocessing);
  const std::vector<std::string> names = classNames(network, options, open.metadata, open.weights);
  const size_t most = options.images.size(), classes = size_t(network.classes);
  const size_t imageSize = size_t(network.channels * network.height * network.width);
  std::vector<float> images(most * imageSize), logits(most * classes);
  std::vector<int64_t> chosen(most);
  BrokenImages broken;
  const auto read = readInputs(options, preprocessing, images, broken);
  open.adaptive->runAll(images.data(), int64_t(read.size()), logits.data(), chosen.data());
  for (size_t i = 0; i < read.size(); ++i)
    printBest(fmt::format("{} ({})", options.images[read[i]],
                          choicesText(network, candidateChoices(model, size_t(chosen[i])))),
              std::span(logits).subspan(i * classes, classes), names, options.top);
  broken.print();
}

} // namespace vernier::runtime
