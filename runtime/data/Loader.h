// Makes batches on threads of its own, ahead of their use. What a batch holds depends on the options only,
// not on the number of threads or their speed.
#ifndef VERNIER_RUNTIME_DATA_LOADER_H
#define VERNIER_RUNTIME_DATA_LOADER_H

#include "runtime/data/Targets.h"
#include "runtime/image/Augment.h"

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace vernier::runtime {

struct LoaderOptions {
  int64_t batch = 1;
  std::vector<int64_t> order; ///< indices of the images, batch after batch
  int64_t firstBatch = 0;     ///< where to begin in `order`
  bool padLast = false;       ///< the last images form a batch filled up with zeros; else they are dropped
  std::optional<Augmentation> augmentation{}; ///< as in training; else as in evaluation
  uint64_t seed = 0;                          ///< of augmentation, with `epoch` and the image's index
  uint32_t epoch = 0;
  int threads = 1;
  std::span<const TargetValues> targets{}; ///< of the data set's images
};

struct Batch {
  int64_t count = 0;            ///< images that are not padding
  std::vector<int64_t> indices; ///< of these in the data set
  std::vector<float> images;
  std::vector<int32_t> labels;
  std::vector<std::vector<std::byte>> targets; ///< of each of the loader's, a row for each image
};

class Loader {
public:
  Loader(const Dataset &dataset, const Preprocessing &preprocessing, LoaderOptions options);
  ~Loader();
  Loader(const Loader &) = delete;
  Loader &operator=(const Loader &) = delete;

  /// The next batch, valid until the next call; null after the last. Throws what reading an image threw; of a
  /// data set that skips broken ones a padded batch has fewer images and any other repeats those that it has.
  const Batch *next();

private:
  struct Slot {
    Batch batch;
    std::exception_ptr failure;
    bool ready = false;
  };

  void work();
  void stop();
  void fill(int64_t number, Batch &batch) const;
  void write(int64_t index, float *input) const;

  const Dataset &dataset;
  const Preprocessing preprocessing;
  const LoaderOptions options;
  int64_t batches;

  std::mutex mutex;
  std::condition_variable produced, consumed;
  int64_t nextToMake, nextToUse; ///< batch numbers; at most slots.size() apart
  bool stopping = false;
  std::vector<Slot> slots;
  std::vector<std::thread> threads;
};

/// 0 ... count - 1 in the random order of an epoch.
std::vector<int64_t> shuffledOrder(int64_t count, uint64_t seed, uint32_t epoch);

} // namespace vernier::runtime

#endif
