"""Runs `vernier` and writes the files that its tests need."""

import json
import re
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

VERNIER = Path(sys.argv.pop()).resolve()
SPECIFICATION = Path(__file__).parent / "two_scales.vn"


class CommandTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def vernier(self, *arguments):
        return subprocess.run([VERNIER, *map(str, arguments)], capture_output=True, text=True)

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


def read_safetensors(path):
    """The bytes of each tensor, by name."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    return {name: data[8 + length + entry["data_offsets"][0]:8 + length + entry["data_offsets"][1]]
            for name, entry in header.items() if name != "__metadata__"}


def write_npy(path, shape, values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
                     struct.pack(f"<{len(values)}f", *values))


def read_npy(path):
    """Shape and values of an array of floats."""
    data = path.read_bytes()
    length = struct.unpack("<H", data[8:10])[0]
    shape = [int(extent) for extent in re.search(r"\((.*?),?\)", data[10:10 + length].decode())[1].split(",")]
    values = data[10 + length:]
    return shape, struct.unpack(f"<{len(values) // 4}f", values)
