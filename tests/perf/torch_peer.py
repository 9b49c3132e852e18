"""PyTorch, eager, channels last: inference, and a training step."""

import time

import torch
import torch.nn.functional as F

from networks import Map, Network, build


class TorchNetwork(Network):
    def __init__(self, weights, training):
        self.training = training
        self.values = {name: torch.from_numpy(values) for name, values in weights.items()}
        for name, value in self.values.items():
            if value.dim() == 4:
                self.values[name] = value.contiguous(memory_format=torch.channels_last)

    def parameter(self, name, shape, kind):
        return self.values[name]

    def compute_conv(self, x, weight, stride, padding):
        return F.conv2d(x, weight, stride=stride, padding=padding)

    def compute_batch_norm(self, x, gamma, beta, mean, var):
        return F.batch_norm(x, mean, var, gamma, beta, training=self.training, momentum=0.1, eps=1e-5)

    def compute_relu(self, x):
        return F.relu(x, inplace=True)

    def compute_max_pool(self, x, kernel, stride, padding):
        return F.max_pool2d(x, kernel, stride, padding)

    def compute_resize(self, x, height, width, factors):
        return F.interpolate(x, size=(height, width), mode="nearest" if factors else "bilinear")

    def compute_add(self, a, b):
        return a + b

    def compute_concat(self, maps):
        return torch.cat(maps, 1)

    def compute_classify(self, x, weight, bias):
        return F.linear(x.mean((2, 3)), weight, bias)


class Inference:
    def __init__(self, case, weights, channels, threads):
        torch.set_num_threads(threads)
        self.model, self.channels = case["model"], channels
        self.net = TorchNetwork(weights, training=False)

    def prepare(self, image):
        self.image = torch.from_numpy(image).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run(self):
        image = Map(3, *self.image.shape[2:], self.image)
        return build(self.net, self.model, image, self.channels).numpy()


class Training:
    """Forward and backward; the step of SGD is timed apart, because `bench --train` has none."""

    def __init__(self, case, weights, channels, threads):
        torch.set_num_threads(threads)
        self.model, self.channels = case["model"], channels
        self.net = TorchNetwork(weights, training=True)
        learned = [value.requires_grad_() for name, value in self.net.values.items() if ".running_" not in name]
        self.optimizer = torch.optim.SGD(learned, lr=0.01, momentum=0.9, weight_decay=1e-4, foreach=True)
        self.optimizer_seconds = []

    def prepare(self, image):
        self.image = torch.from_numpy(image).contiguous(memory_format=torch.channels_last)
        self.labels = torch.zeros(len(image), dtype=torch.int64)

    def run(self):
        image = Map(3, *self.image.shape[2:], self.image)
        logits = build(self.net, self.model, image, self.channels)
        F.cross_entropy(logits, self.labels).backward()

    def finish(self):
        begin = time.perf_counter()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.optimizer_seconds.append(time.perf_counter() - begin)
