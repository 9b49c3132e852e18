#include "driver/allocate/Gammas.h"

#include "driver/Refusal.h"
#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <cmath>

namespace vernier::driver {

static constexpr int kMostMessages = 10;

Gammas::Gammas(const std::string &path, std::vector<compiler::LearnedHole> &holes)
    : file(runtime::Safetensors::read(path)) {
  runtime::checkFinite(file); // all of it: gammas of a training that diverged say nothing, finite or not
  bool complete = true;
  for (compiler::LearnedHole &hole : holes)
    for (auto [index, scale] : llvm::enumerate(hole.scales)) {
      for (compiler::GammaRange range : scale.gammas)
        read(range.gamma);
      if (!scale.gammas.empty())
        continue;
      complete = false;
      mlir::InFlightDiagnostic error = scale.layer->emitError(
          "no norm and no layer scale follows this layer: nothing tells which of its neurons matter");
      error.attachNote(hole.op.getLoc())
          << "its channels are element " << index << " of hole `" << hole.op.getSymName()
          << "`; follow it by batch_norm, or use --even";
    }
  if (!complete)
    refuseReported();
  refuseMistakes();
}

void Gammas::read(vn::ParameterOp parameter) {
  const std::string name = parameter.getName().str();
  if (values.count(name))
    return;
  const std::vector<int64_t> expected = parameter.getType().getShape().vec();
  std::vector<float> &gamma = values[name];
  gamma.resize(size_t(expected[0]));
  const runtime::Safetensors::Tensor *tensor = file.find(name);
  if (!tensor)
    return complain("tensor `" + name + "` of shape " + runtime::shapeText(expected) + " is missing");
  if (tensor->shape != expected)
    return complain("tensor `" + name + "` has shape " + runtime::shapeText(tensor->shape) +
                    ", the seed network needs " + runtime::shapeText(expected));
  if (!runtime::Safetensors::isFloat(*tensor))
    return complain("tensor `" + name + "` has type " + tensor->type + ", a floating-point type is needed");
  file.copyFloats(*tensor, gamma.data());
}

void Gammas::refuseMistakes() const {
  if (mistakes.empty())
    return;
  runtime::Error error(VN_ERROR_FORMAT, mistakes.front());
  error.at(file.place());
  for (size_t i = 1; i < mistakes.size() && i < kMostMessages; ++i)
    error.note(mistakes[i]);
  if (mistakes.size() > kMostMessages)
    error.note("and " + std::to_string(mistakes.size() - kMostMessages) + " more");
  error.help(
      "the weights must come from training this specification without a configuration: the seed network");
  throw error;
}

std::vector<double> Gammas::importances(const compiler::HoleScale &scale) const {
  std::vector<double> sum(size_t(scale.channels));
  for (compiler::GammaRange range : scale.gammas)
    for (int64_t i = 0; i < scale.channels; ++i)
      sum[size_t(i)] += std::abs(values.at(range.gamma.getName().str())[size_t(range.begin + i)]);
  return sum;
}

} // namespace vernier::driver
