// Names of other frameworks: what is said of them, and the line as it should be.
#include "dsl/SemaImpl.h"

#include <algorithm>

namespace vernier::dsl {

namespace {

bool isOne(const Expr &expr) {
  if (expr.kind == Expr::Kind::List) {
    const auto &elements = static_cast<const ListExpr &>(expr).elements;
    return std::all_of(elements.begin(), elements.end(),
                       [](const ExprPtr &element) { return isOne(*element); });
  }
  return expr.kind == Expr::Kind::Int && static_cast<const IntExpr &>(expr).value == 1;
}

std::optional<int64_t> intOf(const Expr &expr) {
  if (expr.kind == Expr::Kind::Int)
    return static_cast<const IntExpr &>(expr).value;
  if (expr.kind != Expr::Kind::Unary || static_cast<const UnaryExpr &>(expr).op != UnaryOp::Negate)
    return std::nullopt;
  const std::optional<int64_t> value = intOf(*static_cast<const UnaryExpr &>(expr).operand);
  return value ? std::optional(-*value) : std::nullopt;
}

// A map's channels: in PyTorch the first side behind the images; Keras' axis may be the last one.
bool isChannels(const Expr &expr, std::string_view name) {
  const std::optional<int64_t> side = intOf(expr);
  return side && (*side == 1 || *side == -3 || (name == "axis" && (*side == 3 || *side == -1)));
}

// Height and width.
bool isSpace(const Expr &expr) {
  if (expr.kind != Expr::Kind::List)
    return false;
  std::vector<int64_t> sides;
  for (const ExprPtr &element : static_cast<const ListExpr &>(expr).elements)
    sides.push_back(intOf(*element).value_or(0));
  return sides == std::vector<int64_t>{2, 3} || sides == std::vector<int64_t>{-2, -1};
}

// Whether an argument of which theirs says "name=form" may be left out.
bool isOfForm(const Expr &expr, std::string_view name, std::string_view form) {
  return form == "1"          ? isOne(expr)
         : form == "channels" ? isChannels(expr, name)
         : form == "space"    ? isSpace(expr)
                              : literal(expr) == form;
}

bool isEmptyValue(const Expr &expr) {
  return expr.kind == Expr::Kind::Name && static_cast<const NameExpr &>(expr).name.text == "None";
}

size_t indexOf(const OpSignature &op, std::string_view name) {
  size_t i = 0;
  while (i < op.parameters.size() && op.parameters[i].name != name)
    ++i;
  return i;
}

} // namespace

std::string Sema::ourText(const Expr &value) const {
  if (value.kind == Expr::Kind::Name) {
    const std::string &name = static_cast<const NameExpr &>(value).name.text;
    const ForeignName *foreign = findForeign(Foreign::Value, name);
    return foreign && !foreign->ours.empty() ? std::string(foreign->ours) : name;
  }
  std::string text(program_.sources.slice(value.span));
  // A list may have been written as a tuple.
  if (value.kind == Expr::Kind::List && text.size() >= 2 && text.front() == '(') {
    text.front() = '[';
    text.back() = ']';
  }
  return text;
}

// Nothing where it would not be right.
std::optional<std::string> Sema::ourValue(const OpParameter &parameter, const Expr &value) const {
  std::string text = literal(value).value_or("");
  if (text.empty())
    text = ourText(value);
  if (const ForeignName *word = findForeign(Foreign::Word, text))
    text = word->ours;
  if (parameter.kind == OpParam::Word &&
      std::find(parameter.words.begin(), parameter.words.end(), text) == parameter.words.end())
    return std::nullopt;
  return text.empty() ? std::nullopt : std::optional(text);
}

// The call as it is written here; nothing where that is not plain.
std::optional<std::string> Sema::ourCall(const CallExpr &call, const ForeignCall &entry, bool piped) const {
  const OpSignature *op = findOperation(entry.ours);
  if (!op) {
    std::string text(entry.ours);
    if (text.empty())
      return std::nullopt;
    return text + std::string(program_.sources.slice(
                      {call.span.file, call.callee.span.end, call.span.end})); // a function
  }
  const bool module = call.callee.text[0] >= 'A' && call.callee.text[0] <= 'Z';
  if (module && !piped)
    return std::nullopt; // where its map comes from is not said
  // Who writes `conv2d` means its first number as here; of `interpolate` and losses ours come in another
  // order.
  const bool reordered = op->parameters.size() == 1 || op->parameters[1].kind == OpParam::Word ||
                         op->result.is(Type::Kind::Loss);
  const bool theirs = !entry.parameters.empty() && (module || reordered);
  const size_t first = piped ? 1 : 0;
  std::vector<std::string> values(op->parameters.size());
  size_t position = 0;
  bool space =
      std::find(entry.parameters.begin(), entry.parameters.end(), "dim=space") == entry.parameters.end();
  for (const Argument &argument : call.arguments) {
    std::string_view name = argument.name.text, form;
    size_t slot = op->parameters.size();
    if (name.empty() && !theirs) {
      slot = first + position++;
    } else {
      if (name.empty()) {
        const size_t behind = position++ + first;
        if (behind == 0) {
          slot = 0;
        } else if (behind - 1 < entry.parameters.size()) {
          name = entry.parameters[behind - 1].substr(0, entry.parameters[behind - 1].find('='));
        } else {
          return std::nullopt;
        }
      }
      if (slot != 0)
        slot = indexOf(*op, name);
    }
    if (slot >= op->parameters.size()) {
      if (name.empty())
        return std::nullopt;
      for (std::string_view parameter : entry.parameters)
        if (parameter.starts_with(std::string(name) + "="))
          form = parameter.substr(name.size() + 1);
      const ForeignName *foreign = findForeign(Foreign::Argument, name);
      if (foreign && !foreign->ours.empty())
        slot = indexOf(*op, foreign->ours);
      const bool dropped = form.empty() ? foreign && foreign->omit : isOfForm(*argument.value, name, form);
      space = space || (form == "space" && dropped);
      if (slot >= op->parameters.size()) {
        if (!dropped && !isEmptyValue(*argument.value))
          return std::nullopt;
        continue;
      }
    }
    if (isEmptyValue(*argument.value))
      continue;
    const std::optional<std::string> value = ourValue(op->parameters[slot], *argument.value);
    if (!value || !values[slot].empty())
      return std::nullopt;
    values[slot] = *value;
  }
  if (!space)
    return std::nullopt; // a mean of everything
  if (theirs)
    for (auto [name, value] : entry.defaults)
      if (std::string &mine = values[indexOf(*op, name)]; mine.empty())
        mine = value;
  std::string text;
  bool positional = true;
  for (size_t i = first; i < values.size(); ++i) {
    const OpParameter &parameter = op->parameters[i];
    if (values[i].empty()) {
      if (parameter.required)
        return std::nullopt;
      positional = false;
      continue;
    }
    text += text.empty() ? "" : ", ";
    text += positional && parameter.required ? values[i] : std::string(parameter.name) + " = " + values[i];
  }
  const std::string name(op->name);
  return text.empty() && piped ? name : name + "(" + text + ")";
}

// `written` becomes `before` and the call; whether it does.
bool Sema::explainForeignCall(DiagnosticBuilder &report, const CallExpr &call, bool piped, Span written,
                              const std::string &before) {
  const ForeignCall *entry = findForeignCall(call.callee.text);
  if (!entry)
    return false;
  report.help(helpOf(*entry, call.callee.text));
  if (entry->omit && piped && !call.label) {
    report.rewrite({call.span.file, pipe_, call.span.end}, before);
    return true;
  }
  const std::optional<std::string> text = ourCall(call, *entry, piped);
  if (!text)
    return false;
  report.rewrite(written, before + *text);
  return true;
}

// `nn.Conv2d(...)`, `self.block(...)`, `x.relu()`.
Type Sema::inferDotted(CallExpr &call, Env &env, bool piped) {
  const Span name = cover(call.owner.span, call.callee.span);
  auto report = diagnostics_.report(diag::UnknownCallee, name, call.owner.text + "." + call.callee.text);
  const std::string first = call.owner.text.substr(0, call.owner.text.find('.'));
  const ForeignName *module = env.names.count(first) ? nullptr : findForeign(Foreign::Module, first);
  auto &scope = program_.scopes[env.file];
  auto block = scope.find(call.callee.text);
  // Theirs may have the name of another operation of ours: `x.mean([2, 3])`.
  const ForeignCall *theirs = findForeignCall(call.callee.text);
  const bool another = theirs && theirs->ours != call.callee.text && !(call.arguments.empty() && !module);
  const bool known = (findOperation(call.callee.text) && !another) || findFunction(call.callee.text) ||
                     (block != scope.end() && !block->second->network);
  const Span written{call.span.file, call.owner.span.begin, call.span.end};
  const std::string arguments(program_.sources.slice({call.span.file, call.callee.span.end, call.span.end}));
  bool rewritten = false;
  if (module) {
    report.help(std::string(module->help));
    if (known)
      report.rewrite({call.span.file, call.owner.span.begin, call.callee.span.begin}, "");
    else
      rewritten = explainForeignCall(report, call, piped, written, "");
  } else if (findForeign(Foreign::Property, call.callee.text) && !known) {
    report.help("a tensor has `channels`, `height` and `width`");
  } else {
    report.help("operations are no methods: a value is passed on by `|>`");
    if (known && !piped)
      report.rewrite(written,
                     call.owner.text + " |> " + call.callee.text + (arguments == "()" ? "" : arguments));
    else if (!piped)
      rewritten = explainForeignCall(report, call, true, written, call.owner.text + " |> ");
  }
  if (!rewritten)
    for (Argument &argument : call.arguments)
      infer(*argument.value, env);
  return Type::unknown();
}

// `self.width`.
bool Sema::foreignOwner(const MemberExpr &member, const Env &env) {
  if (member.base->kind != Expr::Kind::Name)
    return false;
  const Identifier &owner = static_cast<const NameExpr &>(*member.base).name;
  const ForeignName *module = findForeign(Foreign::Module, owner.text);
  if (!module || env.names.count(owner.text))
    return false;
  auto report = diagnostics_.report(diag::UnknownName, owner.span, owner.text);
  const ForeignName *value = findForeign(Foreign::Value, owner.text);
  report.help(std::string(value ? value->help : module->help));
  if (env.names.count(member.name.text))
    report.rewrite(cover(owner.span, member.name.span), member.name.text);
  return true;
}

bool Sema::explainForeignArgument(DiagnosticBuilder &report, const CallExpr &call, size_t index,
                                  const std::vector<std::string> &names) {
  const Argument &argument = call.arguments[index];
  const ForeignName *foreign = call.op ? findForeign(Foreign::Argument, argument.name.text) : nullptr;
  if (!foreign)
    return false;
  if (call.op->name == "mean" && (foreign->name == "dim" || foreign->name == "axis")) {
    report.help("`global_avg_pool` is " + std::string(meansOfSides));
    return true;
  }
  const bool has = std::find(names.begin(), names.end(), foreign->ours) != names.end();
  if (!foreign->ours.empty() && !has)
    return false;
  report.help(helpOf(*foreign));
  if (has) {
    report.rewrite(argument.name.span, std::string(foreign->ours));
  } else if (foreign->omit) {
    const int file = call.span.file;
    if (index > 0)
      report.rewrite({file, call.arguments[index - 1].value->span.end, argument.value->span.end}, "");
    else if (call.arguments.size() > 1) {
      const Argument &next = call.arguments[1];
      const Span begin = next.name.text.empty() ? next.value->span : next.name.span;
      report.rewrite({file, argument.name.span.begin, begin.begin}, "");
    } else {
      report.rewrite({file, argument.name.span.begin, argument.value->span.end}, "");
    }
  }
  return true;
}

// `resize(nearest-exact)`, `pad(1, mode = "reflect")`, `conv(8, 3, padding = valid)`.
bool Sema::foreignWord(const OpSignature &op, const OpParameter &parameter, const Expr &argument,
                       const Env &env) {
  if (parameter.kind != OpParam::Word && parameter.kind != OpParam::Padding)
    return false;
  std::string text = literal(argument).value_or("");
  if (argument.kind == Expr::Kind::Name &&
      !env.names.count(static_cast<const NameExpr &>(argument).name.text)) {
    text = static_cast<const NameExpr &>(argument).name.text;
  } else if (argument.kind == Expr::Kind::Binary) {
    const auto &binary = static_cast<const BinaryExpr &>(argument);
    if (binary.op == BinaryOp::Subtract && binary.left->kind == Expr::Kind::Name &&
        binary.right->kind == Expr::Kind::Name)
      text = static_cast<const NameExpr &>(*binary.left).name.text + "-" +
             static_cast<const NameExpr &>(*binary.right).name.text;
  }
  const ForeignName *word = text.empty() ? nullptr : findForeign(Foreign::Word, text);
  if (!word)
    return false;
  const bool padding = word->ours == "same_upper" || word->ours == "0";
  const bool has =
      parameter.kind == OpParam::Padding
          ? padding
          : std::find(parameter.words.begin(), parameter.words.end(), word->ours) != parameter.words.end();
  if (parameter.kind == OpParam::Padding && !has)
    return false;
  auto report = diagnostics_.report(diag::BadValue, argument.span,
                                    "`" + std::string(parameter.name) + "` of `" + std::string(op.name) + "`",
                                    describe(parameter), "`" + text + "`");
  if (has)
    report.help(helpOf(*word)).rewrite(argument.span, std::string(word->ours));
  else if (word->ours.empty())
    report.help(std::string(word->help));
  return true;
}

} // namespace vernier::dsl
