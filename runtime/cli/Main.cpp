// Reads the command line of a built executable and hands over to the command.
#include "runtime/Error.h"
#include "runtime/cli/Commands.h"
#include "runtime/cli/ImageWords.h"
#include "runtime/cli/NamedSize.h"
#include "runtime/cli/Words.h"
#include "runtime/core/Sizes.h"
#include "runtime/core/Threads.h"
#include "runtime/io/File.h"
#include "runtime/process/Interrupt.h"
#include "runtime/train/Trainer.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fmt/core.h>
#include <functional>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <type_traits>

namespace vernier::runtime {

namespace {

/// The commands with their options; parsing chooses the one to run.
class CommandLine {
public:
  /// `adaptive`: the model of which `model` is the network, or null.
  CommandLine(const vn_model &model, const vn_adaptive *adaptive)
      : model(model), adaptive(adaptive),
        app(fmt::format("The model `{}`, compiled by Vernier.", model.name)) {
    app.require_subcommand(1);
    app.failure_message(nullptr);
    app.set_version_flag(
        "--version", [this] { return versionText(); }, "Which compiler built the model, and for what");
    app.footer("`help COMMAND` explains a command.");
    addInfo();
    addRun();
    addBench();
    addEval();
    addClassify();
    if (model.num_holes > 0)
      addTabulate();
    if (adaptive)
      addLabel();
    if (model.train_step.num_steps > 0) {
      addTrain();
      addRecalibrate();
    }
  }

  /// Returns the exit status.
  int run(int argc, char **argv) {
    app.name(argv[0]);
    if (printHelp(app, argc, argv))
      return 0;
    try {
      parseWords(app, argc, argv, argc > 1 ? elsewhere(argv[1]) : "");
    } catch (const CLI::Success &text) { // help and version
      return app.exit(text);
    }
    action();
    return 0;
  }

private:
  CLI::App *command(const std::string &name, const std::string &description) {
    return app.add_subcommand(name, description);
  }

  template <class Options>
  CLI::App *command(const std::string &name, const std::string &description, Options &options) {
    CLI::App *added = command(name, description);
    added
        ->add_option("--threads", options.threads,
                     "Number of threads (default: VERNIER_THREADS, OMP_NUM_THREADS, one per usable CPU)")
        ->check(CLI::Validator([](std::string &text) { return threadsProblem(text); }, "1 to 4096"));
    if (model.accelerator)
      added->add_option("--device", options.device, "Of several GPUs: which, counted from 0")
          ->check(CLI::NonNegativeNumber);
    added->add_option(
        "--weights", options.weights,
        fmt::format("Weights, safetensors (default: {}.safetensors beside the executable)", model.name));
    if (model.num_holes > 0)
      added->add_option(
          "--configuration", options.configuration,
          fmt::format("Choices of the open holes: HOLE=VALUE,..., or a value for each (default: {})",
                      adaptive ? "chosen for each image" : "the first"));
    if constexpr (std::is_base_of_v<CommonOptions, Options> && !std::is_same_v<RunOptions, Options>)
      added->add_flag("--allow-non-finite", options.allowNonFinite,
                      "Name weights that are infinite or no number, and use them");
    return added;
  }

  /// Of a model that was built for several sizes: which a command runs at.
  void addSize(CLI::App &command, std::string &named) {
    if (model.num_sizes > 1)
      command.add_option(
          "--size", named,
          fmt::format("Of the images, HxW, of {} (default: {})", sizesText(model),
                      &named == &size ? imageSizeText(*sizesOf(model).front()) : "what fits each image"));
  }
  void addSizeAndBatch(CLI::App &command) {
    addSize(command, size);
    if (model.num_sizes > 1)
      command.add_option("--batch", batch, "Images per call, of those of the size (default: the most)")
          ->check(atLeast(1));
  }
  const vn_model &atSize() const { return namedSize(model, size, batch); }

  static void addQuiet(CLI::App &command, bool &quiet) {
    command.add_flag("-q,--quiet", quiet, "Print what is asked for, warnings and errors alone");
  }

  void addCostWeight(CLI::App &command, CommonOptions &options) {
    if (adaptive)
      command.add_option("--cost-weight", options.costWeight,
                         "By how much a candidate's score falls with its share of the dearest one's "
                         "multiply-adds; less than 0 spends more (0)");
  }

  /// Runs a command on the adaptive model unless a configuration is named, else on the network alone, at the
  /// size that is named.
  template <class Options>
  void start(void (*onNetwork)(const vn_model &, const Options &),
             void (*onAdaptive)(const vn_adaptive &, const Options &), const Options &options,
             bool everySize = false) {
    action = [=, this, &options] {
      if (adaptive && options.configuration.empty())
        onAdaptive(*adaptive, options);
      else
        onNetwork(everySize ? model : atSize(), options);
    };
  }

  static void addPreprocessing(CLI::App &command, PreprocessingOptions &options) {
    const auto numbers = [&](const char *name, std::vector<float> &values, const char *description) {
      command.add_option(name, values, description)->delimiter(',')->allow_extra_args(false);
    };
    numbers("--mean", options.mean,
            "Of red, green and blue in [0, 1] (default: stored with the weights, else ImageNet's)");
    numbers("--std", options.deviation, "Standard deviations, likewise");
    command.add_option("--resize", options.resize,
                       "The shorter side in pixels, before the centre is cropped");
    addImageOptions(command, options);
  }

  void addScalePolicy(CLI::App &command, ScalePolicyOptions &options) {
    if (adaptive) // which has the network's logits alone
      return;
    command.add_option("--scale-policy", options.csv,
                       "CSV file for each image's scale policy scores, of a model built with --scale-policy");
    command.add_option("--scale-policy-svg", options.svg, "A figure of them, SVG");
  }

  std::string versionText() const {
    std::string compiler = "an unknown version of Vernier";
    if (const auto description = nlohmann::json::parse(model.description, nullptr, false);
        description.is_object() && description.contains("compiler") && description["compiler"].is_string())
      compiler = "Vernier " + description["compiler"].get<std::string>();
    return fmt::format("{}, built by {}\nfor {} with {}", model.name, compiler,
                       model.train_step.num_steps > 0 ? "training and inference" : "inference",
                       deviceText(model));
  }

  /// What has a command that this build has not.
  std::string elsewhere(std::string_view command) const {
    if (command == "train" && model.train_step.num_steps == 0)
      return "this build is for inference alone: `vernier build --for train` makes one that trains";
    if (command == "tabulate" && model.num_holes == 0)
      return "this build has one configuration: `tabulate` belongs to a model built with open `choose` holes";
    if (command == "label" && !adaptive)
      return "`label` belongs to a model built by `vernier adapt`";
    static constexpr std::string_view ofCompiler[] = {
        "build", "check",    "describe",       "verify",      "search",     "adapt",
        "fmt",   "allocate", "import-weights", "export-onnx", "import-onnx"};
    if (std::ranges::count(ofCompiler, command))
      return fmt::format("`{0}` is a command of the compiler: `vernier {0}`", command);
    return "";
  }

  void addInfo() {
    CLI::App *info = command("info", "Describe the model");
    info->add_flag("--json", infoJson, "The whole description as JSON");
    addSizeAndBatch(*info);
    info->callback([this] {
      action = [this] { adaptive ? infoCommand(*adaptive, infoJson) : infoCommand(atSize(), infoJson); };
    });
  }

  void addRun() {
    CLI::App *app = command("run", "Run the model on arrays", runOptions);
    app->add_option("--input", runOptions.input, "N x C x H x W, npy")->required();
    app->add_option("--output", runOptions.output,
                    "Where the first output goes, npy; further ones go beside it")
        ->required();
    addScalePolicy(*app, runOptions.scalePolicy);
    addCostWeight(*app, runOptions);
    app->callback([this] { start<RunOptions>(runCommand, runCommand, runOptions, true); });
  }

  void addBench() {
    CLI::App *app = command("bench", "Measure speed and memory", benchOptions);
    addSizeAndBatch(*app);
    app->add_option("--runs", benchOptions.runs, "Timed runs (20)")->check(atLeast(1));
    app->add_flag("--layers", benchOptions.layers, "A table of every step");
    app->add_flag("--train", benchOptions.train, "A training step instead of inference");
    app->add_flag("--json", benchOptions.json, "JSON");
    app->callback([this] { start<BenchOptions>(benchCommand, benchCommand, benchOptions); });
  }

  void addEval() {
    CLI::App *app = command("eval", "Measure the accuracy on a data set", evalOptions);
    addSizeAndBatch(*app);
    app->add_option("--data", evalOptions.data, "Folder of the data set");
    app->add_option("--images", evalOptions.images, "Instead: folder of images, with --labels");
    app->add_option(
        "--labels", evalOptions.labels,
        "File with the number of a class per line, in the order of the images' names, or with the name "
        "of an image before it");
    app->add_option("--split", evalOptions.split, "test or train (test)")
        ->check(CLI::IsMember({"test", "train"}));
    app->add_option("--first", evalOptions.first, "The first image that is used (0)")->check(atLeast(0));
    app->add_option("--count", evalOptions.count, "How many images are used (all)")->check(atLeast(1));
    app->add_option("--loaders", evalOptions.loaders, "Threads that read images")->check(CLI::Range(1, 1024));
    addPreprocessing(*app, evalOptions.preprocessing);
    addScalePolicy(*app, evalOptions.scalePolicy);
    addCostWeight(*app, evalOptions);
    if (adaptive)
      app->add_flag(
          "--compare", evalOptions.compare,
          "Also with each configuration for all images, and name the best of at most the same cost");
    app->add_flag("--json", evalOptions.json, "JSON");
    addQuiet(*app, evalOptions.quiet);
    app->callback([this] { start<EvalOptions>(evalCommand, evalCommand, evalOptions); });
  }

  void addClassify() {
    CLI::App *app = command("classify", "Name what images show", classifyOptions);
    app->add_option("images", classifyOptions.images, "JPEG, PNG, BMP or WebP files")->required();
    addSize(*app, classifyOptions.size);
    app->add_option("--labels", classifyOptions.labels, "File with the name of a class per line");
    app->add_option("--top", classifyOptions.top, "Number of classes per image (5)")->check(atLeast(1));
    addPreprocessing(*app, classifyOptions.preprocessing);
    addScalePolicy(*app, classifyOptions.scalePolicy);
    addCostWeight(*app, classifyOptions);
    app->callback(
        [this] { start<ClassifyOptions>(classifyCommand, classifyCommand, classifyOptions, true); });
  }

  void addTabulate() {
    CLI::App *app = command("tabulate", "Measure all configurations of the open holes", tabulateOptions);
    app->remove_option(app->get_option("--configuration"));
    addSizeAndBatch(*app);
    app->add_option("--data", tabulateOptions.data, "Accuracy on this data set");
    app->add_option("--split", tabulateOptions.split, "test or train (test)")
        ->check(CLI::IsMember({"test", "train"}));
    app->add_option("--first", tabulateOptions.first, "The first image of the split that is used (0)")
        ->check(atLeast(0));
    app->add_option("--count", tabulateOptions.count, "How many images are used (all)")->check(atLeast(1));
    app->add_option("--every", tabulateOptions.every, "Of these, each K-th (1)")->check(atLeast(1));
    addImageOptions(*app, tabulateOptions.reading);
    auto *runs =
        app->add_option("--runs", tabulateOptions.runs, "Instead of the accuracy the time of so many runs")
            ->check(atLeast(1));
    auto *kernels =
        app->add_option("--kernels", tabulateOptions.kernels,
                        "With --runs: the time of every kernel too, in this file; goes on with it");
    kernels->needs(runs);
    app->add_option("--predict", tabulateOptions.predict, "Instead: the times that such a file predicts")
        ->excludes(runs);
    if (model.train_step.num_steps > 0)
      app->add_option("--recalibrate", tabulateOptions.recalibrate,
                      "With --data: with batch norms recalibrated from so many images of its train split")
          ->check(atLeast(1))
          ->excludes(runs);
    app->add_option("--sample", tabulateOptions.sample, "So many configurations, drawn at random (all)")
        ->check(atLeast(1));
    app->add_option("--seed", tabulateOptions.seed, "Of the sample (1)");
    app->add_option("--only", tabulateOptions.only, "Instead: the configurations of this file, one per line");
    app->add_option("--shard", tabulateOptions.shard, "I/N: the I-th of N parts; mpi: the part of this rank");
    app->add_option("--out", tabulateOptions.out,
                    "File of a line of JSON per configuration; goes on with it. {i} and {n} are the shard's");
    addQuiet(*app, tabulateOptions.quiet);
    app->callback([this] { action = [this] { tabulateCommand(atSize(), tabulateOptions); }; });
  }

  void addLabel() {
    CLI::App *app = command("label", "Make what the classifier of scales is trained with", labelOptions);
    app->remove_option(app->get_option("--configuration"));
    app->add_option("--data", labelOptions.data, "Folder of the data set")->required();
    app->add_option("--split", labelOptions.split, "test or train (train)")
        ->check(CLI::IsMember({"test", "train"}));
    app->add_option("--first", labelOptions.first, "The first image of the split that is used (0)")
        ->check(atLeast(0));
    app->add_option("--count", labelOptions.count, "How many images are used (all)")->check(atLeast(1));
    app->add_option("--validate-every", labelOptions.validateEvery,
                    "Of so many images one is for validation (10)")
        ->check(CLI::Range(2, 1 << 24));
    addImageOptions(*app, labelOptions.reading);
    app->add_option("--out", labelOptions.out, "Folder for the arrays and labels")->required();
    addQuiet(*app, labelOptions.quiet);
    app->callback([this] { action = [this] { labelCommand(*adaptive, labelOptions); }; });
  }

  void addTrain() {
    CLI::App *app = command("train", "Train the model", trainOptions);
    app->get_option("--weights")
        ->allow_extra_args(false)
        ->type_name("[PLACE=]FILE")
        ->description("Weights to begin from, of all or of a place (default: fresh ones)");
    if (model.num_holes > 0)
      app->get_option("--configuration")
          ->description("Train this configuration alone (default: all, as the recipe says)");
    addSizeAndBatch(*app);
    app->add_option("--data", trainOptions.data, "Folder of the data set")->required();
    app->add_option("--recipe", trainOptions.recipe, "How to train, TOML")->required();
    app->add_option("--out", trainOptions.out, "Folder for weights, logs and checkpoints")->required();
    app->add_option("--epochs", trainOptions.epochs, "Instead of the recipe's")
        ->check(CLI::Range(1, 1 << 24));
    app->add_option("--loaders", trainOptions.loaders, "Threads that make batches")
        ->check(CLI::Range(1, 1024));
    addQuiet(*app, trainOptions.quiet);
    addImageOptions(*app, trainOptions);
    app->get_option("--ignore-orientation")
        ->description("Take images as their pixels are stored, as `orientation = false` in the recipe does");
    app->add_flag("--resume", trainOptions.resume, "Continue from the checkpoint in --out, if there is one");
    app->add_flag("--accept-changed-data", trainOptions.acceptChangedData,
                  "With --resume: go on although the data set is not what it was");
    app->callback([this] { action = [this] { train(atSize(), trainOptions); }; });
  }

  void addRecalibrate() {
    CLI::App *app = command("recalibrate", "Compute the running statistics of batch norms anew, from images",
                            recalibrateOptions);
    app->remove_option(app->get_option("--allow-non-finite")); // they would go into every statistic
    addSizeAndBatch(*app);
    app->add_option("--data", recalibrateOptions.data, "Folder of the data set")->required();
    app->add_option("--split", recalibrateOptions.split, "test or train (train)")
        ->check(CLI::IsMember({"test", "train"}));
    app->add_option("--images", recalibrateOptions.images, "So many are drawn, at most (4096)")
        ->check(atLeast(1));
    app->add_option("--seed", recalibrateOptions.seed, "Of the draw (1)");
    app->add_option("--loaders", recalibrateOptions.loaders, "Threads that read images")
        ->check(CLI::Range(1, 1024));
    addPreprocessing(*app, recalibrateOptions.preprocessing);
    addQuiet(*app, recalibrateOptions.quiet);
    app->add_option("-o,--out", recalibrateOptions.out, "Where the weights go, safetensors")->required();
    app->callback([this] { action = [this] { recalibrateCommand(atSize(), recalibrateOptions); }; });
  }

  const vn_model &model;
  const vn_adaptive *adaptive;
  CLI::App app;
  std::function<void()> action;
  std::string size;  ///< --size; empty: the first
  int64_t batch = 0; ///< --batch; 0: the largest of the size
  bool infoJson = false;
  RunOptions runOptions;
  BenchOptions benchOptions;
  EvalOptions evalOptions;
  ClassifyOptions classifyOptions;
  TabulateOptions tabulateOptions;
  LabelOptions labelOptions;
  TrainOptions trainOptions;
  RecalibrateOptions recalibrateOptions;
};

/// On standard error, whatever has become of that.
void say(const std::string &message) { fputs((message + "\n").c_str(), stderr); }

int runCommandLine(int argc, char **argv, const vn_model &model, const vn_adaptive *adaptive) {
  prepareProcess();
  try {
    const int status = CommandLine(model, adaptive).run(argc, argv);
    flushStandardOutput();
    return status;
  } catch (const Interrupted &interrupted) {
    say(interrupted.what());
    endBySignal(interrupted.signal());
  } catch (const Error &error) {
    say(error.what());
  } catch (const std::bad_alloc &) {
    say("error: out of memory");
  } catch (const std::exception &error) {
    say(std::string("error: ") + error.what());
  }
  return 1;
}

} // namespace

} // namespace vernier::runtime

int vn_main(int argc, char **argv, const vn_model *model) {
  return vernier::runtime::runCommandLine(argc, argv, *model, nullptr);
}

int vn_adaptive_main(int argc, char **argv, const vn_adaptive *model) {
  return vernier::runtime::runCommandLine(argc, argv, *model->network, model);
}
