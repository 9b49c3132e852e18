"""Random networks: specifications in which operations meet that no published network joins.

A network is drawn from a seed, the same with every Python. Its maps are small, its sizes odd, its operands repeated and
shared; what a pass may rewrite and what it must leave alone lie close together.
"""

import random
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Map:
    name: str
    channels: int
    height: int
    width: int

    @property
    def pixels(self):
        return self.height * self.width


@dataclass
class Network:
    text: str           # of a .vn file with a model `m`
    options: list       # of `vernier verify`
    holes: dict         # of `choose` holes that are left open: name -> values
    outputs: list       # names
    batch: int
    image: tuple        # channels, height, width
    configuration: str  # of `learned` holes; empty: there are none


MOST_ELEMENTS = 16 * 24 * 24

NORMED = "conv(channels, 3) |> batch_norm |> relu |> dropout(0.5)"
UNIT = f"""block unit(x, channels: int) {{
  x |> conv(channels, 3) |> layer_norm |> relu |> conv(channels, 1, bias = true)
}}

block normed(x, channels: int) {{
  x |> {NORMED}
}}

"""


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ofLosses = random.Random(f"losses {seed}")  # so that they change no network
        self.ofFrozen = random.Random(f"frozen {seed}")
        self.ofResampling = random.Random(f"resampling {seed}")  # nor the sizes of its maps
        self.ofNorms = random.Random(f"norms {seed}")
        self.ofAttention = random.Random(f"attention {seed}")
        self.ofParameters = random.Random(f"parameters {seed}")
        self.lines, self.values, self.count, self.holes = [], [], 0, {}
        self.learned = {}

    # --- drawing

    def chance(self, probability):
        return self.random.random() < probability

    def of(self, *values):
        return self.random.choice(values)

    def some_map(self):
        """Recent and large ones more often, so that networks grow deep, and wide."""
        if self.chance(0.5) and self.values[-1].pixels > 1:
            return self.values[-1]
        return max(self.random.choice(self.values), self.random.choice(self.values), key=lambda value: value.pixels)

    def new(self, expression, channels, height, width):
        self.count += 1
        value = Map(f"x{self.count}", channels, height, width)
        self.lines.append(f"{value.name} = {expression}")
        self.values.append(value)
        return value

    # --- operations: each takes a map and returns one, or nothing where it does not fit

    @staticmethod
    def size(extent, before, after, window, stride, ceil=False):
        room = extent + before + after - window
        if room < 0:
            return 0
        count = room // stride + 1
        if ceil and room % stride and count * stride < extent + before:
            count += 1
        return count

    @staticmethod
    def pair(values):
        return str(values[0]) if values[0] == values[1] else f"[{values[0]}, {values[1]}]"

    def convolution(self, x, kernels=(1, 1, 2, 3, 3, 4, 5)):
        kernel = [self.of(*kernels)] * 2 if self.chance(0.7) else [self.of(*kernels), self.of(*kernels)]
        stride = [self.of(1, 1, 1, 2, 3)] * 2 if self.chance(0.8) else [self.of(1, 2), self.of(1, 2, 3)]
        dilation = [self.of(1, 1, 1, 2)] * 2
        same = all(k % 2 for k in kernel) and self.chance(0.6)
        padding = [d * (k - 1) // 2 for k, d in zip(kernel, dilation) for _ in range(2)] if same else \
            [self.of(0, 0, 1, 2) for _ in range(4)] if self.chance(0.5) else [self.of(0, 1)] * 4
        height, width = (self.size(extent, padding[2 * axis], padding[2 * axis + 1],
                                   dilation[axis] * (kernel[axis] - 1) + 1, stride[axis])
                         for axis, extent in enumerate((x.height, x.width)))
        if height < 1 or width < 1:
            return None
        groups = 1
        if self.chance(0.35):
            groups = self.of(*[g for g in (2, 3, 4, 5, 8, 16) if x.channels % g == 0] or [1], x.channels)
        channels = x.channels if groups > 1 and self.chance(0.8) else groups * self.of(1, 2, 3, 4, 5)
        if groups == 1:
            channels = self.of(1, 3, 4, 7, 8, 8, 12, 16, 16, 17, 20)
        text = f"{x.name} |> conv({channels}, {self.pair(kernel)}"
        for name, value in (("stride", stride), ("dilation", dilation)):
            if value != [1, 1]:
                text += f", {name} = {self.pair(value)}"
        if not same:
            text += f", padding = {padding}"
        if groups > 1:
            text += f", groups = {groups}"
        if self.chance(0.4):
            text += ", bias = true"
        return self.new(text + ")", channels, height, width)

    def transposed_convolution(self, x):
        kernel = [self.of(1, 2, 3, 4)] * 2 if self.chance(0.7) else [self.of(1, 2, 3), self.of(1, 2, 4)]
        stride = [self.of(1, 2, 2, 3)] * 2 if self.chance(0.8) else [self.of(1, 2), self.of(1, 2, 3)]
        dilation = [self.of(1, 1, 1, 2, 3)] * 2
        padding = [self.of(0, 0, 1, 2) for _ in range(4)] if self.chance(0.4) else [self.of(0, 1)] * 4
        more = [self.random.randrange(max(s, d)) if self.chance(0.3) else 0 for s, d in zip(stride, dilation)]
        height, width = ((extent - 1) * stride[axis] - padding[2 * axis] - padding[2 * axis + 1] +
                         dilation[axis] * (kernel[axis] - 1) + more[axis] + 1
                         for axis, extent in enumerate((x.height, x.width)))
        groups = 1
        if self.chance(0.3):
            groups = self.of(*[g for g in (2, 3, 4, 5, 8, 16) if x.channels % g == 0] or [1], x.channels)
        channels = groups * self.of(1, 2, 3) if groups > 1 else self.of(1, 3, 4, 7, 8, 12, 16, 17)
        if height < 1 or width < 1 or channels * height * width > MOST_ELEMENTS:
            return None
        text = f"{x.name} |> conv_transpose({channels}, {self.pair(kernel)}"
        for name, value, usual in (("stride", stride, 1), ("dilation", dilation, 1), ("output_padding", more, 0)):
            if value != [usual, usual]:
                text += f", {name} = {self.pair(value)}"
        if any(padding):
            text += f", padding = {padding}"
        if groups > 1:
            text += f", groups = {groups}"
        if self.chance(0.4):
            text += ", bias = true"
        y = self.new(text + ")", channels, height, width)
        return self.activation(self.batch_norm(y), 0.8) if self.chance(0.4) else y

    def normalised(self, x):
        y = self.convolution(x)
        if not y:
            return y
        y = self.activation(self.norm(y), 0.8)
        return y if self.chance(0.9) else self.same(y, "dropout(0.2)", "channel_dropout(0.25)", "drop_path(0.5)")

    def norm(self, x):
        if x.channels < 3 or self.chance(0.75):
            y = self.batch_norm(x)
            return self.grouped(x, y) if self.ofNorms.random() < 0.2 else y
        y = x if self.chance(0.3) else self.same(x, "layer_norm", "layer_norm(epsilon = 1e-3)")
        if y is not x and self.ofNorms.random() < 0.3:
            y = self.grouped(x, y)
        return y if y is not x and self.chance(0.6) else self.same(y, "layer_scale(initial = 0.5)")

    def grouped(self, x, y):
        """A group norm of x in the place of y, which has just been made of it."""
        groups = self.ofNorms.choice([g for g in (1, 2, 3, 4, 8) if x.channels % g == 0] + [x.channels])
        self.lines[-1] = f"{y.name} = {x.name} |> group_norm({groups}{self.ofNorms.choice(('', ', epsilon = 1e-3'))})"
        return y

    def same(self, x, *calls):
        return self.new(f"{x.name} |> {self.of(*calls)}", x.channels, x.height, x.width)

    def batch_norm(self, x):
        return self.new(f"{x.name} |> batch_norm" + self.of("", "", "", "(epsilon = 1e-3, momentum = 0.01)"),
                        x.channels, x.height, x.width)

    def activation(self, x, probability=1.0):
        if not self.chance(probability):
            return x
        y = self.new(f"{x.name} |> {self.function()}", x.channels, x.height, x.width)
        if self.ofNorms.random() < 0.1:
            self.lines[-1] = f"{y.name} = {x.name} |> prelu{self.ofNorms.choice(('', '(per_channel = true)'))}"
        return y

    def function(self):
        if self.chance(0.5):
            return self.of("relu", "relu", "relu", "relu6", "sigmoid")
        return self.of("leaky_relu", "leaky_relu(slope = 0.2)", "hard_sigmoid", "tanh", "silu", "hard_swish", "gelu",
                       "gelu_tanh")

    def pool(self, x):
        whole = self.chance(0.1)
        kernel = [x.height, x.width] if whole else [self.of(1, 2, 2, 3, 3, 4)] * 2 if self.chance(0.7) else \
            [self.of(1, 2, 3), self.of(1, 2, 3)]
        stride = list(kernel) if self.chance(0.5) else [self.of(1, 2, 3)] * 2
        padding = [0] * 4
        if self.chance(0.4):
            padding = [self.of(*range(min(3, kernel[axis] // 2 + 1))) for axis in (0, 0, 1, 1)]
        ceil = self.chance(0.3)
        height, width = (self.size(extent, padding[2 * axis], padding[2 * axis + 1], kernel[axis], stride[axis], ceil)
                         for axis, extent in enumerate((x.height, x.width)))
        if height < 1 or width < 1:
            return None
        average = self.chance(0.4)
        text = f"{x.name} |> {'avg' if average else 'max'}_pool({self.pair(kernel)}"
        if stride != kernel:
            text += f", stride = {self.pair(stride)}"
        if any(padding):
            text += f", padding = {padding}"
        if ceil:
            text += ", ceil = true"
        if average and self.chance(0.5):
            text += ", count_padding = false"
        if average and height <= x.height and width <= x.width and self.ofResampling.random() < 0.4:
            text = f"{x.name} |> adaptive_avg_pool({self.pair([height, width])}"
        return self.new(text + ")", x.channels, height, width)

    def resize(self, x, like=None):
        mode = self.of("nearest", "nearest", "bilinear")
        aligned = ", align_corners = true" if mode == "bilinear" and self.chance(0.3) else ""
        if self.ofResampling.random() < 0.4:
            mode, aligned = self.ofResampling.choice((
                ("nearest_exact", ""), ("bicubic", ""), ("bicubic", ", align_corners = true"),
                ("bilinear", ", antialias = true"), ("bicubic", ", antialias = true")))
        if like:
            return self.new(f"{x.name} |> resize({mode}, like = {like.name}{aligned})", x.channels, like.height, like.width)
        height, width = self.of(1, 2, 3, 4, 5, 6, 8, 9, 12, 13), self.of(1, 2, 3, 4, 5, 6, 8, 9, 12, 14)
        if self.chance(0.5):
            factor = self.of(2, 2, 3)
            height, width = factor * x.height, factor * x.width
        if x.channels * height * width > MOST_ELEMENTS:
            return None
        return self.new(f"{x.name} |> resize({mode}, size = [{height}, {width}]{aligned})", x.channels, height, width)

    def border(self, x):
        if self.chance(0.5):
            padding = [self.of(0, 1, 2) for _ in range(4)]
            mode = self.of("zero", "replicate")
            return self.new(f"{x.name} |> pad({padding}, mode = {mode})", x.channels, x.height + padding[0] + padding[1],
                            x.width + padding[2] + padding[3])
        height, width = self.random.randint(1, x.height), self.random.randint(1, x.width)
        top, left = self.random.randint(0, x.height - height), self.random.randint(0, x.width - width)
        return self.new(f"{x.name} |> crop(size = [{height}, {width}], offset = [{top}, {left}])", x.channels, height, width)

    def channels(self, x):
        if self.chance(0.3):
            groups = [g for g in (2, 3, 4) if x.channels % g == 0]
            return groups and self.new(f"{x.name} |> channel_shuffle(groups = {self.of(*groups)})", x.channels, x.height,
                                       x.width)
        count = self.random.randint(1, x.channels)
        begin = self.random.randint(0, x.channels - count)
        return self.new(f"{x.name} |> slice(begin = {begin}, count = {count})", count, x.height, x.width)

    def fitting(self, x, channels=False):
        """A map of x's size, and of its channels if asked for: often x itself."""
        same = [value for value in self.values if (value.height, value.width) == (x.height, x.width) and
                (not channels or value.channels == x.channels)]
        if self.chance(0.75):
            return self.of(*same)
        y = self.random.choice(self.values)
        if channels and y.channels != x.channels:
            if y.channels * x.channels * y.pixels > MOST_ELEMENTS * 8:
                return x
            y = self.new(f"{y.name} |> conv({x.channels}, 1)", x.channels, y.height, y.width)
        if (y.height, y.width) != (x.height, x.width):
            y = self.resize(y, like=x)
        return y

    def concat(self, x):
        parts = [x]
        for _ in range(self.of(1, 1, 2, 3)):
            parts.append(self.fitting(x))
        self.random.shuffle(parts)
        total = sum(part.channels for part in parts)
        if total > 48:
            return None
        y = self.new(f"concat([{', '.join(part.name for part in parts)}])", total, x.height, x.width)
        if self.chance(0.6):
            y, count = self.activation(y, 0.5), self.of(4, 8, 16, 17)
            y = self.new(f"{y.name} |> conv({count}, 1)", count, x.height, x.width)
        return y

    def arithmetic(self, x):
        other = self.fitting(x, channels=True)
        y = self.new(f"{x.name} {self.of('+', '+', '*', '-')} {other.name}" if self.chance(0.7) else
                     f"{other.name} {self.of('+', '*', '-')} {x.name}", x.channels, x.height, x.width)
        return self.activation(self.weighted(y), 0.4)

    def weighted(self, y):
        """The last line's map, at times weighted by learned numbers: one for all of it, or one for each channel."""
        draw = self.ofParameters
        if draw.random() < 0.25:
            weights = draw.choice((
                "parameter(1)", f"(parameter({y.channels}) |> sigmoid)",
                "(parameter(3) / (channel_max(parameter(3) |> sigmoid) + 0.5) |> slice(begin = 1, count = 1))",
                f"(concat([parameter(1), parameter({y.channels}, initial = 0.5)]) |> slice(begin = 1, count = {y.channels}))"))
            name, expression = self.lines[-1].split(" = ", 1)
            self.lines[-1] = f"{name} = ({expression}) {draw.choice(('*', '*', '+', '-'))} {weights}"
        return y

    def numbers(self, x):
        """With numbers, and divided by what stays away from 0."""
        if self.chance(0.3):
            other = self.fitting(x, channels=True)
            divisor = self.new(f"{other.name} |> sigmoid", x.channels, x.height, x.width)
            return self.new(f"{x.name} / ({divisor.name} + {self.of('0.5', '1')})", x.channels, x.height, x.width)
        number = self.of("0.5", "2", "1.25", "-0.75")
        return self.new(self.of(f"{x.name} * {number}", f"{number} * {x.name}", f"{x.name} + {number}", f"{x.name} - {number}",
                                f"{number} - {x.name}", f"-{x.name}", f"{x.name} / {number}",
                                f"{x.name} * relu6({x.name} + 3) / 6"), x.channels, x.height, x.width)

    def gate(self, x):
        """Attention of the whole map to each channel, or of each channel to each pixel."""
        other = x if self.chance(0.6) else self.fitting(x)
        y = self.new(f"{other.name} |> global_avg_pool", other.channels, 1, 1)
        y = self.new(f"{y.name} |> conv({x.channels}, 1, bias = {self.of('true', 'false')}) |> "
                     f"{self.of('sigmoid', 'sigmoid', 'relu')}", x.channels, 1, 1)
        if self.chance(0.3) and x.pixels > 1:
            y = self.resize(y, like=x)
        return self.weighted(self.new(f"{x.name} {self.of('*', '*', '+')} {y.name}", x.channels, x.height, x.width))

    def spatial_gate(self, x):
        """One number for each pixel, from all its channels."""
        other = x if self.chance(0.6) else self.fitting(x)
        y = self.new(f"{other.name} |> channel_{self.of('mean', 'max')}", 1, x.height, x.width)
        if self.chance(0.5):
            z = self.new(f"{other.name} |> channel_{self.of('mean', 'max')}", 1, x.height, x.width)
            y = self.new(f"concat([{y.name}, {z.name}])", 2, x.height, x.width)
        if y.channels > 1 or self.chance(0.4):
            y = self.new(f"{y.name} |> conv(1, {self.of(1, 3)})", 1, x.height, x.width)
        if self.chance(0.7):
            y = self.activation(y)
        return self.new(f"{x.name} {self.of('*', '*', '+', '-')} {y.name}", x.channels, x.height, x.width)

    def attention(self, x):
        """Softmax of a map, of it beside others, products with maps, and squares of pixels as channels."""
        draw = self.ofAttention
        kind = draw.choice(("channels", "runs", "space", "select", "scores", "gram", "shuffle", "unshuffle"))
        if kind == "scores" and x.pixels <= 100:
            keys = draw.choice([value for value in self.values if value.pixels <= 60] or [x])
            if keys.pixels > 60:
                return None
            key = self.new(f"{keys.name} |> conv({x.channels}, 1)", x.channels, keys.height, keys.width)
            y = self.new(f"matmul({x.name}, {key.name}, transpose_b = true) * 0.3 |> channel_softmax", key.pixels, x.height,
                         x.width)
            return self.new(f"{y.name} |> matmul({keys.name})", keys.channels, x.height, x.width)
        if kind == "gram":
            y = self.new(f"matmul({x.name}, {x.name}, transpose_a = true) * {1 / x.pixels}", x.channels, x.channels, 1)
            return self.new(f"{x.name} |> matmul({y.name}, transpose_b = true)", x.channels, x.height, x.width)
        if kind == "select":
            other = self.fitting(x, channels=True)
            self.lines.append(f"w{self.count}a, w{self.count}b = softmax([{x.name}, {other.name}])")
            return self.new(f"{x.name} * w{self.count}a + {other.name} * w{self.count}b", x.channels, x.height, x.width)
        if kind == "shuffle":
            y = self.new(f"{x.name} |> conv({4 * min(x.channels, 8)}, 1)", 4 * min(x.channels, 8), x.height, x.width)
            return y.channels * y.pixels <= MOST_ELEMENTS and self.new(
                f"{y.name} |> pixel_shuffle(2)", y.channels // 4, 2 * y.height, 2 * y.width)
        if kind == "unshuffle" and x.height % 2 == 0 and x.width % 2 == 0 and x.channels <= 8:
            return self.new(f"{x.name} |> pixel_unshuffle(2)", 4 * x.channels, x.height // 2, x.width // 2)
        runs = draw.choice([n for n in (2, 3, 4) if x.channels % n == 0] or [1])
        call = {"runs": f"channel_softmax(runs = {runs})", "space": "spatial_softmax"}.get(kind, "channel_softmax")
        if kind != "space" and draw.random() < 0.3:
            call = call.replace("softmax", "log_softmax")
        y = self.new(f"{x.name} |> {call}", x.channels, x.height, x.width)
        return self.new(f"{x.name} * {y.name}", x.channels, x.height, x.width)

    def scales(self, x):
        """Convolutions at several resolutions of one map, as in ScaleNet."""
        channels = [self.of(4, 8, 5) for _ in range(self.of(2, 3))]
        hole = None
        if self.chance(0.4):
            hole = f"widths{len(self.learned)}"
            self.lines.append(f"learned {hole}: [int] = {channels} within macs({x.name} |> conv(8, 3))")
            # Branches may be left without channels, but not all of them.
            channels = [self.of(0, 3, 5, 8) for _ in channels[1:]] + [self.of(2, 9)]
            self.random.shuffle(channels)
            self.learned[hole] = channels
        norm = self.chance(0.5)
        shared = [value for value in (1, 2, 3, 4) if value <= min(x.height, x.width)]
        parts, first = [], self.count
        for index, count in enumerate(channels):
            factor = self.of(*shared)
            kernel = self.of(1, 3)
            y = self.new(f"{x.name} |> {self.of('max', 'max', 'avg')}_pool({factor})", x.channels, x.height // factor,
                         x.width // factor)
            y = self.new(f"{y.name} |> conv({f'{hole}[{index}]' if hole else count}, {kernel})", count, y.height, y.width)
            if self.chance(0.2):  # also where there are no channels
                y = self.new(f"{y.name} * channel_{self.of('mean', 'max')}({y.name})", count, y.height, y.width)
            if norm and self.chance(0.5):
                y = self.batch_norm(y)
            y = self.resize(y, like=x)
            if norm and self.chance(0.7):
                y = self.batch_norm(y)
            parts.append(y)
        y = self.new(f"concat([{', '.join(part.name for part in parts)}])", sum(channels), x.height, x.width)
        y = self.activation(y, 0.8)
        count = self.of(4, 8, 16, x.channels)
        if hole:  # what is as wide as the configuration says is read by nothing else
            self.values = [value for value in self.values if int(value.name.strip("imagex") or 0) <= first]
        y = self.new(f"{y.name} |> conv({count}, 1)", count, x.height, x.width)
        if norm:
            y = self.batch_norm(y)
        return self.new(f"{y.name} + {x.name} |> relu", count, x.height, x.width) if count == x.channels else y

    def still(self, x):
        """A 1x1 convolution whose stride and padding leave the map its size, behind a resize."""
        height, width = self.of((2, 3), (3, 2), (2, 2)) if x.pixels < 40 else (2, 2)
        factor = self.of(2, 4)
        y = self.new(f"{x.name} |> resize({self.of('nearest', 'bilinear')}, size = [{height}, {factor * width}])", x.channels,
                     height, factor * width)
        extent, axis = (y.height, 0) if self.chance(0.5) else (y.width, 1)
        stride = self.of(1, 2) if extent > 1 else 1
        padding = [0] * 4
        padding[2 * axis + self.of(0, 1)] = (extent - 1) * (stride - 1) or self.of(0, 1)
        strides = [1, 1]
        strides[axis] = stride
        sizes = [self.size(n, padding[2 * a], padding[2 * a + 1], 1, strides[a]) for a, n in enumerate((y.height, y.width))]
        count = self.of(3, 8, 16)
        return self.new(f"{y.name} |> conv({count}, 1, stride = {strides}, padding = {padding})", count, *sizes)

    def stage(self, x):
        """A part of the network at a resolution that is left open."""
        name = f"factor{len(self.holes)}"
        self.holes[name] = self.of([1.0, 0.5], [0.7, 1.0, 0.4], [1.0, 1.0 / 3.0])
        self.lines.append(f"choose {name}: float from [" + ", ".join(map(str, self.holes[name])) + "]")
        mode = self.of("nearest", "bilinear")
        channels = x.channels
        y = f"{name}_in"
        self.lines.append(f"{y} = {x.name} |> resize({mode}, size = [{', '.join(f'max(1, round({name} * {n}))' for n in (x.height, x.width))}])")
        for index in range(self.random.randint(1, 4)):
            before, y = y, f"{name}_{index}"
            kind = self.of("conv", "conv", "norm", "gate", "twice", "join", "pool")
            if kind in ("conv", "norm"):
                channels = self.of(4, 8, 16)
                self.lines.append(f"{y} = {before} |> conv({channels}, {self.of(1, 3)})" +
                                  (" |> batch_norm |> relu" if kind == "norm" else self.of("", " |> relu", " |> sigmoid")))
            elif kind == "gate":
                self.lines.append(f"{y} = {before} * ({before} |> global_avg_pool |> conv({channels}, 1) |> sigmoid)")
                if self.ofParameters.random() < 0.4:
                    self.lines[-1] += f" + parameter({channels})"
            elif kind == "twice":
                self.lines.append(f"{y} = {before} + {before} |> {self.of('relu', 'batch_norm')}")
            elif kind == "join" and channels <= 16:
                self.lines.append(f"{y} = concat([{before}, {before} |> conv({channels}, 1)])")
                channels *= 2
            else:
                self.lines.append(f"{y} = {before} |> max_pool(3, stride = 1, padding = 1)")
        if self.chance(0.3):
            return self.new(f"{y} |> global_avg_pool", channels, 1, 1)
        return self.new(f"{y} |> resize({self.of('nearest', 'bilinear')}, size = [{x.height}, {x.width}])", channels, x.height,
                        x.width)

    def step(self):
        operations = [(self.convolution, 5), (self.normalised, 4), (self.batch_norm, 1), (self.activation, 1.5), (self.pool, 2.5),
                      (self.resize, 2), (self.border, 1), (self.channels, 1.5), (self.concat, 3), (self.arithmetic, 3),
                      (self.numbers, 1.5), (self.gate, 1.5), (self.spatial_gate, 0.7), (self.scales, 1), (self.still, 0.4),
                      (self.transposed_convolution, 1.5)]
        operation = self.random.choices([f for f, _ in operations], [weight for _, weight in operations])[0]
        operation(self.some_map())
        if self.ofAttention.random() < 0.2 and not self.learned and not self.holes:
            self.attention(self.values[-1])

    # --- the whole

    def shared(self):
        """A convolution, or two with a layer norm between, of one or two maps that have the same channels; none of a hole's width.
        What is frozen may have a batch norm, too."""
        if self.learned or self.holes or self.ofLosses.random() > 0.3:
            return
        draw = self.ofLosses
        first = draw.choice(self.values)
        alike = [value for value in self.values if value.channels == first.channels]
        channels = draw.choice((2, 4, 7))
        call = draw.choice((f"conv(_, {channels}, 1)", f"conv(_, {channels}, 3, bias = true)", f"unit(_, {channels})"))
        word = "shared"
        if self.ofFrozen.random() < 0.3:
            word, call = "frozen", self.ofFrozen.choice((call, f"normed(_, {channels})"))
        self.lines.append(f"{word} s = {call}")
        for value in (first, draw.choice(alike), draw.choice(alike))[:draw.choice((2, 2, 3))]:
            self.new(f"{value.name} |> s", channels, value.height, value.width)

    def network(self, stages=0):
        channels = self.of(1, 3, 5)
        height, width = self.of(5, 7, 8, 9, 12, 13), self.of(5, 6, 8, 9, 12, 15)
        self.values.append(Map("image", channels, height, width))
        if self.chance(0.7):
            self.convolution(self.values[0], (3, 3, 5))
        for _ in range(stages):
            self.stage(self.some_map())
            self.step()
        for _ in range(self.random.randint(3, 9) - 2 * stages):
            self.step()
        self.shared()
        outputs = ["logits"]
        logits = f"{self.joined().name} |> fc: linear({self.of(1, 2, 3, 7)})"
        if self.chance(0.4):
            self.lines.append(f"output logits = {logits}")
            # Maps that others read, too, and the same one twice.
            taken = [self.random.choice(self.values[1:]) for _ in range(self.of(1, 1, 2))]
            if self.chance(0.2):
                taken.append(taken[0])
            for index, value in enumerate(taken):
                outputs.append(f"map{index}")
                self.lines.append(f"output map{index} = {value.name}")
        else:
            self.lines.append(logits)
        declared = not self.holes and self.ofLosses.random() < 0.35
        if declared:
            targets, losses = self.losses()
            end = len(self.lines) if len(outputs) > 1 or self.lines[-1].startswith("output") else -1
            self.lines[end:end] = losses
            self.lines[:0] = targets
        body = "\n".join("  " + line for line in self.lines)
        unit = UNIT if "unit(" in body or "normed(" in body else ""
        text = f"{unit}network n() {{\n  input image: [{channels}, {height}, {width}]\n{body}\n}}\n\nmodel m = n()\n"
        batch = self.of(1, 2, 3, 3, 5, 6)
        return Network(text, self.options(batch, declared), self.holes, outputs, batch, (channels, height, width),
                       "".join(f"{hole} = {widths}\n" for hole, widths in self.learned.items()))

    def joined(self):
        """Of all maps that nothing has read yet one vector, so that everything has a part in the logits."""
        read = set(re.findall(r"\w+", " ".join(line.split("=", 1)[-1] for line in self.lines)))
        leaves = [value for value in self.values if value.name not in read] or [self.values[-1]]
        parts = []
        for leaf in leaves:
            if leaf.pixels > 1 and self.chance(0.5):  # gradients that differ from pixel to pixel
                leaf = self.new(f"{leaf.name} * {leaf.name}" if self.chance(0.5) else f"{leaf.name} |> sigmoid", leaf.channels,
                                leaf.height, leaf.width)
            if leaf.pixels > 1 or self.chance(0.2):
                leaf = self.new(f"{leaf.name} |> global_avg_pool", leaf.channels, 1, 1)
            parts.append(leaf)
        if len(parts) == 1:
            return parts[0]
        return self.new(f"concat([{', '.join(part.name for part in parts)}])", sum(part.channels for part in parts), 1, 1)

    def losses(self):
        """What training minimises, of any maps: one to four terms, some of them with targets or a name in common."""
        draw = self.ofLosses
        targets, statements = {}, []

        def target(size, kind):
            known = [name for name, (other, of) in targets.items() if (other, of) == (size, kind)]
            if known and draw.random() < 0.5:
                return draw.choice(known)
            name = f"t{len(targets)}"
            targets[name] = (size, kind)
            return name

        def term():
            value = draw.choice(self.values)
            x, channels = value.name, value.channels
            if self.learned or draw.random() < 0.4:  # the number of classes is no hole's
                channels = draw.choice((2, 3, 5, 9))
                x = f"({x} |> conv({channels}, 1{draw.choice((', bias = true', ''))}))"
            map_size = f"[{channels}, {value.height}, {value.width}]"
            if channels > 1 and draw.random() < 0.4:
                labels = target("[]" if value.pixels == 1 else f"[{value.height}, {value.width}]", "int")
                more = draw.choice(("", ", smoothing = 0.1", ", ignore = 255", ", smoothing = 0.2, ignore = -1"))
                if draw.random() < 0.3:
                    more += f", weights = {[draw.choice((1, 0.25, 2.5, 0)) for _ in range(channels - 1)] + [1]}"
                return f"softmax_cross_entropy({x}, {labels}{more})"
            if draw.random() < 0.2:
                return f"mean({x} * {x})"
            wanted = target(f"[{channels}]" if value.pixels == 1 else map_size, "float")
            call = draw.choice(("binary_cross_entropy({}, {})", "binary_cross_entropy({}, {}, positive = 2.5)", "focal_loss({}, {})", "focal_loss({}, {}, gamma = 0.5, alpha = 0.6)",
                                "squared_error({}, {})", "absolute_error({}, {})", "smooth_l1({}, {}, beta = 0.3)",
                                "squared_error(sigmoid({}), {})"))
            return call.format(x, wanted)

        for index in range(draw.choice((1, 2, 2, 3, 4))):
            name = f"part{index}: " if draw.random() < 0.3 else ""
            terms = [draw.choice(("", "0.4 * ", "2 * ")) + term() for _ in range(draw.choice((1, 1, 2)))]
            statements.append(f"loss {name}{' + '.join(terms)}")
        return [f"target {name}: {size} of {kind}" for name, (size, kind) in targets.items()], statements

    def options(self, batch, declared):
        options = ["--batch", str(batch), "--seed", str(self.random.randint(1, 1000)), "--threads", str(self.of(1, 2, 3))]
        if self.chance(0.25):
            options += ["--precision", "bf16", "--for", "infer"]
        elif self.chance(0.3) and not declared:
            options += ["--loss", "binary"]
        if self.chance(0.3):
            options += ["--cpu", self.of("avx2", "sse")]
        if self.chance(0.3):
            options += ["--no-winograd"]
        if batch > 1 and self.chance(0.3):
            options += ["--images-together", str(self.of(*[n for n in (1, 2, 3) if batch % n == 0]))]
        return options


def draw(seed):
    return Writer(seed).network()


def draw_open(seed):
    """With one or two `choose` holes, each of which decides the resolution of a part."""
    writer = Writer(-seed - 1)
    return writer.network(stages=writer.of(1, 1, 2))
