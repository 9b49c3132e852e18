#include "codegen/tools/search/SearchTable.h"

#include "codegen/tools/Canvas.h"
#include "dsl/Value.h"

#include <cmath>

namespace vernier::tools {
namespace {

using Unit = SearchBudget::Unit;

double cost(const SearchRow &row, Unit unit) {
  switch (unit) {
  case Unit::Macs:
    return double(row.macs);
  case Unit::Latency:
    return row.milliseconds;
  case Unit::Parameters:
    return double(row.parameters);
  }
  return 0;
}

std::string text(double value, const char *format = "%.6g") {
  std::string result;
  llvm::raw_string_ostream(result) << llvm::format(format, value);
  return result;
}

// The columns behind those of the holes.
std::vector<std::pair<const char *, std::string>> columns(const SearchRow &row) {
  return {{"accuracy", text(row.accuracy)},
          {"top5", text(row.top5)},
          {"loss", text(row.loss)},
          {"macs", std::to_string(row.macs)},
          {"parameters", std::to_string(row.parameters)},
          {"milliseconds", text(row.milliseconds)},
          {"milliseconds_low", text(row.low)},
          {"milliseconds_high", text(row.high)}};
}

} // namespace

std::string SearchTable::csv() const {
  std::string out = llvm::join(holes, ",");
  for (const auto &[name, value] : columns({}))
    out += "," + std::string(name);
  out += "\n";
  for (const SearchRow &row : rows) {
    std::string line;
    for (double value : row.values)
      line += (line.empty() ? "" : ",") + dsl::formatFloat(value);
    for (const auto &[name, value] : columns(row))
      line += "," + value;
    out += line + "\n";
  }
  return out;
}

std::string SearchTable::toml() const {
  std::string out = "# Written by `vernier search`: accuracies on " + std::to_string(images) +
                    " images, milliseconds per image of batches of " + std::to_string(batch) + " on " +
                    std::to_string(threads) + " threads (median, fastest, nine tenths).\nmodel = \"" + model +
                    "\"\n";
  for (const SearchRow &row : rows) {
    out += "\n[[configuration]]\n";
    for (const auto &[name, value] : columns(row))
      out += std::string(name) + " = " + value + "\n";
    out += "[configuration.holes]\n";
    for (auto [hole, value] : llvm::zip_equal(holes, row.values))
      out += "\"" + hole + "\" = " + dsl::formatFloat(value) + "\n";
  }
  return out;
}

llvm::Expected<SearchBudget> SearchBudget::parse(llvm::StringRef text) {
  SearchBudget budget;
  budget.text = text.str();
  const auto [name, value] = text.split('=');
  const auto failure = [&](const char *what) {
    return llvm::createStringError("`" + budget.text + "` is no budget: " + what);
  };
  if (name == "macs")
    budget.unit = Unit::Macs;
  else if (name == "latency")
    budget.unit = Unit::Latency;
  else if (name == "parameters")
    budget.unit = Unit::Parameters;
  else
    return failure("it begins with macs=, latency= or parameters=");
  const size_t end = value.find_if([](char c) { return std::isalpha(static_cast<unsigned char>(c)); });
  const llvm::StringRef suffix = value.substr(std::min(end, value.size()));
  double scale = 1;
  if (budget.unit == Unit::Latency) {
    if (suffix == "us")
      scale = 1e-3;
    else if (suffix == "s")
      scale = 1e3;
    else if (suffix != "ms")
      return failure("a latency is in us, ms or s");
  } else if (suffix == "k" || suffix == "K") {
    scale = 1e3;
  } else if (suffix == "M") {
    scale = 1e6;
  } else if (suffix == "G") {
    scale = 1e9;
  } else if (!suffix.empty()) {
    return failure("a number may end in k, M or G");
  }
  double number = 0;
  if (value.take_front(end).getAsDouble(number) || !(number > 0) || !std::isfinite(number * scale))
    return failure("it needs a positive number");
  budget.limit = number * scale;
  return budget;
}

double SearchBudget::costOf(const SearchRow &row) const { return cost(row, unit); }

const SearchRow *bestWithin(const SearchTable &table, llvm::ArrayRef<SearchBudget> budgets) {
  const SearchRow *best = nullptr;
  for (const SearchRow &row : table.rows) {
    if (llvm::any_of(budgets, [&](const SearchBudget &budget) { return budget.costOf(row) > budget.limit; }))
      continue;
    if (!best || std::pair(row.accuracy, -row.macs) > std::pair(best->accuracy, -best->macs))
      best = &row;
  }
  return best;
}

std::vector<const SearchRow *> paretoFront(const SearchTable &table, Unit unit) {
  std::vector<const SearchRow *> order;
  for (const SearchRow &row : table.rows)
    order.push_back(&row);
  llvm::stable_sort(order, [&](const SearchRow *a, const SearchRow *b) {
    return std::pair(cost(*a, unit), -a->accuracy) < std::pair(cost(*b, unit), -b->accuracy);
  });
  std::vector<const SearchRow *> front;
  for (const SearchRow *row : order)
    if (front.empty() || row->accuracy > front.back()->accuracy)
      front.push_back(row);
  return front;
}

std::string paretoSvg(const SearchTable &table, Unit unit) {
  constexpr double left = 60, top = 30, width = 560, height = 320;
  const double scale = unit == Unit::Latency ? 1 : 1e-6;
  double lowest = 1, highest = 0, dearest = 0;
  for (const SearchRow &row : table.rows) {
    lowest = std::min(lowest, row.accuracy);
    highest = std::max(highest, row.accuracy);
    dearest = std::max(dearest, cost(row, unit));
  }
  const double span = std::max(highest - lowest, 1e-6);
  const auto place = [&](const SearchRow &row) {
    return std::pair(left + width * cost(row, unit) / std::max(dearest, 1e-9),
                     top + height * (highest - row.accuracy) / span);
  };
  Canvas canvas;
  canvas.text(left, top - 14,
              table.model + ": accuracy over " +
                  (unit == Unit::Latency ? "milliseconds per image"
                   : unit == Unit::Macs  ? "millions of multiply-adds"
                                         : "millions of parameters"),
              "font-weight=\"bold\"");
  for (int i = 0; i <= 4; ++i) {
    const double y = top + height * i / 4, x = left + width * i / 4;
    canvas.line(left, left + width, y);
    canvas.text(left - 6, y + 4, text(100 * (highest - span * i / 4), "%.1f%%"), "text-anchor=\"end\"");
    canvas.text(x, top + height + 18, text(dearest * scale * i / 4, "%.4g"), "text-anchor=\"middle\"");
  }
  for (const SearchRow &row : table.rows) {
    const auto [x, y] = place(row);
    canvas.circle(x, y, 2.5, "#8ecae6");
  }
  std::vector<std::pair<double, double>> front;
  for (const SearchRow *row : paretoFront(table, unit)) {
    front.push_back(place(*row));
    canvas.circle(front.back().first, front.back().second, 3.5, "#d62828");
  }
  canvas.polyline(front, "#d62828");
  return canvas.finish();
}

} // namespace vernier::tools
