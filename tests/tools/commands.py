"""Runs `vernier` and writes the files that its tests need."""

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

VERNIER = Path(sys.argv.pop()).resolve()
# What is built is built for it; unset: the CPU. The tests of programs are then those of the same programs elsewhere.
TARGET = os.environ.get("VERNIER_TEST_TARGET", "")
SPECIFICATION = Path(__file__).parent / "two_scales.vn"
# A network with an open hole.
OPEN_SPECIFICATION = """network n() {
  input image: [1, 8, 8]
  choose k: int from [4, 8]
  x = image |> conv1: conv(4, 3) |> bn1: batch_norm |> relu |> resize(nearest, size = [k, k])
  x |> conv2: conv(4, 3) |> bn2: batch_norm |> relu |> global_avg_pool |> fc: linear(2)
}

model m = n()
"""


class CommandTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    @classmethod
    def shared_folder(cls):
        """One that the tests of a class have in common."""
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        return Path(folder.name)

    def specify(self, text):
        self.specification = self.folder / "m.vn"
        self.specification.write_text(text, encoding="utf-8")

    @staticmethod
    def execute(program, *arguments):
        return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)

    def vernier(self, *arguments):
        if TARGET and arguments[0] in ("build", "train", "adapt", "search"):
            arguments = (*arguments, "--target", TARGET)
        return self.execute(VERNIER, *arguments)

    def expect_refusal(self, done, *texts):
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertNotRegex(done.stderr, r"see current operation|\bvn\.\w|tensor<|@infer")  # the dialect is not the person's
        for text in texts:
            self.assertIn(text, done.stderr)


def write_safetensors(path, tensors, kind="F32", shapes={}):
    """`tensors`: name -> list of numbers, written as vectors unless `shapes` says otherwise."""
    header, data = {}, b""
    for name, values in tensors.items():
        begin = len(data)
        data += struct.pack(f"<{len(values)}{'f' if kind == 'F32' else 'i'}", *values)
        header[name] = {"dtype": kind, "shape": shapes.get(name, [len(values)]), "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def parameter_shapes(info):
    """Of what a program's `info` prints."""
    return {name: [int(extent) for extent in extents.split(",")]
            for name, extents in re.findall(r"^(\S+)  +\[([\d, ]+)\]$", info, re.MULTILINE)}


def safetensors_header(data):
    """What the file holds, by name, and where its values begin."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + length]), 8 + length


def read_safetensors(path):
    """The bytes of each tensor, by name."""
    data = path.read_bytes()
    header, begin = safetensors_header(data)
    return {name: data[begin + entry["data_offsets"][0]:begin + entry["data_offsets"][1]]
            for name, entry in header.items() if name != "__metadata__"}


def read_floats(path):
    """The values of each tensor of floats, by name."""
    return {name: list(struct.unpack(f"<{len(data) // 4}f", data)) for name, data in read_safetensors(path).items()}


def read_shapes(path):
    header, _ = safetensors_header(path.read_bytes())
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def npy_header(shape):
    """What stands before the floats of an array."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


def write_npy(path, shape, values):
    path.write_bytes(npy_header(shape) + struct.pack(f"<{len(values)}f", *values))


def write_arrays(folder, split, shape, values, labels):
    """A split of a data set of arrays."""
    write_npy(folder / f"{split}-arrays.npy", [len(labels), *shape], values)
    write_npy(folder / f"{split}-labels.npy", [len(labels)], labels)


def read_npy(path):
    """Shape and values of an array of floats."""
    data = path.read_bytes()
    length = struct.unpack("<H", data[8:10])[0]
    shape = [int(extent) for extent in re.search(r"\((.*?),?\)", data[10:10 + length].decode())[1].split(",")]
    values = data[10 + length:]
    return shape, struct.unpack(f"<{len(values) // 4}f", values)


def png(width, height, channels, pixels):
    """The bytes of an image; `pixels` row by row."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + pixels[begin:begin + width * channels] for begin in range(0, len(pixels), width * channels))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2}[channels], 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
