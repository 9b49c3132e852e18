// The front end as its users see it:
//
//   Diagnostics diagnostics;
//   Program program = load("models/networks/scalenet.vn", {{"models"}}, diagnostics);
//   std::optional<Graph> graph = elaborateModel(program, "scalenet50", {}, diagnostics);
//   if (!graph) { fputs(render(diagnostics, program.sources).c_str(), stderr); return 1; }
#ifndef VERNIER_DSL_FRONTEND_H
#define VERNIER_DSL_FRONTEND_H

#include "dsl/Elaborate.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vernier::dsl {

// Text of a file, or nothing if it cannot be read.
using ReadFile = std::function<std::optional<std::string>(const std::string &path)>;
std::optional<std::string> readFile(const std::string &path);

constexpr size_t maxFileSize = 1 << 20;
constexpr int maxFiles = 200;

struct LoadOptions {
  // Where imports are looked for after the importing file's own folder and those above it.
  std::vector<std::string> roots;
  ReadFile read = readFile;
};

// Reads, parses and checks a file and what it imports. Errors are in `diagnostics`; the program is for
// rendering them.
Program load(const std::string &path, const LoadOptions &options, Diagnostics &diagnostics);

// The canonical form of one file, without its imports; nothing where it cannot be read or parsed.
std::optional<std::string> formatFile(const std::string &path, const ReadFile &read, SourceSet &sources,
                                      Diagnostics &diagnostics);

// The models of the program's first file, in its order.
std::vector<std::string> modelNames(const Program &program);

// The graph of a model of a program without errors; nothing where one was reported. An empty name: its only
// model.
std::optional<Graph> elaborateModel(Program &program, std::string_view model, const ElaborateOptions &options,
                                    Diagnostics &diagnostics);

} // namespace vernier::dsl

#endif
