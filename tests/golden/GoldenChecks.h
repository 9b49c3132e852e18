// Compares the interpreter with a golden record.
#ifndef VERNIER_TESTS_GOLDEN_GOLDENCHECKS_H
#define VERNIER_TESTS_GOLDEN_GOLDENCHECKS_H

#include "compiler/interpreter/Interpreter.h"
#include "tests/golden/GoldenTensors.h"

namespace vernier::golden {

// The regenerated parameters and running statistics of a model.
interpreter::Environment goldenEnvironment(const Record &record);

// An N x C x H x W tensor of kind `input` as the interpreter's N x H x W x C.
interpreter::Tensor goldenInput(const std::vector<int64_t> &shape);

// Each prints what it finds; false if anything is off. `infer` and `trainStep` are built for the record's
// input sizes.
bool checkForward(mlir::func::FuncOp infer, const Record &record, const Forward &forward);
// All of the record's steps of SGD.
bool checkTrain(mlir::func::FuncOp trainStep, const Record &record, const Train &train);

} // namespace vernier::golden

#endif
