#include "driver/Adapt.h"

#include "compiler/ir/VnOps.h"
#include "driver/DescribedModel.h"
#include "driver/Device.h"
#include "driver/OpenModel.h"
#include "driver/Processes.h"
#include "driver/TextTable.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/Error.h"
#include "runtime/cli/ImageWords.h"
#include "runtime/core/Choices.h"
#include "runtime/core/Shape.h"
#include "runtime/data/Dataset.h"
#include "runtime/io/File.h"
#include "runtime/io/Weights.h"
#include "runtime/process/FolderLock.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/Recipe.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

namespace vernier::driver {
namespace {

constexpr const char *kFeatures = "scale_features"; // the array between the network and the classifier

// What trains the classifier where no recipe is given. Its labels are noisy: longer, or with less decay, it
// learns them by heart (on CIFAR-100 the validation loss rises from the fifth epoch on).
constexpr const char *kRecipe = R"(epochs = 6

[optimizer]
learning_rate = 0.02
nesterov = true
weight_decay = 5e-3
decay_norms_and_biases = false

[schedule]
kind = "cosine"
warmup_epochs = 0.5
)";

class Adaptation {
public:
  Adaptation(const AdaptOptions &given, const Output &output)
      : options(given), output(output), owned(backendOf(given)), backend(*owned) {
    options.innerOutput = InnerOutput{kFeatures, options.features};
  }

  void run() {
    if (llvm::sys::fs::exists(path("trained")))
      refuse("the directory holds the results of an adaptation already", path("trained"),
             "give another --output, or remove this one");
    loadNetwork();
    findCandidates();
    loadClassifier();
    checkInputs();
    requireDevice(options);
    requireReplaceable(options.output, network.name, options.target);
    runtime::createFolder(options.output);
    const runtime::FolderLock lock(options.output, "--output");
    forgetLabels();
    buildTogether();
    label();
    train();
    writeWeights();
    if (!options.quiet)
      output.text << "adaptive: " << path(network.name) << " eval --data " << options.data << " --compare\n";
  }

private:
  std::string path(const llvm::Twine &name) const { return (options.output + "/" + name).str(); }

  void loadNetwork() {
    network = loadModel(options);
    if (!hasOpenChoices(network))
      refuse("model `" + network.name + "` has no open `choose` holes to choose from", options.file);
    if (outputTypes(network).size() != 2 || classesOf(network) == 0)
      refuse("model `" + network.name + "` is no classifier with one output, the logits", options.file);
    segments = loadOpenModel(options, network, backend, mapsOf(options));
  }

  // What the programs would refuse that are to be built.
  void checkInputs() const {
    const DescribedModel described(factsOf(network, options), segments.parts());
    checkWeights(described, options.weights, std::string(runtime::classifierPrefix));
    const auto dataset = runtime::openDataset(
        options.data, options.split == "train" ? runtime::Split::Training : runtime::Split::Test);
    runtime::checkLabels(*dataset, described.get());
    runtime::checkRange(*dataset, {options.first, options.count ? options.count : INT64_MAX});
    if (!options.recipe.empty())
      runtime::readRecipe(options.recipe);
  }

  static llvm::ArrayRef<mlir::Type> outputTypes(const LoadedModel &model) {
    mlir::ModuleOp module = *model.module;
    return module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction).getResultTypes();
  }

  // What parses and counts as the built model will.
  void findCandidates() {
    std::vector<vn_hole> holes;
    for (const codegen::OpenHole &hole : segments.holes)
      holes.push_back({hole.name.c_str(), hole.choices.data(), int64_t(hole.choices.size())});
    runtime::ModelOutline model;
    model.name = network.name;
    model.holes = holes;
    for (const std::string &text : options.candidates)
      candidates.push_back(runtime::parseChoices(model, text));
    if (candidates.size() < 2)
      refuse("there is nothing to choose from with less than two candidates", "--candidates",
             "such as --candidates 0.5,0.5,0.5 --candidates 1,1,1");
    llvm::stable_sort(candidates, [&](const runtime::Choices &a, const runtime::Choices &b) {
      return macsOf(a) < macsOf(b);
    });
    for (size_t i = 0; i < candidates.size(); ++i)
      if (llvm::count(candidates, candidates[i]) > 1)
        refuse("the configuration " + runtime::choicesText(model, candidates[i]) + " is there twice",
               "--candidates");
    TextTable table({"candidate", ">MACs"});
    for (const runtime::Choices &candidate : candidates)
      table.add({runtime::choicesText(model, candidate), withCommas(macsOf(candidate))});
    if (!options.quiet)
      table.print(output.text);
    output.text.flush();

    Trial trial;
    trial.context = network.context;
    for (auto [hole, choice] : llvm::zip_equal(segments.holes, candidates[0]))
      trial.choices.push_back({hole.name, hole.choices[choice]});
    cheapest = loadModel(options, Branches::DropEmpty, trial);
  }

  int64_t macsOf(const runtime::Choices &choices) const {
    int64_t macs = 0;
    for (const codegen::SegmentModules &segment : segments.segments) {
      size_t variant = 0;
      for (int hole : segment.holes)
        variant = variant * segments.holes[hole].choices.size() + size_t(choices[hole]);
      macs += segment.variants[variant].macs;
    }
    return macs;
  }

  // For the features of the cheapest candidate.
  void loadClassifier() {
    const auto shape = llvm::cast<mlir::RankedTensorType>(outputTypes(cheapest).back()).getShape();
    classifierOptions.file = options.classifier;
    classifierOptions.importRoots = options.importRoots;
    classifierOptions.batch = options.batch;
    classifierOptions.input = std::to_string(shape[1]) + "x" + std::to_string(shape[2]);
    classifierOptions.parameters = {"channels=" + std::to_string(shape[3]),
                                    "candidates=" + std::to_string(candidates.size())};
    classifier = loadModel(classifierOptions);
    if (outputTypes(classifier).size() != 1 || classesOf(classifier) != int64_t(candidates.size()) ||
        hasOpenChoices(classifier))
      refuse("model `" + classifier.name + "` has no output of a score for each of its `candidates`",
             options.classifier);
    if (classifier.declaresLosses)
      refuse("model `" + classifier.name +
                 "` says itself what training minimises, but it is trained to name "
                 "the best candidate",
             options.classifier, "leave its `loss` statements out");
  }

  // Training code for the classifier alone, and both models in one binary.
  void buildTogether() {
    codegen::AdaptivePart whole{{}, factsOf(network, options)};
    codegen::AdaptivePart chooser{{}, factsOf(classifier, classifierOptions)};

    runPasses(*classifier.module,
              compiler::inferencePasses(mapsOf(options), backend.passes(codegen::Purpose::Inference)));
    auto loweredClassifier = codegen::lowerModule(*classifier.module, backend);
    auto lowered = codegen::lowerSegments(codegen::SizeSegments{*cheapest.module, segments.segments},
                                          segments.holes, backend, {.partialOutput = kFeatures});
    if (failed(lowered) || failed(loweredClassifier))
      refuse("the model cannot be compiled for this target", options.file);
    requireMemory(*lowered, options.file);
    whole.compilation = std::move(*lowered);
    chooser.compilation = std::move(*loweredClassifier);
    const codegen::ModelFacts facts = whole.facts;
    std::vector<int64_t> choices;
    for (const runtime::Choices &candidate : candidates)
      choices.insert(choices.end(), candidate.begin(), candidate.end());
    auto compiled = compileAdaptive(std::move(whole), std::move(chooser), choices, backend);
    if (!compiled)
      refuse(llvm::toString(compiled.takeError()), options.file);
    if (llvm::Error error = packageModel(*compiled, facts, backend, options.output, defaultLinkOptions()))
      refuse(llvm::toString(std::move(error)), options.output);

    BuildOptions training;
    static_cast<ModelOptions &>(training) = classifierOptions;
    training.target = options.target;
    training.cpu = options.cpu;
    training.cudaArchitectures = options.cudaArchitectures;
    training.purpose = "train";
    training.output = path("classifier");
    training.quiet = options.quiet;
    build(training, output);
    output.text.flush();
  }

  // Those of an adaptation that was stopped.
  void forgetLabels() const {
    if (!llvm::sys::fs::exists(path("labels")))
      return;
    if (!llvm::sys::fs::exists(path("classifier")))
      refuse("the directory has this already, but not from an adaptation", path("labels"),
             "give another --output, or remove it");
    for (const char *name : {"train-arrays.npy", "train-labels.npy", "test-arrays.npy", "test-labels.npy"})
      llvm::sys::fs::remove(path(llvm::Twine("labels/") + name));
  }

  void runCommand(Command command) const {
    if (options.quiet)
      command.push_back("--quiet");
    if (options.threads)
      command.insert(command.end(), {"--threads", std::to_string(options.threads)});
    llvm::append_range(command, deviceWords(options));
    runTogether({command});
  }

  void label() const {
    Command command = {path(network.name),
                       "label",
                       "--weights",
                       options.weights,
                       "--data",
                       options.data,
                       "--split",
                       options.split,
                       "--first",
                       std::to_string(options.first),
                       "--out",
                       path("labels")};
    if (options.count)
      command.insert(command.end(), {"--count", std::to_string(options.count)});
    llvm::append_range(command, runtime::imageWords(options));
    runCommand(std::move(command));
  }

  void train() const {
    std::string recipe = options.recipe;
    if (recipe.empty()) {
      recipe = path("recipe.toml");
      runtime::writeFileAtomically(recipe, kRecipe);
    }
    runCommand({path("classifier/" + classifier.name), "train", "--data", path("labels"), "--recipe", recipe,
                "--out", path("trained")});
  }

  // The network's tensors and, with their prefix, the classifier's.
  void writeWeights() const {
    std::vector<runtime::TensorView> tensors;
    std::vector<std::vector<float>> values;
    const auto add = [&](const runtime::Safetensors &file, const std::string &prefix) {
      for (const runtime::Safetensors::Tensor &tensor : file.tensors())
        if (runtime::Safetensors::isFloat(tensor)) {
          values.emplace_back(size_t(*runtime::elementCount(tensor.shape)));
          file.copyFloats(tensor, values.back().data());
          tensors.push_back({prefix + tensor.name, tensor.shape, values.back()});
        }
    };
    const runtime::Safetensors own = runtime::Safetensors::read(options.weights);
    add(own, "");
    llvm::erase_if(tensors, [](const runtime::TensorView &tensor) { // of an earlier classifier
      return llvm::StringRef(tensor.name).starts_with(runtime::classifierPrefix);
    });
    add(runtime::Safetensors::read(path("trained/weights.safetensors")),
        std::string(runtime::classifierPrefix));
    runtime::Metadata metadata = own.metadata();
    if (options.ignoreOrientation)
      metadata["vernier.orientation"] = "ignored";
    runtime::writeSafetensors(path(network.name + ".safetensors"), tensors, metadata);
  }

  AdaptOptions options;
  const Output &output;
  const std::unique_ptr<const codegen::Backend> owned;
  const codegen::Backend &backend;
  LoadedModel network, cheapest, classifier;
  OpenModel segments;
  std::vector<runtime::Choices> candidates; // by ascending multiply-adds
  ModelOptions classifierOptions;
};

} // namespace

void adapt(const AdaptOptions &options, const Output &output) { Adaptation(options, output).run(); }

} // namespace vernier::driver
