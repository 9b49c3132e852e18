// The scale policy scores of ELASTIC (arXiv:1812.05262, equation 5) as a further output of @infer.
#ifndef VERNIER_COMPILER_PASSES_SCALEPOLICY_H
#define VERNIER_COMPILER_PASSES_SCALEPOLICY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <string>
#include <vector>

namespace vernier::compiler {

/// Of that output, which is N x 1 x 1 x C.
inline constexpr llvm::StringLiteral kScalePolicyOutput = "scale_policy";

/// Channels [begin, end) of the output: the means of as many channels of the maps that are compared.
struct ChannelRange {
  int64_t begin, end;
};

/// The score of an image is the mean of the channels `full` minus that of the channels `reduced`.
struct ScaleScore {
  std::string place;
  int64_t fullSize[2], reducedSize[2]; // height and width
  std::vector<ChannelRange> full, reduced;
};

/// Adds the output: the mean of each channel of each map of findScaleBranches. Comes before the passes, which
/// change where and whether maps exist; what they do keeps the outputs as they are. Without such branches
/// nothing changes and nothing is returned.
std::vector<ScaleScore> addScalePolicy(mlir::func::FuncOp infer);

} // namespace vernier::compiler

#endif
