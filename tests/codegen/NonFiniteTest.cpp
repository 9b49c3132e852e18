// NaN and the infinities pass through every op as through the interpreter, whose own answers are in
// tests/unit/NonFiniteTest.cpp: put into each place of the image, and of the parameters, for every target and
// type that this machine runs.
#include "tests/codegen/Check.h"

using namespace vernier;
using namespace vernier::tests;

namespace {

const codegen::WinogradOptions kNoWinograd{.errorBudget = 0, .trainingErrorBudget = 0};

void checkPlaces(const Network &net, const CompareOptions &options, Places places,
                 PutInto where = PutInto::Image, int64_t every = 1) {
  const NonFinite found = compareNonFinite(net.text(), options, places, where, every);
  BOOST_TEST(found.error == "");
  BOOST_TEST(found.runs > 0);
  BOOST_TEST(found.found > 0, "nothing came through");
  const std::string on = options.target + (options.maps == codegen::Element::BF16 ? " bf16: " : ": ");
  for (size_t i = 0; i < std::min<size_t>(found.wrong.size(), 5); ++i)
    BOOST_ERROR(on << found.wrong[i]);
  if (found.wrong.size() > 5)
    BOOST_ERROR(on << found.wrong.size() - 5 << " more");
}

// Places of this machine's code, then fewer of them on each target in each type.
void checkEverywhere(const Network &net, Places places, codegen::WinogradOptions winograd = kNoWinograd,
                     int64_t every = 1) {
  checkPlaces(net, {.winograd = winograd}, places, PutInto::Image, every);
  for (const std::string &target : runningTargets({"avx512bf16", "avx512", "avx2", "sse"}))
    for (const codegen::Element maps : {codegen::Element::F32, codegen::Element::BF16})
      checkPlaces(net, {.target = target, .winograd = winograd, .maps = maps}, places, PutInto::Image, 31);
}

Map trained(Network &net, int64_t h, int64_t w, int64_t c, unsigned seed = 0) {
  return net.convolution(net.part(h, w, 3, false, seed), {.channels = c, .kernel = {1, 1}, .bias = true});
}

} // namespace

BOOST_AUTO_TEST_SUITE(non_finite)

BOOST_AUTO_TEST_CASE(elementwise) {
  Network net(2, 3, 4, 19);
  const Map x = net.image();
  for (const std::string &function : kActivationTexts) {
    net.output(net.activate(x, function), function);
    net.output(net.activate(net.add(x, net.channelShuffle(x, 1)), function), "add " + function);
    net.output(net.activate(net.slice(x, 2, 9), function), "slice " + function);
  }
  const Map gate = net.crop(x, 1, 1);
  net.output(net.multiply(x, x), "square");
  net.output(net.multiply(x, gate), "gated");
  net.output(net.add(x, gate), "shifted");
  net.output(net.subtract(x, net.channelShuffle(x, 1)), "difference");
  net.output(net.divide(x, net.channelShuffle(x, 1)), "quotient");
  net.output(net.divide(x, gate), "divided");
  net.output(net.concat({net.slice(x, 3, 5), x, net.slice(x, 0, 1)}), "concat");
  net.output(net.channelShuffle(net.slice(x, 0, 18), 2), "shuffle in 2");
  net.output(net.channelShuffle(net.slice(x, 0, 18), 3), "shuffle in 3");
  for (const char *mode : {"zero", "replicate"})
    net.output(net.pad(x, {1, 2, 0, 3}, mode), mode);
  net.output(net.crop(x, 2, 2, {1, 1}), "crop");
  net.output(net.batchNorm(x), "affine");
  net.output(net.activate(net.batchNorm(net.slice(x, 0, 17)), "relu"), "affine relu");
  checkEverywhere(net, Places::Same);
}

// A pixel shows what one of its channels is, the others do not.
BOOST_AUTO_TEST_CASE(over_channels) {
  Network net(1, 2, 3, 19);
  for (const int64_t channels : {3, 8, 19}) {
    const Map x = net.slice(net.image(), 19 - channels, channels);
    for (const char *reduction : {"sum", "mean", "max"})
      net.output(net.reduceChannels(x, reduction), reduction);
    net.output(net.layerNorm(x, 1e-3), "norm");
    net.output(net.scaleChannels(x), "scale");
    net.output(net.softmax(x, channels), "softmax");
    net.output(net.prelu(x, true), "slopes");
    net.output(net.multiply(x, net.slice(net.image(), 1, 1)), "per pixel");
  }
  checkEverywhere(net, Places::Same);
}

BOOST_AUTO_TEST_CASE(pools) {
  Network net(1, 10, 11, 6);
  const Map x = net.image();
  for (const Pool &o : std::vector<Pool>{{},
                                         {.ceil = true},
                                         {.kernel = {3, 3}, .padding = {1, 1, 1, 1}},
                                         {.kernel = {3, 3}, .strides = {1, 1}, .padding = {1, 1, 1, 1}},
                                         {.kernel = {7, 7}, .strides = {1, 1}, .padding = {3, 3, 3, 3}},
                                         {.kernel = {1, 9}, .strides = {1, 2}, .padding = {0, 0, 4, 4}},
                                         {.kernel = {9, 1}, .strides = {1, 1}, .padding = {2, 4, 0, 0}},
                                         {.kernel = {9, 10}, .strides = {9, 10}},
                                         {.kernel = {10, 11}}}) {
    const std::string text = std::to_string(o.kernel[0]) + "x" + std::to_string(o.kernel[1]) + " stride " +
                             std::to_string(o.strides[0]);
    net.output(net.maxPool(x, o), "max " + text);
    net.output(net.averagePool(x, o), "average " + text);
  }
  net.output(net.globalPool(x), "global");
  checkEverywhere(net, Places::Same);
}

// The first of equal elements gets the gradient, the last of several NaN: each element is there four times.
BOOST_AUTO_TEST_CASE(gradients_of_max_pools) {
  Network net(1, 10, 12, 40);
  const Map x = net.resize(net.part(5, 6, 18, false), 10, 12, "nearest");
  for (const Pool &o :
       std::vector<Pool>{{},
                         {.kernel = {9, 10}, .strides = {9, 10}},
                         {.kernel = {3, 3}, .strides = {1, 1}, .padding = {1, 1, 1, 1}},
                         {.kernel = {3, 3}, .strides = {2, 2}, .padding = {1, 1, 1, 1}},
                         {.kernel = {5, 5}, .strides = {1, 1}, .padding = {2, 2, 2, 2}},
                         {.kernel = {9, 8}, .strides = {2, 3}, .padding = {4, 4, 3, 0}, .ceil = true},
                         {.kernel = {1, 9}, .strides = {1, 1}, .padding = {0, 0, 4, 4}},
                         {.kernel = {10, 1}, .strides = {1, 1}, .padding = {5, 3, 0, 0}}}) {
    const Map y = net.maxPool(x, o);
    net.output(net.maxPoolGradient(x, net.part(y.h, y.w, 18, false, 4), o),
               std::to_string(o.kernel[0]) + "x" + std::to_string(o.kernel[1]) + " stride " +
                   std::to_string(o.strides[0]));
  }
  for (const std::string &target : runningTargets({"avx512", "avx2", "sse"}))
    checkPlaces(net, {.target = target}, Places::Same, PutInto::Image, 29);
}

BOOST_AUTO_TEST_CASE(resampling) {
  Network net(1, 5, 6, 9);
  const Map x = net.image();
  for (const auto &[h, w] : std::vector<Pair>{{10, 12}, {3, 4}, {5, 6}, {5, 12}, {1, 1}, {9, 11}, {15, 6}}) {
    const std::string to = std::to_string(h) + "x" + std::to_string(w);
    net.output(net.resize(x, h, w, "nearest"), "nearest to " + to);
    net.output(net.resize(x, h, w, "bilinear"), "bilinear to " + to);
    net.output(net.resize(x, h, w, "bilinear", true), "aligned to " + to);
    for (const char *kind :
         {"adaptive_average", "nearest_exact", "bicubic", "bilinear_antialias", "bicubic_antialias"})
      net.output(net.resample(x, h, w, kind), std::string(kind) + " to " + to);
  }
  checkEverywhere(net, Places::Same);
}

BOOST_AUTO_TEST_CASE(convolutions) {
  Network net(1, 5, 7, 19);
  const Map x = net.image();
  const Four around{1, 1, 1, 1};
  for (const int64_t inputs : {1, 3, 5, 8, 19}) { // odd numbers of channels are paired with nothing
    const Map part = net.slice(x, 0, inputs), whole = net.part(5, 7, inputs, false);
    const std::string from = std::to_string(inputs) + " inputs";
    net.output(net.activate(net.convolution(part, {.channels = 18, .padding = around, .bias = true}), "relu"),
               "relu of " + from);
    net.output(net.activate(net.convolution(whole, {.channels = 5, .padding = around}), "relu6"),
               "relu6 of " + from);
    net.output(net.activate(net.convolution(whole, {.channels = 33, .kernel = {1, 1}}), "sigmoid"),
               "1x1 of " + from);
    net.output(net.convolution(whole, {.channels = 17, .strides = {2, 3}, .padding = {2, 1, 0, 1}}),
               "strided of " + from);
    net.output(net.convolution(part, {.channels = 3, .padding = {2, 2, 2, 2}, .dilations = {2, 2}}),
               "dilated of " + from);
  }
  for (const int64_t groups : {2, 4, 8, 16}) {
    const Map part = net.slice(x, 1, 16);
    net.output(
        net.activate(net.convolution(part, {.channels = 16, .padding = around, .groups = groups}), "relu"),
        std::to_string(groups) + " groups");
    net.output(net.convolution(part, {.channels = 3 * groups, .padding = around, .groups = groups}),
               std::to_string(groups) + " groups of 3 outputs");
  }
  const Map depthwise = net.convolution(x, {.channels = 19, .padding = around, .groups = 19});
  net.output(net.activate(net.batchNorm(depthwise), "relu6"), "depthwise, folded");
  const Map stem = net.convolution(x, {.channels = 19, .padding = around});
  net.output(net.activate(net.add(net.batchNorm(stem), x), "relu"), "residual");
  net.output(net.linear(net.globalPool(x), 10), "linear");
  checkEverywhere(net, Places::Same, kNoWinograd, 5);
  for (const codegen::Element maps : {codegen::Element::F32, codegen::Element::BF16})
    // An infinite factor of a folded batch norm makes NaN of weights of both signs, where relu6 has 6 of
    // infinity.
    checkPlaces(net, {.winograd = kNoWinograd, .maps = maps}, Places::Spread, PutInto::Parameters, 61);
}

// Within a tile NaN spreads; it is hidden nowhere.
BOOST_AUTO_TEST_CASE(winograd) {
  for (const int64_t transform : {2, 4}) {
    Network net(1, 7, 9, 5);
    const Map y = net.convolution(net.image(), {.channels = 18, .padding = {1, 1, 1, 1}, .bias = true});
    net.output(net.activate(y, "relu"), "relu");
    checkEverywhere(net, Places::Spread, {.transform = transform}, 7);
  }
}

// What an activation lets through, what a pool routes, what a batch norm and a loss make of it.
BOOST_AUTO_TEST_CASE(training_steps) {
  for (const char *loss : {"softmax", "binary"}) {
    Network net(2, 4, 5, 6);
    std::vector<Map> results;
    unsigned seed = 0;
    for (const std::string &function : kActivationTexts)
      results.push_back(net.activate(trained(net, 3, 4, 5, seed++), function));
    for (const Pool &o : std::vector<Pool>{{},
                                           {.kernel = {3, 3}, .strides = {1, 1}, .padding = {1, 1, 1, 1}},
                                           {.kernel = {4, 5}, .strides = {1, 1}, .padding = {2, 2, 2, 2}},
                                           {.kernel = {4, 5}}}) {
      results.push_back(net.maxPool(trained(net, 4, 5, 7, seed++), o));
      results.push_back(net.averagePool(trained(net, 4, 5, 7, seed++), o));
    }
    results.push_back(net.maxPool(net.resize(trained(net, 4, 5, 3, seed++), 8, 9, "nearest"),
                                  {.kernel = {5, 5}, .strides = {1, 1}, .padding = {2, 2, 2, 2}}));
    results.push_back(net.averagePool(net.resize(trained(net, 4, 5, 3, seed++), 8, 9, "nearest"),
                                      {.kernel = {7, 7}, .strides = {1, 1}, .padding = {3, 3, 3, 3}}));
    results.push_back(net.resize(trained(net, 3, 4, 5, seed++), 6, 8, "nearest"));
    results.push_back(net.resize(trained(net, 3, 4, 5, seed++), 6, 8, "bilinear"));
    results.push_back(
        net.convolution(trained(net, 4, 5, 8, seed++), {.channels = 8, .padding = {1, 1, 1, 1}}));
    results.push_back(net.convolution(trained(net, 4, 5, 8, seed++), {.channels = 8, .groups = 8}));
    results.push_back(net.multiply(trained(net, 4, 5, 5, seed), trained(net, 4, 5, 5, seed + 1)));
    net.outputLogits(results, 5);
    checkPlaces(net, {.train = true, .loss = loss, .winograd = kNoWinograd}, Places::Same, PutInto::Image, 7);
    for (const std::string &target : runningTargets({"avx512", "avx2", "sse"}))
      checkPlaces(net, {.target = target, .train = true, .loss = loss, .winograd = kNoWinograd}, Places::Same,
                  PutInto::Image, 31);
    checkPlaces(net, {.train = true, .loss = loss, .winograd = kNoWinograd}, Places::Finite,
                PutInto::Parameters, 13);
  }
}

BOOST_AUTO_TEST_CASE(batch_norms_in_training) {
  Network net(3, 4, 5, 6);
  std::vector<Map> results;
  unsigned seed = 0;
  for (const std::string &function : kActivationTexts) {
    results.push_back(net.activate(net.batchNorm(trained(net, 4, 5, 7, seed++)), function));
    const Map x = trained(net, 4, 5, 19, seed++);
    const Map y = net.convolution(x, {.channels = 19, .padding = {1, 1, 1, 1}});
    results.push_back(net.activate(net.add(net.batchNorm(y), x), function));
  }
  results.push_back(net.batchNorm(net.slice(net.image(), 1, 4)));
  net.outputLogits(results, 5);
  for (const std::string &target : runningTargets({"avx512", "avx2", "sse"}))
    checkPlaces(net, {.target = target, .train = true, .winograd = kNoWinograd}, Places::Finite,
                PutInto::Image, target == "avx512" ? 3 : 31);
}

BOOST_AUTO_TEST_SUITE_END()
