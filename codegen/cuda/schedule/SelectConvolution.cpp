// Convolutions and linear layers, the gradients of their inputs and weights.
#include "codegen/cuda/schedule/Selection.h"

#include <algorithm>
#include <numeric>

namespace vernier::codegen {

static std::string tileText(const ::vn::Tile &tile, ::vn::Arithmetic arithmetic) {
  static constexpr const char *names[] = {"f32", "tf32", "bf16"};
  return std::string(names[size_t(arithmetic)]) + " tile " + std::to_string(tile.m) + "x" +
         std::to_string(tile.n) + (tile.slices > 1 ? " slices " + std::to_string(tile.slices) : "");
}

// Notes that a launch touches `part` in `all` of an operand's pixels.
static void touch(Step &step, size_t operand, int64_t part, int64_t all) {
  const StepOperand &whole = step.operands[operand];
  const int64_t bytes = whole.view.size() * elementBytes(whole.view.element),
                untouched = bytes - bytes * part / all;
  step.bytes -= untouched;
  step.writtenBytes -= whole.written ? untouched : 0;
}

// Of what a convolution reads: windows of a large stride leave rows and columns out.
static void touchWindows(Step &step, const std::array<int64_t, 2> &kernel,
                         const std::array<int64_t, 2> &stride, const std::array<int64_t, 2> &dilation) {
  int64_t part = 1, all = 1;
  for (int axis : {0, 1}) {
    part *= std::min(kernel[axis], stride[axis] / std::gcd(stride[axis], dilation[axis]));
    all *= stride[axis];
  }
  touch(step, 0, part, all);
}

::vn::Arithmetic CudaSelection::arithmeticOf(const View &in) const {
  return in.element == Element::BF16 ? ::vn::Arithmetic::BF16
         : tf32                      ? ::vn::Arithmetic::TF32
                                     : ::vn::Arithmetic::F32;
}

// A product has 16 bytes of each pixel and 8 columns at least, and a tensor core 16 of either: so many
// channels of narrow groups are one group of it, where possible in whole vectors.
static int mergedGroups(int64_t groups, int64_t inputs, int64_t outputs, ::vn::Arithmetic arithmetic) {
  const int64_t channels = arithmetic == ::vn::Arithmetic::F32 ? 8 : 16, vector = chunk_elements(arithmetic);
  int64_t best = 1;
  bool whole = false;
  for (int64_t merged = 1; merged <= groups && merged * std::max(inputs, outputs) <= channels; ++merged) {
    const bool vectors = merged * inputs % vector == 0 && merged * outputs % vector == 0;
    if (groups % merged == 0 && (vectors || !whole)) {
      best = merged;
      whole = vectors;
    }
  }
  return int(best);
}

static std::string mergedText(int merged) {
  return merged > 1 ? "; narrow groups, " + std::to_string(merged) + " side by side as one" : "";
}

// Columns are as few as the channels need; rows are many where there are tiles enough for every
// multiprocessor.
std::pair<::vn::Tile, std::string> CudaSelection::tileOf(int64_t results, int64_t channels,
                                                         int64_t groups) const {
  using ::vn::Tile;
  const std::string few =
      std::to_string(channels) + (channels == 1 ? " channel needs" : " channels need") + " no more columns";
  if (channels <= 8)
    return {{.m = 64, .n = 8, .k_bytes = 64, .warps_m = 4, .warps_n = 1, .stages = 3}, few};
  if (channels <= 16)
    return {{.m = 64, .n = 16, .k_bytes = 64, .warps_m = 4, .warps_n = 1, .stages = 3}, few};
  if (ceilDiv(channels, 32) * 32 < ceilDiv(channels, 64) * 64)
    return {{.m = 64, .n = 32, .k_bytes = 64, .warps_m = 4, .warps_n = 1, .stages = 3},
            std::to_string(channels) + " channels fill 32 columns at a time better than 64"};
  const int64_t tiles = ceilDiv(results, 128) * ceilDiv(channels, 64) * groups;
  const std::string many = std::to_string(tiles) + (tiles == 1 ? " tile" : " tiles") + " of 128x64 for " +
                           std::to_string(machine.multiprocessors) + " multiprocessors";
  if (tiles >= 2 * machine.multiprocessors)
    return {{.m = 128, .n = 64, .k_bytes = 64, .warps_m = 4, .warps_n = 2, .stages = 3},
            many + ": two for each at least"};
  if (results <= 32)
    return {{.m = 32, .n = 32, .k_bytes = 64, .warps_m = 2, .warps_n = 2, .stages = 4},
            std::to_string(results) + (results == 1 ? " result is" : " results are") + " few rows"};
  return {{.m = 64, .n = 64, .k_bytes = 64, .warps_m = 2, .warps_n = 2, .stages = 3},
          many + ": less than two for each"};
}

static int64_t blocksOf(const ::vn::Convolution &c, const ::vn::Tile &tile) {
  return ceilDiv(results_of(c), tile.m) * ceilDiv(c.out_channels(), tile.n) * c.groups;
}

// Of what one result is summed over, in one of the factors.
static int64_t bytesOfSum(const ::vn::Convolution &c) {
  return int64_t(rows_of(c).count) * columns_of(c).count * packed_channels(c.arithmetic, c.in_channels()) *
         (c.arithmetic == ::vn::Arithmetic::BF16 ? 2 : 4);
}

// Seconds of a convolution whose blocks are few: each stage waits for memory, but for those that are on their
// way together, and a multiprocessor loads no faster than it can.
double CudaSelection::secondsOfFew(const ::vn::Convolution &c, const ::vn::Tile &tile) const {
  const int64_t bytes = bytesOfSum(c), stages = ceilDiv(ceilDiv(bytes, tile.k_bytes), tile.slices);
  const double wait = double(stages) / (tile.stages - 1) * machine.secondsToLoad;
  const double load = double(tile.m + tile.n) * double(bytes) / machine.blockBytesPerSecond;
  return double(ceilDiv(blocksOf(c, tile), machine.multiprocessors)) * std::max(wait, load);
}

// Where blocks are fewer than multiprocessors and sums long: a small tile in slices. None where it gains
// nothing.
std::optional<::vn::Tile> CudaSelection::inSlices(const ::vn::Convolution &c) const {
  if (blocksOf(c, c.tile) >= machine.multiprocessors || bytesOfSum(c) == 0)
    return std::nullopt;
  std::optional<::vn::Tile> best;
  double least = secondsOfFew(c, c.tile);
  for (const int m : {64, 32, 16})
    for (const int n : {64, 32, 16, 8})
      for (const int slices : {2, 4, 8, 16}) {
        const ::vn::Tile tile{.m = m,
                              .n = n,
                              .k_bytes = 128,
                              .warps_m = m == 16 ? 1 : 2,
                              .warps_n = 1,
                              .stages = 4,
                              .slices = slices};
        if (!tile.legal() || tile.threads() > 512 || tile.shared_bytes() > 160 * 1024 ||
            n >= 2 * c.out_channels() || ceilDiv(bytesOfSum(c), tile.k_bytes) < slices)
          continue;
        const double seconds = secondsOfFew(c, tile);
        if (seconds < 0.9 * least)
          best = tile, least = seconds;
      }
  return best;
}

// Those columns of a tile with which all blocks are done first, each tile being as long as the slower of its
// products and its bytes. None where a tile would be less than half full, or by warp groups it cannot be.
std::optional<::vn::HopperConvolution> CudaSelection::byWarpGroups(const ::vn::Convolution &c) const {
  using ::vn::HopperConvolution;
  if (!hopper || results_of(c) < HopperConvolution::group_rows)
    return std::nullopt;
  std::optional<HopperConvolution> best;
  double least = 0;
  for (const int columns : {256, 192, 128, 96, 64, 32, 16, 8}) {
    HopperConvolution h{c, columns, 2, int(machine.multiprocessors)};
    for (HopperConvolution more = h; more.legal() && more.stages <= 8; ++more.stages)
      h = more;
    if (h.registers() > HopperConvolution::most_registers)
      continue;
    // A tensor core's step is of 16 channels; of few too much would be zeros.
    const int64_t steps = (h.tap_stages() - 1) * (h.depth() / 16) + h.last_depth() / 16;
    if (!h.legal() || h.stages < 3 || 32 * steps > 3 * packed_channels(c.arithmetic, c.in.c))
      continue;
    const int64_t taps = int64_t(rows_of(c).count) * columns_of(c).count, stages = taps * h.tap_stages();
    const double perMultiprocessor = 1.0 / double(machine.multiprocessors);
    const double multiply =
        double(h.rows * columns * 16 * taps * steps) / (machine.bf16PerSecond * perMultiprocessor);
    const double load = double(stages) * (h.rows + columns) *
                        std::max(h.span() / machine.blockBytesPerSecond, machine.secondsOfCopiedRow);
    const double bytesOfResult = c.out.element == ::vn::Element::BF16 ? 2 : 4;
    const double store = std::max(h.rows * std::min(columns, c.out.c) * bytesOfResult *
                                      (1 + c.epilogue.addends) / (machine.bytesPerSecond * perMultiprocessor),
                                  double(columns) / h.slab() * machine.secondsOfSlab);
    const double time =
        double(ceilDiv(h.tiles(), machine.multiprocessors)) * (std::max(multiply, load) + store);
    if (!best || time < least) {
      best = h;
      least = time;
    }
  }
  return best;
}

// Where rows are long enough, and enough of them.
std::optional<::vn::HopperRows> CudaSelection::rowsByWarpGroups(const ::vn::Convolution &c) const {
  if (!hopper)
    return std::nullopt;
  ::vn::HopperRows rows{c, 0, 4, int(machine.multiprocessors)};
  for (const int columns : {16, 32, 64, 96, 128}) {
    rows.columns = columns;
    if (rows.legal() && rows.segments() >= 2 * rows.blocks)
      return rows;
  }
  return std::nullopt;
}

// A stage of a warp group's tile takes no less than its 128 pixels take to come.
bool CudaSelection::slicesBeat(const ::vn::HopperConvolution &h, const ::vn::Convolution &sliced) const {
  if (sliced.tile.slices == 1)
    return false;
  const int64_t stages = int64_t(rows_of(sliced).count) * columns_of(sliced).count * h.tap_stages();
  return secondsOfFew(sliced, sliced.tile) <
         double(ceilDiv(h.tiles(), machine.multiprocessors)) * double(stages) * machine.secondsOfHopperStage;
}

::vn::Epilogue CudaSelection::epilogueOf(const Epilogue &epilogue, const Places &at, Draft &draft) const {
  ::vn::Epilogue result;
  std::string text;
  size_t next = draft.reads.size();
  const auto operand = [&](const char *name, const std::string &as, bool bytes) {
    const Location &place = at.reads[next++];
    if (bytes)
      read(draft, name, place, "const unsigned char", place.view.bytes());
    else
      read(draft, name, place);
    if (!as.empty())
      text += (text.empty() ? "." : ", .") + as + " = " + name;
  };
  result.scale = epilogue.scale;
  if (epilogue.scale)
    operand("scale", "scale", false);
  result.bias = epilogue.bias;
  if (epilogue.bias)
    operand("bias", "bias", false);
  std::string addends;
  for (const Addend &addend : epilogue.addends) {
    const std::string name = "addend" + std::to_string(result.addends);
    result.addend[result.addends++] = {map(draft, addend.view, at.reads[next]), pairOf(addend.factor)};
    operand(name.c_str(), "", true);
    addends += (addends.empty() ? "" : ", ") + name;
  }
  if (!addends.empty())
    text += (text.empty() ? ".addend = {" : ", .addend = {") + addends + "}";
  result.activation = deviceActivation(epilogue.activation);
  result.masked = deviceActivation(epilogue.masked);
  if (epilogue.masked != Activation::None) {
    result.mask = map(draft, epilogue.mask, at.reads[next]);
    operand("mask", "mask", true);
  }
  draft.arguments = text;
  return result;
}

// Addends beyond those that a kernel takes are enlarged and added one by one.
PartialSums CudaSelection::convolutionOfManyAddends(const ConvolutionProblem &p, const Places &at) {
  const View whole = denseView(p.out.n, p.out.h, p.out.w, p.out.c);
  ConvolutionProblem first = p;
  const size_t begin = 2 + p.epilogue.scale + p.epilogue.bias, end = begin + p.epilogue.addends.size(),
               taken = begin + ::vn::most_addends;
  first.epilogue.addends.resize(::vn::most_addends);
  first.epilogue.activation = first.epilogue.masked = Activation::None;
  first.out = whole;
  Location sum = writer.map(whole);
  Places places = at;
  places.reads.assign(at.reads.begin(), at.reads.begin() + ptrdiff_t(taken));
  places.writes = {sum};
  places.sums = {};
  convolution(first, places);
  const bool masked = p.epilogue.masked != Activation::None;
  for (size_t i = taken; i < end; ++i) {
    Location addend = at.reads[i];
    if (p.epilogue.addends[i - begin].enlarged()) {
      const Location enlarged = writer.map(whole);
      plain(ResizeProblem{addend.view, whole}, {{addend}, {enlarged}, {}, false});
      addend = enlarged;
    }
    const bool last = i + 1 == end && !masked;
    const Location to = last ? at.writes[0] : writer.map(whole);
    plain(BinaryProblem{Binary::Add, sum.view, addend.view, to.view,
                        last ? p.epilogue.activation : Activation::None},
          {{sum, addend}, {to}, {}, false});
    sum = to;
  }
  if (masked)
    plain(ActivationGradientProblem{p.epilogue.mask, sum.view, p.out, p.epilogue.masked},
          {{at.reads[end], sum}, {at.writes[0]}, {}, false});
  return {};
}

Location CudaSelection::packedWeights(const ConvolutionProblem &p, const Places &at,
                                      const ::vn::Convolution &c, int merged, int rows, int channels) {
  const bool forward = p.direction == Direction::Forward;
  const ::vn::WeightLayout layout{int(p.groups),
                                  int((forward ? p.out.c : p.in.c) / p.groups),
                                  int((forward ? p.in.c : p.out.c) / p.groups),
                                  c.kernel,
                                  c.arithmetic,
                                  c.direction,
                                  merged,
                                  hasRowTaps(p),
                                  rows,
                                  channels};
  const Element element = c.arithmetic == ::vn::Arithmetic::BF16 ? Element::BF16 : Element::F32;
  const View packed = denseView(1, 1, 1, layout.elements(), element);
  Draft draft{.type = "WeightLayout", .function = "pack_weights", .constant = constantOf(layout)};
  draft.launch = launch_of(layout);
  if (c.arithmetic == ::vn::Arithmetic::TF32)
    draft.chosen = "tf32";
  if (merged > 1)
    draft.chosen += std::string(draft.chosen.empty() ? "" : " ") + "merged " + std::to_string(merged);
  if (layout.row_taps)
    draft.chosen = "row taps";
  if (rows > 0)
    draft.chosen += (draft.chosen.empty() ? "padded " : " padded ") + std::to_string(rows) + "x" +
                    std::to_string(channels);
  read(draft, "weight", at.reads[1]);
  write(draft, "packed", {-1, 0, packed});
  const WeightLayoutProblem problem{p.groups, layout.outputs, layout.inputs, p.kernel, element, p.direction};
  return writer.derived(kernelOf(problem, draft), at.reads[1], at.constantWeight, packed);
}

// What a problem says by itself.
static ::vn::Convolution convolutionOf(const ConvolutionProblem &p, ::vn::Arithmetic arithmetic) {
  return {.in = mapAt(p.in, {}),
          .out = mapAt(p.out, {}),
          .kernel = pairOf(p.kernel),
          .stride = pairOf(p.stride),
          .padding = pairOf(p.padding),
          .dilation = pairOf(p.dilation),
          .groups = int(p.groups),
          .direction =
              p.direction == Direction::Forward ? ::vn::Direction::Forward : ::vn::Direction::InputGradient,
          .arithmetic = arithmetic};
}

bool CudaSelection::hasRowTaps(const ConvolutionProblem &p) {
  return has_row_taps(
      convolutionOf(p, p.in.element == Element::BF16 ? ::vn::Arithmetic::BF16 : ::vn::Arithmetic::F32));
}

Location CudaSelection::paddedRows(const ::vn::Convolution &c, const Places &at) {
  Location in = at.reads[0];
  ::vn::PaddedRows rows = padded_rows_of(c);
  rows.array = at.fromArray;
  if (rows.array)
    in.view = denseView(in.view.n, in.view.h, in.view.w, in.view.c);
  const Location out =
      writer.map(denseView(in.view.n, in.view.h, rows.width, ::vn::row_pixel, Element::BF16));
  Draft draft{.type = "PaddedRows", .function = "padded_rows", .chosen = "padded rows"};
  if (rows.array)
    draft.chosen += " of the array";
  draft.constant.field("in", rows.array ? mapAt(in.view, {}) : map(draft, in));
  draft.constant.field("width", rows.width).field("left", rows.left).field("array", rows.array);
  draft.launch = launch_of(rows);
  read(draft, "in", in);
  write(draft, "out", out);
  View shifted = out.view;
  shifted.c = in.view.c;
  step(ShiftProblem{in.view, shifted, 0, rows.left}, draft);
  return out;
}

PartialSums CudaSelection::convolution(const ConvolutionProblem &p, const Places &at) {
  if (p.epilogue.addends.size() > size_t(::vn::most_addends))
    return convolutionOfManyAddends(p, at);
  const bool forward = p.direction == Direction::Forward;
  ::vn::Convolution c = convolutionOf(p, arithmeticOf(p.in));
  c.in = mapAt(p.in, at.reads[0]);
  c.out = mapAt(p.out, at.writes[0]);
  const int merged = mergedGroups(p.groups, p.in.c / p.groups, p.out.c / p.groups, c.arithmetic);
  c.groups = int(p.groups) / merged;
  const ::vn::Convolution whole = c;
  const bool rowTaps = hasRowTaps(p);
  const Location from = rowTaps ? paddedRows(c, at) : at.reads[0];
  if (rowTaps)
    c = by_rows(c);

  // With a stride each residue of the gradient's position has a launch of its own.
  std::vector<::vn::Convolution> launches;
  std::vector<std::string> reasons;
  std::vector<std::optional<::vn::HopperConvolution>> twins;
  Draft first;
  read(first, "in", from);
  read(first, "weight", at.reads[1]);
  ::vn::Epilogue epilogue = epilogueOf(p.epilogue, at, first); // by which kernels are chosen
  if (at.sums.kind == Sums::Moments)
    epilogue.sums = ::vn::Sums::Moments;
  else if (at.sums.kind == Sums::Gradient)
    epilogue.sums = ::vn::Sums::Gradient, epilogue.x = map(first, at.sums.reads[0]);
  std::optional<::vn::HopperRows> byRows;
  int parts = 0, weightRows = 0, weightChannels = 0;
  for (int y = 0; y < (forward ? 1 : c.stride.y); ++y)
    for (int x = 0; x < (forward ? 1 : c.stride.x); ++x) {
      ::vn::Convolution one = c;
      one.residue = {y, x};
      if (results_of(one) <= 0)
        continue;
      std::string reason;
      std::tie(one.tile, reason) = tileOf(results_of(one), c.out_channels(), c.groups);
      if (const auto sliced = inSlices(one)) {
        reason = std::to_string(blocksOf(one, one.tile)) + " blocks of " + std::to_string(one.tile.m) + "x" +
                 std::to_string(one.tile.n) + " for " + std::to_string(machine.multiprocessors) +
                 " multiprocessors: sums in " + std::to_string(sliced->slices) + " slices";
        one.tile = *sliced;
      }
      reasons.push_back(std::move(reason));
      one.epilogue.first_part = parts;
      parts += parts_of(one);
      ::vn::Convolution complete = one;
      complete.epilogue = epilogue;
      byRows = rowsByWarpGroups(complete);
      auto twin = byRows ? std::nullopt : byWarpGroups(complete);
      // Partial sums are as many in both.
      if (twin &&
          ((at.sums.kind != Sums::None && parts_of(*twin) != parts_of(one)) || slicesBeat(*twin, one)))
        twin.reset();
      if (twin) {
        weightRows = std::max(weightRows, twin->tiles_n() * twin->columns);
        weightChannels = twin->tap_stages() * twin->depth();
      }
      twins.push_back(std::move(twin));
      launches.push_back(one);
    }
  const Location weight = packedWeights(p, at, whole, merged, weightRows, weightChannels);
  PartialSums sums;
  if (at.sums.kind != Sums::None)
    sums = {doubles(int64_t(parts) * 2 * p.out.c), parts};

  const auto work = [](const ::vn::Convolution &one) {
    return int64_t(results_of(one)) * rows_of(one).count * columns_of(one).count;
  };
  int64_t allWork = 0, left = macsOf(p);
  for (const ::vn::Convolution &one : launches)
    allWork += work(one);
  for (::vn::Convolution &one : launches) {
    one.weight_rows = weightRows, one.weight_channels = weightChannels;
    ConvolutionProblem problem = p;
    Draft draft{.type = "Convolution", .function = "convolution"};
    map(draft, rowTaps ? from.view : p.in, from);
    map(draft, p.out, at.writes[0]);
    read(draft, "in", from);
    read(draft, "weight", weight);
    draft.chosen = tileText(one.tile, one.arithmetic);
    draft.reason = reasons[size_t(&one - launches.data())] + mergedText(merged);
    if (rowTaps) {
      draft.chosen += " row taps";
      draft.reason += "; of few channels, the taps of a row of the window are one";
    }
    if (merged > 1)
      draft.chosen += " merged " + std::to_string(merged);
    if (launches.size() > 1)
      draft.chosen += " residue " + std::to_string(one.residue.y) + "x" + std::to_string(one.residue.x);
    const int first = one.epilogue.first_part;
    one.epilogue = epilogueOf(p.epilogue, at, draft);
    if (sums.parts) {
      problem.epilogue.sums = at.sums.kind;
      one.epilogue.sums = at.sums.kind == Sums::Moments ? ::vn::Sums::Moments : ::vn::Sums::Gradient;
      one.epilogue.first_part = first;
      const auto also = [&](const char *name) {
        draft.arguments += (draft.arguments.empty() ? "." : ", .") + std::string(name) + " = " + name;
      };
      if (at.sums.kind == Sums::Gradient) {
        problem.epilogue.x = at.sums.reads[0].view;
        one.epilogue.x = map(draft, at.sums.reads[0]);
        read(draft, "x", at.sums.reads[0], "const unsigned char", at.sums.reads[0].view.bytes());
        read(draft, "mean", at.sums.reads[1]);
        also("x");
        also("mean");
      }
      also("sums");
      draft.chosen += first > 0 ? " part " + std::to_string(first) : "";
    }
    draft.arguments = "in, weight, out, {" + draft.arguments + "}";
    write(draft, "out", at.writes[0]);
    if (sums.parts)
      write(draft, "sums", sums.sums, "double", int64_t(parts) * 2 * p.out.c);
    draft.constant = constantOf(one);
    draft.launch = launch_of(one);
    if (byRows) {
      draft.hopper = {"HopperRows",
                      std::to_string(byRows->columns) + ", " + std::to_string(byRows->stages) + ", " +
                          std::to_string(byRows->blocks),
                      "hopper_rows",
                      {},
                      unsigned(byRows->threads)};
      draft.chosen += " hopper rows " + std::to_string(byRows->columns);
      draft.reason += "; on compute capability 9.0 each row is copied once for all of its windows";
    } else if (const auto &h = twins[size_t(&one - launches.data())]) {
      draft.hopper = {"HopperConvolution",
                      std::to_string(h->columns) + ", " + std::to_string(h->stages) + ", " +
                          std::to_string(h->blocks),
                      "hopper_convolution",
                      {"input_of", "weight_of"},
                      unsigned(h->threads)};
      draft.chosen += " hopper " + std::to_string(h->rows) + "x" + std::to_string(h->columns);
      draft.reason += "; on compute capability 9.0 by warp groups, " + std::to_string(h->tiles()) +
                      " tiles of " + std::to_string(h->columns) + " columns end first by the model";
    }
    const int64_t macs = &one == &launches.back() ? left : allWork ? macsOf(p) * work(one) / allWork : 0;
    left -= macs;
    // Each element of an addend or of the mask is read before the output's is stored, by the same thread.
    const int begin = 2 + p.epilogue.scale + p.epilogue.bias,
              end = begin + int(p.epilogue.addends.size()) + (p.epilogue.masked != Activation::None);
    Step &made = step(problem, draft, macs);
    for (int i = begin; i < end; ++i)
      mayReuse(made, {i});
    if (forward)
      touchWindows(made, p.kernel, p.stride, p.dilation);
    else if (work(one) == 0) // only zeros are written
      touch(made, 0, 0, 1), touch(made, 1, 0, 1);
    for (size_t i = 2; i < made.operands.size() && launches.size() > 1; ++i)
      if (const View &view = made.operands[i].view; view.h == p.out.h && view.w == p.out.w)
        touch(made, i, results_of(one), p.out.n * p.out.h * p.out.w);
  }
  return sums;
}

// The tile and the parts of the pixels with which the blocks, and the launch that adds the parts, are done
// first. A multiprocessor's blocks share what it reads of the cache and multiplies; a block alone waits for
// its loads, of which a few stages are on their way.
void CudaSelection::chooseTile(::vn::WeightGradient &g) const {
  constexpr double multiplied = 0.6; // of the products that a multiprocessor could make at best
  const bool wide = g.arithmetic == ::vn::Arithmetic::BF16;
  const double products = multiplied * machine.perSecond(Products(g.arithmetic));
  const double perMultiprocessor = double(machine.multiprocessors);
  std::optional<::vn::WeightGradient> best;
  double least = 0;
  for (const int m : {16, 32, 64, 128})
    for (const int n : {16, 32, 64, 128}) {
      if (!wide && std::max(m, n) > 64) // of float32 the fragments are read number by number
        continue;
      ::vn::WeightGradient one = g;
      const int warps = m * n >= 8192 ? 8 : m * n >= 512 ? 4 : 2;
      const int warpsOfRows = std::min(m / 16, n == 16 ? warps : warps >= 8 && m > n ? 4 : 2);
      one.tile = {.m = m,
                  .n = n,
                  .k_bytes = 128,
                  .warps_m = warpsOfRows,
                  .warps_n = warps / warpsOfRows,
                  .stages = m + n <= 96 ? 4 : 3};
      const double stageBytes = one.tile.stage_bytes(), stageProducts = double(m) * n * one.stage_pixels();
      const int64_t most = std::min<int64_t>(one.stages(), 4 * machine.multiprocessors);
      for (int splits = 1; splits <= most; ++splits) {
        one.splits = splits;
        const int64_t stages = ceilDiv(one.stages(), splits),
                      shared = ceilDiv(int64_t(one.tiles()) * splits, machine.multiprocessors) * stages;
        const double load = double(shared) * stageBytes * perMultiprocessor / machine.cacheBytesPerSecond;
        const double multiply = double(shared) * stageProducts * perMultiprocessor / products;
        const double wait = machine.secondsToLoad * (1 + double(stages) / (one.tile.stages - 1));
        const double parts = 4.0 * double(one.sum().elements()); // written, then read
        const double add = splits == 1 ? 0
                                       : 2 * parts / machine.cacheBytesPerSecond + machine.secondsToLoad +
                                             machine.secondsPerLaunch;
        const double time = std::max({load, multiply, wait}) + add;
        if (!best || time < least) {
          best = one;
          least = time;
        }
      }
    }
  g = *best;
}

void CudaSelection::weightGradient(const WeightGradientProblem &p, const Places &at) {
  ::vn::WeightGradient g{.x = mapAt(p.x, at.reads[0]),
                         .dy = mapAt(p.dy, at.reads[1]),
                         .kernel = pairOf(p.kernel),
                         .stride = pairOf(p.stride),
                         .dilation = pairOf(p.dilation),
                         .padding = pairOf(p.padding),
                         .arithmetic = arithmeticOf(p.dy)};
  // A tile has at least 16 rows, in any arithmetic.
  g.merged = mergedGroups(p.groups, p.x.c / p.groups, p.dy.c / p.groups, ::vn::Arithmetic::BF16);
  g.groups = int(p.groups) / g.merged;
  chooseTile(g);
  Draft draft{.type = "WeightGradient", .function = "weight_gradient"};
  map(draft, p.x, at.reads[0]);
  map(draft, p.dy, at.reads[1]);
  draft.launch = launch_of(g);
  draft.chosen = tileText(g.tile, g.arithmetic) +
                 (g.merged > 1 ? " merged " + std::to_string(g.merged) : "") +
                 (g.splits > 1 ? " parts " + std::to_string(g.splits) : "");
  draft.reason = std::to_string(g.outputs()) + (g.outputs() == 1 ? " channel" : " channels") +
                 mergedText(g.merged) + "; " + std::to_string(g.tiles()) +
                 (g.tiles() == 1 ? " tile" : " tiles") + " for " + std::to_string(machine.multiprocessors) +
                 " multiprocessors" +
                 (g.splits > 1 ? ", each in " + std::to_string(g.splits) + " parts of the pixels" : "");
  read(draft, "x", at.reads[0]);
  read(draft, "dy", at.reads[1]);
  const int64_t count = g.sum().elements();
  const Location parts = g.splits > 1 ? writer.scratch(count) : Location{};
  if (g.splits > 1)
    write(draft, "parts", parts, "float", count);
  else
    write(draft, "gradient", at.writes[0]);
  draft.arguments = g.splits > 1 ? "x, dy, nullptr, parts" : "x, dy, gradient, nullptr";
  draft.constant = constantOf(g);
  touchWindows(step(p, draft, macsOf(p)), p.kernel, p.stride, p.dilation);
  if (g.splits == 1)
    return;

  const ::vn::WeightGradientSum sum = g.sum();
  Draft last{.type = "WeightGradientSum", .function = "weight_gradient_sum"};
  last.chosen = "finish of " + std::to_string(g.splits);
  last.constant.field("outputs", sum.outputs).field("inputs", sum.inputs);
  last.constant.field("taps", sum.taps).field("parts", sum.parts);
  last.launch = launch_of(sum);
  read(last, "parts", parts, "const float", count);
  write(last, "gradient", at.writes[0]);
  step(p, last);
}

} // namespace vernier::codegen
