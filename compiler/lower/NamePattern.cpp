#include "compiler/lower/NamePattern.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

using llvm::StringRef;
using llvm::Twine;

namespace vernier::compiler {
namespace {

// Longer numbers are no indices of layers.
constexpr size_t kMostDigits = 9;

llvm::Error wrong(const Twine &what) { return llvm::createStringError(what); }

bool isIdentifier(StringRef text) {
  return !text.empty() && !llvm::isDigit(text[0]) &&
         llvm::all_of(text, [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

} // namespace

// `sums`: whether `{2*i+1}` may stand for `{i}`.
llvm::Expected<std::vector<NamePattern::Piece>> NamePattern::split(StringRef text, bool sums) {
  std::vector<Piece> pieces;
  while (!text.empty()) {
    if (text.consume_front("*")) {
      if (!pieces.empty() && pieces.back().kind == Piece::Run)
        return wrong("`**` is no pattern: one `*` stands for any characters already");
      pieces.push_back({Piece::Run, "", 1, 0});
      continue;
    }
    if (text.consume_front("{")) {
      auto [inside, rest] = text.split('}');
      if (inside.size() == text.size())
        return wrong("a `{` without `}`");
      text = rest;
      Piece piece{Piece::Number, "", 1, 0};
      const StringRef whole = inside;
      const auto number = [](StringRef digits, int64_t &value) {
        return !digits.empty() && digits.size() <= kMostDigits && llvm::all_of(digits, llvm::isDigit) &&
               !digits.getAsInteger(10, value);
      };
      if (sums && inside.contains('*')) {
        const auto [factor, name] = inside.split('*');
        if (!number(factor, piece.factor))
          return wrong("`{" + whole + "}` is no product of a number and a name");
        inside = name;
      }
      const size_t sign = sums ? inside.find_first_of("+-") : StringRef::npos;
      piece.text = inside.take_front(sign).str();
      if (sign != StringRef::npos && !number(inside.drop_front(sign + 1), piece.added))
        return wrong("`{" + whole + "}` is no sum of a name and a number");
      if (sign != StringRef::npos && inside[sign] == '-')
        piece.added = -piece.added;
      if (!isIdentifier(piece.text))
        return wrong("`{" + whole + "}` holds no name");
      pieces.push_back(std::move(piece));
      continue;
    }
    const size_t end = std::min(text.find_first_of("*{"), text.size());
    pieces.push_back({Piece::Literal, text.take_front(end).str(), 1, 0});
    text = text.drop_front(end);
  }
  return pieces;
}

llvm::Expected<NamePattern> NamePattern::parse(StringRef text) {
  auto pieces = split(text, /*sums=*/false);
  if (!pieces)
    return pieces.takeError();
  if (pieces->empty())
    return wrong("an empty pattern matches nothing");
  std::map<std::string, int64_t> seen;
  for (size_t i = 0; i < pieces->size(); ++i) {
    const Piece &piece = (*pieces)[i];
    if (piece.kind != Piece::Number)
      continue;
    if (!seen.insert({piece.text, 0}).second)
      return wrong("`{" + Twine(piece.text) + "}` stands twice");
    if (i + 1 < pieces->size()) {
      const Piece &next = (*pieces)[i + 1];
      if (next.kind == Piece::Number || (next.kind == Piece::Literal && llvm::isDigit(next.text[0])))
        return wrong("no digit can follow `{" + Twine(piece.text) + "}`, which takes all digits there are");
    }
  }
  NamePattern pattern;
  pattern.pieces = std::move(*pieces);
  return pattern;
}

std::optional<NameMatch> NamePattern::match(StringRef name) const {
  NameMatch result;
  // Pieces [first, last) hold no run. Matches them at the beginning of `text`; returns how many characters
  // they take.
  const auto matchPieces = [&](size_t first, size_t last, StringRef text) -> std::optional<size_t> {
    const size_t whole = text.size();
    for (size_t i = first; i < last; ++i) {
      const Piece &piece = pieces[i];
      if (piece.kind == Piece::Literal) {
        if (!text.consume_front(piece.text))
          return std::nullopt;
        continue;
      }
      const StringRef digits = text.take_while(llvm::isDigit);
      int64_t number = 0;
      if (digits.empty() || digits.size() > kMostDigits || digits.getAsInteger(10, number))
        return std::nullopt;
      result.numbers[piece.text] = number;
      text = text.drop_front(digits.size());
    }
    return whole - text.size();
  };

  // The first place where the pieces behind a run match is as good as any later one: it leaves more of the
  // name to the rest.
  size_t next = 0;
  bool afterRun = false;
  while (true) {
    const auto begin = pieces.begin() + next;
    const size_t run =
        size_t(std::find_if(begin, pieces.end(), [](const Piece &p) { return p.kind == Piece::Run; }) -
               pieces.begin());
    const bool last = run == pieces.size();
    const size_t furthest = afterRun ? name.size() : 0;
    std::optional<size_t> taken;
    size_t at = 0;
    for (; at <= furthest; ++at) {
      taken = matchPieces(next, run, name.drop_front(at));
      if (taken && (!last || at + *taken == name.size()))
        break;
      taken.reset();
    }
    if (!taken)
      return std::nullopt;
    if (afterRun)
      result.runs.push_back(name.take_front(at));
    name = name.drop_front(at + *taken);
    if (last)
      return result;
    next = run + 1;
    afterRun = true;
  }
}

llvm::Expected<NameTemplate> NameTemplate::parse(StringRef text, const NamePattern &pattern) {
  auto pieces = NamePattern::split(text, /*sums=*/true);
  if (!pieces)
    return pieces.takeError();
  const auto runs = [](const std::vector<NamePattern::Piece> &all) {
    return llvm::count_if(all, [](const auto &p) { return p.kind == NamePattern::Piece::Run; });
  };
  if (runs(*pieces) != runs(pattern.pieces))
    return wrong("both sides need as many `*`");
  for (const NamePattern::Piece &piece : *pieces)
    if (piece.kind == NamePattern::Piece::Number && llvm::none_of(pattern.pieces, [&](const auto &p) {
          return p.kind == NamePattern::Piece::Number && p.text == piece.text;
        }))
      return wrong("`{" + Twine(piece.text) + "}` does not stand on the left side");
  NameTemplate result;
  result.pieces = std::move(*pieces);
  return result;
}

std::optional<std::string> NameTemplate::make(const NameMatch &match) const {
  std::string name;
  size_t run = 0;
  for (const NamePattern::Piece &piece : pieces)
    switch (piece.kind) {
    case NamePattern::Piece::Literal:
      name += piece.text;
      break;
    case NamePattern::Piece::Run:
      name += match.runs[run++];
      break;
    case NamePattern::Piece::Number: {
      const int64_t number = piece.factor * match.numbers.at(piece.text) + piece.added;
      if (number < 0)
        return std::nullopt;
      name += std::to_string(number);
    }
    }
  return name;
}

} // namespace vernier::compiler
