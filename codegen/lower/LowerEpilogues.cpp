// What joins the kernel that computes its operand: in the backward pass additions of gradients, gradients of
// activations and the sums that a batch norm needs.
#include "codegen/lower/Lowering.h"

using namespace mlir;

namespace vernier::codegen {
namespace {

// Ops whose kernels write each element of a gradient once and so can take a tail.
bool takesTail(Operation *op) {
  if (auto pool = dyn_cast_or_null<vn::MaxPoolGradOp>(op))
    return disjointWindows(poolOf(pool, viewOf(pool.getInput()), viewOf(pool.getY())));
  return isa_and_nonnull<vn::ConvolutionInputGradOp>(op);
}

// Whether `value` is there when `op` is reached.
bool isBefore(Value value, Operation *op) {
  Operation *producer = value.getDefiningOp();
  return !producer || producer->isBeforeInBlock(op);
}

} // namespace

std::optional<GradientTail> Lowering::gradientTail(Operation *op) {
  if (auto found = waiting.find(op); found != waiting.end())
    return found->second;
  GradientTail tail;
  tail.result = op->getResult(0);
  tail.last = op;
  while (takesTail(op) && tail.result.hasOneUse() && tail.activation == Activation::None) {
    Operation *user = *tail.result.user_begin();
    if (absorbed.contains(user))
      break;
    if (auto add = dyn_cast<vn::AddOp>(user)) {
      Value other = add.getLhs() == tail.result ? add.getRhs() : add.getLhs();
      if (other.getType() != tail.result.getType())
        break;
      // Of two kernels that could add, the later one: the earlier one's result has to exist by then anyway.
      if (!isBefore(other, op) && other.hasOneUse() && takesTail(other.getDefiningOp()))
        break;
      tail.addends.push_back(other);
    } else if (auto grad = dyn_cast<vn::ActivateGradOp>(user); grad && grad.getDy() == tail.result) {
      tail.activation = activationOf(grad.getActivation());
      tail.mask = grad.getY();
    } else {
      break;
    }
    absorbed.insert(user);
    tail.last = user;
    tail.result = user->getResult(0);
  }
  const auto ready = [&](Value value) { return isBefore(value, op); };
  if (llvm::all_of(tail.addends, ready) && (!tail.mask || ready(tail.mask)))
    return tail;
  postponed[tail.last] = op;
  waiting[op] = tail;
  return std::nullopt;
}

PlacedEpilogue Lowering::epilogueOf(const GradientTail &tail) {
  PlacedEpilogue epilogue;
  for (Value addend : tail.addends) {
    epilogue.reads.push_back(at(addend));
    epilogue.code.addends.push_back({epilogue.reads.back().view});
  }
  if (tail.activation != Activation::None) {
    epilogue.reads.push_back(at(tail.mask));
    epilogue.code.masked = tail.activation;
    epilogue.code.mask = epilogue.reads.back().view;
  }
  return epilogue;
}

void Lowering::addSums(Value value, int64_t parts, PlacedEpilogue &epilogue) {
  PartialSums partial;
  for (Operation *user : value.getUsers()) {
    auto norm = dyn_cast<vn::BatchNormTrainingOp>(user);
    auto gradient = dyn_cast<vn::BatchNormGradOp>(user);
    const bool moments = norm && norm.getInput() == value;
    // Of several norms' gradients, one: each has its own x.
    const bool gradientSums = gradient && gradient.getDy() == value && !partial.parts;
    if (!moments && !gradientSums)
      continue;
    if (!partial.parts) {
      partial = {scratch(2 * sumsElements(parts, viewOf(value).c, target)), parts};
      epilogue.code.sums = moments ? Sums::Moments : Sums::Gradient;
      epilogue.writes.push_back(partial.sums);
    }
    if (gradientSums) {
      epilogue.reads.append({at(gradient.getInput()), at(gradient.getMean())});
      epilogue.code.x = at(gradient.getInput()).view;
    }
    sumsFor[user] = partial;
  }
}

Step &Lowering::step(const Kernel &kernel, llvm::ArrayRef<Location> reads, const Location &output,
                     const PlacedEpilogue &epilogue, int64_t macs, std::optional<Location> scratch) {
  llvm::SmallVector<Location> allReads(reads), writes = {output};
  allReads.append(epilogue.reads);
  writes.append(epilogue.writes);
  if (scratch)
    writes.push_back(*scratch);
  Step &result = step(kernel, allReads, writes, macs);
  // The kernel reads each element of an addend or of the mask before it stores the output's.
  const size_t first = size_t(epilogue.code.scale + epilogue.code.bias);
  const size_t count = epilogue.code.addends.size() + (epilogue.code.masked != Activation::None);
  for (size_t i = first; i < first + count; ++i)
    if (epilogue.reads[i].view == output.view)
      result.mayReuse.push_back(int(reads.size() + i));
  return result;
}

} // namespace vernier::codegen
