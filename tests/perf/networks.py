"""The networks that are compared, written once; each peer derives from Network and says how to compute an operation.

Names of parameters are those of the published PyTorch models, which Vernier's specifications use too.
"""

import dataclasses
import tomllib


@dataclasses.dataclass
class Map:
    """What an operation returns: channels, height, width of it, and whatever the peer knows it by."""

    channels: int
    height: int
    width: int
    value: object


class Network:
    def parameter(self, name, shape, kind, stored=None):
        """Kinds: conv, fc, bias, gamma, beta, mean, var. `stored`: the published shape, where it differs."""
        raise NotImplementedError

    def conv(self, x, name, channels, kernel=1, stride=1, groups=1):
        padding = kernel // 2
        weight = self.parameter(f"{name}.weight", (channels, x.channels // groups, kernel, kernel), "conv")
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in (x.height, x.width))
        return Map(channels, height, width, self.compute_conv(x.value, weight, stride, padding, groups))

    def batch_norm(self, x, name):
        parameters = self.batch_norm_parameters(name, x.channels)
        return dataclasses.replace(x, value=self.compute_batch_norm(x.value, *parameters))

    def batch_norm_parameters(self, name, channels):
        kinds = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
        return [self.parameter(f"{name}.{leaf}", (channels,), kind) for leaf, kind in kinds.items()]

    def relu(self, x):
        return dataclasses.replace(x, value=self.compute_relu(x.value))

    def max_pool(self, x, kernel, stride, padding=0):
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in (x.height, x.width))
        return Map(x.channels, height, width, self.compute_max_pool(x.value, kernel, stride, padding))

    def average_pool(self, x, kernel, stride, padding=0):
        """The mean over the whole window, padding included."""
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in (x.height, x.width))
        return Map(x.channels, height, width, self.compute_average_pool(x.value, kernel, stride, padding))

    def resize(self, x, like, mode):
        """`mode`: nearest, or bilinear with half-pixel centres."""
        factors = None  # whole numbers where both sides divide
        if like.height % x.height == 0 and like.width % x.width == 0:
            factors = like.height // x.height, like.width // x.width
        value = self.compute_resize(x.value, like.height, like.width, factors, mode)
        return Map(x.channels, like.height, like.width, value)

    def split(self, x, parts):
        values = self.compute_split(x.value, parts, x.channels // parts)
        return [dataclasses.replace(x, channels=x.channels // parts, value=value) for value in values]

    def add(self, a, b):
        return dataclasses.replace(a, value=self.compute_add(a.value, b.value))

    def concat(self, maps):
        value = self.compute_concat([m.value for m in maps])
        return dataclasses.replace(maps[0], channels=sum(m.channels for m in maps), value=value)

    def classify(self, x, classes, stored=None):
        """Global average pooling and a linear layer; returns the peer's value."""
        weight = self.parameter("fc.weight", (classes, x.channels), "fc", stored)
        bias = self.parameter("fc.bias", (classes,), "bias")
        return self.compute_classify(x.value, weight, bias)

    def conv_bn(self, x, place, conv, bn, channels, kernel=1, stride=1, groups=1):
        return self.batch_norm(self.conv(x, place + conv, channels, kernel, stride, groups), place + bn)


def stages(depths, first=64):
    """(place, index, width, stride) of each block of a residual network; the first one of a later stage strides."""
    for stage, depth in enumerate(depths):
        for i in range(depth):
            yield f"layer{stage + 1}.{i}.", i, first << stage, 2 if i == 0 and stage > 0 else 1


def stem(net, x):
    return net.max_pool(net.relu(net.conv_bn(x, "", "conv1", "bn1", 64, 7, 2)), 3, 2, 1)


def shortcut(net, x, place, out, stride=1):
    if x.channels == out and stride == 1:
        return x
    return net.conv_bn(x, place, "downsample.0", "downsample.1", out, 1, stride)


def resnet50(net, x):
    return residual(net, stem(net, x), [3, 4, 6, 3], 64, 1000)


def residual(net, x, depths, first, classes):
    for place, _, width, stride in stages(depths, first):
        straight = shortcut(net, x, place, 4 * width, stride)
        y = net.relu(net.conv_bn(x, place, "conv1", "bn1", width))
        y = net.relu(net.conv_bn(y, place, "conv2", "bn2", width, 3, stride))
        y = net.conv_bn(y, place, "conv3", "bn3", 4 * width)
        x = net.relu(net.add(y, straight))
    return net.classify(x, classes)


def resnet38_cifar(net, x):
    x = net.relu(net.conv_bn(x, "", "conv1", "bn1", 16, 3))
    return residual(net, x, [4, 4, 4], 16, 100)


# --- ScaleNet


def scalenet50(net, x, channels):
    return scalenet(net, stem(net, x), [3, 4, 6, 3], [1, 2, 4, 7], 64, 56, channels, 1000)


def scalenet101(net, x, channels):
    return scalenet(net, stem(net, x), [3, 4, 23, 3], [1, 2, 4, 7], 64, 56, channels, 1000)


def scalenet38_cifar(net, x, channels):
    x = net.relu(net.conv_bn(x, "", "conv1", "bn1", 16, 3))
    return scalenet(net, x, [4, 4, 4], [1, 2, 4], 16, 32, channels, 100)


def scalenet(net, x, depths, factors, first, side, channels, classes):
    """`channels`: place of a block -> how many each scale has. `side`: of the maps of the first stage."""
    for place, _, width, stride in stages(depths, first):
        if stride > 1:
            x = net.max_pool(x, 2, 2)
        straight = shortcut(net, x, place, 4 * width)
        y = net.relu(net.conv_bn(x, place, "conv1", "bn1", width))
        y = net.relu(scale_aggregation(net, y, place, channels[place + "channels"], factors, side * first // width))
        y = net.conv_bn(y, place, "conv3", "bn3", 4 * width)
        x = net.relu(net.add(y, straight))
    return net.classify(x, classes)


def scale_aggregation(net, x, place, channels, factors, side):
    branches = []
    for i, (count, factor) in enumerate(zip(channels, factors)):
        if count == 0:
            continue
        y = x if factor == 1 else net.max_pool(x, factor, factor)
        y = net.conv(y, f"{place}conv2.{i}", count, 3 if side > factor else 1)
        if y.height < x.height:
            divides = x.height % y.height == 0 and x.width % y.width == 0
            y = net.resize(y, x, "nearest" if divides else "bilinear")
        branches.append(net.batch_norm(y, f"{place}bn2.{i}"))
    return net.concat(branches) if len(branches) > 1 else branches[0]


# --- Res2Net


def res2net50_26w_4s(net, x):
    scales = 4
    x = stem(net, x)
    for place, i, width, stride in stages([3, 4, 6, 3]):
        straight = shortcut(net, x, place, 4 * width, stride)
        slice_width = width * 26 // 64
        y = net.relu(net.conv_bn(x, place, "conv1", "bn1", slice_width * scales))
        *slices, last = net.split(y, scales)
        parts = []
        for s, part in enumerate(slices):
            if s > 0 and i > 0:
                part = net.add(part, parts[-1])
            parts.append(net.relu(net.conv_bn(part, place, f"convs.{s}", f"bns.{s}", slice_width, 3, stride)))
        parts.append(last if i > 0 else net.average_pool(last, 3, stride, 1))
        y = net.conv_bn(net.concat(parts), place, "conv3", "bn3", 4 * width)
        x = net.relu(net.add(y, straight))
    return net.classify(x, 1000)


# --- Elastic


def resnext50_elastic(net, x):
    x = stem(net, x)
    for place, _, width, stride in stages([6, 8, 5, 3]):
        straight = shortcut(net, x, place, 4 * width, stride)
        x = elastic(net, x, straight, place, width, stride, halved=stride == 1 and width < 512)
    return net.classify(x, 1000)


def elastic(net, x, straight, place, width, stride, halved):
    """Two halves of a ResNeXt bottleneck with 16 groups each; one of them sees the map at half resolution."""

    def half(x, suffix, stride):
        y = net.relu(net.conv_bn(x, place, "conv1" + suffix, "bn1" + suffix, width))
        y = net.relu(net.conv_bn(y, place, "conv2" + suffix, "bn2" + suffix, width, 3, stride, groups=16))
        return net.conv(y, f"{place}conv3{suffix}", straight.channels)

    if halved:
        assert x.height % 2 == 0 and x.width % 2 == 0  # as at 224 x 224
        low = net.resize(half(net.average_pool(x, 2, 2), "_d", 1), x, "bilinear")
    else:
        low = half(x, "_d", stride)
    y = net.batch_norm(net.add(half(x, "", stride), low), place + "bn3")
    return net.relu(net.add(y, straight))


def dla60x_elastic(net, x):
    x = net.relu(net.conv_bn(x, "", "base_layer.0", "base_layer.1", 16, 7))
    for level, (channels, stride) in enumerate([(16, 1), (32, 2)]):
        x = net.relu(net.conv_bn(x, f"level{level}.", "0", "1", channels, 3, stride))
    for i, (depth, channels) in enumerate(zip([1, 2, 3, 1], [128, 256, 512, 1024])):
        x = dla_tree(net, x, f"level{i + 2}.", depth, channels, stride=2, keep_input=i > 0)
    return net.classify(x, 1000, stored=(1000, x.channels, 1, 1))


def dla_tree(net, x, place, depth, out, stride=1, keep_input=False, handed=()):
    bottom = net.max_pool(x, stride, stride) if stride > 1 else x
    nodes = [*handed, bottom] if keep_input else [*handed]
    if depth > 1:
        if bottom.channels != out:  # the checkpoints hold a projection here that nothing uses
            unused_projection(net, place, bottom.channels, out)
        left = dla_tree(net, x, place + "tree1.", depth - 1, out, stride)
        return dla_tree(net, left, place + "tree2.", depth - 1, out, handed=[*nodes, left])
    straight = bottom
    if bottom.channels != out:
        straight = net.conv_bn(bottom, place, "project.0", "project.1", out)
    left = dla_block(net, x, straight, place + "tree1.", out, stride)
    right = dla_block(net, left, left, place + "tree2.", out, 1)
    return net.relu(net.conv_bn(net.concat([right, left, *nodes]), place, "root.conv", "root.bn", out))


def dla_block(net, x, straight, place, out, stride):
    return elastic(net, x, straight, place, out // 2, stride, halved=stride == 1 and out < 1024)


def unused_projection(net, place, channels, out):
    net.parameter(f"{place}project.0.weight", (out, channels, 1, 1), "conv")
    net.batch_norm_parameters(f"{place}project.1", out)


def read_channels(configuration):
    with open(configuration, "rb") as file:
        return tomllib.load(file)["holes"]


def build(net, model, image, channels):
    """Builds `model` on `image`; `channels` are the configuration's, None for a network without holes."""
    network = globals()[model]
    return network(net, image) if channels is None else network(net, image, channels)
