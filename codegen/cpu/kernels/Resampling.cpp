// Nearest and bilinear resizing, padding and cropping. Positions follow PyTorch's interpolate.
#include "codegen/cpu/emit/MapLoops.h"
#include "codegen/cpu/emit/ScatterSums.h"

#include "dsl/Sampling.h"

#include <algorithm>

namespace vernier::codegen {
namespace {

std::string resizeName(const char *what, const ResizeProblem &s) {
  return std::string(what) + (s.bilinear ? "_bilinear_" : "_nearest_") + (s.alignCorners ? "aligned_" : "") +
         scaleName(s.scale) + s.in.name() + "_to_" + s.out.name();
}

// Output position o reads positions `low` and `high` with weights 1 - part and part.
struct Source {
  Value low, high, part;
};

// By a factor, in double: a map's last positions keep their fraction's digits.
Source scaledSource(KernelBuilder &k, Value o, int64_t in, double scale) {
  mlir::OpBuilder &b = k.builder();
  const auto loc = k.location();
  const auto constant = [&](double value) -> Value {
    return mlir::arith::ConstantOp::create(b, loc, b.getF64FloatAttr(value));
  };
  const auto wide = [&](Value index) -> Value {
    index = mlir::arith::IndexCastOp::create(b, loc, b.getI32Type(), index);
    return mlir::arith::SIToFPOp::create(b, loc, b.getF64Type(), index);
  };
  Value centre = addFloat(k, wide(o), constant(0.5));
  Value at = subFloat(k, mulFloat(k, centre, constant(1 / scale)), constant(0.5));
  at = mlir::arith::MaxNumFOp::create(b, loc, at, constant(0));
  Value whole = mlir::arith::FPToSIOp::create(b, loc, b.getI32Type(), at);
  Value low = k.min(mlir::arith::IndexCastOp::create(b, loc, b.getIndexType(), whole), k.index(in - 1));
  Value part = mlir::arith::TruncFOp::create(b, loc, b.getF32Type(), subFloat(k, at, wide(low)));
  return {low, k.min(k.add(low, 1), k.index(in - 1)), part};
}

// By sizes, in exact integers: the source position is a fraction whose denominator is known.
Source bilinearSource(KernelBuilder &k, Value o, int64_t in, int64_t out, const ResizeProblem &spec) {
  if (spec.scale > 0 && in != out)
    return scaledSource(k, o, in, spec.scale);
  const bool alignCorners = spec.alignCorners;
  Value numerator;
  int64_t denominator;
  if (alignCorners) {
    numerator = out > 1 ? k.mul(o, in - 1) : k.index(0);
    denominator = std::max<int64_t>(out - 1, 1);
  } else {
    numerator = k.max(k.add(k.mul(k.add(k.mul(o, 2), 1), in), -out), k.index(0));
    denominator = 2 * out;
  }
  Value low = k.min(k.div(numerator, denominator), k.index(in - 1));
  Value part = mulFloat(k, toFloat(k, k.rem(numerator, denominator)), k.scalar(1.0f / float(denominator)));
  // An axis that keeps its size has no neighbour, whose infinity would count even with weight 0.
  return {low, in == out ? low : k.min(k.add(low, 1), k.index(in - 1)), part};
}

// Where pixels are not repeated equally often, float32's rounding decides which is taken, as in PyTorch.
Value nearestSource(KernelBuilder &k, Value o, int64_t in, int64_t out, double scale) {
  if (dsl::repeatsEqually(in, out, scale))
    return k.div(k.mul(o, in), out);
  mlir::OpBuilder &b = k.builder();
  Value at = mulFloat(k, toFloat(k, o), k.scalar(dsl::nearestStep(in, out, scale)));
  Value whole = mlir::arith::FPToSIOp::create(b, k.location(), b.getI32Type(), at);
  return k.min(mlir::arith::IndexCastOp::create(b, k.location(), b.getIndexType(), whole), k.index(in - 1));
}

Value complement(KernelBuilder &k, Value part) { return subFloat(k, k.scalar(1.0f), part); }

// One element of the source gets gradients from the elements of the resized map that read it.
ScatterMap scatterOf(const ResizeProblem &s, const Target &target) {
  const auto along = [&](int64_t in, int64_t out) { return (s.bilinear ? 2 : 1) * (ceilDiv(out, in) + 1); };
  return scatterMap(s.in, along(s.in.h, s.out.h) * along(s.in.w, s.out.w), target);
}
ScatterMap scatterOfBorder(const View &padded, const View &map, const Target &target) {
  return scatterMap(map, (padded.h - map.h + 1) * (padded.w - map.w + 1), target);
}

} // namespace

int64_t resizeGradientScratch(const ResizeProblem &spec, const Target &target) {
  return scatterOf(spec, target).scratch(target);
}
int64_t replicateGradientScratch(const View &dy, const View &dx, const Target &target) {
  return scatterOfBorder(dy, dx, target).scratch(target);
}

KernelCode resize(const ResizeProblem &spec, const Target &target) {
  return makeKernel(resizeName("resize", spec), rowTasks(spec.out), {spec.in.operand(), spec.out.operand()},
                    [=](KernelBuilder &k, Value row) {
                      auto digits = k.split(row, {spec.out.n, spec.out.h});
                      Value n = digits[0], to = k.mul(row, spec.out.row());
                      if (!spec.bilinear) {
                        Value iy = nearestSource(k, digits[1], spec.in.h, spec.out.h, spec.scale);
                        k.forLoop(0, spec.out.w, 1, [&](Value ox) {
                          Value ix = nearestSource(k, ox, spec.in.w, spec.out.w, spec.scale);
                          k.forChannels(spec.out.c, [&](Value c, int64_t count) {
                            k.store(k.load(k.operand(0), position(k, spec.in, n, iy, ix, c), count),
                                    k.operand(1), k.add(k.add(to, k.mul(ox, spec.out.pixel)), c), count);
                          });
                        });
                        return;
                      }
                      Source y = bilinearSource(k, digits[1], spec.in.h, spec.out.h, spec);
                      Value yPart = k.splat(y.part), yRest = k.splat(complement(k, y.part));
                      k.forLoop(0, spec.out.w, 1, [&](Value ox) {
                        Source x = bilinearSource(k, ox, spec.in.w, spec.out.w, spec);
                        Value xPart = k.splat(x.part), xRest = k.splat(complement(k, x.part));
                        k.forChannels(spec.out.c, [&](Value c, int64_t count) {
                          const auto at = [&](Value iy, Value ix) {
                            return k.load(k.operand(0), position(k, spec.in, n, iy, ix, c), count);
                          };
                          Value upper = k.fma(at(y.low, x.high), xPart, mulFloat(k, at(y.low, x.low), xRest));
                          Value lower =
                              k.fma(at(y.high, x.high), xPart, mulFloat(k, at(y.high, x.low), xRest));
                          Value value = k.fma(lower, yPart, mulFloat(k, upper, yRest));
                          k.store(value, k.operand(1), k.add(k.add(to, k.mul(ox, spec.out.pixel)), c), count);
                        });
                      });
                    });
}

KernelCode resizeGradient(const ResizeProblem &spec, const Target &target) {
  const ScatterMap map = scatterOf(spec, target);
  return makeKernel(
      resizeName("resize_gradient", spec), channelTasks(spec.in, target),
      map.operands({spec.out.operand(), spec.in.operand()}, target), [=](KernelBuilder &k, Value task) {
        overChannelTask(k, task, spec.in, [&](Value n, Value c, int64_t count) {
          ScatterSums sums(k, map, 1, task, k.add(k.mul(n, spec.in.image()), c), count);
          const auto accumulate = [&](Value iy, Value ix, Value value) {
            sums.add(k.add(k.mul(iy, spec.in.w), ix), value);
          };
          k.forLoop(0, spec.out.h, 1, [&](Value oy) {
            Source y = bilinearSource(k, oy, spec.in.h, spec.out.h, spec);
            Value nearestY = nearestSource(k, oy, spec.in.h, spec.out.h, spec.scale);
            k.forLoop(0, spec.out.w, 1, [&](Value ox) {
              Value gradient = k.load(k.operand(0), position(k, spec.out, n, oy, ox, c), count);
              if (!spec.bilinear)
                return accumulate(nearestY, nearestSource(k, ox, spec.in.w, spec.out.w, spec.scale),
                                  gradient);
              Source x = bilinearSource(k, ox, spec.in.w, spec.out.w, spec);
              const auto share = [&](Value iy, Value yWeight, Value ix, Value xWeight) {
                accumulate(iy, ix, mulFloat(k, gradient, k.splat(mulFloat(k, yWeight, xWeight))));
              };
              Value yRest = complement(k, y.part), xRest = complement(k, x.part);
              share(y.low, yRest, x.low, xRest);
              share(y.low, yRest, x.high, x.part);
              share(y.high, y.part, x.low, xRest);
              share(y.high, y.part, x.high, x.part);
            });
          });
          sums.finish();
        });
      });
}

KernelCode shiftCopy(const View &in, const View &out, int64_t top, int64_t left, bool replicate,
                     const Target &target) {
  const auto text = [](int64_t v) { return v < 0 ? "m" + std::to_string(-v) : std::to_string(v); };
  const std::string name = std::string(replicate ? "pad_replicate" : "pad_zero") + text(top) + "_" +
                           text(left) + "_" + in.name() + "_to_" + out.name();
  return makeKernel(name, rowTasks(out), {in.operand(), out.operand()}, [=](KernelBuilder &k, Value row) {
    auto digits = k.split(row, {out.n, out.h});
    const auto clamp = [&](Value position, int64_t extent) {
      return k.min(k.max(position, k.index(0)), k.index(extent - 1));
    };
    const auto within = [&](Value position, int64_t extent) {
      return k.both(k.less(k.index(-1), position), k.less(position, k.index(extent)));
    };
    Value iy = k.add(digits[1], -top);
    k.forLoop(0, out.w, 1, [&](Value ox) {
      Value ix = k.add(ox, -left);
      Value inside = k.both(within(iy, in.h), within(ix, in.w));
      Value to = k.add(k.mul(row, out.row()), k.mul(ox, out.pixel));
      k.forChannels(out.c, [&](Value c, int64_t count) {
        Value value =
            k.load(k.operand(0), position(k, in, digits[0], clamp(iy, in.h), clamp(ix, in.w), c), count);
        k.store(replicate ? value : k.choose(inside, value, k.constant(0.0f)), k.operand(1), k.add(to, c),
                count);
      });
    });
  });
}

KernelCode replicateGradient(const View &dy, const View &dx, int64_t top, int64_t left,
                             const Target &target) {
  const std::string name = "pad_replicate_gradient" + std::to_string(top) + "_" + std::to_string(left) + "_" +
                           dy.name() + "_to_" + dx.name();
  const ScatterMap map = scatterOfBorder(dy, dx, target);
  return makeKernel(name, channelTasks(dx, target), map.operands({dy.operand(), dx.operand()}, target),
                    [=](KernelBuilder &k, Value task) {
                      overChannelTask(k, task, dx, [&](Value n, Value c, int64_t count) {
                        ScatterSums sums(k, map, 1, task, k.add(k.mul(n, dx.image()), c), count);
                        k.forLoop(0, dy.h, 1, [&](Value oy) {
                          Value iy = k.min(k.max(k.add(oy, -top), k.index(0)), k.index(dx.h - 1));
                          k.forLoop(0, dy.w, 1, [&](Value ox) {
                            Value ix = k.min(k.max(k.add(ox, -left), k.index(0)), k.index(dx.w - 1));
                            sums.add(k.add(k.mul(iy, dx.w), ix),
                                     k.load(k.operand(0), position(k, dy, n, oy, ox, c), count));
                          });
                        });
                        sums.finish();
                      });
                    });
}

} // namespace vernier::codegen
