#include "Execution.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <numeric>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VN_ADDRESS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define VN_ADDRESS_SANITIZER 1
#endif
#ifdef VN_ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

namespace vn::emulation {
namespace {

// AddressSanitizer must be told of each change of stacks: before it, and on the other side.
void announceStack(void **fake, const Stack &to) {
#ifdef VN_ADDRESS_SANITIZER
  __sanitizer_start_switch_fiber(fake, to.bottom, to.bytes);
#endif
}
void changedStack(void *fake, Stack *from) {
#ifdef VN_ADDRESS_SANITIZER
  Stack ignored;
  from = from ? from : &ignored;
  __sanitizer_finish_switch_fiber(fake, &from->bottom, &from->bytes);
#endif
}

// Thrown into the threads of a block in which another one failed.
struct Abandoned {};

constexpr size_t kStack = 128 * 1024;

uint64_t seedFromEnvironment() {
  const char *text = std::getenv("VERNIER_EMULATION_SEED");
  return text ? std::strtoull(text, nullptr, 10) : 1;
}
uint64_t &seed() {
  static uint64_t seed = seedFromEnvironment();
  return seed;
}

uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
  x = (x ^ x >> 27) * 0x94D049BB133111EB;
  return x ^ x >> 31;
}

std::mutex oneLaunch;

std::string textOf(dim3 size) {
  return std::to_string(size.x) + "x" + std::to_string(size.y) + "x" + std::to_string(size.z);
}

dim3 indexIn(dim3 size, size_t i) {
  return {unsigned(i % size.x), unsigned(i / size.x % size.y), unsigned(i / size.x / size.y)};
}

} // namespace

thread_local constinit Thread *current = nullptr;
thread_local constinit const Position *position = nullptr;

void setSeed(uint64_t value) { seed() = value; }
uint64_t drawn(uint64_t number) { return mix(seed() + mix(number)); }

std::string nameOf(const Thread &thread) {
  return "thread (" + std::to_string(thread.thread.x) + "," + std::to_string(thread.thread.y) + "," +
         std::to_string(thread.thread.z) + ")";
}

// --- blocks

Knowledge *Block::newKnowledge() {
  if (freeKnowledge.empty())
    freeKnowledge.push_back(&allKnowledge.emplace_back());
  Knowledge *const knowledge = freeKnowledge.back();
  freeKnowledge.pop_back();
  return knowledge;
}

void Block::hold(Thread &thread, Knowledge *knowledge) {
  ++knowledge->holders;
  if (thread.known && --thread.known->holders == 0)
    freeKnowledge.push_back(thread.known);
  thread.known = knowledge;
}

void Clocks::include(const Clocks &other) {
  const auto raise = [](std::vector<uint32_t> &mine, const std::vector<uint32_t> &more) {
    if (mine.size() < more.size())
      mine.resize(more.size());
    for (size_t i = 0; i < more.size(); ++i)
      mine[i] = std::max(mine[i], more[i]);
  };
  raise(clocks, other.clocks);
  raise(proxied, other.proxied);
}

void Thread::releaseInto(Clocks &released) const {
  released.include(*known);
  released.clocks[index] = clock;
}

void Block::join(const std::vector<Thread *> &joined, const Clocks &more) {
  Knowledge *const knowledge = newKnowledge();
  if (joined.size() == threads.size() && agents.empty() && !async.fenced) {
    knowledge->clocks.resize(threads.size()); // all of it is set below
    knowledge->proxied.clear();
  } else {
    const Knowledge *last = joined.front()->known;
    static_cast<Clocks &>(*knowledge) = *last;
    for (const Thread *thread : joined)
      if (thread->known != last) {
        last = thread->known;
        knowledge->include(*last);
      }
  }
  for (const Thread *thread : joined)
    knowledge->clocks[thread->index] = thread->clock;
  knowledge->include(more);
  for (Thread *thread : joined) {
    hold(*thread, knowledge);
    Executor::ofThisThread().tick(*thread);
  }
}

void Block::learn(Thread &thread, const Clocks &more) {
  Knowledge *const knowledge = newKnowledge();
  static_cast<Clocks &>(*knowledge) = *thread.known;
  knowledge->include(more);
  hold(thread, knowledge);
}

unsigned Block::addAgent(const std::string &name) {
  agents.push_back(name);
  const size_t all = threads.size() + agents.size();
  if (all > kMostThreads)
    Executor::ofThisThread().fail(FaultKind::Launch,
                                  "has more threads, mbarriers and warps that multiply than "
                                  "the emulation can tell apart, " +
                                      std::to_string(kMostThreads));
  for (Knowledge &knowledge : allKnowledge)
    knowledge.clocks.resize(all);
  return unsigned(all - 1);
}

std::string Block::nameOf(Stamp access) const {
  return access.thread() < threads.size() ? emulation::nameOf(threads[access.thread()])
                                          : agents[access.thread() - threads.size()];
}

void Block::start(dim3 atIndex, uint32_t withNumber) {
  index = atIndex;
  number = withNumber;
  live = unsigned(threads.size());
  std::fill_n(cells.begin(), (usedBytes + 3) / 4, SharedCell());
  for (size_t offset = 0; offset < usedBytes; offset += 4)
    std::memcpy(sharedBegin() + offset, &kUnwrittenShared, 4);
  usedBytes = (dynamicBytes + 127) / 128 * 128;
  staticArrays.clear();
  regions.clear();
  acquisitions.clear();
  async.clear(threads.size() / kWarp);
  agents.clear();
  for (Barrier &barrier : barriers)
    barrier = {};
  firstAtBarrier.assign(meetings.size(), nullptr);
  for (std::vector<Meeting> &ofWarp : meetings)
    ofWarp.clear();
  Knowledge *const nothing = newKnowledge();
  nothing->clocks.assign(threads.size(), 0);
  nothing->proxied.clear();
  for (Thread &thread : threads) {
    hold(thread, nothing);
    thread.clock = 1;
    thread.block = index;
    thread.ended = false;
    thread.waitsFor = nullptr;
    thread.place = {};
    thread.copies.clear();
    thread.fenced = nullptr;
  }
}

// --- fibers

Executor::Executor() {
  theBlock.shared = std::make_unique<std::byte[]>(kMostShared + 1024);
  theBlock.cells.resize(kMostShared / 4);
  theBlock.usedBytes = kMostShared;
}

Executor::~Executor() {
  exiting = true;
  for (size_t i = 0; i < fibers.size(); ++i) {
    void *fake = nullptr;
    announceStack(&fake, stacks[i]);
    previous = nullptr;
    fibers[i] = std::move(fibers[i]).resume();
    changedStack(fake, nullptr);
  }
}

thread_local constinit Executor *Executor::ofThread = nullptr;

Executor &Executor::make() {
  static thread_local Executor executor;
  ofThread = &executor;
  return executor;
}

uint64_t Executor::nextRandom() { return random = mix(random); }

boost::context::fiber &Executor::contextOf(Thread *thread) {
  return thread ? fibers[thread->index] : launchContext;
}

void Executor::switchTo(Thread *thread) {
  previous = current;
  current = thread;
  position = thread;
  void *fake = nullptr;
  announceStack(&fake, thread ? stacks[thread->index] : launchStack);
  boost::context::fiber from = std::move(contextOf(thread)).resume();
  changedStack(fake, previous ? nullptr : &launchStack);
  contextOf(previous) = std::move(from);
  if (abandoning && current)
    throw Abandoned();
}

void Executor::makeFibers(size_t count) {
  while (fibers.size() < count) {
    const size_t index = fibers.size();
    // Stacks begin at different places in their pages: else all of them would meet in a few sets of the
    // caches.
    boost::context::protected_fixedsize_stack allocator(kStack);
    boost::context::stack_context stack = allocator.allocate();
    const size_t shift = index % 32 * 5 * 64;
    const boost::context::preallocated place(static_cast<char *>(stack.sp) - shift, stack.size - shift,
                                             stack);
    stacks.push_back({static_cast<char *>(stack.sp) - stack.size, stack.size});
    fibers.emplace_back(std::allocator_arg, place, allocator, [this, index](boost::context::fiber &&from) {
      changedStack(nullptr, previous ? nullptr : &launchStack);
      contextOf(previous) = std::move(from);
      while (!exiting)
        runThread(theBlock.threads[index]);
      announceStack(nullptr, launchStack);
      return std::move(launchContext);
    });
  }
}

// A block's part of one fiber.
void Executor::runThread(Thread &thread) {
  thread.running = true;
  try {
    invoke(arguments);
    if (const AsyncCopies::Copy *copy = thread.copies.find(nullptr, 0))
      fail(FaultKind::UnwaitedCopy, "the thread ends before its asynchronous copies were waited for",
           copy->place);
    if (const Product *product = theBlock.async.pendingOf(thread.warp()))
      fail(FaultKind::UnwaitedCopy, "the thread ends before its wgmma were waited for", product->place);
  } catch (const Abandoned &) {
  } catch (...) {
    failure = std::current_exception();
    current = &thread; // what a warp does together may fail in another lane's name
  }
  thread.running = false;
  thread.ended = true;
  --theBlock.live;
  if (failure)
    switchTo(nullptr);
  else
    suspend();
}

// Ends the threads of a block that are in the middle of it.
void Executor::abandonBlock() {
  abandoning = true;
  for (Thread &thread : theBlock.threads)
    if (thread.running)
      switchTo(&thread);
  abandoning = false;
}

void Executor::suspend() {
  // What is asynchronous happens when nothing else can.
  try {
    while (queue.empty() && theBlock.live != 0 && theBlock.async.land(*this)) {
    }
  } catch (...) {
    failure = std::current_exception();
    switchTo(nullptr);
    return;
  }
  if (queue.empty()) {
    switchTo(nullptr); // the block is done, or nothing can go on
    return;
  }
  Thread *const next = queue.pop_front();
  if (next != current)
    switchTo(next);
}

void Executor::runBlock(dim3 index, uint32_t number) {
  theBlock.start(index, number);
  // Any order of threads is allowed. Warps stay together most of the time: what one thread reads the next one
  // needs.
  const unsigned count = unsigned(theBlock.threads.size());
  const unsigned warps = (count + kWarp - 1) / kWarp, turn = unsigned(nextRandom() % warps),
                 lane = unsigned(nextRandom() % kWarp);
  const bool down = nextRandom() & 1, lanesDown = nextRandom() & 1;
  queue.clear();
  for (unsigned w = 0; w < warps; ++w)
    for (unsigned l = 0; l < kWarp; ++l) {
      const unsigned warp = ((down ? warps - 1 - w : w) + turn) % warps;
      const unsigned thread = warp * kWarp + ((lanesDown ? kWarp - 1 - l : l) + lane) % kWarp;
      if (thread < count)
        queue.push_back(&theBlock.threads[thread]);
    }
  suspend();
  if (!failure)
    try {
      if (theBlock.live != 0)
        reportDeadlock();
      theBlock.async.finish(*this);
    } catch (...) {
      failure = std::current_exception();
    }
  if (failure) {
    abandonBlock();
    std::rethrow_exception(std::exchange(failure, nullptr));
  }
}

void Executor::launch(const LaunchShape &shape, void (*invokeKernel)(void *), void *withArguments) {
  kernelName = shape.kernel;
  if (kernelName.starts_with('(')) // around the commas of template arguments
    kernelName = kernelName.substr(1, kernelName.size() - 2);
  grid = shape.grid;
  const dim3 size = shape.block;
  const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z, threads = uint64_t(size.x) * size.y * size.z;
  if (blocks == 0 || grid.y > 65535 || grid.z > 65535 || grid.x > INT32_MAX)
    fail(FaultKind::Launch, "is launched with " + textOf(grid) + " blocks");
  if (threads == 0 || threads > kMostThreads || size.z > 64)
    fail(FaultKind::Launch, "is launched with blocks of " + textOf(size) +
                                " threads, and a block has at most " + std::to_string(kMostThreads));
  if (shape.shared > kMostShared)
    fail(FaultKind::Launch, "is launched with " + std::to_string(shape.shared) +
                                " bytes of shared memory, and a block has " + std::to_string(kMostShared));
  invoke = invokeKernel;
  arguments = withArguments;
  random = mix(seed() ^ uint64_t(next) << 32);
  first = next;
  next += uint32_t(blocks);
  words.clear();

  Block &block = theBlock;
  block.dynamicBytes = shape.shared;
  if (!(block.size == size) || block.threads.size() != threads) {
    block.threads = std::vector<Thread>(threads);
    block.meetings.assign((threads + kWarp - 1) / kWarp, {});
    block.forgetKnowledge();
  }
  block.size = size;
  for (unsigned i = 0; i < threads; ++i) {
    Thread &thread = block.threads[i];
    thread.index = i;
    thread.thread = indexIn(size, i);
    thread.blockSize = size;
    thread.grid = grid;
  }
  makeFibers(threads);

  order.resize(blocks);
  std::iota(order.begin(), order.end(), 0u);
  for (size_t i = blocks; i-- > 1;)
    std::swap(order[i], order[nextRandom() % (i + 1)]);
  struct Finish {
    ~Finish() { forgetTouchedPages(); }
  } finish;
  for (size_t i = 0; i < blocks; ++i)
    runBlock(indexIn(grid, order[i]), first + uint32_t(i));
}

dim3 Executor::indexOf(uint32_t number) const { return indexIn(grid, order[number - first]); }

void launch(const LaunchShape &shape, void (*invoke)(void *), void *arguments) {
  const std::lock_guard lock(oneLaunch);
  Executor::ofThisThread().launch(shape, invoke, arguments);
}

// --- reports

void Executor::fail(FaultKind kind, const std::string &what, Place place, const Thread *thread,
                    const Region *region, const void *address) {
  Report report;
  report.kind = kind;
  report.kernel = kernelName;
  report.what = what;
  if (const Thread *const at = thread ? thread : current) {
    report.hasThread = true;
    report.block = at->block;
    report.thread = at->thread;
    report.place = place.file ? place : at->place;
  }
  if (region) {
    report.buffer = region->name;
    report.offset = static_cast<const std::byte *>(address) - region->begin;
  }
  throw Fault(report);
}

void Executor::reportDeadlock() {
  const auto state = [](const Thread &thread) {
    if (thread.ended)
      return nameOf(thread) + " has ended";
    std::string text = nameOf(thread) + " waits in `" + thread.waitsFor + "`";
    return thread.place.line ? text + " of line " + std::to_string(thread.place.line) : text;
  };
  // Where the lane that is missing waits for an mbarrier, that is the cause.
  const auto waitsAtMBarrier = [](const Thread &thread) {
    return !thread.ended && std::strcmp(thread.waitsFor, kMBarrierWait) == 0;
  };
  for (const std::vector<Meeting> &ofWarp : theBlock.meetings)
    for (const Meeting &meeting : ofWarp) {
      const unsigned warp = unsigned(&ofWarp - theBlock.meetings.data());
      const unsigned lane = unsigned(__builtin_ctz(meeting.mask & ~meeting.arrived));
      if (waitsAtMBarrier(theBlock.threads[warp * kWarp + lane]))
        continue;
      const Thread &waiting = theBlock.threads[warp * kWarp + unsigned(__builtin_ctz(meeting.arrived))];
      fail(FaultKind::DivergedWarp,
           "waits in `" + std::string(meeting.instruction) + "` for lane " + std::to_string(lane) + ", and " +
               state(theBlock.threads[warp * kWarp + lane]),
           meeting.place, &waiting);
    }
  for (const auto &[group, meeting] : theBlock.async.meetings)
    for (unsigned i = 0; i < kWarpGroup; ++i) {
      const Thread &missing = theBlock.threads[group * kWarpGroup + i];
      if (!meeting.threads[i] && !waitsAtMBarrier(missing))
        fail(FaultKind::DivergedWarp,
             "waits in `" + std::string(meeting.instruction) + "` for its warp group, and " + state(missing),
             meeting.place,
             *std::find_if(meeting.threads.begin(), meeting.threads.end(),
                           [](const Thread *thread) { return thread != nullptr; }));
    }
  for (const auto &[at, barrier] : theBlock.async.mbarriers)
    if (!barrier.waiting.empty())
      fail(FaultKind::Deadlock, "waits for " + barrier.state(theBlock), {}, barrier.waiting.front());
  for (unsigned id = 0; id < kNamedBarriers; ++id) {
    const Block::Barrier &barrier = theBlock.barriers[id];
    if (barrier.waiting.empty())
      continue;
    std::string others;
    for (const Thread &thread : theBlock.threads)
      if (std::find(barrier.threads.begin(), barrier.threads.end(), &thread) == barrier.threads.end()) {
        others = ", and " + state(thread);
        break;
      }
    const std::string name = id == 0 ? "syncthreads" : "named barrier " + std::to_string(id);
    fail(id == 0 ? FaultKind::DivergentBarrier : FaultKind::Deadlock,
         "waits in `" + name + "`, where " + std::to_string(barrier.arrived) + " of " +
             std::to_string(barrier.expected) + " threads arrived" + others,
         {}, barrier.waiting.front());
  }
  fail(FaultKind::Deadlock, "no thread can go on");
}

void Executor::tick(Thread &thread) {
  if (++thread.clock == Stamp::kMostClock)
    fail(FaultKind::Launch, "passes more barriers and fences than the emulation can tell apart, " +
                                std::to_string(Stamp::kMostClock));
}

// --- barriers

void Executor::barrier(unsigned id, unsigned expected, bool wait, Place place) {
  Thread &thread = *current;
  Block::Barrier &barrier = theBlock.barriers[id];
  thread.place = place;
  if (id >= kNamedBarriers || expected == 0 || expected > theBlock.threads.size() ||
      (id != 0 && expected % kWarp != 0))
    fail(FaultKind::Launch, "named barrier " + std::to_string(id) + " of " + std::to_string(expected) +
                                " threads: there are 15 from 1, of whole warps");
  if (barrier.arrived == 0)
    barrier.expected = expected;
  if (barrier.expected != expected)
    fail(FaultKind::DivergentBarrier, "named barrier " + std::to_string(id) + " is for " +
                                          std::to_string(expected) + " threads here, and for " +
                                          std::to_string(barrier.expected) + " to " +
                                          nameOf(*barrier.threads.front()));
  if (id == 0) {
    const Thread *&first = theBlock.firstAtBarrier[thread.warp()];
    if (first && !(first->place == place))
      fail(FaultKind::DivergentBarrier, "waits in another `syncthreads` than " + nameOf(*first) +
                                            " of its warp, which does in line " +
                                            std::to_string(first->place.line));
    first = &thread;
  }
  barrier.threads.push_back(&thread);
  ++barrier.arrived;
  if (wait) {
    barrier.waiting.push_back(&thread);
    thread.waitsFor = id == 0 ? "syncthreads" : "named_barrier_sync";
  } else {
    thread.releaseInto(barrier.released);
    tick(thread);
  }
  if (barrier.arrived < barrier.expected) {
    if (wait)
      suspend();
    return;
  }
  std::vector<Thread *> waiting = std::move(barrier.waiting);
  if (!waiting.empty())
    theBlock.join(waiting, barrier.released);
  if (id == 0)
    std::fill(theBlock.firstAtBarrier.begin(), theBlock.firstAtBarrier.end(), nullptr);
  barrier.arrived = 0;
  barrier.released = {};
  barrier.threads.clear();
  // The last to come goes on, the others in order or in the other.
  const bool down = nextRandom() & 1;
  for (size_t i = 0; i < waiting.size(); ++i)
    if (Thread *const other = waiting[down ? waiting.size() - 1 - i : i]; other != &thread)
      queue.push_back(other);
  waiting.clear();
  barrier.waiting = std::move(waiting); // keeps its memory
}

void syncThreads(Place place) {
  Executor &executor = Executor::ofThisThread();
  executor.barrier(0, unsigned(executor.block().threads.size()), true, place);
}

void namedBarrierSync(unsigned id, unsigned threads, Place place) {
  Executor::ofThisThread().barrier(id, threads, true, place);
}

void namedBarrierArrive(unsigned id, unsigned threads, Place place) {
  Executor::ofThisThread().barrier(id, threads, false, place);
}

// --- warps

void Executor::meet(const char *instruction, uint32_t mask, bool aligned, Place place, void *operands,
                    void (*perform)(Executor &, Meeting &)) {
  Thread &thread = *current;
  thread.place = place;
  std::vector<Meeting> &meetings = theBlock.meetings[thread.warp()];
  const uint32_t mine = 1u << thread.lane();
  const auto failed = [&](const std::string &why) {
    fail(FaultKind::DivergedWarp, "`" + std::string(instruction) + "` " + why);
  };
  if ((mask & mine) == 0)
    failed("by lane " + std::to_string(thread.lane()) + ", which is not in its mask");
  auto meeting =
      std::find_if(meetings.begin(), meetings.end(), [&](const Meeting &m) { return (m.mask & mask) != 0; });
  if (meeting == meetings.end()) {
    const unsigned lanes = std::min(kWarp, unsigned(theBlock.threads.size()) - thread.warp() * kWarp);
    for (unsigned lane = 0; lane < kWarp; ++lane)
      if (mask >> lane & 1) {
        if (lane >= lanes)
          failed("with lane " + std::to_string(lane) + " in its mask, which the block does not have");
        const Thread &other = theBlock.threads[thread.warp() * kWarp + lane];
        if (other.ended)
          failed("with lane " + std::to_string(lane) + " in its mask, whose thread has ended");
      }
    meetings.emplace_back(instruction, mask, place);
    meeting = meetings.end() - 1;
  } else if (meeting->mask != mask ||
             (meeting->instruction != instruction && std::strcmp(meeting->instruction, instruction) != 0) ||
             (aligned && !(meeting->place == place))) {
    failed("while lane " + std::to_string(__builtin_ctz(meeting->arrived)) + " waits in `" +
           meeting->instruction + "` of line " + std::to_string(meeting->place.line) +
           (meeting->mask != mask ? " with another mask" : ""));
  }
  meeting->arrived |= mine;
  meeting->operands[thread.lane()] = operands;
  if (meeting->arrived != mask) {
    thread.waitsFor = instruction;
    suspend();
    return;
  }
  perform(*this, *meeting);
  meetings.erase(meeting);
  const bool down = nextRandom() & 1;
  for (unsigned i = 0; i < kWarp; ++i) {
    const unsigned lane = down ? kWarp - 1 - i : i;
    if (mask >> lane & 1 && lane != thread.lane())
      queue.push_back(&theBlock.threads[thread.warp() * kWarp + lane]);
  }
}

void Executor::meetGroup(const char *instruction, Place place, void *operands,
                         void (*perform)(Executor &, GroupMeeting &)) {
  Thread &thread = *current;
  thread.place = place;
  const unsigned group = thread.index / kWarpGroup, member = thread.index % kWarpGroup;
  if ((group + 1) * kWarpGroup > theBlock.threads.size())
    fail(FaultKind::DivergedWarp, "`" + std::string(instruction) + "` by warps that are no whole warp group");
  GroupMeeting &meeting = theBlock.async.meetings[group];
  if (meeting.arrived == 0) {
    meeting.instruction = instruction;
    meeting.place = place;
  } else if (std::strcmp(meeting.instruction, instruction) != 0 || !(meeting.place == place)) {
    const Thread &other = **std::find_if(meeting.threads.begin(), meeting.threads.end(),
                                         [](const Thread *at) { return at != nullptr; });
    fail(FaultKind::DivergedWarp, "`" + std::string(instruction) + "` while " + nameOf(other) +
                                      " of its warp group waits in `" + meeting.instruction + "` of line " +
                                      std::to_string(meeting.place.line));
  }
  meeting.threads[member] = &thread;
  meeting.operands[member] = operands;
  if (++meeting.arrived < kWarpGroup) {
    thread.waitsFor = instruction;
    suspend();
    return;
  }
  GroupMeeting all = meeting;
  theBlock.async.meetings.erase(group);
  perform(*this, all);
  const bool down = nextRandom() & 1;
  for (unsigned i = 0; i < kWarpGroup; ++i)
    if (Thread *const other = all.threads[down ? kWarpGroup - 1 - i : i]; other != &thread)
      queue.push_back(other);
}

// --- fences and atomic operations: how one block learns what another did

void threadFence(Place place) {
  current->place = place;
  Executor::ofThisThread().fence();
}

void Executor::fence() {
  Thread &thread = *current;
  auto clocks = std::make_shared<std::vector<uint32_t>>(thread.known->clocks);
  (*clocks)[thread.index] = thread.clock;
  thread.fenced = std::move(clocks);
  for (Block::Acquisition &acquisition : theBlock.acquisitions)
    if (acquisition.thread == thread.index && acquisition.clock == 0)
      acquisition.clock = thread.clock;
  tick(thread);
}

void Executor::synchroniseAtomic(const void *address) {
  SynchronisedWord &word = words[address];
  if (!word.releases.empty())
    theBlock.acquisitions.push_back({&word, word.releases.size(), current->index, 0});
  if (current->fenced)
    word.releases.push_back({theBlock.number, current->fenced});
}

bool Executor::acquired(const Thread &reader, uint32_t block, Stamp access) const {
  for (const Block::Acquisition &acquisition : theBlock.acquisitions) {
    if (acquisition.clock == 0)
      continue; // no fence after the atomic operation yet
    if (acquisition.thread != reader.index && reader.known->clocks[acquisition.thread] < acquisition.clock)
      continue;
    for (size_t i = 0; i < acquisition.releases; ++i) {
      const SynchronisedWord::Release &release = acquisition.word->releases[i];
      if (release.block == block && access.clock() <= (*release.clocks)[access.thread()])
        return true;
    }
  }
  return false;
}

static unsigned &changeAtomically(const Pointer<unsigned, Space::Global> &word, Place place) {
  current->place = place;
  touchAtomic(word.within(), word.raw(), place);
  Executor::ofThisThread().synchroniseAtomic(word.raw());
  return *word.raw();
}

unsigned atomicAdd(const Pointer<unsigned, Space::Global> &word, unsigned value, Place place) {
  unsigned &number = changeAtomically(word, place);
  return std::exchange(number, number + value);
}

unsigned atomicOr(const Pointer<unsigned, Space::Global> &word, unsigned value, Place place) {
  unsigned &number = changeAtomically(word, place);
  return std::exchange(number, number | value);
}

unsigned atomicAdd(const Pointer<unsigned, Space::Shared> &word, unsigned value, Place place) {
  current->place = place;
  atomicShared(word.within(), word.raw(), place);
  return std::exchange(*word.raw(), *word.raw() + value);
}

} // namespace vn::emulation
