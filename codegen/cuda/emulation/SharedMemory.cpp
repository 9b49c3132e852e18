// Shared memory of a block: where it lies, and the checks of each access.
#include "Execution.h"

#include <cstring>

namespace vn::emulation {
namespace {

std::string describe(const char *verb, const Region *region, const void *address, unsigned bytes) {
  return std::string(verb) + " " + std::to_string(bytes) + " bytes at byte " +
         std::to_string(static_cast<const std::byte *>(address) - region->begin) + " of shared `" +
         region->name + "`";
}

[[noreturn]] void fail(FaultKind kind, const std::string &what, const Region *region, const void *address,
                       Place place) {
  Executor::ofThisThread().fail(kind, what, place, nullptr, region, address);
}

[[noreturn]] void failRange(const char *verb, const Region *region, const void *address, unsigned bytes,
                            unsigned alignment, Place place) {
  const auto *at = static_cast<const std::byte *>(address);
  if (!region)
    fail(FaultKind::OutOfBounds, std::string(verb) + " through a null pointer to shared memory", nullptr,
         address, place);
  if (at < region->begin || at + bytes > region->end)
    fail(FaultKind::OutOfBounds,
         describe(verb, region, address, bytes) + ", which has " +
             std::to_string(region->end - region->begin),
         region, address, place);
  fail(FaultKind::Misaligned,
       describe(verb, region, address, bytes) + ", which is not a multiple of " + std::to_string(alignment) +
           " in memory",
       region, address, place);
}

// The cells of the words that an access touches. Most accesses are of whole words.
struct Words {
  Block::SharedCell *cells;
  unsigned count, firstByte, bytes;
  bool whole;
  // Bytes of a word that the access touches.
  unsigned mask(unsigned word) const {
    if (whole)
      return 15;
    const unsigned begin = word == 0 ? firstByte : 0, end = std::min(firstByte + bytes - 4 * word, 4u);
    return (1u << end) - (1u << begin);
  }
};

inline Words wordsOf(const char *verb, const Region *region, const void *address, unsigned bytes,
                     unsigned alignment, Place place) {
  Block &block = Executor::ofThisThread().block();
  const auto *at = static_cast<const std::byte *>(address);
  const size_t offset = size_t(at - block.sharedBegin());
  if (!region || at < region->begin || at + bytes > region->end || (offset & (alignment - 1)) != 0)
    failRange(verb, region, address, bytes, alignment, place);
  Block::SharedCell *const cells = &block.cells[offset / 4];
  if (alignment >= bytes && bytes % 4 == 0)
    return {cells, bytes / 4, 0, bytes, true};
  const unsigned firstByte = offset % 4;
  return {cells, (firstByte + bytes + 3) / 4, firstByte, bytes, false};
}

[[noreturn]] void failRace(const char *verb, const char *before, Stamp access, const Region *region,
                           const void *address, unsigned bytes, Place place) {
  const Block &block = Executor::ofThisThread().block();
  fail(FaultKind::Race,
       describe(verb, region, address, bytes) + ", which " + block.nameOf(access) + " " + before +
           ", with no barrier between",
       region, address, place);
}

[[noreturn]] void failInFlight(const char *verb, const Region *region, const void *address, unsigned bytes,
                               Place place) {
  std::string whose;
  const Block &block = Executor::ofThisThread().block();
  if (const BulkCopy *copy = block.async.find(static_cast<const std::byte *>(address), bytes))
    whose = "a bulk copy of line " + std::to_string(copy->place.line);
  for (const Thread &thread : block.threads)
    if (const AsyncCopies::Copy *copy = thread.copies.find(static_cast<const std::byte *>(address), bytes)) {
      whose = &thread == current ? "its own" : "that of " + nameOf(thread);
      if (copy->place.line)
        whose += " of line " + std::to_string(copy->place.line);
    }
  fail(FaultKind::CopyInFlight,
       describe(verb, region, address, bytes) + ", where an asynchronous copy has not been waited for, " +
           whose,
       region, address, place);
}

// `mine` and what the same access did to other bytes of the word.
inline void set(Stamp &access, Stamp mine) {
  access.bits = mine.bits | (mine.sameAccess(access) ? access.bytes() : 0);
}

// The current thread, as long as it runs: what an access needs of it stays in registers.
struct Accessor {
  const uint32_t *const clocks = current->known->clocks.data();
  const unsigned index = current->index;
  const Stamp stamp = current->stamp(0);

  bool knows(Stamp access) const {
    return access.thread() == index || access.clock() <= clocks[access.thread()];
  }
  bool races(Stamp access, unsigned mask) const { return (access.bytes() & mask) != 0 && !knows(access); }
  Stamp of(unsigned mask) const { return {stamp.bits | mask}; }
};

} // namespace

const Region *dynamicShared(size_t offset, size_t bytes, const char *name, Place place) {
  Block &block = Executor::ofThisThread().block();
  if (bytes == SIZE_MAX)
    bytes = offset <= block.dynamicBytes ? block.dynamicBytes - offset : 0;
  std::byte *const begin = block.sharedBegin() + offset;
  if (offset + bytes > block.dynamicBytes)
    Executor::ofThisThread().fail(FaultKind::OutOfBounds,
                                  "places shared `" + std::string(name) + "` at bytes " +
                                      std::to_string(offset) + " to " + std::to_string(offset + bytes) +
                                      ", and was launched with " + std::to_string(block.dynamicBytes),
                                  place);
  for (const Region &region : block.regions)
    if (region.begin == begin && region.end == begin + bytes && region.name == name)
      return &region;
  return &block.regions.emplace_back(Region{begin, begin + bytes, nullptr, name});
}

const Region *staticShared(const void *key, size_t bytes, size_t alignment, const char *name, Place place) {
  Block &block = Executor::ofThisThread().block();
  for (const auto &[known, region] : block.staticArrays)
    if (known == key)
      return region;
  const size_t offset = (block.usedBytes + alignment - 1) / alignment * alignment;
  if (offset + bytes > kMostShared)
    Executor::ofThisThread().fail(FaultKind::Launch,
                                  "needs " + std::to_string(offset + bytes) +
                                      " bytes of shared memory, and a block has " +
                                      std::to_string(kMostShared),
                                  place);
  block.usedBytes = offset + bytes;
  std::byte *const begin = block.sharedBegin() + offset;
  const Region *region = &block.regions.emplace_back(Region{begin, begin + bytes, nullptr, name});
  block.staticArrays.push_back({key, region});
  return region;
}

[[noreturn]] static void failRead(const char *verb, Stamp write, const Region *region, const void *address,
                                  unsigned bytes, Place place) {
  if (write.bits == kInFlight.bits)
    failInFlight(verb, region, address, bytes, place);
  if (write.bits == 0)
    fail(FaultKind::Uninitialised, describe(verb, region, address, bytes) + ", which nothing has written",
         region, address, place);
  failRace(verb, "wrote", write, region, address, bytes, place);
}

void readShared(const Region *region, const void *address, unsigned bytes, unsigned alignment, Place place) {
  const Words words = wordsOf("reads", region, address, bytes, alignment, place);
  const Accessor thread;
  for (unsigned word = 0; word < words.count; ++word) {
    Block::SharedCell &cell = words.cells[word];
    const unsigned mask = words.mask(word);
    if (cell.write.bits == kInFlight.bits || cell.write.bits == 0 || thread.races(cell.write, mask))
      failRead("reads", cell.write, region, address, bytes, place);
    // One reader is kept. Of two that are not ordered it is now the one, now the other.
    if ((word ^ thread.index) & 1 && cell.read.bits != 0 && !thread.knows(cell.read))
      continue;
    set(cell.read, thread.of(mask));
  }
}

// What the asynchronous proxy does there must be ordered by more than a barrier, where the generic proxy was
// there before.
static bool proxied(const Thread &thread, Stamp access) {
  const std::vector<uint32_t> &known = thread.known->proxied;
  return access.bits == 0 || access.thread() >= Executor::ofThisThread().block().threads.size() ||
         (access.thread() < known.size() && access.clock() <= known[access.thread()]);
}

[[noreturn]] static void failProxy(const char *verb, const char *before, Stamp access, const Region *region,
                                   const void *address, unsigned bytes, Place place) {
  fail(FaultKind::Proxy,
       describe(verb, region, address, bytes) + " asynchronously, which " +
           Executor::ofThisThread().block().nameOf(access) + " " + before +
           ", with no fence_proxy_async between",
       region, address, place);
}

void readSharedByProxy(const Thread &thread, const Region *region, const std::byte *address, unsigned bytes,
                       Place place) {
  const Words words = wordsOf("reads", region, address, bytes, bytes, place);
  for (unsigned word = 0; word < words.count; ++word) {
    const Stamp write = words.cells[word].write;
    if (write.bits == kInFlight.bits || write.bits == 0 || !thread.knows(write))
      failRead("reads", write, region, address, bytes, place);
    if (!proxied(thread, write))
      failProxy("reads", "wrote", write, region, address, bytes, place);
  }
}

[[noreturn]] static void failPendingRead(const Region *region, const void *address, unsigned bytes,
                                         Place place) {
  fail(FaultKind::Race,
       describe("writes", region, address, bytes) + ", which a wgmma that was not waited for may still read",
       region, address, place);
}

// Whether a product that nobody has waited for reads there.
static bool readByProducts(const Block &block, const void *address, unsigned bytes) {
  if (block.async.productReads == 0)
    return false;
  const size_t first = size_t(static_cast<const std::byte *>(address) - block.sharedBegin());
  for (size_t chunk = first / 16; chunk <= (first + bytes - 1) / 16; ++chunk)
    if (block.async.readsOfChunk[chunk] != 0)
      return true;
  return false;
}

void claimShared(const Thread &thread, const Region *region, std::byte *address, unsigned bytes,
                 Place place) {
  const Words words = wordsOf("writes", region, address, bytes, bytes, place);
  if (readByProducts(Executor::ofThisThread().block(), address, bytes))
    failPendingRead(region, address, bytes, place);
  for (unsigned word = 0; word < words.count; ++word) {
    Block::SharedCell &cell = words.cells[word];
    if (cell.write.bits == kInFlight.bits)
      failInFlight("writes", region, address, bytes, place);
    if (!thread.knows(cell.write))
      failRace("writes", "wrote", cell.write, region, address, bytes, place);
    if (!thread.knows(cell.read))
      failRace("writes", "read", cell.read, region, address, bytes, place);
    for (const auto &[access, before] : {std::pair(cell.write, "wrote"), std::pair(cell.read, "read")})
      if (!proxied(thread, access))
        failProxy("writes", before, access, region, address, bytes, place);
    std::memcpy(address + 4 * word, &kCopyInFlight, 4);
    cell.write = kInFlight;
  }
}

[[noreturn]] static void failWrite(const Block::SharedCell &cell, unsigned mask, const Region *region,
                                   const void *address, unsigned bytes, Place place) {
  if (cell.write.bits == kInFlight.bits)
    failInFlight("writes", region, address, bytes, place);
  if (Accessor().races(cell.write, mask))
    failRace("writes", "wrote", cell.write, region, address, bytes, place);
  failRace("writes", "read", cell.read, region, address, bytes, place);
}

void writeShared(const Region *region, const void *address, unsigned bytes, unsigned alignment, Place place) {
  const Words words = wordsOf("writes", region, address, bytes, alignment, place);
  if (readByProducts(Executor::ofThisThread().block(), address, bytes))
    failPendingRead(region, address, bytes, place);
  const Accessor thread;
  for (unsigned word = 0; word < words.count; ++word) {
    Block::SharedCell &cell = words.cells[word];
    const unsigned mask = words.mask(word);
    if (cell.write.bits == kInFlight.bits || thread.races(cell.write, mask) || thread.races(cell.read, mask))
      failWrite(cell, mask, region, address, bytes, place);
    set(cell.write, thread.of(mask));
  }
}

void atomicShared(const Region *region, const void *address, Place place) {
  const Stamp write = wordsOf("changes", region, address, 4, 4, place).cells->write;
  if (write.bits == kInFlight.bits || write.bits == 0 || Accessor().races(write, 15))
    failRead("changes", write, region, address, 4, place);
}

// --- asynchronous copies

void cpAsync(const Pointer<std::byte, Space::Shared> &to, const Pointer<const std::byte, Space::Global> &from,
             unsigned bytes, unsigned fromBytes, Place place) {
  current->place = place;
  if (fromBytes > bytes)
    fail(FaultKind::Launch,
         "copies " + std::to_string(fromBytes) + " bytes by an instruction for " + std::to_string(bytes),
         to.within(), to.raw(), place);
  // What is there is lost now, what comes is there when it was waited for: neither earlier nor later can be
  // relied on.
  writeShared(to.within(), to.raw(), bytes, bytes, place);
  if (fromBytes != 0)
    readGlobal(from.within(), from.raw(), fromBytes, bytes, place);
  Block &block = Executor::ofThisThread().block();
  const size_t word = size_t(to.raw() - block.sharedBegin()) / 4;
  for (unsigned i = 0; i < bytes / 4; ++i) {
    std::memcpy(to.raw() + 4 * i, &kCopyInFlight, 4);
    block.cells[word + i].write = kInFlight;
  }
  current->copies.add({to.raw(), from.raw(), bytes, fromBytes, place});
}

void cpAsyncCommitGroup() { current->copies.commitGroup(); }

static void land(const AsyncCopies::Copy &copy) {
  Block &block = Executor::ofThisThread().block();
  std::memcpy(copy.to, copy.from, copy.fromBytes);
  std::memset(copy.to + copy.fromBytes, 0, copy.bytes - copy.fromBytes);
  Block::SharedCell *const cells = &block.cells[size_t(copy.to - block.sharedBegin()) / 4];
  for (unsigned i = 0; i < copy.bytes / 4; ++i)
    cells[i].write = current->stamp(15);
}

void cpAsyncWaitGroup(unsigned pending, Place place) {
  current->place = place;
  current->copies.landAllBut(pending, land);
}

void cpAsyncWaitAll(Place place) {
  current->place = place;
  current->copies.commitGroup();
  current->copies.landAllBut(0, land);
}

void AsyncCopies::landAllBut(unsigned pending, void (*land)(const Copy &)) {
  if (groupEnds.size() <= pending)
    return;
  const auto firstPending = groupEnds.end() - pending;
  const size_t landing = firstPending[-1];
  for (size_t i = 0; i < landing; ++i)
    land(copies[i]);
  copies.erase(copies.begin(), copies.begin() + std::ptrdiff_t(landing));
  groupEnds.erase(groupEnds.begin(), firstPending);
  for (size_t &end : groupEnds)
    end -= landing;
}

const AsyncCopies::Copy *AsyncCopies::find(const std::byte *address, unsigned bytes) const {
  for (const Copy &copy : copies)
    if (!address || (copy.to < address + bytes && address < copy.to + copy.bytes))
      return &copy;
  return nullptr;
}

} // namespace vn::emulation
