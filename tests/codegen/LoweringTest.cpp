// What the lowering promises: kernels once, concats in place, parameters' work in `prepare`; and that every
// target generates code.
#include "codegen/cpu/CpuBackend.h"
#include "codegen/lower/Lower.h"
#include "driver/Build.h"
#include "tests/codegen/Check.h"
#include "tests/codegen/PreparedModule.h"
#include "tests/codegen/StaticCounts.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

#include <set>

using namespace vernier;
using namespace vernier::tests;

namespace {

codegen::Compilation lowered(const Network &net, const std::string &loss = "",
                             codegen::Element maps = codegen::Element::F32) {
  PreparedModule module = prepareModule(net.text(), loss, inferencePasses(maps));
  BOOST_TEST_REQUIRE(module.error == "");
  const codegen::CpuBackend backend(*codegen::makeTarget("avx2"), codegen::WinogradOptions::within(0));
  auto compilation = codegen::lowerModule(*module.compiled, backend);
  BOOST_TEST_REQUIRE(succeeded(compilation));
  return std::move(*compilation);
}

using codegen::ConvolutionProblem;

// Steps that solve such a problem.
template <typename Problem> int64_t steps(const codegen::Program &program) {
  return std::count_if(program.steps.begin(), program.steps.end(), [](const codegen::Step &step) {
    return std::holds_alternative<Problem>(step.problem);
  });
}

// Of them, those with such an epilogue.
template <typename Problem>
int64_t steps(const codegen::Program &program, bool (*with)(const codegen::Epilogue &)) {
  return std::count_if(program.steps.begin(), program.steps.end(), [&](const codegen::Step &step) {
    const auto *problem = std::get_if<Problem>(&step.problem);
    return problem && with(problem->epilogue);
  });
}
bool adds(const codegen::Epilogue &epilogue) { return !epilogue.addends.empty(); }
bool masks(const codegen::Epilogue &epilogue) { return epilogue.masked != Activation::None; }
bool addsAndMasks(const codegen::Epilogue &epilogue) {
  return epilogue.addends.size() == 1 && masks(epilogue);
}
bool sumsMoments(const codegen::Epilogue &epilogue) { return epilogue.sums == codegen::Sums::Moments; }
bool sumsGradients(const codegen::Epilogue &epilogue) { return epilogue.sums == codegen::Sums::Gradient; }

int64_t affineWithAddend(const codegen::Program &program) {
  return std::count_if(program.steps.begin(), program.steps.end(), [](const codegen::Step &step) {
    const auto *problem = std::get_if<codegen::AffineProblem>(&step.problem);
    return problem && problem->addend;
  });
}

Convolution same3x3(int64_t channels) { return {.channels = channels, .padding = {1, 1, 1, 1}}; }

// A little of everything, for targets.
Network assorted(int64_t batch) {
  Network net(batch, 7, 9, 20);
  const Map x = net.activate(net.batchNorm(net.convolution(net.image(), same3x3(18))), "relu");
  const Map narrow = net.convolution(x, {.channels = 18, .padding = {1, 1, 1, 1}, .groups = 9});
  const Map deep =
      net.convolution(x, {.channels = 18, .kernel = {5, 5}, .padding = {2, 2, 2, 2}, .groups = 18});
  const Map half = net.maxPool(net.convolution(x, {.channels = 7, .kernel = {1, 1}}), {.ceil = true});
  const Map average =
      net.averagePool(deep, {.kernel = {3, 3}, .padding = {1, 1, 1, 1}, .countPadding = false});
  const Map up = net.resize(half, 7, 9, "bilinear");
  const Map wide = net.resize(average, 7, 9, "nearest");
  const Map gate = net.activate(net.linear(net.globalPool(narrow), 18), "sigmoid");
  const Map sum = net.activate(net.add(net.multiply(narrow, gate), wide), "relu6");
  Map y = net.concat({sum, up, net.slice(x, 3, 9)});
  y = net.crop(net.pad(y, {1, 0, 2, 1}, "replicate"), 7, 8, {1, 2});
  y = net.convolution(
      y, {.channels = 33, .strides = {2, 2}, .padding = {1, 0, 1, 0}, .dilations = {1, 2}, .bias = true});
  net.output(net.linear(net.globalPool(y), 6), "logits");
  return net;
}

} // namespace

BOOST_AUTO_TEST_SUITE(lowering)

BOOST_AUTO_TEST_CASE(equal_kernels_once) {
  Network net(1, 8, 8, 16);
  Map x = net.image();
  for (int i = 0; i < 4; ++i)
    x = net.activate(net.batchNorm(net.convolution(x, same3x3(16))), "relu");
  net.output(net.linear(net.globalPool(x), 4), "logits");
  const codegen::Compilation compilation = lowered(net, "softmax");
  std::set<std::string> names;
  for (const codegen::Kernel &kernel : compilation.kernels)
    BOOST_TEST(names.insert(kernel.name).second, kernel.name << " is there twice");
  std::set<std::string> used;
  for (const codegen::Program *program :
       {&compilation.prepare, &compilation.infer, &compilation.trainStep, &compilation.update})
    for (const codegen::Step &step : program->steps)
      used.insert(step.kernel);
  BOOST_TEST(used == names);
  // The four convolutions share their kernel.
  BOOST_TEST(steps<ConvolutionProblem>(compilation.infer) == 4 + 1); // and the linear layer
  std::set<std::string> convolutions;
  for (const codegen::Step &step : compilation.infer.steps)
    if (std::holds_alternative<ConvolutionProblem>(step.problem))
      convolutions.insert(step.kernel);
  BOOST_TEST(convolutions.size() == 2u);
}

BOOST_AUTO_TEST_CASE(concat_in_place) {
  Network net(1, 8, 8, 16);
  const Map a = net.convolution(net.image(), same3x3(9)),
            b = net.resize(net.averagePool(net.image(), {}), 8, 8, "nearest");
  const Map inner = net.concat({a, net.activate(b, "relu")});
  const Map outer = net.concat(
      {inner, net.maxPool(net.image(), {.kernel = {3, 3}, .strides = {1, 1}, .padding = {1, 1, 1, 1}})});
  net.output(net.convolution(outer, same3x3(3)), "out");
  BOOST_TEST(steps<codegen::CopyProblem>(lowered(net).infer) == 0);
}

BOOST_AUTO_TEST_CASE(concat_that_must_copy) {
  Network net(1, 8, 8, 16);
  const Map a = net.convolution(net.image(), same3x3(9));
  // A slice lies in its map already, the image too; the same map cannot be written to two places.
  const Map slices = net.concat({net.slice(a, 0, 4), net.image()}), twice = net.concat({a, a});
  net.output(net.convolution(slices, same3x3(3)), "slices");
  net.output(net.convolution(twice, same3x3(3)), "twice");
  BOOST_TEST(steps<codegen::CopyProblem>(lowered(net).infer) == 4);
}

BOOST_AUTO_TEST_CASE(weights_are_prepared) {
  Network net(1, 8, 8, 16);
  const Map x = net.batchNorm(net.convolution(net.image(), same3x3(16)));
  const Map y = net.batchNorm(net.convolution(x, {.channels = 16, .padding = {1, 1, 1, 1}, .groups = 16}));
  net.output(net.batchNorm(net.maxPool(y, {})), "out");
  const codegen::Compilation compilation = lowered(net);
  BOOST_TEST(steps<codegen::FoldWeightProblem>(compilation.prepare) > 0);
  BOOST_TEST(steps<codegen::FoldBiasProblem>(compilation.prepare) > 0);
  BOOST_TEST(steps<codegen::WeightLayoutProblem>(compilation.prepare) > 0);
  BOOST_TEST(steps<codegen::FoldWeightProblem>(compilation.infer) == 0);
  BOOST_TEST(steps<codegen::FoldBiasProblem>(compilation.infer) == 0);
  BOOST_TEST(steps<codegen::WeightLayoutProblem>(compilation.infer) == 0);
  BOOST_TEST(steps<codegen::AffineProblem>(compilation.infer) ==
             1); // a pooled map's batch norm folds into nothing
  for (const codegen::Step &step : compilation.infer.steps)
    for (const codegen::StepOperand &operand : step.operands)
      BOOST_TEST(!(operand.written && compilation.buffers[operand.buffer].space == VN_SPACE_DERIVED));
}

// What is computed of parameters alone, but for what is written into a map of the call.
BOOST_AUTO_TEST_CASE(parameters_as_maps_are_prepared) {
  Network net(4, 8, 8, 16);
  const Map w = net.activate(net.parameterMap(3), "relu");
  const Map share = net.divide(w, net.reduceChannels(w, "mean"));
  net.output(net.multiply(net.image(), net.slice(share, 1, 1)), "weighted");
  net.output(net.concat({net.activate(net.parameterMap(3), "tanh"), net.globalPool(net.image())}), "joined");
  const codegen::Compilation compilation = lowered(net);
  BOOST_TEST(steps<codegen::SpatialBroadcastProblem>(compilation.prepare) == 2);
  BOOST_TEST(steps<codegen::ActivationProblem>(compilation.prepare) == 1);
  BOOST_TEST(steps<codegen::ChannelReductionProblem>(compilation.prepare) == 1);
  BOOST_TEST(steps<codegen::BinaryProblem>(compilation.prepare) == 1);
  BOOST_TEST(steps<codegen::ActivationProblem>(compilation.infer) == 1);
  BOOST_TEST(steps<codegen::BinaryProblem>(compilation.infer) == 1);
}

// Slices of weights are cut in `prepare`, and a resized map that a convolution adds is never written.
// A program for each size, whose packed weights, buffers and parameters are those of one.
BOOST_AUTO_TEST_CASE(sizes_share_packed_weights) {
  const auto network = [](int64_t batch, int64_t height) {
    Network net(batch, height, 16, 16);
    const Map x = net.batchNorm(net.convolution(net.image(), same3x3(16)));
    net.output(net.linear(net.globalPool(x), 4), "logits");
    return net;
  };
  const codegen::CpuBackend backend(*codegen::makeTarget("avx2"), codegen::WinogradOptions::within(0));
  std::vector<PreparedModule> modules;
  for (const Network &net : {network(1, 16), network(4, 8)})
    modules.push_back(prepareModule(net.text(), "softmax", inferencePasses(codegen::Element::F32)));
  auto both = codegen::lowerModule({*modules[0].compiled, *modules[1].compiled}, backend);
  BOOST_TEST_REQUIRE(succeeded(both));
  const codegen::Compilation alone = lowered(network(1, 16), "softmax");
  BOOST_TEST(both->prepare.steps.size() == alone.prepare.steps.size());
  BOOST_TEST(both->derivedBytes == alone.derivedBytes);
  BOOST_TEST(both->parameters.size() == alone.parameters.size());
  BOOST_TEST(both->parameterBytes == alone.parameterBytes);
  BOOST_TEST(both->update.steps.size() == alone.update.steps.size());
  BOOST_TEST_REQUIRE(both->furtherSizes.size() == 1u);
  const codegen::SizePrograms &size = both->furtherSizes[0];
  for (const codegen::Program *program : {&size.infer, &size.trainStep})
    BOOST_TEST(program->io[0].shape == std::vector<int64_t>({4, 16, 8, 16}),
               boost::test_tools::per_element());
  const auto derived = [&](const codegen::Program &program) {
    std::set<int64_t> offsets;
    for (const codegen::Step &step : program.steps)
      for (const codegen::StepOperand &operand : step.operands)
        if (const codegen::Buffer &buffer = both->buffers[size_t(operand.buffer)];
            buffer.space == VN_SPACE_DERIVED)
          offsets.insert(buffer.offset + operand.offset);
    return offsets;
  };
  BOOST_TEST(derived(size.infer) == derived(both->infer));
}

BOOST_AUTO_TEST_CASE(sunk_convolutions) {
  Network net(1, 8, 8, 16);
  std::vector<Map> scales;
  for (const int64_t side : {8, 4, 2}) {
    const Map branch = net.convolution(net.part(side, side, 16, false, unsigned(side)), same3x3(16));
    scales.push_back(side == 8 ? branch : net.resize(branch, 8, 8, "nearest"));
  }
  const Map joined = net.activate(net.concat(scales), "relu");
  net.output(net.batchNorm(net.convolution(joined, {.channels = 16, .kernel = {1, 1}})), "out");
  const codegen::Compilation compilation = lowered(net);
  const auto &infer = compilation.infer;
  const auto pointwise = std::count_if(infer.steps.begin(), infer.steps.end(), [](const codegen::Step &step) {
    const auto *problem = std::get_if<ConvolutionProblem>(&step.problem);
    return problem && problem->kernel == std::array<int64_t, 2>{1, 1};
  });
  BOOST_TEST(pointwise == 3);
  BOOST_TEST(steps<codegen::ResizeProblem>(infer) == 0);
  BOOST_TEST(steps<codegen::ActivationProblem>(infer) == 0);
  BOOST_TEST(steps<codegen::BinaryProblem>(infer) == 0);
  BOOST_TEST(steps<codegen::CopyProblem>(infer) == 0);
  BOOST_TEST(steps<codegen::CopyProblem>(compilation.prepare) == 3);
}

// An activation after an addition or a training batch norm is no step of its own.
BOOST_AUTO_TEST_CASE(activations_join_their_producer) {
  Network net(1, 8, 8, 16);
  const Map x = net.activate(net.batchNorm(net.convolution(net.image(), same3x3(16))), "relu");
  const Map y = net.activate(net.add(net.maxPool(x, {}), net.averagePool(x, {})), "relu");
  net.output(net.linear(net.globalPool(y), 4), "logits");
  const codegen::Compilation compilation = lowered(net, "softmax");
  BOOST_TEST(steps<codegen::ActivationProblem>(compilation.infer) == 0);
  BOOST_TEST(steps<codegen::ActivationProblem>(compilation.trainStep) == 0);
  // The addition's; the batch norm's is part of its own.
  BOOST_TEST(steps<codegen::ActivationGradientProblem>(compilation.trainStep) == 1);
}

// Residual blocks: additions of gradients and gradients of activations, sums for batch norms and the addition
// after one are no steps of their own.
BOOST_AUTO_TEST_CASE(training_joins_the_convolutions) {
  Network net(2, 8, 8, 16);
  Map x = net.activate(net.batchNorm(net.convolution(net.image(), same3x3(16))), "relu");
  for (int i = 0; i < 2; ++i) {
    const Map inner = net.activate(net.batchNorm(net.convolution(x, same3x3(9))), "relu");
    x = net.activate(net.add(net.batchNorm(net.convolution(inner, same3x3(16))), x), "relu");
  }
  net.output(net.linear(net.globalPool(x), 4), "logits");
  const codegen::Program program = lowered(net, "softmax").trainStep;
  BOOST_TEST(steps<ConvolutionProblem>(program, sumsMoments) == 5);
  BOOST_TEST(steps<codegen::BatchSumsProblem>(program) == 0);
  BOOST_TEST(affineWithAddend(program) == 2);
  BOOST_TEST(steps<codegen::BinaryProblem>(program) == 0);
  BOOST_TEST(steps<ConvolutionProblem>(program, adds) == 2);
  BOOST_TEST(steps<ConvolutionProblem>(program, masks) == 4);
  BOOST_TEST(steps<ConvolutionProblem>(program, sumsGradients) == 4);
  // The last block's gradient comes from the pooling.
  BOOST_TEST(steps<codegen::ActivationGradientProblem>(program) == 1);
  BOOST_TEST(steps<codegen::BatchGradientSumsProblem>(program) == 1);
}

// A gradient whose other part is computed later waits for it; pools that read a map together add up in place.
BOOST_AUTO_TEST_CASE(gradients_add_up_in_the_last_kernel) {
  Network net(2, 8, 8, 16);
  const Map x = net.activate(net.batchNorm(net.convolution(net.image(), same3x3(16))), "relu");
  const Map average = net.averagePool(x, {.kernel = {3, 3}, .strides = {1, 1}, .padding = {1, 1, 1, 1}});
  net.output(net.linear(net.globalPool(net.concat({average, net.convolution(x, same3x3(9))})), 4), "logits");
  const codegen::Program waits = lowered(net, "softmax").trainStep;
  BOOST_TEST(steps<codegen::BinaryProblem>(waits) == 0);
  BOOST_TEST(steps<ConvolutionProblem>(waits, addsAndMasks) == 1);

  Network pools(2, 8, 8, 16);
  const Map y = pools.activate(pools.batchNorm(pools.convolution(pools.image(), same3x3(16))), "relu");
  const Map half = pools.maxPool(y, {}), quarter = pools.maxPool(y, {.kernel = {4, 4}, .strides = {4, 4}});
  pools.output(pools.linear(pools.concat({pools.globalPool(half), pools.globalPool(quarter)}), 4), "logits");
  const codegen::Program inPlace = lowered(pools, "softmax").trainStep;
  BOOST_TEST(steps<codegen::BinaryProblem>(inPlace) == 0);
  BOOST_TEST(steps<codegen::PoolGradientProblem>(inPlace, addsAndMasks) == 1);
}

// Each reason to keep a step of its own.
BOOST_AUTO_TEST_CASE(training_steps_that_stay_apart) {
  const auto normed = [](Network &net, const Map &x, const Convolution &o) {
    return net.activate(net.batchNorm(net.convolution(x, o)), "relu");
  };
  const auto lowerTail = [](Network &net, const Map &x) {
    net.output(net.linear(net.globalPool(x), 4), "logits");
    return lowered(net, "softmax").trainStep;
  };
  { // Several steps compute the gradient: they apply the mask, and the sums are a step.
    Network net(2, 8, 8, 16);
    const auto program = lowerTail(
        net, normed(net, normed(net, net.image(), same3x3(16)), {.channels = 16, .strides = {2, 2}}));
    BOOST_TEST(steps<ConvolutionProblem>(program, masks) == 4);
    BOOST_TEST(steps<ConvolutionProblem>(program, sumsGradients) == 0);
    BOOST_TEST(steps<codegen::BatchGradientSumsProblem>(program) == 2);
  }
  { // Two activations read the gradient.
    Network net(2, 8, 8, 16);
    const Map sum = net.add(normed(net, net.image(), same3x3(16)), normed(net, net.image(), same3x3(16)));
    const auto program = lowerTail(net, net.convolution(sum, same3x3(16)));
    BOOST_TEST(steps<ConvolutionProblem>(program, masks) == 0);
    BOOST_TEST(steps<codegen::BatchGradientSumsProblem>(program) == 2);
    BOOST_TEST(steps<codegen::BinaryProblem>(program) == 1); // forward: activations come before it
  }
  { // Windows that overlap write an element several times.
    Network net(2, 8, 8, 16);
    const auto program = lowerTail(
        net, net.maxPool(normed(net, net.image(), same3x3(16)), {.kernel = {3, 3}, .strides = {2, 2}}));
    BOOST_TEST(steps<codegen::PoolGradientProblem>(program) == 1);
    BOOST_TEST(steps<codegen::PoolGradientProblem>(program, masks) == 0);
  }
  { // No convolution computes the map; two groups share a vector.
    Network net(2, 8, 8, 18);
    const Map pooled = net.batchNorm(net.maxPool(net.convolution(net.image(), same3x3(18)), {}));
    const auto program = lowerTail(
        net, net.batchNorm(net.convolution(pooled, {.channels = 18, .padding = {1, 1, 1, 1}, .groups = 2})));
    BOOST_TEST(steps<codegen::BatchSumsProblem>(program) == 2);
    BOOST_TEST(steps<ConvolutionProblem>(program, sumsMoments) == 0);
  }
  { // What is added is computed after the batch norm, and has a place in advance.
    Network net(2, 8, 8, 16);
    const Map norm = net.batchNorm(net.convolution(net.image(), same3x3(16)));
    const Map later = net.averagePool(net.convolution(net.image(), same3x3(16)),
                                      {.kernel = {3, 3}, .strides = {1, 1}, .padding = {1, 1, 1, 1}});
    const auto program = lowerTail(net, net.add(norm, later));
    BOOST_TEST(affineWithAddend(program) == 0);
    BOOST_TEST(steps<codegen::BinaryProblem>(program) == 1);
  }
}

// What another machine costs is said among the passes' options; the usual one's numbers are the passes' own.
BOOST_AUTO_TEST_CASE(passes_ask_the_machine) {
  using codegen::Purpose;
  codegen::Target target = *codegen::makeTarget("avx2");
  const codegen::CpuBackend usual(target);
  BOOST_TEST(usual.passes(Purpose::Inference) == compiler::kInferencePasses);
  BOOST_TEST(usual.passes(Purpose::TrainStep) == compiler::kTrainStepPasses);
  const codegen::MachineModel &machine = usual.target.machine;
  for (const auto &[option, number] : {std::pair<const char *, double>{"macs-per-byte=", machine.macsPerByte},
                                       {"cache=", machine.outerCacheBytes},
                                       {"weight-byte=", machine.weightByteCost},
                                       {"run=", machine.runCost},
                                       {"cut-byte=", machine.cutByteCost}}) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    compiler::createSinkPointwise()->printAsTextualPipeline(stream);
    compiler::createBlockImages()->printAsTextualPipeline(stream);
    const size_t at = text.find(option);
    BOOST_TEST_REQUIRE(at != std::string::npos, option << " is no option of " << text);
    BOOST_TEST(std::atof(text.c_str() + at + std::strlen(option)) == number, option << " in " << text);
  }
  target.machine.macsPerByte = 16;
  target.machine.outerCacheBytes = 1 << 20;
  target.machine.runCost = 0.5;
  const codegen::CpuBackend other(target);
  const std::string inference = other.passes(Purpose::Inference),
                    forward = other.passes(Purpose::TrainForward);
  BOOST_TEST(inference.find(",vn-sink-pointwise{macs-per-byte=16},") != std::string::npos, inference);
  BOOST_TEST(inference.find(",vn-block-images{cache=1048576 run=0.5}") != std::string::npos, inference);
  BOOST_TEST(forward.find("vn-sink-pointwise{macs-per-byte=16 function=train_forward}") != std::string::npos,
             forward);
  PreparedModule module = prepareModule(assorted(2).text(), "", inference);
  BOOST_TEST(module.error == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(targets)

BOOST_AUTO_TEST_CASE(every_target_generates_an_object) {
  for (const std::string &name : codegen::targetNames()) {
    // x86's training steps are compiled where they are run.
    PreparedModule module = prepareModule(assorted(1).text(), name == "aarch64" ? "softmax" : "");
    BOOST_TEST_REQUIRE(module.error == "");
    codegen::ModelFacts facts;
    facts.name = facts.symbol = "assorted";
    auto model =
        driver::compileModel(*module.compiled, codegen::CpuBackend(*codegen::makeTarget(name)), facts);
    BOOST_TEST(bool(model), name);
    if (!model) {
      BOOST_TEST_MESSAGE(llvm::toString(model.takeError()));
      continue;
    }
    BOOST_TEST(!model->code.objects.empty());
    const char machine = name == "aarch64"  ? char(183)
                         : name == "native" ? model->code.objects[0][18]
                                            : char(62);
    for (const std::string &object : model->code.objects) {
      BOOST_TEST(object.substr(0, 4) == "\177ELF");
      BOOST_TEST(object[18] == machine, name); // e_machine
    }
  }
  BOOST_TEST(!codegen::makeTarget("z80").has_value());
}

// A CPU that has what the model names runs its code, whatever else it lacks.
BOOST_AUTO_TEST_CASE(no_instruction_beyond_the_target) {
  std::vector<codegen::Target> targets;
  for (const std::string &name : codegen::targetNames())
    targets.push_back(*codegen::makeTarget(name));
  // A hypervisor hides features of a CPU that it does not hide.
  llvm::StringMap<bool> hidden;
  for (const char *feature : {"sse4.2", "avx", "avx2", "fma", "bmi", "bmi2"})
    hidden[feature] = true;
  targets.push_back(codegen::targetOfHost("x86_64-pc-linux-gnu", "sapphirerapids", hidden));
  BOOST_TEST(targets.back().required == "avx2,fma,bmi,bmi2");
  hidden["avx2"] = false;
  targets.push_back(codegen::targetOfHost("x86_64-pc-linux-gnu", "sapphirerapids", hidden));
  BOOST_TEST(targets.back().required == "sse2");
  for (const codegen::Target &target : targets) {
    std::vector<std::string> features;
    for (llvm::StringRef feature : llvm::split(target.required, ','))
      features.push_back(feature.str());
    for (const codegen::Element maps : {codegen::Element::F32, codegen::Element::BF16}) {
      PreparedModule module = prepareModule(
          assorted(2).text(), maps == codegen::Element::F32 ? "softmax" : "", inferencePasses(maps));
      BOOST_TEST_REQUIRE(module.error == "");
      codegen::ModelFacts facts;
      facts.name = facts.symbol = "assorted";
      auto model =
          driver::compileModel(*module.compiled, codegen::CpuBackend(target, {.transform = 4}), facts);
      BOOST_TEST_REQUIRE(bool(model), target.name);
      for (const std::string &object : model->code.objects)
        for (const std::string &instruction : llvm::cantFail(foreignInstructions(object, target, features)))
          BOOST_TEST(false, target.name << ": `" << instruction << "` is beyond " << target.required);
    }
  }
}

// The check above finds what it is for.
BOOST_AUTO_TEST_CASE(instructions_beyond_a_target_are_found) {
  PreparedModule module = prepareModule(assorted(1).text(), "");
  codegen::ModelFacts facts;
  facts.name = facts.symbol = "assorted";
  const codegen::Target target = *codegen::makeTarget("avx512");
  auto model = driver::compileModel(*module.compiled, codegen::CpuBackend(target), facts);
  BOOST_TEST_REQUIRE(bool(model));
  bool found = false;
  for (const std::string &object : model->code.objects)
    for (const std::string &instruction :
         llvm::cantFail(foreignInstructions(object, target, {"avx2", "fma", "bmi", "bmi2"})))
      found |= llvm::StringRef(instruction).contains("%zmm");
  BOOST_TEST(found);
}

// What the runtime looks for before it runs a model is what LLVM says of this machine.
BOOST_AUTO_TEST_CASE(runtime_knows_every_feature) {
  const llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  const bool x86 = llvm::Triple(llvm::sys::getDefaultTargetTriple()).isX86();
  for (const std::string &name : codegen::targetNames()) {
    const codegen::Target target = *codegen::makeTarget(name);
    if (llvm::Triple(target.triple).isX86() != x86)
      continue;
    for (llvm::StringRef feature : llvm::split(target.required, ','))
      BOOST_TEST(runtime::missingCpuFeatures(feature.str()).empty() == features.lookup(feature),
                 name << ": " << feature.str());
  }
  BOOST_TEST(runtime::missingCpuFeatures(codegen::makeTarget("native")->required).empty());
  BOOST_TEST(runtime::missingCpuFeatures("avx2,unheard-of").back() == "unheard-of");
}

BOOST_AUTO_TEST_CASE(bfloat16_on_every_target) {
  for (const std::string &name : codegen::targetNames()) {
    PreparedModule module = prepareModule(assorted(1).text(), "", inferencePasses(codegen::Element::BF16));
    const codegen::Target target = *codegen::makeTarget(name);
    codegen::ModelFacts facts;
    facts.name = facts.symbol = "assorted";
    auto model = driver::compileModel(*module.compiled, codegen::CpuBackend(target), facts);
    BOOST_TEST_REQUIRE(bool(model), name);
    if (llvm::StringRef(target.triple).starts_with("aarch64"))
      continue;
    int64_t dotProducts = 0;
    for (const std::string &object : model->code.objects)
      dotProducts += llvm::cantFail(countInstructions(object, target))[DotProducts];
    BOOST_TEST((dotProducts > 0) == target.bfloat16Dot, name);
  }
}

// Maps and packed weights take half the memory; what parameters and callers hold is float32.
BOOST_AUTO_TEST_CASE(bfloat16_in_memory) {
  Network net(1, 8, 8, 16);
  const Map x = net.activate(net.batchNorm(net.convolution(net.image(), same3x3(32))), "relu");
  net.output(net.linear(net.globalPool(x), 4), "logits");
  const codegen::Compilation full = lowered(net), half = lowered(net, "", codegen::Element::BF16);
  BOOST_TEST(half.infer.arenaBytes == full.infer.arenaBytes / 2);
  BOOST_TEST(half.parameterBytes == full.parameterBytes);
  for (const codegen::Io &io : half.infer.io)
    BOOST_TEST(io.type == VN_FLOAT32);
  for (const codegen::Step &step : half.infer.steps)
    if (step.kernel.rfind("conv", 0) == 0)
      BOOST_TEST(step.kernel.find("_bf16_") != std::string::npos, step.kernel);
}

// Casts take no steps: the image is read into the type of its cast, and what is cast alone is written as the
// cast, unrounded; a map that is read as well is stored once, in its type.
BOOST_AUTO_TEST_CASE(casts_are_part_of_their_neighbours) {
  Network net(2, 8, 8, 16);
  const Map x = net.activate(net.batchNorm(net.convolution(net.image(), same3x3(32))), "relu");
  const Map y = net.convolution(x, same3x3(8));
  net.output(net.linear(net.globalPool(x), 4), "logits");
  net.output(x, "read");
  net.output(y, "alone");
  const codegen::Compilation full = lowered(net), half = lowered(net, "", codegen::Element::BF16);
  BOOST_TEST_REQUIRE(half.infer.steps.size() == full.infer.steps.size());
  BOOST_TEST((full.maps == codegen::Element::F32));
  BOOST_TEST((half.maps == codegen::Element::BF16));
  std::map<std::string, codegen::Element> stored; // arrays, by the map at the other side
  std::vector<codegen::Element> products;         // what convolutions write
  for (const codegen::Step &step : half.infer.steps) {
    if (const auto *array = std::get_if<codegen::ArrayProblem>(&step.problem))
      stored[step.place] = array->map.element;
    if (const auto *product = std::get_if<ConvolutionProblem>(&step.problem)) {
      BOOST_TEST((product->in.element == codegen::Element::BF16));
      products.push_back(product->out.element);
    }
  }
  using codegen::Element;
  BOOST_TEST((stored == std::map<std::string, Element>{
                            {"image", Element::BF16}, {"read", Element::BF16}, {"alone", Element::F32}}));
  BOOST_TEST(llvm::count(products, Element::BF16) == 1); // x
  BOOST_TEST(llvm::count(products, Element::F32) == 2);  // y and the logits
}

// A network that a person has written in both types: the lowering obeys, and casts that stand alone are
// copies.
BOOST_AUTO_TEST_CASE(casts_within_a_network) {
  const std::string text = R"(
    func.func @infer(%image: tensor<2x4x4x6xf32>) -> tensor<2x4x4x12xf32> {
      %a = vn.activate relu %image : tensor<2x4x4x6xf32>
      %h = vn.cast %image : (tensor<2x4x4x6xf32>) -> tensor<2x4x4x6xbf16>
      %s = vn.slice %h from 2 : (tensor<2x4x4x6xbf16>) -> tensor<2x4x4x3xbf16>
      %w = vn.cast %s : (tensor<2x4x4x3xbf16>) -> tensor<2x4x4x3xf32>
      %g = vn.activate sigmoid %h : tensor<2x4x4x6xbf16>
      %p = vn.slice %g from 0 : (tensor<2x4x4x6xbf16>) -> tensor<2x4x4x3xbf16>
      %v = vn.cast %p : (tensor<2x4x4x3xbf16>) -> tensor<2x4x4x3xf32>
      %y = vn.concat %a, %w, %v : (tensor<2x4x4x6xf32>, tensor<2x4x4x3xf32>, tensor<2x4x4x3xf32>) -> tensor<2x4x4x12xf32>
      return %y : tensor<2x4x4x12xf32>
    })";
  const Comparison found = compareWithInterpreter(text, {.passes = "vn-drop-empty"});
  BOOST_TEST(found.error == "");
  BOOST_TEST(found.worst() < 1e-3); // where both round alike, nothing
}

// Older instruction sets run on this machine too.
BOOST_AUTO_TEST_CASE(narrower_vectors) {
  for (const std::string &name : runningTargets({"avx2", "sse"}))
    checkNetwork(assorted(3), {.target = name, .train = true}, kWholeNetwork);
}

BOOST_AUTO_TEST_SUITE_END()
