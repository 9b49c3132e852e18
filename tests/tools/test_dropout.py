"""What training drops: how much of it, anew in every step, the same for the same seed, and nothing of it in inference."""

import json
import unittest

from commands import CommandTest, read_floats, read_npy, write_arrays

# Of images of ones the mean of what is kept, divided by the share that is, is 1 on average.
SPECIFICATION = """network dropped(rate: float = 0.25) {
  choose factor: float from [1.0, 0.0]
  input image: [3, 16, 16]
  target labels: [] of int
  x = image |> conv(8, 3) |> batch_norm |> relu |> drop_path(rate * factor)
  y = (x |> conv(8, 3) |> dropout(rate)) + x |> global_avg_pool |> dropout(0.5)
  output logits = y |> linear(3)
  loss main: softmax_cross_entropy(logits, labels)
  loss elements: 0.01 * mean(image |> dropout(0.25))
  loss channels: 0.01 * mean(image |> channel_dropout(0.25))
  loss images: 0.01 * mean(image |> drop_path(0.5))
}

model dropped = dropped()
"""
BATCH, IMAGES, EPOCHS = 4, 24, 8
RECIPE = f"""epochs = {EPOCHS}
batch = {BATCH}
log_every = 1
[optimizer]
learning_rate = 0.05
[schedule]
kind = "constant"
"""


class Dropout(CommandTest):
    def setUp(self):
        super().setUp()
        self.specify(SPECIFICATION)
        self.data = self.folder / "data"
        self.data.mkdir()
        write_arrays(self.data, "train", [3, 16, 16], [1.0] * (IMAGES * 768), [image % 3 for image in range(IMAGES)])
        self.recipe = self.folder / "r.toml"
        self.recipe.write_text(RECIPE, encoding="utf-8")

    def train(self, name, *options, seed=1, choices=("--choose", "factor=1"), recipe=""):
        self.recipe.write_text(f"seed = {seed}\n" + RECIPE + recipe, encoding="utf-8")
        done = self.vernier("train", self.specification, "--recipe", self.recipe, "--data", self.data, "-o", self.folder / name,
                            *choices, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / name / "trained"

    def weights(self, trained):
        return (trained / "weights.safetensors").read_bytes()

    def test_training(self):
        trained = self.train("whole")
        lines = [json.loads(line) for line in (trained / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        steps = [line for line in lines if "loss" in line]
        self.assertEqual(len(steps), EPOCHS * IMAGES // BATCH)
        for name, parts, rate in ("elements", BATCH * 768, 0.25), ("channels", BATCH * 3, 0.25), ("images", BATCH, 0.5):
            kept = [100 * step["loss." + name] * (1 - rate) * parts for step in steps]
            for count in kept:  # of parts, each whole or not at all
                self.assertAlmostEqual(count, round(count), delta=1e-4 * parts)
            deviation = (rate * (1 - rate) / (parts * len(steps))) ** 0.5
            self.assertAlmostEqual(sum(kept) / len(kept) / parts, 1 - rate, delta=4 * deviation, msg=name)
            self.assertGreater(len(set(map(round, kept))), 3, name)

        self.assertEqual(self.weights(self.train("again")), self.weights(trained))
        self.assertNotEqual(self.weights(self.train("seed", seed=2)), self.weights(trained))
        self.train("parts", "--epochs", "3")
        self.assertEqual(self.weights(self.train("parts", "--resume")), self.weights(trained))

        # Inference is a function of the image: all are the same.
        program = self.folder / "whole" / "dropped"
        done = self.execute(program, "run", "--input", self.data / "train-arrays.npy", "--output", self.folder / "y.npy")
        self.assertEqual(done.returncode, 0, done.stderr)
        _, logits = read_npy(self.folder / "y.npy")
        self.assertEqual(logits[:3], logits[3:6])

    def test_recalibration(self):
        """Of images that are alike, statistics follow from what is dropped."""
        self.specify("\n".join(line for line in SPECIFICATION.splitlines() if "  target" not in line and "  loss" not in line)
                     .replace("drop_path(rate * factor)", "dropout(rate) |> conv(8, 1) |> batch_norm"))
        write_arrays(self.data, "test", [3, 16, 16], [1.0] * 3072, [0, 1, 2, 0])
        weights = self.train("whole", "--epochs", "1") / "weights.safetensors"
        results = []
        for i, seed in enumerate((1, 1, 2)):
            done = self.execute(self.folder / "whole" / "training" / "dropped", "recalibrate", "--weights", weights, "--data", self.data,
                                "--seed", seed, "-o", self.folder / f"{i}.safetensors")
            self.assertEqual(done.returncode, 0, done.stderr)
            results.append(read_floats(self.folder / f"{i}.safetensors"))
        self.assertEqual(results[1], results[0])
        self.assertEqual(results[2]["bn1.running_mean"], results[0]["bn1.running_mean"])  # nothing is dropped before it
        self.assertNotEqual(results[2]["bn2.running_mean"], results[0]["bn2.running_mean"])

    def test_open_holes(self):
        """A network with open holes, trained in one configuration, drops what the network of that configuration drops."""
        self.specify("\n".join(line for line in SPECIFICATION.splitlines() if "  target" not in line and "  loss" not in line))
        write_arrays(self.data, "test", [3, 16, 16], [1.0] * 3072, [0, 1, 2, 0])
        for factor in "1", "0":
            bound = read_floats(self.train("bound" + factor, choices=["--choose", "factor=" + factor]) / "weights.safetensors")
            alone = f'[choices]\ntarget = "{factor}"\ntarget_epochs = {EPOCHS}\n'
            opened = read_floats(self.train("open" + factor, choices=[], recipe=alone) / "weights.safetensors")
            self.assertEqual(set(opened), set(bound))
            far = lambda other: max(abs(a - b) for name in bound for a, b in zip(other[name], bound[name]))
            self.assertLess(far(opened), 1e-3)
            other = read_floats(self.train("other" + factor, seed=2, choices=["--choose", "factor=" + factor]) / "weights.safetensors")
            self.assertGreater(far(other), 0.1)


if __name__ == "__main__":
    unittest.main()
