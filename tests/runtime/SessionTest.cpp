#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Support.h"

#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"
#include "runtime/core/Shape.h"
#include "runtime/core/Sizes.h"
#include "runtime/device/cpu/Schedule.h"
#include "runtime/device/cpu/WaveShares.h"
#include "runtime/io/Weights.h"
#include "runtime/train/Initialize.h"

#include <cmath>
#include <cstdlib>
#include <thread>

using namespace vernier::runtime;
using namespace vernier::test;

using Fake = FakeModel<5, 3, 4, 6, 7>;

namespace {

struct EnvironmentVariable {
  EnvironmentVariable(const char *name, const char *value) : name(name) { setenv(name, value, 1); }
  ~EnvironmentVariable() { unsetenv(name); }
  const char *name;
};

} // namespace

static std::vector<float> inferred(Session &session) {
  IoArrays arrays(session.model().infer);
  const auto image = arrays.floats("image");
  for (size_t i = 0; i < image.size(); ++i)
    image[i] = float(i % 17) / 17;
  session.infer(arrays.pointers());
  const auto logits = arrays.floats("logits");
  return {logits.begin(), logits.end()};
}

BOOST_AUTO_TEST_SUITE(session)

// Each task is in one share; shares of a step alone differ by one task at most.
BOOST_AUTO_TEST_CASE(shares_cover_all_tasks_once_and_evenly) {
  for (int64_t tasks = 0; tasks < 40; ++tasks)
    for (int threads = 1; threads < 12; ++threads) {
      vn_step step{};
      step.num_tasks = tasks, step.cost = 1000;
      const Schedule schedule({&step, 1, nullptr, 0, nullptr, 0, 0}, {0, 1}, threads, true);
      BOOST_TEST(schedule.waves() == 1);
      int64_t next = 0;
      for (int thread = 0; thread < threads; ++thread) {
        const auto share = schedule.share(0, thread);
        BOOST_TEST(share.size() <= 1u);
        if (share.empty()) {
          BOOST_TEST(tasks < threads);
          continue;
        }
        BOOST_TEST(share[0].begin == next);
        BOOST_TEST(share[0].end - share[0].begin >= tasks / threads);
        BOOST_TEST(share[0].end - share[0].begin <= tasks / threads + 1);
        next = share[0].end;
      }
      BOOST_TEST(next == tasks);
    }
}

// The threads share a wave by cost: one has most of the costly step, the other its rest and the cheap ones.
BOOST_AUTO_TEST_CASE(waves_are_divided_by_cost) {
  vn_step steps[4]{};
  const int64_t tasks[] = {100, 10, 3, 8}, costs[] = {600, 300, 100, 500};
  for (int s = 0; s < 4; ++s) {
    steps[s].num_tasks = tasks[s], steps[s].cost = costs[s];
    steps[s].with_previous = s == 1 || s == 2;
  }
  const vn_program program{steps, 4, nullptr, 0, nullptr, 0, 0};
  const Schedule together(program, {0, 4}, 2, true);
  BOOST_TEST(together.waves() == 2);
  BOOST_TEST(together.steps(1).begin == 3);
  const auto first = together.share(0, 0), second = together.share(0, 1);
  BOOST_TEST(first.size() == 1u);
  BOOST_TEST(first[0].end == 83); // half of 1000 is 500 of its 600
  BOOST_TEST(second.size() == 3u);
  BOOST_TEST(second[0].begin == 83);
  BOOST_TEST(second[1].end == 10);
  BOOST_TEST(second[2].end == 3);
  BOOST_TEST(together.share(1, 1)[0].begin == 4);

  const Schedule apart(program, {0, 4}, 2, false);
  BOOST_TEST(apart.waves() == 4);
  BOOST_TEST(apart.share(2, 0)[0].end == 2);

  // Parts one after the other.
  Schedule parts(2);
  parts.append(Schedule(program, {1, 3}, 2, true));
  parts.append(together);
  BOOST_TEST(parts.waves() == 3);
  BOOST_TEST(parts.steps(0).begin == 1);
  BOOST_TEST(parts.steps(0).end == 3);
  BOOST_TEST(parts.steps(2).begin == 3);
  BOOST_TEST(parts.share(1, 0)[0].end == 83);
  BOOST_TEST(parts.share(2, 1)[0].begin == 4);
}

BOOST_AUTO_TEST_CASE(each_share_of_each_wave_runs_once_and_in_order) {
  constexpr int threads = 5, steps = 500; // more threads than most test machines have CPUs
  WaveShares shares(threads);
  std::vector<std::atomic<int>> runs(threads * steps);
  std::atomic<int> finished{0}, early{0};
  auto body = [&](int thread) {
    shares.go(
        steps, thread,
        [&](int64_t step, int share) {
          early += finished != step;
          ++runs[size_t(step * threads + share)];
          if ((step * 7 + share) % 61 == 0) // long enough for others to sleep
            std::this_thread::sleep_for(std::chrono::microseconds(300));
        },
        [&](int64_t step) {
          early += finished != step;
          ++finished;
        });
  };
  std::vector<std::thread> team;
  for (int t = 0; t < threads; ++t)
    team.emplace_back(body, t);
  for (std::thread &thread : team)
    thread.join();
  BOOST_TEST(finished == steps);
  BOOST_TEST(early == 0);
  for (const auto &count : runs)
    BOOST_REQUIRE(count == 1);
}

BOOST_AUTO_TEST_CASE(steps_go_on_without_a_thread_that_has_no_cpu) {
  WaveShares shares(3);
  int finished = 0;
  auto run = [](int64_t, int) {};
  shares.go(100, 1, run, [&](int64_t) { ++finished; }); // threads 0 and 2 have not begun
  BOOST_TEST(finished == 100);
  shares.go(100, 0, run, [&](int64_t) { ++finished; }); // and then have nothing left to do
  BOOST_TEST(finished == 100);
}

BOOST_AUTO_TEST_CASE(results_are_those_of_the_formula_for_any_number_of_threads) {
  std::vector<float> first;
  for (const int threads : {1, 2, 3, 8}) {
    Session session(Fake::model, {.threads = threads});
    initializeWeights(session, {.seed = 3});
    setFirst(session, Fake::parameters[0], 0.25f);
    const std::vector<float> logits = inferred(session);
    if (first.empty())
      first = logits;
    BOOST_TEST(logits == first);
    const std::vector<float> weight = session.read(Fake::parameters[1]),
                             bias = session.read(Fake::parameters[2]);
    double expected = double(bias[2]);
    for (int64_t i = 0; i < Fake::inputs; ++i)
      expected +=
          (double((Fake::inputs + i) % 17) / 17 - 0.25) * double(weight[size_t(2 * Fake::inputs + i)]);
    BOOST_TEST(double(logits[7 + 2]) == expected, boost::test_tools::tolerance(1e-4));
  }
}

BOOST_AUTO_TEST_CASE(prepare_follows_every_change_of_weights) {
  Session session(Fake::model);
  initializeWeights(session, {});
  const std::vector<float> before = inferred(session);
  fill(session, Fake::parameters[1], 0);
  fill(session, Fake::parameters[2], 2);
  BOOST_TEST(inferred(session) != before);
  BOOST_TEST(inferred(session) == std::vector<float>(35, 2.0f));
}

BOOST_AUTO_TEST_CASE(states_and_arguments_are_checked) {
  Session session(Fake::model);
  IoArrays arrays(Fake::model.infer);
  expectError(VN_ERROR_STATE, "has no weights yet", [&] { session.infer(arrays.pointers()); });
  initializeWeights(session, {});
  expectError(VN_ERROR_ARGUMENT, "1 arrays given, the program takes 2",
              [&] { session.infer(arrays.pointers().first(1)); });
  void *const none[] = {nullptr, nullptr};
  expectError(VN_ERROR_ARGUMENT, "array `image` is null", [&] { session.infer(none); });
  expectError(VN_ERROR_STATE, "created for inference", [&] { session.trainStep({}); });
  expectError(VN_ERROR_STATE, "no program that evaluates its losses", [&] { session.evaluate({}); });
  vn_model inferenceOnly = Fake::model;
  inferenceOnly.train_step.num_steps = 0;
  expectError(VN_ERROR_STATE, "was built for inference only",
              [&] { Session(inferenceOnly, {.training = true}); });
}

BOOST_AUTO_TEST_CASE(models_that_cannot_run_are_refused) {
  vn_model model = Fake::model;
  model.abi_version = 99;
  expectError(VN_ERROR_ABI, "generated for runtime interface 99", [&] { Session{model}; });
  model = Fake::model;
  model.target = "sse2,quantum,fma";
  expectError(VN_ERROR_CPU, "this CPU lacks `quantum`", [&] { Session{model}; });
  model = Fake::model;
  model.derived_bytes = int64_t(1) << 45;
  expectError(VN_ERROR_MEMORY, "out of memory: model `fake` needs 32.0 TiB", [&] { Session{model}; });
  model.derived_bytes = -64;
  expectError(VN_ERROR_ABI, "impossible size", [&] { Session{model}; });
  model = Fake::model;
  model.parameter_bytes = 64;
  expectError(VN_ERROR_ABI, "parameter `fc.weight` lies outside its space", [&] { Session{model}; });
  model = Fake::model;
  vn_parameter begun = model.parameters[1];
  begun.initial = NAN;
  model.parameters = &begun, model.num_parameters = 1;
  expectError(VN_ERROR_ABI, "parameter `fc.weight` begins with no finite number", [&] { Session{model}; });
  model = Fake::model;
  model.infer.arena_bytes = -1;
  expectError(VN_ERROR_ABI, "impossible arena", [&] { Session{model}; });
  model = Fake::model;
  vn_operand outside[] = {{VN_SPACE_IO, 7, 0}};
  vn_step step = {Fake::sumLoss, "sum", "loss", outside, 1, 1, 0, 0, 0, 0, nullptr};
  model.infer.steps = &step, model.infer.num_steps = 1;
  expectError(VN_ERROR_ABI, "operand 0 of step 0 of infer (sum) names no space or array",
              [&] { Session{model}; });
  outside[0] = {VN_SPACE_IO, 1, 4 * 5 * 7 + 4}; // beyond the logits
  expectError(VN_ERROR_ABI, "operand 0 of step 0 of infer (sum) lies outside its space",
              [&] { Session{model}; });
}

BOOST_AUTO_TEST_CASE(thread_counts) {
  {
    const EnvironmentVariable threads("VERNIER_THREADS", "3");
    BOOST_TEST(Session(Fake::model).threads() == 3);
    BOOST_TEST(Session(Fake::model, {.threads = 2}).threads() == 2);
  }
  const EnvironmentVariable threads("VERNIER_THREADS", "many");
  expectError(VN_ERROR_ARGUMENT, "`many` is no number of threads\n  --> environment variable VERNIER_THREADS",
              [] { Session{Fake::model}; });
  for (const int64_t count : {int64_t(-1), int64_t(4097), INT64_MIN, INT64_MAX})
    expectError(VN_ERROR_ARGUMENT,
                std::to_string(count) + " is no possible number of threads\nhelp: a number from 1 to 4096",
                [&] { Session(Fake::model, {.threads = count}); });
}

BOOST_AUTO_TEST_CASE(openmp_thread_counts_are_taken_over) {
  {
    const EnvironmentVariable nested("OMP_NUM_THREADS", "3,2");
    BOOST_TEST(Session(Fake::model).threads() == 3);
    const EnvironmentVariable own("VERNIER_THREADS", "2");
    BOOST_TEST(Session(Fake::model).threads() == 2);
  }
  const EnvironmentVariable none("OMP_NUM_THREADS", "0");
  expectError(VN_ERROR_ARGUMENT, "`0` is no number of threads\n  --> environment variable OMP_NUM_THREADS",
              [] { Session{Fake::model}; });
}

// What train_step would read beyond its memory with, or compute a wrong loss from.
BOOST_AUTO_TEST_CASE(training_arrays_are_checked) {
  Session session(Fake::model, {.threads = 1, .training = true});
  initializeWeights(session, {});
  IoArrays arrays(Fake::model.train_step);
  const auto labels = arrays.ints("labels");
  const float before = firstOf(session, Fake::parameters[0]);
  for (const int32_t label : {-1, 7, 100'000'000, INT32_MIN, INT32_MAX}) {
    labels[3] = label;
    expectError(VN_ERROR_VALUE,
                "element 3 of `labels` is " + std::to_string(label) +
                    ", model `fake` has 7 classes\nhelp: labels are numbers from 0 to 6",
                [&] { session.trainStep(arrays.pointers()); });
  }
  labels[3] = 6;
  for (const float smoothing : {-0.1f, 1.5f, std::nanf(""), INFINITY}) {
    arrays.floats("label_smoothing")[0] = smoothing;
    expectError(VN_ERROR_VALUE, "`label_smoothing` is", [&] { session.trainStep(arrays.pointers()); });
  }
  BOOST_TEST(before == firstOf(session, Fake::parameters[0])); // nothing has run
  arrays.floats("label_smoothing")[0] = 0.1f;
  session.trainStep(arrays.pointers());

  // Targets of binary cross-entropy.
  vn_io io[5];
  std::ranges::copy(Fake::trainIo, io);
  io[1] = {"labels", VN_FLOAT32, VN_INPUT, 2, {5, 7, 0, 0}, 0, 0};
  vn_model binary = Fake::model;
  binary.train_step.io = io;
  Session targets(binary, {.threads = 1, .training = true});
  initializeWeights(targets, {});
  IoArrays targetArrays(binary.train_step);
  for (const float target : {-1.0f, 2.0f, std::nanf("")}) {
    targetArrays.floats("labels")[34] = target;
    expectError(VN_ERROR_VALUE, "element 34 of `labels` is",
                [&] { targets.trainStep(targetArrays.pointers()); });
  }
}

BOOST_AUTO_TEST_CASE(arrays_that_overlap_or_are_not_aligned) {
  Session session(Fake::model);
  initializeWeights(session, {});
  std::vector<float> memory(5 * 72 + 5 * 7 + 4);
  char *const start = reinterpret_cast<char *>(memory.data());
  const auto run = [&](int64_t image, int64_t logits) {
    void *const io[] = {start + image, start + logits};
    session.infer(io);
  };
  run(0, 4 * 5 * 72);
  run(4 * 5 * 7, 0);
  expectError(VN_ERROR_ARGUMENT, "arrays `image` and `logits` overlap", [&] { run(0, 4 * 5 * 72 - 4); });
  expectError(VN_ERROR_ARGUMENT, "arrays `image` and `logits` overlap", [&] { run(0, 0); });
  expectError(VN_ERROR_ARGUMENT, "array `image` is at an address that is no multiple of 4",
              [&] { run(1, 4 * 5 * 72 + 4); });
}

BOOST_AUTO_TEST_CASE(tables_that_are_missing) {
  const auto refused = [](const char *message, auto change) {
    vn_model model = Fake::model;
    change(model);
    expectError(VN_ERROR_ABI, message, [&] { Session{model}; });
  };
  refused("no name, description or target", [](vn_model &m) { m.name = nullptr; });
  refused("no name, description or target", [](vn_model &m) { m.target = nullptr; });
  refused("it lacks a table", [](vn_model &m) { m.parameters = nullptr; });
  refused("it lacks a table", [](vn_model &m) { m.num_parameters = -1; });
  refused("infer lacks a table or a name", [](vn_model &m) { m.infer.steps = nullptr; });
  refused("prepare lacks a table or a name", [](vn_model &m) { m.prepare.num_segments = 3; });
  refused("train_step lacks a table or a name", [](vn_model &m) { m.train_step.io = nullptr; });
  static constexpr vn_step noKernel[] = {{nullptr, "k", "p", nullptr, 0, 1, 0, 0, 0, 0, nullptr}};
  refused("prepare lacks a table or a name", [](vn_model &m) { m.prepare.steps = noKernel; });
}

BOOST_AUTO_TEST_CASE(a_model_without_parameters_needs_no_weights) {
  static constexpr vn_operand operands[] = {{VN_SPACE_IO, 0, 0}, {VN_SPACE_IO, 1, 0}};
  static constexpr vn_step steps[] = {{[](void *const *io, int64_t begin, int64_t end) {
                                         for (int64_t i = begin; i < end; ++i)
                                           static_cast<float *>(io[1])[i] = -static_cast<float *>(io[0])[i];
                                       },
                                       "negate", "y", operands, 2, 24, 0, 0, 0, 0, nullptr}};
  static constexpr vn_io io[] = {{"image", VN_FLOAT32, VN_INPUT, 4, {1, 2, 3, 4}, 0, 0},
                                 {"y", VN_FLOAT32, VN_OUTPUT, 4, {1, 2, 3, 4}, 0, 0}};
  const vn_model model{VN_ABI_VERSION,
                       "none",
                       "{}",
                       "",
                       VN_FLOAT32,
                       1,
                       2,
                       3,
                       4,
                       0,
                       0,
                       nullptr,
                       0,
                       nullptr,
                       0,
                       0,
                       0,
                       0,
                       0,
                       {},
                       {steps, 1, nullptr, 0, io, 2, 0},
                       {},
                       {},
                       {},
                       {},
                       nullptr,
                       nullptr,
                       0};
  vn_session *session = nullptr;
  const vn_session_options options{.threads = 2, .training = 0, .device = 0, .reserved = {}};
  BOOST_REQUIRE(vn_session_create(&model, &options, &session) == VN_OK);
  IoArrays arrays(model.infer);
  arrays.floats("image")[5] = 3;
  BOOST_TEST(vn_session_run(session, VN_PROGRAM_INFER, arrays.pointers().data(), 2) == VN_OK);
  BOOST_TEST(arrays.floats("y")[5] == -3);
  vn_session_destroy(session);
}

// While one thread's call runs, others are refused; destroying waits for it.
BOOST_AUTO_TEST_CASE(a_busy_session_refuses_other_threads) {
  static std::atomic<int> stage;
  stage = 0;
  static constexpr vn_step waiting[] = {{[](void *const *, int64_t, int64_t) {
                                           stage = 1;
                                           while (stage != 2)
                                             std::this_thread::yield();
                                         },
                                         "wait", "fc", Fake::inferLogitsOperands, 4, 1, 0, 0, 0, 0, nullptr}};
  vn_model model = Fake::model;
  model.infer.steps = waiting, model.infer.num_steps = 1;
  vn_session *session = nullptr;
  const vn_session_options options{.threads = 1, .training = 0, .device = 0, .reserved = {}};
  BOOST_REQUIRE(vn_session_create(&model, &options, &session) == VN_OK);
  for (int64_t i = 0; i < model.num_parameters; ++i) {
    const std::vector<float> zeros(size_t(elementCount(model.parameters[i])));
    BOOST_REQUIRE(vn_session_write_parameter(session, i, zeros.data(), int64_t(zeros.size())) == VN_OK);
  }
  IoArrays arrays(model.infer);
  const auto io = arrays.pointers();
  vn_status first = VN_ERROR_INTERNAL;
  std::thread runner([&] { first = vn_session_run(session, VN_PROGRAM_INFER, io.data(), 2); });
  while (stage != 1)
    std::this_thread::yield();
  float value = 0;
  BOOST_TEST(vn_session_run(session, VN_PROGRAM_INFER, io.data(), 2) == VN_ERROR_BUSY);
  BOOST_TEST(std::string(vn_last_error()).find("give each thread a session of its own") != std::string::npos);
  BOOST_TEST(vn_session_load_weights(session, "file") == VN_ERROR_BUSY);
  BOOST_TEST(vn_session_read_parameter(session, 0, &value, 1) == VN_ERROR_BUSY);
  BOOST_TEST(vn_session_write_parameter(session, 0, &value, 1) == VN_ERROR_BUSY);
  BOOST_TEST(vn_session_read_gradient(session, 0, &value, 1) == VN_ERROR_BUSY);
  BOOST_TEST(vn_session_choose(session, nullptr, 0) == VN_ERROR_BUSY);
  BOOST_TEST(vn_session_resize(session, 1, 1, 1) == VN_ERROR_BUSY);
  std::thread destroyer([&] { vn_session_destroy(session); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  stage = 2;
  runner.join();
  destroyer.join();
  BOOST_TEST(first == VN_OK);
}

// What runs is what was chosen last; the first choice before that.
BOOST_AUTO_TEST_CASE(choices_decide_what_runs) {
  const vn_model open = Fake::openModel();
  Session session(open), centred(Fake::model);
  for (Session *each : {&session, &centred}) {
    initializeWeights(*each, {});
    setFirst(*each, each->model().parameters[0], 0.25f);
  }
  const std::vector<float> expected = inferred(centred);
  BOOST_TEST(inferred(session) == expected);
  session.choose(Choices{1});
  const std::vector<float> plain = inferred(session);
  BOOST_TEST(plain != expected);
  setFirst(centred, Fake::parameters[0], 0);
  BOOST_TEST(plain == inferred(centred));
  std::vector<double> seconds; // of the steps that ran
  IoArrays arrays(open.infer);
  session.infer(arrays.pointers(), &seconds);
  BOOST_REQUIRE(seconds.size() == 3u);
  BOOST_TEST(seconds[1] == 0);
  BOOST_TEST(seconds[2] > 0);
  // Steps that run together are timed together.
  vn_step together[3] = {open.infer.steps[0], open.infer.steps[1], open.infer.steps[2]};
  together[2].with_previous = 1;
  // Steps of one wave write to places of their own.
  const int64_t beside = open.infer.arena_bytes;
  const vn_operand own[] = {Fake::io(0), Fake::packed, Fake::bias, Fake::arena(beside)};
  together[2].operands = own;
  const vn_variant both[] = {{1, 3, Fake::macs}};
  const vn_segment inOneWave[] = {open.infer.segments[0], {nullptr, 0, both, 1}};
  vn_model waves = open;
  waves.infer.steps = together;
  waves.infer.segments = inOneWave;
  waves.infer.arena_bytes = beside + align64(4 * 5 * 7);
  Session timed(waves);
  initializeWeights(timed, {});
  timed.infer(arrays.pointers(), &seconds, Timed::Waves);
  BOOST_TEST(seconds[1] > 0);
  BOOST_TEST(seconds[2] == 0);
  timed.infer(arrays.pointers(), &seconds);
  BOOST_TEST(seconds[2] > 0);
  session.choose(Choices{0});
  BOOST_TEST(inferred(session) == expected);
  BOOST_TEST(macsOf(open, session.choices()) == Fake::macs);

  expectError(VN_ERROR_ARGUMENT, "0 choices for the 1 open holes", [&] { session.choose({}); });
  expectError(VN_ERROR_ARGUMENT, "hole `norm.centre` has no choice number 2",
              [&] { session.choose(Choices{2}); });
  BOOST_TEST(inferred(session) == expected);
  expectError(VN_ERROR_ARGUMENT, "1 choices for the 0 open holes", [&] { centred.choose(Choices{0}); });
}

namespace {

/// The fake at two batches, which share all but the programs that depend on them.
struct TwoSizes {
  using Smaller = FakeModel<2, 3, 4, 6, 7>;
  TwoSizes() {
    smaller.parameters = larger.parameters;
    smaller.prepare = larger.prepare;
    smaller.update = larger.update;
    larger.sizes = smaller.sizes = table;
    larger.num_sizes = smaller.num_sizes = 2;
  }
  vn_model larger = Fake::model, smaller = Smaller::model;
  const vn_model *table[2] = {&larger, &smaller};
};

} // namespace

// Weights are those of all sizes, written at any; arrays are those of the size that runs.
BOOST_AUTO_TEST_CASE(sizes_share_weights) {
  TwoSizes model;
  Session session(model.smaller, {.resizable = true}), first(Fake::model), second(TwoSizes::Smaller::model);
  for (Session *each : {&session, &first, &second}) {
    initializeWeights(*each, {.seed = 5});
    setFirst(*each, each->model().parameters[0], 0.25f);
  }
  const std::vector<float> small = inferred(second), large = inferred(first);
  BOOST_TEST(inferred(session) == small);
  session.resize(model.larger);
  BOOST_TEST(session.model().batch == 5);
  BOOST_TEST(inferred(session) == large);
  session.write(session.model().parameters[2], std::vector<float>(7, 0.5f));
  BOOST_TEST(inferred(session) != large);
  BOOST_TEST(session.hasWeights());
  session.resize(model.smaller);
  BOOST_TEST(inferred(session) != small);
  second.write(second.model().parameters[2], std::vector<float>(7, 0.5f));
  BOOST_TEST(inferred(session) == inferred(second));
}

BOOST_AUTO_TEST_CASE(a_step_at_one_size_trains_all) {
  TwoSizes model;
  Session session(model.larger, {.training = true, .resizable = true});
  initializeWeights(session, {.seed = 5});
  const auto step = [&] {
    IoArrays arrays(session.model().train_step), update(session.model().update);
    for (size_t i = 0; float &value : arrays.floats("image"))
      value = float(i++ % 17) / 17;
    session.trainStep(arrays.pointers());
    std::ranges::fill(update.floats("learning_rate"), 0.5f);
    std::ranges::fill(update.ints("trained"), 1);
    session.update(update.pointers());
    return session.read(session.model().parameters[1]);
  };
  const std::vector<float> before = session.read(session.model().parameters[1]), after = step();
  BOOST_TEST(after != before);
  session.resize(model.smaller);
  BOOST_TEST(session.read(session.model().parameters[1]) == after);
  BOOST_TEST(step() != after);
}

BOOST_AUTO_TEST_CASE(sizes_that_contradict_each_other) {
  const auto refused = [](const char *message, auto change) {
    TwoSizes model;
    change(model);
    expectError(VN_ERROR_ABI, message, [&] { Session{model.larger}; });
  };
  refused("lacks the table of its sizes", [](TwoSizes &m) { m.larger.sizes = nullptr; });
  refused("a size is missing", [](TwoSizes &m) { m.table[1] = nullptr; });
  refused("is none of its own sizes", [](TwoSizes &m) { m.table[0] = &m.smaller; });
  refused("differ in more than their programs",
          [](TwoSizes &m) { m.smaller.parameters = TwoSizes::Smaller::parameters; });
  refused("differ in more than their programs", [](TwoSizes &m) { m.smaller.derived_bytes += 64; });
  refused("infer has an impossible arena", [](TwoSizes &m) { m.smaller.infer.arena_bytes = -1; });
}

BOOST_AUTO_TEST_CASE(sizes_as_text_and_by_their_numbers) {
  TwoSizes model;
  BOOST_TEST(sizesText(model.larger) == "4x6 (batch 5, 2)");
  BOOST_TEST(sizesText(Fake::model) == "4x6 (batch 5)");
  BOOST_TEST(&sizeOf(model.smaller, 5, 4, 6) == &model.larger);
  expectError(VN_ERROR_ARGUMENT, "was not built for 3 images of 4x6", [&] { sizeOf(model.larger, 3, 4, 6); });
  expectError(VN_ERROR_ARGUMENT, "it has 4x6 (batch 5, 2)", [&] { sizeOf(model.larger, 5, 6, 4); });
  const auto batches = batchesOf(model.smaller, 4, 6);
  BOOST_REQUIRE(batches.size() == 2u);
  for (const auto &[images, batch] : {std::pair(12, 5), {5, 5}, {4, 2}, {2, 2}, {1, 2}})
    BOOST_TEST(nextBatch(batches, images).batch == batch);
}

BOOST_AUTO_TEST_CASE(choices_as_text) {
  const vn_model open = Fake::openModel();
  BOOST_TEST(parseChoices(open, "0") == Choices{1});
  BOOST_TEST(parseChoices(open, "norm.centre=0.0") == Choices{1});
  BOOST_TEST(choicesText(open, Choices{0}) == "norm.centre=1");
  expectError(VN_ERROR_ARGUMENT, "`2` is no choice of hole `norm.centre`", [&] { parseChoices(open, "2"); });
  expectError(VN_ERROR_ARGUMENT, "`` is no choice", [&] { parseChoices(open, ""); });
  expectError(VN_ERROR_ARGUMENT, "closest hole: `norm.centre`", [&] { parseChoices(open, "norm.center=1"); });
  expectError(VN_ERROR_ARGUMENT, "2 values for the 1 open hole of", [&] { parseChoices(open, "1,0"); });
  expectError(VN_ERROR_ARGUMENT, "is named twice",
              [&] { parseChoices(open, "norm.centre=1,norm.centre=0"); });
  expectError(VN_ERROR_ARGUMENT, "no open holes", [&] { parseChoices(Fake::model, "1"); });
}

BOOST_AUTO_TEST_CASE(segments_that_contradict_the_holes) {
  const auto refused = [](const char *message, auto change) {
    vn_model open = Fake::openModel();
    std::vector<vn_segment> segments(Fake::segments, Fake::segments + 2);
    change(open, segments);
    open.infer.segments = segments.data();
    expectError(VN_ERROR_ABI, message, [&] { Session{open}; });
  };
  static constexpr vn_variant beyond[] = {{1, 2, 0}, {2, 4, 0}};
  static constexpr int64_t none[] = {1};
  refused("segment 1 of infer names no steps", [](vn_model &, auto &s) { s[1].variants = beyond; });
  refused("segment 1 of infer names no hole", [](vn_model &, auto &s) { s[1].holes = none; });
  refused("segment 1 of infer has too few variants", [](vn_model &, auto &s) { s[1].num_variants = 1; });
  refused("segment 0 of infer has too many variants", [](vn_model &, auto &s) { s[0].num_variants = 2; });
  refused("infer has open holes or segments, but not both",
          [](vn_model &m, auto &) { m.infer.num_segments = 0; });
  static constexpr vn_hole empty[] = {{"norm.centre", Fake::centreChoices, 0}};
  refused("hole `norm.centre` has no choices", [](vn_model &m, auto &) { m.holes = empty; });
}

BOOST_AUTO_TEST_CASE(guards_name_the_kernel_that_leaves_the_arena) {
  const EnvironmentVariable check("VERNIER_CHECK_ARENA", "1");
  {
    Session session(Fake::model, {.training = true});
    initializeWeights(session, {});
    inferred(session);
    IoArrays arrays(Fake::model.train_step);
    session.trainStep(arrays.pointers());
  }
  vn_model model = Fake::model;
  model.infer.arena_bytes -= 64; // the plan's bound is too low for what `centre` writes
  Session session(model);
  initializeWeights(session, {});
  expectError(VN_ERROR_INTERNAL, "kernel `centre` wrote outside the arena\n  --> norm",
              [&] { inferred(session); });
}

BOOST_AUTO_TEST_CASE(c_interface_returns_a_status_per_cause) {
  vn_session *session = nullptr;
  BOOST_TEST(vn_session_create(nullptr, nullptr, &session) == VN_ERROR_ARGUMENT);
  BOOST_TEST(std::string(vn_last_error()) == "error: a pointer argument is null");
  BOOST_TEST(vn_session_create(&Fake::model, nullptr, nullptr) == VN_ERROR_ARGUMENT);
  vn_session_options options{.threads = -3, .training = 0, .device = 0, .reserved = {}};
  BOOST_TEST(vn_session_create(&Fake::model, &options, &session) == VN_ERROR_ARGUMENT);
  options = {.threads = 1, .training = 1, .device = 2, .reserved = {}};
  BOOST_TEST(vn_session_create(&Fake::model, &options, &session) == VN_ERROR_ARGUMENT);
  BOOST_TEST(std::string(vn_last_error()).find("there is no device 2") != std::string::npos);
  options.device = 0, options.reserved[4] = 1; // of a later interface
  BOOST_TEST(vn_session_create(&Fake::model, &options, &session) == VN_ERROR_ARGUMENT);
  options.reserved[4] = 0;
  std::vector<float> values(7);
  BOOST_TEST(vn_session_load_weights(nullptr, "file") == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_read_parameter(nullptr, 0, values.data(), 1) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_write_parameter(nullptr, 0, values.data(), 1) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_read_gradient(nullptr, 0, values.data(), 1) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_choose(nullptr, nullptr, 0) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_run(nullptr, VN_PROGRAM_INFER, nullptr, 0) == VN_ERROR_ARGUMENT);
  vn_adaptive_session *adaptive = nullptr;
  BOOST_TEST(vn_adaptive_session_create(nullptr, nullptr, &adaptive) == VN_ERROR_ARGUMENT);
  const vn_adaptive empty{};
  BOOST_TEST(vn_adaptive_session_create(&empty, nullptr, &adaptive) == VN_ERROR_ABI);
  BOOST_TEST(vn_adaptive_session_load_weights(nullptr, "file") == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_adaptive_session_run(nullptr, nullptr, 0, 0, nullptr, nullptr) == VN_ERROR_ARGUMENT);
  vn_model wrong = Fake::model;
  wrong.abi_version = 0;
  BOOST_TEST(vn_session_create(&wrong, nullptr, &session) == VN_ERROR_ABI);
  BOOST_TEST(session == nullptr);

  BOOST_REQUIRE(vn_session_create(&Fake::model, &options, &session) == VN_OK);
  IoArrays arrays(Fake::model.infer);
  const auto io = arrays.pointers();
  BOOST_TEST(vn_session_run(session, VN_PROGRAM_INFER, io.data(), 2) == VN_ERROR_STATE);
  BOOST_TEST(vn_session_load_weights(session, "no-such-file") == VN_ERROR_FILE);
  BOOST_TEST(vn_session_load_weights(session, nullptr) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_run(session, VN_PROGRAM_INFER, nullptr, 2) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_run(session, VN_PROGRAM_INFER, io.data(), -1) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_run(session, vn_program_id(7), io.data(), 2) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_choose(session, nullptr, -1) == VN_ERROR_ARGUMENT);
  const auto write = [&](int64_t index, const float *from, int64_t count) {
    return vn_session_write_parameter(session, index, from, count);
  };
  BOOST_TEST(write(-1, values.data(), 7) == VN_ERROR_ARGUMENT);
  BOOST_TEST(write(3, values.data(), 7) == VN_ERROR_ARGUMENT);
  BOOST_TEST(write(2, nullptr, 7) == VN_ERROR_ARGUMENT);
  BOOST_TEST(write(2, values.data(), 6) == VN_ERROR_ARGUMENT);
  BOOST_TEST(std::string(vn_last_error()) == "error: 6 values given for parameter `fc.bias`, which has 7");
  values[4] = 5;
  BOOST_TEST(write(2, values.data(), 7) == VN_OK);
  BOOST_TEST(vn_session_run(session, VN_PROGRAM_INFER, io.data(), 2) == VN_ERROR_STATE); // others are missing
  const std::vector<float> zeros(size_t(Fake::inputs * 7));
  BOOST_TEST(write(0, zeros.data(), 1) == VN_OK);
  BOOST_TEST(write(1, zeros.data(), int64_t(zeros.size())) == VN_OK);
  BOOST_TEST(vn_session_run(session, VN_PROGRAM_INFER, io.data(), 2) == VN_OK);
  BOOST_TEST(arrays.floats("logits")[4] == 5);
  values.assign(7, 0);
  BOOST_TEST(vn_session_read_parameter(session, 2, values.data(), 8) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_read_parameter(session, 2, values.data(), 7) == VN_OK);
  BOOST_TEST(values[4] == 5);
  const int64_t choice = 0;
  BOOST_TEST(vn_session_choose(session, nullptr, 0) == VN_OK);
  BOOST_TEST(vn_session_choose(session, nullptr, 1) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_choose(session, &choice, 1) == VN_ERROR_ARGUMENT);
  IoArrays training(Fake::model.train_step);
  BOOST_TEST(vn_session_run(session, VN_PROGRAM_TRAIN_STEP, training.pointers().data(), 5) == VN_OK);
  BOOST_TEST(vn_session_read_gradient(session, 0, values.data(), 1) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_read_gradient(session, 2, values.data(), 7) == VN_OK);
  BOOST_TEST(values[4] > 0); // the logit that is too large for label 0
  BOOST_TEST(vn_session_run(session, VN_PROGRAM_ACCUMULATE, io.data(), 2) == VN_ERROR_STATE); // no open holes
  IoArrays update(Fake::model.update);
  std::ranges::fill(update.floats("learning_rate"), 1.0f);
  std::ranges::fill(update.ints("trained"), 1);
  BOOST_TEST(vn_session_run(session, VN_PROGRAM_UPDATE, update.pointers().data(), 7) == VN_OK);
  float updated[7];
  BOOST_TEST(vn_session_read_parameter(session, 2, updated, 7) == VN_OK);
  BOOST_TEST(updated[4] == 5 - values[4]);
  std::vector<float> momentum(7);
  BOOST_TEST(vn_session_read_momentum(session, 0, momentum.data(), 1) == VN_ERROR_ARGUMENT);
  BOOST_TEST(vn_session_read_momentum(session, 2, momentum.data(), 7) == VN_OK);
  BOOST_TEST(momentum == values); // the gradients
  momentum[4] = 2;
  BOOST_TEST(vn_session_write_momentum(session, 2, momentum.data(), 7) == VN_OK);
  update.floats("momentum")[0] = 0.5f;
  BOOST_TEST(vn_session_run(session, VN_PROGRAM_UPDATE, update.pointers().data(), 7) == VN_OK);
  BOOST_TEST(vn_session_read_momentum(session, 2, momentum.data(), 7) == VN_OK);
  BOOST_TEST(momentum[4] == 1 + values[4]);
  for (const char *flag : {"nesterov", "trained"}) {
    update.ints(flag)[0] = 2;
    BOOST_TEST(vn_session_run(session, VN_PROGRAM_UPDATE, update.pointers().data(), 7) == VN_ERROR_VALUE);
    BOOST_TEST(std::string(vn_last_error()).find(std::string("element 0 of `") + flag + "` is 2") !=
               std::string::npos);
    update.ints(flag)[0] = 0;
  }
  vn_session_destroy(session);
  vn_session_destroy(nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
