// How to train: a TOML file, checked strictly. docs/training.md describes every key.
#ifndef VERNIER_RUNTIME_TRAIN_RECIPE_H
#define VERNIER_RUNTIME_TRAIN_RECIPE_H

#include "runtime/image/Augment.h"
#include "runtime/train/Sampling.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vernier::runtime {

struct Recipe {
  int64_t epochs = 0;
  int64_t batch = 0; ///< 0: the model's
  uint64_t seed = 1;
  double labelSmoothing = 0;
  bool uniformInitialization = false;

  struct Optimizer {
    double learningRate = 0, momentum = 0.9, weightDecay = 0;
    bool nesterov = false;
    bool decayNormsAndBiases = true;
    /// What the rate of parameters that begin with a place and a dot is multiplied by; 0: they are not
    /// trained. Of several places the longest.
    std::map<std::string, double> rates;
  } optimizer;

  enum class ScheduleKind { Constant, Step, Cosine, Polynomial };
  struct Schedule {
    ScheduleKind kind = ScheduleKind::Cosine;
    double warmupEpochs = 0;
    std::vector<double> milestones; ///< epochs at which a step schedule multiplies the rate by `factor`
    double factor = 0.1;
    double power = 0.9;           ///< of a polynomial
    double finalLearningRate = 0; ///< where the cosine, or the polynomial, ends
  } schedule;

  struct Data {
    int64_t limit = 0; ///< train on the first images only; 0: on all
    int64_t resize = 0;
    bool orientation = true;            ///< as in Preprocessing
    std::vector<float> mean, deviation; ///< empty: Preprocessing's
  } data;

  Augmentation augmentation;

  /// Of a model with open holes; text as parseChoices takes it.
  struct Choices {
    Sampling sampling = Sampling::Fair;
    std::string target; ///< what is validated, and trained alone at the end; empty: the first
    std::optional<int64_t> targetEpochs; ///< the last ones; a third of them where a target is named
  } choices;

  /// Of a model that was built for several sizes the one that is trained, as text; no key of a recipe.
  std::string size;

  int64_t validateEvery = 1;   ///< epochs; 0: after the last one only
  int64_t checkpointEvery = 0; ///< steps; 0: after each epoch only
  int64_t logEvery = 50;       ///< steps

  /// Of `epochs`, those at the end that train the target alone.
  int64_t targetEpochs() const;

  /// All values as text, one `key = value` per line: what a resumed run must have in common with the
  /// interrupted one.
  std::string canonical() const;
};

/// Reads a recipe; `place` is named in messages, with line and column.
Recipe parseRecipe(std::string_view text, const std::string &place);
Recipe readRecipe(const std::string &path);

/// The rate for a step, counted from 0, of a run with so many steps per epoch.
double learningRate(const Recipe &recipe, int64_t step, int64_t stepsPerEpoch);

} // namespace vernier::runtime

#endif
