// Forward ops.
#include "codegen/lower/Lowering.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace vernier::codegen {
namespace {

int64_t convolutionMacs(const View &in, const View &out, std::array<int64_t, 2> kernel, int64_t groups) {
  return out.size() * (in.c / groups) * kernel[0] * kernel[1];
}

std::array<int64_t, 2> kernelOf(Value weight) {
  auto shape = cast<RankedTensorType>(weight.getType()).getShape();
  return {shape[2], shape[3]};
}

// Input channels of a weight, elements of a vector.
int64_t inputsOf(Value parameter) {
  auto shape = cast<RankedTensorType>(parameter.getType()).getShape();
  return shape.size() == 1 ? shape[0] : shape[1];
}

// Where `part`'s inputs lie in `whole`, from input `begin` on: a slice of a map whose pixels are the rows of
// the parameter.
Location inputsWithin(const Location &place, Value whole, int64_t begin, Value part) {
  const int64_t rows = cast<RankedTensorType>(whole.getType()).getRank() == 1
                           ? 1
                           : cast<RankedTensorType>(whole.getType()).getDimSize(0);
  const int64_t row = place.view.size() / rows, perInput = row / inputsOf(whole);
  return {place.buffer, place.offset + 4 * begin * perInput, {1, 1, rows, inputsOf(part) * perInput, row}};
}

bool sameShape(const View &a, const View &b) { return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c; }

} // namespace

// Weights in a kernel's layout: once for each layout, in `prepare` where the weight is known there.
Location Lowering::packed(Value weight, const Kernel &kernel, KernelOperand packed) {
  const Location from = at(weight);
  const std::string key =
      std::to_string(from.buffer) + "/" + std::to_string(from.offset) + "/" + kernel.definition.name;
  auto [entry, isNew] = packedAt.try_emplace(key);
  if (!isNew)
    return entry->second;
  const bool early = prepared && constant.contains(weight);
  Program *saved = current;
  current = early ? prepared : program;
  const View view = denseView(1, 1, 1, packed.elements, packed.type);
  Location to{addBuffer(early ? VN_SPACE_DERIVED : VN_SPACE_ARENA, view.bytes()), 0, view};
  step(kernel, {from}, {to});
  current = saved;
  entry->second = to;
  return to;
}

bool Lowering::scalesSums(vn::FoldWeightOp fold) const {
  return shareWeights && llvm::all_of(fold->getUsers(), [](Operation *user) {
           return isa<vn::ConvolutionOp, vn::FusedConvolutionOp>(user);
         });
}

template <typename Op> void Lowering::lowerConvolution(Op op, ValueRange addends, Activation activation) {
  const Location x = at(op.getInput()), y = result(op.getResult());
  const auto kernel = kernelOf(op.getWeight()), stride = pair(op.getStrides()),
             dilation = pair(op.getDilations());
  const auto padding = four(op.getPadding());
  const int64_t groups = op.getGroups();
  const int64_t macs = convolutionMacs(x.view, y.view, kernel, groups);
  PlacedEpilogue epilogue;
  Value weights = op.getWeight();
  if (auto fold = weights.getDefiningOp<vn::FoldWeightOp>(); fold && scalesSums(fold)) {
    weights = fold.getWeight();
    epilogue.code.scale = true;
    epilogue.reads.push_back(at(fold.getResult()));
  }
  epilogue.code.bias = bool(op.getBias());
  epilogue.code.activation = activation;
  if (op.getBias())
    epilogue.reads.push_back(at(op.getBias()));
  for (Value addend : addends) {
    const View view = at(addend).view;
    epilogue.reads.push_back(at(addend));
    epilogue.code.addends.push_back({view, {y.view.h / view.h, y.view.w / view.w}});
  }
  if (lowerWinograd(x, op.getResult(), weights, false, {kernel, stride, padding, dilation, groups}, epilogue,
                    macs))
    return;
  Location weight;
  Kernel code;
  if (fitsGrouped(x.view.c, y.view.c, groups, target)) {
    GroupedSpec spec;
    spec.in = x.view;
    spec.out = y.view;
    spec.perGroup = x.view.c / groups;
    spec.kernelRows = kernel[0];
    spec.kernelColumns = kernel[1];
    spec.rows = {y.view.h, 0, 1, stride[0], {kernel[0], -padding[0], dilation[0], 0, 1}};
    spec.columns = {y.view.w, 0, 1, stride[1], {kernel[1], -padding[2], dilation[1], 0, 1}};
    addSums(op.getResult(), spec.parts(), epilogue);
    spec.epilogue = epilogue.code;
    weight = packed(weights, packGroupedWeights(spec, false, target), spec.weightOperand(target.lanes));
    code = groupedConvolution(spec, target);
  } else {
    ConvolutionSpec spec =
        convolutionForward(x.view, y.view, kernel, stride, padding, dilation, groups, target);
    if (spec.fitsSums())
      addSums(op.getResult(), spec.parts(), epilogue);
    spec.epilogue = spec.chunk ? pixelsInOneRow(epilogue.code) : epilogue.code;
    weight = packed(weights, packWeights(spec.weights, false), spec.weights.operand());
    code = convolution(spec, target);
  }
  step(code, {x, weight}, y, epilogue, macs);
}

void Lowering::lowerLinear(vn::LinearOp op) {
  const Location x = at(op.getInput()), y = result(op.getResult());
  ConvolutionSpec spec = convolutionForward(x.view, y.view, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, target);
  spec.epilogue.bias = bool(op.getBias());
  llvm::SmallVector<Location> reads = {
      x, packed(op.getWeight(), packWeights(spec.weights, false), spec.weights.operand())};
  if (op.getBias())
    reads.push_back(at(op.getBias()));
  step(convolution(spec, target), reads, {y}, convolutionMacs(x.view, y.view, {1, 1}, 1));
}

void Lowering::lowerMaxPool(const PoolSpec &spec, const Location &x, const Location &y) {
  if (fasterAlongAxes(spec))
    maxPoolAlongAxes(poolAxes(spec), x, y);
  else
    step(maxPool(spec, target), {x}, {y});
}

llvm::SmallVector<Location> Lowering::maxPoolAlongAxes(llvm::ArrayRef<AxisPool> parts, const Location &x,
                                                       std::optional<Location> y) {
  llvm::SmallVector<Location> maps = {x};
  for (const AxisPool &part : parts) {
    const bool last = &part == &parts.back();
    if (last && !y)
      break;
    const View &view = part.spec.out;
    const Location to = last ? *y : Location{addBuffer(VN_SPACE_ARENA, view.bytes()), 0, view};
    step(maxPoolAlong(part, target), {maps.back()}, {to});
    maps.push_back(to);
  }
  return maps;
}

void Lowering::lowerSpatialSum(const SpatialSum &sum, llvm::ArrayRef<Location> reads, const Location &y) {
  if (spatialParts(sum) == 1) {
    step(spatialSums(sum, target), reads, {y});
    return;
  }
  const Location partial = scratch(2 * spatialSumsElements(sum, target));
  step(spatialSums(sum, target), reads, {partial});
  step(spatialSumsFinish(sum, target), {partial}, {y});
}

LogicalResult Lowering::lowerLayer(Operation *op) {
  const auto elementwise = [&](const Location &in, const Location &out, int operand, Step &s) {
    if (in.view == out.view)
      s.mayReuse.push_back(operand);
  };
  // Adds or multiplies; takes a following activation along.
  const auto binaryOp = [&](Operation *op, Binary kind) {
    Value last = op->getResult(0);
    Activation activation = Activation::None;
    if (auto next = onlyUser<vn::ActivateOp>(last); next && !locations.count(last)) {
      activation = activationOf(next.getActivation());
      last = next.getResult();
      absorbed.insert(next);
    }
    Location a = at(op->getOperand(0)), b = at(op->getOperand(1)), y = result(last);
    // Gradients of a weight used twice: rows of numbers, whatever the rank of their type.
    if (a.view.size() == b.view.size() && !(sameShape(a.view, b.view) && sameShape(b.view, y.view)) &&
        a.view.dense() && b.view.dense() && y.view.dense())
      a.view = b.view = y.view = denseView(1, 1, 1, y.view.size());
    Step &s = step(binary(kind, a.view, b.view, y.view, activation, target), {a, b}, {y});
    elementwise(a, y, 0, s);
    elementwise(b, y, 1, s);
  };

  const auto copyInputs = [&](const Location &from, Value fromWhole, int64_t fromBegin, const Location &to,
                              Value toWhole, int64_t toBegin, Value part) {
    const Location read = inputsWithin(from, fromWhole, fromBegin, part),
                   written = inputsWithin(to, toWhole, toBegin, part);
    step(copy(read.view, written.view, target), {read}, {written});
  };

  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<vn::ConvolutionOp>([&](auto conv) {
        lowerConvolution(conv, {}, Activation::None);
        return success();
      })
      .Case<vn::FusedConvolutionOp>([&](auto conv) {
        lowerConvolution(conv, conv.getAddends(), activationOf(conv.getActivation()));
        return success();
      })
      .Case<vn::LinearOp>([&](auto linear) {
        lowerLinear(linear);
        return success();
      })
      .Case<vn::AffineOp>([&](auto affineOp) {
        const Location x = at(affineOp.getInput()), y = result(affineOp.getResult());
        Step &s = step(affine(x.view, y.view, activationOf(affineOp.getActivation()), target),
                       {x, at(affineOp.getScale()), at(affineOp.getShift())}, {y});
        elementwise(x, y, 0, s);
        return success();
      })
      .Case<vn::ActivateOp>([&](auto act) {
        const Location x = at(act.getInput()), y = result(act.getResult());
        elementwise(x, y, 0,
                    step(activate(x.view, y.view, activationOf(act.getActivation()), target), {x}, {y}));
        return success();
      })
      .Case<vn::BatchNormTrainingOp>([&](auto norm) {
        // An addition and an activation that follow are part of the pass that normalises.
        llvm::SmallVector<Value> addend;
        Value last = norm.getResult();
        if (auto add = onlyUser<vn::AddOp>(last); add && !locations.count(last)) {
          Value other = add.getLhs() == last ? add.getRhs() : add.getLhs();
          Operation *producer = other.getDefiningOp();
          if (other.getType() == last.getType() && (!producer || producer->isBeforeInBlock(norm))) {
            addend.push_back(other);
            last = add.getResult();
            absorbed.insert(add);
          }
        }
        Activation activation = Activation::None;
        if (auto next = onlyUser<vn::ActivateOp>(last); next && !locations.count(last)) {
          activation = activationOf(next.getActivation());
          last = next.getResult();
          absorbed.insert(next);
        }
        const double epsilon = norm.getEpsilon().convertToDouble();
        const Location x = at(norm.getInput()), mean = result(norm.getBatchMean()),
                       variance = result(norm.getBatchVar());
        const int64_t C = x.view.c;
        const Location scale = scratch(C), shift = scratch(C);
        PartialSums partial = sumsFor.lookup(norm.getOperation());
        if (!partial.parts) {
          partial.parts = statisticsChunks(x.view);
          partial.sums = scratch(2 * sumsElements(partial.parts, C, target));
          step(batchSums(x.view, target), {x}, {partial.sums});
        }
        step(batchFinish(x.view, partial.parts, epsilon, target),
             {partial.sums, at(norm.getGamma()), at(norm.getBeta())}, {mean, variance, scale, shift});
        llvm::SmallVector<Location> reads = {x, scale, shift};
        std::optional<View> added;
        for (Value value : addend) {
          reads.push_back(at(value));
          added = reads.back().view;
        }
        const Location y = result(last);
        Step &s = step(affine(x.view, y.view, activation, target, added), reads, {y});
        elementwise(x, y, 0, s);
        if (added)
          elementwise(reads.back(), y, 3, s);
        return success();
      })
      .Case<vn::MaxPoolOp>([&](auto pool) {
        const Location x = at(pool.getInput()), y = result(pool.getResult());
        lowerMaxPool(poolOf(pool, x.view, y.view), x, y);
        return success();
      })
      .Case<vn::AvgPoolOp>([&](auto pool) {
        const Location x = at(pool.getInput()), y = result(pool.getResult());
        PoolSpec spec = poolOf(pool, x.view, y.view);
        spec.countPadding = pool.getCountPadding();
        if (coversMap(spec)) {
          lowerSpatialSum({x.view, std::nullopt, y.view, /*mean=*/true}, {x}, y);
          return success();
        }
        step(averagePool(spec, target), {x}, {y});
        return success();
      })
      .Case<vn::GlobalAvgPoolOp>([&](auto pool) {
        const Location x = at(pool.getInput()), y = result(pool.getResult());
        lowerSpatialSum({x.view, std::nullopt, y.view, /*mean=*/true}, {x}, y);
        return success();
      })
      .Case<vn::ResizeOp>([&](auto op) {
        const Location x = at(op.getInput()), y = result(op.getResult());
        step(resize({x.view, y.view, op.getMode() == vn::ResizeMode::Bilinear, op.getAlignCorners(),
                     op.factor()},
                    target),
             {x}, {y});
        return success();
      })
      .Case<vn::PadOp>([&](auto pad) {
        const Location x = at(pad.getInput()), y = result(pad.getResult());
        const auto by = pad.getPadding();
        step(shiftCopy(x.view, y.view, by[0], by[2], pad.getMode() == vn::PadMode::Replicate, target), {x},
             {y});
        return success();
      })
      .Case<vn::CropOp>([&](auto crop) {
        const Location x = at(crop.getInput()), y = result(crop.getResult());
        step(shiftCopy(x.view, y.view, -crop.getOffset()[0], -crop.getOffset()[1], false, target), {x}, {y});
        return success();
      })
      .Case<vn::SliceOp>([&](auto slice) {
        Location x = at(slice.getInput());
        x.offset += elementBytes(x.view.element) * slice.getBegin();
        x.view.c = viewOf(slice.getResult()).c;
        alias(slice.getResult(), x);
        return success();
      })
      .Case<vn::ConcatOp>([&](auto concat) {
        Location whole = result(concat.getResult());
        int64_t channel = 0;
        for (Value input : concat.getInputs()) {
          const Location from = at(input);
          Location to{whole.buffer, whole.offset + elementBytes(whole.view.element) * channel, from.view};
          to.view.pixel = whole.view.pixel;
          to.view.element = whole.view.element;
          if (from.buffer != to.buffer || from.offset != to.offset)
            step(copy(from.view, to.view, target), {from}, {to});
          channel += from.view.c;
        }
        return success();
      })
      .Case<vn::ChannelShuffleOp>([&](auto shuffle) {
        const Location x = at(shuffle.getInput()), y = result(shuffle.getResult());
        step(channelShuffle(x.view, y.view, shuffle.getGroups(), target), {x}, {y});
        return success();
      })
      .Case<vn::AddOp>([&](auto) {
        binaryOp(op, Binary::Add);
        return success();
      })
      .Case<vn::MultiplyOp>([&](auto) {
        binaryOp(op, Binary::Multiply);
        return success();
      })
      .Case<vn::ZerosOp>([&](auto zeros) {
        const Location y = result(zeros.getResult());
        step(fill(y.view, 0.0f, target), {}, {y});
        return success();
      })
      .Case<vn::EmbedChannelsOp>([&](auto embed) {
        const Location x = at(embed.getInput()), y = result(embed.getResult());
        step(fill(y.view, 0.0f, target), {}, {y});
        Location part{y.buffer, y.offset + elementBytes(y.view.element) * int64_t(embed.getBegin()), x.view};
        part.view.pixel = y.view.pixel;
        part.view.element = y.view.element;
        step(copy(x.view, part.view, target), {x}, {part});
        return success();
      })
      .Case<vn::FoldWeightOp>([&](auto fold) {
        const int64_t outputs = at(fold.getGamma()).view.c;
        if (scalesSums(fold)) { // the scale takes the place of the weights that it would give
          const Location scale{addBuffer(prepared ? VN_SPACE_DERIVED : VN_SPACE_ARENA, outputs * 4), 0,
                               denseView(1, 1, 1, outputs)};
          alias(fold.getResult(), scale);
          step(foldScale(outputs, fold.getEpsilon().convertToDouble()),
               {at(fold.getGamma()), at(fold.getVar())}, {scale});
          return success();
        }
        const Location w = at(fold.getWeight()), y = result(fold.getResult());
        step(foldWeight(outputs, w.view.size() / outputs, fold.getEpsilon().convertToDouble()),
             {w, at(fold.getGamma()), at(fold.getVar())}, {y});
        return success();
      })
      .Case<vn::SliceParameterOp>([&](auto slice) {
        const Location x = at(slice.getInput()), y = result(slice.getResult());
        copyInputs(x, slice.getInput(), slice.getBegin(), y, slice.getResult(), 0, slice.getResult());
        return success();
      })
      .Case<vn::ConcatParametersOp>([&](auto concat) {
        const Location y = result(concat.getResult());
        int64_t begin = 0;
        for (Value input : concat.getInputs()) {
          copyInputs(at(input), input, 0, y, concat.getResult(), begin, input);
          begin += inputsOf(input);
        }
        return success();
      })
      .Case<vn::EmbedParameterOp>([&](auto embed) {
        const Location x = at(embed.getInput()), y = result(embed.getResult());
        step(fill(y.view, 0.0f, target), {}, {y});
        copyInputs(x, embed.getInput(), 0, y, embed.getResult(), embed.getBegin(), embed.getInput());
        return success();
      })
      .Case<vn::FoldScaleOp>([&](auto fold) {
        const Location gamma = at(fold.getGamma()), y = result(fold.getResult());
        step(foldScale(gamma.view.c, fold.getEpsilon().convertToDouble()), {gamma, at(fold.getVar())}, {y});
        return success();
      })
      .Case<vn::FoldBiasOp>([&](auto fold) {
        llvm::SmallVector<Location> reads = {at(fold.getGamma()), at(fold.getBeta()), at(fold.getMean()),
                                             at(fold.getVar())};
        if (fold.getBias())
          reads.push_back(at(fold.getBias()));
        step(foldBias(reads[0].view.c, bool(fold.getBias()), fold.getEpsilon().convertToDouble()), reads,
             {result(fold.getResult())});
        return success();
      })
      .Default([](Operation *) { return failure(); });
}

} // namespace vernier::codegen
