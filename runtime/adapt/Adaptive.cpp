#include "runtime/adapt/Adaptive.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>

namespace vernier::runtime {

std::span<const int64_t> candidateChoices(const vn_adaptive &model, size_t candidate) {
  const size_t holes = size_t(model.network->num_holes);
  return {model.candidates + candidate * holes, holes};
}

void checkAdaptive(const vn_adaptive &model) {
  const auto require = [&](bool condition, const char *what) {
    if (!condition)
      throw Error(VN_ERROR_ABI, fmt::format("the adaptive model `{}` contradicts itself: {}",
                                            model.network ? model.network->name : "", what));
  };
  require(model.network && model.classifier && model.candidates, "a part is missing");
  const vn_model &network = *model.network, &classifier = *model.classifier;
  const vn_program &infer = network.infer;
  require(network.classes > 0, "its network is no classifier");
  require(network.num_holes > 0, "its network has no open holes");
  require(model.num_candidates >= 2, "it has nothing to choose from");
  require(classifier.classes == model.num_candidates, "its classifier's scores are not one per candidate");
  require(infer.num_io == 3 && infer.io[2].is_output == VN_PARTIAL_OUTPUT && infer.io[2].type == VN_FLOAT32,
          "its network has no map for the classifier");
  require(network.batch == classifier.batch &&
              elementCount(infer.io[2]) == elementCount(classifier.infer.io[0]),
          "its classifier takes another map");
  int64_t before = 0;
  for (size_t c = 0; c < size_t(model.num_candidates); ++c) {
    checkChoices(network, candidateChoices(model, c));
    const int64_t macs = macsOf(network, candidateChoices(model, c));
    require(macs >= before, "its candidates are not in the order of their multiply-adds");
    before = macs;
  }
}

static const vn_adaptive &checked(const vn_adaptive &model) {
  if (!model.network || !model.classifier)
    throw Error(VN_ERROR_ABI, "an adaptive model has a network and a classifier");
  return model;
}

Adaptive::Adaptive(const vn_adaptive &model, const SessionOptions &options)
    : theModel(checked(model)), theNetwork(*model.network, options),
      theClassifier(*model.classifier, options), arrays(model.network->infer),
      classifierArrays(model.classifier->infer), pointers(arrays.pointers().begin(), arrays.pointers().end()),
      classifierPointers(classifierArrays.pointers().begin(), classifierArrays.pointers().end()) {
  checkAdaptive(model);
  logits = arrays.floats(size_t(1)), scores = classifierArrays.floats(size_t(1));
  imageSize = arrays.floats(size_t(0)).size() / size_t(model.network->batch);
  classifierPointers[0] = pointers[2]; // the classifier reads the map where the network leaves it
  buckets.resize(size_t(model.num_candidates));
  for (size_t c = 0; c < buckets.size(); ++c) {
    buckets[c].images.resize(imageSize * size_t(model.network->batch));
    candidateMacs.push_back(macsOf(*model.network, candidateChoices(model, c)));
  }
}

void Adaptive::loadWeights(const Safetensors &file, const NonFiniteWeights &policy) {
  const std::string prefix(classifierPrefix);
  const FoundWeights ofClassifier = findWeights(theClassifier.model(), file, prefix, "", policy);
  const FoundWeights ofNetwork = findWeights(theNetwork.model(), file, "", prefix, policy);
  takeWeights(theClassifier, file, ofClassifier);
  takeWeights(theNetwork, file, ofNetwork);
}

void Adaptive::setCostWeight(double weight) {
  if (!std::isfinite(weight))
    throw Error(VN_ERROR_VALUE, fmt::format("the weight of the cost is {}", weight)).help("a finite number");
  costWeight = weight;
}

void Adaptive::prepare() {
  theNetwork.prepare();
  theClassifier.prepare();
}

int64_t Adaptive::macs(size_t candidate) const {
  return candidateMacs[0] + theModel.classifier->macs + (candidate > 0 ? candidateMacs[candidate] : 0);
}

size_t Adaptive::choose(std::span<const float> scores) const {
  const auto value = [&](size_t c) {
    return double(scores[c]) -
           costWeight * double(candidateMacs[c]) / double(std::max<int64_t>(candidateMacs.back(), 1));
  };
  size_t best = 0;
  for (size_t c = 1; c < scores.size(); ++c)
    if (value(c) > value(best))
      best = c;
  return best;
}

void Adaptive::add(int64_t image, std::span<const float> values, const Deliver &deliver) {
  put(0, image, values, deliver);
}

void Adaptive::put(size_t candidate, int64_t image, std::span<const float> values, const Deliver &deliver) {
  Bucket &bucket = buckets[candidate];
  std::ranges::copy(values, bucket.images.begin() + std::ptrdiff_t(bucket.numbers.size() * imageSize));
  bucket.numbers.push_back(image);
  if (int64_t(bucket.numbers.size()) == theModel.network->batch)
    run(candidate, deliver);
}

void Adaptive::run(size_t candidate, const Deliver &deliver) {
  Bucket &bucket = buckets[candidate];
  const std::vector<int64_t> numbers = std::exchange(bucket.numbers, {});
  const size_t classes = size_t(theModel.network->classes);
  pointers[0] = bucket.images.data();
  theNetwork.choose(candidateChoices(theModel, candidate));
  theNetwork.infer(pointers);
  if (candidate > 0) {
    for (size_t i = 0; i < numbers.size(); ++i)
      deliver(numbers[i], logits.subspan(i * classes, classes), candidate);
    return;
  }
  theClassifier.infer(classifierPointers);
  std::vector<size_t> chosen;
  for (size_t i = 0; i < numbers.size(); ++i)
    chosen.push_back(choose(scores.subspan(i * buckets.size(), buckets.size())));
  // First what is finished: another candidate's run overwrites the logits.
  for (size_t i = 0; i < numbers.size(); ++i)
    if (chosen[i] == 0)
      deliver(numbers[i], logits.subspan(i * classes, classes), 0);
  for (size_t i = 0; i < numbers.size(); ++i)
    if (chosen[i] > 0)
      put(chosen[i], numbers[i], std::span(bucket.images).subspan(i * imageSize, imageSize), deliver);
}

void Adaptive::flush(const Deliver &deliver) {
  for (size_t c = 0; c < buckets.size(); ++c)
    if (!buckets[c].numbers.empty())
      run(c, deliver);
}

void Adaptive::runAll(const float *images, int64_t count, float *logits, int64_t *chosen) {
  const size_t classes = size_t(theModel.network->classes);
  constexpr size_t mostFloats = size_t(1) << 45; // what addresses reach
  if (size_t(count) > mostFloats / std::max(imageSize, classes))
    throw Error(VN_ERROR_ARGUMENT, fmt::format("{} images are more than memory can hold", count));
  for (Bucket &bucket : buckets)
    bucket.numbers.clear(); // of a call that failed
  const auto deliver = [&](int64_t image, std::span<const float> row, size_t candidate) {
    std::ranges::copy(row, logits + size_t(image) * classes);
    if (chosen)
      chosen[image] = int64_t(candidate);
  };
  for (int64_t i = 0; i < count; ++i)
    add(i, {images + size_t(i) * imageSize, imageSize}, deliver);
  flush(deliver);
}

} // namespace vernier::runtime
