// Stochastic gradient descent as PyTorch defines it:
//
//   g = gradient + weight_decay * w;   m = momentum * m + g;   w = w - rate * (nesterov ? g + momentum * m :
//   m)
#ifndef VERNIER_RUNTIME_TRAIN_SGD_H
#define VERNIER_RUNTIME_TRAIN_SGD_H

#include "runtime/core/Session.h"
#include "runtime/io/Safetensors.h"
#include "runtime/train/Recipe.h"

#include <vector>

namespace vernier::runtime {

class Sgd {
public:
  Sgd(Session &session, const Recipe::Optimizer &options);

  /// Updates all parameters from the session's gradients; with `trained`, which has an entry for each of the
  /// model's parameters, those alone. Returns whether what it wrote is finite: a gradient that is not leaves
  /// no parameter that is, whatever the rate.
  [[nodiscard]] bool step(double learningRate, const std::vector<bool> *trained = nullptr);

  /// Momentum as tensors to be written, named as the parameters, with `prefix`.
  std::vector<TensorView> tensors(const std::string &prefix) const;
  /// The tensors of what `tensors` wrote, for each of the model's parameters; null for statistics. Refuses a
  /// file that lacks one, or holds what is not finite.
  static std::vector<const Safetensors::Tensor *> find(const vn_model &model, const Safetensors &file,
                                                       const std::string &prefix);
  /// Takes momentum back, all of it or nothing.
  void load(const Safetensors &file, const std::string &prefix);

private:
  struct Chunk {
    float *weights;
    const float *gradients;
    float *momentum;
    int64_t count;
    float decay;
    size_t parameter; ///< number in the model
  };

  Session &session;
  Recipe::Optimizer options;
  std::vector<std::vector<float>> momentum; ///< one per entry of the model's parameters; empty for statistics
  std::vector<Chunk> chunks;                ///< pieces of parameters, for the threads to share evenly
};

} // namespace vernier::runtime

#endif
