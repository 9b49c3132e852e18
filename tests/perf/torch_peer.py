"""PyTorch: inference, and a training step; eager or compiled, channels first or last, float32 or bfloat16.

The network is written down as an FX graph, so that eager runs execute nothing but its operations.
"""

import time

import torch
import torch.nn.functional as F

from networks import Map, Network, build


class TorchGraph(Network):
    def __init__(self, weights, training):
        self.weights, self.training = weights, training
        self.graph = torch.fx.Graph()
        self.tensors = {}

    def call(self, function, *operands, **attributes):
        return self.graph.call_function(function, operands, attributes)

    def parameter(self, name, shape, kind, stored=None):
        value = torch.from_numpy(self.weights[name].reshape(shape))
        learned = self.training and kind not in ("mean", "var")
        self.tensors[name] = torch.nn.Parameter(value) if learned else value
        return self.graph.get_attr(name)

    def compute_conv(self, x, weight, stride, padding, groups):
        return self.call(F.conv2d, x, weight, stride=stride, padding=padding, groups=groups)

    def compute_batch_norm(self, x, gamma, beta, mean, var):
        return self.call(F.batch_norm, x, mean, var, gamma, beta, training=self.training, momentum=0.1, eps=1e-5)

    def compute_relu(self, x):
        return self.call(F.relu, x, inplace=True)

    def compute_max_pool(self, x, kernel, stride, padding):
        return self.call(F.max_pool2d, x, kernel, stride, padding)

    def compute_average_pool(self, x, kernel, stride, padding):
        return self.call(F.avg_pool2d, x, kernel, stride, padding)

    def compute_resize(self, x, height, width, factors, mode):
        return self.call(F.interpolate, x, size=(height, width), mode=mode)

    def compute_split(self, x, parts, channels):
        return [self.call(torch.narrow, x, 1, part * channels, channels) for part in range(parts)]

    def compute_add(self, a, b):
        return self.call(torch.add, a, b)

    def compute_concat(self, maps):
        return self.call(torch.cat, maps, 1)

    def compute_classify(self, x, weight, bias):
        return self.call(F.linear, self.call(torch.mean, x, (2, 3)), weight, bias)


def make_module(case, weights, channels, training):
    net = TorchGraph(weights, training)
    image = net.graph.placeholder("image")
    net.graph.output(build(net, case["model"], Map(3, case["side"], case["side"], image), channels))
    net.graph.eliminate_dead_code()
    return torch.fx.GraphModule(net.tensors, net.graph).train(training)


def prepared(tensor_or_module, channels_last):
    return tensor_or_module.to(memory_format=torch.channels_last) if channels_last else tensor_or_module


class Inference:
    """`compiled` also folds the weights into the graph: batch norms disappear, weights are packed for oneDNN."""

    def __init__(self, case, weights, channels, threads, channels_last=False, compiled=False):
        torch.set_num_threads(threads)
        self.channels_last = channels_last
        self.type = {"f32": torch.float32, "bf16": torch.bfloat16}[case["precision"]]
        module = make_module(case, weights, channels, training=False).to(self.type)
        self.module = prepared(module, channels_last)
        if compiled:
            torch._inductor.config.freezing = True
            self.module = torch.compile(self.module, fullgraph=True, mode="max-autotune-no-cudagraphs")

    def prepare(self, image):
        self.image = prepared(torch.from_numpy(image).to(self.type), self.channels_last)

    def run(self):
        with torch.no_grad():  # inference_mode would keep torch.compile from folding the weights
            return self.module(self.image).float().numpy()


class Training:
    """Forward and backward; the step of SGD is timed apart, because `bench --train` has none."""

    def __init__(self, case, weights, channels, threads, channels_last=False, compiled=False):
        torch.set_num_threads(threads)
        self.channels_last = channels_last
        module = prepared(make_module(case, weights, channels, training=True), channels_last)
        self.optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, foreach=True)
        self.optimizer_seconds = []
        self.loss = lambda image, labels: F.cross_entropy(module(image), labels)
        if compiled:
            self.loss = torch.compile(self.loss, fullgraph=True)

    def prepare(self, image):
        self.image = prepared(torch.from_numpy(image), self.channels_last)
        self.labels = torch.zeros(len(image), dtype=torch.int64)

    def run(self):
        self.loss(self.image, self.labels).backward()

    def finish(self):
        begin = time.perf_counter()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.optimizer_seconds.append(time.perf_counter() - begin)
