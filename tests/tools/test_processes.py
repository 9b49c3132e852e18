"""Signals, child processes and folders that two commands want: what is asked to end ends, with a checkpoint, and leaves
no process, no lock and no temporary behind."""

import os
import resource
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from commands import VERNIER, CommandTest, write_arrays

SPECIFICATION = """network m() {
  input image: [3, 8, 8]
  choose k: int from [2, 4]
  image |> conv(4, 3) |> batch_norm |> relu |> resize(nearest, size = [k, k]) |> conv(4, 3) |> batch_norm |> relu |> global_avg_pool |> fc: linear(2)
}
model m = m()
"""
RECIPE = """epochs = 100000
[optimizer]
learning_rate = 0.001
"""
SLOW = 40000  # images of a validation that takes long


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A process that nobody has awaited yet is not running either.
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


class Processes(CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = cls.shared_folder()
        cls.specification = cls.shared / "m.vn"
        cls.specification.write_text(SPECIFICATION, encoding="utf-8")
        cls.recipe = cls.shared / "r.toml"
        cls.recipe.write_text(RECIPE, encoding="utf-8")
        cls.data = cls.dataset("data", 4)
        subprocess.run([VERNIER, "build", cls.specification, "--for", "train", "--batch", "4", "-o", cls.shared / "b"],
                       check=True, capture_output=True)
        cls.program = cls.shared / "b" / "m"

    @classmethod
    def dataset(cls, name, validation):
        """One step an epoch."""
        folder = cls.shared / name
        folder.mkdir()
        for split, count in ("train", 4), ("test", validation):
            write_arrays(folder, split, [3, 8, 8], [0.25, 0.5, -1.0, 0.0] * (count * 48), [0.0, 1.0] * (count // 2))
        return folder

    def start(self, *command, **options):
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   **options)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def train(self, *more, data=None):
        return [self.program, "train", "--data", data or self.data, "--recipe", self.recipe, "--out", self.folder / "o", *more]

    def wait_for(self, condition, what):
        end = time.monotonic() + 60
        while not (found := condition()):
            self.assertLess(time.monotonic(), end, f"no {what} within a minute")
            time.sleep(0.01)
        return found

    def checkpoint(self, folder="o"):
        return self.folder / folder / "checkpoint.safetensors"

    def expect_end(self, process, number, seconds=3):
        output, errors = process.communicate(timeout=seconds)
        self.assertEqual(process.returncode, -number, errors)
        return output, errors

    def test_one_step_epochs(self):
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            with self.subTest(signal=number):
                process = self.start(*self.train("--resume"))
                self.wait_for(self.checkpoint().exists, "checkpoint")
                time.sleep(0.3)
                process.send_signal(number)
                _, errors = self.expect_end(process, number)
                self.assertIn("interrupted after step ", errors)
                self.assertEqual({path.name for path in (self.folder / "o").iterdir()},
                                 {"checkpoint.safetensors", "log.csv", "log.jsonl"})

    def test_validation(self):
        """An epoch whose validation was cut off is validated when the run goes on."""
        data = self.dataset("slow", SLOW)
        process = self.start(*self.train("--epochs", "1", "--threads", "1", data=data))
        self.wait_for((self.folder / "o" / "log.jsonl").exists, "log")
        process.send_signal(signal.SIGTERM)
        self.expect_end(process, signal.SIGTERM)
        self.assertTrue(self.checkpoint().exists())
        self.assertFalse((self.folder / "o" / "log.csv").exists())
        done = self.execute(*self.train("--epochs", "1", "--resume", data=data))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len((self.folder / "o" / "log.csv").read_text().splitlines()), 2)

    def test_timeout_counts_once(self):
        """timeout(1) signals its child and the child's group at once: that is one request, not two."""
        done = self.execute("timeout", "2", *self.train())
        self.assertEqual(done.returncode, 124)
        self.assertIn("interrupted after step ", done.stderr)
        self.assertTrue(self.checkpoint().exists())

    def test_second_signal(self):
        data = self.dataset("second", SLOW)
        process = self.start(*self.train("--epochs", "1", data=data))
        self.wait_for((self.folder / "o" / "log.jsonl").exists, "log")
        os.kill(process.pid, signal.SIGSTOP)  # so that it cannot act on the first
        process.send_signal(signal.SIGTERM)
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=3)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        self.assertFalse((self.folder / "o" / ".lock").exists())

    def test_other_commands(self):
        """eval, bench and tabulate end at once, and their temporaries go."""
        data = self.dataset("other", 2 * SLOW)  # an evaluation that is not done when it is signalled
        weights = self.folder / "o" / "weights.safetensors"
        subprocess.run(self.train("--epochs", "1"), check=True, capture_output=True)
        for command in (["eval", "--data", data], ["bench", "--runs", "10000000"],
                        ["tabulate", "--runs", "10000000", "--out", self.folder / "t.jsonl"],
                        ["tabulate", "--data", data, "--out", self.folder / "u.jsonl"]):
            for number in signal.SIGINT, signal.SIGTERM:
                process = self.start(self.program, command[0], *([] if command[0] == "bench" else ["--weights", weights]),
                                     *command[1:])
                time.sleep(0.2)
                process.send_signal(number)
                self.expect_end(process, number, 2)
        self.assertEqual([path.name for path in self.folder.iterdir() if path.name.startswith(".")], [])

    def test_build_leaves_nothing(self):
        for delay in 0.05, 0.3, 0.6:
            process = self.start(VERNIER, "build", self.specification, "-o", self.folder / "built")
            time.sleep(delay)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
            if process.returncode == 0:  # it was done before
                continue
            self.assertEqual(process.returncode, -signal.SIGTERM)
            if (self.folder / "built").exists():
                self.assertEqual([path.name for path in (self.folder / "built").iterdir() if path.name.startswith(".")], [])

    def vernier_train(self, *more):
        checkpoint = self.checkpoint("out/trained")
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = self.start(VERNIER, "train", self.specification, "--recipe", self.recipe, "--data", self.data, "--batch", "4",
                             "-o", self.folder / "out", *more)
        def training():
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                try:
                    if os.readlink(f"/proc/{child}/exe") == str(self.folder / "out" / "training" / "m"):
                        return int(child)
                except OSError:  # it has ended
                    pass
            return None
        child = self.wait_for(training, "training")
        self.wait_for(lambda: checkpoint.exists() and checkpoint.stat().st_mtime_ns > before, "checkpoint of this run")
        return process, child

    def test_children_are_told_and_awaited(self):
        for number in signal.SIGTERM, signal.SIGINT:
            process, child = self.vernier_train("--resume")
            process.send_signal(number)
            _, errors = self.expect_end(process, number)
            self.assertIn("interrupted after step ", errors)
            self.assertFalse(alive(child))

    def test_group_signal_keeps_checkpoint(self):
        """As Ctrl-C at a terminal: parent and child both get it, and the parent forwards it or not."""
        process = self.start(VERNIER, "train", self.specification, "--recipe", self.recipe, "--data", self.data, "--batch", "4",
                             "-o", self.folder / "out", start_new_session=True)
        self.wait_for(self.checkpoint("out/trained").exists, "checkpoint")
        os.killpg(process.pid, signal.SIGINT)
        _, errors = self.expect_end(process, signal.SIGINT)
        self.assertIn("interrupted after step ", errors)

    def test_killed_parent(self):
        process, child = self.vernier_train()
        process.kill()
        process.wait()
        self.wait_for(lambda: not alive(child), "end of the child")

    def test_child_that_is_killed(self):
        """The child cannot say what happened, so its parent does."""
        process, child = self.vernier_train()
        os.kill(child, signal.SIGKILL)
        _, errors = process.communicate(timeout=5)
        self.assertEqual(process.returncode, 1)
        self.assertIn("was ended by signal 9", errors)

    def test_failing_shard_stops_the_others(self):
        """Of two processes that evaluate side by side one cannot write: the other one does not run on."""
        subprocess.run(self.train("--epochs", "1"), check=True, capture_output=True)
        data = self.dataset("shards", 4 * SLOW)
        found = self.folder / "found"
        found.mkdir()
        (found / "accuracy-0-of-2.jsonl").mkdir()
        started = time.monotonic()
        process = self.start(VERNIER, "search", self.specification, "-w", self.folder / "o" / "weights.safetensors", "--data",
                             data, "--batch", "4", "--processes", "2", "-o", found)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, errors)
        self.assertIn("accuracy-0-of-2.jsonl", errors)
        self.assertFalse((found / "accuracy-1-of-2.jsonl").read_text() if (found / "accuracy-1-of-2.jsonl").exists() else "")
        self.assertLess(time.monotonic() - started, 50)

    def test_second_training(self):
        process = self.start(*self.train())
        self.wait_for(self.checkpoint().exists, "checkpoint")
        second = self.execute(*self.train("--resume"))
        self.assertEqual(second.returncode, 1)
        self.assertIn(f"process {process.pid} on ", second.stderr)
        self.assertIn("is writing into this folder", second.stderr)
        second = self.execute(*self.train())
        self.assertEqual(second.returncode, 1)
        self.assertIn("the folder already holds a training run", second.stderr)
        process.kill()
        process.wait()
        third = self.start(*self.train("--resume"))
        time.sleep(0.5)
        third.send_signal(signal.SIGTERM)
        self.expect_end(third, signal.SIGTERM)
        self.assertFalse((self.folder / "o" / ".lock").exists())

    def test_second_command(self):
        process, _ = self.vernier_train()
        before = (self.folder / "out" / "training" / "m").stat().st_ino
        second = self.vernier("train", self.specification, "--recipe", self.recipe, "--data", self.data, "--batch", "4", "-o",
                              self.folder / "out", "--resume")
        self.expect_refusal(second, f"process {process.pid} on ", "is writing into this folder")
        self.assertEqual((self.folder / "out" / "training" / "m").stat().st_ino, before)

    def test_full_disk_keeps_the_checkpoint(self):
        subprocess.run(self.train("--epochs", "2"), check=True, capture_output=True)
        before = self.checkpoint().read_bytes()
        done = subprocess.run(self.train("--epochs", "50", "--resume"), capture_output=True, text=True, preexec_fn=lambda:
                              resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500)))
        self.assertEqual(done.returncode, 1)
        self.assertIn("File too large", done.stderr)
        self.assertEqual(self.checkpoint().read_bytes(), before)
        self.assertEqual([path.name for path in (self.folder / "o").iterdir() if path.name.startswith(".")], [])


if __name__ == "__main__":
    unittest.main(argv=[__file__] + sys.argv[1:])
