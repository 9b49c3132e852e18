// Sums keep their precision whatever their length. The terms are equal: then rounding errors all go the same
// way, and one float32 sum of n terms is off by about n x 1.5e-8.
#include "tests/codegen/Check.h"

using namespace vernier;
using namespace vernier::tests;

namespace {

// In bfloat16 exactly, with a square of many digits.
constexpr float kTerm = 205.0f / 2048.0f;

std::vector<std::string> targets() { return runningTargets({"avx512bf16", "avx2", "sse"}); }

// On every target and of both types of maps; the outputs themselves are float32.
void checkEqualTerms(const Network &net, double tolerance, const std::vector<std::string> &on = targets()) {
  for (const std::string &target : on)
    for (const codegen::Element maps : {codegen::Element::F32, codegen::Element::BF16})
      checkNetwork(net, {.target = target, .maps = maps, .equalImage = kTerm, .equalParameters = kTerm},
                   tolerance);
}

void checkConstantImage(Network &net, const std::vector<Map> &results,
                        const std::vector<std::string> &targets, const std::string &loss = "softmax") {
  net.outputLogits(results, 5);
  for (const std::string &target : targets)
    checkNetwork(net, {.target = target, .train = true, .loss = loss, .equalImage = 0.1f}, 1e-5);
}

} // namespace

BOOST_AUTO_TEST_SUITE(sums)

BOOST_AUTO_TEST_CASE(means_of_large_maps) {
  for (const auto &[h, w, c] : std::vector<std::array<int64_t, 3>>{{1100, 999, 1}, {151, 203, 19}}) {
    Network net(1, h, w, c);
    const Map &x = net.image();
    net.output(net.globalPool(x), "global");
    net.output(net.averagePool(x, {.kernel = {h, w}, .strides = {1, 1}}), "one window");
    net.output(net.averagePool(x, {.kernel = {h - 1, w - 2}, .strides = {1, 2}}), "windows");
    net.output(net.averagePool(x, {.kernel = {h - 1, w - 1}, .strides = {h - 1, w - 1}, .ceil = true}),
               "windows at the border");
    checkEqualTerms(net, 1e-6);
    // Not all equal, and 0.1 as it is.
    checkNetwork(net, {.equalImage = 0.1f}, 1e-6);
  }
}

// The mean of equal numbers is that number, also of windows that reach beyond the map and count what is
// inside.
BOOST_AUTO_TEST_CASE(means_of_overlapping_windows) {
  Network net(1, 160, 30, 5);
  const Map &x = net.image();
  for (const bool countPadding : {true, false})
    for (const bool ceil : {true, false}) {
      const std::string how = std::string(countPadding ? " counted" : "") + (ceil ? " ceil" : "");
      const auto pool = [&](Pair kernel, Pair strides, Four padding) {
        return net.averagePool(x, {kernel, strides, padding, ceil, countPadding});
      };
      net.output(pool({13, 13}, {1, 1}, {6, 6, 6, 6}), "13x13" + how);
      net.output(pool({120, 9}, {1, 2}, {50, 60, 4, 0}), "120x9" + how);
      net.output(pool({75, 15}, {3, 4}, {37, 37, 7, 7}), "75x15" + how);
      net.output(pool({1, 29}, {1, 2}, {0, 0, 14, 14}), "1x29" + how);
      net.output(pool({101, 1}, {7, 1}, {50, 50, 0, 0}), "101x1" + how);
    }
  checkEqualTerms(net, 1e-6);
}

// Means do not depend on the number of threads, though the parts of a large map are several tasks.
BOOST_AUTO_TEST_CASE(means_in_parts) {
  Network net(2, 211, 307, 21);
  net.output(net.globalPool(net.part(211, 307, 20, true)), "a slice");
  net.output(net.globalPool(net.image()), "a map");
  for (int threads : {1, 2, 3})
    checkNetwork(net, {.threads = threads}, 1e-6);
}

BOOST_AUTO_TEST_CASE(long_products) {
  Network net(2, 7, 7, 512);
  const Map &x = net.image();
  net.output(net.convolution(x, {.channels = 20, .kernel = {7, 7}}), "25088 products");
  net.output(net.convolution(x, {.channels = 37, .kernel = {5, 5}, .padding = {2, 2, 2, 2}}), "12800");
  const Map pixel = net.globalPool(x);
  std::vector<Map> copies(49, pixel);
  net.output(net.linear(net.concat(copies), 10), "25088 of a linear layer");
  checkEqualTerms(net, 1e-6);
}

BOOST_AUTO_TEST_CASE(middling_products) {
  Network net(1, 9, 11, 521);
  const Map x = net.image(), part = net.slice(x, 5, 96);
  net.output(net.convolution(x, {.channels = 16, .padding = {1, 1, 1, 1}, .bias = true}), "3x3");
  net.output(net.convolution(x, {.channels = 33, .strides = {2, 2}, .dilations = {1, 2}}),
             "strided, dilated");
  net.output(net.convolution(part, {.channels = 5, .kernel = {9, 9}, .padding = {4, 4, 4, 4}}), "9x9");
  // Few channels in each group.
  net.output(
      net.convolution(part, {.channels = 96, .kernel = {9, 11}, .padding = {8, 8, 9, 9}, .groups = 12}),
      "groups of 8");
  // One row of the window is several blocks.
  net.output(net.convolution(net.resize(net.slice(x, 0, 16), 4, 120, "nearest"),
                             {.channels = 16, .kernel = {2, 100}, .groups = 4}),
             "wide groups of 4");
  checkEqualTerms(net, 1e-5, {"native"});
}

BOOST_AUTO_TEST_CASE(winograd_of_many_channels) {
  Network net(1, 13, 14, 1100);
  net.output(net.convolution(net.image(), {.channels = 40, .padding = {1, 1, 1, 1}}), "3x3");
  for (int64_t transform : {2, 4})
    checkNetwork(net, {.winograd = {.transform = transform}, .equalImage = kTerm, .equalParameters = kTerm},
                 1e-5);
}

BOOST_AUTO_TEST_CASE(gradients_of_weights) {
  Network net(2, 160, 321, 3);
  const Map x = net.convolution(net.image(), {.channels = 8, .kernel = {1, 1}, .bias = true});
  const std::vector<Map> results = {
      net.convolution(x, {.channels = 6, .padding = {1, 1, 1, 1}, .bias = true}),
      net.convolution(x, {.channels = 8, .strides = {2, 3}, .groups = 8}),
      net.convolution(x, {.channels = 8, .padding = {1, 1, 1, 1}, .groups = 4}),
      net.averagePool(net.convolution(x, {.channels = 5, .kernel = {1, 1}}),
                      {.kernel = {32, 32}, .strides = {32, 32}}),
  };
  checkConstantImage(net, results, runningTargets({"avx512", "sse"}));
}

BOOST_AUTO_TEST_CASE(gradients_of_weights_over_many_images) {
  Network net(40, 7, 9, 3);
  const Map x = net.convolution(net.image(), {.channels = 20, .kernel = {1, 1}, .bias = true});
  checkConstantImage(net,
                     {net.convolution(x, {.channels = 7, .padding = {1, 1, 1, 1}}),
                      net.convolution(x, {.channels = 20, .groups = 20})},
                     {"native"});
}

BOOST_AUTO_TEST_CASE(gradients_of_a_very_large_map) {
  Network net(1, 1031, 1201, 1);
  const Map x = net.convolution(net.image(), {.channels = 2, .kernel = {1, 1}, .bias = true});
  checkConstantImage(net, {net.averagePool(x, {.kernel = {33, 31}, .strides = {32, 30}})}, {"native"});
}

// Gradients that many elements of a map send to one: of enlarged maps, replicated borders, windows that
// overlap, and factors of whole maps.
BOOST_AUTO_TEST_CASE(gradients_of_maps) {
  Network net(1, 60, 70, 3);
  const Map x = net.convolution(net.image(), {.channels = 5, .kernel = {1, 1}, .bias = true});
  const Map pixel = net.convolution(net.globalPool(x), {.channels = 5, .kernel = {1, 1}, .bias = true});
  const std::vector<Map> results = {
      net.resize(pixel, 150, 157, "nearest"),
      net.resize(pixel, 150, 157, "bilinear"),
      net.multiply(x, net.activate(pixel, "sigmoid")),
      net.pad(net.crop(x, 3, 3), {60, 50, 70, 40}, "replicate"),
      net.averagePool(x, {.kernel = {31, 33}, .strides = {1, 1}}),
      net.averagePool(
          x, {.kernel = {31, 33}, .strides = {2, 3}, .padding = {15, 15, 16, 16}, .countPadding = false}),
  };
  checkConstantImage(net, results, {"native"});
}

// Of equal elements the first of many windows gets the gradients of all: windows of one axis, and of two.
BOOST_AUTO_TEST_CASE(gradients_of_max_pools) {
  Network net(1, 6100, 2, 2);
  const Map x = net.convolution(net.image(), {.channels = 3, .kernel = {1, 1}, .bias = true});
  const Map turned = net.resize(x, 2, 6100, "nearest");
  const std::vector<Map> results = {
      net.maxPool(x, {.kernel = {6001, 1}, .strides = {1, 1}, .padding = {3000, 3000, 0, 0}}),
      net.maxPool(turned, {.kernel = {1, 6001}, .strides = {1, 1}, .padding = {0, 0, 3000, 3000}}),
      net.maxPool(x, {.kernel = {6001, 3}, .strides = {1, 1}, .padding = {3000, 3000, 1, 1}}),
  };
  checkConstantImage(net, results, {"native"});
}

BOOST_AUTO_TEST_CASE(losses_of_many_classes) {
  for (const char *loss : {"softmax", "binary"}) {
    Network net(9, 3, 3, 2);
    net.output(net.linear(net.globalPool(net.image()), 50000), "logits");
    checkNetwork(net, {.train = true, .loss = loss, .equalImage = 0.1f, .equalParameters = 0.3f}, 1e-6);
  }
}

BOOST_AUTO_TEST_SUITE_END()
