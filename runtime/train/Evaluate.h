#ifndef VERNIER_RUNTIME_TRAIN_EVALUATE_H
#define VERNIER_RUNTIME_TRAIN_EVALUATE_H

#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"
#include "runtime/data/Loader.h"
#include "runtime/image/Preprocess.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>

namespace vernier::runtime {

/// How many logits come before that of `label` in descending order; equal ones in the order of their index.
/// One that is not a number comes before all numbers, as in PyTorch; that of `label` itself, behind all: such
/// an answer is never right.
int64_t rankOf(std::span<const float> logits, int64_t label);

struct Accuracy {
  int64_t images = 0;
  double top1 = 0, top5 = 0; ///< fractions
  double loss = 0;           ///< mean cross-entropy
  double seconds = 0;
  int64_t notFinite = 0; ///< images with a logit that is infinite or no number
};

/// Adds up what is said of single images. The time is that since it was made.
class AccuracyMeter {
public:
  void add(std::span<const float> logits, int64_t label);
  Accuracy result() const;
  int64_t count() const { return images; }

private:
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  int64_t images = 0, best = 0, bestFive = 0, notFinite = 0;
  double loss = 0;
};

/// Refuses a model whose first output is a map.
void requireClassifier(const ModelOutline &model);

/// Refuses a data set whose labels the model does not have, or whose arrays it does not take.
void checkLabels(const Dataset &dataset, const ModelOutline &model);

/// Of the images [first, first + count) of a data set, each `every`-th.
struct ImageRange {
  int64_t first = 0, count = INT64_MAX, every = 1;
};

/// Refuses a range that begins behind the last image.
void checkRange(const Dataset &dataset, const ImageRange &images);

/// Sees what a call computed of its `row`-th image, which is the `index`-th of the data set.
using ImageObserver = std::function<void(IoArrays &arrays, int64_t row, int64_t index)>;

/// Of `infer` or `evaluate`, from its start until what it computed is looked at.
struct Call {
  IoArrays arrays;
  std::vector<int32_t> labels;
  std::vector<int64_t> indices; ///< of the images that count
  int64_t run = 0;
};

/// Runs one of them on all batches of a loader, whose images are its first array; `fill` writes the others
/// that it reads.
void runCalls(Session &session, Loader &loader, Task task,
              const std::function<void(Call &, const Batch &)> &fill,
              const std::function<void(Call &)> &done);

/// A loader's options for these images, one after the other, as evaluation takes them.
LoaderOptions inOrder(const Dataset &dataset, int64_t batch, int loaderThreads, ImageRange images = {});

/// Runs `infer` on these images; the last batch is padded.
Accuracy evaluate(Session &session, const Dataset &dataset, const Preprocessing &preprocessing,
                  int loaderThreads, ImageRange images = {}, const ImageObserver &observer = {});

/// Enough to keep up with the model: one for images in memory, one per CPU for those to be decoded.
int defaultLoaderThreads(const Dataset &dataset);

} // namespace vernier::runtime

#endif
