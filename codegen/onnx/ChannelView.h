// How an ONNX tensor lays out a map. ONNX computes on axes in any order and number, the language on channels,
// height and width: a reshape or a transposition changes what axes there are, not the map.
#ifndef VERNIER_CODEGEN_ONNX_CHANNELVIEW_H
#define VERNIER_CODEGEN_ONNX_CHANNELVIEW_H

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace vernier::codegen {

enum class MapAxis { Batch, Channel, Row, Column };

/// A part of an axis of the map: every `stride`-th of its positions, `extent` of them.
struct AxisPart {
  MapAxis axis;
  int64_t extent, stride;
  bool operator==(const AxisPart &) const = default;
};

class ChannelView {
public:
  /// N x C x H x W.
  static ChannelView ofMap(const std::array<int64_t, 4> &sizes);

  std::vector<int64_t> shape() const;
  size_t rank() const { return axes.size(); }
  bool operator==(const ChannelView &) const = default;

  /// Whether dimension `i` is the axis as a whole, in its order; of a size of 1, whatever axis it is.
  bool isWhole(size_t i, MapAxis axis, int64_t size) const;
  /// Whether it is N x C x H x W of these sizes.
  bool isMap(const std::array<int64_t, 4> &sizes) const;
  /// Whether it is N x C of a map of one pixel.
  bool isMatrix(const std::array<int64_t, 4> &sizes) const;
  /// Whether it is N x (C * H * W): a map that was flattened.
  bool isFlat(const std::array<int64_t, 4> &sizes) const;
  /// Whether the last dimension is the channels, the others being batch, rows and columns in this order.
  bool isChannelsLast(const std::array<int64_t, 4> &sizes) const;
  /// Where it is N x C x H x W but for channels that are read in groups: the number of groups of which each
  /// gives its first channel, then its second, and so on.
  std::optional<int64_t> shuffledGroups(const std::array<int64_t, 4> &sizes) const;

  /// The number of groups of neighbouring channels where it is N x groups x what each has, in the map's
  /// order.
  std::optional<int64_t> channelGroups(const std::array<int64_t, 4> &sizes) const;

  /// Whether dimension `i` holds all pixels, row by row.
  bool isPixels(size_t i, const std::array<int64_t, 4> &sizes) const;
  /// Whether it is N x (H * W) x C x 1: a map whose pixels and channels have changed places.
  bool isExchanged(const std::array<int64_t, 4> &sizes) const;
  /// Where dimension `i` goes over equal runs of channels, from place to place of each: their number.
  std::optional<int64_t> channelRuns(size_t i, const std::array<int64_t, 4> &sizes) const;
  /// Where it is N x C x H x W but for squares of so many pixels a side, which come behind their channel.
  std::optional<int64_t> squaresInChannels(const std::array<int64_t, 4> &sizes) const;

  /// The map with its dimensions in another order; `order` has been checked.
  ChannelView transposed(const std::vector<int64_t> &order) const;
  /// Nothing where a dimension would hold parts of axes.
  std::optional<ChannelView> reshaped(const std::vector<int64_t> &shape) const;

  /// The same dimensions of a map whose axis has another size: the result of what keeps the layout.
  std::optional<ChannelView> resized(const std::array<int64_t, 4> &before,
                                     const std::array<int64_t, 4> &after) const;
  /// Without the dimensions, which have size 1.
  ChannelView without(const std::vector<bool> &dropped) const;

private:
  using Dimension = std::vector<AxisPart>; // outermost first; parts of one element are left out
  std::vector<Dimension> axes;
};

} // namespace vernier::codegen

#endif
