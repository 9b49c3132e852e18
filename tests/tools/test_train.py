"""`vernier train`: from a recipe to the binary of what was trained."""

import fcntl
import json
import os
import pty
import random
import re
import struct
import subprocess
import termios
import unittest

from commands import CommandTest, read_safetensors

SPECIFICATION = """network n() {
  input image: [3, 32, 32]
  choose factor: float from [1.0, 0.5]
  choose later: float from [1.0, 0.75]
  x = image |> stem: conv(4, 3, stride = 4) |> relu
  x = x |> resize(bilinear, size = [round(8 * factor), round(8 * factor)]) |> conv1: conv(8, 3) |> bn1: batch_norm |> relu
  x = x |> resize(bilinear, size = [round(8 * later), round(8 * later)]) |> conv2: conv(8, 3) |> bn2: batch_norm |> relu
  x |> global_avg_pool |> fc: linear(100)
}

model m = n()
"""
RECIPE = """epochs = 3
batch = 5
[optimizer]
learning_rate = 0.05
"""


class Train(CommandTest):
    def setUp(self):
        super().setUp()
        self.specify(SPECIFICATION)
        self.data = self.folder / "data"
        self.data.mkdir()
        values = random.Random(11)
        for name in ("train.bin", "test.bin"):
            self.data.joinpath(name).write_bytes(
                b"".join(bytes([0, image % 7]) + values.randbytes(3072) for image in range(20)))

    def train(self, *options, choices=""):
        recipe = self.folder / "r.toml"
        recipe.write_text(RECIPE + choices, encoding="utf-8")
        return self.vernier("train", self.specification, "--recipe", recipe, "--data", self.data, "-o", self.folder / "out",
                            *options)

    def loss(self, *program):
        done = self.execute(*program, "--data", self.data, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["loss"]

    def test_target(self):
        """Resizable-Aug by one command: all configurations, then the target, then the target's binary."""
        done = self.train(choices='[choices]\ntarget = "0.5,0.75"\n')
        self.assertEqual(done.returncode, 0, done.stderr)
        out = self.folder / "out"
        self.assertNotIn("configurations", done.stdout.rpartition("m: ")[2])
        weights = out / "trained" / "weights.safetensors"
        self.assertAlmostEqual(
            self.loss(out / "m", "eval"),
            self.loss(out / "training" / "m", "eval", "--weights", weights, "--configuration", "0.5,0.75"), 4)
        # What goes with the binary is what it uses, as it was trained.
        trained, taken = read_safetensors(weights), read_safetensors(out / "m.safetensors")
        self.assertIn("bn1[1].weight", trained)
        self.assertIn("bn1[0.5].weight", taken)
        self.assertEqual({name for name in trained if not ("[1]" in name)}, set(taken))
        self.assertEqual(taken, {name: trained[name] for name in taken})

    def test_all(self):
        done = self.train("--epochs", "1", "--batch-of-binary", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("4 configurations", done.stdout.rpartition("m: ")[2])
        info = self.execute(self.folder / "out" / "m", "info").stdout
        self.assertIn("factor: 1, 0.5", info)
        self.loss(self.folder / "out" / "m", "eval", "--configuration", "0.5,1")
        # Again where it ended, and on from there.
        built = (self.folder / "out" / "training" / "m").stat()
        self.expect_refusal(self.train("--epochs", "2"), "the folder already holds a training run", "--resume")
        self.assertEqual((self.folder / "out" / "training" / "m").stat(), built)
        again = self.train("--epochs", "2", "--resume")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(len((self.folder / "out" / "trained" / "log.csv").read_text().splitlines()), 3)

    def test_resume_is_checked_first(self):
        """What a run that is to be continued cannot go on with is refused before anything is built."""
        self.assertEqual(self.train("--epochs", "2", "--quiet").returncode, 0)
        out = self.folder / "out"
        times = lambda: {path: path.stat().st_mtime_ns for path in out.rglob("*")}
        left = times()

        def refusal(*texts, epochs=3, **more):
            self.expect_refusal(self.train("--epochs", epochs, "--resume", **more), *texts)
            self.assertEqual(times(), left)

        checkpoint = "out/trained/checkpoint.safetensors"
        refusal("the interrupted run had another recipe", checkpoint, choices="[augmentation]\nflip = true\n")
        refusal("the checkpoint is 8 steps in, 1 epochs have 4", checkpoint, epochs=1)
        self.specification.write_text(SPECIFICATION.replace("conv2: conv(8, 3)", "conv2: conv(12, 3)"), encoding="utf-8")
        refusal("the checkpoint has no tensor `momentum.conv2.weight` of shape [12, 8, 3, 3]", checkpoint)
        self.specification.write_text(SPECIFICATION, encoding="utf-8")
        images = self.data / "train.bin"
        before = images.read_bytes()
        images.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        refusal("the data set is not what the interrupted run had")
        images.write_bytes(before)

        log = out / "trained" / "log.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        for damaged in (lines[0][:9] + "\n", "\0" * 20 + "\n", '{"epoch": 1}\n'):
            log.write_text(damaged + "".join(lines[1:]), encoding="utf-8")
            left = times()
            refusal("this is no line of a training's log", "out/trained/log.jsonl:1\n", "help: repair or remove the line")
        log.write_text("".join(lines) + lines[-1][:20], encoding="utf-8")  # as a killed run leaves it
        done = self.train("--epochs", "3", "--resume", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        text = log.read_text(encoding="utf-8")
        self.assertTrue(text.startswith("".join(lines)))
        self.assertEqual([json.loads(line)["epoch"] for line in text.splitlines() if "epoch_loss" in line], [1, 2, 3])

    def test_terminal(self):
        """What is drawn stays within the window, so that each line replaces the one before; elsewhere there are lines."""
        self.assertEqual(self.train("--quiet").stdout, "")
        recipe = self.folder / "long.toml"
        recipe.write_text(RECIPE.replace("epochs = 3", "epochs = 60"), encoding="utf-8")
        for columns in (40, 100):
            parent, child = pty.openpty()
            fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            program = subprocess.Popen([self.folder / "out" / "training" / "m", "train", "--recipe", recipe, "--data", self.data,
                                        "--out", self.folder / f"run{columns}"], stdout=child, stderr=child)
            os.close(child)
            text = b""
            try:
                while piece := os.read(parent, 4096):
                    text += piece
            except OSError:  # the end, as Linux reports it
                pass
            os.close(parent)
            self.assertEqual(program.wait(), 0, text)
            lines = re.split(r"[\r\n]+", text.decode().replace("\033[K", ""))
            self.assertTrue(any("[#" in line or "[-" in line or "left" in line for line in lines), lines)
            for line in lines:
                if line.startswith("epoch"):
                    self.assertLess(len(line), columns, line)

    def test_inputs_come_first(self):
        """What training would refuse is refused before anything is built."""
        notes = self.folder / "notes.txt"
        notes.write_text("notes", encoding="utf-8")
        self.expect_refusal(self.train("--weights", notes), "notes.txt")
        self.expect_refusal(self.train("--weights", self.folder / "none"), "No such file or directory", "none")
        recipe = "[data]\nmean = [0.5]\nstd = [0.5]\n"
        self.expect_refusal(self.train(choices=recipe), "`mean` has 1 values, model `m` takes 3 channels")
        data = self.data
        (data / "train.bin").write_bytes((data / "train.bin").read_bytes()[:-1])
        self.expect_refusal(self.train(), "train.bin")
        self.data = self.folder / "nowhere"
        self.expect_refusal(self.train(), "there is no such folder", "nowhere")
        self.assertFalse((self.folder / "out").exists())

    def test_files_of_others_stay(self):
        trained = self.folder / "out" / "trained"
        trained.mkdir(parents=True)
        for path in trained / "summary.json", trained / "weights.safetensors", trained / "log.csv", self.folder / "out" / "m":
            path.write_text("mine", encoding="utf-8")
            self.expect_refusal(self.train(), str(path))
            self.assertEqual(path.read_text(encoding="utf-8"), "mine")
            path.unlink()

    def test_mistakes(self):
        for target, *texts in [("0.5,0.5", "`0.5` in the target is no choice of `later`", "r.toml", "it is one of 1, 0.75"),
                               ("0.5", "has 1 value for the 2 open holes", "r.toml"),
                               ("factr=1", "`factr` in the target is no open hole of model `m`", "such as `factor`")]:
            self.expect_refusal(self.train(choices=f'[choices]\ntarget = "{target}"\n'), *texts)
        self.expect_refusal(self.train("--batch", "4"), "contradicts the recipe's batch, which is 5")
        recipe = self.folder / "without.toml"
        recipe.write_text(RECIPE.replace("batch = 5\n", ""), encoding="utf-8")
        self.expect_refusal(self.vernier("train", self.specification, "--recipe", recipe, "--data", self.data, "-o",
                                         self.folder / "out"), "nothing says how many images an update has")
        self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    unittest.main(argv=[__file__])
