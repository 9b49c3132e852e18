"""Training that leaves a part of the network as it is, or begins with weights of a part: a large network's, a classifier's."""

import json
import math
import random
import struct
import unittest

from commands import CommandTest, read_floats, read_npy, read_safetensors, write_npy
from test_train_losses import write_labels

SPECIFICATION = """block body(x, channels: int, depth: int) {
  for i in range(depth) {
    x = x |> conv(channels, 3) |> batch_norm |> relu |> max_pool(2)
  }
  x
}

network large(classes: int = 3) {
  input image: [1, 8, 8]
  image |> backbone: body(6, 2) |> global_avg_pool |> fc: linear(classes)
}

network small(classes: int = 3) {
  input image: [1, 8, 8]
  target label: [] of int
  frozen teacher = large(_, classes = classes)
  logits = image |> body(3, 1) |> global_avg_pool |> fc: linear(classes)
  soft = (image |> teacher) / 2
  loss label: 0.5 * softmax_cross_entropy(logits, label)
  loss teacher: 4 * classes * mean(channel_softmax(soft) * (channel_log_softmax(soft) - channel_log_softmax(logits / 2)))
  output logits = logits
}

network tuned(classes: int = 2) {
  input image: [1, 8, 8]
  frozen backbone = body(_, 6, 2)
  image |> backbone |> conv(4, 1) |> batch_norm |> relu |> global_avg_pool |> fc: linear(classes)
}

network begun(classes: int = 2) {
  input image: [1, 8, 8]
  image |> trunk: body(6, 2) |> global_avg_pool |> fc: linear(classes)
}

model large3 = large()
model small3 = small()
model tuned2 = tuned()
model begun2 = begun()
"""
RECIPE = """epochs = 3
batch = 4
[optimizer]
learning_rate = {}
[schedule]
kind = "constant"
"""
COUNT = 24


def write_images(folder, classes=3):
    """Images of as many shades as classes; a network without declared losses takes the labels of `labels`, others of `label`."""
    folder.mkdir()
    values = random.Random(7)
    for split, count in ("train", COUNT), ("test", 6):
        labels = [values.randrange(classes) for _ in range(count)]
        write_npy(folder / f"{split}-arrays.npy", [count, 1, 8, 8],
                  [label + values.uniform(-1, 1) for label in labels for _ in range(64)])
        for name in "label", "labels":
            write_labels(folder / f"{split}-{name}.npy", [count], labels)


class Frozen(CommandTest):
    @classmethod
    def setUpClass(cls):
        """The large network is trained once."""
        cls.shared = cls.shared_folder()
        case = cls("train")
        case.folder = cls.shared
        case.prepare()
        cls.teacher = case.train("large3", cls.shared / "large")

    def setUp(self):
        super().setUp()
        self.prepare()
        self.out = self.folder / "out"

    def prepare(self):
        self.specify(SPECIFICATION)
        self.data, self.recipe = self.folder / "data", self.folder / "r.toml"
        write_images(self.data)
        self.recipe.write_text(RECIPE.format(0.1), encoding="utf-8")

    def command(self, model, out, *options):
        return self.vernier("train", self.specification, "--model", model, "--recipe", self.recipe, "--data", self.data, "-o", out,
                            "-q", *options)

    def train(self, model, out, *options):
        """The weights that the training leaves."""
        done = self.command(model, out, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return out / "trained" / "weights.safetensors"

    def kept(self, weights, place, of=""):
        """All tensors of a place are those of the large network, to the bit."""
        first, then = read_safetensors(self.teacher), read_safetensors(weights)
        names = [name for name in first if name.startswith(of)]
        self.assertEqual({name for name in then if name.startswith(place)}, {place + name[len(of):] for name in names})
        for name in names:
            self.assertEqual(then[place + name[len(of):]], first[name], name)

    def test_distillation(self):
        trained = self.train("small3", self.out, "--weights", f"teacher={self.teacher}")
        self.kept(trained, "teacher.")
        self.assertNotIn("teacher.fc.weight", read_safetensors(self.out / "small3.safetensors"))
        summary = json.loads((self.out / "trained" / "summary.json").read_text(encoding="utf-8"))
        self.assertLess(summary["loss.teacher"][-1], summary["loss.teacher"][0])

        # The divergence, by hand, of what both say of the test images.
        logits = []
        for program in self.out / "small3", self.shared / "large" / "large3":
            done = self.execute(program, "run", "--input", self.data / "test-arrays.npy", "--output", self.folder / "y.npy")
            self.assertEqual(done.returncode, 0, done.stderr)
            logits.append(read_npy(self.folder / "y.npy")[1])
        expected = 0
        for image in range(6):
            own, theirs = ([values[image * 3 + c] / 2 for c in range(3)] for values in logits)
            sums = [math.log(sum(map(math.exp, row))) for row in (own, theirs)]
            expected += sum(4 * math.exp(t - sums[1]) * (t - sums[1] - o + sums[0]) for o, t in zip(own, theirs)) / 6
        self.assertAlmostEqual(summary["validation"][-1]["loss.teacher"], expected, 5)

        # In parts it ends with the same bytes, and asks for no weights again.
        program, parts = self.out / "training" / "small3", self.folder / "parts"
        command = ["train", "--recipe", self.recipe, "--data", self.data, "--out", parts, "--quiet"]
        for options in ["--epochs", 1, "--weights", f"teacher={self.teacher}"], ["--resume"]:
            done = self.execute(program, *command, *options)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((parts / "weights.safetensors").read_bytes(), trained.read_bytes())

    def test_frozen_backbone(self):
        """Of a classifier that declares no loss; running statistics that are computed anew are those of its own batch norm."""
        write_labels(self.data / "train-labels.npy", [COUNT], [i % 2 for i in range(COUNT)])
        write_labels(self.data / "test-labels.npy", [6], [i % 2 for i in range(6)])
        trained = self.train("tuned2", self.out, "--weights", f"backbone={self.teacher}")
        self.kept(trained, "backbone.", "backbone.")
        info = self.execute(self.out / "training" / "tuned2", "info")
        self.assertIn("; 426 numbers are frozen", info.stdout)
        done = self.execute(self.out / "training" / "tuned2", "recalibrate", "--data", self.data, "--weights", trained, "-o",
                            self.folder / "new.safetensors", "--images", 16)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.kept(self.folder / "new.safetensors", "backbone.", "backbone.")
        before, after = read_safetensors(trained), read_safetensors(self.folder / "new.safetensors")
        self.assertEqual({name for name in before if before[name] != after[name]},
                         {"bn1.running_mean", "bn1.running_var"})
        # What is trained learns: the head is not as it began.
        self.recipe.write_text(RECIPE.format(1e-30), encoding="utf-8")
        begun = self.train("tuned2", self.folder / "begun", "--weights", f"backbone={self.teacher}")
        self.assertNotEqual(read_safetensors(begun)["fc.weight"], before["fc.weight"])

    def test_weights_of_a_part(self):
        """A part begins with a classifier's layers, what it has no file for is fresh; a later file replaces what an earlier one says."""
        self.recipe.write_text(RECIPE.format(1e-30), encoding="utf-8")
        write_labels(self.data / "train-labels.npy", [COUNT], [0] * COUNT)
        write_labels(self.data / "test-labels.npy", [6], [0] * 6)
        backbone = self.folder / "backbone.safetensors"
        self.strip(backbone)
        fresh = self.train("begun2", self.folder / "fresh")
        part = self.train("begun2", self.out, "--weights", f"trunk={backbone}")
        both = self.train("begun2", self.folder / "both", "--weights", fresh, "--weights", f"trunk={backbone}")
        teacher = read_safetensors(self.teacher)
        for found in read_safetensors(part), read_safetensors(both):
            for name in "conv1.weight", "conv2.weight", "bn2.bias":
                self.assertEqual(found["trunk." + name], teacher["backbone." + name])
            self.assertEqual(found["fc.weight"], read_safetensors(fresh)["fc.weight"])

        # It learns as fast as the recipe says: not at all, or by the longest place that it is in.
        self.recipe.write_text(RECIPE.format(0.1) + '[optimizer.rates]\ntrunk = 0\n"trunk.bn2" = 0.5\n', encoding="utf-8")
        kept = read_safetensors(self.train("begun2", self.folder / "kept", "--weights", f"trunk={backbone}"))
        for name in teacher:
            if name.startswith("backbone.") and "bn2" not in name and "running" not in name:
                self.assertEqual(kept[name.replace("backbone", "trunk")], teacher[name], name)
        self.assertNotEqual(kept["trunk.bn2.bias"], teacher["backbone.bn2.bias"])
        self.assertNotEqual(kept["trunk.bn1.running_mean"], teacher["backbone.bn1.running_mean"])
        self.recipe.write_text(RECIPE.format(0.1) + "[optimizer.rates]\ntrnk = 0\n", encoding="utf-8")
        self.expect_refusal(self.command("begun2", self.folder / "none"), "`rates` names `trnk`, in which model `begun2` trains nothing",
                            "help: did you mean `trunk`?")
        self.assertFalse((self.folder / "none").exists())

    def strip(self, path):
        """The large network's weights with the names that its backbone alone has; its classifier stays."""
        data = self.teacher.read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = data[8:8 + length].decode().replace('"backbone.', '"').encode()
        header += b" " * (-len(header) % 8)
        path.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + length:])

    def test_refusals(self):
        """Before anything is built."""
        for model, options, texts in (
                ("small3", [], ["12 frozen tensors of model `small3` have no weights", "the first is `teacher.backbone.conv1.weight`",
                                "help: `--weights teacher=FILE.safetensors`"]),
                ("small3", [f"techer={self.teacher}"], ["no parameter of model `small3` is in `techer`\n  --> --weights",
                                                         "help: did you mean `teacher`?"]),
                ("tuned2", [f"fc={self.teacher}"], ["the weights do not fit `fc` of model `tuned2`",
                                                    "tensor `fc.weight` has shape [3, 6], expected [2, 4]"]),
                ("begun2", [f"trunk={self.teacher}"], ["tensor `trunk.conv1.weight` of shape [6, 1, 3, 3] is missing",
                                                       "help: the file's tensors have names without `trunk.`, or with it; its first one is `"]),
                ("small3", [str(self.teacher)], ["the weights do not fit model `small3`"]),
                ("small3", ["teacher=none.safetensors"], ["none.safetensors"])):
            with self.subTest(model=model, options=options):
                done = self.command(model, self.out, *(word for option in options for word in ("--weights", option)))
                self.expect_refusal(done, *texts)
                self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main()
