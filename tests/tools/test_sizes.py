"""One binary for several input sizes and batches: what it computes is what the binaries of each size compute, with one set of
weights, packed once."""

import ctypes
import json
import math
import random
import re
import textwrap
import unittest
from pathlib import Path

from commands import (CommandTest, OPEN_SPECIFICATION, parameter_shapes, png, read_floats, read_npy, write_arrays, write_npy,
                      write_safetensors)

SPECIFICATION = """network n(classes: int = 3) {
  input image: [3, 16, 16]
  x = image |> conv1: conv(8, 3) |> bn1: batch_norm |> relu
  y = x |> max_pool(2) |> conv2: conv(8, 3) |> bn2: batch_norm |> resize(nearest, like = x)
  add(x, y) |> relu |> global_avg_pool |> fc: linear(classes)
}

model m = n()
"""
SIZES, BATCHES = ((16, 16), (12, 20)), (1, 4)
LISTED = "16x16 (batch 1, 4), 12x20 (batch 1, 4)"
RECIPE = """epochs = 1
validate_every = 1
[optimizer]
learning_rate = 0.05
[schedule]
kind = "constant"
"""


def uniform(count):
    values = random.Random(5)
    return [values.uniform(-1, 1) for _ in range(count)]


def text(size):
    return "x".join(map(str, size))


class Sizes(CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = cls.shared_folder()
        case = cls("run")
        (cls.shared / "m.vn").write_text(SPECIFICATION, encoding="utf-8")
        values = random.Random(7)
        for split, count in (("train", 8), ("test", 8)):
            for size in SIZES:
                folder = cls.shared / text(size)
                folder.mkdir(exist_ok=True)
                write_arrays(folder, split, [3, *size], [values.gauss(0, 1) for _ in range(count * 3 * size[0] * size[1])],
                             [i % 3 for i in range(count)])
        (cls.shared / "r.toml").write_text(RECIPE, encoding="utf-8")
        case.build("all", "--for", "train", "--input", ",".join(map(text, SIZES)), "--batch", "1,4")
        for size in SIZES:
            for batch in BATCHES:
                case.build(case.alone(size, batch), "--for", "train", "--input", text(size), "--batch", batch)
        cls.weights = case.train("all", "w", "--size", "16")

    def build(self, output, *options):
        done = self.vernier("build", self.shared / "m.vn", "-o", self.shared / output, *options)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout

    @staticmethod
    def alone(size, batch):
        return f"{text(size)}-{batch}"

    def model(self, output, *arguments):
        return self.execute(self.shared / output / "m", *arguments)

    def expect(self, output, *arguments):
        done = self.model(output, *arguments)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout

    def train(self, output, out, *options, size=SIZES[0]):
        self.expect(output, "train", "--data", self.shared / text(size), "--recipe", self.shared / "r.toml", "--out",
                    self.shared / out, "--quiet", *options)
        return self.shared / out / "weights.safetensors"

    def run_images(self, output, path):
        self.expect(output, "run", "--input", path, "--output", self.folder / "y.npy", "--weights", self.weights)
        return read_npy(self.folder / "y.npy")

    def test_results_are_those_of_each_size(self):
        """Seven images: a call of four, then three of one."""
        for size in SIZES:
            image = 3 * size[0] * size[1]
            values = uniform(7 * image)
            write_npy(self.folder / "x.npy", [7, 3, *size], values)
            shape, found = self.run_images("all", self.folder / "x.npy")
            self.assertEqual(shape, [7, 3])
            expected = ()
            for batch, first, end in ((4, 0, 4), (1, 4, 7)):
                write_npy(self.folder / "part.npy", [end - first, 3, *size], values[first * image:end * image])
                expected += self.run_images(self.alone(size, batch), self.folder / "part.npy")[1]
            self.assertEqual(found, expected, size)

    def test_weights_are_packed_once(self):
        def packed(output):
            unit = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}
            number, name = re.search(r"^packed +([\d.]+) (\w+)", self.expect(output, "info"), re.MULTILINE).groups()
            return float(number) * unit[name]
        largest = max(packed(self.alone(size, batch)) for size in SIZES for batch in BATCHES)
        info = self.expect("all", "info")
        if re.search("^CPU ", info, re.MULTILINE) and "avx512" not in info:  # half of its registers: sizes have tiles of other forms
            self.assertLess(packed("all"), 1.4 * largest)
        else:
            self.assertEqual(packed("all"), largest)

    def test_other_images_are_refused_with_the_sizes_that_there_are(self):
        write_npy(self.folder / "x.npy", [1, 3, 20, 12], [0.0] * 720)
        self.expect_refusal(self.model("all", "run", "--input", self.folder / "x.npy", "--output", self.folder / "y.npy",
                                       "--weights", self.weights), "[1, 3, 20, 12]", LISTED)
        for command in (("bench",), ("eval", "--data", self.shared), ("info",)):
            self.expect_refusal(self.model("all", *command, "--size", "20x12"), "not built for images of 20x12", LISTED)
            self.expect_refusal(self.model("all", *command, "--batch", "3"), "no batch of 3 at 16x16", LISTED)
            self.expect_refusal(self.model("all", *command, "--size", "12y20"), "`12y20` is no size", LISTED)

    def test_commands_run_at_the_size_that_is_named(self):
        info = self.expect("all", "info", "--size", "12x20", "--batch", "1")
        self.assertIn("1 image of 3 x 12 x 20", info)
        self.assertIn(LISTED, info)
        description = json.loads(self.expect("all", "info", "--json"))
        self.assertEqual([(size["height"], size["width"], size["batch"]) for size in description["sizes"]],
                         [(*size, batch) for size in SIZES for batch in BATCHES])
        bench = json.loads(self.expect("all", "bench", "--runs", "1", "--json", "--size", "12x20"))
        self.assertEqual((bench["height"], bench["width"], bench["batch"]), (12, 20, 4))
        for size in SIZES:
            options = ("eval", "--data", self.shared / text(size), "--weights", self.weights, "--json")
            found = json.loads(self.expect("all", *options, "--size", text(size)))
            expected = json.loads(self.expect(self.alone(size, 4), *options))
            self.assertEqual([found["images"], found["loss"]], [expected["images"], expected["loss"]])
            self.expect("all", "recalibrate", "--data", self.shared / text(size), "--weights", self.weights, "--size", text(size),
                        "-o", self.folder / "all.safetensors")
            self.expect(self.alone(size, 4), "recalibrate", "--data", self.shared / text(size), "--weights", self.weights,
                        "-o", self.folder / "alone.safetensors")
            self.assertEqual(read_floats(self.folder / "all.safetensors"), read_floats(self.folder / "alone.safetensors"))

    def test_training_goes_on_at_another_size(self):
        """As FixRes has it: from the weights of one size, by the same program."""
        options = ("--weights", self.weights, "--size", "12x20")
        found = read_floats(self.train("all", "again", *options, size=SIZES[1]))
        self.assertEqual(found, read_floats(self.train(self.alone(SIZES[1], 4), "alone", *options[:2], size=SIZES[1])))
        self.assertNotEqual(found, read_floats(self.weights))
        done = self.model("all", "train", "--data", self.shared / text(SIZES[0]), "--recipe", self.shared / "r.toml", "--out",
                          self.shared / "again", "--resume", "--size", "16")
        self.expect_refusal(done, "had another recipe", "size = 12x20, batch 4", "size = 16x16, batch 4")

    def test_images_are_classified_at_the_size_that_fits(self):
        values = random.Random(3)
        sizes = [(16, 16), (40, 24), (8, 8), (20, 12), (30, 30)]  # width and height
        paths = [self.folder / f"{i}.png" for i in range(len(sizes))]
        for path, (width, height) in zip(paths, sizes):
            path.write_bytes(png(width, height, 3, bytes(values.randrange(256) for _ in range(width * height * 3))))
        found = self.expect("all", "classify", *paths, "--weights", self.weights)
        expected = "".join(self.expect(self.alone(SIZES[width > height], 1), "classify", path, "--weights", self.weights)
                           for path, (width, height) in zip(paths, sizes))
        self.assertEqual(found, expected)
        forced = self.expect("all", "classify", *paths, "--size", "12x20", "--weights", self.weights)
        self.assertEqual(forced, self.expect(self.alone(SIZES[1], 4), "classify", *paths, "--weights", self.weights))

    def test_c_interface(self):
        library = ctypes.CDLL(str(self.shared / "all" / "libm.so"))
        library.m_model.restype = ctypes.c_void_p
        library.vn_last_error.restype = ctypes.c_char_p
        session = ctypes.c_void_p()
        self.assertEqual(library.vn_session_create(ctypes.c_void_p(library.m_model()), None, ctypes.byref(session)), 0)
        self.addCleanup(library.vn_session_destroy, session)
        self.assertEqual(library.vn_session_load_weights(session, str(self.weights).encode()), 0)
        values = uniform(4 * 3 * 12 * 20)
        for batch, size in ((4, SIZES[1]), (1, SIZES[1]), (1, SIZES[0])):
            count = batch * 3 * size[0] * size[1]
            image, logits = (ctypes.c_float * count)(*values[:count]), (ctypes.c_float * (3 * batch))()
            self.assertEqual(library.vn_session_resize(session, *map(ctypes.c_int64, (batch, *size))), 0)
            io = (ctypes.c_void_p * 2)(ctypes.addressof(image), ctypes.addressof(logits))
            self.assertEqual(library.vn_session_run(session, 0, io, ctypes.c_int64(2)), 0)
            write_npy(self.folder / "x.npy", [batch, 3, *size], values[:count])
            self.assertEqual(tuple(logits), self.run_images(self.alone(size, batch), self.folder / "x.npy")[1])
        self.assertEqual(library.vn_session_resize(session, *map(ctypes.c_int64, (2, 12, 20))), 4)  # VN_ERROR_ARGUMENT
        self.assertIn(LISTED, library.vn_last_error().decode())

    def test_the_page_s_program(self):
        page = (Path(__file__).parents[2] / "docs" / "c-api.md").read_text(encoding="utf-8")
        snippet = re.search(r"^```c\n(for .*?vn_session_resize.*?)^```", page, re.MULTILINE | re.DOTALL)[1]
        (self.folder / "p.c").write_text(f'''#include "m.h"
#include <stdio.h>
int main(void) {{
  const vn_model *model = m_model();
  vn_session *session;
  if (vn_session_create(model, NULL, &session) != VN_OK)
    return 1;
{textwrap.indent(snippet, "  ")}
  vn_session_destroy(session);
  return 0;
}}
''', encoding="utf-8")
        done = self.execute("cc", "-std=c99", "-Wall", "-Werror", "-I", self.shared / "all", self.folder / "p.c",
                            self.shared / "all" / "libm.so", f"-Wl,-rpath,{self.shared / 'all'}", "-o", self.folder / "p")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.execute(self.folder / "p")
        self.assertEqual(done.stdout, "".join(f"{batch} of {text(size)}\n" for size in SIZES for batch in BATCHES))
        self.assertIn("was not built for 8 images of 224x320", done.stderr)
        self.assertIn(LISTED, done.stderr)

    def test_open_holes_at_every_size(self):
        (self.folder / "o.vn").write_text(OPEN_SPECIFICATION, encoding="utf-8")
        options = ("build", self.folder / "o.vn", "--quiet", "-o")
        self.assertEqual(self.vernier(*options, self.folder / "open", "--input", "8,12", "--batch", "1,2").returncode, 0)
        values = random.Random(4)
        shapes = parameter_shapes(self.execute(self.folder / "open" / "m", "info").stdout)
        weights = {name: [values.uniform(0.5, 1.5) for _ in range(math.prod(shape))] for name, shape in shapes.items()}
        write_safetensors(self.folder / "w.safetensors", weights, shapes=shapes)
        results = set()
        for k in (4, 8):
            for side in (8, 12):
                bound = self.folder / f"bound{k}-{side}"
                self.assertEqual(self.vernier(*options, bound, "--input", side, "--choose", f"k={k}").returncode, 0)
                write_npy(self.folder / "x.npy", [3, 1, side, side], uniform(3 * side ** 2))
                found = []
                for folder, more in ((self.folder / "open", ("--configuration", f"k={k}")), (bound, ())):
                    done = self.execute(folder / "m", "run", "--input", self.folder / "x.npy", "--output", self.folder / "y.npy",
                                        "--weights", self.folder / "w.safetensors", *more)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    found.append(read_npy(self.folder / "y.npy")[1])
                for ours, expected in zip(*found):
                    self.assertAlmostEqual(ours, expected, delta=1e-5 * abs(expected))
                results.add(found[0])
        self.assertEqual(len(results), 4)

    def test_what_cannot_be_built(self):
        def refused(*options, specification=SPECIFICATION):
            (self.folder / "m.vn").write_text(specification, encoding="utf-8")
            return self.vernier("build", self.folder / "m.vn", "-o", self.folder / "out", *options)
        self.expect_refusal(refused("--input", "16,16x16"), "`16x16` is there twice in `16,16x16`", "--input")
        self.expect_refusal(refused("--input", ","), "`,` has an empty entry", "--input 224,256x320")
        self.expect_refusal(refused("--input", "16,8by8"), "`8by8` is no input size")
        self.expect_refusal(refused("--batch", "1,1"), "`1` is there twice", "--batch")
        self.expect_refusal(refused("--batch", "1,"), "`1,` has an empty entry", "--batch")
        self.expect_refusal(refused("--batch", "0,1"), "a batch of 0 images", "at --batch 0")
        self.expect_refusal(refused("--batch", "1,many"), "`many` is no number of images", "--batch 1,8")
        self.expect_refusal(refused("--input", ",".join(map(str, range(8, 80)))), "more than 64 sizes")
        valid = SPECIFICATION.replace("max_pool(2)", "conv3: conv(8, 9, padding = 0)")
        self.expect_refusal(refused("--input", "16,6", specification=valid), "m.vn:4:", "at --input 6")
        whole = SPECIFICATION.replace("global_avg_pool |>", "whole: conv(4, image.height, padding = 0) |>")
        self.expect_refusal(refused("--input", "16,12", specification=whole), "other parameters at 12x12 than at 16x16",
                            "`whole.weight` is [4, 8, 12, 12] there, [4, 8, 16, 16] here", "build one for each")
        self.assertFalse((self.folder / "out").exists())
        self.expect_refusal(self.vernier("describe", self.shared / "m.vn", "--input", "16,12x20"), "`16,12x20` is no input size")


if __name__ == "__main__":
    unittest.main()
