"""`vernier describe` on a network with two scales; tests/models compares whole networks with published figures."""

import json
import re
import shutil
import subprocess
import unittest
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


if __name__ == "__main__":
    unittest.main()
