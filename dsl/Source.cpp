#include "dsl/Source.h"

#include <algorithm>

namespace vernier::dsl {

namespace {

constexpr uint32_t stride = 1024;

bool beginsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

} // namespace

Source::Source(std::string path, std::string text) : path_(std::move(path)), text_(std::move(text)) {
  lineStarts_.push_back(0);
  uint32_t characters = 0;
  for (uint32_t i = 0; i < text_.size(); ++i) {
    if (i % stride == 0)
      characters_.push_back(characters);
    characters += beginsCharacter(text_[i]);
    if (text_[i] == '\n')
      lineStarts_.push_back(i + 1);
  }
}

uint32_t Source::charactersBefore(uint32_t offset) const {
  offset = std::min(offset, static_cast<uint32_t>(text_.size()));
  size_t known = std::min<size_t>(offset / stride, characters_.empty() ? 0 : characters_.size() - 1);
  uint32_t count = characters_.empty() ? 0 : characters_[known];
  for (uint32_t i = static_cast<uint32_t>(known) * stride; i < offset; ++i)
    count += beginsCharacter(text_[i]);
  return count;
}

std::string_view Source::slice(Span span) const {
  return std::string_view(text_).substr(span.begin, span.end - span.begin);
}

int Source::lineOf(uint32_t offset) const {
  auto after = std::upper_bound(lineStarts_.begin(), lineStarts_.end(), offset);
  return static_cast<int>(after - lineStarts_.begin());
}

int Source::columnOf(uint32_t offset) const {
  return static_cast<int>(charactersBefore(offset) - charactersBefore(lineBegin(lineOf(offset)))) + 1;
}

std::string_view Source::lineText(int line) const {
  uint32_t begin = lineBegin(line);
  size_t end = text_.find('\n', begin);
  std::string_view text = std::string_view(text_).substr(begin, end == std::string::npos ? end : end - begin);
  if (!text.empty() && text.back() == '\r')
    text.remove_suffix(1);
  return text;
}

std::string_view withoutByteOrderMark(std::string_view text) {
  return text.starts_with("\xef\xbb\xbf") ? text.substr(3) : text;
}

std::string_view foreignEncoding(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (bytes.starts_with("\xff\xfe\0\0"sv) || bytes.starts_with("\0\0\xfe\xff"sv))
    return "UTF-32";
  if (bytes.starts_with("\xff\xfe"sv) || bytes.starts_with("\xfe\xff"sv))
    return "UTF-16";
  const std::string_view head = bytes.substr(0, 4096);
  if (head.find('\0') == std::string_view::npos)
    return "";
  // Without a mark, every second byte of a text in Latin letters is zero.
  size_t even = 0, odd = 0;
  for (size_t i = 0; i < head.size(); ++i)
    (i % 2 ? odd : even) += head[i] == '\0';
  const size_t half = head.size() / 2, most = half - half / 10;
  return half > 0 && (odd >= most || even >= most) && (odd == 0 || even == 0) ? "UTF-16" : "a binary file";
}

int SourceSet::add(std::string path, std::string text) {
  text.erase(0, text.size() - withoutByteOrderMark(text).size());
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
