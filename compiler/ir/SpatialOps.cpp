// Shapes, receptive fields and gradients of the ops that change height and width.
#include "compiler/ir/Windows.h"
#include "dsl/Sampling.h"
#include "llvm/Support/FormatVariadic.h"

#include <array>
#include <cmath>

using namespace mlir;
using namespace vernier::vn;

using Types = SmallVectorImpl<RankedTensorType>;

//===- Pooling
//------------------------------------------------------------------------------------------------===//

template <class Op> static LogicalResult inferPool(Op op, Types &results) {
  auto type = poolType(op, op.getInput().getType());
  if (failed(type))
    return failure();
  results.push_back(*type); // C3
  return success();
}

template <class Op> static ReceptiveWindow windowOfPool(Op op) {
  ReceptiveWindow window;
  for (int axis : {0, 1}) {
    window.size[axis] = op.getKernel()[axis];
    window.step[axis] = op.getStrides()[axis];
  }
  return window;
}

LogicalResult MaxPoolOp::inferShapes(Types &results) { return inferPool(*this, results); }
ReceptiveWindow MaxPoolOp::getReceptiveWindow(unsigned) { return windowOfPool(*this); }
void MaxPoolOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                              llvm::function_ref<bool(Value)> wanted,
                              MutableArrayRef<Value> operandGradients) {
  if (wanted(getInput()))
    operandGradients[0] = MaxPoolGradOp::create(builder, getLoc(), getInput().getType(), getInput(),
                                                getResult(), resultGradients[0], getKernelAttr(),
                                                getStridesAttr(), getPaddingAttr(), getCeilAttr());
}

LogicalResult MaxPoolGradOp::inferShapes(Types &results) {
  auto pooled = poolType(*this, getInput().getType());
  if (failed(pooled))
    return failure();
  for (auto [name, type] : {std::pair("y", getY().getType()), std::pair("dy", getDy().getType())})
    if (type != *pooled) // C1
      return emitOpError("needs `") << name << "` of type " << *pooled << ", found " << type;
  RankedTensorType input = getInput().getType();
  if (bool(getMask()) != (getMasked() != Activation::None)) // C3
    return emitOpError("needs a mask and its activation together");
  for (Value other : getAddends())
    if (other.getType() != input)
      return emitOpError("needs `addends` of type ") << input << ", found " << other.getType();
  if (getMask() && getMask().getType() != input)
    return emitOpError("needs `mask` of type ") << input << ", found " << getMask().getType();
  results.push_back(input); // C2
  return success();
}

LogicalResult AvgPoolOp::inferShapes(Types &results) { return inferPool(*this, results); }
ReceptiveWindow AvgPoolOp::getReceptiveWindow(unsigned) { return windowOfPool(*this); }
void AvgPoolOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                              llvm::function_ref<bool(Value)> wanted,
                              MutableArrayRef<Value> operandGradients) {
  if (wanted(getInput()))
    operandGradients[0] =
        AvgPoolGradOp::create(builder, getLoc(), getInput().getType(), resultGradients[0], getKernelAttr(),
                              getStridesAttr(), getPaddingAttr(), getCeilAttr(), getCountPaddingAttr());
}

LogicalResult AvgPoolGradOp::inferShapes(Types &results) {
  auto pooled = poolType(*this, getType());
  if (failed(pooled))
    return failure();
  if (getDy().getType() != *pooled) // C1
    return emitOpError("needs `dy` of type ") << *pooled << ", found " << getDy().getType();
  results.push_back(getType());
  return success();
}

static RankedTensorType onePixel(RankedTensorType map) {
  return mapLike(map, {batchOf(map), 1, 1, channelsOf(map)});
}

LogicalResult GlobalAvgPoolOp::inferShapes(Types &results) {
  results.push_back(onePixel(getInput().getType())); // C1
  return success();
}

ReceptiveWindow GlobalAvgPoolOp::getReceptiveWindow(unsigned) {
  RankedTensorType input = getInput().getType();
  double height = heightOf(input), width = widthOf(input);
  return {{height, width}, {height, width}};
}

void GlobalAvgPoolOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                    llvm::function_ref<bool(Value)> wanted,
                                    MutableArrayRef<Value> operandGradients) {
  if (wanted(getInput()))
    operandGradients[0] =
        GlobalAvgPoolGradOp::create(builder, getLoc(), getInput().getType(), resultGradients[0]);
}

LogicalResult GlobalAvgPoolGradOp::inferShapes(Types &results) {
  RankedTensorType dy = getDy().getType();
  if (dy != onePixel(dy)) // C1
    return emitOpError("needs `dy` of one pixel, found ") << heightOf(dy) << " x " << widthOf(dy);
  results.push_back(
      mapLike(dy, {batchOf(dy), heightOf(getType()), widthOf(getType()), channelsOf(dy)})); // C2
  return success();
}

//===- Resampling
//---------------------------------------------------------------------------------------------===//

/// From `from` to `to` in the forward direction.
template <class Op> static LogicalResult checkScale(Op op, RankedTensorType from, RankedTensorType to) {
  const double scale = op.factor();
  if (!(scale > 0) || std::isinf(scale)) // C4
    return op.emitOpError("`scale` is ") << scale << ", it must be positive and finite";
  if (op.getAlignCorners()) // C4
    return op.emitOpError("`align_corners` has no `scale`: the sizes decide");
  for (int axis : {0, 1}) {
    const int64_t in = from.getDimSize(1 + axis), out = to.getDimSize(1 + axis);
    const double made = std::floor(double(in) * scale); // may be any number: kept in double
    if (made != double(out))                            // C5
      return op.emitOpError("scale ") << scale << " makes " << llvm::formatv("{0:F0}", made) << " of " << in
                                      << (axis ? " columns" : " rows") << ", found " << out;
  }
  return success();
}

/// `mayAlign`: the mode that has corners to align.
template <class Op>
static LogicalResult inferResize(Op op, RankedTensorType operand, bool aligns, StringRef mayAlign,
                                 Types &results) {
  RankedTensorType result = op.getType();
  if (op.getAlignCorners() && !aligns) // C1
    return op.emitOpError("`align_corners` needs `") << mayAlign << "`";
  for (RankedTensorType type : {operand, result})
    if (heightOf(type) < 1 || widthOf(type) < 1) // C2
      return op.emitOpError("resizes ") << operand << " to " << result << ": no pixels";
  results.push_back(
      mapLike(operand, {batchOf(operand), heightOf(result), widthOf(result), channelsOf(operand)})); // C3
  return success();
}

LogicalResult ResizeOp::inferShapes(Types &results) {
  if (failed(
          inferResize(*this, getInput().getType(), getMode() == ResizeMode::Bilinear, "bilinear", results)))
    return failure();
  return getScale() ? checkScale(*this, getInput().getType(), getType()) : success();
}
LogicalResult ResizeGradOp::inferShapes(Types &results) {
  if (failed(inferResize(*this, getDy().getType(), getMode() == ResizeMode::Bilinear, "bilinear", results)))
    return failure();
  return getScale() ? checkScale(*this, getType(), getDy().getType()) : success();
}

bool ResizeOp::repeatsEqually() {
  return getMode() == ResizeMode::Nearest && llvm::all_of(std::array{1, 2}, [&](int dim) {
           return vernier::dsl::repeatsEqually(getInput().getType().getDimSize(dim),
                                               getType().getDimSize(dim), factor());
         });
}

SmallVector<int64_t> ResizeOp::nearestSources(int axis) {
  const int64_t in = getInput().getType().getDimSize(1 + axis), out = getType().getDimSize(1 + axis);
  SmallVector<int64_t> sources;
  for (int64_t i = 0; i < out; ++i)
    sources.push_back(vernier::dsl::nearestSource(i, in, out, factor()));
  return sources;
}

// Interpolation sees two pixels; nearest, and a size that does not change, one.
ReceptiveWindow ResizeOp::getReceptiveWindow(unsigned) {
  ReceptiveWindow window;
  for (int axis : {0, 1}) {
    double input = getInput().getType().getDimSize(1 + axis), result = getType().getDimSize(1 + axis);
    window.step[axis] = getAlignCorners() && result > 1
                            ? (input - 1) / (result - 1)
                            : vernier::dsl::samplingStep(int64_t(input), int64_t(result), factor());
    window.size[axis] = getMode() == ResizeMode::Bilinear && input != result && input > 1 ? 2 : 1;
  }
  return window;
}

void ResizeOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                             llvm::function_ref<bool(Value)> wanted,
                             MutableArrayRef<Value> operandGradients) {
  if (wanted(getInput()))
    operandGradients[0] = ResizeGradOp::create(builder, getLoc(), getInput().getType(), getModeAttr(),
                                               resultGradients[0], getAlignCornersAttr(), getScaleAttr());
}

LogicalResult ResampleOp::inferShapes(Types &results) {
  RankedTensorType from = getInput().getType(), to = getType();
  if (failed(inferResize(*this, from, getKind() == Resampling::Bicubic, "bicubic", results)))
    return failure();
  if (getScale() && getKind() == Resampling::AdaptiveAverage) // C4
    return emitOpError("`adaptive_average` has no `scale`: the sizes decide");
  if (getTransposed())
    std::swap(from, to);
  return getScale() ? checkScale(*this, from, to) : success();
}

vernier::dsl::ResamplingAxis ResampleOp::axis(int axis) {
  int64_t from = getInput().getType().getDimSize(1 + axis), to = getType().getDimSize(1 + axis);
  if (getTransposed())
    std::swap(from, to);
  return {vernier::dsl::Resampling(getKind()), from, to, getAlignCorners(), factor()};
}

std::vector<vernier::dsl::ResamplingRun> ResampleOp::runs(int axis) {
  return vernier::dsl::resamplingRuns(this->axis(axis), getTransposed());
}

ReceptiveWindow ResampleOp::getReceptiveWindow(unsigned) {
  ReceptiveWindow window;
  for (int axis : {0, 1}) {
    window.step[axis] =
        vernier::dsl::samplingStep(getInput().getType().getDimSize(1 + axis), getType().getDimSize(1 + axis),
                                   getTransposed() ? 0 : factor());
    window.size[axis] = double(vernier::dsl::longestRun(runs(axis)));
  }
  return window;
}

// A gradient's gradient is the op itself.
void ResampleOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                               llvm::function_ref<bool(Value)> wanted,
                               MutableArrayRef<Value> operandGradients) {
  if (wanted(getInput()))
    operandGradients[0] =
        ResampleOp::create(builder, getLoc(), getInput().getType(), getKind(), resultGradients[0],
                           getAlignCorners(), getScaleAttr(), !getTransposed());
}

//===- Borders
//------------------------------------------------------------------------------------------------===//

static RankedTensorType padded(RankedTensorType map, ArrayRef<int64_t> padding) {
  return mapLike(map, {batchOf(map), heightOf(map) + padding[0] + padding[1],
                       widthOf(map) + padding[2] + padding[3], channelsOf(map)});
}

LogicalResult PadOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType();
  if (getMode() == PadMode::Replicate && (heightOf(input) < 1 || widthOf(input) < 1)) // C1
    return emitOpError("has nothing to replicate in ") << input;
  results.push_back(padded(input, getPadding())); // C2
  return success();
}

void PadOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                          llvm::function_ref<bool(Value)> wanted, MutableArrayRef<Value> operandGradients) {
  if (!wanted(getInput()))
    return;
  RankedTensorType type = getInput().getType();
  if (getMode() == PadMode::Replicate)
    operandGradients[0] = PadGradOp::create(builder, getLoc(), type, resultGradients[0], getPaddingAttr());
  else
    operandGradients[0] = CropOp::create(builder, getLoc(), type, resultGradients[0],
                                         builder.getDenseI64ArrayAttr({getPadding()[0], getPadding()[2]}));
}

LogicalResult PadGradOp::inferShapes(Types &results) {
  RankedTensorType forward = padded(getType(), getPadding());
  if (getDy().getType() != forward) // C1
    return emitOpError("needs `dy` of type ") << forward << ", found " << getDy().getType();
  results.push_back(getType());
  return success();
}

LogicalResult CropOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType(), result = getType();
  for (int axis : {0, 1})
    if (getOffset()[axis] + result.getDimSize(1 + axis) > input.getDimSize(1 + axis)) // C1
      return emitOpError("cuts ") << result.getDimSize(1 + axis) << " from " << getOffset()[axis]
                                  << " out of " << input.getDimSize(1 + axis)
                                  << (axis ? " columns" : " rows");
  results.push_back(
      mapLike(input, {batchOf(input), heightOf(result), widthOf(result), channelsOf(input)})); // C2
  return success();
}

void CropOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                           llvm::function_ref<bool(Value)> wanted, MutableArrayRef<Value> operandGradients) {
  if (!wanted(getInput()))
    return;
  RankedTensorType input = getInput().getType();
  int64_t top = getOffset()[0], left = getOffset()[1];
  operandGradients[0] = PadOp::create(
      builder, getLoc(), input, PadModeAttr::get(getContext(), PadMode::Zero), resultGradients[0],
      builder.getDenseI64ArrayAttr({top, heightOf(input) - heightOf(getType()) - top, left,
                                    widthOf(input) - widthOf(getType()) - left}));
}
