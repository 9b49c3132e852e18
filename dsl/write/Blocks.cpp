// Blocks for the modules of a network that are the same but for numbers, the innermost first: what a module
// contains is a call where it became a block itself.
#include "dsl/Lexer.h"
#include "dsl/Ops.h"
#include "dsl/write/Outline.h"

#include <algorithm>
#include <map>
#include <set>

namespace vernier::dsl {
namespace {

bool isInside(const std::string &module, const std::string &place) {
  return place == module || (place.size() > module.size() && place.compare(0, module.size(), module) == 0 &&
                             place[module.size()] == '.');
}

std::string lastOf(const std::string &place) {
  const size_t dot = place.rfind('.');
  return dot == std::string::npos ? place : place.substr(dot + 1);
}

std::string parentOf(const std::string &place) {
  const size_t dot = place.rfind('.');
  return dot == std::string::npos ? "" : place.substr(0, dot);
}

bool isNumber(const std::string &text) { return text.find_first_not_of("0123456789") == std::string::npos; }

// A module of the network as it is now.
struct Module {
  std::string place;
  std::vector<size_t> items; // of the network
  OutlineBody body;          // its copy of them, labels within the module
};

// Each module is compared with all calls; a file of more would be too large to read anyway.
constexpr size_t mostItems = 20'000;

// The numbers of one argument in all modules that become one block.
using Column = std::vector<int64_t>;

class BlockFinder {
public:
  BlockFinder(const Graph &graph, Outline &outline) : graph(graph), outline(outline) {
    for (const Output &output : graph.outputs)
      outputs.insert(output.node);
  }

  void run() {
    std::map<int, std::set<std::string>> byHeight;
    for (const auto &[module, height] : heights())
      byHeight[height].insert(module);
    for (const auto &[height, places] : byHeight) {
      std::map<std::string, std::vector<Module>> groups;
      for (const std::string &place : places)
        if (std::optional<Module> module = cut(place))
          groups[formOf(module->body)].push_back(*std::move(module));
      std::vector<std::vector<Module>> repeated;
      for (auto &[form, group] : groups)
        if (group.size() > 1)
          repeated.push_back(std::move(group));
      // In the order of the network.
      std::sort(repeated.begin(), repeated.end(),
                [](const auto &a, const auto &b) { return a[0].items[0] < b[0].items[0]; });
      for (const std::vector<Module> &group : repeated)
        replace(group);
      removeReplaced();
    }
  }

private:
  // Of each module, how deep modules lie in one another there.
  std::map<std::string, int> heights() const {
    std::map<std::string, int> result;
    for (const OutlineItem &item : outline.network.items) {
      int height = 1;
      for (std::string place = item.module; !place.empty(); place = parentOf(place), ++height)
        result[place] = std::max(result[place], height);
    }
    return result;
  }

  // Nothing where the module is no block: it has several results, or just one operation.
  std::optional<Module> cut(const std::string &place) const {
    const std::vector<OutlineItem> &items = outline.network.items;
    Module module;
    module.place = place;
    std::set<int> made, inputs;
    bool layers = false;
    for (size_t i = 0; i < items.size(); ++i) {
      if (!isInside(place, items[i].module))
        continue;
      module.items.push_back(i);
      made.insert(items[i].result);
      layers = layers || !items[i].label.empty();
      OutlineItem copy = items[i];
      if (!copy.label.empty())
        copy.label = copy.label.substr(place.size() + 1);
      copy.module = copy.module.size() > place.size() ? copy.module.substr(place.size() + 1) : "";
      for (const int operand : copy.operands)
        if (!made.count(operand) && inputs.insert(operand).second)
          module.body.inputs.push_back(operand);
      module.body.items.push_back(std::move(copy));
    }
    std::set<int> results;
    for (const int value : made)
      if (outputs.count(value))
        results.insert(value);
    for (size_t i = 0; i < items.size(); ++i)
      if (!isInside(place, items[i].module))
        for (const int operand : items[i].operands)
          if (made.count(operand))
            results.insert(operand);
    if (module.items.size() < 2 || results.size() != 1 || !layers || module.body.inputs.empty() ||
        module.body.inputs.size() > 4)
      return std::nullopt;
    module.body.result = *results.begin();
    return module;
  }

  // Everything but the numbers.
  static std::string formOf(const OutlineBody &body) {
    std::map<int, std::string> names;
    for (size_t i = 0; i < body.inputs.size(); ++i)
      names[body.inputs[i]] = "in" + std::to_string(i);
    std::string form;
    for (size_t i = 0; i < body.items.size(); ++i) {
      const OutlineItem &item = body.items[i];
      form += item.label + ":" + item.callee + "(";
      for (const int operand : item.operands)
        form += names.at(operand) + ",";
      for (const OutlineArgument &argument : item.arguments)
        form += argument.name + "=" + (argument.number ? "#" : argument.text) + ",";
      form += ")";
      names[item.result] = std::to_string(i);
    }
    return form + names.at(body.result);
  }

  void replace(const std::vector<Module> &group) {
    OutlineBlock block;
    block.name = nameFor(group);
    block.body = group[0].body;
    std::vector<Column> columns; // of the block's parameters
    Column inputChannels;
    for (const Module &module : group)
      inputChannels.push_back(graph.nodes[size_t(module.body.inputs[0])].shape.channels);
    std::vector<std::pair<size_t, size_t>> origins; // of parameters: item and argument
    for (size_t i = 0; i < block.body.items.size(); ++i)
      for (size_t j = 0; j < block.body.items[i].arguments.size(); ++j) {
        OutlineArgument &argument = block.body.items[i].arguments[j];
        if (!argument.number)
          continue;
        Column column;
        for (const Module &module : group)
          column.push_back(*module.body.items[i].arguments[j].number);
        if (std::all_of(column.begin(), column.end(), [&](int64_t n) { return n == column[0]; }))
          continue; // as it is
        argument.text = expressionFor(column, columns, block.parameters, inputChannels);
        if (argument.text.empty()) {
          argument.text = parameterName(block, argument, block.body.items[i]);
          columns.push_back(column);
          block.parameters.push_back({argument.text, mostCommon(column, argument.otherwise)});
        }
      }
    for (size_t m = 0; m < group.size(); ++m)
      call(group[m], block, columns, m);
    sortParameters(block);
    outline.blocks.push_back(std::move(block));
  }

  // A parameter that is there already, or what follows from one or from the operand.
  static std::string expressionFor(const Column &column, const std::vector<Column> &columns,
                                   const std::vector<OutlineParameter> &parameters,
                                   const Column &inputChannels) {
    for (size_t p = 0; p < columns.size(); ++p)
      if (columns[p] == column)
        return parameters[p].name;
    if (column == inputChannels)
      return "x.channels";
    const auto multiple = [&](const Column &of, const std::string &name) -> std::string {
      const int64_t up = of[0] > 0 ? column[0] / of[0] : 0, down = column[0] > 0 ? of[0] / column[0] : 0;
      bool times = up > 1, divided = down > 1;
      for (size_t i = 0; i < column.size(); ++i) {
        times = times && column[i] == of[i] * up;
        divided = divided && of[i] == column[i] * down;
      }
      return times ? name + " * " + std::to_string(up) : divided ? name + " / " + std::to_string(down) : "";
    };
    for (size_t p = 0; p < columns.size(); ++p)
      if (!parameters[p].otherwise)
        if (const std::string text = multiple(columns[p], parameters[p].name); !text.empty())
          return text;
    return multiple(inputChannels, "x.channels");
  }

  // Where the operation's argument may be left out, the block's may, too.
  static std::optional<int64_t> mostCommon(const Column &column, std::optional<int64_t> otherwise) {
    if (!otherwise)
      return std::nullopt;
    std::map<int64_t, int> counts;
    for (const int64_t number : column)
      ++counts[number];
    return std::max_element(counts.begin(), counts.end(),
                            [](const auto &a, const auto &b) { return a.second < b.second; })
        ->first;
  }

  static std::string parameterName(const OutlineBlock &block, const OutlineArgument &argument,
                                   const OutlineItem &item) {
    const auto taken = [&](const std::string &name) {
      return isKeyword(name) ||
             std::any_of(block.parameters.begin(), block.parameters.end(),
                         [&](const OutlineParameter &other) { return other.name == name; });
    };
    std::string name = argument.name;
    if (const std::string last = lastOf(item.label); taken(name) && !last.empty() && !isNumber(last))
      name = last + "_" + name;
    const std::string wanted = name;
    for (int number = 2; taken(name); ++number)
      name = wanted + std::to_string(number);
    return name;
  }

  // Those that may be left out come last.
  static void sortParameters(OutlineBlock &block) {
    std::vector<OutlineParameter> sorted;
    for (const bool optional : {false, true})
      for (const OutlineParameter &parameter : block.parameters)
        if (parameter.otherwise.has_value() == optional)
          sorted.push_back(parameter);
    block.parameters = std::move(sorted);
  }

  void call(const Module &module, const OutlineBlock &block, const std::vector<Column> &columns, size_t m) {
    OutlineItem call;
    call.callee = block.name;
    call.label = module.place;
    call.module = parentOf(module.place);
    call.operands = module.body.inputs;
    call.result = module.body.result;
    for (const bool optional : {false, true})
      for (size_t p = 0; p < columns.size(); ++p)
        if (block.parameters[p].otherwise.has_value() == optional) {
          OutlineArgument argument;
          argument.name = block.parameters[p].name;
          argument.number = columns[p][m];
          argument.otherwise = block.parameters[p].otherwise;
          argument.named = optional;
          call.arguments.push_back(std::move(argument));
        }
    for (const size_t item : module.items)
      replaced.insert(item);
    calls[module.items.back()] = std::move(call);
  }

  void removeReplaced() {
    std::vector<OutlineItem> items;
    for (size_t i = 0; i < outline.network.items.size(); ++i)
      if (const auto call = calls.find(i); call != calls.end())
        items.push_back(std::move(call->second));
      else if (!replaced.count(i))
        items.push_back(std::move(outline.network.items[i]));
    outline.network.items = std::move(items);
    replaced.clear();
    calls.clear();
  }

  // "downsample" of "layer2.0.downsample"; of "layer1.0", which has no name of its own, what its form is
  // called, or what it is a part of.
  std::string nameFor(const std::vector<Module> &group) {
    std::string name = lastOf(group[0].place);
    for (const Module &module : group)
      if (lastOf(module.place) != name)
        name = "0"; // they have several names
    if (isNumber(name)) {
      const OutlineItem &last = group[0].body.items.back();
      const bool sum =
          std::any_of(group[0].body.items.begin(), group[0].body.items.end(), [&](const OutlineItem &item) {
            return item.callee == "add" &&
                   std::count(item.operands.begin(), item.operands.end(), group[0].body.inputs[0]);
          });
      name = parentOf(group[0].place);
      while (isNumber(lastOf(name)) && !name.empty())
        name = parentOf(name);
      name = lastOf(name);
      name.erase(name.find_last_not_of("0123456789_") + 1);
      name = sum ? "residual" : name.empty() ? last.callee + "_block" : name + "_block";
    }
    const auto taken = [&](const std::string &wanted) {
      return wanted.size() < 2 || isKeyword(wanted) || isWord(wanted) || findOperation(wanted) ||
             findFunction(wanted) || wanted == "none" || wanted == "shared" || wanted == "image" ||
             std::any_of(outline.blocks.begin(), outline.blocks.end(),
                         [&](const OutlineBlock &block) { return block.name == wanted; });
    };
    if (taken(name) && !taken(name + "_block"))
      return name + "_block";
    std::string found = name;
    for (int number = 2; taken(found); ++number)
      found = name + "_" + std::to_string(number);
    return found;
  }

  const Graph &graph;
  Outline &outline;
  std::set<int> outputs;
  std::set<size_t> replaced;           // items of the network that a call stands for
  std::map<size_t, OutlineItem> calls; // at the last one
};

} // namespace

void findBlocks(const Graph &graph, Outline &outline) {
  if (outline.network.items.size() <= mostItems)
    BlockFinder(graph, outline).run();
}

} // namespace vernier::dsl
