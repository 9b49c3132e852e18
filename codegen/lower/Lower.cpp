#include "codegen/lower/Lower.h"

#include "codegen/lower/Lowering.h"
#include "codegen/plan/MemoryPlan.h"
#include "codegen/plan/SharedSteps.h"
#include "codegen/program/ParameterLayout.h"
#include "compiler/ir/LabelRange.h"
#include "compiler/ir/Shapes.h"

using namespace mlir;

namespace vernier::codegen {

// --- types
// -----------------------------------------------------------------------------------------------------------

// Weights that are only packed, within `prepare`: what inference reads are the packed ones.
static bool isPacked(Value value) {
  return isa<vn::FoldWeightOp>(value.getDefiningOp()) ||
         (isa<vn::ScaleParameterOp, vn::SliceParameterOp, vn::ConcatParametersOp, vn::SpreadParameterOp>(
              value.getDefiningOp()) &&
          cast<RankedTensorType>(value.getType()).getRank() != 1);
}

static Element elementOf(Type type) {
  return cast<RankedTensorType>(type).getElementType().isBF16() ? Element::BF16 : Element::F32;
}

Element elementOfMaps(func::FuncOp function) {
  const WalkResult found = function.walk([](Operation *op) {
    const auto isBFloat16 = [](Type type) { return elementOf(type) == Element::BF16; };
    return llvm::any_of(op->getOperandTypes(), isBFloat16) || llvm::any_of(op->getResultTypes(), isBFloat16)
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  return found.wasInterrupted() ? Element::BF16 : Element::F32;
}

// Whether the op that computes `value` writes it as a whole, in any type and nowhere else: no slice, which is
// read in place, nor a concat, whose operands are written in place.
static bool isWrittenWhole(Value value) {
  if (isa_and_nonnull<vn::SliceOp, vn::ConcatOp>(value.getDefiningOp()))
    return false;
  auto blocks = value.getDefiningOp<vn::ImageBlocksOp>();
  if (!blocks)
    return true;
  Value yielded =
      blocks.getBody().front().getTerminator()->getOperand(cast<OpResult>(value).getResultNumber());
  return yielded.hasOneUse() && yielded.getDefiningOp() && isWrittenWhole(yielded);
}

// The cast that is all that reads `value`, and whose result is written instead.
static vn::CastOp castInPlace(Value value) {
  return value.hasOneUse() && isWrittenWhole(value) ? dyn_cast<vn::CastOp>(*value.user_begin())
                                                    : vn::CastOp();
}

View viewOf(Value value) {
  if (auto sum = value.getDefiningOp<vn::AddOp>()) // of maps, or of a shared weight's gradients
    return viewOf(sum.getLhs());
  auto shape = cast<RankedTensorType>(value.getType()).getShape();
  if (vn::isMap(value))
    return denseView(shape[0], shape[1], shape[2], shape[3], elementOf(value.getType()));
  int64_t elements = 1;
  for (int64_t extent : shape)
    elements *= extent;
  return denseView(1, 1, 1, elements);
}

std::array<int64_t, 2> pair(llvm::ArrayRef<int64_t> values) { return {values[0], values[1]}; }
std::array<int64_t, 2> begins(llvm::ArrayRef<int64_t> padding) { return {padding[0], padding[2]}; }
std::array<int64_t, 4> four(llvm::ArrayRef<int64_t> values) {
  return {values[0], values[1], values[2], values[3]};
}

// --- buffers and steps
// -----------------------------------------------------------------------------------------------

int Lowering::addBuffer(vn_space space, int64_t bytes) {
  Buffer buffer{space, bytes, -1};
  if (space == VN_SPACE_DERIVED) {
    buffer.offset = out.derivedBytes;
    out.derivedBytes += aligned(bytes);
  }
  out.buffers.push_back(buffer);
  return int(out.buffers.size()) - 1;
}

Location Lowering::scratch(int64_t floats) { return map(denseView(1, 1, 1, floats)); }

Location Lowering::map(const View &view) { return {addBuffer(VN_SPACE_ARENA, view.bytes()), 0, view}; }

Location Lowering::derived(const Kernel &kernel, const Location &weight, bool early, const View &view) {
  const std::string key =
      std::to_string(weight.buffer) + "/" + std::to_string(weight.offset) + "/" + kernel.name;
  auto [entry, isNew] = packedAt.try_emplace(key);
  if (!isNew)
    return entry->second;
  Program *saved = current;
  current = early ? prepared : program;
  Location to{addBuffer(early ? VN_SPACE_DERIVED : VN_SPACE_ARENA, view.bytes()), 0, view};
  step(kernel, {weight}, {to}, 0);
  current = saved;
  entry->second = to;
  return to;
}

Location Lowering::addIo(const std::string &name, vn_type type, bool isOutput, std::vector<int64_t> shape,
                         const View &view) {
  const int buffer = addBuffer(VN_SPACE_IO, view.size() * 4);
  out.buffers[buffer].offset = int64_t(program->io.size());
  program->io.push_back({name, type, isOutput ? VN_OUTPUT : VN_INPUT, std::move(shape)});
  return {buffer, 0, view};
}

Location Lowering::addMapIo(const std::string &name, bool isOutput, Value value) {
  const View view = viewOf(value);
  const bool vector = isOutput && view.h * view.w == 1;
  return addIo(name, VN_FLOAT32, isOutput,
               vector ? std::vector<int64_t>{view.n, view.c}
                      : std::vector<int64_t>{view.n, view.c, view.h, view.w},
               view);
}

Location Lowering::result(Value value) {
  if (const auto found = locations.find(value); found != locations.end())
    return found->second;
  Location place;
  if (vn::CastOp cast = castInPlace(value)) {
    place = result(cast.getResult());
  } else {
    const View view = storedView(value);
    const bool derived = prepared && current == prepared && !isPacked(value);
    place = {addBuffer(derived ? VN_SPACE_DERIVED : VN_SPACE_ARENA, view.bytes()), 0, view};
  }
  locations[value] = place;
  return place;
}

PartialSums Lowering::solve(const Problem &problem, llvm::ArrayRef<Location> reads,
                            llvm::ArrayRef<Location> writes) {
  Places places;
  places.reads.append(reads.begin(), reads.end());
  places.writes.append(writes.begin(), writes.end());
  return backend.select(problem, places, *this);
}

Step &Lowering::step(const Kernel &kernel, llvm::ArrayRef<Location> reads, llvm::ArrayRef<Location> writes,
                     int64_t macs) {
  if (!kernels.add(kernel) && sharedName.empty())
    sharedName = kernel.name;
  Step step;
  step.kernel = kernel.name;
  step.problem = kernel.problem;
  step.place = place;
  step.tasks = kernel.tasks;
  step.macs = macs;
  for (const Location &location : reads)
    step.operands.push_back({location.buffer, location.offset, false, location.view});
  for (const Location &location : writes)
    step.operands.push_back({location.buffer, location.offset, true, location.view});
  for (llvm::ArrayRef<Location> list : {reads, writes})
    for (const Location &location : list)
      step.bytes += location.view.size() * elementBytes(location.view.element);
  for (const Location &location : writes)
    step.writtenBytes += location.view.size() * elementBytes(location.view.element);
  current->steps.push_back(std::move(step));
  return current->steps.back();
}

// --- placement in advance
// --------------------------------------------------------------------------------------------

// A slice is a view of a map that exists already; a block argument has its place too.
bool mayBePlaced(Value value) {
  Operation *producer = value.getDefiningOp();
  return producer && !isa<vn::SliceOp, vn::ParameterOp>(producer);
}

// Concats from the last to the first, so that a concat of concats hands its slices on.
void Lowering::placeConcats(Block &block) {
  const auto concats = llvm::to_vector(block.getOps<vn::ConcatOp>());
  for (vn::ConcatOp op : llvm::reverse(concats)) {
    Location whole = result(op.getResult());
    int64_t channel = 0;
    for (Value input : op.getInputs()) {
      View view = viewOf(input);
      view.pixel = whole.view.pixel;
      view.element = whole.view.element;
      if (mayBePlaced(input) && !locations.count(input) && llvm::count(op.getInputs(), input) == 1)
        locations[input] = {whole.buffer, whole.offset + elementBytes(view.element) * channel, view};
      channel += view.c;
    }
  }
}

void Lowering::placeGradients(func::FuncOp function) {
  function.walk([&](vn::StoreGradientOp op) {
    Value gradient = op.getGradient();
    if (gradient.hasOneUse() && gradient.getDefiningOp() && !gradient.getDefiningOp<vn::SliceOp>())
      locations[gradient] = gradientAt.lookup(op.getName());
  });
}

// What is written into a map of the call, such as a part of a concat, is computed by each call.
bool Lowering::dependsOnParametersOnly(Operation *op) {
  const auto placed = [&](Value result) {
    vn::CastOp cast = castInPlace(result);
    return locations.count(result) || (cast && locations.count(cast.getResult()));
  };
  return op->getNumOperands() > 0 && op->getNumRegions() == 0 && isMemoryEffectFree(op) &&
         llvm::none_of(op->getResults(), placed) &&
         llvm::all_of(op->getOperands(), [&](Value v) { return constant.contains(v); });
}

// --- functions
// -------------------------------------------------------------------------------------------------------

vn_space spaceOf(vn::ParameterOp parameter) {
  if (parameter.getFrozen())
    return VN_SPACE_FROZEN;
  return parameter.isStatistic() ? VN_SPACE_STATISTICS : VN_SPACE_PARAMETERS;
}

LogicalResult Lowering::parameters(func::FuncOp function) {
  bool fine = true;
  function.walk([&](vn::ParameterOp op) {
    const auto [known, isNew] = parameterIndex.try_emplace(op.getName(), out.parameters.size());
    auto shape = cast<RankedTensorType>(op.getType()).getShape();
    if (!isNew) {
      if (shape != llvm::ArrayRef(out.parameters[known->second].shape)) {
        mlir::emitError(op.getLoc()) << "parameter `" << op.getName()
                                     << "` has another shape for each choice of a hole";
        fine = false;
      }
      return;
    }
    Parameter parameter;
    parameter.name = op.getName().str();
    parameter.kind = vn_parameter_kind(static_cast<uint32_t>(op.getKind()));
    parameter.shape.assign(shape.begin(), shape.end());
    if (parameter.kind == VN_GAMMA)
      parameter.initial = op.getInitial() ? op.getInitial()->convertToDouble() : 1.0;
    parameter.space = spaceOf(op);
    int64_t &bytes = op.isTrainable() ? out.parameterBytes
                     : op.getFrozen() ? out.frozenBytes
                                      : out.statisticsBytes;
    parameter.offset = bytes;
    const View view = viewOf(op.getResult());
    bytes += aligned(view.size() * 4);
    const int buffer = addBuffer(parameter.space, view.size() * 4);
    out.buffers[buffer].offset = parameter.offset;
    parameterAt[op.getName()] = {buffer, 0, view};
    if (op.isTrainable()) {
      const int gradient = addBuffer(VN_SPACE_GRADIENTS, view.size() * 4);
      out.buffers[gradient].offset = parameter.offset;
      gradientAt[op.getName()] = {gradient, 0, view};
    }
    out.parameters.push_back(std::move(parameter));
  });
  return success(fine);
}

void Lowering::begin(Program &ownProgram, Program *preparedProgram) {
  program = current = &ownProgram;
  prepared = preparedProgram;
  backward = nullptr;
  locations.clear();
  sumsAt.clear();
  constant.clear();
  packedAt.clear();
}

LogicalResult Lowering::function(func::FuncOp function, Program &ownProgram, Program *preparedProgram) {
  begin(ownProgram, preparedProgram);
  for (BlockArgument argument : function.getArguments()) {
    const std::string name = inputName(argument);
    const Location io = addArgumentIo(name, argument);
    if (isVectorTarget(argument) || cast<RankedTensorType>(argument.getType()).getRank() != 4)
      alias(argument, io);
    else
      readMap(name, argument, io);
  }
  placeGradients(function);
  if (failed(lower(function.getBody().front())))
    return failure();
  backend.order(*program);
  if (options.kept)
    keepApart(function);
  else
    planMemory(out.buffers, *program);
  expandRepeats(*program);
  return success();
}

std::string inputName(BlockArgument argument) {
  auto names = argument.getOwner()->getParentOp()->getAttrOfType<ArrayAttr>(vn::kInputsAttr);
  const StringRef name =
      names ? cast<StringAttr>(names[argument.getArgNumber()]).getValue() : StringRef(vn::kImageInput);
  if (name == vn::kRandomInput)
    return kRandom;
  return name == vn::kImageInput ? kImage : name.str();
}

bool isTarget(BlockArgument argument) {
  auto targets = argument.getOwner()->getParentOp()->getAttrOfType<ArrayAttr>(vn::kTargetsAttr);
  const std::string name = inputName(argument);
  return targets && llvm::any_of(targets.getAsValueRange<StringAttr>(),
                                 [&](StringRef target) { return target == name; });
}

bool isVectorTarget(BlockArgument argument) {
  auto type = cast<RankedTensorType>(argument.getType());
  return isTarget(argument) && type.getRank() == 4 && vn::heightOf(type) * vn::widthOf(type) == 1;
}

Io targetIo(Value target) {
  auto type = cast<RankedTensorType>(target.getType());
  Io io;
  if (vn::isLabels(type)) {
    const vn::LabelRange range = vn::labelRangeOf(target);
    io.type = VN_INT32;
    io.shape = type.getShape().vec();
    io.classes = range.classes;
    io.ignored = range.ignored.value_or(0);
    return io;
  }
  io.shape = {vn::batchOf(type), vn::channelsOf(type)};
  if (vn::heightOf(type) * vn::widthOf(type) != 1)
    io.shape.insert(io.shape.end(), {vn::heightOf(type), vn::widthOf(type)});
  return io;
}

Location Lowering::addArgumentIo(const std::string &name, BlockArgument argument) {
  auto type = cast<RankedTensorType>(argument.getType());
  if (type.getRank() == 4 && !isVectorTarget(argument))
    return addMapIo(name, false, argument);
  if (type.getRank() != 4 && !vn::isLabels(type))
    return addIo(name, VN_FLOAT32, false, type.getShape(), viewOf(argument));
  const Io io = targetIo(argument);
  const Location location = addIo(name, io.type, false, io.shape, viewOf(argument));
  program->io.back().classes = io.classes;
  program->io.back().ignored = io.ignored;
  return location;
}

void Lowering::readMap(const std::string &name, BlockArgument argument, const Location &io) {
  place = name;
  vn::CastOp cast = castInPlace(argument);
  const Value read = cast ? cast.getResult() : Value(argument);
  if (readsArray(read)) { // that of the shape that its map would have
    alias(argument, {io.buffer, 0, storedView(read)});
    alias(read, at(argument));
    return;
  }
  const size_t buffers = out.buffers.size();
  const Location map = result(argument);
  const bool alone = out.buffers.size() > buffers; // no slice of a concat
  solve(ArrayProblem{map.view, false, alone}, {io}, {map});
}

LogicalResult Lowering::lower(Block &block) {
  placeConcats(block);
  for (Operation &op : block) {
    if (backward && op.hasAttr(vn::kBackwardAttr)) {
      copyPassedOn(op.getParentOfType<func::FuncOp>(), vn::kPassedOnAttr);
      program = std::exchange(backward, nullptr);
    }
    if (auto attribute = op.getAttrOfType<StringAttr>(vn::kPlaceAttr))
      place = attribute.str();
    current = program;
    if (dependsOnParametersOnly(&op)) {
      if (prepared)
        current = prepared;
      constant.insert(op.result_begin(), op.result_end());
    }
    if (failed(lower(&op)))
      return failure();
  }
  return success();
}

void Lowering::keepApart(func::FuncOp function) {
  placeApart(out.buffers, *program);
  const auto blocks = llvm::to_vector(function.getOps<vn::ImageBlocksOp>()); // each is a repeated part
  for (auto &[value, location] : locations) {
    Location place = location;
    for (auto [op, repeat] : llvm::zip_equal(blocks, program->repeats))
      if (value.getParentBlock()->getParentOp() == op && repeat.advances.count(place.buffer))
        place.offset += (repeat.count - 1) * repeat.advances.at(place.buffer);
    (*options.kept)[value] = place;
  }
}

// The body's steps once, for the first block of images; the others follow when the memory is planned.
LogicalResult Lowering::lowerImageBlocks(vn::ImageBlocksOp op) {
  Repeat repeat;
  repeat.begin = int(program->steps.size());
  const auto firstBlock = [&](Location whole) {
    repeat.count = whole.view.n / int64_t(op.getImages());
    whole.view.n = op.getImages();
    repeat.advances[whole.buffer] = elementBytes(whole.view.element) * whole.view.n * whole.view.image();
    return whole;
  };
  Block &body = op.getBody().front();
  Operation *yield = body.getTerminator();
  for (auto [argument, input] : llvm::zip_equal(body.getArguments(), op.getInputs()))
    alias(argument, firstBlock(at(input)));
  for (auto [yielded, whole] : llvm::zip_equal(yield->getOperands(), op.getResults()))
    if (mayBePlaced(yielded) && !locations.count(yielded))
      locations[yielded] = firstBlock(result(whole));
  if (failed(lower(body)))
    return failure();
  for (auto [yielded, whole] : llvm::zip_equal(yield->getOperands(), op.getResults())) {
    const Location from = at(yielded), to = firstBlock(result(whole));
    if (from.buffer != to.buffer || from.offset != to.offset)
      solve(CopyProblem{from.view, to.view}, {from}, {to});
  }
  repeat.end = int(program->steps.size());
  program->repeats.push_back(std::move(repeat));
  return success();
}

LogicalResult Lowering::outputs(func::FuncOp function, func::ReturnOp op) {
  auto names = function->getAttrOfType<ArrayAttr>(vn::kOutputsAttr);
  for (auto [index, value] : llvm::enumerate(op.getOperands())) {
    std::string name = names && index < names.size() ? cast<StringAttr>(names[index]).str()
                                                     : "output" + std::to_string(index);
    auto type = cast<RankedTensorType>(value.getType());
    writeOutput(name, value,
                type.getRank() == 4 ? addMapIo(name, true, value)
                                    : addIo(name, VN_FLOAT32, true, type.getShape(), viewOf(value)));
  }
  return success();
}

void Lowering::writeOutput(const std::string &name, Value value, const Location &io) {
  place = name;
  current = program;
  const Location from = at(value);
  if (io.view.h * io.view.w == 1)
    solve(CopyProblem{from.view, io.view}, {from}, {io});
  else
    solve(ArrayProblem{from.view, true}, {from}, {io});
}

LogicalResult Lowering::lower(Operation *op) {
  if (auto parameter = dyn_cast<vn::ParameterOp>(op)) {
    if (!parameterAt.count(parameter.getName()))
      return op->emitError("parameter is not one of @infer's");
    alias(parameter.getResult(), parameterAt.lookup(parameter.getName()));
    constant.insert(parameter.getResult());
    return success();
  }
  if (auto blocks = dyn_cast<vn::ImageBlocksOp>(op))
    return lowerImageBlocks(blocks);
  if (isa<vn::YieldOp>(op))
    return success();
  if (auto ret = dyn_cast<func::ReturnOp>(op)) {
    auto function = op->getParentOfType<func::FuncOp>();
    return function->hasAttr(vn::kPassedOnAttr) ? segmentResults(function) : outputs(function, ret);
  }
  if (op->use_empty() && isMemoryEffectFree(op))
    return success();
  if (succeeded(lowerLayer(op)) || succeeded(lowerGradient(op)) || succeeded(lowerLoss(op)))
    return success();
  return op->emitOpError("has no kernel on this target");
}

LogicalResult Lowering::checkNames(ModuleOp module) const {
  if (sharedName.empty())
    return success();
  return mlir::emitError(module.getLoc())
         << "two kernels that differ have one name: `" << sharedName
         << "`; this is a fault of Vernier, please report it with the specification";
}

FailureOr<Compilation> lowerModule(llvm::ArrayRef<ModuleOp> sizes, const Backend &backend,
                                   const LoweringOptions &options) {
  Compilation compilation;
  Lowering lowering(compilation, backend, options);
  compilation.furtherSizes.resize(sizes.size() - 1);
  bool trains = false;
  for (auto [size, each] : llvm::enumerate(sizes)) {
    ModuleOp module = each;
    auto infer = module.lookupSymbol<func::FuncOp>(vn::kInferFunction);
    if (!infer)
      return module.emitError("has no @infer");
    auto train = module.lookupSymbol<func::FuncOp>(vn::kTrainStepFunction);
    trains |= bool(train);
    if (elementOfMaps(infer) == Element::BF16)
      compilation.maps = Element::BF16;
    // Those that only a loss reads come after inference's.
    if (failed(lowering.parameters(infer)) || (train && failed(lowering.parameters(train))) ||
        failed(lowering.function(infer, inferAt(compilation, size), &compilation.prepare)))
      return failure();
    if (options.evaluations.empty())
      continue;
    auto evaluate = ModuleOp(options.evaluations[size]).lookupSymbol<func::FuncOp>(vn::kInferFunction);
    if (failed(lowering.function(evaluate, evaluateAt(compilation, size), &compilation.prepare)))
      return failure();
  }
  if (sizes.size() > 1 || !options.evaluations.empty())
    shareEqualSteps(compilation);
  backend.order(compilation.prepare);
  if (options.kept)
    placeApart(compilation.buffers, compilation.prepare, compilation.infer.arenaBytes);
  else
    planMemory(compilation.buffers, compilation.prepare);
  if (trains) {
    for (auto [size, each] : llvm::enumerate(sizes))
      if (failed(lowering.function(ModuleOp(each).lookupSymbol<func::FuncOp>(vn::kTrainStepFunction),
                                   trainStepAt(compilation, size), nullptr)))
        return failure();
    lowering.optimizer(compilation.update);
    layOutParameters(compilation);
  }
  if (failed(lowering.checkNames(sizes.front())))
    return failure();
  return compilation;
}

} // namespace vernier::codegen
