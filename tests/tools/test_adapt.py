"""An adaptive binary: its labels, what it chooses and what that costs, against the configurations run one by one."""

import ctypes
import json
import math
import random
import unittest

from commands import CommandTest, png, read_floats, read_npy, read_shapes, write_npy, write_safetensors

# Classes 0 and 1 differ in their colour, 2 and 3 in the direction of stripes that half the resolution no longer shows.
SPECIFICATION = """network small(outputs: int = 1) {
  input image: [3, 32, 32]
  choose early: float from [1.0, 0.5]
  choose late: float from [1.0, 0.5]
  x = image |> resize(bilinear, scale = early) |> conv1: conv(8, 3) |> bn1: batch_norm |> relu
  x = x |> resize(bilinear, size = [round(late * 16), round(late * 16)]) |> conv2: conv(8, 3) |> bn2: batch_norm |> relu
  output logits = x |> global_avg_pool |> fc: linear(4)
  if outputs > 1 {
    output more = x |> global_avg_pool
  }
}

model m = small()
"""
CANDIDATES = ("early=0.5,late=0.5", "early=0.5,late=1", "early=1,late=1")  # by their multiply-adds
BATCH = 4


def picture(kind, values):
    """The bytes of an image of class `kind`, channel after channel."""
    pixels = []
    for channel in range(3):
        for y in range(32):
            for x in range(32):
                if kind < 2:
                    value = 180 if channel == 2 * kind else 70
                else:
                    value = 220 if (x if kind == 2 else y) % 2 else 30
                pixels.append(value + values.randrange(-25, 26))
    return bytes(pixels)


def image_file(pixels):
    return png(32, 32, 3, bytes(pixels[c * 1024 + at] for at in range(1024) for c in range(3)))


class Adapt(CommandTest):
    def setUp(self):
        super().setUp()
        self.specify(SPECIFICATION)
        self.data = self.folder / "data"
        self.data.mkdir()
        values = random.Random(7)
        self.pictures = {}
        for name, count in (("train", 120), ("test", 43)):
            self.pictures[name] = [(i % 4, picture(i % 4, values)) for i in range(count)]
            (self.data / f"{name}.bin").write_bytes(b"".join(bytes([0, kind]) + pixels
                                                             for kind, pixels in self.pictures[name]))

    def adapt(self, *options, candidates=CANDIDATES[::-1], weights="super/weights.safetensors", out="adaptive"):
        return self.vernier("adapt", self.specification, "--weights", self.folder / weights, "--data", self.data, "--batch",
                            BATCH, *(word for c in candidates for word in ("--candidates", c)), "-o", self.folder / out,
                            *options)

    def train(self):
        """All configurations together; leaves their weights."""
        done = self.vernier("build", self.specification, "--for", "train", "--batch", BATCH, "-o", self.folder / "all")
        self.assertEqual(done.returncode, 0, done.stderr)
        recipe = self.folder / "super.toml"
        recipe.write_text("epochs = 8\nvalidate_every = 0\n[optimizer]\nlearning_rate = 0.05\n[data]\n"
                          "mean = [0.5, 0.5, 0.5]\nstd = [0.25, 0.25, 0.25]\n", encoding="utf-8")
        done = self.execute(self.folder / "all" / "m", "train", "--data", self.data, "--recipe", recipe, "--out",
                            self.folder / "super")
        self.assertEqual(done.returncode, 0, done.stderr)

    def run_model(self, *arguments, status=0):
        done = self.execute(self.folder / "adaptive" / "m", *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def write_input(self, split):
        """The images as `eval` and `label` give them to the model."""
        pictures = self.pictures[split]
        values = [(byte / 255 - 0.5) / 0.25 for _, pixels in pictures for byte in pixels]
        write_npy(self.folder / "x.npy", [len(pictures), 3, 32, 32], values)

    def logits(self, *options):
        """Rows of logits of the images in x.npy, and with which candidates the adaptive run got them."""
        y = self.folder / "y.npy"
        (self.folder / "y.candidate.npy").unlink(missing_ok=True)
        self.run_model("run", "--input", self.folder / "x.npy", "--output", y, *options)
        shape, values = read_npy(y)
        self.assertEqual(sorted(path.name for path in self.folder.glob("y.*npy")),
                         ["y.npy"] if "--configuration" in options else ["y.candidate.npy", "y.npy"])
        chosen = None if "--configuration" in options else [int(c) for c in read_npy(self.folder / "y.candidate.npy")[1]]
        return [values[i * shape[1]:(i + 1) * shape[1]] for i in range(shape[0])], chosen

    @staticmethod
    def right(rows, pictures):
        return [row.index(max(row)) == kind for row, (kind, _) in zip(rows, pictures)]

    def check_labels(self):
        """Of each image the cheapest candidate that is right; one in ten is for validation."""
        self.write_input("train")
        right = [self.right(self.logits("--configuration", c)[0], self.pictures["train"]) for c in CANDIDATES]
        expected = [next((c for c in range(3) if right[c][i]), 0) for i in range(len(right[0]))]
        for name, numbers in (("train", [i for i in range(120) if i % 10 != 9]), ("test", range(9, 120, 10))):
            shape, labels = read_npy(self.folder / "adaptive/labels" / f"{name}-labels.npy")
            self.assertEqual([int(label) for label in labels], [expected[i] for i in numbers])
            arrays = read_npy(self.folder / "adaptive/labels" / f"{name}-arrays.npy")
            self.assertEqual(arrays[0], [len(numbers), 8, 8, 8])
            # The map is the one that the logits are the mean of, through the last layer.
            weights = read_floats(self.folder / "super/weights.safetensors")
            weight, bias = weights["fc.weight"], weights["fc.bias"]
            first = [sum(arrays[1][c * 64:(c + 1) * 64]) / 64 for c in range(8)]
            rows = self.logits("--configuration", CANDIDATES[0])[0][numbers[0]]
            for k in range(4):
                self.assertAlmostEqual(rows[k], bias[k] + sum(weight[k * 8 + c] * first[c] for c in range(8)), 3)
        self.assertGreater(expected.count(0), 60)  # the data set has easy images and hard ones
        self.assertGreater(len(expected) - expected.count(0), 15)

    def check_runs(self):
        """Each image's result is that of the configuration that was chosen for it, and in its place."""
        self.write_input("test")
        single = [self.logits("--configuration", c)[0] for c in CANDIDATES]
        for weight in (0, 100, -100, 0.5):
            rows, chosen = self.logits("--cost-weight", weight)
            for i, (row, candidate) in enumerate(zip(rows, chosen)):
                for ours, expected in zip(row, single[candidate][i]):
                    self.assertAlmostEqual(ours, expected, 4)
            if weight == 0:
                self.assertGreater(len(set(chosen)), 1)
                self.check_eval(rows, chosen)
                self.check_library(rows, chosen)
                self.check_classify(rows, chosen)
            elif abs(weight) == 100:
                self.assertEqual(set(chosen), {0 if weight > 0 else 2})
        return single

    def check_eval(self, rows, chosen):
        report = json.loads(self.run_model("eval", "--data", self.data, "--compare", "--json"))
        right = self.right(rows, self.pictures["test"])
        self.assertAlmostEqual(report["top1"], sum(right) / len(right))
        self.assertEqual([entry["images"] for entry in report["candidates"]], [chosen.count(c) for c in range(3)])
        self.assertEqual([entry["configuration"] for entry in report["candidates"]], list(CANDIDATES))
        macs = []
        for candidate in CANDIDATES:
            described = self.vernier("describe", self.specification, "--json",
                                     *(word for choice in candidate.split(",") for word in ("--choose", choice)))
            macs.append(json.loads(described.stdout)["macs"])
        self.assertEqual([entry["macs"] for entry in report["candidates"]], macs)
        classifier = 8 * 8 * (8 * 32 + 2 * 9 * 32 * 32) + 32 * 3
        self.assertEqual(report["classifier_macs"], classifier)
        again = sum(macs[c] for c in chosen if c > 0)
        self.assertAlmostEqual(report["macs"], macs[0] + classifier + again / len(chosen), 3)
        static = report["static"]
        self.assertEqual(len(static), 4)
        within = [row for row in static if row["macs"] <= report["macs"]]
        best = next(row for row in static if row["configuration"] == report["best_static"])
        self.assertIn(best, within)
        self.assertEqual(best["top1"], max(row["top1"] for row in within))
        # What cannot be told apart at half the resolution is worth its multiply-adds.
        cheapest = next(row for row in static if row["configuration"] == CANDIDATES[0])
        self.assertGreater(report["top1"], cheapest["top1"])
        alone = json.loads(self.run_model("eval", "--data", self.data, "--json", "--configuration", CANDIDATES[0]))
        self.assertAlmostEqual(alone["top1"], cheapest["top1"])
        self.assertIn("the best of at most this cost", self.run_model("eval", "--data", self.data, "--compare"))

    def check_library(self, rows, chosen):
        library = ctypes.CDLL(str(self.folder / "adaptive" / "libm.so"))
        library.m_adaptive.restype = ctypes.c_void_p
        library.vn_last_error.restype = ctypes.c_char_p
        session = ctypes.c_void_p()
        options = (ctypes.c_int64 * 8)(1) # vn_session_options: threads
        self.assertEqual(library.vn_adaptive_session_create(ctypes.c_void_p(library.m_adaptive()), options,
                                                            ctypes.byref(session)), 0)
        images = read_npy(self.folder / "x.npy")[1]
        count = len(rows)
        inputs = (ctypes.c_float * len(images))(*images)
        logits, candidates = (ctypes.c_float * (4 * count))(), (ctypes.c_int64 * count)()
        run = lambda: library.vn_adaptive_session_run(session, inputs, ctypes.c_int64(count), ctypes.c_double(0), logits,
                                                      candidates)
        self.assertEqual(run(), 8)  # VN_ERROR_STATE: no weights yet
        weights = str(self.folder / "adaptive" / "m.safetensors").encode()
        self.assertEqual(library.vn_adaptive_session_load_weights(session, weights), 0, library.vn_last_error())
        # A file of which the network's part cannot be loaded changes nothing, its classifier included.
        shapes = read_shapes(self.folder / "adaptive" / "m.safetensors")
        zeros = {name: [0.0] * math.prod(shape) for name, shape in shapes.items()}
        outputs = len(zeros["fc.bias"])
        for values, status in ([math.nan] * outputs, 10), ([0.0] * (outputs + 1), 7):
            write_safetensors(self.folder / "bad", {**zeros, "fc.bias": values}, shapes={**shapes, "fc.bias": [len(values)]})
            self.assertEqual(library.vn_adaptive_session_load_weights(session, str(self.folder / "bad").encode()), status)
        self.assertEqual(run(), 0, library.vn_last_error())
        self.assertEqual(list(candidates), chosen)
        for i, row in enumerate(rows):
            for ours, expected in zip(logits[4 * i:4 * i + 4], row):
                self.assertAlmostEqual(ours, expected, 4)
        library.vn_adaptive_session_destroy(session)

    def check_classify(self, rows, chosen):
        files = []
        for i in range(6):
            files.append(self.folder / f"{i}.png")
            files[-1].write_bytes(image_file(self.pictures["test"][i][1]))
        lines = self.run_model("classify", *files, "--top", 1).splitlines()
        self.assertEqual(lines[::2], [f"{file} ({CANDIDATES[chosen[i]]})" for i, file in enumerate(files)])
        for i, line in enumerate(lines[1::2]):
            self.assertTrue(line.endswith(f"class {rows[i].index(max(rows[i]))}"), line)

    def test_adapt(self):
        self.train()
        recipe = self.folder / "classifier.toml"
        recipe.write_text("epochs = 12\nvalidate_every = 0\n[optimizer]\nlearning_rate = 0.05\n", encoding="utf-8")
        done = self.adapt("--recipe", recipe)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.check_labels()
        self.check_runs()
        bench = json.loads(self.run_model("bench", "--runs", 2, "--json"))
        self.assertEqual([entry["configuration"] for entry in bench["candidates"]], list(CANDIDATES))
        self.assertGreater(bench["candidates"][0]["milliseconds"], 0)
        self.assertIn("--configuration", self.run_model("bench", "--layers", status=1))
        info = self.run_model("info")
        self.assertNotIn("scale_features", info)
        for candidate in CANDIDATES:
            self.assertIn(candidate, info)
        # An adaptation is not overwritten; the classifier may read another map.
        self.expect_refusal(self.adapt("--recipe", recipe), "holds the results of an adaptation already")
        done = self.adapt("--recipe", recipe, "--features", "conv2", out="other", candidates=CANDIDATES[1:])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(read_npy(self.folder / "other/labels/test-arrays.npy")[0], [12, 8, 16, 16])

    def test_refusals(self):
        def refusal(*options, **more):
            done = self.adapt(*options, weights="none.safetensors", **more)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertFalse((self.folder / "adaptive").exists())
            return done.stderr
        self.assertIn("less than two candidates", refusal(candidates=CANDIDATES[:1]))
        self.assertIn("is there twice", refusal(candidates=(*CANDIDATES, "0.5,1")))
        self.assertIn("`0.7` is no choice of hole `late`", refusal(candidates=("late=0.7", "1,1")))
        self.assertIn("computes nothing at the place `conv9`", refusal("--features", "conv9"))
        self.assertIn("has no open `choose` holes", refusal("--choose", "early=1", "--choose", "late=1"))
        self.assertIn("one output, the logits", refusal("--set", "outputs=2"))
        other = self.folder / "other.vn"
        other.write_text("network other(candidates: int = 2, channels: int = 8) {\n  input f: [channels, 8, 8]\n"
                         "  f |> global_avg_pool |> linear(5)\n}\n\nmodel o = other()\n", encoding="utf-8")
        self.assertIn("no output of a score for each of its `candidates`", refusal("--classifier", other))
        # Weights of another network, before anything is built.
        write_safetensors(self.folder / "some.safetensors", {"fc.bias": [0.0] * 4})
        self.expect_refusal(self.adapt("--quiet", weights="some.safetensors"), "tensor `bn1[0.5].weight` of shape [8] is missing")
        self.assertFalse((self.folder / "adaptive").exists())


if __name__ == "__main__":
    unittest.main()
