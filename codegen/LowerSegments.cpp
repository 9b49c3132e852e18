// Networks with open `choose` holes: segments, each of which has one program for each choice.
#include "codegen/Lowering.h"
#include "codegen/MemoryPlan.h"
#include "codegen/SharedSteps.h"
#include "codegen/Waves.h"

using namespace mlir;

namespace vernier::codegen {

void Lowering::declareArrays(func::FuncOp infer, Program &whole) {
  begin(whole, nullptr);
  arrayAt[kImage] = addMapIo(kImage, false, infer.getArgument(0));
  auto names = infer->getAttrOfType<ArrayAttr>(vn::kOutputsAttr);
  for (auto [name, value] : llvm::zip_equal(names, infer.front().getTerminator()->getOperands())) {
    const std::string text = cast<StringAttr>(name).str();
    arrayAt[text] = addMapIo(text, true, value);
  }
}

// As large as the largest choice needs.
Location Lowering::passedOn(StringRef name, Value value) {
  auto [entry, isNew] = passedOnAt.try_emplace(name, 0);
  if (isNew)
    entry->second = addBuffer(VN_SPACE_ARENA, 0);
  const View view = storedView(value, options.maps);
  Buffer &buffer = out.buffers[entry->second];
  buffer.bytes = std::max(buffer.bytes, view.bytes());
  return {entry->second, 0, view};
}

LogicalResult Lowering::segment(func::FuncOp infer, Program &ownProgram, Program *preparedProgram) {
  begin(ownProgram, preparedProgram);
  auto inputs = infer->getAttrOfType<ArrayAttr>(vn::kInputsAttr);
  for (auto [name, argument] : llvm::zip_equal(inputs, infer.getArguments())) {
    const StringRef text = cast<StringAttr>(name).getValue();
    if (text == kImage)
      readImage(argument, arrayAt.lookup(text));
    else
      alias(argument, passedOn(text, argument));
  }
  auto names = infer->getAttrOfType<ArrayAttr>(vn::kPassedOnAttr);
  const auto passed = infer.front().getTerminator()->getOperands().take_back(names.size());
  for (auto [name, value] : llvm::zip_equal(names, passed))
    if (mayBePlaced(value))
      locations.try_emplace(value, passedOn(cast<StringAttr>(name).getValue(), value));
  if (failed(lower(infer.front())))
    return failure();
  formWaves(*program);
  return success();
}

LogicalResult Lowering::segmentResults(func::FuncOp infer, func::ReturnOp op) {
  auto outputs = infer->getAttrOfType<ArrayAttr>(vn::kOutputsAttr);
  auto passed = infer->getAttrOfType<ArrayAttr>(vn::kPassedOnAttr);
  for (auto [name, value] : llvm::zip(outputs, op.getOperands())) {
    const StringRef text = cast<StringAttr>(name).getValue();
    const Location io = arrayAt.lookup(text);
    if (io.view != viewOf(value))
      return mlir::emitError(op.getLoc())
             << "output `" << text
             << "` has another size for each choice of a hole, which one binary cannot give";
    writeOutput(text.str(), value, io);
  }
  current = program;
  for (auto [name, value] : llvm::zip_equal(passed, op.getOperands().drop_front(outputs.size()))) {
    const Location from = at(value), to = passedOn(cast<StringAttr>(name).getValue(), value);
    place = cast<StringAttr>(name).str();
    if (from.buffer != to.buffer || from.offset != to.offset)
      step(copy(from.view, to.view, target), {from}, {to});
  }
  return success();
}

FailureOr<Compilation> lowerSegments(ModuleOp configuration, std::vector<OpenHole> holes,
                                     llvm::ArrayRef<SegmentModules> segments, const Target &target,
                                     const LoweringOptions &options) {
  Compilation compilation;
  compilation.maps = options.maps;
  compilation.holes = std::move(holes);
  Lowering lowering(compilation, target, options);
  lowering.declareArrays(configuration.lookupSymbol<func::FuncOp>(vn::kInferFunction), compilation.infer);
  std::vector<std::vector<Program>> programs;
  for (const SegmentModules &segment : segments) {
    programs.emplace_back();
    for (SegmentModules::Variant variant : segment.variants) {
      auto infer = variant.module.lookupSymbol<func::FuncOp>(vn::kInferFunction);
      if (failed(lowering.parameters(infer)) ||
          failed(lowering.segment(infer, programs.back().emplace_back(), &compilation.prepare)))
        return failure();
    }
  }

  std::vector<std::vector<const Program *>> groups;
  for (const std::vector<Program> &variants : programs) {
    groups.emplace_back();
    for (const Program &variant : variants)
      groups.back().push_back(&variant);
  }
  Program &infer = compilation.infer;
  infer.arenaBytes = planMemory(compilation.buffers, groups);
  for (auto [segment, variants] : llvm::zip_equal(segments, programs)) {
    ProgramSegment &range = infer.segments.emplace_back();
    range.holes = segment.holes;
    for (auto [variant, program] : llvm::zip_equal(segment.variants, variants)) {
      expandRepeats(program);
      const int begin = int(infer.steps.size());
      std::move(program.steps.begin(), program.steps.end(), std::back_inserter(infer.steps));
      range.variants.push_back({begin, int(infer.steps.size()), variant.macs});
    }
  }
  shareEqualSteps(compilation);
  formWaves(compilation.prepare);
  planMemory(compilation.buffers, compilation.prepare);
  return compilation;
}

} // namespace vernier::codegen
