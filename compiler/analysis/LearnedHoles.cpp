#include "compiler/analysis/LearnedHoles.h"
#include "compiler/ir/Shapes.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace vernier::compiler;
using namespace vernier::vn;

//===- Costs
//------------------------------------------------------------------------------------------------------===//

// Each output channel of a layer has an equal share of its multiply-adds and weights, and so has each input
// channel.
static NeuronCost shareOf(Operation *layer, int64_t channels) {
  auto result = cast<RankedTensorType>(layer->getResult(0).getType());
  auto weight = cast<RankedTensorType>(layer->getOperand(1).getType());
  return {cast<CostOpInterface>(layer).getMacs() / batchOf(result) / channels,
          weight.getNumElements() / channels};
}

static NeuronCost costOfOutput(Operation *layer) {
  NeuronCost cost = shareOf(layer, channelsOf(cast<RankedTensorType>(layer->getResult(0).getType())));
  cost.parameters += layer->getNumOperands() > 2; // bias
  return cost;
}

static NeuronCost costOfInput(Operation *layer) {
  return shareOf(layer, channelsOf(cast<RankedTensorType>(layer->getOperand(0).getType())));
}

//===- Following channels
//-----------------------------------------------------------------------------------------===//

namespace {

bool isLayer(Operation *op) { return isa<ConvolutionOp, TransposedConvolutionOp, LinearOp>(op); }

// Channel c of the result depends on channel c of each map among the operands.
bool keepsChannels(Operation *op) {
  return isa<BatchNormOp, AffineOp, ActivateOp, PreluOp, MaxPoolOp, AvgPoolOp, GlobalAvgPoolOp, ResizeOp,
             ResampleOp, PadOp, CropOp, AddOp, SubtractOp, MultiplyOp, DivideOp>(op);
}

std::pair<FlatSymbolRefAttr, IntegerAttr> holeElementOf(Operation *op) {
  return {op->getAttrOfType<FlatSymbolRefAttr>("hole"), op->getAttrOfType<IntegerAttr>("hole_index")};
}

// Where the output channels of a layer go, up to the layers that read them.
class ChannelWalk {
public:
  ChannelWalk(Operation *layer, HoleScale &scale) : layer(layer), scale(scale) {
    reached.insert({layer->getResult(0), 0, 0});
    for (size_t i = 0; i < reached.size(); ++i) {
      auto [map, begin, norms] = reached[i];
      for (OpOperand &use : map.getUses())
        visit(use, begin, norms);
    }
  }

private:
  // A map, the first channel in it that is the layer's, and how many norms have been passed.
  using Place = std::tuple<Value, int64_t, unsigned>;

  void visit(OpOperand &use, int64_t begin, unsigned norms) {
    Operation *op = use.getOwner();
    if (isLayer(op)) {
      // A layer of the same hole element counts as one of those whose output channels it decides.
      if (holeElementOf(op) != holeElementOf(layer))
        scale.following = scale.following + costOfInput(op);
    } else if (isa<BatchNormOp, LayerNormOp, GroupNormOp, ScaleChannelsOp>(op)) {
      auto gamma = op->getOperand(1).getDefiningOp<ParameterOp>();
      if (norms == 0 && gamma)
        scale.gammas.push_back({gamma, begin});
      reached.insert({op->getResult(0), begin, norms + 1});
    } else if (auto concat = dyn_cast<ConcatOp>(op)) {
      for (Value before : concat.getInputs().take_front(use.getOperandNumber()))
        begin += channelsOf(cast<RankedTensorType>(before.getType()));
      reached.insert({concat.getResult(), begin, norms});
    } else if (auto slice = dyn_cast<SliceOp>(op)) {
      // A slice of only some of the channels ends the walk.
      int64_t first = begin - slice.getBegin();
      if (first >= 0 &&
          first + scale.channels <= channelsOf(cast<RankedTensorType>(slice.getResult().getType())))
        reached.insert({slice.getResult(), first, norms});
    } else if (keepsChannels(op)) {
      reached.insert({op->getResult(0), begin, norms});
    }
  }

  Operation *layer;
  HoleScale &scale;
  llvm::SmallSetVector<Place, 8> reached;
};

} // namespace

std::vector<LearnedHole> vernier::compiler::findLearnedHoles(func::FuncOp function) {
  std::vector<LearnedHole> holes;
  llvm::StringMap<size_t> index;
  for (HoleOp op : function->getParentOfType<ModuleOp>().getOps<HoleOp>()) {
    if (op.getKind() != HoleKind::Learned)
      continue;
    index[op.getSymName()] = holes.size();
    LearnedHole &hole = holes.emplace_back();
    hole.op = op;
    for (int64_t channels : op.getSeed())
      hole.scales.push_back({channels, {}, {}, nullptr, {}});
  }
  for (Operation &op : function.front()) {
    auto [symbol, element] = holeElementOf(&op);
    if (!symbol || !isLayer(&op))
      continue;
    HoleScale &scale = holes[index.at(symbol.getValue())].scales[element.getInt()];
    if (!scale.layer)
      scale.layer = &op;
    scale.cost = scale.cost + costOfOutput(&op);
    ChannelWalk(&op, scale);
  }
  return holes;
}
