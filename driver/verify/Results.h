// What a network computes in double precision, and how far two results are apart.
#ifndef VERNIER_DRIVER_VERIFY_RESULTS_H
#define VERNIER_DRIVER_VERIFY_RESULTS_H

#include "compiler/interpreter/Tensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <string>
#include <vector>

namespace vernier::driver {

using interpreter::Tensor;

// What both sides of every comparison are given: random, the same for equal seeds, and exact in float32.
struct Inputs {
  std::map<std::string, Tensor> parameters; // running statistics included
  Tensor image;
  std::map<std::string, Tensor> targets; // what a training step is given beside it, by name
  bool rounded = true;                   // maps of bf16, to that type

  // Of @infer. `binary`: targets for the loss of that name, where @infer declares none.
  static Inputs random(mlir::func::FuncOp infer, bool binary, uint64_t seed);
  // With each parameter and the image changed by at most `step` of its own size.
  Inputs moved(double step) const;
  Inputs notRounded() const {
    Inputs inputs = *this;
    inputs.rounded = false;
    return inputs;
  }
};

// A tensor by its name: "logits", "gradient of fc.weight".
struct Result {
  std::string name;
  Tensor tensor;

  bool isGradient() const { return name.starts_with("gradient of "); }
};

std::vector<Result> withoutGradients(std::vector<Result> results);

// The outputs of @infer. The inputs are as they were when each of these returns.
std::vector<Result> runInfer(mlir::func::FuncOp infer, Inputs &inputs);
// Loss, outputs and running statistics: of @train_forward, the loss by the interpreter's own kernel.
std::vector<Result> runTrainForward(mlir::func::FuncOp forward, Inputs &inputs, bool binary);
// The same and gradients.
std::vector<Result> runTrainStep(mlir::func::FuncOp trainStep, Inputs &inputs);
// The first result of a function with the arguments of @train_step.
double runLoss(mlir::func::FuncOp trainStep, Inputs &inputs);

double norm(const std::vector<double> &values);

// Where two results differ most, relative to the reference. Gradients that are zero but for rounding (a
// bias before a batch norm) are compared with a thousandth of the mean gradient instead of with themselves.
struct Difference {
  double value = 0;
  std::string where;

  void add(double other, const std::string &name) {
    if (!(other <= value)) { // NaN is worst
      value = other;
      where = name;
    }
  }
};
// `scales`: of results, by name, the least norm that a difference is related to.
Difference difference(const std::vector<Result> &reference, const std::vector<Result> &found,
                      const std::map<std::string, double> &scales = {});

// The L2 norm of what each of `results` moved by.
std::map<std::string, double> movements(const std::vector<Result> &results, const std::vector<Result> &moved);

// The relative L2 difference of two arrays; `floor` is the least norm that a difference is related to.
double difference(const Tensor &reference, const Tensor &found, double floor = 0);

} // namespace vernier::driver

#endif
