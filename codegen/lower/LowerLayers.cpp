// Forward ops.
#include "codegen/lower/Lowering.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace vernier::codegen {
namespace {

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

template <typename Op> ConvolutionProblem problemOf(Op op, const View &in, const View &out) {
  return {in,
          out,
          kernelOf(op.getWeight()),
          pair(op.getStrides()),
          begins(op.getPadding()),
          pair(op.getDilations()),
          int64_t(op.getGroups()),
          std::is_same_v<Op, vn::TransposedConvolutionOp> ? Direction::InputGradient : Direction::Forward};
}

bool sameShape(const View &a, const View &b) { return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c; }

} // namespace

bool Lowering::scalesSums(vn::FoldWeightOp fold) const {
  return shareWeights && llvm::all_of(fold->getUsers(), [](Operation *user) {
           return isa<vn::ConvolutionOp, vn::FusedConvolutionOp>(user);
         });
}

bool Lowering::readsArray(Value image) const {
  if (options.kept || !image.hasOneUse())
    return false;
  return llvm::TypeSwitch<Operation *, bool>(*image.user_begin())
      .Case<vn::ConvolutionOp, vn::FusedConvolutionOp>([&](auto conv) {
        return conv.getInput() == image &&
               backend.readsArray(problemOf(conv, storedView(image), viewOf(conv.getResult())));
      })
      .Default(false);
}

void Lowering::solveConvolution(const ConvolutionProblem &problem, const Location &from, Value weight,
                                llvm::ArrayRef<Location> epilogueReads, const Location &to, Value sums,
                                const SumsRequest &request) {
  Places places;
  places.reads = {from, at(weight)};
  places.reads.append(epilogueReads.begin(), epilogueReads.end());
  places.writes = {to};
  places.constantWeight = prepared && constant.contains(weight);
  places.sums = request;
  places.fromArray = out.buffers[size_t(from.buffer)].space == VN_SPACE_IO;
  const PartialSums partial = backend.select(problem, places, *this);
  if (sums)
    sumsAt[sums] = partial;
}

template <typename Op>
void Lowering::lowerConvolution(Op op, ValueRange addends, Activation activation, Value sums) {
  const Location x = at(op.getInput()), y = result(op.getResult());
  ConvolutionProblem problem = problemOf(op, x.view, y.view);
  llvm::SmallVector<Location> reads;
  Value weights = op.getWeight();
  if (auto fold = weights.getDefiningOp<vn::FoldWeightOp>(); fold && scalesSums(fold)) {
    weights = fold.getWeight();
    problem.epilogue.scale = true;
    reads.push_back(at(fold.getResult()));
  }
  if constexpr (std::is_same_v<Op, vn::TransposedConvolutionOp>)
    if (op.getScale()) {
      problem.epilogue.scale = true;
      reads.push_back(at(op.getScale()));
    }
  problem.epilogue.bias = bool(op.getBias());
  problem.epilogue.activation = activation;
  if (op.getBias())
    reads.push_back(at(op.getBias()));
  for (Value addend : addends) {
    const View view = at(addend).view;
    reads.push_back(at(addend));
    problem.epilogue.addends.push_back({view, {y.view.h / view.h, y.view.w / view.w}});
  }
  SumsRequest request;
  if (sums)
    request.kind = Sums::Moments;
  solveConvolution(problem, x, weights, reads, y, sums, request);
}

void Lowering::lowerLinear(vn::LinearOp op) {
  const Location x = at(op.getInput()), y = result(op.getResult());
  ConvolutionProblem problem;
  problem.in = x.view;
  problem.out = y.view;
  problem.epilogue.bias = bool(op.getBias());
  llvm::SmallVector<Location> reads;
  if (op.getBias())
    reads.push_back(at(op.getBias()));
  solveConvolution(problem, x, op.getWeight(), reads, y, Value(), {});
}

// Each run of outputs and inputs is a slice of maps whose pixels are the parameter's rows.
void Lowering::spreadParameter(vn::SpreadParameterOp op) {
  const Location x = at(op.getInput()), y = result(op.getResult());
  solve(FillProblem{y.view, 0.0f}, {}, {y});
  const auto type = cast<RankedTensorType>(op.getType());
  const bool vector = type.getRank() == 1;
  const int64_t taps = type.getRank() == 4 ? type.getDimSize(2) * type.getDimSize(3) : 1;
  const auto rounded = [&](int64_t run) {
    return ceilDiv(run, int64_t(op.getMultiple())) * op.getMultiple();
  };
  const int64_t fromOutputs = cast<RankedTensorType>(op.getInput().getType()).getDimSize(0),
                fromRow = x.view.size() / fromOutputs, toRow = y.view.size() / type.getDimSize(0);
  const int64_t allOutputs[] = {fromOutputs}, allInputs[] = {fromRow / taps};
  int64_t from = 0, to = 0;
  for (int64_t outputs : op.getOutputs().empty() ? llvm::ArrayRef(allOutputs) : op.getOutputs()) {
    int64_t fromInput = 0, toInput = 0;
    for (int64_t inputs : op.getInputs().empty() ? llvm::ArrayRef(allInputs) : op.getInputs()) {
      // The elements of a vector, and whole rows, lie one after the other.
      const int64_t row = inputs * taps;
      const bool whole = vector || (row == fromRow && row == toRow);
      View read{1, 1, whole ? 1 : outputs, whole ? outputs * row : row, whole ? outputs * row : fromRow};
      View written = read;
      written.pixel = whole ? outputs * row : toRow;
      const Location source{x.buffer, x.offset + 4 * (from * fromRow + fromInput * taps), read},
          target{y.buffer, y.offset + 4 * (to * toRow + toInput * taps), written};
      solve(CopyProblem{read, written}, {source}, {target});
      fromInput += inputs;
      toInput += int64_t(rounded(inputs));
    }
    from += outputs;
    to += int64_t(rounded(outputs));
  }
}

LogicalResult Lowering::lowerLayer(Operation *op) {
  const auto binary = [&](auto op, Binary kind) {
    Location a = at(op.getLhs()), b = at(op.getRhs()), y = result(op.getResult());
    // Gradients of a weight used twice: rows of numbers, whatever the rank of their type.
    if (a.view.size() == b.view.size() && !(sameShape(a.view, b.view) && sameShape(b.view, y.view)) &&
        a.view.dense() && b.view.dense() && y.view.dense())
      a.view = b.view = y.view = denseView(1, 1, 1, y.view.size());
    solve(BinaryProblem{kind, a.view, b.view, y.view, op.getActivation()}, {a, b}, {y});
  };

  const auto copyInputs = [&](const Location &from, Value fromWhole, int64_t fromBegin, const Location &to,
                              Value toWhole, int64_t toBegin, Value part) {
    const Location read = inputsWithin(from, fromWhole, fromBegin, part),
                   written = inputsWithin(to, toWhole, toBegin, part);
    solve(CopyProblem{read.view, written.view}, {read}, {written});
  };

  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<vn::ConvolutionOp>([&](auto conv) {
        lowerConvolution(conv, {}, Activation::None, Value());
        return success();
      })
      .Case<vn::FusedConvolutionOp, vn::TransposedConvolutionOp>([&](auto conv) {
        lowerConvolution(conv, conv.getAddends(), conv.getActivation(), conv.getSums());
        return success();
      })
      .Case<vn::LinearOp>([&](auto linear) {
        lowerLinear(linear);
        return success();
      })
      .Case<vn::AffineOp>([&](auto affineOp) {
        const Location x = at(affineOp.getInput()), y = result(affineOp.getResult());
        solve(AffineProblem{x.view, y.view, affineOp.getActivation(), std::nullopt},
              {x, at(affineOp.getScale()), at(affineOp.getShift())}, {y});
        return success();
      })
      .Case<vn::ScaleChannelsOp>([&](auto scale) {
        const Location x = at(scale.getInput()), y = result(scale.getResult());
        AffineProblem problem;
        problem.x = x.view;
        problem.y = y.view;
        problem.shift = false;
        solve(problem, {x, at(scale.getScale())}, {y});
        return success();
      })
      // Images as pixels, each of which is the vector.
      .Case<vn::ParameterMapOp>([&](auto op) {
        const Location x = at(op.getParameter()), y = result(op.getResult());
        solve(SpatialBroadcastProblem{x.view, {1, 1, y.view.n, y.view.c, y.view.pixel, y.view.element}}, {x},
              {y});
        return success();
      })
      .Case<vn::LayerNormOp>([&](auto norm) {
        const Location x = at(norm.getInput()), y = result(norm.getResult());
        solve(LayerNormProblem{x.view, y.view, norm.getEpsilon().convertToDouble()},
              {x, at(norm.getGamma()), at(norm.getBeta())}, {y});
        return success();
      })
      .Case<vn::GroupNormOp>([&](auto norm) {
        const Location x = at(norm.getInput()), y = result(norm.getResult());
        solve(
            GroupNormProblem{x.view, y.view, int64_t(norm.getGroups()), norm.getEpsilon().convertToDouble()},
            {x, at(norm.getGamma()), at(norm.getBeta())}, {y});
        return success();
      })
      .Case<vn::PreluOp>([&](auto prelu) {
        const Location x = at(prelu.getInput()), slope = at(prelu.getSlope()), y = result(prelu.getResult());
        solve(PreluProblem{x.view, y.view, slope.view.c == x.view.c}, {x, slope}, {y});
        return success();
      })
      .Case<vn::ActivateOp>([&](auto act) {
        const Location x = at(act.getInput()), y = result(act.getResult());
        solve(ActivationProblem{x.view, y.view, act.getActivation()}, {x}, {y});
        return success();
      })
      .Case<vn::BatchNormTrainingOp>([&](auto norm) {
        const double epsilon = norm.getEpsilon().convertToDouble();
        const Location x = at(norm.getInput()), mean = result(norm.getBatchMean()),
                       variance = result(norm.getBatchVar());
        const Location scale = scratch(x.view.c), shift = scratch(x.view.c);
        PartialSums partial = sumsOf(norm.getSums());
        if (!partial.parts)
          partial = solve(BatchSumsProblem{x.view}, {x}, {});
        solve(BatchFinishProblem{x.view, partial.parts, epsilon},
              {partial.sums, at(norm.getGamma()), at(norm.getBeta())}, {mean, variance, scale, shift});
        llvm::SmallVector<Location> reads = {x, scale, shift};
        std::optional<View> added;
        if (norm.getAddend()) {
          reads.push_back(at(norm.getAddend()));
          added = reads.back().view;
        }
        const Location y = result(norm.getResult());
        solve(AffineProblem{x.view, y.view, norm.getActivation(), added}, reads, {y});
        return success();
      })
      .Case<vn::MaxPoolOp>([&](auto pool) {
        const Location x = at(pool.getInput()), y = result(pool.getResult());
        solve(poolOf(pool, x.view, y.view), {x}, {y});
        return success();
      })
      .Case<vn::AvgPoolOp>([&](auto pool) {
        const Location x = at(pool.getInput()), y = result(pool.getResult());
        PoolProblem problem = poolOf(pool, x.view, y.view);
        problem.kind = PoolKind::Average;
        problem.countPadding = pool.getCountPadding();
        if (coversMap(problem))
          solve(SpatialSumProblem{x.view, std::nullopt, y.view, /*mean=*/true}, {x}, {y});
        else
          solve(problem, {x}, {y});
        return success();
      })
      .Case<vn::GlobalAvgPoolOp>([&](auto pool) {
        const Location x = at(pool.getInput()), y = result(pool.getResult());
        solve(SpatialSumProblem{x.view, std::nullopt, y.view, /*mean=*/true}, {x}, {y});
        return success();
      })
      .Case<vn::ResizeOp>([&](auto op) {
        const Location x = at(op.getInput()), y = result(op.getResult());
        solve(ResizeProblem{x.view, y.view, op.getMode() == vn::ResizeMode::Bilinear, op.getAlignCorners(),
                            op.factor()},
              {x}, {y});
        return success();
      })
      .Case<vn::ResampleOp>([&](auto op) {
        const Location x = at(op.getInput()), y = result(op.getResult());
        solve(ResampleProblem{x.view, y.view, dsl::Resampling(op.getKind()), op.getAlignCorners(),
                              op.getTransposed(), op.factor()},
              {x}, {y});
        return success();
      })
      .Case<vn::PadOp>([&](auto pad) {
        const Location x = at(pad.getInput()), y = result(pad.getResult());
        const auto by = pad.getPadding();
        solve(ShiftProblem{x.view, y.view, by[0], by[2], pad.getMode() == vn::PadMode::Replicate}, {x}, {y});
        return success();
      })
      .Case<vn::CropOp>([&](auto crop) {
        const Location x = at(crop.getInput()), y = result(crop.getResult());
        solve(ShiftProblem{x.view, y.view, -crop.getOffset()[0], -crop.getOffset()[1], false}, {x}, {y});
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
            solve(CopyProblem{from.view, to.view}, {from}, {to});
          channel += from.view.c;
        }
        return success();
      })
      .Case<vn::ChannelShuffleOp>([&](auto shuffle) {
        const Location x = at(shuffle.getInput()), y = result(shuffle.getResult());
        solve(ChannelShuffleProblem{x.view, y.view, int64_t(shuffle.getGroups())}, {x}, {y});
        return success();
      })
      // Channels in the order of a square's pixels, then runs of them as pixels.
      .Case<vn::PixelShuffleOp>([&](auto op) {
        const Location x = at(op.getInput()), y = result(op.getResult());
        const Location runs = map(denseView(x.view.n, x.view.h, x.view.w, x.view.c, x.view.element));
        solve(ChannelShuffleProblem{x.view, runs.view, y.view.c}, {x}, {runs});
        solve(BlocksToChannelsProblem{runs.view, y.view, int64_t(op.getFactor())}, {runs}, {y});
        return success();
      })
      .Case<vn::PixelUnshuffleOp>([&](auto op) {
        const Location x = at(op.getInput()), y = result(op.getResult());
        const int64_t factor = op.getFactor();
        const Location runs = map(denseView(y.view.n, y.view.h, y.view.w, y.view.c, y.view.element));
        solve(BlocksToChannelsProblem{x.view, runs.view, factor}, {x}, {runs});
        solve(ChannelShuffleProblem{runs.view, y.view, factor * factor}, {runs}, {y});
        return success();
      })
      .Case<vn::SoftmaxOp>([&](auto op) {
        const Location x = at(op.getInput()), y = result(op.getResult());
        solve(SoftmaxProblem{x.view, y.view, int64_t(op.getRuns()), op.getLog()}, {x}, {y});
        return success();
      })
      .Case<vn::SpatialSoftmaxOp>([&](auto op) {
        const Location x = at(op.getInput()), y = result(op.getResult());
        solve(SpatialSoftmaxProblem{x.view, y.view}, {x}, {y});
        return success();
      })
      .Case<vn::MatmulOp>([&](auto op) {
        const Location a = at(op.getLhs()), b = at(op.getRhs()), y = result(op.getResult());
        solve(MatmulProblem{a.view, b.view, y.view, op.getTransposeLhs(), op.getTransposeRhs()}, {a, b}, {y});
        return success();
      })
      .Case<vn::ReduceChannelsOp>([&](auto op) {
        const Location x = at(op.getInput()), y = result(op.getResult());
        solve(ChannelReductionProblem{ChannelReduction(op.getReduction()), x.view, std::nullopt, y.view}, {x},
              {y});
        return success();
      })
      .Case<vn::AddOp>([&](auto add) {
        binary(add, Binary::Add);
        return success();
      })
      .Case<vn::SubtractOp>([&](auto subtract) {
        binary(subtract, Binary::Subtract);
        return success();
      })
      .Case<vn::MultiplyOp>([&](auto multiply) {
        binary(multiply, Binary::Multiply);
        return success();
      })
      .Case<vn::DivideOp>([&](auto divide) {
        binary(divide, Binary::Divide);
        return success();
      })
      .Case<vn::CastOp>([&](auto cast) {
        const Location x = at(cast.getInput());
        // What is returned alone is cast on the way to the caller's array.
        if (!locations.count(cast.getResult()) &&
            llvm::all_of(cast->getUsers(), llvm::IsaPred<func::ReturnOp>)) {
          alias(cast.getResult(), x);
          return success();
        }
        const Location y = result(cast.getResult());
        if (x.buffer != y.buffer || x.offset != y.offset)
          solve(CopyProblem{x.view, y.view}, {x}, {y});
        return success();
      })
      .Case<vn::ZerosOp>([&](auto zeros) {
        const Location y = result(zeros.getResult());
        solve(FillProblem{y.view, 0.0f}, {}, {y});
        return success();
      })
      .Case<vn::EmbedChannelsOp>([&](auto embed) {
        const Location x = at(embed.getInput()), y = result(embed.getResult());
        solve(FillProblem{y.view, 0.0f}, {}, {y});
        Location part{y.buffer, y.offset + elementBytes(y.view.element) * int64_t(embed.getBegin()), x.view};
        part.view.pixel = y.view.pixel;
        part.view.element = y.view.element;
        solve(CopyProblem{x.view, part.view}, {x}, {part});
        return success();
      })
      .Case<vn::ScaleParameterOp>([&](auto scale) {
        const Location parameter = at(scale.getInput()), y = result(scale.getResult());
        const int64_t outputs = at(scale.getScale()).view.c;
        solve(ScaleParameterProblem{outputs, parameter.view.size() / outputs},
              {parameter, at(scale.getScale())}, {y});
        return success();
      })
      .Case<vn::FoldWeightOp>([&](auto fold) {
        const int64_t outputs = at(fold.getGamma()).view.c;
        if (scalesSums(fold)) { // the scale takes the place of the weights that it would give
          const Location scale{addBuffer(prepared ? VN_SPACE_DERIVED : VN_SPACE_ARENA, outputs * 4), 0,
                               denseView(1, 1, 1, outputs)};
          alias(fold.getResult(), scale);
          solve(FoldScaleProblem{outputs, fold.getEpsilon().convertToDouble()},
                {at(fold.getGamma()), at(fold.getVar())}, {scale});
          return success();
        }
        const Location w = at(fold.getWeight()), y = result(fold.getResult());
        solve(FoldWeightProblem{outputs, w.view.size() / outputs, fold.getEpsilon().convertToDouble()},
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
        solve(FillProblem{y.view, 0.0f}, {}, {y});
        copyInputs(x, embed.getInput(), 0, y, embed.getResult(), embed.getBegin(), embed.getInput());
        return success();
      })
      .Case<vn::SpreadParameterOp>([&](auto spread) {
        spreadParameter(spread);
        return success();
      })
      .Case<vn::FoldScaleOp>([&](auto fold) {
        const Location gamma = at(fold.getGamma()), y = result(fold.getResult());
        solve(FoldScaleProblem{gamma.view.c, fold.getEpsilon().convertToDouble()}, {gamma, at(fold.getVar())},
              {y});
        return success();
      })
      .Case<vn::FoldBiasOp>([&](auto fold) {
        llvm::SmallVector<Location> reads = {at(fold.getGamma()), at(fold.getBeta()), at(fold.getMean()),
                                             at(fold.getVar())};
        if (fold.getBias())
          reads.push_back(at(fold.getBias()));
        solve(FoldBiasProblem{reads[0].view.c, bool(fold.getBias()), fold.getEpsilon().convertToDouble()},
              reads, {result(fold.getResult())});
        return success();
      })
      .Default([](Operation *) { return failure(); });
}

} // namespace vernier::codegen
