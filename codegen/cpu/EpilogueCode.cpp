#include "codegen/cpu/EpilogueCode.h"

#include "codegen/cpu/ActivationCode.h"
#include "codegen/cpu/MapLoops.h"

namespace vernier::codegen {

std::string Epilogue::name() const {
  std::string name = bias ? "_bias" : "";
  for (const Addend &addend : addends) {
    name += "_add" + addend.view.name();
    if (addend.enlarged())
      name += "up" + std::to_string(addend.factor[0]) + "x" + std::to_string(addend.factor[1]);
  }
  return name + activationName(activation);
}

void EpilogueCode::appendOperands(const Epilogue &epilogue, int64_t channels,
                                  std::vector<KernelOperand> &operands) {
  if (epilogue.bias)
    operands.push_back({channels});
  for (const Addend &addend : epilogue.addends)
    operands.push_back(addend.view.operand());
}

Value EpilogueCode::start(Value channel, int64_t count) {
  return epilogue.bias ? k.load(k.operand(first), channel, count) : k.constant(0.0f);
}

// The addend's pixel below (n, y, x + offset). What depends on the tile alone is the same expression for each
// of its pixels, so that the division is made once.
Value EpilogueCode::enlargedPosition(const Addend &addend, Value n, Value y, Value x, int64_t offset,
                                     Value channel) {
  const auto [rowFactor, columnFactor] = addend.factor;
  const View &view = addend.view;
  // Images follow one another, and the factor divides their height: row / factor is a row of the addend.
  Value row = k.add(k.mul(n, view.h * rowFactor), y);
  bool aligned = true; // is x a multiple of tilePixels?
  if (const int64_t columns = epilogue.flattenedColumns) {
    aligned = columns % tilePixels == 0; // then no tile reaches into the next row
    if (!aligned) {
      x = k.add(x, offset);
      offset = 0;
    }
    row = k.div(x, columns);
    x = k.rem(x, columns);
  }
  Value column = aligned && tilePixels % columnFactor == 0
                     ? k.add(k.div(x, columnFactor), offset / columnFactor)
                     : k.div(k.add(x, offset), columnFactor);
  return k.add(k.add(k.mul(k.div(row, rowFactor), view.row()), k.mul(column, view.pixel)), channel);
}

Value EpilogueCode::finish(Value sums, Value n, Value y, Value x, int64_t offset, Value channel,
                           int64_t count) {
  for (size_t i = 0; i < epilogue.addends.size(); ++i) {
    const Addend &addend = epilogue.addends[i];
    Value at = addend.enlarged() ? enlargedPosition(addend, n, y, x, offset, channel)
                                 : position(k, addend.view, n, y, k.add(x, offset), channel);
    sums = addFloat(k, sums, k.load(k.operand(first + epilogue.bias + i), at, count));
  }
  return applyActivation(k, sums, epilogue.activation);
}

} // namespace vernier::codegen
