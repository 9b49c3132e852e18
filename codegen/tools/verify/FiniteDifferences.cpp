#include "codegen/tools/verify/FiniteDifferences.h"

#include "compiler/ir/VnOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <cmath>
#include <limits>
#include <random>

namespace vernier::tools {
namespace {

// Changes of the loss that a step is chosen for. A long step bends and crosses kinks of ReLU, a short one
// drowns in rounding; how long is best depends on the network. A wrong gradient is wrong at every step.
constexpr double kChanges[] = {1e-5, 1e-6, 1e-7, 1e-4, 1e-8};

// What only gradients need.
void keepLossOnly(mlir::func::FuncOp function) {
  for (mlir::Operation &op : llvm::make_early_inc_range(llvm::reverse(function.front())))
    if (llvm::isa<vn::StoreGradientOp, vn::UpdateRunningOp>(op) || mlir::isOpTriviallyDead(&op))
      op.erase();
}

// Of the size of `parameter`.
std::vector<double> direction(const Tensor &parameter, const Tensor &gradient, std::mt19937 &engine) {
  std::vector<double> random(parameter.data.size());
  for (double &value : random)
    value = 2 * double(engine() >> 8) * 0x1p-24 - 1;
  const double size = norm(parameter.data), along = norm(gradient.data), aside = norm(random);
  for (size_t i = 0; i < random.size(); ++i)
    random[i] = size * std::sqrt(0.5) * ((along > 0 ? gradient.data[i] / along : 0) + random[i] / aside);
  return random;
}

} // namespace

Difference finiteDifferences(mlir::func::FuncOp lossOnly, Inputs &inputs,
                             const std::vector<Result> &gradients, double goodEnough) {
  keepLossOnly(lossOnly);
  std::mt19937 engine(1);
  std::map<std::string, std::vector<double>> directions;
  double expected = 0;
  for (const auto &[name, parameter] : inputs.parameters) {
    const auto gradient = llvm::find_if(gradients, [&, wanted = "gradient of " + name](const Result &result) {
      return result.name == wanted;
    });
    if (gradient == gradients.end())
      continue; // a running statistic
    std::vector<double> &along = directions[name] = direction(parameter, gradient->tensor, engine);
    for (int64_t i = 0; i < parameter.size(); ++i)
      expected += gradient->tensor[i] * along[size_t(i)];
  }
  const auto lossAt = [&](double step) {
    Inputs moved = inputs;
    for (const auto &[name, along] : directions)
      for (size_t i = 0; i < along.size(); ++i)
        moved.parameters[name].data[i] += step * along[i];
    return runLoss(lossOnly, moved);
  };
  double least = std::numeric_limits<double>::infinity();
  for (double change : kChanges) {
    const double step = std::min(change / std::max(std::abs(expected), 1e-30), 1e-3);
    const double found = (lossAt(step) - lossAt(-step)) / (2 * step);
    least = std::min(least, std::abs(found - expected) / std::max(std::abs(found), 1e-30));
    if (least <= goodEnough)
      break;
  }
  Difference result;
  result.add(least, "derivative of the loss");
  return result;
}

} // namespace vernier::tools
