#include "compiler/lower/GraphToVn.h"
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace vernier::vn;
namespace dsl = vernier::dsl;

namespace {

class Lowering {
public:
  Lowering(MLIRContext &context, const dsl::Graph &graph, int64_t batch)
      : context(context), graph(graph), batch(batch), builder(&context) {}

  OwningOpRef<ModuleOp> run() {
    OwningOpRef<ModuleOp> module = ModuleOp::create(builder.getUnknownLoc());
    if (failed(checkShared()))
      return nullptr;
    module->getOperation()->setAttr(kModelAttr, builder.getStringAttr(graph.model));
    builder.setInsertionPointToEnd(module->getBody());
    for (const dsl::Hole &hole : graph.holes)
      if (!hole.bound) // a choice that was made is in the shapes
        lowerHole(hole);
    lowerFunction();
    if (failed(verify(*module)))
      return nullptr;
    return module;
  }

private:
  //===- Module and function
  //----------------------------------------------------------------------------------===//

  // Segments, parts that depend on the same open holes, have parameters of their own.
  LogicalResult checkShared() {
    const bool open = llvm::any_of(graph.holes, [](const dsl::Hole &hole) {
      return hole.kind == dsl::Hole::Kind::Choose && !hole.bound;
    });
    for (const dsl::Node &node : graph.nodes)
      if (open && (node.frozen || !node.parametersOf.empty()))
        return emitError(locationOf(node.location))
               << "a " << (node.frozen ? "frozen" : "shared")
               << " block needs `choose` holes that are bound, by a configuration or --choose";
    return success();
  }

  void lowerHole(const dsl::Hole &hole) {
    bool learned = hole.kind == dsl::Hole::Kind::Learned;
    BudgetKind budget = BudgetKind::None;
    switch (hole.budget) {
    case dsl::BudgetKind::None:
      break;
    case dsl::BudgetKind::Macs:
      budget = BudgetKind::Macs;
      break;
    case dsl::BudgetKind::Parameters:
      budget = BudgetKind::Parameters;
      break;
    case dsl::BudgetKind::Neurons:
      budget = BudgetKind::Neurons;
      break;
    }
    HoleOp::create(builder, locationOf(hole.location), hole.place,
                   learned ? HoleKind::Learned : HoleKind::Choose, hole.seed, budget, hole.limit,
                   hole.choices);
  }

  void lowerFunction() {
    SmallVector<Type> inputs, results;
    SmallVector<StringRef> names;
    for (const dsl::Node &node : graph.nodes)
      if (node.kind == dsl::OpKind::Input)
        inputs.push_back(mapType(node.shape));
    for (const dsl::Output &output : graph.outputs) {
      results.push_back(mapType(graph.nodes[output.node].shape));
      names.push_back(output.name);
    }
    Location loc = graph.nodes.empty() ? builder.getUnknownLoc() : locationOf(graph.nodes.front().location);
    auto function =
        func::FuncOp::create(builder, loc, kInferFunction, builder.getFunctionType(inputs, results));
    function->setAttr(kOutputsAttr, builder.getStrArrayAttr(names));
    Block *entry = function.addEntryBlock();
    builder.setInsertionPointToEnd(entry);
    unsigned argument = 0;
    for (const dsl::Node &node : graph.nodes)
      values.push_back(node.kind == dsl::OpKind::Input ? Value(entry->getArgument(argument++))
                                                       : lowerNode(node));
    lowerLosses();
    SmallVector<Value> outputs;
    for (const dsl::Output &output : graph.outputs)
      outputs.push_back(values[output.node]);
    func::ReturnOp::create(builder, loc, outputs);
  }

  //===- Attributes
  //-------------------------------------------------------------------------------------------===//

  Location locationOf(const dsl::Location &location) {
    StringRef file =
        location.file < static_cast<int>(graph.files.size()) ? StringRef(graph.files[location.file]) : "";
    return FileLineColLoc::get(&context, file, location.line, location.column);
  }

  RankedTensorType mapType(const dsl::Shape &shape) {
    return floatTensor(&context, {batch, shape.height, shape.width, shape.channels});
  }

  DenseI64ArrayAttr array(ArrayRef<int64_t> values) { return builder.getDenseI64ArrayAttr(values); }
  IntegerAttr integer(int64_t value) { return builder.getI64IntegerAttr(value); }
  FloatAttr real(double value) { return builder.getF64FloatAttr(value); }
  UnitAttr unit(bool present) { return present ? builder.getUnitAttr() : UnitAttr(); }

  // What is minimised follows the ops.
  void lowerLosses() {
    for (const dsl::LossTerm &term : graph.losses)
      MinimizeOp::create(builder, locationOf(term.location), values[term.node], llvm::APFloat(term.weight),
                         builder.getStringAttr(term.name));
  }

  Value lowerSoftmaxCrossEntropy(const dsl::Node &node, Location loc, ArrayRef<Value> operands) {
    Type number = floatTensor(&context, {1});
    Value smoothing = NumberOp::create(builder, loc, number, llvm::APFloat(node.smoothing)), count;
    describe(smoothing.getDefiningOp(), node);
    const IntegerAttr ignored = node.ignored ? integer(*node.ignored) : IntegerAttr();
    Value weights;
    if (!node.weights.empty()) {
      Type vector = floatTensor(&context, {int64_t(node.weights.size())});
      weights = NumbersOp::create(builder, loc, vector, node.weights);
      describe(weights.getDefiningOp(), node);
    }
    if (ignored || weights) {
      count = CountLabelsOp::create(builder, loc, number, operands[1], weights, ignored,
                                    /*each_image=*/UnitAttr());
      describe(count.getDefiningOp(), node);
    }
    return SoftmaxCrossEntropyOp::create(builder, loc, number, operands[0], operands[1], smoothing, count,
                                         weights, ignored, /*each_image=*/UnitAttr());
  }

  std::pair<FlatSymbolRefAttr, IntegerAttr> holeOf(const dsl::Node &node) {
    if (!node.channelsFrom)
      return {};
    const std::string &place = graph.holes[node.channelsFrom->hole].place;
    return {FlatSymbolRefAttr::get(&context, place), integer(node.channelsFrom->index)};
  }

  SmallVector<StringRef> openChoices(const dsl::Node &node) const {
    SmallVector<StringRef> open;
    for (int hole : node.choices)
      if (!graph.holes[hole].bound)
        open.push_back(graph.holes[hole].place);
    return open;
  }

  void describe(Operation *op, const dsl::Node &node) {
    op->setAttr(kPlaceAttr, builder.getStringAttr(node.place));
    SmallVector<Attribute> scopes;
    for (const dsl::Scope &scope : node.scopes)
      scopes.push_back(builder.getStrArrayAttr({scope.place, scope.block}));
    if (!scopes.empty())
      op->setAttr(kScopesAttr, builder.getArrayAttr(scopes));
    if (const SmallVector<StringRef> open = openChoices(node); !open.empty())
      op->setAttr(kChoicesAttr, builder.getStrArrayAttr(open));
  }

  //===- Nodes
  //------------------------------------------------------------------------------------------------===//

  Value parameter(const dsl::Node &node, StringRef suffix, ParameterKind kind, ArrayRef<int64_t> shape,
                  FloatAttr initial = {}) {
    const std::string &place = node.parametersOf.empty() ? node.place : node.parametersOf;
    const std::string name = place + node.variant + "." + suffix.str();
    Value &value = parameters[name]; // of a shared block, there already
    if (value)
      return value;
    auto op = ParameterOp::create(builder, locationOf(node.location), floatTensor(&context, shape),
                                  builder.getStringAttr(name), ParameterKindAttr::get(&context, kind),
                                  initial, unit(node.frozen));
    describe(op, node);
    return value = op;
  }

  Value bias(const dsl::Node &node) {
    return node.bias ? parameter(node, "bias", ParameterKind::Bias, {node.channels}) : Value();
  }

  Value lowerConvolution(const dsl::Node &node, Location loc, Value input) {
    int64_t channels = graph.nodes[node.operands[0]].shape.channels;
    Value weight = parameter(node, "weight", ParameterKind::ConvolutionWeight,
                             {node.channels, channels / node.groups, node.kernel[0], node.kernel[1]});
    auto [hole, index] = holeOf(node);
    return ConvolutionOp::create(builder, loc, mapType(node.shape), input, weight, bias(node),
                                 array(node.stride), array(node.padding), array(node.dilation),
                                 integer(node.groups), hole, index);
  }

  Value lowerTransposedConvolution(const dsl::Node &node, Location loc, Value input) {
    int64_t channels = graph.nodes[node.operands[0]].shape.channels;
    Value weight = parameter(node, "weight", ParameterKind::ConvolutionWeight,
                             {channels, node.channels / node.groups, node.kernel[0], node.kernel[1]});
    auto [hole, index] = holeOf(node);
    return TransposedConvolutionOp::create(builder, loc, mapType(node.shape), /*sums=*/Type(), input, weight,
                                           /*scale=*/Value(), bias(node), /*addends=*/ValueRange(),
                                           ActivationAttr(), array(node.stride), array(node.padding),
                                           array(node.dilation), integer(node.groups),
                                           array(node.outputPadding), hole, index)
        .getResult();
  }

  Value lowerLinear(const dsl::Node &node, Location loc, Value input) {
    int64_t channels = graph.nodes[node.operands[0]].shape.channels;
    Value weight = parameter(node, "weight", ParameterKind::LinearWeight, {node.channels, channels});
    auto [hole, index] = holeOf(node);
    return LinearOp::create(builder, loc, mapType(node.shape), input, weight, bias(node), hole, index);
  }

  Value lowerBatchNorm(const dsl::Node &node, Location loc, Value input) {
    int64_t channels = node.shape.channels;
    Value gamma = parameter(node, "weight", ParameterKind::Gamma, {channels});
    Value beta = parameter(node, "bias", ParameterKind::Beta, {channels});
    Value mean = parameter(node, "running_mean", ParameterKind::RunningMean, {channels});
    Value var = parameter(node, "running_var", ParameterKind::RunningVar, {channels});
    return BatchNormOp::create(builder, loc, mapType(node.shape), input, gamma, beta, mean, var,
                               real(node.epsilon), real(node.momentum));
  }

  Value lowerLayerNorm(const dsl::Node &node, Location loc, Value input) {
    const int64_t channels = node.shape.channels;
    Value gamma = parameter(node, "weight", ParameterKind::Gamma, {channels});
    Value beta = parameter(node, "bias", ParameterKind::Beta, {channels});
    return LayerNormOp::create(builder, loc, mapType(node.shape), input, gamma, beta, real(node.epsilon));
  }

  Value lowerGroupNorm(const dsl::Node &node, Location loc, Value input) {
    const int64_t channels = node.shape.channels;
    Value gamma = parameter(node, "weight", ParameterKind::Gamma, {channels});
    Value beta = parameter(node, "bias", ParameterKind::Beta, {channels});
    return GroupNormOp::create(builder, loc, mapType(node.shape), input, gamma, beta, integer(node.groups),
                               real(node.epsilon));
  }

  Value lowerPrelu(const dsl::Node &node, Location loc, Value input) {
    Value slope = parameter(node, "weight", ParameterKind::Gamma, {node.perChannel ? node.shape.channels : 1},
                            real(node.initial));
    return PreluOp::create(builder, loc, mapType(node.shape), input, slope);
  }

  // The name's hash (FNV-1a): adding another dropout changes nothing of what this one draws.
  static int64_t streamOf(StringRef place) {
    uint32_t hash = 2166136261;
    for (const char c : place)
      hash = (hash ^ uint8_t(c)) * 16777619;
    return hash;
  }

  // Whether it gives its operand: a resize to the size that the map has, such as by a factor of 1, and what
  // drops nothing. With open holes none does: every configuration has the same ops.
  bool isIdentity(const dsl::Node &node) const {
    if (!openChoices(node).empty())
      return false;
    if (node.kind == dsl::OpKind::Resize || node.kind == dsl::OpKind::Resample)
      return node.shape == graph.nodes[node.operands[0]].shape;
    return node.kind == dsl::OpKind::Dropout && node.rate == 0;
  }

  Value lowerNode(const dsl::Node &node) {
    if (isIdentity(node))
      return values[node.operands[0]];
    Value value = build(node);
    describe(value.getDefiningOp(), node);
    return value;
  }

  Value build(const dsl::Node &node) {
    Location loc = locationOf(node.location);
    RankedTensorType type = mapType(node.shape);
    SmallVector<Value> operands;
    for (int operand : node.operands)
      operands.push_back(values[operand]);
    Value input = operands.empty() ? Value() : operands.front();
    switch (node.kind) {
    case dsl::OpKind::Input:
      break; // a function argument
    case dsl::OpKind::Target:
      return TargetOp::create(builder, loc, node.labels ? labelsOf(type) : type, node.place);
    case dsl::OpKind::SoftmaxCrossEntropy:
      return lowerSoftmaxCrossEntropy(node, loc, operands);
    case dsl::OpKind::PointwiseLoss:
      return PointwiseLossOp::create(builder, loc, floatTensor(&context, {1}),
                                     Pointwise(static_cast<uint32_t>(node.pointwise)), input,
                                     operands.size() > 1 ? operands[1] : Value(),
                                     llvm::APFloat(node.sharpness), llvm::APFloat(node.share));
    case dsl::OpKind::Convolution:
      return lowerConvolution(node, loc, input);
    case dsl::OpKind::TransposedConvolution:
      return lowerTransposedConvolution(node, loc, input);
    case dsl::OpKind::Linear:
      return lowerLinear(node, loc, input);
    case dsl::OpKind::BatchNorm:
      return lowerBatchNorm(node, loc, input);
    case dsl::OpKind::LayerNorm:
      return lowerLayerNorm(node, loc, input);
    case dsl::OpKind::GroupNorm:
      return lowerGroupNorm(node, loc, input);
    case dsl::OpKind::Prelu:
      return lowerPrelu(node, loc, input);
    case dsl::OpKind::Parameter:
      return ParameterMapOp::create(
          builder, loc, type,
          parameter(node, "weight", ParameterKind::Gamma, {node.channels}, real(node.initial)));
    case dsl::OpKind::LayerScale:
      return ScaleChannelsOp::create(
          builder, loc, type, input,
          parameter(node, "weight", ParameterKind::Gamma, {node.shape.channels}, real(node.initial)));
    case dsl::OpKind::Dropout:
      return DropoutOp::create(builder, loc, type, DroppedPart(static_cast<uint32_t>(node.part)),
                               llvm::APFloat(node.rate), streamOf(node.place), input);
    case dsl::OpKind::Activate:
      return ActivateOp::create(builder, loc, type, node.activation, input);
    case dsl::OpKind::MaxPool:
      return MaxPoolOp::create(builder, loc, type, input, array(node.kernel), array(node.stride),
                               array(node.padding), unit(node.ceil));
    case dsl::OpKind::AvgPool:
      return AvgPoolOp::create(builder, loc, type, input, array(node.kernel), array(node.stride),
                               array(node.padding), unit(node.ceil), builder.getBoolAttr(node.countPadding));
    case dsl::OpKind::GlobalAvgPool:
      return GlobalAvgPoolOp::create(builder, loc, type, input);
    case dsl::OpKind::ChannelMean:
      return ReduceChannelsOp::create(builder, loc, type, ChannelReduction::Mean, input);
    case dsl::OpKind::ChannelMax:
      return ReduceChannelsOp::create(builder, loc, type, ChannelReduction::Max, input);
    case dsl::OpKind::Resize:
      return ResizeOp::create(builder, loc, type,
                              node.mode == dsl::ResizeMode::Nearest ? ResizeMode::Nearest
                                                                    : ResizeMode::Bilinear,
                              input, node.alignCorners, node.scale > 0 ? real(node.scale) : FloatAttr());
    case dsl::OpKind::Resample:
      return ResampleOp::create(builder, loc, type, Resampling(node.resampling), input, node.alignCorners,
                                node.scale > 0 ? real(node.scale) : FloatAttr(), /*transposed=*/false);
    case dsl::OpKind::Pad:
      return PadOp::create(builder, loc, type, node.replicate ? PadMode::Replicate : PadMode::Zero, input,
                           node.padding);
    case dsl::OpKind::Crop:
      return CropOp::create(builder, loc, type, input, array(node.offset));
    case dsl::OpKind::Slice:
      return SliceOp::create(builder, loc, type, input, integer(node.begin));
    case dsl::OpKind::Concat:
      return ConcatOp::create(builder, loc, type, operands);
    case dsl::OpKind::ChannelShuffle:
      return ChannelShuffleOp::create(builder, loc, type, input, integer(node.groups));
    case dsl::OpKind::PixelShuffle:
      return PixelShuffleOp::create(builder, loc, type, input, integer(node.factor));
    case dsl::OpKind::PixelUnshuffle:
      return PixelUnshuffleOp::create(builder, loc, type, input, integer(node.factor));
    case dsl::OpKind::Softmax:
      return SoftmaxOp::create(builder, loc, type, input, integer(node.groups), unit(node.logarithm));
    case dsl::OpKind::SpatialSoftmax:
      return SpatialSoftmaxOp::create(builder, loc, type, input);
    case dsl::OpKind::Matmul:
      return MatmulOp::create(builder, loc, type, input, operands[1], unit(node.transposed[0]),
                              unit(node.transposed[1]));
    case dsl::OpKind::Add:
      return AddOp::create(builder, loc, type, input, operands[1]);
    case dsl::OpKind::Subtract:
      return SubtractOp::create(builder, loc, type, input, operands[1]);
    case dsl::OpKind::Multiply:
      return MultiplyOp::create(builder, loc, type, input, operands[1]);
    case dsl::OpKind::Divide:
      return DivideOp::create(builder, loc, type, input, operands[1]);
    }
    llvm_unreachable("an input is no op");
  }

  MLIRContext &context;
  const dsl::Graph &graph;
  int64_t batch;
  OpBuilder builder;
  SmallVector<Value> values; // of graph.nodes
  llvm::StringMap<Value> parameters;
};

} // namespace

OwningOpRef<ModuleOp> vernier::compiler::lowerGraph(MLIRContext &context, const dsl::Graph &graph,
                                                    int64_t batch) {
  context.loadDialect<VnDialect, func::FuncDialect>();
  return Lowering(context, graph, batch).run();
}
