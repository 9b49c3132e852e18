// golden-train RECORD.json LIBRARY.so: one training step of generated code against a record's `train` values.
//
// float32 with batch norm over few pixels amplifies rounding, so the bounds are those that the record's
// README gives: the first loss to 1e-5; each parameter's gradient norm and probe within 3% of the norm, their
// median within 0.2%.
#include "runtime/core/Session.h"
#include "tests/golden/GoldenTensors.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <dlfcn.h>
#include <exception>
#include <stdexcept>

using namespace vernier;

namespace {

constexpr double LossTolerance = 1e-5, GradientTolerance = 0.03, MedianTolerance = 0.002;

const vn_model &openModel(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  auto function =
      library ? reinterpret_cast<const vn_model *(*)()>(dlsym(library, "vernier_model")) : nullptr;
  if (!function)
    throw std::runtime_error(dlerror());
  return *function();
}

bool check(const golden::Record &record, const vn_model &model) {
  const golden::Train &train = record.train.value();
  runtime::Session session(model, {0, true});
  int64_t found = 0;
  for (int64_t i = 0; i < model.num_parameters; ++i)
    for (const golden::TensorInfo &tensor : record.tensors)
      if (tensor.name == model.parameters[i].name) {
        const std::vector<float> values = golden::regenerate(tensor);
        std::copy(values.begin(), values.end(), session.values(model.parameters[i]).begin());
        ++found;
      }
  if (found != model.num_parameters || found != int64_t(record.tensors.size())) {
    std::printf("FAIL %lld of %lld parameters have golden values\n", (long long)found,
                (long long)model.num_parameters);
    return false;
  }
  session.weightsChanged();

  std::vector<float> image = golden::regenerate({"input", train.input, "input"});
  std::vector<int32_t> labels(train.labels.begin(), train.labels.end());
  float smoothing = 0, loss = 0;
  std::vector<float> logits(model.batch * model.classes);
  void *io[] = {image.data(), labels.data(), &smoothing, &loss, logits.data()};
  session.trainStep(io);

  bool good = true;
  const auto report = [&](const char *what, double error, double tolerance) {
    const bool ok = error <= tolerance;
    std::printf("%s %-24s error %.3g, allowed %.3g\n", ok ? "ok  " : "FAIL", what, error, tolerance);
    good &= ok;
  };
  report("first loss", std::abs(loss / train.losses[0] - 1), LossTolerance);

  std::vector<double> errors;
  std::string worstName;
  double worst = 0;
  for (int64_t i = 0; i < model.num_parameters; ++i) {
    const vn_parameter &parameter = model.parameters[i];
    const auto expected = train.gradients.find(parameter.name);
    if (parameter.space != VN_SPACE_PARAMETERS || expected == train.gradients.end())
      continue;
    std::vector<int64_t> shape(parameter.shape, parameter.shape + parameter.rank);
    const std::vector<float> probe =
        golden::regenerate({"probe:" + std::string(parameter.name), shape, "input"});
    double squares = 0, product = 0;
    const auto gradient = session.gradient(parameter);
    for (size_t k = 0; k < gradient.size(); ++k) {
      squares += double(gradient[k]) * gradient[k];
      product += double(gradient[k]) * probe[k];
    }
    const double norm = expected->second.norm;
    const double error =
        std::max(std::abs(std::sqrt(squares) - norm), std::abs(product - expected->second.probe)) / norm;
    errors.push_back(error);
    if (!(error <= worst)) {
      worst = error;
      worstName = parameter.name;
    }
  }
  if (errors.size() != train.gradients.size()) {
    std::printf("FAIL %zu of %zu gradients were compared\n", errors.size(), train.gradients.size());
    return false;
  }
  std::nth_element(errors.begin(), errors.begin() + errors.size() / 2, errors.end());
  report("median over gradients", errors[errors.size() / 2], MedianTolerance);
  report(("worst: " + worstName).c_str(), worst, GradientTolerance);
  return good;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: golden-train RECORD.json LIBRARY.so\n");
    return 2;
  }
  try {
    return check(golden::readRecord(argv[1]), openModel(argv[2])) ? 0 : 1;
  } catch (const std::exception &error) {
    std::printf("FAIL %s\n", error.what());
    return 1;
  }
}
