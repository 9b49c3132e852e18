"""Training in CUDA, emulated, beside training on the CPU: the same weights but for rounding, and each resumes the other."""

import math
import random
import unittest

from commands import CommandTest, read_floats, write_arrays
from stages import StagesTest

BATCH, SIZE = 8, 12
SPECIFICATION = """network m() {
  input image: [3, 12, 12]
  a = image |> conv(8, 3) |> batch_norm |> relu
  b = a |> max_pool(2) |> conv(6, 3) |> batch_norm |> relu |> resize(nearest, like = a)
  concat([a, b]) |> conv(12, 1) |> batch_norm |> add(image |> conv(12, 1)) |> relu |> global_avg_pool |> linear(3)
}
model m = m()
"""
RECIPE = """epochs = {}
batch = {}
validate_every = 1
checkpoint_every = 1
[optimizer]
learning_rate = 0.05
nesterov = true
[schedule]
kind = "constant"
[data]
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
"""


def apart(first, second):
    """Relative L2 distance of all numbers."""
    assert first.keys() == second.keys()
    squares = sum((a - b) ** 2 for name in first for a, b in zip(first[name], second[name]))
    return math.sqrt(squares / sum(a * a for values in first.values() for a in values))


class CudaTraining(CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = cls.shared_folder()
        (cls.shared / "data").mkdir()
        generator = random.Random(1)
        for split, count in (("train", 40), ("test", 16)):
            labels = [generator.randrange(3) for _ in range(count)]
            values = [generator.gauss(1 if channel == label else 0, 1)
                      for label in labels for channel in range(3) for _ in range(SIZE * SIZE)]
            write_arrays(cls.shared / "data", split, [3, SIZE, SIZE], values, labels)
        (cls.shared / "m.vn").write_text(SPECIFICATION, encoding="utf-8")
        for epochs in (1, 2):
            (cls.shared / f"{epochs}.toml").write_text(RECIPE.format(epochs, BATCH), encoding="utf-8")
        case = cls("run")
        for target, options in (("cpu", ["--target", "cpu"]), ("cuda", ["--target", "cuda-emulated"]),
                                ("tf32", ["--target", "cuda-emulated", "--precision", "tf32"]),
                                ("bf16", ["--target", "cuda-emulated", "--precision", "bf16"])):
            done = case.vernier("build", cls.shared / "m.vn", "--for", "train", "--batch", BATCH, "-o", cls.shared / target,
                                *options)
            if done.returncode != 0:
                raise AssertionError(done.stderr)

    def train(self, target, out, *options, epochs=2):
        done = self.execute(self.shared / target / "m", "train", "--data", self.shared / "data", "--recipe",
                            self.shared / f"{epochs}.toml", "--out", self.folder / out, "--quiet", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return read_floats(self.folder / out / "weights.safetensors")

    def test_same_weights(self):
        cpu = self.train("cpu", "cpu")
        for target, bound in (("cuda", 1e-4), ("tf32", 2e-2), ("bf16", 1e-1)):
            with self.subTest(target=target):
                found = apart(cpu, self.train(target, target))
                self.assertLess(found, bound)
                if target != "cuda":  # rounded products are seen
                    self.assertGreater(found, 1e-6)

    def test_same_bits(self):
        self.assertEqual(self.train("cuda", "first"), self.train("cuda", "second"))

    def test_each_resumes_the_other(self):
        whole = self.train("cpu", "whole")
        for first, second in (("cpu", "cuda"), ("cuda", "cpu")):
            out = f"{first} then {second}"
            self.train(first, out, epochs=1)
            done = self.execute(self.shared / second / "m", "train", "--data", self.shared / "data", "--recipe",
                                self.shared / "1.toml", "--epochs", "2", "--out", self.folder / out, "--quiet", "--resume")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertLess(apart(whole, read_floats(self.folder / out / "weights.safetensors")), 1e-4)


class OpenHoles(StagesTest):
    def test_same_weights(self):
        """Of all configurations, trained together; in bfloat16 its maps go from segment to segment."""
        generator = random.Random(2)
        for split, count in (("train", 8), ("test", 4)):
            write_arrays(self.folder, split, [3, 32, 32], [generator.gauss(0, 1) for _ in range(count * 3072)],
                         [generator.randrange(5) for _ in range(count)])
        (self.folder / "r.toml").write_text(RECIPE.format(1, 4), encoding="utf-8")
        found = {}
        for target, precision in (("cpu", "f32"), ("cuda-emulated", "f32"), ("cuda-emulated", "bf16")):
            self.build("b", "--for", "train", "--batch", 4, "--quiet", "--target", target, "--precision", precision)
            done = self.run_model("b", "train", "--data", self.folder, "--recipe", self.folder / "r.toml", "--out",
                                  self.folder / f"{target}-{precision}", "--quiet")
            self.assertEqual(done.returncode, 0, done.stderr)
            found[target, precision] = read_floats(self.folder / f"{target}-{precision}" / "weights.safetensors")
        self.assertLess(apart(found["cpu", "f32"], found["cuda-emulated", "f32"]), 1e-4)
        rounded = apart(found["cpu", "f32"], found["cuda-emulated", "bf16"])
        self.assertLess(rounded, 1e-1)
        self.assertGreater(rounded, 1e-6)


if __name__ == "__main__":
    unittest.main()
