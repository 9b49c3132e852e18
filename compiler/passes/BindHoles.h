// Binding the holes of a module to the channel counts of a configuration.
#ifndef VERNIER_COMPILER_PASSES_BINDHOLES_H
#define VERNIER_COMPILER_PASSES_BINDHOLES_H

#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace vernier::compiler {

/// More output channels than this are taken for a mistake.
inline constexpr int64_t kMaxChannels = 65536;

struct HoleBinding {
  std::string hole; // its place: "layer1.0.channels"
  std::vector<int64_t> channels;
  mlir::Location location; // what errors point at, such as a line of a configuration file
};

/// Gives every convolution and linear layer that refers to a bound hole its number of output channels, infers
/// all shapes anew and removes the holes. Holes without a binding stay, at their seeds. Zero channels are
/// legal; `--vn-drop-empty` follows. All mistakes in `bindings` are reported before anything is changed.
llvm::LogicalResult bindHoles(mlir::ModuleOp module, llvm::ArrayRef<HoleBinding> bindings);

} // namespace vernier::compiler

#endif
