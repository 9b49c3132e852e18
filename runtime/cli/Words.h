// What a command line gets told about words that it does not know. CLI11 reads options, but knows no close
// names.
#ifndef VERNIER_RUNTIME_CLI_WORDS_H
#define VERNIER_RUNTIME_CLI_WORDS_H

#include <CLI/CLI.hpp>
#include <string>

namespace vernier::runtime {

/// A whole number from `least` on.
CLI::Validator atLeast(int64_t least);

/// Parses; what is wrong is thrown as an Error, the unknown word first: it is often why something else is
/// missing. CLI::Success is left to the caller. `elsewhere` says what to do about a command of another
/// build.
void parseWords(CLI::App &app, int argc, char **argv, const std::string &elsewhere = "");

/// `help` and `help COMMAND`: prints and returns true.
bool printHelp(const CLI::App &app, int argc, char **argv);

} // namespace vernier::runtime

#endif
