#include "runtime/data/Dataset.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <fmt/core.h>

namespace vernier::runtime {

static Error malformed(const std::string &place, const std::string &what) {
  return Error(VN_ERROR_FORMAT, "not a valid IDX file: " + what).at(place);
}

/// The lengths in the header of a file of bytes with `rank` dimensions; `data` becomes what follows.
static std::vector<int64_t> parseHeader(Bytes &data, size_t rank, const std::string &place) {
  auto word = [&](size_t i) {
    return int64_t(data[4 * i]) << 24 | int64_t(data[4 * i + 1]) << 16 | int64_t(data[4 * i + 2]) << 8 |
           data[4 * i + 3];
  };
  if (data.size() < 4 * (rank + 1))
    throw malformed(place, fmt::format("its {} bytes are shorter than its header", data.size()));
  if (word(0) != int64_t(0x800 + rank))
    throw malformed(place, fmt::format("it begins with {:08x}, unsigned bytes of {} dimensions with {:08x}",
                                       word(0), rank, 0x800 + rank));
  std::vector<int64_t> lengths;
  for (size_t i = 1; i <= rank; ++i)
    lengths.push_back(word(i));
  const std::optional<int64_t> bytes = elementCount(lengths);
  data = data.subspan(4 * (rank + 1));
  if (!bytes || uint64_t(*bytes) != data.size())
    throw malformed(place, fmt::format("its header announces {} bytes of data, {} are there",
                                       bytes ? std::to_string(*bytes) : shapeText(lengths), data.size()));
  return lengths;
}

std::unique_ptr<MemoryDataset> parseIdx(Bytes images, Bytes labels, const std::string &imagesPlace,
                                        const std::string &labelsPlace) {
  const std::vector<int64_t> shape = parseHeader(images, 3, imagesPlace);
  const std::vector<int64_t> count = parseHeader(labels, 1, labelsPlace);
  if (count[0] != shape[0])
    throw Error(VN_ERROR_FORMAT, fmt::format("{} and {}: as many are needed", counted(shape[0], "image"),
                                             counted(count[0], "label")))
        .at(imagesPlace)
        .note("labels from " + labelsPlace);
  if (shape[1] == 0 || shape[2] == 0)
    throw malformed(imagesPlace, "its images are empty");
  auto set = std::make_unique<MemoryDataset>();
  set->height = shape[1], set->width = shape[2], set->channels = 1;
  set->pixels.assign(images.begin(), images.end());
  set->labels.assign(labels.begin(), labels.end());
  return set;
}

} // namespace vernier::runtime
