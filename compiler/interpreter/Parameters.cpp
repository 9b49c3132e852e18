// Slices of parameters: each is a map of one image, whose pixels are the parameter's rows.
#include "compiler/interpreter/Kernels.h"

namespace vernier::interpreter {
namespace {

size_t inputDimension(const Tensor &x) { return x.shape.size() == 1 ? 0 : 1; }

// Numbers per input channel of one output channel.
int64_t perInput(const Tensor &x) { return x.shape.size() == 4 ? x.shape[2] * x.shape[3] : 1; }

Tensor asMap(const Tensor &x) {
  const int64_t row = x.shape[inputDimension(x)] * perInput(x);
  Tensor map = x;
  map.shape = {1, 1, x.size() / row, row};
  return map;
}

// `map` back in the shape of `like`, with this many inputs.
Tensor asParameter(Tensor map, const Tensor &like, int64_t inputs) {
  map.shape = like.shape;
  map.shape[inputDimension(like)] = inputs;
  return map;
}

} // namespace

Tensor sliceParameter(const Tensor &x, int64_t begin, int64_t count) {
  return asParameter(slice(asMap(x), begin * perInput(x), count * perInput(x)), x, count);
}

Tensor concatParameters(std::span<const Tensor *const> operands) {
  std::vector<Tensor> maps;
  int64_t inputs = 0;
  for (const Tensor *operand : operands) {
    maps.push_back(asMap(*operand));
    inputs += operand->shape[inputDimension(*operand)];
  }
  std::vector<const Tensor *> pointers;
  for (const Tensor &map : maps)
    pointers.push_back(&map);
  return asParameter(concat(pointers), *operands.front(), inputs);
}

Tensor embedParameter(const Tensor &x, int64_t begin, int64_t inputs) {
  return asParameter(embedChannels(asMap(x), begin * perInput(x), inputs * perInput(x)), x, inputs);
}

} // namespace vernier::interpreter
