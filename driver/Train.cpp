#include "driver/Train.h"

#include "driver/BuildModel.h"
#include "driver/DescribedModel.h"
#include "driver/Device.h"
#include "driver/Processes.h"
#include "dsl/Value.h"
#include "runtime/cli/ImageWords.h"
#include "runtime/core/Shape.h"
#include "runtime/io/File.h"
#include "runtime/process/FolderLock.h"
#include "runtime/train/Inputs.h"

#include "llvm/ADT/StringExtras.h"

namespace vernier::driver {
namespace {

// The values of the open holes that a recipe's target names: HOLE=VALUE,..., or a value for each. A hole that
// it does not name has its first choice.
std::vector<std::string> choicesOf(const std::string &target, const LoadedModel &model,
                                   const std::string &place) {
  std::vector<const HoleChoice *> open;
  for (const HoleChoice &hole : model.choices)
    if (!hole.bound)
      open.push_back(&hole);
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(target).split(parts, ',');
  const bool named = llvm::StringRef(target).contains('=');
  if (!named && parts.size() != open.size())
    refuse("the target `" + target + "` has " + runtime::counted(int64_t(parts.size()), "value") +
               " for the " + runtime::counted(int64_t(open.size()), "open hole") + " of model `" +
               model.name + "`",
           place);
  std::vector<double> values;
  for (const HoleChoice *hole : open)
    values.push_back(hole->choices.front());
  for (auto [index, part] : llvm::enumerate(parts)) {
    const auto [name, text] = named ? part.trim().split('=') : std::pair(llvm::StringRef(), part.trim());
    const auto found =
        named ? llvm::find_if(open, [&, name = name](const HoleChoice *hole) { return name == hole->name; })
              : open.begin() + ptrdiff_t(index);
    if (found == open.end())
      refuse("`" + name.str() + "` in the target is no open hole of model `" + model.name + "`", place,
             open.empty() ? "all are bound" : "such as `" + open.front()->name + "`");
    double value = 0;
    if (text.getAsDouble(value) || !llvm::is_contained((*found)->choices, value))
      refuse("`" + text.str() + "` in the target is no choice of `" + (*found)->name + "`", place,
             "it is one of " + choicesText(**found));
    values[size_t(found - open.begin())] = value;
  }
  std::vector<std::string> result;
  for (auto [hole, value] : llvm::zip_equal(open, values))
    result.push_back(hole->name + "=" + dsl::formatFloat(value));
  return result;
}

void runTraining(const TrainOptions &options, const std::string &program, const std::string &results) {
  Command command = {program, "train", "--recipe", options.recipe, "--data", options.data, "--out", results};
  for (const std::string &weights : options.weights)
    command.insert(command.end(), {"--weights", weights});
  if (options.epochs)
    command.insert(command.end(), {"--epochs", std::to_string(options.epochs)});
  if (options.threads)
    command.insert(command.end(), {"--threads", std::to_string(options.threads)});
  llvm::append_range(command, deviceWords(options));
  if (options.resume)
    command.push_back("--resume");
  if (options.quiet)
    command.push_back("--quiet");
  if (options.acceptChangedData)
    command.push_back("--accept-changed-data");
  llvm::append_range(command, runtime::imageWords(options));
  runTogether({command});
}

// What the training would refuse when it is built, and the binary when it is trained.
void checkInputs(const TrainOptions &options, const BuildOptions &training, const LoadedModel &model) {
  requireLoss(model, options);
  checkDeclaredLosses(model, options, options);
  const DescribedModel described(model, training);
  runtime::TrainOptions given;
  static_cast<runtime::ImageOptions &>(given) = options;
  given.data = options.data;
  given.recipe = options.recipe;
  given.out = options.output + "/trained";
  given.weights = options.weights;
  given.epochs = options.epochs;
  given.resume = options.resume;
  given.acceptChangedData = options.acceptChangedData;
  const runtime::TrainingInputs inputs(described.get(), given);
  runtime::checkResultsFolder(given);
  runtime::checkContinued(described.get(), inputs, given);
  requireReplaceable(options.output, model.name, options.target);
  requireReplaceable(training.output, model.name, options.target);
}

} // namespace

void train(const TrainOptions &options, const Output &output) {
  const runtime::Recipe recipe = runtime::readRecipe(options.recipe);
  if (!recipe.batch && !options.batchGiven)
    refuse("nothing says how many images an update has", options.recipe,
           "such as `batch = 64`, or --batch 64");
  if (recipe.batch && options.batchGiven && options.batch != recipe.batch)
    refuse("--batch " + std::to_string(options.batch) + " contradicts the recipe's batch, which is " +
               std::to_string(recipe.batch),
           options.recipe, "leave --batch out");
  BuildOptions training;
  static_cast<ModelOptions &>(training) = options;
  static_cast<CodeOptions &>(training) = options;
  training.batch = recipe.batch ? recipe.batch : options.batch;
  training.purpose = "train";
  if (options.target == "cpu")
    training.precision = "f32";
  training.output = options.output + "/training";
  training.quiet = options.quiet;

  BuildOptions result;
  static_cast<ModelOptions &>(result) = options;
  static_cast<CodeOptions &>(result) = options;
  result.batch = options.batchOfBinary;
  result.output = options.output;
  result.quiet = options.quiet;
  result.weights = options.output + "/trained/weights.safetensors";
  ModelOptions ofTraining = training;
  ofTraining.losses = true;
  const LoadedModel model = loadModel(ofTraining); // of a step's batch
  if (!recipe.choices.target.empty()) {
    for (std::string &choice : choicesOf(recipe.choices.target, model, options.recipe))
      result.choices.push_back(std::move(choice));
  }
  checkInputs(options, training, model);
  requireDevice(options);

  runtime::createFolder(options.output);
  const runtime::FolderLock lock(options.output, "--output");
  build(training, output);
  runTraining(options, training.output + "/" + model.name, options.output + "/trained");
  build(result, output);
}

} // namespace vernier::driver
