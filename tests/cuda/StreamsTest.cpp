// Streams of the emulation: what they keep in order, and that a wait which is missing shows.
#define BOOST_TEST_MODULE cuda_streams
#include <boost/test/included/unit_test.hpp>

#include "codegen/cuda/device/vernier.cuh"

#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

using namespace vn;
using emulation::Event;
using emulation::Fault;
using emulation::Stream;

namespace {

VN_KERNEL(32) twice(Global<const float> x, Global<float> y) { y[threadIdx.x] = 2 * float(x[threadIdx.x]); }

constexpr size_t kBytes = 32 * sizeof(float);

struct Memory {
  Memory() : host(static_cast<float *>(emulation::allocatePinned(kBytes))) {}
  ~Memory() { emulation::releasePinned(host); }
  Memory(const Memory &) = delete;
  float *const host;
  void *const x = emulation::allocate(kBytes, "x"), *const y = emulation::allocate(kBytes, "y");
};

void launchTwice(EmulatedStream &stream, const Memory &memory) {
  VN_LAUNCH(twice, {.grid = 1, .block = 32, .stream = &stream},
            device_part<const float>(memory.x, 0, 32, "x"), device_part<float>(memory.y, 0, 32, "y"));
}

// How many of 64 seeds let `body` through: it returns whether its numbers are right.
int passes(const std::function<bool()> &body) {
  int passed = 0;
  for (uint64_t seed = 1; seed <= 64; ++seed) {
    emulation::setSeed(seed);
    try {
      passed += body();
    } catch (const Fault &fault) {
      BOOST_TEST_MESSAGE(fault.what());
    }
  }
  return passed;
}

} // namespace

BOOST_AUTO_TEST_SUITE(streams)

// In on one stream, a kernel on another, out on a third: `waits` of them for each other.
static bool throughThree(bool first, bool second) {
  Memory memory;
  EmulatedStream in, main, out;
  Event there, done;
  float results[32];
  std::fill_n(memory.host, 32, 3.0f);
  in.copyToDevice(memory.x, memory.host, kBytes);
  there.record(in);
  if (first)
    main.follow(there);
  launchTwice(main, memory);
  done.record(main);
  if (second)
    out.follow(done);
  out.copyToHost(results, memory.y, kBytes); // not pinned: it has been done
  in.synchronize(), main.synchronize();
  return results[0] == 6 && results[31] == 6;
}

BOOST_AUTO_TEST_CASE(events_order_streams) {
  BOOST_TEST(passes([] { return throughThree(true, true); }) == 64);
  // The kernel, which is early, meets a copy that is late.
  const int withoutFirst = passes([] { return throughThree(false, true); });
  BOOST_TEST((withoutFirst > 8 && withoutFirst < 56), withoutFirst);
  // Of a stream that nothing holds up, kernels have run; of one that waits for a late copy, they have not.
  const int withoutSecond = passes([] { return throughThree(true, false); });
  BOOST_TEST((withoutSecond > 8 && withoutSecond < 56), withoutSecond);
}

// The next copy comes early, where a kernel that still needs the last one waits for something else.
BOOST_AUTO_TEST_CASE(what_is_needed_is_overwritten_where_nothing_forbids_it) {
  const auto overwritten = [](bool waits) {
    return passes([&] {
      Memory memory;
      EmulatedStream in, main;
      Event taken;
      const std::vector<float> ones(32, 1);
      float results[32];
      in.copyToDevice(memory.x, ones.data(), kBytes);
      std::fill_n(memory.host, 32, 2.0f);
      main.copyOnDevice(memory.y, memory.x, kBytes);
      taken.record(main);
      if (waits)
        in.follow(taken);
      in.copyToDevice(memory.x, memory.host, kBytes);
      main.copyToHost(results, memory.y, kBytes);
      in.synchronize();
      return results[5] == 1;
    });
  };
  BOOST_TEST(overwritten(true) == 64);
  const int without = overwritten(false);
  BOOST_TEST((without > 24 && without < 60), without);
}

BOOST_AUTO_TEST_CASE(pinned_memory_is_the_copys_until_it_has_been_waited_for) {
  const auto copied = [](bool waits) {
    return passes([&] {
      Memory memory;
      EmulatedStream stream;
      Event read;
      memory.host[7] = 1;
      stream.copyToDevice(memory.x, memory.host, kBytes);
      read.record(stream);
      if (waits)
        read.synchronize();
      memory.host[7] = 2;
      stream.synchronize();
      return true;
    });
  };
  BOOST_TEST(copied(true) == 64);
  const int without = copied(false);
  BOOST_TEST((without > 8 && without < 56), without);

  // What has not come yet is NaN.
  const auto come = [](bool waits) {
    return passes([&] {
      Memory memory;
      EmulatedStream stream;
      emulation::fill(memory.y, 0, kBytes);
      stream.copyToHost(memory.host, memory.y, kBytes);
      if (waits)
        stream.synchronize();
      const bool right = memory.host[31] == 0;
      BOOST_TEST((right || std::isnan(memory.host[31])));
      stream.synchronize();
      return right;
    });
  };
  BOOST_TEST(come(true) == 64);
  BOOST_TEST(come(false) < 56);

  // An array that is both input and output goes there and back.
  BOOST_TEST(passes([&] {
               Memory memory;
               EmulatedStream in, out;
               Event there;
               memory.host[7] = 1;
               in.copyToDevice(memory.x, memory.host, kBytes);
               there.record(in);
               out.follow(there);
               out.copyToHost(memory.host, memory.x, kBytes);
               out.synchronize();
               in.synchronize();
               return memory.host[7] == 1;
             }) == 64);

  // Nor may it be given back.
  const auto released = [](bool waits) {
    return passes([&] {
      Memory memory;
      EmulatedStream stream;
      void *const more = emulation::allocatePinned(kBytes);
      stream.copyToDevice(memory.x, more, kBytes);
      if (waits)
        stream.synchronize();
      try {
        emulation::releasePinned(more);
      } catch (const Fault &) {
        stream.synchronize();
        emulation::releasePinned(more);
        throw;
      }
      return true;
    });
  };
  BOOST_TEST(released(true) == 64);
  BOOST_TEST(released(false) < 56);
}

// A graph of three streams: `a`, then beside each other `b` and `c`, then `d`.
static std::string orderOfGraph(bool forks, bool joins) {
  EmulatedStream main, side;
  Event begun, done;
  std::string order;
  const auto add = [&](EmulatedStream &stream, char what) { stream.launch([&, what] { order += what; }); };
  main.beginCapture();
  add(main, 'a');
  begun.record(main);
  if (forks)
    side.follow(begun);
  add(side, 'c');
  add(main, 'b');
  done.record(side);
  if (joins)
    main.follow(done);
  add(main, 'd');
  const auto graph = main.endCapture();
  BOOST_TEST(order == (forks ? "" : "c"), "work of a graph was done while it was captured");
  order.clear();
  graph->run();
  add(side, 'e');
  return order;
}

BOOST_AUTO_TEST_CASE(graphs_run_in_every_order_that_streams_allow) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 64; ++seed) {
    emulation::setSeed(seed);
    orders.insert(orderOfGraph(true, true));
  }
  BOOST_TEST((orders == std::set<std::string>{"abcde", "acbde"}));
  // What nothing connects with the graph is no part of it.
  BOOST_TEST(orderOfGraph(false, false) == "abde");
  BOOST_CHECK_EXCEPTION(orderOfGraph(true, false), Fault,
                        [](const Fault &fault) { return fault.report.kind == emulation::FaultKind::Launch; });
}

// The fault is the launch's that has it, wherever it is waited for; what is behind it never runs.
BOOST_AUTO_TEST_CASE(a_fault_ends_what_waits_for_it) {
  Memory memory; // x is not written
  EmulatedStream first, second;
  Event event;
  first.follow(event); // never recorded
  bool reached = false;
  const auto fails = [&] {
    first.copyToHost(memory.host, memory.y, kBytes); // may hold up the launch
    launchTwice(first, memory);
    event.record(first);
    second.follow(event);
    second.launch([&] { reached = true; });
    second.synchronize();
  };
  BOOST_CHECK_EXCEPTION(fails(), Fault, [](const Fault &fault) {
    return fault.report.kind == emulation::FaultKind::Uninitialised && fault.report.kernel == "twice";
  });
  BOOST_TEST(!reached);
  first.synchronize(), second.synchronize();
  second.launch([&] { reached = true; });
  BOOST_TEST(reached);
}

BOOST_AUTO_TEST_SUITE_END()
