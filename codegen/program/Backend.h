// What a kind of hardware contributes. The lowering says what is to be computed and where it lies; a backend
// makes steps of it, orders them and generates their code.
#ifndef VERNIER_CODEGEN_PROGRAM_BACKEND_H
#define VERNIER_CODEGEN_PROGRAM_BACKEND_H

#include "codegen/program/Program.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace llvm {
class Module;
} // namespace llvm

namespace vernier::codegen {

// Sums (see Sums) as a step has left them, in parts that lie as the backend lays them.
struct PartialSums {
  Location sums;
  int64_t parts = 0; // 0: there are none
};

// Sums of a convolution's result that its kernel may add up on the way.
struct SumsRequest {
  Sums kind = Sums::None;
  llvm::SmallVector<Location, 2> reads; // of Sums::Gradient: x and mean
};

// Where a problem's operands lie, in the problem's order.
struct Places {
  llvm::SmallVector<Location> reads, writes;
  SumsRequest sums;
  bool constantWeight = false; // of a convolution: known before the first call
  bool fromArray = false;      // of a convolution: instead of its input's map the caller's array is read
};

// Where a backend puts its steps.
class StepWriter {
public:
  virtual ~StepWriter() = default;

  // Memory that is the program's while it runs: so many floats in a row, or a map.
  virtual Location scratch(int64_t floats) = 0;
  virtual Location map(const View &view) = 0;
  // What `kernel` makes of the weight at `weight`, seen as `view`: once for each kernel, and before the first
  // call where the weight is constant.
  virtual Location derived(const Kernel &kernel, const Location &weight, bool constant, const View &view) = 0;
  virtual Step &step(const Kernel &kernel, llvm::ArrayRef<Location> reads, llvm::ArrayRef<Location> writes,
                     int64_t macs = 0) = 0;
};

// What a module's functions are rewritten for, one after the other: @train_forward before gradients are
// added,
// @train_step after it, @infer.
enum class Purpose { TrainForward, TrainStep, Inference };

// What code is made of.
struct Emission {
  std::string model;  // whose code it is, after which files are named
  std::string prefix; // of the kernels' symbols
  std::vector<Kernel> kernels;
  std::vector<const Program *> programs; // whose steps run them
  llvm::function_ref<void(llvm::Module &)> tables;
  std::string faulty = {}; // a kernel whose result is made wrong, so that comparisons are seen to find it
};

struct SourceFile {
  std::string name, text;
};

struct Emitted {
  std::vector<std::string> objects;   // the bytes of object files: of the kernels, of the tables
  std::vector<SourceFile> sources;    // where a person can read what was compiled, for what lies beside them
  std::vector<std::string> libraries; // arguments of the linker that the objects need
};

class Backend {
public:
  virtual ~Backend() = default;

  // The passes for a purpose, as text, with what the hardware costs among their options.
  virtual std::string passes(Purpose purpose) const = 0;

  // How a map lies in memory of its own; `map` is dense.
  virtual View store(View map) const = 0;

  // Whether it solves a convolution also where its input is a caller's array (ArrayProblem), and better so.
  virtual bool readsArray(const ConvolutionProblem &) const { return false; }

  // The steps that solve `problem`. Returns the sums that it computes or that a convolution's kernel has
  // added up on request: none where it could not.
  virtual PartialSums select(const Problem &problem, const Places &places, StepWriter &writer) const = 0;

  // Brings the steps of a program into an order in which they run well, before its memory is planned.
  virtual void order(Program &program) const = 0;

  // What the runtime must find in a machine (vn_model.target).
  virtual std::string requirements() const = 0;
  // Whether steps are launched on a device by functions that the code brings along (vn_accelerator), which it
  // exports as the emission's prefix and "accelerator".
  virtual bool isAccelerator() const { return false; }

  virtual llvm::Expected<Emitted> emit(const Emission &emission) const = 0;

  // Whether programs for it can be linked and run on this machine.
  virtual bool runsHere() const = 0;
};

} // namespace vernier::codegen

#endif
