#include "dsl/Diagnostics.h"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace vernier::dsl {

std::vector<std::string_view> diagnosticCodes() {
  return {
#define VN_DIAGNOSTIC(name, code, format, ...) code,
#include "dsl/Diagnostics.def"
#undef VN_DIAGNOSTIC
  };
}

DiagnosticBuilder &DiagnosticBuilder::label(std::string text) {
  if (diagnostic_)
    diagnostic_->label = std::move(text);
  return *this;
}

DiagnosticBuilder &DiagnosticBuilder::note(std::string text, Span span, std::string label) {
  if (diagnostic_)
    diagnostic_->notes.push_back({std::move(text), span, std::move(label)});
  return *this;
}

DiagnosticBuilder &DiagnosticBuilder::call(std::string text, Span span) {
  if (diagnostic_)
    diagnostic_->calls.push_back({std::move(text), span, ""});
  return *this;
}

DiagnosticBuilder &DiagnosticBuilder::help(std::string text) {
  if (diagnostic_)
    diagnostic_->helps.push_back(std::move(text));
  return *this;
}

std::string Diagnostics::fill(std::string_view format, std::initializer_list<std::string> args) {
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] == '{' && i + 2 < format.size() && format[i + 2] == '}' && std::isdigit(format[i + 1])) {
      out += args.begin()[format[i + 1] - '0'];
      i += 2;
    } else {
      out += format[i];
    }
  }
  return out;
}

// A loop that is unrolled meets the same mistake many times: the first time tells it.
DiagnosticBuilder Diagnostics::add(std::string_view code, Span span, std::string message) {
  if (!seen_.insert({std::string(code), span.file, span.begin, span.end}).second)
    return DiagnosticBuilder(nullptr);
  if (all_.size() == maxErrors) {
    ++dropped_;
    return DiagnosticBuilder(nullptr);
  }
  all_.reserve(maxErrors); // builders point into it
  all_.push_back({std::string(code), std::move(message), span, "", {}, {}, {}});
  return DiagnosticBuilder(&all_.back());
}

void Diagnostics::sort() {
  std::vector<size_t> order(all_.size());
  std::iota(order.begin(), order.end(), size_t(0));
  auto key = [&](size_t i) { return std::tuple(all_[i].span.file, all_[i].span.begin, i); };
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
  std::vector<Diagnostic> sorted;
  sorted.reserve(maxErrors);
  for (size_t i : order)
    sorted.push_back(std::move(all_[i]));
  all_ = std::move(sorted);
}

namespace {

constexpr size_t maxLineWidth = 160;

// Bytes of the UTF-8 sequence that begins at `at`; 0 where none does.
size_t sequenceLength(std::string_view text, size_t at) {
  unsigned char first = text[at];
  size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
  if (at + length > text.size())
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80)
      return 0;
  return length;
}

// One character as it may be shown: what is no text, or would change the terminal's state, is a `?`.
std::string_view visible(std::string_view text, size_t at) {
  unsigned char c = text[at];
  size_t length = sequenceLength(text, at);
  return length == 0 || (c < 0x20 && c != '\t') || c == 0x7f ? "?" : text.substr(at, length);
}

std::string visible(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); i += std::max<size_t>(sequenceLength(text, i), 1))
    out += visible(text, i);
  return out;
}

// The line of the span and carets below it. A line that no terminal holds is cut around the span.
std::string renderPlace(Span span, const std::string &label, const SourceSet &sources) {
  const Source &source = sources[span.file];
  Location at = sources.locate(span);
  std::string_view line = source.lineText(at.line);
  size_t lineBegin = source.lineBegin(at.line);
  size_t begin = std::min<size_t>(span.begin - lineBegin, line.size());
  size_t end = std::min<size_t>(std::max(span.end, span.begin) - lineBegin, line.size());
  size_t from = line.size() > maxLineWidth && begin > maxLineWidth / 2 ? begin - maxLineWidth / 2 : 0;
  size_t to = std::min(from + maxLineWidth, line.size());

  std::string shown = from > 0 ? "..." : "";
  std::string lead(shown.size(), ' ');
  size_t carets = 0;
  for (size_t i = from; i < to;) {
    shown += visible(line, i);
    if (i < begin)
      lead += line[i] == '\t' ? '\t' : ' ';
    else if (i < end)
      ++carets;
    i += std::max<size_t>(sequenceLength(line, i), 1);
  }
  if (to < line.size())
    shown += "...";

  std::string number = std::to_string(at.line);
  std::string out = "  --> " + visible(source.path()) + ":" + number + ":" + std::to_string(at.column) + "\n";
  out += " " + number + " |" + (shown.empty() ? "" : " " + shown) + "\n";
  out += " " + std::string(number.size(), ' ') + " | " + lead + std::string(std::max<size_t>(1, carets), '^') +
         (label.empty() ? "" : " " + visible(label)) + "\n";
  return out;
}

} // namespace

std::string render(const Diagnostic &diagnostic, const SourceSet &sources) {
  std::string out = "error[" + diagnostic.code + "]: " + visible(diagnostic.message) + "\n";
  if (diagnostic.span.valid())
    out += renderPlace(diagnostic.span, diagnostic.label, sources);
  for (auto *notes : {&diagnostic.notes, &diagnostic.calls})
    for (const Note &note : *notes) {
      out += "note: " + visible(note.text) + "\n";
      if (note.span.valid())
        out += renderPlace(note.span, note.label, sources);
    }
  for (const std::string &help : diagnostic.helps)
    out += "help: " + visible(help) + "\n";
  return out;
}

std::string render(const Diagnostics &diagnostics, const SourceSet &sources) {
  std::string out;
  for (const Diagnostic &diagnostic : diagnostics.all())
    out += (out.empty() ? "" : "\n") + render(diagnostic, sources);
  if (diagnostics.dropped())
    out += "\n" + std::to_string(diagnostics.dropped()) + " further errors are not shown\n";
  return out;
}

std::string closestName(std::string_view name, const std::vector<std::string> &candidates) {
  constexpr size_t maxLength = 64;
  if (name.size() > maxLength)
    return "";
  std::string best;
  size_t bestDistance = std::max<size_t>(1, name.size() / 3) + 1;
  auto lower = [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); };
  for (const std::string &candidate : candidates) {
    if (candidate.size() > maxLength)
      continue;
    size_t rows = name.size() + 1, columns = candidate.size() + 1;
    std::vector<size_t> table(rows * columns);
    auto at = [&](size_t i, size_t j) -> size_t & { return table[i * columns + j]; };
    for (size_t i = 0; i < rows; ++i)
      at(i, 0) = i;
    for (size_t j = 0; j < columns; ++j)
      at(0, j) = j;
    auto same = [&](size_t i, size_t j) { return lower(name[i - 1]) == lower(candidate[j - 1]); };
    for (size_t i = 1; i < rows; ++i)
      for (size_t j = 1; j < columns; ++j) {
        at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + !same(i, j)});
        if (i > 1 && j > 1 && same(i - 1, j) && same(i, j - 1))
          at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    if (table.back() < bestDistance && candidate != name) {
      bestDistance = table.back();
      best = candidate;
    }
  }
  // A name of one letter would be near to every other one.
  return name.size() < 2 && bestDistance > 0 ? "" : best;
}

} // namespace vernier::dsl
