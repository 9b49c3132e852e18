// Binds learned holes: checks the bindings, sets channel counts, infers shapes, drops the holes.
#include "compiler/passes/BindHoles.h"

#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "dsl/Diagnostics.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_BINDHOLES
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;
using vernier::compiler::HoleBinding;
using vernier::compiler::kMaxChannels;

namespace {

using HoleMap = llvm::StringMap<HoleOp>;

//===- Checking
//---------------------------------------------------------------------------------------------------===//

LogicalResult reportUnknown(const HoleBinding &binding, const HoleMap &holes) {
  InFlightDiagnostic error = emitError(binding.location, "unknown hole `") << binding.hole << "`";
  std::vector<std::string> names;
  for (const auto &entry : holes)
    names.push_back(entry.getKey().str());
  llvm::sort(names);
  std::string closest = vernier::dsl::closestName(binding.hole, names);
  if (!closest.empty())
    error.attachNote() << "help: closest hole: `" << closest << "`";
  else if (names.empty())
    error.attachNote() << "help: this model has no holes";
  return error;
}

LogicalResult check(const HoleBinding &binding, HoleOp hole) {
  auto error = [&] {
    InFlightDiagnostic diagnostic = emitError(binding.location, "hole `") << binding.hole << "` ";
    diagnostic.attachNote(hole.getLoc()) << "the hole is declared here";
    return diagnostic;
  };
  if (hole.getKind() != HoleKind::Learned)
    return error() << "is a `choose` hole; channels can only be bound to `learned` ones";
  if (binding.channels.size() != hole.getSeed().size())
    return error() << "has " << hole.getSeed().size() << " elements, but " << binding.channels.size()
                   << " are given";
  for (auto [index, channels] : llvm::enumerate(binding.channels))
    if (channels < 0 || channels > kMaxChannels)
      return error() << "cannot have " << channels << " as element " << index
                     << "; a number of channels is between 0 and " << kMaxChannels;
  return success();
}

LogicalResult checkAll(ArrayRef<HoleBinding> bindings, const HoleMap &holes) {
  llvm::StringMap<Location> seen;
  bool valid = true;
  for (const HoleBinding &binding : bindings) {
    auto [first, isNew] = seen.try_emplace(binding.hole, binding.location);
    auto hole = holes.find(binding.hole);
    if (!isNew) {
      InFlightDiagnostic error = emitError(binding.location, "hole `") << binding.hole << "` is bound twice";
      error.attachNote(first->second) << "bound here first";
      valid = false;
    } else if (hole == holes.end()) {
      valid &= succeeded(reportUnknown(binding, holes));
    } else {
      valid &= succeeded(check(binding, hole->second));
    }
  }
  return success(valid);
}

//===- Options
//----------------------------------------------------------------------------------------------------===//

// "layer1.0.channels=62,9,5,12;layer1.1.channels=55,27,5,1"
FailureOr<std::vector<HoleBinding>> parseBindings(StringRef text, Location location) {
  std::vector<HoleBinding> bindings;
  for (StringRef entry : llvm::split(text, ';')) {
    if (entry.trim().empty())
      continue;
    auto [name, values] = entry.split('=');
    HoleBinding binding{name.trim().str(), {}, location};
    for (StringRef value : llvm::split(values, ',')) {
      int64_t channels;
      if (value.trim().getAsInteger(10, channels))
        return emitError(location, "`") << entry << "` is not of the form hole=channels,channels,...";
      binding.channels.push_back(channels);
    }
    bindings.push_back(std::move(binding));
  }
  return bindings;
}

struct BindHoles : vernier::compiler::impl::BindHolesBase<BindHoles> {
  using BindHolesBase::BindHolesBase;

  void runOnOperation() override {
    auto parsed = parseBindings(bindings, getOperation().getLoc());
    if (failed(parsed) || failed(vernier::compiler::bindHoles(getOperation(), *parsed)))
      return signalPassFailure();
    boundHoles += parsed->size();
  }
};

} // namespace

LogicalResult vernier::compiler::bindHoles(ModuleOp module, ArrayRef<HoleBinding> bindings) {
  HoleMap holes;
  for (HoleOp hole : module.getOps<HoleOp>())
    holes[hole.getSymName()] = hole;
  if (failed(checkAll(bindings, holes)))
    return failure();

  llvm::StringMap<ArrayRef<int64_t>> bound;
  for (const HoleBinding &binding : bindings)
    bound[binding.hole] = binding.channels;

  auto channels = [&](Operation *op) -> std::optional<int64_t> {
    auto hole = op->getAttrOfType<FlatSymbolRefAttr>("hole");
    auto index = op->getAttrOfType<IntegerAttr>("hole_index");
    auto found = hole ? bound.find(hole.getValue()) : bound.end();
    if (found == bound.end())
      return std::nullopt;
    op->removeAttr("hole");
    op->removeAttr("hole_index");
    return found->second[index.getInt()];
  };
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    if (failed(inferFunctionShapes(function, channels)))
      return failure();
  for (const HoleBinding &binding : bindings)
    holes[binding.hole].erase();
  return success();
}
