// Vernier's ops in ONNX's words. Where the two differ in what happens at borders, the node is chosen so that
// any version of ONNX and any runtime computes the same: windows get explicit padding instead of ceil_mode,
// and `nearest` becomes a gather where rounding could decide.
#include "codegen/onnx/ExportOnnx.h"

#include "codegen/onnx/OnnxFile.h"
#include "codegen/onnx/OnnxGraph.h"
#include "compiler/ir/Shapes.h"
#include "compiler/ir/VnOps.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace vernier::codegen {
namespace {

// Opset 22 is the last that changed an operator used here (what came later are types of elements); IR version
// 10 is the one that came with it.
constexpr int64_t kOpset = 22;
constexpr int64_t kIrVersion = 10;

// Axes of N x C x H x W.
constexpr int64_t kChannels = 1, kHeight = 2, kWidth = 3;

using Ints = std::vector<int64_t>;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

Ints channelsFirst(RankedTensorType map) {
  return {vn::batchOf(map), vn::channelsOf(map), vn::heightOf(map), vn::widthOf(map)};
}

bool isOnePixel(RankedTensorType map) { return vn::heightOf(map) == 1 && vn::widthOf(map) == 1; }

// Ours are top, bottom, left, right.
Ints onnxPadding(ArrayRef<int64_t> padding) { return {padding[0], padding[2], padding[1], padding[3]}; }

class Exporter {
public:
  Exporter(func::FuncOp function, const OnnxOptions &options, onnx::GraphProto &proto)
      : function(function), options(options), graph(proto) {}

  llvm::Error run() {
    nameOutputs();
    auto input = function.getArgument(0);
    names[input] = graph.unique("image");
    graph.addInput(names[input], channelsFirst(typeOf(input)));
    for (Operation &op : function.getBody().front())
      if (llvm::Error error = translate(&op))
        return error;
    return llvm::Error::success();
  }

private:
  //===- Names ---------------------------------------------------------------------------------------===//

  // Outputs and parameters keep their names; everything else goes by its place.
  void nameOutputs() {
    auto given = function->getAttrOfType<ArrayAttr>(vn::kOutputsAttr);
    Operation *end = function.getBody().front().getTerminator();
    for (auto [index, value] : llvm::enumerate(end->getOperands())) {
      const std::string name = given && index < given.size() ? cast<StringAttr>(given[index]).str()
                                                             : "output" + std::to_string(index);
      outputs.push_back(name);
      graph.reserve(name);
      // An output that a node gives as it is; others get a node of their own.
      const bool direct =
          value.getDefiningOp() && (!isOnePixel(typeOf(value)) || isa<vn::LinearOp>(value.getDefiningOp()));
      if (direct)
        results.try_emplace(value, name);
    }
    function.walk([&](vn::ParameterOp op) { graph.reserve(op.getName()); });
  }

  std::string resultName(Operation *op) {
    const auto output = results.find(op->getResult(0));
    if (output != results.end())
      return output->second;
    const auto place = op->getAttrOfType<StringAttr>(vn::kPlaceAttr);
    return graph.unique(place ? place.getValue() : op->getName().stripDialect());
  }

  // The name of a value as N x C x H x W.
  std::string at(Value value) {
    const auto name = names.find(value);
    if (name != names.end())
      return name->second;
    // A linear layer gives a matrix.
    const Ints shape = channelsFirst(typeOf(value));
    const std::string &matrix = matrices.at(value);
    return names[value] =
               graph.node("Reshape", {matrix, graph.integers(shape)}, graph.unique(matrix + "_map"));
  }

  // The name of an N x 1 x 1 x C value as N x C.
  std::string matrixAt(Value value) {
    auto &name = matrices[value];
    if (name.empty()) {
      const std::string map = names.at(value);
      name = graph.node("Flatten", {map}, graph.unique(map + "_matrix"), {{"axis", int64_t(1)}});
    }
    return name;
  }

  void give(Operation *op, const char *operation, ArrayRef<std::string> operands,
            ArrayRef<OnnxGraph::Attribute> attributes = {}) {
    names[op->getResult(0)] = graph.node(operation, operands, resultName(op), attributes);
  }

  //===- Ops -----------------------------------------------------------------------------------------===//

  llvm::Error translate(Operation *op) {
    return llvm::TypeSwitch<Operation *, llvm::Error>(op)
        .Case<vn::ParameterOp, vn::ConvolutionOp, vn::TransposedConvolutionOp, vn::LinearOp, vn::BatchNormOp,
              vn::LayerNormOp, vn::GroupNormOp, vn::PreluOp, vn::PixelShuffleOp, vn::PixelUnshuffleOp,
              vn::SoftmaxOp, vn::SpatialSoftmaxOp, vn::MatmulOp, vn::ScaleChannelsOp, vn::ParameterMapOp,
              vn::ReduceChannelsOp, vn::ActivateOp, vn::MaxPoolOp, vn::AvgPoolOp, vn::GlobalAvgPoolOp,
              vn::ResizeOp, vn::ResampleOp, vn::PadOp, vn::CropOp, vn::SliceOp, vn::ChannelShuffleOp,
              vn::ConcatOp, vn::AddOp, vn::SubtractOp, vn::MultiplyOp, vn::DivideOp, func::ReturnOp>(
            [&](auto typed) { return add(typed); })
        .Default([](Operation *other) {
          return llvm::createStringError(
              "`" + other->getName().getStringRef() +
              "` has no translation to ONNX; the program must be the specification's");
        });
  }

  llvm::Error add(vn::ParameterOp op) {
    if (op.getResult().use_empty()) // ONNX has no use for it either
      return llvm::Error::success();
    const std::string name = op.getName().str();
    const auto shape = op.getType().getShape();
    const std::vector<float> values = options.weights(name);
    if (int64_t(values.size()) != op.getType().getNumElements())
      return llvm::createStringError("parameter `" + name + "` has " + llvm::Twine(values.size()) +
                                     " values, its shape has " + llvm::Twine(op.getType().getNumElements()));
    names[op] = graph.weight(name, shape, values);
    return llvm::Error::success();
  }

  llvm::Error add(vn::ConvolutionOp op) {
    std::vector<std::string> operands = {at(op.getInput()), names.at(op.getWeight())};
    if (op.getBias())
      operands.push_back(names.at(op.getBias()));
    const auto window = typeOf(op.getWeight()).getShape().take_back(2);
    give(op, "Conv", operands,
         {{"kernel_shape", window.vec()},
          {"strides", op.getStrides().vec()},
          {"pads", onnxPadding(op.getPadding())},
          {"dilations", op.getDilations().vec()},
          {"group", int64_t(op.getGroups())}});
    return llvm::Error::success();
  }

  // That of a specification: nothing is fused yet. Runtimes refuse output padding of a stride or more: as
  // many rows of zeros behind the operand are the same.
  llvm::Error add(vn::TransposedConvolutionOp op) {
    std::string input = at(op.getInput());
    Ints zeros = {0, 0, 0, 0}, outputPadding;
    for (int axis : {0, 1}) {
      zeros[2 + axis] = op.getOutputPadding()[axis] / op.getStrides()[axis];
      outputPadding.push_back(op.getOutputPadding()[axis] % op.getStrides()[axis]);
    }
    if (zeros != Ints{0, 0, 0, 0})
      input = graph.node("Pad", {input, graph.integers(padsOf(zeros))}, graph.unique(input + "_padded"));
    std::vector<std::string> operands = {input, names.at(op.getWeight())};
    if (op.getBias())
      operands.push_back(names.at(op.getBias()));
    const auto window = typeOf(op.getWeight()).getShape().take_back(2);
    give(op, "ConvTranspose", operands,
         {{"kernel_shape", window.vec()},
          {"strides", op.getStrides().vec()},
          {"pads", onnxPadding(op.getPadding())},
          {"output_padding", outputPadding},
          {"dilations", op.getDilations().vec()},
          {"group", int64_t(op.getGroups())}});
    return llvm::Error::success();
  }

  llvm::Error add(vn::LinearOp op) {
    std::vector<std::string> operands = {matrixAt(op.getInput()), names.at(op.getWeight())};
    if (op.getBias())
      operands.push_back(names.at(op.getBias()));
    matrices[op.getResult()] = graph.node("Gemm", operands, resultName(op), {{"transB", int64_t(1)}});
    return llvm::Error::success();
  }

  llvm::Error add(vn::BatchNormOp op) {
    give(op, "BatchNormalization",
         {at(op.getInput()), names.at(op.getGamma()), names.at(op.getBeta()), names.at(op.getMean()),
          names.at(op.getVar())},
         {{"epsilon", float(op.getEpsilon().convertToDouble())}});
    return llvm::Error::success();
  }

  // The operator's channels are the last dimension.
  llvm::Error add(vn::LayerNormOp op) {
    const std::string input = at(op.getInput());
    const std::string last = graph.node("Transpose", {input}, graph.unique(input + "_channels_last"),
                                        {{"perm", Ints{0, 2, 3, 1}}});
    const std::string normal =
        graph.node("LayerNormalization", {last, names.at(op.getGamma()), names.at(op.getBeta())},
                   graph.unique(last + "_normal"),
                   {{"axis", int64_t(-1)}, {"epsilon", float(op.getEpsilon().convertToDouble())}});
    give(op, "Transpose", {normal}, {{"perm", Ints{0, 3, 1, 2}}});
    return llvm::Error::success();
  }

  // As PyTorch writes it: GroupNormalization has had weights of groups and of channels, by the opset's
  // version.
  llvm::Error add(vn::GroupNormOp op) {
    const RankedTensorType type = typeOf(op.getResult());
    const Ints map = channelsFirst(type);
    const int64_t groups = op.getGroups();
    const std::string input = at(op.getInput());
    const std::string split =
        graph.node("Reshape", {input, graph.integers({map[0], groups, -1})}, graph.unique(input + "_groups"));
    const auto constant = [&](const char *what, float value) {
      return graph.weight(graph.unique(input + what), {groups}, std::vector<float>(size_t(groups), value));
    };
    const std::string normal =
        graph.node("InstanceNormalization", {split, constant("_ones", 1), constant("_zeros", 0)},
                   graph.unique(input + "_normal"), {{"epsilon", float(op.getEpsilon().convertToDouble())}});
    const std::string joined =
        graph.node("Reshape", {normal, graph.integers(map)}, graph.unique(normal + "_map"));
    const std::string scaled =
        graph.node("Mul", {joined, channelNumbers(op.getGamma())}, graph.unique(normal + "_scaled"));
    give(op, "Add", {scaled, channelNumbers(op.getBeta())});
    return llvm::Error::success();
  }

  // A vector of C, to be C x 1 x 1.
  std::string channelNumbers(Value numbers) {
    const std::string vector = names.at(numbers);
    return graph.node("Unsqueeze", {vector, graph.integers({1, 2})}, graph.unique(vector + "_map"));
  }

  llvm::Error add(vn::PreluOp op) {
    give(op, "PRelu", {at(op.getInput()), channelNumbers(op.getSlope())});
    return llvm::Error::success();
  }

  llvm::Error add(vn::PixelShuffleOp op) {
    give(op, "DepthToSpace", {at(op.getInput())},
         {{"blocksize", int64_t(op.getFactor())}, {"mode", std::string("CRD")}});
    return llvm::Error::success();
  }

  // SpaceToDepth has the channels of a square's pixels in another order.
  llvm::Error add(vn::PixelUnshuffleOp op) {
    const Ints from = channelsFirst(typeOf(op.getInput())), to = channelsFirst(typeOf(op.getResult()));
    const int64_t f = op.getFactor();
    const std::string input = at(op.getInput());
    const std::string apart =
        graph.node("Reshape", {input, graph.integers({from[0], from[1], to[2], f, to[3], f})},
                   graph.unique(input + "_squares"));
    const std::string turned = graph.node("Transpose", {apart}, graph.unique(input + "_channels"),
                                          {{"perm", Ints{0, 1, 3, 5, 2, 4}}});
    give(op, "Reshape", {turned, graph.integers(to)});
    return llvm::Error::success();
  }

  llvm::Error add(vn::SoftmaxOp op) {
    const Ints map = channelsFirst(typeOf(op.getResult()));
    const int64_t runs = op.getRuns();
    const std::string input = at(op.getInput());
    const char *const kind = op.getLog() ? "LogSoftmax" : "Softmax";
    if (runs == map[1]) {
      give(op, kind, {input}, {{"axis", kChannels}});
      return llvm::Error::success();
    }
    const std::string apart =
        graph.node("Reshape", {input, graph.integers({map[0], runs, map[1] / runs, map[2], map[3]})},
                   graph.unique(input + "_runs"));
    const std::string weights =
        graph.node(kind, {apart}, graph.unique(input + "_weights"), {{"axis", kChannels}});
    give(op, "Reshape", {weights, graph.integers(map)});
    return llvm::Error::success();
  }

  // N x C x H W.
  std::string pixelsOf(Value value) {
    const Ints map = channelsFirst(typeOf(value));
    const std::string input = at(value);
    return graph.node("Reshape", {input, graph.integers({map[0], map[1], map[2] * map[3]})},
                      graph.unique(input + "_pixels"));
  }

  llvm::Error add(vn::SpatialSoftmaxOp op) {
    const std::string weights =
        graph.node("Softmax", {pixelsOf(op.getInput())}, graph.unique(at(op.getInput()) + "_weights"),
                   {{"axis", int64_t(2)}});
    give(op, "Reshape", {weights, graph.integers(channelsFirst(typeOf(op.getResult())))});
    return llvm::Error::success();
  }

  // Pixels by channels, as attention is written elsewhere.
  llvm::Error add(vn::MatmulOp op) {
    const auto turned = [&](const std::string &matrix, const char *suffix) {
      return graph.node("Transpose", {matrix}, graph.unique(matrix + suffix), {{"perm", Ints{0, 2, 1}}});
    };
    const auto matrix = [&](Value value, bool transposed) {
      const std::string channelsFirst = pixelsOf(value);
      return transposed ? channelsFirst : turned(channelsFirst, "_rows");
    };
    const std::string lhs = matrix(op.getLhs(), op.getTransposeLhs()),
                      rhs = matrix(op.getRhs(), op.getTransposeRhs());
    const std::string product = graph.node("MatMul", {lhs, rhs}, graph.unique(lhs + "_product"));
    give(op, "Reshape",
         {turned(product, "_channels"), graph.integers(channelsFirst(typeOf(op.getResult())))});
    return llvm::Error::success();
  }

  llvm::Error add(vn::ReduceChannelsOp op) {
    static constexpr const char *operators[] = {"ReduceSum", "ReduceMean", "ReduceMax"};
    give(op, operators[size_t(op.getReduction())], {at(op.getInput()), graph.integers({1})});
    return llvm::Error::success();
  }

  llvm::Error add(vn::ScaleChannelsOp op) {
    give(op, "Mul", {at(op.getInput()), channelNumbers(op.getScale())});
    return llvm::Error::success();
  }

  llvm::Error add(vn::ParameterMapOp op) {
    give(op, "Expand",
         {channelNumbers(op.getParameter()), graph.integers(channelsFirst(typeOf(op.getResult())))});
    return llvm::Error::success();
  }

  llvm::Error add(vn::ActivateOp op) {
    const std::string input = at(op.getInput());
    const Activation activation = op.getActivation();
    switch (activation.kind) {
    case Activation::None:
      give(op, "Identity", {input});
      break;
    case Activation::Relu:
      give(op, "Relu", {input});
      break;
    case Activation::Relu6:
      give(op, "Clip", {input, graph.scalar(0), graph.scalar(6)});
      break;
    case Activation::LeakyRelu:
      give(op, "LeakyRelu", {input}, {{"alpha", float(activation.slope)}});
      break;
    case Activation::Sigmoid:
      give(op, "Sigmoid", {input});
      break;
    case Activation::HardSigmoid:
      give(op, "HardSigmoid", {input}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}});
      break;
    case Activation::Tanh:
      give(op, "Tanh", {input});
      break;
    case Activation::Exp:
      give(op, "Exp", {input});
      break;
    case Activation::Silu:
      give(op, "Mul", {input, graph.node("Sigmoid", {input}, graph.unique(input + "_sigmoid"))});
      break;
    case Activation::HardSwish:
      give(op, "HardSwish", {input});
      break;
    case Activation::Gelu:
      give(op, "Gelu", {input});
      break;
    case Activation::GeluTanh:
      give(op, "Gelu", {input}, {{"approximate", std::string("tanh")}});
      break;
    case Activation::ScaleShift:
      giveScaleShift(op, input, float(activation.slope), float(activation.offset));
      break;
    }
    return llvm::Error::success();
  }

  void giveScaleShift(Operation *op, std::string input, float slope, float offset) {
    if (offset == 0)
      return give(op, "Mul", {input, graph.scalar(slope)});
    if (slope != 1)
      input = graph.node("Mul", {input, graph.scalar(slope)}, graph.unique(input + "_scaled"));
    give(op, "Add", {input, graph.scalar(offset)});
  }

  // How far the last window reaches beyond the padded input, per axis: 0 or more with `ceil`, else 0.
  template <class Pool> std::array<int64_t, 2> overhang(Pool op) {
    const RankedTensorType in = typeOf(op.getInput()), out = typeOf(op.getResult());
    std::array<int64_t, 2> result;
    for (int axis : {0, 1}) {
      const int64_t padded =
          in.getDimSize(1 + axis) + op.getPadding()[2 * axis] + op.getPadding()[2 * axis + 1];
      const int64_t reached = (out.getDimSize(1 + axis) - 1) * op.getStrides()[axis] + op.getKernel()[axis];
      result[axis] = std::max<int64_t>(0, reached - padded);
    }
    return result;
  }

  llvm::Error add(vn::MaxPoolOp op) {
    const auto [below, right] = overhang(op);
    Ints padding = onnxPadding(op.getPadding()); // never the largest value, so that there may be more of it
    padding[2] += below;
    padding[3] += right;
    give(op, "MaxPool", {at(op.getInput())},
         {{"kernel_shape", op.getKernel().vec()}, {"strides", op.getStrides().vec()}, {"pads", padding}});
    return llvm::Error::success();
  }

  llvm::Error add(vn::AvgPoolOp op) {
    const auto [below, right] = overhang(op);
    std::string input = at(op.getInput());
    Ints padding = onnxPadding(op.getPadding());
    bool count = op.getCountPadding();
    if (below + right > 0 && count && llvm::any_of(padding, [](int64_t p) { return p > 0; })) {
      // The padding counts and what lies beyond does not: two kinds that one node cannot tell apart.
      input = graph.node("Pad", {input, graph.integers(padsOf(padding))}, graph.unique(input + "_padded"));
      padding = {0, 0, 0, 0};
    }
    if (below + right > 0) {
      padding[2] += below;
      padding[3] += right;
      count = false;
    }
    give(op, "AveragePool", {input},
         {{"kernel_shape", op.getKernel().vec()},
          {"strides", op.getStrides().vec()},
          {"pads", padding},
          {"count_include_pad", int64_t(count)}});
    return llvm::Error::success();
  }

  llvm::Error add(vn::GlobalAvgPoolOp op) {
    give(op, "GlobalAveragePool", {at(op.getInput())});
    return llvm::Error::success();
  }

  // The pixels themselves: runtimes round positions in ways of their own.
  void givePixels(Operation *op, const std::string &input, ArrayRef<int64_t> rows,
                  ArrayRef<int64_t> columns) {
    const std::string chosen = graph.node("Gather", {input, graph.integers(rows)},
                                          graph.unique(input + "_rows"), {{"axis", kHeight}});
    give(op, "Gather", {chosen, graph.integers(columns)}, {{"axis", kWidth}});
  }

  llvm::Error add(vn::ResizeOp op) {
    const RankedTensorType in = typeOf(op.getInput()), out = typeOf(op.getResult());
    const std::string input = at(op.getInput());
    if (op.getMode() == vn::ResizeMode::Nearest && !op.repeatsEqually()) {
      givePixels(op, input, op.nearestSources(0), op.nearestSources(1));
      return llvm::Error::success();
    }
    std::vector<OnnxGraph::Attribute> attributes;
    if (op.getMode() == vn::ResizeMode::Nearest)
      attributes = {{"mode", std::string("nearest")},
                    {"coordinate_transformation_mode", std::string("asymmetric")},
                    {"nearest_mode", std::string("floor")}};
    else
      attributes = {{"mode", std::string("linear")},
                    {"coordinate_transformation_mode",
                     std::string(op.getAlignCorners() ? "align_corners" : "half_pixel")}};
    std::vector<std::string> operands = {input, ""};
    addSizes(operands, in, out, op.factor());
    give(op, "Resize", operands, attributes);
    return llvm::Error::success();
  }

  // What a Resize has behind the map and the region.
  void addSizes(std::vector<std::string> &operands, RankedTensorType in, RankedTensorType out,
                double factor) {
    const bool whole = vn::heightOf(out) % vn::heightOf(in) == 0 && vn::widthOf(out) % vn::widthOf(in) == 0;
    // Whole scales let runtimes keep layouts of their own; other scales would be rounded, sizes are not. A
    // factor that is not the sizes' quotient can only be said as a scale.
    if (factor > 0) {
      operands.push_back(graph.scales({1, 1, scaleFor(vn::heightOf(in), vn::heightOf(out), factor),
                                       scaleFor(vn::widthOf(in), vn::widthOf(out), factor)}));
    } else if (whole) {
      operands.push_back(graph.scales(
          {1, 1, float(vn::heightOf(out) / vn::heightOf(in)), float(vn::widthOf(out) / vn::widthOf(in))}));
    } else {
      operands.push_back("");
      operands.push_back(graph.integers(channelsFirst(out)));
    }
  }

  llvm::Error add(vn::ResampleOp op) {
    const RankedTensorType out = typeOf(op.getResult());
    const std::string input = at(op.getInput());
    const std::array<std::vector<dsl::ResamplingRun>, 2> runs = {op.runs(0), op.runs(1)};
    if (op.getKind() == vn::Resampling::NearestExact) {
      const auto sources = [&](int axis) {
        return llvm::map_to_vector(runs[axis], [](const dsl::ResamplingRun &run) { return run.begin; });
      };
      givePixels(op, input, sources(0), sources(1));
      return llvm::Error::success();
    }
    if (op.getKind() == vn::Resampling::AdaptiveAverage) {
      // No operation has windows of several sizes: the products that define it.
      const auto matrix = [&](int axis, bool columns) {
        const int64_t from = typeOf(op.getInput()).getDimSize(1 + axis), to = out.getDimSize(1 + axis);
        std::vector<float> weights(from * to);
        for (int64_t i = 0; i < to; ++i)
          for (size_t k = 0; k < runs[axis][i].weights.size(); ++k) {
            const int64_t position = runs[axis][i].begin + int64_t(k);
            weights[columns ? position * to + i : i * from + position] = float(runs[axis][i].weights[k]);
          }
        const std::string name = graph.unique(input + (columns ? "_column_weights" : "_row_weights"));
        return graph.weight(name, columns ? Ints{from, to} : Ints{to, from}, weights);
      };
      const std::string rows = graph.node("MatMul", {matrix(0, false), input}, graph.unique(input + "_rows"));
      give(op, "MatMul", {rows, matrix(1, true)});
      return llvm::Error::success();
    }
    const bool cubic = op.getKind() != vn::Resampling::BilinearAntialias,
               antialias = op.getKind() != vn::Resampling::Bicubic;
    std::vector<OnnxGraph::Attribute> attributes = {
        {"mode", std::string(cubic ? "cubic" : "linear")},
        {"coordinate_transformation_mode",
         std::string(op.getAlignCorners() ? "align_corners" : "half_pixel")}};
    if (cubic)
      attributes.push_back({"cubic_coeff_a", antialias ? -0.5f : -0.75f});
    if (antialias) {
      attributes.push_back({"antialias", int64_t(1)});
      attributes.push_back({"exclude_outside", int64_t(1)});
    }
    std::vector<std::string> operands = {input, ""};
    addSizes(operands, typeOf(op.getInput()), out, op.factor());
    give(op, "Resize", operands, attributes);
    return llvm::Error::success();
  }

  // The float32 next to `factor` of which every runtime makes `out` of `in`, however it multiplies; 1 where
  // the size stays.
  static float scaleFor(int64_t in, int64_t out, double factor) {
    if (in == out)
      return 1;
    const auto makes = [&](float scale) {
      return int64_t(scale * float(in)) == out && int64_t(double(scale) * double(in)) == out;
    };
    float above = float(factor), below = above;
    while (!makes(above) && !makes(below)) {
      above = std::nextafter(above, std::numeric_limits<float>::infinity());
      below = std::nextafter(below, 0.0f);
    }
    return makes(above) ? above : below;
  }

  // Of all axes: what is added before, then what is added behind.
  static Ints padsOf(ArrayRef<int64_t> onnxPadding) {
    return {0, 0, onnxPadding[0], onnxPadding[1], 0, 0, onnxPadding[2], onnxPadding[3]};
  }

  llvm::Error add(vn::PadOp op) {
    give(op, "Pad", {at(op.getInput()), graph.integers(padsOf(onnxPadding(op.getPadding())))},
         {{"mode", std::string(op.getMode() == vn::PadMode::Replicate ? "edge" : "constant")}});
    return llvm::Error::success();
  }

  void giveSlice(Operation *op, Value input, Ints begin, Ints end, Ints axes) {
    give(op, "Slice", {at(input), graph.integers(begin), graph.integers(end), graph.integers(axes)});
  }

  llvm::Error add(vn::CropOp op) {
    const RankedTensorType out = typeOf(op.getResult());
    const int64_t top = op.getOffset()[0], left = op.getOffset()[1];
    giveSlice(op, op.getInput(), {top, left}, {top + vn::heightOf(out), left + vn::widthOf(out)},
              {kHeight, kWidth});
    return llvm::Error::success();
  }

  llvm::Error add(vn::SliceOp op) {
    const int64_t begin = op.getBegin();
    giveSlice(op, op.getInput(), {begin}, {begin + vn::channelsOf(typeOf(op.getResult()))}, {kChannels});
    return llvm::Error::success();
  }

  llvm::Error add(vn::ChannelShuffleOp op) {
    const Ints map = channelsFirst(typeOf(op.getResult()));
    const int64_t groups = op.getGroups();
    const std::string input = at(op.getInput());
    const Ints apart = {map[0], groups, map[1] / groups, map[2], map[3]};
    const std::string split =
        graph.node("Reshape", {input, graph.integers(apart)}, graph.unique(input + "_groups"));
    const std::string turned = graph.node("Transpose", {split}, graph.unique(input + "_interleaved"),
                                          {{"perm", Ints{0, 2, 1, 3, 4}}});
    give(op, "Reshape", {turned, graph.integers(map)});
    return llvm::Error::success();
  }

  llvm::Error add(vn::ConcatOp op) {
    std::vector<std::string> operands;
    for (Value input : op.getInputs())
      operands.push_back(at(input));
    give(op, "Concat", operands, {{"axis", kChannels}});
    return llvm::Error::success();
  }

  llvm::Error add(vn::AddOp op) {
    give(op, "Add", {at(op.getLhs()), at(op.getRhs())});
    return llvm::Error::success();
  }

  llvm::Error add(vn::MultiplyOp op) {
    give(op, "Mul", {at(op.getLhs()), at(op.getRhs())});
    return llvm::Error::success();
  }

  llvm::Error add(vn::SubtractOp op) {
    give(op, "Sub", {at(op.getLhs()), at(op.getRhs())});
    return llvm::Error::success();
  }

  llvm::Error add(vn::DivideOp op) {
    give(op, "Div", {at(op.getLhs()), at(op.getRhs())});
    return llvm::Error::success();
  }

  llvm::Error add(func::ReturnOp op) {
    llvm::StringSet<> given;
    for (auto [value, name] : llvm::zip_equal(op.getOperands(), outputs)) {
      const RankedTensorType type = typeOf(value);
      const Ints map = channelsFirst(type);
      const bool matrix = isOnePixel(type);
      const auto direct = results.find(value);
      if (direct == results.end() || direct->second != name) {
        if (matrix)
          graph.node("Flatten", {at(value)}, name, {{"axis", int64_t(1)}});
        else
          graph.node("Identity", {at(value)}, name);
      }
      graph.addOutput(name, matrix ? Ints{map[0], map[1]} : map);
    }
    return llvm::Error::success();
  }

  func::FuncOp function;
  const OnnxOptions &options;
  OnnxGraph graph;
  llvm::DenseMap<Value, std::string> names;    // of maps and parameters
  llvm::DenseMap<Value, std::string> matrices; // of values that exist as N x C
  llvm::DenseMap<Value, std::string> results;  // of values that are outputs as their node gives them
  std::vector<std::string> outputs;
};

} // namespace

llvm::Expected<OnnxFiles> exportOnnx(func::FuncOp infer, const OnnxOptions &options,
                                     const std::string &path) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.add_opset_import()->set_version(kOpset);
  model.set_producer_name("vernier");
  model.set_producer_version(VERNIER_VERSION);
  for (const auto &[key, value] : options.metadata) {
    onnx::StringStringEntryProto &entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  model.mutable_graph()->set_name(options.model);
  if (llvm::Error error = Exporter(infer, options, *model.mutable_graph()).run())
    return std::move(error);
  return writeOnnxFile(model, path, options.externalData);
}

} // namespace vernier::codegen
