// Calls of blocks, and blocks and operations that are values.
#include "dsl/Elaborator.h"
#include "dsl/Sema.h"

#include <algorithm>

namespace vernier::dsl {

namespace {

BlockValue whole(Callee callee) {
  BlockValue value{.callee = callee};
  value.bound.resize(callee.count());
  for (size_t i = 0; i < value.bound.size(); ++i)
    value.open.push_back(i);
  value.type = callee.signature();
  return value;
}

} // namespace

Value Elaborator::evalCall(const CallExpr &call, Frame &frame, const Value *piped) {
  if (aborted_)
    return {};
  // A name whose type the checker did not know may be that of a block or an operation, too.
  const auto bound = frame.names.find(call.callee.text);
  if (call.value || (bound != frame.names.end() && bound->second.is(Value::Kind::Block)))
    return callValue(call, frame, piped);
  if (call.partial)
    return partialCall(call, frame);
  if (call.block)
    return callBlock(call, frame, piped);
  if (call.op)
    return callOp(*call.op, call, evalArguments(call, frame, piped), frame);
  return evalFunction(call, frame, piped);
}

Elaborator::Arguments Elaborator::evalArguments(const CallExpr &call, Frame &frame, const Value *piped) {
  Arguments arguments(call.bound.size());
  for (size_t i = 0; i < arguments.size() && !aborted_; ++i)
    if (i == 0 && piped)
      arguments[i] = {*piped, call.callee.span};
    else if (call.bound[i])
      arguments[i] = {eval(*call.bound[i], frame), call.bound[i]->span};
  return arguments;
}

Value Elaborator::callBlock(const CallExpr &call, Frame &frame, const Value *piped) {
  return enterBlock(*call.block, call, evalArguments(call, frame, piped), frame);
}

Value Elaborator::enterBlock(const Declaration &block, const CallExpr &call, Arguments arguments,
                             Frame &frame, const std::string *path) {
  if (frame.depth >= options_.limits.callDepth) {
    error(diag::RecursionTooDeep, call.callee.span, frame, options_.limits.callDepth)
        .help("a block that calls itself needs an `if` that ends it");
    aborted_ = true;
    return {};
  }
  Frame inner;
  inner.declaration = &block;
  inner.caller = &frame;
  inner.call = &call;
  inner.depth = frame.depth + 1;
  Frame::NetworkCall network;
  if (block.takesInput && arguments[0]) {
    network.input = arguments[0]->value;
    inner.network = &network;
  }
  bool fine = true;
  for (size_t i = 0; i < block.parameters.size() && !aborted_; ++i) {
    const Parameter &parameter = block.parameters[i];
    if (!arguments[i])
      continue;
    auto &[value, span] = *arguments[i];
    fine = !value.error() &&
           conform(value, parameter.type.type, "`" + parameter.name.text + "`", span, frame) && fine;
    inner.names[parameter.name.text] = std::move(value);
  }
  PlaceScope own;
  bool inlined = call.label && call.label->inlined;
  inner.place = inlined ? frame.place : &own;
  if (path) {
    own.path = *path;
  } else if (!inlined && !aborted_) {
    auto place = placeOf(&call, block.name.text, frame);
    if (!place || !claim('b', *place, "blocks", call.callee.span, frame))
      return {};
    own.path = *place;
  }
  if (!fine || aborted_)
    return {};
  if (!inlined)
    scopes_.push_back({own.path, block.name.text, locate(call.callee.span)});
  Value result;
  bool finished = true;
  for (size_t i = 0; i < block.parameters.size() && finished; ++i) {
    const Parameter &parameter = block.parameters[i];
    if (inner.names.count(parameter.name.text))
      continue;
    Value value = eval(*parameter.defaultValue, inner);
    finished = !aborted_ && !value.error() &&
               conform(value, parameter.type.type, "the default of `" + parameter.name.text + "`",
                       parameter.defaultValue->span, inner);
    inner.names[parameter.name.text] = std::move(value);
  }
  finished = finished && execute(block.body, inner, &result);
  if (!inlined)
    scopes_.pop_back();
  if (std::vector<Value> &outputs = network.outputs; finished && !outputs.empty())
    return outputs.size() == 1 ? outputs.front() : makeList(std::move(outputs), call.span);
  return finished ? result : Value();
}

// ---- values

Value Elaborator::blockNamed(const NameExpr &name) const { return Value::ofBlock(whole(name.callee)); }

// `f(_, 8)`.
Value Elaborator::partialCall(const CallExpr &call, Frame &frame) {
  BlockValue block = whole({call.block, call.op});
  return fill(block, call, true, frame, nullptr) ? leftOpen(std::move(block), call) : Value();
}

Value Elaborator::callValue(const CallExpr &call, Frame &frame, const Value *piped) {
  const auto found = frame.names.find(call.callee.text);
  if (found == frame.names.end()) {
    noValue(call.callee, frame);
    return {};
  }
  const Value callee = found->second; // the name may be bound again meanwhile
  if (callee.error())
    return {};
  if (!callee.is(Value::Kind::Block)) {
    error(diag::NotCallable, call.callee.span, frame, describe(typeOf(callee)), call.callee.text);
    return {};
  }
  read_ |= callee.choices;
  return under(callee.choices, [&]() -> Value {
    BlockValue block = *callee.block;
    if (!fill(block, call, call.value && !call.bound.empty(), frame, piped))
      return {};
    if (call.partial)
      return leftOpen(std::move(block), call);
    if (block.shared)
      return callShared(std::move(block), call, frame);
    if (block.callee.block)
      return enterBlock(*block.callee.block, call, std::move(block.bound), frame);
    if (call.label && call.label->inlined) {
      error(diag::MisplacedLabel, call.label->span, frame, "an operation")
          .label("`inline` leaves no name for it");
      return {};
    }
    return callOp(*block.callee.op, call, block.bound, frame);
  });
}

// ---- shared blocks

Value Elaborator::share(const AssignStmt &statement, const Value &value, Frame &frame) {
  const Identifier &name = statement.target.name;
  if (!value.is(Value::Kind::Block)) {
    error(diag::TypeMismatch, statement.value->span, frame,
          statement.frozen ? "what is frozen" : "what is shared", "a block", describe(typeOf(value)));
    return {};
  }
  const std::string place = frame.place->path.empty() ? name.text : frame.place->path + "." + name.text;
  if (!claim('b', place, "blocks", name.span, frame) || !charge(static_cast<int64_t>(place.size())))
    return {};
  BlockValue block = *value.block;
  block.shared = std::make_shared<const std::string>(place);
  block.frozen = statement.frozen;
  return Value::ofBlock(std::move(block));
}

// The first call is at the place of the parameters, the others at `NAME_2`, `NAME_3`, or where a label says.
Value Elaborator::callShared(BlockValue block, const CallExpr &call, Frame &frame) {
  const std::string &shared = *block.shared;
  if (call.label && call.label->inlined) {
    error(diag::MisplacedLabel, call.label->span, frame, block.frozen ? "a frozen block" : "a shared block")
        .label("its parameters have a place, which `inline` leaves out");
    return {};
  }
  std::string path = shared;
  const int number = ++sharedCalls_[shared];
  claimed_.push_back(kCall + shared);
  if (call.label) {
    const auto place = placeOf(&call, "", frame);
    if (!place)
      return {};
    path = *place;
  } else if (number > 1) {
    path += "_" + std::to_string(number);
  }
  if ((call.label || number > 1) && !claim('b', path, "blocks", call.callee.span, frame))
    return {};
  shared_.emplace_back(path, shared, block.frozen || isFrozen());
  Value result;
  if (block.callee.block) {
    result = enterBlock(*block.callee.block, call, std::move(block.bound), frame, &path);
  } else {
    placeOfNext_ = path; // an operation is at the place itself
    result = callOp(*block.callee.op, call, block.bound, frame);
    placeOfNext_.reset();
  }
  shared_.pop_back();
  return result;
}

void Elaborator::unclaim(const std::string &key) {
  const std::string place = key.substr(1);
  if (key.front() == kCall)
    --sharedCalls_[place];
  else if (key.front() == kParameters)
    parametersAt_.erase(place);
  else
    places_.erase(key);
}

bool Elaborator::isFrozen() const { return !shared_.empty() && shared_.back().frozen; }

DiagnosticBuilder Elaborator::notShared(std::string_view what, Span span, Frame &frame) {
  return error(diag::NotShared, span, frame, what, isFrozen() ? "frozen" : "shared",
               shared_.back().parametersOf);
}

bool Elaborator::shareParameters(Node &node, std::string_view written, Span span,
                                 const LearnedWidthPtr &width, Frame &frame) {
  if (shared_.empty())
    return true;
  const bool isNorm = node.kind == OpKind::BatchNorm;
  if (isNorm && !isFrozen()) {
    notShared("`batch_norm`", span, frame)
        .help(
            "each call would move its running statistics; `layer_norm` has none, and a batch norm behind the "
            "shared block is each call's own");
    return false;
  }
  const bool layer = node.kind == OpKind::Convolution || node.kind == OpKind::TransposedConvolution ||
                     node.kind == OpKind::Linear;
  if (!layer && !isNorm && node.kind != OpKind::LayerNorm && node.kind != OpKind::GroupNorm &&
      node.kind != OpKind::LayerScale && node.kind != OpKind::Parameter && node.kind != OpKind::Prelu)
    return true;
  node.frozen = isFrozen();
  const bool oneForAll = node.kind == OpKind::Prelu && !node.perChannel; // whatever the width
  if (!oneForAll && !node.operands.empty() && (width || info_[node.operands[0]].width)) {
    notShared("`" + std::string(written) + "` of a learned width", span, frame)
        .help("another allocation would give each call parameters of another shape");
    return false;
  }
  std::string place = node.place;
  for (auto outer = shared_.rbegin(); outer != shared_.rend(); ++outer)
    if (place.starts_with(outer->place))
      place = outer->parametersOf + place.substr(outer->place.size());
  const auto [first, isNew] = parametersAt_.try_emplace(place, static_cast<int>(graph_.nodes.size()));
  if (isNew) {
    claimed_.push_back(kParameters + place);
  } else {
    const Node &known = graph_.nodes[first->second];
    const auto inputs = [&](const Node &of) {
      return of.operands.empty() ? 0 : graph_.nodes[of.operands[0]].shape.channels;
    };
    const bool same = known.kind == node.kind && known.perChannel == node.perChannel &&
                      (oneForAll || (known.channels == node.channels && inputs(known) == inputs(node))) &&
                      std::equal(known.kernel, known.kernel + 2, node.kernel) &&
                      known.groups == node.groups && known.bias == node.bias;
    if (!same) {
      error(diag::SharedShapes, span, frame, place).note("the first call's", info_[first->second].span);
      return false;
    }
    if (known.frozen != node.frozen) {
      error(diag::FrozenInPart, span, frame, place).note("the first call's", info_[first->second].span);
      return false;
    }
  }
  if (place != node.place)
    node.parametersOf = std::move(place);
  return true;
}

// Gives `block` the arguments of a call; what stays open are the parameters for which it has `_`.
// Where the checker `bound` the arguments, they are in the order of what is open.
bool Elaborator::fill(BlockValue &block, const CallExpr &call, bool bound, Frame &frame, const Value *piped) {
  std::vector<size_t> open;
  std::vector<bool> given(block.bound.size());
  bool fine = true;
  const auto give = [&](size_t slot, const Expr *expr, Span span) {
    if (slot >= block.open.size()) {
      const std::string takes =
          std::to_string(block.open.size()) + (block.open.size() == 1 ? " argument" : " arguments");
      error(diag::TooManyArguments, span, frame, call.callee.text, takes, static_cast<int64_t>(slot) + 1);
      return false;
    }
    const size_t parameter = block.open[slot];
    if (given[parameter]) {
      error(diag::RepeatedArgument, span, frame, block.callee.parameter(parameter));
      return false;
    }
    given[parameter] = true;
    if (expr && isPlaceholder(*expr)) {
      open.push_back(parameter);
      return true;
    }
    block.bound[parameter] = {expr ? eval(*expr, frame) : *piped, span};
    return !block.bound[parameter]->value.error();
  };
  if (piped)
    fine = give(0, nullptr, call.callee.span);
  if (bound) {
    for (size_t i = 0; i < call.bound.size() && !aborted_; ++i)
      if (call.bound[i])
        fine = give(i, call.bound[i], call.bound[i]->span) && fine;
  } else {
    size_t next = piped ? 1 : 0;
    for (const Argument &argument : call.arguments) {
      size_t slot = next;
      if (argument.name.text.empty()) {
        ++next;
      } else {
        slot = 0;
        while (slot < block.open.size() && block.callee.parameter(block.open[slot]) != argument.name.text)
          ++slot;
        if (slot == block.open.size()) {
          error(diag::UnknownArgument, argument.name.span, frame, call.callee.text, argument.name.text)
              .help("it takes " + enumerate(block.type.names));
          fine = false;
          continue;
        }
      }
      fine = give(slot, argument.value.get(), argument.value->span) && fine;
    }
  }
  std::vector<std::string> missing;
  for (size_t parameter : block.open)
    if (!given[parameter] && block.callee.required(parameter))
      missing.emplace_back(block.callee.parameter(parameter));
  if (fine && !missing.empty()) {
    error(diag::MissingArgument, call.callee.span, frame, call.callee.text, enumerate(missing));
    fine = false;
  }
  if (!fine || aborted_)
    return false;
  std::sort(open.begin(), open.end());
  block.open = std::move(open);
  return true;
}

// The value that a call with `_` makes.
Value Elaborator::leftOpen(BlockValue block, const CallExpr &call) {
  constexpr int maxDepth = 16;
  block.type = block.callee.signature(block.open);
  block.type.required = block.open.size();
  if (!charge(static_cast<int64_t>(sizeof(BlockValue) + block.bound.size() * sizeof(block.bound[0]))))
    return {};
  Value value = Value::ofBlock(std::move(block));
  if (value.block->depth <= maxDepth)
    return value;
  diagnostics_.report(diag::NestedTooDeeply, call.span, maxDepth).label("blocks within blocks");
  failed_ = aborted_ = true;
  return {};
}

} // namespace vernier::dsl
