"""`vernier train` of networks that declare their losses: targets from arrays, and what is told of it."""

import json
import math
import random
import re
import struct
import unittest
from pathlib import Path

from commands import CommandTest, npy_header, read_npy, read_safetensors, write_npy

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
# What the page shows: a segmentation with ignored pixels, an auxiliary head and a second task.
SPECIFICATION = re.search(r"^```vernier\n(network shapes.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[1]
RECIPE = """epochs = 20
batch = 4
log_every = 2
[optimizer]
learning_rate = 0.05
[schedule]
kind = "constant"
"""
SIDE, IMAGES = 16, 24
PIXELS = SIDE * SIDE


def write_labels(path, shape, values):
    """As bytes, which masks mostly are."""
    path.write_bytes(npy_header(shape).replace(b"<f4", b"|u1") + bytes(values))


def write_data(folder, split="train", count=IMAGES):
    """Images of four shades, whose class that is; the first row's label is unknown, the distance follows the shade."""
    folder.mkdir(exist_ok=True)
    values = random.Random(f"3 {split}")
    images, masks, distances = [], [], []
    for _ in range(count):
        classes = [values.randrange(4) for _ in range(16)]
        for pixel in range(PIXELS):
            shade = classes[pixel // SIDE // 4 * 4 + pixel % SIDE // 4]
            images.append(shade - 1.5 + values.uniform(-0.2, 0.2))
            masks.append(shade if pixel >= SIDE else 255)
            distances.append(0.5 * shade)
    write_npy(folder / f"{split}-arrays.npy", [count, 1, SIDE, SIDE], images)
    write_labels(folder / f"{split}-mask.npy", [count, SIDE, SIDE], masks)
    write_npy(folder / f"{split}-distance.npy", [count, 1, SIDE, SIDE], distances)
    return masks, distances


def losses_of(logits, depth, masks, distances, image):
    """`main` and `distance` of one image, by their definitions."""
    entropy, known, distance = 0.0, 0, 0.0
    for pixel in range(PIXELS):
        row = [logits[(image * 4 + c) * PIXELS + pixel] for c in range(4)]
        if (label := masks[image * PIXELS + pixel]) != 255:
            entropy += math.log(sum(math.exp(x) for x in row)) - row[label]
            known += 1
        apart = abs(depth[image * PIXELS + pixel] - distances[image * PIXELS + pixel])
        distance += apart * apart / 2 if apart < 1 else apart - 0.5
    return entropy / max(known, 1), 0.5 * distance / PIXELS


class TrainLosses(CommandTest):
    def setUp(self):
        super().setUp()
        self.specify(SPECIFICATION)
        self.data = self.folder / "data"
        self.masks, self.distances = write_data(self.data)
        self.recipe = self.folder / "r.toml"
        self.recipe.write_text(RECIPE, encoding="utf-8")
        self.out = self.folder / "out"

    def train(self, *options):
        return self.vernier("train", self.specification, "--recipe", self.recipe, "--data", self.data, "-o", self.out, *options)

    def test_train(self):
        done = self.train()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\nepoch 20/20: loss \d\.\d{4}, 0:0\d, 0:00 left\nloss \d\.\d{4} after 20 epochs in ")
        self.assertNotIn("accuracy", done.stdout)
        trained = self.out / "trained"
        self.check_logs(trained)

        # What was trained, without what the losses alone need.
        self.assertIn("side.weight", read_safetensors(trained / "weights.safetensors"))
        self.assertNotIn("side.weight", read_safetensors(self.out / "shapes_4.safetensors"))
        program = self.out / "shapes_4"
        done = self.execute(program, "run", "--input", self.data / "train-arrays.npy", "--output", self.folder / "y.npy")
        self.assertEqual(done.returncode, 0, done.stderr)
        shape, logits = read_npy(self.folder / "y.npy")
        self.assertEqual(shape, [IMAGES, 4, SIDE, SIDE])
        known = [i for i, label in enumerate(self.masks) if label != 255]
        best = lambda i: max(range(4), key=lambda c: logits[(i // PIXELS * 4 + c) * PIXELS + i % PIXELS])
        self.assertGreater(sum(best(i) == self.masks[i] for i in known) / len(known), 0.9)
        _, depth = read_npy(self.folder / "y.depth.npy")
        self.assertLess(sum(abs(a - b) for a, b in zip(depth, self.distances)) / len(depth), 0.3)
        done = self.execute(program, "eval", "--data", self.data)
        self.expect_refusal(done, "model `shapes_4` is no classifier: its first output is a map", "help: `run` computes",
                            "`vernier build --for train` evaluates the losses")

        self.check_resumption(self.out / "training" / "shapes_4", trained)

    def check_logs(self, trained):
        summary = json.loads((trained / "summary.json").read_text(encoding="utf-8"))
        self.assertLess(summary["loss"][-1], 0.5 * summary["loss"][0])
        names = ["main", "aux", "distance"]
        for absent in "accuracy", "top5", "validation", "validation_loss":
            self.assertNotIn(absent, summary)
        # With their weights the terms are the loss.
        for epoch, loss in enumerate(summary["loss"]):
            self.assertAlmostEqual(sum(summary["loss." + name][epoch] for name in names), loss, 5)
        lines = [json.loads(line) for line in (trained / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        steps, epochs = [line for line in lines if "loss" in line], [line for line in lines if "epoch_loss" in line]
        self.assertEqual((len(steps), len(epochs)), (60, 20))
        self.assertEqual(list(steps[0]), ["step", "epoch", "loss", "loss.main", "loss.aux", "loss.distance", "learning_rate",
                                          "images_per_second"])
        self.assertEqual(list(epochs[0]), ["step", "epoch", "epoch_loss", "epoch_loss.main", "epoch_loss.aux",
                                           "epoch_loss.distance", "seconds", "learning_rate"])
        self.assertEqual([line["epoch_loss.aux"] for line in epochs], summary["loss.aux"])
        table = [line.split(",") for line in (trained / "log.csv").read_text(encoding="utf-8").splitlines()]
        self.assertEqual(table[0], ["epoch", "learning_rate", "loss", "loss.main", "loss.aux", "loss.distance", "seconds"])
        self.assertEqual([float(line[5]) for line in table[1:]], summary["loss.distance"])

    def test_validation(self):
        """Losses of each image by itself, in inference, of a number of images that no batch divides."""
        count = 6
        masks, distances = write_data(self.data, "test", count)
        masks[2 * PIXELS:3 * PIXELS] = [255] * PIXELS  # an image of which nothing counts
        write_labels(self.data / "test-mask.npy", [count, SIDE, SIDE], masks)
        self.recipe.write_text("validate_every = 2\n" + RECIPE.replace("epochs = 20", "epochs = 5"), encoding="utf-8")
        done = self.train()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\nepoch 4/5: loss \d\.\d{4}, validation \d\.\d{4}, 0:0\d, 0:0\d left\nepoch 5/5: ")
        self.assertRegex(done.stdout, r"\nvalidation loss \d\.\d{4} after 5 epochs in ")
        trained = self.out / "trained"
        summary = json.loads((trained / "summary.json").read_text(encoding="utf-8"))
        self.assertEqual([entry["epoch"] for entry in summary["validation"]], [2, 4, 5])
        last = summary["validation"][-1]
        self.assertEqual(list(last), ["epoch", "loss", "loss.main", "loss.aux", "loss.distance", "mask.accuracy", "mask.mean_iou"])
        self.assertAlmostEqual(last["loss"], last["loss.main"] + last["loss.aux"] + last["loss.distance"], 5)
        for name in list(last)[1:]:
            self.assertEqual(summary["validation_" + name], last[name])
        lines = [json.loads(line) for line in (trained / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        self.assertEqual([line["validation_loss.main"] for line in lines if "validation_loss" in line],
                         [entry["loss.main"] for entry in summary["validation"]])
        table = [line.split(",") for line in (trained / "log.csv").read_text(encoding="utf-8").splitlines()]
        self.assertEqual(table[0][6:], ["validation_loss", "validation_loss.main", "validation_loss.aux",
                                        "validation_loss.distance", "validation_mask.accuracy",
                                        "validation_mask.mean_iou", "seconds"])
        self.assertEqual([line[6:12] for line in table[1:4:2]], [[""] * 6] * 2)
        self.assertEqual(float(table[5][6]), last["loss"])

        # What `eval` of the program that trains computes, by hand from the outputs.
        program, weights = self.out / "training" / "shapes_4", ["--weights", trained / "weights.safetensors"]
        done = self.execute(program, "eval", "--data", self.data, "--json", *weights)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual((found["images"], found["loss"], found["loss.aux"]), (count, last["loss"], last["loss.aux"]))
        done = self.execute(program, "run", "--input", self.data / "test-arrays.npy", "--output", self.folder / "y.npy", *weights)
        self.assertEqual(done.returncode, 0, done.stderr)
        logits, depth = read_npy(self.folder / "y.npy")[1], read_npy(self.folder / "y.depth.npy")[1]
        expected = [losses_of(logits, depth, masks, distances, image) for image in range(count)]
        self.assertEqual(expected[2][0], 0)
        self.assertAlmostEqual(found["loss.main"], sum(each[0] for each in expected) / count, 5)
        self.assertAlmostEqual(found["loss.distance"], sum(each[1] for each in expected) / count, 5)
        classes, right = [[0, 0] for _ in range(4)], 0  # pixels of both, of either
        known = [i for i, label in enumerate(masks) if label != 255]
        for i in known:
            best = max(range(4), key=lambda c: logits[(i // PIXELS * 4 + c) * PIXELS + i % PIXELS])
            right += best == masks[i]
            for k in {best, masks[i]}:
                classes[k][0] += best == masks[i]
                classes[k][1] += 1
        shares = [both / either for both, either in classes]
        self.assertAlmostEqual(found["mask.accuracy"], right / len(known), 12)
        self.assertAlmostEqual(found["mask.mean_iou"], sum(shares) / 4, 12)
        for share, expected_share in zip(found["classes"]["mask"]["iou"], shares):
            self.assertAlmostEqual(share, expected_share, 12)
        done = self.execute(program, "eval", "--data", self.data, "--first", 4, "--count", 1, *weights)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("on 1 image", done.stdout)
        self.assertIn(f"\n  loss.main {expected[4][0]:.4f}\n", done.stdout)

        # However the data are cut into batches, at whatever size: here of two in one binary.
        sizes = self.folder / "sizes"
        done = self.vernier("build", self.specification, "--model", "shapes_4", "--for", "train", "--batch", "1,5", "--input", "16,8",
                            "-o", sizes, "-q")
        self.assertEqual(done.returncode, 0, done.stderr)
        for batch in 1, 5:
            done = self.execute(sizes / "shapes_4", "eval", "--data", self.data, "--json", "--size", 16, "--batch", batch, *weights)
            self.assertEqual(done.returncode, 0, done.stderr)
            other = json.loads(done.stdout)
            self.assertEqual((other["height"], other["width"]), (16, 16))
            for name in list(last)[1:]:
                self.assertAlmostEqual(other[name], last[name], 6, name)

        # A run that was stopped before a validation has it when it goes on.
        parts = self.folder / "parts"
        command = ["train", "--recipe", self.recipe, "--data", self.data, "--out", parts, "--quiet"]
        for options in ["--epochs", 3], ["--resume"]:
            done = self.execute(program, *command, *options)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((parts / "weights.safetensors").read_bytes(), (trained / "weights.safetensors").read_bytes())
        self.assertEqual(json.loads((parts / "summary.json").read_text(encoding="utf-8"))["validation"][-1], last)

        # Half a split, and one that changed.
        mask = (self.data / "test-mask.npy").read_bytes()
        (self.data / "test-mask.npy").unlink()
        self.expect_refusal(self.execute(program, *command, "--resume"), "the data set lacks `test-mask.npy`",
                            "help: it needs test-mask.npy")
        (self.data / "test-mask.npy").write_bytes(mask[:-1] + b"\x01")
        self.expect_refusal(self.execute(program, *command, "--resume"), "the data set is not what the interrupted run had")

    def check_resumption(self, program, trained):
        parts = self.folder / "parts"
        command = ["train", "--recipe", self.recipe, "--data", self.data, "--out", parts, "--quiet"]
        done = self.execute(program, *command, "--epochs", 8)
        self.assertEqual(done.returncode, 0, done.stderr)
        # Targets that have changed are noticed.
        distance = self.data / "train-distance.npy"
        before = distance.read_bytes()
        distance.write_bytes(before[:-4] + struct.pack("<f", 7))
        self.expect_refusal(self.execute(program, *command, "--resume"), "the data set is not what the interrupted run had")
        distance.write_bytes(before)
        done = self.execute(program, *command, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((parts / "weights.safetensors").read_bytes(), (trained / "weights.safetensors").read_bytes())
        log = lambda folder: [line.split(",")[:-1] for line in (folder / "log.csv").read_text().splitlines()]
        self.assertEqual(log(parts), log(trained))

    def test_files(self):
        """What training would refuse is refused before anything is built."""
        def refusal(name, change, *texts):
            path = self.data / f"train-{name}.npy"
            before = path.read_bytes()
            change(path)
            self.expect_refusal(self.train(), *texts)
            path.write_bytes(before)

        mask = [IMAGES, SIDE, SIDE]
        needed = "help: it needs train-mask.npy, whole numbers from 0 to 3, and 255 for what does not count of shape N x 16 x 16"
        refusal("mask", lambda path: path.unlink(), "the data set lacks `train-mask.npy`, target `mask` of each image", needed)
        refusal("mask", lambda path: write_labels(path, [IMAGES, PIXELS], self.masks),
                "the array has shape [24, 256], target `mask` takes N x 16 x 16", "train-mask.npy\n", needed)
        refusal("mask", lambda path: write_labels(path, [1, SIDE, SIDE], self.masks[:PIXELS]),
                "there are 24 images, and target `mask` is here for 1", "train-mask.npy\n", "help: one for each image")
        refusal("mask", lambda path: write_labels(path, mask, self.masks[:PIXELS + 40] + [4] + self.masks[PIXELS + 41:]),
                "image 1 has label 4 at [2, 8], which target `mask` cannot have", "train-mask.npy\n",
                "help: labels are whole numbers from 0 to 3, and 255 for what does not count")
        refusal("distance", lambda path: write_npy(path, [IMAGES, 1, SIDE, SIDE], [math.nan] + self.distances[1:]),
                "target `distance` of image 0 holds nan at [0, 0, 0]", "train-distance.npy\n")
        refusal("arrays", lambda path: write_npy(path, [IMAGES, 1, 8, 32], self.distances),
                "the arrays have shape [1, 8, 32], model `shapes_4` takes [1, 16, 16]", "train-arrays.npy\n")
        refusal("arrays", lambda path: (path.unlink(), (self.data / "train.bin").write_bytes(bytes(3074))),
                "labels of images are not what model `shapes_4` is trained with",
                "help: it needs train-arrays.npy, the images, floats of shape N x 1 x 16 x 16; train-mask.npy, ",
                "; train-distance.npy, floats of shape N x 1 x 16 x 16")
        self.assertFalse(self.out.exists())

    def test_options(self):
        for loss in "softmax", "binary":
            self.expect_refusal(self.train("--loss", loss), "model `shapes_4` says itself what training minimises",
                                f"--> --loss {loss}", "help: leave --loss out")
        for line, *texts in [("label_smoothing = 0.1", "`label_smoothing` says nothing of the losses", "smoothing = 0.1)"),
                             ("validate_every = 0", "`validate_every` is 0, but there is nothing to validate on",
                              "help: leave it out, or add test-arrays.npy")]:
            self.recipe.write_text(line + "\n" + RECIPE, encoding="utf-8")
            self.expect_refusal(self.train(), *texts, "r.toml")
        self.recipe.write_text(RECIPE, encoding="utf-8")
        self.specify(SPECIFICATION.replace("  x = image", "  choose width: int from [8, 4]\n  x = image", 1)
                     .replace("conv1: conv(8, 3)", "conv1: conv(8, 3) |> resize(nearest, size = [2 * width, 2 * width]) |> "
                                                   "resize(nearest, like = image)"))
        self.expect_refusal(self.train(), "left open where the specification says what training minimises")
        self.assertFalse(self.out.exists())

    def test_labels_of_images(self):
        """A network with a label of each image as its only target takes data sets of images."""
        self.specify("network n() {\n  input image: [3, 32, 32]\n  target kind: [] of int\n"
                     "  logits = image |> conv(4, 3, stride = 4) |> relu |> global_avg_pool |> fc: linear(100)\n"
                     "  loss softmax_cross_entropy(logits, kind, smoothing = 0.1)\n  logits\n}\nmodel m = n()\n")
        self.data = self.folder / "images"
        self.data.mkdir()
        values = random.Random(5)
        for name in "train.bin", "test.bin":
            (self.data / name).write_bytes(b"".join(bytes([0, i % 3]) + values.randbytes(3072) for i in range(8)))
        done = self.train("--epochs", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        summary = json.loads((self.out / "trained" / "summary.json").read_text(encoding="utf-8"))
        done = self.execute(self.out / "m", "eval", "--data", self.data, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        # The program that trains has both; smoothing is its loss's alone.
        done = self.execute(self.out / "training" / "m", "eval", "--data", self.data, "--json", "--weights",
                            self.out / "trained" / "weights.safetensors")
        self.assertEqual(done.returncode, 0, done.stderr)
        both = json.loads(done.stdout)
        for name in "top1", "top5":
            self.assertEqual(both["kind." + name], found[name])
            self.assertEqual(summary["validation_kind." + name], found[name])
        self.assertNotAlmostEqual(both["loss"], found["loss"], 3)
        self.expect_refusal(self.execute(self.out / "training" / "m", "eval", "--images", self.data, "--labels", self.recipe),
                            "model `m` is evaluated on the targets of its losses", "help: --data DIR")

    def test_without_a_test_split(self):
        """Whatever the form of the data, there is then no validation; half a split is refused."""
        self.specify("network n() {\n  input image: [3, 32, 32]\n  target kind: [] of int\n"
                     "  logits = image |> conv(4, 3, stride = 4) |> relu |> global_avg_pool |> fc: linear(100)\n"
                     "  loss softmax_cross_entropy(logits, kind)\n  logits\n}\nmodel m = n()\n")
        self.data = self.folder / "images"
        self.data.mkdir()
        (self.data / "train.bin").write_bytes(bytes(3074 * 8))
        done = self.train("--epochs", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("validation", (self.out / "trained" / "summary.json").read_text(encoding="utf-8"))
        self.data = self.folder / "arrays"
        self.data.mkdir()
        write_npy(self.data / "train-arrays.npy", [8, 3, 32, 32], [0.5] * (8 * 3072))
        for name in "train-labels", "test-labels":
            write_labels(self.data / f"{name}.npy", [8], [1] * 8)
        self.out = self.folder / "other"
        self.expect_refusal(self.train(), "test-arrays.npy")

    def test_presence(self):
        """What is there in images, by logits or by their sigmoid: counts, and the order of the scores."""
        self.specify("network n() {\n  input image: [2, 1, 1]\n  target kinds: [2] of float\n  target again: [2] of float\n"
                     "  loss binary_cross_entropy(image, kinds) + focal_loss(image, again)\n"
                     "  output logits = image\n  output likely = sigmoid(image)\n"
                     "  loss 1e-3 * squared_error(image |> linear(2), kinds)\n}\nmodel m = n()\n")
        scores = [[2, -1], [1, 3], [1, -2], [-3, 0.5], [-1, 1]]
        truth = [[1, 0], [0, 1], [1, 0], [1, 0], [0, 1]]
        for split in "train", "test":
            write_npy(self.data / f"{split}-arrays.npy", [5, 2, 1, 1], [score for row in scores for score in row])
            for name in "kinds", "again":
                write_npy(self.data / f"{split}-{name}.npy", [5, 2], [float(value) for row in truth for value in row])
        self.recipe.write_text(RECIPE.replace("epochs = 20\nbatch = 4", "epochs = 1\nbatch = 2"), encoding="utf-8")
        done = self.train()
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.execute(self.out / "training" / "m", "eval", "--data", self.data, "--json", "--weights",
                            self.out / "trained" / "weights.safetensors")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        # Class 0: predicted 0, 1, 2, there 0, 2, 3. By score: 0; then 1 and 2 together; 4; 3. Class 1: 1, 4 and, wrongly, 3.
        precision, recall = 4 / 6, 4 / 5
        expected = {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall),
                    "class_precision": (2 / 3 + 2 / 3) / 2, "class_recall": (2 / 3 + 1) / 2, "class_f1": 2 * (2 / 3) * (5 / 6) / 1.5,
                    "mean_average_precision": ((1 + 2 / 3 + 3 / 5) / 3 + 1) / 2}
        for target in "kinds", "kinds.likely", "again", "again.likely":
            for name, value in expected.items():
                self.assertAlmostEqual(found[f"{target}.{name}"], value, 12, f"{target}.{name}")
        for name, values in {"precision": [2 / 3, 2 / 3], "recall": [2 / 3, 1], "f1": [2 / 3, 0.8],
                             "average_precision": [(1 + 2 / 3 + 3 / 5) / 3, 1]}.items():
            for value, wanted in zip(found["classes"]["kinds"][name], values):
                self.assertAlmostEqual(value, wanted, 12, name)

    def test_accuracy_is_not_its_aim(self):
        """Commands that train for an accuracy refuse networks that declare another aim; of maps there is none."""
        network = ("network n(channels: int = 3, candidates: int = 4) {{\n  input image: [channels, 32, 32]\n"
                   "  target kind: [] of int\n{0}  logits = image {1}|> conv(4, 3, stride = 4) |> relu |> global_avg_pool |> "
                   "fc: linear(candidates)\n  loss softmax_cross_entropy(logits, kind)\n  logits\n}}\nmodel m = n()\n")
        self.specify(network.format("  choose k: int from [32, 16]\n", "|> resize(nearest, size = [k, k]) "))
        nothing = self.folder / "nothing"
        search = lambda *options: self.vernier("search", self.specification, "--data", self.data, "-w", nothing, "-o", self.out,
                                               *options)
        self.expect_refusal(search("--budget", "macs=1G", "--fine-tune", 1, "--recipe", self.recipe),
                            "model `m` says itself what training minimises", "--> --fine-tune", "help: leave it out")
        classifier = self.folder / "classifier.vn"
        classifier.write_text(network.format("", ""), encoding="utf-8")
        self.expect_refusal(self.vernier("adapt", self.specification, "--data", self.data, "-w", nothing, "-o", self.out,
                                         "--candidates", "k=32", "--candidates", "k=16", "--classifier", classifier, "-q"),
                            "model `m` says itself what training minimises", "classifier.vn", "help: leave its `loss` statements")
        self.specify(SPECIFICATION.replace("  x = image", "  choose width: int from [8, 4]\n  x = image", 1)
                     .replace("conv1: conv(8, 3)", "conv1: conv(width, 3)"))
        self.expect_refusal(search(), "model `shapes_4` cannot be searched: its first output is a map")
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main(argv=[__file__])
