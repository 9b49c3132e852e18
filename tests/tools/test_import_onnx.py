"""`vernier import-onnx`: networks go out as ONNX and come back as they were, in the language as a person writes it; what the
language lacks is named. tests/onnx has files that no exporter writes, and compares values of the whole zoo."""

import json
import math
import random
import re
import struct
import unittest
from pathlib import Path

from commands import CommandTest, read_npy, read_safetensors, write_npy, write_safetensors

MODELS = Path(__file__).resolve().parents[2] / "models/networks"

# That of the manual: blocks with numbers that differ, a loop, a gate.
PAGE = Path(__file__).resolve().parents[2] / "docs/onnx.md"
RESIDUAL = re.search(r"^```vernier\n// From m.onnx.\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[1]

SHARED = """network again_network() {
  input image: [2, 12, 12]
  shared head = conv(_, 3, 3, bias = true)
  x = image |> fine: conv(4, 3, dilation = 2) |> leaky_relu(slope = 0.1)
  output coarse = x |> max_pool(2) |> channel_shuffle(2) |> head
  output fine = x |> head
}

model again = again_network()
"""

RESIZED = """network again_network() {
  input image: [2, 13, 16]
  x = image |> conv1: conv(4, 3) |> resize(bicubic, size = [5, 7], antialias = true)
    |> conv2: conv(4, 3) |> resize(bicubic, size = [13, 16], align_corners = true)
  output means = x |> adaptive_avg_pool([5, 3]) |> resize(nearest_exact, size = [7, 9])
  output sharp = x |> resize(bicubic, scale = 2)
  output smooth = x |> resize(bilinear, scale = 0.7, antialias = true)
}

model again = again_network()
"""


class ImportOnnx(CommandTest):
    maxDiff = None

    def succeed(self, *arguments):
        done = self.vernier(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def describe(self, specification, *options):
        return json.loads(self.succeed("describe", specification, "--json", *options))

    def export(self, specification, name, *options):
        """As ONNX, with random weights."""
        generator = random.Random(1)
        parameters = self.describe(specification, *options)["parameters"]
        low = {"running_var": 0.5, "gamma": 0.5}
        write_safetensors(self.folder / f"{name}.w.safetensors",
                          {entry["name"]: [generator.uniform(low.get(entry["kind"], -0.5), 1)
                                           for _ in range(math.prod(entry["shape"]))] for entry in parameters},
                          shapes={entry["name"]: entry["shape"] for entry in parameters})
        path = self.folder / f"{name}.onnx"
        self.succeed("export-onnx", specification, *options, "--weights", self.folder / f"{name}.w.safetensors", "-o", path)
        return path

    def import_model(self, model, name="again", *options):
        path = self.folder / f"{name}.vn"
        self.succeed("import-onnx", model, "-o", path, *options)
        return path

    def write(self, text):
        self.specify(text)
        return self.specification

    def refused(self, model, *texts, output="again.vn", options=()):
        before = sorted(path.name for path in self.folder.iterdir())
        self.expect_refusal(self.vernier("import-onnx", model, "-o", self.folder / output, *options), *texts)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), before)

    def same_weights(self, found, name):
        """As `export` wrote them."""
        ours, theirs = read_safetensors(found), read_safetensors(self.folder / f"{name}.w.safetensors")
        self.assertEqual(sorted(ours), sorted(theirs))
        self.assertEqual([tensor for tensor in ours if ours[tensor] != theirs[tensor]], [])

    def test_the_text_comes_back(self):
        for text in (RESIDUAL, SHARED, RESIZED):
            model = self.export(self.write(text), "m")
            imported = self.import_model(model)
            self.assertEqual(imported.read_text(encoding="utf-8"), f"// From m.onnx.\n{text}")
            self.same_weights(imported.with_suffix(".safetensors"), "m")

    def test_logits(self):
        specification = self.write(RESIDUAL)
        imported = self.import_model(self.export(specification, "m"), "other", "--flat")
        self.assertNotIn("block", imported.read_text(encoding="utf-8"))
        write_npy(self.folder / "x.npy", [1, 3, 16, 16], [math.sin(i) for i in range(768)])
        results = []
        for path, model, weights in ((specification, "again", self.folder / "m.w.safetensors"),
                                     (imported, "other", imported.with_suffix(".safetensors"))):
            self.succeed("build", path, "-o", self.folder / model)
            done = self.execute(self.folder / model / model, "run", "--input", self.folder / "x.npy", "--output",
                                self.folder / "y.npy", "--weights", weights)
            self.assertEqual(done.returncode, 0, done.stderr)
            results.append(read_npy(self.folder / "y.npy"))
        self.assertEqual(results[0][0], [1, 4])
        for ours, theirs in zip(results[0][1], results[1][1]):
            self.assertAlmostEqual(ours, theirs, delta=1e-5 * max(map(abs, results[0][1])))

    def test_zoo(self):
        for file, model in (("mobilenet_v2", "mobilenet_v2"), ("shufflenet_v2", "shufflenet_v2_x1_0"),
                            ("efficientnet", "efficientnet_b0"), ("fashion", "scalenet_fashion")):
            with self.subTest(model):
                options = ("--model", model)
                first = self.describe(MODELS / f"{file}.vn", *options)
                exported = self.export(MODELS / f"{file}.vn", "first", *options)
                imported = self.import_model(exported)
                weights = imported.with_suffix(".safetensors")
                self.same_weights(weights, "first")
                second = self.describe(imported)
                self.assertEqual(second["macs"], first["macs"])
                self.assertEqual({entry["name"]: entry["shape"] for entry in second["parameters"]},
                                 {entry["name"]: entry["shape"] for entry in first["parameters"]})
                # What is exported again is the same network, as its import says.
                text = imported.read_text(encoding="utf-8")
                self.succeed("export-onnx", imported, "--weights", weights, "-o", exported)
                self.assertEqual(self.import_model(exported).read_text(encoding="utf-8"), text)
                self.assertEqual(self.succeed("check", imported).count("error"), 0)

    def test_open_size(self):
        model = self.export(self.write("network n() {\n  input image: [3, 8, 8]\n  image |> conv1: conv(4, 3)\n}\nmodel m = n()\n"),
                            "m")
        data = model.read_bytes()
        # Sizes become names: fields 1 (a number) of the input's dimensions 3 and 4 become fields 2 (a text of one character).
        sides = b"\x0a\x02\x08\x08" * 2
        self.assertEqual(data.count(sides), 2)
        at = data.index(sides)
        for i in (0, 4):
            data = data[:at + i] + b"\x0a\x02\x12\x00" + data[at + i + 4:]
        output = data.rindex(sides)
        data = data[:output] + b"\x0a\x02\x12\x00" * 2 + data[output + 8:]
        model.write_bytes(data)
        self.refused(model, "the input `image` does not say how large an image is", "--input HxW")
        imported = self.import_model(model, "again", "--input", "20x12")
        self.assertIn("input image: [3, 20, 12]", imported.read_text(encoding="utf-8"))

    def test_nodes_that_the_language_lacks(self):
        model = self.export(self.write("network n() {\n  input image: [3, 8, 8]\n  x = image |> conv1: conv(4, 3) |> sigmoid\n"
                                       "  image |> conv2: conv(4, 3) |> tanh |> add(x)\n}\nmodel m = n()\n"), "m")
        text = model.read_bytes()
        self.assertEqual((text.count(b"\x07Sigmoid"), text.count(b"\x04Tanh")), (1, 1))
        model.write_bytes(text.replace(b"\x07Sigmoid", b"\x07Hardmax").replace(b"\x04Tanh", b"\x04Mish"))
        self.refused(model, "error: node `sigmoid1` (Hardmax): the language has no such operation\n", str(model),
                     "error: node `tanh1` (Mish): the language has no such operation\n")

    def test_weights_that_are_not_finite(self):
        model = self.export(self.write(SHARED), "m")
        values = read_safetensors(self.folder / "m.w.safetensors")["head.bias"]
        data = model.read_bytes()
        self.assertEqual(data.count(values), 1)
        model.write_bytes(data.replace(values, values[:4] + struct.pack("<f", math.inf) + values[8:]))
        self.refused(model, "the weight `head.bias` holds inf at [1]", str(model))

    def test_files_that_are_no_models(self):
        model = self.folder / "m.onnx"
        self.refused(model, "cannot open the file", str(model))
        model.write_bytes(b"neither")
        self.refused(model, "the file is no ONNX model, or only a part of one", str(model))
        whole = self.export(self.write(SHARED), "whole")
        model.write_bytes(whole.read_bytes()[:-10])
        self.refused(model, "no ONNX model")
        self.refused(whole, "a specification is a file NAME.vn", output="again.txt")
        self.refused(whole, "again.vn", output="no/again.vn")
        self.refused(whole, "is of images of 12x12 pixels", options=("--input", "8x8"))

    def test_weights_of_others_stay(self):
        model = self.export(self.write(SHARED), "m")
        theirs = self.folder / "again.safetensors"
        for content in (self.folder / "m.w.safetensors").read_bytes(), b"something else":
            theirs.write_bytes(content)
            self.refused(model, "the file is not from `vernier import-onnx`", str(theirs), "remove the file")
            self.assertEqual(theirs.read_bytes(), content)
        theirs.unlink()
        self.import_model(model)
        self.import_model(model)  # what an import wrote it may write again


if __name__ == "__main__":
    unittest.main()
