// Sums over the pixels of each image: global average pools, the gradients of what was broadcast over a map,
// and the way back. Large maps are divided into parts of pixels, each a task's for one vector of channels,
// which a step of its own adds up: the parts depend on the shape alone, so that results do not depend on the
// number of threads.
#include "codegen/cpu/emit/MapLoops.h"
#include "codegen/cpu/emit/SumCode.h"

namespace vernier::codegen {
namespace {

int64_t pixels(const View &view) { return view.h * view.w; }

int64_t pixelsPerPart(const SpatialSumProblem &sum, const Target &target) {
  const int64_t part = target.machine.sumPartBytes;
  const int64_t bytes = (sum.a.bytes() + (sum.b ? sum.b->bytes() : 0)) / sum.a.n;
  if (bytes <= 2 * part)
    return pixels(sum.a);
  return ceilDiv(ceilDiv(pixels(sum.a), ceilDiv(bytes, part)), kTermsInFloat) * kTermsInFloat;
}

std::string sumName(const SpatialSumProblem &sum, const char *what) {
  const char *kind = sum.mean ? "global_average_pool" : sum.b ? "spatial_dot" : "spatial_sum";
  return std::string(kind) + what + "_" + sum.a.name() + (sum.b ? "_" + sum.b->name() : "");
}

int64_t paddedChannels(const SpatialSumProblem &sum, int64_t lanes) {
  return ceilDiv(sum.a.c, lanes) * lanes;
}

KernelOperand partialSums(const SpatialSumProblem &sum, const Target &target) {
  return {spatialSumsElements(sum, target), Element::F64};
}

// Stores what `total`, in double, gives.
void finish(KernelBuilder &k, const SpatialSumProblem &sum, Value total, unsigned output, Value n, Value c,
            int64_t count) {
  if (sum.mean)
    total = mulFloat(k, total, k.wideConstant(1.0 / double(pixels(sum.a))));
  k.store(k.narrow(total), k.operand(output), k.add(k.mul(n, sum.out.pixel), c), count);
}

} // namespace

int64_t spatialParts(const SpatialSumProblem &sum, const Target &target) {
  return ceilDiv(pixels(sum.a), pixelsPerPart(sum, target));
}

int64_t spatialSumsElements(const SpatialSumProblem &sum, const Target &target) {
  return sum.a.n * spatialParts(sum, target) * paddedChannels(sum, target.lanes);
}

KernelCode spatialSums(const SpatialSumProblem &sum, const Target &target) {
  const int64_t parts = spatialParts(sum, target), each = pixelsPerPart(sum, target);
  std::vector<KernelOperand> operands = {sum.a.operand()};
  if (sum.b)
    operands.push_back(sum.b->operand());
  const unsigned output = unsigned(operands.size());
  operands.push_back(parts == 1 ? sum.out.operand() : partialSums(sum, target));
  const std::string name = parts == 1 ? sumName(sum, "") + "_" + sum.out.name()
                                      : sumName(sum, "_sums") + "_parts" + std::to_string(parts);
  // The parts of an image are images of their own to the tasks.
  View view = sum.a;
  view.n *= parts;
  return makeKernel(name, channelTasks(view, target), operands, [=](KernelBuilder &k, Value task) {
    overChannelTask(k, task, view, [&](Value image, Value c, int64_t count) {
      auto digits = k.split(image, {sum.a.n, parts});
      Value first = k.mul(digits[1], each);
      Value last = parts == 1 ? k.index(each) : k.min(k.add(first, each), k.index(pixels(sum.a)));
      const auto at = [&](unsigned operand, const View &view, Value pixel) {
        Value position = k.add(k.mul(digits[0], view.image()), k.mul(pixel, view.pixel));
        return k.load(k.operand(operand), k.add(position, c), count);
      };
      const auto sumOf = [&](llvm::ArrayRef<Value> indices) {
        llvm::SmallVector<Value> terms;
        for (auto [i, pixel] : llvm::enumerate(indices)) {
          Value a = at(0, sum.a, pixel);
          if (!sum.b)
            terms.push_back(a);
          else if (i % 2 == 0)
            terms.push_back(mulFloat(k, a, at(1, *sum.b, pixel)));
          else
            terms.back() = k.fma(a, at(1, *sum.b, pixel), terms.back());
        }
        return pairwiseSum(k, terms);
      };
      Value total = wideSum(k, first, last, k.wideConstant(0.0), sumOf);
      if (parts == 1)
        finish(k, sum, total, output, digits[0], c, count);
      else
        k.storeWide(total, k.operand(output), k.add(k.mul(image, paddedChannels(sum, k.lanes())), c));
    });
  });
}

KernelCode spatialSumsFinish(const SpatialSumProblem &sum, const Target &target) {
  const int64_t parts = spatialParts(sum, target);
  const std::string name = sumName(sum, "_finish") + "_" + sum.out.name() + "_parts" + std::to_string(parts);
  return makeKernel(name, channelTasks(sum.out, target), {partialSums(sum, target), sum.out.operand()},
                    [=](KernelBuilder &k, Value task) {
                      overChannelTask(k, task, sum.out, [&](Value n, Value c, int64_t count) {
                        const int64_t channels = paddedChannels(sum, k.lanes());
                        Value first = k.add(k.mul(n, parts * channels), c);
                        Value total = k.forLoop(k.index(0), k.index(parts), 1, k.wideConstant(0.0),
                                                [&](Value part, mlir::ValueRange carried) {
                                                  Value at = k.add(first, k.mul(part, channels));
                                                  return KernelBuilder::Values{
                                                      addFloat(k, carried[0], k.loadWide(k.operand(0), at))};
                                                })[0];
                        finish(k, sum, total, 1, n, c, count);
                      });
                    });
}

KernelCode spatialBroadcast(const View &in, const View &out, float factor, const Target &target) {
  const std::string by = factor == 1.0f                          ? ""
                         : factor == 1.0f / float(out.h * out.w) ? "_mean"
                                                                 : "_times" + numberName(factor);
  return makeKernel("spatial_broadcast_" + in.name() + "_" + out.name() + by, rowTasks(out),
                    {in.operand(), out.operand()}, [=](KernelBuilder &k, Value row) {
                      Value from = k.mul(k.div(row, out.h), in.pixel);
                      overRow(
                          k, row, {out},
                          [&](llvm::ArrayRef<Value> at, Value c, int64_t count) {
                            Value value = k.load(k.operand(0), k.add(from, c), count);
                            k.store(mulFloat(k, value, k.constant(factor)), k.operand(1), at[0], count);
                          },
                          /*mayFlatten=*/false);
                    });
}

} // namespace vernier::codegen
