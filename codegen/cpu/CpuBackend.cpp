#include "codegen/cpu/CpuBackend.h"

#include "codegen/cpu/emit/BrokenKernel.h"
#include "codegen/cpu/schedule/Schedule.h"
#include "codegen/cpu/schedule/Selection.h"
#include "codegen/plan/Waves.h"
#include "codegen/tables/ObjectFile.h"
#include "compiler/passes/Passes.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

#include <thread>

namespace vernier::codegen {

// The passes' own numbers are those of the model as it stands; another machine's are said.
std::string CpuBackend::passes(Purpose purpose) const {
  const MachineModel usual, &machine = target.machine;
  std::string text = purpose == Purpose::TrainForward ? compiler::kTrainForwardPasses
                     : purpose == Purpose::TrainStep  ? compiler::kTrainStepPasses
                                                      : compiler::kInferencePasses;
  const auto say = [&](llvm::StringRef pass, const std::string &options) {
    const size_t at = text.find(pass.str());
    if (options.empty() || at == std::string::npos)
      return;
    const size_t end = at + pass.size();
    if (end < text.size() && text[end] == '{')
      text.insert(end + 1, options + " ");
    else
      text.insert(end, "{" + options + "}");
  };
  const auto option = [](const char *name, double value, double usual) {
    std::string text;
    if (value != usual)
      llvm::raw_string_ostream(text) << name << "=" << llvm::format("%.17g", value);
    return text;
  };
  say("vn-sink-pointwise", option("macs-per-byte", machine.macsPerByte, usual.macsPerByte));
  std::string blocks;
  for (const std::string &part : {option("cache", machine.outerCacheBytes, usual.outerCacheBytes),
                                  option("weight-byte", machine.weightByteCost, usual.weightByteCost),
                                  option("run", machine.runCost, usual.runCost),
                                  option("cut-byte", machine.cutByteCost, usual.cutByteCost)})
    blocks += (blocks.empty() || part.empty() ? "" : " ") + part;
  say("vn-block-images", blocks);
  return text;
}

View CpuBackend::store(View map) const {
  if (map.h * map.w > 1 && elementBytes(map.element) * map.c % target.machine.aliasingBytes == 0)
    map.pixel += kAlignment / elementBytes(map.element);
  return map;
}

PartialSums CpuBackend::select(const Problem &problem, const Places &places, StepWriter &writer) const {
  return Selection(target, winograd, writer).select(problem, places);
}

void CpuBackend::order(Program &program) const { formWaves(program, target.machine.largeStep); }

llvm::Expected<Emitted> CpuBackend::emit(const Emission &emission) const {
  std::vector<KernelDefinition> definitions;
  for (const Kernel &kernel : emission.kernels) {
    definitions.push_back(codeOf(kernel, target).definition);
    if (kernel.name == emission.faulty)
      breakKernel(definitions.back());
  }
  const unsigned shards = emitters ? emitters : std::max(1u, std::thread::hardware_concurrency());
  auto objects = emitKernels(definitions, target, shards, emission.prefix);
  if (!objects)
    return objects.takeError();
  auto object = emitModule(target.objects(), emission.tables);
  if (!object)
    return object.takeError();
  objects->push_back(std::move(*object));
  return Emitted{std::move(*objects), {}, {}};
}

bool CpuBackend::runsHere() const {
  return llvm::Triple(target.triple).getArch() == llvm::Triple(llvm::sys::getDefaultTargetTriple()).getArch();
}

} // namespace vernier::codegen
