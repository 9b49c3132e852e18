"""A small network with three open `choose` holes, for the tests of what is done with such networks."""

import math
import random
import shutil
from pathlib import Path

from commands import CommandTest, parameter_shapes, write_safetensors

# Three stages, of which the second has an odd size for a factor; a gate, whose pooled maps depend on no choice, within
# a stage; a batch norm that folds into nothing; a concat of what comes from two segments; and two outputs, of which one has the
# name of the op that computes it and is read again two segments later.
SPECIFICATION = """block stage(x, channels: int, base: int) {
  choose factor: float from [1.0, 0.7, 0.45]
  y = x |> resize(bilinear, size = [round(factor * base), round(factor * base)])
  z = y |> conv1: conv(channels, 3) |> bn1: batch_norm |> relu
  gate = z |> global_avg_pool |> squeeze: linear(channels) |> sigmoid
  z = z * gate |> conv2: conv(channels, 1) |> bn2: batch_norm
  if channels == x.channels then relu(z + y) else relu(z)
}

network stages() {
  input picture: [3, 32, 32]
  x = picture |> image: conv(8, 3, stride = 2) |> bn: batch_norm |> relu
  a = x |> first: stage(8, 16)
  b = a |> max_pool(2) |> second: stage(24, 8)
  c = b |> resize(nearest, size = [8, 8]) |> norm: batch_norm
  y = c |> features: conv(3, 1)
  d = concat([c, x |> max_pool(2)]) |> third: stage(32, 8)
  z = d |> resize(nearest, size = [8, 8]) |> last: conv(3, 1)
  output logits = concat([d |> global_avg_pool, relu(z + y) |> global_avg_pool]) |> fc: linear(5)
  output features = y
}

model m = stages()
"""
HOLES = ("first.factor", "second.factor", "third.factor")
FACTORS = (1.0, 0.7, 0.45)


def replace(source, target):
    """As a build does: a library that is loaded stays as it is."""
    Path(target).unlink(missing_ok=True)
    shutil.copy2(source, target)


class StagesTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.specify(SPECIFICATION)

    def write_specification(self):
        self.specification.write_text(SPECIFICATION, encoding="utf-8")

    def build(self, output, *options):
        """What a test of this class has built of the same text with the same options is copied, unless they name files."""
        def run(folder):
            done = self.vernier("build", self.specification, "-o", folder, *options)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout

        if any(isinstance(option, Path) for option in options):
            return run(self.folder / output)
        cls = type(self)
        if "builds" not in cls.__dict__:
            cls.builds, cls.built_folder = {}, cls.shared_folder()
        key = (self.specification.read_text(encoding="utf-8"), options)
        kept = cls.built_folder / str(len(cls.builds))
        if key not in cls.builds:
            cls.builds[key] = kept, run(kept)
        kept, printed = cls.builds[key]
        shutil.copytree(kept, self.folder / output, copy_function=replace, dirs_exist_ok=True)
        return printed

    def run_model(self, output, *arguments):
        return self.execute(self.folder / output / "m", *arguments)

    def write_weights(self):
        """For every parameter of the binary with open holes, as `info` lists them."""
        values = random.Random(3)
        shapes = parameter_shapes(self.run_model("open", "info").stdout)
        tensors = {}
        for name, shape in shapes.items():
            low, high = (0.5, 1.5) if name.endswith("running_var") else (-0.5, 0.5)
            tensors[name] = [values.uniform(low, high) for _ in range(math.prod(shape))]
        write_safetensors(self.folder / "w.safetensors", tensors, shapes=shapes)
        return shapes

    def write_data(self):
        """In the form of CIFAR-100: bright and dark images, of class 0 and 1."""
        (self.folder / "data").mkdir()
        values = random.Random(2)
        for name, images in (("train", 32), ("test", 8)):
            (self.folder / "data" / f"{name}.bin").write_bytes(b"".join(
                bytes([0, i % 2]) + bytes(values.randrange(60) + 150 * (i % 2) for _ in range(3072)) for i in range(images)))
