// vernier fmt
#include "tools/Commands.h"

#include "dsl/Frontend.h"
#include "runtime/io/File.h"

#include <cstdio>

namespace vernier::tools {
namespace {

struct FormatOptions {
  std::vector<std::string> files;
  bool check = false;
};

void format(const FormatOptions &options) {
  bool differs = false;
  for (const std::string &file : options.files) {
    std::string text;
    const auto read = [&](const std::string &path) -> std::optional<std::string> {
      if (std::optional<std::string> bytes = dsl::readFile(path)) {
        text = *bytes;
        return bytes;
      }
      return std::nullopt;
    };
    dsl::Diagnostics diagnostics;
    dsl::SourceSet sources;
    const std::optional<std::string> formatted = dsl::formatFile(file, read, sources, diagnostics);
    if (!formatted)
      throw Refusal(dsl::render(diagnostics, sources));
    if (*formatted == text)
      continue;
    if (!options.check) {
      runtime::writeFileAtomically(file, *formatted);
    } else {
      std::fprintf(stderr, "%s: not in the canonical form\n", file.c_str());
      differs = true;
    }
  }
  if (differs)
    throw Refusal("help: `vernier fmt FILE` rewrites it");
}

} // namespace

void addFormatCommand(CLI::App &app) {
  auto *command = app.add_subcommand("fmt", "Rewrite specifications in the canonical form");
  auto options = std::make_shared<FormatOptions>();
  command->add_option("FILE", options->files, "Specifications (.vn)")->required();
  command->add_flag("--check", options->check,
                    "Change nothing; fail where a file is not in the canonical form");
  command->callback([options] { format(*options); });
}

} // namespace vernier::tools
