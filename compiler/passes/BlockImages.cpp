// Runs parts of @infer for a few images of the batch at a time, so that their maps stay in the cache.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_BLOCKIMAGES
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;

namespace {

// What a byte, or a run of an op, costs where a byte of a map beyond the cache costs 1.
struct Prices {
  int64_t cache; // bytes of maps that stay in it from one op to the next
  double weightByte, run, cutByte;
};

int64_t bytesOf(Value value) { return cast<RankedTensorType>(value.getType()).getNumElements() * 4; }

//===- What runs for each image on its own
//------------------------------------------------------------------------===//

// A program as a row of ops on maps, each a function of one image at a time; other ops are functions of
// parameters alone, and give none.
struct Row {
  int64_t batch = 1;
  SmallVector<Operation *> ops;
  DenseMap<Value, int64_t> definedAt; // -1: a function argument

  bool isMap(Value value) const { return definedAt.contains(value); }
};

// Why the function cannot be cut, or nothing.
std::optional<StringRef> findRow(func::FuncOp infer, Row &row) {
  for (BlockArgument argument : infer.getArguments())
    row.definedAt[argument] = -1;
  row.batch = batchOf(cast<RankedTensorType>(infer.getArgumentTypes().front()));
  if (row.batch == 1)
    return "the batch is one image";
  for (Operation &op : infer.front().without_terminator()) {
    if (!isa<ParameterMapOp>(op) &&
        llvm::none_of(op.getOperands(), [&](Value operand) { return row.isMap(operand); }))
      continue;
    if (isa<BatchNormTrainingOp>(op) || !isMemoryEffectFree(&op))
      return "an op mixes the images of the batch";
    for (Value result : op.getResults()) {
      auto type = cast<RankedTensorType>(result.getType());
      if (type.getRank() != 4 || batchOf(type) != row.batch)
        return "an op mixes the images of the batch";
      row.definedAt[result] = row.ops.size();
    }
    row.ops.push_back(&op);
  }
  return std::nullopt;
}

//===- Where to cut
//-----------------------------------------------------------------------------------------------===//

struct Part {
  int64_t begin = 0, end = 0, images = 1;
};

class Costs {
public:
  Costs(const Row &row, const Prices &prices) : row(row), prices(prices), live(row.ops.size() + 1, 0) {
    for (auto [value, position] : row.definedAt) {
      int64_t last = position;
      for (Operation *user : value.getUsers()) // the terminator reads at the end
        last = std::max<int64_t>(last, user->getNumResults() ? row.definedAt.lookup(user->getResult(0))
                                                             : row.ops.size());
      for (int64_t cut = position + 1; cut <= last; ++cut)
        live[cut] += bytesOf(value);
    }
  }

  // Bytes of maps that one op reads and writes beyond the cache, for the whole batch.
  int64_t uncached(Operation *op, int64_t images) const {
    int64_t maps = 0;
    for (Value value : llvm::concat<Value>(op->getOperands(), op->getResults()))
      maps += row.isMap(value) ? bytesOf(value) : 0;
    return maps / row.batch * images > prices.cache ? maps : 0;
  }

  double run(Operation *op, int64_t images) const {
    int64_t weights = 0;
    for (Value operand : op->getOperands())
      weights += row.isMap(operand) ? 0 : bytesOf(operand);
    return double(uncached(op, images)) +
           double(row.batch / images) * (prices.weightByte * double(weights) + prices.run);
  }

  // Of everything that lives between the op before `position` and it.
  double cut(int64_t position) const { return prices.cutByte * double(live[position]); }

private:
  const Row &row;
  const Prices prices;
  SmallVector<int64_t> live;
};

// The cheapest way to cut the row, by dynamic programming over (ops done, images of the part that they end).
SmallVector<Part> choose(const Row &row, const Costs &costs) {
  SmallVector<int64_t> sizes;
  for (int64_t images = 1; images <= row.batch; ++images)
    if (row.batch % images == 0)
      sizes.push_back(images);
  struct State {
    double cost = 0;
    size_t from = 0; // index of the images of the op before
  };
  std::vector<std::vector<State>> best(row.ops.size() + 1, std::vector<State>(sizes.size()));
  for (size_t i = 0; i < row.ops.size(); ++i)
    for (size_t s = 0; s < sizes.size(); ++s) {
      State state{best[i][s].cost, s};
      for (size_t before = 0; before < sizes.size() && i > 0; ++before)
        if (before != s && best[i][before].cost + costs.cut(i) < state.cost)
          state = {best[i][before].cost + costs.cut(i), before};
      state.cost += costs.run(row.ops[i], sizes[s]);
      best[i + 1][s] = state;
    }
  SmallVector<Part> parts;
  size_t s = llvm::min_element(best.back(), [](const State &a, const State &b) { return a.cost < b.cost; }) -
             best.back().begin();
  for (int64_t i = row.ops.size(); i > 0; --i) {
    if (parts.empty() || parts.back().images != sizes[s])
      parts.push_back({i, i, sizes[s]});
    parts.back().begin = i - 1;
    s = best[i][s].from;
  }
  return parts;
}

//===- The rewrite
//------------------------------------------------------------------------------------------------===//

// Moves the ops of a part into the body of a new op. Ops on parameters stay, and stand before it by then.
void moveIntoBlocks(const Row &row, const Part &part) {
  ArrayRef<Operation *> ops = ArrayRef(row.ops).slice(part.begin, part.end - part.begin);
  const auto inside = [&](Value value) {
    const int64_t position = row.definedAt.lookup(value);
    return position >= part.begin && position < part.end;
  };
  SetVector<Value> inputs, results;
  for (Operation *op : ops) {
    for (Value operand : op->getOperands())
      if (row.isMap(operand) && !inside(operand))
        inputs.insert(operand);
    for (Value result : op->getResults())
      for (Operation *user : result.getUsers())
        if (!llvm::is_contained(ops, user))
          results.insert(result);
  }
  OpBuilder builder(ops.back());
  builder.setInsertionPointAfter(ops.back());
  auto blocks =
      ImageBlocksOp::create(builder, ops.front()->getLoc(), ValueRange(results.getArrayRef()).getTypes(),
                            inputs.getArrayRef(), builder.getI64IntegerAttr(part.images));
  Block &body = blocks.getBody().emplaceBlock();
  IRMapping mapping;
  const auto blocked = [&](Type type) { return withDimension(cast<RankedTensorType>(type), 0, part.images); };
  for (Value input : inputs)
    mapping.map(input, body.addArgument(blocked(input.getType()), input.getLoc()));
  builder.setInsertionPointToEnd(&body);
  for (Operation *op : ops)
    for (Value result : builder.clone(*op, mapping)->getResults())
      result.setType(blocked(result.getType()));
  SmallVector<Value> yielded;
  for (auto [index, result] : llvm::enumerate(results.takeVector())) {
    yielded.push_back(mapping.lookup(result));
    result.replaceAllUsesWith(blocks.getResult(index));
  }
  YieldOp::create(builder, blocks.getLoc(), yielded);
  for (Operation *op : llvm::reverse(ops))
    op->erase();
}

struct BlockImages : vernier::compiler::impl::BlockImagesBase<BlockImages> {
  using BlockImagesBase::BlockImagesBase;

  void runOnOperation() override {
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    Row row;
    if (!infer || infer.getNumArguments() != 1 || findRow(infer, row))
      return;
    if (images < 0 || (images > 0 && row.batch % images != 0)) {
      infer.emitError("a batch of ") << row.batch << " cannot run for " << images.getValue()
                                     << " images at a time";
      return signalPassFailure();
    }
    const Costs costs(row, {cache, weightByte, run, cutByte});
    const SmallVector<Part> chosen =
        images > 0 ? SmallVector<Part>{{0, int64_t(row.ops.size()), images}} : choose(row, costs);
    int64_t saved = 0;
    // From the last part to the first: values of earlier parts are still those of the row.
    for (const Part &part : chosen) {
      if (part.images == row.batch)
        continue;
      for (Operation *op : ArrayRef(row.ops).slice(part.begin, part.end - part.begin))
        saved += costs.uncached(op, row.batch) - costs.uncached(op, part.images);
      moveIntoBlocks(row, part);
      ++parts;
    }
    savedMegabytes += saved >> 20;
  }
};

} // namespace
