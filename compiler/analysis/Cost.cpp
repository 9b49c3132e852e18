#include "compiler/analysis/Cost.h"
#include "compiler/ir/VnDialect.h"
#include "compiler/ir/VnInterfaces.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace vernier::compiler;
namespace vn = vernier::vn;

namespace {

class Summary {
public:
  explicit Summary(func::FuncOp function) : fields(function) {
    if (function.getNumArguments() > 0)
      summary.batch = cast<RankedTensorType>(function.getArgument(0).getType()).getDimSize(0);
    for (Operation &op : function.front())
      if (auto cost = dyn_cast<vn::CostOpInterface>(op))
        add(op, cost);
  }

  CostSummary take() { return std::move(summary); }

private:
  void add(Operation &op, vn::CostOpInterface cost) {
    int64_t macs = cost.getMacs() / std::max<int64_t>(summary.batch, 1);
    int64_t parameters = cost.getParameterCount(), bytes = cost.getBytes();
    summary.macs += macs;
    summary.parameters += parameters;
    summary.bytes += bytes;
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
  llvm::StringMap<size_t> index; // of summary.blocks, by place
};

} // namespace

CostSummary vernier::compiler::summarizeCost(func::FuncOp function) { return Summary(function).take(); }
