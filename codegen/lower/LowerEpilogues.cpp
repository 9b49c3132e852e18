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

Epilogue Lowering::epilogueOf(const GradientTail &tail, llvm::SmallVectorImpl<Location> &reads) {
  Epilogue epilogue;
  for (Value addend : tail.addends) {
    reads.push_back(at(addend));
    epilogue.addends.push_back({reads.back().view});
  }
  if (tail.activation != Activation::None) {
    reads.push_back(at(tail.mask));
    epilogue.masked = tail.activation;
    epilogue.mask = reads.back().view;
  }
  return epilogue;
}

SumsUsers Lowering::sumsOf(Value value) {
  SumsUsers sums;
  for (Operation *user : value.getUsers()) {
    auto norm = dyn_cast<vn::BatchNormTrainingOp>(user);
    auto gradient = dyn_cast<vn::BatchNormGradOp>(user);
    Sums &kind = sums.request.kind;
    if (norm && norm.getInput() == value && kind != Sums::Gradient) {
      kind = Sums::Moments;
      sums.users.push_back(user);
    } else if (gradient && gradient.getDy() == value && kind == Sums::None) {
      // Of several norms' gradients, one: each has its own x.
      kind = Sums::Gradient;
      sums.request.x = at(gradient.getInput()).view;
      sums.request.reads = {at(gradient.getInput()), at(gradient.getMean())};
      sums.users.push_back(user);
    }
  }
  return sums;
}

} // namespace vernier::codegen
