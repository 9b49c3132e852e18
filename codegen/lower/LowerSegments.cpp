// Networks with open `choose` holes: segments, each of which has one program for each choice.
#include "codegen/lower/Lowering.h"
#include "codegen/plan/MemoryPlan.h"
#include "codegen/plan/SharedSteps.h"
#include "codegen/program/ParameterLayout.h"

using namespace mlir;

namespace vernier::codegen {

void Lowering::declareArrays(func::FuncOp infer, Program &whole) {
  begin(whole, nullptr);
  arrayAt.clear();
  passedOnAt.clear(); // another size has memory of its own
  arrayAt[kImage] = addMapIo(kImage, false, infer.getArgument(0));
  auto names = infer->getAttrOfType<ArrayAttr>(vn::kOutputsAttr);
  for (auto [name, value] : llvm::zip_equal(names, infer.front().getTerminator()->getOperands())) {
    const std::string text = cast<StringAttr>(name).str();
    arrayAt[text] = addMapIo(text, true, value);
    if (text == options.partialOutput)
      whole.io.back().kind = VN_PARTIAL_OUTPUT;
  }
}

// As large as the largest choice needs.
Location Lowering::passedOn(StringRef name, Value value) {
  auto [entry, isNew] = passedOnAt.try_emplace(name, 0);
  if (isNew)
    entry->second = addBuffer(VN_SPACE_ARENA, 0);
  const View view = storedView(value);
  Buffer &buffer = out.buffers[entry->second];
  buffer.bytes = std::max(buffer.bytes, view.bytes());
  return {entry->second, 0, view};
}

void Lowering::declareTrainingArrays(func::FuncOp infer, func::FuncOp loss, BlockArgument random,
                                     Program &whole) {
  begin(whole, nullptr);
  arrayAt.clear();
  passedOnAt.clear(); // inference has memory of its own
  arrayAt[kImage] = addMapIo(kImage, false, infer.getArgument(0));
  for (BlockArgument argument : loss.getArguments()) // but for maps that segments hand on
    if (isTarget(argument) || cast<RankedTensorType>(argument.getType()).getRank() != 4)
      arrayAt[inputName(argument)] = addArgumentIo(inputName(argument), argument);
  if (random && !arrayAt.contains(kRandom))
    arrayAt[kRandom] = addArgumentIo(kRandom, random);
  auto outputs = loss->getAttrOfType<ArrayAttr>(vn::kOutputsAttr);
  for (auto [attribute, value] : llvm::zip(outputs, loss.front().getTerminator()->getOperands())) {
    const std::string name = cast<StringAttr>(attribute).str();
    auto type = cast<RankedTensorType>(value.getType());
    arrayAt[name] = type.getRank() == 4 ? addMapIo(name, true, value)
                                        : addIo(name, VN_FLOAT32, true, type.getShape(), viewOf(value));
  }
}

void Lowering::segmentArguments(func::FuncOp function) {
  auto inputs = function->getAttrOfType<ArrayAttr>(vn::kInputsAttr);
  for (auto [name, argument] : llvm::zip_equal(inputs, function.getArguments())) {
    const StringRef text = cast<StringAttr>(name).getValue();
    const bool isMap = cast<RankedTensorType>(argument.getType()).getRank() == 4 && !isTarget(argument);
    if (text == vn::kImageInput)
      readMap(kImage, argument, arrayAt.lookup(kImage));
    else if (isMap) // whose place may have the name of an array
      alias(argument, passedOn(text, argument));
    else
      alias(argument, arrayAt.lookup(inputName(argument)));
  }
}

// Calls `body` with the names and values that segments hand on: first come the outputs, then what
// vn.passed_on names, then what vn.gradients names.
template <typename Body>
static void forEachPassedOn(func::FuncOp function, StringRef attribute, const Body &body) {
  const auto names = [&](StringRef name) {
    auto array = function->getAttrOfType<ArrayAttr>(name);
    return array ? array.getValue() : ArrayRef<Attribute>();
  };
  size_t begin = names(vn::kOutputsAttr).size();
  if (attribute == vn::kGradientsAttr)
    begin += names(vn::kPassedOnAttr).size();
  for (auto [name, value] :
       llvm::zip(names(attribute), function.front().getTerminator()->getOperands().drop_front(begin)))
    body(cast<StringAttr>(name).getValue(), value);
}

void Lowering::placePassedOn(func::FuncOp function, StringRef attribute) {
  forEachPassedOn(function, attribute, [&](StringRef name, Value value) {
    if (mayBePlaced(value))
      locations.try_emplace(value, passedOn(name, value));
  });
}

void Lowering::copyPassedOn(func::FuncOp function, StringRef attribute) {
  current = program;
  forEachPassedOn(function, attribute, [&](StringRef name, Value value) {
    const Location from = at(value), to = passedOn(name, value);
    place = name.str();
    if (from.buffer != to.buffer || from.offset != to.offset)
      solve(CopyProblem{from.view, to.view}, {from}, {to});
  });
}

LogicalResult Lowering::segment(func::FuncOp infer, bool share, Program &ownProgram,
                                Program *preparedProgram) {
  begin(ownProgram, preparedProgram);
  shareWeights = share;
  segmentArguments(infer);
  placePassedOn(infer, vn::kPassedOnAttr);
  if (failed(lower(infer.front())))
    return failure();
  backend.order(ownProgram);
  return success();
}

LogicalResult Lowering::trainSegment(func::FuncOp step, Program &forwardProgram, Program &backwardProgram) {
  begin(forwardProgram, nullptr);
  backward = &backwardProgram;
  segmentArguments(step);
  placePassedOn(step, vn::kPassedOnAttr);
  placePassedOn(step, vn::kGradientsAttr);
  placeGradients(step);
  if (failed(lower(step.front())))
    return failure();
  backend.order(forwardProgram);
  backend.order(backwardProgram);
  return success();
}

LogicalResult Lowering::segmentResults(func::FuncOp function) {
  if (backward) { // nothing to do after the later segments
    copyPassedOn(function, vn::kPassedOnAttr);
    program = std::exchange(backward, nullptr);
  } else if (!function->hasAttr(vn::kGradientsAttr)) {
    copyPassedOn(function, vn::kPassedOnAttr);
  }
  copyPassedOn(function, vn::kGradientsAttr);
  auto names = function->getAttrOfType<ArrayAttr>(vn::kOutputsAttr);
  for (auto [name, value] : llvm::zip(names, function.front().getTerminator()->getOperands())) {
    const StringRef text = cast<StringAttr>(name).getValue();
    const Location io = arrayAt.lookup(text);
    if (io.view != viewOf(value) && text == options.partialOutput)
      continue;
    if (io.view != viewOf(value))
      return mlir::emitError(value.getLoc())
             << "output `" << text
             << "` has another size for each choice of a hole, which one binary cannot give";
    writeOutput(text.str(), value, io);
  }
  return success();
}

namespace {

// One program for each variant of each segment.
using SegmentPrograms = std::vector<std::vector<Program>>;

// `groups` in the order in which they run, each with its segment, planned together and put one after the
// other into `whole`.
void join(const std::vector<std::pair<size_t, std::vector<Program> *>> &groups,
          llvm::ArrayRef<SegmentModules> segments, std::vector<Buffer> &buffers, Program &whole) {
  std::vector<Alternatives> alternatives;
  for (const auto &[segment, variants] : groups) {
    Alternatives &group = alternatives.emplace_back();
    group.segment = int(segment);
    for (const Program &variant : *variants)
      group.variants.push_back(&variant);
  }
  whole.arenaBytes = planMemory(buffers, alternatives);
  for (const auto &[segment, variants] : groups) {
    ProgramSegment &range = whole.segments.emplace_back();
    range.holes = segments[segment].holes;
    for (auto [variant, program] : llvm::zip_equal(segments[segment].variants, *variants)) {
      expandRepeats(program);
      const int begin = int(whole.steps.size());
      std::move(program.steps.begin(), program.steps.end(), std::back_inserter(whole.steps));
      range.variants.push_back({begin, int(whole.steps.size()), variant.macs});
    }
  }
}

func::FuncOp trainStepOf(const SegmentModules &segment, size_t variant = 0) {
  return ModuleOp(segment.variants[variant].module).lookupSymbol<func::FuncOp>(vn::kTrainStepFunction);
}

// Of the first of all training steps that draw by chance.
BlockArgument randomState(llvm::ArrayRef<SegmentModules> segments) {
  for (const SegmentModules &segment : segments)
    for (size_t v = 0; v < segment.variants.size(); ++v)
      if (func::FuncOp step = trainStepOf(segment, v))
        for (BlockArgument argument : step.getArguments())
          if (inputName(argument) == kRandom && !isTarget(argument))
            return argument;
  return {};
}

} // namespace

static LogicalResult lowerInference(Lowering &lowering, llvm::ArrayRef<SegmentModules> segments,
                                    Compilation &compilation, Program &whole) {
  SegmentPrograms programs(segments.size());
  std::vector<std::pair<size_t, std::vector<Program> *>> groups;
  for (size_t s = 0; s < segments.size(); ++s) {
    for (SegmentModules::Variant variant : segments[s].variants) {
      auto infer = variant.module.lookupSymbol<func::FuncOp>(vn::kInferFunction);
      if (elementOfMaps(infer) == Element::BF16)
        compilation.maps = Element::BF16;
      if (failed(lowering.parameters(infer)) ||
          failed(lowering.segment(infer, segments[s].variants.size() > 1, programs[s].emplace_back(),
                                  &compilation.prepare)))
        return failure();
    }
    groups.push_back({s, &programs[s]});
  }
  join(groups, segments, compilation.buffers, whole);
  return success();
}

// All segments forward, then backward in the reverse order.
static LogicalResult lowerTraining(Lowering &lowering, func::FuncOp configuration,
                                   llvm::ArrayRef<SegmentModules> segments, Compilation &compilation,
                                   Program &whole) {
  for (const SegmentModules &segment : segments)
    if (auto step = trainStepOf(segment); step && !step->getAttrOfType<ArrayAttr>(vn::kOutputsAttr).empty())
      lowering.declareTrainingArrays(configuration, step, randomState(segments), whole);
  SegmentPrograms forward(segments.size()), backward(segments.size());
  std::vector<std::pair<size_t, std::vector<Program> *>> groups, back;
  for (size_t s = 0; s < segments.size(); ++s) {
    if (!trainStepOf(segments[s]))
      continue; // the loss does not depend on it
    for (size_t v = 0; v < segments[s].variants.size(); ++v)
      if (failed(lowering.trainSegment(trainStepOf(segments[s], v), forward[s].emplace_back(),
                                       backward[s].emplace_back())))
        return failure();
    groups.push_back({s, &forward[s]});
    back.push_back({s, &backward[s]});
  }
  groups.insert(groups.end(), back.rbegin(), back.rend());
  join(groups, segments, compilation.buffers, whole);
  return success();
}

FailureOr<Compilation> lowerSegments(llvm::ArrayRef<SizeSegments> sizes, std::vector<OpenHole> holes,
                                     const Backend &backend, const LoweringOptions &options) {
  Compilation compilation;
  compilation.holes = std::move(holes);
  compilation.furtherSizes.resize(sizes.size() - 1);
  Lowering lowering(compilation, backend, options);
  const auto inferIn = [](const SizeSegments &size) {
    return ModuleOp(size.configuration).lookupSymbol<func::FuncOp>(vn::kInferFunction);
  };
  for (auto [index, size] : llvm::enumerate(sizes)) {
    lowering.declareArrays(inferIn(size), inferAt(compilation, index));
    if (failed(lowerInference(lowering, size.segments, compilation, inferAt(compilation, index))))
      return failure();
  }
  shareEqualSteps(compilation);
  backend.order(compilation.prepare);
  planMemory(compilation.buffers, compilation.prepare);
  if (llvm::any_of(sizes.front().segments,
                   [](const SegmentModules &segment) { return bool(trainStepOf(segment)); })) {
    for (auto [index, size] : llvm::enumerate(sizes))
      if (failed(lowerTraining(lowering, inferIn(size), size.segments, compilation,
                               trainStepAt(compilation, index))))
        return failure();
    lowering.accumulation(compilation.accumulate);
    lowering.optimizer(compilation.update);
    layOutParameters(compilation);
  }
  if (failed(lowering.checkNames(sizes.front().configuration)))
    return failure();
  return compilation;
}

} // namespace vernier::codegen
