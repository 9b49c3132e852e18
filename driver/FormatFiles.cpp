#include "driver/FormatFiles.h"

#include "driver/Refusal.h"
#include "dsl/Frontend.h"
#include "runtime/io/File.h"

#include <optional>

namespace vernier::driver {

void formatFiles(const FormatOptions &options, const Output &output) {
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
      output.warnings << file + ": not in the canonical form\n";
      differs = true;
    }
  }
  if (differs)
    throw Refusal("help: `vernier fmt FILE` rewrites it");
}

} // namespace vernier::driver
