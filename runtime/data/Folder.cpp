#include "runtime/data/Dataset.h"

#include "runtime/Error.h"
#include "runtime/core/Digest.h"
#include "runtime/io/File.h"

#include <algorithm>
#include <filesystem>
#include <fmt/core.h>

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

} // namespace

/// The names of the visible folders, or image files, in a folder, sorted.
static std::vector<std::string> list(const fs::path &path, bool folders) {
  if (!fs::is_directory(path))
    throw Error(VN_ERROR_FILE, "there is no such folder of images").at(path.string());
  std::vector<std::string> names;
  for (const fs::directory_entry &entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    std::string extension = entry.path().extension().string();
    std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
    const bool image = extension == ".jpg" || extension == ".jpeg" || extension == ".png";
    if (!name.starts_with(".") && (folders ? entry.is_directory() : image && entry.is_regular_file()))
      names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

std::unique_ptr<Dataset> openFolder(const std::string &path, const std::vector<std::string> &classNames) {
  auto set = std::make_unique<FolderDataset>();
  const std::vector<std::string> folders = list(path, true);
  set->classNames = classNames.empty() ? folders : classNames;
  for (const std::string &folder : folders) {
    const auto label = std::ranges::find(set->classNames, folder);
    if (label == set->classNames.end())
      throw Error(VN_ERROR_FORMAT, fmt::format("`{}` is no class of the training images", folder)).at(path);
    for (const std::string &file : list(fs::path(path) / folder, false)) {
      set->paths.push_back((fs::path(path) / folder / file).string());
      set->labels.push_back(label - set->classNames.begin());
    }
  }
  if (set->paths.empty())
    throw Error(VN_ERROR_FORMAT, "there is no JPEG or PNG file in a folder of its class here")
        .at(path)
        .help("arrange the images as CLASS/NAME.jpg");
  return set;
}

std::unique_ptr<Dataset> openImages(const std::string &folder, const std::string &labels) {
  const std::vector<std::string> files = list(folder, false);
  if (files.empty())
    throw Error(VN_ERROR_FORMAT, "there is no JPEG or PNG file in this folder").at(folder);
  auto set = std::make_unique<FolderDataset>();
  set->labels = parseLabels(readFile(labels), files, labels);
  for (const std::string &file : files)
    set->paths.push_back((fs::path(folder) / file).string());
  return set;
}

} // namespace vernier::runtime
