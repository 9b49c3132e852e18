// Tensor maps and bulk copies to shared memory. PTX manual: cp.async.bulk, cp.async.bulk.tensor, tensor
// modes; driver API: cuTensorMapEncodeTiled, cuTensorMapEncodeIm2col.
#include "Execution.h"

namespace vn::emulation {
namespace {

constexpr int kMostBox = 256, kMostStep = 8, kMostPixels = 1024;
constexpr unsigned kDestination = 128; // alignment of what a tensor copy fills

[[noreturn]] void refuse(const std::string &what) {
  Report report;
  report.kind = FaultKind::Launch;
  report.what = "a tensor map " + what;
  throw Fault(report);
}

std::string at(int dimension) { return " of dimension " + std::to_string(dimension); }

// Of one copy while it is made.
struct Draft {
  BulkCopy copy;
  const Pointer<std::byte, Space::Shared> &to;
  const TensorMap &map;
  Swizzle swizzle;
  size_t filled = 0; // bytes

  // The next `bytes`, a multiple of 16, of which those from `begin` to `end` come from memory. `from` is
  // where the first of all would lie.
  void row(const std::byte *from, unsigned bytes, int64_t begin, int64_t end, Place place) {
    Block &block = Executor::ofThisThread().block();
    if (end > begin)
      readOnlyGlobal(map.begin.within(), from + begin, unsigned(end - begin), unsigned(map.elementBytes),
                     place);
    for (unsigned chunk = 0; chunk < bytes; chunk += 16) {
      const size_t byte = size_t(to.raw() - block.sharedBegin()) + filled + chunk;
      std::byte *const place16 = block.sharedBegin() + swizzled(swizzle, byte);
      const int64_t first = std::clamp<int64_t>(begin - chunk, 0, 16),
                    last = std::clamp<int64_t>(end - chunk, 0, 16);
      claimShared(*current, to.within(), place16, 16, place);
      copy.pieces.push_back({place16, from + chunk + first, uint8_t(first), uint8_t(last)});
    }
    filled += bytes;
  }
};

[[noreturn]] void fail(FaultKind kind, const std::string &what, const Pointer<std::byte, Space::Shared> &to,
                       Place place) {
  Executor::ofThisThread().fail(kind, what, place, nullptr, to.within(), to.raw());
}

// The mbarrier of a copy that the current thread issues: it must be known to the asynchronous proxy.
MBarrier &mbarrierOf(const Pointer<uint64_t, Space::Shared> &pointer, Place place) {
  MBarrier &barrier = mbarrierAt(pointer, place);
  const std::vector<uint32_t> &proxied = current->known->proxied;
  const unsigned by = barrier.initialised.thread();
  if (by >= proxied.size() || barrier.initialised.clock() > proxied[by])
    Executor::ofThisThread().fail(FaultKind::Proxy,
                                  barrier.name() + " counts a bulk copy, and there was no fence_proxy_async "
                                                   "after it was initialised",
                                  place, nullptr, barrier.region, pointer.raw());
  return barrier;
}

void requireAligned(const Pointer<std::byte, Space::Shared> &to, unsigned alignment, Place place) {
  const Block &block = Executor::ofThisThread().block();
  if (to.within() && size_t(to.raw() - block.sharedBegin()) % alignment != 0)
    fail(FaultKind::Misaligned,
         "fills byte " + std::to_string(to.raw() - to.within()->begin) + " of shared `" + to.within()->name +
             "` on, which is not a multiple of " + std::to_string(alignment) + " in memory",
         to, place);
}

void requireInside(const Pointer<std::byte, Space::Shared> &to, int64_t bytes, Place place) {
  if (!to.within())
    fail(FaultKind::OutOfBounds, "copies to a null pointer to shared memory", to, place);
  if (to.raw() < to.within()->begin || to.raw() + bytes > to.within()->end)
    fail(FaultKind::OutOfBounds,
         "copies " + std::to_string(bytes) + " bytes to byte " +
             std::to_string(to.raw() - to.within()->begin) + " of shared `" + to.within()->name +
             "`, which has " + std::to_string(to.within()->end - to.within()->begin),
         to, place);
}

void issue(Draft &draft, const Pointer<uint64_t, Space::Shared> &pointer, const MBarrier &barrier,
           Place place) {
  BulkCopy &copy = draft.copy;
  copy.mbarrier = reinterpret_cast<std::byte *>(pointer.raw());
  copy.phase = barrier.phase;
  copy.bytes = unsigned(draft.filled);
  copy.thread = current->index;
  copy.place = place;
  Executor::ofThisThread().block().async.copies.push_back(std::move(copy));
}

// Those bytes of a row of elements from `first` on that the tensor has.
std::pair<int64_t, int64_t> validBytes(const TensorMap &map, int64_t first, int64_t count) {
  const int64_t begin = std::clamp<int64_t>(-first, 0, count),
                end = std::clamp<int64_t>(map.size[0] - first, begin, count);
  return {begin * map.elementBytes, end * map.elementBytes};
}

void copyTiled(Draft &draft, const TensorMap &map, const int *coordinates, Place place) {
  const unsigned rowBytes = unsigned(map.box[0] * map.elementBytes);
  int64_t count[TensorMap::kMostRank] = {1, 1, 1, 1, 1}, rows = 1;
  for (int i = 1; i < map.rank; ++i)
    rows *= count[i] = (map.box[size_t(i)] + map.step[size_t(i)] - 1) / map.step[size_t(i)];
  const auto [begin, end] = validBytes(map, coordinates[0], map.box[0]);
  for (int64_t row = 0; row < rows; ++row) {
    int64_t rest = row, offset = int64_t(coordinates[0]) * map.elementBytes;
    bool inside = true;
    for (int i = 1; i < map.rank; ++i) {
      const int64_t position = coordinates[i] + rest % count[i] * map.step[size_t(i)];
      rest /= count[i];
      inside = inside && position >= 0 && position < map.size[size_t(i)];
      offset += position * map.stride[size_t(i)];
    }
    draft.row(map.begin.raw() + offset, rowBytes, begin, inside ? end : begin, place);
  }
}

void copyIm2col(Draft &draft, const TensorMap &map, const int *coordinates, const int *offsets, Place place) {
  const int spatial = map.rank - 2;
  int64_t position[TensorMap::kMostRank], last[TensorMap::kMostRank];
  for (int i = 1; i <= spatial; ++i) {
    const size_t d = size_t(i);
    position[i] = coordinates[i];
    last[i] = map.size[d] - 1 + map.upper[d];
    if (position[i] < map.lower[d] || position[i] > last[i] ||
        (position[i] - map.lower[d]) % map.step[d] != 0)
      fail(FaultKind::Launch,
           "copies from " + std::to_string(position[i]) + at(i) + ", and the map's box goes from " +
               std::to_string(map.lower[d]) + " to " + std::to_string(last[i]) + " in steps of " +
               std::to_string(map.step[d]),
           draft.to, place);
    const int most = spatial == 1 ? 65535 : spatial == 2 ? 255 : 31;
    if (offsets[i - 1] < 0 || offsets[i - 1] > most)
      fail(FaultKind::Launch, "copies with an offset of " + std::to_string(offsets[i - 1]), draft.to, place);
  }
  int64_t image = coordinates[map.rank - 1];
  const auto [begin, end] = validBytes(map, coordinates[0], map.channels);
  for (int pixel = 0; pixel < map.pixels; ++pixel) {
    int64_t offset = int64_t(coordinates[0]) * map.elementBytes + image * map.stride[size_t(map.rank - 1)];
    bool inside = image >= 0 && image < map.size[size_t(map.rank - 1)];
    for (int i = 1; i <= spatial; ++i) {
      const int64_t there = position[i] + offsets[i - 1];
      inside = inside && there >= 0 && there < map.size[size_t(i)];
      offset += there * map.stride[size_t(i)];
    }
    draft.row(map.begin.raw() + offset, unsigned(map.channels * map.elementBytes), begin,
              inside ? end : begin, place);
    int i = 1;
    for (; i <= spatial; ++i) {
      position[i] += map.step[size_t(i)];
      if (position[i] <= last[i])
        break;
      position[i] = map.lower[size_t(i)];
    }
    image += i > spatial;
  }
}

} // namespace

void checkTensorMap(const TensorMap &map) {
  if (map.rank < (map.im2col ? 3 : 1) || map.rank > TensorMap::kMostRank)
    refuse("of " + std::to_string(map.rank) + " dimensions");
  if (map.elementBytes != 2 && map.elementBytes != 4)
    refuse("of elements of " + std::to_string(map.elementBytes) + " bytes");
  if (!map.begin.raw() || reinterpret_cast<uintptr_t>(map.begin.raw()) % 16 != 0)
    refuse("of memory that does not begin at a multiple of 16 bytes");
  for (int i = 0; i < map.rank; ++i) {
    const size_t d = size_t(i);
    if (map.size[d] < 1 || map.size[d] > int64_t(1) << 32)
      refuse("with a size of " + std::to_string(map.size[d]) + at(i));
    if (i > 0 && (map.stride[d] % 16 != 0 || map.stride[d] < 0 || map.stride[d] >= int64_t(1) << 40))
      refuse("with a stride of " + std::to_string(map.stride[d]) + " bytes" + at(i) +
             ": it must be a multiple of 16");
    if (i > 0 && (map.step[d] < 1 || map.step[d] > kMostStep))
      refuse("with a step of " + std::to_string(map.step[d]) + at(i));
    if (!map.im2col && (map.box[d] < 1 || map.box[d] > kMostBox))
      refuse("with a box of " + std::to_string(map.box[d]) + at(i));
  }
  if (map.im2col) {
    if (map.channels < 1 || map.channels > kMostBox)
      refuse("with " + std::to_string(map.channels) + " channels of a pixel");
    if (map.pixels < 1 || map.pixels > kMostPixels)
      refuse("with " + std::to_string(map.pixels) + " pixels");
    const int bits = map.rank == 3 ? 15 : map.rank == 4 ? 7 : 4;
    for (int i = 1; i < map.rank - 1; ++i) {
      const size_t d = size_t(i);
      for (const int corner : {map.lower[d], map.upper[d]})
        if (corner < -(1 << bits) || corner >= 1 << bits)
          refuse("with a corner of " + std::to_string(corner) + at(i));
      if (map.size[d] - 1 + map.upper[d] < map.lower[d])
        refuse("with an empty box" + at(i));
    }
  }
  const int inner = (map.im2col ? map.channels : map.box[0]) * map.elementBytes;
  if (inner % 16 != 0)
    refuse("with rows of " + std::to_string(inner) + " bytes: they must be a multiple of 16");
  // Shorter rows are legal, and where they lie is not something that the manual says clearly.
  if (map.swizzle != Swizzle::None && inner != int(spanOf(map.swizzle)))
    refuse("with rows of " + std::to_string(inner) + " bytes, whose chunks change places within " +
           std::to_string(spanOf(map.swizzle)));
}

void copyBulk(const Pointer<std::byte, Space::Shared> &to,
              const Pointer<const std::byte, Space::Global> &from, unsigned bytes,
              const Pointer<uint64_t, Space::Shared> &mbarrier, Place place) {
  current->place = place;
  if (bytes == 0 || bytes % 16 != 0)
    fail(FaultKind::Launch, "copies " + std::to_string(bytes) + " bytes at once: it must be a multiple of 16",
         to, place);
  const MBarrier &barrier = mbarrierOf(mbarrier, place);
  requireInside(to, bytes, place);
  requireAligned(to, 16, place);
  const TensorMap row{.elementBytes = 16, .begin = from};
  Draft draft{{}, to, row, Swizzle::None};
  draft.row(from.raw(), bytes, 0, bytes, place);
  issue(draft, mbarrier, barrier, place);
}

void copyTensor(const Pointer<std::byte, Space::Shared> &to, const TensorMap &map, const int *coordinates,
                int rank, const int *offsets, const Pointer<uint64_t, Space::Shared> &mbarrier, Place place) {
  current->place = place;
  if (rank != map.rank || map.im2col != (offsets != nullptr))
    fail(FaultKind::Launch,
         "copies with " + std::to_string(rank) + " coordinates" + (offsets ? " and offsets" : "") +
             " by a map of " + std::to_string(map.rank) + " dimensions" + (map.im2col ? " for im2col" : ""),
         to, place);
  if (int64_t(coordinates[0]) * map.elementBytes % 16 != 0)
    fail(FaultKind::Misaligned,
         "copies from element " + std::to_string(coordinates[0]) +
             " of dimension 0, not a multiple of 16 bytes",
         to, place);
  const MBarrier &barrier = mbarrierOf(mbarrier, place);
  int64_t bytes = map.elementBytes;
  if (map.im2col)
    bytes *= int64_t(map.channels) * map.pixels;
  else
    for (int i = 0; i < rank; ++i) {
      const int step = i == 0 ? 1 : map.step[size_t(i)];
      bytes *= (map.box[size_t(i)] + step - 1) / step;
    }
  requireInside(to, bytes, place);
  requireAligned(to, kDestination, place);
  Draft draft{{}, to, map, map.swizzle};
  if (map.im2col)
    copyIm2col(draft, map, coordinates, offsets, place);
  else
    copyTiled(draft, map, coordinates, place);
  issue(draft, mbarrier, barrier, place);
}

} // namespace vn::emulation
