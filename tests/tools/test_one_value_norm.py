"""A batch norm over one value per channel: `check`, `build --for train` and the training itself warn of it."""

import random
import unittest

from commands import CommandTest, read_safetensors, write_arrays

SPECIFICATION = """network n() {
  input image: [3, 8, 8]
  x = image |> stem: conv(4, 3) |> bn1: batch_norm |> relu
  x |> global_avg_pool |> squeeze: conv(4, 1) |> bn2: batch_norm |> relu |> fc: linear(2)
}

network c() {
  input image: [3, 8, 8]
  choose factor: float from [1.0, 0.125]
  image |> resize(bilinear, size = [round(8 * factor), round(8 * factor)]) |> stem: conv(4, 3) |> bn1: batch_norm |> relu
    |> global_avg_pool |> fc: linear(2)
}

model m = n()
model chosen = c()
"""
RECIPE = """epochs = 1
[optimizer]
learning_rate = 0.05
"""


class OneValueNorm(CommandTest):
    def setUp(self):
        super().setUp()
        self.specify(SPECIFICATION)

    def warnings(self, *arguments):
        done = self.vernier(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def build(self, output, model, *options):
        return self.warnings("build", self.specification, "--model", model, "--for", "train", "-o", self.folder / output,
                             *options)

    def expect(self, text, *norms):
        """A warning for each of the batch norms, with its place, and no other."""
        self.assertEqual(text.count("warning: "), len(norms), text)
        for norm in norms:
            self.assertIn(f"warning: batch norm `{norm}` has one value per channel in training, with a batch of 1\n", text)
        self.assertEqual(text.count(f"--> {self.specification}:"), len(norms), text)
        self.assertEqual(text.count("help: train with --batch 2 or more"), len(norms))

    def test_check(self):
        self.expect(self.warnings("check", self.specification, "--model", "m"), "bn2")
        self.assertIn("m.vn:4:", self.warnings("check", self.specification, "--model", "m"))
        self.assertEqual(self.warnings("check", self.specification, "--model", "m", "--batch", "2"), "")
        # Two models of one network have the same one.
        text = self.specification.read_text(encoding="utf-8")
        self.specification.write_text(text.replace("model m = ", "model again = n()\nmodel m = "), encoding="utf-8")
        self.assertEqual(self.warnings("check", self.specification).count("warning: "), 1)

    def test_group_norm_of_one_value(self):
        self.specify("network n() {\n  input image: [3, 8, 8]\n  image |> conv(4, 3) |> group_norm(4) |> global_avg_pool"
                     " |> group_norm(4) |> linear(2)\n}\n\nmodel m = n()\n")
        text = self.warnings("check", self.specification, "--batch", "2")
        self.assertEqual(text.count("warning: "), 1, text)
        self.assertIn("warning: group norm `gn2` has one value in each group\n", text)
        self.assertIn("help: leave it out", text)

    def test_layer_norm_of_one_channel(self):
        self.specify("network n() {\n  input image: [3, 8, 8]\n  image |> conv(1, 3) |> layer_norm |> global_avg_pool"
                     " |> fc: linear(2)\n}\n\nmodel m = n()\n")
        text = self.warnings("check", self.specification, "--batch", "2")
        self.assertIn("warning: layer norm `ln1` has one channel to normalise\n", text)
        self.assertIn("m.vn:3:", text)
        self.assertIn("help: leave it out", text)

    def test_build_and_training(self):
        values = random.Random(3)
        for split in ("train", "test"):
            write_arrays(self.folder, split, [3, 8, 8], [values.gauss(0, 1) for _ in range(16 * 192)],
                         [i % 2 for i in range(16)])
        (self.folder / "r.toml").write_text(RECIPE, encoding="utf-8")
        for batch, norms in ((1, ("bn2",)), (2, ())):
            self.expect(self.build(f"b{batch}", "m", "--batch", batch), *norms)
            done = self.execute(self.folder / f"b{batch}" / "m", "train", "--data", self.folder, "--recipe",
                                self.folder / "r.toml", "--out", self.folder / f"o{batch}")
            self.assertEqual(done.returncode, 0, done.stderr)
            for norm in norms:
                self.assertIn(f"warning: batch norm `{norm}` has one value per channel in training", done.stderr)
            self.assertEqual(done.stderr.count("warning"), len(norms))
            self.assertIn("bn2.running_var", read_safetensors(self.folder / f"o{batch}" / "weights.safetensors"))
        # Inference has no such fault.
        self.assertEqual(self.warnings("build", self.specification, "--model", "m", "-o", self.folder / "infer"), "")

    def test_one_of_the_configurations(self):
        """A map that is one pixel with one choice only."""
        self.expect(self.build("open", "chosen"), "bn1")
        self.assertEqual(self.build("two", "chosen", "--batch", "2"), "")
        self.assertEqual(self.build("large", "chosen", "--choose", "factor=1"), "")


if __name__ == "__main__":
    unittest.main(argv=[__file__])
