#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Support.h"

#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"
#include "runtime/data/Loader.h"
#include "runtime/device/cpu/WaveShares.h"
#include "runtime/device/cpu/Workers.h"
#include "runtime/train/Initialize.h"

#include <chrono>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace vernier::runtime;
using namespace vernier::test;

/// Runs `body` in a child process that may have so many more bytes of addresses; returns its exit status.
template <class Body> static int inLittleMemory(size_t bytes, const Body &body) {
  const int child = fork();
  if (child == 0) {
    long pages = 0;
    if (FILE *file = fopen("/proc/self/statm", "r"); !file || fscanf(file, "%ld", &pages) != 1)
      _exit(90);
    const rlim_t limit = rlim_t(pages) * rlim_t(sysconf(_SC_PAGESIZE)) + bytes;
    const rlimit both{limit, limit};
    setrlimit(RLIMIT_AS, &both);
    _exit(body());
  }
  return waitFor(child);
}

BOOST_AUTO_TEST_SUITE(workers)

BOOST_AUTO_TEST_CASE(each_index_comes_once_at_most) {
  for (const int threads : {1, 2, 5, 17}) {
    Workers workers(threads);
    BOOST_TEST(workers.threads() == threads);
    for (int call = 0; call < 300; ++call) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(threads));
      workers.run([&](int index) {
        ++calls[size_t(index)];
        if (index == 0 && call % 50 == 0) // so that the others come, too
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
      });
      BOOST_TEST(calls[0] == 1);
      for (const auto &count : calls)
        BOOST_TEST(count <= 1);
    }
    std::vector<std::atomic<int>> tasks(1000);
    workers.forEach(1000, [&](int64_t i) { ++tasks[size_t(i)]; });
    for (const auto &count : tasks)
      BOOST_REQUIRE(count == 1);
  }
}

// The threads do come: so many calls are under way at the same time.
BOOST_AUTO_TEST_CASE(threads_work_together) {
  Workers workers(4);
  for (int call = 0; call < 20; ++call) {
    std::atomic<int> here{0};
    workers.run([&](int) {
      ++here;
      for (int i = 0; i < 10'000 && here < 4; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
    BOOST_TEST(here == 4);
  }
}

BOOST_AUTO_TEST_CASE(sessions_side_by_side_share_a_team) {
  const auto work = [] {
    for (int session = 0; session < 20; ++session) {
      Workers workers(3);
      for (int call = 0; call < 200; ++call) {
        std::atomic<int64_t> sum{0};
        workers.forEach(100, [&](int64_t i) { sum += i; });
        if (sum != 4950)
          return false;
      }
    }
    return true;
  };
  std::vector<int> right(4);
  std::vector<std::thread> threads;
  for (int &result : right)
    threads.emplace_back([&] { result = work(); });
  for (std::thread &thread : threads)
    thread.join();
  BOOST_TEST(right == std::vector<int>(4, 1), boost::test_tools::per_element());
}

// A thread that has done its part of a slow call is offered another session's. The first must not take that
// back: the second would wait for ever. The offer stands for as long as it takes the thread to wake up.
BOOST_AUTO_TEST_CASE(an_offer_is_taken_back_by_its_maker_only) {
  Workers first(2), second(2);
  bool lost = false;
  for (int attempt = 0; attempt < 50 && !lost; ++attempt) {
    std::atomic<bool> asleep{false}, offered{false}, over{false}, ended{false};
    const auto await = [](const std::atomic<bool> &flag) {
      while (!flag)
        std::this_thread::yield();
    };
    std::thread other([&] {
      await(asleep);
      second.run([&](int index) {
        if (index == 0) {
          offered = true;
          await(over);
        }
      });
      ended = true;
    });
    first.run([&](int index) {
      if (index == 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(8)); // its helper sleeps again after 4
        asleep = true;
        await(offered);
      }
    });
    over = true;
    for (int i = 0; i < 5'000 && !ended; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (lost = !ended; !ended;) // a later call ends what waits for an earlier one
      first.run([](int) { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
    other.join();
  }
  BOOST_TEST(!lost);
}

// A session of before a fork runs in the child, whose threads are not the parent's.
BOOST_AUTO_TEST_CASE(after_a_fork) {
  Workers workers(3);
  workers.run([](int) {});
  const int child = fork();
  if (child == 0) {
    std::atomic<int64_t> sum{0};
    workers.forEach(100, [&](int64_t i) { sum += i; });
    _exit(sum == 4950 ? 0 : 1);
  }
  BOOST_TEST(waitFor(child) == 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // which take all addresses there are
BOOST_AUTO_TEST_CASE(threads_that_cannot_start_are_a_status) {
  using Fake = FakeModel<5, 3, 4, 6, 7>;
  const auto create = [](int64_t threads) {
    vn_session *session = nullptr;
    const vn_session_options options{.threads = threads, .training = 0, .device = 0, .reserved = {}};
    const vn_status status = vn_session_create(&Fake::model, &options, &session);
    if (status == VN_OK)
      vn_session_destroy(session);
    return int(status);
  };
  BOOST_TEST(inLittleMemory(size_t(64) << 20, [&] { return create(300); }) == VN_ERROR_THREADS);
  BOOST_TEST(inLittleMemory(size_t(64) << 20, [&] { return create(2); }) == VN_OK);
  BOOST_TEST(inLittleMemory(size_t(1) << 20, [&] { // nobody has asked for a number: fewer do
               Session session(Fake::model);
               initializeWeights(session, {});
               IoArrays arrays(Fake::model.infer);
               session.infer(arrays.pointers());
               return 0;
             }) == 0);
  BOOST_TEST(inLittleMemory(size_t(64) << 20, [&] {
               MemoryDataset dataset;
               dataset.height = dataset.width = dataset.channels = 1;
               dataset.pixels = dataset.labels = {0};
               LoaderOptions options;
               options.order = {0};
               options.threads = 1024;
               try {
                 Loader(dataset, Preprocessing(FakeModel<1, 1, 1, 1, 1>::model), std::move(options));
               } catch (const Error &error) {
                 return int(error.status());
               }
               return 0;
             }) == VN_ERROR_THREADS);
}
#endif

// No wake-up is lost: a thread that sleeps at the end of a wave goes on in the next. Threads that never look
// twice sleep at almost every wave.
BOOST_AUTO_TEST_CASE(sleeping_threads_are_woken) {
  for (const int threads : {2, 3}) {
    constexpr int64_t waves = 60'000;
    WaveShares shares(threads, 0);
    std::atomic<int64_t> finished{0};
    std::vector<std::thread> team;
    for (int t = 0; t < threads; ++t)
      team.emplace_back([&, t] {
        shares.go(
            waves, t, [](int64_t, int) {}, [&](int64_t) { ++finished; });
      });
    for (std::thread &thread : team)
      thread.join();
    BOOST_TEST(finished == waves);
  }
}

BOOST_AUTO_TEST_SUITE_END()
