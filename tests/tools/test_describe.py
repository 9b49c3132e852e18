"""`vernier describe` on a network with two scales; tests/models compares whole networks with published figures."""

import json
import unittest

from commands import SPECIFICATION, CommandTest


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
        self.assertIn("1 of 1 learned holes at their seeds", printed)
        self.assertIn("(14,080)", printed)
        self.assertNotIn("seeds", self.describe(*self.configuration("[holes]\nchannels = [3, 1]\n")))

    def test_refusals(self):
        refuse = lambda *options: self.vernier("describe", SPECIFICATION, "--model", "two_scales8", *options)
        self.expect_refusal(refuse(*self.configuration("[holes]\nchannels = [3]\n")), "has 2 elements, but 1 are given", "c.toml:2:")
        self.expect_refusal(refuse(*self.configuration("[configuration]\nmodel = \"other\"\n[holes]\n")),
                            "for model `other`, not `two_scales8`")
        self.expect_refusal(refuse("--input", "8by8"), "`8by8` is no input size")
        self.expect_refusal(refuse("--config", self.folder / "none.toml"), "cannot read the configuration", "none.toml")


if __name__ == "__main__":
    unittest.main()
