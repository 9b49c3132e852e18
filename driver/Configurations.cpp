#include "driver/Configurations.h"

#include "compiler/analysis/Cost.h"
#include "compiler/ir/VnOps.h"
#include "driver/TextTable.h"
#include "dsl/Value.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/core/Shape.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Format.h"

#include <nlohmann/json.hpp>

namespace vernier::driver {
namespace {

constexpr size_t kMostConfigurations = 4096;

// The number that has these digits, each of its own base, goes up by one; false after the last.
bool next(std::vector<int> &digits, const std::vector<HoleChoice> &holes) {
  for (size_t i = digits.size(); i-- > 0;) {
    if (holes[i].bound)
      continue;
    if (++digits[i] < int(holes[i].choices.size()))
      return true;
    digits[i] = 0;
  }
  return false;
}

} // namespace

ConfigurationTable tabulateConfigurations(const ModelOptions &options) {
  const LoadedModel first = loadModel(options);
  const std::vector<HoleChoice> &holes = first.choices;
  ConfigurationTable table;
  table.model = first.name;
  size_t count = 1;
  std::vector<int> digits;
  for (const HoleChoice &hole : holes) {
    table.holes.push_back(hole.name);
    digits.push_back(hole.chosen);
    count *= hole.bound ? 1 : hole.choices.size();
    if (count > kMostConfigurations)
      refuse("`" + first.name + "` has more than " + std::to_string(kMostConfigurations) + " configurations",
             options.file,
             "bind some of its `choose` holes: --choose " + hole.name + "=" +
                 dsl::formatFloat(hole.choices.front()));
  }
  llvm::StringMap<int64_t> parameters; // elements of each that is trained
  do {
    ModelOptions bound = options;
    ConfigurationCost row;
    for (auto [hole, digit] : llvm::zip_equal(holes, digits)) {
      row.values.push_back(hole.choices[digit]);
      bound.choices.push_back(hole.name + "=" + dsl::formatFloat(row.values.back()));
    }
    const LoadedModel model = loadModel(bound);
    mlir::ModuleOp module = *model.module;
    auto infer = module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction);
    const compiler::CostSummary cost = compiler::summarizeCost(infer);
    row.macs = cost.macs;
    row.parameters = cost.parameters;
    table.configurations.push_back(std::move(row));
    infer.walk([&](vn::ParameterOp parameter) {
      if (!parameter.isStatistic())
        parameters[parameter.getName()] = parameter.getType().getNumElements();
    });
  } while (next(digits, holes));
  for (const auto &entry : parameters)
    table.parameters += entry.second;
  return table;
}

void printConfigurations(llvm::raw_ostream &out, const ConfigurationTable &table) {
  std::vector<std::string> titles;
  for (const std::string &hole : table.holes)
    titles.push_back(">" + hole);
  titles.insert(titles.end(), {">MACs", ">parameters"});
  TextTable text(titles);
  for (const ConfigurationCost &row : table.configurations) {
    std::vector<std::string> cells;
    for (double value : row.values)
      cells.push_back(dsl::formatFloat(value));
    cells.insert(cells.end(), {withCommas(row.macs), withCommas(row.parameters)});
    text.add(cells);
  }
  text.print(out);
  out << "\n"
      << runtime::counted(int64_t(table.configurations.size()), "configuration") << " of " << table.model
      << ", " << llvm::format("%.2f M parameters", double(table.parameters) / 1e6) << " together ("
      << withCommas(table.parameters) << ")\n";
}

std::string configurationsJson(const ConfigurationTable &table) {
  using Json = nlohmann::ordered_json;
  Json rows = Json::array();
  for (const ConfigurationCost &row : table.configurations) {
    Json choices = Json::object();
    for (auto [hole, value] : llvm::zip_equal(table.holes, row.values))
      choices[hole] = value;
    rows.push_back({{"choices", choices}, {"macs", row.macs}, {"params", row.parameters}});
  }
  return Json{{"model", table.model}, {"params", table.parameters}, {"configurations", rows}}.dump() + "\n";
}

} // namespace vernier::driver
