// How a kernel runs: one fiber for each thread of a block, blocks one after another, all on the calling
// thread.
//
// Which accesses are ordered is known exactly within a block. A thread's accesses carry its number and its
// clock, which goes up with everything that orders: barriers, __syncwarp, fences. What a thread knows is, for
// each thread of its block, the clock up to which that one's accesses are ordered before what it does now.
// Threads that meet at a barrier learn what the others know, and then share one table.
#ifndef VERNIER_CUDA_EMULATION_EXECUTION_H
#define VERNIER_CUDA_EMULATION_EXECUTION_H

#include "AsyncCopies.h"
#include "Emulation.h"
#include "GlobalShadow.h"

#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
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

struct Knowledge {
  int holders = 0;
  std::vector<uint32_t> clocks; // of each thread of the block
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
};
extern thread_local constinit Thread *current;

// Lanes that meet at an instruction of a warp.
struct Meeting {
  const char *instruction;
  uint32_t mask, arrived;
  Place place;
  std::array<void *, kWarp> operands; // of each lane that arrived

  Meeting(const char *instruction, uint32_t mask, Place place)
      : instruction(instruction), mask(mask), arrived(0), place(place) {}
};

class Block {
public:
  struct SharedCell {
    Stamp write, read;
  };

  dim3 index, size;
  uint32_t number = 0; // unlike any other block's of any launch
  std::vector<Thread> threads;
  unsigned live = 0;

  // Shared memory: the dynamic part, then static arrays.
  std::unique_ptr<std::byte[]> shared;
  std::vector<SharedCell> cells; // one a word
  size_t dynamicBytes = 0, usedBytes = 0;
  std::deque<Region> regions;
  std::vector<std::pair<const void *, const Region *>> staticArrays;

  struct Barrier {
    unsigned expected = 0, arrived = 0;
    std::vector<Thread *> threads;  // all that arrived
    std::vector<Thread *> waiting;  // of those
    std::vector<uint32_t> released; // what those know that do not wait
  };
  std::array<Barrier, kNamedBarriers> barriers;
  std::vector<const Thread *> firstAtBarrier; // 0, of each warp; null: none waits there
  std::vector<std::vector<Meeting>> meetings; // of each warp, those that are not complete

  // What other blocks released and this one acquired.
  struct Acquisition {
    const SynchronisedWord *word;
    size_t releases; // of the word, up to then
    unsigned thread;
    uint32_t clock; // of the fence that ends it; 0: none yet
  };
  std::vector<Acquisition> acquisitions;

  void start(dim3 index, uint32_t number);
  std::byte *sharedBegin() const {
    return shared.get() + (-reinterpret_cast<uintptr_t>(shared.get()) & 1023);
  }

  // What each of these threads knows, and `more` (empty: nothing), each of them knows.
  void join(const std::vector<Thread *> &joined, const std::vector<uint32_t> &more);
  void forgetKnowledge() { freeKnowledge.clear(), allKnowledge.clear(); } // of threads that are gone

private:
  void learn(Thread &thread, Knowledge *knowledge);
  Knowledge *newKnowledge();

  std::deque<Knowledge> allKnowledge;
  std::vector<Knowledge *> freeKnowledge;
};

struct Stack {
  const void *bottom = nullptr;
  size_t bytes = 0;
};

// Threads of a block that can go on, in their order.
class ReadyThreads {
public:
  bool empty() const { return first == last; }
  void clear() { first = last = 0; }
  void push_back(Thread *thread) { threads[last++ % threads.size()] = thread; }
  Thread *pop_front() { return threads[first++ % threads.size()]; }

private:
  std::array<Thread *, kMostThreads> threads;
  unsigned first = 0, last = 0;
};

class Executor {
public:
  Executor();
  ~Executor();
  static Executor &ofThisThread() { return ofThread ? *ofThread : make(); }

  void launch(const LaunchShape &shape, void (*invoke)(void *), void *arguments);

  Block &block() { return theBlock; }
  const Block &block() const { return theBlock; }
  const std::string &kernel() const { return kernelName; }
  uint32_t firstBlock() const { return first; } // numbers from here on are this launch's
  dim3 indexOf(uint32_t number) const;          // of a block of this launch

  // The current thread waits until it is in the queue again and its turn comes.
  void suspend();
  void tick(Thread &thread);
  void barrier(unsigned id, unsigned threads, bool wait, Place place);
  // The current thread's lane meets the others of the mask: the last to come performs what they came for.
  void meet(const char *instruction, uint32_t mask, bool aligned, Place place, void *operands,
            void (*perform)(Executor &, Meeting &));
  void fence();
  void synchroniseAtomic(const void *address);
  bool acquired(const Thread &reader, uint32_t block, Stamp access) const;

  [[noreturn]] void fail(FaultKind kind, const std::string &what, Place place = {},
                         const Thread *thread = nullptr, const Region *region = nullptr,
                         const void *address = nullptr);

private:
  static thread_local constinit Executor *ofThread;
  static Executor &make();
  void runBlock(dim3 index, uint32_t number);
  void switchTo(Thread *thread); // null: to the launch
  void runThread(Thread &thread);
  boost::context::fiber &contextOf(Thread *thread);
  void makeFibers(size_t count);
  void abandonBlock();
  [[noreturn]] void reportDeadlock();

  Block theBlock;
  ReadyThreads queue;
  std::vector<boost::context::fiber> fibers;
  std::vector<Stack> stacks; // of fibers
  boost::context::fiber launchContext;
  Stack launchStack;
  bool abandoning = false, exiting = false;
  Thread *previous = nullptr;
  std::exception_ptr failure;

  std::string kernelName;
  dim3 grid;
  uint32_t first = 1, next = 1;
  std::vector<unsigned> order; // of blocks
  uint64_t random = 0;
  uint64_t nextRandom();
  void (*invoke)(void *) = nullptr;
  void *arguments = nullptr;
  std::unordered_map<const void *, SynchronisedWord> words; // that atomic operations of the launch touched
};

// "thread (3,0,0)"
std::string nameOf(const Thread &thread);

} // namespace vn::emulation

#endif
