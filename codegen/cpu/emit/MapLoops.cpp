#include "codegen/cpu/emit/MapLoops.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include "llvm/ADT/bit.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace vernier::codegen {

std::string numberName(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  std::string name = text;
  std::replace(name.begin(), name.end(), '-', 'm');
  std::replace(name.begin(), name.end(), '.', 'p');
  std::replace(name.begin(), name.end(), '+', '_');
  return name;
}

std::string scaleName(double scale) {
  if (scale == 0)
    return "";
  char digits[24];
  snprintf(digits, sizeof digits, "by%016" PRIx64 "_", llvm::bit_cast<uint64_t>(scale));
  return digits;
}

Value squareRoot(KernelBuilder &k, Value x) {
  return mlir::math::SqrtOp::create(k.builder(), k.location(), x);
}

Value toFloat(KernelBuilder &k, Value index) {
  mlir::OpBuilder &b = k.builder();
  if (index.getType().isIndex())
    index = mlir::arith::IndexCastOp::create(b, k.location(), b.getI64Type(), index);
  return mlir::arith::SIToFPOp::create(b, k.location(), b.getF32Type(), index);
}

void transposeSquare(KernelBuilder &k, llvm::MutableArrayRef<Value> rows) {
  const int64_t lanes = k.lanes();
  for (int64_t half = lanes / 2; half > 0; half /= 2) { // halves of ever smaller squares change places
    llvm::SmallVector<int64_t> upper, lower;
    for (int64_t j = 0; j < lanes; ++j) {
      upper.push_back(j & half ? lanes + j - half : j);
      lower.push_back(j & half ? lanes + j : j + half);
    }
    for (int64_t i = 0; i < lanes; ++i)
      if (!(i & half)) {
        Value a = rows[i], b = rows[i + half];
        rows[i] = k.shuffle(a, b, upper);
        rows[i + half] = k.shuffle(a, b, lower);
      }
  }
}

KernelCode makeKernel(std::string name, int64_t tasks, std::vector<KernelOperand> operands,
                      std::function<void(KernelBuilder &, Value)> body) {
  KernelCode kernel;
  kernel.tasks = tasks;
  kernel.definition.name = name;
  kernel.definition.operands = operands;
  kernel.definition.build = [name = std::move(name), operands = std::move(operands),
                             body = std::move(body)](KernelBuilder &k) {
    k.begin(name, operands);
    k.forTasks([&](Value task) { body(k, task); });
    k.end();
  };
  return kernel;
}

} // namespace vernier::codegen
