#include "dsl/Format.h"

#include "dsl/Parser.h"

#include <algorithm>

namespace vernier::dsl {

namespace {

// A token or a comment.
struct Piece {
  Tok kind = Tok::End;
  bool comment = false;
  std::string_view text;
  int newlines = 0;       // before it in the source
  bool statement = false; // a statement or an item begins with it, or a comment before one
  bool breaks = false;    // a line begins with it
  bool unaryMinus = false;
};

bool opens(const Piece &p) { return p.kind == Tok::LParen || p.kind == Tok::LBracket; }
bool closes(const Piece &p) { return p.kind == Tok::RParen || p.kind == Tok::RBracket; }

bool endsValue(Tok kind) {
  return kind == Tok::Name || kind == Tok::Int || kind == Tok::Float || kind == Tok::String ||
         kind == Tok::KwTrue || kind == Tok::KwFalse || kind == Tok::RParen || kind == Tok::RBracket;
}

bool isBinaryOperator(Tok kind) {
  return (kind >= Tok::Plus && kind <= Tok::GreaterEqual) || kind == Tok::KwAnd || kind == Tok::KwOr;
}

// Where an author may break a statement.
bool mayBreak(const Piece &before, const Piece &after) {
  if (before.unaryMinus)
    return false;
  if (opens(before) || before.kind == Tok::Comma || before.kind == Tok::Assign || before.kind == Tok::Colon ||
      isBinaryOperator(before.kind) || isBinaryOperator(after.kind) || closes(after))
    return true;
  switch (after.kind) {
  case Tok::Pipe:
  case Tok::Bar:
  case Tok::KwThen:
  case Tok::KwElse:
  case Tok::KwWithin:
  case Tok::KwFrom:
  case Tok::KwIf:
    return true;
  default:
    return before.kind == Tok::KwThen || before.kind == Tok::KwElse;
  }
}

bool spaceBetween(const Piece &before, const Piece &after) {
  if (opens(before) || closes(after) || after.kind == Tok::Comma || after.kind == Tok::Colon ||
      after.kind == Tok::Dot || before.kind == Tok::Dot || before.unaryMinus)
    return false;
  if (after.kind == Tok::LParen)
    return before.kind != Tok::Name && before.kind != Tok::KwBlock;
  if (after.kind == Tok::LBracket)
    return !endsValue(before.kind);
  return !(before.kind == Tok::LBrace && after.kind == Tok::RBrace);
}

class Formatter {
public:
  Formatter(const SourceSet &sources, int file, const LexResult &lexed) : text_(sources[file].text()) {
    collect(lexed);
    decideBreaks();
  }

  std::string run() {
    for (size_t begin = 0; begin < pieces_.size();) {
      size_t end = begin + 1;
      while (end < pieces_.size() && !pieces_[end].breaks)
        ++end;
      if (begin > 0 && blankBefore(begin))
        out_ += '\n';
      begin = emit(begin, end);
    }
    return std::move(out_);
  }

private:
  // Tokens and comments in order; the newlines that the lexer found to end a statement become flags.
  void collect(const LexResult &lexed) {
    size_t comment = 0;
    uint32_t last = 0;
    bool statement = true;
    Tok before = Tok::Newline;
    auto add = [&](Piece piece, Span span) {
      piece.text = text_.substr(span.begin, span.end - span.begin);
      std::string_view gap = text_.substr(last, span.begin - last);
      piece.newlines = static_cast<int>(std::count(gap.begin(), gap.end(), '\n'));
      last = span.end;
      pieces_.push_back(piece);
    };
    for (const Token &token : lexed.tokens) {
      if (token.kind == Tok::Newline) {
        statement = true;
        continue;
      }
      size_t firstComment = pieces_.size();
      for (; comment < lexed.comments.size() && lexed.comments[comment].begin < token.span.begin; ++comment) {
        Piece piece;
        piece.comment = true;
        add(piece, lexed.comments[comment]);
      }
      // `{` and `}` end statements without a newline.
      bool starts = statement || before == Tok::LBrace || before == Tok::RBrace || token.kind == Tok::RBrace;
      starts = starts && token.kind != Tok::KwElse;
      for (size_t i = firstComment; i < pieces_.size(); ++i)
        pieces_[i].statement = starts || token.kind == Tok::End;
      if (token.kind == Tok::End)
        break;
      Piece piece;
      piece.kind = token.kind;
      piece.statement = starts;
      piece.unaryMinus = token.kind == Tok::Minus && !endsValue(before);
      add(piece, token.span);
      statement = false;
      before = token.kind;
    }
  }

  void decideBreaks() {
    for (size_t i = 0; i < pieces_.size(); ++i) {
      Piece &piece = pieces_[i];
      if (i == 0) {
        piece.breaks = true;
        continue;
      }
      const Piece &before = pieces_[i - 1];
      if (before.comment)
        piece.breaks = true;
      else if (piece.comment)
        piece.breaks = piece.newlines > 0;
      else if (piece.kind == Tok::RBrace)
        piece.breaks = before.kind != Tok::LBrace;
      else if (piece.kind == Tok::KwElse && before.kind == Tok::RBrace)
        piece.breaks = false;
      else
        piece.breaks = piece.statement || (piece.newlines > 0 && mayBreak(before, piece));
    }
  }

  // At most one blank line, as in the source; always one around a block or network.
  bool blankBefore(size_t i) const {
    const Piece &piece = pieces_[i], &before = pieces_[i - 1];
    if (!piece.statement || piece.kind == Tok::RBrace || (!before.comment && before.kind == Tok::LBrace))
      return false;
    if (before.comment && i >= 2 && pieces_[i - 2].kind == Tok::LBrace && !before.breaks)
      return false;
    if (piece.newlines > 1)
      return true;
    if (braces_ > 0)
      return false;
    if (before.comment && before.breaks)
      return false; // the blank line is above the comment
    if (afterDeclaration_)
      return true;
    size_t item = i;
    while (item < pieces_.size() && pieces_[item].comment && (item == i || pieces_[item].newlines == 1))
      ++item;
    return item < pieces_.size() && (item == i || pieces_[item].newlines == 1) &&
           (pieces_[item].kind == Tok::KwBlock || pieces_[item].kind == Tok::KwNetwork);
  }

  // Indentation of a line that begins with piece i.
  size_t indentOf(size_t i) const {
    const Piece &piece = pieces_[i];
    if (piece.comment && !piece.statement) {
      size_t next = i;
      while (next + 1 < pieces_.size() && pieces_[next].comment)
        ++next;
      if (!pieces_[next].comment && !closes(pieces_[next]))
        return indentOf(next);
    }
    if (piece.kind == Tok::RBrace)
      return 2 * (braces_ - 1);
    if (piece.statement)
      return 2 * braces_;
    if (piece.kind == Tok::KwElse && afterBrace_)
      return 2 * braces_;
    if (closes(piece) && !open_.empty())
      return open_.back().lineIndent;
    if (piece.kind == Tok::Pipe && pipeDepth_ == open_.size())
      return pipeBase_ + 2;
    return open_.empty() ? 2 * braces_ + 2 : open_.back().inside;
  }

  static size_t width(std::string_view text) {
    return std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xc0) != 0x80; });
  }

  // Emits a line of the pieces [begin, end), or as many as fit; returns where the next line begins.
  size_t emit(size_t begin, size_t end) {
    size_t indent = indentOf(begin);
    std::vector<size_t> ends; // column after each piece
    size_t column = indent;
    for (size_t i = begin; i < end; ++i) {
      if (i > begin && (pieces_[i].comment || spaceBetween(pieces_[i - 1], pieces_[i])))
        ++column;
      column += width(pieces_[i].text);
      ends.push_back(column);
    }
    size_t last = pieces_[end - 1].comment && end - begin > 1 ? end - 1 : end;
    if (ends[last - 1 - begin] > formatWidth)
      end = splitAt(begin, last, end, ends);
    if (!pieces_[begin].comment && pieces_[begin].kind != Tok::Pipe) {
      pipeBase_ = indent;
      pipeDepth_ = open_.size();
    }
    out_.append(indent, ' ');
    for (size_t i = begin; i < end; ++i) {
      const Piece &piece = pieces_[i];
      if (i > begin && (piece.comment || spaceBetween(pieces_[i - 1], piece)))
        out_ += ' ';
      out_ += piece.text;
      if (!piece.comment)
        track(piece, indent, pieces_[begin].kind == Tok::KwBlock || pieces_[begin].kind == Tok::KwNetwork);
    }
    out_ += '\n';
    return end;
  }

  void track(const Piece &piece, size_t indent, bool declares) {
    if (opens(piece))
      // The parameters of a block stand apart from its body.
      open_.push_back({indent, declares ? indent + 4 : indent + 2});
    else if (closes(piece) && !open_.empty())
      open_.pop_back();
    else if (piece.kind == Tok::LBrace)
      ++braces_;
    else if (piece.kind == Tok::RBrace)
      --braces_;
    afterBrace_ = piece.kind == Tok::RBrace;
    afterDeclaration_ = afterBrace_ && braces_ == 0;
  }

  // What a long line breaks at, best first.
  enum class BreakAt { Keyword, Pipe, Comma };

  bool isCandidate(BreakAt kind, size_t i, bool bracketed) const {
    switch (kind) {
    case BreakAt::Keyword:
      return pieces_[i].kind == Tok::KwThen || pieces_[i].kind == Tok::KwElse ||
             pieces_[i].kind == Tok::KwWithin || pieces_[i].kind == Tok::KwFrom;
    case BreakAt::Pipe:
      return pieces_[i].kind == Tok::Pipe;
    case BreakAt::Comma:
      return pieces_[i - 1].kind == Tok::Comma && bracketed;
    }
    return false;
  }

  // Where to break a line that is too long: outside of as many brackets as possible, then as far right as
  // fits. `end` where there is no such place.
  size_t splitAt(size_t begin, size_t last, size_t end, const std::vector<size_t> &ends) const {
    for (BreakAt kind : {BreakAt::Keyword, BreakAt::Pipe, BreakAt::Comma}) {
      size_t depth = open_.size(), best = 0, chosen = end;
      for (size_t i = begin; i < last; ++i) {
        bool candidate = i > begin && isCandidate(kind, i, depth > 0);
        bool outer = chosen == end || depth < best;
        if (candidate && (outer || (depth == best && ends[i - 1 - begin] <= formatWidth))) {
          chosen = i;
          best = depth;
        }
        if (opens(pieces_[i]))
          ++depth;
        else if (closes(pieces_[i]) && depth > 0)
          --depth;
      }
      if (chosen != end)
        return chosen;
    }
    return end;
  }

  struct Open {
    size_t lineIndent, inside;
  };

  std::string_view text_;
  std::vector<Piece> pieces_;
  std::string out_;
  std::vector<Open> open_;
  size_t braces_ = 0;
  size_t pipeBase_ = 0, pipeDepth_ = 0; // the line that following lines with `|>` belong to
  bool afterBrace_ = false, afterDeclaration_ = false;
};

} // namespace

// Far above what any file needs.
static constexpr int kMaxRounds = 16;

std::optional<std::string> format(const SourceSet &sources, int file, Diagnostics &diagnostics) {
  size_t errors = diagnostics.size() + diagnostics.dropped();
  parse(sources, file, diagnostics);
  if (diagnostics.size() + diagnostics.dropped() != errors)
    return std::nullopt;
  std::string text = Formatter(sources, file, lex(sources, file, diagnostics)).run();
  // A name longer than a line leaves no good place to break; where the author broke then decides, and a break
  // moves the next one. Repeated until nothing moves: each round only adds breaks, of which a line holds few.
  for (int round = 0; round < kMaxRounds; ++round) {
    SourceSet again;
    Diagnostics none;
    const int index = again.add(sources[file].path(), text);
    std::string next = Formatter(again, index, lex(again, index, none)).run();
    if (next == text)
      break;
    text = std::move(next);
  }
  return text;
}

} // namespace vernier::dsl
