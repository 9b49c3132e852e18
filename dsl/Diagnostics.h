// What a person gets to read about a program that cannot be built. Each kind of error is one line of
// Diagnostics.def:
//
//   diagnostics.report(diag::UnknownName, span, "halff").label("not a name of this block").help("...");
//
// The arguments are checked against the kind when this is compiled.
#ifndef VERNIER_DSL_DIAGNOSTICS_H
#define VERNIER_DSL_DIAGNOSTICS_H

#include "dsl/Source.h"

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace vernier::dsl {

struct Note {
  std::string text;
  Span span;         // invalid: text only
  std::string label; // beside the carets
};

// What a person would write in place of a span.
struct Edit {
  Span span;
  std::string text;
};

enum class Severity { Error, Warning };

struct Diagnostic {
  Severity severity = Severity::Error;
  std::string code, message;
  Span span;
  std::string label;
  std::vector<Note> notes;
  std::vector<Note> calls; // that lead to the place, innermost first; shown after the notes
  std::vector<std::string> helps;
  std::vector<Edit> rewrite; // of one file, ascending; the lines are shown as they should be, after the helps
};

template <class... Args> struct DiagnosticKind {
  std::string_view code;
  std::string_view format; // {0}, {1}, ... are the arguments
  Severity severity = Severity::Error;
};

namespace diag {
#define VN_DIAGNOSTIC(name, code, format, ...)                                                               \
  inline constexpr DiagnosticKind<__VA_ARGS__> name{code, format};
#define VN_WARNING(name, code, format, ...)                                                                  \
  inline constexpr DiagnosticKind<__VA_ARGS__> name{code, format, Severity::Warning};
#include "dsl/Diagnostics.def"
#undef VN_WARNING
#undef VN_DIAGNOSTIC
} // namespace diag

// Codes in the order of the registry.
std::vector<std::string_view> diagnosticCodes();

class DiagnosticBuilder {
public:
  explicit DiagnosticBuilder(Diagnostic *diagnostic) : diagnostic_(diagnostic) {}
  DiagnosticBuilder &label(std::string text);
  DiagnosticBuilder &note(std::string text, Span span = {}, std::string label = "");
  DiagnosticBuilder &call(std::string text, Span span);
  DiagnosticBuilder &help(std::string text); // none where the text is empty
  // `text` belongs in place of `span`; several must be given in ascending order.
  DiagnosticBuilder &rewrite(Span span, std::string text);
  // Only the first report of an error counts; for the others all of this does nothing.
  explicit operator bool() const { return diagnostic_ != nullptr; }

private:
  Diagnostic *diagnostic_;
};

class Diagnostics {
public:
  static constexpr size_t maxErrors = 100;

  template <class... Args>
  DiagnosticBuilder report(const DiagnosticKind<Args...> &kind, Span span,
                           const std::type_identity_t<Args> &...args) {
    return add(kind.severity, kind.code, span, fill(kind.format, {text(args)...}));
  }

  // Errors; a program with warnings alone is a good one.
  bool empty() const { return all_.empty(); }
  size_t size() const { return all_.size(); }
  const std::vector<Diagnostic> &all() const { return all_; }
  const std::vector<Diagnostic> &warnings() const { return warnings_; }
  // By file and position, as a person reads a program.
  void sort();
  // Errors beyond maxErrors, counted but not kept.
  size_t dropped() const { return dropped_; }

private:
  static std::string text(std::string_view value) { return std::string(value); }
  static std::string text(int64_t value) { return std::to_string(value); }
  static std::string fill(std::string_view format, std::initializer_list<std::string> args);
  DiagnosticBuilder add(Severity severity, std::string_view code, Span span, std::string message);

  std::vector<Diagnostic> all_, warnings_;
  std::set<std::tuple<std::string, int, uint32_t, uint32_t>> seen_;
  size_t dropped_ = 0;
};

// All errors, as a terminal shows them.
std::string render(const Diagnostics &diagnostics, const SourceSet &sources);
std::string render(const Diagnostic &diagnostic, const SourceSet &sources);

// The candidate nearest to `name` by edit distance (two letters exchanged count once), ignoring case; empty
// when none is within a third of the length.
std::string closestName(std::string_view name, const std::vector<std::string> &candidates);

} // namespace vernier::dsl

#endif
