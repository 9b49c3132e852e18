#include "driver/BuildModel.h"

#include "codegen/cuda/CudaBackend.h"
#include "codegen/cuda/Report.h"
#include "codegen/program/PrintProgram.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/Report.h"
#include "compiler/passes/ScalePolicy.h"
#include "driver/Build.h"
#include "driver/DescribedModel.h"
#include "driver/OneValueNorms.h"
#include "driver/OpenModel.h"
#include "driver/Sizes.h"
#include "driver/describe/DescribeJson.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/Error.h"
#include "runtime/core/Shape.h"
#include "runtime/io/File.h"
#include "runtime/io/Weights.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <set>

namespace vernier::driver {
namespace {

// The largest that a model may need, so that a slip of the keyboard is refused before code is generated.
constexpr int64_t kLargestArena = int64_t(1) << 40;

// Reads the weights as the built model will, which checks names, shapes and types against its parameters.
// Returns the file that goes beside it: what a file of all configurations has for others is left out.
std::string weightsOf(const codegen::Compilation &compilation, const codegen::ModelFacts &facts,
                      const std::string &path) {
  const DescribedModel described(facts, compilation.parameters);
  std::vector<unsigned char> bytes = runtime::readFile(path);
  std::string whole(bytes.begin(), bytes.end());
  const runtime::Safetensors file = runtime::Safetensors::parse(std::move(bytes), path);
  const runtime::FoundWeights found = runtime::findWeights(described.get(), file);
  if (file.tensors().size() == found.size())
    return whole;
  runtime::HostTensors own;
  for (const runtime::Safetensors::Tensor *tensor : found) {
    std::vector<float> values(size_t(*runtime::elementCount(tensor->shape)));
    file.copyFloats(*tensor, values.data());
    own.add(tensor->name, tensor->shape, std::move(values));
  }
  return runtime::safetensorsBytes(own.views, file.metadata());
}

int64_t copies(const codegen::Program &program) {
  return llvm::count_if(program.steps, [](const codegen::Step &s) {
    return std::holds_alternative<codegen::CopyProblem>(s.problem);
  });
}

std::string mebibytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f MiB", double(bytes) / (1 << 20));
  return text;
}

// Accelerators are CUDA's.
const codegen::CudaMachineModel &cudaMachineOf(const codegen::Backend &backend) {
  return static_cast<const codegen::CudaBackend &>(backend).machine;
}

// What Winograd's algorithm saves of a program's multiply-adds.
void reportWinograd(llvm::raw_ostream &out, const char *name, const codegen::Program &program) {
  std::set<std::pair<std::string, std::string>> convolutions; // blocks of images repeat their steps
  int64_t saved = 0, all = 0;
  for (const codegen::Step &step : program.steps) {
    if (step.savedMacs > 0)
      convolutions.insert({step.place, step.kernel});
    saved += step.savedMacs;
    all += step.macs;
  }
  if (!convolutions.empty())
    out << llvm::format("  winograd in %s: %s, %.3f of %.3f G multiply-adds saved\n", name,
                        runtime::counted(int64_t(convolutions.size()), "convolution").c_str(),
                        1e-9 * double(saved), 1e-9 * double(all));
}

// The model at one of the sizes that are built.
struct SizedModel {
  ModelOptions options;
  LoadedModel model;
  LoadedModel evaluation; // of declared losses, in inference; a module in a build for training alone
  OpenModel segments;     // where `choose` holes are open
  codegen::ModelFacts facts;

  bool open() const { return hasOpenChoices(model); }
  std::vector<mlir::ModuleOp> parts() const { return open() ? segments.parts() : std::vector{*model.module}; }
};

void report(llvm::raw_ostream &out, llvm::ArrayRef<SizedModel> sizes, const CompiledModel &model,
            const codegen::Backend &backend, double seconds) {
  const codegen::Compilation &c = model.compilation;
  const codegen::ModelFacts &facts = sizes.front().facts;
  out << facts.name << ": " << runtime::counted(int64_t(c.kernels.size()), "kernel") << ", "
      << mebibytes(c.parameterBytes + c.statisticsBytes + c.frozenBytes) << " of weights, "
      << mebibytes(c.derivedBytes) << " prepared\n";
  const auto line = [&](const std::string &name, const codegen::Program &program) {
    if (!program.steps.empty())
      out << "  " << name << ": " << runtime::counted(int64_t(program.steps.size()), "step") << " ("
          << copies(program) << (copies(program) == 1 ? " copy" : " copies") << "), arena "
          << mebibytes(program.arenaBytes) << "\n";
  };
  line("prepare", c.prepare);
  for (auto [index, size] : llvm::enumerate(sizes)) {
    const std::string at = sizes.size() > 1 ? " at " + sizeText(size.model, size.options) : "";
    const codegen::Program &infer = index ? c.furtherSizes[index - 1].infer : c.infer,
                           &trainStep = index ? c.furtherSizes[index - 1].trainStep : c.trainStep,
                           &evaluate = index ? c.furtherSizes[index - 1].evaluate : c.evaluate;
    line("infer" + at, infer);
    line("train_step" + at, trainStep);
    line("evaluate" + at, evaluate);
    for (llvm::StringRef saved : compiler::reportLines(*size.model.module))
      out << "  " << saved << "\n";
    reportWinograd(out, "infer", infer);
    reportWinograd(out, "train_step", trainStep);
  }
  if (backend.isAccelerator())
    codegen::reportCudaChoices(out, c, cudaMachineOf(backend));
  out << llvm::format("  built in %.1f s\n", seconds);
}

// The scores become an output; the description says where each is in it.
void addScalePolicy(const BuildOptions &options, mlir::func::FuncOp infer, codegen::ModelFacts &facts) {
  for (mlir::Attribute name : infer->getAttrOfType<mlir::ArrayAttr>(vn::kOutputsAttr))
    if (llvm::cast<mlir::StringAttr>(name).getValue() == compiler::kScalePolicyOutput)
      refuse("an output of the network is called `" + compiler::kScalePolicyOutput.str() + "`", options.file,
             "give it another name, or leave --scale-policy out");
  const std::vector<compiler::ScaleScore> scores = compiler::addScalePolicy(infer);
  if (scores.empty())
    refuse("model `" + facts.name + "` has no scale policy: it adds no branches of two resolutions",
           options.file,
           "leave --scale-policy out; a score needs a sum of a branch that is sampled down, convolved and "
           "sampled up, and of one that is convolved at full resolution, as in models/blocks/elastic.vn");
  facts.description = withScalePolicy(facts.description, scores);
}

// Of batch norms over one value the description tells the built program, which warns again when it trains.
// A warning is printed for the first of several sizes.
void noteOneValueNorms(llvm::ArrayRef<mlir::ModuleOp> modules, codegen::ModelFacts &facts,
                       std::set<std::string> &printed, llvm::raw_ostream &warnings) {
  std::vector<std::string> places;
  for (OneValueNorm &norm : findOneValueNorms(modules)) {
    if (printed.insert(norm.warning).second)
      warnings << norm.warning;
    if (norm.ofBatch)
      places.push_back(std::move(norm.place));
  }
  if (!places.empty())
    facts.description = withOneValueNorms(facts.description, places);
}

SizedModel loadSize(const BuildOptions &options, const ModelOptions &size, const codegen::Backend &backend) {
  const bool trains = options.purpose == "train";
  SizedModel result;
  result.options = size;
  ModelOptions loaded = size;
  loaded.losses = trains;
  result.model = loadModel(loaded);
  LoadedModel &model = result.model;
  requireReplaceable(options.output, model.name, options.target);
  if (options.scalePolicy)
    refuseOpenChoices(*model.module, "left open in a binary that computes scale policy scores");
  // Of what inference computes, also where training has more.
  result.facts = trains && model.declaresLosses ? factsOf(loadModel(size), size) : factsOf(model, size);
  result.facts.trainingOnly = model.trainingOnly;
  result.facts.target = backend.requirements();
  if (trains) {
    requireLoss(model, size);
    checkDeclaredLosses(model, options, size);
  }
  if (result.open()) {
    const auto loss = options.loss == "binary" ? compiler::LossKind::Binary : compiler::LossKind::Softmax;
    result.segments =
        loadOpenModel(size, model, backend, mapsOf(options), trains ? std::optional(loss) : std::nullopt);
  }
  return result;
}

// What is left to do before code is generated: `printed` as noteOneValueNorms has it.
void finishSize(SizedModel &size, const BuildOptions &options, const codegen::Backend &backend,
                std::set<std::string> &printed, llvm::raw_ostream &warnings) {
  const bool trains = options.purpose == "train";
  mlir::ModuleOp module = *size.model.module;
  if (size.open()) {
    if (trains)
      noteOneValueNorms(size.parts(), size.facts, printed, warnings);
    return;
  }
  if (trains) {
    if (size.model.declaresLosses) {
      ModelOptions loaded = size.options;
      loaded.losses = true;
      std::vector<compiler::Prediction> predictions;
      size.evaluation = loadEvaluation(loaded, options, backend, predictions);
      size.facts.description = withPredictions(size.facts.description, predictions);
    }
    runPasses(module, trainingPasses(backend, options));
    noteOneValueNorms({module}, size.facts, printed, warnings);
  }
  if (options.scalePolicy)
    addScalePolicy(options, module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction), size.facts);
  runPasses(module, compiler::inferencePasses(mapsOf(options), backend.passes(codegen::Purpose::Inference)));
}

llvm::Expected<CompiledModel> compile(llvm::ArrayRef<SizedModel> sizes, const codegen::Backend &backend) {
  const SizedModel &first = sizes.front();
  if (!first.open()) {
    std::vector<mlir::ModuleOp> modules;
    codegen::LoweringOptions lowering;
    for (const SizedModel &size : sizes) {
      modules.push_back(*size.model.module);
      if (size.evaluation.module)
        lowering.evaluations.push_back(*size.evaluation.module);
    }
    return compileModel(modules, backend, first.facts, lowering);
  }
  std::vector<codegen::SizeSegments> segments;
  for (const SizedModel &size : sizes)
    segments.push_back({*size.model.module, size.segments.segments});
  return compileSegments(segments, first.segments.holes, backend, first.facts);
}

} // namespace

// The first bytes of what a build leaves, and something that is in all of it.
void requireReplaceable(const std::string &directory, const std::string &model, const std::string &target) {
  struct Result {
    std::string name;
    llvm::StringRef begin, within;
  };
  std::vector<Result> results = {{model,
                                  "\x7f"
                                  "ELF",
                                  "vernier"},
                                 {"lib" + model + ".so",
                                  "\x7f"
                                  "ELF",
                                  "vernier"},
                                 {"lib" + model + ".a", "!<arch>\n", ""},
                                 {model + ".h", "/* ", ", compiled for "}};
  if (target != "cpu")
    results.push_back({model + ".cu", "// ", "vernier/cuda/device/kernels.cuh"});
  for (const Result &result : results) {
    const std::string path = directory + "/" + result.name;
    if (!llvm::sys::fs::exists(path))
      continue;
    const runtime::OutputPlace place = runtime::findOutput(path);
    if (place.isThrough())
      continue;
    const std::vector<unsigned char> bytes = runtime::readFile(path);
    const llvm::StringRef text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
    if (!text.empty() && (!text.starts_with(result.begin) || !text.contains(result.within)))
      refuse("the file is not from `vernier build`, which would replace it", path,
             "choose another --output, or remove the file");
  }
}

void requireMemory(const codegen::Compilation &compilation, const std::string &file) {
  for (const codegen::Program *program : codegen::programsOf(compilation))
    if (program->arenaBytes > kLargestArena)
      refuse("the model needs " + mebibytes(program->arenaBytes) + " of memory", file,
             "a smaller --batch or --input");
}

void build(const BuildOptions &options, const Output &output) {
  const auto start = std::chrono::steady_clock::now();
  const std::unique_ptr<const codegen::Backend> chosen = backendOf(options);
  const codegen::Backend &backend = *chosen;
  if (options.precision == "bf16" && options.purpose == "train" && !backend.isAccelerator())
    refuse("training on a CPU is in float32 only", "--precision bf16 --for train",
           "train in float32, then build for inference with --precision bf16: the weights are the same");

  if (options.explain && !backend.isAccelerator())
    refuse("choices for a CPU are not explained", "--explain",
           "--target cuda; --print-program prints what was chosen for either");

  const std::string batches = options.batches.empty() ? std::to_string(options.batch) : options.batches;
  const std::vector<ModelOptions> asked = sizesOf(options, options.input, batches);
  const bool several = asked.size() > 1;
  std::vector<SizedModel> sizes;
  for (const ModelOptions &size : asked)
    atSize(size, several, [&] { sizes.push_back(loadSize(options, size, backend)); });
  SizedModel &first = sizes.front();
  const std::string &name = first.model.name;
  if (several || !options.weights.empty()) {
    const DescribedModel described(first.facts, first.parts());
    for (const SizedModel &size : llvm::ArrayRef(sizes).drop_front())
      requireSameParameters(described, DescribedModel(size.facts, size.parts()), options.file);
    if (!options.weights.empty())
      checkWeights(described, options.weights);
  }
  std::set<std::string> printed;
  for (SizedModel &size : sizes)
    atSize(size.options, several, [&] { finishSize(size, options, backend, printed, output.warnings); });
  for (const SizedModel &size : llvm::ArrayRef(sizes).drop_front())
    first.facts.furtherSizes.push_back(
        {size.facts.description, size.facts.batch, size.facts.height, size.facts.width, size.facts.macs});
  auto compiled = compile(sizes, backend);
  if (!compiled)
    refuse(llvm::toString(compiled.takeError()), options.file);
  const codegen::ModelFacts &facts = first.facts;
  requireMemory(compiled->compilation, options.file);
  std::string weights;
  if (!options.weights.empty())
    weights = weightsOf(compiled->compilation, facts, options.weights);
  if (llvm::Error error = packageModel(*compiled, facts, backend, options.output, defaultLinkOptions()))
    refuse(llvm::toString(std::move(error)), options.output);
  if (!options.weights.empty())
    runtime::writeFileAtomically(options.output + "/" + name + ".safetensors", weights);
  if (options.printProgram)
    codegen::printPrograms(output.text, compiled->compilation);
  if (options.explain)
    codegen::explainCudaChoices(output.text, compiled->compilation, cudaMachineOf(backend));
  if (options.quiet)
    return;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  report(output.text, sizes, *compiled, backend, seconds.count());
  if (const OpenModel &segments = first.segments; first.open())
    output.text << "  " << runtime::counted(segments.configurations(), "configuration") << ", from "
                << runtime::counted(segments.variants(), "variant") << " of "
                << runtime::counted(int64_t(segments.segments.size()), "segment") << "\n";
  output.text.flush(); // programs that are started then print after it
}

} // namespace vernier::driver
