// Starts the slices of concats and splits at multiples of a few channels, so that each pixel of each can be
// moved in whole vectors: channels of zeros follow those that do not fill their last vector.
//
// Maps that share channels, because one is a slice, a concat, a sum or a pool of the other, need the same
// places; only between the input and the result of a convolution in one group, or of a linear layer, do
// places change, by its weight. So the pass finds where runs of channels begin in each map, and pads either
// all maps of a component or none.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/Report.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

#include <set>

namespace vernier::compiler {
#define GEN_PASS_DEF_ALIGNSLICES
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;

namespace {

// A component may grow to this many times its bytes: a guess, until a GPU says what narrow accesses cost.
constexpr double kMostGrowth = 1.5;

int64_t channels(Value map) { return channelsOf(cast<RankedTensorType>(map.getType())); }

// `count` channels of `a` from `aBegin` on are those of `b` from `bBegin` on.
struct Tie {
  Value a;
  int64_t aBegin;
  Value b;
  int64_t bBegin, count;
};

Tie wholly(Value a, Value b) { return {a, 0, b, 0, channels(a)}; }

bool isDepthwise(ConvolutionOp op) {
  return op.getGroups() > 1 && int64_t(op.getGroups()) == channels(op.getInput()) &&
         int64_t(op.getGroups()) == channels(op.getResult());
}

// How the channels of an op's maps depend on each other; nothing where they are to stay where they are.
std::optional<SmallVector<Tie>> tiesOf(Operation *op) {
  using Ties = std::optional<SmallVector<Tie>>;
  return llvm::TypeSwitch<Operation *, Ties>(op)
      .Case([](ConvolutionOp convolution) -> Ties {
        if (convolution.getGroups() == 1)
          return SmallVector<Tie>();
        if (isDepthwise(convolution))
          return SmallVector<Tie>{wholly(convolution.getInput(), convolution.getResult())};
        return std::nullopt;
      })
      .Case([](LinearOp) -> Ties { return SmallVector<Tie>(); })
      .Case<BatchNormOp, ActivateOp, MaxPoolOp, AvgPoolOp, GlobalAvgPoolOp, ResizeOp, ResampleOp, PadOp,
            CropOp>(
          [](auto one) -> Ties { return SmallVector<Tie>{wholly(one.getInput(), one.getResult())}; })
      // Not a quotient: what pads both maps would be 0 / 0.
      .Case<AddOp, SubtractOp, MultiplyOp>([](auto two) -> Ties {
        SmallVector<Tie> ties{wholly(two.getLhs(), two.getResult())};
        if (channels(two.getRhs()) == channels(two.getLhs())) // else one number for all channels
          ties.push_back(wholly(two.getRhs(), two.getResult()));
        return ties;
      })
      .Case([](SliceOp slice) -> Ties {
        return SmallVector<Tie>{
            {slice.getResult(), 0, slice.getInput(), int64_t(slice.getBegin()), channels(slice.getResult())}};
      })
      .Case([](ConcatOp concat) -> Ties {
        SmallVector<Tie> ties;
        int64_t begin = 0;
        for (Value input : concat.getInputs()) {
          ties.push_back({input, 0, concat.getResult(), begin, channels(input)});
          begin += channels(input);
        }
        return ties;
      })
      .Default([](Operation *) -> Ties { return std::nullopt; });
}

class Alignment {
public:
  Alignment(func::FuncOp function, int64_t multiple) : multiple(multiple) {
    for (Value argument : function.getArguments())
      note(argument, /*stays=*/true);
    for (Operation &op : function.front()) {
      const std::optional<SmallVector<Tie>> found = tiesOf(&op);
      for (Value value : op.getOperands())
        note(value, !found);
      for (Value value : op.getResults())
        note(value, !found);
      if (found)
        ties.append(found->begin(), found->end());
    }
    for (const Tie &tie : ties)
      components.unionSets(tie.a.getAsOpaquePointer(), tie.b.getAsOpaquePointer());
    spreadBreaks();
    choose();
  }

  // Whether its channels move; and then the lengths of the runs, each of which begins at a multiple.
  bool moves(Value map) const { return moving.contains(leaderOf(map)); }
  SmallVector<int64_t> runsOf(Value map) const {
    SmallVector<int64_t> runs;
    int64_t begin = 0;
    for (int64_t end : breaks.lookup(map)) {
      runs.push_back(end - begin);
      begin = end;
    }
    runs.push_back(channels(map) - begin);
    return runs;
  }
  // Where a run begins afterwards.
  int64_t placeOf(Value map, int64_t channel) const {
    int64_t begin = 0, place = 0;
    for (int64_t run : runsOf(map)) {
      if (begin == channel)
        break;
      begin += run;
      place += rounded(run);
    }
    return place;
  }
  int64_t channelsOfMoved(Value map) const { return placeOf(map, channels(map)); }

  int64_t rounded(int64_t run) const { return int64_t(llvm::alignTo(uint64_t(run), uint64_t(multiple))); }

private:
  const void *leaderOf(Value map) const {
    const auto found = components.findLeader(map.getAsOpaquePointer());
    return found == components.member_end() ? nullptr : *found;
  }

  void note(Value value, bool stays) {
    if (!isMap(value))
      return;
    components.insert(value.getAsOpaquePointer());
    breaks.try_emplace(value);
    if (stays)
      staying.insert(value.getAsOpaquePointer());
  }

  // Runs of one map end where those of the maps do with which it shares the channels.
  void spreadBreaks() {
    const auto add = [&](Value map, int64_t channel) {
      return channel > 0 && channel < channels(map) && breaks[map].insert(channel).second;
    };
    bool changed = true;
    while (changed) {
      changed = false;
      for (const Tie &tie : ties) {
        changed |= add(tie.a, tie.aBegin);
        changed |= add(tie.a, tie.aBegin + tie.count);
        changed |= add(tie.b, tie.bBegin);
        changed |= add(tie.b, tie.bBegin + tie.count);
        const std::set<int64_t> ofA = breaks[tie.a], ofB = breaks[tie.b];
        for (int64_t channel : ofA)
          if (channel >= tie.aBegin && channel <= tie.aBegin + tie.count)
            changed |= add(tie.b, channel - tie.aBegin + tie.bBegin);
        for (int64_t channel : ofB)
          if (channel >= tie.bBegin && channel <= tie.bBegin + tie.count)
            changed |= add(tie.a, channel - tie.bBegin + tie.aBegin);
      }
    }
  }

  // A component moves where a run begins between multiples, none of its maps is to stay, and it does not
  // grow too much.
  void choose() {
    struct Size {
      int64_t before = 0, after = 0;
      bool uneven = false, stays = false;
    };
    llvm::MapVector<const void *, Size> sizes;
    for (const auto &[map, ends] : breaks) {
      Size &size = sizes[leaderOf(map)];
      auto type = cast<RankedTensorType>(map.getType());
      const int64_t pixels = type.getNumElements() / channels(map);
      size.before += pixels * channels(map);
      size.after += pixels * channelsOfMoved(map);
      size.stays |= staying.contains(map.getAsOpaquePointer());
      size.uneven |= llvm::any_of(ends, [&](int64_t channel) { return channel % multiple != 0; });
    }
    for (const auto &[leader, size] : sizes)
      if (size.uneven && !size.stays && double(size.after) <= kMostGrowth * double(size.before)) {
        moving.insert(leader);
        grownBytes += 4 * (size.after - size.before);
      }
  }

  const int64_t multiple;
  SmallVector<Tie> ties;
  llvm::EquivalenceClasses<const void *> components;
  llvm::MapVector<Value, std::set<int64_t>> breaks; // where runs begin, but for the first
  llvm::DenseSet<const void *> staying, moving;

public:
  int64_t grownBytes = 0;
};

struct AlignSlices : vernier::compiler::impl::AlignSlicesBase<AlignSlices> {
  using AlignSlicesBase::AlignSlicesBase;

  void runOnOperation() override {
    auto function = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (!function)
      return;
    const Alignment alignment(function, multiple);
    // What ops need is asked before any type changes.
    SmallVector<std::function<void()>> changes;
    int64_t maps = 0;
    for (Operation &op : function.front()) {
      llvm::TypeSwitch<Operation *>(&op)
          .Case([&](ConvolutionOp convolution) {
            const bool depthwise = isDepthwise(convolution);
            change(convolution, depthwise, alignment, changes);
            if (depthwise && alignment.moves(convolution.getResult()))
              changes.push_back(
                  [convolution, groups = alignment.channelsOfMoved(convolution.getResult())]() mutable {
                    convolution.setGroups(uint64_t(groups));
                  });
          })
          .Case([&](LinearOp linear) { change(linear, false, alignment, changes); })
          .Case([&](BatchNormOp norm) {
            if (alignment.moves(norm.getInput()))
              changes.push_back([this, norm, runs = alignment.runsOf(norm.getInput())]() mutable {
                for (OpOperand &vector : llvm::drop_begin(norm->getOpOperands()))
                  spread(vector, runs, {});
              });
          })
          .Case([&](SliceOp slice) {
            if (alignment.moves(slice.getInput()))
              changes.push_back(
                  [slice, place = alignment.placeOf(slice.getInput(), slice.getBegin())]() mutable {
                    slice.setBegin(uint64_t(place));
                  });
          });
      for (Value result : op.getResults())
        if (isMap(result) && alignment.moves(result)) {
          ++maps;
          auto type = cast<RankedTensorType>(result.getType());
          changes.push_back(
              [result, moved = withDimension(type, 3, alignment.channelsOfMoved(result))]() mutable {
                result.setType(moved);
              });
        }
    }
    for (const auto &apply : changes)
      apply();
    alignedMaps += maps;
    grownBytes += alignment.grownBytes;
    if (maps)
      vernier::compiler::report(*this, getOperation(),
                                "inference: slices of " + Twine(maps) + " maps start at multiples of " +
                                    Twine(multiple) + " channels");
  }

  template <typename Op>
  void change(Op op, bool depthwise, const Alignment &alignment,
              SmallVector<std::function<void()>> &changes) {
    SmallVector<int64_t> inputs, outputs;
    if (!depthwise && alignment.moves(op.getInput()))
      inputs = alignment.runsOf(op.getInput());
    if (alignment.moves(op.getResult()))
      outputs = alignment.runsOf(op.getResult());
    if (inputs.empty() && outputs.empty())
      return;
    changes.push_back([this, op, inputs, outputs]() mutable {
      spread(op.getWeightMutable(), outputs, inputs);
      if (op.getBias() && !outputs.empty())
        spread(*op.getBiasMutable().begin(), outputs, {});
    });
  }

  void spread(OpOperand &parameter, ArrayRef<int64_t> outputs, ArrayRef<int64_t> inputs) {
    const auto spreads = [&](ArrayRef<int64_t> runs) {
      return llvm::any_of(runs, [&](int64_t run) { return run % multiple != 0; });
    };
    if (!spreads(outputs))
      outputs = {};
    if (!spreads(inputs))
      inputs = {};
    if (outputs.empty() && inputs.empty())
      return;
    Operation *user = parameter.getOwner();
    OpBuilder builder(user);
    auto type = cast<RankedTensorType>(parameter.get().getType());
    const ArrayRef<int64_t> ofDimensions[] = {outputs, inputs};
    for (const auto &[dimension, runs] : llvm::enumerate(ofDimensions)) {
      int64_t size = 0;
      for (int64_t run : runs)
        size += int64_t(llvm::alignTo(uint64_t(run), uint64_t(multiple)));
      if (!runs.empty())
        type = withDimension(type, unsigned(dimension), size);
    }
    auto spreadOp = SpreadParameterOp::create(builder, user->getLoc(), type, parameter.get(),
                                              uint64_t(multiple), outputs, inputs);
    if (Attribute place = user->getAttr(kPlaceAttr))
      spreadOp->setAttr(kPlaceAttr, place);
    parameter.set(spreadOp);
  }
};

} // namespace
