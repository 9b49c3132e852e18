#include "driver/search/SearchTable.h"

#include "driver/TextTable.h"
#include "dsl/Value.h"
#include "runtime/core/Svg.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace vernier::driver {
namespace {

std::string numberText(double value, const char *format = "%.6g") {
  std::string result;
  llvm::raw_string_ostream(result) << llvm::format(format, value);
  return result;
}

// The columns behind those of the holes; empty where nothing is known.
std::vector<std::pair<const char *, std::string>> columns(const SearchRow &row) {
  const auto time = [&](double MeasuredTime::*part) {
    return row.measured ? numberText(*row.measured.*part) : std::string();
  };
  return {{"accuracy", numberText(row.accuracy)},
          {"top5", numberText(row.top5)},
          {"loss", numberText(row.loss)},
          {"images", std::to_string(row.images)},
          {"macs", std::to_string(row.macs)},
          {"parameters", std::to_string(row.parameters)},
          {"memory_bytes", std::to_string(row.memory)},
          {"milliseconds", time(&MeasuredTime::median)},
          {"milliseconds_low", time(&MeasuredTime::fastest)},
          {"milliseconds_high", time(&MeasuredTime::nineTenths)},
          {"predicted_milliseconds", row.predicted ? numberText(*row.predicted) : std::string()}};
}

// A budget's number: what its suffix multiplies it by, or none.
std::optional<double> scaleOf(SearchUnit unit, llvm::StringRef suffix) {
  using Scales = std::initializer_list<std::pair<llvm::StringRef, double>>;
  static const Scales times = {{"us", 1e-3}, {"ms", 1}, {"s", 1e3}};
  static const Scales counts = {{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}};
  static const Scales bytes = {{"B", 1},    {"kB", 1e3},      {"KB", 1e3},      {"MB", 1e6},
                               {"GB", 1e9}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
  for (const auto &[name, scale] : unit == SearchUnit::Latency  ? times
                                   : unit == SearchUnit::Memory ? bytes
                                                                : counts)
    if (suffix == name)
      return scale;
  return std::nullopt;
}

const char *suffixesOf(SearchUnit unit) {
  switch (unit) {
  case SearchUnit::Latency:
    return "a latency is in us, ms or s";
  case SearchUnit::Memory:
    return "memory is in B, kB, MB, GB, KiB, MiB or GiB";
  case SearchUnit::Macs:
  case SearchUnit::Parameters:
    break;
  }
  return "a number may end in k, M or G";
}

const char *axisOf(SearchUnit unit) {
  switch (unit) {
  case SearchUnit::Latency:
    return "milliseconds per image";
  case SearchUnit::Memory:
    return "megabytes";
  case SearchUnit::Macs:
    return "millions of multiply-adds";
  case SearchUnit::Parameters:
    return "millions of parameters";
  }
  return "";
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
  std::string out = "# Written by `vernier search`: accuracies on `images` images, milliseconds per image of "
                    "batches of " +
                    std::to_string(batch) + "\n# on " +
                    (device.empty() ? std::to_string(threads) + " threads" : device) +
                    " (median, fastest, nine tenths), bytes of a process of one configuration.\nmodel = \"" +
                    model + "\"\n";
  if (!device.empty()) // JSON's strings are TOML's
    out += "target = \"" + target + "\"\ndevice = " + nlohmann::json(device).dump() + "\n";
  if (const auto errors = predictionErrors(*this))
    out += "\n[prediction] # of the median milliseconds\nconfigurations = " +
           std::to_string(errors->configurations) +
           "\nshare_within_5_percent = " + numberText(errors->within) +
           "\nmedian_error = " + numberText(errors->median) + "\nworst_error = " + numberText(errors->worst) +
           "\n";
  for (const SearchRow &row : rows) {
    out += "\n[[configuration]]\n";
    for (const auto &[name, value] : columns(row))
      if (!value.empty())
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
    budget.unit = SearchUnit::Macs;
  else if (name == "latency")
    budget.unit = SearchUnit::Latency;
  else if (name == "memory")
    budget.unit = SearchUnit::Memory;
  else if (name == "parameters")
    budget.unit = SearchUnit::Parameters;
  else
    return failure("it begins with macs=, latency=, memory= or parameters=");
  const size_t end = value.find_if([](char c) { return std::isalpha(static_cast<unsigned char>(c)); });
  const auto scale = scaleOf(budget.unit, value.substr(std::min(end, value.size())));
  if (!scale)
    return failure(suffixesOf(budget.unit));
  double number = 0;
  if (value.take_front(end).getAsDouble(number) || !(number > 0) || !std::isfinite(number * *scale))
    return failure("it needs a positive number");
  budget.limit = number * *scale;
  return budget;
}

std::string SearchBudget::costText(double cost) const {
  const std::string name = llvm::StringRef(text).split('=').first.str() + "=";
  switch (unit) {
  case SearchUnit::Latency:
    return name + numberText(cost) + "ms";
  case SearchUnit::Memory:
    return name + withCommas(int64_t(cost)) + "B";
  case SearchUnit::Macs:
  case SearchUnit::Parameters:
    break;
  }
  return name + withCommas(int64_t(cost));
}

double costOf(const SearchRow &row, SearchUnit unit) {
  switch (unit) {
  case SearchUnit::Macs:
    return double(row.macs);
  case SearchUnit::Latency:
    return row.latency();
  case SearchUnit::Memory:
    return double(row.memory);
  case SearchUnit::Parameters:
    return double(row.parameters);
  }
  return 0;
}

std::string textOf(llvm::ArrayRef<SearchBudget> budgets) {
  return llvm::join(llvm::map_range(budgets, [](const SearchBudget &budget) { return budget.text; }),
                    " and ");
}

const SearchRow *bestWithin(const SearchTable &table, llvm::ArrayRef<SearchBudget> budgets) {
  const SearchRow *best = nullptr;
  for (const SearchRow &row : table.rows) {
    if (!table.isFinal(row) ||
        !llvm::all_of(budgets, [&](const SearchBudget &budget) { return budget.allows(row); }))
      continue;
    if (!best || std::pair(row.accuracy, -row.macs) > std::pair(best->accuracy, -best->macs))
      best = &row;
  }
  return best;
}

std::vector<const SearchRow *> paretoFront(const SearchTable &table, SearchUnit unit) {
  std::vector<const SearchRow *> order;
  for (const SearchRow &row : table.rows)
    if (table.isFinal(row))
      order.push_back(&row);
  llvm::sort(order, [&](const SearchRow *a, const SearchRow *b) {
    return std::tuple(costOf(*a, unit), -a->accuracy, a) < std::tuple(costOf(*b, unit), -b->accuracy, b);
  });
  std::vector<const SearchRow *> front;
  for (const SearchRow *row : order)
    if (front.empty() || row->accuracy > front.back()->accuracy)
      front.push_back(row);
  return front;
}

std::string paretoSvg(const SearchTable &table, SearchUnit unit) {
  using runtime::Svg;
  constexpr double left = 72, top = 40, width = 560, height = 320;
  const double scale = unit == SearchUnit::Latency ? 1 : 1e-6;
  double lowest = 100, highest = 0, dearest = 0;
  std::vector<const SearchRow *> rows;
  for (const SearchRow &row : table.rows)
    if (table.isFinal(row) && std::isfinite(costOf(row, unit))) // which a time that nothing measured is not
      rows.push_back(&row);
  for (const SearchRow *row : rows) {
    lowest = std::min(lowest, 100 * row->accuracy);
    highest = std::max(highest, 100 * row->accuracy);
    dearest = std::max(dearest, scale * costOf(*row, unit));
  }
  // Points keep clear of the edges; one point alone, or equal ones, lie in the middle.
  const double gap = std::max((highest - lowest) * 0.05, 0.05), right = dearest > 0 ? dearest * 1.05 : 1;
  lowest = std::max(0.0, lowest - gap);
  highest = std::min(100.0, highest + gap);
  if (!(highest > lowest))
    lowest = 0, highest = 100;
  const auto x = [&](double cost) { return left + width * cost / right; };
  const auto y = [&](double percent) { return top + height * (highest - percent) / (highest - lowest); };
  const auto place = [&](const SearchRow &row) {
    return std::pair(x(scale * costOf(row, unit)), y(100 * row.accuracy));
  };
  Svg svg;
  svg.text(left, top - 18, table.model + ": accuracy over " + axisOf(unit), {.bold = true});
  const std::vector<double> accuracies = runtime::roundTicks(lowest, highest),
                            costs = runtime::roundTicks(0, right, 6);
  for (double percent : accuracies) {
    svg.line(left, y(percent), left + width, y(percent), "#ddd");
    svg.text(left - 6, y(percent) + 4, runtime::tickText(percent, accuracies) + "%",
             {.anchor = Svg::Anchor::End});
  }
  for (double cost : costs) {
    svg.line(x(cost), top + height, x(cost), top + height + 4, "#555");
    svg.text(x(cost), top + height + 18, runtime::tickText(cost, costs), {.anchor = Svg::Anchor::Middle});
  }
  svg.line(left, top + height, left + width, top + height, "#555");
  svg.text(left + width / 2, top + height + 38, axisOf(unit),
           {.anchor = Svg::Anchor::Middle, .fill = "#555"});
  svg.text(left - 56, top + height / 2, "accuracy",
           {.anchor = Svg::Anchor::Middle, .fill = "#555", .angle = -90});
  svg.circle(left + 6, top + height + 54, 3.5, "#d62828");
  svg.text(left + 16, top + height + 58, "the most accurate for their cost");
  const double second = left + 32 + runtime::textWidth("the most accurate for their cost");
  svg.circle(second, top + height + 54, 2.5, "#8ecae6");
  svg.text(second + 10, top + height + 58, "others");
  for (const SearchRow *row : rows) {
    const auto [px, py] = place(*row);
    svg.circle(px, py, 2.5, "#8ecae6");
  }
  std::vector<std::pair<double, double>> front;
  for (const SearchRow *row : paretoFront(table, unit)) {
    if (!std::isfinite(costOf(*row, unit)))
      continue;
    front.push_back(place(*row));
    svg.circle(front.back().first, front.back().second, 3.5, "#d62828");
  }
  svg.polyline(front, "#d62828");
  return svg.finish();
}

std::optional<PredictionErrors> predictionErrors(const SearchTable &table) {
  std::vector<double> errors;
  for (const SearchRow &row : table.rows)
    if (row.measured && row.predicted)
      errors.push_back(std::abs(*row.predicted - row.measured->median) / row.measured->median);
  if (errors.empty())
    return std::nullopt;
  llvm::sort(errors);
  PredictionErrors result;
  result.configurations = errors.size();
  result.within = double(llvm::count_if(errors, [](double e) { return e <= PredictionErrors::kGoal; })) /
                  double(errors.size());
  result.median = errors[errors.size() / 2];
  result.worst = errors.back();
  return result;
}

} // namespace vernier::driver
