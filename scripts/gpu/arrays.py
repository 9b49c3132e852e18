"""Arrays of float32 in npy and safetensors files, weights made from their names, and how far two arrays lie apart.

Python's standard library alone: what runs on the GPU's machine needs no more to compare results.
"""

import array
import ast
import json
import math
import struct
from pathlib import Path

MASK = (1 << 64) - 1


def write_npy(path, shape, values):
    extents = "".join(f"{extent}, " for extent in shape)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({extents}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    data = array.array("f", values)
    assert len(data) == math.prod(shape)
    Path(path).write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data.tobytes())


def read_npy(path):
    """Shape and values; ValueError where the file holds something else."""
    data = Path(path).read_bytes()
    if data[:8] != b"\x93NUMPY\x01\x00":
        raise ValueError(f"{path}: not an array of version 1.0 of npy")
    begin = 10 + struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:begin].decode())
    if header["descr"] != "<f4" or header["fortran_order"]:
        raise ValueError(f"{path}: not float32 in C's order")
    values = array.array("f", data[begin:])
    if len(values) != math.prod(header["shape"]):
        raise ValueError(f"{path}: {len(values)} numbers, its shape is {header['shape']}")
    return list(header["shape"]), values


def write_safetensors(path, tensors):
    """`tensors`: name -> (shape, values)."""
    header, parts, begin = {}, [], 0
    for name, (shape, values) in tensors.items():
        part = array.array("f", values).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, begin + len(part)]}
        parts.append(part)
        begin += len(part)
    text = json.dumps(header).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def read_safetensors(path):
    """name -> values, of what is float32."""
    data = Path(path).read_bytes()
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:begin]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            first, last = entry["data_offsets"]
            tensors[name] = array.array("f", data[begin + first:begin + last])
    return tensors


def uniform(name, count):
    """24-bit numbers in [0, 1): splitmix64 of i + FNV-1a(name), as tests/golden/README.md has it."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & MASK
    for i in range(count):
        z = ((i + seed) * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield ((z ^ (z >> 31)) >> 40) / (1 << 24)


def parameter(name, shape):
    """Values of a parameter or statistic, in a range that keeps a network's maps ordinary."""
    numbers = uniform(name, math.prod(shape))
    if name.endswith("running_var"):
        return [0.5 + u for u in numbers]
    if name.endswith(".weight") and len(shape) > 1:
        bound = math.sqrt((6 if len(shape) == 4 else 3) / math.prod(shape[1:]))
        return [(2 * u - 1) * bound for u in numbers]
    if name.endswith(".weight"):
        return [0.25 + 0.5 * u for u in numbers]
    return [(u - 0.5) * 0.2 for u in numbers]


def image(shape, name="input"):
    return [(2 * u - 1) * 1.7 for u in uniform(name, math.prod(shape))]


def distance(found, expected):
    """Relative L2 distance; infinite where the lengths differ, NaN where either holds one."""
    if len(found) != len(expected):
        return math.inf
    norm = sum(value * value for value in expected)
    difference = sum((a - b) ** 2 for a, b in zip(found, expected))
    return math.sqrt(difference / norm) if norm > 0 else math.sqrt(difference)
