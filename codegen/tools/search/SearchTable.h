// What is known of the configurations of a network with open `choose` holes, and which of them a budget asks
// for.
#ifndef VERNIER_CODEGEN_TOOLS_SEARCH_SEARCHTABLE_H
#define VERNIER_CODEGEN_TOOLS_SEARCH_SEARCHTABLE_H

#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vernier::tools {

struct SearchRow {
  std::string configuration;  // "layer1.factor=1,layer2.factor=0.65"
  std::vector<double> values; // of each hole
  int64_t macs = 0, parameters = 0;
  double accuracy = 0, top5 = 0, loss = 0;
  double milliseconds = 0, low = 0, high = 0; // per image: median, fastest, nine tenths
};

struct SearchTable {
  std::string model;
  std::vector<std::string> holes;
  int64_t images = 0, threads = 0, batch = 1;
  std::vector<SearchRow> rows;

  std::string csv() const;
  std::string toml() const;
};

// One limit: "macs=2.3G", "latency=8ms", "parameters=20M".
struct SearchBudget {
  std::string text;
  enum class Unit { Macs, Latency, Parameters } unit = Unit::Macs;
  double limit = 0; // latency in milliseconds

  static llvm::Expected<SearchBudget> parse(llvm::StringRef text);
  double costOf(const SearchRow &row) const;
};

// The row with the best accuracy within all budgets, of equal ones the cheapest; null where none is.
const SearchRow *bestWithin(const SearchTable &table, llvm::ArrayRef<SearchBudget> budgets);

// Rows that no other beats in accuracy at no more cost, from the cheapest.
std::vector<const SearchRow *> paretoFront(const SearchTable &table, SearchBudget::Unit unit);

// Accuracy over cost of all rows, with the front as a line.
std::string paretoSvg(const SearchTable &table, SearchBudget::Unit unit);

} // namespace vernier::tools

#endif
