"""Runs `vernier` and writes the files that its tests need."""

import json
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
