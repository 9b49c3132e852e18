// Convolutions by Winograd's algorithm.
#include "codegen/lower/Lowering.h"

using namespace mlir;

namespace vernier::codegen {

bool Lowering::lowerWinograd(const Location &x, Value value, Value weight, bool transposed,
                             const ConvolutionShape &shape, PlacedEpilogue epilogue, int64_t macs) {
  using Pair = std::array<int64_t, 2>;
  if (shape.kernel != Pair{3, 3} || shape.stride != Pair{1, 1} || shape.dilation != Pair{1, 1} ||
      shape.groups != 1)
    return false;
  const Location y = result(value);
  const bool packsEachRun = !(prepared && constant.contains(weight));
  auto spec = chooseWinograd(x.view, y.view, shape.padding[0], shape.padding[2], packsEachRun,
                             options.winograd, target);
  if (!spec)
    return false;
  addSums(value, spec->parts(), epilogue);
  spec->epilogue = epilogue.code;
  const Location w =
      packed(weight, packWinogradWeights(spec->weights, transposed), {spec->weights.elements()});
  // Of a scratch operand only the rooms that calls use are touched: no bytes that the step must move.
  const auto rooms = [&](int64_t elements) {
    Location room = scratch(elements);
    room.view.c = 0;
    return room;
  };
  Location from = x;
  if (spec->split) {
    from = scratch(spec->groups() * spec->inputElements());
    step(winogradInput(*spec), {x}, {from, rooms(spec->inputScratchElements())});
  }
  Step &s =
      step(winogradConvolution(*spec, target), {from, w}, y, epilogue, macs, rooms(spec->scratchElements()));
  s.savedMacs = macs - spec->products();
  return true;
}

} // namespace vernier::codegen
