// A failure that a person can act on. Its text reads as the compiler's diagnostics do:
//
//   error: tensor `fc.weight` has shape [10, 64], the model needs [100, 64]
//     --> weights.safetensors
//   note: ...
//   help: ...
#ifndef VERNIER_RUNTIME_ERROR_H
#define VERNIER_RUNTIME_ERROR_H

#include "vernier/vernier.h"

#include <exception>
#include <string>

namespace vernier::runtime {

class Error : public std::exception {
public:
  Error(vn_status status, const std::string &message) : code(status), text("error: " + message) {}

  /// Where: a file, a file with line and column, an option.
  Error &at(const std::string &place) { return append("\n  --> " + place); }
  Error &note(const std::string &note) { return append("\nnote: " + note); }
  /// What to do about it.
  Error &help(const std::string &help) { return append("\nhelp: " + help); }

  vn_status status() const { return code; }
  const char *what() const noexcept override { return text.c_str(); }

private:
  Error &append(const std::string &line) {
    text += line;
    return *this;
  }

  vn_status code;
  std::string text;
};

} // namespace vernier::runtime

#endif
