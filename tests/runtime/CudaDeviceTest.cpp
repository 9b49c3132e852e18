// What a session does with a device that is not the CPU, by an accelerator in the host's memory.
#include "tests/runtime/Support.h"

#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>

using namespace vernier::runtime;
using namespace vernier::test;

namespace {

// What the accelerator has been asked for.
struct Log {
  int64_t devices = 2, chosen = -1, freeBytes = 1 << 20;
  int resources = 0; // that are held
  int launches = 0, graphs = 0, graphRuns = 0;
  const char *failingStep = nullptr; // its message
  bool onlyRecorded = false;         // it fails while a graph is made
  std::vector<std::function<void()>> *recording = nullptr;
  std::vector<void *> streams;
  std::vector<std::string>
      queued; // "2@0": a step that multiplies by 2 in the first stream; "record@", "follow@"
  void queue(const std::string &what, void *stream) {
    const auto found = std::find(streams.begin(), streams.end(), stream);
    queued.push_back(what + "@" + std::to_string(found - streams.begin()));
  }
} accelerated;

using Graph = std::vector<std::function<void()>>;

const char *make(void **resource, int64_t bytes = 1) {
  *resource = std::calloc(1, size_t(bytes));
  ++accelerated.resources;
  return nullptr;
}
const char *drop(void *resource) {
  std::free(resource);
  --accelerated.resources;
  return nullptr;
}
const char *copy(void *to, const void *from, int64_t bytes) {
  std::memcpy(to, from, size_t(bytes));
  return nullptr;
}

const vn_accelerator kAccelerator = {
    .name = "Toy",
    .architectures = "toys",
    .count = [](int64_t *devices) -> const char * {
      *devices = accelerated.devices;
      return accelerated.devices ? nullptr : "there is no toy";
    },
    .choose = [](int64_t number) -> const char * {
      accelerated.chosen = number;
      return nullptr;
    },
    .facts = [](vn_accelerator_facts *facts) -> const char * {
      std::strcpy(facts->name, "a toy");
      facts->memory_bytes = 1 << 20;
      facts->free_bytes = accelerated.freeBytes;
      return nullptr;
    },
    .allocate = [](int64_t bytes, const char *, void **memory) { return make(memory, bytes); },
    .release = drop,
    .allocate_host = [](int64_t bytes, void **memory) { return make(memory, bytes); },
    .release_host = drop,
    .create_stream = [](void **stream) -> const char * {
      make(stream);
      accelerated.streams.push_back(*stream);
      return nullptr;
    },
    .release_stream = drop,
    .synchronize = [](void *) -> const char * { return nullptr; },
    .clear = [](void *memory, int64_t bytes, void *) -> const char * {
      std::memset(memory, 0, size_t(bytes));
      return nullptr;
    },
    .copy_in = [](void *memory, const void *host, int64_t bytes,
                  void *) { return copy(memory, host, bytes); },
    .copy_out = [](void *host, const void *memory, int64_t bytes,
                   void *) { return copy(host, memory, bytes); },
    .copy = [](void *to, const void *from, int64_t bytes, void *) { return copy(to, from, bytes); },
    .forget = [](void *memory, int64_t bytes, void *) -> const char * {
      std::memset(memory, 0xFF, size_t(bytes));
      return nullptr;
    },
    .begin_graph = [](void *) -> const char * {
      accelerated.recording = new Graph;
      return nullptr;
    },
    .end_graph = [](void *, void **graph) -> const char * {
      *graph = accelerated.recording;
      accelerated.recording = nullptr;
      ++accelerated.graphs;
      ++accelerated.resources;
      return nullptr;
    },
    .run_graph = [](void *graph, void *) -> const char * {
      ++accelerated.graphRuns;
      for (const auto &work : *static_cast<Graph *>(graph))
        work();
      return nullptr;
    },
    .release_graph = [](void *graph) -> const char * {
      delete static_cast<Graph *>(graph);
      --accelerated.resources;
      return nullptr;
    },
    .create_event = [](void **event) { return make(event); },
    .release_event = drop,
    .record = [](void *, void *stream) -> const char * {
      accelerated.queue("record", stream);
      return nullptr;
    },
    .follow = [](void *stream, void *) -> const char * {
      accelerated.queue("follow", stream);
      return nullptr;
    },
    .await = [](void *) -> const char * { return nullptr; },
    .seconds = [](void *, void *, double *seconds) -> const char * {
      *seconds = 0.5;
      return nullptr;
    },
};

// Launches "to[i] = by * from[i] + plus" over four numbers.
template <int by, int plus> const char *launch(void *const *operands, void *stream) {
  accelerated.queue(std::to_string(by), stream);
  const auto work = [from = static_cast<float *>(operands[0]), to = static_cast<float *>(operands[1])] {
    for (int i = 0; i < 4; ++i)
      to[i] = by * from[i] + plus;
  };
  if (accelerated.failingStep && (accelerated.recording || !accelerated.onlyRecorded))
    return accelerated.failingStep;
  if (accelerated.recording) {
    accelerated.recording->push_back(work);
  } else {
    ++accelerated.launches;
    work();
  }
  return nullptr;
}

// y = (2 x + 1) a + b, where the open hole chooses (a, b) = (3, 0) or (1, 5).
const vn_operand kFirst[] = {{VN_SPACE_IO, 0, 0}, {VN_SPACE_ARENA, 0, 64}};
const vn_operand kSecond[] = {{VN_SPACE_ARENA, 0, 64}, {VN_SPACE_IO, 1, 0}};
const vn_step kSteps[] = {{nullptr, "double", "here", kFirst, 2, 1, 0, 0, 0, 0, launch<2, 1>},
                          {nullptr, "triple", "there", kSecond, 2, 1, 0, 0, 0, 0, launch<3, 0>},
                          {nullptr, "more", "there", kSecond, 2, 1, 0, 0, 0, 0, launch<1, 5>}};
const vn_variant kWhole[] = {{0, 1, 0}}, kEither[] = {{1, 2, 0}, {2, 3, 0}};
const int64_t kHoleOfBoth[] = {0};
const vn_segment kSegments[] = {{nullptr, 0, kWhole, 1}, {kHoleOfBoth, 1, kEither, 2}};
const vn_io kArrays[] = {{"image", VN_FLOAT32, VN_INPUT, 4, {1, 4, 1, 1}, 0, 0},
                         {"logits", VN_FLOAT32, VN_OUTPUT, 2, {1, 4, 1, 1}, 0, 0}};
const double kChoices[] = {3, 1};
const vn_hole kHoles[] = {{"by", kChoices, 2}};

vn_model toyModel() {
  vn_model model{};
  model.abi_version = VN_ABI_VERSION;
  model.name = "toy";
  model.description = "{}";
  model.target = "";
  model.batch = model.height = model.width = 1;
  model.channels = model.classes = 4;
  model.holes = kHoles;
  model.num_holes = 1;
  model.infer = {kSteps, 3, kSegments, 2, kArrays, 2, 128};
  model.accelerator = &kAccelerator;
  return model;
}

std::vector<float> results(Session &session, const vn_model &model, float x) {
  IoArrays arrays(model.infer);
  for (float &value : arrays.floats(size_t(0)))
    value = x;
  session.infer(arrays.pointers());
  const auto values = arrays.floats(size_t(1));
  return {values.begin(), values.end()};
}

struct Fresh {
  Fresh() { accelerated = {}; }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_device, Fresh)

BOOST_AUTO_TEST_CASE(parts_run_directly_and_then_as_graphs) {
  const vn_model model = toyModel();
  {
    Session session(model, {.number = 1});
    BOOST_TEST(accelerated.chosen == 1);
    BOOST_TEST(results(session, model, 2) == std::vector<float>(4, 15), boost::test_tools::per_element());
    BOOST_TEST((accelerated.launches == 2 && accelerated.graphs == 2 && accelerated.graphRuns == 0));
    BOOST_TEST(results(session, model, 3) == std::vector<float>(4, 21), boost::test_tools::per_element());
    BOOST_TEST((accelerated.launches == 2 && accelerated.graphs == 2 && accelerated.graphRuns == 2));
    const int64_t other[] = {1}, first[] = {0};
    session.choose(other);
    BOOST_TEST(results(session, model, 3) == std::vector<float>(4, 12), boost::test_tools::per_element());
    BOOST_TEST((accelerated.launches == 3 && accelerated.graphs == 3 && accelerated.graphRuns == 3));
    session.choose(first);
    BOOST_TEST(results(session, model, 1) == std::vector<float>(4, 9), boost::test_tools::per_element());
    BOOST_TEST((accelerated.launches == 3 && accelerated.graphs == 3 && accelerated.graphRuns == 5));
  }
  BOOST_TEST(accelerated.resources == 0);
}

// Each size has graphs of its own, which are kept.
BOOST_AUTO_TEST_CASE(sizes_have_their_own_graphs) {
  static const vn_step other[] = {
      {nullptr, "quadruple", "here", kFirst, 2, 1, 0, 0, 0, 0, launch<4, 0>}, kSteps[1], kSteps[2]};
  vn_model first = toyModel(), second = toyModel();
  const vn_model *sizes[] = {&first, &second};
  second.height = 2;
  second.infer.steps = other;
  second.infer.arena_bytes = 256;
  first.sizes = second.sizes = sizes;
  first.num_sizes = second.num_sizes = 2;
  {
    Session session(first, {.resizable = true});
    BOOST_TEST(results(session, first, 2) == std::vector<float>(4, 15), boost::test_tools::per_element());
    session.resize(second);
    BOOST_TEST(results(session, second, 2) == std::vector<float>(4, 24), boost::test_tools::per_element());
    BOOST_TEST((accelerated.graphs == 4 && accelerated.graphRuns == 0));
    session.choose(Choices{1});
    BOOST_TEST(results(session, second, 2) == std::vector<float>(4, 13), boost::test_tools::per_element());
    session.resize(first);
    BOOST_TEST(results(session, first, 2) == std::vector<float>(4, 10), boost::test_tools::per_element());
    BOOST_TEST((accelerated.graphs == 6 && accelerated.graphRuns == 2));
    session.choose(Choices{0});
    session.resize(second);
    BOOST_TEST(results(session, second, 2) == std::vector<float>(4, 24), boost::test_tools::per_element());
    BOOST_TEST((accelerated.graphs == 6 && accelerated.graphRuns == 4));
  }
  BOOST_TEST(accelerated.resources == 0);
}

// Three steps of a wave between two that stand alone, and a pair: of the streams, the first waits for those
// that had a step.
BOOST_AUTO_TEST_CASE(steps_of_a_wave_divide_among_streams) {
  static const vn_operand third[] = {{VN_SPACE_ARENA, 0, 64}, {VN_SPACE_ARENA, 0, 0}},
                          fourth[] = {{VN_SPACE_ARENA, 0, 64}, {VN_SPACE_ARENA, 0, 128}},
                          fifth[] = {{VN_SPACE_ARENA, 0, 64}, {VN_SPACE_ARENA, 0, 192}};
  const vn_step steps[] = {{nullptr, "a", "a", kFirst, 2, 1, 0, 0, 0, 0, launch<2, 1>},
                           {nullptr, "b", "b", third, 2, 1, 0, 0, 0, 0, launch<3, 0>},
                           {nullptr, "c", "c", fourth, 2, 1, 0, 0, 0, 1, launch<4, 0>},
                           {nullptr, "d", "d", fifth, 2, 1, 0, 0, 0, 1, launch<5, 0>},
                           {nullptr, "e", "e", kSecond, 2, 1, 0, 0, 0, 0, launch<6, 0>},
                           {nullptr, "f", "f", third, 2, 1, 0, 0, 0, 1, launch<7, 0>}};
  vn_model model = toyModel();
  model.num_holes = 0;
  model.infer = {steps, 6, nullptr, 0, kArrays, 2, 256};
  const std::vector<std::string> expected = {
      "2@0",      "record@0", "follow@1", "follow@2", "3@0", "4@1", "5@2",      "record@1", "follow@0",
      "record@2", "follow@0", "record@0", "follow@1", "6@0", "7@1", "record@1", "follow@0"};
  {
    Session session(model, {});
    for (const char *how : {"directly", "as a graph"}) {
      accelerated.queued.clear();
      BOOST_TEST(results(session, model, 2) == std::vector<float>(4, 30), boost::test_tools::per_element());
      if (how == std::string("directly")) { // and then again, as it is recorded
        BOOST_TEST_REQUIRE(accelerated.queued.size() == 2 * expected.size());
        accelerated.queued.resize(expected.size());
        BOOST_TEST(accelerated.queued == expected, boost::test_tools::per_element());
      } else {
        BOOST_TEST(accelerated.queued.empty());
      }
    }
  }
  BOOST_TEST(accelerated.resources == 0);
}

BOOST_AUTO_TEST_CASE(steps_are_timed_without_graphs) {
  const vn_model model = toyModel();
  {
    Session session(model, {});
    IoArrays arrays(model.infer);
    std::vector<double> seconds;
    session.infer(arrays.pointers(), &seconds);
    BOOST_TEST(seconds == (std::vector<double>{0.5, 0.5, 0}), boost::test_tools::per_element());
    BOOST_TEST(accelerated.graphs == 0);
  }
  BOOST_TEST(accelerated.resources == 0);
}

// A part's time is at its first step; what is timed are the graphs of a call.
BOOST_AUTO_TEST_CASE(parts_are_timed_as_graphs) {
  const vn_model model = toyModel();
  {
    Session session(model, {});
    const int64_t other[] = {1};
    session.choose(other);
    IoArrays arrays(model.infer);
    std::vector<double> seconds;
    for (int run = 0; run < 2; ++run) {
      session.infer(arrays.pointers(), &seconds, Timed::Waves);
      BOOST_TEST(seconds == (std::vector<double>{0.5, 0, 0.5}), boost::test_tools::per_element());
    }
    BOOST_TEST((accelerated.launches == 2 && accelerated.graphs == 2 && accelerated.graphRuns == 2));
  }
  BOOST_TEST(accelerated.resources == 0);
}

BOOST_AUTO_TEST_CASE(devices_that_are_not_there) {
  const vn_model model = toyModel();
  expectError(VN_ERROR_DEVICE, "there is no device 2", [&] { Session(model, {.number = 2}); });
  expectError(VN_ERROR_DEVICE, "2 devices were found", [&] { Session(model, {.number = -1}); });
  accelerated.devices = 0;
  expectError(VN_ERROR_DEVICE, "Toy: there is no toy", [&] { Session(model, {}); });
  BOOST_TEST(accelerated.resources == 0);
}

BOOST_AUTO_TEST_CASE(too_little_memory_is_said_before_any_is_taken) {
  const vn_model model = toyModel();
  accelerated.freeBytes = 100;
  expectError(VN_ERROR_MEMORY, "a toy has 100 B free", [&] { Session(model, {}); });
  BOOST_TEST(accelerated.resources == 0);
}

BOOST_AUTO_TEST_CASE(a_step_that_fails) {
  const vn_model model = toyModel();
  {
    Session session(model, {});
    accelerated.failingStep = "the toy is broken";
    expectError(VN_ERROR_DEVICE, "Toy: the toy is broken\n  --> here", [&] { results(session, model, 1); });
    accelerated.onlyRecorded = true;
    expectError(VN_ERROR_DEVICE, "Toy: the toy is broken\n  --> here", [&] { results(session, model, 1); });
    accelerated.failingStep = nullptr;
    for (int run = 0; run < 2; ++run)
      BOOST_TEST(results(session, model, 2) == std::vector<float>(4, 15), boost::test_tools::per_element());
  }
  BOOST_TEST(accelerated.resources == 0);
}

BOOST_AUTO_TEST_CASE(models_whose_steps_cannot_be_launched) {
  vn_model model = toyModel();
  vn_step steps[3];
  std::copy(std::begin(kSteps), std::end(kSteps), steps);
  steps[1].launch = nullptr;
  model.infer.steps = steps;
  expectError(VN_ERROR_ABI, "infer lacks a table or a name", [&] { Session(model, {}); });
}

BOOST_AUTO_TEST_SUITE_END()
