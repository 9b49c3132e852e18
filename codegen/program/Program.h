// A program below the dialect: buffers, and steps that run one kernel each on places in them.
#ifndef VERNIER_CODEGEN_PROGRAM_PROGRAM_H
#define VERNIER_CODEGEN_PROGRAM_PROGRAM_H

#include "codegen/program/Kernel.h"
#include "vernier/abi.h"

#include <map>
#include <string>
#include <vector>

namespace vernier::codegen {

struct Buffer {
  vn_space space = VN_SPACE_ARENA;
  int64_t bytes = 0;
  // Bytes into the space; of an arena buffer once the memory is planned. Of an array of a call its number.
  int64_t offset = -1;
};

// A value's place: a map in a buffer, from `offset` bytes. Vectors and weights are maps of one pixel.
struct Location {
  int buffer = -1;
  int64_t offset = 0;
  View view;
};

struct StepOperand {
  int buffer = 0;
  int64_t offset = 0; // bytes into the buffer
  bool written = false;
  View view; // what of it
};

struct Step {
  std::string kernel; // by name
  Problem problem;    // of several that a backend makes of one, all have it
  std::string place;
  std::vector<StepOperand> operands;
  int64_t tasks = 1, macs = 0, bytes = 0;
  int64_t writtenBytes = 0; // of bytes
  int64_t savedMacs = 0;    // of macs, those that the kernel's algorithm does without
  // Operands that may share memory with the output when they die here: the kernel reads each element before
  // it writes the same place, in the same task.
  std::vector<int> mayReuse;
  // Independent of the steps before it, back to the last one without this mark: they form a wave.
  bool withPrevious = false;

  // Estimated work, in cycles of one core with vectors of 16: a vector multiply-add, or 16 bytes, per cycle.
  int64_t cost() const { return 1 + (macs - savedMacs) / 16 + bytes / 16; }
};

struct Io {
  std::string name;
  vn_type type = VN_FLOAT32;
  vn_io_kind kind = VN_INPUT;
  std::vector<int64_t> shape;
  int64_t classes = 0, ignored = 0; // of labels (vn_io)
};

// Steps [begin, end) run `count` times, each time with these buffers so many bytes further on: the images of
// a batch, block by block.
struct Repeat {
  int begin = 0, end = 0;
  int64_t count = 1;
  std::map<int, int64_t> advances; // by buffer
};

// Of a network with open `choose` holes: consecutive steps that depend on some of them.
struct ProgramSegment {
  std::vector<int> holes; // indices into Compilation::holes, ascending
  struct Variant {        // steps [begin, end); multiply-adds of one image as the specification has them
    int begin = 0, end = 0;
    int64_t macs = 0;
  };
  std::vector<Variant> variants; // for each choice of these holes; the last hole's choices change first
};

struct Program {
  std::vector<Step> steps;
  std::vector<Repeat> repeats;          // one after the other
  std::vector<ProgramSegment> segments; // empty: all steps are run
  std::vector<Io> io;
  int64_t arenaBytes = 0;
};

// The wave of each step, counted from 0: the steps of a wave may run at the same time.
std::vector<int> waveNumbers(const Program &program);

struct Parameter {
  std::string name;
  vn_parameter_kind kind = VN_CONVOLUTION_WEIGHT;
  std::vector<int64_t> shape;
  vn_space space = VN_SPACE_PARAMETERS;
  int64_t offset = 0;
  double initial = 0; // of VN_GAMMA: what each element is when training begins
};

// A `choose` hole that each call may choose anew.
struct OpenHole {
  std::string name;
  std::vector<double> choices;
};

// Which of a call's arrays a buffer of VN_SPACE_IO is.
inline int64_t arrayOf(const Buffer &buffer) { return buffer.offset; }

// What is another for each input size and batch of a model.
struct SizePrograms {
  Program infer, trainStep, evaluate;
};

// What one model's code consists of. All programs share the list of buffers and the kernels.
struct Compilation {
  std::vector<Buffer> buffers;
  std::vector<Parameter> parameters;
  std::vector<Kernel> kernels; // each name once
  Program prepare, infer, trainStep, accumulate, update, evaluate;
  std::vector<SizePrograms> furtherSizes; // beside `infer`, `trainStep` and `evaluate`
  std::vector<OpenHole> holes;
  Element maps = Element::F32; // BF16 where @infer has maps of it
  int64_t parameterBytes = 0, statisticsBytes = 0, frozenBytes = 0, derivedBytes = 0;
};

// Every program of a compilation.
std::vector<const Program *> programsOf(const Compilation &compilation);

constexpr int64_t kAlignment = 64;
inline int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

} // namespace vernier::codegen

#endif
