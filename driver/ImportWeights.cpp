#include "driver/ImportWeights.h"

#include "driver/WeightFile.h"
#include "dsl/Diagnostics.h"
#include "runtime/core/Shape.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

namespace vernier::driver {
namespace {

using compiler::WeightMapping;
using runtime::Safetensors;

// The mappings to be tried, in order: the one that --from names, or those beside the network and then none.
std::vector<WeightMapping> mappingsFor(const ImportWeightsOptions &options) {
  std::string path = options.mapping;
  if (path.empty()) {
    llvm::SmallString<128> beside(options.file);
    llvm::sys::path::replace_extension(beside, "weights.toml");
    if (llvm::sys::fs::exists(beside))
      path = beside.str().str();
  }
  if (path.empty()) {
    if (!options.origin.empty())
      refuse("the network has no weight mappings, `" + options.origin + "` or other", "--from",
             "give a file of them by --mapping");
    return {WeightMapping()};
  }
  auto mappings = compiler::readWeightMappings(path);
  if (!mappings)
    throw Refusal(llvm::toString(mappings.takeError()));
  if (options.origin.empty()) {
    mappings->emplace_back();
    return std::move(*mappings);
  }
  std::vector<std::string> known;
  for (WeightMapping &mapping : *mappings) {
    if (mapping.origin == options.origin)
      return {std::move(mapping)};
    known.push_back(mapping.origin);
  }
  const std::string closest = dsl::closestName(options.origin, known);
  refuse("`" + options.origin + "` is no mapping of " + path, "--from",
         closest.empty() ? "known: " + llvm::join(known, ", ") : "closest: `" + closest + "`");
}

// What the weights' images look like, as `eval` and `classify` will ask.
void storePreprocessing(const ImportWeightsOptions &options, const WeightMapping &mapping,
                        const LoadedModel &model, const std::string &place, runtime::Metadata &metadata) {
  runtime::PreprocessingOptions said = options.images;
  if (said.mean.empty())
    said.mean = mapping.mean;
  if (said.deviation.empty())
    said.deviation = mapping.deviation;
  if (!said.resize)
    said.resize = mapping.resize;
  if (said.mean.empty() && said.deviation.empty() && !said.resize && !said.ignoreOrientation)
    return;
  runtime::ModelOutline facts;
  facts.name = model.name;
  facts.channels = model.channels;
  facts.height = model.height;
  facts.width = model.width;
  runtime::Preprocessing preprocessing(facts);
  preprocessing.restore(metadata, place);
  preprocessing.apply(said);
  preprocessing.store(metadata);
}

void report(const WeightChoice &choice, const Safetensors &file, const LoadedModel &model,
            const ImportWeightsOptions &options, llvm::raw_ostream &out) {
  const compiler::WeightAssignment &assignment = choice.assignment;
  out << model.name << ": " << runtime::counted(int64_t(assignment.tensors.size()), "tensor") << ", "
      << describe(*choice.mapping) << "\n";
  const auto line = [&](size_t count, const llvm::Twine &what) {
    if (count > 0)
      out << "  " << count << " " << what << "\n";
  };
  if (!assignment.wrappers.empty())
    out << "  `" << assignment.wrappers << "` taken off every name\n";
  line(assignment.renamed, "renamed");
  line(assignment.reshaped, "with or without sides of 1, as a linear layer and a 1x1 convolution");
  line(size_t(llvm::count_if(assignment.tensors,
                             [&](size_t tensor) {
                               return tensor != compiler::kNoTensor && file.tensors()[tensor].type != "F32";
                             })),
       "converted to float32");
  line(size_t(llvm::count(assignment.tensors, compiler::kNoTensor)),
       "set to zero: the file lacks them, and no output depends on them");
  line(assignment.ignored, "ignored, as the mapping says");
  line(assignment.counters,
       llvm::Twine(assignment.counters == 1 ? "counter" : "counters") + " of batches left out");
  line(assignment.empty, "without elements left out");
  line(assignment.otherChoices, "of other choices left out");
  out << "written to " << options.output << "\n";
}

} // namespace

void importWeights(const ImportWeightsOptions &options, const Output &output) {
  const LoadedModel model = loadModel(options);
  const std::vector<compiler::NamedShape> parameters = parametersOf(model);
  const std::vector<WeightMapping> mappings = mappingsFor(options);
  const Safetensors file = readWeightFile(options.weights);
  const WeightChoice choice = chooseMapping(mappings, parameters, file, model.name);

  std::vector<std::vector<float>> values;
  std::vector<runtime::TensorView> tensors;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const size_t tensor = choice.assignment.tensors[i];
    values.push_back(tensor == compiler::kNoTensor ? std::vector<float>(elementsOf(parameters[i].shape))
                                                   : valuesOf(file, file.tensors()[tensor]));
    tensors.push_back({parameters[i].name, parameters[i].shape, values.back()});
  }
  runtime::Metadata metadata = file.metadata();
  storePreprocessing(options, *choice.mapping, model, options.weights, metadata);
  runtime::writeSafetensors(options.output, tensors, metadata);
  report(choice, file, model, options, output.text);
}

} // namespace vernier::driver
