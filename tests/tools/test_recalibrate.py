"""`M recalibrate`, and `vernier search --recalibrate`: running statistics computed anew from images."""

import csv
import json
import math
import random
import unittest

from commands import CommandTest, read_floats, read_npy, write_arrays, write_safetensors
from stages import StagesTest

SPECIFICATION = """network n() {
  input image: [2, 3, 3]
  image |> bn0: batch_norm(momentum = 0.03) |> mix: conv(2, 1) |> bn1: batch_norm |> relu |> global_avg_pool |> fc: linear(2)
}
model m = n()
"""
MIX = [[0.5, -2.0], [1.25, 0.75]]
GAMMA, BETA = [1.5, -0.5], [0.25, 3.0]


def mean(values):
    return math.fsum(values) / len(values)


def unbiased(values):
    centre = mean(values)
    return math.fsum((value - centre) ** 2 for value in values) / (len(values) - 1)


class Recalibrate(CommandTest):
    BATCH, IMAGES = 4, 12

    def setUp(self):
        super().setUp()
        (self.folder / "m.vn").write_text(SPECIFICATION, encoding="utf-8")
        done = self.vernier("build", self.folder / "m.vn", "--for", "train", "--batch", str(self.BATCH), "-o", self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        values = random.Random(9)
        for split in ("train", "test"):
            write_arrays(self.folder, split, [2, 3, 3],
                         [100 * channel + values.gauss(0, 1 + 9 * channel) for _ in range(self.IMAGES) for channel in range(2)
                          for _ in range(9)], [i % 2 for i in range(self.IMAGES)])
        self.weights = self.folder / "w.safetensors"
        write_safetensors(self.weights, {
            "bn0.weight": GAMMA, "bn0.bias": BETA, "bn0.running_mean": [7.0, -1e6], "bn0.running_var": [1e-3, 1e9],
            "mix.weight": MIX[0] + MIX[1], "bn1.weight": [1.0, 2.0], "bn1.bias": [0.0, -0.0],
            "bn1.running_mean": [4.0, 5.0], "bn1.running_var": [6.0, 7.0], "fc.weight": [0.1, 0.2, 0.3, -0.4],
            "fc.bias": [0.5, 0.6]}, shapes={"mix.weight": [2, 2, 1, 1], "fc.weight": [2, 2]})

    def model(self, *arguments):
        return self.execute(self.folder / "m", *arguments)

    def recalibrate(self, *options):
        done = self.model("recalibrate", "--data", self.folder, "--weights", self.weights, "-o", self.folder / "new",
                          *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_statistics(self):
        """As written down: of all images, batch by batch. With one batch of the data, whatever its order."""
        images = read_npy(self.folder / "train-arrays.npy")[1]
        image = lambda i: [images[18 * i:18 * i + 9], images[18 * i + 9:18 * i + 18]]
        self.assertEqual(self.recalibrate(), "2 batch norms from 12 images (3 batches of 4): " + str(self.folder / "new") + "\n")
        new, old = read_floats(self.folder / "new"), read_floats(self.weights)
        self.assertEqual(set(new), set(old))
        for name in old:
            self.assertEqual(new[name] == old[name], "running" not in name, name)
        # The mean of equally large batches' means is that of all images: the order in which they came does not matter.
        for channel in range(2):
            values = [value for i in range(12) for value in image(i)[channel]]
            self.assertAlmostEqual(new["bn0.running_mean"][channel] / mean(values), 1, 6)
        # Of one batch alone the second batch norm is known too.
        write_arrays(self.folder, "train", [2, 3, 3], images[:72], [0, 1, 0, 1])
        self.recalibrate()
        new = read_floats(self.folder / "new")
        batch = [[value for i in range(4) for value in image(i)[channel]] for channel in range(2)]
        normal = []
        for channel, values in enumerate(batch):
            variance = unbiased(values) * 35 / 36
            normal.append([GAMMA[channel] * (value - mean(values)) / math.sqrt(variance + 1e-5) + BETA[channel]
                           for value in values])
        mixed = [[MIX[out][0] * a + MIX[out][1] * b for a, b in zip(*normal)] for out in range(2)]
        for norm, channels in (("bn0", batch), ("bn1", mixed)):
            for channel, values in enumerate(channels):
                self.assertAlmostEqual(new[f"{norm}.running_mean"][channel] / mean(values), 1, 5)
                self.assertAlmostEqual(new[f"{norm}.running_var"][channel] / unbiased(values), 1, 5)

    def test_accuracy_comes_back(self):
        """What broke in the statistics is mended: the network computes as a freshly trained one, wherever they began."""
        recipe = self.folder / "r.toml"
        recipe.write_text("epochs = 30\n[optimizer]\nlearning_rate = 0.05\n", encoding="utf-8")
        values = random.Random(4)
        for split in ("train", "test"):
            write_arrays(self.folder, split, [2, 3, 3], [values.gauss(3 * (i % 2), 1) for i in range(64) for _ in range(18)],
                         [i % 2 for i in range(64)])
        done = self.model("train", "--data", self.folder, "--recipe", recipe, "--out", self.folder / "out", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        trained = self.folder / "out" / "weights.safetensors"
        tensors = read_floats(trained)
        for name in tensors:
            if "running" in name:
                tensors[name] = [50 * value + 20 for value in tensors[name]]
        write_safetensors(self.weights, tensors, shapes={"mix.weight": [2, 2, 1, 1], "fc.weight": [2, 2]})
        self.recalibrate()
        accuracy = lambda weights: json.loads(
            self.model("eval", "--data", self.folder, "--weights", weights, "--json").stdout)["top1"]
        self.assertGreaterEqual(accuracy(trained), 0.9)
        self.assertLessEqual(accuracy(self.weights), 0.7)
        self.assertGreaterEqual(accuracy(self.folder / "new"), accuracy(trained) - 0.04)

    def test_mistakes(self):
        for data, images, text in (("", 3, "3 images do not fill one batch of 4"), ("none", 4, "none")):
            done = self.model("recalibrate", "--data", self.folder / data, "--weights", self.weights, "--images", images, "-o",
                              self.folder / "new")
            self.expect_refusal(done, text)
            self.assertFalse((self.folder / "new").exists())


class RecalibrateConfigurations(StagesTest):
    def setUp(self):
        super().setUp()
        self.write_data()
        self.build("open", "--batch", "4", "--for", "train")
        self.write_weights()
        self.weights = self.folder / "w.safetensors"

    def recalibrate(self, program, out, *options):
        done = self.run_model(program, "recalibrate", "--data", self.folder / "data", "--weights", self.weights, "--images",
                              "24", "-o", self.folder / out, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return read_floats(self.folder / out)

    def test_each_configuration(self):
        """Exactly the sets of the choices are new, with what the specialised binary finds."""
        before = read_floats(self.weights)
        for number, choices in enumerate(((1, 1, 1), (0.7, 0.45, 1), (0.45, 0.7, 0.7))):
            with self.subTest(choices=choices):
                text = ",".join(map(str, choices))
                new = self.recalibrate("open", f"new{number}", "--configuration", text)
                self.assertEqual(set(new), set(before))
                stages = dict(zip(("first", "second", "third"), choices))
                used = {name for name in before if "running" in name and
                        (name.split(".")[0] not in stages or f"[{stages[name.split('.')[0]]:g}]" in name)}
                self.assertEqual({name for name in before if new[name] != before[name]}, used)
                self.build(f"one{number}", "--batch", "4", "--for", "train",
                           *(word for stage, value in stages.items() for word in ("--choose", f"{stage}.factor={value}")))
                own = self.recalibrate(f"one{number}", f"own{number}")
                for name in used:
                    for a, b in zip(new[name], own[name]):
                        self.assertAlmostEqual(a, b, delta=1e-4 * (abs(a) + abs(b)) + 1e-6, msg=name)

    def test_search(self):
        """Each configuration is evaluated with statistics of its own; the one that is built has them."""
        done = self.vernier("search", self.specification, "--weights", self.weights, "--data", self.folder / "data", "--batch",
                            "4", "--sample", "3", "--seed", "7", "--runs", "1", "--recalibrate", "24", "--budget", "macs=10M", "--build", "-o",
                            self.folder / "found")
        self.assertEqual(done.returncode, 0, done.stderr)
        with (self.folder / "found" / "table.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 3)
        for row in rows:
            choices = ",".join(row[f"{stage}.factor"] for stage in ("first", "second", "third"))
            self.recalibrate("open", "new", "--configuration", choices)
            done = self.run_model("open", "eval", "--data", self.folder / "data", "--weights", self.folder / "new",
                                  "--configuration", choices, "--json")
            self.assertAlmostEqual(json.loads(done.stdout)["loss"], float(row["loss"]), 4)
        best = max(rows, key=lambda row: float(row["accuracy"]))
        built = json.loads(self.run_model("found/best", "eval", "--data", self.folder / "data", "--json").stdout)
        self.assertAlmostEqual(built["top1"], float(best["accuracy"]), 4)
        again = self.vernier("search", self.specification, "--weights", self.weights, "--data", self.folder / "data", "--batch",
                             "4", "--sample", "3", "--seed", "7", "--runs", "1", "-o", self.folder / "found")
        self.assertIn("holds the results of a search with another network, weights, images or options", again.stderr)
        done = self.vernier("search", self.specification, "--weights", self.weights, "--data", self.folder / "data",
                            "--recalibrate", "24", "--precision", "bf16", "-o", self.folder / "x")
        self.expect_refusal(done, "batch norms are recalibrated by training code, which on a CPU is in float32")


if __name__ == "__main__":
    unittest.main(argv=[__file__])
