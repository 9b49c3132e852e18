#include "codegen/onnx/ChannelView.h"

#include <algorithm>

namespace vernier::codegen {
namespace {

using Sizes = std::array<int64_t, 4>;
using Parts = std::vector<AxisPart>;

Parts whole(MapAxis axis, const Sizes &sizes) {
  const int64_t size = sizes[size_t(axis)];
  return size == 1 ? Parts() : Parts{{axis, size, 1}};
}

// Neighbours that are one part are joined.
void append(Parts &parts, const AxisPart &part) {
  if (part.extent == 1)
    return;
  if (!parts.empty() && parts.back().axis == part.axis && parts.back().stride == part.extent * part.stride)
    parts.back() = {part.axis, parts.back().extent * part.extent, part.stride};
  else
    parts.push_back(part);
}

} // namespace

ChannelView ChannelView::ofMap(const Sizes &sizes) {
  ChannelView view;
  for (const MapAxis axis : {MapAxis::Batch, MapAxis::Channel, MapAxis::Row, MapAxis::Column})
    view.axes.push_back(whole(axis, sizes));
  return view;
}

std::vector<int64_t> ChannelView::shape() const {
  std::vector<int64_t> sizes;
  for (const Dimension &dimension : axes) {
    int64_t size = 1;
    for (const AxisPart &part : dimension)
      size *= part.extent;
    sizes.push_back(size);
  }
  return sizes;
}

bool ChannelView::isWhole(size_t i, MapAxis axis, int64_t size) const {
  return size == 1 ? axes[i].empty() : axes[i] == Dimension{{axis, size, 1}};
}

bool ChannelView::isMap(const Sizes &sizes) const { return *this == ofMap(sizes); }

bool ChannelView::isMatrix(const Sizes &sizes) const {
  return axes.size() == 2 && sizes[2] == 1 && sizes[3] == 1 && isWhole(0, MapAxis::Batch, sizes[0]) &&
         isWhole(1, MapAxis::Channel, sizes[1]);
}

bool ChannelView::isFlat(const Sizes &sizes) const {
  Dimension rest;
  for (const MapAxis axis : {MapAxis::Channel, MapAxis::Row, MapAxis::Column})
    for (const AxisPart &part : whole(axis, sizes))
      append(rest, part);
  return axes.size() == 2 && axes[0] == whole(MapAxis::Batch, sizes) && axes[1] == rest;
}

bool ChannelView::isChannelsLast(const Sizes &sizes) const {
  if (axes.empty() || axes.back() != whole(MapAxis::Channel, sizes))
    return false;
  Dimension rest, wanted;
  for (size_t i = 0; i + 1 < axes.size(); ++i)
    for (const AxisPart &part : axes[i])
      append(rest, part);
  for (const MapAxis axis : {MapAxis::Batch, MapAxis::Row, MapAxis::Column})
    for (const AxisPart &part : whole(axis, sizes))
      append(wanted, part);
  return rest == wanted;
}

std::optional<int64_t> ChannelView::shuffledGroups(const Sizes &sizes) const {
  if (axes.size() != 4 || axes[1].size() != 2 || !isWhole(0, MapAxis::Batch, sizes[0]) ||
      !isWhole(2, MapAxis::Row, sizes[2]) || !isWhole(3, MapAxis::Column, sizes[3]))
    return std::nullopt;
  const AxisPart &outer = axes[1][0], &inner = axes[1][1];
  if (outer.axis != MapAxis::Channel || inner.axis != MapAxis::Channel || outer.stride != 1 ||
      inner.stride != outer.extent || outer.extent * inner.extent != sizes[1])
    return std::nullopt;
  return inner.extent;
}

std::optional<int64_t> ChannelView::channelGroups(const Sizes &sizes) const {
  if (axes.size() < 3 || !isWhole(0, MapAxis::Batch, sizes[0]) || axes[1].size() > 1)
    return std::nullopt;
  const int64_t groups = axes[1].empty() ? 1 : axes[1][0].extent, each = sizes[1] / groups;
  if (groups > 1 && axes[1][0] != AxisPart{MapAxis::Channel, groups, each})
    return std::nullopt;
  Dimension rest, wanted;
  for (size_t i = 2; i < axes.size(); ++i)
    for (const AxisPart &part : axes[i])
      append(rest, part);
  append(wanted, {MapAxis::Channel, each, 1});
  append(wanted, {MapAxis::Row, sizes[2], 1});
  append(wanted, {MapAxis::Column, sizes[3], 1});
  return rest == wanted ? std::optional(groups) : std::nullopt;
}

bool ChannelView::isPixels(size_t i, const Sizes &sizes) const {
  Dimension wanted;
  append(wanted, {MapAxis::Row, sizes[2], 1});
  append(wanted, {MapAxis::Column, sizes[3], 1});
  return axes[i] == wanted;
}

bool ChannelView::isExchanged(const Sizes &sizes) const {
  return axes.size() == 4 && isWhole(0, MapAxis::Batch, sizes[0]) && isPixels(1, sizes) &&
         isWhole(2, MapAxis::Channel, sizes[1]) && axes[3].empty();
}

std::optional<int64_t> ChannelView::channelRuns(size_t i, const Sizes &sizes) const {
  if (axes[i].empty())
    return 1;
  const AxisPart &part = axes[i][0];
  if (axes[i].size() != 1 || part.axis != MapAxis::Channel || part.extent * part.stride != sizes[1])
    return std::nullopt;
  return part.extent;
}

std::optional<int64_t> ChannelView::squaresInChannels(const Sizes &sizes) const {
  if (axes.size() != 4 || !isWhole(0, MapAxis::Batch, sizes[0]) || axes[1].size() < 2)
    return std::nullopt;
  const int64_t side = axes[1].back().extent;
  if (side < 2 || sizes[2] % side != 0 || sizes[3] % side != 0)
    return std::nullopt;
  Dimension channels, rows, columns;
  append(channels, {MapAxis::Channel, sizes[1], 1});
  append(channels, {MapAxis::Row, side, 1});
  append(channels, {MapAxis::Column, side, 1});
  append(rows, {MapAxis::Row, sizes[2] / side, side});
  append(columns, {MapAxis::Column, sizes[3] / side, side});
  return axes[1] == channels && axes[2] == rows && axes[3] == columns ? std::optional(side) : std::nullopt;
}

ChannelView ChannelView::transposed(const std::vector<int64_t> &order) const {
  ChannelView view;
  for (const int64_t dimension : order)
    view.axes.push_back(axes[size_t(dimension)]);
  return view;
}

std::optional<ChannelView> ChannelView::reshaped(const std::vector<int64_t> &shape) const {
  Parts rest;
  for (const Dimension &dimension : axes)
    rest.insert(rest.end(), dimension.begin(), dimension.end());
  std::reverse(rest.begin(), rest.end()); // the outermost is at the end, to be taken first
  ChannelView view;
  for (int64_t size : shape) {
    Dimension dimension;
    while (size > 1) {
      if (rest.empty())
        return std::nullopt;
      AxisPart part = rest.back();
      rest.pop_back();
      if (size % part.extent == 0) {
        append(dimension, part);
        size /= part.extent;
      } else if (part.extent % size == 0) {
        const int64_t inner = part.extent / size;
        rest.push_back({part.axis, inner, part.stride});
        append(dimension, {part.axis, size, part.stride * inner});
        size = 1;
      } else {
        return std::nullopt;
      }
    }
    view.axes.push_back(dimension);
  }
  if (!rest.empty())
    return std::nullopt;
  return view;
}

std::optional<ChannelView> ChannelView::resized(const Sizes &before, const Sizes &after) const {
  ChannelView view = *this;
  for (const MapAxis axis : {MapAxis::Batch, MapAxis::Channel, MapAxis::Row, MapAxis::Column}) {
    if (before[size_t(axis)] == after[size_t(axis)])
      continue;
    // The axis must be a dimension of its own; of size 1 nothing says which.
    bool found = false;
    for (Dimension &dimension : view.axes)
      if (!found && before[size_t(axis)] > 1 && dimension == whole(axis, before)) {
        dimension = whole(axis, after);
        found = true;
      }
    if (!found)
      return std::nullopt;
  }
  return view;
}

ChannelView ChannelView::without(const std::vector<bool> &dropped) const {
  ChannelView view;
  for (size_t i = 0; i < axes.size(); ++i)
    if (!dropped[i])
      view.axes.push_back(axes[i]);
  return view;
}

} // namespace vernier::codegen
