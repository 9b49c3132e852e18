// Runs each image in the configuration that a classifier chooses for it.
//
// Every image runs in the cheapest candidate; the classifier reads a map of that run. What it wants in
// another candidate waits until a whole batch wants the same one, because a batch costs what it costs however
// few of its images count.
#ifndef VERNIER_RUNTIME_ADAPT_ADAPTIVE_H
#define VERNIER_RUNTIME_ADAPT_ADAPTIVE_H

#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"
#include "runtime/io/Weights.h"

#include <functional>
#include <vector>

namespace vernier::runtime {

/// Of candidate number `candidate`.
std::span<const int64_t> candidateChoices(const vn_adaptive &model, size_t candidate);

/// Throws VN_ERROR_ABI where the parts of `model` do not fit each other.
void checkAdaptive(const vn_adaptive &model);

class Adaptive {
public:
  /// An image that is finished: the number that `add` was given, its logits, the candidate that it ran in.
  using Deliver = std::function<void(int64_t image, std::span<const float> logits, size_t candidate)>;

  explicit Adaptive(const vn_adaptive &model, const SessionOptions &options = {});

  /// The network's weights and the classifier's, whose names have a prefix, or none of them.
  void loadWeights(const Safetensors &file, const NonFiniteWeights &policy = {});
  /// Packs the weights, which otherwise the first run does.
  void prepare();

  /// From here on each candidate's score is lowered by `weight` times its share of the last candidate's
  /// multiply-adds.
  void setCostWeight(double weight);
  /// Takes the values of one image. Images are delivered, in any order, from `add` and `flush`.
  void add(int64_t image, std::span<const float> values, const Deliver &deliver);
  /// Runs what waits.
  void flush(const Deliver &deliver);
  /// Runs `count` images; `logits` receives a row for each, and `chosen`, unless it is null, the candidates.
  void runAll(const float *images, int64_t count, float *logits, int64_t *chosen);

  const vn_adaptive &model() const { return theModel; }
  Session &network() { return theNetwork; }
  Session &classifier() { return theClassifier; }
  size_t candidates() const { return buckets.size(); }
  /// All multiply-adds of an image that ends in this candidate.
  int64_t macs(size_t candidate) const;

private:
  /// Images that wait for a candidate; the first candidate's are all that come.
  struct Bucket {
    std::vector<float> images;
    std::vector<int64_t> numbers;
  };

  void put(size_t candidate, int64_t image, std::span<const float> values, const Deliver &deliver);
  void run(size_t candidate, const Deliver &deliver);
  size_t choose(std::span<const float> scores) const;

  const vn_adaptive &theModel;
  Session theNetwork, theClassifier;
  double costWeight = 0;
  IoArrays arrays, classifierArrays;
  std::vector<void *> pointers, classifierPointers;
  std::span<float> logits, scores;
  size_t imageSize;
  std::vector<int64_t> candidateMacs; ///< of the network alone
  std::vector<Bucket> buckets;
};

} // namespace vernier::runtime

#endif
