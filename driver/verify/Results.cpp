#include "driver/verify/Results.h"

#include "compiler/interpreter/Interpreter.h"
#include "compiler/interpreter/Kernels.h"
#include "compiler/ir/LabelRange.h"
#include "compiler/ir/VnOps.h"
#include "compiler/passes/DeclaredLosses.h"
#include "driver/Refusal.h"

#include <cmath>
#include <limits>
#include <random>

namespace vernier::driver {
namespace {

// Uniform in [low, high), exact in float32. The engine's numbers are the same with every library.
Tensor randomTensor(std::vector<int64_t> shape, std::mt19937 &engine, double low, double high) {
  Tensor tensor(std::move(shape));
  for (double &value : tensor.data)
    value = float(low + (high - low) * double(engine() >> 8) * 0x1p-24);
  return tensor;
}

std::vector<int64_t> shapeOf(mlir::Type type) {
  return llvm::cast<mlir::RankedTensorType>(type).getShape().vec();
}

// Activations keep their size from layer to layer, as in a network that has been initialised to be trained.
Tensor randomParameter(vn::ParameterOp parameter, std::mt19937 &engine) {
  const std::vector<int64_t> shape = shapeOf(parameter.getType());
  switch (parameter.getKind()) {
  case vn::ParameterKind::ConvolutionWeight:
  case vn::ParameterKind::LinearWeight: {
    int64_t inputs = 1;
    for (size_t dimension = 1; dimension < shape.size(); ++dimension)
      inputs *= shape[dimension];
    const double most = std::sqrt(3.0 / double(std::max<int64_t>(inputs, 1)));
    return randomTensor(shape, engine, -most, most);
  }
  case vn::ParameterKind::Gamma: // small, as in trained networks: with 1, the gradients of deep ones explode
    return randomTensor(shape, engine, 0.2, 0.6);
  case vn::ParameterKind::RunningVar:
    return randomTensor(shape, engine, 0.5, 1.5);
  case vn::ParameterKind::Bias:
  case vn::ParameterKind::Beta:
  case vn::ParameterKind::RunningMean:
    return randomTensor(shape, engine, -0.3, 0.3);
  }
  return Tensor(shape);
}

// Classes, a quarter of them what is ignored.
Tensor randomLabels(std::vector<int64_t> shape, std::mt19937 &engine, int64_t classes,
                    std::optional<int64_t> ignored) {
  Tensor labels(std::move(shape));
  for (double &label : labels.data)
    label = ignored && engine() % 4 == 0 ? double(*ignored) : double(engine() % uint64_t(classes));
  return labels;
}

Tensor randomTarget(vn::TargetOp target, std::mt19937 &engine) {
  const std::vector<int64_t> shape = shapeOf(target.getType());
  if (!vn::isLabels(target.getType()))
    return randomTensor(shape, engine, 0, 1);
  const vn::LabelRange range = vn::labelRangeOf(target.getResult());
  return randomLabels(shape, engine, std::max<int64_t>(range.classes, 1), range.ignored);
}

std::vector<Tensor> run(mlir::func::FuncOp function, std::vector<Tensor> arguments,
                        interpreter::Environment &environment) {
  auto results = interpreter::interpret(function, std::move(arguments), environment);
  if (failed(results))
    refuseReported(); // it has been reported at the op
  return std::move(*results);
}

// The parameters, lent to the interpreter; running statistics are put back as they were.
class Lent {
public:
  Lent(Inputs &inputs, mlir::func::FuncOp function) : inputs(inputs) {
    environment.parameters = std::move(inputs.parameters);
    environment.rounds = inputs.rounded;
    environment.targets = inputs.targets;
    function.walk([&](vn::UpdateRunningOp update) {
      for (llvm::StringRef name : {update.getMeanName(), update.getVarName()})
        saved[name.str()] = environment.parameters.at(name.str());
    });
  }
  ~Lent() {
    inputs.parameters = std::move(environment.parameters);
    for (auto &[name, statistic] : saved)
      inputs.parameters[name] = std::move(statistic);
  }
  interpreter::Environment environment;

private:
  Inputs &inputs;
  std::map<std::string, Tensor> saved;
};

// A thousandth of the mean norm of the gradients.
double gradientFloor(const std::vector<Result> &results) {
  double sum = 0;
  int64_t count = 0;
  for (const Result &result : results)
    if (result.isGradient()) {
      sum += norm(result.tensor.data);
      ++count;
    }
  return count ? 1e-3 * sum / double(count) : 0;
}

} // namespace

Inputs Inputs::random(mlir::func::FuncOp infer, bool binary, uint64_t seed) {
  Inputs inputs;
  std::mt19937 engine{std::mt19937::result_type(seed)};
  infer.walk([&](vn::ParameterOp parameter) {
    if (!inputs.parameters.contains(parameter.getName().str()))
      inputs.parameters[parameter.getName().str()] = randomParameter(parameter, engine);
  });
  const std::vector<int64_t> logits = shapeOf(infer.getResultTypes().front());
  inputs.image = randomTensor(shapeOf(infer.getArgumentTypes().front()), engine, -1, 1);
  // By the names that the interpreter and a built model have.
  inputs.targets["random"] = inputs.targets[vn::kRandomInput.str()] =
      Tensor({2}, double(std::uniform_int_distribution<int32_t>()(engine)));
  if (compiler::declaresLosses(infer)) {
    for (vn::TargetOp target : infer.getOps<vn::TargetOp>())
      inputs.targets[target.getName().str()] = randomTarget(target, engine);
    return inputs;
  }
  inputs.targets["label_smoothing"] = Tensor({1}, 0.125);
  inputs.targets["labels"] = binary ? randomTensor(logits, engine, 0, 1)
                                    : randomLabels({logits.front()}, engine, logits.back(), std::nullopt);
  return inputs;
}

Inputs Inputs::moved(double step) const {
  Inputs moved = *this;
  std::mt19937 engine(1);
  const auto move = [&](Tensor &tensor) {
    for (double &value : tensor.data)
      value *= 1 + step * (2 * double(engine() >> 8) * 0x1p-24 - 1);
  };
  for (auto &[name, parameter] : moved.parameters)
    move(parameter);
  move(moved.image);
  return moved;
}

std::vector<Result> withoutGradients(std::vector<Result> results) {
  llvm::erase_if(results, [](const Result &result) { return result.isGradient(); });
  return results;
}

// The arguments of a function in their order: an image, then what its attribute names.
static std::vector<Tensor> argumentsOf(mlir::func::FuncOp function, const Inputs &inputs) {
  std::vector<Tensor> arguments = {inputs.image};
  if (auto names = function->getAttrOfType<mlir::ArrayAttr>(vn::kInputsAttr))
    for (mlir::Attribute name : llvm::drop_begin(names))
      arguments.push_back(inputs.targets.at(llvm::cast<mlir::StringAttr>(name).str()));
  return arguments;
}

std::vector<Result> runInfer(mlir::func::FuncOp infer, Inputs &inputs) {
  Lent lent(inputs, infer);
  std::vector<Tensor> outputs = run(infer, argumentsOf(infer, inputs), lent.environment);
  auto names = infer->getAttrOfType<mlir::ArrayAttr>(vn::kOutputsAttr);
  std::vector<Result> results;
  for (size_t i = 0; i < outputs.size(); ++i)
    results.push_back({names && i < names.size() ? llvm::cast<mlir::StringAttr>(names[i]).str()
                                                 : "output" + std::to_string(i),
                       std::move(outputs[i])});
  return results;
}

static void addStatistics(mlir::func::FuncOp function, const interpreter::Environment &environment,
                          std::vector<Result> &results) {
  function.walk([&](vn::UpdateRunningOp update) {
    for (llvm::StringRef name : {update.getMeanName(), update.getVarName()})
      results.push_back({name.str(), environment.parameters.at(name.str())});
  });
}

std::vector<Result> runTrainForward(mlir::func::FuncOp forward, Inputs &inputs, bool binary) {
  Lent lent(inputs, forward);
  std::vector<Tensor> outputs = run(forward, {inputs.image}, lent.environment);
  std::vector<Result> results;
  if (compiler::declaresLosses(forward)) {
    for (const auto &[name, value] : lent.environment.losses)
      results.push_back({name.empty() ? "loss" : "loss." + name, Tensor({1}, value)});
    for (auto [name, output] :
         llvm::zip_equal(forward->getAttrOfType<mlir::ArrayAttr>(vn::kOutputsAttr), outputs))
      results.push_back({llvm::cast<mlir::StringAttr>(name).str(), std::move(output)});
  } else {
    Tensor logits = std::move(outputs.front());
    const Tensor &labels = inputs.targets.at("labels");
    Tensor loss =
        binary ? interpreter::pointwiseLoss({Pointwise::Binary}, logits, &labels)
               : interpreter::softmaxCrossEntropy(logits, labels, inputs.targets.at("label_smoothing")[0]);
    results = {{"loss", std::move(loss)}, {"logits", std::move(logits)}};
  }
  addStatistics(forward, lent.environment, results);
  return results;
}

std::vector<Result> runTrainStep(mlir::func::FuncOp trainStep, Inputs &inputs) {
  Lent lent(inputs, trainStep);
  std::vector<Tensor> outputs = run(trainStep, argumentsOf(trainStep, inputs), lent.environment);
  std::vector<Result> results;
  for (auto [name, output] :
       llvm::zip_equal(trainStep->getAttrOfType<mlir::ArrayAttr>(vn::kOutputsAttr), outputs))
    results.push_back({llvm::cast<mlir::StringAttr>(name).str(), std::move(output)});
  addStatistics(trainStep, lent.environment, results);
  for (auto &[name, gradient] : lent.environment.gradients)
    results.push_back({"gradient of " + name, std::move(gradient)});
  return results;
}

double runLoss(mlir::func::FuncOp trainStep, Inputs &inputs) {
  Lent lent(inputs, trainStep);
  return run(trainStep, argumentsOf(trainStep, inputs), lent.environment).front()[0];
}

double norm(const std::vector<double> &values) {
  double squares = 0;
  for (double value : values)
    squares += value * value;
  return std::sqrt(squares);
}

double difference(const Tensor &reference, const Tensor &found, double floor) {
  if (reference.size() != found.size())
    return std::numeric_limits<double>::infinity();
  double squares = 0;
  for (int64_t i = 0; i < reference.size(); ++i)
    squares += (found[i] - reference[i]) * (found[i] - reference[i]);
  const double scale = std::max(norm(reference.data), floor);
  return scale > 0 ? std::sqrt(squares) / scale : std::sqrt(squares);
}

std::map<std::string, double> movements(const std::vector<Result> &results,
                                        const std::vector<Result> &moved) {
  std::map<std::string, double> distances;
  for (const Result &result : results)
    for (const Result &other : moved)
      if (other.name == result.name) {
        std::vector<double> change = other.tensor.data;
        for (size_t i = 0; i < change.size(); ++i)
          change[i] -= result.tensor.data[i];
        distances[result.name] = norm(change);
      }
  return distances;
}

Difference difference(const std::vector<Result> &reference, const std::vector<Result> &found,
                      const std::map<std::string, double> &scales) {
  Difference most;
  const double floor = gradientFloor(reference);
  for (const Result &result : reference) {
    const auto other = std::find_if(found.begin(), found.end(),
                                    [&](const Result &other) { return other.name == result.name; });
    if (other == found.end())
      most.add(std::numeric_limits<double>::infinity(), result.name);
    else {
      const auto scale = scales.find(result.name);
      most.add(
          difference(result.tensor, other->tensor,
                     std::max(result.isGradient() ? floor : 0, scale == scales.end() ? 0 : scale->second)),
          result.name);
    }
  }
  return most;
}

} // namespace vernier::driver
