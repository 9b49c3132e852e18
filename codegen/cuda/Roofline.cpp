#include "codegen/cuda/Roofline.h"

#include "llvm/ADT/StringRef.h"

namespace vernier::codegen {

Products productsOf(const Kernel &kernel) {
  const std::string chosen = kernel.schedule->text(); // "bf16 tile 128x64"
  return llvm::StringRef(chosen).contains("tf32")   ? Products::TF32
         : llvm::StringRef(chosen).contains("bf16") ? Products::BF16
                                                    : Products::F32;
}

Roofline rooflineOf(const Step &step, const Kernel &kernel, const CudaMachineModel &machine) {
  return {.moving = double(step.bytes) / machine.bytesPerSecond,
          .computing = double(step.macs) / machine.perSecond(productsOf(kernel))};
}

} // namespace vernier::codegen
