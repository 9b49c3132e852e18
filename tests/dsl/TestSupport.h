// Programs in memory, for the tests of the front end.
#ifndef VERNIER_TESTS_DSL_TESTSUPPORT_H
#define VERNIER_TESTS_DSL_TESTSUPPORT_H

#include "dsl/Frontend.h"

#include <map>
#include <string>

namespace vernier::dsl::test {

// A program whose files are given by their text.
struct Checked {
  Diagnostics diagnostics;
  Program program;

  std::string errors() const { return render(diagnostics, program.sources); }
};

inline Checked checkFiles(const std::map<std::string, std::string> &files, const std::string &root,
                          std::vector<std::string> roots = {}) {
  Checked checked;
  LoadOptions options;
  options.roots = std::move(roots);
  options.read = [&](const std::string &path) -> std::optional<std::string> {
    auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  checked.program = load(root, options, checked.diagnostics);
  return checked;
}

inline Checked checkText(const std::string &text) { return checkFiles({{"m.vn", text}}, "m.vn"); }

// The graph of the text's only model; throws the errors if there are any.
inline Graph graphOf(const std::string &text, const ElaborateOptions &options = {}) {
  Checked checked = checkText(text);
  std::optional<Graph> graph;
  if (checked.diagnostics.empty())
    graph = elaborateModel(checked.program, "", options, checked.diagnostics);
  if (!graph)
    throw std::runtime_error(checked.errors());
  return *graph;
}

// A network whose body is `body`, and a model of it.
inline Graph graphOfBody(const std::string &body, const std::string &input = "[3, 32, 32]") {
  return graphOf("network net() {\n  input image: " + input + "\n" + body + "\n}\nmodel m = net()\n");
}

} // namespace vernier::dsl::test

#endif
