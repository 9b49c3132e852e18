#include "driver/Check.h"

#include "driver/OneValueNorms.h"
#include "dsl/Sema.h"
#include "runtime/core/Shape.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <set>

namespace vernier::driver {
namespace {

void note(const Output &output, const std::string &text, const std::string &help) {
  output.warnings << "note: " << text << "\n";
  if (!help.empty())
    output.warnings << "help: " << help << "\n";
}

// Sizes and numbers of channels are known only of models.
void notePartsWithoutModel(const Output &output, const dsl::Program &program) {
  const dsl::File &file = program.files[0];
  const std::string &path = program.sources[file.source].path();
  if (file.declarations.empty() && file.models.empty()) {
    note(output, "`" + path + "` declares nothing: there was nothing to check", "");
    return;
  }
  std::set<const dsl::Declaration *> checked;
  for (const dsl::ModelDecl &model : file.models)
    checked.insert(model.declaration);
  std::vector<std::string> networks;
  bool blocks = false;
  for (const auto &declaration : file.declarations) {
    if (declaration->network && !checked.count(declaration.get()))
      networks.push_back(declaration->name.text);
    blocks = blocks || !declaration->network;
  }
  if (!networks.empty())
    note(output,
         "no model of " + dsl::enumerate(networks) + ": sizes and numbers of channels were not checked",
         "declare one: `model " + networks.front() + "_1 = " + networks.front() + "(...)`");
  else if (blocks && file.models.empty())
    note(output, "`" + path + "` has no model: sizes and numbers of channels in its blocks were not checked",
         "");
}

void noteOpenHoles(const Output &output, const LoadedModel &model) {
  const auto learned = llvm::count_if(model.holes, [](const HoleChannels &hole) { return !hole.bound; });
  const auto open = llvm::count_if(model.choices, [](const HoleChoice &hole) { return !hole.bound; });
  std::vector<std::string> parts;
  if (learned)
    parts.push_back(runtime::counted(learned, "`learned` hole") + " at " +
                    (learned == 1 ? "its seed" : "their seeds"));
  if (open)
    parts.push_back(runtime::counted(open, "`choose` hole") + " at " +
                    (open == 1 ? "its first choice" : "their first choices"));
  if (!parts.empty())
    note(
        output,
        "model `" + model.name + "` was checked with " + llvm::join(parts, " and ") +
            ", not with other values",
        open
            ? "`vernier describe --configurations` goes through the choices; --config and --choose bind holes"
            : "--config binds holes");
}

} // namespace

void check(const CheckOptions &options, const Output &output) {
  dsl::Diagnostics diagnostics;
  dsl::Program program = loadProgram(options.file, options.importRoots, &diagnostics);
  std::vector<std::string> models = dsl::modelNames(program);
  if (!options.model.empty())
    models = {options.model};
  std::set<std::string> warnings; // of two models often the same
  size_t count = 0;
  const auto print = [&](const std::string &text) {
    if (warnings.insert(text).second)
      output.warnings << (count++ ? "\n" : "") << text;
  };
  const auto warn = [&](const dsl::Diagnostics &found, const dsl::SourceSet &sources) {
    for (const dsl::Diagnostic &warning : found.warnings())
      print(dsl::render(warning, sources));
  };
  warn(diagnostics, program.sources);
  for (const std::string &name : models) {
    ModelOptions one = options;
    one.model = name;
    dsl::Diagnostics ofModel;
    const LoadedModel model = loadModel(one, Branches::DropEmpty, {}, &ofModel);
    warn(ofModel, program.sources);
    for (const OneValueNorm &norm : findOneValueNorms({*model.module}))
      print(norm.warning);
    noteOpenHoles(output, model);
  }
  if (options.model.empty())
    notePartsWithoutModel(output, program);
  if (count && options.warningsAsErrors)
    throw Refusal("error: " + runtime::counted(count, "warning") + ", and --warnings-as-errors is set");
}

} // namespace vernier::driver
