// A model to its graph: loops unrolled, blocks inlined, shapes computed.
#ifndef VERNIER_DSL_ELABORATE_H
#define VERNIER_DSL_ELABORATE_H

#include "dsl/Diagnostics.h"
#include "dsl/Graph.h"
#include "dsl/Program.h"

#include <optional>
#include <utility>

namespace vernier::dsl {

// Height and width of a network's input.
constexpr int64_t maxInputSide = 65536;

// What a specification may take; beyond, it is refused. Any real network is far below.
struct Limits {
  int64_t steps = 2'000'000; // expressions and list elements evaluated
  int64_t nodes = 100'000;
  int64_t memory = 512; // MiB
  int64_t listLength = 100'000;
  int callDepth = 64;   // blocks that call each other
  int evalDepth = 1000; // expressions and blocks together
};

struct ElaborateOptions {
  int64_t height = 0, width = 0;                              // 0: as the network says
  std::vector<std::pair<std::string, std::string>> overrides; // parameter, value as the language writes it
  // `choose` holes by their places, and values of them. What is no hole, or none of its choices, is ignored:
  // Graph::holes say what was bound.
  std::vector<std::pair<std::string, double>> choices;
  // The same, but the holes stay open: what one configuration of a network with open holes looks like.
  std::vector<std::pair<std::string, double>> trial;
  Limits limits;
};

// `program` has been checked without errors. Nothing where an error was reported.
std::optional<Graph> elaborate(Program &program, const ModelDecl &model, const ElaborateOptions &options,
                               Diagnostics &diagnostics);

} // namespace vernier::dsl

#endif
