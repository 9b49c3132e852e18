// What is known of the configurations of a network with open `choose` holes, and which of them a budget asks
// for.
#ifndef VERNIER_DRIVER_SEARCH_SEARCHTABLE_H
#define VERNIER_DRIVER_SEARCH_SEARCHTABLE_H

#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vernier::driver {

// Milliseconds per image.
struct MeasuredTime {
  double median = 0, fastest = 0, nineTenths = 0;
};

struct SearchRow {
  std::string configuration;  // "layer1.factor=1,layer2.factor=0.65"
  std::vector<double> values; // of each hole
  int64_t macs = 0, parameters = 0, memory = 0;
  double accuracy = 0, top5 = 0, loss = 0;
  int64_t images = 0; // that these were measured on
  std::optional<MeasuredTime> measured;
  std::optional<double> predicted; // milliseconds per image

  double latency() const { return measured ? measured->median : predicted.value_or(0); }
};

struct SearchTable {
  std::string model;
  std::vector<std::string> holes;
  std::string target = "cpu", device; // of the times; the device's name, empty: the CPU
  int64_t images = 0, threads = 0, batch = 1;
  std::vector<SearchRow> rows;

  std::string csv() const;
  std::string toml() const;

  // Whether the row's accuracy is of all images: others answer no budget and are on no front.
  bool isFinal(const SearchRow &row) const { return row.images == images; }
};

// What a budget limits.
enum class SearchUnit { Macs, Latency, Memory, Parameters };

// Latency in milliseconds, memory in bytes.
double costOf(const SearchRow &row, SearchUnit unit);

// One limit: "macs=2.3G", "latency=8ms", "memory=200MB", "parameters=20M".
struct SearchBudget {
  std::string text;
  SearchUnit unit = SearchUnit::Macs;
  double limit = 0;

  static llvm::Expected<SearchBudget> parse(llvm::StringRef text);
  // "latency=3.5ms"
  std::string costText(double cost) const;
  bool allows(const SearchRow &row) const { return costOf(row, unit) <= limit; }
};

// "macs=2.3G and latency=8ms"
std::string textOf(llvm::ArrayRef<SearchBudget> budgets);

// The row with the best accuracy within all budgets, of equal ones the cheapest; null where none is.
const SearchRow *bestWithin(const SearchTable &table, llvm::ArrayRef<SearchBudget> budgets);

// Rows that no other beats in accuracy at no more cost, from the cheapest.
std::vector<const SearchRow *> paretoFront(const SearchTable &table, SearchUnit unit);

// Accuracy over cost of all rows, with the front as a line.
std::string paretoSvg(const SearchTable &table, SearchUnit unit);

// How far predicted times are from measured ones, as shares of the measured.
struct PredictionErrors {
  static constexpr double kGoal = 0.05;
  size_t configurations = 0;
  double within = 0; // share of configurations whose error is at most kGoal
  double median = 0, worst = 0;
};

// Of the rows that have both; none: nothing is known.
std::optional<PredictionErrors> predictionErrors(const SearchTable &table);

} // namespace vernier::driver

#endif
