// A linear classifier written by hand in the form that generated code has, so that the runtime is tested
// without the compiler. `norm.running_mean`, the mean of all pixels, is subtracted first: a running
// statistic.
#ifndef VERNIER_TESTS_RUNTIME_FAKEMODEL_H
#define VERNIER_TESTS_RUNTIME_FAKEMODEL_H

#include "vernier/abi.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace vernier::test {

constexpr int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/// N images of C x H x W, K classes.
template <int64_t N, int64_t C, int64_t H, int64_t W, int64_t K> struct FakeModel {
  static constexpr int64_t inputs = C * H * W;

  template <class T> static T *at(void *const *operands, int i) { return static_cast<T *>(operands[i]); }

  /// weight, packed: transposes to inputs x K; one task per input.
  static void pack(void *const *operands, int64_t begin, int64_t end) {
    const float *weight = at<float>(operands, 0);
    float *packed = at<float>(operands, 1);
    for (int64_t i = begin; i < end; ++i)
      for (int64_t k = 0; k < K; ++k)
        packed[i * K + k] = weight[k * inputs + i];
  }

  /// image, mean, centred: one task per image.
  static void centre(void *const *operands, int64_t begin, int64_t end) {
    const float *image = at<float>(operands, 0), *mean = at<float>(operands, 1);
    float *centred = at<float>(operands, 2);
    for (int64_t i = begin * inputs; i < end * inputs; ++i)
      centred[i] = image[i] - *mean;
  }

  /// centred, packed, bias, logits: one task per image.
  static void inferLogits(void *const *operands, int64_t begin, int64_t end) {
    const float *centred = at<float>(operands, 0), *packed = at<float>(operands, 1),
                *bias = at<float>(operands, 2);
    float *logits = at<float>(operands, 3);
    for (int64_t n = begin; n < end; ++n) {
      std::copy(bias, bias + K, logits + n * K);
      for (int64_t i = 0; i < inputs; ++i)
        for (int64_t k = 0; k < K; ++k)
          logits[n * K + k] += centred[n * inputs + i] * packed[i * K + k];
    }
  }

  /// image, batch mean, running mean: one task.
  static void updateMean(void *const *operands, int64_t, int64_t) {
    const float *image = at<float>(operands, 0);
    double sum = 0;
    for (int64_t i = 0; i < N * inputs; ++i)
      sum += double(image[i]);
    const float mean = float(sum / double(N * inputs));
    *at<float>(operands, 1) = mean;
    float *running = at<float>(operands, 2);
    *running += 0.1f * (mean - *running);
  }

  /// centred, weight, bias, labels, smoothing, logits, dlogits, losses: one task per image.
  static void forward(void *const *operands, int64_t begin, int64_t end) {
    const float *centred = at<float>(operands, 0), *weight = at<float>(operands, 1),
                *bias = at<float>(operands, 2);
    const int32_t *labels = at<int32_t>(operands, 3);
    const float smoothing = *at<float>(operands, 4);
    for (int64_t n = begin; n < end; ++n) {
      float *logits = at<float>(operands, 5) + n * K, *gradient = at<float>(operands, 6) + n * K;
      for (int64_t k = 0; k < K; ++k) {
        logits[k] = bias[k];
        for (int64_t i = 0; i < inputs; ++i)
          logits[k] += centred[n * inputs + i] * weight[k * inputs + i];
      }
      const float largest = *std::max_element(logits, logits + K);
      float sum = 0, loss = 0;
      for (int64_t k = 0; k < K; ++k)
        sum += std::exp(logits[k] - largest);
      for (int64_t k = 0; k < K; ++k) {
        const float target = smoothing / float(K) + (k == labels[n] ? 1 - smoothing : 0);
        const float logProbability = logits[k] - largest - std::log(sum);
        loss -= target * logProbability;
        gradient[k] = (std::exp(logProbability) - target) / float(N);
      }
      at<float>(operands, 7)[n] = loss / float(N);
    }
  }

  /// losses, loss: one task.
  static void sumLoss(void *const *operands, int64_t, int64_t) {
    const float *losses = at<float>(operands, 0);
    float sum = 0;
    for (int64_t n = 0; n < N; ++n)
      sum += losses[n];
    *at<float>(operands, 1) = sum;
  }

  /// centred, dlogits, dweight, dbias: one task per class.
  static void backward(void *const *operands, int64_t begin, int64_t end) {
    const float *centred = at<float>(operands, 0), *gradient = at<float>(operands, 1);
    float *weight = at<float>(operands, 2), *bias = at<float>(operands, 3);
    for (int64_t k = begin; k < end; ++k) {
      std::fill_n(weight + k * inputs, inputs, 0.0f);
      bias[k] = 0;
      for (int64_t n = 0; n < N; ++n) {
        bias[k] += gradient[n * K + k];
        for (int64_t i = 0; i < inputs; ++i)
          weight[k * inputs + i] += gradient[n * K + k] * centred[n * inputs + i];
      }
    }
  }

  /// flags: one task.
  static void clear(void *const *operands, int64_t, int64_t) { std::fill_n(at<int32_t>(operands, 0), 3, 0); }

  /// values, flag: one task.
  static void check(void *const *operands, int64_t, int64_t) {
    if (!std::isfinite(*at<float>(operands, 0)))
      *at<int32_t>(operands, 1) = 1;
  }

  /// gradient, rate, momentum, decay, nesterov, trained, weight, momentum, flag: one task.
  template <int64_t Count> static void sgd(void *const *operands, int64_t, int64_t) {
    const float rate = *at<float>(operands, 1), factor = *at<float>(operands, 2),
                decay = *at<float>(operands, 3);
    if (!*at<int32_t>(operands, 5))
      return;
    for (int64_t i = 0; i < Count; ++i) {
      float &weight = at<float>(operands, 6)[i], &momentum = at<float>(operands, 7)[i];
      const float g = at<float>(operands, 0)[i] + decay * weight;
      momentum = factor * momentum + g;
      weight -= rate * (*at<int32_t>(operands, 4) ? g + factor * momentum : momentum);
      if (!std::isfinite(weight))
        *at<int32_t>(operands, 8) = 1;
    }
  }

  /// gradient, how, sum, flag: one task.
  template <int64_t Count> static void accumulate(void *const *operands, int64_t, int64_t) {
    const int32_t how = *at<int32_t>(operands, 1);
    for (int64_t i = 0; i < Count && how != VN_LEAVE; ++i) {
      float &gradient = at<float>(operands, 0)[i], &sum = at<float>(operands, 2)[i];
      if (how == VN_END) {
        gradient = sum;
        continue;
      }
      sum = how == VN_BEGIN ? gradient : sum + gradient;
      if (!std::isfinite(gradient))
        *at<int32_t>(operands, 3) = 1;
    }
  }

  static constexpr int64_t biasAt = align64(4 * K * inputs);
  static constexpr int64_t centredAt = 0, dlogitsAt = align64(4 * N * inputs),
                           lossesAt = dlogitsAt + align64(4 * N * K), batchMeanAt = lossesAt + align64(4 * N),
                           trainArena = batchMeanAt + 64;

  static constexpr vn_operand io(int32_t array) { return {VN_SPACE_IO, array, 0}; }
  static constexpr vn_operand flag(int32_t array, int64_t index) { return {VN_SPACE_IO, array, 4 * index}; }
  static constexpr vn_operand arena(int64_t offset) { return {VN_SPACE_ARENA, 0, offset}; }
  static constexpr vn_operand weight{VN_SPACE_PARAMETERS, 0, 0}, bias{VN_SPACE_PARAMETERS, 0, biasAt},
      weightGradient{VN_SPACE_GRADIENTS, 0, 0}, biasGradient{VN_SPACE_GRADIENTS, 0, biasAt},
      weightSum{VN_SPACE_SUMS, 0, 0}, biasSum{VN_SPACE_SUMS, 0, biasAt},
      weightMomentum{VN_SPACE_MOMENTUM, 0, 0}, biasMomentum{VN_SPACE_MOMENTUM, 0, biasAt},
      mean{VN_SPACE_STATISTICS, 0, 0}, packed{VN_SPACE_DERIVED, 0, 0};

  static constexpr vn_operand packOperands[] = {weight, packed};
  static constexpr vn_operand inferCentreOperands[] = {io(0), mean, arena(centredAt)};
  static constexpr vn_operand inferLogitsOperands[] = {arena(centredAt), packed, bias, io(1)};
  static constexpr vn_operand meanOperands[] = {io(0), arena(batchMeanAt), mean};
  static constexpr vn_operand centreOperands[] = {io(0), arena(batchMeanAt), arena(centredAt)};
  static constexpr vn_operand forwardOperands[] = {
      arena(centredAt), weight, bias, io(1), io(2), io(4), arena(dlogitsAt), arena(lossesAt)};
  static constexpr vn_operand lossOperands[] = {arena(lossesAt), io(3)};
  static constexpr vn_operand backwardOperands[] = {arena(centredAt), arena(dlogitsAt), weightGradient,
                                                    biasGradient};

  static constexpr vn_operand clearOperands[] = {io(6)}, clearAfterSumOperands[] = {io(1)};
  static constexpr vn_operand checkOperands[] = {mean, flag(6, 0)},
                              checkAfterSumOperands[] = {mean, flag(1, 0)};
  static constexpr vn_operand sgdWeightOperands[] = {
      weightGradient, flag(0, 1), io(1), io(2), io(4), flag(5, 1), weight, weightMomentum, flag(6, 1)};
  static constexpr vn_operand sgdBiasOperands[] = {biasGradient, flag(0, 2), io(1),        io(3),     io(4),
                                                   flag(5, 2),   bias,       biasMomentum, flag(6, 2)};
  static constexpr vn_operand sumWeightOperands[] = {weightGradient, flag(0, 1), weightSum, flag(1, 1)};
  static constexpr vn_operand sumBiasOperands[] = {biasGradient, flag(0, 2), biasSum, flag(1, 2)};

  static constexpr int64_t macs = K * inputs;
  static constexpr vn_step prepareSteps[] = {
      {pack, "pack", "fc", packOperands, 2, inputs, 0, 8 * K *inputs, 0, 0, nullptr}};
  static constexpr vn_step inferSteps[] = {
      {centre, "centre", "norm", inferCentreOperands, 3, N, 0, 8 * N *inputs, 0, 0, nullptr},
      {inferLogits, "linear", "fc", inferLogitsOperands, 4, N, N *macs, 4 * (N * inputs + K * inputs), 0, 0,
       nullptr}};
  static constexpr vn_step trainSteps[] = {
      {updateMean, "update_mean", "norm", meanOperands, 3, 1, 0, 4 * N *inputs, 0, 0, nullptr},
      {centre, "centre", "norm", centreOperands, 3, N, 0, 8 * N *inputs, 0, 0, nullptr},
      {forward, "linear_softmax", "fc", forwardOperands, 8, N, N *macs, 4 * N *inputs, 0, 0, nullptr},
      {sumLoss, "sum", "loss", lossOperands, 2, 1, 0, 4 * N, 0, 0, nullptr},
      {backward, "linear_weight_gradient", "fc", backwardOperands, 4, K, N *macs, 4 * N *inputs, 0, 0,
       nullptr}};

  static constexpr vn_step updateSteps[] = {
      {clear, "fill", "not_finite", clearOperands, 1, 1, 0, 0, 0, 0, nullptr},
      {check, "check_finite", "norm", checkOperands, 2, 1, 0, 0, 0, 0, nullptr},
      {sgd<K * inputs>, "sgd", "fc", sgdWeightOperands, 9, 1, 0, 0, 0, 0, nullptr},
      {sgd<K>, "sgd", "fc", sgdBiasOperands, 9, 1, 0, 0, 0, 0, nullptr}};
  static constexpr vn_step accumulateSteps[] = {
      {clear, "fill", "not_finite", clearAfterSumOperands, 1, 1, 0, 0, 0, 0, nullptr},
      {check, "check_finite", "norm", checkAfterSumOperands, 2, 1, 0, 0, 0, 0, nullptr},
      {accumulate<K * inputs>, "accumulate_gradient", "fc", sumWeightOperands, 4, 1, 0, 0, 0, 0, nullptr},
      {accumulate<K>, "accumulate_gradient", "fc", sumBiasOperands, 4, 1, 0, 0, 0, 0, nullptr}};

  static constexpr vn_io updateIo[] = {{"learning_rate", VN_FLOAT32, 0, 1, {3, 0, 0, 0}, 0, 0},
                                       {"momentum", VN_FLOAT32, 0, 1, {1, 0, 0, 0}, 0, 0},
                                       {"weight_decay", VN_FLOAT32, 0, 1, {1, 0, 0, 0}, 0, 0},
                                       {"vector_decay", VN_FLOAT32, 0, 1, {1, 0, 0, 0}, 0, 0},
                                       {"nesterov", VN_INT32, 0, 1, {1, 0, 0, 0}, 0, 0},
                                       {"trained", VN_INT32, 0, 1, {3, 0, 0, 0}, 0, 0},
                                       {"not_finite", VN_INT32, 1, 1, {3, 0, 0, 0}, 0, 0}};
  static constexpr vn_io accumulateIo[] = {{"how", VN_INT32, 0, 1, {3, 0, 0, 0}, 0, 0},
                                           {"not_finite", VN_INT32, 1, 1, {3, 0, 0, 0}, 0, 0}};
  static constexpr vn_io inferIo[] = {{"image", VN_FLOAT32, 0, 4, {N, C, H, W}, 0, 0},
                                      {"logits", VN_FLOAT32, 1, 2, {N, K, 0, 0}, 0, 0}};
  static constexpr vn_io trainIo[] = {{"image", VN_FLOAT32, 0, 4, {N, C, H, W}, 0, 0},
                                      {"labels", VN_INT32, 0, 1, {N, 0, 0, 0}, K, 0},
                                      {"label_smoothing", VN_FLOAT32, 0, 1, {1, 0, 0, 0}, 0, 0},
                                      {"loss", VN_FLOAT32, 1, 1, {1, 0, 0, 0}, 0, 0},
                                      {"logits", VN_FLOAT32, 1, 2, {N, K, 0, 0}, 0, 0}};
  static constexpr vn_parameter parameters[] = {
      {"norm.running_mean", VN_RUNNING_MEAN, 1, {1, 0, 0, 0}, VN_SPACE_STATISTICS, 0, 0},
      {"fc.weight", VN_LINEAR_WEIGHT, 2, {K, inputs, 0, 0}, VN_SPACE_PARAMETERS, 0, 0},
      {"fc.bias", VN_BIAS, 1, {K, 0, 0, 0}, VN_SPACE_PARAMETERS, biasAt, 0}};

  static constexpr vn_model model{VN_ABI_VERSION,
                                  "fake",
                                  "{\"model\": \"fake\"}",
                                  "",
                                  VN_FLOAT32,
                                  N,
                                  C,
                                  H,
                                  W,
                                  K,
                                  macs,
                                  parameters,
                                  3,
                                  nullptr,
                                  0,
                                  biasAt + align64(4 * K),
                                  64,
                                  0,
                                  align64(4 * K * inputs),
                                  {prepareSteps, 1, nullptr, 0, nullptr, 0, 0},
                                  {inferSteps, 2, nullptr, 0, inferIo, 2, align64(4 * N * inputs)},
                                  {trainSteps, 5, nullptr, 0, trainIo, 5, trainArena},
                                  {},
                                  {updateSteps, 4, nullptr, 0, updateIo, 7, 0},
                                  {},
                                  nullptr,
                                  nullptr,
                                  0};

  // As of a specification that declares its losses: the labels and the smoothing, as the first of a map's
  // numbers, are targets, and the loss is a term with a name, too.
  static constexpr vn_operand termOperands[] = {arena(lossesAt), io(5)};
  static constexpr vn_step declaredSteps[] = {
      trainSteps[0], trainSteps[1],
      trainSteps[2], trainSteps[3],
      trainSteps[4], {sumLoss, "sum", "loss.main", termOperands, 2, 1, 0, 4 * N, 0, 0, nullptr}};
  static constexpr vn_io declaredIo[] = {
      {"image", VN_FLOAT32, 0, 4, {N, C, H, W}, 0, 0},   {"kind", VN_INT32, 0, 1, {N, 0, 0, 0}, K, 0},
      {"trained", VN_FLOAT32, 0, 4, {N, 1, 2, 2}, 0, 0}, {"loss", VN_FLOAT32, 1, 1, {1, 0, 0, 0}, 0, 0},
      {"logits", VN_FLOAT32, 1, 2, {N, K, 0, 0}, 0, 0},  {"loss.main", VN_FLOAT32, 1, 1, {1, 0, 0, 0}, 0, 0}};
  static constexpr vn_model declaredModel() {
    vn_model declared = model;
    declared.train_step = {declaredSteps, 6, nullptr, 0, declaredIo, 6, trainArena};
    return declared;
  }

  // With an open hole: the image is centred, or taken as it is.
  static constexpr vn_operand plainLogitsOperands[] = {io(0), packed, bias, io(1)};
  static constexpr vn_step openSteps[] = {inferSteps[0],
                                          inferSteps[1],
                                          {inferLogits, "linear", "fc", plainLogitsOperands, 4, N, N *macs,
                                           4 * (N * inputs + K * inputs), 0, 0, nullptr}};
  static constexpr double centreChoices[] = {1, 0};
  static constexpr vn_hole holes[] = {{"norm.centre", centreChoices, 2}};
  static constexpr int64_t centreHole[] = {0};
  static constexpr vn_variant always[] = {{0, 1, 0}}, chosen[] = {{1, 2, macs}, {2, 3, macs}};
  // Centred by the running mean, which stays as it is, or by the batch's, which updates it.
  static constexpr vn_step openTrainSteps[] = {trainSteps[0], trainSteps[1], inferSteps[0],
                                               trainSteps[2], trainSteps[3], trainSteps[4]};
  static constexpr vn_variant centred[] = {{0, 2, 0}, {2, 3, 0}}, trained[] = {{3, 6, 0}};
  static constexpr vn_segment trainSegments[] = {{centreHole, 1, centred, 2}, {nullptr, 0, trained, 1}};
  static constexpr vn_segment segments[] = {{nullptr, 0, always, 1}, {centreHole, 1, chosen, 2}};
  static constexpr vn_model openModel() {
    vn_model open = model;
    open.holes = holes;
    open.num_holes = 1;
    open.infer = {openSteps, 3, segments, 2, inferIo, 2, align64(4 * N * inputs)};
    open.train_step = {openTrainSteps, 6, trainSegments, 2, trainIo, 5, trainArena};
    open.accumulate = {accumulateSteps, 4, nullptr, 0, accumulateIo, 2, 0};
    return open;
  }
};

} // namespace vernier::test

#endif
