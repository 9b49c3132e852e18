// What exporters compute of constants alone: the sizes that a reshape takes, a matrix turned around.
#ifndef VERNIER_CODEGEN_ONNX_FOLDCONSTANTS_H
#define VERNIER_CODEGEN_ONNX_FOLDCONSTANTS_H

#include "codegen/onnx/ReadOnnx.h"

namespace vernier::codegen {

/// The sizes that Reshape makes of `wanted`: 0 keeps that of `shape`, one -1 takes what is left. Throws
/// Unsupported where they do not fit.
std::vector<int64_t> reshapedSizes(const std::vector<int64_t> &shape, const std::vector<int64_t> &wanted,
                                   bool zeroIsZero);

/// The axes of Squeeze and Unsqueeze as flags of `rank` dimensions. Throws Unsupported beyond.
std::vector<bool> axisFlags(const std::vector<int64_t> &axes, size_t rank);

/// The result of a node whose operands are all constant; null where that is not computed here. Throws
/// Unsupported where the node contradicts ONNX.
OnnxConstant foldConstant(const OnnxNode &node, const std::vector<OnnxConstant> &operands);

} // namespace vernier::codegen

#endif
