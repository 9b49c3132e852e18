// The ops of the dialect; definitions and documentation are in the Vn*Ops.td files beside.
#ifndef VERNIER_COMPILER_IR_VNOPS_H
#define VERNIER_COMPILER_IR_VNOPS_H

#include "compiler/ir/VnDialect.h"
#include "compiler/ir/VnInterfaces.h"
#include "dsl/Resampling.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#define GET_OP_CLASSES
#include "compiler/ir/VnOps.h.inc"

#endif
