// The threads that run a session's programs.
//
// A process has one team of threads, which its sessions share: where three models run in turns, the same
// threads serve all of them. Unlike those of OpenMP's libraries, threads that cannot start are an error that
// a caller can handle, and a thread that is late is not waited for.
#ifndef VERNIER_RUNTIME_DEVICE_CPU_WORKERS_H
#define VERNIER_RUNTIME_DEVICE_CPU_WORKERS_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace vernier::runtime {

class Team;

class Workers {
public:
  /// Starts what the process's team lacks of `threads`, the calling one included. Where the system refuses,
  /// throws VN_ERROR_THREADS if they are `needed`, else goes on with fewer.
  explicit Workers(int threads, bool needed = true);
  ~Workers();
  Workers(Workers &&) noexcept;
  Workers &operator=(Workers &&) = delete;

  int threads() const { return count; }

  /// Calls body(0) here and body(i) for other i below threads() on the team's threads, each at most once;
  /// returns after all of them. A thread that has not begun when body(0) ends is not waited for, and does
  /// not come at all: what needs doing is for whoever comes. `body` must not throw. One call at a time.
  template <class Body> void run(const Body &body) {
    runErased([](const void *erased, int index) { (*static_cast<const Body *>(erased))(index); }, &body);
  }

  /// Calls body(i) once for each i below `tasks`, on all threads.
  template <class Body> void forEach(int64_t tasks, const Body &body) {
    std::atomic<int64_t> next{0};
    run([&](int) {
      for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < tasks;)
        body(i);
    });
  }

private:
  using Call = void (*)(const void *body, int index);
  void runErased(Call call, const void *body);

  int count = 1;
  std::shared_ptr<Team> team; ///< none where there is one thread
  struct Lease;
  std::vector<Lease> leases; ///< of the call that runs
};

} // namespace vernier::runtime

#endif
