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

// Along one dimension: of `outer` x size x `inner` numbers.
Tensor spreadAlong(const Tensor &x, size_t dimension, int64_t multiple, std::span<const int64_t> runs) {
  if (runs.empty())
    return x;
  int64_t outer = 1, inner = 1, spread = 0;
  for (size_t i = 0; i < x.shape.size(); ++i)
    (i < dimension ? outer : inner) *= i == dimension ? 1 : x.shape[i];
  for (int64_t run : runs)
    spread += (run + multiple - 1) / multiple * multiple;
  std::vector<int64_t> shape(x.shape.begin(), x.shape.end());
  shape[dimension] = spread;
  Tensor y(shape);
  int64_t from = 0, to = 0;
  for (int64_t run : runs) {
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < run * inner; ++i)
        y[(o * spread + to) * inner + i] = x[(o * x.shape[dimension] + from) * inner + i];
    from += run;
    to += (run + multiple - 1) / multiple * multiple;
  }
  return y;
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

Tensor spreadParameter(const Tensor &x, int64_t multiple, std::span<const int64_t> outputs,
                       std::span<const int64_t> inputs) {
  return spreadAlong(spreadAlong(x, 0, multiple, outputs), 1, multiple, inputs);
}

} // namespace vernier::interpreter
