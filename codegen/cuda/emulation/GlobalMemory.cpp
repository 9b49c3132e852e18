#include "Execution.h"

#include <cstring>
#include <mutex>
#include <new>

namespace vn::emulation {
namespace {

constexpr std::align_val_t kAlignment{256};

struct Registry {
  std::recursive_mutex mutex;
  std::map<const std::byte *, std::unique_ptr<Allocation>> allocations; // by their end
  size_t bytes = 0;
  std::string lastKernel;
  // Pages of cells: those of the launch that runs, and those that are free.
  std::vector<std::pair<Allocation *, size_t>> touched;
  std::vector<std::unique_ptr<GlobalCell[]>> all;
  std::vector<GlobalCell *> free;
};
Registry &registry() {
  static Registry registry;
  return registry;
}

Allocation *allocationOf(const void *address) {
  Registry &known = registry();
  const std::lock_guard lock(known.mutex);
  const auto found = known.allocations.upper_bound(static_cast<const std::byte *>(address));
  return found != known.allocations.end() && found->second->begin() <= address ? found->second.get()
                                                                               : nullptr;
}

[[noreturn]] void failOnHost(FaultKind kind, const std::string &what, const Allocation *in,
                             const void *address) {
  Report report;
  report.kind = kind;
  report.what = what;
  if (in) {
    report.buffer = in->whole.name;
    report.offset = static_cast<const std::byte *>(address) - in->begin();
  }
  throw Fault(report);
}

Allocation &bytesOf(const char *action, const void *begin, size_t bytes) {
  Allocation *found = allocationOf(begin);
  if (!found)
    failOnHost(FaultKind::OutOfBounds, std::string(action) + " what is no device memory", nullptr, begin);
  const size_t offset = size_t(static_cast<const std::byte *>(begin) - found->begin());
  if (bytes > found->bytes() - offset)
    failOnHost(FaultKind::OutOfBounds,
               std::string(action) + " " + std::to_string(bytes) + " bytes at byte " +
                   std::to_string(offset) + " of `" + found->whole.name + "`, which has " +
                   std::to_string(found->bytes()),
               found, begin);
  return *found;
}

// f(word, mask of its bytes) for each word that a range touches.
template <class F> void forWords(size_t offset, size_t bytes, const F &f) {
  for (const size_t end = offset + bytes; offset < end;) {
    const size_t word = offset / 4, first = offset % 4, last = std::min(end - word * 4, size_t(4));
    f(word, unsigned((1u << last) - (1u << first)));
    offset = word * 4 + last;
  }
}

void markWritten(Allocation &allocation, const void *begin, size_t bytes) {
  forWords(size_t(static_cast<const std::byte *>(begin) - allocation.begin()), bytes,
           [&](size_t word, unsigned mask) { allocation.written[word] |= uint8_t(mask); });
}

} // namespace

// --- allocations

Allocation::Allocation(size_t bytes, const std::string &name)
    : written((bytes + 3) / 4), pages(written.size() / kPageWords + 1) {
  whole.begin = static_cast<std::byte *>(operator new((bytes + 15) / 16 * 16 + 16, kAlignment));
  whole.end = whole.begin + bytes;
  whole.allocation = this;
  whole.name = name;
  for (size_t offset = 0; offset < bytes; offset += 4)
    std::memcpy(whole.begin + offset, &kUnwrittenGlobal, 4);
}

Allocation::~Allocation() { operator delete(whole.begin, kAlignment); }

GlobalCell *Allocation::touch(size_t page) {
  Registry &known = registry();
  if (known.free.empty()) {
    known.all.push_back(std::make_unique<GlobalCell[]>(kPageWords));
    known.free.push_back(known.all.back().get());
  }
  pages[page] = known.free.back();
  known.free.pop_back();
  known.touched.push_back({this, page});
  return pages[page];
}

void forgetTouchedPages() {
  Registry &known = registry();
  for (const auto &[allocation, page] : known.touched) {
    known.free.push_back(allocation->pages[page]);
    allocation->pages[page] = nullptr;
  }
  known.touched.clear();
  known.lastKernel = Executor::ofThisThread().kernel();
}

void *allocate(size_t bytes, const std::string &name) {
  Registry &known = registry();
  const std::lock_guard lock(known.mutex);
  auto made = std::make_unique<Allocation>(bytes, name);
  void *const begin = made->begin();
  // An empty allocation has an address, too.
  known.allocations[made->whole.end + (bytes == 0)] = std::move(made);
  known.bytes += bytes;
  return begin;
}

void release(void *memory) {
  if (!memory)
    return;
  Registry &known = registry();
  const std::lock_guard lock(known.mutex);
  const auto found = known.allocations.upper_bound(static_cast<std::byte *>(memory));
  if (found == known.allocations.end() || found->second->begin() != memory)
    failOnHost(FaultKind::OutOfBounds, "releases what is no start of device memory", nullptr, memory);
  known.bytes -= found->second->bytes();
  known.allocations.erase(found);
}

void copyToDevice(void *device, const void *host, size_t bytes) {
  markWritten(bytesOf("copies to", device, bytes), device, bytes);
  std::memcpy(device, host, bytes);
}

void copyToHost(void *host, const void *device, size_t bytes) {
  bytesOf("copies", device, bytes);
  std::memcpy(host, device, bytes);
}

void fill(void *device, int byte, size_t bytes) {
  markWritten(bytesOf("fills", device, bytes), device, bytes);
  std::memset(device, byte, bytes);
}

void copyOnDevice(void *to, const void *from, size_t bytes) {
  Allocation &target = bytesOf("copies to", to, bytes), &source = bytesOf("copies", from, bytes);
  std::memcpy(to, from, bytes);
  size_t at = size_t(static_cast<const std::byte *>(from) - source.begin());
  forWords(size_t(static_cast<std::byte *>(to) - target.begin()), bytes, [&](size_t word, unsigned mask) {
    for (unsigned byte = 0; byte < 4; ++byte) {
      if (!(mask >> byte & 1))
        continue;
      const bool written = source.written[at / 4] >> at % 4 & 1;
      target.written[word] = uint8_t((target.written[word] & ~(1u << byte)) | unsigned(written) << byte);
      ++at;
    }
  });
}

void checkDeviceMemory(const char *action, const void *begin, size_t bytes) { bytesOf(action, begin, bytes); }

size_t allocatedBytes() { return registry().bytes; }

const Region *regionOf(const void *address) {
  const Allocation *found = allocationOf(address);
  return found ? &found->whole : nullptr;
}

const Region *part(const void *begin, size_t bytes, const std::string &name) {
  Allocation &allocation = bytesOf("names", begin, bytes);
  const std::lock_guard lock(registry().mutex);
  std::byte *const first = allocation.begin() + (static_cast<const std::byte *>(begin) - allocation.begin());
  Region &region = allocation.parts[{first, first + bytes}][name];
  region = {first, first + bytes, &allocation, name};
  return &region;
}

void poison(const Rows &rows) {
  for (size_t row = 0; row < rows.count; ++row) {
    auto *begin = static_cast<std::byte *>(rows.begin) + row * rows.pitch;
    Allocation &allocation = bytesOf("poisons", begin, rows.bytes);
    forWords(size_t(begin - allocation.begin()), rows.bytes, [&](size_t word, unsigned mask) {
      allocation.written[word] &= uint8_t(~mask);
      for (unsigned byte = 0; byte < 4; ++byte)
        if (mask >> byte & 1)
          allocation.begin()[word * 4 + byte] = std::byte(kUnwrittenGlobal >> 8 * byte);
    });
  }
}

void requireWritten(const Rows &rows) {
  for (size_t row = 0; row < rows.count; ++row) {
    const auto *begin = static_cast<std::byte *>(rows.begin) + row * rows.pitch;
    Allocation &allocation = bytesOf("needs", begin, rows.bytes);
    forWords(size_t(begin - allocation.begin()), rows.bytes, [&](size_t word, unsigned mask) {
      if ((allocation.written[word] & mask) == mask)
        return;
      Report report;
      report.kind = FaultKind::Unwritten;
      report.kernel = registry().lastKernel;
      report.buffer = allocation.whole.name;
      report.offset = std::ptrdiff_t(word * 4);
      report.what = "byte " + std::to_string(word * 4) + " of `" + report.buffer +
                    "` was left unwritten, in row " + std::to_string(row) + " of " +
                    std::to_string(rows.count) + " that it had to write";
      throw Fault(report);
    });
  }
}

// --- accesses

namespace {

std::string describe(const char *verb, const Region *region, const void *address, unsigned bytes) {
  return std::string(verb) + " " + std::to_string(bytes) + " bytes at byte " +
         std::to_string(static_cast<const std::byte *>(address) - region->begin) + " of `" + region->name +
         "`";
}

[[noreturn]] void fail(FaultKind kind, const std::string &what, const Region *region, const void *address,
                       Place place) {
  Executor::ofThisThread().fail(kind, what, place, nullptr, region, address);
}

[[noreturn]] void failRange(const char *verb, const Region *region, const void *address, unsigned bytes,
                            unsigned alignment, Place place) {
  if (!region)
    fail(FaultKind::OutOfBounds,
         std::string(verb) + " " + std::to_string(bytes) + " bytes at " +
             (address ? "an address that is no device memory" : "a null pointer"),
         nullptr, address, place);
  const auto *at = static_cast<const std::byte *>(address);
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

// Its byte in the allocation.
inline size_t checkRange(const char *verb, const Region *region, const void *address, unsigned bytes,
                         unsigned alignment, Place place) {
  const auto *at = static_cast<const std::byte *>(address);
  if (!region || at < region->begin || at + bytes > region->end ||
      (reinterpret_cast<uintptr_t>(address) & (alignment - 1)) != 0)
    failRange(verb, region, address, bytes, alignment, place);
  return size_t(at - region->allocation->begin());
}

// Whether what a launch did at a word before is ordered before what the current thread does now.
inline bool ordered(const Executor &executor, GlobalAccess access, unsigned bytes) {
  const Stamp stamp{access.stamp};
  if ((stamp.bytes() & bytes) == 0)
    return true;
  if (access.block < executor.firstBlock())
    return true; // of an earlier launch
  if (access.block == executor.block().number)
    return current->knows(stamp);
  return executor.acquired(*current, access.block, stamp);
}

[[noreturn]] void failRace(const char *verb, const char *before, GlobalAccess access, const Region *region,
                           const void *address, unsigned bytes, Place place) {
  Executor &executor = Executor::ofThisThread();
  const Block &block = executor.block();
  if (access.block == block.number)
    fail(FaultKind::Race,
         describe(verb, region, address, bytes) + ", which " + block.nameOf({access.stamp}) + " " + before +
             ", with no barrier between",
         region, address, place);
  const dim3 other = executor.indexOf(access.block);
  fail(FaultKind::BlockRace,
       describe(verb, region, address, bytes) + ", which block (" + std::to_string(other.x) + "," +
           std::to_string(other.y) + "," + std::to_string(other.z) + ") " + before +
           ", with no fence and atomic operation between",
       region, address, place);
}

// `bytes` of the word, beside others of the same access.
inline void set(GlobalAccess &access, uint32_t block, Stamp mine) {
  if (access.block == block && mine.sameAccess({access.stamp}))
    mine.bits |= Stamp{access.stamp}.bytes();
  access = {block, mine.bits};
}

// f(word, mask of its bytes, its cell): most accesses are of whole words, none of which crosses a page.
template <class F>
inline void forCells(Allocation &allocation, size_t offset, unsigned bytes, unsigned alignment, const F &f) {
  if (alignment >= bytes && bytes % 4 == 0) {
    GlobalCell *const cells = &allocation.cell(offset / 4);
    for (unsigned i = 0; i < bytes / 4; ++i)
      f(offset / 4 + i, 15u, cells[i]);
  } else {
    forWords(offset, bytes, [&](size_t word, unsigned mask) { f(word, mask, allocation.cell(word)); });
  }
}

[[noreturn]] void failRead(bool written, GlobalAccess write, const Region *region, const void *address,
                           unsigned bytes, Place place) {
  if (!written)
    fail(FaultKind::Uninitialised, describe("reads", region, address, bytes) + ", which nothing has written",
         region, address, place);
  failRace("reads", "wrote", write, region, address, bytes, place);
}

[[noreturn]] void failReadOnly(const Region *region, const void *address, unsigned bytes, Place place) {
  fail(FaultKind::ReadOnly,
       describe("reads", region, address, bytes) + " through the read-only path, which this launch writes",
       region, address, place);
}

template <bool readOnly>
inline void read(const Region *region, const void *address, unsigned bytes, unsigned alignment, Place place) {
  const size_t offset = checkRange("reads", region, address, bytes, alignment, place);
  const Executor &executor = Executor::ofThisThread();
  const Thread &thread = *current;
  const uint32_t block = executor.block().number, firstBlock = executor.firstBlock();
  Allocation &allocation = *region->allocation;
  const uint8_t *const written = allocation.written.data();
  forCells(
      allocation, offset, bytes, alignment,
      [ =, &executor, &thread ](size_t word, unsigned mask, GlobalCell &cell) __attribute__((always_inline)) {
        const bool wasWritten = (written[word] & mask) == mask;
        if (!wasWritten || (cell.write.block >= firstBlock && !ordered(executor, cell.write, mask)))
          failRead(wasWritten, cell.write, region, address, bytes, place);
        if (readOnly && cell.write.block >= firstBlock)
          failReadOnly(region, address, bytes, place);
        // One reader is kept. Of two that are not ordered it is now the one, now the other.
        if (((word ^ thread.clock) & 1) != 0 && cell.read.block >= firstBlock &&
            !ordered(executor, cell.read, 15))
          return;
        set(cell.read, block, thread.stamp(mask));
      });
}

} // namespace

void readGlobal(const Region *region, const void *address, unsigned bytes, unsigned alignment, Place place) {
  read<false>(region, address, bytes, alignment, place);
}

void readOnlyGlobal(const Region *region, const void *address, unsigned bytes, unsigned alignment,
                    Place place) {
  read<true>(region, address, bytes, alignment, place);
}

void writeGlobal(const Region *region, const void *address, unsigned bytes, unsigned alignment, Place place) {
  const size_t offset = checkRange("writes", region, address, bytes, alignment, place);
  const Executor &executor = Executor::ofThisThread();
  const Thread &thread = *current;
  const uint32_t block = executor.block().number, firstBlock = executor.firstBlock();
  Allocation &allocation = *region->allocation;
  uint8_t *const written = allocation.written.data();
  forCells(
      allocation, offset, bytes, alignment,
      [ =, &executor, &thread ](size_t word, unsigned mask, GlobalCell &cell) __attribute__((always_inline)) {
        if (cell.write.block >= firstBlock && !ordered(executor, cell.write, mask))
          failRace("writes", "wrote", cell.write, region, address, bytes, place);
        if (cell.read.block >= firstBlock && !ordered(executor, cell.read, mask))
          failRace("writes", "read", cell.read, region, address, bytes, place);
        set(cell.write, block, thread.stamp(mask));
        written[word] |= uint8_t(mask);
      });
}

void touchAtomic(const Region *region, const void *address, Place place) {
  const size_t offset = checkRange("changes", region, address, 4, 4, place);
  Allocation &allocation = *region->allocation;
  if (allocation.written[offset / 4] != 15)
    fail(FaultKind::Uninitialised, describe("changes", region, address, 4) + ", which nothing has written",
         region, address, place);
  const GlobalAccess write = allocation.cell(offset / 4).write;
  if (write.block != 0 && !ordered(Executor::ofThisThread(), write, 15))
    failRace("changes", "wrote", write, region, address, 4, place);
}

} // namespace vn::emulation
