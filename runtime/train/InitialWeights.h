// Weights that a training begins with, from files.
#ifndef VERNIER_RUNTIME_TRAIN_INITIALWEIGHTS_H
#define VERNIER_RUNTIME_TRAIN_INITIALWEIGHTS_H

#include "runtime/io/Weights.h"

#include <string>
#include <vector>

namespace vernier::runtime {

class InitialWeights {
public:
  /// `words`: a file of the whole model's weights, or PLACE=FILE for a part of it; later ones replace what
  /// earlier ones say. Refuses files that do not fit.
  InitialWeights(const ModelOutline &model, const std::vector<std::string> &words);

  /// Refuses a model of which what training leaves as it is, would be fresh.
  void requireFrozen(const ModelOutline &model) const;
  /// Whether nothing of the model is left to be initialised.
  bool whole() const { return isWhole; }
  /// Copies what there is, and lets go of the files.
  void take(Session &session);

private:
  struct Source {
    Safetensors file;
    FoundWeights found;
  };
  std::vector<Source> sources;
  bool isWhole = false;
};

} // namespace vernier::runtime

#endif
