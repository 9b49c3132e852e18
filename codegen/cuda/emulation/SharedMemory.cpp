// Shared memory of a block: where it lies, and the checks of each access.
#include "Execution.h"

#include <cstring>

namespace vn::emulation {
namespace {

// In the place of a write: an asynchronous copy that has not landed.
constexpr Stamp kInFlight{UINT32_MAX};

std::string describe(const char *verb, const Region *region, const void *address, unsigned bytes) {
  return std::string(verb) + " " + std::to_string(bytes) + " bytes at byte " +
         std::to_string(static_cast<const std::byte *>(address) - region->begin) + " of shared `" +
         region->name + "`";
}

[[noreturn]] void fail(FaultKind kind, const std::string &what, const Region *region, const void *address,
                       Place place) {
  Executor::ofThisThread().fail(kind, what, place, nullptr, region, address);
}

// The cells of the words that an access touches, the first of which begins at the offset that is returned.
Block::SharedCell *cellsOf(const char *verb, const Region *region, const void *address, unsigned bytes,
                           unsigned alignment, Place place, unsigned &firstByte) {
  Block &block = Executor::ofThisThread().block();
  const auto *at = static_cast<const std::byte *>(address);
  if (!region)
    fail(FaultKind::OutOfBounds, std::string(verb) + " through a null pointer to shared memory", nullptr,
         address, place);
  if (at < region->begin || at + bytes > region->end)
    fail(FaultKind::OutOfBounds,
         describe(verb, region, address, bytes) + ", which has " +
             std::to_string(region->end - region->begin),
         region, address, place);
  const size_t offset = size_t(at - block.sharedBegin());
  if (offset % alignment != 0)
    fail(FaultKind::Misaligned,
         describe(verb, region, address, bytes) + ", which is not a multiple of " +
             std::to_string(alignment) + " in memory",
         region, address, place);
  firstByte = offset % 4;
  return &block.cells[offset / 4];
}

// Bytes of word w of an access.
unsigned maskOf(unsigned word, unsigned firstByte, unsigned bytes) {
  const unsigned begin = word == 0 ? firstByte : 0, end = std::min(firstByte + bytes - 4 * word, 4u);
  return (1u << end) - (1u << begin);
}

void failRace(const char *verb, const char *before, Stamp access, const Region *region, const void *address,
              unsigned bytes, Place place) {
  const Block &block = Executor::ofThisThread().block();
  fail(FaultKind::Race,
       describe(verb, region, address, bytes) + ", which " + nameOf(block.threads[access.thread()]) + " " +
           before + ", with no barrier between",
       region, address, place);
}

void failInFlight(const char *verb, const Region *region, const void *address, unsigned bytes, Place place) {
  std::string whose;
  for (const Thread &thread : Executor::ofThisThread().block().threads)
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

void set(Stamp &access, unsigned mask) {
  Stamp mine = current->stamp(mask);
  if (mine.sameAccess(access))
    mine.bits |= access.bytes();
  access = mine;
}

bool races(Stamp access, unsigned mask) { return (access.bytes() & mask) != 0 && !current->knows(access); }

} // namespace

std::byte *Block::sharedBegin() {
  return shared.get() + (1024 - reinterpret_cast<uintptr_t>(shared.get()) % 1024) % 1024;
}

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

void readShared(const Region *region, const void *address, unsigned bytes, unsigned alignment, Place place) {
  unsigned firstByte = 0;
  Block::SharedCell *cells = cellsOf("reads", region, address, bytes, alignment, place, firstByte);
  for (unsigned word = 0; 4 * word < firstByte + bytes; ++word) {
    Block::SharedCell &cell = cells[word];
    const unsigned mask = maskOf(word, firstByte, bytes);
    if (cell.write.bits == kInFlight.bits)
      failInFlight("reads", region, address, bytes, place);
    if (cell.write.bits == 0)
      fail(FaultKind::Uninitialised,
           describe("reads", region, address, bytes) + ", which nothing has written", region, address, place);
    if (races(cell.write, mask))
      failRace("reads", "wrote", cell.write, region, address, bytes, place);
    // One reader is kept. Of two that are not ordered it is now the one, now the other.
    if ((word ^ current->index) & 1 && cell.read.bits != 0 && !current->knows(cell.read))
      continue;
    set(cell.read, mask);
  }
}

void writeShared(const Region *region, const void *address, unsigned bytes, unsigned alignment, Place place) {
  unsigned firstByte = 0;
  Block::SharedCell *cells = cellsOf("writes", region, address, bytes, alignment, place, firstByte);
  for (unsigned word = 0; 4 * word < firstByte + bytes; ++word) {
    Block::SharedCell &cell = cells[word];
    const unsigned mask = maskOf(word, firstByte, bytes);
    if (cell.write.bits == kInFlight.bits)
      failInFlight("writes", region, address, bytes, place);
    if (races(cell.write, mask))
      failRace("writes", "wrote", cell.write, region, address, bytes, place);
    if (races(cell.read, mask))
      failRace("writes", "read", cell.read, region, address, bytes, place);
    set(cell.write, mask);
  }
}

void atomicShared(const Region *region, const void *address, Place place) {
  unsigned firstByte = 0;
  const Block::SharedCell &cell = *cellsOf("changes", region, address, 4, 4, place, firstByte);
  if (cell.write.bits == kInFlight.bits)
    failInFlight("changes", region, address, 4, place);
  if (cell.write.bits == 0)
    fail(FaultKind::Uninitialised, describe("changes", region, address, 4) + ", which nothing has written",
         region, address, place);
  if (races(cell.write, 15))
    failRace("changes", "wrote", cell.write, region, address, 4, place);
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

static void land(const std::vector<AsyncCopies::Copy> &copies) {
  Block &block = Executor::ofThisThread().block();
  for (const AsyncCopies::Copy &copy : copies) {
    std::memcpy(copy.to, copy.from, copy.fromBytes);
    std::memset(copy.to + copy.fromBytes, 0, copy.bytes - copy.fromBytes);
    for (unsigned i = 0; i < copy.bytes / 4; ++i)
      block.cells[size_t(copy.to - block.sharedBegin()) / 4 + i].write = current->stamp(15);
  }
}

void cpAsyncWaitGroup(unsigned pending, Place place) {
  current->place = place;
  land(current->copies.landed(pending));
}

void cpAsyncWaitAll(Place place) {
  current->place = place;
  land(current->copies.all());
}

std::vector<AsyncCopies::Copy> AsyncCopies::landed(unsigned pending) {
  std::vector<Copy> copies;
  for (; groups.size() > pending; groups.pop_front())
    copies.insert(copies.end(), groups.front().begin(), groups.front().end());
  return copies;
}

std::vector<AsyncCopies::Copy> AsyncCopies::all() {
  std::vector<Copy> copies = landed(0);
  copies.insert(copies.end(), open.begin(), open.end());
  open.clear();
  return copies;
}

const AsyncCopies::Copy *AsyncCopies::find(const std::byte *address, unsigned bytes) const {
  const auto in = [&](const std::vector<Copy> &copies) -> const Copy * {
    for (const Copy &copy : copies)
      if (!address || (copy.to < address + bytes && address < copy.to + copy.bytes))
        return &copy;
    return nullptr;
  };
  for (const std::vector<Copy> &group : groups)
    if (const Copy *copy = in(group))
      return copy;
  return in(open);
}

} // namespace vn::emulation
