"""`vernier describe` on a network with two scales; tests/models compares whole networks with published figures."""

import json
import re
import shutil
import subprocess
import unittest
from pathlib import Path
from xml.etree import ElementTree

from commands import SPECIFICATION, CommandTest


SVG = "{http://www.w3.org/2000/svg}"


class Describe(CommandTest):
    def describe(self, *options):
        done = self.vernier("describe", SPECIFICATION, "--model", "two_scales8", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def json(self, *options):
        return json.loads(self.describe("--json", *options))

    def configuration(self, text):
        path = self.folder / "c.toml"
        path.write_text(text, encoding="utf-8")
        return "--config", path

    def test_seed(self):
        described = self.json()
        self.assertEqual(described["model"], "two_scales8")
        self.assertEqual(described["input"], [4, 8, 8])
        self.assertEqual(described["macs"], 4 * 2304 + 4 * 576 + 64 * 8 * 5)
        self.assertEqual(described["params"], 8 * 4 * 9 + 2 * 8 + 8 * 5)
        self.assertEqual(described["holes"],
                         [{"name": "channels", "channels": [4, 4], "budget": "macs", "limit": 9216, "bound": False}])
        self.assertEqual(described["blocks"],
                         [{"place": "body", "block": "two_scales", "macs": 11520, "params": 304, "shape": [8, 8, 8],
                           "receptive_field": [3, 6]}])

    def test_losses(self):
        """What training is given, and what leaves inference."""
        networks = Path(__file__).parent / "verify_networks.vn"
        done = self.vernier("describe", networks, "--model", "losses5", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        described = json.loads(done.stdout)
        self.assertEqual([(target["name"], target["labels"], target["shape"]) for target in described["targets"]],
                         [("mask", True, [1, 12, 14]), ("edge", False, [1, 12, 14]), ("kind", True, [1, 1, 1]), ("numbers", False, [7, 1, 1])])
        self.assertEqual(described["losses"], ["side", "edge", "numbers"])
        self.assertIn("aux.head.weight", described["training_only"])
        done = self.vernier("describe", networks, "--model", "losses5")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("\ntrained by `mask`, 12x14 labels; `edge`, 1x12x14 numbers; `kind`, a label; `numbers`, 7 numbers, for the losses "
                      "`side`, `edge`, `numbers`\n", done.stdout)
        self.assertRegex(done.stdout, r"\nonly in training: \d+ tensors, `\S+` and others\n")
        for key in "targets", "losses", "training_only":
            self.assertNotIn(key, self.json())

    def test_parameters_in_order(self):
        listed = [(entry["name"], entry["shape"], entry["kind"]) for entry in self.json()["parameters"]]
        norm = [("weight", "gamma"), ("bias", "beta"), ("running_mean", "running_mean"), ("running_var", "running_var")]
        self.assertEqual(listed,
                         [("body.conv.1.weight", [4, 4, 3, 3], "convolution_weight"),
                          *[(f"body.bn.1.{name}", [4], kind) for name, kind in norm],
                          ("body.conv.2.weight", [4, 4, 3, 3], "convolution_weight"),
                          *[(f"body.bn.2.{name}", [4], kind) for name, kind in norm],
                          ("out.weight", [5, 8, 1, 1], "convolution_weight")])

    def test_configuration(self):
        described = self.json(*self.configuration("[holes]\nchannels = [3, 0]\n"))
        self.assertEqual(described["macs"], 3 * 2304 + 64 * 3 * 5)
        self.assertEqual(described["holes"][0]["channels"], [3, 0])
        self.assertTrue(described["holes"][0]["bound"])
        self.assertEqual(described["blocks"][0]["shape"], [3, 8, 8])
        self.assertEqual(described["blocks"][0]["receptive_field"], [3, 3])
        self.assertFalse([entry for entry in described["parameters"] if ".2." in entry["name"]])

    def test_input_and_batch(self):
        described = self.json("--input", "16x8", "--batch", "3")
        self.assertEqual(described["input"], [4, 16, 8])
        self.assertEqual(described["batch"], 3)
        self.assertEqual(described["macs"], 2 * self.json()["macs"])  # of one image

    def test_table(self):
        printed = self.describe()
        self.assertRegex(printed, r"(?m)^body +two_scales +8x8x8 +11,520 +304 +3\.\.6$")
        self.assertIn("channels of `channels`: 4 4", printed)
        self.assertIn("1 of 1 learned hole at its seed", printed)
        self.assertIn("(14,080)", printed)
        self.assertNotIn("seeds", self.describe(*self.configuration("[holes]\nchannels = [3, 1]\n")))

    def test_kinds_of_ops(self):
        kinds = {entry["kind"]: (entry["ops"], entry["macs"]) for entry in self.json()["kinds"]}
        self.assertEqual(kinds, {"convolution 3x3": (2, 4 * 2304 + 4 * 576), "convolution 1x1": (1, 64 * 8 * 5),
                                 "max_pool": (2, 0), "resize": (1, 0), "batch_norm": (2, 0), "concat": (1, 0),
                                 "activate": (1, 0), "global_avg_pool": (1, 0)})
        self.assertRegex(self.describe(), r"(?m)^convolution 3x3 +2 +11,520 +81\.8% +\d+\.\d\d$")

    def svg(self, *options):
        path = self.folder / "out.svg"
        self.describe("--svg", path, *options)
        root = ElementTree.parse(path).getroot()
        bars = [(round(float(bar.get("height")), 1), bar.get("fill")) for bar in root.iter(SVG + "rect") if bar.get("width") == "30.0"]
        return bars, [text.text for text in root.iter(SVG + "text")]

    def test_drawing(self):
        bars, words = self.svg(*self.configuration("[holes]\nchannels = [3, 1]\n"))
        # Three quarters and one quarter of 220, then the field of view from 3 to 6 pixels of 6.
        self.assertEqual([height for height, _ in bars], [165.0, 55.0, 110.0])
        self.assertNotEqual(bars[0][1], bars[1][1])
        for word in ("full scale", "1/2 scale", "c: channels of each scale", "channels", "body", "6"):
            self.assertIn(word, words)
        # Drawn without holes, too.
        path = self.folder / "plain.svg"
        self.assertEqual(self.vernier("describe", SPECIFICATION, "--model", "no_holes", "--svg", path).returncode, 0)
        ElementTree.parse(path)

    def test_drawing_of_two_configurations(self):
        other = self.folder / "other.toml"
        other.write_text("[holes]\nchannels = [1, 1]\n", encoding="utf-8")
        bars, words = self.svg("--diff", other)
        self.assertEqual([height for height, _ in bars], [110.0, 110.0, 110.0, 110.0, 110.0, 110.0])
        self.assertIn("two_scales8: channels of each scale", words)
        self.assertIn("other: channels of each scale", words)

    def test_graph(self):
        path = self.folder / "out.dot"
        self.describe("--dot", path)
        text = path.read_text(encoding="utf-8")
        nodes = dict(re.findall(r'^ *(\w+) \[label="(.*?)"', text, re.MULTILINE))
        edges = [(nodes[a].split("\\n")[0], nodes[b].split("\\n")[0]) for a, b in re.findall(r"^ *(\w+) -> (\w+)$", text, re.MULTILINE)]
        self.assertIn(("image", "max_pool 1x1"), edges)
        self.assertIn(("max_pool 2x2 /2", "conv 3x3"), edges)
        self.assertEqual(edges.count(("concat", "relu")), 1)
        self.assertEqual(edges[-1][1], "logits")
        self.assertRegex(text, r'subgraph cluster0 \{\s+label="body: two_scales"')
        self.assertIn("conv 3x3\\n4x4x4\\nbody.conv.2", text)
        self.assertEqual(text.count("{"), text.count("}"))
        if shutil.which("dot"):
            subprocess.run(["dot", "-Tsvg", path, "-o", self.folder / "graph.svg"], check=True)

    def test_difference(self):
        other = self.folder / "other.toml"
        other.write_text("[holes]\nchannels = [3, 0]\n", encoding="utf-8")
        printed = self.describe("--diff", other)
        self.assertRegex(printed, r"(?m)^body +two_scales +11,520 -> 6,912 +-40\.0% +304 -> 114 +-62\.5% +3\.\.6 -> 3\.\.3$")
        self.assertIn("channels of `channels`: 4 4 -> 3 0\n1 block differs\nMACs 14,080 -> 7,872 (-44.1%)\n", printed)
        same = self.describe("--config", other, "--diff", other)
        self.assertEqual(same, "0 blocks differ\nMACs 7,872\nparameters 129\n")

    def test_refusals(self):
        refuse = lambda *options: self.vernier("describe", SPECIFICATION, "--model", "two_scales8", *options)
        self.expect_refusal(refuse(*self.configuration("[holes]\nchannels = [3]\n")), "has 2 elements, but 1 are given", "c.toml:2:")
        self.expect_refusal(refuse(*self.configuration("[configuration]\nmodel = \"other\"\n[holes]\n")),
                            "for model `other`, not `two_scales8`")
        self.expect_refusal(refuse("--json", "--diff", "x.toml"), "--json describes one configuration")
        self.expect_refusal(refuse("--svg", self.folder / "none" / "x.svg"), "none")
        self.expect_refusal(refuse("--input", "8by8"), "`8by8` is no input size")
        self.expect_refusal(refuse("--config", self.folder / "none.toml"), "cannot read the configuration", "none.toml")


# One convolution whose figures are worked out by hand; and a network with strides, which leave pixels out.
ONE = """network one() {
  input image: [64, 16, 16]
  image |> conv(64, 3)
}
model m = one()
"""
STRIDES = """network strides() {
  input image: [8, 4, 4]
  choose wide: int from [16, 32]
  image |> first: conv(8, 1) |> second: conv(wide, 1, stride = 2) |> global_avg_pool |> fc: linear(2)
}
model m = strides()
"""
BYTES, F32, BF16, LAUNCH = 3e12, 67e12, 800e12, 0.6  # an H100's; microseconds


class Roofline(CommandTest):
    def describe(self, specification, *options):
        self.specify(specification)
        done = self.vernier("describe", self.specification, "--roofline", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def json(self, specification, *options):
        return json.loads(self.describe(specification, *options, "--json"))

    def test_one_convolution(self):
        """An image of 64 x 16 x 16 floats is 65,536 bytes, its weights are 64 * 64 * 9."""
        described = self.json(ONE, "h100", "--batch", "2")
        image, weights, operations = 2 * 65536, 4 * 36864, 2 * 2 * 256 * 36864
        steps = [(step["kind"], step["read_bytes"], step["written_bytes"], step["operations"]) for step in described["steps"]]
        self.assertEqual(steps, [("from_array", image, image, 0), ("convolution", image + weights, image, operations),
                                 ("to_array", image, image, 0)])
        copy, product = 1e6 * 2 * image / BYTES + LAUNCH, 1e6 * operations / F32 + LAUNCH
        for step, time, bound in zip(described["steps"], (copy, product, copy), ("bytes", "operations", "bytes"), strict=True):
            self.assertAlmostEqual(step["microseconds"], time, 6)
            self.assertEqual(step["bound"], bound)
        self.assertAlmostEqual(described["steps"][1]["operations_per_byte"], operations / (2 * image + weights), 6)
        whole = described["step_by_step"]
        self.assertEqual((whole["launches"], whole["read_bytes"], whole["written_bytes"], whole["operations"]),
                         (3, 3 * image + weights, 3 * image, operations))
        self.assertAlmostEqual(whole["microseconds"], 2 * copy + product, 6)
        self.assertAlmostEqual(whole["images_per_second"], 2e6 / (2 * copy + product), 2)
        self.assertAlmostEqual(whole["launch_microseconds"], 3 * LAUNCH, 6)
        self.assertAlmostEqual(whole["share_bound_by_bytes"], 2 * copy / (2 * copy + product), 6)
        borders = described["borders"]
        self.assertEqual((borders["read_bytes"], borders["written_bytes"], borders["bound"]), (image + weights, image, "operations"))
        self.assertAlmostEqual(borders["microseconds"], product, 6)
        self.assertEqual([(kind["kind"], kind["launches"]) for kind in described["kinds"]],
                         [("from_array", 1), ("convolution", 1), ("to_array", 1)])

    def test_precisions(self):
        """In bfloat16 the map within and the weights have half of the bytes, and tensor cores leave the bytes to bind."""
        described = self.json(ONE, "h100", "--batch", "2", "--precision", "bf16")
        image, weights = 2 * 65536, 2 * 36864
        step = described["steps"][1]
        self.assertEqual((step["read_bytes"], step["written_bytes"], step["bound"]), (image // 2 + weights, image, "bytes"))
        self.assertAlmostEqual(step["microseconds"], 1e6 * (image // 2 + weights + image) / BYTES + LAUNCH, 6)
        described = self.json(ONE, "h100", "--batch", "2", "--precision", "tf32")
        self.assertEqual(described["steps"][1]["bound"], "bytes")
        self.assertEqual(described["steps"][1]["read_bytes"], image + 2 * weights)

    def test_training(self):
        """Windows of a large stride leave pixels out; residues of an input gradient divide its pixels."""
        described = self.json(STRIDES, "h100", "--batch", "2", "--for", "train")
        steps = {}
        for step in described["steps"]:
            steps.setdefault((step["place"], step["kind"]), []).append((step["read_bytes"], step["written_bytes"]))
        x, y, weights = 2 * 16 * 8 * 4, 2 * 4 * 16 * 4, 8 * 16 * 4
        self.assertEqual(steps["second", "convolution"], [(x // 4 + weights, y)])
        self.assertEqual(steps["second", "convolution_input_gradient"], [(y + weights, x // 4)] + 3 * [(0, x // 4)])
        self.assertEqual(steps["second", "weight_gradient"], [(x // 4 + y, weights)])
        self.assertEqual({step["program"] for step in described["steps"]}, {"train_step", "update"})
        # Of a step's multiply-adds the gradients have twice those of the forward half, but for the image's.
        macs = 2 * (16 * 64 + 4 * 128 + 32)
        self.assertEqual(described["step_by_step"]["operations"], 2 * (3 * macs - 2 * 16 * 64))
        self.assertEqual(sum(kind["operations"] for kind in described["kinds"]), described["step_by_step"]["operations"])

    def test_table(self):
        text = self.describe(ONE, "A100", "--batch", "2")
        self.assertIn("m on A100 SXM 80GB: inference, f32, 2 images of 64x16x16\n", text)
        self.assertRegex(text, r"\nconv1 +convolution +0\.28 +0\.13 +37\.7 +92\.2 +\d\.\d\d  operations\n")
        self.assertRegex(text, r"\nlaunches: 3 in a call, 0\.002 ms of it\n")
        self.assertRegex(text, r"if only what lies outside the network moved, 0\.41 MB of input, weights and output: .* by operations\n")

    def test_refusals(self):
        self.specify(ONE)
        for words, texts in ((("--roofline", "cpu"), ("`cpu` is no machine whose roofline is known", "one of h100, h200, a100, rtx4090",
                                                      "M bench --layers")),
                             (("--roofline", "h100", "--for", "train"), ("cannot be trained",)),
                             (("--for", "train"), ("--roofline",)), (("--precision", "bf16"), ("--roofline",)),
                             (("--roofline", "h100", "--precision", "f16"), ("--precision",)),
                             (("--roofline", "h100", "--dot", "d"), ("--dot",)), (("--roofline", "h100", "--configurations"), ("--configurations",))):
            with self.subTest(words):
                self.expect_refusal(self.vernier("describe", self.specification, *words), *texts)


if __name__ == "__main__":
    unittest.main()
