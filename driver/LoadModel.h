// From a specification and what is said of it to a module.
#ifndef VERNIER_DRIVER_LOADMODEL_H
#define VERNIER_DRIVER_LOADMODEL_H

#include "compiler/lower/Configuration.h"
#include "driver/Refusal.h"
#include "dsl/Frontend.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vernier::driver {

// A map inside the network that is to be an output too (compiler/lower/InnerOutput.h).
struct InnerOutput {
  std::string name, place;
};

struct ModelOptions {
  std::string file, model, configuration, input;
  int64_t batch = 1;
  std::vector<std::string> importRoots;
  std::vector<std::string> parameters; // "depth=4": of the model's network
  std::vector<std::string> choices;    // "layer1.factor=0.65": `choose` holes, before the configuration's
  std::optional<InnerOutput> innerOutput;
  bool losses = false; // keep what training minimises, what only that needs, and what drops by chance
};

// The folder of the models that come with Vernier, in which imports are looked for at last.
std::string modelsFolder();

// The specification, parsed and checked; refuses with its diagnostics. Warnings are left in `warnings`.
dsl::Program loadProgram(const std::string &file, const std::vector<std::string> &importRoots,
                         dsl::Diagnostics *warnings = nullptr);

// A learned hole and the channels that the model has there: the configuration's if it binds the hole, else
// the seed's.
struct HoleChannels {
  std::string name; // "layer1.0.channels"
  std::vector<int64_t> channels;
  std::string budget; // unit of `limit`: macs, params or neurons; empty: no limit
  int64_t limit = 0;
  bool bound = false;
  std::vector<double> factors; // of each scale, how much coarser than the finest; empty if unknown
};

// A `choose` hole and what it is: the first of its choices unless it is bound.
struct HoleChoice {
  std::string name; // "layer1.factor"
  std::vector<double> choices;
  int chosen = 0;
  bool bound = false;
};

// What training is given beside the image: labels of an image or its pixels, or numbers.
struct Target {
  std::string name;
  bool labels = false;
  int64_t channels = 1, height = 1, width = 1;
};

struct LoadedModel {
  std::shared_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;    // @infer, holes bound as the configuration says
  std::string name;                            // of the model
  int64_t channels = 0, height = 0, width = 0; // of the image
  std::vector<HoleChannels> holes;             // in the specification's order
  std::vector<HoleChoice> choices;             // the same
  bool declaresLosses = false;                 // the specification says what training minimises
  bool forTraining = false;                    // it has what only training computes (ModelOptions::losses)
  std::vector<std::string> trainingOnly;       // parameters that only the losses, which were dropped, need
  std::vector<Target> targets;                 // of the losses
  std::vector<std::string> losses;             // names of those that have one
};

// "0.45, 0.65, 0.85, 1"
std::string choicesText(const HoleChoice &hole);

// Of a configuration that gives a branch no channels.
enum class Branches { DropEmpty, KeepEmpty };

// One configuration of `choose` holes that stay open, by their names.
struct Trial {
  std::vector<std::pair<std::string, double>> choices;
  std::shared_ptr<mlir::MLIRContext> context; // of the other configurations; null: a new one
};

// Refuses, with diagnostics, whatever is wrong with the specification, the configuration or the options.
// Warnings of the model, not of its file, are left in `warnings`.
LoadedModel loadModel(const ModelOptions &options, Branches branches = Branches::DropEmpty,
                      const Trial &trial = {}, dsl::Diagnostics *warnings = nullptr);

// "224x320" or "224": height and width. Whether they are possible, the front end says.
std::pair<int64_t, int64_t> parseInput(const std::string &text);

// The input size, the network's parameters and what `choose` holes are.
dsl::ElaborateOptions elaborateOptions(const ModelOptions &options);

// Refuses holes of kind `choose`: they cannot be `what`, a phrase.
void refuseOpenChoices(mlir::ModuleOp module, const std::string &what);

// Runs passes by their pipeline text; refuses when one fails.
void runPasses(mlir::ModuleOp module, const std::string &pipeline);

} // namespace vernier::driver

#endif
