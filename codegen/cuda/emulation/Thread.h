// A thread of a block, and what it knows of the others.
//
// Which accesses are ordered is known exactly within a block. A thread's accesses carry its number and its
// clock, which goes up with everything that orders: barriers, __syncwarp, fences. What a thread knows is, for
// each thread of its block, the clock up to which that one's accesses are ordered before what it does now.
// Threads that meet at a barrier learn what the others know, and then share one table. What works for a block
// beside its threads (AsyncProxy.h) has numbers behind theirs.
#ifndef VERNIER_CUDA_EMULATION_THREAD_H
#define VERNIER_CUDA_EMULATION_THREAD_H

#include "AsyncCopies.h"
#include "Emulation.h"

#include <memory>
#include <vector>

namespace vn::emulation {

constexpr unsigned kWarp = 32, kMostThreads = 1024, kNamedBarriers = 16, kMostShared = 227 * 1024;

// An access: clock, thread in its block, which bytes of the 4-byte word. Zero: none.
struct Stamp {
  static constexpr uint32_t kMostClock = (1u << 18) - 1;
  uint32_t bits = 0;

  static Stamp of(unsigned thread, uint32_t clock, unsigned bytes) {
    return {clock << 14 | thread << 4 | bytes};
  }
  uint32_t clock() const { return bits >> 14; }
  unsigned thread() const { return bits >> 4 & (kMostThreads - 1); }
  unsigned bytes() const { return bits & 15; }
  bool sameAccess(Stamp other) const { return (bits ^ other.bits) < 16; } // but for the bytes
};
// In the place of a write: an asynchronous copy that has not landed.
constexpr Stamp kInFlight{UINT32_MAX};

// Up to where accesses are known, of each thread of the block, then of each agent.
struct Clocks {
  std::vector<uint32_t> clocks;
  std::vector<uint32_t> proxied; // for the asynchronous proxy: there was a fence of proxies; empty: none

  void include(const Clocks &other);
};

struct Knowledge : Clocks {
  int holders = 0;
};

struct Thread : Position {
  unsigned index = 0; // in its block
  uint32_t clock = 1;
  Knowledge *known = nullptr;
  bool running = false, ended = false;
  Place place; // of the last instruction that says where it is
  // While it waits: for what, as a person calls it.
  const char *waitsFor = nullptr;
  AsyncCopies copies;
  // What a fence made ready to be released by an atomic operation after it.
  std::shared_ptr<const std::vector<uint32_t>> fenced;

  unsigned warp() const { return index / kWarp; }
  unsigned lane() const { return index % kWarp; }
  Stamp stamp(unsigned bytes) const { return Stamp::of(index, clock, bytes); }
  bool knows(Stamp access) const {
    return access.thread() == index || access.clock() <= known->clocks[access.thread()];
  }
  // What it releases by arriving at a barrier.
  void releaseInto(Clocks &clocks) const;
};
extern thread_local constinit Thread *current;

// "thread (3,0,0)"
std::string nameOf(const Thread &thread);

} // namespace vn::emulation

#endif
