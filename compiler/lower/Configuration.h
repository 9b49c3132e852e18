// A configuration file binds holes of a specification:
//
//   [configuration]
//   model = "scalenet50"
//   budget = "macs"
//
//   [holes]
//   "layer1.0.channels" = [62, 9, 5, 12]     # a `learned` hole
//   "layer2.factor" = 0.65                   # a `choose` hole
//
// Whether a hole exists and what it is bound to fits it is for others to say (`bindHoles` in
// compiler/passes/BindHoles.h for channels); each entry keeps its place in the file for that.
#ifndef VERNIER_COMPILER_LOWER_CONFIGURATION_H
#define VERNIER_COMPILER_LOWER_CONFIGURATION_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vernier::compiler {

struct HoleEntry {
  std::string hole; // its place: "layer1.0.channels"
  std::vector<int64_t> channels;
  std::optional<double> choice{}; // instead of channels
  unsigned line = 0, column = 0;  // of the value
};

struct Configuration {
  std::string path;
  std::string model;            // the model it is for; empty: any
  std::string budget;           // what it was allocated under, in words; for people
  std::string note;             // where it comes from; for people
  std::vector<HoleEntry> holes; // in the file's order
};

/// Reads a configuration. An error's text is a complete diagnostic with its place.
llvm::Expected<Configuration> readConfiguration(llvm::StringRef path);

/// The same from memory; `path` is what messages say.
llvm::Expected<Configuration> parseConfiguration(llvm::StringRef text, llvm::StringRef path);

/// What readConfiguration reads back.
std::string textOf(const Configuration &configuration);

} // namespace vernier::compiler

#endif
