// What the CPU backend knows of the machines that it generates for: sizes of caches, what things cost, how
// many tasks keep threads busy. Every choice between two ways of computing the same asks it. Beside a number
// stands what it was measured by, on the machines of docs/performance.md; those without a note are estimates
// from the caches' sizes.
#ifndef VERNIER_CODEGEN_CPU_MACHINEMODEL_H
#define VERNIER_CODEGEN_CPU_MACHINEMODEL_H

#include <cstdint>

namespace vernier::codegen {

struct MachineModel {
  // --- caches

  // First-level data caches have at least this many ways of so many sets of lines of 64 bytes: the
  // architecture's.
  int64_t ways = 8, sets = 64, line = 64;
  // Caches find a line by address bits above the line's own: pixels a multiple of this apart share few sets
  // of a first-level cache, and a tile of them evicts itself.
  int64_t aliasingBytes = 2048;
  // What stays in a first-level cache while a layout is turned.
  int64_t layoutBytes = 32 * 1024;
  // What may stay in a second-level cache of inputs, and of weights, while the other passes by; maps beyond
  // it come from memory. (ResNet-50 at batch 1: 35.6 ms with its tasks in the order that this gives, 38.8
  // without.)
  int64_t keptBytes = 512 * 1024;
  // A task of a long row, with inputs and outputs, and the part of a sum that tasks read in turn.
  int64_t chunkBytes = 128 * 1024, sumPartBytes = 256 * 1024;
  // Transformed inputs and sums of a group of Winograd's tiles.
  int64_t winogradBytes = 1024 * 1024;
  // Pixels from which on a row's maps come from beyond the second-level cache, at the pace of the hardware's
  // prefetching.
  int64_t longRow = 4096;
  // Multiply-adds between asking memory for a pixel and reading it, in gradients of weights.
  int64_t stepsAhead = 384;

  // --- tasks

  // So many keep a few threads evenly busy.
  int64_t wantedTasks = 32;
  // A step above so many cycles keeps all threads busy by itself, and each thread finds what it wrote in the
  // step before in its own cache: in a wave with others it is slower. (A training step: by a tenth.)
  int64_t largeStep = 65536;
  // Of Winograd's groups the fewest that are tasks, and the most whose scratch is worth its memory.
  int64_t fewestGroups = 8, mostGroups = 32;

  // --- costs, in cycles of one core, of which a vector multiply-add takes one. Fitted to the measurements of
  // Winograd and direct convolutions in docs/performance.md.

  // Transforming one vector of channels of one tile, forth or back; of weights, more than packing it costs.
  int64_t transformCycles2 = 60, transformCycles4 = 200, packCycles = 400;
  // A byte of weights, read once from memory while both neighbours compute.
  double cyclesPerWeightByte = 0.4;
  // A multiply-add in bfloat16, where the target multiplies pairs and where it widens them first.
  double dotProductCycles = 0.5, widenedCycles = 1.5;
  // Multiply-adds in flight.
  int64_t pipelined = 8;

  // --- what passes ask

  // Multiply-adds that take as long as moving one byte of a map: 120 G multiply-adds a second and core
  // against 15 GB/s from the outer caches.
  int64_t macsPerByte = 8;
  // Of blocks of images (`--vn-block-images`): bytes of maps that stay in a cache from one op to the next,
  // and what a byte of weights, a run of an op and a byte of what crosses a cut cost beside one of a map
  // beyond the cache. (A megabyte of maps from memory took 160 microseconds, a megabyte of weights 12.)
  int64_t outerCacheBytes = 8 * 1024 * 1024;
  double weightByteCost = 0.1, runCost = 16384, cutByteCost = 2;

  bool operator==(const MachineModel &) const = default;
};

} // namespace vernier::codegen

#endif
