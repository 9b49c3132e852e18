#include "runtime/cli/Commands.h"
#include "runtime/cli/CountProgress.h"
#include "runtime/cli/NamedSize.h"
#include "runtime/cli/OpenSession.h"
#include "runtime/cli/ScalePolicy.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"
#include "runtime/io/Text.h"
#include "runtime/train/EvaluateLosses.h"
#include "runtime/train/TrainState.h"

#include <algorithm>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vernier::runtime {

void checkSource(const EvalOptions &options) {
  if (options.data.empty() == options.images.empty())
    throw Error(VN_ERROR_ARGUMENT, options.data.empty() ? "there are no images to evaluate on"
                                                        : "two sources of images are given")
        .at("--data, --images")
        .help("either --data DIR, a data set, or --images DIR --labels FILE");
  if (options.images.empty() != options.labels.empty())
    throw Error(VN_ERROR_ARGUMENT, "a folder of images needs the labels of its images, and the reverse")
        .at("--images, --labels")
        .help("--images DIR --labels FILE, a file with the number of a class per line");
}

std::unique_ptr<Dataset> openSource(const EvalOptions &options) {
  if (!options.data.empty())
    return openDataset(options.data, options.split, options.preprocessing);
  auto dataset = openImages(options.images, options.labels);
  prepareDataset(*dataset, options.preprocessing);
  return dataset;
}

ImageRange rangeOf(const Dataset &dataset, const EvalOptions &options) {
  const ImageRange range{options.first, options.count ? options.count : INT64_MAX};
  checkRange(dataset, range);
  return range;
}

/// Of a specification that declares losses, those and what they are of.
static void evalLosses(const vn_model &model, const EvalOptions &options) {
  if (options.data.empty())
    throw Error(VN_ERROR_ARGUMENT,
                fmt::format("model `{}` is evaluated on the targets of its losses", model.name))
        .at("--images, --labels")
        .help("--data DIR, a data set with them");
  if (!options.scalePolicy.csv.empty() || !options.scalePolicy.svg.empty())
    throw Error(VN_ERROR_ARGUMENT, "scale policy scores are not of a program that evaluates losses")
        .at("--scale-policy")
        .help("build the model for inference with --scale-policy");
  OpenSession open = openSession(model, options, Purpose::Evaluation);
  Preprocessing preprocessing(model);
  preprocessing.restore(open.metadata, open.weights);
  preprocessing.apply(options.preprocessing);
  const DataWithTargets data =
      openWithTargets(options.data, model, options.split == "train" ? Split::Training : Split::Test);
  prepareDataset(*data.images, options.preprocessing);
  const int loaders = options.loaders ? int(options.loaders) : defaultLoaderThreads(*data.images);
  const ImageRange images = rangeOf(*data.images, options);
  Losses losses;
  {
    CountProgress progress("image", std::min(images.count, data.images->size() - images.first),
                           options.quiet);
    losses = evaluateLosses(*open.session, data, preprocessing, loaders, images,
                            [&](IoArrays &, int64_t, int64_t) { progress.next(); });
  }
  data.images->broken.print();
  const auto named = namedLosses(losses, *termsOf(model));
  const double milliseconds = losses.seconds * 1e3 / double(losses.images);
  if (options.json) {
    nlohmann::ordered_json result = {{"model", model.name},
                                     {"data", utf8Text(options.data)},
                                     {"split", options.split},
                                     {"images", losses.images},
                                     {"broken_images", data.images->broken.count()}};
    for (const auto &[name, value] : named)
      result[name] = value; // null where it is not finite
    if (!losses.perClass.empty())
      result["classes"] = losses.perClass;
    result["not_finite"] = losses.notFinite;
    result["seconds"] = losses.seconds;
    result["milliseconds_per_image"] = milliseconds;
    if (model.num_sizes > 1)
      result["height"] = model.height, result["width"] = model.width;
    fmt::print("{}\n", result.dump(2));
    return;
  }
  fmt::print("loss {:.4f} on {}{} ({:.3f} ms per image)\n", losses.loss, counted(losses.images, "image"),
             sizeNote(model), milliseconds);
  for (const auto &[name, value] : named)
    if (name != "loss")
      fmt::print("  {} {:.4f}\n", name, value);
  if (losses.notFinite)
    fmt::print("the loss is not finite of {} of them\n", losses.notFinite);
}

void evalCommand(const vn_model &model, const EvalOptions &options) {
  checkSource(options);
  if (evaluatesLosses(model))
    return evalLosses(model, options);
  requireClassifier(model);
  OpenSession open = openSession(model, options, Purpose::Evaluation);
  Preprocessing preprocessing(model);
  preprocessing.restore(open.metadata, open.weights);
  preprocessing.apply(options.preprocessing);
  const auto dataset = openSource(options);
  checkLabels(*dataset, model);
  const int loaders = options.loaders ? int(options.loaders) : defaultLoaderThreads(*dataset);
  const ImageRange images = rangeOf(*dataset, options);
  ScalePolicyLog scalePolicy(model, options.scalePolicy);
  Accuracy accuracy;
  {
    CountProgress progress("image", std::min(images.count, dataset->size() - images.first), options.quiet);
    accuracy = evaluate(*open.session, *dataset, preprocessing, loaders, images,
                        [&](IoArrays &arrays, int64_t row, int64_t index) {
                          scalePolicy.add(arrays, row, dataset->name(index), dataset->label(index));
                          progress.next();
                        });
  }
  scalePolicy.write();
  dataset->broken.print();
  const double milliseconds = accuracy.seconds * 1e3 / double(accuracy.images);
  if (options.json) {
    nlohmann::ordered_json result = {{"model", model.name},
                                     {"data", utf8Text(options.data + options.images)},
                                     {"split", options.split},
                                     {"images", accuracy.images},
                                     {"broken_images", dataset->broken.count()},
                                     {"top1", accuracy.top1},
                                     {"top5", accuracy.top5},
                                     {"loss", accuracy.loss}, // null where it is not finite
                                     {"not_finite", accuracy.notFinite},
                                     {"seconds", accuracy.seconds},
                                     {"milliseconds_per_image", milliseconds}};
    if (model.num_sizes > 1)
      result["height"] = model.height, result["width"] = model.width;
    fmt::print("{}\n", result.dump(2));
    return;
  }
  fmt::print("top-1 {:.2f}%, top-5 {:.2f}%, cross-entropy {:.4f} on {}{} ({:.3f} ms per image)\n",
             100 * accuracy.top1, 100 * accuracy.top5, accuracy.loss, counted(accuracy.images, "image"),
             sizeNote(model), milliseconds);
  if (accuracy.notFinite)
    fmt::print("the model's result is not finite for {} of them\n", accuracy.notFinite);
}

} // namespace vernier::runtime
