// What becomes of a tile of a convolution's sums: the epilogue, by threads that share the tile.
//
// The sums are a matrix in shared memory: `m` results of the product, `row` floats apart, by `n` channels of
// a group. A thread has some of the vectors of its rows, all of the same channels, so that what belongs to
// channels stays in registers. What the epilogue reads of maps is asked for ahead of the sums, a whole part
// of the tile before it is needed: memory has time to answer while others are multiplied or stored.
//
//   TileResults<c, m, n, row, threads> results{thread, group};
//   results.begin(first_result, first_channel, operands);     long before the sums are there
//   results.store(matrix, first_channel, ..., out, operands);     where all sums are in the matrix
//   results.add_up(scratch, first_channel, part, operands, barrier);     where the epilogue has sums
#ifndef VERNIER_CUDA_DEVICE_CONVOLUTION_RESULTS_CUH
#define VERNIER_CUDA_DEVICE_CONVOLUTION_RESULTS_CUH

#include "convolution_problem.cuh"
#include "warp.cuh"

namespace vn {

namespace detail {

// Of the epilogue's maps 0 to count - 1 the vectors that are asked for, and the pixels that they are of.
template <Epilogue epilogue, int count, int vector, int each>
struct Fetched : Fetched<epilogue, count - 1, vector, each> {
  static constexpr int words = vector * int(sizeof(Number<read_of(epilogue, count - 1).map.element>)) / 4;
  Vector<uint32_t, words> of_map[each], taken[each];
  int pixel[each];
};
template <Epilogue epilogue, int vector, int each> struct Fetched<epilogue, 0, vector, each> {};

} // namespace detail

template <Convolution c, int m, int n, int row, int threads> struct TileResults {
  static constexpr Convolution convolution = c;
  static constexpr Epilogue epilogue = c.epilogue;
  static constexpr Taps rows = rows_of(c), columns = columns_of(c);
  static constexpr int vector = vector_of(c.out, epilogue, c.groups == 1 ? 0 : c.out_channels());
  static constexpr int vectors = n / vector; // of a row
  static constexpr int rows_apart = threads / vectors, each = ceil_div(m, rows_apart);
  // There is no vector of which some channels alone are the group's.
  static constexpr bool whole = c.out_channels() % vector == 0;
  // More would not fit into the registers that the sums leave.
  static constexpr int most_fetched = each <= 8 && vector > 1 && whole ? 3 : 0;
  static constexpr int fetched = reads_of(epilogue) < most_fetched ? reads_of(epilogue) : most_fetched;
  // Results follow each other as the pixels of memory.
  static constexpr bool in_order = rows.out_step == 1 && columns.out_step == 1;
  static_assert(threads % 32 == 0 && threads % vectors == 0, "a thread's vectors are of the same channels");

  // Where a column of the matrix lies in its row. Of vectors of 8 the first halves lie before the second
  // ones, which are 4 banks further: neither those that store pairs, as sums lie in registers, nor those that
  // load halves meet in one bank.
  static constexpr bool halves = vector == 8 && row >= n + 8;
  static VN_DEVICE int place_of(int column) {
    return halves ? column / 4 % 2 * (n / 2 + 4) + column / 8 * 4 + column % 4 : column;
  }

  int thread, group;
  int first_result = 0, end = 0; // those from `end` on are not stored
  detail::Fetched<epilogue, fetched, vector, each> ahead{};
  float scale[vector] = {}, bias[vector] = {}; // of the channels that are asked for
  static constexpr int summed = epilogue.sums == Sums::None ? 1 : vector;
  double first[summed] = {}, second[summed] = {};

  // A tile of these results; asks for what is read of its channels from the first on.
  VN_DEVICE void begin(int tile_result, int first_channel, const EpilogueOperands &operands,
                       int tile_end = results_of(c)) {
    first_result = tile_result, end = tile_end;
    if constexpr (fetched > 0) {
      VN_UNROLL
      for (int j = 0; j < each; ++j)
        find_all(j, std::make_integer_sequence<int, fetched>());
    }
    fetch_channels(first_channel, operands);
    if constexpr (fetched > 0)
      fetch_rows(first_channel, operands);
  }

  // Stores what the epilogue makes of the sums. Where there are `more` of the tile's channels, asks for those
  // from `next_channel` on.
  template <bool more>
  VN_DEVICE void store(Shared<const float> matrix, int first_channel, int next_channel,
                       Global<Number<c.out.element>> out, const EpilogueOperands &operands) {
    const int channel = channel_of(first_channel), valid = valid_of(first_channel);
    float mean[vector] = {};
    if constexpr (epilogue.sums == Sums::Gradient) {
      VN_UNROLL
      for (int k = 0; k < vector; ++k)
        if (whole ? valid > 0 : k < valid)
          mean[k] = operands.mean[channel + k];
    }
    if constexpr (epilogue.sums != Sums::None) {
      VN_UNROLL
      for (int k = 0; k < vector; ++k)
        first[k] = second[k] = 0;
    }
    // A warp counts its loads together and waits for all that it has asked for. So the next ones are asked
    // for when what is there has been taken.
    if constexpr (more && fetched > 0) {
      take_all(std::make_integer_sequence<int, fetched>());
      fetch_rows(next_channel, operands);
    }
    const auto one = [&](int j) {
      const int at = row_of(j), result = first_result + at;
      if (at < m && result < end && valid > 0) {
        const int pixel = pixel_of_map<-1>(result);
        float values[vector];
        constexpr int at_once = vector < 4 ? vector : 4;
        VN_UNROLL
        for (int k = 0; k < vector; k += at_once) {
          const Vector<float, at_once> loaded =
              load_shared<at_once>(matrix + (at * row + place_of(thread % vectors * vector + k)));
          VN_UNROLL
          for (int i = 0; i < at_once; ++i)
            values[k + i] = loaded[i];
        }
        VN_UNROLL
        for (int k = 0; k < vector; ++k) {
          if constexpr (epilogue.scale)
            values[k] *= scale[k];
          if constexpr (epilogue.bias)
            values[k] += bias[k];
        }
        add_all<more>(values, j, channel, valid, operands,
                      std::make_integer_sequence<int, epilogue.addends>());
        if constexpr (epilogue.activation != Activation::None) {
          VN_UNROLL
          for (int k = 0; k < vector; ++k)
            values[k] = activated<epilogue.activation>(values[k]);
        }
        if constexpr (epilogue.masked != Activation::None) {
          const auto mask = read<epilogue.addends, more>(j, channel, valid, operands);
          VN_UNROLL
          for (int k = 0; k < vector; ++k)
            values[k] = gradient_through<epilogue.masked>(to_float(mask[k]), values[k]);
        }
        store_floats(out + (pixel * c.out.pixel + channel), values, whole ? vector : valid);
        if constexpr (epilogue.sums == Sums::Moments) {
          VN_UNROLL
          for (int k = 0; k < vector; ++k) {
            first[k] += values[k];
            second[k] += double(values[k]) * values[k];
          }
        } else if constexpr (epilogue.sums == Sums::Gradient) {
          const auto x = read<reads_of(epilogue) - 1, more>(j, channel, valid, operands);
          VN_UNROLL
          for (int k = 0; k < vector; ++k) {
            first[k] += values[k];
            second[k] += double(values[k]) * (to_float(x[k]) - mean[k]);
          }
        }
      }
    };
    if constexpr (each <= 8) {
      VN_UNROLL
      for (int j = 0; j < each; ++j)
        one(j);
    } else {
      for (int j = 0; j < each; ++j)
        one(j);
    }
    if constexpr (more)
      fetch_channels(next_channel, operands);
  }

  // Part `part` of the epilogue's sums, of what was stored last. `scratch` holds 4 n doubles for every 64
  // threads, which nobody else uses; `barrier()` is one for all of the threads.
  template <class Barrier>
  VN_DEVICE void add_up(Shared<float> scratch, int first_channel, int part, const EpilogueOperands &operands,
                        const Barrier &barrier) {
    constexpr int warp_vectors = vectors < 32 ? vectors : 32, // of different channels, in a warp
        groups = threads / 32 / (vectors / warp_vectors);     // of warps with the same channels
    const Shared<double> sums = shared_as<double>(scratch);
    const auto from = [&](double value, int lanes) {
      auto words = detail::bits<Vector<uint32_t, 2>>(value);
      VN_UNROLL
      for (int i = 0; i < 2; ++i)
        words[i] = shfl_xor_sync(all_lanes, words[i], lanes);
      return detail::bits<double>(words);
    };
    VN_UNROLL
    for (int k = 0; k < vector; ++k) {
      VN_UNROLL
      for (int lanes = warp_vectors; lanes < 32; lanes *= 2) {
        first[k] += from(first[k], lanes);
        second[k] += from(second[k], lanes);
      }
      if (thread % 32 < warp_vectors) {
        const int at = thread / 32 / (vectors / warp_vectors) * 2 * n + thread % vectors * vector + k;
        sums[at] = first[k];
        sums[at + n] = second[k];
      }
    }
    barrier();
    for (int i = thread; i < 2 * n; i += threads) {
      if (first_channel + i % n >= c.out_channels())
        continue;
      double total = 0;
      for (int g = 0; g < groups; ++g)
        total += sums[g * 2 * n + i];
      operands.sums[(2 * (epilogue.first_part + part) + i / n) * c.out.c + group * c.out_channels() +
                    first_channel + i % n] = total;
    }
  }

private:
  // Of a result's pixel, in the map that the epilogue reads; -1: in the result's.
  template <int i> static VN_DEVICE int pixel_of_map(int result) {
    constexpr Addend from = i < 0 ? Addend{c.out, {1, 1}} : read_of(epilogue, i);
    if constexpr (in_order && from.factor.y == 1 && from.factor.x == 1)
      return result;
    const ResultPixel at = pixel_of<c>(result);
    const int y = at.y * rows.out_step + rows.out_start, x = at.x * columns.out_step + columns.out_start;
    return (at.n * from.map.h + y / from.factor.y) * from.map.w + x / from.factor.x;
  }
  VN_DEVICE int row_of(int j) const { return thread / vectors + j * rows_apart; }
  VN_DEVICE int channel_of(int first_channel) const {
    return group * c.out_channels() + first_channel + thread % vectors * vector;
  }
  VN_DEVICE int valid_of(int first_channel) const {
    return c.out_channels() - first_channel - thread % vectors * vector;
  }

  template <int i> using Read = Vector<Number<read_of(epilogue, i).map.element>, vector>;
  template <int i>
  static VN_DEVICE Read<i> load(int pixel, int channel, int valid, const EpilogueOperands &operands) {
    constexpr Map map = read_of(epilogue, i).map;
    const auto p = global_as<const Number<map.element>>(pointer_of<epilogue, i>(operands)) +
                   (pixel * map.pixel + channel);
    if (whole || valid >= vector)
      return load_global<vector>(p);
    Read<i> some{};
    VN_UNROLL
    for (int k = 0; k < vector; ++k)
      if (k < valid)
        some[k] = p[k];
    return some;
  }
  template <int i> VN_DEVICE auto &fetched_of() {
    return static_cast<detail::Fetched<epilogue, i + 1, vector, each> &>(ahead);
  }
  template <int i, bool takes>
  VN_DEVICE Read<i> read(int j, int channel, int valid, const EpilogueOperands &operands) {
    if constexpr (i < fetched)
      return detail::bits<Read<i>>(takes ? fetched_of<i>().taken[j] : fetched_of<i>().of_map[j]);
    else
      return load<i>(pixel_of_map<i>(first_result + row_of(j)), channel, valid, operands);
  }
  template <int... i> VN_DEVICE void find_all(int j, std::integer_sequence<int, i...>) {
    ((fetched_of<i>().pixel[j] = pixel_of_map<i>(first_result + row_of(j))), ...);
  }
  template <int i>
  VN_DEVICE void fetch_map(int j, bool there, int channel, const EpilogueOperands &operands) {
    constexpr Map map = read_of(epilogue, i).map;
    auto &of = fetched_of<i>();
    load_words_if(there, of.of_map[j],
                  global_as<const Number<map.element>>(pointer_of<epilogue, i>(operands)) +
                      (of.pixel[j] * map.pixel + channel));
  }
  template <int... i>
  VN_DEVICE void fetch_all(int j, bool there, int channel, const EpilogueOperands &operands,
                           std::integer_sequence<int, i...>) {
    (fetch_map<i>(j, there, channel, operands), ...);
  }
  VN_DEVICE void fetch_rows(int first_channel, const EpilogueOperands &operands) {
    VN_UNROLL
    for (int j = 0; j < each; ++j)
      fetch_one(j, first_channel, operands);
  }
  template <int... i> VN_DEVICE void take_all(std::integer_sequence<int, i...>) { (take<i>(), ...); }
  template <int i> VN_DEVICE void take() {
    auto &of = fetched_of<i>();
    VN_UNROLL
    for (int j = 0; j < each; ++j)
      VN_UNROLL
    for (int k = 0; k < of.words; ++k)
      of.taken[j][k] = arrived(of.of_map[j][k]);
  }
  VN_DEVICE void fetch_one(int j, int first_channel, const EpilogueOperands &operands) {
    const int at = row_of(j);
    const bool there = at < m && first_result + at < end && valid_of(first_channel) > 0;
    fetch_all(j, there, channel_of(first_channel), operands, std::make_integer_sequence<int, fetched>());
  }
  // Of channels that are not there those of channel 0.
  VN_DEVICE void fetch_channels(int first_channel, const EpilogueOperands &operands) {
    const int channel = channel_of(first_channel), valid = valid_of(first_channel);
    VN_UNROLL
    for (int k = 0; k < vector; ++k) {
      const int from = (whole ? valid > 0 : k < valid) ? channel + k : 0;
      if constexpr (epilogue.scale)
        scale[k] = operands.scale[from];
      if constexpr (epilogue.bias)
        bias[k] = operands.bias[from];
    }
  }
  template <int i, bool takes>
  VN_DEVICE void add_one(float (&values)[vector], int j, int channel, int valid,
                         const EpilogueOperands &operands) {
    const auto more = read<i, takes>(j, channel, valid, operands);
    VN_UNROLL
    for (int k = 0; k < vector; ++k)
      values[k] += to_float(more[k]);
  }
  template <bool takes, int... i>
  VN_DEVICE void add_all(float (&values)[vector], int j, int channel, int valid,
                         const EpilogueOperands &operands, std::integer_sequence<int, i...>) {
    (add_one<i, takes>(values, j, channel, valid, operands), ...);
  }
};

} // namespace vn

#endif
