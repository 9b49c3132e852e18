#include "driver/search/Answer.h"

#include "driver/TextTable.h"
#include "driver/search/FineTune.h"
#include "driver/search/Measurement.h"
#include "dsl/Value.h"
#include "runtime/core/Shape.h"
#include "runtime/io/File.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <limits>

namespace vernier::driver {
namespace {

std::string percent(double share) { return llvm::formatv("{0:F2}%", 100 * share); }

class RowTable {
public:
  explicit RowTable(const SearchTable &table) : text(titlesOf(table)) {}

  void add(const SearchRow &row) {
    std::vector<std::string> cells;
    for (double value : row.values)
      cells.push_back(dsl::formatFloat(value));
    cells.insert(cells.end(),
                 {percent(row.accuracy), withCommas(row.macs), withCommas(row.parameters),
                  llvm::formatv("{0:F2}", double(row.memory) / 1e6),
                  row.measured ? llvm::formatv("{0:F3}", row.measured->median).str() : std::string("-"),
                  row.predicted ? llvm::formatv("{0:F3}", *row.predicted).str() : std::string("-")});
    text.add(cells);
  }

  void print(llvm::raw_ostream &out) const { text.print(out); }

private:
  static std::vector<std::string> titlesOf(const SearchTable &table) {
    std::vector<std::string> titles;
    for (const std::string &hole : table.holes)
      titles.push_back(">" + hole);
    titles.insert(titles.end(), {">accuracy", ">MACs", ">parameters", ">MB", ">ms per image", ">predicted"});
    return titles;
  }

  TextTable text;
};

void printTable(llvm::raw_ostream &out, const SearchTable &table) {
  const size_t finals =
      size_t(llvm::count_if(table.rows, [&](const SearchRow &row) { return table.isFinal(row); }));
  out << runtime::counted(int64_t(finals), "configuration") << " of " << table.model << " on "
      << runtime::counted(table.images, "image") << "\n";
  if (finals < table.rows.size())
    out << table.rows.size() - finals << " more on fewer images\n";
  if (!table.device.empty())
    out << "times on " << table.device << " (" << table.target << ")\n";
  for (const SearchRow &row : table.rows)
    if (!std::isfinite(row.loss))
      out << "warning: the loss of " << row.configuration << " is " << llvm::format("%g", row.loss) << "\n";
  if (const auto errors = predictionErrors(table))
    out << "predicted times within " << llvm::formatv("{0:F0}%", 100 * PredictionErrors::kGoal)
        << " of the measured: " << llvm::formatv("{0:F1}%", 100 * errors->within) << " of "
        << runtime::counted(int64_t(errors->configurations), "configuration") << "; error "
        << llvm::formatv("{0:F1}% in the median, {1:F1}% at worst", 100 * errors->median, 100 * errors->worst)
        << "\n";
  RowTable front(table);
  for (const SearchRow *row : paretoFront(table, SearchUnit::Macs))
    front.add(*row);
  out << "\nmost accurate for their multiply-adds:\n";
  front.print(out);
}

// The configuration as `--config` takes it.
void writeConfiguration(const SearchTable &table, const SearchRow &row, const std::string &within,
                        const std::string &file) {
  std::string text = "# The most accurate within " + within + ": " + percent(row.accuracy) + " on " +
                     runtime::counted(table.images, "image") + ".\n[configuration]\nmodel = \"" +
                     table.model + "\"\n\n[holes]\n";
  for (auto [hole, value] : llvm::zip_equal(table.holes, row.values))
    text += "\"" + hole + "\" = " + dsl::formatFloat(value) + "\n";
  runtime::writeFileAtomically(file, text);
}

void buildBest(const SearchOptions &options, const SearchTable &table, const SearchRow &row,
               const Output &output) {
  BuildOptions best = options;
  static_cast<ModelOptions &>(best) = options.bound(row.configuration);
  best.output = options.path("best");
  if (options.fineTune)
    best.weights = fineTune(options, table.model, row, table.threads, output);
  build(best, output);
  if (!options.fineTune)
    return;
  const double tuned = accuracyOf(options, best.output + "/" + table.model, table.threads);
  output.text << "fine-tuned for " << runtime::counted(options.fineTune, "epoch") << ": "
              << percent(row.accuracy) << " before, " << percent(tuned) << " after\n";
  runtime::writeFileAtomically(
      options.path("fine-tuned.toml"),
      llvm::formatv("configuration = \"{0}\"\nepochs = {1}\nimages = {2}\naccuracy_before = {3}\n"
                    "accuracy_after = {4}\n",
                    row.configuration, options.fineTune, table.images, dsl::formatFloat(row.accuracy),
                    dsl::formatFloat(tuned))
          .str());
}

} // namespace

void writeTable(const SearchOptions &options, const SearchTable &table) {
  runtime::writeFileAtomically(options.path("table.csv"), table.csv());
  runtime::writeFileAtomically(options.path("table.toml"), table.toml());
  for (const auto &[name, unit] : std::initializer_list<std::pair<const char *, SearchUnit>>{
           {"macs", SearchUnit::Macs}, {"latency", SearchUnit::Latency}, {"memory", SearchUnit::Memory}})
    runtime::writeFileAtomically(options.path(std::string("pareto-") + name + ".svg"),
                                 paretoSvg(table, unit));
}

void answer(const SearchOptions &options, const SearchTable &table, llvm::ArrayRef<SearchBudget> budgets,
            const Output &output) {
  if (!options.quiet)
    printTable(output.text, table);
  if (budgets.empty())
    return;
  const SearchRow *best = bestWithin(table, budgets);
  if (!best)
    refuseBudgets(table.rows, budgets);
  RowTable row(table);
  row.add(*best);
  output.text << "\nwithin " << textOf(budgets) << ":\n";
  row.print(output.text);
  const std::string file = options.path("best.toml");
  writeConfiguration(table, *best, textOf(budgets), file);
  output.text << "configuration: " << file << "\n";
  SearchOptions chosen = options;
  if (options.recalibrate) {
    chosen.weights = Measurement(options, table.model, table.device).recalibrate(best->configuration);
    output.text << "its weights: " << chosen.weights << "\n";
  }
  output.text.flush();
  if (options.buildBest || options.fineTune)
    buildBest(chosen, table, *best, output);
}

void refuseBudgets(llvm::ArrayRef<SearchRow> rows, llvm::ArrayRef<SearchBudget> budgets) {
  std::string least;
  for (const SearchBudget &budget : budgets) {
    double cost = std::numeric_limits<double>::infinity();
    for (const SearchRow &row : rows)
      cost = std::min(cost, costOf(row, budget.unit));
    least += (least.empty() ? "" : ", ") + budget.costText(cost);
  }
  refuse("no configuration is within " + textOf(budgets), "--budget",
         "the least that configurations have: " + least);
}

} // namespace vernier::driver
