"""Training that diverges, and weights that are not finite: every command names them, none passes them on."""

import json
import math
import random
import unittest

from commands import CommandTest, parameter_shapes, read_floats, read_npy, write_arrays, write_npy, write_safetensors

SPECIFICATION = """network n() {
  input image: [3, 8, 8]
  image |> stem: conv(4, 3) |> bn: batch_norm |> relu |> global_avg_pool |> fc: linear(2)
}

network l() {
  input image: [3, 8, 8]
  learned channels: [int] = [4, 4] within macs(image |> conv(8, 3))
  concat(for c in channels: image |> conv(c, 3) |> batch_norm) |> relu |> global_avg_pool |> fc: linear(2)
}

network c() {
  input image: [3, 8, 8]
  choose factor: float from [1.0, 0.5]
  image |> resize(bilinear, size = [round(8 * factor), round(8 * factor)]) |> stem: conv(4, 3) |> bn: batch_norm |> relu
    |> global_avg_pool |> fc: linear(2)
}

model m = n()
model divided = l()
model chosen = c()
"""
RECIPE = """epochs = 3
batch = 8
[optimizer]
learning_rate = {}
[schedule]
kind = "constant"
"""


class Finite(CommandTest):
    def setUp(self):
        super().setUp()
        self.specify(SPECIFICATION)
        self.data = self.folder / "data"
        self.data.mkdir()
        self.write_data()

    def write_data(self, bad=None):
        values = random.Random(5)
        for split in ("train", "test"):
            labels = [i % 2 for i in range(32)]
            arrays = [values.gauss(0, 1) + labels[i] for i in range(32) for _ in range(192)]
            if bad is not None and split == "train":
                arrays[192 * bad + 64 + 8 * 2 + 3] = math.nan
            write_arrays(self.data, split, [3, 8, 8], arrays, labels)

    def build(self, output, *options):
        done = self.vernier("build", self.specification, "-o", self.folder / output, *options)
        self.assertEqual(done.returncode, 0, done.stderr)

    def run_model(self, program, *arguments):
        return self.execute(self.folder / program, *arguments)

    def train(self, program, rate, *options):
        recipe = self.folder / "r.toml"
        recipe.write_text(RECIPE.format(rate), encoding="utf-8")
        return self.run_model(program, "train", "--data", self.data, "--recipe", recipe, "--out", self.folder / "out", *options)

    def expect_stop(self, done, *texts):
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("error: training stops at step ", done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)
        self.assertFalse((self.folder / "out" / "weights.safetensors").exists())
        self.assertFalse((self.folder / "out" / "summary.json").exists())

    def test_training_stops(self):
        """At what is not finite first: an image; with a rate out of all bounds a running variance, though every loss is
        finite; and it goes on with a lower one from the checkpoint."""
        self.build("train", "--model", "m", "--for", "train", "--batch", "8")
        self.write_data(bad=5)
        self.expect_stop(self.train("train/m", 0.05), "note: image 5 of the training data holds nan at [1, 2, 3]",
                         "(epoch 1 of 3, learning rate 0.05)", "there is no checkpoint yet", "mend these images")
        self.write_data()
        done = self.train("train/m", 0.05, "--epochs", "1", "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("weights.safetensors", "summary.json"):
            (self.folder / "out" / name).unlink()
        checkpoint = (self.folder / "out" / "checkpoint.safetensors").read_bytes()
        done = self.train("train/m", "1e22", "--resume")
        self.expect_stop(done, "learning rate 1e+22", "the last good checkpoint is", "checkpoint.safetensors, after step 4;",
                         "lower `learning_rate`")
        self.assertRegex(done.stderr, r"`(bn|stem|fc)\.\w+`")
        self.assertEqual((self.folder / "out" / "checkpoint.safetensors").read_bytes(), checkpoint)
        done = self.train("train/m", 0.01, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("resuming after step 4 of 12", done.stdout)

    def test_statistics_of_finite_losses(self):
        """Weights of 1e25: the batch norm makes small numbers of what they give, so that the loss is fine, but its variance is
        beyond float32."""
        self.build("train", "--model", "m", "--for", "train", "--batch", "8")
        write_safetensors(self.folder / "w", {
            "stem.weight": [1e25 * (-1) ** (i // 3) for i in range(108)], "bn.weight": [1.0] * 4, "bn.bias": [0.0] * 4,
            "bn.running_mean": [0.0] * 4, "bn.running_var": [1.0] * 4, "fc.weight": [0.1] * 8, "fc.bias": [0.0] * 2},
            shapes={"stem.weight": [4, 3, 3, 3], "fc.weight": [2, 4]})
        self.expect_stop(self.train("train/m", 1e-6, "--weights", self.folder / "w"), "step 1 of 12",
                         "running statistic `bn.running_var` is not finite", "`bn.running_var` holds inf at [0]")

    def test_training_of_all_configurations(self):
        """The configuration that failed is named, `vernier train` ends as the training does, and builds nothing of it."""
        recipe = self.folder / "r.toml"
        recipe.write_text(RECIPE.format(0.05), encoding="utf-8")
        self.write_data(bad=5)
        done = self.vernier("train", self.specification, "--model", "chosen", "--recipe", recipe, "--data", self.data, "-o",
                            self.folder / "all")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"error: training stops at step .*\nnote: in the configuration factor=(1|0\.5)\n"
                                      "note: image 5 of the training data")
        self.assertFalse((self.folder / "all" / "chosen").exists())

    def write_weights(self, program, bad):
        """Of a built program, with what is not finite in the tensor `bad`."""
        shapes = parameter_shapes(self.run_model(program, "info").stdout)
        tensors = {name: [0.5] * math.prod(shape) for name, shape in shapes.items()}
        tensors[bad][1] = math.nan
        tensors[bad][-1] = -math.inf
        write_safetensors(self.folder / "bad.safetensors", tensors, shapes=shapes)
        return len(tensors[bad])

    def test_commands_name_weights(self):
        self.build("m", "--model", "m")
        count = self.write_weights("m/m", "fc.weight")
        weights = ("--weights", self.folder / "bad.safetensors")
        what = f"tensor `fc.weight` holds nan at [0, 1], the first of 2 among {count} elements"
        out, recipe = self.folder / "x", self.folder / "r.toml"
        recipe.write_text(RECIPE.format(0.05), encoding="utf-8")
        data = ("--data", self.data)
        for done in (self.run_model("m/m", "eval", *data, *weights), self.run_model("m/m", "bench", *weights),
                     self.vernier("build", self.specification, "--model", "m", *weights, "-o", out),
                     self.vernier("import-weights", self.specification, "--model", "m", *weights, "-o", out),
                     self.vernier("export-onnx", self.specification, "--model", "m", *weights, "-o", out),
                     self.vernier("search", self.specification, "--model", "chosen", *data, *weights, "-o", out),
                     self.vernier("adapt", self.specification, "--model", "chosen", *data, *weights, "--candidates", "1",
                                  "--candidates", "0.5", "--quiet", "-o", out),
                     self.vernier("train", self.specification, "--model", "m", *data, *weights, "--recipe", recipe, "-o", out),
                     self.vernier("allocate", self.specification, "--model", "divided", *weights, "-o", out)):
            with self.subTest(command=done.args):
                self.expect_refusal(done, what, str(self.folder / "bad.safetensors"))
                self.assertTrue(done.stderr.startswith("error: "), done.stderr)
                self.assertFalse(out.exists())
        done = self.run_model("m/m", "eval", *data, *weights, "--allow-non-finite")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("warning: a tensor of the weights is not finite", done.stderr)
        self.assertIn("cross-entropy nan", done.stdout)
        write_npy(self.folder / "x.npy", [1, 3, 8, 8], [1.0] * 192)
        done = self.run_model("m/m", "run", "--input", self.folder / "x.npy", "--output", self.folder / "y.npy", *weights)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"warning: a tensor of the weights is not finite\n  --> {weights[1]}\nnote: {what}\n", done.stderr)
        self.assertTrue(math.isnan(read_npy(self.folder / "y.npy")[1][0]))

    def test_tabulate_names_weights(self):
        self.build("open", "--model", "chosen")
        self.write_weights("open/chosen", "bn[0.5].running_var")
        done = self.run_model("open/chosen", "tabulate", "--data", self.data, "--weights", self.folder / "bad.safetensors",
                              "--out", self.folder / "rows")
        self.expect_refusal(done, "tensor `bn[0.5].running_var` holds nan at [1], the first of 2 among 4 elements")
        self.assertFalse((self.folder / "rows").exists())

    def test_search_with_logits_that_overflow(self):
        """Finite weights whose logits are not: the configuration is in the table, and named; the search can go on."""
        self.build("open", "--model", "chosen", "--batch", "8")
        self.write_weights("open/chosen", "fc.bias")
        tensors = read_floats(self.folder / "bad.safetensors")
        tensors["fc.bias"] = [0.5, 0.5]
        tensors["bn[0.5].bias"] = [3e38] * 4
        write_safetensors(self.folder / "w", tensors, shapes={"stem.weight": [4, 3, 3, 3], "fc.weight": [2, 4]})
        for _ in range(2):
            done = self.vernier("search", self.specification, "--model", "chosen", "--data", self.data, "--weights",
                                self.folder / "w", "--batch", "8", "--runs", "1", "-o", self.folder / "found")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("warning: the logits of some images are not finite in the configuration factor=0.5", done.stderr)
            self.assertNotIn("factor=1", done.stderr)
        rows = [json.loads(line) for line in (self.folder / "found" / "accuracy-0-of-1.jsonl").read_text().splitlines()]
        self.assertEqual([row["loss"] == "nan" for row in sorted(rows, key=lambda row: row["configuration"])], [True, False])


if __name__ == "__main__":
    unittest.main(argv=[__file__])
