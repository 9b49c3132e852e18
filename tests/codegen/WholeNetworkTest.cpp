// Small networks in the forms of the zoo's, for inference and training, at several batches and numbers of
// threads.
#include "compiler/passes/Report.h"
#include "tests/codegen/Check.h"
#include "tests/codegen/PreparedModule.h"
#include "tests/codegen/ReferenceBackend.h"

using namespace vernier;
using namespace vernier::tests;

namespace {

Map normed(Network &net, const Map &x, const Convolution &o) { return net.batchNorm(net.convolution(x, o)); }
Map reluConvolution(Network &net, const Map &x, const Convolution &o) {
  return net.activate(normed(net, x, o), "relu");
}

Convolution same3x3(int64_t channels, int64_t groups = 1) {
  return {.channels = channels, .padding = {1, 1, 1, 1}, .groups = groups};
}

void finish(Network &net, const Map &x) { net.output(net.linear(net.globalPool(x), 7), "logits"); }

// Groups of channels in a row, each convolved with the sum of itself and the one before.
Network res2net(int64_t batch) {
  Network net(batch, 9, 9, 3);
  const Map stem = net.maxPool(reluConvolution(net, net.image(), same3x3(20)),
                               {.kernel = {3, 3}, .padding = {1, 1, 1, 1}});
  const Map inner = reluConvolution(net, stem, {.channels = 26, .kernel = {1, 1}});
  std::vector<Map> parts;
  for (int64_t i = 0; i < 3; ++i) {
    const Map own = net.slice(inner, 8 * i, 8);
    parts.push_back(reluConvolution(net, i ? net.add(own, parts.back()) : own, same3x3(8)));
  }
  parts.push_back(net.slice(inner, 24, 2));
  const Map block = normed(net, net.concat(parts), {.channels = 20, .kernel = {1, 1}});
  finish(net, net.activate(net.add(block, stem), "relu"));
  return net;
}

// A second branch at half the resolution, brought back by bilinear interpolation.
Network elastic(int64_t batch) {
  Network net(batch, 9, 11, 5);
  const Map x = reluConvolution(net, net.image(), same3x3(16));
  const Map full =
      reluConvolution(net, reluConvolution(net, x, {.channels = 8, .kernel = {1, 1}}), same3x3(8, 4));
  Map half = net.averagePool(x, {.ceil = true, .countPadding = false});
  half = reluConvolution(net, half, {.channels = 8, .kernel = {1, 1}});
  half = reluConvolution(net, half, same3x3(8, 4));
  half = net.crop(net.resize(half, 2 * half.h, 2 * half.w, "bilinear"), 9, 11);
  const Map a = normed(net, full, {.channels = 16, .kernel = {1, 1}}),
            b = normed(net, half, {.channels = 16, .kernel = {1, 1}});
  finish(net, net.activate(net.add(net.add(a, b), x), "relu"));
  return net;
}

// Squeeze and excitation: a gate per channel from the pooled map; depthwise convolution and relu6 beside it.
Network gated(int64_t batch) {
  Network net(batch, 8, 7, 3);
  const Map x = net.activate(
      normed(net, net.image(), {.channels = 18, .strides = {2, 2}, .padding = {1, 1, 1, 1}}), "relu6");
  Map deep = net.activate(normed(net, x, same3x3(18, 18)), "relu6");
  const Map squeezed = net.activate(net.linear(net.globalPool(deep), 5), "relu");
  const Map gate =
      net.activate(net.convolution(squeezed, {.channels = 18, .kernel = {1, 1}, .bias = true}), "sigmoid");
  deep = normed(net, net.multiply(deep, gate), {.channels = 18, .kernel = {1, 1}});
  finish(net, net.add(x, deep));
  return net;
}

// Branches at several scales, each pooled, convolved and resized, side by side; then once more with a stride.
Network scales(int64_t batch) {
  Network net(batch, 12, 10, 3);
  Map x = reluConvolution(net, net.image(), same3x3(16));
  for (const int64_t stride : {1, 2}) {
    const Map in = reluConvolution(net, x, {.channels = 12, .kernel = {1, 1}, .strides = {stride, stride}});
    std::vector<Map> branches;
    for (const auto &[scale, channels] : std::vector<std::pair<int64_t, int64_t>>{{1, 9}, {2, 6}, {4, 3}}) {
      Map branch = in;
      if (scale > 1)
        branch = net.maxPool(branch, {.kernel = {scale, scale}, .strides = {scale, scale}, .ceil = true});
      branch = normed(net, branch, same3x3(channels));
      if (scale > 1)
        branch = net.resize(branch, in.h, in.w, "nearest");
      branches.push_back(branch);
    }
    const Map joined = net.activate(net.concat(branches), "relu");
    const Map out = normed(net, joined, {.channels = 16, .kernel = {1, 1}});
    const Map shortcut =
        stride == 1 ? x : normed(net, x, {.channels = 16, .kernel = {1, 1}, .strides = {2, 2}});
    x = net.activate(net.add(out, shortcut), "relu");
  }
  finish(net, x);
  return net;
}

} // namespace

BOOST_AUTO_TEST_SUITE(networks)

BOOST_AUTO_TEST_CASE(one_image) {
  checkNetwork(res2net(1), {.threads = 3}, kWholeNetwork);
  checkNetwork(elastic(1), {.threads = 1}, kWholeNetwork);
  checkNetwork(gated(1), {.threads = 2}, kWholeNetwork);
  checkNetwork(scales(1), {.threads = 3}, kWholeNetwork);
}

BOOST_AUTO_TEST_CASE(bfloat16) {
  for (const std::string &target : runningTargets({"avx512bf16", "sse"})) {
    const CompareOptions options{.target = target, .threads = 3, .maps = codegen::Element::BF16};
    for (const Network &net : {res2net(2), elastic(3), gated(1), scales(2)})
      checkNetwork(net, options, kWholeNetworkBFloat16);
  }
}

// Inference and a training step of each.
BOOST_AUTO_TEST_CASE(odd_batches) {
  checkNetwork(res2net(1), {.train = true, .threads = 1}, kWholeNetwork);
  checkNetwork(elastic(3), {.train = true, .loss = "binary", .threads = 2}, kWholeNetwork);
  checkNetwork(gated(5), {.train = true, .threads = 3}, kWholeNetwork);
  checkNetwork(scales(3), {.train = true, .threads = 3}, kWholeNetwork);
}

// The same with the batch in blocks, whose maps share memory.
BOOST_AUTO_TEST_CASE(blocks_of_images) {
  const std::string passes = "vn-fold-batch-norm,vn-fuse-epilogue,vn-block-images{images=";
  checkNetwork(res2net(4), {.passes = passes + "1}"}, kWholeNetwork);
  checkNetwork(elastic(6), {.threads = 3, .passes = passes + "3}"}, kWholeNetwork);
  checkNetwork(gated(4), {.threads = 1, .passes = passes + "2}"}, kWholeNetwork);
  checkNetwork(scales(3), {.passes = passes + "1}"}, kWholeNetwork);
}

// Slices that start at multiples of three channels, holes of zeros before them.
BOOST_AUTO_TEST_CASE(aligned_slices) {
  const std::string passes =
      "vn-align-slices{multiple=3},vn-fold-batch-norm,vn-sink-pointwise,vn-fuse-epilogue";
  const Network net = res2net(2);
  checkNetwork(net, {.threads = 2, .passes = passes}, kWholeNetwork);
  const PreparedModule module = prepareModule(net.text(), "", passes);
  BOOST_TEST_REQUIRE(module.error == "");
  BOOST_TEST(compiler::reportLines(*module.compiled).front().starts_with("align-slices"));
}

// Nothing above the backends is the CPU's alone: another one runs them through the same lowering, memory
// plan, tables and runtime. Results that each step rounds to float32 differ by that.
BOOST_AUTO_TEST_CASE(reference_backend) {
  const ReferenceBackend backend;
  for (const Network &net : {res2net(1), elastic(2), gated(3), scales(2)}) {
    checkNetwork(net, {.backend = &backend}, kWholeNetwork);
    checkNetwork(net, {.train = true, .threads = 3, .backend = &backend}, kWholeNetwork);
  }
  checkNetwork(elastic(3), {.train = true, .loss = "binary", .backend = &backend}, kWholeNetwork);
  checkNetwork(scales(2), {.backend = &backend, .maps = codegen::Element::BF16}, kWholeNetworkBFloat16);
  const std::string passes = "vn-fold-batch-norm,vn-fuse-epilogue,vn-block-images{images=";
  checkNetwork(res2net(4), {.backend = &backend, .passes = passes + "2}"}, kWholeNetwork);
}

BOOST_AUTO_TEST_SUITE_END()
