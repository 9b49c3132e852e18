#include "dsl/Lexer.h"

#include <array>
#include <utility>

namespace vernier::dsl {

namespace {

constexpr std::array<std::pair<std::string_view, Tok>, 20> keywords = {{
    {"import", Tok::KwImport},   {"block", Tok::KwBlock},   {"network", Tok::KwNetwork},
    {"model", Tok::KwModel},     {"input", Tok::KwInput},   {"output", Tok::KwOutput},
    {"learned", Tok::KwLearned}, {"choose", Tok::KwChoose}, {"within", Tok::KwWithin},
    {"from", Tok::KwFrom},       {"for", Tok::KwFor},       {"in", Tok::KwIn},
    {"if", Tok::KwIf},           {"then", Tok::KwThen},     {"else", Tok::KwElse},
    {"and", Tok::KwAnd},         {"or", Tok::KwOr},         {"not", Tok::KwNot},
    {"true", Tok::KwTrue},       {"false", Tok::KwFalse},
}};

// Longer ones first: the first that matches is taken.
constexpr auto punctuation = std::to_array<std::pair<std::string_view, Tok>>({
    {"|>", Tok::Pipe},         {"==", Tok::Equal},  {"!=", Tok::NotEqual}, {"<=", Tok::LessEqual},
    {">=", Tok::GreaterEqual}, {"(", Tok::LParen},  {")", Tok::RParen},    {"[", Tok::LBracket},
    {"]", Tok::RBracket},      {"{", Tok::LBrace},  {"}", Tok::RBrace},    {",", Tok::Comma},
    {":", Tok::Colon},         {".", Tok::Dot},     {"=", Tok::Assign},    {"+", Tok::Plus},
    {"-", Tok::Minus},         {"*", Tok::Star},    {"/", Tok::Slash},     {"%", Tok::Percent},
    {"<", Tok::Less},          {">", Tok::Greater},
});

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool isNamePart(char c) { return isNameStart(c) || isDigit(c); }

// After these a statement cannot end, so a newline means nothing.
bool wantsMore(Tok kind) {
  switch (kind) {
  case Tok::KwWithin:
  case Tok::KwFrom:
  case Tok::KwIn:
  case Tok::KwThen:
  case Tok::KwElse:
  case Tok::KwAnd:
  case Tok::KwOr:
  case Tok::KwNot:
  case Tok::Comma:
  case Tok::Colon:
  case Tok::Assign:
  case Tok::Pipe:
  case Tok::Plus:
  case Tok::Minus:
  case Tok::Star:
  case Tok::Slash:
  case Tok::Percent:
  case Tok::Equal:
  case Tok::NotEqual:
  case Tok::Less:
  case Tok::LessEqual:
  case Tok::Greater:
  case Tok::GreaterEqual:
    return true;
  default:
    return false;
  }
}

// Before these a statement goes on.
bool continues(Tok kind) {
  return kind == Tok::Pipe || kind == Tok::KwThen || kind == Tok::KwElse || kind == Tok::KwWithin ||
         kind == Tok::KwFrom;
}

bool endsValue(Tok kind) {
  return kind == Tok::Name || kind == Tok::Int || kind == Tok::Float || kind == Tok::RParen ||
         kind == Tok::RBracket;
}

class Lexer {
public:
  Lexer(const Source &source, Span range, Diagnostics &diagnostics)
      : text_(source.text()), file_(range.file), at_(range.begin), end_(range.end),
        diagnostics_(diagnostics) {}

  LexResult run() {
    while (at_ < end_)
      next();
    newline();
    push(Tok::End, end_, end_);
    return std::move(result_);
  }

private:
  char peek(uint32_t ahead = 0) const { return at_ + ahead < end_ ? text_[at_ + ahead] : '\0'; }
  Tok last() const { return result_.tokens.empty() ? Tok::Newline : result_.tokens.back().kind; }

  void push(Tok kind, uint32_t begin, uint32_t end) {
    // `}` and a keyword that begins an item or a statement end every bracket that a person forgot to close:
    // what follows is read again as statements.
    bool recover = kind == Tok::RBrace || kind == Tok::LBrace ||
                   (freshLine_ && (beginsItem(kind) || beginsStatement(kind)));
    if (recover && brackets_ > 0) {
      brackets_ = 0;
      if (kind != Tok::LBrace)
        pendingNewline_ = true;
    }
    if (pendingNewline_ && !continues(kind))
      newline();
    pendingNewline_ = false;
    freshLine_ = false;
    if (kind == Tok::LParen || kind == Tok::LBracket)
      ++brackets_;
    else if ((kind == Tok::RParen || kind == Tok::RBracket) && brackets_ > 0)
      --brackets_;
    result_.tokens.push_back({kind, {file_, begin, end}});
  }

  // A statement ends here, unless none has begun.
  void newline() {
    if (result_.tokens.empty() || last() == Tok::Newline)
      return;
    uint32_t at = result_.tokens.back().span.end;
    result_.tokens.push_back({Tok::Newline, {file_, at, at}});
  }

  void next() {
    char c = peek();
    if (c == '\n') {
      if (brackets_ == 0 && !wantsMore(last()))
        pendingNewline_ = true;
      freshLine_ = true;
      ++at_;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      ++at_;
    } else {
      if (c == '/' && peek(1) == '/')
        comment();
      else
        token(c);
    }
  }

  void comment() {
    uint32_t begin = at_;
    while (at_ < end_ && text_[at_] != '\n')
      ++at_;
    uint32_t to = at_;
    while (to > begin && (text_[to - 1] == '\r' || text_[to - 1] == ' ' || text_[to - 1] == '\t'))
      --to;
    result_.comments.push_back({file_, begin, to});
    if (freshLine_ || !endsValue(last()))
      return;
    // In other languages `width // 2` divides; here it would silently be `width`.
    uint32_t i = begin + 2;
    while (i < to && text_[i] == ' ')
      ++i;
    uint32_t digits = i;
    while (i < to && isDigit(text_[i]))
      ++i;
    if (i > digits && text_.substr(i, to - i).find_first_not_of(" ),]:") == std::string_view::npos)
      diagnostics_.report(diag::CommentDivides, {file_, begin, i})
          .help("division of whole numbers is written `/`; put a comment that is only a number on its own "
                "line");
  }

  void token(char c) {
    uint32_t begin = at_;
    if (isNameStart(c)) {
      while (isNamePart(peek()))
        ++at_;
      Tok kind = Tok::Name;
      for (auto &[spelling, keyword] : keywords)
        if (text_.substr(begin, at_ - begin) == spelling)
          kind = keyword;
      push(kind, begin, at_);
    } else if (isDigit(c)) {
      number();
    } else if (c == '"') {
      string();
    } else {
      for (auto &[spelling, kind] : punctuation) {
        if (text_.substr(at_, std::min<size_t>(spelling.size(), end_ - at_)) == spelling) {
          at_ += static_cast<uint32_t>(spelling.size());
          push(kind, begin, at_);
          return;
        }
      }
      unexpected();
    }
  }

  // A run of characters that no token has is one mistake.
  void unexpected() {
    uint32_t begin = at_;
    ++at_;
    while (at_ < end_ && (static_cast<unsigned char>(text_[at_]) & 0xc0) == 0x80)
      ++at_;
    std::string shown(text_.substr(begin, at_ - begin));
    bool printable = static_cast<unsigned char>(shown[0]) >= 0x20 && shown[0] != 0x7f;
    auto report =
        diagnostics_.report(diag::UnexpectedCharacter, {file_, begin, at_}, printable ? shown : "?");
    if (shown == ";")
      report.help("a statement ends with its line");
    else if (shown == "'")
      report.help("strings are written with double quotes");
    else if (shown == "|")
      report.help("a pipeline is written `|>`");
    else if (shown == "&" || shown == "!")
      report.help("the logical operators are `and`, `or` and `not`");
    else if (shown == "#")
      report.help("a comment begins with `//`");
    push(Tok::Invalid, begin, at_);
  }

  void number() {
    uint32_t begin = at_;
    // In a label such as `tree.0.1` what follows a dot is a whole number.
    bool afterDot = last() == Tok::Dot && result_.tokens.back().span.end == begin;
    while (isDigit(peek()))
      ++at_;
    Tok kind = Tok::Int;
    if (!afterDot) {
      if (peek() == '.' && isDigit(peek(1))) {
        kind = Tok::Float;
        ++at_;
        while (isDigit(peek()))
          ++at_;
      }
      uint32_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
      if ((peek() == 'e' || peek() == 'E') && isDigit(peek(1 + sign))) {
        kind = Tok::Float;
        at_ += 1 + sign;
        while (isDigit(peek()))
          ++at_;
      }
    }
    if (isNameStart(peek())) {
      while (isNamePart(peek()))
        ++at_;
      diagnostics_
          .report(diag::BadNumber, {file_, begin, at_},
                  text_.substr(begin, std::min<uint32_t>(at_ - begin, 40)))
          .help("a name begins with a letter");
    }
    push(kind, begin, at_);
  }

  void string() {
    uint32_t begin = at_++;
    while (at_ < end_ && text_[at_] != '"' && text_[at_] != '\n')
      at_ += text_[at_] == '\\' && at_ + 1 < end_ && text_[at_ + 1] != '\n' ? 2 : 1;
    Tok kind = Tok::String;
    if (at_ < end_ && text_[at_] == '"') {
      ++at_;
    } else {
      kind = Tok::Invalid;
      diagnostics_.report(diag::UnterminatedString, {file_, begin, begin + 1})
          .help("a string ends on the line where it begins");
    }
    push(kind, begin, at_);
  }

  std::string_view text_;
  int file_;
  uint32_t at_, end_;
  Diagnostics &diagnostics_;
  LexResult result_;
  int brackets_ = 0;
  bool pendingNewline_ = false, freshLine_ = true;
};

} // namespace

LexResult lex(const SourceSet &sources, int file, Diagnostics &diagnostics) {
  return lexRange(sources, {file, 0, static_cast<uint32_t>(sources[file].text().size())}, diagnostics);
}

LexResult lexRange(const SourceSet &sources, Span range, Diagnostics &diagnostics) {
  return Lexer(sources[range.file], range, diagnostics).run();
}

std::string describe(Tok kind) {
  switch (kind) {
  case Tok::End:
    return "the end of the file";
  case Tok::Newline:
    return "the end of the line";
  case Tok::Name:
    return "a name";
  case Tok::Int:
  case Tok::Float:
    return "a number";
  case Tok::String:
    return "a string";
  default:
    break;
  }
  for (auto &[spelling, keyword] : keywords)
    if (keyword == kind)
      return "`" + std::string(spelling) + "`";
  for (auto &[spelling, mark] : punctuation)
    if (mark == kind)
      return "`" + std::string(spelling) + "`";
  return "";
}

bool isKeyword(Tok kind) { return kind >= Tok::KwImport && kind <= Tok::KwFalse; }

bool beginsItem(Tok kind) {
  return kind == Tok::KwImport || kind == Tok::KwBlock || kind == Tok::KwNetwork || kind == Tok::KwModel;
}

bool beginsStatement(Tok kind) {
  return kind == Tok::KwInput || kind == Tok::KwOutput || kind == Tok::KwLearned || kind == Tok::KwChoose;
}

} // namespace vernier::dsl
