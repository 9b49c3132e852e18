#include "driver/ImportOnnx.h"

#include "codegen/onnx/ImportOnnx.h"
#include "driver/LoadModel.h"
#include "driver/Refusal.h"
#include "dsl/Frontend.h"
#include "dsl/write/SameNetwork.h"
#include "dsl/write/WriteSpecification.h"
#include "runtime/Error.h"
#include "runtime/core/Finite.h"
#include "runtime/core/Shape.h"
#include "runtime/io/Safetensors.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"

namespace vernier::driver {
namespace {

using codegen::ImportedNetwork;
using codegen::ImportProblem;

// More are only counted.
constexpr size_t kMostProblems = 20;

// "resnet50" of "out/resnet50.vn"; what is no name in the language becomes one.
std::string modelName(const std::string &output) {
  std::string name;
  for (const char c : llvm::sys::path::stem(output))
    name += llvm::isAlnum(c) ? c : '_';
  if (name.empty() || llvm::isDigit(name[0]))
    name = "model_" + name;
  return name;
}

[[noreturn]] void refuseProblems(const std::vector<ImportProblem> &problems, const std::string &path) {
  std::string text;
  for (size_t i = 0; i < std::min(problems.size(), kMostProblems); ++i) {
    const ImportProblem &problem = problems[i];
    const std::string node =
        problem.node.empty() ? "" : "node `" + problem.node + "` (" + problem.operation + "): ";
    runtime::Error error(VN_ERROR_FORMAT, node + problem.what);
    error.at(path);
    if (!problem.help.empty())
      error.help(problem.help);
    text += (i > 0 ? "\n" : "") + std::string(error.what());
  }
  if (problems.size() > kMostProblems)
    text += "\nnote: " + std::to_string(problems.size() - kMostProblems) + " more nodes are like these";
  throw Refusal(text);
}

// What the text says, as a graph; nothing where the front end refuses it.
std::optional<dsl::Graph> elaborated(const std::string &text, const std::string &path,
                                     dsl::Diagnostics &diagnostics, dsl::Program &program) {
  dsl::LoadOptions options;
  options.read = [&](const std::string &) { return std::optional(text); };
  program = dsl::load(path, options, diagnostics);
  if (!diagnostics.empty())
    return std::nullopt;
  return dsl::elaborateModel(program, "", {}, diagnostics);
}

// The text that says what the graph is, read back to be sure of it.
std::string specificationOf(const ImportedNetwork &network, dsl::SpecificationText options,
                            const std::string &path) {
  for (;;) {
    const std::string text = dsl::writeSpecification(network.graph, options);
    dsl::Diagnostics diagnostics;
    dsl::Program program;
    const std::optional<dsl::Graph> graph = elaborated(text, path, diagnostics, program);
    if (graph && dsl::sameNetwork(network.graph, *graph))
      return text;
    if (!std::exchange(options.blocks, false)) {
      const std::string report = dsl::render(diagnostics, program.sources);
      refuse("the network cannot be written in the language" + (report.empty() ? "" : ":\n" + report), path);
    }
  }
}

// In the weights' metadata: what they came from.
constexpr const char *kOrigin = "vernier.origin", *kOnnx = "ONNX";

// Weights that nobody named as what is to be replaced, unless an import wrote them.
void requireReplaceable(const std::string &weights) {
  if (!llvm::sys::fs::exists(weights))
    return;
  try {
    const runtime::Metadata metadata = runtime::Safetensors::read(weights).metadata();
    if (const auto origin = metadata.find(kOrigin); origin != metadata.end() && origin->second == kOnnx)
      return;
  } catch (const runtime::Error &) { // no import's
  }
  refuse("the file is not from `vernier import-onnx`, which would replace it", weights,
         "choose another --output, or remove the file");
}

} // namespace

void importOnnx(const ImportOnnxOptions &options, const Output &output) {
  if (llvm::sys::path::extension(options.output) != ".vn")
    refuse("a specification is a file NAME.vn, not " + options.output, "--output");
  llvm::SmallString<128> weights(options.output);
  llvm::sys::path::replace_extension(weights, "safetensors");
  requireReplaceable(weights.str().str());
  const codegen::OnnxModel model = codegen::readOnnx(options.model);
  codegen::ImportOptions import;
  if (!options.input.empty()) {
    ModelOptions size;
    size.input = options.input;
    const dsl::ElaborateOptions sides = elaborateOptions(size);
    import.height = sides.height;
    import.width = sides.width;
  }
  const ImportedNetwork network = codegen::importOnnx(model, import);
  if (!network.problems.empty())
    refuseProblems(network.problems, options.model);

  dsl::SpecificationText specification;
  specification.model = modelName(options.output);
  const std::string from = codegen::printable(llvm::sys::path::filename(options.model).str());
  specification.comment = "From " + (llvm::json::isUTF8(from) ? from : "an ONNX model") + ".";
  specification.blocks = !options.flat;
  const std::string text = specificationOf(network, specification, options.output);

  std::vector<runtime::TensorView> tensors;
  size_t elements = 0;
  for (const codegen::ImportedWeight &weight : network.weights) {
    if (const runtime::NonFinite found = runtime::findNonFinite(weight.values))
      refuse("the weight `" + weight.name + "` holds " + runtime::nonFiniteText(found, weight.shape),
             options.model, "a network with such a weight computes nothing; the file may be damaged");
    tensors.push_back({weight.name, weight.shape, weight.values});
    elements += weight.values.size();
  }
  runtime::Metadata metadata;
  for (const auto &[key, value] : model.metadata)
    if (llvm::StringRef(key).starts_with("vernier.") && llvm::json::isUTF8(key) &&
        llvm::json::isUTF8(value)) // how images are treated, the names of classes
      metadata[key] = value;
  metadata[kOrigin] = kOnnx;
  const std::string bytes = runtime::safetensorsBytes(tensors, metadata);
  runtime::AtomicFile specificationFile(options.output), weightFile(weights.str().str());
  specificationFile.write(text.data(), text.size());
  weightFile.write(bytes.data(), bytes.size());
  weightFile.commit();
  specificationFile.commit();
  output.text << specification.model << ": " << runtime::counted(int64_t(model.nodes.size()), "node") << ", "
              << runtime::counted(int64_t(tensors.size()), "tensor") << ", "
              << llvm::formatv("{0:f2}", double(elements) * sizeof(float) / (1 << 20)) << " MiB of weights\n"
              << "written to " << options.output << " and " << weights << "\n";
}

} // namespace vernier::driver
