#include "codegen/cpu/EpilogueCode.h"

#include "codegen/cpu/ActivationCode.h"
#include "codegen/cpu/MapLoops.h"

namespace vernier::codegen {

std::string Epilogue::name() const {
  std::string name = bias ? "_bias" : "";
  for (const View &addend : addends)
    name += "_add" + addend.name();
  return name + activationName(activation);
}

void EpilogueCode::appendOperands(const Epilogue &epilogue, int64_t channels,
                                  std::vector<KernelOperand> &operands) {
  if (epilogue.bias)
    operands.push_back({channels});
  for (const View &addend : epilogue.addends)
    operands.push_back({addend.elements()});
}

Value EpilogueCode::start(Value channel, int64_t count) {
  return epilogue.bias ? k.load(k.operand(first), channel, count) : k.constant(0.0f);
}

Value EpilogueCode::finish(Value sums, Value n, Value y, Value x, Value channel, int64_t count) {
  for (size_t i = 0; i < epilogue.addends.size(); ++i)
    sums = addFloat(k, sums,
                    k.load(k.operand(first + epilogue.bias + i),
                           position(k, epilogue.addends[i], n, y, x, channel), count));
  return applyActivation(k, sums, epilogue.activation);
}

} // namespace vernier::codegen
