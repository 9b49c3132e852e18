#include "driver/allocate/Allocate.h"

#include "compiler/analysis/Allocation.h"
#include "compiler/lower/Configuration.h"
#include "driver/Device.h"
#include "driver/TextTable.h"
#include "driver/allocate/Budgets.h"
#include "driver/allocate/Gammas.h"
#include "driver/allocate/Latencies.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/io/File.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

#include <optional>

namespace vernier::driver {
namespace {

std::vector<compiler::LearnedHole> holesOf(const LoadedModel &model, const std::string &file) {
  mlir::ModuleOp module = *model.module;
  auto holes = compiler::findLearnedHoles(module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction));
  if (holes.empty())
    refuse("model `" + model.name + "` has no learned holes to allocate", file,
           "declare one: learned channels: [int] = even(64, 4) within macs(x |> conv(64, 3))");
  bool used = true;
  for (compiler::LearnedHole &hole : holes)
    for (auto [index, scale] : llvm::enumerate(hole.scales))
      if (!scale.layer) {
        hole.op.emitError("no layer has `") << hole.op.getSymName() << "[" << index << "]` channels";
        used = false;
      }
  if (!used)
    refuseReported();
  return holes;
}

std::vector<int64_t> allocateHole(compiler::LearnedHole &hole, const AllocateOptions &options,
                                  const Gammas *gammas, llvm::ArrayRef<int64_t> costs, int64_t limit,
                                  std::vector<compiler::Scale> &scales) {
  for (auto [scale, cost] : llvm::zip_equal(hole.scales, costs))
    scales.push_back({scale.channels, cost,
                      compiler::costOf(scale, vn::BudgetKind::Macs, options.countFollowing),
                      gammas ? gammas->importances(scale) : std::vector<double>()});
  if (!gammas)
    return compiler::allocateEvenly(scales, limit);
  return compiler::countChannels(compiler::selectNeurons(scales, limit, options.exponent), scales.size());
}

} // namespace

void allocate(const AllocateOptions &options, const Output &output) {
  if (options.even == !options.weights.empty())
    refuse(options.even ? "an even allocation needs no weights"
                        : "the weights of the trained seed network are needed",
           options.even ? "--even --weights" : "--weights",
           options.even ? "leave --weights out"
                        : "--weights FILE, or --even for an even allocation of the same budget");
  const std::vector<compiler::AllocationBudget> budgets = parseBudgets(options.budgets);
  const LoadedModel model = loadModel(options);
  std::vector<compiler::LearnedHole> holes = holesOf(model, options.file);
  const auto matched = matchBudgets(budgets, holes);
  std::optional<Gammas> gammas;
  if (!options.even)
    gammas.emplace(options.weights, holes);
  const bool timed = llvm::any_of(matched, [](const auto *budget) { return budget->latency; });
  if (timed && options.countFollowing)
    refuse("a measured latency counts the layers that follow in any case", "--count-following",
           "leave it out, or give a budget in multiply-adds");
  if (!timed && !options.latencies.empty())
    refuse("no budget is a latency", "--latencies", "--budget latency, latency*FRACTION or latency=TIME");
  LatencyTable latencies;
  if (timed && options.latencies.empty())
    requireDevice(options);
  if (timed)
    latencies = options.latencies.empty() ? measureNeurons(model, options, options, options)
                                          : readLatencies(options, model, holes);

  compiler::Configuration configuration;
  configuration.model = model.name;
  configuration.budget = describeBudget(options);
  llvm::raw_string_ostream note(configuration.note);
  if (options.even)
    note << "even allocation";
  else
    note << "ScaleNet's Algorithm 1, importance |gamma| / O^" << llvm::format("%g", options.exponent);
  TextTable table({"hole", "channels", "of the seed's", ">spent", ">of", "unit", ""});
  for (auto [hole, budget] : llvm::zip(holes, matched)) {
    const std::string name = hole.op.getSymName().str();
    const Spending spending = spendingOf(*budget, hole, options, latencies);
    if (!spending.limit)
      refuse("hole `" + name + "` has no limit of its own", options.file,
             "--budget macs=NUMBER, params=NUMBER, neurons=NUMBER or latency=TIME");
    if (spending.latency && *spending.limit < 1)
      refuse("hole `" + name +
                 "` would get no time: that of its dearest scale's neurons could not be measured",
             "--budget " + budget->text, "more --runs or a larger --batch; or latency=TIME");
    if (spending.latency)
      warnOfNoTime(*latencies.find(name), output.warnings);
    std::vector<compiler::Scale> scales;
    const std::vector<int64_t> channels =
        allocateHole(hole, options, gammas ? &*gammas : nullptr, spending.costs, *spending.limit, scales);
    const int64_t spent = compiler::costOf(scales, channels);
    if (llvm::all_of(channels, [](int64_t count) { return count == 0; }))
      refuse("the budget of hole `" + name + "`, " + spending.text(*spending.limit) + " " + spending.unit +
                 ", does not pay for a single neuron",
             budget->text.empty() ? options.file : "--budget " + budget->text);
    table.add({name, spaced(channels), spaced(hole.op.getSeed().vec()), spending.text(spent),
               spending.text(*spending.limit), spending.unit,
               llvm::formatv("{0:f1} %", 100.0 * double(spent) / double(*spending.limit)).str()});
    configuration.holes.push_back({name, channels});
  }
  if (timed && options.latencies.empty() && !runtime::findOutput(options.output).isThrough())
    runtime::writeFileAtomically(tablePath(options), latencies.toml());
  runtime::writeFileAtomically(options.output, compiler::textOf(configuration));
  if (options.output == "-") // there the configuration itself is what was asked for
    return;
  table.print(output.text);
  if (timed)
    reportLatency(latencies, holes, configuration, model, options, output.text);
}

} // namespace vernier::driver
