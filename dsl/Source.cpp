#include "dsl/Source.h"

#include <algorithm>

namespace vernier::dsl {

Source::Source(std::string path, std::string text) : path_(std::move(path)), text_(std::move(text)) {
  lineStarts_.push_back(0);
  for (uint32_t i = 0; i < text_.size(); ++i)
    if (text_[i] == '\n')
      lineStarts_.push_back(i + 1);
}

std::string_view Source::slice(Span span) const {
  return std::string_view(text_).substr(span.begin, span.end - span.begin);
}

int Source::lineOf(uint32_t offset) const {
  auto after = std::upper_bound(lineStarts_.begin(), lineStarts_.end(), offset);
  return static_cast<int>(after - lineStarts_.begin());
}

int Source::columnOf(uint32_t offset) const {
  int column = 1;
  for (uint32_t i = lineBegin(lineOf(offset)); i < offset && i < text_.size(); ++i)
    if ((static_cast<unsigned char>(text_[i]) & 0xc0) != 0x80)
      ++column;
  return column;
}

std::string_view Source::lineText(int line) const {
  uint32_t begin = lineBegin(line);
  size_t end = text_.find('\n', begin);
  std::string_view text = std::string_view(text_).substr(begin, end == std::string::npos ? end : end - begin);
  if (!text.empty() && text.back() == '\r')
    text.remove_suffix(1);
  return text;
}

int SourceSet::add(std::string path, std::string text) {
  sources_.push_back(std::make_unique<Source>(std::move(path), std::move(text)));
  return size() - 1;
}

Location SourceSet::locate(Span span) const {
  if (!span.valid())
    return {};
  const Source &source = (*this)[span.file];
  return {span.file, source.lineOf(span.begin), source.columnOf(span.begin)};
}

} // namespace vernier::dsl
