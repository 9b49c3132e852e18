// What works for a block beside its threads, from compute capability 9.0 on: bulk copies, which tell
// mbarriers that they have landed, and the products of warp groups. PTX manual: asynchronous operations,
// mbarrier, cp.async.bulk, wgmma.
//
// Both touch shared memory by another proxy than the threads: what a thread wrote or read there is ordered
// for them by a fence of proxies and what else orders threads. What they did is known to who waited for it.
// For this an mbarrier's copies are an agent, whose clock is the mbarrier's phase, and each warp's products
// are one, whose clock counts waits.
//
// A copy lands when no thread can go on without it. A product's operands are read, and nothing may write
// them, from its issue to the last wait for it; its sums hold NaN until the wait.
#ifndef VERNIER_CUDA_EMULATION_ASYNC_PROXY_H
#define VERNIER_CUDA_EMULATION_ASYNC_PROXY_H

#include "Thread.h"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace vn::emulation {

class Block;
class Executor;

constexpr unsigned kWarpGroup = 128, kRegisters = 65536;
constexpr const char *kMBarrierWait = "mbarrier_wait";

struct MBarrier {
  const Region *region = nullptr;
  size_t byte = 0;                    // in its region
  Stamp initialised;                  // the write of its words; what else writes them destroys it
  unsigned expected = 0, missing = 0; // arrivals of a phase
  int64_t bytes = 0;                  // that are expected and have not come
  uint32_t phase = 0;                 // the one that is not complete
  unsigned agent = 0;
  Clocks arriving, completed;    // of the phase, of the last one
  std::vector<Thread *> waiting; // for the phase

  std::string name() const; // "mbarrier `full` + 8"
  std::string state(const Block &block) const;
};

struct BulkCopy {
  // 16 bytes in shared memory, of which some come from memory and the others are zero.
  struct Piece {
    std::byte *to;
    const std::byte *from; // of the first byte that is not zero
    uint8_t begin, end;    // of those
  };
  std::vector<Piece> pieces;
  std::byte *mbarrier;
  uint32_t phase;
  unsigned bytes; // that it tells its mbarrier
  unsigned thread;
  Place place;
};

// The sums of a warp group that products on their way add to.
struct Accumulator {
  unsigned columns = 0;
  std::array<float *, kWarpGroup> registers{}; // of each thread
  std::vector<float> sums;                     // [64][columns]
  std::array<unsigned, 4> pending{};           // products, of each warp
};

struct Product {
  std::shared_ptr<Accumulator> accumulator;
  std::vector<uint32_t> chunks; // of 16 bytes of shared memory that it reads
  // A's fragments where they are in registers, and what they held.
  std::array<const uint32_t *, kWarpGroup> fragments{};
  std::vector<uint32_t> fragmentValues;
  unsigned waited = 0;             // warps
  std::array<uint32_t, 4> waits{}; // of each, the one that was for it
  Place place;
};

// Of a warp group, which meets at an instruction.
struct GroupMeeting {
  const char *instruction = nullptr;
  Place place;
  unsigned arrived = 0;
  std::array<Thread *, kWarpGroup> threads{};
  std::array<void *, kWarpGroup> operands{};
};

class AsyncProxy {
public:
  // Of each warp.
  struct Products {
    bool fenced = false;
    std::vector<std::shared_ptr<Product>> pending;
    std::vector<size_t> groupEnds;
    unsigned agent = 0;
    uint32_t waits = 0;
  };

  bool fenced = false;                       // a thread of the block fenced the proxies
  std::map<std::byte *, MBarrier> mbarriers; // by their place
  std::vector<BulkCopy> copies;              // that have not landed
  std::map<unsigned, GroupMeeting> meetings;
  std::vector<Products> products; // of each warp
  size_t productReads = 0;        // chunks that products on their way read, each as often
  std::vector<uint8_t> readsOfChunk;
  std::vector<unsigned> registers; // of a thread, of each warp group that changed their number

  void clear(size_t warps);
  const BulkCopy *find(const std::byte *address, unsigned bytes) const;
  const Product *pendingOf(unsigned warp) const {
    return warp < products.size() && !products[warp].pending.empty() ? products[warp].pending[0].get()
                                                                     : nullptr;
  }
  // One of the copies lands; false where there is none.
  bool land(Executor &executor);
  // That nothing is left when a block has ended.
  void finish(Executor &executor) const;
};

// Throws the Fault where there is none that the current thread may use.
MBarrier &mbarrierAt(const Pointer<uint64_t, Space::Shared> &pointer, Place place);

// Where a byte of shared memory goes: chunks of 16 bytes change places within 32, 64 or 128 bytes, by the
// number of 128 bytes that they lie in.
constexpr size_t swizzled(Swizzle swizzle, size_t byte) {
  return byte ^ (byte >> 3 & (swizzle == Swizzle::None  ? 0
                              : swizzle == Swizzle::B32 ? 0x10
                              : swizzle == Swizzle::B64 ? 0x30
                                                        : 0x70));
}
constexpr unsigned spanOf(Swizzle swizzle) { return swizzle == Swizzle::None ? 0 : 16u << int(swizzle); }

// --- accesses of shared memory by this proxy for a thread (SharedMemory.cpp); they throw the Fault

void readSharedByProxy(const Thread &thread, const Region *region, const std::byte *address, unsigned bytes,
                       Place place);
// Fills it with NaN until what was asked for comes.
void claimShared(const Thread &thread, const Region *region, std::byte *address, unsigned bytes, Place place);

} // namespace vn::emulation

#endif
