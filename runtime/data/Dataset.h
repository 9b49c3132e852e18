// Labelled images, by index.
#ifndef VERNIER_RUNTIME_DATA_DATASET_H
#define VERNIER_RUNTIME_DATA_DATASET_H

#include "runtime/image/Image.h"
#include "runtime/image/ImageOptions.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace vernier::runtime {

class Error;

/// Images that could not be decoded, as loaders met them on any thread.
class BrokenImages {
public:
  /// False where the failure says nothing of the image, such as of a file that may not be read.
  bool add(int64_t index, const Error &failure);
  int64_t count() const;
  /// Their number and the first one, on standard error, or all in a file of the folder `list`; nothing where
  /// there is none.
  void print() const;

  std::string list; ///< empty: none

private:
  mutable std::mutex mutex;
  std::map<int64_t, std::string> images;
};

/// What programs have listed in a folder: of each image once, why it cannot be decoded, as a message.
std::set<std::string> listedBrokenImages(const std::string &folder);

class Dataset {
public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  virtual int64_t label(int64_t index) const = 0;
  /// Both may be called from several threads at once. A data set holds either images or arrays.
  virtual Image image(int64_t index) const = 0;
  /// The image's file, or its number where the format has no files of images.
  virtual std::string name(int64_t index) const { return std::to_string(index); }
  /// The model's input itself; empty: there are images.
  virtual std::span<const float> array(int64_t) const { return {}; }

  /// Changes where an image, its label or its name does: in memory what they hold, of files their names and
  /// sizes and the contents of some hundreds of them, so that it takes no longer than opening the data set.
  virtual uint64_t digest() const;

  std::vector<std::string> classNames; ///< empty where the format holds no names
  std::vector<std::string> warnings;   ///< what opening it noticed: files that are left out

  /// Loaders leave images out that cannot be decoded, and note them; otherwise such an image is an error.
  bool skipBroken = false;
  mutable BrokenImages broken;
};

/// Images of one size, all in memory, one after the other.
class MemoryDataset : public Dataset {
public:
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels; ///< height x width x channels of each image
  std::vector<uint8_t> labels;

  int64_t size() const override { return int64_t(labels.size()); }
  int64_t label(int64_t index) const override { return labels[size_t(index)]; }
  Image image(int64_t index) const override;
  uint64_t digest() const override;
};

/// Arrays of one shape, which need no preprocessing.
class ArrayDataset : public Dataset {
public:
  std::vector<int64_t> shape; ///< of one: channels, height, width
  std::vector<float> values;  ///< one array after the other
  std::vector<int32_t> labels;

  int64_t size() const override { return int64_t(labels.size()); }
  int64_t label(int64_t index) const override { return labels[size_t(index)]; }
  Image image(int64_t) const override { return {0, 0, 0}; }
  std::span<const float> array(int64_t index) const override;
  uint64_t digest() const override;
};

/// Arrays, N x C x H x W, of which no labels are known: all are 0.
std::unique_ptr<ArrayDataset> openArrays(const std::string &arrays);

/// Arrays and the label of each.
std::unique_ptr<ArrayDataset> openArrays(const std::string &arrays, const std::string &labels);

/// The most bytes of images that are kept in memory.
inline constexpr size_t mostDatasetBytes = size_t(8) << 30;

/// The two files of Fashion-MNIST and its kin, already expanded; the places are named in messages.
std::unique_ptr<MemoryDataset> parseIdx(Bytes images, Bytes labels, const std::string &imagesPlace,
                                        const std::string &labelsPlace);

/// CIFAR's binary form: `labelBytes` 1 (CIFAR-10) or 2 (CIFAR-100: coarse, fine), then 3 x 32 x 32. Appends
/// to `set`.
void parseCifar(Bytes file, int64_t labelBytes, int64_t classes, const std::string &place,
                MemoryDataset &set);

/// The visible folders in a folder, in alphabetical order: the classes of its images.
std::vector<std::string> classFolders(const std::string &path);

/// JPEG, PNG, BMP and WebP files in one folder per class and in folders in it; classes in alphabetical order,
/// of which each has images, or as `classNames` has them.
std::unique_ptr<Dataset> openFolder(const std::string &path, const std::vector<std::string> &classNames = {});

/// The label of each of `files`, from a file with a line for each: `LABEL`, in the order of `files`, or `FILE
/// LABEL` in any order.
std::vector<int64_t> parseLabels(Bytes text, const std::vector<std::string> &files, const std::string &place);

/// The images of one folder, in the order of their names, with the labels that a file gives them.
std::unique_ptr<Dataset> openImages(const std::string &folder, const std::string &labels);

enum class Split { Training, Test };

/// Opens the data set in a folder, whose form shows in its file names:
///   train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...   (each with or without .gz)
///   data_batch_1.bin ... data_batch_5.bin, test_batch.bin         CIFAR-10
///   train.bin, test.bin                                           CIFAR-100
///   train-arrays.npy, train-labels.npy, test-...                  arrays, for a model that takes no images
///   train/CLASS/*.jpg, and val/ or test/                          JPEG, PNG, BMP and WebP files by class
std::unique_ptr<Dataset> openDataset(const std::string &path, Split split);

/// Whether a folder has anything of a test split, which may be damaged.
bool hasTestSplit(const std::string &path);

/// Likewise, `split` being "train" or "test"; what opening it noticed goes to standard error.
std::unique_ptr<Dataset> openDataset(const std::string &path, const std::string &split,
                                     const ImageOptions &options);

/// Prints what opening a data set noticed on standard error, and sets how its images are read.
void prepareDataset(Dataset &dataset, const ImageOptions &options);

} // namespace vernier::runtime

#endif
