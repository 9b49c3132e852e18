// How much of the image each pixel of a map sees: the least and the most over all paths from the image, as in
// figure 6 of the ScaleNet paper. After a 3x3 convolution beside one between pooling by 2 and nearest
// upsampling, a pixel sees at least 3 and at most 6 pixels of the image in each direction.
#ifndef VERNIER_COMPILER_ANALYSIS_RECEPTIVEFIELD_H
#define VERNIER_COMPILER_ANALYSIS_RECEPTIVEFIELD_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include <optional>

namespace vernier::compiler {

/// Height and width, in pixels of the image. Borders do not cut a field.
struct ReceptiveField {
  double least[2] = {1, 1};
  double most[2] = {1, 1};
  double step[2] = {1, 1}; // between the fields of neighbouring pixels
};

class ReceptiveFields {
public:
  explicit ReceptiveFields(mlir::func::FuncOp function);

  /// Nothing for values that do not depend on the image.
  std::optional<ReceptiveField> of(mlir::Value value) const;

private:
  llvm::DenseMap<mlir::Value, ReceptiveField> fields;
};

} // namespace vernier::compiler

#endif
