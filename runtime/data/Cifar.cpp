#include "runtime/data/Dataset.h"

#include "runtime/Error.h"

#include <fmt/core.h>

namespace vernier::runtime {

void parseCifar(Bytes file, int64_t labelBytes, int64_t classes, const std::string &place,
                MemoryDataset &set) {
  constexpr int64_t side = 32, plane = side * side;
  const size_t record = size_t(labelBytes + 3 * plane);
  if (file.empty() || file.size() % record != 0)
    throw Error(VN_ERROR_FORMAT,
                fmt::format("not a valid CIFAR file: its {} bytes are no multiple of {}, one image",
                            file.size(), record))
        .at(place)
        .help("it may be truncated: unpack it again");
  set.height = set.width = side, set.channels = 3;
  for (size_t start = 0; start < file.size(); start += record) {
    const uint8_t label = file[start + size_t(labelBytes) - 1];
    if (label >= classes)
      throw Error(VN_ERROR_FORMAT,
                  fmt::format("not a valid CIFAR file: image {} has label {}, there are {} classes",
                              start / record, label, classes))
          .at(place);
    set.labels.push_back(label);
    const unsigned char *planes = file.data() + start + labelBytes;
    for (int64_t i = 0; i < plane; ++i)
      set.pixels.insert(set.pixels.end(), {planes[i], planes[plane + i], planes[2 * plane + i]});
  }
}

} // namespace vernier::runtime
