"""`--skip-broken` in every command that reads images: one that cannot be decoded is refused, or left out and counted."""

import json
import unittest

from commands import OPEN_SPECIFICATION, VERNIER, CommandTest, png, read_npy

RECIPE = """epochs = 1
batch = 4
[optimizer]
learning_rate = 0.01
"""
IMAGES = 20  # of each split, one of which is broken
BROKEN = "1 broken image is left out; the first: the PNG image cannot be decoded: the file is truncated"


class BrokenImages(CommandTest):
    def setUp(self):
        super().setUp()
        self.specify(OPEN_SPECIFICATION)
        self.recipe = self.folder / "r.toml"
        self.recipe.write_text(RECIPE, encoding="utf-8")
        self.data = self.folder / "data"
        for split in "train", "test":
            for i in range(IMAGES):
                image = self.data / split / str(i % 2) / f"{i:02}.png"
                image.parent.mkdir(parents=True, exist_ok=True)
                content = png(8, 8, 1, bytes((97 * i + 31 * pixel) % 256 for pixel in range(64)))
                image.write_bytes(content[:-30] if i == 5 else content)
        self.broken = [self.data / split / "1" / "05.png" for split in ("train", "test")]

    def check(self, command, *broken):
        """Refused with the file's name; with the option done, and said."""
        done = self.execute(*command)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("the PNG image cannot be decoded", done.stderr)
        self.assertTrue(any(str(path) in done.stderr for path in broken), done.stderr)
        done = self.execute(*command, "--skip-broken")
        self.assertEqual(done.returncode, 0, done.stderr)
        for path in broken:
            self.assertIn(f"{BROKEN}\n  --> {path}", done.stderr)
        return done.stdout

    def test_commands(self):
        done = self.vernier("train", self.specification, "--recipe", self.recipe, "--data", self.data, "-o", self.folder / "t",
                            "--skip-broken", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        program, weights = self.folder / "t/training/m", self.folder / "t/trained/weights.safetensors"
        train, test = self.broken
        data = ("--data", self.data, "--weights", weights)

        self.assertIn(f"on {IMAGES - 1} images", self.check([program, "eval", *data], test))
        report = self.check([program, "recalibrate", *data, "-o", self.folder / "new.safetensors"], train)
        self.assertIn(f"2 batch norms from {IMAGES - 1} images", report)
        rows = self.folder / "rows.jsonl"
        self.check([program, "tabulate", *data, "--recalibrate", "20", "--quiet", "--out", rows], test, train)
        self.assertEqual([json.loads(line)["images"] for line in rows.read_text().splitlines()], [IMAGES - 1] * 2)
        good = [self.data / "test/0" / f"{i:02}.png" for i in (0, 2, 4, 6)]
        named = self.check([program, "classify", *good[:2], test, *good[2:], "--weights", weights, "--top", "1"], test)
        self.assertEqual([line for line in named.splitlines() if not line.startswith(" ")], list(map(str, good)))
        none = self.execute(program, "classify", test, "--weights", weights, "--skip-broken")
        self.assertEqual((none.returncode, none.stdout), (1, ""))
        self.assertIn("all 1 images are broken", none.stderr)

    def test_search_and_adapt(self):
        done = self.vernier("train", self.specification, "--recipe", self.recipe, "--data", self.data, "-o", self.folder / "t",
                            "--skip-broken", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        data = ("--data", self.data, "--weights", self.folder / "t/trained/weights.safetensors", "--batch", "4")
        train, test = self.broken
        # Whatever number of its programs left it out, an image is named once.
        command = [VERNIER, "search", self.specification, *data, "-o", self.folder / "s", "--runs", "1", "--budget",
                   "macs=1G", "--recalibrate", "20", "--fine-tune", "1", "--recipe", self.recipe, "--build", "--processes", "2"]
        done = self.execute(*command)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("the PNG image cannot be decoded", done.stderr)
        for _ in range(2):  # the second takes all from the first
            done = self.execute(*command, "--skip-broken")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stderr.count("warning: "), 1, done.stderr)
            self.assertIn("warning: 2 broken images are left out\n", done.stderr)
            for path in (test, train):
                self.assertEqual(done.stderr.count(f"note: the PNG image cannot be decoded: the file is truncated\n  --> {path}"), 1,
                                 done.stderr)
        self.assertIn(f"2 configurations of m on {IMAGES - 1} images", done.stdout)
        self.assertTrue((self.folder / "s/fine-tuned.toml").exists())

        report = self.check([VERNIER, "adapt", self.specification, *data, "--candidates", "k=4", "--candidates", "k=8", "-o",
                             self.folder / "a"], train)
        self.assertIn(f"{IMAGES - 1} images; right / the cheapest that is right", report)
        counts = [read_npy(self.folder / "a/labels" / f"{name}-labels.npy")[0][0] for name in ("train", "test")]
        self.assertEqual(counts, [IMAGES - 2, 1])
        report = self.check([self.folder / "a/m", "eval", "--data", self.data, "--compare"], test)
        self.assertIn(f"on {IMAGES - 1} images", report)
        self.check([self.folder / "a/m", "classify", test, self.data / "test/0/00.png"], test)


if __name__ == "__main__":
    unittest.main(argv=[__file__])
