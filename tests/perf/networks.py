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
    def parameter(self, name, shape, kind):
        """Kinds: conv, fc, bias, gamma, beta, mean, var."""
        raise NotImplementedError

    def conv(self, x, name, channels, kernel=1, stride=1):
        padding = kernel // 2
        weight = self.parameter(f"{name}.weight", (channels, x.channels, kernel, kernel), "conv")
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in (x.height, x.width))
        return Map(channels, height, width, self.compute_conv(x.value, weight, stride, padding))

    def batch_norm(self, x, name):
        kinds = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
        parameters = [self.parameter(f"{name}.{leaf}", (x.channels,), kind) for leaf, kind in kinds.items()]
        return dataclasses.replace(x, value=self.compute_batch_norm(x.value, *parameters))

    def relu(self, x):
        return dataclasses.replace(x, value=self.compute_relu(x.value))

    def max_pool(self, x, kernel, stride, padding=0):
        height, width = ((side + 2 * padding - kernel) // stride + 1 for side in (x.height, x.width))
        return Map(x.channels, height, width, self.compute_max_pool(x.value, kernel, stride, padding))

    def resize(self, x, like):
        """Nearest where the size divides, otherwise bilinear with half-pixel centres."""
        if (x.height, x.width) == (like.height, like.width):
            return x
        factors = None
        if like.height % x.height == 0 and like.width % x.width == 0:
            factors = like.height // x.height, like.width // x.width
        value = self.compute_resize(x.value, like.height, like.width, factors)
        return Map(x.channels, like.height, like.width, value)

    def add(self, a, b):
        return dataclasses.replace(a, value=self.compute_add(a.value, b.value))

    def concat(self, maps):
        value = self.compute_concat([m.value for m in maps])
        return dataclasses.replace(maps[0], channels=sum(m.channels for m in maps), value=value)

    def classify(self, x, classes):
        """Global average pooling and a linear layer; returns the peer's value."""
        weight = self.parameter("fc.weight", (classes, x.channels), "fc")
        bias = self.parameter("fc.bias", (classes,), "bias")
        return self.compute_classify(x.value, weight, bias)

    def conv_bn(self, x, place, conv, bn, channels, kernel=1, stride=1):
        return self.batch_norm(self.conv(x, place + conv, channels, kernel, stride), place + bn)


def resnet50(net, x):
    x = stem(net, x)
    for stage, depth in enumerate([3, 4, 6, 3]):
        for i in range(depth):
            stride = 2 if i == 0 and stage > 0 else 1
            place = f"layer{stage + 1}.{i}."
            middle, out = 64 << stage, 256 << stage
            straight = shortcut(net, x, place, out, stride)
            y = net.relu(net.conv_bn(x, place, "conv1", "bn1", middle))
            y = net.relu(net.conv_bn(y, place, "conv2", "bn2", middle, 3, stride))
            y = net.conv_bn(y, place, "conv3", "bn3", out)
            x = net.relu(net.add(y, straight))
    return net.classify(x, 1000)


def scalenet50(net, x, channels):
    x = stem(net, x)
    return scalenet(net, x, [3, 4, 6, 3], [1, 2, 4, 7], 64, 56, channels, 1000)


def scalenet38_cifar(net, x, channels):
    x = net.relu(net.conv_bn(x, "", "conv1", "bn1", 16, 3))
    return scalenet(net, x, [4, 4, 4], [1, 2, 4], 16, 32, channels, 100)


def scalenet(net, x, depths, factors, middle, side, channels, classes):
    """`channels`: place of a block -> how many each scale has."""
    for stage, depth in enumerate(depths):
        for i in range(depth):
            if i == 0 and stage > 0:
                x = net.max_pool(x, 2, 2)
            place = f"layer{stage + 1}.{i}."
            straight = shortcut(net, x, place, 4 * middle)
            y = net.relu(net.conv_bn(x, place, "conv1", "bn1", middle))
            y = net.relu(scale_aggregation(net, y, place, channels[place + "channels"], factors, side))
            y = net.conv_bn(y, place, "conv3", "bn3", 4 * middle)
            x = net.relu(net.add(y, straight))
        middle, side = 2 * middle, side // 2
    return net.classify(x, classes)


def scale_aggregation(net, x, place, channels, factors, side):
    branches = []
    for i, (count, factor) in enumerate(zip(channels, factors)):
        if count == 0:
            continue
        y = x if factor == 1 else net.max_pool(x, factor, factor)
        y = net.conv(y, f"{place}conv2.{i}", count, 3 if side > factor else 1)
        branches.append(net.batch_norm(net.resize(y, x), f"{place}bn2.{i}"))
    return net.concat(branches) if len(branches) > 1 else branches[0]


def stem(net, x):
    return net.max_pool(net.relu(net.conv_bn(x, "", "conv1", "bn1", 64, 7, 2)), 3, 2, 1)


def shortcut(net, x, place, out, stride=1):
    if x.channels == out and stride == 1:
        return x
    return net.conv_bn(x, place, "downsample.0", "downsample.1", out, 1, stride)


def read_channels(configuration):
    with open(configuration, "rb") as file:
        return tomllib.load(file)["holes"]


def build(net, model, image, channels):
    """Builds `model` on `image`; `channels` are the configuration's, None for a network without holes."""
    network = globals()[model]
    return network(net, image) if channels is None else network(net, image, channels)
