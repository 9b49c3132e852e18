// One case per op, each a call of its kernel.
#include "compiler/interpreter/Interpreter.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
namespace vn = vernier::vn;

namespace vernier::interpreter {

namespace {

using Tensors = std::vector<Tensor>;

//===- attributes to kernel arguments
//---------------------------------------------------------------------------===//

template <size_t N> std::array<int64_t, N> toArray(ArrayRef<int64_t> values) {
  std::array<int64_t, N> result;
  llvm::copy(values, result.begin());
  return result;
}

template <typename Op> ConvolutionGeometry convolutionGeometry(Op op) {
  return {toArray<2>(op.getStrides()), toArray<4>(op.getPadding()), toArray<2>(op.getDilations()),
          static_cast<int64_t>(op.getGroups())};
}

template <typename Op> PoolGeometry poolGeometry(Op op) {
  return {toArray<2>(op.getKernel()), toArray<2>(op.getStrides()), toArray<4>(op.getPadding()), op.getCeil(),
          true};
}

template <typename Op> PoolGeometry averagePoolGeometry(Op op) {
  PoolGeometry geometry = poolGeometry(op);
  geometry.countPadding = op.getCountPadding();
  return geometry;
}

template <typename Op> PointwiseFunction pointwiseFunction(Op op) {
  return {Pointwise(static_cast<uint32_t>(op.getKind())), op.getSharpness().convertToDouble(),
          op.getShare().convertToDouble()};
}

// One image of a batch, or all of it.
using Part = llvm::function_ref<Tensor(const Tensor &)>;

// A loss is computed of the batch, or of each image by itself.
template <typename Op> Tensor lossOf(Op op, llvm::function_ref<double(Part)> compute) {
  Tensor loss(cast<RankedTensorType>(op->getResult(0).getType()).getShape().vec());
  for (int64_t image = 0; image < loss.size(); ++image)
    loss[image] = compute([&](const Tensor &batch) {
      if (!op.getEachImage())
        return batch;
      Tensor one(batch.shape);
      one.shape[0] = 1;
      const int64_t size = batch.size() / loss.size();
      one.data.assign(batch.data.begin() + image * size, batch.data.begin() + (image + 1) * size);
      return one;
    });
  return loss;
}

Tensor times(Tensor tensor, const llvm::APFloat &weight) {
  for (double &value : tensor.data)
    value *= weight.convertToDouble();
  return tensor;
}

ResizeMode toResizeMode(vn::ResizeMode mode) {
  return mode == vn::ResizeMode::Nearest ? ResizeMode::Nearest : ResizeMode::Bilinear;
}

std::vector<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape().vec(); }

// Input channels of a weight, elements of a vector.
int64_t inputsOf(Value parameter) {
  const std::vector<int64_t> shape = shapeOf(parameter);
  return shape.size() == 1 ? shape[0] : shape[1];
}

// As the machine stores what `value` is: maps of bf16 are rounded.
Tensor stored(Value value, Tensor tensor, bool rounds) {
  return rounds && cast<RankedTensorType>(value.getType()).getElementType().isBF16()
             ? roundToBFloat16(std::move(tensor))
             : std::move(tensor);
}

std::string shapeText(ArrayRef<int64_t> shape) {
  return "[" + llvm::join(llvm::map_range(shape, [](int64_t d) { return std::to_string(d); }), ", ") + "]";
}

//===- ops
//-------------------------------------------------------------------------------------------------------===//

// The operands of one op by name of its definition: `in(op.getBias())` is null where an optional operand is
// absent.
class Operands {
public:
  Operands(Operation *op, ArrayRef<const Tensor *> tensors) {
    for (auto [value, tensor] : llvm::zip_equal(op->getOperands(), tensors))
      byValue[value] = tensor;
  }
  const Tensor *orNull(Value value) const { return value ? byValue.lookup(value) : nullptr; }
  const Tensor &operator()(Value value) const { return *byValue.lookup(value); }

private:
  llvm::SmallDenseMap<Value, const Tensor *> byValue;
};

Tensors one(Tensor tensor) {
  Tensors result;
  result.push_back(std::move(tensor));
  return result;
}

Tensors three(Tensor a, Tensor b, Tensor c) {
  Tensors result = one(std::move(a));
  result.push_back(std::move(b));
  result.push_back(std::move(c));
  return result;
}

// What follows the gradient of a map: its other gradients, then that of the activation that made it.
template <typename Op> Tensor withTail(Tensor gradient, Op op, const Operands &in) {
  for (Value addend : op.getAddends())
    gradient = add(gradient, in(addend));
  return op.getMask() ? activateGrad(in(op.getMask()), gradient, op.getMasked()) : gradient;
}

// `map` and, where `wanted` is a result, its sums over N, H and W and those of its squares or, with x and
// mean, of its products with x - mean.
Tensors withSums(Tensor map, Value wanted, const Tensor *x, const Tensor *mean) {
  Tensors results = one(std::move(map));
  if (wanted)
    results.push_back(channelSums(results.front(), x, mean));
  return results;
}

std::optional<Tensors> computeLayer(Operation *op, const Operands &in) {
  return llvm::TypeSwitch<Operation *, std::optional<Tensors>>(op)
      .Case([&](vn::ConvolutionOp op) {
        return one(convolution(in(op.getInput()), in(op.getWeight()), in.orNull(op.getBias()),
                               convolutionGeometry(op)));
      })
      .Case([&](vn::FusedConvolutionOp op) {
        Tensor y = convolution(in(op.getInput()), in(op.getWeight()), in.orNull(op.getBias()),
                               convolutionGeometry(op));
        for (Value addend : op.getAddends())
          y = add(y, repeatPixels(in(addend), y.height(), y.width()));
        return withSums(activate(y, op.getActivation()), op.getSums(), nullptr, nullptr);
      })
      .Case([&](vn::TransposedConvolutionOp op) {
        Tensor y = transposedConvolution(in(op.getInput()), in(op.getWeight()), in.orNull(op.getScale()),
                                         in.orNull(op.getBias()), convolutionGeometry(op),
                                         toArray<2>(op.getOutputPadding()));
        for (Value addend : op.getAddends())
          y = add(y, repeatPixels(in(addend), y.height(), y.width()));
        return withSums(activate(y, op.getActivation()), op.getSums(), nullptr, nullptr);
      })
      .Case([&](vn::LinearOp op) {
        return one(linear(in(op.getInput()), in(op.getWeight()), in.orNull(op.getBias())));
      })
      .Case([&](vn::BatchNormOp op) {
        return one(batchNorm(in(op.getInput()), in(op.getGamma()), in(op.getBeta()), in(op.getMean()),
                             in(op.getVar()), op.getEpsilon().convertToDouble()));
      })
      .Case([&](vn::BatchNormTrainingOp op) {
        BatchNormTraining r = op.getSums()
                                  ? batchNormTraining(in(op.getInput()), in(op.getSums()), in(op.getGamma()),
                                                      in(op.getBeta()), op.getEpsilon().convertToDouble())
                                  : batchNormTraining(in(op.getInput()), in(op.getGamma()), in(op.getBeta()),
                                                      op.getEpsilon().convertToDouble());
        if (op.getAddend())
          r.y = add(r.y, in(op.getAddend()));
        return three(activate(r.y, op.getActivation()), std::move(r.mean), std::move(r.var));
      })
      .Case([&](vn::LayerNormOp op) {
        return one(layerNorm(in(op.getInput()), in(op.getGamma()), in(op.getBeta()),
                             op.getEpsilon().convertToDouble()));
      })
      .Case([&](vn::GroupNormOp op) {
        return one(groupNorm(in(op.getInput()), in(op.getGamma()), in(op.getBeta()), int64_t(op.getGroups()),
                             op.getEpsilon().convertToDouble()));
      })
      .Case([&](vn::PreluOp op) { return one(prelu(in(op.getInput()), in(op.getSlope()))); })
      .Case([&](vn::ScaleChannelsOp op) { return one(scaleChannels(in(op.getInput()), in(op.getScale()))); })
      .Case(
          [&](vn::ScaleParameterOp op) { return one(scaleParameter(in(op.getInput()), in(op.getScale()))); })
      .Case([&](vn::AffineOp op) {
        return one(
            activate(affine(in(op.getInput()), in(op.getScale()), in(op.getShift())), op.getActivation()));
      })
      .Case([&](vn::FoldWeightOp op) {
        return one(foldWeight(in(op.getWeight()), in(op.getGamma()), in(op.getVar()),
                              op.getEpsilon().convertToDouble()));
      })
      .Case([&](vn::FoldScaleOp op) {
        const Tensor ones(in(op.getGamma()).shape, 1.0);
        return one(foldWeight(ones, in(op.getGamma()), in(op.getVar()), op.getEpsilon().convertToDouble()));
      })
      .Case([&](vn::FoldBiasOp op) {
        return one(foldBias(in(op.getGamma()), in(op.getBeta()), in(op.getMean()), in(op.getVar()),
                            in.orNull(op.getBias()), op.getEpsilon().convertToDouble()));
      })
      .Case([&](vn::SliceParameterOp op) {
        return one(sliceParameter(in(op.getInput()), op.getBegin(), inputsOf(op.getResult())));
      })
      .Case([&](vn::ConcatParametersOp op) {
        std::vector<const Tensor *> inputs;
        for (Value input : op.getInputs())
          inputs.push_back(&in(input));
        return one(concatParameters(inputs));
      })
      .Case([&](vn::EmbedParameterOp op) {
        return one(embedParameter(in(op.getInput()), op.getBegin(), inputsOf(op.getResult())));
      })
      .Case([&](vn::SpreadParameterOp op) {
        return one(spreadParameter(in(op.getInput()), op.getMultiple(), op.getOutputs(), op.getInputs()));
      })
      .Case([&](vn::ActivateOp op) { return one(activate(in(op.getInput()), op.getActivation())); })
      .Case([&](vn::SoftmaxCrossEntropyOp op) {
        return one(lossOf(op, [&](Part part) {
          return softmaxCrossEntropy(part(in(op.getLogits())), part(in(op.getLabels())),
                                     in(op.getSmoothing())[0], op.getIgnored(),
                                     in.orNull(op.getWeights()))[0];
        }));
      })
      .Case([&](vn::PointwiseLossOp op) {
        return one(lossOf(op, [&](Part part) {
          const Tensor target = op.getTarget() ? part(in(op.getTarget())) : Tensor();
          return pointwiseLoss(pointwiseFunction(op), part(in(op.getInput())),
                               op.getTarget() ? &target : nullptr)[0];
        }));
      })
      .Case([&](vn::CountLabelsOp op) {
        return one(lossOf(op, [&](Part part) {
          return countLabels(part(in(op.getLabels())), op.getIgnored(), in.orNull(op.getWeights()));
        }));
      })
      .Case([&](vn::DropoutOp op) { return one(in(op.getInput())); })
      .Case([&](vn::KeepMaskOp op) {
        return one(keepMask(in(op.getState()), shapeOf(op.getResult()), op.getRate().convertToDouble(),
                            op.getStream(), op.getImage()));
      })
      .Case([&](vn::NumberOp op) { return one(Tensor({1}, op.getValue().convertToDouble())); })
      .Case([&](vn::NumbersOp op) {
        Tensor numbers(shapeOf(op.getResult()));
        llvm::copy(op.getValues(), numbers.data.begin());
        return one(std::move(numbers));
      })
      .Case([&](vn::WeightedSumOp op) {
        Tensor sum(shapeOf(op.getResult()));
        for (auto [term, weight] : llvm::zip_equal(op.getTerms(), op.getWeights()))
          for (int64_t i = 0; i < sum.size(); ++i)
            sum[i] += weight * in(term)[i];
        return one(std::move(sum));
      })
      .Default([](Operation *) { return std::nullopt; });
}

std::optional<Tensors> computeMap(Operation *op, const Operands &in) {
  return llvm::TypeSwitch<Operation *, std::optional<Tensors>>(op)
      .Case([&](vn::PixelShuffleOp op) {
        return one(pixelShuffle(in(op.getInput()), int64_t(op.getFactor())));
      })
      .Case([&](vn::PixelUnshuffleOp op) {
        return one(pixelUnshuffle(in(op.getInput()), int64_t(op.getFactor())));
      })
      .Case([&](vn::SoftmaxOp op) {
        return one(softmax(in(op.getInput()), int64_t(op.getRuns()), op.getLog()));
      })
      .Case([&](vn::SpatialSoftmaxOp op) { return one(spatialSoftmax(in(op.getInput()))); })
      .Case([&](vn::MatmulOp op) {
        return one(matmul(in(op.getLhs()), in(op.getRhs()), op.getTransposeLhs(), op.getTransposeRhs(),
                          shapeOf(op.getResult())));
      })
      .Case([&](vn::MaxPoolOp op) { return one(maxPool(in(op.getInput()), poolGeometry(op))); })
      .Case([&](vn::AvgPoolOp op) { return one(avgPool(in(op.getInput()), averagePoolGeometry(op))); })
      .Case([&](vn::GlobalAvgPoolOp op) { return one(globalAvgPool(in(op.getInput()))); })
      .Case([&](vn::ResizeOp op) {
        std::vector<int64_t> shape = shapeOf(op.getResult());
        return one(resize(in(op.getInput()), shape[1], shape[2], toResizeMode(op.getMode()),
                          op.getAlignCorners(), op.factor()));
      })
      .Case([&](vn::ResampleOp op) {
        const std::vector<int64_t> shape = shapeOf(op.getResult());
        const auto kind = dsl::Resampling(op.getKind());
        return one(
            op.getTransposed()
                ? resampleGrad(in(op.getInput()), shape, kind, op.getAlignCorners(), op.factor())
                : resample(in(op.getInput()), shape[1], shape[2], kind, op.getAlignCorners(), op.factor()));
      })
      .Case([&](vn::PadOp op) {
        return one(
            pad(in(op.getInput()), toArray<4>(op.getPadding()), op.getMode() == vn::PadMode::Replicate));
      })
      .Case([&](vn::CropOp op) {
        std::vector<int64_t> shape = shapeOf(op.getResult());
        return one(crop(in(op.getInput()), op.getOffset()[0], op.getOffset()[1], shape[1], shape[2]));
      })
      .Case([&](vn::SliceOp op) {
        return one(slice(in(op.getInput()), op.getBegin(), shapeOf(op.getResult())[3]));
      })
      .Case([&](vn::ChannelShuffleOp op) { return one(channelShuffle(in(op.getInput()), op.getGroups())); })
      .Case([&](vn::EmbedChannelsOp op) {
        return one(embedChannels(in(op.getInput()), op.getBegin(), shapeOf(op.getResult())[3]));
      })
      .Case([&](vn::ConcatOp op) {
        std::vector<const Tensor *> inputs;
        for (Value input : op.getInputs())
          inputs.push_back(&in(input));
        return one(concat(inputs));
      })
      .Case([&](vn::AddOp op) {
        return one(activate(add(in(op.getLhs()), in(op.getRhs())), op.getActivation()));
      })
      .Case([&](vn::SubtractOp op) {
        return one(activate(subtract(in(op.getLhs()), in(op.getRhs())), op.getActivation()));
      })
      .Case([&](vn::MultiplyOp op) {
        return one(activate(multiply(in(op.getLhs()), in(op.getRhs())), op.getActivation()));
      })
      .Case([&](vn::DivideOp op) {
        return one(activate(divide(in(op.getLhs()), in(op.getRhs())), op.getActivation()));
      })
      .Case([&](vn::CastOp op) { return one(in(op.getInput())); }) // rounded as its type says
      .Case([&](vn::ChannelSumOp op) { return one(channelSum(in(op.getInput()))); })
      .Case([&](vn::ReduceChannelsOp op) {
        return one(reduceChannels(in(op.getInput()), ChannelReduction(op.getReduction())));
      })
      .Case([&](vn::PixelDotOp op) { return one(pixelDot(in(op.getLhs()), in(op.getRhs()))); })
      .Case([&](vn::BroadcastChannelsOp op) {
        return one(broadcastChannels(in(op.getInput()), op.getFactor().convertToDouble(),
                                     shapeOf(op.getResult())[3]));
      })
      .Case([&](vn::ChannelMaxGradOp op) {
        return one(channelMaxGrad(in(op.getInput()), in(op.getY()), in(op.getDy())));
      })
      .Case([&](vn::ChannelDotOp op) { return one(channelDot(in(op.getLhs()), in(op.getRhs()))); })
      .Case([&](vn::SpatialSumOp op) { return one(spatialSum(in(op.getInput()))); })
      .Case([&](vn::SpatialDotOp op) { return one(spatialDot(in(op.getLhs()), in(op.getRhs()))); })
      .Case([&](vn::ZerosOp op) { return one(Tensor(shapeOf(op.getResult()))); })
      .Case([&](vn::ParameterMapOp op) {
        return one(parameterMap(in(op.getParameter()), shapeOf(op.getResult())[0]));
      })
      .Default([](Operation *) { return std::nullopt; });
}

std::optional<Tensors> computeGradient(Operation *op, const Operands &in) {
  return llvm::TypeSwitch<Operation *, std::optional<Tensors>>(op)
      .Case([&](vn::ConvolutionInputGradOp op) {
        Tensor gradient = withTail(convolutionInputGrad(in(op.getDy()), in(op.getWeight()),
                                                        shapeOf(op.getResult()), convolutionGeometry(op)),
                                   op, in);
        return withSums(std::move(gradient), op.getSums(), in.orNull(op.getSumsInput()),
                        in.orNull(op.getSumsMean()));
      })
      .Case([&](vn::ConvolutionWeightGradOp op) {
        return one(convolutionWeightGrad(in(op.getInput()), in(op.getDy()), shapeOf(op.getResult()),
                                         convolutionGeometry(op)));
      })
      .Case(
          [&](vn::LinearInputGradOp op) { return one(linearInputGrad(in(op.getDy()), in(op.getWeight()))); })
      .Case(
          [&](vn::LinearWeightGradOp op) { return one(linearWeightGrad(in(op.getInput()), in(op.getDy()))); })
      .Case([&](vn::BatchNormGradOp op) {
        const Tensor dy =
            op.getMask() ? activateGrad(in(op.getMask()), in(op.getDy()), op.getMasked()) : in(op.getDy());
        NormGrad r = batchNormGrad(in(op.getInput()), dy, in.orNull(op.getSums()), in(op.getGamma()),
                                   in(op.getMean()), in(op.getVar()), op.getEpsilon().convertToDouble());
        return three(std::move(r.dx), std::move(r.dgamma), std::move(r.dbeta));
      })
      .Case([&](vn::LayerNormGradOp op) {
        NormGrad r = layerNormGrad(in(op.getInput()), in(op.getDy()), in(op.getGamma()),
                                   op.getEpsilon().convertToDouble());
        return three(std::move(r.dx), std::move(r.dgamma), std::move(r.dbeta));
      })
      .Case([&](vn::GroupNormGradOp op) {
        NormGrad r = groupNormGrad(in(op.getInput()), in(op.getDy()), in(op.getGamma()),
                                   int64_t(op.getGroups()), op.getEpsilon().convertToDouble());
        return three(std::move(r.dx), std::move(r.dgamma), std::move(r.dbeta));
      })
      .Case([&](vn::PreluGradOp op) {
        PreluGrad r = preluGrad(in(op.getInput()), in(op.getDy()), in(op.getSlope()));
        Tensors results = one(std::move(r.dx));
        results.push_back(std::move(r.dslope));
        return results;
      })
      .Case([&](vn::ActivateGradOp op) {
        return one(activateGrad(in(op.getOf()), in(op.getDy()), op.getActivation()));
      })
      .Case([&](vn::MaxPoolGradOp op) {
        return one(withTail(maxPoolGrad(in(op.getInput()), in(op.getDy()), poolGeometry(op)), op, in));
      })
      .Case([&](vn::AvgPoolGradOp op) {
        return one(avgPoolGrad(in(op.getDy()), shapeOf(op.getResult()), averagePoolGeometry(op)));
      })
      .Case([&](vn::GlobalAvgPoolGradOp op) {
        return one(globalAvgPoolGrad(in(op.getDy()), shapeOf(op.getResult())));
      })
      .Case([&](vn::ResizeGradOp op) {
        return one(resizeGrad(in(op.getDy()), shapeOf(op.getResult()), toResizeMode(op.getMode()),
                              op.getAlignCorners(), op.factor()));
      })
      .Case([&](vn::PadGradOp op) {
        return one(padReplicateGrad(in(op.getDy()), toArray<4>(op.getPadding())));
      })
      .Case([&](vn::SoftmaxCrossEntropyGradOp op) {
        return one(
            times(softmaxCrossEntropyGrad(in(op.getLogits()), in(op.getLabels()), in(op.getSmoothing())[0],
                                          op.getIgnored(), in.orNull(op.getWeights())),
                  op.getWeight()));
      })
      .Case([&](vn::PointwiseLossGradOp op) {
        return one(
            times(pointwiseLossGrad(pointwiseFunction(op), in(op.getInput()), in.orNull(op.getTarget())),
                  op.getWeight()));
      })
      .Default([](Operation *) { return std::nullopt; });
}

//===- a function
//-------------------------------------------------------------------------------------------------===//

class Interpreter {
public:
  explicit Interpreter(Environment &environment) : environment(environment) {}

  FailureOr<Tensors> run(func::FuncOp function, Tensors arguments) {
    if (!llvm::hasSingleElement(function.getBody()))
      return function.emitError("the interpreter runs functions of one block");
    Block &block = function.getBody().front();
    if (arguments.size() != block.getNumArguments())
      return function.emitError("called with ")
             << arguments.size() << " arguments instead of " << block.getNumArguments();
    for (auto [value, tensor] : llvm::zip_equal(block.getArguments(), arguments)) {
      if (tensor.shape != shapeOf(value))
        return function.emitError("argument ")
               << value.getArgNumber() << " has shape " << shapeText(tensor.shape) << " instead of "
               << shapeText(shapeOf(value));
      values[value] = stored(value, std::move(tensor), environment.rounds);
    }
    return runBlock(block);
  }

private:
  FailureOr<Tensors> runBlock(Block &block) {
    for (Operation &op : block)
      op.walk([&](Operation *user) { // ops in a body use values of the block, too
        for (Value operand : user->getOperands())
          if (operand.getParentBlock() == &block)
            lastUser[operand] = &op;
      });
    for (Operation &op : block.without_terminator())
      if (failed(runOp(&op)))
        return failure();
    Tensors results;
    for (Value result : block.getTerminator()->getOperands())
      results.push_back(values[result]);
    return results;
  }

  LogicalResult runOp(Operation *op) {
    FailureOr<Tensors> results = compute(op);
    if (failed(results))
      return failure();
    if (environment.observer)
      environment.observer(op, *results);
    for (auto [value, tensor] : llvm::zip_equal(op->getResults(), *results))
      if (!value.use_empty())
        values[value] = std::move(tensor);
    for (Value operand : op->getOperands())
      if (lastUser[operand] == op)
        values.erase(operand);
    return success();
  }

  FailureOr<Tensors> runBlocks(vn::ImageBlocksOp op) {
    Block &body = op.getBody().front();
    const int64_t images = op.getImages();
    const int64_t batch = shapeOf(op.getInputs().front()).front();
    Tensors results;
    for (Value result : op.getResults())
      results.emplace_back(shapeOf(result));
    for (int64_t image = 0; image < batch; image += images) {
      for (auto [argument, input] : llvm::zip_equal(body.getArguments(), op.getInputs())) {
        Tensor part(shapeOf(argument));
        std::copy_n(values[input].data.begin() + image * (part.data.size() / images), part.data.size(),
                    part.data.begin());
        values[argument] = std::move(part);
      }
      FailureOr<Tensors> parts = runBlock(body);
      if (failed(parts))
        return failure();
      for (auto [part, result] : llvm::zip_equal(*parts, results))
        llvm::copy(part.data, result.data.begin() + image * (part.data.size() / images));
    }
    return results;
  }

  FailureOr<Tensors> compute(Operation *op) {
    if (auto parameter = dyn_cast<vn::ParameterOp>(op)) {
      FailureOr<Tensor *> tensor = lookUp(op, parameter.getName());
      if (failed(tensor))
        return failure();
      if ((*tensor)->shape != shapeOf(parameter.getResult()))
        return op->emitOpError("given a tensor of shape ") << shapeText((*tensor)->shape);
      return one(**tensor);
    }
    if (auto update = dyn_cast<vn::UpdateRunningOp>(op)) {
      FailureOr<Tensor *> mean = lookUp(op, update.getMeanName()), var = lookUp(op, update.getVarName());
      if (failed(mean) || failed(var))
        return failure();
      updateRunning(**mean, **var, values[update.getBatchMean()], values[update.getBatchVar()],
                    update.getMomentum().convertToDouble(), update.getCount());
      return Tensors();
    }
    if (auto target = dyn_cast<vn::TargetOp>(op))
      return given(op, target.getName());
    if (isa<vn::RandomStateOp>(op))
      return given(op, vn::kRandomInput);
    if (auto term = dyn_cast<vn::MinimizeOp>(op)) {
      const double value = term.getWeight().convertToDouble() * values[term.getLoss()][0];
      environment.losses[""] += value;
      if (!term.getName().empty())
        environment.losses[term.getName().str()] += value;
      return Tensors();
    }
    if (auto store = dyn_cast<vn::StoreGradientOp>(op)) {
      environment.gradients[store.getName().str()] = values[store.getGradient()];
      return Tensors();
    }
    if (auto blocks = dyn_cast<vn::ImageBlocksOp>(op))
      return runBlocks(blocks);
    SmallVector<const Tensor *> operands;
    for (Value operand : op->getOperands())
      operands.push_back(&values.find(operand)->second);
    return evaluate(op, operands, environment.rounds);
  }

  FailureOr<Tensors> given(Operation *op, StringRef target) {
    auto found = environment.targets.find(target.str());
    if (found == environment.targets.end())
      return op->emitOpError("no value is given for target `") << target << "`";
    return one(found->second);
  }

  FailureOr<Tensor *> lookUp(Operation *op, StringRef name) {
    auto found = environment.parameters.find(name.str());
    if (found == environment.parameters.end())
      return op->emitOpError("no value is given for parameter `") << name << "`";
    return &found->second;
  }

  Environment &environment;
  llvm::DenseMap<Value, Tensor> values;
  llvm::DenseMap<Value, Operation *> lastUser;
};

} // namespace

FailureOr<std::vector<Tensor>> evaluate(Operation *op, ArrayRef<const Tensor *> operands, bool rounds) {
  Operands in(op, operands);
  std::optional<Tensors> results = computeLayer(op, in);
  if (!results)
    results = computeMap(op, in);
  if (!results)
    results = computeGradient(op, in);
  if (!results)
    return op->emitOpError("has no kernel in the interpreter");
  for (auto [value, tensor] : llvm::zip_equal(op->getResults(), *results)) {
    if (tensor.shape != shapeOf(value))
      return op->emitOpError("computes a result of shape ") << shapeText(tensor.shape);
    tensor = stored(value, std::move(tensor), rounds);
  }
  return std::move(*results);
}

FailureOr<std::vector<Tensor>> interpret(func::FuncOp function, std::vector<Tensor> arguments,
                                         Environment &environment) {
  return Interpreter(environment).run(function, std::move(arguments));
}

} // namespace vernier::interpreter
