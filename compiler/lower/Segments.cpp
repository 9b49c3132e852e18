#include "compiler/lower/Segments.h"

#include "compiler/ir/VnOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace vernier::vn;

namespace vernier::compiler {
namespace {

// Ops of one segment, and its holes as a set of bits.
struct Part {
  uint64_t holes = 0;
  SmallVector<Operation *> ops;

  void append(const Part &other) { ops.append(other.ops); }
};

class Splitter {
public:
  explicit Splitter(ModuleOp module)
      : module(module), infer(module.lookupSymbol<func::FuncOp>(kInferFunction)) {
    for (HoleOp hole : module.getOps<HoleOp>())
      if (hole.getKind() == HoleKind::Choose)
        holes.push_back(hole.getSymName());
  }

  std::vector<Segment> run() {
    findParts();
    while (joinBetweenEqual())
      ;
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      takeReaders(i);
    llvm::erase_if(parts, [](const Part &part) { return part.ops.empty(); });
    for (auto [index, part] : llvm::enumerate(parts))
      for (Operation *op : part.ops)
        partOf[op] = index;
    std::vector<Segment> segments;
    for (const Part &part : parts)
      segments.push_back(extract(part));
    return segments;
  }

private:
  uint64_t holesOf(Operation &op) const {
    uint64_t set = 0;
    if (auto names = op.getAttrOfType<ArrayAttr>(kChoicesAttr))
      for (Attribute name : names)
        set |= uint64_t(1) << (llvm::find(holes, cast<StringAttr>(name).getValue()) - holes.begin());
    return set;
  }

  // Parameters go with what follows, which reads them.
  void findParts() {
    SmallVector<Operation *> parameters;
    for (Operation &op : infer.front().without_terminator()) {
      if (isa<ParameterOp, ParameterMapOp>(op)) {
        parameters.push_back(&op);
        continue;
      }
      const uint64_t set = holesOf(op);
      if (parts.empty() || parts.back().holes != set)
        parts.push_back({set, {}});
      parts.back().ops.append(parameters);
      parts.back().ops.push_back(&op);
      parameters.clear();
    }
    if (!parts.empty())
      parts.back().ops.append(parameters);
  }

  bool joinBetweenEqual() {
    for (size_t i = 1; i + 1 < parts.size(); ++i) {
      if (parts[i - 1].holes != parts[i + 1].holes || (parts[i].holes & ~parts[i - 1].holes))
        continue;
      parts[i - 1].append(parts[i]);
      parts[i - 1].append(parts[i + 1]);
      parts.erase(parts.begin() + i, parts.begin() + i + 2);
      return true;
    }
    return false;
  }

  // Moves the beginning of the next part, whose holes are some of part `i`'s, to it.
  void takeReaders(size_t i) {
    Part &part = parts[i], &next = parts[i + 1];
    if (next.holes & ~part.holes)
      return;
    llvm::DenseSet<Operation *> inside(part.ops.begin(), part.ops.end());
    const auto reads = [&](Operation *op) {
      return llvm::any_of(op->getOperands(),
                          [&](Value operand) { return inside.contains(operand.getDefiningOp()); });
    };
    size_t end = 0;
    for (size_t k = 0; k < next.ops.size(); ++k)
      if (reads(next.ops[k]))
        end = k + 1;
    // What an epilogue takes in.
    while (end > 0 && end < next.ops.size() && isa<ActivateOp>(next.ops[end]) &&
           next.ops[end]->getOperand(0).getDefiningOp() == next.ops[end - 1])
      ++end;
    part.ops.append(next.ops.begin(), next.ops.begin() + end);
    next.ops.erase(next.ops.begin(), next.ops.begin() + end);
  }

  // A resize that changes nothing. One by a factor may keep a small map's size and sample between its pixels.
  static bool keepsMap(Operation *op) {
    auto factor = op->getAttrOfType<FloatAttr>("scale");
    return isa<ResizeOp, ResampleOp>(op) && op->getResult(0).getType() == op->getOperand(0).getType() &&
           (!factor || factor.getValueAsDouble() == 1.0);
  }

  bool isOutside(const Part &part, Operation *op) const { return !op || &parts[partOf.lookup(op)] != &part; }

  // The values that `part` takes, in the order of their first uses.
  llvm::SetVector<Value> takenBy(const Part &part) {
    llvm::SetVector<Value> taken;
    for (Operation *op : part.ops)
      for (Value operand : op->getOperands())
        if (isOutside(part, operand.getDefiningOp()))
          taken.insert(operand);
    if (&part == &parts.front())
      for (Value output : infer.front().getTerminator()->getOperands())
        if (!output.getDefiningOp())
          taken.insert(output);
    return taken;
  }

  bool usedElsewhere(const Part &part, Value value) {
    return llvm::any_of(value.getUsers(),
                        [&](Operation *user) { return !isa<func::ReturnOp>(user) && isOutside(part, user); });
  }

  StringAttr nameOf(Value value) {
    if (Operation *op = value.getDefiningOp())
      return op->getAttrOfType<StringAttr>(kPlaceAttr);
    return StringAttr::get(module.getContext(), kImageInput);
  }

  Segment extract(const Part &part) {
    Segment segment;
    for (auto [index, name] : llvm::enumerate(holes))
      if (part.holes >> index & 1)
        segment.holes.push_back(name.str());

    OpBuilder builder(module.getContext());
    segment.module = ModuleOp::create(module.getLoc());
    segment.module->getOperation()->setAttrs(module->getAttrDictionary());
    builder.setInsertionPointToEnd(segment.module->getBody());
    for (HoleOp hole : module.getOps<HoleOp>())
      if (hole.getKind() == HoleKind::Learned)
        builder.clone(*hole);

    SmallVector<Type> types;
    SmallVector<Attribute> inputs, outputs, passedOn;
    const llvm::SetVector<Value> taken = takenBy(part);
    for (Value value : taken) {
      types.push_back(value.getType());
      inputs.push_back(nameOf(value));
    }
    SmallVector<Value> results;
    const auto names = infer->getAttrOfType<ArrayAttr>(kOutputsAttr);
    for (auto [name, value] : llvm::zip_equal(names, infer.front().getTerminator()->getOperands()))
      if (value.getDefiningOp() ? !isOutside(part, value.getDefiningOp()) : &part == &parts.front()) {
        results.push_back(value);
        outputs.push_back(name);
      }
    for (Operation *op : part.ops)
      for (Value value : op->getResults())
        if (usedElsewhere(part, value)) {
          results.push_back(value);
          passedOn.push_back(nameOf(value));
        }

    auto function = func::FuncOp::create(builder, infer.getLoc(), kInferFunction,
                                         builder.getFunctionType(types, ValueRange(results).getTypes()));
    function->setAttr(kInputsAttr, builder.getArrayAttr(inputs));
    function->setAttr(kOutputsAttr, builder.getArrayAttr(outputs));
    function->setAttr(kPassedOnAttr, builder.getArrayAttr(passedOn));
    Block *body = function.addEntryBlock();
    builder.setInsertionPointToEnd(body);
    IRMapping mapping;
    mapping.map(taken.getArrayRef(), body->getArguments());
    for (Operation *op : part.ops)
      if (keepsMap(op))
        mapping.map(op->getResult(0), mapping.lookup(op->getOperand(0)));
      else
        builder.clone(*op, mapping);
    SmallVector<Value> returned;
    for (Value value : results)
      returned.push_back(mapping.lookup(value));
    func::ReturnOp::create(builder, infer.getLoc(), returned);
    return segment;
  }

  ModuleOp module;
  func::FuncOp infer;
  SmallVector<StringRef> holes; // `choose` ones
  std::vector<Part> parts;
  llvm::DenseMap<Operation *, size_t> partOf;
};

} // namespace

std::vector<Segment> splitIntoSegments(ModuleOp module) { return Splitter(module).run(); }

} // namespace vernier::compiler
