// Direct convolution, F(2x2, 3x3) or F(4x4, 3x3): by expected cycles (codegen/cpu/MachineModel.h), within an
// error budget; and the sizes of groups and register tiles.
#include "codegen/cpu/kernels/Winograd.h"

#include <algorithm>
#include <cmath>

namespace vernier::codegen {
namespace {

// --- blocking

// Tiles of a group when blocks of output channels are the tasks.
constexpr int64_t kSplitGroup = 64;

// Tiles that are accumulated at once beside `vectors` weights and one broadcast.
int64_t mostTiles(int64_t vectors, const Target &target) {
  return std::max<int64_t>(1, std::min<int64_t>(28, target.registers - vectors - 1) / vectors);
}

void chooseBlocking(WinogradSpec &spec, const Target &target) {
  const int64_t all = ceilDiv(spec.weights.outputs, target.lanes), tiles = spec.tiles();
  const int64_t vectors = std::min<int64_t>(all, tiles <= mostTiles(4, target) ? 4 : 2);
  const int64_t most = mostTiles(vectors, target);
  spec.weights.vectors = vectors;
  const auto setGroup = [&](int64_t most) { spec.group = ceilDiv(tiles, ceilDiv(tiles, most)); };
  const auto fits = [&](int64_t group) {
    return 4 * spec.weights.places() * spec.weights.inputs * group <= target.machine.winogradBytes;
  };
  // All tiles pass over the weights at once where they are few; else each group passes over all weights,
  // which are then used often enough to come from a shared cache.
  spec.split = tiles < target.machine.fewestGroups * most || !fits(most);
  if (spec.split) {
    setGroup(std::max(most, kSplitGroup));
  } else {
    setGroup(tiles >= target.machine.fewestGroups * 2 * most && fits(2 * most) ? 2 * most : most);
    spec.groupsPerTask = ceilDiv(spec.groups(), target.machine.mostGroups);
  }
  spec.registerTiles = ceilDiv(spec.group, ceilDiv(spec.group, most));
}

// --- cost in cycles of one core, of which a vector multiply-add takes one

int64_t transformCycles(int64_t transform, const MachineModel &machine) {
  return transform == 2 ? machine.transformCycles2 : machine.transformCycles4;
}

// Weights that change in each run are written and read.
double weightCycles(double bytes, bool packsEachRun, const MachineModel &machine) {
  return machine.cyclesPerWeightByte * bytes * (packsEachRun ? 3 : 1);
}

// Pairs of an output and a tap that meet an input along one axis.
int64_t meetings(int64_t outputs, int64_t inputs, int64_t before) {
  int64_t count = 0;
  for (int64_t o = 0; o < outputs; ++o)
    for (int64_t tap = 0; tap < 3; ++tap)
      count += o + tap >= before && o + tap < before + inputs;
  return count;
}

} // namespace

double directCycles(const View &in, const View &out, int64_t top, int64_t left, bool packsEachRun,
                    const Target &target) {
  const double vectors = double(ceilDiv(out.c, target.lanes));
  const double products =
      double(out.n) * double(meetings(out.h, in.h, top)) * double(meetings(out.w, in.w, left)) * double(in.c);
  const double cycles = in.element == Element::F32 ? 1
                        : target.bfloat16Dot       ? target.machine.dotProductCycles
                                                   : target.machine.widenedCycles;
  return products * vectors * cycles +
         weightCycles(double(elementBytes(in.element) * 9 * in.c * out.c), packsEachRun, target.machine);
}

double winogradCycles(const WinogradSpec &spec, bool packsEachRun, const MachineModel &machine) {
  const WinogradWeights &w = spec.weights;
  const double vectors = double(w.paddedOutputs() / w.lanes), inputs = double(w.inputs);
  // The last register tile of a group may be narrow.
  const int64_t rest = spec.group % spec.registerTiles;
  const auto busy = [&](int64_t tiles) {
    return tiles ? double(std::max(tiles, ceilDiv(machine.pipelined, w.vectors))) : 0;
  };
  const double groupTiles = double(spec.group / spec.registerTiles) * busy(spec.registerTiles) + busy(rest);
  const double products = double(spec.groups() * w.places()) * groupTiles * inputs * vectors;
  const double transforms = double(spec.tiles() * transformCycles(w.transform, machine)) *
                            (double(ceilDiv(w.inputs, w.lanes)) + vectors);
  const double packing = packsEachRun ? double(machine.packCycles) * inputs * vectors : 0;
  return products + transforms + packing + weightCycles(4.0 * double(w.elements()), packsEachRun, machine);
}

// Rounding to nearest leaves a relative error of 0.4 units in the last place on average, and a sum of n terms
// one after the other sqrt(n / 2) times that; the transforms amplify both.
double winogradError(int64_t transform, int64_t inputs) {
  const double unit = std::ldexp(1.0, -24);
  return WinogradTransforms(transform).noiseGain() * unit * (1 + 0.4 * std::sqrt(double(inputs) / 2));
}

std::optional<WinogradSpec> chooseWinograd(const View &in, const View &out, int64_t top, int64_t left,
                                           bool packsEachRun, const WinogradOptions &options,
                                           const Target &target) {
  std::optional<WinogradSpec> best;
  const double budget = packsEachRun ? options.trainingErrorBudget : options.errorBudget;
  double bestCycles = options.transform ? INFINITY : directCycles(in, out, top, left, packsEachRun, target);
  for (int64_t transform : {2, 4}) {
    if ((options.transform && options.transform != transform) || winogradError(transform, in.c) > budget)
      continue;
    WinogradSpec spec;
    spec.in = in;
    spec.out = out;
    spec.top = top;
    spec.left = left;
    spec.weights = {transform, out.c, in.c, 1, target.lanes};
    chooseBlocking(spec, target);
    const double cycles = winogradCycles(spec, packsEachRun, target.machine);
    if (cycles < bestCycles) {
      bestCycles = cycles;
      best = spec;
    }
  }
  return best;
}

} // namespace vernier::codegen
