#include "driver/search/Costs.h"

#include "compiler/analysis/Cost.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "runtime/io/File.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>

namespace vernier::driver {
namespace {

using Json = nlohmann::ordered_json;

Json costsOf(const SearchOptions &options, const std::string &configuration) {
  const LoadedModel model = loadModel(options.bound(configuration));
  mlir::ModuleOp module = *model.module;
  const compiler::CostSummary cost =
      compiler::summarizeCost(module.lookupSymbol<mlir::func::FuncOp>(vn::kInferFunction));
  const std::unique_ptr<const codegen::Backend> backend = backendOf(options);
  runPasses(module, compiler::inferencePasses(mapsOf(options), backend->passes(codegen::Purpose::Inference)));
  const auto lowered = codegen::lowerModule(module, *backend);
  if (failed(lowered))
    refuseReported();
  int64_t memory = lowered->parameterBytes + lowered->statisticsBytes + lowered->frozenBytes +
                   lowered->derivedBytes + std::max(lowered->prepare.arenaBytes, lowered->infer.arenaBytes);
  if (backend->isAccelerator()) // which has a copy of the caller's arrays
    for (const codegen::Io &array : lowered->infer.io)
      memory += 4 * std::accumulate(array.shape.begin(), array.shape.end(), int64_t(1), std::multiplies<>());
  return {{"macs", cost.macs}, {"parameters", cost.parameters}, {"memory_bytes", memory}};
}

} // namespace

void findCosts(const SearchOptions &options, std::vector<SearchRow> &rows) {
  const std::string file = options.path("costs.json");
  Json known = Json::object();
  if (llvm::sys::fs::exists(file)) {
    const std::vector<unsigned char> bytes = runtime::readFile(file);
    known = Json::parse(bytes, nullptr, /*allow_exceptions=*/false);
  }
  try {
    bool isNew = false;
    for (SearchRow &row : rows) {
      Json &entry = known[row.configuration];
      if (entry.is_null()) {
        entry = costsOf(options, row.configuration);
        isNew = true;
      }
      row.macs = entry.at("macs");
      row.parameters = entry.at("parameters");
      row.memory = entry.at("memory_bytes");
    }
    if (isNew)
      runtime::writeFileAtomically(file, known.dump(2) + "\n");
  } catch (const nlohmann::json::exception &) {
    refuse("the file does not hold what configurations cost", file,
           "remove the file: what it held is found again");
  }
}

} // namespace vernier::driver
