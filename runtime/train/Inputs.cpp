#include "runtime/train/Inputs.h"

#include "runtime/Error.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/Log.h"
#include "runtime/train/Sgd.h"

#include <algorithm>
#include <filesystem>
#include <fmt/core.h>

namespace vernier::runtime {

namespace fs = std::filesystem;

static void applyRecipe(Recipe &recipe, Preprocessing &preprocessing, const ModelOutline &model,
                        const TrainOptions &options) {
  if (options.epochs)
    recipe.epochs = options.epochs;
  if (recipe.batch != 0 && recipe.batch != model.batch)
    throw Error(VN_ERROR_ARGUMENT, fmt::format("the recipe wants batches of {}, model `{}` was built for {}",
                                               recipe.batch, model.name, model.batch))
        .at(options.recipe)
        .help(fmt::format("build the model with `--batch {}`", recipe.batch));
  recipe.batch = model.batch;
  preprocessing.resize = recipe.data.resize;
  recipe.data.orientation = recipe.data.orientation && !options.ignoreOrientation;
  preprocessing.orientation = recipe.data.orientation;
  if (!recipe.data.mean.empty()) {
    if (int64_t(recipe.data.mean.size()) != model.channels)
      throw Error(VN_ERROR_ARGUMENT, fmt::format("`mean` has {} values, model `{}` takes {} channels",
                                                 recipe.data.mean.size(), model.name, model.channels))
          .at(options.recipe);
    preprocessing.mean = recipe.data.mean, preprocessing.deviation = recipe.data.deviation;
  }
  if (model.channels == 1 && needsColors(recipe.augmentation))
    throw Error(
        VN_ERROR_ARGUMENT,
        fmt::format("saturation, hue, `grayscale` and `lighting` change colours, model `{}` takes grey "
                    "images",
                    model.name))
        .at(options.recipe)
        .help("leave them out of the table `augmentation`");
}

/// What a recipe says in vain where the specification says what is minimised.
static void checkRecipeOfLosses(const Recipe &recipe, const ModelOutline &model, const std::string &path) {
  if (recipe.labelSmoothing != 0)
    throw Error(
        VN_ERROR_ARGUMENT,
        fmt::format("`label_smoothing` says nothing of the losses that model `{}` declares", model.name))
        .at(path)
        .help(fmt::format("in the specification, `softmax_cross_entropy(..., smoothing = {})`",
                          recipe.labelSmoothing));
}

TrainingInputs::TrainingInputs(const ModelOutline &model, const TrainOptions &options)
    : recipe(readRecipe(options.recipe)), preprocessing(model), weights(model, options.weights) {
  if (!hasCheckpoint(options))
    weights.requireFrozen(model);
  applyRecipe(recipe, preprocessing, model, options);
  Sgd::checkRates(model, recipe.optimizer, options.recipe);
  if (model.declaresLosses) {
    checkRecipeOfLosses(recipe, model, options.recipe);
    training = openWithTargets(options.data, model, Split::Training);
    if (auto test = openValidation(options.data, model))
      validation = std::move(*test);
    if (!validation.images && recipe.validateEvery != Recipe().validateEvery)
      throw Error(
          VN_ERROR_ARGUMENT,
          fmt::format("`validate_every` is {}, but there is nothing to validate on", recipe.validateEvery))
          .at(options.recipe)
          .help("leave it out, or add test-arrays.npy and the targets of its images to the data");
  } else {
    training.images = openDataset(options.data, Split::Training);
    validation.images = openDataset(options.data, Split::Test);
    checkLabels(*training.images, model);
    checkLabels(*validation.images, model);
  }
  if (dynamic_cast<const ArrayDataset *>(training.images.get()) && recipe.augmentation != Augmentation())
    throw Error(VN_ERROR_ARGUMENT, "arrays that are no images cannot be augmented")
        .at(options.recipe)
        .help("leave the table `augmentation` out");
  images = recipe.data.limit ? std::min(recipe.data.limit, training.images->size()) : training.images->size();
  stepsPerEpoch = images / model.batch; // the images of an epoch's last, partial batch are left out
  if (stepsPerEpoch == 0)
    throw Error(VN_ERROR_VALUE, fmt::format("{} images do not fill one batch of {}", images, model.batch))
        .at(options.data)
        .help("build the model with a smaller --batch");
}

std::string checkpointPath(const TrainOptions &options) { return options.out + "/checkpoint.safetensors"; }

static bool isThere(const std::string &path) {
  std::error_code error; // such as of a folder that may not be searched, which creating a file there reports
  return fs::exists(path, error);
}

bool hasCheckpoint(const TrainOptions &options) { return options.resume && isThere(checkpointPath(options)); }

RunData TrainingInputs::runData(const TrainOptions &options) const {
  std::string digest = fmt::format("{:016x}", training.images->digest());
  if (!training.targets.empty())
    digest += fmt::format("{:016x}", training.targetsDigest());
  if (validation.images)
    digest += fmt::format("{:016x}", validation.images->digest());
  if (!validation.targets.empty())
    digest += fmt::format("{:016x}", validation.targetsDigest());
  return {images, options.data, digest, options.acceptChangedData, recipe.epochs * stepsPerEpoch};
}

void checkContinued(const ModelOutline &model, const TrainingInputs &inputs, const TrainOptions &options) {
  if (!hasCheckpoint(options))
    return;
  const TrainState state =
      checkCheckpoint(checkpointPath(options), model, inputs.recipe, inputs.runData(options));
  readKeptLog(options.out, state.step);
}

void checkResultsFolder(const TrainOptions &options) {
  if (hasCheckpoint(options))
    return;
  for (const std::string name :
       {"checkpoint.safetensors", "weights.safetensors", "summary.json", "log.jsonl", "log.csv"}) {
    const bool isKilledRun = options.resume && name.starts_with("log."); // before its first checkpoint
    if (!isKilledRun && isThere(options.out + "/" + name))
      throw Error(VN_ERROR_FILE, "the folder already holds a training run")
          .at(options.out + "/" + name)
          .help(options.resume ? "there is no checkpoint to continue it from: choose another --out"
                               : "continue it with --resume, or choose another --out");
  }
}

} // namespace vernier::runtime
