// Convolution and its two gradients as multiply-adds on one small tile of registers: seven pixels by sixteen
// output channels. Plain otherwise; the tile is what brings a ResNet-50 training step in double precision
// down to seconds.
#include "compiler/interpreter/Kernels.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#if defined(__x86_64__) && defined(__ELF__)
#define VERNIER_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VERNIER_VECTOR_CLONES
#endif

namespace vernier::interpreter {
namespace {

constexpr int64_t TilePixels = 7; // divides the usual map widths: 7, 14, 28, 56, 112
constexpr int64_t TileChannels = 16;

typedef double Vector __attribute__((vector_size(64)));
constexpr int64_t Lanes = 8;
constexpr int64_t TileVectors = TileChannels / Lanes;

struct alignas(64) Tile {
  Vector value[TilePixels][TileVectors];
};

// --- the two multiply-add loops ---

// tile[p] += sum over taps and k of sources[tap][p][k] * weights[tap][k].
VERNIER_VECTOR_CLONES
void accumulateTaps(Tile &tile, const double *const *sources, const double *const *weights, int64_t taps,
                    int64_t offset, int64_t depth) {
  Vector sum[TilePixels][TileVectors] = {};
  for (int64_t t = 0; t < taps; ++t) {
    const double *source[TilePixels];
    for (int64_t p = 0; p < TilePixels; ++p)
      source[p] = sources[t * TilePixels + p] + offset;
    auto *w = reinterpret_cast<const Vector *>(weights[t]);
    for (int64_t k = 0; k < depth; ++k, w += TileVectors)
      for (int64_t p = 0; p < TilePixels; ++p)
        for (int64_t v = 0; v < TileVectors; ++v)
          sum[p][v] += source[p][k] * w[v];
  }
  for (int64_t p = 0; p < TilePixels; ++p)
    for (int64_t v = 0; v < TileVectors; ++v)
      tile.value[p][v] = sum[p][v];
}

// tile[i] += sum over a row of `count` pixels of x[pixel * step][index[i]] * dy[pixel].
VERNIER_VECTOR_CLONES
void accumulateRow(Tile &tile, const double *x, int64_t step, const int64_t *index, const double *dy,
                   int64_t count) {
  Vector sum[TilePixels][TileVectors];
  for (int64_t i = 0; i < TilePixels; ++i)
    for (int64_t v = 0; v < TileVectors; ++v)
      sum[i][v] = tile.value[i][v];
  auto *d = reinterpret_cast<const Vector *>(dy);
  for (int64_t p = 0; p < count; ++p, x += step, d += TileVectors)
    for (int64_t i = 0; i < TilePixels; ++i)
      for (int64_t v = 0; v < TileVectors; ++v)
        sum[i][v] += x[index[i]] * d[v];
  for (int64_t i = 0; i < TilePixels; ++i)
    for (int64_t v = 0; v < TileVectors; ++v)
      tile.value[i][v] = sum[i][v];
}

// --- layouts that the loops read ---

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Doubles at a 64-byte boundary.
class Aligned {
public:
  explicit Aligned(int64_t size) : storage(size / Lanes, Vector{}) {}
  double *data() { return reinterpret_cast<double *>(storage.data()); }
  const double *data() const { return reinterpret_cast<const double *>(storage.data()); }

private:
  std::vector<Vector> storage;
};

// Weights of one direction: [group][block of 16 results][tap][k][16], zero beyond the last result channel.
struct PackedWeights {
  int64_t groups, results, depth, taps, blocks; // results and depth are per group
  Aligned values;
  bool finite;

  PackedWeights(const Tensor &weight, int64_t groups, bool transposed)
      : groups(groups), results(transposed ? weight.shape[1] : weight.shape[0] / groups),
        depth(transposed ? weight.shape[0] / groups : weight.shape[1]),
        taps(weight.shape[2] * weight.shape[3]), blocks(ceilDiv(results, TileChannels)),
        values(groups * blocks * taps * depth * TileChannels),
        finite(std::ranges::all_of(weight.data, [](double value) { return std::isfinite(value); })) {
    int64_t outputs = weight.shape[0], inputs = weight.shape[1], perGroup = outputs / groups;
    for (int64_t o = 0; o < outputs; ++o)
      for (int64_t i = 0; i < inputs; ++i)
        for (int64_t t = 0; t < taps; ++t) {
          int64_t result = transposed ? i : o % perGroup, k = transposed ? o % perGroup : i;
          at(o / perGroup, result / TileChannels, t)[k * TileChannels + result % TileChannels] =
              weight[(o * inputs + i) * taps + t];
        }
  }
  double *at(int64_t group, int64_t block, int64_t tap) {
    return values.data() + ((group * blocks + block) * taps + tap) * depth * TileChannels;
  }
  const double *at(int64_t group, int64_t block, int64_t tap) const {
    return const_cast<PackedWeights *>(this)->at(group, block, tap);
  }
};

// Fills `result`, each of whose pixels gathers one source pixel per tap. `row(y, kh)` and `column(x, kw)`
// give the source's coordinates, negative where there is none. Pixels of a tile lie `step` apart: at the
// distance at which the taps that apply repeat.
template <typename Row, typename Column>
void gather(const Tensor &source, const PackedWeights &weights, const Tensor *bias, int64_t kernelHeight,
            int64_t kernelWidth, int64_t step, Row row, Column column, Tensor &result) {
  const std::vector<double> zeros(source.channels(), 0.0);
  const int64_t rows = result.batch() * result.height(), width = result.width();
  const int64_t allBlocks = weights.groups * weights.blocks;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t gb = 0; gb < allBlocks; ++gb)
    for (int64_t ny = 0; ny < rows; ++ny) {
      const int64_t group = gb / weights.blocks, block = gb % weights.blocks;
      const int64_t n = ny / result.height(), y = ny % result.height();
      const int64_t first = block * TileChannels;
      const int64_t channels = std::min(TileChannels, weights.results - first);
      std::vector<const double *> sources(weights.taps * TilePixels), tapWeights(weights.taps);
      Tile tile;
      for (int64_t phase = 0; phase < std::min(step, width); ++phase)
        for (int64_t x0 = phase; x0 < width; x0 += step * TilePixels) {
          // Pixels [first, end) of the tile; the others' sums are left alone.
          const auto part = [&](int64_t firstPixel, int64_t endPixel) {
            int64_t taps = 0;
            for (int64_t kh = 0; kh < kernelHeight; ++kh) {
              int64_t sy = row(y, kh);
              if (sy < 0 || sy >= source.height())
                continue;
              for (int64_t kw = 0; kw < kernelWidth; ++kw) {
                bool any = false;
                for (int64_t p = 0; p < TilePixels; ++p) {
                  int64_t x = x0 + p * step;
                  int64_t sx = p >= firstPixel && p < endPixel && x < width ? column(x, kw) : -1;
                  bool inside = sx >= 0 && sx < source.width();
                  sources[taps * TilePixels + p] = inside ? source.pixel(n, sy, sx) : zeros.data();
                  any |= inside;
                }
                if (any)
                  tapWeights[taps++] = weights.at(group, block, kh * kernelWidth + kw);
              }
            }
            accumulateTaps(tile, sources.data(), tapWeights.data(), taps, group * weights.depth,
                           weights.depth);
            for (int64_t p = firstPixel; p < endPixel && x0 + p * step < width; ++p) {
              double *out = result.pixel(n, y, x0 + p * step) + group * weights.results + first;
              auto *value = reinterpret_cast<const double *>(tile.value[p]);
              for (int64_t c = 0; c < channels; ++c)
                out[c] = value[c] + (bias ? (*bias)[group * weights.results + first + c] : 0.0);
            }
          };
          if (weights.finite)
            part(0, TilePixels);
          else // a tap outside the map adds nothing, not 0 * infinity
            for (int64_t p = 0; p < TilePixels; ++p)
              part(p, p + 1);
        }
    }
}

int64_t outputSize(int64_t size, int64_t before, int64_t after, int64_t kernel, int64_t dilation,
                   int64_t stride) {
  int64_t room = size + before + after - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

Tensor withShape(const Tensor &t, std::vector<int64_t> shape) {
  Tensor result = t;
  result.shape = std::move(shape);
  return result;
}

} // namespace

// --- convolution ---

Tensor convolution(const Tensor &x, const Tensor &weight, const Tensor *bias, const ConvolutionGeometry &g) {
  assert(x.channels() == weight.shape[1] * g.groups);
  int64_t kh = weight.shape[2], kw = weight.shape[3];
  Tensor y({x.batch(), outputSize(x.height(), g.padding[0], g.padding[1], kh, g.dilation[0], g.stride[0]),
            outputSize(x.width(), g.padding[2], g.padding[3], kw, g.dilation[1], g.stride[1]),
            weight.shape[0]});
  gather(
      x, PackedWeights(weight, g.groups, /*transposed=*/false), bias, kh, kw, /*step=*/1,
      [&](int64_t oy, int64_t k) { return oy * g.stride[0] - g.padding[0] + k * g.dilation[0]; },
      [&](int64_t ox, int64_t k) { return ox * g.stride[1] - g.padding[2] + k * g.dilation[1]; }, y);
  return y;
}

Tensor convolutionInputGrad(const Tensor &dy, const Tensor &weight, const std::vector<int64_t> &inputShape,
                            const ConvolutionGeometry &g) {
  Tensor dx(inputShape);
  auto source = [](int64_t position, int64_t stride) { return position % stride ? -1 : position / stride; };
  gather(
      dy, PackedWeights(weight, g.groups, /*transposed=*/true), nullptr, weight.shape[2], weight.shape[3],
      /*step=*/g.stride[1],
      [&](int64_t iy, int64_t k) { return source(iy + g.padding[0] - k * g.dilation[0], g.stride[0]); },
      [&](int64_t ix, int64_t k) { return source(ix + g.padding[2] - k * g.dilation[1], g.stride[1]); }, dx);
  return dx;
}

Tensor transposedConvolution(const Tensor &x, const Tensor &weight, const Tensor *scale, const Tensor *bias,
                             const ConvolutionGeometry &g, const std::array<int64_t, 2> &outputPadding) {
  assert(x.channels() == weight.shape[0]);
  int64_t size[2];
  for (int axis : {0, 1})
    size[axis] = (x.shape[1 + axis] - 1) * g.stride[axis] - g.padding[2 * axis] - g.padding[2 * axis + 1] +
                 g.dilation[axis] * (weight.shape[2 + axis] - 1) + outputPadding[axis] + 1;
  const int64_t channels = weight.shape[1] * g.groups;
  Tensor y = convolutionInputGrad(x, weight, {x.batch(), size[0], size[1], channels}, g);
  for (int64_t i = 0; i < y.size(); ++i) {
    if (scale)
      y[i] *= (*scale)[i % channels];
    if (bias)
      y[i] += (*bias)[i % channels];
  }
  return y;
}

Tensor convolutionWeightGrad(const Tensor &x, const Tensor &dy, const std::vector<int64_t> &weightShape,
                             const ConvolutionGeometry &g) {
  Tensor dw(weightShape);
  const int64_t depth = weightShape[1], kernelHeight = weightShape[2], kernelWidth = weightShape[3];
  const int64_t taps = kernelHeight * kernelWidth, perGroup = weightShape[0] / g.groups;
  const int64_t blocks = ceilDiv(perGroup, TileChannels), pixels = dy.pixels();

  // dy as [group][block of 16 channels][pixel][16].
  Aligned packed(g.groups * blocks * pixels * TileChannels);
#pragma omp parallel for schedule(static)
  for (int64_t gb = 0; gb < g.groups * blocks; ++gb) {
    int64_t first = gb % blocks * TileChannels, channels = std::min(TileChannels, perGroup - first);
    const double *from = dy.data.data() + gb / blocks * perGroup + first;
    double *to = packed.data() + gb * pixels * TileChannels;
    for (int64_t p = 0; p < pixels; ++p, from += dy.channels(), to += TileChannels)
      std::copy(from, from + channels, to);
  }

  const int64_t depthBlocks = ceilDiv(depth, TilePixels);
#pragma omp parallel for collapse(3) schedule(static)
  for (int64_t gb = 0; gb < g.groups * blocks; ++gb)
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t db = 0; db < depthBlocks; ++db) {
        const int64_t group = gb / blocks, kh = tap / kernelWidth, kw = tap % kernelWidth;
        int64_t index[TilePixels]; // the last block repeats its last channel and drops the copies
        for (int64_t i = 0; i < TilePixels; ++i)
          index[i] = group * depth + std::min(db * TilePixels + i, depth - 1);
        // Output columns whose source column lies inside the map.
        const int64_t shift = kw * g.dilation[1] - g.padding[2];
        const int64_t begin = shift < 0 ? ceilDiv(-shift, g.stride[1]) : 0;
        const int64_t last = x.width() - 1 - shift;
        const int64_t end = last < 0 ? 0 : std::min(dy.width(), last / g.stride[1] + 1);
        Tile tile{};
        for (int64_t n = 0; n < dy.batch() && begin < end; ++n)
          for (int64_t oy = 0; oy < dy.height(); ++oy) {
            int64_t iy = oy * g.stride[0] - g.padding[0] + kh * g.dilation[0];
            if (iy < 0 || iy >= x.height())
              continue;
            accumulateRow(
                tile, x.pixel(n, iy, begin * g.stride[1] + shift), g.stride[1] * x.channels(), index,
                packed.data() + ((gb * dy.batch() + n) * dy.height() * dy.width() + oy * dy.width() + begin) *
                                    TileChannels,
                end - begin);
          }
        const int64_t first = gb % blocks * TileChannels;
        for (int64_t i = 0; i < TilePixels && db * TilePixels + i < depth; ++i)
          for (int64_t c = 0; c < std::min(TileChannels, perGroup - first); ++c)
            dw[((group * perGroup + first + c) * depth + db * TilePixels + i) * taps + tap] =
                reinterpret_cast<const double *>(tile.value[i])[c];
      }
  return dw;
}

// --- linear: a 1x1 convolution of a 1x1 map ---

Tensor linear(const Tensor &x, const Tensor &weight, const Tensor *bias) {
  return convolution(x, withShape(weight, {weight.shape[0], weight.shape[1], 1, 1}), bias, {});
}

Tensor linearInputGrad(const Tensor &dy, const Tensor &weight) {
  return convolutionInputGrad(dy, withShape(weight, {weight.shape[0], weight.shape[1], 1, 1}),
                              {dy.batch(), 1, 1, weight.shape[1]}, {});
}

Tensor linearWeightGrad(const Tensor &x, const Tensor &dy) {
  Tensor dw = convolutionWeightGrad(x, dy, {dy.channels(), x.channels(), 1, 1}, {});
  dw.shape.resize(2);
  return dw;
}

} // namespace vernier::interpreter
