#include "driver/verify/FiniteDifferences.h"

#include "compiler/ir/VnOps.h"
#include "driver/verify/Bounds.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace vernier::driver {
namespace {

// Changes of the loss that a step is chosen for. A long step bends and crosses kinks of ReLU, a short one
// drowns in rounding; how long is best depends on the network. A wrong gradient is wrong at every step.
constexpr double kChanges[] = {1e-5, 1e-6, 1e-7, 1e-4, 1e-8, 1e-3};

// Of the two losses whose difference is taken: a few units in the last place, where the layers magnify none.
constexpr double kLossRounding = 4e-15;

// Parts of a step within which the loss moves by less than rounding, and how many times the largest rounding
// that is seen there two losses may be apart by.
constexpr double kWithinStep[] = {1e-4, -1e-4, 2e-4, -2e-4};
constexpr double kRoundings = 2;

// Of a derivative; where rounding decides more of it, a step is too short to say anything.
constexpr double kMostRounding = 1e-3;

// What only gradients need.
void keepLossOnly(mlir::func::FuncOp function) {
  for (mlir::Operation &op : llvm::make_early_inc_range(llvm::reverse(function.front())))
    if (llvm::isa<vn::StoreGradientOp, vn::UpdateRunningOp>(op) || mlir::isOpTriviallyDead(&op))
      op.erase();
}

// Of parameter `name`, or nothing.
const Result *gradientOf(const std::vector<Result> &gradients, const std::string &name) {
  const auto found = llvm::find_if(
      gradients, [wanted = "gradient of " + name](const Result &result) { return result.name == wanted; });
  return found == gradients.end() ? nullptr : &*found;
}

// Of the size of `parameter`, never across its gradient: of a single number the two halves could cancel.
std::vector<double> direction(const Tensor &parameter, const Tensor &gradient, std::mt19937 &engine) {
  std::vector<double> random(parameter.data.size());
  for (double &value : random)
    value = 2 * double(engine() >> 8) * 0x1p-24 - 1;
  const double size = norm(parameter.data), along = norm(gradient.data);
  const double dot = std::inner_product(random.begin(), random.end(), gradient.data.begin(), 0.0);
  const double aside = std::copysign(norm(random), dot);
  for (size_t i = 0; i < random.size(); ++i)
    random[i] = size * std::sqrt(0.5) * ((along > 0 ? gradient.data[i] / along : 0) + random[i] / aside);
  return random;
}

} // namespace

Difference finiteDifferences(mlir::func::FuncOp lossOnly, Inputs &inputs,
                             const std::vector<Result> &gradients, double goodEnough,
                             llvm::function_ref<std::vector<Result>(Inputs &)> moved) {
  keepLossOnly(lossOnly);
  std::mt19937 engine(1);
  std::map<std::string, std::vector<double>> directions;
  for (const auto &[name, parameter] : inputs.parameters)
    if (const Result *gradient = gradientOf(gradients, name)) // else it is a running statistic
      directions[name] = direction(parameter, gradient->tensor, engine);
  const auto derivative = [&](const std::vector<Result> &gradients) {
    double sum = 0;
    for (const auto &[name, along] : directions) {
      const Result *gradient = gradientOf(gradients, name);
      for (size_t i = 0; gradient && i < along.size(); ++i)
        sum += gradient->tensor.data[i] * along[i];
    }
    return sum;
  };
  const double expected = derivative(gradients);
  const auto lossAt = [&](double step) {
    Inputs moved = inputs;
    for (const auto &[name, along] : directions) {
      std::vector<double> &parameter = moved.parameters.at(name).data;
      for (size_t i = 0; i < along.size(); ++i)
        parameter[i] += step * along[i];
    }
    return runLoss(lossOnly, moved);
  };
  const double loss = lossAt(0);
  double rounding = kLossRounding * std::abs(loss), decided = 0;
  double least = std::numeric_limits<double>::infinity();
  for (double change : kChanges) {
    const double step = std::min(change / std::max(std::abs(expected), 1e-30), 1e-3);
    const double found = (lossAt(step) - lossAt(-step)) / (2 * step);
    const auto relative = [&] {
      const double apart = std::max(0.0, std::abs(found - expected) - rounding / step);
      return apart / std::max({std::abs(found), decided / goodEnough, 1e-30});
    };
    if (relative() > goodEnough && decided == 0) {
      // Each layer magnifies the rounding of those before it, as it does what parameters move by.
      for (double part : kWithinStep) {
        const double moves = part * step;
        rounding = std::max(rounding, kRoundings * std::abs(lossAt(moves) - loss - moves * expected));
      }
      Inputs other = inputs.moved(bounds::kDouble.step);
      decided = bounds::kDouble.times * std::abs(derivative(moved(other)) - expected);
    }
    if (found == 0 && expected == 0) // no parameter has a part in the loss
      least = 0;
    if (rounding / step <= kMostRounding * std::max(std::abs(found), std::abs(expected)))
      least = std::min(least, relative());
    if (least <= goodEnough)
      break;
  }
  Difference result;
  result.add(least, "derivative of the loss");
  return result;
}

} // namespace vernier::driver
