// Shapes and gradients of ops on channels and between maps; parameters and holes.
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"

using namespace mlir;
using namespace vernier::vn;

using Types = SmallVectorImpl<RankedTensorType>;
using Expected = SmallVector<ExpectedOperand>;

//===- Slices of channels
//-------------------------------------------------------------------------------------===//

LogicalResult SliceOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType();
  int64_t count = channelsOf(getType());
  if (getBegin() + count > channelsOf(input)) // C1
    return emitOpError("takes ") << count << " channels from " << getBegin() << " of " << channelsOf(input);
  results.push_back(withDimension(input, 3, count)); // C2
  return success();
}

void SliceOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                            llvm::function_ref<bool(Value)> wanted, MutableArrayRef<Value> operandGradients) {
  if (wanted(getInput()))
    operandGradients[0] =
        EmbedChannelsOp::create(builder, getLoc(), getInput().getType(), resultGradients[0], getBeginAttr());
}

LogicalResult EmbedChannelsOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType();
  int64_t count = channelsOf(getType());
  if (getBegin() + channelsOf(input) > count) // C1
    return emitOpError("places ") << channelsOf(input) << " channels at " << getBegin() << " of " << count;
  results.push_back(withDimension(input, 3, count)); // C2
  return success();
}

LogicalResult ConcatOp::inferShapes(Types &results) {
  if (getInputs().empty()) // C1
    return emitOpError("needs at least one input");
  auto first = cast<RankedTensorType>(getInputs().front().getType());
  if (failed(requireOneElement(*this, first, getInputs()))) // C4
    return failure();
  int64_t channels = 0;
  for (Value input : getInputs()) {
    auto type = cast<RankedTensorType>(input.getType());
    if (type.getShape().drop_back() != first.getShape().drop_back()) // C2
      return emitOpError("joins maps of different size, ") << first << " and " << type;
    channels += channelsOf(type);
  }
  results.push_back(withDimension(first, 3, channels)); // C3
  return success();
}

void ConcatOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                             llvm::function_ref<bool(Value)> wanted,
                             MutableArrayRef<Value> operandGradients) {
  int64_t begin = 0;
  for (auto [index, input] : llvm::enumerate(getInputs())) {
    if (wanted(input))
      operandGradients[index] = SliceOp::create(builder, getLoc(), input.getType(), resultGradients[0],
                                                builder.getI64IntegerAttr(begin));
    begin += channelsOf(cast<RankedTensorType>(input.getType()));
  }
}

LogicalResult ChannelShuffleOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType();
  if (channelsOf(input) % getGroups() != 0) // C1
    return emitOpError("interleaves ") << getGroups() << " groups of " << channelsOf(input) << " channels";
  results.push_back(input); // C2
  return success();
}

void ChannelShuffleOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                     llvm::function_ref<bool(Value)> wanted,
                                     MutableArrayRef<Value> operandGradients) {
  if (wanted(getInput()))
    operandGradients[0] =
        ChannelShuffleOp::create(builder, getLoc(), getType(), resultGradients[0],
                                 builder.getI64IntegerAttr(channelsOf(getType()) / getGroups()));
}

//===- Channels and pixels
//---------------------------------------------------------------------------------------------===//

LogicalResult PixelShuffleOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType();
  const int64_t f = getFactor();
  if (channelsOf(input) % (f * f) != 0) // C1
    return emitOpError("makes squares of ") << f << " pixels of " << channelsOf(input) << " channels";
  results.push_back(mapLike(
      input, {batchOf(input), heightOf(input) * f, widthOf(input) * f, channelsOf(input) / (f * f)})); // C2
  return success();
}

ReceptiveWindow PixelShuffleOp::getReceptiveWindow(unsigned) {
  const double step = 1.0 / double(getFactor());
  return {{1, 1}, {step, step}};
}

void PixelShuffleOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                   llvm::function_ref<bool(Value)> wanted,
                                   MutableArrayRef<Value> operandGradients) {
  if (wanted(getInput()))
    operandGradients[0] = PixelUnshuffleOp::create(builder, getLoc(), getInput().getType(),
                                                   resultGradients[0], getFactorAttr());
}

LogicalResult PixelUnshuffleOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType();
  const int64_t f = getFactor();
  if (heightOf(input) % f != 0 || widthOf(input) % f != 0) // C1
    return emitOpError("takes squares of ")
           << f << " pixels from a map of " << heightOf(input) << "x" << widthOf(input);
  results.push_back(mapLike(
      input, {batchOf(input), heightOf(input) / f, widthOf(input) / f, channelsOf(input) * f * f})); // C2
  return success();
}

ReceptiveWindow PixelUnshuffleOp::getReceptiveWindow(unsigned) {
  const double factor = double(getFactor());
  return {{factor, factor}, {factor, factor}};
}

void PixelUnshuffleOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                     llvm::function_ref<bool(Value)> wanted,
                                     MutableArrayRef<Value> operandGradients) {
  if (wanted(getInput()))
    operandGradients[0] =
        PixelShuffleOp::create(builder, getLoc(), getInput().getType(), resultGradients[0], getFactorAttr());
}

//===- Softmax and products of maps
//---------------------------------------------------------------------------------------------===//

static RankedTensorType onePixel(RankedTensorType map) {
  return mapLike(map, {batchOf(map), 1, 1, channelsOf(map)});
}

static RankedTensorType oneChannel(RankedTensorType map) { return withDimension(map, 3, 1); }

LogicalResult SoftmaxOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType();
  if (channelsOf(input) % getRuns() != 0) // C1
    return emitOpError("divides ") << channelsOf(input) << " channels into " << getRuns() << " runs";
  results.push_back(input); // C2
  return success();
}

// y * (dy - s), s being the sum of y * dy over what the softmax is over; of the logarithm dy - exp(y) * s,
// with the sum of dy.
void SoftmaxOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                              llvm::function_ref<bool(Value)> wanted,
                              MutableArrayRef<Value> operandGradients) {
  if (!wanted(getInput()))
    return;
  Location loc = getLoc();
  RankedTensorType type = getType();
  const int64_t channels = channelsOf(type), runs = getRuns(), length = channels / runs;
  const auto activate = [&](vernier::Activation activation, Value map) -> Value {
    return ActivateOp::create(builder, loc, map.getType(), activation, map);
  };
  Value dy = resultGradients[0], sum;
  if (length > 1) {
    Value terms = getLog() ? dy : MultiplyOp::create(builder, loc, type, getResult(), dy).getResult();
    RankedTensorType part = withDimension(type, 3, length);
    for (int64_t run = 0; run < runs; ++run) {
      Value slice = SliceOp::create(builder, loc, part, terms, builder.getI64IntegerAttr(run * length));
      sum = sum ? AddOp::create(builder, loc, part, sum, slice).getResult() : slice;
    }
    sum = ConcatOp::create(builder, loc, type, SmallVector<Value>(size_t(runs), sum));
  } else if (getLog()) {
    sum = activate({vernier::Activation::ScaleShift, double(channels)},
                   ReduceChannelsOp::create(builder, loc, oneChannel(type), ChannelReduction::Mean, dy));
  } else {
    sum = PixelDotOp::create(builder, loc, oneChannel(type), getResult(), dy);
  }
  if (getLog()) {
    Value shares = activate(vernier::Activation::Exp, getResult());
    Value lost = MultiplyOp::create(builder, loc, type, shares, sum);
    operandGradients[0] = SubtractOp::create(builder, loc, type, dy, lost);
  } else {
    Value rest = SubtractOp::create(builder, loc, type, dy, sum);
    operandGradients[0] = MultiplyOp::create(builder, loc, type, getResult(), rest);
  }
}

LogicalResult SpatialSoftmaxOp::inferShapes(Types &results) {
  results.push_back(getInput().getType()); // C1
  return success();
}

// Each pixel sees all others.
static ReceptiveWindow wholeMap(RankedTensorType input) {
  return {{2.0 * double(heightOf(input)) - 1, 2.0 * double(widthOf(input)) - 1}, {1, 1}};
}

ReceptiveWindow SpatialSoftmaxOp::getReceptiveWindow(unsigned) { return wholeMap(getInput().getType()); }

void SpatialSoftmaxOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                     llvm::function_ref<bool(Value)> wanted,
                                     MutableArrayRef<Value> operandGradients) {
  if (!wanted(getInput()))
    return;
  RankedTensorType type = getType();
  Value dy = resultGradients[0];
  Value sum = SpatialDotOp::create(builder, getLoc(), onePixel(type), getResult(), dy);
  Value rest = SubtractOp::create(builder, getLoc(), type, dy, sum);
  operandGradients[0] = MultiplyOp::create(builder, getLoc(), type, getResult(), rest);
}

static std::pair<int64_t, int64_t> sidesOf(RankedTensorType map, bool transposed) {
  const int64_t pixels = heightOf(map) * widthOf(map), channels = channelsOf(map);
  return transposed ? std::pair(channels, pixels) : std::pair(pixels, channels);
}

LogicalResult MatmulOp::inferShapes(Types &results) {
  RankedTensorType lhs = getLhs().getType(), rhs = getRhs().getType(), result = getType();
  if (failed(requireOneElement(*this, lhs, getRhs()))) // C3
    return failure();
  const auto [rows, inner] = sidesOf(lhs, getTransposeLhs());
  const auto [others, columns] = sidesOf(rhs, getTransposeRhs());
  if (batchOf(lhs) != batchOf(rhs) || inner != others) // C1, C3
    return emitOpError("multiplies ") << batchOf(lhs) << " matrices of " << rows << "x" << inner << " by "
                                      << batchOf(rhs) << " of " << others << "x" << columns;
  if (!getTransposeLhs())
    results.push_back(withDimension(lhs, 3, columns)); // C2
  else if (heightOf(result) * widthOf(result) == rows)
    results.push_back(mapLike(lhs, {batchOf(lhs), heightOf(result), widthOf(result), columns}));
  else
    results.push_back(mapLike(lhs, {batchOf(lhs), rows, 1, columns}));
  return success();
}

int64_t MatmulOp::getMacs() {
  return getType().getNumElements() * sidesOf(getLhs().getType(), getTransposeLhs()).second;
}

ReceptiveWindow MatmulOp::getReceptiveWindow(unsigned operand) {
  if (operand == 0 && !getTransposeLhs())
    return {};
  RankedTensorType map = cast<RankedTensorType>(getOperand(operand).getType());
  return wholeMap(map);
}

// With a matrix transposed, its gradient's product has the operands the other way round.
void MatmulOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                             llvm::function_ref<bool(Value)> wanted,
                             MutableArrayRef<Value> operandGradients) {
  Value dy = resultGradients[0], a = getLhs(), b = getRhs();
  const bool ta = getTransposeLhs(), tb = getTransposeRhs();
  const auto product = [&](Value of, Value first, Value second, bool transposeFirst, bool transposeSecond) {
    return MatmulOp::create(builder, getLoc(), of.getType(), first, second, transposeFirst, transposeSecond)
        .getResult();
  };
  if (wanted(a))
    operandGradients[0] = ta ? product(a, b, dy, tb, true) : product(a, dy, b, false, !tb);
  if (wanted(b))
    operandGradients[1] = tb ? product(b, dy, a, true, ta) : product(b, a, dy, !ta, false);
}

//===- Arithmetic
//---------------------------------------------------------------------------------------------===//

template <class Op> static LogicalResult inferBinary(Op op, Types &results) {
  RankedTensorType lhs = op.getLhs().getType(), rhs = op.getRhs().getType();
  if (failed(requireOneElement(op, lhs, op.getRhs()))) // C3
    return failure();
  if (lhs != rhs && (lhs.getRank() != 4 || (rhs != onePixel(lhs) && rhs != oneChannel(lhs) &&
                                            rhs != oneChannel(onePixel(lhs))))) // C1
    return op.emitOpError("combines ")
           << lhs << " with " << rhs << ", neither equal nor one pixel per image nor one channel";
  results.push_back(lhs); // C2
  return success();
}

LogicalResult AddOp::inferShapes(Types &results) { return inferBinary(*this, results); }
LogicalResult SubtractOp::inferShapes(Types &results) { return inferBinary(*this, results); }
LogicalResult MultiplyOp::inferShapes(Types &results) { return inferBinary(*this, results); }
LogicalResult DivideOp::inferShapes(Types &results) { return inferBinary(*this, results); }

// What goes back to the second operand, of which each number may have met several: sums of `gradient`, or of
// its product with `other`.
static Value reducedTo(OpBuilder &builder, Location loc, RankedTensorType operand, Value gradient,
                       Value other = {}) {
  auto whole = cast<RankedTensorType>(gradient.getType());
  if (operand == whole)
    return other ? MultiplyOp::create(builder, loc, whole, gradient, other).getResult() : gradient;
  if (operand != onePixel(whole) && operand != oneChannel(whole)) // over pixels, then over channels
    return reducedTo(builder, loc, operand, reducedTo(builder, loc, onePixel(whole), gradient, other));
  if (channelsOf(operand) != channelsOf(whole))
    return other
               ? PixelDotOp::create(builder, loc, operand, gradient, other).getResult()
               : ReduceChannelsOp::create(builder, loc, operand, ChannelReduction::Sum, gradient).getResult();
  return other ? SpatialDotOp::create(builder, loc, operand, gradient, other).getResult()
               : SpatialSumOp::create(builder, loc, operand, gradient).getResult();
}

static Value negated(OpBuilder &builder, Location loc, Value value) {
  return ActivateOp::create(builder, loc, value.getType(), {Activation::ScaleShift, -1.0}, value);
}

void AddOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                          llvm::function_ref<bool(Value)> wanted, MutableArrayRef<Value> operandGradients) {
  assert(getActivation() == Activation::None && "fused before its gradient");
  Value dy = resultGradients[0];
  if (wanted(getLhs()))
    operandGradients[0] = dy;
  if (wanted(getRhs()))
    operandGradients[1] = reducedTo(builder, getLoc(), getRhs().getType(), dy);
}

void MultiplyOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                               llvm::function_ref<bool(Value)> wanted,
                               MutableArrayRef<Value> operandGradients) {
  assert(getActivation() == Activation::None && "fused before its gradient");
  Value dy = resultGradients[0];
  if (wanted(getLhs()))
    operandGradients[0] = MultiplyOp::create(builder, getLoc(), getLhs().getType(), dy, getRhs());
  if (wanted(getRhs()))
    operandGradients[1] = reducedTo(builder, getLoc(), getRhs().getType(), dy, getLhs());
}

void SubtractOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                               llvm::function_ref<bool(Value)> wanted,
                               MutableArrayRef<Value> operandGradients) {
  assert(getActivation() == Activation::None && "fused before its gradient");
  Value dy = resultGradients[0];
  if (wanted(getLhs()))
    operandGradients[0] = dy;
  if (wanted(getRhs()))
    operandGradients[1] = negated(builder, getLoc(), reducedTo(builder, getLoc(), getRhs().getType(), dy));
}

// Of y = a / b: dy / b, and -(dy / b) * y.
void DivideOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                             llvm::function_ref<bool(Value)> wanted,
                             MutableArrayRef<Value> operandGradients) {
  assert(getActivation() == Activation::None && "fused before its gradient");
  Value quotient = DivideOp::create(builder, getLoc(), getLhs().getType(), resultGradients[0], getRhs());
  if (wanted(getLhs()))
    operandGradients[0] = quotient;
  if (wanted(getRhs()))
    operandGradients[1] =
        negated(builder, getLoc(), reducedTo(builder, getLoc(), getRhs().getType(), quotient, getResult()));
}

//===- Over channels
//------------------------------------------------------------------------------------------===//

LogicalResult ReduceChannelsOp::inferShapes(Types &results) {
  results.push_back(oneChannel(getInput().getType())); // C1
  return success();
}

void ReduceChannelsOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                     llvm::function_ref<bool(Value)> wanted,
                                     MutableArrayRef<Value> operandGradients) {
  if (!wanted(getInput()))
    return;
  RankedTensorType input = getInput().getType();
  if (getReduction() == ChannelReduction::Max) {
    operandGradients[0] =
        ChannelMaxGradOp::create(builder, getLoc(), input, getInput(), getResult(), resultGradients[0]);
    return;
  }
  const double factor = getReduction() == ChannelReduction::Mean ? 1.0 / double(channelsOf(input)) : 1.0;
  operandGradients[0] = BroadcastChannelsOp::create(builder, getLoc(), input, resultGradients[0],
                                                    builder.getF64FloatAttr(factor));
}

LogicalResult PixelDotOp::inferShapes(Types &results) {
  results.push_back(oneChannel(getLhs().getType())); // C2
  return success();
}

Expected PixelDotOp::expectedOperands(std::optional<int64_t>) {
  return {{1, "rhs", getLhs().getType()}};
} // C1

LogicalResult BroadcastChannelsOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType();
  if (channelsOf(input) != 1) // C1
    return emitOpError("repeats a map of ") << channelsOf(input) << " channels instead of one";
  results.push_back(withDimension(input, 3, channelsOf(getType()))); // C2
  return success();
}

LogicalResult ChannelMaxGradOp::inferShapes(Types &results) {
  results.push_back(getInput().getType()); // C2
  return success();
}

Expected ChannelMaxGradOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType reduced = oneChannel(getInput().getType());
  return {{1, "y", reduced}, {2, "dy", reduced}};
} // C1

//===- Element types
//------------------------------------------------------------------------------------------===//

LogicalResult CastOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType(), result = withElement(input, getType().getElementType());
  if (result == input) // C2
    return emitOpError("casts ") << input << " to the element type that it has";
  results.push_back(result); // C1
  return success();
}

// Every bf16 number is an f32 one, so the way there and back is exact; the other way round it rounds.
OpFoldResult CastOp::fold(FoldAdaptor) {
  auto earlier = getInput().getDefiningOp<CastOp>();
  return earlier && getType().getElementType().isBF16() && earlier.getInput().getType() == getType()
             ? earlier.getInput()
             : Value();
}

//===- Sums
//---------------------------------------------------------------------------------------------------===//

LogicalResult ChannelSumOp::inferShapes(Types &results) {
  results.push_back(floatTensor(getContext(), {channelsOf(getInput().getType())})); // C1
  return success();
}

LogicalResult ChannelDotOp::inferShapes(Types &results) {
  results.push_back(floatTensor(getContext(), {channelsOf(getLhs().getType())})); // C2
  return success();
}

Expected ChannelDotOp::expectedOperands(std::optional<int64_t>) {
  return {{1, "rhs", getLhs().getType()}};
} // C1

LogicalResult SpatialSumOp::inferShapes(Types &results) {
  results.push_back(onePixel(getInput().getType())); // C1
  return success();
}

LogicalResult SpatialDotOp::inferShapes(Types &results) {
  results.push_back(onePixel(getLhs().getType())); // C2
  return success();
}

Expected SpatialDotOp::expectedOperands(std::optional<int64_t>) {
  return {{1, "rhs", getLhs().getType()}};
} // C1

//===- Parameters and holes
//-----------------------------------------------------------------------------------===//

LogicalResult HoleOp::verify() {
  bool positive = llvm::all_of(getSeed(), [](int64_t channels) { return channels > 0; });
  if (getKind() == HoleKind::Learned && (getSeed().empty() || !positive || !getChoices().empty())) // C1
    return emitOpError("is learned: needs a seed of positive numbers and no choices");
  if (getKind() == HoleKind::Choose &&
      (getChoices().empty() || !getSeed().empty() || getBudget() != BudgetKind::None)) // C2
    return emitOpError("is chosen: needs choices, no seed and no budget");
  if ((getBudget() != BudgetKind::None) != (getLimit() > 0) || getLimit() < 0) // C3
    return emitOpError("needs a positive limit if and only if it has a budget, found ") << getLimit();
  return success();
}

LogicalResult ParameterOp::verify() {
  int64_t rank = getKind() == ParameterKind::ConvolutionWeight ? 4
                 : getKind() == ParameterKind::LinearWeight    ? 2
                                                               : 1;
  auto type = cast<RankedTensorType>(getType());
  if (type.getRank() != rank) // C1
    return emitOpError("of kind ") << stringifyParameterKind(getKind()) << " needs rank " << rank
                                   << ", found " << type;
  if (getInitial() && getKind() != ParameterKind::Gamma) // C2
    return emitOpError("of kind ") << stringifyParameterKind(getKind())
                                   << " has an initial value, as only gamma can";
  return success();
}

int64_t ParameterOp::getParameterCount() {
  return isStatistic() ? 0 : cast<RankedTensorType>(getType()).getNumElements();
}

// The dimension of a weight's input channels, and of a vector's elements.
static unsigned inputDimension(RankedTensorType parameter) { return parameter.getRank() == 1 ? 0 : 1; }
static int64_t inputsOf(RankedTensorType parameter) {
  return parameter.getDimSize(inputDimension(parameter));
}
static RankedTensorType withInputs(RankedTensorType parameter, int64_t inputs) {
  return withDimension(parameter, inputDimension(parameter), inputs);
}

LogicalResult SliceParameterOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType();
  if (getType().getRank() != input.getRank()) // C2
    return emitOpError("takes ") << getType() << " out of " << input;
  int64_t count = inputsOf(getType());
  if (getBegin() + count > inputsOf(input)) // C1
    return emitOpError("takes ") << count << " inputs from " << getBegin() << " of " << inputsOf(input);
  results.push_back(withInputs(input, count)); // C2
  return success();
}

void SliceParameterOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                     llvm::function_ref<bool(Value)> wanted,
                                     MutableArrayRef<Value> operandGradients) {
  if (wanted(getInput()))
    operandGradients[0] =
        EmbedParameterOp::create(builder, getLoc(), getInput().getType(), resultGradients[0], getBeginAttr());
}

LogicalResult ConcatParametersOp::inferShapes(Types &results) {
  if (getInputs().empty()) // C1
    return emitOpError("needs at least one input");
  auto first = cast<RankedTensorType>(getInputs().front().getType());
  int64_t inputs = 0;
  for (Value input : getInputs()) {
    auto type = cast<RankedTensorType>(input.getType());
    if (type.getRank() != first.getRank() || withInputs(type, inputsOf(first)) != first) // C2
      return emitOpError("joins ") << first << " and " << type;
    inputs += inputsOf(type);
  }
  results.push_back(withInputs(first, inputs)); // C3
  return success();
}

void ConcatParametersOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                       llvm::function_ref<bool(Value)> wanted,
                                       MutableArrayRef<Value> operandGradients) {
  int64_t begin = 0;
  for (auto [index, input] : llvm::enumerate(getInputs())) {
    if (wanted(input))
      operandGradients[index] = SliceParameterOp::create(
          builder, getLoc(), input.getType(), resultGradients[0], builder.getI64IntegerAttr(begin));
    begin += inputsOf(cast<RankedTensorType>(input.getType()));
  }
}

LogicalResult EmbedParameterOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType();
  if (getType().getRank() != input.getRank()) // C2
    return emitOpError("places ") << input << " in " << getType();
  int64_t count = inputsOf(getType());
  if (getBegin() + inputsOf(input) > count) // C1
    return emitOpError("places ") << inputsOf(input) << " inputs at " << getBegin() << " of " << count;
  results.push_back(withInputs(input, count)); // C2
  return success();
}

LogicalResult SpreadParameterOp::inferShapes(Types &results) {
  RankedTensorType type = cast<RankedTensorType>(getInput().getType());
  const ArrayRef<int64_t> ofDimensions[] = {getOutputs(), getInputs()};
  for (const auto &[dimension, runs] : llvm::enumerate(ofDimensions)) {
    if (runs.empty())
      continue;
    int64_t size = 0, spread = 0;
    for (int64_t run : runs) {
      if (run < 1) // C1
        return emitOpError("has a run of ") << run << " channels";
      size += run;
      spread += llvm::alignTo(uint64_t(run), uint64_t(getMultiple()));
    }
    if (int64_t(dimension) >= type.getRank() || size != type.getDimSize(unsigned(dimension))) // C1
      return emitOpError("has runs of ")
             << size << " channels along dimension " << dimension << " of " << type;
    type = withDimension(type, unsigned(dimension), spread); // C2
  }
  results.push_back(type);
  return success();
}

LogicalResult UpdateRunningOp::verify() {
  if (getBatchMean().getType() != getBatchVar().getType()) // C1
    return emitOpError("has a mean of type ")
           << getBatchMean().getType() << ", a variance of " << getBatchVar().getType();
  return success();
}

LogicalResult FoldWeightOp::inferShapes(Types &results) {
  results.push_back(getWeight().getType()); // C2
  return success();
}

// C1
Expected FoldWeightOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType type = floatTensor(getContext(), {getWeight().getType().getDimSize(0)});
  return {{1, "gamma", type}, {2, "var", type}};
}

LogicalResult FoldScaleOp::inferShapes(Types &results) {
  results.push_back(getGamma().getType()); // C2
  return success();
}

Expected FoldScaleOp::expectedOperands(std::optional<int64_t>) {
  return {{1, "var", getGamma().getType()}};
} // C1

LogicalResult ScaleParameterOp::inferShapes(Types &results) {
  results.push_back(getInput().getType()); // C2
  return success();
}

Expected ScaleParameterOp::expectedOperands(std::optional<int64_t>) {
  return {{1, "scale", floatTensor(getContext(), {getInput().getType().getDimSize(0)})}};
} // C1

LogicalResult FoldBiasOp::inferShapes(Types &results) {
  results.push_back(getGamma().getType()); // C2
  return success();
}

// C1
Expected FoldBiasOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType type = getGamma().getType();
  Expected expected{{1, "beta", type}, {2, "mean", type}, {3, "var", type}};
  if (getBias())
    expected.push_back({4, "bias", type});
  return expected;
}
