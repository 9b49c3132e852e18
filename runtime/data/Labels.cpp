// Files of labels, as data sets without folders of classes have them: ImageNet's ground truth holds a number
// per line, Caffe's lists a file and a number.
#include "runtime/data/Dataset.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"
#include "runtime/io/TextFile.h"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>
#include <string_view>
#include <unordered_map>

namespace vernier::runtime {

static constexpr int64_t mostClasses = int64_t(1) << 31;

namespace {

struct Line {
  std::string_view file; ///< empty: the label alone
  int64_t label;
};

} // namespace

static std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos)
    return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

static Line parseLine(std::string_view text, const std::string &place) {
  const size_t gap = text.find_last_of(" \t");
  const std::string_view number = gap == text.npos ? text : text.substr(gap + 1);
  Line line{gap == text.npos ? std::string_view() : trimmed(text.substr(0, gap)), 0};
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), line.label);
  if (error != std::errc() || end != number.data() + number.size() || line.label < 0 ||
      line.label >= mostClasses)
    throw Error(VN_ERROR_FORMAT, fmt::format("`{}` is no label", number))
        .at(place)
        .help("a line is the number of a class, from 0, or the name of a file and such a number");
  return line;
}

std::vector<int64_t> parseLabels(Bytes text, const std::vector<std::string> &files,
                                 const std::string &place) {
  std::unordered_map<std::string_view, size_t> indices;
  for (size_t i = 0; i < files.size(); ++i)
    indices[files[i]] = i;
  std::vector<int64_t> labels(files.size(), -1);
  std::string_view rest = textIn({reinterpret_cast<const char *>(text.data()), text.size()}, place);
  size_t count = 0;
  bool named = false;
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view content = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (content.empty())
      continue;
    const std::string here = fmt::format("{}:{}", place, number);
    const Line line = parseLine(content, here);
    if (count == 0)
      named = !line.file.empty();
    else if (named != !line.file.empty())
      throw Error(VN_ERROR_FORMAT, "some lines name a file, others do not").at(here);
    if (!named) {
      if (count < files.size())
        labels[count] = line.label;
      ++count;
      continue;
    }
    const auto file = indices.find(line.file);
    if (file == indices.end())
      throw Error(VN_ERROR_FORMAT, fmt::format("there is no image `{}` in the folder", line.file)).at(here);
    if (labels[file->second] >= 0)
      throw Error(VN_ERROR_FORMAT, fmt::format("image `{}` has a second label", line.file)).at(here);
    labels[file->second] = line.label;
    ++count;
  }
  if (count != files.size()) {
    Error error(VN_ERROR_FORMAT,
                fmt::format("{} for {}", counted(count, "label"), counted(files.size(), "image")));
    error.at(place);
    const auto without = std::ranges::find(labels, -1);
    if (named && without != labels.end())
      error.note(fmt::format("image `{}` has none", files[size_t(without - labels.begin())]));
    throw error.help("a line for each image of the folder, in the order of their names");
  }
  return labels;
}

} // namespace vernier::runtime
