// How a kernel runs: one fiber for each thread of a block, blocks one after another, all on the calling
// thread.
#ifndef VERNIER_CUDA_EMULATION_EXECUTION_H
#define VERNIER_CUDA_EMULATION_EXECUTION_H

#include "AsyncProxy.h"
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
    std::vector<Thread *> threads; // all that arrived
    std::vector<Thread *> waiting; // of those
    Clocks released;               // what those know that do not wait
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

  AsyncProxy async;
  std::vector<std::string> agents; // what they are called

  // Of an agent that is new; its clocks begin behind 0.
  unsigned addAgent(const std::string &name);
  // "thread (3,0,0)", or what the agent is called.
  std::string nameOf(Stamp access) const;

  void start(dim3 index, uint32_t number);
  std::byte *sharedBegin() const {
    return shared.get() + (-reinterpret_cast<uintptr_t>(shared.get()) & 1023);
  }

  // What each of these threads knows, and `more` (empty: nothing), each of them knows.
  void join(const std::vector<Thread *> &joined, const Clocks &more);
  void learn(Thread &thread, const Clocks &more);
  void forgetKnowledge() { freeKnowledge.clear(), allKnowledge.clear(); } // of threads that are gone

private:
  void hold(Thread &thread, Knowledge *knowledge);
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
  // The same of all 128 threads of the current one's warp group.
  void meetGroup(const char *instruction, Place place, void *operands,
                 void (*perform)(Executor &, GroupMeeting &));
  void goOn(Thread &thread) { queue.push_back(&thread); }
  uint64_t nextRandom();
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
  void (*invoke)(void *) = nullptr;
  void *arguments = nullptr;
  std::unordered_map<const void *, SynchronisedWord> words; // that atomic operations of the launch touched
};

// By the seed: as good as random.
uint64_t drawn(uint64_t number);

} // namespace vn::emulation

#endif
