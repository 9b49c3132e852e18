// The table that `vernier verify` prints, and its verdict.
#ifndef VERNIER_DRIVER_VERIFY_REPORT_H
#define VERNIER_DRIVER_VERIFY_REPORT_H

#include "driver/verify/Results.h"

#include <optional>

namespace vernier::driver {

struct Row {
  std::string stage;    // "vn-fold-batch-norm", "kernels of vn.max_pool"
  std::string compared; // "inference", "training step"
  Difference difference;
  double bound = 0;

  bool holds() const { return difference.value <= bound; }
};

// The first pass or kernel whose result moves by more than its bound.
struct Finding {
  std::string what; // "pass `vn-sink-pointwise` changes what the network computes"
  std::string place, details;
};

class Report {
public:
  void add(Row row) { rows.push_back(std::move(row)); }
  // Adds `row` and, if it does not hold, finds `what`.
  void check(Row row, const std::string &what);
  void find(Finding finding) {
    if (!first)
      first = std::move(finding);
  }
  bool failed() const { return first.has_value(); }
  const std::optional<Finding> &finding() const { return first; }
  void print(llvm::raw_ostream &out) const;

  std::string inference = "inference"; // what rows about @infer compare: that, or what it was turned into

private:
  std::vector<Row> rows;
  std::optional<Finding> first;
};

// "3.2e-12"
std::string scientific(double value);

} // namespace vernier::driver

#endif
