// What a session times of a program.
#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Support.h"

#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"
#include "runtime/train/Initialize.h"

#include <chrono>

using namespace vernier::runtime;
using namespace vernier::test;

using Fake = FakeModel<5, 3, 4, 6, 7>;

BOOST_AUTO_TEST_SUITE(timed)

BOOST_AUTO_TEST_CASE(each_step_or_the_program_as_one) {
  Session session(Fake::model, {.threads = 2, .training = true});
  initializeWeights(session, {});
  IoArrays infer(Fake::model.infer), train(Fake::model.train_step);
  const auto expectTimes = [](const auto &run, Timed timed, int64_t count) {
    std::vector<double> seconds = {-1, -1, -1, -1, -1, -1, -1, -1};
    const auto before = std::chrono::steady_clock::now();
    run(&seconds, timed);
    const std::chrono::duration<double> call = std::chrono::steady_clock::now() - before;
    BOOST_TEST(int64_t(seconds.size()) == count);
    double sum = 0;
    for (const double part : seconds) {
      BOOST_TEST(part >= 0);
      sum += part;
    }
    BOOST_TEST(sum > 0);
    BOOST_TEST(sum <= call.count());
  };
  const auto inferring = [&](auto *seconds, Timed timed) { session.infer(infer.pointers(), seconds, timed); };
  const auto training = [&](auto *seconds, Timed timed) {
    session.trainStep(train.pointers(), seconds, timed);
  };
  for (const Timed timed : {Timed::Steps, Timed::Waves}) {
    expectTimes(inferring, timed, Fake::model.infer.num_steps);
    expectTimes(training, timed, Fake::model.train_step.num_steps);
  }
  expectTimes(inferring, Timed::Program, 1);
  expectTimes(training, Timed::Program, 1);
}

BOOST_AUTO_TEST_SUITE_END()
