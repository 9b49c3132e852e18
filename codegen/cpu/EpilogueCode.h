// Emits the epilogue that all convolution kernels share.
#ifndef VERNIER_CODEGEN_CPU_EPILOGUECODE_H
#define VERNIER_CODEGEN_CPU_EPILOGUECODE_H

#include "codegen/cpu/KernelBuilder.h"
#include "codegen/cpu/Kernels.h"

namespace vernier::codegen {

class EpilogueCode {
public:
  // The epilogue's operands are the kernel's from number `first` on. Tiles begin at multiples of `tilePixels`
  // in a result row; 1 where nothing is known of them.
  EpilogueCode(KernelBuilder &k, const Epilogue &epilogue, int64_t first, int64_t tilePixels)
      : k(k), epilogue(epilogue), first(first), tilePixels(tilePixels) {}

  // Of a result of `channels` channels.
  static void appendOperands(const Epilogue &epilogue, int64_t channels,
                             std::vector<KernelOperand> &operands);

  // What `count` sums from `channel` on begin with: the bias, or 0.
  Value start(Value channel, int64_t count);
  // The elements to store for these sums of result pixel (n, y, x + offset), x being where the tile begins.
  Value finish(Value sums, Value n, Value y, Value x, int64_t offset, Value channel, int64_t count);

private:
  Value enlargedPosition(const Addend &addend, Value n, Value y, Value x, int64_t offset, Value channel);

  KernelBuilder &k;
  const Epilogue &epilogue;
  const int64_t first, tilePixels;
};

} // namespace vernier::codegen

#endif
