// The first byte says how many of the next ones are the labels' file; the rest is the images' file,
// compressed or not.
#include "runtime/Error.h"
#include "runtime/data/Dataset.h"

#include <algorithm>

using namespace vernier::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  const Bytes rest(data + 1, size - 1);
  const size_t split = std::min<size_t>(data[0], rest.size());
  const Bytes labels = rest.first(split), images = rest.subspan(split);
  try {
    if (images.size() >= 2 && images[0] == 0x1f && images[1] == 0x8b)
      parseIdx(expandGzip(images, 1 << 20, "images"), labels, "images", "labels");
    else
      parseIdx(images, labels, "images", "labels");
  } catch (const Error &) {
  }
  return 0;
}
