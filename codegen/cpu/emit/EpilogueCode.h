// Emits the epilogue that all convolution kernels share.
#ifndef VERNIER_CODEGEN_CPU_EMIT_EPILOGUECODE_H
#define VERNIER_CODEGEN_CPU_EMIT_EPILOGUECODE_H

#include "codegen/cpu/emit/KernelBuilder.h"
#include "codegen/cpu/kernels/Kernels.h"

namespace vernier::codegen {

class EpilogueCode {
public:
  // Of a kernel whose operands before the epilogue's are `before`; appends those of the epilogue and, among
  // them, the kernel's output: `parts` is the number of parts that the sums have.
  static std::vector<KernelOperand> operands(std::vector<KernelOperand> before, const Epilogue &epilogue,
                                             const View &output, int64_t parts, const Target &target);

  // The epilogue's operands are the kernel's from number `first` on, of a result of `channels` channels.
  // Tiles begin at multiples of `tilePixels` in a result row; 1 where nothing is known of them.
  EpilogueCode(KernelBuilder &k, const Epilogue &epilogue, int64_t first, int64_t channels,
               int64_t tilePixels)
      : k(k), epilogue(epilogue), first(first), channels(channels), tilePixels(tilePixels) {}

  Value output() { return k.operand(first + epilogue.inputs()); }

  // What `count` sums from `channel` on begin with: the bias, or 0 where it comes after the scale.
  Value start(Value channel, int64_t count);
  // The elements to store for these sums of result pixel (n, y, x + offset), x being where the tile begins.
  Value finish(Value sums, Value n, Value y, Value x, int64_t offset, Value channel, int64_t count);

  // From here on this task adds to `part` of the sums, which it owns: `vectors` vectors of channels from
  // `channel` on.
  void beginSums(Value part, Value channel, int64_t vectors);
  // Adds what is stored at result pixels (n, y, x), `count` channels from `channel` on.
  struct Pixel {
    Value y, x, stored;
  };
  void addToSums(Value n, llvm::ArrayRef<Pixel> pixels, Value channel, int64_t count);

private:
  Value enlargedPosition(const Addend &addend, Value n, Value y, Value x, int64_t offset, Value channel);
  // Where the sums number 0 and 1 of `channel` on are.
  std::array<Value, 2> sumPositions(Value channel);

  KernelBuilder &k;
  const Epilogue &epilogue;
  const int64_t first, channels, tilePixels;
  Value part;
};

} // namespace vernier::codegen

#endif
