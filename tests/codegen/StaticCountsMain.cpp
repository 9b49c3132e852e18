// A guard of speed that a busy machine cannot fool: a few representative kernels are emitted for two targets,
// and what their machine code consists of is compared with a table.
//
//   static_counts TABLE            fails where a count moved
//   static_counts --accept TABLE   writes the table anew
#include "codegen/cpu/CpuBackend.h"
#include "codegen/cpu/emit/Emit.h"
#include "codegen/cpu/schedule/Schedule.h"
#include "codegen/lower/Lower.h"
#include "tests/codegen/Network.h"
#include "tests/codegen/PreparedModule.h"
#include "tests/codegen/StaticCounts.h"

#include "llvm/Config/llvm-config.h"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>

using namespace vernier;
using namespace vernier::tests;

namespace {

// A release of the compiler may move an instruction here and there, but has no reason to spill.
constexpr std::array<double, NumCounts> kTolerance = {0.03, 0.03, 0.03, 0.03, 0, 0.06};
constexpr std::array<const char *, NumCounts> kCountNames = {"multiply-adds", "dot products", "loads",
                                                             "stores",        "spills",       "code bytes"};
// bfloat16 where AVX-512 multiplies pairs of it, and where it is written out in float32.
struct Code {
  const char *target;
  codegen::Element maps;
};
constexpr Code kCodes[] = {{"avx512", codegen::Element::F32},
                           {"avx2", codegen::Element::F32},
                           {"avx512bf16", codegen::Element::BF16},
                           {"avx2", codegen::Element::BF16}};

// The kernels of the network's program whose names begin with `kernels`, taken together.
struct Subject {
  std::string name;
  std::string kernels;
  Network net;
  bool training = false;
};

Network convolved(int64_t side, int64_t channels, const Convolution &options) {
  Network net(1, side, side, channels);
  net.output(net.activate(net.batchNorm(net.convolution(net.image(), options)), "relu"), "y");
  return net;
}

Convolution same3x3(int64_t channels, int64_t groups = 1) {
  return {.channels = channels, .padding = {1, 1, 1, 1}, .groups = groups};
}

// The end of a residual block: the addition and the activation are the convolution's epilogue.
Network residual(int64_t side, int64_t channels, int64_t outputs) {
  Network net(1, side, side, channels);
  const Convolution pointwise{.channels = outputs, .kernel = {1, 1}};
  const Map straight = net.batchNorm(net.convolution(net.image(), pointwise));
  const Map y = net.batchNorm(net.convolution(net.image(), pointwise));
  net.output(net.activate(net.add(y, straight), "relu"), "y");
  return net;
}

// ScaleNet's aggregation: an odd number of channels, written to a slice.
Network sliced() {
  Network net(1, 56, 56, 64);
  const Map wide = net.batchNorm(net.convolution(net.image(), same3x3(62)));
  const Map low = net.convolution(net.maxPool(net.image(), {}), same3x3(26));
  net.output(net.concat({wide, net.resize(low, 56, 56, "nearest")}), "y");
  return net;
}

Network pooled(const Pool &options) {
  Network net(1, 56, 56, 64);
  net.output(net.maxPool(net.image(), options), "y");
  return net;
}

Network resized(const std::string &mode) {
  Network net(1, 14, 14, 66);
  net.output(net.resize(net.image(), 28, 28, mode), "y");
  return net;
}

Network added() {
  Network net(1, 28, 28, 104);
  const Map a = net.maxPool(net.image(), {.kernel = {1, 1}, .strides = {1, 1}});
  net.output(net.activate(net.add(a, net.image()), "relu"), "y");
  return net;
}

Network trained(const Convolution &options) {
  Network net(2, 28, 28, 64);
  const Map x = net.activate(net.batchNorm(net.convolution(net.image(), same3x3(64))), "relu");
  net.outputLogits({net.activate(net.batchNorm(net.convolution(x, options)), "relu")}, 10);
  return net;
}

// A batch norm of what no convolution has computed: its sums are a step.
Network pooledAndNormed() {
  Network net(2, 28, 28, 64);
  const Map x = net.maxPool(net.convolution(net.image(), same3x3(64)), {});
  net.outputLogits({net.activate(net.batchNorm(x), "relu")}, 10);
  return net;
}

std::vector<Subject> subjects() {
  const Convolution pointwise{.channels = 64, .kernel = {1, 1}};
  return {
      {"3x3", "conv", convolved(28, 128, same3x3(128))},
      {"3x3, 7x7 map", "conv", convolved(7, 512, same3x3(512))},
      {"3x3, stride 2", "conv",
       convolved(56, 128, {.channels = 128, .strides = {2, 2}, .padding = {1, 1, 1, 1}})},
      {"3x3, odd widths and slices", "conv", sliced()},
      {"3x3, Winograd", "winograd", convolved(56, 64, same3x3(64))},
      {"3x3, Winograd, 7x7 map", "winograd", convolved(7, 512, same3x3(512))},
      {"1x1, added to shortcut", "conv", residual(56, 64, 256)},
      {"1x1, odd inputs", "conv", residual(14, 349, 1024)},
      {"stem 7x7", "conv",
       convolved(224, 3, {.channels = 64, .kernel = {7, 7}, .strides = {2, 2}, .padding = {3, 3, 3, 3}})},
      {"grouped 3x3, 4 channels a group", "grouped", convolved(56, 128, same3x3(128, 32))},
      {"depthwise 3x3", "grouped", convolved(56, 64, same3x3(64, 64))},
      {"max_pool 3x3, stride 2", "max_pool", pooled({.kernel = {3, 3}, .padding = {1, 1, 1, 1}})},
      {"max_pool 2x2", "max_pool", pooled({})},
      {"max_pool 13x13, stride 1", "max_pool",
       pooled({.kernel = {13, 13}, .strides = {1, 1}, .padding = {6, 6, 6, 6}})},
      {"max_pool 56x56", "max_pool", pooled({.kernel = {56, 56}})},
      {"to channels first", "to_channels_first", pooled({})},
      {"from channels first", "from_channels_first", pooled({})},
      {"resize nearest", "resize", resized("nearest")},
      {"resize bilinear", "resize", resized("bilinear")},
      {"add and relu", "add", added()},
      {"weight gradient 3x3", "weight_gradient", trained(same3x3(64)), true},
      {"weight gradient 1x1", "weight_gradient", trained(pointwise), true},
      {"in training: sums, masks", "conv", trained(pointwise), true},
      {"max_pool 2x2, gradient", "max_pool_gradient", pooledAndNormed(), true},
      {"batch norm in training, forward", "batch_sums", pooledAndNormed(), true},
      {"batch norm in training, backward", "batch_gradient", trained(pointwise), true},
  };
}

using Table = std::map<std::string, StaticCounts>; // "avx512 | 3x3", "avx2 bf16 | 3x3"

std::optional<StaticCounts> countSubject(const Subject &subject, const codegen::Target &target,
                                         codegen::Element maps) {
  PreparedModule module =
      prepareModule(subject.net.text(), subject.training ? "softmax" : "", inferencePasses(maps));
  if (!module.error.empty()) {
    std::cerr << subject.name << ": " << module.error << "\n";
    return {};
  }
  const codegen::CpuBackend backend(target, subject.kernels == "winograd"
                                                ? codegen::WinogradOptions{.transform = 4}
                                                : codegen::WinogradOptions::within(0));
  auto compilation = codegen::lowerModule(*module.compiled, backend);
  if (failed(compilation))
    return {};
  const codegen::Program &program = subject.training ? compilation->trainStep : compilation->infer;
  std::vector<codegen::KernelDefinition> chosen;
  for (const codegen::Kernel &kernel : compilation->kernels)
    if (llvm::StringRef(kernel.name).starts_with(subject.kernels) &&
        llvm::any_of(program.steps, [&](const codegen::Step &step) { return step.kernel == kernel.name; }))
      chosen.push_back(codegen::codeOf(kernel, target).definition);
  if (chosen.empty()) {
    std::cerr << subject.name << ": the program has no kernel " << subject.kernels << "...\n";
    return {};
  }
  auto objects = codegen::emitKernels(chosen, target, 1);
  if (!objects) {
    std::cerr << subject.name << ": " << llvm::toString(objects.takeError()) << "\n";
    return {};
  }
  auto counts = countInstructions(objects->front(), target);
  if (!counts) {
    std::cerr << subject.name << ": " << llvm::toString(counts.takeError()) << "\n";
    return {};
  }
  return *counts;
}

std::optional<Table> emitted() {
  Table table;
  for (const Code &code : kCodes)
    for (const Subject &subject : subjects()) {
      const bool bfloat16 = code.maps == codegen::Element::BF16;
      if (bfloat16 && (subject.training || subject.kernels == "winograd"))
        continue;
      const auto counts = countSubject(subject, *codegen::makeTarget(code.target), code.maps);
      if (!counts)
        return {};
      table[code.target + std::string(bfloat16 ? " bf16" : "") + " | " + subject.name] = *counts;
    }
  return table;
}

Table read(std::istream &file) {
  Table table;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#')
      continue;
    const size_t end = line.rfind('|');
    std::istringstream numbers(line.substr(end + 1));
    StaticCounts &counts = table[llvm::StringRef(line).substr(0, end).rtrim().str()];
    for (int64_t &count : counts)
      numbers >> count;
  }
  return table;
}

void write(std::ostream &file, const Table &table) {
  file << "# Static counts of emitted kernels, of LLVM " LLVM_VERSION_STRING
          "; see StaticCountsMain.cpp.\n#\n";
  char line[200];
  std::snprintf(line, sizeof line, "%-51s|", "# target | kernel");
  file << line;
  for (const char *name : kCountNames)
    file << "  " << name;
  file << "\n";
  for (const auto &[name, counts] : table) {
    std::snprintf(line, sizeof line, "%-51s|", name.c_str());
    file << line;
    for (int c = 0; c < NumCounts; ++c) {
      std::snprintf(line, sizeof line, "  %*lld", int(std::string(kCountNames[c]).size()),
                    (long long)(counts[c]));
      file << line;
    }
    file << "\n";
  }
}

// What moved by more than the tolerance: "spills 0 -> 45, code bytes 4041 -> 5210".
std::string moved(const StaticCounts &before, const StaticCounts &after) {
  std::string text;
  for (int c = 0; c < NumCounts; ++c)
    if (std::abs(double(after[c] - before[c])) > kTolerance[c] * double(before[c]))
      text += (text.empty() ? "" : ", ") + std::string(kCountNames[c]) + " " + std::to_string(before[c]) +
              " -> " + std::to_string(after[c]);
  return text;
}

// Prints the differences.
bool agree(const Table &expected, const Table &found) {
  bool good = true;
  const auto complain = [&](const std::string &name, const std::string &what) {
    std::cerr << name << ": " << what << "\n";
    good = false;
  };
  for (const auto &[name, counts] : found) {
    const auto row = expected.find(name);
    if (row == expected.end())
      complain(name, "not in the table");
    else if (const std::string text = moved(row->second, counts); !text.empty())
      complain(name, text);
  }
  for (const auto &[name, counts] : expected)
    if (!found.count(name))
      complain(name, "in the table, but not emitted");
  return good;
}

} // namespace

int main(int argc, char **argv) {
  const bool accept = argc == 3 && std::string(argv[1]) == "--accept";
  if (argc != 2 && !accept) {
    std::cerr << "usage: static_counts [--accept] TABLE\n";
    return 2;
  }
  const std::string path = argv[argc - 1];
  const auto found = emitted();
  if (!found)
    return 1;
  if (accept) {
    std::ofstream file(path);
    write(file, *found);
    return file.good() ? 0 : 1;
  }
  std::ifstream file(path);
  if (agree(read(file), *found))
    return 0;
  std::cerr << "\nThe code of these kernels changed. If it became faster, or no slower (tests/perf "
               "measures), accept "
               "the new counts:\n  "
            << argv[0] << " --accept " << path << "\n";
  return 1;
}
