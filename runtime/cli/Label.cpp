// What the classifier of an adaptive model learns from: the maps of the first candidate, and for each image
// the cheapest candidate that is right.
#include "runtime/cli/Commands.h"
#include "runtime/cli/OpenSession.h"

#include "runtime/Error.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Shape.h"
#include "runtime/io/File.h"
#include "runtime/train/Evaluate.h"

#include <algorithm>
#include <filesystem>
#include <fmt/core.h>

namespace vernier::runtime {

namespace {

/// The arrays of one file, in the order of their images.
struct LabelledArrays {
  std::vector<float> arrays, labels;

  void write(const std::string &prefix, const vn_model &classifier) const {
    const int64_t shape[] = {int64_t(labels.size()), classifier.channels, classifier.height,
                             classifier.width};
    writeNpy(prefix + "-arrays.npy", shape, arrays);
    writeNpy(prefix + "-labels.npy", std::span(shape).first(1), labels);
  }
};

class Labeller {
public:
  Labeller(const vn_adaptive &model, const LabelOptions &options)
      : model(model), options(options), open(openSession(*model.network, options)),
        preprocessing(*model.network) {
    preprocessing.restore(open.metadata, open.weights);
    preprocessing.apply(options.reading);
    dataset = openDataset(options.data, options.split, options.reading);
    checkLabels(*dataset, *model.network);
    range = {options.first, options.count ? options.count : INT64_MAX};
    range.count = std::min(range.count, dataset->size() - options.first);
    images = std::max<int64_t>(range.count, 0);
    requireValidation();
    for (const char *name : {"train-arrays.npy", "train-labels.npy", "test-arrays.npy", "test-labels.npy"})
      if (const std::string path = options.out + "/" + name; std::filesystem::exists(path))
        throw Error(VN_ERROR_FILE, "the folder already holds a data set")
            .at(path)
            .help("choose another --out, or remove it");
  }

  void run() {
    labels.assign(size_t(images), 0);
    correct.assign(size_t(images), false);
    // The dearest first, so that the cheapest that is right remains; the maps are those of the last run.
    for (size_t c = size_t(model.num_candidates); c-- > 0;)
      runCandidate(c);
    dataset->broken.print();
    requireValidation();
    write();
    if (!options.quiet)
      report();
  }

private:
  void requireValidation() const {
    if (images < options.validateEvery)
      throw Error(VN_ERROR_ARGUMENT,
                  fmt::format("there are {} images, {} from {} on{}: one of {} is for validation",
                              dataset->size(), images, options.first,
                              dataset->broken.count() ? " that can be decoded" : "", options.validateEvery))
          .at("--first, --count");
  }

  void runCandidate(size_t candidate) {
    const vn_model &network = *model.network;
    open.session->choose(candidateChoices(model, candidate));
    IoArrays arrays(network.infer);
    const auto image = arrays.floats(size_t(0)), logits = arrays.floats(size_t(1)),
               map = arrays.floats(size_t(2));
    const size_t classes = size_t(network.classes), mapSize = map.size() / size_t(network.batch);
    Loader loader(*dataset, preprocessing,
                  inOrder(*dataset, network.batch, defaultLoaderThreads(*dataset), range));
    size_t number = 0, right = 0;
    while (const Batch *batch = loader.next()) {
      std::ranges::copy(batch->images, image.begin());
      open.session->infer(arrays.pointers());
      for (size_t i = 0; i < size_t(batch->count); ++i, ++number) {
        if (rankOf(logits.subspan(i * classes, classes), batch->labels[i]) == 0) {
          labels[number] = int32_t(candidate), correct[number] = true;
          ++right;
        }
        if (candidate == 0) {
          const auto values = map.subspan(i * mapSize, mapSize);
          auto &part = partOf(number).arrays;
          part.insert(part.end(), values.begin(), values.end());
        }
      }
    }
    images = int64_t(number); // the same in every run
    accuracies.insert(accuracies.begin(), double(right) / double(std::max<int64_t>(images, 1)));
  }

  LabelledArrays &partOf(size_t number) {
    return int64_t(number) % options.validateEvery == options.validateEvery - 1 ? validation : training;
  }

  void write() {
    for (size_t i = 0; i < size_t(images); ++i)
      partOf(i).labels.push_back(float(labels[i]));
    createFolder(options.out);
    training.write(options.out + "/train", *model.classifier);
    validation.write(options.out + "/test", *model.classifier);
  }

  void report() const {
    const double all = double(images);
    fmt::print("{}; right / the cheapest that is right:\n", counted(images, "image"));
    for (size_t c = 0; c < accuracies.size(); ++c)
      fmt::print("  {:6.2f}%  {:6.2f}%  {}\n", 100 * accuracies[c],
                 100 * double(std::ranges::count(std::span(labels).first(size_t(images)), int32_t(c))) / all,
                 choicesText(*model.network, candidateChoices(model, c)));
    fmt::print("{:.2f}% of the images, right in none of them, count as the first's\n",
               100 * double(std::count(correct.begin(), correct.begin() + images, false)) / all);
  }

  const vn_adaptive &model;
  const LabelOptions &options;
  OpenSession open;
  Preprocessing preprocessing;
  std::unique_ptr<Dataset> dataset;
  ImageRange range;
  int64_t images = 0; ///< of them that can be decoded, as far as known
  std::vector<int32_t> labels;
  std::vector<bool> correct; ///< in some candidate
  std::vector<double> accuracies;
  LabelledArrays training, validation;
};

} // namespace

void labelCommand(const vn_adaptive &model, const LabelOptions &options) {
  checkAdaptive(model);
  Labeller(model, options).run();
}

} // namespace vernier::runtime
