#include "runtime/data/Dataset.h"

#include "runtime/Error.h"
#include "runtime/core/Digest.h"
#include "runtime/io/File.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fmt/core.h>
#include <map>

namespace vernier::runtime {

namespace fs = std::filesystem;

namespace {

class FolderDataset : public Dataset {
public:
  std::vector<std::string> paths;
  std::vector<int64_t> labels;

  int64_t size() const override { return int64_t(paths.size()); }
  int64_t label(int64_t index) const override { return labels[size_t(index)]; }
  Image image(int64_t index) const override { return readImage(paths[size_t(index)]); }
  std::string name(int64_t index) const override { return paths[size_t(index)]; }

  uint64_t digest() const override {
    constexpr size_t mostRead = 512;
    Digest digest;
    digest.add(Dataset::digest());
    const size_t every = std::max<size_t>((paths.size() + mostRead - 1) / mostRead, 1);
    for (size_t i = 0; i < paths.size(); ++i) {
      std::error_code error;
      digest.add(paths[i].substr(folderLength()));
      digest.add(uint64_t(fs::file_size(paths[i], error)));
      if (i % every != 0 || error)
        continue;
      try {
        digest.add(std::span<const unsigned char>(readFile(paths[i])));
      } catch (const Error &) { // whoever needs the image says so
      }
    }
    return digest.value();
  }

private:
  /// Of what all paths begin with: the same images in another place are the same images.
  size_t folderLength() const {
    size_t length = paths.empty() ? 0 : paths[0].rfind('/') + 1;
    for (const std::string &path : paths)
      while (path.compare(0, length, paths[0], 0, length) != 0)
        length = length < 2 ? 0 : paths[0].rfind('/', length - 2) + 1;
    return length;
  }
};

/// What a folder holds: images, and how many files of which ending are none that are read.
struct Contents {
  std::vector<std::string> images; ///< relative to the folder, in the order of their names
  std::map<std::string, int64_t> leftOut;

  /// "12 .gif, 1 without an ending"
  std::string leftOutText() const {
    std::string text;
    for (const auto &[ending, count] : leftOut)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count,
                          ending.empty() ? "without an ending" : ending);
    return text;
  }
};

} // namespace

static void requireFolder(const fs::path &path) {
  if (!fs::is_directory(path))
    throw Error(VN_ERROR_FILE, "there is no such folder of images").at(path.string());
}

static std::string endingOf(const std::string &name) {
  std::string ending = fs::path(name).extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return ending;
}

/// Adds what lies in `folder`, and with `deep` in the folders in it; `prefix` leads here from where it began.
/// `above` are the folders on the way, by their true names: a link back to one of them is not followed.
static void collect(const fs::path &folder, const std::string &prefix, bool deep,
                    std::vector<fs::path> &above, Contents &contents) {
  for (const fs::directory_entry &entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("."))
      continue;
    if (entry.is_regular_file()) {
      if (isImageName(name))
        contents.images.push_back(prefix + name);
      else
        ++contents.leftOut[endingOf(name)];
    } else if (deep && entry.is_directory()) {
      const fs::path real = fs::canonical(entry.path());
      if (std::ranges::count(above, real))
        continue;
      above.push_back(real);
      collect(entry.path(), prefix + name + "/", deep, above, contents);
      above.pop_back();
    }
  }
}

static Contents contentsOf(const fs::path &folder, bool deep) {
  requireFolder(folder);
  Contents contents;
  std::vector<fs::path> above = {fs::canonical(folder)};
  collect(folder, "", deep, above, contents);
  std::ranges::sort(contents.images);
  return contents;
}

/// What a data set does not use is said once, however many folders it lies in.
static void warnOfLeftOut(const Contents &all, const std::string &path, Dataset &set) {
  if (!all.leftOut.empty())
    set.warnings.push_back(
        fmt::format("files that are no JPEG, PNG, BMP or WebP images are left out: {}\n  --> {}",
                    all.leftOutText(), path));
}

std::vector<std::string> classFolders(const std::string &path) {
  requireFolder(path);
  std::vector<std::string> names;
  for (const fs::directory_entry &entry : fs::directory_iterator(path))
    if (std::string name = entry.path().filename().string(); entry.is_directory() && !name.starts_with("."))
      names.push_back(std::move(name));
  std::ranges::sort(names);
  return names;
}

static std::string withoutImagesText(const std::string &folder, const Contents &contents) {
  return fmt::format("`{}` ({})", folder, contents.leftOut.empty() ? "empty" : contents.leftOutText());
}

std::unique_ptr<Dataset> openFolder(const std::string &path, const std::vector<std::string> &classNames) {
  auto set = std::make_unique<FolderDataset>();
  const std::vector<std::string> folders = classFolders(path);
  set->classNames = classNames.empty() ? folders : classNames;
  Contents all;
  std::string without; // images: the first few folders
  int64_t folderCount = 0;
  for (const std::string &folder : folders) {
    const auto label = std::ranges::find(set->classNames, folder);
    if (label == set->classNames.end())
      throw Error(VN_ERROR_FORMAT, fmt::format("`{}` is no class of the training images", folder))
          .at(path)
          .help(
              "images lie in a folder of their class here, too; of images in one folder with a file of their "
              "labels, `eval --images DIR --labels FILE` measures the accuracy");
    const Contents contents = contentsOf(fs::path(path) / folder, true);
    for (const std::string &file : contents.images) {
      set->paths.push_back((fs::path(path) / folder / file).string());
      set->labels.push_back(label - set->classNames.begin());
    }
    for (const auto &[ending, count] : contents.leftOut)
      all.leftOut[ending] += count;
    if (contents.images.empty() && ++folderCount <= 5)
      without += (without.empty() ? "" : ", ") + withoutImagesText(folder, contents);
  }
  if (folderCount > 5)
    without += fmt::format(" and {} more", folderCount - 5);
  const char *formats = "JPEG, PNG, BMP and WebP images are read: convert the others";
  if (set->paths.empty()) {
    const Contents beside = contentsOf(path, false);
    Error error(VN_ERROR_FORMAT, "there is no image that is read in a folder of its class here");
    error.at(path);
    if (!without.empty())
      error.note("without images: " + without);
    if (!beside.images.empty())
      error.note(fmt::format("{} images lie in no folder of a class", beside.images.size()));
    throw error.help(fmt::format("arrange the images as CLASS/NAME.jpg; {}", formats));
  }
  if (!without.empty() && classNames.empty())
    throw Error(VN_ERROR_FORMAT, fmt::format("{} of {} classes have no image that is read: {}", folderCount,
                                             folders.size(), without))
        .at(path)
        .help(fmt::format("{}, or remove what is no class's folder", formats));
  if (!without.empty())
    set->warnings.push_back(
        fmt::format("classes without an image that is read: {}\n  --> {}", without, path));
  warnOfLeftOut(all, path, *set);
  return set;
}

std::unique_ptr<Dataset> openImages(const std::string &folder, const std::string &labels) {
  const Contents contents = contentsOf(folder, false);
  if (contents.images.empty()) {
    Error error(VN_ERROR_FORMAT, "there is no JPEG, PNG, BMP or WebP file in this folder");
    error.at(folder);
    if (!contents.leftOut.empty())
      error.note("there are " + contents.leftOutText());
    throw error;
  }
  auto set = std::make_unique<FolderDataset>();
  set->labels = parseLabels(readFile(labels), contents.images, labels);
  for (const std::string &file : contents.images)
    set->paths.push_back((fs::path(folder) / file).string());
  warnOfLeftOut(contents, folder, *set);
  return set;
}

} // namespace vernier::runtime
