// vernier allocate
#include "compiler/analysis/Allocation.h"
#include "compiler/analysis/AllocationBudget.h"
#include "compiler/lower/Configuration.h"
#include "driver/CodeOptions.h"
#include "driver/Device.h"
#include "driver/LoadModel.h"
#include "driver/TextTable.h"
#include "driver/latency/LatencyTable.h"
#include "driver/latency/NeuronLatency.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/Error.h"
#include "runtime/cli/Words.h"
#include "runtime/core/Shape.h"
#include "runtime/io/File.h"
#include "runtime/io/Weights.h"

#include "tools/Options.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/GlobPattern.h"
#include "llvm/Support/Path.h"

#include <cmath>
#include <map>

namespace vernier::tools {
namespace {

struct AllocateOptions : ModelOptions, CodeOptions, TimingOptions {
  std::string weights, output, latencies;
  std::vector<std::string> budgets;
  double exponent = 0;
  bool countFollowing = false, even = false;
};

//===- Gammas
//-----------------------------------------------------------------------------------------------------===//

constexpr int kMostMessages = 10;

// The gammas of all holes, each tensor read once. What is wrong with the file is reported in one message,
// tensor by tensor.
class GammaReader {
public:
  explicit GammaReader(const std::string &path) : file(runtime::Safetensors::read(path)) {
    runtime::checkFinite(file); // all of it: gammas of a training that diverged say nothing, finite or not
  }

  void read(vn::ParameterOp parameter) {
    const std::string name = parameter.getName().str();
    if (values.count(name))
      return;
    const std::vector<int64_t> expected = parameter.getType().getShape().vec();
    std::vector<float> &gamma = values[name];
    gamma.resize(size_t(expected[0]));
    const runtime::Safetensors::Tensor *tensor = file.find(name);
    if (!tensor)
      return complain("tensor `" + name + "` of shape " + runtime::shapeText(expected) + " is missing");
    if (tensor->shape != expected)
      return complain("tensor `" + name + "` has shape " + runtime::shapeText(tensor->shape) +
                      ", the seed network needs " + runtime::shapeText(expected));
    if (!runtime::Safetensors::isFloat(*tensor))
      return complain("tensor `" + name + "` has type " + tensor->type + ", a floating-point type is needed");
    file.copyFloats(*tensor, gamma.data());
  }

  void refuseMistakes() const {
    if (mistakes.empty())
      return;
    runtime::Error error(VN_ERROR_FORMAT, mistakes.front());
    error.at(file.place());
    for (size_t i = 1; i < mistakes.size() && i < kMostMessages; ++i)
      error.note(mistakes[i]);
    if (mistakes.size() > kMostMessages)
      error.note("and " + std::to_string(mistakes.size() - kMostMessages) + " more");
    error.help(
        "the weights must come from training this specification without a configuration: the seed network");
    throw error;
  }

  // Where several batch norms scale one neuron, their factors add up.
  std::vector<double> importances(const compiler::HoleScale &scale) const {
    std::vector<double> sum(size_t(scale.channels));
    for (compiler::GammaRange range : scale.gammas)
      for (int64_t i = 0; i < scale.channels; ++i)
        sum[size_t(i)] += std::abs(values.at(range.gamma.getName().str())[size_t(range.begin + i)]);
    return sum;
  }

private:
  void complain(const std::string &mistake) { mistakes.push_back(mistake); }

  runtime::Safetensors file;
  std::map<std::string, std::vector<float>> values;
  std::vector<std::string> mistakes;
};

GammaReader readGammas(const std::string &path, std::vector<compiler::LearnedHole> &holes) {
  GammaReader gammas(path);
  bool complete = true;
  for (compiler::LearnedHole &hole : holes)
    for (auto [index, scale] : llvm::enumerate(hole.scales)) {
      for (compiler::GammaRange range : scale.gammas)
        gammas.read(range.gamma);
      if (!scale.gammas.empty())
        continue;
      complete = false;
      mlir::InFlightDiagnostic error = scale.layer->emitError(
          "no batch norm follows this layer: nothing tells which of its neurons matter");
      error.attachNote(hole.op.getLoc())
          << "its channels are element " << index << " of hole `" << hole.op.getSymName()
          << "`; follow it by batch_norm, or use --even";
    }
  if (!complete)
    refuseReported();
  gammas.refuseMistakes();
  return gammas;
}

//===- Budgets
//----------------------------------------------------------------------------------------------------===//

std::vector<compiler::AllocationBudget> parseBudgets(const std::vector<std::string> &texts) {
  std::vector<compiler::AllocationBudget> budgets(1); // each hole's own limit
  for (const std::string &text : texts) {
    auto budget = compiler::AllocationBudget::parse(text);
    if (!budget)
      refuse(llvm::toString(budget.takeError()), "--budget",
             "UNIT, FRACTION, UNIT*FRACTION or UNIT=NUMBER, where UNIT is macs, params, neurons or latency "
             "(latency=0.05ms); `HOLES:` before it, such as layer1.*:neurons=88, for some holes only");
    budgets.push_back(std::move(*budget));
  }
  return budgets;
}

// The last of `budgets` that is for each hole.
std::vector<const compiler::AllocationBudget *>
matchBudgets(const std::vector<compiler::AllocationBudget> &budgets,
             std::vector<compiler::LearnedHole> &holes) {
  std::vector<const compiler::AllocationBudget *> matched(holes.size());
  for (const compiler::AllocationBudget &budget : budgets) {
    auto pattern = llvm::GlobPattern::create(budget.holes);
    if (!pattern)
      refuse("`" + budget.holes + "` is no pattern: " + llvm::toString(pattern.takeError()),
             "--budget " + budget.text, "write * for any text: layer1.*:neurons=88");
    bool any = false;
    for (size_t i = 0; i < holes.size(); ++i)
      if (pattern->match(holes[i].op.getSymName())) {
        matched[i] = &budget;
        any = true;
      }
    if (!any)
      refuse("no hole of the model is called `" + budget.holes + "`", "--budget " + budget.text,
             "the first hole is `" + holes.front().op.getSymName().str() + "`");
  }
  return matched;
}

std::string describeBudget(const AllocateOptions &options) {
  std::string text = options.budgets.empty() ? "the specification's" : llvm::join(options.budgets, ", ");
  if (options.countFollowing)
    text += "; the layers that follow included";
  return text;
}

//===- Latencies
//--------------------------------------------------------------------------------------------------===//

constexpr double kPicoseconds = 1e9; // in a millisecond

std::string milliseconds(double time) { return llvm::formatv("{0:f5} ms", time).str(); }

// What was measured must be of this network, at this size and in this way.
LatencyTable readLatencies(const AllocateOptions &options, const LoadedModel &model,
                           const std::vector<compiler::LearnedHole> &holes) {
  auto table = LatencyTable::read(options.latencies);
  if (!table)
    throw Refusal(llvm::toString(table.takeError()));
  const auto same = [&](const char *what, const std::string &measured, const std::string &wanted) {
    if (measured != wanted)
      refuse("the latencies are for " + std::string(what) + " " + measured + ", not " + wanted,
             options.latencies, "measure again, without --latencies");
  };
  same("model", table->model, model.name);
  same("images of", table->input, std::to_string(model.height) + "x" + std::to_string(model.width));
  same("a batch of", std::to_string(table->batch), std::to_string(options.batch));
  same("precision", table->precision, options.precision);
  same("target", table->target, options.target);
  for (const compiler::LearnedHole &hole : holes) {
    vn::HoleOp op = hole.op;
    const HoleLatency *measured = table->find(op.getSymName());
    if (!measured || measured->milliseconds.size() != hole.scales.size())
      refuse("the latencies have no entry of " + std::to_string(hole.scales.size()) + " scales for hole `" +
                 op.getSymName().str() + "`",
             options.latencies, "measure again, without --latencies");
  }
  return std::move(*table);
}

// allocated.toml -> allocated.latency.toml
std::string tablePath(const AllocateOptions &options) {
  llvm::SmallString<128> path(options.output);
  llvm::sys::path::replace_extension(path, ".latency.toml");
  return std::string(path);
}

std::vector<int64_t> picoseconds(const HoleLatency &measured) {
  std::vector<int64_t> costs;
  for (double time : measured.milliseconds)
    costs.push_back(std::llround(time * kPicoseconds));
  return costs;
}

// A difference that other work of the machine swallowed.
void warnOfNoTime(const HoleLatency &measured) {
  for (auto [index, time] : llvm::enumerate(measured.milliseconds))
    if (time == 0)
      llvm::errs()
          << "warning: the neurons of `" << measured.hole << "[" << index
          << "]` take no time that could be measured: they count as free\n"
          << "help: measure on a machine that does nothing else, with more --runs or a larger --batch\n";
}

// The seed's time less that of the neurons which are gone.
double predicted(const LatencyTable &table, const std::vector<compiler::LearnedHole> &holes,
                 const compiler::Configuration &configuration, double seed) {
  for (auto [hole, entry] : llvm::zip_equal(holes, configuration.holes))
    for (auto [scale, channels, time] :
         llvm::zip_equal(hole.scales, entry.channels, table.find(entry.hole)->milliseconds))
      seed -= double(scale.channels - channels) * time;
  return seed;
}

void reportLatency(const LatencyTable &table, const std::vector<compiler::LearnedHole> &holes,
                   const compiler::Configuration &configuration, const LoadedModel &model,
                   const AllocateOptions &options) {
  // Measured beside the seed, which may run at another speed than it did before.
  SeedAndAllocated times = {table.seedMilliseconds, 0};
  if (options.latencies.empty())
    times = measureAllocated(model, configuration, options, options, options);
  llvm::outs() << "\nper image, batch " << table.batch << ", "
               << (table.device.empty() ? runtime::counted(table.threads, "thread") : table.device)
               << ": the seed " << milliseconds(times.seed) << ", the allocated network "
               << milliseconds(predicted(table, holes, configuration, times.seed)) << " predicted";
  if (options.latencies.empty())
    llvm::outs() << ", " << milliseconds(times.allocated) << " measured";
  llvm::outs() << "\n";
}

//===- The command
//------------------------------------------------------------------------------------------------===//

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
                                  const GammaReader *gammas, llvm::ArrayRef<int64_t> costs, int64_t limit,
                                  std::vector<compiler::Scale> &scales) {
  for (auto [scale, cost] : llvm::zip_equal(hole.scales, costs))
    scales.push_back({scale.channels, cost,
                      compiler::costOf(scale, vn::BudgetKind::Macs, options.countFollowing),
                      gammas ? gammas->importances(scale) : std::vector<double>()});
  if (!gammas)
    return compiler::allocateEvenly(scales, limit);
  return compiler::countChannels(compiler::selectNeurons(scales, limit, options.exponent), scales.size());
}

// A budget in its unit: what one neuron at each scale costs, and what may be spent.
struct Spending {
  std::vector<int64_t> costs;
  std::optional<int64_t> limit;
  std::string unit;
  bool latency = false;

  std::string text(int64_t amount) const {
    return latency ? milliseconds(double(amount) / kPicoseconds) : withCommas(amount);
  }
};

Spending spendingOf(const compiler::AllocationBudget &budget, compiler::LearnedHole &hole,
                    const AllocateOptions &options, const LatencyTable &table) {
  Spending spending;
  if (budget.latency) {
    spending.costs = picoseconds(*table.find(hole.op.getSymName()));
    spending.limit = compiler::latencyLimitOf(budget, hole, spending.costs);
    spending.unit = "latency";
    spending.latency = true;
    return spending;
  }
  const vn::BudgetKind unit = compiler::unitOf(budget, hole.op);
  for (const compiler::HoleScale &scale : hole.scales)
    spending.costs.push_back(compiler::costOf(scale, unit, options.countFollowing));
  spending.limit = compiler::limitOf(budget, hole);
  spending.unit = compiler::unitName(unit).str();
  return spending;
}

void allocate(const AllocateOptions &options) {
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
  std::optional<GammaReader> gammas;
  if (!options.even)
    gammas = readGammas(options.weights, holes);
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
      warnOfNoTime(*latencies.find(name));
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
  table.print(llvm::outs());
  if (timed)
    reportLatency(latencies, holes, configuration, model, options);
}

} // namespace

void addAllocateCommand(CLI::App &app) {
  auto *command =
      app.add_subcommand("allocate", "Choose channels per scale from the weights of a trained seed network");
  auto options = std::make_shared<AllocateOptions>();
  addModelOptions(*command, *options, /*withConfiguration=*/false);
  command->add_option("-w,--weights", options->weights, "Weights of the trained seed network (.safetensors)");
  command->add_option("-b,--budget", options->budgets,
                      "What each hole may spend: macs, params, neurons or latency, a FRACTION of its own "
                      "limit, UNIT*FRACTION, "
                      "or UNIT=NUMBER (latency=0.05ms); HOLES: before it selects holes by a pattern. "
                      "Default: the specification's limits");
  command
      ->add_option("--exponent", options->exponent, "b of a neuron's importance, |gamma| / multiply-adds^b")
      ->check(CLI::Range(-10.0, 10.0))
      ->capture_default_str();
  command->add_flag("--count-following", options->countFollowing,
                    "A neuron also costs what the layers after it spend on it");
  command->add_flag("--even", options->even, "The same number of channels at each scale; needs no weights");
  addTargetOptions(*command, *options);
  addDeviceOption(*command, *options);
  addCodeOptions(*command, *options);
  command->remove_option(command->get_option("--loss"));
  command->add_option(
      "--latencies", options->latencies,
      "For a budget in latency: what an earlier call measured and left in OUTPUT.latency.toml");
  command->add_option("--threads", options->threads, "Of the programs that are timed for a latency")
      ->check(threadsValidator());
  command->add_option("--runs", options->runs, "Timed runs of each of them")
      ->check(runtime::atLeast(1))
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "Configuration to write (.toml); - for the terminal")
      ->required();
  command->callback([options] { allocate(*options); });
}

} // namespace vernier::tools
