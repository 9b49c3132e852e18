// Shapes, costs, receptive fields and gradients of layers with parameters and of activations.
#include "compiler/ir/Windows.h"

using namespace mlir;
using namespace vernier::vn;

using Types = SmallVectorImpl<RankedTensorType>;
using Expected = SmallVector<ExpectedOperand>;

static RankedTensorType vectorOf(RankedTensorType map) {
  return floatTensor(map.getContext(), {channelsOf(map)});
}

// That an operand which may be absent has such a type.
static LogicalResult requireType(Operation *op, const char *name, Value operand, RankedTensorType type) {
  if (operand && operand.getType() != type)
    return op->emitOpError("needs `") << name << "` of type " << type << ", found " << operand.getType();
  return success();
}

// Of an op that may apply the gradient of an activation, told by `mask`.
static LogicalResult requireMask(Operation *op, Value mask, Activation masked, RankedTensorType type) {
  if (bool(mask) != (masked != Activation::None))
    return op->emitOpError("needs a mask and its activation together");
  return requireType(op, "mask", mask, type);
}

//===- Convolution
//--------------------------------------------------------------------------------------------===//

template <class Op> static LogicalResult inferConvolution(Op op, Types &results) {
  auto type = convolutionType(op, op.getInput().getType(), op.getWeight().getType());
  if (failed(type))
    return failure();
  results.push_back(*type);
  return success();
}

// C2, C3
template <class Op> static Expected expectedOfConvolution(Op op, std::optional<int64_t> channels) {
  RankedTensorType weight = op.getWeight().getType();
  int64_t outputs = channels.value_or(weight.getDimSize(0));
  Expected expected{{1, "weight", convolutionWeightType(op, op.getInput().getType(), weight, outputs)}};
  if (op.getBias())
    expected.push_back({2, "bias", floatTensor(op.getContext(), {outputs})});
  return expected;
}

static int64_t macsOf(RankedTensorType result, RankedTensorType weight) {
  return result.getNumElements() * weight.getDimSize(1) * weight.getDimSize(2) * weight.getDimSize(3);
}

template <class Op> static ReceptiveWindow windowOfConvolution(Op op) {
  ReceptiveWindow window;
  for (int axis : {0, 1}) {
    window.size[axis] = op.getDilations()[axis] * (op.getWeight().getType().getDimSize(2 + axis) - 1) + 1;
    window.step[axis] = op.getStrides()[axis];
  }
  return window;
}

LogicalResult ConvolutionOp::inferShapes(Types &results) { return inferConvolution(*this, results); }
Expected ConvolutionOp::expectedOperands(std::optional<int64_t> channels) {
  return expectedOfConvolution(*this, channels);
}
int64_t ConvolutionOp::getMacs() { return macsOf(getType(), getWeight().getType()); }
ReceptiveWindow ConvolutionOp::getReceptiveWindow(unsigned operand) { return windowOfConvolution(*this); }

void ConvolutionOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                  llvm::function_ref<bool(Value)> wanted,
                                  MutableArrayRef<Value> operandGradients) {
  Value dy = resultGradients[0];
  if (wanted(getInput()))
    operandGradients[0] = ConvolutionInputGradOp::create(builder, getLoc(), getInput().getType(), dy,
                                                         getWeight(), getStridesAttr(), getPaddingAttr(),
                                                         getDilationsAttr(), getGroupsAttr())
                              .getResult();
  if (wanted(getWeight()))
    operandGradients[1] = ConvolutionWeightGradOp::create(builder, getLoc(), getWeight().getType(),
                                                          getInput(), dy, getStridesAttr(), getPaddingAttr(),
                                                          getDilationsAttr(), getGroupsAttr());
  if (getBias() && wanted(getBias()))
    operandGradients[2] = ChannelSumOp::create(builder, getLoc(), getBias().getType(), dy);
}

// What an epilogue adds to `result`, and whether it sums it up.
template <class Op> static LogicalResult inferEpilogue(Op op, RankedTensorType result, Types &results) {
  results.push_back(result);
  if (failed(requireOneElement(op, result, op.getAddends())))
    return failure();
  for (Value addend : op.getAddends()) {
    auto type = cast<RankedTensorType>(addend.getType());
    if (batchOf(type) != batchOf(result) || channelsOf(type) != channelsOf(result) ||
        heightOf(result) % heightOf(type) != 0 || widthOf(result) % widthOf(type) != 0)
      return op.emitOpError("adds ") << type << ", which does not enlarge to " << result
                                     << " by whole factors";
  }
  if (op.getSums())
    results.push_back(sumsType(result));
  return success();
}

// Of an addend, or of a vector, that an epilogue reads.
template <class Op> static ReceptiveWindow windowOfEpilogue(Op op, Value operand) {
  ReceptiveWindow window;
  auto type = dyn_cast<RankedTensorType>(operand.getType());
  if (type.getRank() == 4 && llvm::is_contained(op.getAddends(), operand))
    for (int axis : {0, 1})
      window.step[axis] =
          double(type.getDimSize(1 + axis)) / double(op.getResult().getType().getDimSize(1 + axis));
  return window;
}

LogicalResult FusedConvolutionOp::inferShapes(Types &results) {
  auto result = convolutionType(*this, getInput().getType(), getWeight().getType());
  if (failed(result))
    return failure();
  return inferEpilogue(*this, *result, results); // C6, C7, C8
}
Expected FusedConvolutionOp::expectedOperands(std::optional<int64_t> channels) {
  return expectedOfConvolution(*this, channels);
}
int64_t FusedConvolutionOp::getMacs() { return macsOf(getResult().getType(), getWeight().getType()); }
ReceptiveWindow FusedConvolutionOp::getReceptiveWindow(unsigned operand) {
  return operand == 0 ? windowOfConvolution(*this) : windowOfEpilogue(*this, getOperand(operand));
}

//===- Transposed convolution
//---------------------------------------------------------------------------------===//

LogicalResult TransposedConvolutionOp::inferShapes(Types &results) {
  auto result = transposedConvolutionType(*this);
  if (failed(result))
    return failure();
  return inferEpilogue(*this, *result, results); // C6, C7
}

// C2, C3
Expected TransposedConvolutionOp::expectedOperands(std::optional<int64_t> channels) {
  RankedTensorType weight = getWeight().getType();
  const int64_t groups = getGroups(), outputs = channels.value_or(weight.getDimSize(1) * groups);
  Expected expected{{1, "weight",
                     floatTensor(getContext(), {channelsOf(getInput().getType()), outputs / groups,
                                                weight.getDimSize(2), weight.getDimSize(3)})}};
  unsigned index = 2;
  for (auto [name, vector] : {std::pair("scale", Value(getScale())), std::pair("bias", Value(getBias()))})
    if (vector)
      expected.push_back({index++, name, floatTensor(getContext(), {outputs})});
  return expected;
}

// Each weight is multiplied once for each pixel of the input.
int64_t TransposedConvolutionOp::getMacs() { return macsOf(getInput().getType(), getWeight().getType()); }

// The most pixels of the input whose windows meet in one of the result.
ReceptiveWindow TransposedConvolutionOp::getReceptiveWindow(unsigned operand) {
  if (operand != 0)
    return windowOfEpilogue(*this, getOperand(operand));
  ReceptiveWindow window;
  for (int axis : {0, 1}) {
    const int64_t stride = getStrides()[axis],
                  reach = getDilations()[axis] * (getWeight().getType().getDimSize(2 + axis) - 1);
    window.size[axis] = double(reach / stride + 1);
    window.step[axis] = 1.0 / double(stride);
  }
  return window;
}

// The convolution of which this is the transposed one; both gradients are its own, with operand and result
// exchanged. Where output padding is a stride or more, it makes more pixels of `dy` than the input has: these
// would have no gradient.
void TransposedConvolutionOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                            llvm::function_ref<bool(Value)> wanted,
                                            MutableArrayRef<Value> operandGradients) {
  assert(!getScale() && getAddends().empty() && getActivation() == Activation::None &&
         "fused before its gradient");
  Value dy = resultGradients[0];
  RankedTensorType input = getInput().getType();
  int64_t more[2];
  for (int axis : {0, 1})
    more[axis] = getOutputPadding()[axis] / getStrides()[axis];
  RankedTensorType whole = mapLike(
      input, {batchOf(input), heightOf(input) + more[0], widthOf(input) + more[1], channelsOf(input)});
  if (wanted(getInput())) {
    Value dx = ConvolutionOp::create(builder, getLoc(), whole, dy, getWeight(), Value(), getStridesAttr(),
                                     getPaddingAttr(), getDilationsAttr(), getGroupsAttr(),
                                     FlatSymbolRefAttr(), IntegerAttr());
    operandGradients[0] =
        whole == input
            ? dx
            : CropOp::create(builder, getLoc(), input, dx, builder.getDenseI64ArrayAttr({0, 0})).getResult();
  }
  if (wanted(getWeight())) {
    Value x = getInput();
    if (whole != input)
      x = PadOp::create(builder, getLoc(), whole, PadMode::Zero, x, {0, more[0], 0, more[1]});
    operandGradients[1] =
        ConvolutionWeightGradOp::create(builder, getLoc(), getWeight().getType(), dy, x, getStridesAttr(),
                                        getPaddingAttr(), getDilationsAttr(), getGroupsAttr());
  }
  if (getBias() && wanted(getBias()))
    operandGradients[2] = ChannelSumOp::create(builder, getLoc(), getBias().getType(), dy);
}

//===- Linear
//-------------------------------------------------------------------------------------------------===//

LogicalResult LinearOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType();
  if (heightOf(input) != 1 || widthOf(input) != 1) // C1
    return emitOpError("needs an input of one pixel, found ") << heightOf(input) << " x " << widthOf(input);
  results.push_back(withDimension(input, 3, getWeight().getType().getDimSize(0))); // C4
  return success();
}

// C2, C3
Expected LinearOp::expectedOperands(std::optional<int64_t> channels) {
  int64_t outputs = channels.value_or(getWeight().getType().getDimSize(0));
  Expected expected{{1, "weight", floatTensor(getContext(), {outputs, channelsOf(getInput().getType())})}};
  if (getBias())
    expected.push_back({2, "bias", floatTensor(getContext(), {outputs})});
  return expected;
}

int64_t LinearOp::getMacs() { return batchOf(getInput().getType()) * getWeight().getType().getNumElements(); }
ReceptiveWindow LinearOp::getReceptiveWindow(unsigned operand) { return {}; }

void LinearOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                             llvm::function_ref<bool(Value)> wanted,
                             MutableArrayRef<Value> operandGradients) {
  Value dy = resultGradients[0];
  if (wanted(getInput()))
    operandGradients[0] = LinearInputGradOp::create(builder, getLoc(), getInput().getType(), dy, getWeight());
  if (wanted(getWeight()))
    operandGradients[1] =
        LinearWeightGradOp::create(builder, getLoc(), getWeight().getType(), getInput(), dy);
  if (getBias() && wanted(getBias()))
    operandGradients[2] = ChannelSumOp::create(builder, getLoc(), getBias().getType(), dy);
}

//===- Normalisation
//------------------------------------------------------------------------------------------===//

LogicalResult BatchNormOp::inferShapes(Types &results) {
  results.push_back(getInput().getType());
  return success();
}

Expected BatchNormOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType type = vectorOf(getInput().getType());
  return {{1, "gamma", type}, {2, "beta", type}, {3, "mean", type}, {4, "var", type}};
}

LogicalResult BatchNormTrainingOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType(), vector = vectorOf(input);
  results.append({input, vector, vector});
  if (failed(requireType(*this, "addend", getAddend(), input))) // C3
    return failure();
  return requireType(*this, "sums", getSums(), sumsType(input));
}

Expected BatchNormTrainingOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType type = vectorOf(getInput().getType());
  return {{1, "gamma", type}, {2, "beta", type}};
}

// The statistics feed the running ones alone, so no gradient comes back through results 1 and 2.
void BatchNormTrainingOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                        llvm::function_ref<bool(Value)> wanted,
                                        MutableArrayRef<Value> operandGradients) {
  assert(!getAddend() && !getSums() && getActivation() == Activation::None && "fused before its gradient");
  RankedTensorType vector = getGamma().getType();
  auto gradient = BatchNormGradOp::create(builder, getLoc(), TypeRange{getInput().getType(), vector, vector},
                                          getInput(), resultGradients[0], getGamma(), getBatchMean(),
                                          getBatchVar(), getEpsilonAttr());
  for (unsigned operand : {0, 1, 2})
    if (wanted(getOperand(operand)))
      operandGradients[operand] = gradient.getResult(operand);
}

LogicalResult BatchNormGradOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType(), vector = vectorOf(input);
  results.append({input, vector, vector});
  if (failed(requireMask(*this, getMask(), getMasked(), input))) // C3
    return failure();
  if (getMask() && getSums())
    return emitOpError("takes sums of what no mask is applied to");
  return requireType(*this, "sums", getSums(), sumsType(input));
}

Expected BatchNormGradOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType type = vectorOf(getInput().getType());
  return {{1, "dy", getInput().getType()}, {2, "gamma", type}, {3, "mean", type}, {4, "var", type}};
}

LogicalResult LayerNormOp::inferShapes(Types &results) {
  results.push_back(getInput().getType());
  return success();
}

Expected LayerNormOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType type = vectorOf(getInput().getType());
  return {{1, "gamma", type}, {2, "beta", type}};
}

void LayerNormOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                llvm::function_ref<bool(Value)> wanted,
                                MutableArrayRef<Value> operandGradients) {
  RankedTensorType vector = getGamma().getType();
  auto gradient = LayerNormGradOp::create(builder, getLoc(), TypeRange{getInput().getType(), vector, vector},
                                          getInput(), resultGradients[0], getGamma(), getEpsilonAttr());
  for (unsigned operand : {0, 1, 2})
    if (wanted(getOperand(operand)))
      operandGradients[operand] = gradient.getResult(operand);
}

LogicalResult LayerNormGradOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType(), vector = vectorOf(input);
  results.append({input, vector, vector});
  return success();
}

Expected LayerNormGradOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType input = getInput().getType();
  return {{1, "dy", input}, {2, "gamma", vectorOf(input)}};
}

// C3
static LogicalResult requireGroups(Operation *op, RankedTensorType input, int64_t groups) {
  if (channelsOf(input) % groups != 0)
    return op->emitOpError("normalises ") << groups << " groups of " << channelsOf(input) << " channels";
  return success();
}

LogicalResult GroupNormOp::inferShapes(Types &results) {
  results.push_back(getInput().getType());
  return requireGroups(*this, getInput().getType(), getGroups());
}

Expected GroupNormOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType type = vectorOf(getInput().getType());
  return {{1, "gamma", type}, {2, "beta", type}};
}

void GroupNormOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                llvm::function_ref<bool(Value)> wanted,
                                MutableArrayRef<Value> operandGradients) {
  RankedTensorType vector = getGamma().getType();
  auto gradient =
      GroupNormGradOp::create(builder, getLoc(), TypeRange{getInput().getType(), vector, vector}, getInput(),
                              resultGradients[0], getGamma(), getGroupsAttr(), getEpsilonAttr());
  for (unsigned operand : {0, 1, 2})
    if (wanted(getOperand(operand)))
      operandGradients[operand] = gradient.getResult(operand);
}

LogicalResult GroupNormGradOp::inferShapes(Types &results) {
  RankedTensorType input = getInput().getType(), vector = vectorOf(input);
  results.append({input, vector, vector});
  return requireGroups(*this, input, getGroups());
}

Expected GroupNormGradOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType input = getInput().getType();
  return {{1, "dy", input}, {2, "gamma", vectorOf(input)}};
}

// C1: one for each channel, or one for all.
static RankedTensorType slopeType(RankedTensorType input, RankedTensorType given) {
  return given.getDimSize(0) == 1 ? given : vectorOf(input);
}

LogicalResult PreluOp::inferShapes(Types &results) {
  results.push_back(getInput().getType());
  return success();
}

Expected PreluOp::expectedOperands(std::optional<int64_t>) {
  return {{1, "slope", slopeType(getInput().getType(), getSlope().getType())}};
}

void PreluOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                            llvm::function_ref<bool(Value)> wanted, MutableArrayRef<Value> operandGradients) {
  auto gradient =
      PreluGradOp::create(builder, getLoc(), TypeRange{getInput().getType(), getSlope().getType()},
                          getInput(), resultGradients[0], getSlope());
  for (unsigned operand : {0, 1})
    if (wanted(getOperand(operand)))
      operandGradients[operand] = gradient.getResult(operand);
}

LogicalResult PreluGradOp::inferShapes(Types &results) {
  results.append({getInput().getType(), getSlope().getType()});
  return success();
}

Expected PreluGradOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType input = getInput().getType();
  return {{1, "dy", input}, {2, "slope", slopeType(input, getSlope().getType())}};
}

LogicalResult ScaleChannelsOp::inferShapes(Types &results) {
  results.push_back(getInput().getType());
  return success();
}

Expected ScaleChannelsOp::expectedOperands(std::optional<int64_t>) {
  return {{1, "scale", vectorOf(getInput().getType())}};
}

void ScaleChannelsOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                    llvm::function_ref<bool(Value)> wanted,
                                    MutableArrayRef<Value> operandGradients) {
  Value dy = resultGradients[0];
  if (wanted(getInput()))
    operandGradients[0] = ScaleChannelsOp::create(builder, getLoc(), getInput().getType(), dy, getScale());
  if (wanted(getScale()))
    operandGradients[1] =
        ChannelDotOp::create(builder, getLoc(), getScale().getType(), dy, getInput()).getResult();
}

// C1
LogicalResult ParameterMapOp::inferShapes(Types &results) {
  results.push_back(mapLike(getType(), {batchOf(getType()), 1, 1, getParameter().getType().getDimSize(0)}));
  return success();
}

void ParameterMapOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                                   llvm::function_ref<bool(Value)> wanted,
                                   MutableArrayRef<Value> operandGradients) {
  if (wanted(getParameter()))
    operandGradients[0] =
        ChannelSumOp::create(builder, getLoc(), getParameter().getType(), resultGradients[0]);
}

LogicalResult AffineOp::inferShapes(Types &results) {
  results.push_back(getInput().getType());
  return success();
}

Expected AffineOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType type = vectorOf(getInput().getType());
  return {{1, "scale", type}, {2, "shift", type}};
}

void AffineOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                             llvm::function_ref<bool(Value)> wanted,
                             MutableArrayRef<Value> operandGradients) {
  operandGradients[0] =
      ScaleChannelsOp::create(builder, getLoc(), getInput().getType(), resultGradients[0], getScale());
}

//===- Activation
//---------------------------------------------------------------------------------------------===//

LogicalResult ActivateOp::inferShapes(Types &results) {
  results.push_back(getInput().getType());
  return success();
}

void ActivateOp::buildGradient(OpBuilder &builder, ValueRange resultGradients,
                               llvm::function_ref<bool(Value)> wanted,
                               MutableArrayRef<Value> operandGradients) {
  if (!wanted(getInput()))
    return;
  if (getActivation() == Activation::None) {
    operandGradients[0] = resultGradients[0];
    return;
  }
  // Its derivative is the same everywhere: neither input nor result is kept.
  if (getActivation().kind == Activation::ScaleShift) {
    operandGradients[0] = ActivateOp::create(
        builder, getLoc(), getType(), {Activation::ScaleShift, getActivation().slope}, resultGradients[0]);
    return;
  }
  Value of = getActivation().derivativeNeedsInput() ? getInput() : getResult();
  operandGradients[0] =
      ActivateGradOp::create(builder, getLoc(), getActivationAttr(), of, resultGradients[0]);
}

LogicalResult ActivateGradOp::inferShapes(Types &results) {
  results.push_back(getOf().getType());
  return success();
}

//===- Gradients of convolution and linear
//--------------------------------------------------------------------===//

LogicalResult ConvolutionInputGradOp::inferShapes(Types &results) {
  RankedTensorType result = getResult().getType();
  results.push_back(result);
  for (Value addend : getAddends()) // C2
    if (failed(requireType(*this, "addends", addend, result)))
      return failure();
  if (failed(requireMask(*this, getMask(), getMasked(), result)) ||
      failed(requireType(*this, "sums_input", getSumsInput(), result)) ||
      failed(requireType(*this, "sums_mean", getSumsMean(), vectorOf(result))))
    return failure();
  if (bool(getSums()) != bool(getSumsInput()) || bool(getSumsInput()) != bool(getSumsMean())) // C3
    return emitOpError("needs the operands of sums and their result together");
  if (getSums())
    results.push_back(sumsType(result));
  return convolutionType(*this, result, getWeight().getType());
}

// C1. Called once inferShapes has found the geometry legal.
Expected ConvolutionInputGradOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType weight = getWeight().getType(), result = getResult().getType();
  return {{1, "weight", convolutionWeightType(*this, result, weight, weight.getDimSize(0))},
          {0, "dy", *convolutionType(*this, result, weight)}};
}

int64_t ConvolutionInputGradOp::getMacs() { return macsOf(getDy().getType(), getWeight().getType()); }

LogicalResult ConvolutionWeightGradOp::inferShapes(Types &results) {
  RankedTensorType weight = getType();
  results.push_back(convolutionWeightType(*this, getInput().getType(), weight, weight.getDimSize(0)));
  return convolutionType(*this, getInput().getType(), weight);
}

Expected ConvolutionWeightGradOp::expectedOperands(std::optional<int64_t>) {
  return {{1, "dy", *convolutionType(*this, getInput().getType(), getType())}}; // C1
}

int64_t ConvolutionWeightGradOp::getMacs() { return macsOf(getDy().getType(), getType()); }

LogicalResult LinearInputGradOp::inferShapes(Types &results) {
  results.push_back(withDimension(getDy().getType(), 3, getWeight().getType().getDimSize(1)));
  return success();
}

// C1
Expected LinearInputGradOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType dy = getDy().getType();
  return {{0, "dy", mapLike(dy, {batchOf(dy), 1, 1, getWeight().getType().getDimSize(0)})}};
}

int64_t LinearInputGradOp::getMacs() {
  return batchOf(getDy().getType()) * getWeight().getType().getNumElements();
}

LogicalResult LinearWeightGradOp::inferShapes(Types &results) {
  results.push_back(
      floatTensor(getContext(), {channelsOf(getDy().getType()), channelsOf(getInput().getType())}));
  return success();
}

// C1
Expected LinearWeightGradOp::expectedOperands(std::optional<int64_t>) {
  RankedTensorType input = getInput().getType(), dy = getDy().getType();
  return {{0, "input", mapLike(input, {batchOf(input), 1, 1, channelsOf(input)})},
          {1, "dy", mapLike(input, {batchOf(input), 1, 1, channelsOf(dy)})}};
}

int64_t LinearWeightGradOp::getMacs() { return batchOf(getDy().getType()) * getType().getNumElements(); }
