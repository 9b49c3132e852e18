#include "driver/search/Search.h"

#include "driver/DescribedModel.h"
#include "driver/Device.h"
#include "driver/OpenModel.h"
#include "driver/search/Answer.h"
#include "driver/search/Costs.h"
#include "driver/search/FineTune.h"
#include "driver/search/Halving.h"
#include "driver/search/Measurement.h"
#include "runtime/core/Configurations.h"
#include "runtime/core/Shape.h"
#include "runtime/data/Dataset.h"
#include "runtime/io/File.h"
#include "runtime/process/FolderLock.h"
#include "runtime/train/Evaluate.h"
#include "runtime/train/Inputs.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

#include <cmath>
#include <set>

namespace vernier::driver {

ModelOptions SearchOptions::bound(const std::string &configuration) const {
  ModelOptions result = *this;
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(configuration).split(parts, ',');
  for (llvm::StringRef part : parts)
    result.choices.push_back(part.str());
  return result;
}

namespace {

class Search {
public:
  Search(const SearchOptions &options, const Output &output) : options(options), output(output) {
    for (const std::string &text : options.budgets) {
      auto budget = SearchBudget::parse(text);
      if (!budget)
        refuse(llvm::toString(budget.takeError()), "--budget",
               "such as --budget macs=2.3G --budget latency=8ms");
      budgets.push_back(*budget);
    }
    if ((options.buildBest || options.fineTune) && budgets.empty())
      refuse("there is no budget that a configuration could be the best within", "--build, --fine-tune",
             "such as --budget macs=2.3G");
    if (options.recalibrate && options.precision == "bf16" && options.target == "cpu")
      refuse("batch norms are recalibrated by training code, which on a CPU is in float32",
             "--recalibrate --precision bf16",
             "search in float32, then build the configuration found with --precision bf16");
    checkFineTuning(options);
  }

  void run() {
    const LoadedModel model = loadModel(options);
    if (!hasOpenChoices(model))
      refuse("model `" + model.name + "` has no open `choose` holes to search over", options.file);
    requireClasses(model, options, "searched");
    if (options.fineTune && model.declaresLosses)
      refuse("model `" + model.name + "` says itself what training minimises: no accuracy is known of that",
             "--fine-tune", "leave it out, or the `loss` statements of " + options.file);
    table.model = model.name;
    table.batch = options.batch;
    table.target = options.target;
    table.device = requireDevice(options);
    checkInputs(model);
    runtime::createFolder(options.output);
    const runtime::FolderLock lock(options.output, "--output");
    rememberInputs(*model.module);
    if (!options.brokenList.empty())
      runtime::createFolder(options.brokenList);
    buildAll();
    Measurement measurement(options, model.name, table.device);
    table.threads = measurement.threads();
    enumerate(model);
    findCosts(options, table.rows);
    if (options.halving)
      halve(measurement);
    else
      measureAll(measurement);
    llvm::sort(table.rows,
               [](const SearchRow &a, const SearchRow &b) { return a.configuration < b.configuration; });
    writeTable(options, table);
    answer(options, table, budgets, output);
    if (!options.brokenList.empty())
      nameBrokenImages();
  }

private:
  // What the programs would refuse that are to be built.
  void checkInputs(const LoadedModel &model) const {
    const DescribedModel described(model, options);
    checkWeights(described, options.weights);
    const auto dataset = openData();
    runtime::checkLabels(*dataset, described.get());
    runtime::checkRange(*dataset, {options.first, options.count ? options.count : INT64_MAX});
    if (!options.fineTune)
      return;
    runtime::TrainOptions training;
    static_cast<runtime::ImageOptions &>(training) = options;
    training.data = options.data;
    training.recipe = options.recipe;
    training.epochs = options.fineTune;
    runtime::ModelOutline tuned = described.get();
    if (const int64_t batch = runtime::readRecipe(options.recipe).batch)
      tuned.batch = batch;
    const runtime::TrainingInputs inputs(tuned, training);
  }

  // Of a directory that no search has begun in.
  void requireNoResults() const {
    for (const char *name : {"all", "best", "tuned", "table.csv", "table.toml", "best.toml", "costs.json",
                             "times.jsonl", "kernels.jsonl", "predicted.jsonl", "fine-tuned.toml", "broken"})
      if (llvm::sys::fs::exists(options.path(name)))
        refuse("the directory has this already, but not from a search", options.path(name),
               "give another --output, or remove it");
  }

  static constexpr llvm::StringLiteral kDevice = "device ";

  // Of what rememberInputs has written: the last line, which a search on the CPU has not.
  static std::string takeDevice(std::string &inputs) {
    const size_t begin = inputs.rfind(("\n" + kDevice).str());
    if (begin == std::string::npos)
      return "";
    const std::string device = llvm::StringRef(inputs).substr(begin + 1 + kDevice.size()).rtrim().str();
    inputs.resize(begin + 1);
    return device;
  }

  // A directory holds the results of one search: what was measured of other weights or images is worth
  // nothing. How many processes share the work does not matter.
  void rememberInputs(mlir::ModuleOp module) const {
    const std::vector<unsigned char> weights = runtime::readFile(options.weights);
    std::string inputs;
    llvm::raw_string_ostream out(inputs);
    out << "weights " << llvm::xxh3_64bits(weights) << "\ndata " << options.data << " " << options.split
        << " " << options.first << " " << options.count << (options.ignoreOrientation ? " as stored" : "")
        << " digest " << openData()->digest() << "\nsample " << options.sample << " " << options.seed << "\n"
        << "batch " << options.batch << " runs " << options.runs << " " << options.cpu << " "
        << options.precision << "\n";
    if (options.recalibrate)
      out << "recalibrated " << options.recalibrate << "\n";
    if (options.target != "cpu")
      out << options.target << " " << options.cudaArchitectures << "\n";
    std::string network;
    llvm::raw_string_ostream(network) << module;
    out << "network " << llvm::xxh3_64bits(llvm::arrayRefFromStringRef(network)) << "\n";
    if (!table.device.empty())
      out << kDevice << table.device << "\n";
    const std::string file = options.path("inputs.txt");
    if (!llvm::sys::fs::exists(file)) {
      requireNoResults();
      return runtime::writeFileAtomically(file, inputs);
    }
    const std::vector<unsigned char> bytes = runtime::readFile(file);
    std::string known(bytes.begin(), bytes.end());
    if (known == inputs)
      return;
    std::string other = takeDevice(known);
    takeDevice(inputs);
    if (known == inputs)
      refuse("the directory holds the results of a search on " + other + ", not on " + table.device, file,
             "give another --output");
    refuse("the directory holds the results of a search with another network, weights, images or options",
           file, "give another --output, or remove this one");
  }

  // The binary of all configurations, once: a search that was stopped goes on with it.
  void buildAll() {
    if (llvm::sys::fs::exists(options.path("all/" + table.model)))
      return;
    BuildOptions all = options;
    all.output = options.path("all");
    if (options.recalibrate)
      all.purpose = "train"; // its forward half yields the statistics of batches
    build(all, output);
  }

  // A row for each configuration, by the runtime's own order and names.
  void enumerate(const LoadedModel &loaded) {
    std::vector<vn_hole> holes;
    for (const HoleChoice &hole : loaded.choices)
      if (!hole.bound) {
        holes.push_back({hole.name.c_str(), hole.choices.data(), int64_t(hole.choices.size())});
        table.holes.push_back(hole.name);
      }
    runtime::ModelOutline model;
    model.name = loaded.name;
    model.holes = holes;
    for (const runtime::Choices &choices :
         runtime::enumerateConfigurations(model, options.sample, options.seed)) {
      SearchRow &row = table.rows.emplace_back();
      row.configuration = runtime::choicesText(model, choices);
      for (auto [hole, choice] : llvm::zip_equal(holes, choices))
        row.values.push_back(hole.choices[choice]);
    }
  }

  // Each once, however many programs left it out, in this search or before it was stopped.
  void nameBrokenImages() const {
    constexpr size_t most = 10;
    const std::set<std::string> images = runtime::listedBrokenImages(options.brokenList);
    if (images.empty())
      return;
    output.text.flush();
    output.warnings << "warning: " << runtime::counted(int64_t(images.size()), "broken image")
                    << (images.size() == 1 ? " is" : " are") << " left out\n";
    size_t named = 0;
    for (llvm::StringRef why : images) { // "error: why\n  --> file"
      if (named++ == most)
        break;
      why.consume_front("error: ");
      output.warnings << "note: " << why.rtrim() << "\n";
    }
    if (images.size() > most)
      output.warnings << "note: and " << images.size() - most << " more, listed in " << options.brokenList
                      << "\n";
  }

  static std::vector<std::string> names(llvm::ArrayRef<SearchRow> rows) {
    std::vector<std::string> result;
    for (const SearchRow &row : rows)
      result.push_back(row.configuration);
    return result;
  }

  void evaluate(const Measurement &measurement, int64_t every) {
    const MeasuredRows found = measurement.accuracies(names(table.rows), every);
    for (SearchRow &row : table.rows) {
      const SearchRow &measured = found.at(row.configuration);
      row.accuracy = measured.accuracy;
      row.top5 = measured.top5;
      row.loss = measured.loss;
      row.images = measured.images;
      if (std::isnan(row.loss) && every == 1)
        output.warnings << "warning: the logits of some images are not finite in the configuration "
                        << row.configuration << "\nnote: such images count as wrong\n";
    }
    if (every == 1)
      table.images = table.rows.front().images;
  }

  void time(const Measurement &measurement) {
    const MeasuredRows times =
        measurement.times(options.latency == "measured" ? names(table.rows) : std::vector<std::string>());
    for (SearchRow &row : table.rows)
      if (const auto found = times.find(row.configuration); found != times.end())
        row.measured = found->second.measured;
  }

  void predict(const Measurement &measurement) {
    const MeasuredRows predictions = measurement.predictions(names(table.rows));
    for (SearchRow &row : table.rows)
      row.predicted = predictions.at(row.configuration).predicted;
  }

  void measureAll(const Measurement &measurement) {
    evaluate(measurement, 1);
    time(measurement);
    predict(measurement);
  }

  // Each rung of the ladder has `eta` times as many images for one in `eta` of the configurations, until
  // only so many are left as are evaluated on all images.
  void halve(const Measurement &measurement) {
    measurement.times({}); // of the kernels
    predict(measurement);
    // A prediction may be a little off: what is then too slow is seen when it is timed.
    const auto inReach = [&](const SearchRow &row) {
      return llvm::all_of(budgets, [&](SearchBudget budget) {
        if (budget.unit == SearchUnit::Latency && options.latency == "measured")
          budget.limit *= 1 + PredictionErrors::kGoal;
        return budget.allows(row);
      });
    };
    if (llvm::none_of(table.rows, inReach))
      refuseBudgets(table.rows, budgets);
    llvm::erase_if(table.rows, [&](const SearchRow &row) { return !inReach(row); });
    std::vector<SearchUnit> costs;
    for (const SearchBudget &budget : budgets)
      costs.push_back(budget.unit);
    if (costs.empty())
      costs.push_back(SearchUnit::Macs);

    std::vector<SearchRow> dropped;
    for (int64_t every = std::max<int64_t>(1, imageCount() / options.halving);
         every > 1 && int64_t(table.rows.size()) > options.finalists;
         every = std::max<int64_t>(1, every / options.eta)) {
      evaluate(measurement, every);
      const size_t rows = table.rows.size();
      const size_t count =
          std::max<size_t>(size_t(options.finalists), (rows + size_t(options.eta) - 1) / size_t(options.eta));
      if (!options.quiet)
        output.text << "halving: " << runtime::counted(int64_t(rows), "configuration") << " on "
                    << runtime::counted(table.rows.front().images, "image") << ", " << count << " stay\n";
      output.text.flush();
      std::vector<SearchRow> kept;
      std::vector<bool> keeps(rows);
      for (size_t row : betterRows(table.rows, costs, count, budgets.empty() ? 0 : count / 2))
        keeps[row] = true;
      for (size_t row = 0; row < rows; ++row)
        (keeps[row] ? kept : dropped).push_back(std::move(table.rows[row]));
      table.rows = std::move(kept);
    }
    measureAll(measurement);
    llvm::append_range(table.rows, dropped);
  }

  std::unique_ptr<runtime::Dataset> openData() const {
    return runtime::openDataset(options.data,
                                options.split == "train" ? runtime::Split::Training : runtime::Split::Test);
  }

  int64_t imageCount() const {
    const int64_t rest = openData()->size() - options.first;
    return options.count ? std::min(options.count, rest) : rest;
  }

  const SearchOptions &options;
  const Output &output;
  std::vector<SearchBudget> budgets;
  SearchTable table;
};

} // namespace

void search(SearchOptions options, const Output &output) {
  if (options.skipBroken)
    options.brokenList = options.path("broken");
  Search(options, output).run();
}

} // namespace vernier::driver
