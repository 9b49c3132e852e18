#include "runtime/data/Dataset.h"

#include "runtime/Error.h"
#include "runtime/core/Digest.h"

#include <algorithm>
#include <filesystem>

namespace vernier::runtime {

namespace fs = std::filesystem;

uint64_t Dataset::digest() const {
  Digest digest;
  for (const std::string &name : classNames)
    digest.add(name);
  for (int64_t i = 0; i < size(); ++i)
    digest.add(uint64_t(label(i)));
  return digest.value();
}

uint64_t MemoryDataset::digest() const {
  Digest digest;
  for (const int64_t length : {size(), height, width, channels})
    digest.add(uint64_t(length));
  digest.add(std::span<const uint8_t>(pixels));
  digest.add(std::span<const uint8_t>(labels));
  return digest.value();
}

Image MemoryDataset::image(int64_t index) const {
  Image image(height, width, channels);
  std::copy_n(pixels.begin() + index * int64_t(image.pixels.size()), image.pixels.size(),
              image.pixels.begin());
  return image;
}

/// `path` or `path`.gz, whichever is there; else empty.
static std::string existing(const fs::path &path) {
  for (const std::string &candidate : {path.string(), path.string() + ".gz"})
    if (fs::exists(candidate))
      return candidate;
  return {};
}

static std::unique_ptr<Dataset> openIdx(const fs::path &folder, const std::string &prefix) {
  std::string places[2];
  std::vector<unsigned char> files[2];
  const char *suffixes[2] = {"-images-idx3-ubyte", "-labels-idx1-ubyte"};
  for (int i = 0; i < 2; ++i) {
    places[i] = existing(folder / (prefix + suffixes[i]));
    if (places[i].empty())
      throw Error(VN_ERROR_FILE, "the data set lacks `" + prefix + suffixes[i] + "`").at(folder.string());
    files[i] = readFileOrGzip(places[i], mostDatasetBytes);
  }
  return parseIdx(files[0], files[1], places[0], places[1]);
}

static std::unique_ptr<Dataset> openCifar(const fs::path &folder, const std::vector<std::string> &names,
                                          int64_t labelBytes) {
  auto set = std::make_unique<MemoryDataset>();
  for (const std::string &name : names) {
    const std::string place = (folder / name).string();
    parseCifar(readFile(place), labelBytes, labelBytes == 1 ? 10 : 100, place, *set);
  }
  return set;
}

bool hasTestSplit(const std::string &path) {
  const fs::path folder(path);
  for (const char *name : {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"})
    if (!existing(folder / name).empty())
      return true;
  for (const char *name : {"test_batch.bin", "test.bin", "test-arrays.npy", "test-labels.npy", "val", "test"})
    if (fs::exists(folder / name))
      return true;
  return false;
}

std::unique_ptr<Dataset> openDataset(const std::string &path, Split split) {
  const fs::path folder(path);
  const bool training = split == Split::Training;
  if (!fs::is_directory(folder))
    throw Error(VN_ERROR_FILE, "there is no such folder of images").at(path);
  if (!existing(folder / "train-images-idx3-ubyte").empty() ||
      !existing(folder / "t10k-images-idx3-ubyte").empty())
    return openIdx(folder, training ? "train" : "t10k");
  if (fs::exists(folder / "data_batch_1.bin") || fs::exists(folder / "test_batch.bin"))
    return openCifar(folder,
                     training ? std::vector<std::string>{"data_batch_1.bin", "data_batch_2.bin",
                                                         "data_batch_3.bin", "data_batch_4.bin",
                                                         "data_batch_5.bin"}
                              : std::vector<std::string>{"test_batch.bin"},
                     1);
  if (fs::exists(folder / "train.bin") || fs::exists(folder / "test.bin"))
    return openCifar(folder, {training ? "train.bin" : "test.bin"}, 2);
  if (fs::exists(folder / "train-arrays.npy") || fs::exists(folder / "test-arrays.npy")) {
    const std::string prefix = (folder / (training ? "train" : "test")).string();
    return openArrays(prefix + "-arrays.npy", prefix + "-labels.npy");
  }
  if (!fs::is_directory(folder / "train"))
    throw Error(VN_ERROR_FORMAT, "this folder holds no data set that Vernier knows")
        .at(path)
        .help("it knows IDX files (Fashion-MNIST), CIFAR-10 and CIFAR-100 binary files, arrays "
              "(train-arrays.npy) and train/CLASS/*.jpg");
  const std::string trainingFolder = (folder / "train").string();
  if (training)
    return openFolder(trainingFolder);
  for (const char *name : {"val", "test"})
    if (fs::is_directory(folder / name))
      return openFolder((folder / name).string(), classFolders(trainingFolder));
  throw Error(VN_ERROR_FORMAT, "the data set has neither a val/ nor a test/ folder").at(path);
}

} // namespace vernier::runtime
