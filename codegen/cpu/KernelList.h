// The kernels of a program, each once.
#ifndef VERNIER_CODEGEN_CPU_KERNELLIST_H
#define VERNIER_CODEGEN_CPU_KERNELLIST_H

#include "codegen/cpu/emit/Emit.h"

#include "llvm/ADT/StringMap.h"

#include <vector>

namespace vernier::codegen {

class KernelList {
public:
  // Of the kernels of `list`, which grows.
  explicit KernelList(std::vector<KernelDefinition> &list);

  // Whether `kernel` is in the list now: steps find kernels by their names, and false says that another has
  // this one's.
  [[nodiscard]] bool add(const KernelDefinition &kernel);

private:
  std::vector<KernelDefinition> &list;
  llvm::StringMap<size_t> index;
};

} // namespace vernier::codegen

#endif
