// The state of a lowering; private to the Lower*.cpp files.
#ifndef VERNIER_CODEGEN_LOWER_LOWERING_H
#define VERNIER_CODEGEN_LOWER_LOWERING_H

#include "codegen/lower/Lower.h"
#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

#include <optional>

namespace vernier::codegen {

inline constexpr const char *kImage = "image";
inline constexpr const char *kRandom = "random";

// Of a value's type; dense.
View viewOf(mlir::Value value);

// What a function is given, by the array's name; whether it is a target, and one without a map.
std::string inputName(mlir::BlockArgument argument);
bool isTarget(mlir::BlockArgument argument);
bool isVectorTarget(mlir::BlockArgument argument);

class Lowering : public StepWriter {
public:
  Lowering(Compilation &out, const Backend &backend, const LoweringOptions &options)
      : out(out), backend(backend), options(options), kernels(out.kernels) {}

  // Those that are not known yet.
  mlir::LogicalResult parameters(mlir::func::FuncOp function);
  // `prepared` receives what depends on parameters alone; without it those steps run in `program` too.
  mlir::LogicalResult function(mlir::func::FuncOp function, Program &program, Program *prepared);
  // The arrays of a network, before its segments.
  void declareArrays(mlir::func::FuncOp infer, Program &program);
  // Those of a training step, `loss` being the segment with the loss.
  // `random`: of some segment, what its random numbers follow from; or null.
  void declareTrainingArrays(mlir::func::FuncOp infer, mlir::func::FuncOp loss, mlir::BlockArgument random,
                             Program &program);
  // One choice of a segment; `program` receives its steps alone, unplanned.
  // With `shareWeights` batch norms scale sums instead of weights, which are then those of all choices.
  mlir::LogicalResult segment(mlir::func::FuncOp infer, bool shareWeights, Program &program,
                              Program *prepared);
  // The same of a training step: what runs before the later segments, and after them.
  mlir::LogicalResult trainSegment(mlir::func::FuncOp step, Program &forward, Program &backward);
  // What follows a training step, of all parameters and statistics: the programs that abi.h describes.
  void accumulation(Program &program);
  void optimizer(Program &program);
  // Fails, and reports at `module`, where two kernels that differ would have got one name.
  mlir::LogicalResult checkNames(mlir::ModuleOp module) const;

  // --- what the backend writes (Lower.cpp)
  // ---------------------------------------------------------------------------------
  Location scratch(int64_t floats) override;
  Location map(const View &view) override;
  Location derived(const Kernel &kernel, const Location &weight, bool constant, const View &view) override;
  Step &step(const Kernel &kernel, llvm::ArrayRef<Location> reads, llvm::ArrayRef<Location> writes,
             int64_t macs) override;

private:
  // --- buffers and steps (Lower.cpp)
  // ---------------------------------------------------------------------------------
  int addBuffer(vn_space space, int64_t bytes);
  Location addIo(const std::string &name, vn_type type, bool isOutput, std::vector<int64_t> shape,
                 const View &view);
  Location addMapIo(const std::string &name, bool isOutput, mlir::Value value);
  Location addArgumentIo(const std::string &name, mlir::BlockArgument argument);
  // From the caller's array, as which the map may be read in place.
  void readMap(const std::string &name, mlir::BlockArgument argument, const Location &io);
  void writeOutput(const std::string &name, mlir::Value value, const Location &io);
  // The place of an op's result: given in advance (a slice of a concat, a gradient) or a new buffer.
  Location result(mlir::Value value);
  // A map as it lies in memory of its own.
  View storedView(mlir::Value value) const { return backend.store(viewOf(value)); }
  Location at(mlir::Value value) { return locations.lookup(value); }
  void alias(mlir::Value value, const Location &location) { locations[value] = location; }
  // Lets the backend solve a problem, whose operands lie here.
  PartialSums solve(const Problem &problem, llvm::ArrayRef<Location> reads, llvm::ArrayRef<Location> writes);
  void placeConcats(mlir::Block &block);
  void placeGradients(mlir::func::FuncOp function);
  void keepApart(mlir::func::FuncOp function);
  bool dependsOnParametersOnly(mlir::Operation *op);
  mlir::LogicalResult lower(mlir::Block &block);
  mlir::LogicalResult lower(mlir::Operation *op);
  mlir::LogicalResult lowerImageBlocks(vn::ImageBlocksOp op);
  mlir::LogicalResult outputs(mlir::func::FuncOp function, mlir::func::ReturnOp op);
  void begin(Program &program, Program *prepared);

  // --- segments (LowerSegments.cpp)
  // ----------------------------------------------------------------------------------------------------
  void segmentArguments(mlir::func::FuncOp function);
  // Lets what `function` hands to other segments be computed in its place, where that can be.
  void placePassedOn(mlir::func::FuncOp function, llvm::StringRef attribute);
  // Copies the others there.
  void copyPassedOn(mlir::func::FuncOp function, llvm::StringRef attribute);
  mlir::LogicalResult segmentResults(mlir::func::FuncOp function);
  // --- what follows a training step (LowerOptimizer.cpp)
  // ---------------------------------------------------------------------------------
  // The memory of a trainable parameter in a space that is laid out as the parameters are.
  Location beside(const Parameter &parameter, vn_space space);
  // An array of a call, of which each parameter has an element.
  Location addFlags(const char *name, bool isOutput);
  void clear(const Location &flags);

  // Where a map that segments pass on lies.
  Location passedOn(llvm::StringRef name, mlir::Value value);

  // --- op families
  // ----------------------------------------------------------------------------------------------------
  mlir::LogicalResult lowerLayer(mlir::Operation *op);    // LowerLayers.cpp
  mlir::LogicalResult lowerGradient(mlir::Operation *op); // LowerGradients.cpp
  mlir::LogicalResult lowerLoss(mlir::Operation *op);     // LowerLosses.cpp

  // Whether kernels multiply by what `fold` would multiply the weights by.
  bool scalesSums(vn::FoldWeightOp fold) const;
  void spreadParameter(vn::SpreadParameterOp op);
  // Whether what reads the image takes it from the caller's array.
  bool readsArray(mlir::Value image) const;
  template <typename Op>
  void lowerConvolution(Op op, mlir::ValueRange addends, Activation activation, mlir::Value sums);
  void lowerLinear(vn::LinearOp op);
  // A convolution or its input gradient, to `to`; where the op has a result `sums`, the kernel is asked for
  // them.
  void solveConvolution(const ConvolutionProblem &problem, const Location &from, mlir::Value weight,
                        llvm::ArrayRef<Location> epilogueReads, const Location &to, mlir::Value sums,
                        const SumsRequest &request);
  // What the gradient of a map ends with, and the places that it reads for it.
  template <typename Op> Epilogue tailOf(Op op, llvm::SmallVectorImpl<Location> &reads);
  // Sums that the op which computes the map has been asked for: none where its kernel could not, or nobody
  // asked.
  PartialSums sumsOf(mlir::Value sums) { return sums ? sumsAt.lookup(sums) : PartialSums(); }

  Compilation &out;
  const Backend &backend;
  const LoweringOptions &options;
  Program *current = nullptr;  // where steps go now
  Program *program = nullptr;  // the function's own
  Program *prepared = nullptr; // for what depends on parameters alone, or null
  Program *backward = nullptr; // for the second half of a segment's training step, or null
  bool shareWeights = false;   // see segment
  std::string place;
  llvm::DenseMap<mlir::Value, Location> locations;
  llvm::DenseMap<mlir::Value, PartialSums> sumsAt;
  llvm::DenseSet<mlir::Value> constant;   // depends on parameters alone
  llvm::StringMap<size_t> parameterIndex; // in out.parameters
  llvm::StringMap<Location> parameterAt, gradientAt, packedAt;
  llvm::StringMap<Location> arrayAt; // of declareArrays
  llvm::StringMap<int> passedOnAt;   // buffers, by the places that compute them
  KernelList kernels;                // of out.kernels
  std::string sharedName;            // of two kernels that differ; see checkNames
};

// The programs of a size, of which a compilation has as many as it is made for.
inline Program &inferAt(Compilation &compilation, size_t size) {
  return size == 0 ? compilation.infer : compilation.furtherSizes[size - 1].infer;
}
inline Program &trainStepAt(Compilation &compilation, size_t size) {
  return size == 0 ? compilation.trainStep : compilation.furtherSizes[size - 1].trainStep;
}
inline Program &evaluateAt(Compilation &compilation, size_t size) {
  return size == 0 ? compilation.evaluate : compilation.furtherSizes[size - 1].evaluate;
}

// Whether the op that computes `value` can write it to a given place.
bool mayBePlaced(mlir::Value value);
std::array<int64_t, 2> pair(llvm::ArrayRef<int64_t> values);
std::array<int64_t, 4> four(llvm::ArrayRef<int64_t> values);
// Of a padding: before the first row and column.
std::array<int64_t, 2> begins(llvm::ArrayRef<int64_t> padding);
template <typename Op> PoolProblem poolOf(Op op, const View &in, const View &out) {
  return {in, out, pair(op.getKernel()), pair(op.getStrides()), four(op.getPadding()), true};
}

} // namespace vernier::codegen

#endif
