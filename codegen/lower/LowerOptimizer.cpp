// What follows a training step: the sum of gradients and the optimizer's step, a few steps for each
// parameter.
#include "codegen/lower/Lowering.h"

namespace vernier::codegen {

Location Lowering::beside(const Parameter &parameter, vn_space space) {
  const Location weight = parameterAt.lookup(parameter.name);
  const int buffer = addBuffer(space, weight.view.bytes());
  out.buffers[buffer].offset = parameter.offset;
  return {buffer, 0, weight.view};
}

Location Lowering::addFlags(const char *name, bool isOutput) {
  const int64_t count = int64_t(out.parameters.size());
  View view = denseView(1, 1, 1, count);
  view.element = Element::I32;
  return addIo(name, VN_INT32, isOutput, {count}, view);
}

void Lowering::clear(const Location &flags) {
  Location zeros = flags;
  zeros.view.element = Element::F32; // whose zero has the same bits
  place = "not_finite";
  solve(FillProblem{zeros.view, 0}, {}, {zeros});
}

// The element of a parameter.
static Location elementOf(const Location &each, size_t parameter) {
  View one = each.view;
  one.c = one.pixel = 1;
  return {each.buffer, elementBytes(one.element) * int64_t(parameter), one};
}

static std::string placeOf(const Parameter &parameter) {
  return parameter.name.substr(0, parameter.name.rfind('.'));
}

static bool isWeight(const Parameter &parameter) {
  return parameter.kind == VN_CONVOLUTION_WEIGHT || parameter.kind == VN_LINEAR_WEIGHT;
}

void Lowering::accumulation(Program &ownProgram) {
  begin(ownProgram, nullptr);
  const Location how = addFlags("how", false), bad = addFlags("not_finite", true);
  clear(bad);
  for (const auto &[i, parameter] : llvm::enumerate(out.parameters)) {
    const Location weight = parameterAt.lookup(parameter.name);
    place = placeOf(parameter);
    if (parameter.space == VN_SPACE_PARAMETERS)
      solve(AccumulateProblem{weight.view.size()}, {gradientAt.lookup(parameter.name), elementOf(how, i)},
            {beside(parameter, VN_SPACE_SUMS), elementOf(bad, i)});
    else if (parameter.space == VN_SPACE_STATISTICS)
      solve(CheckFiniteProblem{weight.view.size()}, {weight}, {elementOf(bad, i)});
  }
  backend.order(ownProgram);
}

void Lowering::optimizer(Program &ownProgram) {
  begin(ownProgram, nullptr);
  const auto number = [&](const char *name, vn_type type) {
    View view = denseView(1, 1, 1, 1);
    if (type == VN_INT32)
      view.element = Element::I32;
    return addIo(name, type, false, {1}, view);
  };
  const auto count = int64_t(out.parameters.size());
  const Location rates = addIo("learning_rate", VN_FLOAT32, false, {count}, denseView(1, 1, 1, count)),
                 momentum = number("momentum", VN_FLOAT32), weightDecay = number("weight_decay", VN_FLOAT32),
                 vectorDecay = number("vector_decay", VN_FLOAT32), nesterov = number("nesterov", VN_INT32);
  const Location trained = addFlags("trained", false), bad = addFlags("not_finite", true);
  clear(bad);
  for (const auto &[i, parameter] : llvm::enumerate(out.parameters)) {
    const Location weight = parameterAt.lookup(parameter.name);
    place = placeOf(parameter);
    if (parameter.space == VN_SPACE_PARAMETERS)
      solve(SgdProblem{weight.view.size()},
            {gradientAt.lookup(parameter.name), elementOf(rates, i), momentum,
             isWeight(parameter) ? weightDecay : vectorDecay, nesterov, elementOf(trained, i)},
            {weight, beside(parameter, VN_SPACE_MOMENTUM), elementOf(bad, i)});
    else if (parameter.space == VN_SPACE_STATISTICS)
      solve(CheckFiniteProblem{weight.view.size()}, {weight}, {elementOf(bad, i)});
  }
  backend.order(ownProgram);
}

} // namespace vernier::codegen
