// Softmax over channels, over runs of them and over pixels, and its logarithm.
#include "codegen/cpu/emit/ActivationCode.h"
#include "codegen/cpu/emit/ChannelLoops.h"

namespace vernier::codegen {
namespace {

// `count` channels of a vector, the first one in the lanes beyond them: it changes no maximum.
Value repeated(KernelBuilder &k, Value vector, int64_t count) {
  if (count == k.lanes())
    return vector;
  llvm::SmallVector<int64_t> lanes;
  for (int64_t i = 0; i < k.lanes(); ++i)
    lanes.push_back(i < count ? i : 0);
  return k.shuffle(vector, lanes);
}

// 0 in the lanes beyond the first `count`.
Value kept(KernelBuilder &k, Value vector, int64_t count) {
  if (count == k.lanes())
    return vector;
  llvm::SmallVector<float> lanes;
  for (int64_t i = 0; i < k.lanes(); ++i)
    lanes.push_back(i < count ? 1.0f : 0.0f);
  Value ones = mlir::arith::ConstantOp::create(
      k.builder(), k.location(), mlir::DenseElementsAttr::get(k.vectorType(), llvm::ArrayRef<float>(lanes)));
  Value none = mlir::arith::CmpFOp::create(k.builder(), k.location(), mlir::arith::CmpFPredicate::OEQ, ones,
                                           k.constant(0.0f));
  return k.choose(none, k.constant(0.0f), vector);
}

void overChannels(KernelBuilder &k, const View &x, const View &y, bool log, Value pixel) {
  Value from = k.mul(pixel, x.pixel), to = k.mul(pixel, y.pixel);
  const auto channels = [&](Value c, int64_t count) { return k.load(k.operand(0), k.add(from, c), count); };
  const int64_t first = std::min(x.c, k.lanes());
  Value largest = k.reduceMax(foldChannels(k, x.c, {repeated(k, channels(k.index(0), first), first)},
                                           [&](mlir::ValueRange carried, Value c, int64_t count) {
                                             return KernelBuilder::Values{maxFloat(
                                                 k, carried[0], repeated(k, channels(c, count), count))};
                                           })[0]);
  Value all = k.splat(largest);
  const auto power = [&](Value c, int64_t count) {
    return exponential(k, subFloat(k, channels(c, count), all));
  };
  Value sum = sumChannels(k, x.c, 1, [&](Value c, int64_t count) {
    return KernelBuilder::Values{k.wide(kept(k, power(c, count), count))};
  })[0];
  Value part = k.splat(log ? logarithm(k, k.narrow(sum)) : k.narrow(divFloat(k, k.wideScalar(1.0), sum)));
  k.forChannels(x.c, [&](Value c, int64_t count) {
    Value y =
        log ? subFloat(k, subFloat(k, channels(c, count), all), part) : mulFloat(k, power(c, count), part);
    k.store(y, k.operand(1), k.add(to, c), count);
  });
}

// Of `count` vectors, the i-th of which loadAt(i) and storeAt(i, y) have: lane by lane.
void laneByLane(KernelBuilder &k, int64_t count, bool log, llvm::function_ref<Value(Value i)> loadAt,
                llvm::function_ref<void(Value i, Value y)> storeAt) {
  Value largest = k.forLoop(k.index(1), k.index(count), 1, mlir::ValueRange{loadAt(k.index(0))},
                            [&](Value i, mlir::ValueRange carried) {
                              return KernelBuilder::Values{maxFloat(k, carried[0], loadAt(i))};
                            })[0];
  const auto power = [&](Value i) { return exponential(k, subFloat(k, loadAt(i), largest)); };
  Value sum = k.forLoop(k.index(0), k.index(count), 1, mlir::ValueRange{k.wideConstant(0.0)},
                        [&](Value i, mlir::ValueRange carried) {
                          return KernelBuilder::Values{addFloat(k, carried[0], k.wide(power(i)))};
                        })[0];
  Value part = log ? logarithm(k, k.narrow(sum)) : k.narrow(divFloat(k, k.wideConstant(1.0), sum));
  k.forLoop(0, count, 1, [&](Value i) {
    storeAt(i, log ? subFloat(k, subFloat(k, loadAt(i), largest), part) : mulFloat(k, power(i), part));
  });
}

} // namespace

KernelCode softmax(const SoftmaxProblem &p, const Target &) {
  const View x = p.x, y = p.y;
  const int64_t runs = p.runs, length = x.c / runs;
  return makeKernel(
      (p.log ? "log_softmax_" : "softmax_") + x.name() + "_" + y.name() + "_runs" + std::to_string(runs),
      rowTasks(x), {x.operand(), y.operand()}, [=](KernelBuilder &k, Value row) {
        overPixels(k, x, row, [&](Value pixel) {
          if (length == 1)
            return overChannels(k, x, y, p.log, pixel);
          Value from = k.mul(pixel, x.pixel), to = k.mul(pixel, y.pixel);
          k.forChannels(length, [&](Value c, int64_t count) {
            laneByLane(
                k, runs, p.log,
                [&](Value i) { return k.load(k.operand(0), k.add(k.add(from, k.mul(i, length)), c), count); },
                [&](Value i, Value value) {
                  k.store(value, k.operand(1), k.add(k.add(to, k.mul(i, length)), c), count);
                });
          });
        });
      });
}

KernelCode spatialSoftmax(const SpatialSoftmaxProblem &p, const Target &target) {
  const View x = p.x, y = p.y;
  return makeKernel(
      "spatial_softmax_" + x.name() + "_" + y.name(), channelTasks(x, target), {x.operand(), y.operand()},
      [=](KernelBuilder &k, Value task) {
        overChannelTask(k, task, x, [&](Value n, Value c, int64_t count) {
          Value from = k.add(k.mul(n, x.image()), c), to = k.add(k.mul(n, y.image()), c);
          laneByLane(
              k, x.h * x.w, /*log=*/false,
              [&](Value i) { return k.load(k.operand(0), k.add(from, k.mul(i, x.pixel)), count); },
              [&](Value i, Value value) {
                k.store(value, k.operand(1), k.add(to, k.mul(i, y.pixel)), count);
              });
        });
      });
}

} // namespace vernier::codegen
