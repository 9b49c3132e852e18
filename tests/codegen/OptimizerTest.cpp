// The program that follows a training step, as it is generated: bit for bit, and where its operands lie.
#include "codegen/cpu/CpuBackend.h"
#include "driver/BuiltLibrary.h"
#include "runtime/core/IoArrays.h"
#include "runtime/core/Session.h"
#include "runtime/core/Shape.h"
#include "tests/codegen/Check.h"
#include "tests/codegen/PreparedModule.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

using namespace vernier;
using namespace vernier::tests;

namespace {

// Parameters of 5 x 3 x 3 x 3, 5, 5, 37 x 5 and 37 numbers: no whole vectors.
class Trained {
public:
  explicit Trained(const std::string &target, int64_t threads = 2) : prepared(prepare()) {
    codegen::ModelFacts facts;
    facts.name = facts.symbol = "trained";
    facts.description = "{}";
    facts.batch = 2, facts.channels = 3, facts.height = 6, facts.width = 5, facts.classes = 37;
    const codegen::CpuBackend backend(*codegen::makeTarget(target));
    auto model = driver::compileModel(*prepared.compiled, backend, facts);
    BOOST_REQUIRE(bool(model));
    compilation = model->compilation;
    library = std::move(*driver::BuiltLibrary::load(*model));
    session = std::make_unique<runtime::Session>(library.model("trained"),
                                                 runtime::SessionOptions{threads, true, false});
  }

  const vn_model &model() const { return session->model(); }
  // Numbers of about 1, others for each parameter and seed.
  std::vector<float> numbers(int64_t parameter, unsigned seed) const {
    Choice choice(seed * 100 + unsigned(parameter));
    std::vector<float> values(size_t(runtime::elementCount(model().parameters[parameter])));
    for (float &value : values)
      value = float(choice.in(-1'000'000, 1'000'000)) / 777'777;
    return values;
  }
  // Of all parameters weights, gradients and momentum, of statistics values, that are finite.
  void fill() {
    for (int64_t i = 0; i < model().num_parameters; ++i) {
      const vn_parameter &parameter = model().parameters[i];
      session->write(parameter, numbers(i, 1));
      if (parameter.space == VN_SPACE_STATISTICS)
        continue;
      session->writeGradient(parameter, numbers(i, 2));
      session->writeMomentum(parameter, numbers(i, 3));
    }
  }

  PreparedModule prepared;
  codegen::Compilation compilation;
  driver::BuiltLibrary library;
  std::unique_ptr<runtime::Session> session;

private:
  static PreparedModule prepare() {
    Network net(2, 6, 5, 3);
    const Map x = net.batchNorm(net.convolution(net.image(), {.channels = 5}));
    net.output(net.linear(net.globalPool(x), 37), "logits");
    return prepareModule(net.text(), "softmax");
  }
};

// What a CPU with fused multiply-adds computes.
float updated(float weight, float gradient, float &momentum, float rate, float factor, float decay,
              bool nesterov) {
  const float g = std::fma(decay, weight, gradient);
  momentum = std::fma(factor, momentum, g);
  return std::fma(-rate, nesterov ? std::fma(factor, momentum, g) : momentum, weight);
}

} // namespace

BOOST_AUTO_TEST_SUITE(optimizer)

BOOST_AUTO_TEST_CASE(an_update_is_that_of_the_formula_to_the_last_bit) {
  for (const std::string &target : runningTargets({"avx512", "avx2"}))
    for (const bool nesterov : {false, true})
      for (const int64_t threads : {1, 2, 5}) {
        Trained trained(target, threads);
        trained.fill();
        const vn_model &model = trained.model();
        runtime::IoArrays arrays(model.update);
        const auto rateOf = [](size_t parameter) { return 0.3f - 0.01f * float(parameter); };
        for (size_t i = 0; i < size_t(model.num_parameters); ++i)
          arrays.floats("learning_rate")[i] = rateOf(i);
        arrays.floats("momentum")[0] = 0.9f;
        arrays.floats("weight_decay")[0] = 1e-2f, arrays.floats("vector_decay")[0] = 3e-2f;
        arrays.ints("nesterov")[0] = nesterov;
        std::ranges::fill(arrays.ints("trained"), 1);
        const int64_t left = 3; // one that is not trained
        arrays.ints("trained")[size_t(left)] = 0;
        trained.session->update(arrays.pointers());
        for (int64_t i = 0; i < model.num_parameters; ++i) {
          const vn_parameter &parameter = model.parameters[i];
          BOOST_TEST(arrays.ints("not_finite")[size_t(i)] == 0);
          std::vector<float> weights = trained.numbers(i, 1), momentum = trained.numbers(i, 3);
          if (parameter.space == VN_SPACE_PARAMETERS && i != left) {
            const std::vector<float> gradients = trained.numbers(i, 2);
            const bool weight = parameter.kind == VN_CONVOLUTION_WEIGHT || parameter.kind == VN_LINEAR_WEIGHT;
            for (size_t k = 0; k < weights.size(); ++k)
              weights[k] = updated(weights[k], gradients[k], momentum[k], rateOf(size_t(i)), 0.9f,
                                   weight ? 1e-2f : 3e-2f, nesterov);
          }
          BOOST_TEST(trained.session->read(parameter) == weights, parameter.name << " on " << target);
          if (parameter.space == VN_SPACE_PARAMETERS)
            BOOST_TEST(trained.session->readMomentum(parameter) == momentum, parameter.name);
        }
      }
}

BOOST_AUTO_TEST_CASE(each_parameter_that_is_not_finite_is_told) {
  for (const std::string &target : runningTargets({"avx512", "avx2", "sse"})) {
    Trained trained(target);
    const vn_model &model = trained.model();
    runtime::IoArrays arrays(model.update);
    std::ranges::fill(arrays.floats("learning_rate"), 0.1f);
    std::ranges::fill(arrays.ints("trained"), 1);
    for (int64_t i = 0; i < model.num_parameters; ++i)
      for (const float bad : {std::numeric_limits<float>::quiet_NaN(), INFINITY, -INFINITY}) {
        trained.fill();
        const vn_parameter &parameter = model.parameters[i];
        const bool statistic = parameter.space == VN_SPACE_STATISTICS;
        std::vector<float> values = trained.numbers(i, statistic ? 1 : 2);
        values.back() = bad;
        if (statistic)
          trained.session->write(parameter, values);
        else
          trained.session->writeGradient(parameter, values);
        trained.session->update(arrays.pointers());
        for (int64_t k = 0; k < model.num_parameters; ++k)
          BOOST_TEST(arrays.ints("not_finite")[size_t(k)] == (k == i),
                     model.parameters[k].name << " of " << i);
      }
  }
}

// The kernels take whole vectors: what lies between the parameters is 0, and stays so.
BOOST_AUTO_TEST_CASE(nothing_is_written_between_parameters) {
  Trained trained("native");
  const vn_model &model = trained.model();
  trained.fill();
  runtime::IoArrays step(model.train_step), update(model.update);
  std::ranges::fill(step.floats("image"), 0.3f);
  std::ranges::fill(update.ints("trained"), 1);
  std::ranges::fill(update.floats("learning_rate"), 0.1f);
  update.floats("momentum")[0] = 0.9f;
  for (int i = 0; i < 2; ++i) {
    trained.session->trainStep(step.pointers());
    trained.session->update(update.pointers());
  }
  for (const vn_space space : {VN_SPACE_PARAMETERS, VN_SPACE_GRADIENTS, VN_SPACE_MOMENTUM}) {
    std::vector<float> all(size_t(model.parameter_bytes / 4));
    trained.session->device().read(space, 0, std::as_writable_bytes(std::span(all)));
    for (int64_t i = 0; i < model.num_parameters; ++i)
      if (const vn_parameter &parameter = model.parameters[i]; parameter.space == VN_SPACE_PARAMETERS)
        std::fill_n(all.begin() + parameter.offset / 4, runtime::elementCount(parameter), 0.0f);
    BOOST_TEST(std::ranges::count(all, 0.0f) == int64_t(all.size()), "space " << space);
  }
}

// In whatever order a training step computes gradients, those of the first parameters are whole first.
BOOST_AUTO_TEST_CASE(parameters_follow_each_other_as_their_gradients_are_completed) {
  const Trained trained("native");
  const codegen::Compilation &compilation = trained.compilation;
  std::map<int64_t, size_t> completed; // by offset
  for (size_t s = 0; s < compilation.trainStep.steps.size(); ++s)
    for (const codegen::StepOperand &operand : compilation.trainStep.steps[s].operands)
      if (const codegen::Buffer &buffer = compilation.buffers[size_t(operand.buffer)];
          operand.written && buffer.space == VN_SPACE_GRADIENTS)
        completed[buffer.offset] = s;
  BOOST_TEST(completed.size() == 5u);
  size_t before = 0;
  int64_t next = 0;
  std::map<int64_t, int64_t> bytes;
  for (const codegen::Parameter &parameter : compilation.parameters) {
    int64_t count = 1;
    for (int64_t extent : parameter.shape)
      count *= extent;
    if (parameter.space == VN_SPACE_PARAMETERS)
      bytes[parameter.offset] = codegen::aligned(4 * count);
  }
  for (const auto &[offset, step] : completed) {
    BOOST_TEST(step >= before);
    BOOST_TEST(offset == next); // contiguous
    before = step, next += bytes.at(offset);
  }
  BOOST_TEST(next == compilation.parameterBytes);
  BOOST_TEST(compilation.parameters.front().name == "p0.convolution_weight"); // whose gradient comes last
  BOOST_TEST(compilation.parameters.front().offset > 0);
}

BOOST_AUTO_TEST_SUITE_END()
