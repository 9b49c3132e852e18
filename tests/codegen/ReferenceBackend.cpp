#include "tests/codegen/ReferenceBackend.h"

#include "codegen/cpu/Target.h"
#include "codegen/tables/ObjectFile.h"
#include "compiler/passes/Passes.h"
#include "tests/codegen/ReferenceSolver.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

using namespace vernier::codegen;

namespace {

// The problems of the kernels that have been emitted, by the numbers that their code passes back.
std::vector<Problem> &emitted() {
  static std::vector<Problem> problems;
  return problems;
}

// The problem says all; kernels of equal problems are equal.
class NoChoice : public Schedule {
public:
  bool sameCode(const Problem &own, const Schedule &, const Problem &others) const override {
    return own == others;
  }
  std::string text() const override { return "reference"; }
};

Kernel kernelOf(const Problem &problem) {
  return {"reference " + textOf(problem), problem, std::make_shared<NoChoice>(), 1};
}

// A sum of each kind for each channel, in double.
constexpr int64_t kDoublesPerChannel = 2;

} // namespace

// What the emitted kernels call.
extern "C" void vernier_reference_solve(int64_t number, void *const *operands) {
  vernier::tests::solve(emitted()[size_t(number)], operands);
}

namespace vernier::tests {

// As they are; no blocks of images, which are for caches.
std::string ReferenceBackend::passes(Purpose purpose) const {
  return purpose == Purpose::TrainForward ? compiler::kTrainForwardPasses
         : purpose == Purpose::TrainStep
             ? compiler::kTrainStepPasses
             : "vn-fold-batch-norm,vn-sink-pointwise,vn-share-max-pools,vn-fuse-epilogue";
}

View ReferenceBackend::store(View map) const {
  if (map.h * map.w > 1)
    map.pixel += 3;
  return map;
}

PartialSums ReferenceBackend::select(const Problem &problem, const Places &places, StepWriter &writer) const {
  const auto sums = [&](int64_t channels) {
    return PartialSums{writer.scratch(2 * kDoublesPerChannel * channels), 1};
  };
  if (const auto *convolution = std::get_if<ConvolutionProblem>(&problem)) {
    const int64_t elements = places.reads[1].view.size();
    const WeightLayoutProblem layout{convolution->groups,
                                     convolution->out.c / convolution->groups,
                                     convolution->in.c / convolution->groups,
                                     convolution->kernel,
                                     Element::F32,
                                     convolution->direction};
    llvm::SmallVector<Location> reads(places.reads), writes(places.writes);
    reads[1] = writer.derived(kernelOf(layout), places.reads[1], places.constantWeight,
                              denseView(1, 1, 1, elements));
    ConvolutionProblem whole = *convolution;
    PartialSums found;
    if (places.sums.kind == Sums::Moments) {
      whole.epilogue.sums = Sums::Moments;
      found = sums(whole.out.c);
      writes.push_back(found.sums);
    }
    writer.step(kernelOf(whole), reads, writes, macsOf(problem));
    return found;
  }
  if (const auto *x = std::get_if<BatchSumsProblem>(&problem)) {
    const PartialSums found = sums(x->x.c);
    writer.step(kernelOf(problem), places.reads, {found.sums});
    return found;
  }
  if (const auto *gradient = std::get_if<BatchGradientSumsProblem>(&problem)) {
    const PartialSums found = sums(gradient->x.c);
    writer.step(kernelOf(problem), places.reads, {found.sums});
    return found;
  }
  writer.step(kernelOf(problem), places.reads, places.writes, macsOf(problem));
  return {};
}

llvm::Expected<Emitted> ReferenceBackend::emit(const Emission &emission) const {
  const ObjectTarget target = makeTarget("native")->objects();
  auto code = emitModule(target, [&](llvm::Module &module) {
    llvm::IRBuilder<> b(module.getContext());
    const auto callee =
        module.getOrInsertFunction("vernier_reference_solve", b.getVoidTy(), b.getInt64Ty(), b.getPtrTy());
    auto *type =
        llvm::FunctionType::get(b.getVoidTy(), {b.getPtrTy(), b.getInt64Ty(), b.getInt64Ty()}, false);
    for (const Kernel &kernel : emission.kernels) {
      auto *function = llvm::Function::Create(type, llvm::Function::ExternalLinkage,
                                              emission.prefix + kernel.name, module);
      b.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "", function));
      b.CreateCall(callee, {b.getInt64(emitted().size()), function->getArg(0)});
      b.CreateRetVoid();
      emitted().push_back(kernel.problem);
    }
  });
  if (!code)
    return code.takeError();
  auto tableObject = emitModule(target, emission.tables);
  if (!tableObject)
    return tableObject.takeError();
  return Emitted{{std::move(*code), std::move(*tableObject)}, {}, {}};
}

} // namespace vernier::tests
