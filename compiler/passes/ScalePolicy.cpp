#include "compiler/passes/ScalePolicy.h"
#include "compiler/analysis/ScaleBranches.h"
#include "compiler/ir/Shapes.h"
#include "compiler/passes/Report.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace vernier::vn;

namespace vernier::compiler {
namespace {

RankedTensorType typeOf(Value map) { return cast<RankedTensorType>(map.getType()); }

// Means of maps, each map once, side by side in one array.
class Means {
public:
  explicit Means(func::FuncOp infer) : exit(infer.front().getTerminator()), builder(exit) {}

  std::vector<ChannelRange> of(ArrayRef<Value> maps) {
    std::vector<ChannelRange> ranges;
    for (Value map : maps) {
      auto [entry, isNew] = begins.insert({map, channels});
      if (isNew) {
        const auto type = withDimension(withDimension(typeOf(map), 1, 1), 2, 1);
        builder.setInsertionPointAfterValue(map); // at the end all maps would have to be kept until then
        auto mean = GlobalAvgPoolOp::create(builder, map.getLoc(), type, map);
        mean->setAttr(kPlaceAttr, builder.getStringAttr(kScalePolicyOutput));
        pooled.push_back(mean);
        channels += channelsOf(typeOf(map));
      }
      ranges.push_back({entry->second, entry->second + channelsOf(typeOf(map))});
    }
    return ranges;
  }

  Value joined() {
    builder.setInsertionPoint(exit);
    auto type = withDimension(typeOf(pooled.front()), 3, channels);
    auto concat = ConcatOp::create(builder, pooled.front().getLoc(), type, pooled);
    concat->setAttr(kPlaceAttr, builder.getStringAttr(kScalePolicyOutput));
    return concat;
  }

private:
  Operation *exit;
  OpBuilder builder;
  llvm::MapVector<Value, int64_t> begins;
  SmallVector<Value> pooled;
  int64_t channels = 0;
};

void addOutput(func::FuncOp infer, Value value) {
  Operation *exit = infer.front().getTerminator();
  exit->insertOperands(exit->getNumOperands(), value);
  infer.setFunctionType(
      FunctionType::get(infer.getContext(), infer.getArgumentTypes(), exit->getOperandTypes()));
  SmallVector<Attribute> names(infer->getAttrOfType<ArrayAttr>(kOutputsAttr).getValue());
  names.push_back(StringAttr::get(infer.getContext(), kScalePolicyOutput));
  infer->setAttr(kOutputsAttr, ArrayAttr::get(infer.getContext(), names));
}

} // namespace

std::vector<ScaleScore> addScalePolicy(func::FuncOp infer) {
  std::vector<ScaleScore> scores;
  Means means(infer);
  for (const ScaleBranches &branches : findScaleBranches(infer)) {
    const auto full = typeOf(branches.full.front()), reduced = typeOf(branches.reduced.front());
    scores.push_back({branches.place,
                      {heightOf(full), widthOf(full)},
                      {heightOf(reduced), widthOf(reduced)},
                      means.of(branches.full),
                      means.of(branches.reduced)});
  }
  if (scores.empty())
    return scores;
  addOutput(infer, means.joined());
  report(infer->getParentOfType<ModuleOp>(), "scale-policy",
         "inference: scores of " + Twine(scores.size()) + " sums of branches at two resolutions");
  return scores;
}

} // namespace vernier::compiler
