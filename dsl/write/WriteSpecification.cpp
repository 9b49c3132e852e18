#include "dsl/write/WriteSpecification.h"

#include "dsl/Format.h"
#include "dsl/Lexer.h"
#include "dsl/write/Outline.h"

#include <algorithm>
#include <map>
#include <set>

namespace vernier::dsl {
namespace {

// Where a pipeline goes on in the next line.
constexpr size_t kWidth = 96;

bool isOmitted(const OutlineArgument &argument) {
  return argument.number && argument.text.empty() && argument.otherwise &&
         *argument.number == *argument.otherwise;
}

std::string argumentText(const OutlineArgument &argument) {
  const std::string text =
      argument.text.empty() && argument.number ? std::to_string(*argument.number) : argument.text;
  return argument.named ? argument.name + " = " + text : text;
}

std::string argumentsText(const OutlineItem &item) {
  std::string text;
  for (const OutlineArgument &argument : item.arguments)
    if (!isOmitted(argument))
      text += (text.empty() ? "" : ", ") + argumentText(argument);
  return text;
}

bool sameArguments(const OutlineItem &a, const OutlineItem &b) {
  return argumentsText(a) == argumentsText(b);
}

// "layer1." and 2 of "layer1.2".
std::optional<std::pair<std::string, int>> numbered(const std::string &label) {
  const size_t begin = label.find_last_not_of("0123456789") + 1;
  if (begin == label.size() || label.size() - begin > 6 || (begin > 0 && label[begin - 1] != '.'))
    return std::nullopt;
  return std::pair(label.substr(0, begin), std::stoi(label.substr(begin)));
}

std::string labelText(const std::string &label) {
  if (label.empty())
    return "";
  std::string part;
  bool quoted = false;
  for (const char c : label + ".") {
    if (c != '.') {
      part += c;
      continue;
    }
    quoted = quoted || isKeyword(part);
    part.clear();
  }
  return (quoted ? "\"" + label + "\"" : label) + ": ";
}

std::string outputName(const std::string &name) { return isKeyword(name) ? "\"" + name + "\"" : name; }

class BodyWriter {
public:
  // `outputs`: of a network that names them; otherwise the body's result is its last line.
  // `reserved`: names that mean something else.
  BodyWriter(const OutlineBody &body, const std::vector<Output> &outputs, std::set<std::string> reserved)
      : body(body), outputs(outputs), reserved(std::move(reserved)) {}

  // `names`: of the inputs. The last name of a value that a line needs no longer is free for its result.
  std::string run(const std::vector<std::string> &inputs) {
    for (size_t i = 0; i < inputs.size(); ++i)
      names[body.inputs[i]] = inputs[i];
    for (const Output &output : outputs)
      reserved.insert(output.name);
    countUses();
    findLoops();
    findStatements();
    findLastUses();
    for (size_t i = 0; i < statements.size(); ++i)
      write(i);
    if (outputs.empty() && !resultWritten)
      text += "  " + names.at(body.result) + "\n";
    return text;
  }

private:
  struct Statement {
    std::vector<size_t> items; // a pipeline of them; of a loop, the calls that it makes
    bool loop = false;
    int result = 0;
    std::string output; // the name that the network gives it
  };

  void countUses() {
    for (size_t i = 0; i < body.items.size(); ++i) {
      makers[body.items[i].result] = i;
      for (const int operand : body.items[i].operands)
        users[operand].push_back(i);
    }
    for (const Output &output : outputs)
      ++outputsOf[output.node];
    if (outputs.empty())
      ++outputsOf[body.result];
  }

  bool usedOnceBy(int value, size_t item) const {
    const auto found = users.find(value);
    return found != users.end() && found->second.size() == 1 && found->second[0] == item &&
           !outputsOf.count(value);
  }

  void findLoops() {
    loopOf.assign(body.items.size(), -1);
    for (size_t i = 0; i < body.items.size(); ++i) {
      if (loopOf[i] >= 0 || !numbered(body.items[i].label) || body.items[i].operands.size() != 1)
        continue;
      std::vector<size_t> run = {i};
      for (;;) {
        const OutlineItem &last = body.items[run.back()];
        const auto user = users.find(last.result);
        if (user == users.end() || user->second.size() != 1 || !usedOnceBy(last.result, user->second[0]))
          break;
        const OutlineItem &next = body.items[user->second[0]];
        const auto number = numbered(last.label), nextNumber = numbered(next.label);
        if (!nextNumber || nextNumber->first != number->first || nextNumber->second != number->second + 1 ||
            next.callee != last.callee || next.form != OutlineItem::Form::Call || next.operands.size() != 1 ||
            !sameArguments(last, next))
          break;
        run.push_back(user->second[0]);
      }
      if (run.size() < 2)
        continue;
      for (const size_t item : run)
        loopOf[item] = int(loops.size());
      loops.push_back(run);
    }
  }

  // Whether a line goes on with `item` behind what computes its first operand.
  bool continues(size_t item) const {
    const OutlineItem &next = body.items[item];
    if (loopOf[item] >= 0 ||
        (next.form != OutlineItem::Form::Call && next.form != OutlineItem::Form::Binary) ||
        next.operands.empty())
      return false;
    const auto maker = makers.find(next.operands[0]);
    if (maker == makers.end() || loopOf[maker->second] >= 0 || !usedOnceBy(next.operands[0], item))
      return false;
    return std::count(next.operands.begin(), next.operands.end(), next.operands[0]) == 1;
  }

  void findStatements() {
    std::map<int, Statement> last;
    std::set<int> loopsDone;
    std::vector<bool> inner(body.items.size());
    for (size_t i = 0; i < body.items.size(); ++i)
      if (continues(i))
        inner[makers.at(body.items[i].operands[0])] = true;
    for (size_t i = 0; i < body.items.size(); ++i) {
      if (inner[i])
        continue;
      Statement statement;
      if (loopOf[i] >= 0) {
        const std::vector<size_t> &run = loops[size_t(loopOf[i])];
        if (i != run.back())
          continue;
        statement.items = run;
        statement.loop = true;
      } else {
        for (size_t item = i;; item = makers.at(body.items[item].operands[0])) {
          statement.items.insert(statement.items.begin(), item);
          if (!continues(item))
            break;
        }
      }
      statement.result = body.items[i].result;
      // What only is an output is one where it is computed, in the order of the outputs.
      const bool once = outputsOf.count(statement.result) && outputsOf.at(statement.result) == 1 &&
                        !users.count(statement.result) && !statement.loop;
      if (once && !outputs.empty())
        last[statement.result] = statement;
      else
        statements.push_back(statement);
    }
    for (const Output &output : outputs) {
      Statement statement;
      if (const auto found = last.find(output.node); found != last.end())
        statement = found->second;
      statement.result = output.node;
      statement.output = output.name;
      statements.push_back(statement);
    }
  }

  std::vector<int> readBy(const Statement &statement) const {
    std::vector<int> read;
    if (statement.items.empty())
      read.push_back(statement.result);
    for (size_t i = 0; i < statement.items.size(); ++i) {
      const std::vector<int> &operands = body.items[statement.items[i]].operands;
      read.insert(read.end(), operands.begin() + (i > 0 ? 1 : 0), operands.end());
    }
    return read;
  }

  void findLastUses() {
    for (size_t i = 0; i < statements.size(); ++i)
      for (const int value : readBy(statements[i]))
        lastUse[value] = i;
    if (outputs.empty())
      lastUse[body.result] = statements.size();
  }

  // Of the values that are still needed behind statement `i`, nobody's.
  std::string freeName(size_t i, const std::string &wanted) {
    std::set<std::string> taken = reserved;
    for (const auto &[value, name] : names)
      if (lastUse.count(value) && lastUse.at(value) > i)
        taken.insert(name);
    static const char *pool[] = {"x", "y", "z", "u", "v", "w"};
    if (!wanted.empty() && !taken.count(wanted) && wanted != "image")
      return wanted;
    for (const char *name : pool)
      if (!taken.count(name))
        return name;
    for (int number = 1;; ++number)
      if (const std::string name = "x" + std::to_string(number); !taken.count(name))
        return name;
  }

  void write(size_t i) {
    const Statement &statement = statements[i];
    if (statement.items.empty()) {
      text += "  output " + outputName(statement.output) + " = " + names.at(statement.result) + "\n";
      return;
    }
    if (statement.loop)
      return writeLoop(i);
    const std::string expression = pipeline(statement);
    if (!statement.output.empty()) {
      text += "  output " + outputName(statement.output) + " = " + expression + "\n";
    } else if (outputs.empty() && i + 1 == statements.size() && statement.result == body.result) {
      text += "  " + expression + "\n";
      resultWritten = true;
    } else {
      const std::vector<int> &head = body.items[statement.items[0]].operands;
      const std::string name = freeName(i, head.empty() ? "" : names.at(head[0]));
      text += "  " + name + " = " + expression + "\n";
      names[statement.result] = name;
    }
  }

  void writeLoop(size_t i) {
    const Statement &statement = statements[i];
    const OutlineItem &first = body.items[statement.items.front()];
    const auto [prefix, from] = *numbered(first.label);
    const int to = from + int(statement.items.size());
    const std::string before = names.at(first.operands[0]), name = freeName(i, before);
    if (name != before)
      text += "  " + name + " = " + before + "\n";
    const std::string range =
        from == 0 ? std::to_string(to) : std::to_string(from) + ", " + std::to_string(to);
    const std::string arguments = argumentsText(first);
    text += "  for i in range(" + range + ") {\n    " + name + " = " + name + " |> \"" + prefix +
            "{i}\": " + first.callee + (arguments.empty() ? "" : "(" + arguments + ")") + "\n  }\n";
    names[statement.result] = name;
  }

  std::string pipeline(const Statement &statement) const {
    std::string line, lines;
    for (size_t i = 0; i < statement.items.size(); ++i) {
      const OutlineItem &item = body.items[statement.items[i]];
      const std::string part = i == 0 ? head(item) : " |> " + call(item);
      if (line.size() + part.size() > kWidth && i > 0) {
        lines += line + "\n   ";
        line.clear();
      }
      line += part;
    }
    return lines + line;
  }

  std::string operand(const OutlineItem &item, size_t i) const { return names.at(item.operands[i]); }

  std::string head(const OutlineItem &item) const {
    switch (item.form) {
    case OutlineItem::Form::Binary: {
      static const std::map<std::string, std::string> signs = {
          {"add", " + "}, {"subtract", " - "}, {"multiply", " * "}, {"divide", " / "}};
      return operand(item, 0) + signs.at(item.callee) + operand(item, 1);
    }
    case OutlineItem::Form::Scale: {
      std::string expression = item.arguments[0].text;
      return expression.replace(expression.find('@'), 1, operand(item, 0));
    }
    case OutlineItem::Form::List: {
      std::string list;
      for (size_t i = 0; i < item.operands.size(); ++i)
        list += (list.empty() ? "" : ", ") + operand(item, i);
      return item.callee + "([" + list + "])";
    }
    case OutlineItem::Form::Call:
      break;
    }
    return item.operands.empty() ? call(item) : operand(item, 0) + " |> " + call(item);
  }

  // What stands behind `|>`.
  std::string call(const OutlineItem &item) const {
    std::string arguments;
    for (size_t i = 1; i < item.operands.size(); ++i)
      arguments += (arguments.empty() ? "" : ", ") + operand(item, i);
    const std::string more = argumentsText(item);
    arguments += (arguments.empty() || more.empty() ? "" : ", ") + more;
    return labelText(item.label) + item.callee + (arguments.empty() ? "" : "(" + arguments + ")");
  }

  const OutlineBody &body;
  const std::vector<Output> &outputs;
  std::set<std::string> reserved;
  std::string text;
  bool resultWritten = false;
  std::map<int, std::string> names;
  std::map<int, size_t> makers, lastUse;
  std::map<int, std::vector<size_t>> users;
  std::map<int, int> outputsOf;
  std::vector<int> loopOf;
  std::vector<std::vector<size_t>> loops;
  std::vector<Statement> statements;
};

std::string blockText(const OutlineBlock &block) {
  static const char *pool[] = {"x", "y", "z", "u", "v", "w"};
  std::vector<std::string> inputs;
  std::string parameters;
  for (size_t i = 0; i < block.body.inputs.size(); ++i) {
    inputs.push_back(i < 6 ? pool[i] : "x" + std::to_string(i));
    parameters += (i > 0 ? ", " : "") + inputs.back();
  }
  for (const OutlineParameter &parameter : block.parameters)
    parameters += ", " + parameter.name + ": int" +
                  (parameter.otherwise ? " = " + std::to_string(*parameter.otherwise) : "");
  return "block " + block.name + "(" + parameters + ") {\n" + BodyWriter(block.body, {}, {}).run(inputs) +
         "}\n\n";
}

} // namespace

std::string writeSpecification(const Graph &graph, const SpecificationText &options) {
  Outline outline = outlineOf(graph);
  if (options.blocks)
    findBlocks(graph, outline);
  std::string text = "// " + options.comment + "\n";
  for (const OutlineBlock &block : outline.blocks)
    text += blockText(block);
  const Shape &image = graph.nodes[size_t(outline.network.inputs[0])].shape;
  text += "network " + options.model + "_network() {\n  input image: [" + std::to_string(image.channels) +
          ", " + std::to_string(image.height) + ", " + std::to_string(image.width) + "]\n";
  std::set<std::string> reserved;
  for (const OutlineItem &item : outline.shared) {
    reserved.insert(item.label);
    const std::string arguments = argumentsText(item);
    text += "  shared " + item.label + " = " + item.callee + "(_" +
            (arguments.empty() ? "" : ", " + arguments) + ")\n";
  }
  const bool named = graph.outputs.size() != 1 || graph.outputs[0].name != "logits";
  const std::vector<Output> outputs = named ? graph.outputs : std::vector<Output>();
  text += BodyWriter(outline.network, outputs, std::move(reserved)).run({"image"});
  text += "}\n\nmodel " + options.model + " = " + options.model + "_network()\n";
  SourceSet sources;
  Diagnostics diagnostics;
  const int file = sources.add("", text);
  const std::optional<std::string> formatted = format(sources, file, diagnostics);
  return formatted ? *formatted : text;
}

} // namespace vernier::dsl
