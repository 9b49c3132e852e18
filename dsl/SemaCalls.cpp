// Calls: what is called, which argument is whose, and the types of both. Blocks and operations that are
// values.
#include "dsl/SemaImpl.h"

#include <algorithm>

namespace vernier::dsl {

static constexpr std::string_view kSoftmaxOfOne =
    "over the channels of one map it is `channel_softmax`, over its pixels `spatial_softmax`";

// Its type where the name is that of a block or an operation.
std::optional<Type> Sema::blockNamed(NameExpr &name, const Env &env) const {
  const auto &scope = program_.scopes[env.file];
  if (const auto found = scope.find(name.name.text); found != scope.end()) {
    name.callee.block = found->second;
  } else {
    name.callee.op = findOperation(name.name.text);
  }
  return name.callee ? std::optional(name.callee.signature()) : std::nullopt;
}

// Whether the call was rewritten whole.
bool Sema::unknownCallee(const CallExpr &call, const Env &env, bool piped) {
  auto report = diagnostics_.report(diag::UnknownCallee, call.callee.span, call.callee.text);
  if (!report)
    return false;
  std::vector<std::string> names;
  for (auto &[name, declaration] : program_.scopes[env.file])
    names.push_back(name);
  for (const OpSignature &op : operations())
    names.emplace_back(op.name);
  for (const FunctionSignature &function : functions())
    names.emplace_back(function.name);
  for (auto &[declaration, file] : fileOf_)
    if (declaration->name.text == call.callee.text && file != env.file) {
      report.note(std::string(declaration->network ? "a network" : "a block") +
                      " of this name is in a file that is not imported here",
                  declaration->name.span);
      return false;
    }
  if (findForeignCall(call.callee.text))
    return explainForeignCall(report, call, piped, {call.span.file, call.callee.span.begin, call.span.end},
                              "");
  std::string closest = closestName(call.callee.text, names);
  if (!closest.empty())
    report.help("closest name: `" + closest + "`").rewrite(call.callee.span, closest);
  return false;
}

Type Sema::inferCall(CallExpr &call, Env &env, const Type *piped) {
  if (!call.owner.text.empty())
    return inferDotted(call, env, piped != nullptr);
  call.partial = std::any_of(call.arguments.begin(), call.arguments.end(),
                             [](const Argument &argument) { return isPlaceholder(*argument.value); });
  auto &scope = program_.scopes[env.file];
  auto found = scope.find(call.callee.text);
  const auto value = env.names.find(call.callee.text);
  if (value != env.names.end() && value->second.is(Type::Kind::Block)) {
    const Type callee = value->second;
    return inferValueCall(call, callee, env, piped);
  }
  if (found != scope.end()) {
    call.block = found->second;
    return inferBlockCall(call, env, piped);
  }
  if ((call.op = findOperation(call.callee.text)))
    return inferOpCall(call, env, piped);
  if (findFunction(call.callee.text))
    return inferFunctionCall(call, env, piped);
  if (value != env.names.end() && !value->second.known())
    return inferValueCall(call, Type::unknown(), env, piped);
  else if (value != env.names.end())
    diagnostics_.report(diag::NotCallable, call.callee.span, describe(value->second), call.callee.text);
  else if (unknownCallee(call, env, piped != nullptr))
    return Type::unknown(); // its arguments are in the line as it should be
  for (Argument &argument : call.arguments)
    if (!isPlaceholder(*argument.value))
      infer(*argument.value, env);
  return Type::unknown();
}

bool Sema::bindArguments(CallExpr &call, std::span<const Parameter> parameters, bool piped) {
  std::vector<ParameterName> names;
  for (const Parameter &parameter : parameters)
    names.push_back({parameter.name.text, !parameter.defaultValue});
  return bindArguments(call, names, piped);
}

// Fills call.bound: the piped value and positional arguments in order, the named ones by name.
bool Sema::bindArguments(CallExpr &call, const std::vector<ParameterName> &parameters, bool piped) {
  const std::string &callee = call.callee.text;
  call.bound.assign(parameters.size(), nullptr);
  std::vector<bool> given(parameters.size(), false);
  size_t next = 0;
  bool fine = true;
  size_t positional = piped ? 1 : 0;
  for (const Argument &argument : call.arguments)
    positional += argument.name.text.empty();
  if (piped && !parameters.empty()) {
    given[0] = true;
    next = 1;
  }
  for (Argument &argument : call.arguments) {
    size_t slot = next;
    if (!argument.name.text.empty()) {
      for (slot = 0; slot < parameters.size() && parameters[slot].name != argument.name.text; ++slot) {
      }
      if (slot == parameters.size()) {
        auto report =
            diagnostics_.report(diag::UnknownArgument, argument.name.span, callee, argument.name.text);
        std::vector<std::string> names;
        for (size_t i = 0; i < parameters.size() && report; ++i)
          names.push_back(parameters[i].name);
        std::string closest = closestName(argument.name.text, names);
        const size_t index = static_cast<size_t>(&argument - call.arguments.data());
        if (explainForeignArgument(report, call, index, names))
          ;
        else if (!closest.empty())
          report.help("closest parameter: `" + closest + "`").rewrite(argument.name.span, closest);
        else if (!names.empty())
          report.help("it takes " + enumerate(names));
        fine = false;
        continue;
      }
    } else {
      ++next;
    }
    if (slot >= parameters.size()) {
      std::string takes =
          std::to_string(parameters.size()) + (parameters.size() == 1 ? " argument" : " arguments");
      auto report = diagnostics_.report(diag::TooManyArguments, argument.value->span, callee, takes,
                                        static_cast<int64_t>(positional));
      if (callee == "concat")
        report.help("the tensors are one list: `concat([a, b])`");
      else if (call.op && callee == "mean")
        report.help("`global_avg_pool` is " + std::string(meansOfSides));
      else if (piped)
        report.label("counting the one that `|>` passes");
      return false;
    }
    if (given[slot]) {
      auto report = diagnostics_.report(diag::RepeatedArgument, argument.name.span, parameters[slot].name);
      if (call.bound[slot])
        report.note("given here first", call.bound[slot]->span);
      else
        report.label("`|>` passes it");
      fine = false;
      continue;
    }
    given[slot] = true;
    call.bound[slot] = argument.value.get();
  }
  std::vector<std::string> missing;
  for (size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].required && !given[i])
      missing.push_back(parameters[i].name);
  if (piped && parameters.empty()) {
    diagnostics_.report(diag::TooManyArguments, call.callee.span, callee, "0 arguments", 1)
        .label("`|>` passes one");
    return false;
  }
  if (!missing.empty() && fine) {
    diagnostics_.report(diag::MissingArgument, call.callee.span, callee, enumerate(missing));
    fine = false;
  }
  return fine;
}

Type Sema::inferBlockCall(CallExpr &call, Env &env, const Type *piped) {
  const Declaration &block = *call.block;
  if (block.brokenHeader || !bindArguments(call, std::span(block.parameters), piped)) {
    for (Argument &argument : call.arguments)
      if (!isPlaceholder(*argument.value))
        infer(*argument.value, env);
    return Type::unknown();
  }
  if (call.label)
    inferString(*call.label->text, env);
  for (size_t i = 0; i < call.bound.size(); ++i) {
    const Parameter &parameter = block.parameters[i];
    std::string what = "`" + parameter.name.text + "`";
    if (call.bound[i] && isPlaceholder(*call.bound[i]))
      continue;
    if (call.bound[i])
      require(const_cast<Expr &>(*call.bound[i]), parameter.type.type, what, env);
    else if (i == 0 && piped && !accepts(parameter.type.type, *piped))
      mismatch(call.callee.span, "what is piped into `" + block.name.text + "`",
               describe(parameter.type.type), parameter.type.type, *piped);
  }
  return call.partial ? partialCall(call, Callee{.block = &block}.signature(), piped) : resultOf(block);
}

// A call of the block that a name in scope is.
Type Sema::inferValueCall(CallExpr &call, const Type &callee, Env &env, const Type *piped) {
  call.value = true;
  if (call.label)
    inferString(*call.label->text, env);
  std::vector<ParameterName> parameters;
  for (size_t i = 0; i < callee.elements.size(); ++i)
    parameters.push_back({callee.names[i].empty() ? "argument " + std::to_string(i + 1) : callee.names[i],
                          i < callee.required});
  if (!callee.known() || !bindArguments(call, parameters, piped)) {
    for (Argument &argument : call.arguments)
      if (!isPlaceholder(*argument.value))
        infer(*argument.value, env);
    return Type::unknown();
  }
  for (size_t i = 0; i < call.bound.size(); ++i) {
    if (call.bound[i] && !isPlaceholder(*call.bound[i]))
      require(const_cast<Expr &>(*call.bound[i]), callee.elements[i], "`" + parameters[i].name + "`", env);
    else if (i == 0 && piped && !accepts(callee.elements[i], *piped))
      mismatch(call.callee.span, "what is piped into `" + call.callee.text + "`",
               describe(callee.elements[i]), callee.elements[i], *piped);
  }
  return call.partial ? partialCall(call, callee, piped) : Type::unknown();
}

// `f(_, 8)`: a block of what is open.
Type Sema::partialCall(const CallExpr &call, const Type &callee, const Type *piped) {
  if (piped)
    diagnostics_.report(diag::PartialCall, call.callee.span)
        .help(
            "`|>` passes the first argument; a call with `_` is a block for a later call: bind it to a name");
  if (call.label)
    diagnostics_.report(diag::MisplacedLabel, call.label->span, "a call with `_`")
        .help("label the call of the block that it makes");
  std::vector<Type> types;
  std::vector<std::string> names;
  for (size_t i = 0; i < call.bound.size(); ++i)
    if (call.bound[i] && isPlaceholder(*call.bound[i])) {
      types.push_back(callee.elements[i]);
      names.push_back(callee.names[i]);
    }
  const size_t count = types.size();
  return Type::block(std::move(types), std::move(names), count);
}

Type Sema::inferOpCall(CallExpr &call, Env &env, const Type *piped) {
  const OpSignature &op = *call.op;
  std::vector<ParameterName> parameters;
  for (const OpParameter &parameter : op.parameters)
    parameters.push_back({std::string(parameter.name), parameter.required});
  if (call.label) {
    inferString(*call.label->text, env);
    if (call.label->inlined)
      diagnostics_.report(diag::MisplacedLabel, call.label->span, "an operation")
          .label("`inline` leaves no name for it")
          .help("`inline` is for calls of blocks");
  }
  if (!bindArguments(call, parameters, piped)) {
    for (Argument &argument : call.arguments)
      if (!(argument.value->kind == Expr::Kind::Name))
        infer(*argument.value, env);
    return op.result;
  }
  for (size_t i = 0; i < call.bound.size(); ++i) {
    const OpParameter &parameter = op.parameters[i];
    if (call.bound[i] && isPlaceholder(*call.bound[i]))
      continue;
    if (call.bound[i]) {
      checkOpArgument(op, parameter, const_cast<Expr &>(*call.bound[i]), env);
    } else if (i == 0 && piped && !accepts(typeOf(parameter), *piped)) {
      auto report = diagnostics_.report(diag::TypeMismatch, call.callee.span,
                                        "what is piped into `" + std::string(op.name) + "`",
                                        describe(parameter), describe(*piped));
      report.help(op.op == Op::Softmax && piped->is(Type::Kind::Tensor)
                      ? std::string(kSoftmaxOfOne)
                      : std::string(conversionHelp(typeOf(parameter), *piped)));
    }
  }
  return call.partial ? partialCall(call, Callee{.op = &op}.signature(), piped) : op.result;
}

void Sema::checkOpArgument(const OpSignature &op, const OpParameter &parameter, Expr &argument, Env &env) {
  std::string what = "`" + std::string(parameter.name) + "` of `" + std::string(op.name) + "`";
  if (foreignWord(op, parameter, argument, env))
    return;
  if (parameter.kind == OpParam::Word && argument.kind == Expr::Kind::Name) {
    auto &name = static_cast<NameExpr &>(argument);
    const std::string &text = name.name.text;
    bool known = std::find(parameter.words.begin(), parameter.words.end(), text) != parameter.words.end();
    if (!env.names.count(text) && !known) {
      auto report =
          diagnostics_.report(diag::BadValue, name.span, what, describe(parameter), "`" + text + "`");
      std::string closest = closestName(text, {parameter.words.begin(), parameter.words.end()});
      if (!closest.empty())
        report.help("closest word: `" + closest + "`").rewrite(name.span, closest);
      return;
    }
  }
  Type type = infer(argument, env);
  if (!type.known())
    return;
  Type ints = Type::list(Type::integer());
  bool fine = false;
  switch (parameter.kind) {
  case OpParam::Tensor:
    fine = type.is(Type::Kind::Tensor);
    break;
  case OpParam::Labels:
    fine = type.is(Type::Kind::Labels);
    break;
  case OpParam::Tensors:
    fine = accepts(Type::list(Type::tensor()), type);
    break;
  case OpParam::Int:
    fine = type.is(Type::Kind::Int);
    break;
  case OpParam::Ints:
    fine = accepts(ints, type);
    break;
  case OpParam::IntOrInts:
    fine = type.is(Type::Kind::Int) || accepts(ints, type);
    break;
  case OpParam::Padding:
    fine = type.is(Type::Kind::Int) || type.is(Type::Kind::String) || accepts(ints, type);
    break;
  case OpParam::Float:
    fine = type.numeric();
    break;
  case OpParam::Floats:
    fine = accepts(ints, type) || accepts(Type::list(Type::floating()), type);
    break;
  case OpParam::Bool:
    fine = type.is(Type::Kind::Bool);
    break;
  case OpParam::Word:
    fine = type.is(Type::Kind::String);
    break;
  }
  if (fine)
    return;
  auto report = mismatch(argument.span, what, describe(parameter), typeOf(parameter), type);
  if (op.op == Op::Concat && !type.is(Type::Kind::Block))
    report.help("the tensors are one list: `concat([a, b])`");
  if (op.op == Op::Softmax && type.is(Type::Kind::Tensor))
    report.help(std::string(kSoftmaxOfOne));
}

Type Sema::inferFunctionCall(CallExpr &call, Env &env, const Type *piped) {
  const FunctionSignature &function = *findFunction(call.callee.text);
  call.function = function.function;
  if (call.label)
    diagnostics_.report(diag::MisplacedLabel, call.label->span, "function `" + call.callee.text + "`")
        .help("labels name operations and calls of blocks");
  std::vector<Type> types;
  std::vector<Span> spans;
  if (piped) {
    types.push_back(*piped);
    spans.push_back(call.callee.span);
  }
  for (Argument &argument : call.arguments) {
    if (!argument.name.text.empty())
      diagnostics_.report(diag::NamedFunctionArgument, argument.name.span, call.callee.text);
    types.push_back(infer(*argument.value, env));
    spans.push_back(argument.value->span);
  }
  int count = static_cast<int>(types.size());
  if (count < function.least) {
    int missing = function.least - count;
    diagnostics_.report(diag::MissingArgument, call.callee.span, call.callee.text,
                        std::to_string(missing) + (count ? " more" : "") +
                            (missing == 1 ? " argument" : " arguments"));
    return Type::unknown();
  }
  if (count > function.most) {
    diagnostics_.report(diag::TooManyArguments, spans[function.most], call.callee.text,
                        std::to_string(function.most) + (function.most == 1 ? " argument" : " arguments"),
                        count);
    return Type::unknown();
  }
  return functionResult(function.function, types, spans);
}

Type Sema::functionResult(Function function, const std::vector<Type> &types, const std::vector<Span> &spans) {
  std::string name;
  for (const FunctionSignature &signature : functions())
    if (signature.function == function)
      name = signature.name;
  auto wants = [&](size_t i, bool fine, const char *wanted) {
    if (types[i].known() && !fine)
      mismatch(spans[i], "the argument of `" + name + "`", wanted,
               std::string_view(wanted) == "int" ? Type::integer() : Type::unknown(), types[i]);
  };
  switch (function) {
  case Function::None:
    break;
  case Function::Len:
    wants(0, types[0].listLike(), "a list");
    return Type::integer();
  case Function::Sum: {
    Type element = elementOf(types[0]);
    bool summable = element.numeric() || element.is(Type::Kind::Tensor) || element.is(Type::Kind::Loss) ||
                    !element.known();
    wants(0, types[0].listLike() && summable, "a list of numbers, tensors or losses");
    return summable ? element : Type::unknown();
  }
  case Function::Min:
  case Function::Max: {
    if (types.size() == 1) {
      Type element = elementOf(types[0]);
      wants(0, types[0].listLike() && (element.numeric() || !element.known()), "a list of numbers");
      return element.numeric() ? element : Type::unknown();
    }
    Type result = types[0];
    for (size_t i = 0; i < types.size(); ++i) {
      wants(i, types[i].numeric(), "a number");
      result = join(result, types[i]);
    }
    return result.numeric() ? result : Type::unknown();
  }
  case Function::Range:
    for (size_t i = 0; i < types.size(); ++i)
      wants(i, types[i].is(Type::Kind::Int), "int");
    return Type::list(Type::integer());
  case Function::Zip: {
    std::vector<Type> elements;
    for (size_t i = 0; i < types.size(); ++i) {
      wants(i, types[i].listLike(), "a list");
      elements.push_back(elementOf(types[i]));
    }
    return Type::list(Type::tuple(std::move(elements)));
  }
  case Function::Enumerate:
    wants(0, types[0].listLike(), "a list");
    return Type::list(Type::tuple({Type::integer(), elementOf(types[0])}));
  case Function::Reverse:
    wants(0, types[0].listLike(), "a list");
    return Type::list(elementOf(types[0]));
  case Function::Even:
    for (size_t i = 0; i < types.size(); ++i)
      wants(i, types[i].is(Type::Kind::Int), "int");
    return Type::list(Type::integer());
  case Function::Floor:
  case Function::Ceil:
  case Function::Round:
  case Function::Int:
    wants(0, types[0].numeric(), "a number");
    return Type::integer();
  }
  return Type::unknown();
}

} // namespace vernier::dsl
