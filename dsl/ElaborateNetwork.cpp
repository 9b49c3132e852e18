// A network's parameters, input and outputs: of a model, or of a call.
#include "dsl/Elaborator.h"
#include "dsl/Parser.h"
#include "dsl/Sema.h"
#include "dsl/ShapeRules.h"

#include <algorithm>

namespace vernier::dsl {

// The network's parameters: overrides, the model's arguments, defaults.
bool Elaborator::modelParameters(Frame &frame) {
  const Declaration &network = *model_.declaration;
  const std::span<const Parameter> parameters = network.written();
  std::map<std::string, const Expr *> overrides;
  for (auto &[name, text] : options_.overrides) {
    int file = program_.sources.add("<value of " + name.substr(0, 64) + ">", text);
    auto parameter = std::find_if(parameters.begin(), parameters.end(),
                                  [&](const Parameter &p) { return p.name.text == name; });
    if (parameter == parameters.end()) {
      auto report = error(diag::UnknownOverride, Span{}, frame, network.name.text, name);
      std::vector<std::string> names;
      for (const Parameter &p : parameters)
        names.push_back(p.name.text);
      std::string closest = closestName(name, names);
      if (!closest.empty())
        report.help("closest parameter: `" + closest + "`");
      else if (!names.empty())
        report.help("it takes " + enumerate(names));
      continue;
    }
    size_t errors = diagnostics_.size() + diagnostics_.dropped();
    ExprPtr value = parseExpression(program_.sources, file, diagnostics_);
    if (value)
      checkConstant(program_, *value, parameter->type.type, "`" + name + "`", diagnostics_);
    if (!value || errors != diagnostics_.size() + diagnostics_.dropped()) {
      failed_ = true;
      continue;
    }
    overrides[name] = value.get();
    overrides_.push_back(std::move(value));
  }
  if (failed_)
    return false;
  Frame constants = frame;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Parameter &parameter = parameters[i];
    auto found = overrides.find(parameter.name.text);
    const Expr *given = found != overrides.end() ? found->second : model_.network->bound[i];
    const Expr &expr = given ? *given : *parameter.defaultValue;
    Value value = eval(expr, given ? constants : frame);
    if (value.error() ||
        !conform(value, parameter.type.type, "`" + parameter.name.text + "`", expr.span, frame))
      return false;
    frame.names[parameter.name.text] = std::move(value);
  }
  return true;
}

bool Elaborator::executeInput(const InputStmt &input, Frame &frame) {
  const Value size = eval(*input.size, frame);
  auto dims = sizes(size, *input.size, input.name, "[channels, height, width]", {3}, frame);
  if (!dims)
    return false;
  if (frame.network) { // it is given a map, of any height and width
    const Value &map = frame.names[input.name.text] = frame.network->input;
    if (const LearnedWidthPtr width = widthOf(map)) {
      learnedMismatch(width, frame.declaration->name.text, frame.call->callee.span, frame);
      return false;
    }
    if (shapeOf(map).channels != (*dims)[0]) {
      auto report = error(diag::BadValue, frame.call->callee.span, frame,
                          "the input of `" + frame.declaration->name.text + "`",
                          std::to_string((*dims)[0]) + " channels", std::to_string(shapeOf(map).channels));
      report.note("the network's input", input.span);
      if (report)
        traceChannels(report, map);
      return false;
    }
    return true;
  }
  if (options_.height || options_.width) {
    auto &height = (*dims)[1], &width = (*dims)[2];
    height = options_.height ? options_.height : height;
    width = options_.width ? options_.width : width;
    if (height < 1 || height > maxSide || width < 1 || width > maxSide) {
      error(diag::BadInputSize, Span{}, frame, height, width)
          .help("height and width go from 1 to " + std::to_string(maxSide));
      return false;
    }
  }
  Node node;
  node.kind = OpKind::Input;
  node.shape = {(*dims)[0], (*dims)[1], (*dims)[2]};
  Value value = addNamed(std::move(node), input.name, "input", 0, frame);
  if (value.error())
    return false;
  frame.names[input.name.text] = value;
  return true;
}

bool Elaborator::addOutput(const std::string &name, const Value &value, Span span, Frame &frame) {
  Value map = value;
  if (!conform(map, Type::tensor(), "output `" + name + "`", span, frame))
    return false;
  if (frame.network) {
    frame.network->outputs.push_back(map);
    return charge(static_cast<int64_t>(sizeof(Value)));
  }
  if (shapeOf(value).channels == 0) {
    error(diag::NothingLeft, span, frame, "output");
    return false;
  }
  if (const int target = infoOf(value).target; target >= 0) {
    error(diag::OutputOfTarget, span, frame, name, graph_.nodes[target].place)
        .note("the target", info_[target].span)
        .help("outputs are there in inference, too, where no target is given");
    return false;
  }
  if (!claim('r', name, "outputs", span, frame))
    return false;
  graph_.outputs.push_back({name, value.node()});
  return true;
}

void Elaborator::noValue(const Identifier &name, Frame &frame) {
  auto report = error(diag::NoValue, name.span, frame, name.text);
  if (frame.network)
    for (const StmtPtr &statement : frame.declaration->body.statements)
      if (statement->kind == Stmt::Kind::Target &&
          static_cast<const TargetStmt &>(*statement).name.text == name.text) {
        report.help("it is a target, and a network that is called has none: compute with it in a `loss` "
                    "statement, which is left out");
        return;
      }
  report.help("it is bound only in a loop or branch that was not run");
}

// `output "p{i}" = x`.
bool Elaborator::namedOutput(const OutputStmt &output, Frame &frame) {
  const Value name = evalString(*output.text, frame);
  const Value value = eval(*output.value, frame);
  if (aborted_ || name.error())
    return false;
  const std::string &text = *name.text;
  if (!isPlace(text) || text.find('.') != std::string::npos || (text[0] >= '0' && text[0] <= '9')) {
    error(diag::BadValue, output.text->span, frame, "the name of an output",
          "made of letters, digits and underscores", describe(name));
    return false;
  }
  return addOutput(text, value, output.text->span, frame);
}

} // namespace vernier::dsl
