#include "runtime/data/Loader.h"

#include "runtime/Error.h"
#include "runtime/process/Interrupt.h"

#include <algorithm>
#include <chrono>
#include <fmt/core.h>
#include <numeric>
#include <system_error>

namespace vernier::runtime {

std::vector<int64_t> shuffledOrder(int64_t count, uint64_t seed, uint32_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t(0));
  RandomStream random(seed, RandomPurpose::Shuffle, epoch, 0);
  for (int64_t i = count - 1; i > 0; --i)
    std::swap(order[size_t(i)], order[random.below(uint32_t(i + 1))]);
  return order;
}

Loader::Loader(const Dataset &dataset, const Preprocessing &preprocessing, LoaderOptions given)
    : dataset(dataset), preprocessing(preprocessing), options(std::move(given)),
      nextToMake(options.firstBatch), nextToUse(options.firstBatch), slots(size_t(2 * options.threads + 1)) {
  const int64_t images = int64_t(options.order.size());
  batches = (images + (options.padLast ? options.batch - 1 : 0)) / options.batch;
  try {
    for (int i = 0; i < options.threads; ++i)
      threads.emplace_back([this] { work(); });
  } catch (const std::exception &error) { // of the system, or out of memory
    stop();
    throw Error(VN_ERROR_THREADS, fmt::format("cannot start {} threads that read images, {} at most: {}",
                                              options.threads, threads.size(), error.what()))
        .help("use fewer (--loaders), or raise the limit on this user's processes (ulimit -u) or on memory "
              "(ulimit -v)");
  }
}

Loader::~Loader() { stop(); }

void Loader::stop() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  consumed.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

void Loader::work() {
  while (true) {
    std::unique_lock lock(mutex);
    // The slot of the batch in use, nextToUse - 1, must not be overwritten.
    consumed.wait(lock, [&] { return stopping || nextToMake - nextToUse < int64_t(slots.size()) - 1; });
    if (stopping || nextToMake >= batches)
      return;
    const int64_t number = nextToMake++;
    lock.unlock();

    Slot &slot = slots[size_t(number) % slots.size()];
    try {
      fill(number, slot.batch);
    } catch (...) {
      slot.failure = std::current_exception();
    }
    lock.lock();
    slot.ready = true;
    lock.unlock();
    produced.notify_all();
  }
}

void Loader::fill(int64_t number, Batch &batch) const {
  const size_t imageSize = size_t(preprocessing.channels * preprocessing.height * preprocessing.width);
  const size_t first = size_t(number * options.batch);
  const size_t wanted = size_t(std::min<int64_t>(options.batch, int64_t(options.order.size() - first)));
  batch.images.resize(size_t(options.batch) * imageSize);
  batch.labels.resize(size_t(options.batch));
  batch.indices.clear();
  for (size_t i = 0; i < wanted; ++i) {
    const int64_t index = options.order[first + i];
    const size_t row = batch.indices.size();
    try {
      write(index, &batch.images[row * imageSize]);
    } catch (const Error &error) {
      if (!dataset.skipBroken || !dataset.broken.add(index, error))
        throw;
      continue;
    }
    batch.labels[row] = int32_t(dataset.label(index));
    batch.indices.push_back(index);
  }
  if (!options.padLast) { // an update takes whole batches
    if (batch.indices.empty())
      throw Error(VN_ERROR_FORMAT, fmt::format("all {} images of a batch are broken", wanted))
          .note(fmt::format("the first is {}", dataset.name(options.order[first])));
    for (size_t good = batch.indices.size(), row = good; row < wanted; ++row) {
      std::copy_n(&batch.images[row % good * imageSize], imageSize, &batch.images[row * imageSize]);
      batch.labels[row] = batch.labels[row % good];
      batch.indices.push_back(batch.indices[row % good]);
    }
  }
  batch.count = int64_t(batch.indices.size());
  std::fill(batch.images.begin() + batch.count * int64_t(imageSize), batch.images.end(), 0.0f);
  std::fill(batch.labels.begin() + batch.count, batch.labels.end(), 0);
  batch.targets.resize(options.targets.size());
  for (size_t t = 0; t < batch.targets.size(); ++t) {
    const TargetValues &target = options.targets[t];
    batch.targets[t].assign(size_t(options.batch) * target.rowBytes, std::byte(0));
    for (size_t row = 0; row < batch.indices.size(); ++row)
      std::ranges::copy(target.row(batch.indices[row]), &batch.targets[t][row * target.rowBytes]);
  }
}

void Loader::write(int64_t index, float *input) const {
  if (const auto array = dataset.array(index); !array.empty()) {
    std::ranges::copy(array, input);
    return;
  }
  const Image image = dataset.image(index);
  if (options.augmentation) {
    const RandomStream random(options.seed, RandomPurpose::Augmentation, options.epoch, uint64_t(index));
    writeAugmentedInput(image, preprocessing, *options.augmentation, random, input);
  } else {
    writeInput(image, preprocessing, input);
  }
}

const Batch *Loader::next() {
  std::unique_lock lock(mutex);
  if (nextToUse >= batches)
    return nullptr;
  const int64_t number = nextToUse++;
  consumed.notify_all();
  Slot &slot = slots[size_t(number) % slots.size()];
  while (!produced.wait_for(lock, std::chrono::milliseconds(100), [&] { return slot.ready; }))
    stopIfAsked();
  slot.ready = false;
  if (slot.failure)
    std::rethrow_exception(slot.failure);
  return &slot.batch;
}

} // namespace vernier::runtime
