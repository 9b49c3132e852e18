// vernier search
#include "codegen/tools/BuildCommand.h"
#include "codegen/tools/OpenModel.h"
#include "codegen/tools/TextTable.h"
#include "codegen/tools/search/SearchTable.h"
#include "compiler/analysis/Cost.h"
#include "compiler/ir/VnOps.h"
#include "dsl/Value.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/Error.h"
#include "runtime/io/File.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

#include <nlohmann/json.hpp>

#include <thread>

namespace vernier::tools {
namespace {

struct SearchOptions : BuildOptions {
  std::string data, split = "test";
  int64_t first = 0, count = 0, sample = 0, seed = 1, runs = 10, processes = 1, threads = 0;
  std::vector<std::string> budgets;
  bool buildBest = false;
};

class Search {
public:
  explicit Search(const SearchOptions &options) : options(options) {
    for (const std::string &text : options.budgets) {
      auto budget = SearchBudget::parse(text);
      if (!budget)
        refuse(llvm::toString(budget.takeError()), "--budget",
               "such as --budget macs=2.3G --budget latency=8ms");
      budgets.push_back(*budget);
    }
  }

  void run() {
    const LoadedModel model = loadModel(options);
    if (!hasOpenChoices(model))
      refuse("model `" + model.name + "` has no open `choose` holes to search over", options.file);
    requireClasses(model, options);
    table.model = model.name;
    threads = options.threads ? options.threads : int64_t(std::max(1u, std::thread::hardware_concurrency()));
    rememberInputs(*model.module);
    buildAll();
    measure();
    collect();
    writeResults();
    answer();
  }

private:
  std::string path(const llvm::Twine &name) const { return (options.output + "/" + name).str(); }

  // A directory holds the results of one search: what was measured of other weights or images is worth
  // nothing. How many processes share the work does not matter.
  void rememberInputs(mlir::ModuleOp module) const {
    const std::vector<unsigned char> weights = runtime::readFile(options.weights);
    std::string inputs;
    llvm::raw_string_ostream out(inputs);
    out << "weights " << llvm::xxh3_64bits(weights) << "\ndata " << options.data << " " << options.split
        << " " << options.first << " " << options.count << "\nsample " << options.sample << " "
        << options.seed << "\n"
        << "batch " << options.batch << " runs " << options.runs << " " << options.cpu << " "
        << options.precision << "\n";
    std::string network;
    llvm::raw_string_ostream(network) << module;
    out << "network " << llvm::xxh3_64bits(llvm::arrayRefFromStringRef(network)) << "\n";
    if (auto error = llvm::sys::fs::create_directories(options.output))
      refuse("cannot create directory " + options.output + ": " + error.message(), "--output");
    if (!llvm::sys::fs::exists(path("inputs.txt")))
      return write(path("inputs.txt"), inputs);
    const std::vector<unsigned char> known = runtime::readFile(path("inputs.txt"));
    if (std::string(known.begin(), known.end()) != inputs)
      refuse("the directory holds the results of a search with another network, weights, images or options",
             path("inputs.txt"), "give another --output, or remove this one");
  }

  // The binary of all configurations, once: a search that was stopped goes on with it.
  void buildAll() {
    if (llvm::sys::fs::exists(path("all/" + table.model)))
      return;
    BuildOptions all = options;
    all.output = path("all");
    build(all);
  }

  // Accuracies by several processes that share the threads; times by one alone.
  void measure() {
    const int64_t processes = options.processes;
    std::vector<std::vector<std::string>> commands;
    for (int64_t i = 0; i < processes; ++i) {
      std::vector<std::string> command = common(std::max<int64_t>(1, threads / processes));
      const std::string shard = std::to_string(i) + "/" + std::to_string(processes);
      accuracyFiles.push_back(
          path("accuracy-" + llvm::Twine(i) + "-of-" + llvm::Twine(processes) + ".jsonl"));
      append(command, {"--data", options.data, "--split", options.split, "--first",
                       std::to_string(options.first), "--shard", shard, "--out", accuracyFiles.back()});
      if (options.count)
        append(command, {"--count", std::to_string(options.count)});
      commands.push_back(std::move(command));
    }
    runTogether(commands);
    std::vector<std::string> command = common(threads);
    append(command, {"--runs", std::to_string(options.runs), "--out", path("times.jsonl")});
    runTogether({command});
  }

  static void append(std::vector<std::string> &command, std::initializer_list<std::string> words) {
    command.insert(command.end(), words);
  }

  std::vector<std::string> common(int64_t threadCount) const {
    std::vector<std::string> command = {
        path("all/" + table.model), "tabulate", "--weights", options.weights, "--threads",
        std::to_string(threadCount)};
    if (options.sample)
      append(command, {"--sample", std::to_string(options.sample), "--seed", std::to_string(options.seed)});
    return command;
  }

  static void runTogether(const std::vector<std::vector<std::string>> &commands) {
    std::vector<llvm::sys::ProcessInfo> running;
    std::string message;
    for (const std::vector<std::string> &command : commands) {
      const std::vector<llvm::StringRef> words(command.begin(), command.end());
      bool failed = false;
      running.push_back(llvm::sys::ExecuteNoWait(command[0], words, std::nullopt, {}, 0, &message, &failed));
      if (failed)
        refuse("cannot run " + command[0] + ": " + message);
    }
    bool fine = true;
    for (const llvm::sys::ProcessInfo &process : running)
      fine &= llvm::sys::Wait(process, std::nullopt, &message).ReturnCode == 0;
    if (!fine)
      throw Refusal(""); // which the process has explained
  }

  // Calls `body` with each line; the files may come from other machines.
  template <class Body> static void forEachRow(const std::string &file, const Body &body) {
    const std::vector<unsigned char> bytes = runtime::readFile(file);
    llvm::SmallVector<llvm::StringRef> lines;
    llvm::StringRef(reinterpret_cast<const char *>(bytes.data()), bytes.size())
        .split(lines, '\n', -1, /*KeepEmpty=*/false);
    for (auto [number, line] : llvm::enumerate(lines)) {
      try {
        body(nlohmann::json::parse(line.begin(), line.end()));
      } catch (const nlohmann::json::exception &) {
        refuse("this is no line of a configuration", file + ":" + std::to_string(number + 1),
               "remove the file: what it held is measured again");
      }
    }
  }

  void collect() {
    llvm::StringMap<nlohmann::json> times;
    forEachRow(path("times.jsonl"),
               [&](const nlohmann::json &row) { times[row.at("configuration").get<std::string>()] = row; });
    for (const std::string &file : accuracyFiles)
      forEachRow(file, [&](const nlohmann::json &row) {
        SearchRow entry;
        entry.configuration = row.at("configuration");
        entry.macs = row.at("macs");
        entry.accuracy = row.at("accuracy");
        entry.top5 = row.at("top5");
        entry.loss = row.at("loss");
        table.images = row.at("images");
        const nlohmann::json &time = times[entry.configuration];
        entry.milliseconds = time.at("milliseconds");
        entry.low = time.at("milliseconds_low");
        entry.high = time.at("milliseconds_high");
        readValues(entry);
        entry.parameters = parametersOf(entry);
        table.rows.push_back(std::move(entry));
      });
    llvm::sort(table.rows,
               [](const SearchRow &a, const SearchRow &b) { return a.configuration < b.configuration; });
    table.threads = threads;
    table.batch = options.batch;
  }

  // The choices of a row's configuration, by the holes' names.
  void readValues(SearchRow &row) {
    llvm::SmallVector<llvm::StringRef> parts;
    llvm::StringRef(row.configuration).split(parts, ',');
    const bool first = table.holes.empty();
    for (llvm::StringRef part : parts) {
      const auto [hole, value] = part.split('=');
      double number = 0;
      value.getAsDouble(number);
      row.values.push_back(number);
      if (first)
        table.holes.push_back(hole.str());
    }
  }

  // Of the network of this configuration alone.
  int64_t parametersOf(const SearchRow &row) const {
    const LoadedModel model = loadModel(bound(row));
    mlir::ModuleOp module = *model.module;
    return compiler::summarizeCost(module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction)).parameters;
  }

  ModelOptions bound(const SearchRow &row) const {
    ModelOptions result = options;
    llvm::SmallVector<llvm::StringRef> parts;
    llvm::StringRef(row.configuration).split(parts, ',');
    for (llvm::StringRef part : parts)
      result.choices.push_back(part.str());
    return result;
  }

  static void write(const std::string &file, const std::string &contents) {
    runtime::writeFileAtomically(file, contents);
  }

  void writeResults() const {
    write(path("table.csv"), table.csv());
    write(path("table.toml"), table.toml());
    write(path("pareto-macs.svg"), paretoSvg(table, SearchBudget::Unit::Macs));
    write(path("pareto-latency.svg"), paretoSvg(table, SearchBudget::Unit::Latency));
  }

  static void addRow(TextTable &text, const SearchRow &row) {
    std::vector<std::string> cells;
    for (double value : row.values)
      cells.push_back(dsl::formatFloat(value));
    cells.insert(cells.end(), {llvm::formatv("{0:F2}%", 100 * row.accuracy), withCommas(row.macs),
                               withCommas(row.parameters), llvm::formatv("{0:F3}", row.milliseconds)});
    text.add(cells);
  }

  TextTable newTable() const {
    std::vector<std::string> titles;
    for (const std::string &hole : table.holes)
      titles.push_back(">" + hole);
    titles.insert(titles.end(), {">accuracy", ">MACs", ">parameters", ">ms per image"});
    return TextTable(titles);
  }

  // Prints the front, or what the budgets allow, which is also left as a configuration and, if asked for, as
  // a binary.
  void answer() const {
    llvm::raw_ostream &out = llvm::outs();
    out << table.rows.size() << " configurations of " << table.model << " on " << table.images
        << " images\n\n";
    TextTable front = newTable();
    for (const SearchRow *row : paretoFront(table, SearchBudget::Unit::Macs))
      addRow(front, *row);
    out << "most accurate for their multiply-adds:\n";
    front.print(out);
    if (budgets.empty())
      return;
    std::vector<std::string> texts;
    for (const SearchBudget &budget : budgets)
      texts.push_back(budget.text);
    const SearchRow *best = bestWithin(table, budgets);
    if (!best)
      refuse("no configuration is within " + llvm::join(texts, " and "), "--budget",
             "the cheapest are first in " + path("table.csv"));
    TextTable answer = newTable();
    addRow(answer, *best);
    out << "\nwithin " << llvm::join(texts, " and ") << ":\n";
    answer.print(out);
    std::string configuration = "# The most accurate within " + llvm::join(texts, " and ") + ": " +
                                llvm::formatv("{0:F2}%", 100 * best->accuracy).str() + " on " +
                                std::to_string(table.images) + " images.\n[configuration]\nmodel = \"" +
                                table.model + "\"\n\n[holes]\n";
    for (auto [hole, value] : llvm::zip_equal(table.holes, best->values))
      configuration += "\"" + hole + "\" = " + dsl::formatFloat(value) + "\n";
    write(path("best.toml"), configuration);
    out << "configuration: " << path("best.toml") << "\n";
    if (!options.buildBest)
      return;
    BuildOptions bestOptions = options;
    static_cast<ModelOptions &>(bestOptions) = bound(*best);
    bestOptions.output = path("best");
    build(bestOptions);
  }

  const SearchOptions &options;
  std::vector<SearchBudget> budgets;
  SearchTable table;
  std::vector<std::string> accuracyFiles;
  int64_t threads = 1;
};

} // namespace

void addSearchCommand(CLI::App &app) {
  auto *command =
      app.add_subcommand("search", "Find the best configuration of open `choose` holes for a budget");
  auto options = std::make_shared<SearchOptions>();
  addModelOptions(*command, *options);
  command->add_option("-w,--weights", options->weights, "Weights of all configurations (.safetensors)")
      ->required();
  command->add_option("--data", options->data, "Folder of the data set")->required();
  command->add_option("--split", options->split, "test or train")
      ->check(CLI::IsMember({"test", "train"}))
      ->capture_default_str();
  command->add_option("--first", options->first, "The first image of the split that is used")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--count", options->count, "How many images are used; all otherwise")
      ->check(CLI::PositiveNumber);
  command->add_option("--budget", options->budgets,
                      "macs=2.3G, latency=8ms (per image) or parameters=20M; several hold together");
  command->add_option("--sample", options->sample, "So many configurations, drawn at random; all otherwise")
      ->check(CLI::PositiveNumber);
  command->add_option("--seed", options->seed, "Of the sample")->capture_default_str();
  command->add_option("--runs", options->runs, "Timed runs of each configuration")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--processes", options->processes, "That evaluate side by side")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Of all processes together; all otherwise")
      ->check(CLI::PositiveNumber);
  command->add_flag("--build", options->buildBest, "Build the best configuration");
  addCodeOptions(*command, *options);
  command->add_option("-o,--output", options->output, "Directory for the results")->required();
  command->callback([options] { Search(*options).run(); });
}

} // namespace vernier::tools
