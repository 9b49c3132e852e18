// Winograd convolution: the transforms, the kernels against the interpreter, the choice.
#include "codegen/cpu/CpuBackend.h"
#include "codegen/cpu/schedule/Schedule.h"
#include "codegen/lower/Lower.h"
#include "driver/Build.h"
#include "runtime/device/cpu/CpuFeatures.h"
#include "tests/codegen/Check.h"
#include "tests/codegen/PreparedModule.h"

using namespace vernier;
using namespace vernier::codegen;
using namespace vernier::tests;
using vernier::tests::Convolution;
using vernier::tests::Network;

namespace {

WinogradOptions always(int64_t transform) {
  return {.errorBudget = 1, .trainingErrorBudget = 1, .transform = transform};
}

std::string describe(const Map &x, const Convolution &o) {
  std::string text = "conv";
  for (int64_t value :
       {x.n, x.h, x.w, x.c, o.channels, o.padding[0], o.padding[1], o.padding[2], o.padding[3]})
    text += " " + std::to_string(value);
  return text;
}

Convolution same3x3(int64_t channels, bool bias = false) {
  return {.channels = channels, .padding = {1, 1, 1, 1}, .bias = bias};
}

// Shapes around the borders of tiles and vectors; slices read and written.
Network oddShapes(unsigned seed, int count) {
  Choice choose(seed);
  Network net(choose.in(1, 3), 14, 17, 72);
  for (int i = 0; i < count; ++i) {
    const Map x = net.part(choose.in(1, 14), choose.in(1, 17), choose.in(1, 70), choose.yes(), unsigned(i));
    Convolution o{.channels = choose.of<int64_t>({1, 5, 9, 16, 33, 62, 67}), .bias = choose.yes()};
    for (int64_t &padding : o.padding)
      padding = choose.in(0, 3); // more than 2: the input gradient crops
    for (int axis = 0; axis < 2; ++axis)
      if ((axis ? x.w : x.h) + o.padding[2 * axis] + o.padding[2 * axis + 1] < 3)
        o.padding[2 * axis] = o.padding[2 * axis + 1] = 1;
    Map y = net.convolution(x, o);
    if (choose.yes() && y.h <= 14 && y.w <= 17)
      y = net.concat({net.part(y.h, y.w, choose.in(1, 5), false, 3), y});
    net.output(y, describe(x, o));
  }
  return net;
}

// Bias, batch norm, additions (one of a smaller map, enlarged) and activation, all in the epilogue.
Network epilogues() {
  Network net(2, 14, 9, 40);
  int combination = 0;
  for (const char *activation : {"none", "relu", "relu6", "sigmoid"})
    for (const std::string added : {"", " residual", " enlarged", " residual enlarged"}) {
      const bool sliced = combination % 2;
      Map y = net.convolution(net.part(14, 9, 24, sliced), same3x3(20, combination++ % 4 < 2));
      if (combination % 3)
        y = net.batchNorm(y);
      if (added.find("residual") != std::string::npos)
        y = net.add(y, net.part(14, 9, 20, sliced, 3));
      if (added.find("enlarged") != std::string::npos)
        y = net.add(y, net.resize(net.part(7, 3, 20, sliced, 5), 14, 9, "nearest"));
      net.output(net.activate(y, activation), activation + added);
    }
  return net;
}

// Enough tiles for groups that are tasks, some of several groups and the last one short, on two threads.
Network manyTiles(int64_t transform) {
  Network net(3, 17 * transform + 1, 19 * transform - 1, 6);
  const Map x = net.activate(net.convolution(net.image(), same3x3(20)), "relu");
  net.output(net.add(net.convolution(x, same3x3(20)), x), "y");
  return net;
}

Compilation lowered(const Network &net, const WinogradOptions &options, const std::string &loss = "") {
  PreparedModule module = prepareModule(net.text(), loss);
  BOOST_TEST_REQUIRE(module.error == "");
  auto compilation = lowerModule(*module.compiled, CpuBackend(*makeTarget("avx512"), options));
  BOOST_TEST_REQUIRE(succeeded(compilation));
  return std::move(*compilation);
}

// What the backend has chosen for a step, if it is a Choice.
template <typename Choice> const Choice *choiceOf(const Compilation &compilation, const Step &step) {
  const auto kernel = std::find_if(compilation.kernels.begin(), compilation.kernels.end(),
                                   [&](const Kernel &kernel) { return kernel.name == step.kernel; });
  return std::get_if<Choice>(&static_cast<const CpuSchedule &>(*kernel->schedule).choice);
}

// Steps for which it has, of those whose choices fulfil `condition`.
template <typename Choice, typename Condition>
int64_t steps(const Compilation &compilation, const Program &program, Condition condition) {
  return std::count_if(program.steps.begin(), program.steps.end(), [&](const Step &step) {
    const Choice *choice = choiceOf<Choice>(compilation, step);
    return choice && condition(*choice);
  });
}

bool takesWinograd(const Compilation &compilation) {
  return steps<WinogradSpec>(compilation, compilation.infer, [](const WinogradSpec &) { return true; }) > 0;
}

// 2 or 4, or 0 for the direct convolution.
int64_t chosen(int64_t batch, int64_t side, int64_t inputs, int64_t outputs, WinogradOptions options = {},
               bool packsEachRun = false) {
  const auto spec =
      chooseWinograd(denseView(batch, side, side, inputs), denseView(batch, side, side, outputs), 1, 1,
                     packsEachRun, options, *makeTarget("avx512"));
  return spec ? spec->weights.transform : 0;
}

} // namespace

BOOST_AUTO_TEST_SUITE(winograd)

BOOST_AUTO_TEST_CASE(transforms_convolve) {
  Choice choose(1);
  for (int64_t m : {2, 4}) {
    const WinogradTransforms t(m);
    const auto in = t.input(), w = t.weight(), out = t.output();
    std::vector<double> d(m + 2), g(3), products(m + 2);
    for (double &value : d)
      value = double(choose.in(-100, 100));
    for (double &value : g)
      value = double(choose.in(-100, 100));
    const auto dot = [](const std::vector<double> &a, const std::vector<double> &b) {
      double sum = 0;
      for (size_t i = 0; i < a.size(); ++i)
        sum += a[i] * b[i];
      return sum;
    };
    for (int64_t f = 0; f < m + 2; ++f)
      products[f] = dot(in[f], d) * dot(w[f], g);
    for (int64_t i = 0; i < m; ++i)
      BOOST_TEST(std::abs(dot(out[i], products) - (d[i] * g[0] + d[i + 1] * g[1] + d[i + 2] * g[2])) < 1e-9);
  }
}

// docs/design.md quotes both.
BOOST_AUTO_TEST_CASE(noise_gain) {
  BOOST_TEST(WinogradTransforms(2).noiseGain() == 5.0 / 3, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(WinogradTransforms(4).noiseGain() == 5.02, boost::test_tools::tolerance(1e-3));
}

BOOST_AUTO_TEST_CASE(odd_shapes) {
  for (int64_t transform : {2, 4})
    for (unsigned seed : {1u, 2u})
      checkNetwork(oddShapes(seed, 7), {.seed = seed, .winograd = always(transform)}, kOneOp);
}

BOOST_AUTO_TEST_CASE(in_the_epilogue) {
  for (int64_t transform : {2, 4})
    checkNetwork(epilogues(), {.winograd = always(transform)}, kOneOp);
}

BOOST_AUTO_TEST_CASE(groups_of_tiles) {
  for (int64_t transform : {2, 4})
    checkNetwork(manyTiles(transform), {.threads = 2, .winograd = always(transform)}, kOneOp);
}

BOOST_AUTO_TEST_CASE(gradients) {
  for (int64_t transform : {2, 4}) {
    Network net(2, 9, 10, 19);
    const Map x = net.activate(net.batchNorm(net.convolution(net.image(), same3x3(33))), "relu");
    Convolution uneven = same3x3(18);
    uneven.padding = {0, 2, 1, 0};
    net.outputLogits({net.convolution(x, uneven), net.convolution(x, same3x3(9))}, 5);
    checkNetwork(net, {.train = true, .winograd = always(transform)}, kWholeNetwork);
    const Compilation compilation = lowered(net, always(transform), "softmax");
    const int64_t packed =
        steps<PackWinograd>(compilation, compilation.trainStep, [&](const PackWinograd &pack) {
          return pack.transposed && pack.weights.transform == transform;
        });
    BOOST_TEST(packed == 2);
  }
}

// Sums for batch norms, and residuals, masks and sums in the backward pass: with tasks for groups, some of
// several, and with tasks for blocks of channels, of which the last is narrower.
BOOST_AUTO_TEST_CASE(training_epilogues) {
  for (int64_t transform : {2, 4})
    for (const auto &[batch, h, w, c] :
         {std::array<int64_t, 4>{3, 15 * transform + 1, 17 * transform - 1, 20}, {2, 9, 10, 49}}) {
      Network net(batch, h, w, 6);
      Map x = net.activate(net.batchNorm(net.convolution(net.image(), same3x3(c))), "relu");
      x = net.activate(net.add(net.batchNorm(net.convolution(x, same3x3(c))), x), "relu");
      net.outputLogits({net.convolution(x, same3x3(c)), x}, 5);
      checkNetwork(net, {.train = true, .threads = 2, .winograd = always(transform)}, kWholeNetwork);
      const Compilation compilation = lowered(net, always(transform), "softmax");
      const auto joined = [&](auto condition) {
        return steps<WinogradSpec>(compilation, compilation.trainStep,
                                   [&](const WinogradSpec &spec) { return condition(spec.epilogue); });
      };
      BOOST_TEST(joined([](const Epilogue &e) { return e.sums == Sums::Moments; }) == 2);
      BOOST_TEST(joined([](const Epilogue &e) { return e.sums == Sums::Gradient; }) == 2);
    }
}

BOOST_AUTO_TEST_CASE(narrower_vectors) {
  for (const char *name : {"avx2", "sse"})
    if (runtime::missingCpuFeatures(makeTarget(name)->required).empty())
      for (int64_t transform : {2, 4})
        checkNetwork(oddShapes(3, 4), {.target = name, .winograd = always(transform)}, kOneOp);
    else
      BOOST_TEST_MESSAGE("this CPU does not run " << name);
}

// Whole numbers are exact between bfloat16 maps.
BOOST_AUTO_TEST_CASE(between_bfloat16_maps) {
  for (int64_t transform : {2, 4}) {
    CompareOptions options{.winograd = always(transform), .maps = Element::BF16, .wholeNumbers = 1};
    checkNetwork(manyTiles(transform), options, kOneOp);
    for (const std::string &target : runningTargets({"avx512bf16", "avx2", "sse"})) {
      options.target = target;
      checkNetwork(oddShapes(5, 4), options, kOneOp);
    }
  }
}

BOOST_AUTO_TEST_CASE(aarch64_generates) {
  PreparedModule module = prepareModule(oddShapes(4, 2).text(), "");
  ModelFacts facts;
  facts.name = facts.symbol = "odd";
  auto model = driver::compileModel(*module.compiled, CpuBackend(*makeTarget("aarch64"), always(4)), facts);
  BOOST_TEST(bool(model));
  if (!model)
    BOOST_TEST_MESSAGE(llvm::toString(model.takeError()));
}

// Only 3x3 convolutions of stride 1 without dilation and groups.
BOOST_AUTO_TEST_CASE(reasons_to_decline) {
  for (const Convolution &o :
       std::vector<Convolution>{{.channels = 32, .kernel = {5, 5}, .padding = {2, 2, 2, 2}},
                                {.channels = 32, .kernel = {3, 1}, .padding = {1, 1, 0, 0}},
                                {.channels = 32, .strides = {2, 2}, .padding = {1, 1, 1, 1}},
                                {.channels = 32, .padding = {2, 2, 2, 2}, .dilations = {2, 2}},
                                {.channels = 32, .padding = {1, 1, 1, 1}, .groups = 2}}) {
    Network net(1, 12, 12, 32);
    net.output(net.convolution(net.image(), o), "y");
    const Compilation compilation = lowered(net, always(4));
    BOOST_TEST(!takesWinograd(compilation), compilation.infer.steps[1].kernel);
  }
}

// The paper's multiply-adds stay; what is executed is less.
BOOST_AUTO_TEST_CASE(counts) {
  Network net(2, 8, 8, 32);
  net.output(net.convolution(net.image(), same3x3(32)), "y");
  int64_t found = 0;
  for (const Step &step : lowered(net, always(4)).infer.steps)
    if (step.macs) {
      BOOST_TEST(step.macs == 2 * 8 * 8 * 32 * 32 * 9);
      BOOST_TEST(step.savedMacs == step.macs - 2 * 4 * 36 * 32 * 32);
      ++found;
    }
  BOOST_TEST(found == 1);
  BOOST_TEST(takesWinograd(lowered(net, always(4))));
  BOOST_TEST(!takesWinograd(lowered(net, WinogradOptions::within(0))));
}

BOOST_AUTO_TEST_CASE(choice_by_cost) {
  // Large maps: the most is saved by the large tile.
  BOOST_TEST(chosen(1, 56, 64, 64) == 4);
  BOOST_TEST(chosen(1, 28, 128, 128) == 4);
  BOOST_TEST(chosen(16, 14, 256, 256) == 4);
  BOOST_TEST(chosen(16, 7, 512, 512) == 4);
  // Few tiles: four times the weights come from memory for little.
  BOOST_TEST(chosen(1, 14, 256, 256) == 2);
  BOOST_TEST(chosen(1, 7, 512, 512) == 0);
  // Few channels: the transforms cost more than they save.
  BOOST_TEST(chosen(1, 224, 3, 3) == 0);
  BOOST_TEST(chosen(16, 32, 3, 16) == 0);
  // One tile for one output.
  BOOST_TEST(chosen(1, 1, 256, 256) == 0);
  // Weights that are transformed in each run need a larger batch.
  BOOST_TEST(chosen(1, 14, 256, 256, {}, true) == 0);
  BOOST_TEST(chosen(64, 14, 256, 256, WinogradOptions::within(1e-5), true) == 4);
}

// The products of a direct convolution cost half where the target multiplies pairs, and more where it does
// not.
BOOST_AUTO_TEST_CASE(choice_between_bfloat16_maps) {
  const auto takesWinograd = [](int64_t side, int64_t channels, const char *target) {
    const View map = denseView(1, side, side, channels, Element::BF16);
    return chooseWinograd(map, map, 1, 1, false, {}, *makeTarget(target)).has_value();
  };
  BOOST_TEST(takesWinograd(28, 128, "avx512bf16"));
  BOOST_TEST(!takesWinograd(14, 256, "avx512bf16"));
  BOOST_TEST(takesWinograd(14, 256, "avx512"));
}

BOOST_AUTO_TEST_CASE(choice_by_error) {
  BOOST_TEST(winogradError(2, 256) < winogradError(4, 256));
  BOOST_TEST(winogradError(4, 64) < winogradError(4, 512));
  BOOST_TEST(chosen(1, 56, 64, 64, WinogradOptions::within(0.99 * winogradError(4, 64))) == 2);
  BOOST_TEST(chosen(1, 56, 64, 64, WinogradOptions::within(0.99 * winogradError(2, 64))) == 0);
  BOOST_TEST(chosen(1, 56, 64, 64, WinogradOptions::within(0)) == 0);
  // Where weights change in each run, as in training, less noise is allowed.
  BOOST_TEST(chosen(64, 14, 256, 256, {}, true) == 2);
}

BOOST_AUTO_TEST_SUITE_END()
