#include "driver/Refusal.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "runtime/Error.h"

#include "llvm/Support/Regex.h"

#include <utility>

namespace vernier::driver {
namespace {

thread_local std::string reports;

// A message without the dialect's spelling: "'vn.conv' op has" and "tensor<1x8x8x3xf32>" become "`conv` has"
// and "1x8x8x3".
std::string plainWords(llvm::StringRef message) {
  static const std::pair<llvm::Regex, const char *> rules[] = {
      {llvm::Regex("'[a-z_]+\\.([a-z_0-9]+)' op "), "`\\1` "},
      {llvm::Regex("'?tensor<([0-9x]+)x[a-z0-9]+>'?"), "\\1"},
      {llvm::Regex("'?tensor<[a-z0-9]+>'?"), "one number"},
  };
  std::string text = message.str();
  for (const auto &[pattern, replacement] : rules)
    while (pattern.match(text))
      text = pattern.sub(replacement, text);
  return text;
}

std::string placeOf(mlir::Location location) {
  auto place = location->findInstanceOf<mlir::FileLineColLoc>();
  return place ? place.getFilename().str() + ":" + std::to_string(place.getLine()) + ":" +
                     std::to_string(place.getColumn())
               : "";
}

std::string textOf(mlir::Diagnostic &diagnostic) {
  runtime::Error error(VN_ERROR_FORMAT, plainWords(diagnostic.str()));
  const auto at = [&](mlir::Diagnostic &part) {
    if (const std::string place = placeOf(part.getLocation()); !place.empty())
      error.at(place);
  };
  at(diagnostic);
  for (mlir::Diagnostic &note : diagnostic.getNotes()) {
    error.note(plainWords(note.str()));
    at(note);
  }
  return std::string(error.what()) + "\n";
}

} // namespace

void refuse(const std::string &what, const std::string &place, const std::string &help) {
  runtime::Error error(VN_ERROR_ARGUMENT, what);
  if (!place.empty())
    error.at(place);
  if (!help.empty())
    error.help(help);
  throw Refusal(takeReports() + error.what());
}

void keepReports(mlir::MLIRContext &context) {
  context.getDiagEngine().registerHandler(
      [](mlir::Diagnostic &diagnostic) { reports += textOf(diagnostic); });
}

std::string takeReports() { return std::exchange(reports, {}); }

void refuseReported(const std::string &help) {
  throw Refusal(takeReports() + (help.empty() ? "" : "help: " + help));
}

} // namespace vernier::driver
