// From a program of the dialect to an ONNX model file, one node for one op wherever ONNX has it.
#ifndef VERNIER_CODEGEN_ONNX_EXPORTONNX_H
#define VERNIER_CODEGEN_ONNX_EXPORTONNX_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace vernier::codegen {

struct OnnxOptions {
  std::string model;                           ///< its name
  std::map<std::string, std::string> metadata; ///< entries of the file, for people and tools
  /// The values of a parameter, as many as its shape has.
  std::function<std::vector<float>(const std::string &parameter)> weights;
  bool externalData = false; ///< weights in a file of their own even below ONNX's limit of 2 GiB
};

/// What was written.
struct OnnxFiles {
  int64_t nodes = 0, weightBytes = 0;
  std::string data; ///< path of the weights' own file; empty: there is none
};

/// Writes `infer`, as the specification has it (without dropout, before any pass rewrites it), to `path`, and
/// where the weights do not fit there to `path`.data. Inputs, maps and outputs are N x C x H x W; an output
/// of one pixel is N x C, as in a built model. Throws runtime::Error where a file cannot be written.
llvm::Expected<OnnxFiles> exportOnnx(mlir::func::FuncOp infer, const OnnxOptions &options,
                                     const std::string &path);

} // namespace vernier::codegen

#endif
