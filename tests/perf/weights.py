"""Weights and inputs made from their names alone: uniform numbers from a counter and a hash of the name."""

import math

import numpy as np

from networks import Map, Network, build

MASK = (1 << 64) - 1


def uniform(name, count):
    """24-bit numbers in [0, 1): splitmix64 of i + FNV-1a(name)."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = (np.arange(count, dtype=np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)


def tensor(name, shape, kind):
    """Ranges that keep the activations of a deep network in an ordinary range."""
    fan_in = math.prod(shape[1:])
    scale, shift = {
        "conv": (2 * math.sqrt(6 / fan_in), -math.sqrt(6 / fan_in)),
        "fc": (2 * math.sqrt(3 / fan_in), -math.sqrt(3 / fan_in)),
        "bias": (0.2, -0.1),
        "beta": (0.2, -0.1),
        "mean": (0.2, -0.1),
        "gamma": (0.5, 0.25),
        "var": (1.0, 0.5),
        "input": (3.4, -1.7),
    }[kind]
    values = uniform(name, math.prod(shape)) * np.float32(scale) + np.float32(shift)
    return values.reshape(shape)


class Parameters(Network):
    """Computes nothing: collects the parameters."""

    def __init__(self):
        self.tensors = {}

    def parameter(self, name, shape, kind, stored=None):
        self.tensors[name] = tensor(name, stored or shape, kind)

    def compute_split(self, x, parts, channels):
        return [None] * parts

    def __getattr__(self, name):
        if name.startswith("compute_"):
            return lambda *operands: None
        raise AttributeError(name)


def write_weights(path, model, side, channels):
    from safetensors.numpy import save_file  # the peers on a GPU (scripts/gpu) write none, and need no more than numpy

    net = Parameters()
    build(net, model, Map(3, side, side, None), channels)
    save_file(net.tensors, path)
