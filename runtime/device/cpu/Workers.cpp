#include "runtime/device/cpu/Workers.h"

#include "runtime/Error.h"
#include "runtime/core/Pause.h"
#include "runtime/core/Threads.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fmt/core.h>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include <utility>

namespace vernier::runtime {

namespace {

/// A thread of the team, and what it is asked to do.
///
///   Idle -> Claimed -> Offered -> Running -> Idle    the caller claims and offers, the thread runs
///                      Offered -> Idle               the caller takes the offer back
struct alignas(64) Helper {
  enum State : uint32_t { Idle, Claimed, Offered, Running, Quit };

  std::atomic<uint32_t> state{Idle}; ///< of an offer with its ticket: see `offer`
  std::atomic<uint32_t> finished{0}; ///< the last ticket whose call has ended
  uint32_t ticket = 0;               ///< of the last offer; whoever has claimed the thread writes it
  void (*call)(const void *, int) = nullptr;
  const void *body = nullptr;
  int index = 0;
  pthread_t thread{};

  /// The state of an offer. With its ticket, since a caller whose call has ended must not take back the offer
  /// that another has made in the meantime.
  static uint32_t offer(uint32_t ticket) { return ticket << 3 | Offered; }

  void serve() {
    for (uint32_t seen; (seen = waitForOffer()) != Quit;) {
      if (!state.compare_exchange_strong(seen, Running))
        continue; // taken back
      const uint32_t mine = ticket;
      call(body, index);
      state.store(Idle); // first, so that the next call finds the thread free
      finished.store(mine);
      finished.notify_all();
    }
  }

private:
  /// Looks for as long as calls that follow each other are apart, then sleeps.
  uint32_t waitForOffer() const {
    using Clock = std::chrono::steady_clock;
    constexpr int pauses = 4000;                     // some 200 us
    constexpr std::chrono::milliseconds yielding{3}; // then others go first
    const auto called = [&](uint32_t seen) { return (seen & 7) == Offered || seen == Quit; };
    uint32_t seen = state.load();
    for (int i = 0; i < pauses && !called(seen); ++i, seen = state.load())
      pauseCpu();
    for (const auto until = Clock::now() + yielding; !called(seen) && Clock::now() < until;
         seen = state.load())
      sched_yield();
    for (; !called(seen); seen = state.load())
      state.wait(seen);
    return seen;
  }
};

} // namespace

class Team {
public:
  Team() : helpers(size_t(mostThreads)) {}
  ~Team() {
    for (int i = 0; i < started; ++i) {
      helpers[size_t(i)]->state.store(Helper::Quit);
      helpers[size_t(i)]->state.notify_all();
    }
    for (int i = 0; i < started; ++i)
      pthread_join(helpers[size_t(i)]->thread, nullptr);
  }

  /// The process's, which ends with the last of those that have it.
  static std::shared_ptr<Team> get() {
    static std::mutex mutex;
    static std::weak_ptr<Team> current;
    std::lock_guard lock(mutex);
    std::shared_ptr<Team> team = current.lock();
    if (!team || !team->isMine()) {
      team.reset();
      current = team = std::shared_ptr<Team>(new Team, [](Team *old) {
        if (old->isMine())
          delete old; // the child of a fork has the memory of these threads, not the threads
      });
    }
    return team;
  }

  bool isMine() const { return owner == getpid(); }
  int size() const { return started.load(std::memory_order_acquire); }
  Helper &operator[](int i) const { return *helpers[size_t(i)]; }

  /// Starts threads until there are `wanted`; returns the cause where the system starts no more.
  int grow(int wanted) {
    std::lock_guard lock(mutex);
    while (started < std::min<int>(wanted, int(mostThreads)))
      if (const int cause = start())
        return cause;
    return 0;
  }

  // What all sessions together may run at once.
  std::atomic<int> reserved{0};
  std::atomic<bool> full{false}; ///< the system has refused a thread: not asked again

private:
  int start() {
    auto helper = std::make_unique<Helper>();
    pthread_attr_t attributes;
    if (const int cause = pthread_attr_init(&attributes))
      return cause;
    pthread_attr_setstacksize(&attributes, size_t(4) << 20);
    sigset_t all, before; // signals are for the program's own threads
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int cause = pthread_create(
        &helper->thread, &attributes,
        [](void *self) -> void * {
          static_cast<Helper *>(self)->serve();
          return nullptr;
        },
        helper.get());
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (cause)
      return cause;
    helpers[size_t(started)] = std::move(helper);
    started.fetch_add(1, std::memory_order_release);
    return 0;
  }

  const pid_t owner = getpid();
  std::mutex mutex;
  std::vector<std::unique_ptr<Helper>> helpers;
  std::atomic<int> started{0};
};

struct Workers::Lease {
  Helper *helper;
  uint32_t ticket;
};

Workers::Workers(int threads, bool needed) {
  if (threads <= 1)
    return;
  leases.reserve(size_t(threads) - 1);
  team = Team::get();
  if (const int cause = team->grow(threads - 1)) {
    if (needed)
      throw Error(VN_ERROR_THREADS, fmt::format("cannot start {} threads, {} at most: {}", threads,
                                                1 + team->size(), strerror(cause)))
          .help("use fewer threads, or raise the limit on this user's processes (ulimit -u) or on memory "
                "(ulimit -v)");
    threads = std::min(threads, 1 + team->size());
  }
  count = threads;
  team->reserved += count - 1;
}

Workers::~Workers() {
  if (team)
    team->reserved -= count - 1;
}

Workers::Workers(Workers &&other) noexcept
    : count(std::exchange(other.count, 1)), team(std::move(other.team)), leases(std::move(other.leases)) {}

void Workers::runErased(Call call, const void *body) {
  if (!team)
    return call(body, 0);
  if (!team->isMine()) { // after a fork
    const std::shared_ptr<Team> fresh = Team::get();
    fresh->reserved += count - 1;
    fresh->grow(count - 1);
    team = fresh;
  }
  leases.clear();
  const auto lease = [&](int from, int to) {
    for (int i = from; i < to && int(leases.size()) < count - 1; ++i) {
      Helper &helper = (*team)[i];
      uint32_t idle = Helper::Idle;
      if (helper.state.load(std::memory_order_relaxed) != Helper::Idle ||
          !helper.state.compare_exchange_strong(idle, Helper::Claimed))
        continue;
      helper.call = call, helper.body = body, helper.index = int(leases.size()) + 1;
      leases.push_back({&helper, ++helper.ticket});
      helper.state.store(Helper::offer(helper.ticket));
      helper.state.notify_all();
    }
  };
  const int had = team->size();
  lease(0, had);
  // Other sessions run at this time: together they may have as many threads as each alone.
  if (int(leases.size()) < count - 1 && had < team->reserved && !team->full) {
    team->full = team->grow(std::min(had + count - 1 - int(leases.size()), team->reserved.load())) != 0;
    lease(had, team->size());
  }
  call(body, 0);
  for (const Lease &lease : leases) {
    uint32_t offered = Helper::offer(lease.ticket);
    if (lease.helper->state.compare_exchange_strong(offered, Helper::Idle))
      continue;
    const auto ended = [&](uint32_t seen) { return int32_t(seen - lease.ticket) >= 0; };
    uint32_t seen = lease.helper->finished.load();
    for (int i = 0; i < 2000 && !ended(seen); ++i, seen = lease.helper->finished.load())
      pauseCpu();
    for (; !ended(seen); seen = lease.helper->finished.load())
      lease.helper->finished.wait(seen);
  }
}

} // namespace vernier::runtime
