// Which neurons of a trained seed network matter: the factors of the norms behind them.
#ifndef VERNIER_DRIVER_ALLOCATE_GAMMAS_H
#define VERNIER_DRIVER_ALLOCATE_GAMMAS_H

#include "compiler/analysis/LearnedHoles.h"
#include "runtime/io/Weights.h"

#include <map>
#include <string>
#include <vector>

namespace vernier::driver {

// The gammas of all holes, each tensor read once.
class Gammas {
public:
  // Refuses a layer of a hole that no norm and no layer scale follows, at the layer. Throws a runtime::Error
  // of what is wrong with the file, tensor by tensor.
  Gammas(const std::string &path, std::vector<compiler::LearnedHole> &holes);

  // Of each neuron of a scale. Where several norms scale one neuron, their factors add up.
  std::vector<double> importances(const compiler::HoleScale &scale) const;

private:
  void read(vn::ParameterOp parameter);
  void complain(const std::string &mistake) { mistakes.push_back(mistake); }
  void refuseMistakes() const;

  runtime::Safetensors file;
  std::map<std::string, std::vector<float>> values;
  std::vector<std::string> mistakes;
};

} // namespace vernier::driver

#endif
