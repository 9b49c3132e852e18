"""`vernier build --scale-policy` and `M ... --scale-policy`: the scores of a small ELASTIC network.

Their reference are the maps themselves, which a second network of the same weights gives as outputs."""

import csv
import math
import random
import subprocess
import unittest
import xml.etree.ElementTree

from commands import VERNIER, CommandTest, parameter_shapes, png, read_npy, write_npy, write_safetensors

# The second block has an odd size and another share of channels at half resolution; the third takes them apart by
# stride, so that there is nothing to compare.
SPECIFICATION = """block part(x, suffix: string, width: int, out: int, stride: int = 1) {
  y = x |> "conv1{suffix}": conv(width, 1) |> "bn1{suffix}": batch_norm |> relu
    |> "conv2{suffix}": conv(width, 3, stride = stride) |> "bn2{suffix}": batch_norm |> relu
  parts = [y, y |> "conv3{suffix}": conv(out, 1)]
  parts
}

block elastic(x, width: int, low_width: int) {
  high, high_out = x |> inline: part("", width, x.channels)
  bottom, right = [x.height % 2, x.width % 2]
  small = x |> pad([0, bottom, 0, right], mode = replicate) |> avg_pool(2)
  low, low_out = small |> inline: part("_d", low_width, x.channels)
  y = high_out + (low_out |> resize(bilinear, scale = 2) |> crop(like = x)) |> bn3: batch_norm |> add(x) |> relu
  maps = [y, high, low]
  maps
}

network scales() {
  input image: [3, 32, 32]
  x = image |> stem: conv(8, 3, stride = 2) |> relu
  x, high1, low1 = x |> first: elastic(6, 6)
  x, high2, low2 = x |> max_pool(3, stride = 2, padding = 0) |> second: elastic(9, 3)
  small, last = x |> third: part("", 4, 8, stride = 2)
  output logits = last |> global_avg_pool |> fc: linear(5)
@OUTPUTS@}

model m = scales()
"""
IMAGES = 5
MAPS = ("high1", "low1", "high2", "low2")
BRANCHES = "".join(f"  output {name} = {name}\n" for name in MAPS)


class ScalePolicy(CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.built = cls.shared_folder()
        (cls.built / "m.vn").write_text(SPECIFICATION.replace("@OUTPUTS@", ""), encoding="utf-8")
        (cls.built / "maps.vn").write_text(SPECIFICATION.replace("@OUTPUTS@", BRANCHES), encoding="utf-8")
        cls.report = cls.build("scores", "m.vn", "--scale-policy", "--batch", "2")
        cls.build("maps", "maps.vn")
        cls.write_weights()
        values = random.Random(5)
        write_npy(cls.built / "x.npy", [IMAGES, 3, 32, 32], [values.uniform(-1, 1) for _ in range(IMAGES * 3072)])
        cls.run_model("maps", "run", "--input", cls.built / "x.npy", "--output", cls.built / "maps.npy")
        cls.expected = cls.scores_of_maps()

    @classmethod
    def build(cls, output, specification, *options):
        return subprocess.run([VERNIER, "build", cls.built / specification, "-o", cls.built / output, *options],
                              capture_output=True, text=True, check=True).stdout

    @classmethod
    def run_model(cls, output, command, *arguments, status=0):
        done = cls.execute(cls.built / output / "m", command, "--weights", cls.built / "w.safetensors", *arguments)
        if done.returncode != status:
            raise AssertionError(done.stdout + done.stderr)
        return done

    @classmethod
    def write_weights(cls):
        values = random.Random(3)
        tensors, shapes = {}, {}
        for name, shape in parameter_shapes(cls.execute(cls.built / "maps" / "m", "info").stdout).items():
            if "." in name:
                shapes[name] = shape
                low, high = (0.5, 1.5) if name.endswith("running_var") else (-0.4, 0.5)
                tensors[name] = [values.uniform(low, high) for _ in range(math.prod(shapes[name]))]
        write_safetensors(cls.built / "w.safetensors", tensors, shapes=shapes)

    @classmethod
    def scores_of_maps(cls):
        """Of each image the scores of both blocks."""
        maps = {}
        for name in MAPS:
            shape, values = read_npy(cls.built / f"maps.{name}.npy")
            size = math.prod(shape[1:])
            maps[name] = [sum(values[i * size:(i + 1) * size]) / size for i in range(IMAGES)]
        return [{"first": maps["high1"][i] - maps["low1"][i], "second": maps["high2"][i] - maps["low2"][i]}
                for i in range(IMAGES)]

    def table(self, path):
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def check(self, output, tolerance):
        self.run_model(output, "run", "--input", self.built / "x.npy", "--output", self.folder / "y.npy",
                       "--scale-policy", self.folder / "scores.csv")
        found = self.table(self.folder / "scores.csv")
        self.assertEqual([row["image"] for row in found], [str(i) for i in range(IMAGES)])
        self.assertEqual(list(found[0]), ["image", "first", "second"])
        for ours, reference in zip(found, self.expected):
            for block, score in reference.items():
                self.assertLess(abs(float(ours[block]) - score), tolerance, (ours, reference))
        # The images differ by more than the tolerance.
        for block in ("first", "second"):
            scores = [row[block] for row in self.expected]
            self.assertGreater(max(scores) - min(scores), 3 * tolerance)

    def test_scores_are_those_of_the_maps(self):
        self.assertIn("scale-policy: inference: scores of 2 sums of branches at two resolutions", self.report)
        self.check("scores", 2e-6)
        # The network computes what it did without them.
        for ours, reference in zip(read_npy(self.folder / "y.npy")[1], read_npy(self.built / "maps.npy")[1]):
            self.assertAlmostEqual(ours, reference, 5)

    def test_half_precision(self):
        self.build("bf16", "m.vn", "--scale-policy", "--precision", "bf16")
        self.check("bf16", 1e-3)

    def test_training_build(self):
        self.build("train", "m.vn", "--scale-policy", "--for", "train")
        self.check("train", 2e-6)

    def test_eval_and_figure(self):
        (self.folder / "data").mkdir()
        values = random.Random(2)
        for name in ("train", "test"):
            (self.folder / "data" / f"{name}.bin").write_bytes(b"".join(
                bytes([0, i % 5]) + values.randbytes(3072) for i in range(7)))
        done = self.run_model("scores", "eval", "--data", self.folder / "data", "--scale-policy", self.folder / "s.csv",
                              "--scale-policy-svg", self.folder / "s.svg")
        self.assertIn("7 images", done.stdout)
        rows = self.table(self.folder / "s.csv")
        self.assertEqual([(row["image"], row["label"]) for row in rows], [(str(i), str(i % 5)) for i in range(7)])
        self.assertEqual(len({row["first"] for row in rows}), 7)
        drawing = xml.etree.ElementTree.parse(self.folder / "s.svg").getroot()
        texts = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("Scale policy score of each block: m, 7 images", texts)
        self.assertIn("first", texts)
        self.assertEqual(len(list(drawing.iter("{http://www.w3.org/2000/svg}circle"))), 2)  # a mean for each block
        # A row of the lower panel for each image, a box for each block, and the ground.
        self.assertEqual(len(list(drawing.iter("{http://www.w3.org/2000/svg}rect"))), 2 * 7 + 2 + 1)

    def test_classify(self):
        names = ["a,b.png", 'c"d.png', "<e>.png"]
        for i, name in enumerate(names):
            (self.folder / name).write_bytes(png(40, 40, 3, bytes((i * 60 + 5 * j) % 256 for j in range(40 * 40 * 3))))
        self.run_model("scores", "classify", *(self.folder / name for name in names),
                       "--scale-policy", self.folder / "s.csv")
        self.assertEqual([row["image"] for row in self.table(self.folder / "s.csv")],
                         [str(self.folder / name) for name in names])

    def test_refusals_of_the_binary(self):
        arguments = ["run", "--input", self.built / "x.npy", "--output", self.folder / "y.npy", "--scale-policy"]
        self.expect_refusal(self.run_model("maps", *arguments, self.folder / "s.csv", status=1),
                            "model `m` computes no scale policy scores", "--> --scale-policy",
                            "help: build it with `vernier build --scale-policy`")
        self.expect_refusal(self.run_model("scores", *arguments, self.folder / "missing" / "s.csv", status=1),
                            "cannot create the file", "help: create the folder first")
        self.expect_refusal(self.run_model("scores", *arguments, self.folder / "s.csv", "--scale-policy-svg",
                                           self.folder / "s.csv", status=1), "both files are the same")
        self.assertFalse(list(self.folder.iterdir()))

    def test_refusals_of_the_compiler(self):
        def refusal(body, *texts):
            specification = self.folder / "m.vn"
            specification.write_text(f"network n() {{\n  input image: [4, 8, 8]\n{body}\n}}\nmodel m = n()\n",
                                     encoding="utf-8")
            self.expect_refusal(self.vernier("build", specification, "--scale-policy", "-o", self.folder / "refused"),
                                *texts)
            self.assertFalse((self.folder / "refused").exists())

        half = "image |> avg_pool(2) |> conv1: conv(4, 3) |> resize(nearest, scale = 2)"
        refusal(f"  image + ({half})", "model `m` has no scale policy: it adds no branches of two resolutions",
                "help: leave --scale-policy out")
        refusal(f"  output scale_policy = (image |> conv2: conv(4, 3)) + ({half})",
                "an output of the network is called `scale_policy`", "help: give it another name")
        refusal("  choose f: float from [1.0, 0.5]\n  x = image |> resize(bilinear, scale = f)\n"
                "  x |> conv(4, 3) |> global_avg_pool",
                "`choose` hole `f` cannot be left open in a binary that computes scale policy scores", "--choose HOLE=VALUE")


if __name__ == "__main__":
    unittest.main()
