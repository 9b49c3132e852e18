"""`choose` holes on the command line: bound by a configuration or an option, listed, and what is refused."""

import json
import unittest

from commands import CommandTest

SPECIFICATION = """block stage(x, channels: int) {
  choose factor: float from [1.0, 0.5]
  x |> resize(bilinear, size = for side in [8, 8]: round(factor * side)) |> conv: conv(channels, 3) |> bn: batch_norm
    |> relu
}

network two_stages() {
  input image: [3, 16, 16]
  image |> first: stage(4) |> second: stage(4) |> global_avg_pool |> fc: linear(2)
}

model m = two_stages()
"""
FIRST, SECOND, LAST = 3 * 4 * 9, 4 * 4 * 9, 4 * 2  # multiply-adds for each pixel
NORMS = 2 * 4


class Choose(CommandTest):
    def setUp(self):
        super().setUp()
        self.specify(SPECIFICATION)

    def describe(self, *options):
        return self.vernier("describe", self.specification, *options)

    def json(self, *options):
        done = self.describe("--json", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def configuration(self, text):
        path = self.folder / "c.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def test_open(self):
        described = self.json()
        self.assertEqual(described["macs"], 64 * (FIRST + SECOND) + LAST)
        self.assertEqual(described["choices"][1],
                         {"name": "second.factor", "choices": [1.0, 0.5], "chosen": 1.0, "bound": False})
        self.assertIn("1 of 4 configurations", self.describe().stdout)

    def test_bound(self):
        path = self.configuration('[holes]\n"first.factor" = 0.5\n"second.factor" = 1\n')
        described = self.json("--config", path)
        self.assertEqual(described["macs"], 16 * FIRST + 64 * SECOND + LAST)
        self.assertEqual([hole["chosen"] for hole in described["choices"]], [0.5, 1.0])
        self.assertIn("first.bn[0.5].running_mean", [entry["name"] for entry in described["parameters"]])
        # An option goes before the configuration.
        described = self.json("--config", path, "--choose", "second.factor=0.5")
        self.assertEqual(described["macs"], 16 * (FIRST + SECOND) + LAST)

    def test_all_configurations(self):
        table = self.json("--configurations")
        shared = FIRST + SECOND + LAST + 2
        self.assertEqual(table["params"], shared + 4 * NORMS)
        self.assertEqual(table["configurations"], [
            {"choices": {"first.factor": first, "second.factor": second},
             "macs": int(64 * first * first * FIRST + 64 * second * second * SECOND) + LAST,
             "params": shared + 2 * NORMS}
            for first in (1.0, 0.5) for second in (1.0, 0.5)])
        self.assertIn("4 configurations of m", self.describe("--configurations").stdout)
        bound = self.json("--configurations", "--choose", "first.factor=0.5")
        self.assertEqual(bound["configurations"], table["configurations"][2:])

    def test_too_many_configurations(self):
        holes = "".join(f"  choose f{i}: int from [1, 2]\n" for i in range(13))
        self.specification.write_text("network n() {\n  input image: [3, 8, 8]\n" + holes +
                                      "  image |> max_pool(f0) |> conv(f1, 3)\n}\nmodel m = n()\n", encoding="utf-8")
        self.expect_refusal(self.describe("--configurations"), "more than 4096 configurations", "--choose f12=1")

    def test_specialised_build(self):
        built = self.folder / "built"
        done = self.vernier("build", self.specification, "--choose", "first.factor=0.5", "--choose",
                            "second.factor=1", "-o", built)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_mistakes(self):
        self.expect_refusal(self.describe("--choose", "first.factor=0.7"), "0.7 is no choice of `first.factor`",
                            "it is one of 1, 0.5")
        self.expect_refusal(self.describe("--choose", "first.facto=1"), "unknown `choose` hole `first.facto`",
                            "closest hole: `first.factor`")
        self.expect_refusal(self.describe("--choose", "first.factor"), "`first.factor` chooses nothing")
        self.expect_refusal(self.describe("--config", self.configuration('[holes]\n"first.factor" = [1]\n')),
                            "is a `choose` hole", "c.toml:2:")
        self.expect_refusal(self.describe("--config", self.configuration('[holes]\n"second.factor" = 2\n')),
                            "2 is no choice of `second.factor`", "c.toml:2:")


if __name__ == "__main__":
    unittest.main()
