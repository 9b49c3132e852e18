#include "driver/search/FineTune.h"

#include "driver/DescribedModel.h"
#include "driver/Device.h"
#include "driver/Processes.h"
#include "dsl/Value.h"
#include "runtime/cli/ImageWords.h"
#include "runtime/train/Inputs.h"

#include <nlohmann/json.hpp>

namespace vernier::driver {

void checkFineTuning(const SearchOptions &options) {
  if (options.fineTune)
    runtime::readRecipe(options.recipe);
}

std::string fineTune(const SearchOptions &options, const std::string &model, const SearchRow &row,
                     int64_t threads, const Output &output) {
  // A folder for each configuration: with another budget another one may win.
  std::string folder = options.path("tuned/");
  for (auto [index, value] : llvm::enumerate(row.values))
    folder += (index ? "-" : "") + dsl::formatFloat(value);
  BuildOptions training = options;
  static_cast<ModelOptions &>(training) = options.bound(row.configuration);
  training.purpose = "train";
  if (options.target == "cpu")
    training.precision = "f32"; // what is trained is then built with any
  training.weights.clear();
  training.output = folder + "/build";
  if (const int64_t batch = runtime::readRecipe(options.recipe).batch)
    training.batch = batch;
  runtime::TrainOptions run;
  static_cast<runtime::ImageOptions &>(run) = options;
  run.data = options.data;
  run.recipe = options.recipe;
  run.out = folder + "/run";
  run.epochs = options.fineTune;
  run.resume = true;
  const DescribedModel described(loadModel(training), training);
  const runtime::TrainingInputs inputs(described.get(), run);
  runtime::checkContinued(described.get(), inputs, run); // of an earlier search with another recipe, say
  build(training, output);
  Command command = {training.output + "/" + model,
                     "train",
                     "--data",
                     options.data,
                     "--recipe",
                     options.recipe,
                     "--epochs",
                     std::to_string(options.fineTune),
                     "--weights",
                     options.weights,
                     "--out",
                     run.out,
                     "--threads",
                     std::to_string(threads),
                     "--resume"};
  if (options.quiet)
    command.push_back("--quiet");
  llvm::append_range(command, deviceWords(options));
  llvm::append_range(command, runtime::imageWords(options));
  output.text.flush(); // before what the program prints
  runTogether({command});
  return folder + "/run/weights.safetensors";
}

double accuracyOf(const SearchOptions &options, const std::string &binary, int64_t threads) {
  Command command = {binary,      "eval",
                     "--data",    options.data,
                     "--split",   options.split,
                     "--first",   std::to_string(options.first),
                     "--threads", std::to_string(threads),
                     "--json"};
  if (options.count)
    command.insert(command.end(), {"--count", std::to_string(options.count)});
  llvm::append_range(command, deviceWords(options));
  llvm::append_range(command, runtime::imageWords(options));
  const auto result = nlohmann::json::parse(outputOf(command), nullptr, /*allow_exceptions=*/false);
  if (!result.is_object() || !result.contains("top1") || !result["top1"].is_number())
    refuse(binary + " eval printed no accuracy");
  return result["top1"];
}

} // namespace vernier::driver
