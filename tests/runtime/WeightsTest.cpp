#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Support.h"

#include "runtime/io/Weights.h"
#include "runtime/train/Initialize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

using namespace vernier::runtime;
using namespace vernier::test;

using Fake = FakeModel<2, 1, 2, 3, 4>;

BOOST_AUTO_TEST_SUITE(weights)

BOOST_AUTO_TEST_CASE(round_trip_with_batch_counters) {
  TemporaryFolder folder;
  Session first(Fake::model), second(Fake::model);
  initializeWeights(first, {.seed = 5});
  HostTensors tensors = weightTensors(first);
  const float counter = 12;
  tensors.views.push_back({"norm.num_batches_tracked", {}, {&counter, 1}});
  writeSafetensors(folder / "w", tensors.views, {});
  loadWeights(second, Safetensors::read(folder / "w"));
  for (const vn_parameter &parameter : Fake::parameters)
    BOOST_TEST(first.read(parameter) == second.read(parameter));
}

BOOST_AUTO_TEST_CASE(every_mismatch_is_listed_and_nothing_is_loaded) {
  TemporaryFolder folder;
  Session session(Fake::model);
  initializeWeights(session, {.seed = 5});
  const std::vector<float> before = session.read(Fake::parameters[0]);
  const std::vector<float> values(24, 9.0f);
  writeSafetensors(folder / "w",
                   {{"norm.running_mean", {1}, std::span(values).first(1)},
                    {"fc.weight", {6, 4}, values},
                    {"fc.wieght", {2}, std::span(values).first(2)}},
                   {});
  auto load = [&] { loadWeights(session, Safetensors::read(folder / "w")); };
  expectError(VN_ERROR_WEIGHTS, "error: the weights do not fit model `fake`\n  --> " + folder / "w", load);
  expectError(VN_ERROR_WEIGHTS, "note: tensor `fc.weight` has shape [6, 4], expected [4, 6]", load);
  expectError(VN_ERROR_WEIGHTS, "note: tensor `fc.bias` of shape [4] is missing", load);
  expectError(VN_ERROR_WEIGHTS, "note: tensor `fc.wieght` of shape [2] is unexpected", load);
  BOOST_TEST(session.read(Fake::parameters[0]) == before);
}

// The weights of a network with `choose` holes have batch norms for each choice; a specialised model takes
// its own.
BOOST_AUTO_TEST_CASE(parameters_of_other_choices_are_passed_over) {
  TemporaryFolder folder;
  auto parameters = std::to_array(Fake::parameters);
  const auto norm = std::ranges::find(parameters, std::string_view("norm.running_mean"),
                                      [](const vn_parameter &p) { return std::string_view(p.name); });
  norm->name = "norm[0.5].running_mean";
  vn_model model = Fake::model;
  model.parameters = parameters.data();
  Session session(model);
  initializeWeights(session, {.seed = 5});
  HostTensors tensors = weightTensors(session);
  const std::vector<float> other(2, 9.0f);
  tensors.views.push_back({"norm[1].running_mean", {2}, other});
  writeSafetensors(folder / "w", tensors.views, {});
  const std::vector<float> before = session.read(*norm);
  loadWeights(session, Safetensors::read(folder / "w"));
  BOOST_TEST(session.read(*norm) == before);
  tensors.views.push_back({"mean[1].running_mean", {2}, other});
  writeSafetensors(folder / "w", tensors.views, {});
  expectError(VN_ERROR_WEIGHTS, "note: tensor `mean[1].running_mean` of shape [2] is unexpected",
              [&] { loadWeights(session, Safetensors::read(folder / "w")); });
}

BOOST_AUTO_TEST_CASE(gamma_begins_with_what_its_model_says) {
  using Large = FakeModel<1, 1, 40, 50, 20>;
  static constexpr vn_parameter gamma{"scale", VN_GAMMA, 1, {20, 1, 1, 1}, VN_SPACE_PARAMETERS, 0, 1e-6};
  vn_model model = Large::model;
  model.parameters = &gamma, model.num_parameters = 1;
  Session session(model);
  initializeWeights(session, {.seed = 1, .uniform = false});
  for (float value : session.read(gamma))
    BOOST_TEST(value == 1e-6f);
}

BOOST_AUTO_TEST_CASE(initial_weights_have_their_distributions) {
  using Large = FakeModel<1, 1, 40, 50, 20>;
  static constexpr vn_parameter convolution{
      "c", VN_CONVOLUTION_WEIGHT, 4, {20, 20, 10, 10}, VN_SPACE_PARAMETERS, 0, 0};
  vn_model model = Large::model;
  model.parameters = &convolution, model.num_parameters = 1;
  for (const bool uniform : {false, true}) {
    Session session(model);
    initializeWeights(session, {.seed = 1, .uniform = uniform});
    double sum = 0, squares = 0, largest = 0;
    for (float value : session.read(convolution)) {
      sum += double(value), squares += double(value) * double(value);
      largest = std::max(largest, std::abs(double(value)));
    }
    const double deviation = std::sqrt(2.0 / 2000); // fan-out 20 x 10 x 10
    BOOST_TEST(std::abs(sum / 40000) < deviation / 50);
    BOOST_TEST(std::sqrt(squares / 40000) == deviation, boost::test_tools::tolerance(0.02));
    BOOST_TEST((largest < deviation * std::sqrt(3.0) + 1e-6) == uniform);
  }
  Session session(Large::model);
  initializeWeights(session, {});
  for (int parameter : {1, 2}) { // weight and bias of the linear layer: within 1/sqrt(2000), and close to it
    const std::vector<float> values = session.read(Large::parameters[parameter]);
    const float largest =
        std::abs(*std::ranges::max_element(values, {}, [](float v) { return std::abs(v); }));
    BOOST_TEST(largest <= 1 / std::sqrt(2000.0f));
    BOOST_TEST(largest > 0.7f / std::sqrt(2000.0f));
  }
}

BOOST_AUTO_TEST_SUITE_END()
