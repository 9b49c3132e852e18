// Moves 1x1 convolutions, and elementwise ops, below the resizes that feed them.
//
// A resized pixel is a mean of input pixels (nearest: one of them), so a 1x1 convolution of a resized map is
// the resized 1x1 convolution, at fewer pixels. Where the convolution reads a concat, it is the sum of the
// convolutions of the concat's inputs, each with its slice of the weight: the parts that come through a
// resize are computed below it, those of one resolution together, and the rest stays one convolution.
//
//   conv(relu(concat(a, up2(b), up4(c))))
//   = conv(relu(a)) + up2(conv(relu(b)) + up2(conv(relu(c))))
//
// The sums are additions of resized maps, which --vn-fuse-epilogue takes into the finer convolution: a
// coarser map is then read where the result is written, and never written at full size.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/DeadOps.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/Report.h"
#include "dsl/Sampling.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "llvm/Support/FormatVariadic.h"

namespace vernier::compiler {
#define GEN_PASS_DEF_SINKPOINTWISE
#include "compiler/passes/Passes.h.inc"
} // namespace vernier::compiler

using namespace mlir;
using namespace vernier::vn;

namespace {

constexpr int64_t kBytes = 4;

struct Saved {
  int64_t parts = 0, macs = 0, elementwise = 0, norms = 0;
  bool operator==(const Saved &) const = default;
};

//===- Helpers
//----------------------------------------------------------------------------------------------------===//

int64_t pixelsOf(RankedTensorType map) { return batchOf(map) * heightOf(map) * widthOf(map); }

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

// Does `nearest` take `from` to `to` with every pixel repeated equally often?
bool repeats(RankedTensorType from, RankedTensorType to) {
  return vernier::dsl::repeatsEqually(heightOf(from), heightOf(to), 0) &&
         vernier::dsl::repeatsEqually(widthOf(from), widthOf(to), 0);
}

bool isNearest(ResizeOp resize) { return resize.getMode() == ResizeMode::Nearest; }

// Do both take the same means of pixels, for equal sizes?
bool isAlike(ResizeOp a, ResizeOp b) {
  return a.getMode() == b.getMode() && a.getAlignCorners() == b.getAlignCorners() &&
         a.getScaleAttr() == b.getScaleAttr();
}

bool enlarges(ResizeOp resize) { return pixelsOf(resize.getType()) > pixelsOf(resize.getInput().getType()); }

// An op made in the place of `like`.
template <typename Op> Op tagged(Op made, Operation *like) {
  made->setDiscardableAttrs(like->getDiscardableAttrDictionary());
  return made;
}

// What `like` does, of a `value` of its input's height and width.
Value resized(PatternRewriter &rewriter, ResizeOp like, Value value) {
  RankedTensorType type = withDimension(like.getType(), 3, channelsOf(typeOf(value)));
  return tagged(ResizeOp::create(rewriter, like.getLoc(), type, like.getModeAttr(), value,
                                 like.getAlignCornersAttr(), like.getScaleAttr()),
                like);
}

// `value` with its pixels repeated to the height and width of `size`, in the place of `like`.
Value repeated(PatternRewriter &rewriter, ResizeOp like, Value value, RankedTensorType size) {
  RankedTensorType type = withDimension(size, 3, channelsOf(typeOf(value)));
  return tagged(
      ResizeOp::create(rewriter, like.getLoc(), type, like.getModeAttr(), value, UnitAttr(), FloatAttr()),
      like);
}

// Is `coarse` the same as first repeating its pixels to the size that `fine` begins from, and then `fine`?
bool goesThrough(ResizeOp coarse, ResizeOp fine) {
  if (!isNearest(coarse) || !isNearest(fine) ||
      !repeats(coarse.getInput().getType(), fine.getInput().getType()))
    return false;
  for (int axis : {0, 1}) {
    const int64_t factor =
        fine.getInput().getType().getDimSize(1 + axis) / coarse.getInput().getType().getDimSize(1 + axis);
    for (auto [direct, between] : llvm::zip_equal(coarse.nearestSources(axis), fine.nearestSources(axis)))
      if (direct != between / factor)
        return false;
  }
  return true;
}

bool isElementwise(Operation *op) { return isa_and_nonnull<ActivateOp, AffineOp>(op); }

// Is it a function of sums, too? An activation is not.
bool isAffine(Operation *op) {
  auto affine = dyn_cast<AffineOp>(op);
  return affine && affine.getActivation() == Activation::None;
}

// Some input channels of a weight, or elements of a vector, of `user`.
Value sliceOf(PatternRewriter &rewriter, Operation *user, Value parameter, int64_t begin, int64_t count) {
  RankedTensorType type = typeOf(parameter);
  unsigned dimension = type.getRank() == 1 ? 0 : 1;
  if (type.getDimSize(dimension) == count)
    return parameter;
  return tagged(SliceParameterOp::create(rewriter, user->getLoc(), withDimension(type, dimension, count),
                                         parameter, rewriter.getI64IntegerAttr(begin)),
                user);
}

// `op` of the channels of its map from `begin` on that `input` holds.
Value appliedTo(PatternRewriter &rewriter, Operation *op, Value input, int64_t begin) {
  if (auto activate = dyn_cast<ActivateOp>(op))
    return tagged(
        ActivateOp::create(rewriter, op->getLoc(), input.getType(), activate.getActivation(), input), op);
  auto affine = cast<AffineOp>(op);
  int64_t count = channelsOf(typeOf(input));
  Value scale = sliceOf(rewriter, op, affine.getScale(), begin, count),
        shift = sliceOf(rewriter, op, affine.getShift(), begin, count);
  return tagged(AffineOp::create(rewriter, op->getLoc(), input.getType(), input, scale, shift,
                                 affine.getActivationAttr()),
                op);
}

//===- What a convolution reads
//-----------------------------------------------------------------------------------===//

// An elementwise op between a part and the convolution; its map begins at channel `base` of the
// convolution's.
struct Elementwise {
  Operation *op;
  int64_t base;
};

// Consecutive input channels of the convolution.
struct Part {
  int64_t begin = 0, channels = 0;
  Value source, enlarged;               // below and above the resize; both without the elementwise ops
  ResizeOp resize;                      // null: there is none, source and enlarged are the same
  SmallVector<Elementwise> elementwise; // from the source to the convolution

  // What the convolution reads of it; `below` the resize.
  Value value(bool below, PatternRewriter &rewriter) const {
    Value value = below ? source : enlarged;
    for (const Elementwise &e : elementwise)
      value = appliedTo(rewriter, e.op, value, begin - e.base);
    return value;
  }
};

// Parts of one resolution.
struct Level {
  RankedTensorType size; // of a part, for its height and width
  ResizeOp resize;       // of one of them; null: the convolution's own resolution
  SmallVector<Part> parts;

  bool takes(const Part &part) const {
    return resize && heightOf(typeOf(part.source)) == heightOf(size) &&
           widthOf(typeOf(part.source)) == widthOf(size) && isAlike(part.resize, resize);
  }
  int64_t channels() const {
    int64_t channels = 0;
    for (const Part &part : parts)
      channels += part.channels;
    return channels;
  }
};

// Takes apart what `value` is, through elementwise ops, concats and a resize that nothing else uses.
// `elementwise` comes between `value` and the convolution.
void collectParts(Value value, int64_t begin, SmallVector<Elementwise> elementwise,
                  SmallVectorImpl<Part> &parts) {
  const int64_t channels = channelsOf(typeOf(value));
  while (value.hasOneUse() && isElementwise(value.getDefiningOp())) {
    elementwise.insert(elementwise.begin(), {value.getDefiningOp(), begin});
    value = value.getDefiningOp()->getOperand(0);
  }
  auto concat = value.getDefiningOp<ConcatOp>();
  auto resize = value.getDefiningOp<ResizeOp>();
  if (concat && value.hasOneUse()) {
    for (Value input : concat.getInputs()) {
      collectParts(input, begin, elementwise, parts);
      begin += channelsOf(typeOf(input));
    }
    return;
  }
  Part part{begin, channels, value, value, {}, std::move(elementwise)};
  if (resize && value.hasOneUse()) {
    part.resize = resize;
    part.source = resize.getInput();
  }
  parts.push_back(std::move(part));
}

//===- The convolution's pattern
//----------------------------------------------------------------------------------===//

struct SinkConvolution : OpRewritePattern<ConvolutionOp> {
  SinkConvolution(MLIRContext *context, bool training, int64_t macsPerByte, Saved &saved)
      : OpRewritePattern(context), training(training), macsPerByte(macsPerByte), saved(saved) {}

  LogicalResult matchAndRewrite(ConvolutionOp convolution, PatternRewriter &rewriter) const override {
    RankedTensorType weight = convolution.getWeight().getType();
    if (weight.getDimSize(2) != 1 || weight.getDimSize(3) != 1)
      return rewriter.notifyMatchFailure(convolution, "its window is larger than a pixel");
    // Not the map's size: a stride and a padding together may keep it.
    if (llvm::any_of(convolution.getStrides(), [](int64_t stride) { return stride != 1; }) ||
        llvm::any_of(convolution.getPadding(), [](int64_t padding) { return padding != 0; }))
      return rewriter.notifyMatchFailure(convolution, "strides or padding move its pixels");
    if (convolution.getGroups() != 1)
      return rewriter.notifyMatchFailure(convolution, "its groups would have to be split");

    SmallVector<Part> parts;
    collectParts(convolution.getInput(), 0, {}, parts);
    Level full{convolution.getInput().getType(), {}, {}};
    SmallVector<Level> levels;
    for (Part &part : parts) {
      Level &level = isLegal(convolution, part, rewriter) ? levelOf(part, levels) : full;
      level.parts.push_back(std::move(part));
    }
    keepWhatCostsMore(convolution, levels, full, rewriter);
    if (levels.empty())
      return rewriter.notifyMatchFailure(convolution, "no part moves below a resize");
    for (const Level &level : levels) {
      saved.parts += level.parts.size();
      saved.macs += macsSaved(convolution, level);
    }
    rewriter.replaceOp(convolution, build(convolution, levels, full, rewriter));
    return success();
  }

private:
  static bool isLegal(ConvolutionOp convolution, const Part &part, PatternRewriter &rewriter) {
    auto decline = [&](StringRef reason) {
      (void)rewriter.notifyMatchFailure(convolution, reason);
      return false;
    };
    if (!part.resize)
      return decline("a part comes through no resize, or others use it on the way");
    if (!enlarges(part.resize))
      return decline("a resize does not enlarge");
    bool affine = llvm::all_of(part.elementwise, [](const Elementwise &e) { return isAffine(e.op); });
    if (!isNearest(part.resize) && !affine)
      return decline("an activation comes between a bilinear resize and the convolution");
    return true;
  }

  static Level &levelOf(const Part &part, SmallVectorImpl<Level> &levels) {
    for (Level &level : levels)
      if (level.takes(part))
        return level;
    return levels.emplace_back(Level{typeOf(part.source), part.resize, {}});
  }

  // Multiply-adds of a pass over the map, forward.
  static int64_t macsSaved(ConvolutionOp convolution, const Level &level) {
    int64_t pixels = pixelsOf(convolution.getType()) - pixelsOf(level.size);
    return pixels * level.channels() * channelsOf(convolution.getType());
  }

  // Bytes of maps that are moved because of the split, less those that no longer are.
  int64_t bytesAdded(ConvolutionOp convolution, const Level &level, bool isAlone) const {
    const int64_t outputs = channelsOf(convolution.getType()), inputs = level.channels();
    const int64_t pixels = pixelsOf(convolution.getType()), below = pixelsOf(level.size);
    ResizeOp resize = level.resize;
    const bool read = resize.repeatsEqually();
    const bool fused = convolution->hasOneUse() && isa<AddOp, ActivateOp>(*convolution->user_begin());
    // The partial sum is written and read, and the resized input is not.
    int64_t bytes = 2 * below * outputs - 2 * pixels * inputs;
    // Enlarged by an op of its own; where that is all there is, what followed in the epilogue needs another.
    if (isAlone ? fused : !read)
      bytes += 2 * pixels * outputs;
    // The gradient of either resize reads the larger map and writes the smaller.
    if (training)
      bytes += (pixels + below) * (outputs - inputs);
    return kBytes * bytes;
  }

  // Moves levels that would cost more than they save from `levels` to `full`, and orders the rest, fine to
  // coarse.
  void keepWhatCostsMore(ConvolutionOp convolution, SmallVectorImpl<Level> &levels, Level &full,
                         PatternRewriter &rewriter) const {
    llvm::sort(levels, [](const Level &a, const Level &b) { return pixelsOf(a.size) > pixelsOf(b.size); });
    for (size_t i = 0; i < levels.size();) {
      const bool isAlone = full.parts.empty() && i == 0;
      const int64_t passes = training ? 3 : 1; // forward, gradient of the input, gradient of the weight
      const int64_t saves = passes * macsSaved(convolution, levels[i]);
      if (saves > macsPerByte * bytesAdded(convolution, levels[i], isAlone)) {
        ++i;
        continue;
      }
      (void)rewriter.notifyMatchFailure(convolution, "a part saves less than moving its maps costs");
      full.parts.append(std::make_move_iterator(levels[i].parts.begin()),
                        std::make_move_iterator(levels[i].parts.end()));
      levels.erase(levels.begin() + i);
    }
    llvm::sort(full.parts, [](const Part &a, const Part &b) { return a.begin < b.begin; });
  }

  // The convolution of a level's parts.
  static Value convolve(ConvolutionOp convolution, const Level &level, Value bias,
                        PatternRewriter &rewriter) {
    Location loc = convolution.getLoc();
    const int64_t outputs = channelsOf(convolution.getType());
    SmallVector<Value> inputs, weights;
    for (const Part &part : level.parts)
      inputs.push_back(part.value(/*below=*/bool(level.resize), rewriter));
    for (size_t i = 0; i < level.parts.size();) { // neighbours are one slice
      const int64_t begin = level.parts[i].begin;
      int64_t end = begin;
      for (; i < level.parts.size() && level.parts[i].begin == end; ++i)
        end += level.parts[i].channels;
      weights.push_back(sliceOf(rewriter, convolution, convolution.getWeight(), begin, end - begin));
    }
    Value input = inputs.front(), weight = weights.front();
    if (inputs.size() > 1)
      input = tagged(ConcatOp::create(rewriter, loc, withDimension(level.size, 3, level.channels()), inputs),
                     convolution);
    if (weights.size() > 1)
      weight = tagged(
          ConcatParametersOp::create(
              rewriter, loc, withDimension(convolution.getWeight().getType(), 1, level.channels()), weights),
          convolution);
    return tagged(ConvolutionOp::create(rewriter, loc, withDimension(level.size, 3, outputs), input, weight,
                                        bias, convolution.getStridesAttr(), convolution.getPaddingAttr(),
                                        convolution.getDilationsAttr(), convolution.getGroupsAttr(),
                                        /*hole=*/nullptr, /*hole_index=*/nullptr),
                  convolution);
  }

  // `levels` from fine to coarse. A level's sum joins the coarsest one that its pixels may go through, so
  // that the full resolution reads as little as possible; the bias goes where the result is added up.
  static Value build(ConvolutionOp convolution, ArrayRef<Level> levels, const Level &full,
                     PatternRewriter &rewriter) {
    Location loc = convolution.getLoc();
    const bool isFull = !full.parts.empty();
    const auto added = [&](Value sum, Value part) -> Value {
      return tagged(AddOp::create(rewriter, loc, sum.getType(), sum, part), convolution);
    };
    SmallVector<SmallVector<Value>> coarser(levels.size());
    SmallVector<Value> atFull;
    Value result;
    for (size_t i = levels.size(); i-- > 0;) {
      const bool isResult = !isFull && i == 0;
      Value sum = convolve(convolution, levels[i], isResult ? convolution.getBias() : Value(), rewriter);
      for (Value part : coarser[i])
        sum = added(sum, repeated(rewriter, levels[i].resize, part, levels[i].size));
      std::optional<size_t> target;
      for (size_t j = 0; j < i; ++j)
        if (goesThrough(levels[i].resize, levels[j].resize))
          target = j;
      if (target)
        coarser[*target].push_back(sum);
      else if (isResult)
        result = resized(rewriter, levels[i].resize, sum);
      else
        atFull.push_back(resized(rewriter, levels[i].resize, sum));
    }
    if (isFull)
      result = convolve(convolution, full, convolution.getBias(), rewriter);
    for (Value part : atFull)
      result = added(result, part);
    return result;
  }

  const bool training;
  const int64_t macsPerByte; // multiply-adds that take as long as moving a byte of a map
  Saved &saved;
};

//===- Patterns of elementwise ops and batch norms
//----------------------------------------------------------------===//

struct SinkElementwise : RewritePattern {
  SinkElementwise(MLIRContext *context, Saved &saved)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context), saved(saved) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isElementwise(op))
      return failure();
    auto resize = op->getOperand(0).getDefiningOp<ResizeOp>();
    if (!resize || !enlarges(resize))
      return rewriter.notifyMatchFailure(op, "the input is no enlarged map");
    if (!resize->hasOneUse())
      return rewriter.notifyMatchFailure(op, "the resized map has other users");
    if (!isNearest(resize) && !isAffine(op))
      return rewriter.notifyMatchFailure(op, "an activation of means is no mean of activations");
    Value below = appliedTo(rewriter, op, resize.getInput(), 0);
    rewriter.replaceOp(op, resized(rewriter, resize, below));
    rewriter.eraseOp(resize);
    ++saved.elementwise;
    return success();
  }

  Saved &saved;
};

// Every pixel is repeated equally often, so mean and biased variance are those of the smaller map. What the
// running variance counts stands in vn.update_running and stays.
struct SinkBatchNorm : OpRewritePattern<BatchNormTrainingOp> {
  SinkBatchNorm(MLIRContext *context, Saved &saved) : OpRewritePattern(context), saved(saved) {}

  LogicalResult matchAndRewrite(BatchNormTrainingOp norm, PatternRewriter &rewriter) const override {
    auto resize = norm.getInput().getDefiningOp<ResizeOp>();
    if (!resize || !enlarges(resize))
      return rewriter.notifyMatchFailure(norm, "the input is no enlarged map");
    if (!resize->hasOneUse())
      return rewriter.notifyMatchFailure(norm, "the resized map has other users");
    if (!isNearest(resize))
      return rewriter.notifyMatchFailure(norm, "a bilinear resize changes the statistics");
    if (!resize.repeatsEqually())
      return rewriter.notifyMatchFailure(norm, "the resize repeats some pixels more often than others");
    RankedTensorType vector = norm.getGamma().getType();
    auto below = tagged(BatchNormTrainingOp::create(
                            rewriter, norm.getLoc(), TypeRange{resize.getInput().getType(), vector, vector},
                            resize.getInput(), norm.getGamma(), norm.getBeta(), norm.getEpsilonAttr()),
                        norm);
    Value enlarged = resized(rewriter, resize, below.getResult());
    rewriter.replaceOp(norm, {enlarged, below.getBatchMean(), below.getBatchVar()});
    rewriter.eraseOp(resize);
    ++saved.norms;
    return success();
  }

  Saved &saved;
};

//===- Pass
//-------------------------------------------------------------------------------------------------------===//

struct SinkPointwise : vernier::compiler::impl::SinkPointwiseBase<SinkPointwise> {
  using SinkPointwiseBase::SinkPointwiseBase;

  void runOnOperation() override {
    auto on = getOperation().lookupSymbol<func::FuncOp>(function);
    if (!on)
      return;
    Saved saved;
    RewritePatternSet set(&getContext());
    set.add<SinkConvolution>(&getContext(), function != kInferFunction, macsPerByte, saved);
    set.add<SinkElementwise, SinkBatchNorm>(&getContext(), saved);
    const FrozenRewritePatternSet patterns(std::move(set));
    // Not the greedy driver, which erases unused parameters. What moved below one resize may stand above
    // another; every move is towards the inputs, so that this ends.
    for (Saved before{-1}; !(before == saved);) {
      before = saved;
      walkAndApplyPatterns(on, patterns);
      vernier::compiler::eraseDeadOps(on.front());
    }
    sunkParts += saved.parts;
    savedMacs += saved.macs;
    sunkElementwise += saved.elementwise;
    sunkNorms += saved.norms;
    if (!(saved == Saved()))
      vernier::compiler::report(
          *this, getOperation(),
          llvm::formatv("{0}: {1} parts of 1x1 convolutions below resizes, {2:F1} M multiply-adds less; {3} "
                        "elementwise ops and {4} batch norms likewise",
                        function == kInferFunction ? "inference" : "training", saved.parts,
                        double(saved.macs) / 1e6, saved.elementwise, saved.norms)
              .str());
  }
};

} // namespace
