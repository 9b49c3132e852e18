// vernier check
#include "codegen/tools/LoadModel.h"
#include "codegen/tools/OneValueNorms.h"

#include "llvm/Support/raw_ostream.h"

namespace vernier::tools {
namespace {

void check(const ModelOptions &options) {
  dsl::Program program = loadProgram(options.file, options.importRoots);
  std::vector<std::string> models = dsl::modelNames(program);
  if (!options.model.empty())
    models = {options.model};
  // Shapes are known only model by model.
  for (const std::string &name : models) {
    ModelOptions one = options;
    one.model = name;
    const LoadedModel loaded = loadModel(one);
    warnOfOneValueNorms({*loaded.module});
  }
}

} // namespace

void addCheckCommand(CLI::App &app) {
  auto *command = app.add_subcommand("check", "Report what is wrong with a specification");
  auto options = std::make_shared<ModelOptions>();
  addModelOptions(*command, *options);
  command->callback([options] { check(*options); });
}

} // namespace vernier::tools
