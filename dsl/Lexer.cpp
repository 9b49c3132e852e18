#include "dsl/Lexer.h"

#include "dsl/Foreign.h"
#include "dsl/Ops.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace vernier::dsl {

namespace {

constexpr std::array<std::pair<std::string_view, Tok>, 23> keywords = {{
    {"import", Tok::KwImport}, {"block", Tok::KwBlock},     {"network", Tok::KwNetwork},
    {"model", Tok::KwModel},   {"input", Tok::KwInput},     {"output", Tok::KwOutput},
    {"target", Tok::KwTarget}, {"loss", Tok::KwLoss},       {"learned", Tok::KwLearned},
    {"choose", Tok::KwChoose}, {"require", Tok::KwRequire}, {"within", Tok::KwWithin},
    {"from", Tok::KwFrom},     {"for", Tok::KwFor},         {"in", Tok::KwIn},
    {"if", Tok::KwIf},         {"then", Tok::KwThen},       {"else", Tok::KwElse},
    {"and", Tok::KwAnd},       {"or", Tok::KwOr},           {"not", Tok::KwNot},
    {"true", Tok::KwTrue},     {"false", Tok::KwFalse},
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
  case Tok::Bar:
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
                   (freshLine_ && (beginsItem(kind) || (beginsStatement(kind) && !namesArgumentOrType())));
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

  // Whether what follows a word shows that it begins no statement: `target = y` in a call, `loss` in a type.
  bool namesArgumentOrType() const {
    uint32_t i = at_;
    while (i < end_ && (text_[i] == ' ' || text_[i] == '\t' || text_[i] == '\r' || text_[i] == '\n'))
      ++i;
    return i < end_ && std::string_view("=,)]|").find(text_[i]) != std::string_view::npos;
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
    const uint32_t divisor = i;
    while (i < to && isNamePart(text_[i]))
      ++i;
    if (i == divisor)
      return;
    const std::string_view rest = text_.substr(i, to - i);
    const bool number =
        text_.substr(divisor, i - divisor).find_first_not_of("0123456789") == std::string_view::npos;
    // A name at the end of a pipeline is an operation, which nothing divides.
    const size_t count = result_.tokens.size();
    const bool operation = count > 1 && result_.tokens[count - 2].kind == Tok::Pipe;
    const bool dividend = last() == Tok::Int || (last() == Tok::Name && !operation);
    bool divides = number && rest.find_first_not_of(" ),]:") == std::string_view::npos;
    divides = divides || (brackets_ > 0 && closesBracket(rest)) ||
              (rest.empty() && dividend && isKnown(divisor, i));
    if (!divides)
      return;
    diagnostics_.report(diag::CommentDivides, {file_, begin, i})
        .help("division of whole numbers is written `/`; put a comment that is only a number or a name on "
              "its own "
              "line")
        .rewrite({file_, begin, begin + 2}, "/");
    result_.comments.pop_back();
    push(Tok::Slash, begin, begin + 2);
    at_ = begin + 2;
  }

  // Whether it has a closing bracket without its opening one: code, not prose.
  static bool closesBracket(std::string_view text) {
    int open = 0;
    for (char c : text) {
      open += c == '(' || c == '[';
      open -= c == ')' || c == ']';
      if (open < 0)
        return true;
    }
    return false;
  }

  // Whether a name was met before.
  bool isKnown(uint32_t begin, uint32_t end) const {
    const std::string_view name = text_.substr(begin, end - begin);
    return std::any_of(result_.tokens.begin(), result_.tokens.end(), [&](const Token &token) {
      return token.kind == Tok::Name &&
             text_.substr(token.span.begin, token.span.end - token.span.begin) == name;
    });
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
      if (c == '|' && ((last() == Tok::String && stringFollows()) || noneFollows())) {
        ++at_;
        push(Tok::Bar, begin, at_);
        return;
      }
      unexpected();
    }
  }

  // Whether what comes after this character is a string.
  bool stringFollows() const {
    uint32_t i = at_ + 1;
    while (i < end_ && (text_[i] == ' ' || text_[i] == '\t' || text_[i] == '\r' || text_[i] == '\n'))
      ++i;
    return i < end_ && text_[i] == '"';
  }

  // Of a type: `tensor | none`.
  bool noneFollows() const {
    constexpr std::string_view word = "none";
    uint32_t i = at_ + 1;
    while (i < end_ && text_[i] == ' ')
      ++i;
    return text_.substr(i, std::min<size_t>(word.size(), end_ - i)) == word &&
           (i + word.size() >= end_ || !isNamePart(text_[i + word.size()]));
  }

  // What other languages have and this one not; read as what was meant where that is plain. A habit is one
  // mistake, however often a file shows it.
  void unexpected() {
    uint32_t begin = at_;
    const char c = peek();
    ++at_;
    if ((c == '&' || c == '|') && peek() == c)
      ++at_;
    while (at_ < end_ && (static_cast<unsigned char>(text_[at_]) & 0xc0) == 0x80)
      ++at_;
    std::string shown(text_.substr(begin, at_ - begin));
    bool printable = static_cast<unsigned char>(shown[0]) >= 0x20 && shown[0] != 0x7f;
    const ForeignName *foreign = findForeign(Foreign::Character, shown);
    DiagnosticBuilder report(nullptr);
    if (!foreign || habits_.insert(shown).second)
      report = diagnostics_.report(diag::UnexpectedCharacter, {file_, begin, at_}, printable ? shown : "?");
    if (foreign)
      report.help(std::string(foreign->help));
    const Span whole{file_, begin, at_};
    if (shown == ";" && brackets_ == 0) {
      report.rewrite(whole, restIsEmpty() ? "" : "\n" + indentation(begin));
      pendingNewline_ = true;
    } else if (shown == "#") {
      report.rewrite(whole, "//");
      while (at_ < end_ && text_[at_] != '\n')
        ++at_;
    } else if (shown == "'" && quoted(begin)) {
      const std::string_view inside = text_.substr(begin + 1, at_ - begin - 2);
      const std::string quote = isWord(inside) ? "" : "\"";
      if (inside.find('"') == std::string_view::npos)
        report.rewrite({file_, begin, at_}, quote + std::string(inside) + quote);
      push(Tok::String, begin, at_);
    } else if (shown == "|" || shown == "&&" || shown == "||") {
      report.rewrite(whole, std::string(foreign->ours));
      push(shown == "|" ? Tok::Pipe : shown == "&&" ? Tok::KwAnd : Tok::KwOr, begin, at_);
    } else if (shown == "!") {
      report.rewrite(whole, peek() == ' ' ? "not" : "not ");
      push(Tok::KwNot, begin, at_);
    } else {
      push(Tok::Invalid, begin, at_);
    }
  }

  // Goes behind the quote that closes the one at `begin`, on the same line.
  bool quoted(uint32_t begin) {
    uint32_t i = begin + 1;
    while (i < end_ && text_[i] != '\'' && text_[i] != '\n')
      ++i;
    if (i == end_ || text_[i] != '\'')
      return false;
    at_ = i + 1;
    return true;
  }

  bool restIsEmpty() const {
    uint32_t i = at_;
    while (i < end_ && (text_[i] == ' ' || text_[i] == '\t' || text_[i] == '\r'))
      ++i;
    return i == end_ || text_[i] == '\n' || text_.substr(i, 2) == "//";
  }

  std::string indentation(uint32_t at) const {
    uint32_t line = at;
    while (line > 0 && text_[line - 1] != '\n')
      --line;
    uint32_t i = line;
    while (i < at && (text_[i] == ' ' || text_[i] == '\t'))
      ++i;
    return std::string(text_.substr(line, i - line));
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
  std::set<std::string> habits_; // of other languages, reported already
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
  case Tok::Bar:
    return "`|`";
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

bool isKeyword(std::string_view name) {
  return std::any_of(keywords.begin(), keywords.end(),
                     [&](const auto &keyword) { return keyword.first == name; });
}

bool beginsItem(Tok kind) {
  return kind == Tok::KwImport || kind == Tok::KwBlock || kind == Tok::KwNetwork || kind == Tok::KwModel;
}

bool beginsStatement(Tok kind) {
  return kind == Tok::KwInput || kind == Tok::KwOutput || kind == Tok::KwTarget || kind == Tok::KwLoss ||
         kind == Tok::KwLearned || kind == Tok::KwChoose || kind == Tok::KwRequire;
}

} // namespace vernier::dsl
