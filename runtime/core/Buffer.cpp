#include "runtime/core/Buffer.h"

#include "runtime/Error.h"
#include "runtime/core/Shape.h"

#include <algorithm>
#include <cstring>
#include <fmt/core.h>
#include <sys/mman.h>

namespace vernier::runtime {

static constexpr size_t hugePage = size_t(2) << 20;
static constexpr std::byte guardPattern{0xA5};

Buffer::Buffer(size_t bytes, const std::string &what, bool guarded)
    : bytes(bytes), bound(bytes), guardBytes(guarded ? 4096 : 0) {
  if (bytes == 0 && !guarded)
    return;
  const bool huge = bytes >= 2 * hugePage;
  mappingBytes = guardBytes + (bytes + 63) / 64 * 64 + guardBytes + (huge ? hugePage : 0);
  mapping = mmap(nullptr, mappingBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    mapping = nullptr;
    throw Error(VN_ERROR_MEMORY,
                fmt::format("out of memory: {} for {} cannot be had", bytesText(bytes), what))
        .help("build the model for a smaller batch or input, or raise the limit on this process's memory");
  }
  start = static_cast<std::byte *>(mapping) + guardBytes;
  if (huge) {
    if (guardBytes == 0)
      start = reinterpret_cast<std::byte *>((reinterpret_cast<size_t>(start) + hugePage - 1) / hugePage *
                                            hugePage);
    madvise(mapping, mappingBytes, MADV_HUGEPAGE); // a wish: without huge pages it is slower, not wrong
  }
  if (guarded) {
    memset(mapping, int(guardPattern), guardBytes);
    memset(start + bytes, int(guardPattern), guardBytes);
  }
}

Buffer::~Buffer() {
  if (mapping)
    munmap(mapping, mappingBytes);
}

void Buffer::seal(size_t newBound) {
  bound = newBound;
  memset(start, 0xFF, bound);
  memset(start + bound, int(guardPattern), bytes - bound + guardBytes);
}

bool Buffer::intact() const {
  // Each byte is as the one before it: what the library compares many at a time.
  const auto isGuard = [](const std::byte *from, size_t count) {
    return count == 0 || (*from == guardPattern && memcmp(from, from + 1, count - 1) == 0);
  };
  return isGuard(start - guardBytes, guardBytes) && isGuard(start + bound, bytes - bound + guardBytes);
}

} // namespace vernier::runtime
