#include "dsl/SemaImpl.h"

#include <algorithm>

namespace vernier::dsl {

void check(Program &program, Diagnostics &diagnostics) { Sema(program, diagnostics).run(); }

void checkConstant(Program &program, Expr &expr, const Type &type, std::string_view what,
                   Diagnostics &diagnostics) {
  Sema(program, diagnostics).constant(expr, type, what);
}

std::string enumerate(const std::vector<std::string> &names) {
  constexpr size_t shown = 12;
  std::string out;
  for (size_t i = 0; i < names.size() && i < shown; ++i)
    out += (i == 0 ? "`" : i + 1 == names.size() ? " and `" : ", `") + names[i].substr(0, 64) + "`";
  if (names.size() > shown)
    out += " and " + std::to_string(names.size() - shown) + " more";
  return out;
}

void Sema::run() {
  collect();
  for (File &file : program_.files)
    for (auto &declaration : file.declarations)
      resultOf(*declaration);
  for (File &file : program_.files)
    checkModels(file);
}

void Sema::constant(Expr &expr, const Type &type, std::string_view what) {
  collect();
  Env env;
  require(expr, type, what, env);
}

void Sema::Env::set(const std::string &name, Type type) {
  auto [found, added] = names.emplace(name, type);
  changes.push_back({name, !added, added ? Type::unknown() : found->second});
  found->second = std::move(type);
}

Sema::Env::Names Sema::Env::rollback(size_t mark) {
  Names changed;
  for (; changes.size() > mark; changes.pop_back()) {
    Change &change = changes.back();
    auto found = names.find(change.name);
    changed.emplace(change.name, found->second);
    if (change.existed)
      found->second = std::move(change.before);
    else
      names.erase(found);
  }
  return changed;
}

void Sema::Env::merge(const std::string &name, const Type &type) {
  auto found = names.find(name);
  set(name, found == names.end() ? type : join(found->second, type));
}

// ---- declarations

// A call gives a network its input as it gives a block its first map.
void Sema::takeInput(Declaration &network) {
  for (auto &statement : network.body.statements)
    if (statement->kind == Stmt::Kind::Input) {
      Parameter input{
          .name = static_cast<const InputStmt &>(*statement).name, .type = {}, .defaultValue = {}};
      input.type.type = Type::tensor();
      network.parameters.insert(network.parameters.begin(), std::move(input));
      network.takesInput = true;
      return;
    }
}

void Sema::collect() {
  program_.scopes.assign(program_.files.size(), {});
  for (File &file : program_.files) {
    auto &scope = program_.scopes[file.source];
    for (auto &declaration : file.declarations) {
      mutable_[declaration.get()] = declaration.get();
      fileOf_[declaration.get()] = file.source;
      if (declaration->network && !declaration->takesInput)
        takeInput(*declaration);
      const Identifier &name = declaration->name;
      if (findOperation(name.text) || findFunction(name.text)) {
        diagnostics_.report(diag::ReservedName, name.span, name.text).help("choose another name");
        continue;
      }
      auto [found, added] = scope.emplace(name.text, declaration.get());
      if (!added)
        diagnostics_.report(diag::DuplicateItem, name.span, name.text)
            .note("defined here first", found->second->name.span);
    }
  }
  for (File &file : program_.files) {
    auto &scope = program_.scopes[file.source];
    for (const ImportDecl &import : file.imports) {
      if (import.file < 0 || import.file == file.source)
        continue;
      for (auto &declaration : program_.files[import.file].declarations) {
        auto [found, added] = scope.emplace(declaration->name.text, declaration.get());
        if (added || found->second == declaration.get())
          continue;
        bool own = fileOf_[found->second] == file.source;
        auto report = own ? diagnostics_.report(diag::DuplicateItem, found->second->name.span, found->first)
                          : diagnostics_.report(diag::AmbiguousImport, import.span, found->first);
        report
            .note(own ? "it is imported too" : "defined here first",
                  own ? import.span : found->second->name.span)
            .note("and here", declaration->name.span);
      }
    }
  }
}

void Sema::checkModels(File &file) {
  std::map<std::string, Span> seen;
  for (ModelDecl &model : file.models) {
    auto [found, added] = seen.emplace(model.name.text, model.name.span);
    if (!added)
      diagnostics_.report(diag::DuplicateItem, model.name.span, model.name.text)
          .note("defined here first", found->second);
    CallExpr &call = *model.network;
    auto &scope = program_.scopes[file.source];
    auto network = scope.find(call.callee.text);
    if (network == scope.end() || !network->second->network) {
      auto report = diagnostics_.report(diag::NotANetwork, call.callee.span, call.callee.text);
      std::vector<std::string> names;
      for (auto &[name, declaration] : scope)
        if (declaration->network)
          names.push_back(name);
      std::string closest = closestName(call.callee.text, names);
      if (network != scope.end())
        report.note("it is a block", network->second->name.span);
      else if (!closest.empty())
        report.help("closest network: `" + closest + "`");
      continue;
    }
    model.declaration = network->second;
    call.block = network->second;
    Env env;
    env.file = file.source;
    const std::span<const Parameter> parameters = network->second->written();
    if (network->second->brokenHeader || !bindArguments(call, parameters, false))
      continue;
    for (size_t i = 0; i < call.bound.size(); ++i)
      if (call.bound[i]) {
        const Parameter &parameter = parameters[i];
        require(const_cast<Expr &>(*call.bound[i]), parameter.type.type, "`" + parameter.name.text + "`",
                env);
      }
  }
}

// Checks a declaration the first time it is asked for; a block that calls itself meets Unknown.
Type Sema::resultOf(const Declaration &declaration) {
  constexpr int maxCallDepth = 40;
  auto found = results_.find(&declaration);
  if (found != results_.end())
    return found->second.type;
  if (depth_ >= maxCallDepth)
    return Type::unknown();
  results_[&declaration] = {};
  ++depth_;
  Env env;
  env.file = fileOf_[&declaration];
  Declaration &checked = *mutable_[&declaration];
  Type type;
  if (!checked.brokenHeader)
    checkParameters(checked, env);
  if (!checked.brokenHeader && !checked.brokenBody) {
    checkBody(checked.body, env, &type);
    bool result =
        !checked.body.statements.empty() && checked.body.statements.back()->kind == Stmt::Kind::Result;
    if (checked.network)
      checkNetworkForm(checked);
    else if (!result)
      diagnostics_.report(diag::MissingResult, checked.body.end, checked.name.text)
          .help("the last line of a block is its result: an expression");
  }
  --depth_;
  results_[&declaration] = {true, type};
  return type;
}

void Sema::checkParameters(Declaration &declaration, Env &env) {
  std::map<std::string, Span> seen;
  for (const Parameter &parameter : declaration.written()) {
    auto [found, added] = seen.emplace(parameter.name.text, parameter.name.span);
    if (!added)
      diagnostics_.report(diag::DuplicateParameter, parameter.name.span, parameter.name.text)
          .note("the first one", found->second);
    const Type &type = parameter.type.type;
    const Type *inner = &type;
    while (inner->is(Type::Kind::List))
      inner = &inner->elements[0];
    const bool tensor = inner->is(Type::Kind::Tensor);
    if (declaration.network && (tensor || inner->is(Type::Kind::Labels) || inner->is(Type::Kind::Loss))) {
      auto report = diagnostics_.report(diag::TensorParameter, parameter.name.span, parameter.name.text,
                                        (inner->is(Type::Kind::Labels) ? "" : "a ") + describe(*inner));
      if (tensor)
        report.help("a network gets its tensor by `input`; give other parameters a type, such as `" +
                    parameter.name.text + (type.is(Type::Kind::List) ? ": [int]`" : ": int`"));
      else
        report.help("a network gets labels by `target`, and its losses are statements: `loss expression`");
    }
    if (parameter.defaultValue)
      require(*parameter.defaultValue, type, "the default of `" + parameter.name.text + "`", env);
    env.set(parameter.name.text, type);
  }
}

namespace {

void collectOutputs(const Body &body, std::vector<const OutputStmt *> &out) {
  for (auto &statement : body.statements) {
    if (statement->kind == Stmt::Kind::Output)
      out.push_back(static_cast<const OutputStmt *>(statement.get()));
    else if (statement->kind == Stmt::Kind::For)
      collectOutputs(static_cast<const ForStmt &>(*statement).body, out);
    else if (statement->kind == Stmt::Kind::If) {
      collectOutputs(static_cast<const IfStmt &>(*statement).then, out);
      collectOutputs(static_cast<const IfStmt &>(*statement).otherwise, out);
    }
  }
}

} // namespace

void Sema::checkNetworkForm(const Declaration &declaration) {
  const Stmt *input = nullptr;
  for (auto &statement : declaration.body.statements) {
    if (statement->kind != Stmt::Kind::Input)
      continue;
    if (input)
      diagnostics_.report(diag::NetworkInputs, statement->span, declaration.name.text)
          .note("the first one", input->span);
    input = statement.get();
  }
  checkTargets(declaration, input);
  if (!input)
    diagnostics_.report(diag::NetworkInputs, declaration.name.span, declaration.name.text)
        .help("say `input image: [3, 224, 224]` first");
  std::vector<const OutputStmt *> outputs;
  collectOutputs(declaration.body, outputs);
  const Stmt *last = declaration.body.statements.empty() ? nullptr : declaration.body.statements.back().get();
  bool result = last && last->kind == Stmt::Kind::Result;
  if (!result && outputs.empty())
    diagnostics_.report(diag::NetworkOutputs, declaration.name.span, declaration.name.text, "has no output")
        .help("end it with an expression, or name outputs: `output logits = ...`");
  else if (result && !outputs.empty())
    diagnostics_
        .report(diag::NetworkOutputs, last->span, declaration.name.text,
                "has both a result and named outputs")
        .note("a named output", outputs[0]->span)
        .help("name this one too: `output name = ...`");
}

// Training gives them by their names, beside the input.
void Sema::checkTargets(const Declaration &declaration, const Stmt *input) {
  std::map<std::string, Span> seen;
  if (input)
    seen.emplace(static_cast<const InputStmt *>(input)->name.text, input->span);
  for (auto &statement : declaration.body.statements) {
    if (statement->kind != Stmt::Kind::Target)
      continue;
    const Identifier &name = static_cast<const TargetStmt &>(*statement).name;
    auto [found, added] = seen.emplace(name.text, statement->span);
    if (!added)
      diagnostics_
          .report(diag::DuplicateTarget, name.span, name.text,
                  input && found->second == input->span ? "the input" : "another target")
          .note("the first one", found->second);
    if (input && statement->span.begin < input->span.begin)
      diagnostics_.report(diag::MisplacedStatement, statement->span, "target", "a network before its `input`")
          .note("the input", input->span);
  }
}

// ---- statements

void Sema::checkBody(Body &body, Env &env, Type *result) {
  for (auto &statement : body.statements)
    checkStatement(*statement, env, result);
}

void Sema::checkStatement(Stmt &statement, Env &env, Type *result) {
  switch (statement.kind) {
  case Stmt::Kind::Assign: {
    auto &assign = static_cast<AssignStmt &>(statement);
    Type type = infer(*assign.value, env);
    if (assign.shared && type.known() && !type.is(Type::Kind::Block)) {
      const std::string word = assign.frozen ? "frozen" : "shared";
      diagnostics_
          .report(diag::TypeMismatch, assign.value->span, "what is " + word, "a block", describe(type))
          .help("a call with `_` is a block: `" + word + " head = pyramid_head(_, classes = 80)`");
      type = Type::unknown();
    }
    bind(assign.target, type, env);
    break;
  }
  case Stmt::Kind::For:
    checkFor(static_cast<ForStmt &>(statement), env);
    break;
  case Stmt::Kind::If:
    checkIf(static_cast<IfStmt &>(statement), env);
    break;
  case Stmt::Kind::Learned:
    checkLearned(static_cast<LearnedStmt &>(statement), env);
    break;
  case Stmt::Kind::Choose: {
    auto &choose = static_cast<ChooseStmt &>(statement);
    checkHoleLabel(choose.label.get(), env);
    const Type &type = choose.type.type;
    if (!type.numeric())
      diagnostics_.report(diag::TypeMismatch, choose.type.span, "a `choose` hole", "int or float",
                          describe(type));
    require(*choose.choices, Type::list(type.numeric() ? type : Type::unknown()),
            "what `choose` chooses from", env);
    env.set(choose.name.text, type);
    break;
  }
  case Stmt::Kind::Require: {
    auto &requirement = static_cast<RequireStmt &>(statement);
    require(*requirement.condition, Type::boolean(), "a condition", env);
    require(*requirement.message, Type::string(), "what `require` says", env);
    break;
  }
  case Stmt::Kind::Input: {
    auto &input = static_cast<InputStmt &>(statement);
    require(*input.size, Type::list(Type::integer()), "the size of an input", env);
    env.set(input.name.text, Type::tensor());
    break;
  }
  case Stmt::Kind::Target: {
    auto &target = static_cast<TargetStmt &>(statement);
    require(*target.size, Type::list(Type::integer()), "the size of a target", env);
    env.set(target.name.text, target.labels ? Type::labels() : Type::tensor());
    break;
  }
  case Stmt::Kind::Loss:
    require(*static_cast<LossStmt &>(statement).value, Type::loss(), "what `loss` adds", env);
    break;
  case Stmt::Kind::Output: {
    auto &output = static_cast<OutputStmt &>(statement);
    if (output.text)
      inferString(*output.text, env);
    require(*output.value, Type::tensor(), output.text ? "an output" : "output `" + output.name.text + "`",
            env);
    if (!output.text)
      env.set(output.name.text, Type::tensor());
    break;
  }
  case Stmt::Kind::Result: {
    auto &expr = *static_cast<ResultStmt &>(statement).value;
    Type type = infer(expr, env);
    if (result)
      *result = type;
    break;
  }
  }
}

Type Sema::iterate(Expr &list, Env &env) {
  Type type = infer(list, env);
  if (type.known() && !type.listLike()) {
    auto report = diagnostics_.report(diag::TypeMismatch, list.span, "what `for` goes through", "a list",
                                      describe(type));
    if (type.is(Type::Kind::Int))
      report.help("to count, use `range(" + std::string(program_.sources.slice(list.span)) + ")`");
    return Type::unknown();
  }
  return elementOf(type);
}

namespace {

void namesOf(const Pattern &pattern, std::vector<std::string> &out) {
  if (pattern.elements.empty())
    out.push_back(pattern.name.text);
  for (const Pattern &element : pattern.elements)
    namesOf(element, out);
}

} // namespace

void Sema::checkFor(ForStmt &loop, Env &env) {
  Type element = iterate(*loop.list, env);
  size_t mark = env.changes.size();
  bind(loop.pattern, element, env);
  checkBody(loop.body, env, nullptr);
  // The loop's own variables end with it; what the body binds may have its old or its new type.
  std::vector<std::string> own;
  namesOf(loop.pattern, own);
  for (auto &[name, type] : env.rollback(mark))
    if (std::find(own.begin(), own.end(), name) == own.end())
      env.merge(name, type);
}

void Sema::checkIf(IfStmt &branch, Env &env) {
  require(*branch.condition, Type::boolean(), "a condition", env);
  size_t mark = env.changes.size();
  checkBody(branch.then, env, nullptr);
  Env::Names then = env.rollback(mark);
  checkBody(branch.otherwise, env, nullptr);
  Env::Names otherwise = env.rollback(mark);
  // A name that one branch alone binds may have no value: elaboration knows.
  for (auto &[name, type] : then) {
    auto other = otherwise.find(name);
    if (other == otherwise.end()) {
      env.merge(name, type);
    } else {
      env.set(name, join(type, other->second));
      otherwise.erase(other);
    }
  }
  for (auto &[name, type] : otherwise)
    env.merge(name, type);
}

void Sema::checkHoleLabel(const Label *label, Env &env) {
  if (!label)
    return;
  inferString(*label->text, env);
  if (label->inlined)
    diagnostics_.report(diag::MisplacedLabel, label->span, "a hole")
        .label("`inline` leaves no name for it")
        .help("`inline` is for calls of blocks");
}

void Sema::checkLearned(LearnedStmt &learned, Env &env) {
  checkHoleLabel(learned.label.get(), env);
  Type ints = Type::list(Type::integer());
  if (!(learned.type.type == ints))
    diagnostics_.report(diag::TypeMismatch, learned.type.span, "a `learned` hole", "[int]",
                        describe(learned.type.type));
  require(*learned.seed, ints, "the seed of `" + learned.name.text + "`", env);
  if (learned.budgetKind.text == "neurons") {
    require(*learned.budget, Type::integer(), "a budget of neurons", env);
  } else {
    Type type = infer(*learned.budget, env);
    bool tensors = type.listLike() && accepts(Type::list(Type::tensor()), type);
    if (type.known() && !type.is(Type::Kind::Tensor) && !tensors)
      diagnostics_
          .report(diag::TypeMismatch, learned.budget->span, "what `" + learned.budgetKind.text + "` counts",
                  "tensor", describe(type))
          .help("give the operations whose cost is the budget, such as `" + learned.budgetKind.text +
                "(x |> conv(64, 3))`, or a number of channels by `neurons`");
  }
  env.set(learned.name.text, ints);
}

void Sema::bind(const Pattern &pattern, const Type &type, Env &env) {
  if (pattern.elements.empty()) {
    env.set(pattern.name.text, widened(type));
    return;
  }
  bool wrongCount = type.is(Type::Kind::Tuple) && type.elements.size() != pattern.elements.size();
  if (type.known() && (!type.listLike() || wrongCount))
    diagnostics_.report(diag::PatternMismatch, pattern.span, static_cast<int64_t>(pattern.elements.size()),
                        describe(type));
  for (size_t i = 0; i < pattern.elements.size(); ++i) {
    bool tuple = type.is(Type::Kind::Tuple) && !wrongCount;
    bind(pattern.elements[i], tuple ? type.elements[i] : wrongCount ? Type::unknown() : elementOf(type), env);
  }
}

} // namespace vernier::dsl
