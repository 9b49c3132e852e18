#include "codegen/cpu/emit/EpilogueCode.h"

#include "codegen/cpu/emit/ActivationCode.h"
#include "codegen/cpu/emit/MapLoops.h"

namespace vernier::codegen {

int64_t sumsElements(int64_t parts, int64_t channels, const Target &target) {
  return parts * 2 * ceilDiv(channels, target.lanes) * target.lanes;
}

std::vector<KernelOperand> EpilogueCode::operands(std::vector<KernelOperand> operands,
                                                  const Epilogue &epilogue, const View &output, int64_t parts,
                                                  const Target &target) {
  operands.insert(operands.end(), size_t(epilogue.scale + epilogue.bias), {output.c});
  for (const Addend &addend : epilogue.addends)
    operands.push_back(addend.view.operand());
  if (epilogue.masked != Activation::None)
    operands.push_back(epilogue.mask.operand());
  if (epilogue.sums == Sums::Gradient)
    operands.insert(operands.end(), {epilogue.x.operand(), {output.c}});
  operands.push_back(output.operand());
  if (epilogue.sums != Sums::None)
    operands.push_back({sumsElements(parts, output.c, target), Element::F64});
  return operands;
}

Value EpilogueCode::start(Value channel, int64_t count) {
  return epilogue.bias && !epilogue.scale ? k.load(k.operand(first), channel, count) : k.constant(0.0f);
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
  if (epilogue.flattened) {
    const int64_t columns = view.w * columnFactor;
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
  Value column = k.add(x, offset);
  int64_t operand = first + epilogue.scale + epilogue.bias;
  if (epilogue.scale) {
    Value scale = k.load(k.operand(first), channel, count);
    sums = epilogue.bias ? k.fma(sums, scale, k.load(k.operand(first + 1), channel, count))
                         : mulFloat(k, sums, scale);
  }
  for (const Addend &addend : epilogue.addends) {
    Value at = addend.enlarged() ? enlargedPosition(addend, n, y, x, offset, channel)
                                 : position(k, addend.view, n, y, column, channel);
    sums = addFloat(k, sums, k.load(k.operand(operand++), at, count));
  }
  sums = applyActivation(k, sums, epilogue.activation);
  if (epilogue.masked != Activation::None) {
    Value result = k.load(k.operand(operand), position(k, epilogue.mask, n, y, column, channel), count);
    sums = activationGradient(k, result, sums, epilogue.masked);
  }
  return sums;
}

std::array<Value, 2> EpilogueCode::sumPositions(Value channel) {
  const int64_t padded = sumsElements(1, channels, k.getTarget()) / 2;
  Value at = k.add(k.mul(part, 2 * padded), channel);
  return {at, k.add(at, padded)};
}

void EpilogueCode::beginSums(Value newPart, Value channel, int64_t vectors) {
  part = newPart;
  if (epilogue.sums == Sums::None)
    return;
  for (int64_t v = 0; v < vectors; ++v)
    for (Value at : sumPositions(k.add(channel, v * k.lanes())))
      k.storeWide(k.wideConstant(0.0), k.operand(first + epilogue.inputs() + 1), at);
}

// Float32 within the few pixels of a tile, double beyond. The squares are taken of differences from the
// tile's mean, so that a mean that is large beside the deviation costs no digits.
void EpilogueCode::addToSums(Value n, llvm::ArrayRef<Pixel> pixels, Value channel, int64_t count) {
  if (epilogue.sums == Sums::None || pixels.empty())
    return;
  Value sum = pixels.front().stored;
  for (const Pixel &pixel : pixels.drop_front())
    sum = addFloat(k, sum, pixel.stored);
  Value second = k.constant(0.0f), wideSum = k.wide(sum), wideSecond;
  if (epilogue.sums == Sums::Moments) {
    Value mean = mulFloat(k, sum, k.constant(1.0f / float(pixels.size())));
    for (const Pixel &pixel : pixels) {
      Value d = subFloat(k, pixel.stored, mean);
      second = k.fma(d, d, second);
    }
    // The squares about 0: of a sum s over p pixels, sum (v - s / p)^2 + s^2 / p. The tile's mean was
    // rounded, which changes the first term only in the second order.
    Value share = mulFloat(k, wideSum, k.wideConstant(1.0 / double(pixels.size())));
    wideSecond = addFloat(k, k.wide(second), mulFloat(k, wideSum, share));
  } else {
    const int64_t x = first + epilogue.inputs() - 2;
    Value mean = k.load(k.operand(x + 1), channel, count);
    for (const Pixel &pixel : pixels) {
      Value at = position(k, epilogue.x, n, pixel.y, pixel.x, channel);
      second = k.fma(pixel.stored, subFloat(k, k.load(k.operand(x), at, count), mean), second);
    }
    wideSecond = k.wide(second);
  }
  Value sums = k.operand(first + epilogue.inputs() + 1);
  const auto positions = sumPositions(channel);
  k.storeWide(addFloat(k, k.loadWide(sums, positions[0]), wideSum), sums, positions[0]);
  k.storeWide(addFloat(k, k.loadWide(sums, positions[1]), wideSecond), sums, positions[1]);
}

} // namespace vernier::codegen
