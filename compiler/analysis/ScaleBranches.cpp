#include "compiler/analysis/ScaleBranches.h"
#include "compiler/ir/Shapes.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>
#include <map>
#include <optional>

using namespace mlir;
using namespace vernier::compiler;
using namespace vernier::vn;

namespace {

//===- Chains
//-----------------------------------------------------------------------------------------------------===//

struct Size {
  int64_t height, width;
  bool operator==(const Size &) const = default;
  bool exceeds(Size other) const { return height > other.height || width > other.width; }
};

Size sizeOf(Value map) {
  auto type = cast<RankedTensorType>(map.getType());
  return {heightOf(type), widthOf(type)};
}

// The map from which `op` makes its result, or null where a chain ends.
Value inputOf(Operation *op) {
  if (isa_and_nonnull<ConvolutionOp, TransposedConvolutionOp, BatchNormOp, LayerNormOp, GroupNormOp,
                      ScaleChannelsOp, AffineOp, ActivateOp, PreluOp, MaxPoolOp, AvgPoolOp, ResizeOp,
                      ResampleOp, PadOp, CropOp, ChannelShuffleOp>(op))
    return op->getOperand(0);
  if (auto gated = dyn_cast_or_null<MultiplyOp>(op); gated && gated.getRhs().getType() != gated.getType())
    return gated.getLhs();
  return {};
}

// An operand of a sum, and what it was made from, back to where the chain ends.
std::vector<Value> chainOf(Value operand) {
  std::vector<Value> chain = {operand};
  while (Value input = inputOf(chain.back().getDefiningOp()))
    chain.push_back(input);
  return chain;
}

// Borders change a size too, but not the resolution.
bool upsamples(Operation *op) {
  return isa<ResizeOp, ResampleOp, TransposedConvolutionOp>(op) &&
         sizeOf(op->getResult(0)).exceeds(sizeOf(op->getOperand(0)));
}

bool downsamples(Operation *op) {
  const auto strides = [](auto window) { return window.getStrides()[0] > 1 || window.getStrides()[1] > 1; };
  if (auto pool = dyn_cast<MaxPoolOp>(op))
    return strides(pool);
  if (auto pool = dyn_cast<AvgPoolOp>(op))
    return strides(pool);
  if (auto convolution = dyn_cast<ConvolutionOp>(op))
    return strides(convolution);
  return isa<ResizeOp, ResampleOp>(op) && sizeOf(op->getOperand(0)).exceeds(sizeOf(op->getResult(0)));
}

bool isWide(ConvolutionOp convolution) {
  auto weight = cast<RankedTensorType>(convolution.getWeight().getType());
  return weight.getDimSize(2) > 1 || weight.getDimSize(3) > 1;
}

// What chain[begin] to chain[end - 1] are compared by, as ScaleBranches says; null without a convolution.
Value comparedMap(ArrayRef<Value> chain, size_t begin, size_t end) {
  std::optional<size_t> last;
  for (size_t i = begin; i < end; ++i)
    if (auto convolution = chain[i].getDefiningOp<ConvolutionOp>()) {
      if (!last || isWide(convolution))
        last = i;
      if (isWide(convolution))
        break;
    }
  if (!last)
    return {};
  while (*last > begin &&
         isa<BatchNormOp, LayerNormOp, GroupNormOp, ScaleChannelsOp, AffineOp, ActivateOp, PreluOp>(
             chain[*last - 1].getDefiningOp()))
    --*last;
  return chain[*last];
}

//===- Sums
//-------------------------------------------------------------------------------------------------------===//

bool isSum(AddOp add) {
  return add.getLhs().getType() == add.getRhs().getType() &&
         cast<RankedTensorType>(add.getType()).getRank() == 4;
}

// x + y + z is one sum of three: the operands of `add`, in order.
void collectOperands(AddOp add, SmallVectorImpl<Value> &operands) {
  for (Value operand : {add.getLhs(), add.getRhs()}) {
    auto inner = operand.getDefiningOp<AddOp>();
    if (inner && isSum(inner) && inner->hasOneUse())
      collectOperands(inner, operands);
    else
      operands.push_back(operand);
  }
}

bool isPartOfSum(AddOp add) {
  auto outer = add->hasOneUse() ? dyn_cast<AddOp>(*add->user_begin()) : AddOp();
  return outer && isSum(outer);
}

// A branch that was sampled down and up again.
struct Reduced {
  Value map;    // that is compared
  size_t begin; // in the chain: the map of the sum's size that was sampled down, or what it was padded from
};

std::optional<Reduced> reducedBranch(ArrayRef<Value> chain) {
  const Size full = sizeOf(chain.front());
  std::optional<size_t> up; // the element before the last upsampling: the first of the reduced ones
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    Operation *op = chain[i].getDefiningOp();
    if (upsamples(op))
      up = i + 1;
    if (!up || !downsamples(op))
      continue;
    size_t begin = i + 1;
    while (begin < chain.size() && sizeOf(chain[begin]) != full)
      ++begin;
    Value map = comparedMap(chain, *up, i);
    // A convolution with a stride is of the branch, though it samples down.
    if (!map)
      map = comparedMap(chain, *up, i + 1);
    if (begin == chain.size() || !map)
      return std::nullopt;
    return Reduced{map, begin};
  }
  return std::nullopt;
}

// What a branch of full resolution is compared by, if it begins at one of `sources`.
Value fullBranch(ArrayRef<Value> chain, ArrayRef<Value> sources) {
  for (size_t i = 0; i < chain.size(); ++i) {
    if (llvm::is_contained(sources, chain[i]))
      return comparedMap(chain, 0, i);
    Operation *op = chain[i].getDefiningOp();
    if (op && (downsamples(op) || upsamples(op)))
      return {};
  }
  return {};
}

//===- Places
//-----------------------------------------------------------------------------------------------------===//

std::string placeOf(AddOp add) {
  auto scopes = add->getAttrOfType<ArrayAttr>(kScopesAttr);
  if (scopes && !scopes.empty())
    if (auto place = cast<StringAttr>(cast<ArrayAttr>(scopes.getValue().back())[0]); !place.empty())
      return place.str();
  auto place = add->getAttrOfType<StringAttr>(kPlaceAttr);
  return place ? place.str() : "";
}

std::string factorText(Size full, Size reduced) {
  return llvm::formatv(", 1/{0}", std::llround(double(full.height) / double(reduced.height))).str();
}

std::vector<ScaleBranches> branchesOf(AddOp add) {
  SmallVector<Value> operands;
  collectOperands(add, operands);
  std::vector<std::vector<Value>> chains;
  for (Value operand : operands)
    chains.push_back(chainOf(operand));
  std::vector<std::optional<Reduced>> reduced;
  for (const std::vector<Value> &chain : chains)
    reduced.push_back(reducedBranch(chain));
  const auto first = llvm::find_if(reduced, [](const auto &branch) { return branch.has_value(); });
  if (first == reduced.end())
    return {};
  // All branches begin where the first reduced one does, or at what that was made from.
  const std::vector<Value> &chain = chains[size_t(first - reduced.begin())];
  const ArrayRef<Value> sources = ArrayRef(chain).drop_front((*first)->begin);

  std::vector<Value> full;
  std::map<int64_t, ScaleBranches, std::greater<>> byPixels;
  for (auto [branch, down] : llvm::zip(chains, reduced)) {
    if (down && llvm::is_contained(sources, branch[down->begin])) {
      const Size size = sizeOf(down->map);
      byPixels[size.height * size.width].reduced.push_back(down->map);
    } else if (Value map = down ? Value() : fullBranch(branch, sources)) {
      full.push_back(map);
    }
  }
  if (full.empty())
    return {};
  std::vector<ScaleBranches> result;
  for (auto &[pixels, branches] : byPixels) {
    branches.place = placeOf(add);
    if (byPixels.size() > 1)
      branches.place += factorText(sizeOf(add.getResult()), sizeOf(branches.reduced.front()));
    branches.full = full;
    result.push_back(std::move(branches));
  }
  return result;
}

} // namespace

std::vector<ScaleBranches> vernier::compiler::findScaleBranches(func::FuncOp function) {
  std::vector<ScaleBranches> all;
  for (AddOp add : function.getOps<AddOp>())
    if (isSum(add) && !isPartOfSum(add))
      for (ScaleBranches &branches : branchesOf(add))
        all.push_back(std::move(branches));
  llvm::StringMap<int> seen;
  for (ScaleBranches &branches : all)
    if (int earlier = seen[branches.place]++)
      branches.place += llvm::formatv(" ({0})", earlier + 1).str();
  return all;
}
