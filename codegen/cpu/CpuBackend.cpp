#include "codegen/cpu/CpuBackend.h"

#include "codegen/cpu/Waves.h"
#include "codegen/cpu/emit/Emit.h"
#include "codegen/cpu/schedule/Schedule.h"
#include "codegen/cpu/schedule/Selection.h"

#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

#include <thread>

namespace vernier::codegen {

// Caches find a line by address bits above the line's own: pixels a multiple of this apart share few sets of
// a first-level cache, and a tile of them evicts itself.
constexpr int64_t kAliasingBytes = 2048;

View CpuBackend::store(View map) const {
  if (map.h * map.w > 1 && elementBytes(map.element) * map.c % kAliasingBytes == 0)
    map.pixel += kAlignment / elementBytes(map.element);
  return map;
}

PartialSums CpuBackend::select(const Problem &problem, const Places &places, StepWriter &writer) const {
  return Selection(target, winograd, writer).select(problem, places);
}

void CpuBackend::order(Program &program) const { formWaves(program); }

llvm::Expected<std::vector<std::string>>
CpuBackend::emit(const std::vector<Kernel> &kernels, const std::string &prefix,
                 llvm::function_ref<void(llvm::Module &)> tables) const {
  std::vector<KernelDefinition> definitions;
  for (const Kernel &kernel : kernels)
    definitions.push_back(codeOf(kernel, target).definition);
  const unsigned shards = emitters ? emitters : std::max(1u, std::thread::hardware_concurrency());
  auto objects = emitKernels(definitions, target, shards, prefix);
  if (!objects)
    return objects.takeError();
  auto object = emitModule(target, tables);
  if (!object)
    return object.takeError();
  objects->push_back(std::move(*object));
  return objects;
}

bool CpuBackend::runsHere() const {
  return llvm::Triple(target.triple).getArch() == llvm::Triple(llvm::sys::getDefaultTargetTriple()).getArch();
}

} // namespace vernier::codegen
