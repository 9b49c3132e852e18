// Group normalisation: each image's groups of channels over all pixels. Sums of parts of an image for each
// channel, then what normalises: numbers for each image and channel. A group's channels need not begin at a
// vector, so that groups are added channel by channel, and all else is done in whole vectors.
#include "codegen/cpu/emit/ChannelLoops.h"
#include "codegen/cpu/emit/PixelSums.h"

namespace vernier::codegen {
namespace {

std::string epsilonName(double epsilon) { return "_e" + numberName(epsilon); }

// Parts of an image: runs of rows, of all images together enough for threads.
struct ImageParts {
  int64_t rows, parts;

  explicit ImageParts(const View &x) {
    constexpr int64_t wanted = 32;
    rows = ceilDiv(x.h, std::min(x.h, ceilDiv(wanted, x.n)));
    parts = ceilDiv(x.h, rows);
  }
};

// Rows of doubles: whole vectors of channels.
int64_t paddedChannels(const View &x, int64_t lanes) { return ceilDiv(x.c, lanes) * lanes; }

// Sums of an image, and what is known of its channels: rows of doubles.
int64_t rowsOfSums(bool gradient) { return gradient ? 4 : 2; }
constexpr int64_t kKnown = 4; // mean, reciprocal of the deviation, shares of sum and of products
int64_t rowsOfWork(bool gradient) { return rowsOfSums(gradient) + (gradient ? kKnown : 2); }

// Calls body(first, last, part) for the pixels of a part of an image, a task.
void overPart(KernelBuilder &k, Value task, const View &x, llvm::function_ref<void(Value, Value)> body) {
  const ImageParts by(x);
  auto digits = k.split(task, {x.n, by.parts});
  Value first = k.mul(k.add(k.mul(digits[0], x.h), k.mul(digits[1], by.rows)), x.w);
  Value end = k.mul(k.add(digits[0], 1), x.h * x.w);
  body(first, k.min(k.add(first, by.rows * x.w), end));
}

// Adds the parts of an image, a task, into the first rows of its work.
void addImageParts(KernelBuilder &k, Value image, const View &x, bool gradient, Value sums, Value work,
                   Value workBegin) {
  const int64_t channels = paddedChannels(x, k.lanes()), rows = rowsOfSums(gradient);
  const ImageParts by(x);
  Value begin = k.mul(image, by.parts * rows * channels);
  k.forLoop(0, rows * channels, k.lanes(), [&](Value at) {
    auto total = k.forLoop(k.index(0), k.index(by.parts), 1, mlir::ValueRange{k.wideConstant(0.0)},
                           [&](Value part, mlir::ValueRange carried) {
                             Value from = k.add(k.add(begin, k.mul(part, rows * channels)), at);
                             return KernelBuilder::Values{addFloat(k, carried[0], k.loadWide(sums, from))};
                           });
    k.storeWide(total[0], work, k.add(workBegin, at));
  });
}

struct GroupStatistics {
  Value mean, reciprocal; // of the deviation; single doubles
};

GroupStatistics statisticsOf(KernelBuilder &k, Value sum, Value squares, double count, double epsilon) {
  Value share = k.wideScalar(1.0 / count), zero = k.wideScalar(0.0), mean = mulFloat(k, sum, share);
  Value raw = subFloat(k, mulFloat(k, squares, share), mulFloat(k, mean, mean));
  // NaN stays.
  Value negative =
      mlir::arith::CmpFOp::create(k.builder(), k.location(), mlir::arith::CmpFPredicate::OLT, raw, zero);
  Value variance = k.choose(negative, zero, raw);
  Value deviation = squareRoot(k, addFloat(k, variance, k.wideScalar(epsilon)));
  return {mean, divFloat(k, k.wideScalar(1.0), deviation)};
}

} // namespace

int64_t groupNormSumsElements(const View &x, bool gradient, const Target &target) {
  return x.n * ImageParts(x).parts * rowsOfSums(gradient) * paddedChannels(x, target.lanes);
}
int64_t groupNormWorkElements(const View &x, bool gradient, const Target &target) {
  return x.n * rowsOfWork(gradient) * paddedChannels(x, target.lanes);
}
int64_t groupNormCoefficients(const View &x, bool gradient) { return x.n * (gradient ? 4 : 2) * x.c; }

static std::string nameOf(const GroupNormProblem &p) {
  return p.x.name() + "_" + p.y.name() + "_groups" + std::to_string(p.groups) + epsilonName(p.epsilon);
}
static std::string nameOf(const GroupNormGradientProblem &p) {
  return p.x.name() + "_" + p.dy.name() + "_" + p.dx.name() + "_groups" + std::to_string(p.groups) +
         epsilonName(p.epsilon);
}

// Of x and of its squares; with dy, operand 1, also of dy and of dy * x. In double, so that what the mean
// adds cancels.
static KernelCode sumsKernel(const std::string &name, const View &x, std::optional<View> dy,
                             const Target &target) {
  const bool gradient = dy.has_value();
  std::vector<KernelOperand> operands = {x.operand()};
  if (gradient)
    operands.push_back(dy->operand());
  const unsigned sums = unsigned(operands.size());
  operands.push_back({groupNormSumsElements(x, gradient, target), Element::F64});
  return makeKernel(name, x.n * ImageParts(x).parts, operands, [=](KernelBuilder &k, Value task) {
    overPart(k, task, x, [&](Value first, Value last) {
      sumPixels(
          k, first, last, x, rowsOfSums(gradient), k.operand(sums), task,
          [&](Value pixel, Value c, int64_t count, Value) {
            Value v = k.wide(k.load(k.operand(0), pixelPosition(k, x, pixel, c), count));
            if (!gradient)
              return KernelBuilder::Values{v, mulFloat(k, v, v)};
            Value g = k.wide(k.load(k.operand(1), pixelPosition(k, *dy, pixel, c), count));
            return KernelBuilder::Values{v, mulFloat(k, v, v), g, mulFloat(k, g, v)};
          },
          [](Value, int64_t) { return Value(); });
    });
  });
}

KernelCode groupNormSums(const GroupNormProblem &p, const Target &target) {
  return sumsKernel("group_norm_sums_" + nameOf(p), p.x, std::nullopt, target);
}
KernelCode groupNormGradientSums(const GroupNormGradientProblem &p, const Target &target) {
  return sumsKernel("group_norm_gradient_sums_" + nameOf(p), p.x, p.dy, target);
}

// Coefficients are [image][mean, scale][channel].
KernelCode groupNormFinish(const GroupNormProblem &p, const Target &target) {
  const View x = p.x;
  const int64_t groups = p.groups, each = x.c / groups;
  const double epsilon = p.epsilon, count = double(x.h * x.w * each);
  // sums, gamma, work, coefficients
  return makeKernel(
      "group_norm_finish_" + nameOf(p), x.n,
      {{groupNormSumsElements(x, false, target), Element::F64},
       {x.c},
       {groupNormWorkElements(x, false, target), Element::F64},
       {groupNormCoefficients(x, false)}},
      [=](KernelBuilder &k, Value image) {
        const int64_t padded = paddedChannels(x, k.lanes());
        Value work = k.operand(2), begin = k.mul(image, rowsOfWork(false) * padded);
        const auto row = [&](int64_t i, Value c) { return k.add(k.add(begin, i * padded), c); };
        addImageParts(k, image, x, false, k.operand(0), work, begin);
        k.forLoop(0, groups, 1, [&](Value group) {
          Value first = k.mul(group, each), last = k.add(first, each);
          auto sums = k.forLoop(first, last, 1, mlir::ValueRange{k.wideScalar(0.0), k.wideScalar(0.0)},
                                [&](Value c, mlir::ValueRange carried) {
                                  return KernelBuilder::Values{
                                      addFloat(k, carried[0], k.loadScalar(work, row(0, c))),
                                      addFloat(k, carried[1], k.loadScalar(work, row(1, c)))};
                                });
          const GroupStatistics own = statisticsOf(k, sums[0], sums[1], count, epsilon);
          k.forLoop(first, last, 1, [&](Value c) {
            k.storeScalar(own.mean, work, row(2, c));
            k.storeScalar(own.reciprocal, work, row(3, c));
          });
        });
        Value to = k.mul(image, 2 * x.c);
        k.forChannels(x.c, [&](Value c, int64_t lanes) {
          Value gamma = k.load(k.operand(1), c, lanes), reciprocal = k.narrow(k.loadWide(work, row(3, c)));
          k.store(k.narrow(k.loadWide(work, row(2, c))), k.operand(3), k.add(to, c), lanes);
          k.store(mulFloat(k, gamma, reciprocal), k.operand(3), k.add(k.add(to, x.c), c), lanes);
        });
      });
}

KernelCode groupNormApply(const GroupNormProblem &p, const Target &) {
  const View x = p.x, y = p.y;
  // x, beta, coefficients, y
  return makeKernel(
      "group_norm_apply_" + nameOf(p), rowTasks(y),
      {x.operand(), {x.c}, {groupNormCoefficients(x, false)}, y.operand()}, [=](KernelBuilder &k, Value row) {
        Value own = k.mul(k.div(row, x.h), 2 * x.c);
        overRow(
            k, row, {x, y},
            [&](llvm::ArrayRef<Value> at, Value c, int64_t count) {
              Value mean = k.load(k.operand(2), k.add(own, c), count),
                    scale = k.load(k.operand(2), k.add(k.add(own, x.c), c), count);
              Value d = subFloat(k, k.load(k.operand(0), at[0], count), mean);
              k.store(k.fma(d, scale, k.load(k.operand(1), c, count)), k.operand(3), at[1], count);
            },
            /*mayFlatten=*/false);
      });
}

// With h = (x - mean) * r, r = 1 / deviation, A = sum of gamma * dy and B = sum of gamma * dy * h of a group
// of m elements: dx = gamma * r * dy - r * A / m - (x - mean) * r^2 * B / m. Coefficients are
// [image][mean, of dy, of x - mean, alone][channel], parts [image][dbeta, dgamma][channel].
KernelCode groupNormGradientFinish(const GroupNormGradientProblem &p, const Target &target) {
  const View x = p.x;
  const int64_t groups = p.groups, each = x.c / groups;
  const double epsilon = p.epsilon, count = double(x.h * x.w * each);
  // sums, gamma, work, coefficients, parts
  return makeKernel(
      "group_norm_gradient_finish_" + nameOf(p), x.n,
      {{groupNormSumsElements(x, true, target), Element::F64},
       {x.c},
       {groupNormWorkElements(x, true, target), Element::F64},
       {groupNormCoefficients(x, true)},
       partialSums(x, x.n, target)},
      [=](KernelBuilder &k, Value image) {
        const int64_t padded = paddedChannels(x, k.lanes());
        Value work = k.operand(2), begin = k.mul(image, rowsOfWork(true) * padded);
        const auto row = [&](int64_t i, Value c) { return k.add(k.add(begin, i * padded), c); };
        addImageParts(k, image, x, true, k.operand(0), work, begin);
        k.forLoop(0, groups, 1, [&](Value group) {
          Value first = k.mul(group, each), last = k.add(first, each);
          Value zero = k.wideScalar(0.0);
          auto sums =
              k.forLoop(first, last, 1, mlir::ValueRange{zero, zero, zero, zero},
                        [&](Value c, mlir::ValueRange carried) {
                          Value gamma =
                              mlir::arith::ExtFOp::create(k.builder(), k.location(), k.builder().getF64Type(),
                                                          k.loadScalar(k.operand(1), c));
                          KernelBuilder::Values next;
                          for (int64_t i = 0; i < 4; ++i) {
                            Value term = k.loadScalar(work, row(i, c));
                            next.push_back(addFloat(k, carried[i], i < 2 ? term : mulFloat(k, term, gamma)));
                          }
                          return next;
                        });
          const GroupStatistics own = statisticsOf(k, sums[0], sums[1], count, epsilon);
          Value products = mulFloat(k, own.reciprocal, subFloat(k, sums[3], mulFloat(k, own.mean, sums[2])));
          Value share = mulFloat(k, own.reciprocal, k.wideScalar(-1.0 / count));
          Value ofSum = mulFloat(k, share, sums[2]),
                ofProducts = mulFloat(k, mulFloat(k, share, own.reciprocal), products);
          k.forLoop(first, last, 1, [&](Value c) {
            k.storeScalar(own.mean, work, row(4, c));
            k.storeScalar(own.reciprocal, work, row(5, c));
            k.storeScalar(ofSum, work, row(6, c));
            k.storeScalar(ofProducts, work, row(7, c));
          });
        });
        Value to = k.mul(image, 4 * x.c), part = k.mul(image, 2 * padded);
        k.forChannels(x.c, [&](Value c, int64_t lanes) {
          Value mean = k.loadWide(work, row(4, c)), reciprocal = k.loadWide(work, row(5, c));
          Value sum = k.loadWide(work, row(2, c)), products = k.loadWide(work, row(3, c));
          const auto give = [&](int64_t i, Value value) {
            k.store(value, k.operand(3), k.add(k.add(to, i * x.c), c), lanes);
          };
          give(0, k.narrow(mean));
          give(1, mulFloat(k, k.load(k.operand(1), c, lanes), k.narrow(reciprocal)));
          give(2, k.narrow(k.loadWide(work, row(7, c))));
          give(3, k.narrow(k.loadWide(work, row(6, c))));
          k.storeWide(sum, k.operand(4), k.add(part, c));
          k.storeWide(mulFloat(k, reciprocal, subFloat(k, products, mulFloat(k, mean, sum))), k.operand(4),
                      k.add(k.add(part, padded), c));
        });
      });
}

KernelCode groupNormGradientApply(const GroupNormGradientProblem &p, const Target &) {
  const View x = p.x, dy = p.dy, dx = p.dx;
  // x, dy, coefficients, dx
  return makeKernel("group_norm_gradient_apply_" + nameOf(p), rowTasks(dx),
                    {x.operand(), dy.operand(), {groupNormCoefficients(x, true)}, dx.operand()},
                    [=](KernelBuilder &k, Value row) {
                      Value own = k.mul(k.div(row, x.h), 4 * x.c);
                      overRow(
                          k, row, {x, dy, dx},
                          [&](llvm::ArrayRef<Value> at, Value c, int64_t count) {
                            const auto coefficient = [&](int64_t i) {
                              return k.load(k.operand(2), k.add(k.add(own, i * x.c), c), count);
                            };
                            Value d = subFloat(k, k.load(k.operand(0), at[0], count), coefficient(0));
                            Value rest = k.fma(d, coefficient(2), coefficient(3));
                            k.store(k.fma(k.load(k.operand(1), at[1], count), coefficient(1), rest),
                                    k.operand(3), at[2], count);
                          },
                          /*mayFlatten=*/false);
                    });
}

} // namespace vernier::codegen
