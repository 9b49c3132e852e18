// mbarriers, and copies that land where they are waited for. PTX manual: mbarrier.
#include "Execution.h"

#include <cstring>

namespace vn::emulation {
namespace {

constexpr unsigned kMostArrivals = (1 << 20) - 1;
constexpr int64_t kMostBytes = (1 << 20) - 1;

[[noreturn]] void fail(FaultKind kind, const std::string &what, const MBarrier &barrier, Place place) {
  Executor::ofThisThread().fail(kind, barrier.name() + " " + what, place, nullptr, barrier.region,
                                barrier.region->begin + barrier.byte);
}

// A phase is complete when all have arrived and all bytes are there.
void completeIfDone(Executor &executor, MBarrier &barrier) {
  if (barrier.missing != 0 || barrier.bytes != 0)
    return;
  Block &block = executor.block();
  ++barrier.phase;
  barrier.missing = barrier.expected;
  barrier.completed = std::exchange(barrier.arriving, {});
  std::vector<uint32_t> &clocks = barrier.completed.clocks;
  clocks.resize(std::max(clocks.size(), size_t(barrier.agent) + 1));
  clocks[barrier.agent] = barrier.phase;
  std::vector<Thread *> waiting = std::exchange(barrier.waiting, {});
  const bool down = executor.nextRandom() & 1;
  for (size_t i = 0; i < waiting.size(); ++i) {
    Thread *const thread = waiting[down ? waiting.size() - 1 - i : i];
    block.learn(*thread, barrier.completed);
    executor.goOn(*thread);
  }
}

} // namespace

std::string MBarrier::name() const {
  return "mbarrier `" + region->name + "`" + (byte ? " + " + std::to_string(byte) : "");
}

std::string MBarrier::state(const Block &) const {
  return name() + " to complete phase " + std::to_string(phase) + ", for which " + std::to_string(missing) +
         " of " + std::to_string(expected) + " arrivals and " + std::to_string(bytes) + " bytes are missing";
}

MBarrier &mbarrierAt(const Pointer<uint64_t, Space::Shared> &pointer, Place place) {
  Block &block = Executor::ofThisThread().block();
  const auto found = block.async.mbarriers.find(reinterpret_cast<std::byte *>(pointer.raw()));
  if (found == block.async.mbarriers.end()) {
    const Region *const region = pointer.within();
    const std::string where =
        region ? "byte " + std::to_string(reinterpret_cast<std::byte *>(pointer.raw()) - region->begin) +
                     " of shared `" + region->name + "`"
               : std::string("a null pointer");
    Executor::ofThisThread().fail(FaultKind::MBarrier,
                                  "uses " + where + ", where no mbarrier was initialised", place, nullptr,
                                  region, pointer.raw());
  }
  MBarrier &barrier = found->second;
  const size_t word = size_t(found->first - block.sharedBegin()) / 4;
  for (size_t i = word; i < word + 2; ++i)
    if (block.cells[i].write.bits != barrier.initialised.bits)
      fail(FaultKind::MBarrier,
           "was overwritten by " + (block.cells[i].write.bits == kInFlight.bits
                                        ? std::string("an asynchronous copy")
                                        : block.nameOf(block.cells[i].write)),
           barrier, place);
  if (!current->knows(barrier.initialised))
    fail(FaultKind::Race,
         "was initialised by " + block.nameOf(barrier.initialised) + ", with no barrier between", barrier,
         place);
  return barrier;
}

void mbarrierInit(const Pointer<uint64_t, Space::Shared> &pointer, unsigned arrivals, Place place) {
  current->place = place;
  writeShared(pointer.within(), pointer.raw(), 8, 8, place);
  Executor &executor = Executor::ofThisThread();
  Block &block = executor.block();
  auto *const at = reinterpret_cast<std::byte *>(pointer.raw());
  MBarrier &barrier = block.async.mbarriers[at];
  const bool known = barrier.region != nullptr;
  barrier.region = pointer.within();
  barrier.byte = size_t(at - barrier.region->begin);
  if (known)
    fail(FaultKind::MBarrier, "is initialised twice", barrier, place);
  if (arrivals == 0 || arrivals > kMostArrivals)
    fail(FaultKind::MBarrier, "is initialised for " + std::to_string(arrivals) + " arrivals", barrier, place);
  std::memcpy(at, &kUnwrittenShared, 4);
  std::memcpy(at + 4, &kUnwrittenShared, 4);
  barrier.expected = barrier.missing = arrivals;
  barrier.initialised = current->stamp(15);
  barrier.agent = block.addAgent("a bulk copy that " + barrier.name() + " counts");
  executor.tick(*current); // what is written there later has another clock
}

void mbarrierArrive(const Pointer<uint64_t, Space::Shared> &pointer, unsigned bytes, Place place) {
  current->place = place;
  MBarrier &barrier = mbarrierAt(pointer, place);
  Executor &executor = Executor::ofThisThread();
  if (barrier.missing == 0)
    fail(FaultKind::MBarrier,
         "gets more arrivals than the " + std::to_string(barrier.expected) + " of a phase", barrier, place);
  barrier.bytes += bytes;
  if (barrier.bytes > kMostBytes)
    fail(FaultKind::MBarrier, "expects more bytes than it can count", barrier, place);
  --barrier.missing;
  current->releaseInto(barrier.arriving);
  executor.tick(*current);
  completeIfDone(executor, barrier);
}

void mbarrierWait(const Pointer<uint64_t, Space::Shared> &pointer, unsigned parity, Place place) {
  current->place = place;
  MBarrier &barrier = mbarrierAt(pointer, place);
  if (parity > 1)
    fail(FaultKind::MBarrier, "is waited for with parity " + std::to_string(parity), barrier, place);
  // Of a new one the phase before its first is complete.
  if ((barrier.phase & 1) != parity) {
    if (barrier.phase > 0)
      Executor::ofThisThread().block().learn(*current, barrier.completed);
    return;
  }
  barrier.waiting.push_back(current);
  current->waitsFor = kMBarrierWait;
  Executor::ofThisThread().suspend();
}

void fenceProxyAsync(Place place) {
  current->place = place;
  Executor &executor = Executor::ofThisThread();
  executor.block().async.fenced = true;
  Clocks fenced;
  fenced.proxied = current->known->clocks;
  fenced.proxied[current->index] = current->clock;
  executor.block().learn(*current, fenced);
  executor.tick(*current);
}

// --- landing

void AsyncProxy::clear(size_t warps) {
  fenced = false;
  mbarriers.clear();
  copies.clear();
  meetings.clear();
  products.assign(warps, {});
  if (productReads != 0)
    readsOfChunk.assign(readsOfChunk.size(), 0);
  productReads = 0;
  registers.clear();
}

const BulkCopy *AsyncProxy::find(const std::byte *address, unsigned bytes) const {
  for (const BulkCopy &copy : copies)
    for (const BulkCopy::Piece &piece : copy.pieces)
      if (piece.to < address + bytes && address < piece.to + 16)
        return &copy;
  return nullptr;
}

bool AsyncProxy::land(Executor &executor) {
  if (copies.empty())
    return false;
  std::swap(copies[executor.nextRandom() % copies.size()], copies.back());
  const BulkCopy copy = std::move(copies.back());
  copies.pop_back();
  Block &block = executor.block();
  MBarrier &barrier = mbarriers.find(copy.mbarrier)->second;
  if (barrier.phase != copy.phase)
    executor.fail(FaultKind::MBarrier,
                  barrier.name() + " completed phase " + std::to_string(copy.phase) +
                      " before a bulk copy that it counts had landed: fewer bytes were expected than come",
                  copy.place, &block.threads[copy.thread]);
  const Stamp stamp = Stamp::of(barrier.agent, barrier.phase + 1, 15);
  for (const BulkCopy::Piece &piece : copy.pieces) {
    std::memset(piece.to, 0, 16);
    if (piece.end > piece.begin)
      std::memcpy(piece.to + piece.begin, piece.from, piece.end - piece.begin);
    Block::SharedCell *const cells = &block.cells[size_t(piece.to - block.sharedBegin()) / 4];
    for (unsigned i = 0; i < 4; ++i)
      cells[i].write = stamp;
  }
  barrier.bytes -= copy.bytes;
  completeIfDone(executor, barrier);
  return true;
}

void AsyncProxy::finish(Executor &executor) const {
  const Block &block = executor.block();
  if (!copies.empty())
    executor.fail(FaultKind::UnwaitedCopy, "the block ends before a bulk copy was waited for",
                  copies.front().place, &block.threads[copies.front().thread]);
  unsigned all = 0;
  for (const unsigned count : registers)
    all += count * kWarpGroup;
  if (all > kRegisters)
    executor.fail(FaultKind::Deadlock,
                  "waits for " + std::to_string(all) + " registers, and a block has " +
                      std::to_string(kRegisters),
                  {}, &block.threads[0]);
}

} // namespace vn::emulation
