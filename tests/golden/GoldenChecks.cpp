#include "tests/golden/GoldenChecks.h"

#include "compiler/ir/VnDialect.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

using vernier::interpreter::Environment;
using vernier::interpreter::Tensor;

namespace vernier::golden {
namespace {

// The files print logits with seven digits, everything else with all.
constexpr double LogitsTolerance = 5e-7;
constexpr double TrainTolerance = 1e-7;

bool report(bool good, const std::string &what, double error, double tolerance) {
  std::printf("%s %-40s error %.3g, allowed %.3g\n", good ? "ok  " : "FAIL", what.c_str(), error, tolerance);
  return good;
}

double norm(const std::vector<double> &values) {
  double sum = 0;
  for (double value : values)
    sum += value * value;
  return std::sqrt(sum);
}

double relativeError(const std::vector<double> &values, const std::vector<double> &expected) {
  double sum = 0;
  for (size_t i = 0; i < expected.size(); ++i)
    sum += (values[i] - expected[i]) * (values[i] - expected[i]);
  return std::sqrt(sum) / norm(expected);
}

// Keeps mean and rms of the last map computed within each stage: at places "layer1", "layer1.0", ...
class StageWatch {
public:
  StageWatch(const std::vector<Stage> &stages, Environment &environment) : stages(stages) {
    environment.observer = [this](mlir::Operation *op, const std::vector<Tensor> &results) {
      auto place = op->getAttrOfType<mlir::StringAttr>(vn::kPlaceAttr);
      if (!place || results.empty() || results.front().shape.size() != 4)
        return;
      for (const Stage &stage : this->stages)
        if (place.getValue().split('.').first == stage.name) {
          const Tensor &map = results.front();
          double sum = 0;
          for (double value : map.data)
            sum += value;
          double count = static_cast<double>(map.size());
          last[stage.name] = {stage.name, sum / count, norm(map.data) / std::sqrt(count)};
        }
    };
  }

  void print() {
    for (const Stage &stage : stages)
      std::printf("     %s: mean %.12g, expected %.12g; rms %.12g, expected %.12g\n", stage.name.c_str(),
                  last[stage.name].mean, stage.mean, last[stage.name].rms, stage.rms);
  }

private:
  const std::vector<Stage> &stages;
  std::map<std::string, Stage> last;
};

// PyTorch's SGD: weight decay on everything, momentum without dampening.
class Sgd {
public:
  explicit Sgd(const Train &train) : train(train) {}

  void step(Environment &environment) {
    for (auto &[name, gradient] : environment.gradients) {
      Tensor &parameter = environment.parameters.at(name);
      auto [velocity, isNew] = velocities.try_emplace(name, Tensor(parameter.shape));
      for (int64_t i = 0; i < parameter.size(); ++i) {
        double &v = velocity->second[i];
        v = train.momentum * v + gradient[i] + train.weightDecay * parameter[i];
        parameter[i] -= train.learningRate * v;
      }
    }
  }

private:
  const Train &train;
  std::map<std::string, Tensor> velocities;
};

bool checkGradients(const Environment &environment, const Train &train) {
  double worstNorm = 0, worstProbe = 0;
  std::string normName, probeName;
  for (const auto &[name, expected] : train.gradients) {
    auto found = environment.gradients.find(name);
    if (found == environment.gradients.end()) {
      std::printf("FAIL no gradient was stored for %s\n", name.c_str());
      return false;
    }
    const Tensor &gradient = found->second;
    std::vector<float> probe = regenerate({"probe:" + name, gradient.shape, "input"});
    double inner = 0;
    for (int64_t i = 0; i < gradient.size(); ++i)
      inner += gradient[i] * static_cast<double>(probe[i]);
    double normError = std::abs(norm(gradient.data) - expected.norm) / expected.norm;
    double probeError = std::abs(inner - expected.probe) / expected.norm;
    if (normError > worstNorm)
      worstNorm = normError, normName = name;
    if (probeError > worstProbe)
      worstProbe = probeError, probeName = name;
  }
  bool sameCount = environment.gradients.size() == train.gradients.size();
  if (!sameCount)
    std::printf("FAIL %zu gradients were stored, expected %zu\n", environment.gradients.size(),
                train.gradients.size());
  bool norms =
      report(worstNorm <= TrainTolerance, "gradient norms, worst " + normName, worstNorm, TrainTolerance);
  bool probes =
      report(worstProbe <= TrainTolerance, "gradient probes, worst " + probeName, worstProbe, TrainTolerance);
  return sameCount && norms && probes;
}

bool checkRunning(const Environment &environment, const Train &train) {
  double worst = 0;
  std::string worstName;
  for (const auto &[name, expected] : train.runningNormsAfterAll) {
    double error = std::abs(norm(environment.parameters.at(name).data) - expected) / expected;
    if (error > worst)
      worst = error, worstName = name;
  }
  return report(worst <= TrainTolerance, "running statistics, worst " + worstName, worst, TrainTolerance);
}

} // namespace

Environment goldenEnvironment(const Record &record) {
  Environment environment;
  for (const TensorInfo &info : record.tensors) {
    std::vector<float> values = regenerate(info);
    Tensor tensor(info.shape);
    std::copy(values.begin(), values.end(), tensor.data.begin());
    environment.parameters[info.name] = std::move(tensor);
  }
  return environment;
}

Tensor goldenInput(const std::vector<int64_t> &shape) {
  std::vector<float> values = regenerate({"input", shape, "input"});
  Tensor tensor({shape[0], shape[2], shape[3], shape[1]});
  const int64_t area = shape[2] * shape[3];
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t c = 0; c < shape[1]; ++c)
      for (int64_t p = 0; p < area; ++p)
        tensor[(n * area + p) * shape[1] + c] = values[(n * shape[1] + c) * area + p];
  return tensor;
}

bool checkForward(mlir::func::FuncOp infer, const Record &record, const Forward &forward) {
  Environment environment = goldenEnvironment(record);
  StageWatch stages(forward.stages, environment);
  auto results = interpreter::interpret(infer, {goldenInput(forward.input)}, environment);
  if (mlir::failed(results))
    return false;
  const std::vector<double> &logits = results->front().data;
  if (logits.size() != forward.logits.size()) {
    std::printf("FAIL %zu logits, expected %zu\n", logits.size(), forward.logits.size());
    return false;
  }
  double error = relativeError(logits, forward.logits);
  bool good = report(error <= LogitsTolerance,
                     record.model + " logits at " + std::to_string(forward.input[2]) + "x" +
                         std::to_string(forward.input[3]),
                     error, LogitsTolerance);
  if (!good)
    stages.print();
  return good;
}

bool checkTrain(mlir::func::FuncOp trainStep, const Record &record, const Train &train) {
  Environment environment = goldenEnvironment(record);
  Sgd sgd(train);
  Tensor labels({static_cast<int64_t>(train.labels.size())});
  std::copy(train.labels.begin(), train.labels.end(), labels.data.begin());
  bool good = true;
  for (size_t step = 0; step < train.losses.size(); ++step) {
    auto results =
        interpreter::interpret(trainStep, {goldenInput(train.input), labels, Tensor({1})}, environment);
    if (mlir::failed(results))
      return false;
    double error = std::abs(results->front()[0] - train.losses[step]) / train.losses[step];
    good &= report(error <= TrainTolerance, record.model + " loss of step " + std::to_string(step + 1), error,
                   TrainTolerance);
    if (step == 0)
      good &= checkGradients(environment, train);
    sgd.step(environment);
  }
  good &= checkRunning(environment, train);
  return good;
}

} // namespace vernier::golden
