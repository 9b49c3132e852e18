// Gradients of convolution weights. A register tile of input channels x output channels, the ones broadcast
// and the others in lanes, accumulates over the pixels of one image for one tap (r, s); images are the outer
// loop, so that x and dy of one image stay in cache while all tiles of a thread pass over them. Each task
// owns its tile: no two threads add to the same place.
//
// A sum over many pixels would lose float32's last digits (SumCode.h): the registers add up a block of
// pixels, blocks of several images by way of memory, and blocks are added to totals, in double where they are
// many.
#include "codegen/cpu/emit/MapLoops.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

namespace vernier::codegen {
namespace {

constexpr int64_t kAccumulators512 = 28;
// Where tasks would be few, the images are divided into parts with sums of their own: in powers of two, so
// that each thread reads its own images, and has as many as the next one.
constexpr int64_t kMostParts = 16;
constexpr int64_t kLineElements = 16;
// Products in one block whose sum is added to float32 totals, and blocks up to which they are float32;
// products in one whose sum is added to a double.
constexpr int64_t kBlockProducts = 256, kFloatBlocks = 128, kLongBlockProducts = 384;

struct TileChoice {
  int64_t cost = INT64_MAX, vectors = 1, broadcast = 1;
};

TileChoice chooseTile(int64_t broadcast, int64_t inLanes, const Target &target) {
  const int64_t accumulators = target.lanes == 16 ? kAccumulators512 : target.registers - 3;
  TileChoice best;
  for (int64_t vectors = 1; vectors <= std::min<int64_t>(2, ceilDiv(inLanes, target.lanes)); ++vectors)
    for (int64_t tile = std::min(broadcast, std::max<int64_t>(1, accumulators / vectors)); tile >= 1;
         --tile) {
      const int64_t cost = ceilDiv(inLanes, vectors * target.lanes) * ceilDiv(broadcast, tile) *
                           (std::max<int64_t>(tile * vectors, 8) + vectors + 1);
      if (cost < best.cost)
        best = {cost, vectors, tile};
    }
  return best;
}

// Blocks of up to so many products, of so many images; returns the number of blocks.
int64_t chooseBlocks(WeightGradientLayout &l, int64_t products, int64_t images, const View &dy) {
  const int64_t image = dy.h * dy.w;
  if (images * image <= products) {
    l.blockOf = BlockOf::All;
    return l.blockLength = 1;
  }
  if (2 * image <= products) {
    l.blockOf = BlockOf::Images;
    l.blockLength = products / image;
    return ceilDiv(images, l.blockLength);
  }
  if (dy.w <= products) {
    l.blockOf = BlockOf::Rows;
    l.blockLength = ceilDiv(dy.h, ceilDiv(dy.h, products / dy.w));
    return images * ceilDiv(dy.h, l.blockLength);
  }
  l.blockOf = BlockOf::Columns;
  l.blockLength = products;
  return images * dy.h * ceilDiv(dy.w, products);
}

// A single tap reads large maps once from memory, a few channels of each pixel at a time, which the hardware
// does not foresee.
bool asksAhead(const WeightGradientProblem &spec, const MachineModel &machine) {
  return spec.kernel == std::array<int64_t, 2>{1, 1} && spec.stride == std::array<int64_t, 2>{1, 1} &&
         spec.x.bytes() + spec.dy.bytes() > machine.keptBytes;
}

std::string layoutName(const WeightGradientLayout &l) {
  return std::to_string(l.tileBroadcast) + "x" + std::to_string(l.block()) +
         (l.inputsInLanes ? "of_inputs" : "") + "_parts" + std::to_string(l.parts) +
         (l.totals == Element::F64 ? "_f64" : "");
}

std::string specName(const WeightGradientProblem &s) {
  std::string name = std::to_string(s.kernel[0]) + "x" + std::to_string(s.kernel[1]);
  for (int64_t value : {s.stride[0], s.stride[1], s.padding[0], s.padding[1], s.dilation[0], s.dilation[1]})
    name += "_" + std::to_string(value);
  return name + "_" + s.x.name() + "_" + s.dy.name() + (s.groups > 1 ? "_g" + std::to_string(s.groups) : "");
}

int64_t elementsOf(const WeightGradientProblem &spec, const WeightGradientLayout &l) {
  return l.parts * (l.grouped() ? 1 : spec.groups) * l.blocks * spec.kernel[0] * spec.kernel[1] * l.tiles *
         l.tileElements();
}

} // namespace

WeightGradientLayout weightGradientLayout(const WeightGradientProblem &spec, const Target &target) {
  WeightGradientLayout l;
  l.lanes = target.lanes;
  const int64_t inputs = spec.x.c / spec.groups, outputs = spec.dy.c / spec.groups;
  l.broadcast = inputs;
  l.inLanes = outputs;
  if (fitsGrouped(spec.x.c, spec.dy.c, spec.groups, target)) {
    l.groupsTogether = target.lanes / std::max(inputs, outputs);
    l.vectors = 1;
    l.tileBroadcast = inputs;
    l.blocks = ceilDiv(spec.groups, l.groupsTogether);
    l.tiles = 1;
  } else {
    TileChoice tile = chooseTile(inputs, outputs, target);
    // Few outputs, or a few more than vectors hold, would leave lanes empty. Of about equal tiles, those with
    // the outputs in lanes measured faster.
    if (const TileChoice other = chooseTile(outputs, inputs, target); 25 * other.cost < 24 * tile.cost) {
      tile = other;
      l.inputsInLanes = true;
      std::swap(l.broadcast, l.inLanes);
    }
    l.vectors = tile.vectors;
    l.tileBroadcast = tile.broadcast;
    l.blocks = ceilDiv(l.inLanes, l.block());
    l.tiles = ceilDiv(l.broadcast, l.tileBroadcast);
  }
  const int64_t tasks =
      (l.grouped() ? 1 : spec.groups) * l.blocks * spec.kernel[0] * spec.kernel[1] * l.tiles;
  l.parts = std::min(
      {spec.x.n, kMostParts, int64_t(llvm::PowerOf2Ceil(ceilDiv(target.machine.wantedTasks, tasks)))});
  const int64_t images = ceilDiv(spec.x.n, l.parts);
  if (chooseBlocks(l, kBlockProducts, images, spec.dy) > kFloatBlocks) {
    l.totals = Element::F64;
    chooseBlocks(l, kLongBlockProducts, images, spec.dy);
  }
  return l;
}

KernelOperand weightGradientTotals(const WeightGradientProblem &spec, const WeightGradientLayout &l) {
  return {elementsOf(spec, l), l.totals};
}

int64_t weightGradientScratch(const WeightGradientProblem &spec, const WeightGradientLayout &l) {
  return l.blockOf == BlockOf::Images ? elementsOf(spec, l) : 0;
}

KernelCode weightGradient(const WeightGradientProblem &spec, const WeightGradientLayout &l) {
  const int64_t groups = l.grouped() ? 1 : spec.groups;
  KernelCode kernel;
  kernel.tasks = l.parts * groups * l.blocks * spec.kernel[0] * spec.kernel[1] * l.tiles;
  kernel.definition.name = "weight_gradient" + specName(spec) + "_f32_" + layoutName(l);
  const bool carries = l.blockOf == BlockOf::Images; // sums from image to image
  const int64_t elements = elementsOf(spec, l);
  kernel.definition.operands = {{spec.x.elements()}, {spec.dy.elements()}, {elements, l.totals}};
  if (carries)
    kernel.definition.operands.push_back({elements});
  kernel.definition.build = [spec, l, groups, carries, name = kernel.definition.name,
                             operands = kernel.definition.operands](KernelBuilder &k) {
    k.begin(name, operands);
    Value x = k.operand(0), dy = k.operand(1), totals = k.operand(2), sums = k.operand(carries ? 3 : 2);
    const int64_t imagesPerPart = ceilDiv(spec.x.n, l.parts);

    const auto addToTotals = [&](Value sum, Value at) {
      if (l.totals == Element::F64)
        k.storeWide(addFloat(k, k.loadWide(totals, at), k.wide(sum)), totals, at);
      else
        k.store(addFloat(k, k.load(totals, at, l.lanes), sum), totals, at, l.lanes);
    };

    // One image's part of one tile of `broadcast` x `inLanes` channels.
    const auto tile = [&](Value n, Value image, Value group, Value block, Value r, Value s, Value tileIndex,
                          Value to, int64_t broadcast, int64_t inLanes) {
      const int64_t vectors = ceilDiv(inLanes, l.lanes);
      const auto count = [&](int64_t v) { return std::min(l.lanes, inLanes - v * l.lanes); };
      Value channelIn = l.grouped() ? k.mul(block, l.groupsTogether * l.broadcast)
                                    : k.add(k.mul(group, l.broadcast), k.mul(tileIndex, l.tileBroadcast));
      Value channelOut = l.grouped() ? k.mul(block, l.groupsTogether * l.inLanes)
                                     : k.add(k.mul(group, l.inLanes), k.mul(block, l.block()));
      if (l.inputsInLanes)
        std::swap(channelIn, channelOut);
      const auto overTile = [&](llvm::function_ref<void(size_t sum, Value at)> body) {
        for (int64_t c = 0; c < broadcast; ++c)
          for (int64_t v = 0; v < vectors; ++v)
            body(size_t(c * vectors + v), k.add(to, c * l.block() + v * l.lanes));
      };
      // Output positions whose input position for this tap lies inside.
      const auto range = [&](Value tap, int axis, int64_t padding, int64_t inputs, int64_t outputs) {
        Value shift = k.add(k.mul(tap, spec.dilation[axis]), -padding);
        Value lower = k.max(k.index(0), k.ceilDiv(k.sub(k.index(0), shift), spec.stride[axis]));
        Value upper = k.min(k.index(outputs), k.ceilDiv(k.sub(k.index(inputs), shift), spec.stride[axis]));
        return std::array<Value, 3>{lower, upper, shift};
      };
      auto [yLower, yUpper, yShift] = range(r, 0, spec.padding[0], spec.x.h, spec.dy.h);
      auto [xLower, xUpper, xShift] = range(s, 1, spec.padding[1], spec.x.w, spec.dy.w);
      Value imageX = k.add(k.mul(n, spec.x.image()), channelIn),
            imageDy = k.add(k.mul(n, spec.dy.image()), channelOut);
      const auto overPixels = [&, xShift = xShift, yShift = yShift](Value yFrom, Value yTo, Value xFrom,
                                                                    Value xTo, KernelBuilder::Values acc) {
        return k.forLoop(yFrom, yTo, 1, acc, [&](Value oy, mlir::ValueRange rowAcc) {
          Value rowX = k.add(imageX, k.mul(k.add(k.mul(oy, spec.stride[0]), yShift), spec.x.row()));
          Value rowDy = k.add(imageDy, k.mul(oy, spec.dy.row()));
          return k.forLoop(xFrom, xTo, 1, rowAcc, [&](Value ox, mlir::ValueRange carried) {
            KernelBuilder::Values next(carried);
            Value atX = k.add(rowX, k.mul(k.add(k.mul(ox, spec.stride[1]), xShift), spec.x.pixel));
            Value atDy = k.add(rowDy, k.mul(ox, spec.dy.pixel));
            Value scalars = x, atScalar = atX, lanes = dy, atLanes = atDy;
            int64_t scalarPixel = spec.x.pixel, lanesPixel = spec.dy.pixel;
            if (l.inputsInLanes) {
              std::swap(scalars, lanes);
              std::swap(atScalar, atLanes);
              std::swap(scalarPixel, lanesPixel);
            }
            llvm::SmallVector<Value> g;
            for (int64_t v = 0; v < vectors; ++v)
              g.push_back(k.load(lanes, k.add(atLanes, v * l.lanes), count(v)));
            if (asksAhead(spec, k.getTarget().machine)) {
              const int64_t pixels = ceilDiv(k.getTarget().machine.stepsAhead, broadcast * vectors);
              for (int64_t c = 0; c < broadcast; c += kLineElements)
                k.prefetch(scalars, k.add(atScalar, pixels * scalarPixel + c));
              for (int64_t v = 0; v < vectors; ++v)
                k.prefetch(lanes, k.add(atLanes, pixels * lanesPixel + v * l.lanes));
            }
            Value pixel = l.grouped() ? k.load(x, atX, inLanes / l.inLanes * l.broadcast) : Value();
            for (int64_t c = 0; c < broadcast; ++c) {
              Value a;
              if (!l.grouped())
                a = k.splat(k.loadScalar(scalars, k.add(atScalar, c)));
              else if (l.broadcast == 1 && l.inLanes == 1)
                a = pixel;
              else
                a = k.shuffle(pixel, groupLanes(l.lanes, l.broadcast, l.inLanes, c));
              for (int64_t v = 0; v < vectors; ++v)
                next[c * vectors + v] = k.fma(a, g[v], next[c * vectors + v]);
            }
            return next;
          });
        });
      };
      const auto addBlock = [&](Value yFrom, Value yTo, Value xFrom, Value xTo) {
        KernelBuilder::Values acc(broadcast * vectors, k.constant(0.0f));
        acc = overPixels(yFrom, yTo, xFrom, xTo, acc);
        overTile([&](size_t sum, Value at) { addToTotals(acc[sum], at); });
      };
      const auto end = [&](Value from, Value upper) { return k.min(k.add(from, l.blockLength), upper); };
      switch (l.blockOf) {
      case BlockOf::Rows:
        return k.forLoop(yLower, yUpper, l.blockLength,
                         [&, xLower = xLower, xUpper = xUpper, yUpper = yUpper](Value y) {
                           addBlock(y, end(y, yUpper), xLower, xUpper);
                         });
      case BlockOf::Columns:
        return k.forLoop(yLower, yUpper, 1, [&, xLower = xLower, xUpper = xUpper](Value y) {
          k.forLoop(xLower, xUpper, l.blockLength,
                    [&](Value x) { addBlock(y, k.add(y, 1), x, end(x, xUpper)); });
        });
      case BlockOf::All:
      case BlockOf::Images:
        break;
      }
      KernelBuilder::Values acc(broadcast * vectors);
      overTile([&](size_t sum, Value at) { acc[sum] = k.load(sums, at, l.lanes); });
      acc = overPixels(yLower, yUpper, xLower, xUpper, acc);
      const auto keep = [&] {
        overTile([&](size_t sum, Value at) { k.store(acc[sum], sums, at, l.lanes); });
      };
      if (!carries)
        return keep();
      Value next = k.add(image, 1);
      Value last =
          k.either(k.equal(k.rem(next, l.blockLength), k.index(0)),
                   k.either(k.equal(next, k.index(imagesPerPart)), k.equal(n, k.index(spec.x.n - 1))));
      k.ifThen(
          last,
          [&] {
            overTile([&](size_t sum, Value at) {
              addToTotals(acc[sum], at);
              k.store(k.constant(0.0f), sums, at, l.lanes);
            });
          },
          keep);
    };

    k.forTasks([&](Value task) {
      k.forLoop(0, l.tileElements(), l.lanes, [&](Value i) {
        Value at = k.add(k.mul(task, l.tileElements()), i);
        if (l.totals == Element::F64)
          k.storeWide(k.wideConstant(0.0), totals, at);
        else
          k.store(k.constant(0.0f), totals, at, l.lanes);
        if (carries)
          k.store(k.constant(0.0f), sums, at, l.lanes);
      });
    });
    k.forLoop(0, imagesPerPart, 1, [&](Value image) {
      k.forTasks([&](Value task) {
        auto digits = k.split(task, {l.parts, groups, l.blocks, spec.kernel[0], spec.kernel[1], l.tiles});
        Value n = k.add(k.mul(digits[0], imagesPerPart), image);
        Value group = digits[1], block = digits[2], r = digits[3], s = digits[4], tileIndex = digits[5];
        Value to = k.mul(task, l.tileElements());
        const int64_t wholeLanes = l.grouped() ? l.groupsTogether * l.inLanes : l.block();
        const int64_t restLanes = (l.grouped() ? spec.dy.c : l.inLanes) - (l.blocks - 1) * wholeLanes;
        const int64_t restBroadcast = l.broadcast - (l.tiles - 1) * l.tileBroadcast;
        const auto overTiles = [&](int64_t inLanes) {
          const auto whole = [&] {
            tile(n, image, group, block, r, s, tileIndex, to, l.tileBroadcast, inLanes);
          };
          const auto rest = [&] {
            tile(n, image, group, block, r, s, tileIndex, to, restBroadcast, inLanes);
          };
          if (restBroadcast == l.tileBroadcast)
            whole();
          else
            k.ifThen(k.less(tileIndex, k.index(l.tiles - 1)), whole, rest);
        };
        const auto body = [&] {
          if (restLanes == wholeLanes)
            overTiles(wholeLanes);
          else
            k.ifThen(
                k.less(block, k.index(l.blocks - 1)), [&] { overTiles(wholeLanes); },
                [&] { overTiles(restLanes); });
        };
        if (spec.x.n % l.parts == 0)
          body();
        else
          k.ifThen(k.less(n, k.index(spec.x.n)), body);
      });
    });
    k.end();
  };
  return kernel;
}

UnpackWeightGradient::UnpackWeightGradient(const WeightGradientProblem &problem,
                                           const WeightGradientLayout &layout)
    : outputs(problem.dy.c), inputs(problem.x.c / problem.groups), groups(problem.groups),
      kernel(problem.kernel), layout(layout) {
  this->layout.blockOf = BlockOf::All; // how the totals came about does not matter
  this->layout.blockLength = 1;
}

KernelCode unpackWeightGradient(const UnpackWeightGradient &unpack) {
  const WeightGradientLayout &l = unpack.layout;
  const int64_t spatial = unpack.kernel[0] * unpack.kernel[1], groups = l.grouped() ? 1 : unpack.groups;
  KernelCode kernel;
  kernel.tasks = unpack.outputs;
  const int64_t inputs = unpack.inputs;
  kernel.definition.name = "unpack_gradient_" + std::to_string(unpack.outputs) + "x" +
                           std::to_string(inputs) + "x" + std::to_string(unpack.kernel[0]) + "x" +
                           std::to_string(unpack.kernel[1]) + "_g" + std::to_string(unpack.groups) + "_" +
                           layoutName(l) + (l.grouped() ? "_grouped" : "");
  kernel.definition.operands = {
      {l.parts * groups * l.blocks * spatial * l.tiles * l.tileElements(), l.totals},
      {unpack.outputs * inputs * spatial}};
  kernel.definition.build = [=, l = unpack.layout, name = kernel.definition.name,
                             operands = kernel.definition.operands](KernelBuilder &k) {
    k.begin(name, operands);
    k.forTasks([&](Value o) {
      const int64_t outputs = unpack.outputs / unpack.groups;
      Value group = l.grouped() ? k.index(0) : k.div(o, outputs),
            within = l.grouped() ? o : k.rem(o, outputs);
      k.forLoop(0, inputs, 1, [&](Value c) {
        Value inLanes = within, broadcast = c;
        if (l.inputsInLanes)
          std::swap(inLanes, broadcast);
        const int64_t together = l.grouped() ? l.groupsTogether * outputs : l.block();
        Value block = k.div(inLanes, together), lane = k.rem(inLanes, together);
        Value tile = k.div(broadcast, l.tileBroadcast), row = k.rem(broadcast, l.tileBroadcast);
        k.forLoop(0, spatial, 1, [&](Value tap) {
          Value sum = k.wideScalar(0.0);
          for (int64_t part = 0; part < l.parts; ++part) {
            Value index = k.add(k.mul(k.add(group, part * groups), l.blocks), block);
            index = k.add(k.mul(k.add(k.mul(index, spatial), tap), l.tiles), tile);
            Value at = k.add(k.add(k.mul(index, l.tileElements()), k.mul(row, l.block())), lane);
            Value total = k.loadScalar(k.operand(0), at);
            sum = addFloat(k, sum, l.totals == Element::F64 ? total : k.wide(total));
          }
          k.storeScalar(k.narrow(sum), k.operand(1), k.add(k.mul(k.add(k.mul(o, inputs), c), spatial), tap));
        });
      });
    });
    k.end();
  };
  return kernel;
}

} // namespace vernier::codegen
