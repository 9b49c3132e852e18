// TOML files, by toml++: what the compiler's readers of them share. An error's text is a complete diagnostic.
#ifndef VERNIER_COMPILER_LOWER_TOML_H
#define VERNIER_COMPILER_LOWER_TOML_H

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

// With NDEBUG, toml++ 3.3 promises the optimiser what its parser then checks again with an error, though
// files such as
// "[&" break the promise. An assertion that does nothing leaves the checks.
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <string>
#include <vector>

namespace vernier::compiler {

/// Reads `file`; `kind` ("configuration") and the path are what messages say.
llvm::Expected<std::string> readTomlFile(llvm::StringRef path, llvm::StringRef kind);

/// Parses TOML whose names and values are plain ASCII.
llvm::Expected<toml::table> parseToml(llvm::StringRef text, llvm::StringRef path, llvm::StringRef kind);

/// "error: message", the place in the file, and "help: help" where given.
llvm::Error tomlError(llvm::StringRef path, const toml::source_region &source, const llvm::Twine &message,
                      const llvm::Twine &help = "");

/// Refuses a key that `kind` does not have, with the closest of those that it has.
llvm::Error unknownKey(llvm::StringRef path, llvm::StringRef what, const toml::key &key,
                       const std::vector<std::string> &known, llvm::StringRef kind);

} // namespace vernier::compiler

#endif
