// From the front end's graph to a module of the vn dialect.
#ifndef VERNIER_COMPILER_LOWER_GRAPHTOVN_H
#define VERNIER_COMPILER_LOWER_GRAPHTOVN_H

#include "dsl/Graph.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace vernier::compiler {

/// A module with a `vn.hole` for each hole and @infer on `batch` images. The order of `vn.parameter` ops is
/// that of weight files. Null, with errors at the places of the specification, if the program does not
/// verify.
mlir::OwningOpRef<mlir::ModuleOp> lowerGraph(mlir::MLIRContext &context, const dsl::Graph &graph,
                                             int64_t batch);

} // namespace vernier::compiler

#endif
