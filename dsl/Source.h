// Texts of a program and positions in them.
#ifndef VERNIER_DSL_SOURCE_H
#define VERNIER_DSL_SOURCE_H

#include "dsl/Graph.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vernier::dsl {

// Bytes [begin, end) of one file. file < 0: no place in a text.
struct Span {
  int file = -1;
  uint32_t begin = 0, end = 0;
  bool valid() const { return file >= 0; }
  bool operator==(const Span &) const = default;
};

// From the start of `first` to the end of `last`.
inline Span cover(Span first, Span last) { return {first.file, first.begin, last.end}; }

class Source {
public:
  Source(std::string path, std::string text);

  const std::string &path() const { return path_; }
  std::string_view text() const { return text_; }
  std::string_view slice(Span span) const;

  // 1-based line of a byte offset.
  int lineOf(uint32_t offset) const;
  // 1-based column in characters (UTF-8 sequences count once).
  int columnOf(uint32_t offset) const;
  uint32_t lineBegin(int line) const { return lineStarts_[line - 1]; }
  // Without its line break.
  std::string_view lineText(int line) const;

private:
  std::string path_, text_;
  // Characters that begin before an offset.
  uint32_t charactersBefore(uint32_t offset) const;

  std::vector<uint32_t> lineStarts_;
  std::vector<uint32_t> characters_; // before every stride-th byte: a line may be as long as the file
};

// A text without the byte order mark that some editors begin it with.
std::string_view withoutByteOrderMark(std::string_view text);
// "UTF-16", "a binary file": what a file holds instead of text in UTF-8; empty for text.
std::string_view foreignEncoding(std::string_view bytes);

// The files of a program; byte order marks are left out.
// Span::file and Location::file are indices here.
class SourceSet {
public:
  int add(std::string path, std::string text);
  const Source &operator[](int file) const { return *sources_[file]; }
  int size() const { return static_cast<int>(sources_.size()); }
  Location locate(Span span) const;
  std::string_view slice(Span span) const { return (*this)[span.file].slice(span); }

private:
  std::vector<std::unique_ptr<Source>> sources_;
};

} // namespace vernier::dsl

#endif
