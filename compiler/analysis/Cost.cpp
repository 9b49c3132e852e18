#include "compiler/analysis/Cost.h"
#include "compiler/ir/VnDialect.h"
#include "compiler/ir/VnInterfaces.h"
#include "compiler/ir/VnOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include <map>

using namespace mlir;
using namespace vernier::compiler;
namespace vn = vernier::vn;

namespace {

// Convolutions by their kernel and groups, other ops by their name.
std::string kindOf(Operation &op) {
  std::string kind = op.getName().stripDialect().str();
  const auto convolution = [&](auto op) {
    ArrayRef<int64_t> weight = op.getWeight().getType().getShape();
    kind += " " + std::to_string(weight[2]) + "x" + std::to_string(weight[3]);
    if (op.getGroups() > 1)
      kind += weight[1] == 1 ? " depthwise" : " grouped";
    return kind;
  };
  return llvm::TypeSwitch<Operation *, std::string>(&op)
      .Case<vn::ConvolutionOp, vn::TransposedConvolutionOp>(convolution)
      .Default(kind);
}

class Summary {
public:
  explicit Summary(func::FuncOp function) : fields(function) {
    if (function.getNumArguments() > 0)
      summary.batch = cast<RankedTensorType>(function.getArgument(0).getType()).getDimSize(0);
    for (Operation &op : function.front())
      if (auto cost = dyn_cast<vn::CostOpInterface>(op))
        add(op, cost);
  }

  CostSummary take() {
    for (auto &[name, kind] : kinds)
      summary.kinds.push_back(kind);
    llvm::sort(summary.kinds, [](const KindCost &a, const KindCost &b) {
      return std::tie(b.macs, b.bytes, a.kind) < std::tie(a.macs, a.bytes, b.kind);
    });
    return std::move(summary);
  }

private:
  void add(Operation &op, vn::CostOpInterface cost) {
    int64_t macs = cost.getMacs() / std::max<int64_t>(summary.batch, 1);
    int64_t parameters = cost.getParameterCount(), bytes = cost.getBytes();
    summary.macs += macs;
    summary.parameters += parameters;
    summary.bytes += bytes;
    if (!isa<vn::ParameterOp>(op)) {
      KindCost &kind = kinds[kindOf(op)];
      kind.kind = kindOf(op);
      ++kind.ops;
      kind.macs += macs;
      kind.bytes += bytes;
    }
    auto scopes = op.getAttrOfType<ArrayAttr>(vn::kScopesAttr);
    if (!scopes)
      return;
    StringRef around;
    unsigned depth = 0;
    for (auto scope : scopes.getAsRange<ArrayAttr>()) {
      StringRef place = cast<StringAttr>(scope[0]).getValue();
      if (place == around)
        continue;
      around = place;
      BlockCost &block = blockAt(place, cast<StringAttr>(scope[1]).getValue(), depth++);
      block.macs += macs;
      block.parameters += parameters;
      block.bytes += bytes;
      auto field = op.getNumResults() ? fields.of(op.getResult(0)) : std::nullopt;
      if (field) {
        block.field = field;
        block.result = cast<RankedTensorType>(op.getResult(0).getType());
      }
    }
  }

  BlockCost &blockAt(StringRef place, StringRef block, unsigned depth) {
    auto [found, added] = index.try_emplace(place, summary.blocks.size());
    if (added) {
      BlockCost &cost = summary.blocks.emplace_back();
      cost.place = place.str();
      cost.block = block.str();
      cost.depth = depth;
    }
    return summary.blocks[found->second];
  }

  ReceptiveFields fields;
  CostSummary summary;
  std::map<std::string, KindCost> kinds;
  llvm::StringMap<size_t> index; // of summary.blocks, by place
};

} // namespace

CostSummary vernier::compiler::summarizeCost(func::FuncOp function) { return Summary(function).take(); }
