#include "dsl/Diagnostics.h"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace vernier::dsl {

std::vector<std::string_view> diagnosticCodes() {
  return {
#define VN_DIAGNOSTIC(name, code, format, ...) code,
#define VN_WARNING(name, code, format, ...) code,
#include "dsl/Diagnostics.def"
#undef VN_WARNING
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
  if (diagnostic_ && !text.empty())
    diagnostic_->helps.push_back(std::move(text));
  return *this;
}

DiagnosticBuilder &DiagnosticBuilder::rewrite(Span span, std::string text) {
  if (diagnostic_)
    diagnostic_->rewrite.push_back({span, std::move(text)});
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
DiagnosticBuilder Diagnostics::add(Severity severity, std::string_view code, Span span, std::string message) {
  if (!seen_.insert({std::string(code), span.file, span.begin, span.end}).second)
    return DiagnosticBuilder(nullptr);
  std::vector<Diagnostic> &kept = severity == Severity::Error ? all_ : warnings_;
  if (kept.size() == maxErrors) {
    dropped_ += severity == Severity::Error;
    return DiagnosticBuilder(nullptr);
  }
  kept.reserve(maxErrors); // builders point into it
  kept.push_back({severity, std::string(code), std::move(message), span, "", {}, {}, {}, {}});
  return DiagnosticBuilder(&kept.back());
}

void Diagnostics::sort() {
  for (std::vector<Diagnostic> *kept : {&all_, &warnings_}) {
    std::vector<size_t> order(kept->size());
    std::iota(order.begin(), order.end(), size_t(0));
    auto key = [&](size_t i) { return std::tuple((*kept)[i].span.file, (*kept)[i].span.begin, i); };
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
    std::vector<Diagnostic> sorted;
    sorted.reserve(maxErrors);
    for (size_t i : order)
      sorted.push_back(std::move((*kept)[i]));
    *kept = std::move(sorted);
  }
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
  out += " " + std::string(number.size(), ' ') + " | " + lead +
         std::string(std::max<size_t>(1, carets), '^') + (label.empty() ? "" : " " + visible(label)) + "\n";
  return out;
}

// The lines that a rewrite touches, as they should be. Nothing where they would not fit on a screen.
std::string renderRewrite(const std::vector<Edit> &rewrite, const SourceSet &sources) {
  constexpr size_t maxLines = 8;
  const Source &source = sources[rewrite.front().span.file];
  const int first = source.lineOf(rewrite.front().span.begin);
  const int last = source.lineOf(rewrite.back().span.end);
  uint32_t at = source.lineBegin(first);
  std::string text;
  for (const Edit &edit : rewrite) {
    text += source.slice({edit.span.file, at, edit.span.begin});
    text += edit.text;
    at = edit.span.end;
  }
  const uint32_t end = source.lineBegin(last) + static_cast<uint32_t>(source.lineText(last).size());
  if (at < end)
    text += source.slice({rewrite.front().span.file, at, end});
  std::vector<std::string> lines;
  for (size_t from = 0; from <= text.size();) {
    size_t to = std::min(text.find('\n', from), text.size());
    std::string line = text.substr(from, to - from);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r' || line.back() == '\t'))
      line.pop_back();
    if (line.size() > maxLineWidth)
      return "";
    lines.push_back(std::move(line));
    from = to + 1;
  }
  if (lines.size() > maxLines)
    return "";
  std::string out;
  const size_t width = std::to_string(first + lines.size() - 1).size();
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string number = std::to_string(first + i);
    out += std::string(width - number.size() + 1, ' ') + number + " |";
    out += (lines[i].empty() ? "" : " ") + visible(lines[i]) + "\n";
  }
  return out;
}

} // namespace

std::string render(const Diagnostic &diagnostic, const SourceSet &sources) {
  std::string out = diagnostic.severity == Severity::Error ? "error[" : "warning[";
  out += diagnostic.code + "]: " + visible(diagnostic.message) + "\n";
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
  if (!diagnostic.rewrite.empty()) {
    const std::string lines = renderRewrite(diagnostic.rewrite, sources);
    if (!lines.empty())
      out += (diagnostic.helps.empty() ? "help: write it so:\n" : "") + lines;
  }
  return out;
}

std::string render(const Diagnostics &diagnostics, const SourceSet &sources) {
  std::string out;
  for (const Diagnostic &diagnostic : diagnostics.all())
    out += (out.empty() ? "" : "\n") + render(diagnostic, sources);
  if (diagnostics.dropped())
    out += "\n" + std::to_string(diagnostics.dropped()) +
           (diagnostics.dropped() == 1 ? " further error is" : " further errors are") + " not shown\n";
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
