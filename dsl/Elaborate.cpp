#include "dsl/Elaborator.h"

#include "dsl/ShapeRules.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_set>

namespace vernier::dsl {

bool isPlace(std::string_view text) {
  if (text.empty() || text.front() == '.' || text.back() == '.' || text.find("..") != std::string_view::npos)
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

std::optional<Graph> elaborate(Program &program, const ModelDecl &model, const ElaborateOptions &options,
                               Diagnostics &diagnostics) {
  return Elaborator(program, model, options, diagnostics).run();
}

std::optional<Graph> Elaborator::run() {
  PlaceScope place;
  Frame frame;
  frame.declaration = model_.declaration;
  frame.place = &place;
  graph_.model = model_.name.text;
  if (!modelParameters(frame))
    return std::nullopt;
  Value result;
  bool finished = execute(model_.declaration->body, frame, &result);
  const Body &body = model_.declaration->body;
  if (finished && !body.statements.empty() && body.statements.back()->kind == Stmt::Kind::Result)
    finished = addOutput("logits", result, body.statements.back()->span, frame);
  if (finished && !failed_ && graph_.outputs.empty())
    error(diag::NetworkOutputs, model_.declaration->name.span, frame, model_.declaration->name.text,
          "has no output")
        .help("its `output` statements are in branches that were not taken");
  if (finished && !failed_)
    checkArrayNames(frame);
  if (!finished || failed_)
    return std::nullopt;
  warnOfTargets();
  for (int file = 0; file < program_.sources.size(); ++file)
    graph_.files.push_back(program_.sources[file].path());
  return std::move(graph_);
}

// ---- statements

bool Elaborator::execute(const Body &body, Frame &frame, Value *result) {
  for (auto &statement : body.statements)
    if (!execute(*statement, frame, result))
      return false;
  return true;
}

// False stops the elaboration: what follows would only repeat the error.
bool Elaborator::execute(const Stmt &statement, Frame &frame, Value *result) {
  if (!step())
    return false;
  switch (statement.kind) {
  case Stmt::Kind::Assign: {
    auto &assign = static_cast<const AssignStmt &>(statement);
    Value value = eval(*assign.value, frame);
    if (assign.shared && !value.error())
      value = share(assign, value, frame);
    return !aborted_ && bind(assign.target, value, assign.target.span, frame);
  }
  case Stmt::Kind::For:
    return executeFor(static_cast<const ForStmt &>(statement), frame);
  case Stmt::Kind::If: {
    auto &branch = static_cast<const IfStmt &>(statement);
    const ChoiceSet outer = std::exchange(read_, 0);
    std::optional<bool> taken = truth(*branch.condition, "a condition", frame);
    const ChoiceSet condition = std::exchange(read_, outer);
    return taken &&
           under(condition, [&] { return execute(*taken ? branch.then : branch.otherwise, frame, result); });
  }
  case Stmt::Kind::Learned:
    return executeLearned(static_cast<const LearnedStmt &>(statement), frame);
  case Stmt::Kind::Choose:
    return executeChoose(static_cast<const ChooseStmt &>(statement), frame);
  case Stmt::Kind::Input:
    return executeInput(static_cast<const InputStmt &>(statement), frame);
  case Stmt::Kind::Target:
    return frame.network || executeTarget(static_cast<const TargetStmt &>(statement), frame);
  case Stmt::Kind::Loss:
    return frame.network || executeLoss(static_cast<const LossStmt &>(statement), frame);
  case Stmt::Kind::Require:
    return executeRequire(static_cast<const RequireStmt &>(statement), frame);
  case Stmt::Kind::Output: {
    auto &output = static_cast<const OutputStmt &>(statement);
    if (output.text)
      return namedOutput(output, frame);
    Value value = eval(*output.value, frame);
    if (aborted_ || !addOutput(output.name.text, value, output.name.span, frame))
      return false;
    frame.names[output.name.text] = value;
    return true;
  }
  case Stmt::Kind::Result: {
    Value value = eval(*static_cast<const ResultStmt &>(statement).value, frame);
    if (result)
      *result = std::move(value);
    return !aborted_;
  }
  }
  return true;
}

bool Elaborator::executeRequire(const RequireStmt &requirement, Frame &frame) {
  const ChoiceSet outer = read_;
  const std::optional<bool> holds = truth(*requirement.condition, "a condition", frame);
  read_ = outer;
  if (!holds || *holds)
    return holds.has_value();
  Value message = eval(*requirement.message, frame);
  if (!message.error() &&
      conform(message, Type::string(), "what `require` says", requirement.message->span, frame))
    error(diag::NotRequired, requirement.condition->span, frame, *message.text);
  return false;
}

bool Elaborator::executeFor(const ForStmt &loop, Frame &frame) {
  Value list = eval(*loop.list, frame);
  if (aborted_)
    return false;
  return iterate(list, loop.pattern, loop.list->span, frame,
                 [&] { return execute(loop.body, frame, nullptr); });
}

namespace {

// "i = 2, s = 4": what distinguishes one round of a loop from another.
void describeBinding(const Pattern &pattern, const Value &value, std::string &out) {
  if (out.size() > 60)
    return;
  if (!pattern.elements.empty()) {
    for (size_t i = 0; i < pattern.elements.size(); ++i)
      describeBinding(pattern.elements[i], value.list->elements[i], out);
  } else if (value.numeric() || value.is(Value::Kind::String)) {
    out += (out.empty() ? "" : ", ") + pattern.name.text + " = " + describe(value);
  }
}

void namesOf(const Pattern &pattern, std::vector<std::string_view> &out) {
  if (pattern.elements.empty())
    out.push_back(pattern.name.text);
  for (const Pattern &element : pattern.elements)
    namesOf(element, out);
}

} // namespace

bool Elaborator::iterate(const Value &list, const Pattern &pattern, Span span, Frame &frame,
                         const std::function<bool()> &body) {
  if (list.error())
    return false;
  if (!list.is(Value::Kind::List)) {
    error(diag::TypeMismatch, span, frame, "what `for` goes through", "a list", describe(typeOf(list)));
    return false;
  }
  std::vector<std::string_view> own;
  namesOf(pattern, own);
  std::vector<std::pair<std::string_view, std::optional<Value>>> before;
  for (std::string_view name : own) {
    auto found = frame.names.find(name);
    before.emplace_back(name, found == frame.names.end() ? std::nullopt : std::optional(found->second));
  }
  auto outer = loop_;
  bool going = true;
  for (const Value &element : list.list->elements) {
    going = step() && bind(pattern, element, span, frame);
    if (!going)
      break;
    std::string binding;
    describeBinding(pattern, element, binding);
    if (!binding.empty())
      loop_ = std::make_shared<const std::string>(std::move(binding));
    going = body();
    if (!going)
      break;
  }
  loop_ = outer;
  for (auto &[name, value] : before) {
    if (value)
      frame.names[name] = std::move(*value);
    else
      frame.names.erase(name);
  }
  return going;
}

bool Elaborator::bind(const Pattern &pattern, const Value &value, Span span, Frame &frame) {
  if (pattern.elements.empty()) {
    frame.names[pattern.name.text] = value;
    return true;
  }
  if (value.error()) {
    for (const Pattern &element : pattern.elements)
      bind(element, value, span, frame);
    return true;
  }
  if (!value.is(Value::Kind::List) || value.list->elements.size() != pattern.elements.size()) {
    error(diag::PatternMismatch, span, frame, static_cast<int64_t>(pattern.elements.size()),
          value.is(Value::Kind::List) ? describe(value) : describe(typeOf(value)));
    return false;
  }
  for (size_t i = 0; i < pattern.elements.size(); ++i)
    if (!bind(pattern.elements[i], value.list->elements[i], span, frame))
      return false;
  return true;
}

std::optional<std::string> Elaborator::holePlace(const Label *label, const Identifier &name, Frame &frame) {
  std::string own = name.text;
  if (label) {
    std::optional<std::string> written = labelText(*label, frame);
    if (!written)
      return std::nullopt;
    own = std::move(*written);
  }
  const std::string &path = frame.place->path;
  std::string place = path.empty() ? own : path + "." + own;
  if (!claim('h', place, "holes", label ? label->span : name.span, frame))
    return std::nullopt;
  return place;
}

bool Elaborator::executeLearned(const LearnedStmt &learned, Frame &frame) {
  if (!shared_.empty()) {
    notShared("a `learned` hole", learned.name.span, frame);
    return false;
  }
  Hole hole;
  hole.kind = Hole::Kind::Learned;
  const std::optional<std::string> place = holePlace(learned.label.get(), learned.name, frame);
  hole.place = place.value_or("");
  hole.location = locate(learned.name.span);
  Value seed = eval(*learned.seed, frame);
  if (!place || aborted_ || seed.error())
    return false;
  auto bad = [&](std::string_view found) {
    error(diag::BadSeed, learned.seed->span, frame, learned.name.text, found);
    return false;
  };
  if (!seed.is(Value::Kind::List) || seed.list->elements.empty())
    return bad(seed.is(Value::Kind::List) ? "an empty list" : describe(seed));
  int index = static_cast<int>(graph_.holes.size());
  std::vector<Value> elements;
  for (const Value &element : seed.list->elements) {
    if (element.error())
      return false;
    if (element.learned()) {
      learnedUse(element, "a seed", learned.seed->span, frame);
      return false;
    }
    if (!element.is(Value::Kind::Int) || element.integer < 0 || element.integer > maxChannels)
      return bad(describe(element) + " in it");
    hole.seed.push_back(element.integer);
    Value value = Value::ofInt(element.integer);
    value.hole = index;
    value.element = static_cast<int>(elements.size());
    elements.push_back(value);
  }
  if (!step(static_cast<int64_t>(elements.size())) || !budget(learned, hole, frame))
    return false;
  graph_.holes.push_back(std::move(hole));
  holeSpans_.push_back(learned.name.span);
  frame.names[learned.name.text] = Value::ofList(std::move(elements));
  return true;
}

// What the budget's expression builds is counted and taken away again.
bool Elaborator::budget(const LearnedStmt &learned, Hole &hole, Frame &frame) {
  const std::string &kind = learned.budgetKind.text;
  hole.budget = kind == "macs"     ? BudgetKind::Macs
                : kind == "params" ? BudgetKind::Parameters
                                   : BudgetKind::Neurons;
  Span span = learned.budget->span;
  if (hole.budget == BudgetKind::Neurons) {
    Value value = eval(*learned.budget, frame);
    auto limit = integer(value, "a budget", span, frame);
    if (!limit)
      return false;
    hole.limit = *limit;
  } else {
    size_t nodes = graph_.nodes.size(), holes = graph_.holes.size(), claimed = claimed_.size(),
           chooses = chooseHoles_.size();
    PlaceScope scratch{"<budget of " + hole.place + ">", {}};
    Frame inner = frame;
    inner.place = &scratch;
    Value value = eval(*learned.budget, inner);
    std::unordered_set<std::string_view> counted; // parameters of shared blocks once
    for (size_t i = nodes; i < graph_.nodes.size(); ++i) {
      const Node &node = graph_.nodes[i];
      if (hole.budget == BudgetKind::Parameters &&
          !counted.insert(node.parametersOf.empty() ? node.place : node.parametersOf).second)
        continue;
      const Shape input = node.operands.empty() ? Shape() : graph_.nodes[node.operands[0]].shape;
      hole.limit =
          saturatingSum(hole.limit, hole.budget == BudgetKind::Macs ? multiplyAdds(node, input)
                                                                    : parameterCount(node, input.channels));
    }
    graph_.nodes.resize(nodes);
    info_.resize(nodes);
    graph_.holes.resize(holes);
    holeSpans_.resize(holes);
    chooseHoles_.resize(chooses);
    for (; claimed_.size() > claimed; claimed_.pop_back())
      unclaim(claimed_.back());
    if (value.error())
      return false;
  }
  if (hole.limit <= 0) {
    auto report = error(diag::BadBudget, span, frame, learned.name.text, std::to_string(hole.limit));
    if (hole.budget != BudgetKind::Neurons)
      report.help("it counts what its expression adds: convolutions, not what they are applied to");
    return false;
  }
  return true;
}

bool Elaborator::executeChoose(const ChooseStmt &choose, Frame &frame) {
  if (!shared_.empty()) {
    notShared("a `choose` hole", choose.name.span, frame);
    return false;
  }
  Hole hole;
  hole.kind = Hole::Kind::Choose;
  const std::optional<std::string> place = holePlace(choose.label.get(), choose.name, frame);
  hole.place = place.value_or("");
  hole.location = locate(choose.name.span);
  Value choices = eval(*choose.choices, frame);
  if (!place || aborted_ || choices.error())
    return false;
  auto bad = [&](std::string_view found) {
    error(diag::BadChoices, choose.choices->span, frame, choose.name.text, found);
    return false;
  };
  if (!conform(choices, Type::list(choose.type.type), "what `choose` chooses from", choose.choices->span,
               frame))
    return false;
  for (const Value &choice : choices.list->elements) {
    double value = choice.asDouble();
    if (std::find(hole.choices.begin(), hole.choices.end(), value) != hole.choices.end())
      return bad("hold " + describe(choice) + " twice");
    hole.choices.push_back(value);
    if (!step(static_cast<int64_t>(hole.choices.size())))
      return false;
  }
  if (hole.choices.empty())
    return bad("are an empty list");
  constexpr size_t most = std::numeric_limits<ChoiceSet>::digits;
  if (chooseHoles_.size() == most)
    return bad("come after " + std::to_string(most) + " other `choose` holes, which is the most");
  const auto bindTo = [&](const std::vector<std::pair<std::string, double>> &values) {
    bool found = false;
    for (auto &[place, value] : values) {
      const auto choice = std::find(hole.choices.begin(), hole.choices.end(), value);
      if (place != hole.place || choice == hole.choices.end())
        continue;
      hole.chosen = static_cast<int>(choice - hole.choices.begin());
      found = true;
    }
    return found;
  };
  hole.bound = bindTo(options_.choices);
  if (!hole.bound)
    bindTo(options_.trial);
  Value chosen = choices.list->elements[hole.chosen];
  chosen.choices = ChoiceSet(1) << chooseHoles_.size();
  frame.names[choose.name.text] = chosen;
  chooseHoles_.push_back(static_cast<int>(graph_.holes.size()));
  graph_.holes.push_back(std::move(hole));
  holeSpans_.push_back(choose.name.span);
  return true;
}

// The elements of `list`, the value of `expr`: the size of an input or a target, of which `forms` says what
// is possible. Channels come first where the number of elements, one of `counts`, is odd.
std::optional<std::vector<int64_t>> Elaborator::sizes(const Value &list, const Expr &expr,
                                                      const Identifier &name, std::string_view forms,
                                                      const std::vector<size_t> &counts, Frame &frame) {
  if (aborted_ || list.error())
    return std::nullopt;
  const std::string what = "the size of `" + name.text + "`";
  auto bad = [&](const std::string &found) {
    error(diag::BadValue, expr.span, frame, what, forms, found);
    return std::nullopt;
  };
  if (!list.is(Value::Kind::List))
    return bad(describe(list));
  const std::vector<Value> &elements = list.list->elements;
  if (std::find(counts.begin(), counts.end(), elements.size()) == counts.end())
    return bad(describe(list));
  std::vector<int64_t> out;
  for (const Value &element : elements) {
    auto value = integer(element, what, expr.span, frame);
    if (!value)
      return std::nullopt;
    const bool channels = out.empty() && elements.size() % 2 == 1;
    if (*value < 1 || *value > (channels ? maxChannels : maxSide))
      return bad("a size of " + std::to_string(*value));
    out.push_back(*value);
  }
  return out;
}

// A node whose place is a name that its statement gives.
Value Elaborator::addNamed(Node node, const Identifier &name, std::string_view written, ChoiceSet choices,
                           Frame &frame) {
  node.channels = node.shape.channels;
  auto text = std::make_unique<StringExpr>(name.span);
  text->parts.push_back({name.text, nullptr});
  CallExpr named(name.span);
  named.label = std::make_unique<Label>();
  named.label->span = name.span;
  named.label->text = std::move(text);
  return addNode(std::move(node), &named, written, written, name.span, nullptr, frame, "", choices, choices);
}

// ---- types

bool Elaborator::conform(Value &value, const Type &type, std::string_view what, Span span, Frame &frame) {
  if (value.error() || !type.known() || (value.is(Value::Kind::None) && type.optional))
    return !value.error();
  auto refuse = [&](const Value &found) {
    auto report = error(diag::TypeMismatch, span, frame, what, describe(type), describe(typeOf(found)));
    report.help(std::string(conversionHelp(type, typeOf(found))));
    return false;
  };
  switch (type.kind) {
  case Type::Kind::Int:
    return value.is(Value::Kind::Int) || refuse(value);
  case Type::Kind::Float:
    if (!value.numeric())
      return refuse(value);
    if (value.learned()) {
      learnedUse(value, what, span, frame);
      return false;
    }
    value.number = value.asDouble();
    value.kind = Value::Kind::Float;
    return true;
  case Type::Kind::Bool:
    return value.is(Value::Kind::Bool) || refuse(value);
  case Type::Kind::String: {
    if (!value.is(Value::Kind::String))
      return refuse(value);
    if (type.names.empty() || std::binary_search(type.names.begin(), type.names.end(), *value.text))
      return true;
    auto report = error(diag::BadValue, span, frame, what, describe(type), describe(value));
    const std::string closest = closestName(*value.text, type.names);
    if (!closest.empty())
      report.help("closest word: `" + closest + "`");
    return false;
  }
  case Type::Kind::Block:
    return (value.is(Value::Kind::Block) && accepts(type, value.block->type)) || refuse(value);
  case Type::Kind::Tensor:
    return value.is(Value::Kind::Tensor) || refuse(value);
  case Type::Kind::Labels:
    return value.is(Value::Kind::Labels) || refuse(value);
  case Type::Kind::Loss:
    return value.is(Value::Kind::Loss) || refuse(value);
  case Type::Kind::List: {
    if (!value.is(Value::Kind::List))
      return refuse(value);
    auto &elements = value.list->elements;
    if (!step(static_cast<int64_t>(elements.size())))
      return false;
    std::vector<Value> converted;
    converted.reserve(elements.size());
    for (const Value &element : elements) {
      converted.push_back(element);
      if (!conform(converted.back(), type.elements[0], "an element of " + std::string(what), span, frame))
        return false;
    }
    const ChoiceSet choices = value.choices;
    value = Value::ofList(std::move(converted));
    value.choices = choices;
    return true;
  }
  case Type::Kind::None:
  case Type::Kind::Tuple:
  case Type::Kind::Unknown:
    break;
  }
  return true;
}

// ---- places and nodes

Location Elaborator::locate(Span span) {
  auto [found, added] = locations_.try_emplace({span.file, span.begin});
  if (added)
    found->second = program_.sources.locate(span);
  return found->second;
}

std::optional<std::string> Elaborator::labelText(const Label &label, Frame &frame) {
  Value text = evalString(*label.text, frame);
  if (text.error())
    return std::nullopt;
  if (isPlace(*text.text))
    return *text.text;
  error(diag::BadPlace, label.span, frame, *text.text)
      .help("a place is made of letters, digits and underscores, joined by dots");
  return std::nullopt;
}

std::optional<std::string> Elaborator::placeOf(const CallExpr *call, std::string_view base, Frame &frame) {
  if (placeOfNext_)
    return *std::exchange(placeOfNext_, std::nullopt);
  std::string own;
  if (call && call->label) {
    std::optional<std::string> text = labelText(*call->label, frame);
    if (!text)
      return std::nullopt;
    own = std::move(*text);
  } else {
    own = base;
    bool digit = own.back() >= '0' && own.back() <= '9';
    int &counter = frame.place->counters[own];
    own += (digit ? "_" : "") + std::to_string(++counter);
  }
  std::string place = frame.place->path.empty() ? own : frame.place->path + "." + own;
  if (place.size() > maxPlace) {
    error(diag::BadPlace, call ? call->span : Span{}, frame, place.substr(0, 40) + "...")
        .help("a place has at most " + std::to_string(maxPlace) + " characters");
    return std::nullopt;
  }
  return place;
}

bool Elaborator::claim(char kind, const std::string &place, std::string_view plural, Span span,
                       Frame &frame) {
  std::string key = kind + place;
  auto [found, added] = places_.emplace(key, span);
  if (added) {
    claimed_.push_back(std::move(key));
    return true;
  }
  auto report = error(diag::DuplicatePlace, span, frame, plural, place);
  report.note("the first one", found->second);
  if (found->second == span)
    report.help("a label within a loop or an inlined block can hold its variable: `\"branch.{i}\": ...`");
  else if (kind == 'b')
    report.help("give one of them another label; calls that shall have the same parameters are those of a "
                "shared block: `shared head = ...`");
  else
    report.help("give one of them another label");
  return false;
}

Value Elaborator::addNode(Node node, const CallExpr *call, std::string_view base, std::string_view written,
                          Span span, LearnedWidthPtr width, Frame &frame, const std::string &suffix,
                          std::optional<ChoiceSet> scale, ChoiceSet arguments) {
  const ChoiceSet own = scale ? *scale : scaleOf(node);
  std::string place;
  if (suffix.empty()) {
    auto own = placeOf(call, base, frame);
    if (!own)
      return {};
    place = std::move(*own);
  } else {
    place = suffix;
  }
  if (!claim('o', place, "operations", span, frame))
    return {};
  if (elementCount(node.shape) > maxElements) {
    error(diag::MapTooLarge, span, frame, written,
          std::to_string(node.shape.channels) + "x" + formatSize(node.shape.height, node.shape.width))
        .help("a map has at most " + std::to_string(maxElements) + " elements");
    return {};
  }
  int64_t bytes = static_cast<int64_t>(sizeof(Node) + sizeof(NodeInfo) + 4 * place.size() +
                                       sizeof(Scope) * scopes_.size());
  for (const Scope &scope : scopes_)
    bytes += static_cast<int64_t>(scope.place.size() + scope.block.size());
  if (!charge(bytes))
    return {};
  if (static_cast<int64_t>(graph_.nodes.size()) >= options_.limits.nodes) {
    error(diag::TooManyNodes, span, frame, model_.name.text, options_.limits.nodes);
    aborted_ = true;
    return {};
  }
  node.place = std::move(place);
  if (!shareParameters(node, written, span, width, frame))
    return {};
  node.location = locate(span);
  node.scopes = scopes_;
  if (node.kind == OpKind::BatchNorm)
    node.variant = variantOf(own);
  const ChoiceSet choices = own | arguments | scaleOf(node) | control_;
  for (size_t i = 0; i < chooseHoles_.size(); ++i)
    if (choices >> i & 1)
      node.choices.push_back(chooseHoles_[i]);
  int target = -1;
  for (int operand : node.operands)
    target = std::max(target, info_[operand].target);
  graph_.nodes.push_back(std::move(node));
  info_.push_back({span, std::string(written), loop_, std::move(width), own, target});
  return Value::ofTensor(static_cast<int>(graph_.nodes.size()) - 1);
}

ChoiceSet Elaborator::scaleOf(const Node &node) const {
  ChoiceSet scale = 0;
  for (int operand : node.operands)
    scale |= info_[operand].scale;
  return scale;
}

std::string Elaborator::variantOf(ChoiceSet scale) const {
  std::string text;
  for (size_t i = 0; i < chooseHoles_.size(); ++i)
    if (scale >> i & 1) {
      const Hole &hole = graph_.holes[chooseHoles_[i]];
      text += (text.empty() ? "[" : ",") + formatFloat(hole.choices[hole.chosen]);
    }
  return text.empty() ? text : text + "]";
}

// ---- errors and limits

void Elaborator::explainCalls(DiagnosticBuilder &report, const Frame &frame) {
  constexpr int shown = 4;
  int count = 0;
  for (const Frame *at = &frame; at->caller; at = at->caller) {
    if (++count > shown)
      continue;
    constexpr size_t longest = 60;
    std::string path = at->place->path;
    if (path.size() > longest)
      path = "..." + path.substr(path.size() - longest);
    std::string where = path.empty() ? "" : " at `" + path + "`";
    report.call("in block `" + at->declaration->name.text + "`" + where + ", called here",
                at->call->callee.span);
  }
  if (count > shown)
    report.call("and " + std::to_string(count - shown) + " more calls", {});
}

void Elaborator::learnedUse(const Value &value, std::string_view where, Span span, Frame &frame) {
  error(diag::LearnedUse, span, frame, where)
      .label("its value is bound after elaboration")
      .note("the learned hole", holeSpans_[value.hole])
      .help("an element of a learned list can be the `channels` of `conv`; the list has `len`, indices and "
            "loops");
}

bool Elaborator::step(int64_t count) {
  if (aborted_)
    return false;
  steps_ += count;
  if (steps_ <= options_.limits.steps)
    return true;
  diagnostics_.report(diag::TooManySteps, model_.name.span, model_.name.text, options_.limits.steps)
      .help("loops or blocks repeat too often");
  failed_ = aborted_ = true;
  return false;
}

bool Elaborator::charge(int64_t bytes) {
  if (aborted_)
    return false;
  memory_ += bytes;
  if (memory_ <= options_.limits.memory * 1024 * 1024)
    return true;
  diagnostics_.report(diag::TooMuchMemory, model_.name.span, model_.name.text, options_.limits.memory)
      .help("the network has too many operations, or its blocks are nested too deeply");
  failed_ = aborted_ = true;
  return false;
}

} // namespace vernier::dsl
