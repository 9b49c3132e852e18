// Stochastic gradient descent: runs the model's `update` program with the numbers of a recipe.
#ifndef VERNIER_RUNTIME_TRAIN_SGD_H
#define VERNIER_RUNTIME_TRAIN_SGD_H

#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"
#include "runtime/io/Weights.h"
#include "runtime/train/Recipe.h"

#include <vector>

namespace vernier::runtime {

class Sgd {
public:
  Sgd(Session &session, const Recipe::Optimizer &options);

  /// Refuses `rates` of places that no trained parameter is in; `recipe` is named.
  static void checkRates(const ModelOutline &model, const Recipe::Optimizer &options,
                         const std::string &recipe);

  /// The arrays of `update`, for one step at a time.
  IoArrays arrays() const;
  /// Updates all parameters from the session's gradients; with `trained`, which has an entry for each of the
  /// model's parameters, those alone. Returns the number of the run, see Session::start.
  int64_t start(IoArrays &arrays, double learningRate, const std::vector<bool> *trained = nullptr) const;
  /// After it has been waited for: whether the parameters, and the running statistics, are finite. A gradient
  /// that is not leaves no parameter that is, whatever the rate.
  [[nodiscard]] static bool finite(IoArrays &arrays);

  /// Momentum as tensors to be written, named as the parameters, with `prefix`.
  HostTensors tensors(const std::string &prefix) const;
  /// The tensors of what `tensors` wrote, for each of the model's parameters; null for statistics. Refuses a
  /// file that lacks one, or holds what is not finite.
  static std::vector<const Safetensors::Tensor *> find(const ModelOutline &model, const Safetensors &file,
                                                       const std::string &prefix);
  /// Takes momentum back, all of it or nothing.
  void load(const Safetensors &file, const std::string &prefix);

private:
  Session &session;
  const Recipe::Optimizer options;
  std::vector<double> rates; // of each parameter, what the learning rate is multiplied by
};

} // namespace vernier::runtime

#endif
