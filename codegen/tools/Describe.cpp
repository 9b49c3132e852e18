// vernier describe
#include "codegen/tools/Configurations.h"
#include "codegen/tools/DescribeJson.h"
#include "codegen/tools/LoadModel.h"
#include "codegen/tools/TextTable.h"
#include "compiler/analysis/Cost.h"
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "dsl/Value.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"

namespace vernier::tools {
namespace {

struct DescribeOptions : ModelOptions {
  bool json = false, configurations = false;
};

std::string shapeText(int64_t channels, int64_t height, int64_t width) {
  return std::to_string(channels) + "x" + std::to_string(height) + "x" + std::to_string(width);
}

// "3..6", or "3x5..6x9" where height and width differ.
std::string fieldText(const compiler::ReceptiveField &field) {
  const auto size = [](const double(&pixels)[2]) {
    std::string text;
    llvm::raw_string_ostream out(text);
    out << llvm::format("%.6g", pixels[0]);
    if (pixels[0] != pixels[1])
      out << llvm::format("x%.6g", pixels[1]);
    return text;
  };
  return size(field.least) + ".." + size(field.most);
}

// A hole belongs to the block that declares it.
std::string blockOf(const HoleChannels &hole) {
  const size_t dot = hole.name.rfind('.');
  return dot == std::string::npos ? "" : hole.name.substr(0, dot);
}

void printTable(const LoadedModel &model) {
  mlir::ModuleOp module = *model.module;
  const compiler::CostSummary cost =
      compiler::summarizeCost(module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction));
  llvm::raw_ostream &out = llvm::outs();
  out << model.name << ": image " << shapeText(model.channels, model.height, model.width) << "\n\n";

  llvm::StringSet<> shown; // names of holes
  TextTable table({"place", "block", "result", "channels", ">MACs", ">parameters", ">receptive field"});
  for (const compiler::BlockCost &block : cost.blocks) {
    std::string channels;
    for (const HoleChannels &hole : model.holes)
      if (blockOf(hole) == block.place) {
        channels += (channels.empty() ? "" : ", ") + spaced(hole.channels);
        shown.insert(hole.name);
      }
    std::string result, field;
    if (block.field) {
      result = shapeText(vn::channelsOf(block.result), vn::heightOf(block.result), vn::widthOf(block.result));
      field = fieldText(*block.field);
    }
    table.add({std::string(2 * block.depth, ' ') + block.place, block.block, result, channels,
               withCommas(block.macs), withCommas(block.parameters), field});
  }
  if (!cost.blocks.empty()) {
    table.print(out);
    out << "\n";
  }
  for (const HoleChannels &hole : model.holes)
    if (!shown.contains(hole.name))
      out << "channels of `" << hole.name << "`: " << spaced(hole.channels) << "\n";
  const auto open = llvm::count_if(model.holes, [](const HoleChannels &hole) { return !hole.bound; });
  if (open > 0)
    out << open << " of " << model.holes.size() << " learned holes at their seeds\n";
  size_t configurations = 1;
  for (const HoleChoice &hole : model.choices) {
    out << "`" << hole.name << "` is " << dsl::formatFloat(hole.choices[hole.chosen])
        << (hole.bound ? "" : " unless it is bound") << ", of " << choicesText(hole) << "\n";
    configurations = llvm::SaturatingMultiply(configurations, hole.bound ? 1 : hole.choices.size());
  }
  if (configurations > 1)
    out << "1 of " << configurations << " configurations: --configurations lists them\n";
  out << llvm::format("%.3f G MACs", double(cost.macs) / 1e9) << " (" << withCommas(cost.macs) << "), "
      << llvm::format("%.2f M parameters", double(cost.parameters) / 1e6) << " ("
      << withCommas(cost.parameters) << ")\n";
}

void describe(const DescribeOptions &options) {
  if (options.configurations) {
    const ConfigurationTable table = tabulateConfigurations(options);
    if (options.json)
      llvm::outs() << configurationsJson(table);
    else
      printConfigurations(table);
    return;
  }
  const LoadedModel model = loadModel(options);
  if (options.json)
    llvm::outs() << describeJsonWithParameters(model);
  else
    printTable(model);
}

} // namespace

void addDescribeCommand(CLI::App &app) {
  auto *command =
      app.add_subcommand("describe", "Shapes, channels, MACs, parameters and receptive fields of each block");
  auto options = std::make_shared<DescribeOptions>();
  addModelOptions(*command, *options);
  command->add_flag("--json", options->json, "Print JSON, with names and shapes of the parameters");
  command->add_flag("--configurations", options->configurations,
                    "MACs and parameters of every configuration of `choose` holes instead");
  command->callback([options] { describe(*options); });
}

} // namespace vernier::tools
