#include "driver/describe/Describe.h"

#include "compiler/analysis/Cost.h"
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "driver/Configurations.h"
#include "driver/LoadModel.h"
#include "driver/TextTable.h"
#include "driver/describe/DescribeDiff.h"
#include "driver/describe/DescribeDot.h"
#include "driver/describe/DescribeJson.h"
#include "driver/describe/DescribeSvg.h"
#include "driver/describe/DescribeText.h"
#include "dsl/Value.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/core/Shape.h"
#include "runtime/io/File.h"
#include "runtime/io/Text.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

namespace vernier::driver {
namespace {

std::string shapeText(int64_t channels, int64_t height, int64_t width) {
  return std::to_string(channels) + "x" + std::to_string(height) + "x" + std::to_string(width);
}

compiler::CostSummary costOf(const LoadedModel &model) {
  mlir::ModuleOp module = *model.module;
  return compiler::summarizeCost(module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction));
}

// What each kind of op costs.
void printKinds(llvm::raw_ostream &out, const compiler::CostSummary &cost) {
  TextTable table({"kind of op", ">ops", ">MACs", ">share", ">MiB moved"});
  const auto number = [](const char *format, double value) {
    std::string text;
    llvm::raw_string_ostream(text) << llvm::format(format, value);
    return text;
  };
  for (const compiler::KindCost &kind : cost.kinds)
    table.add({kind.kind, std::to_string(kind.ops), kind.macs ? withCommas(kind.macs) : "",
               kind.macs ? number("%.1f%%", 100.0 * double(kind.macs) / double(cost.macs)) : "",
               number("%.2f", double(kind.bytes) / (1 << 20))});
  table.print(out);
}

// What training is given and minimises, and what only it has.
void printTraining(llvm::raw_ostream &out, const LoadedModel &model) {
  if (!model.declaresLosses)
    return;
  std::vector<std::string> targets;
  for (const Target &target : model.targets) {
    const std::string size = std::to_string(target.height) + "x" + std::to_string(target.width);
    const bool pixels = target.height * target.width > 1;
    if (target.labels)
      targets.push_back("`" + target.name + "`, " + (pixels ? size + " labels" : "a label"));
    else
      targets.push_back("`" + target.name + "`, " +
                        (pixels ? shapeText(target.channels, target.height, target.width) + " numbers"
                                : runtime::counted(target.channels, "number")));
  }
  std::vector<std::string> losses;
  for (const std::string &loss : model.losses)
    losses.push_back("`" + loss + "`");
  out << "trained by " << (targets.empty() ? "the image alone" : llvm::join(targets, "; "))
      << (losses.empty() ? "" : ", for the losses " + llvm::join(losses, ", ")) << "\n";
  if (!model.trainingOnly.empty())
    out << "only in training: " << runtime::counted(model.trainingOnly.size(), "tensor") << ", `"
        << model.trainingOnly.front() << "`" << (model.trainingOnly.size() > 1 ? " and others" : "") << "\n";
}

void printTable(llvm::raw_ostream &out, const LoadedModel &model, const compiler::CostSummary &cost) {
  out << model.name << ": image " << shapeText(model.channels, model.height, model.width) << "\n\n";

  llvm::StringSet<> shown; // names of holes
  TextTable table({"place", "block", "result", "channels", ">MACs", ">parameters", ">receptive field"});
  for (const compiler::BlockCost &block : cost.blocks) {
    for (const HoleChannels &hole : model.holes)
      if (blockOf(hole) == block.place)
        shown.insert(hole.name);
    std::string result, field;
    if (block.field) {
      result = shapeText(vn::channelsOf(block.result), vn::heightOf(block.result), vn::widthOf(block.result));
      field = fieldText(*block.field);
    }
    table.add({std::string(2 * block.depth, ' ') + block.place, block.block, result,
               channelsText(model, block.place), withCommas(block.macs), withCommas(block.parameters),
               field});
  }
  if (!cost.blocks.empty()) {
    table.print(out);
    out << "\n";
  }
  printKinds(out, cost);
  out << "\n";
  for (const HoleChannels &hole : model.holes)
    if (!shown.contains(hole.name))
      out << "channels of `" << hole.name << "`: " << spaced(hole.channels) << "\n";
  const auto open = llvm::count_if(model.holes, [](const HoleChannels &hole) { return !hole.bound; });
  if (open > 0)
    out << open << " of " << runtime::counted(model.holes.size(), "learned hole") << " at "
        << (open == 1 ? "its seed" : "their seeds") << "\n";
  size_t configurations = 1;
  for (const HoleChoice &hole : model.choices) {
    out << "`" << hole.name << "` is " << dsl::formatFloat(hole.choices[hole.chosen])
        << (hole.bound ? "" : " unless it is bound") << ", of " << choicesText(hole) << "\n";
    configurations = llvm::SaturatingMultiply(configurations, hole.bound ? 1 : hole.choices.size());
  }
  if (configurations > 1)
    out << "1 of " << configurations << " configurations: --configurations lists them\n";
  printTraining(out, model);
  out << llvm::format("%.3f G MACs", double(cost.macs) / 1e9) << " (" << withCommas(cost.macs) << "), "
      << llvm::format("%.2f M parameters", double(cost.parameters) / 1e6) << " ("
      << withCommas(cost.parameters) << ")\n";
}

// The name under which a configuration is drawn.
std::string titleOf(const LoadedModel &model, const std::string &configuration) {
  return configuration.empty() ? model.name : runtime::utf8Text(llvm::sys::path::stem(configuration));
}

} // namespace

void describe(const DescribeOptions &options, llvm::raw_ostream &out) {
  if (!options.roofline.machine.empty())
    return describeRoofline(options, options.roofline, options.json, out);
  if (options.configurations) {
    const ConfigurationTable table = tabulateConfigurations(options);
    if (options.json)
      out << configurationsJson(table);
    else
      printConfigurations(out, table);
    return;
  }
  if (options.json && !options.other.empty())
    refuse("--json describes one configuration", "--diff",
           "describe each with --json and compare the results");
  const LoadedModel model = loadModel(options);
  const compiler::CostSummary cost = costOf(model);
  std::vector<Drawn> drawn = {{titleOf(model, options.configuration), model, cost}};
  std::optional<LoadedModel> other;
  compiler::CostSummary otherCost;
  if (!options.other.empty()) {
    ModelOptions otherOptions = options;
    otherOptions.configuration = options.other;
    other = loadModel(otherOptions);
    otherCost = costOf(*other);
    drawn.push_back({titleOf(*other, options.other), *other, otherCost});
  }
  if (!options.svg.empty())
    runtime::writeFileAtomically(options.svg, drawSvg(drawn));
  if (!options.dot.empty())
    runtime::writeFileAtomically(options.dot, drawDot(model));
  if (options.json)
    out << describeJsonWithParameters(model);
  else if (other)
    printDifference(out, model, cost, *other, otherCost);
  else
    printTable(out, model, cost);
}

} // namespace vernier::driver
