"""What every command writes: through devices and pipes, behind links, with owner, mode and umask kept, or not at all."""

import math
import os
import resource
import stat
import subprocess
import threading
import unittest

from commands import VERNIER, CommandTest, read_npy, write_npy, write_safetensors

SPECIFICATION = """network n() {
  input image: [1, 8, 8]
  learned c: [int] = even(4, 2) within macs(image |> conv(4, 3))
  concat(for k in c: image |> conv(k, 3)) |> global_avg_pool |> fc: linear(2)
}

model m = n()
"""
WEIGHTS = {"conv1.weight": [2, 1, 3, 3], "conv2.weight": [2, 1, 3, 3], "fc.weight": [2, 4], "fc.bias": [2]}


class Files(CommandTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = cls.shared_folder()
        cls.specification = cls.shared / "m.vn"
        cls.specification.write_text(SPECIFICATION, encoding="utf-8")
        cls.weights = cls.shared / "w.safetensors"
        write_safetensors(cls.weights, {name: [0.5] * math.prod(shape) for name, shape in WEIGHTS.items()}, shapes=WEIGHTS)
        subprocess.run([VERNIER, "build", cls.specification, "-w", cls.weights, "-o", cls.shared / "b"], check=True,
                       capture_output=True)
        cls.program = cls.shared / "b" / "m"
        cls.image = cls.shared / "x.npy"
        write_npy(cls.image, [1, 1, 8, 8], [0.5] * 64)

    def writers(self, output):
        """The commands that write one file, with `output` as that file."""
        return {
            "describe --svg": [VERNIER, "describe", self.specification, "--svg", output],
            "describe --dot": [VERNIER, "describe", self.specification, "--dot", output],
            "allocate": [VERNIER, "allocate", self.specification, "--even", "-o", output],
            "export-onnx": [VERNIER, "export-onnx", self.specification, "-w", self.weights, "-o", output],
            "import-weights": [VERNIER, "import-weights", self.specification, "-w", self.weights, "-o", output],
            "run": [self.program, "run", "--input", self.image, "--output", output],
        }

    def run_all(self, output, status=0, under=()):
        for name, command in self.writers(output).items():
            done = subprocess.run([*under, *command], capture_output=True)
            self.assertEqual(done.returncode, status, (name, done.stderr))
            yield name, done

    def test_new_file(self):
        for mask, mode in (0o022, 0o644), (0o077, 0o600), (0o002, 0o664):
            output = self.folder / f"out{mask}"
            before = os.umask(mask)
            try:
                for name, _ in self.run_all(output):
                    self.assertEqual(stat.S_IMODE(output.stat().st_mode), mode, name)
                    output.unlink()
            finally:
                os.umask(before)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_owner_and_mode_stay(self):
        output = self.folder / "out"
        output.write_text("old", encoding="utf-8")
        output.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(output, 12345, 12346)
        before = output.stat()
        for name, _ in self.run_all(output):
            after = output.stat()
            self.assertNotEqual(after.st_size, 3, name)
            self.assertEqual((after.st_mode, after.st_uid, after.st_gid), (before.st_mode, before.st_uid, before.st_gid), name)

    def test_link_stays(self):
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        target, link, dangling = elsewhere / "target", self.folder / "link", self.folder / "dangling"
        link.symlink_to("elsewhere/target")
        dangling.symlink_to("elsewhere/new")
        target.write_text("old", encoding="utf-8")
        for name, _ in self.run_all(link):
            self.assertTrue(link.is_symlink(), name)
            self.assertNotEqual(target.read_bytes(), b"old", name)
            target.write_text("old", encoding="utf-8")
        for name, _ in self.run_all(dangling):
            self.assertTrue(dangling.is_symlink(), name)
            (elsewhere / "new").unlink()

    def test_pipe(self):
        plain = {name: (done, self.content(self.folder / "plain")) for name, done in self.run_all(self.folder / "plain")}
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        for name, command in self.writers(pipe).items():
            read = []
            reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
            reader.start()
            done = subprocess.run(command, capture_output=True)
            reader.join(20)
            self.assertEqual(done.returncode, 0, (name, done.stderr))
            self.assertTrue(pipe.is_fifo(), name)
            self.assertEqual(read[0], plain[name][1], name)

    def content(self, path):
        data = path.read_bytes()
        path.unlink()
        return data

    def test_standard_output(self):
        """With data on standard output, what else is said goes to standard error."""
        plain = {name: self.content(self.folder / "plain") for name, _ in self.run_all(self.folder / "plain")}
        for output in "-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
            for name, done in self.run_all(output):
                self.assertEqual(done.stdout, plain[name], (name, output))
            # A regular file as standard output is not replaced either.
            with open(self.folder / "log", "w+b") as log:
                log.write(b"before\n")
                log.flush()
                subprocess.run(self.writers(output)["export-onnx"], stdout=log, stderr=subprocess.DEVNULL, check=True)
            self.assertEqual((self.folder / "log").read_bytes(), b"before\n" + plain["export-onnx"])
        with open(self.folder / "log", "w+b") as log:
            subprocess.run(self.writers(f"/dev/fd/{log.fileno()}")["run"], pass_fds=[log.fileno()], check=True)
        self.assertEqual((self.folder / "log").read_bytes(), plain["run"])

    def test_device(self):
        for output in ["/dev/null"] + ([self.device()] if os.geteuid() == 0 else []):
            for name, _ in self.run_all(output):
                self.assertTrue(stat.S_ISCHR(os.stat(output).st_mode), (name, output))

    def device(self):
        null = self.folder / "null"
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        return null

    def test_full_disk(self):
        for name, done in self.run_all("/dev/full", status=1):
            self.assertIn(b"No space left on device", done.stderr, name)
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/full").st_mode))

    def limited(self, command, limit=200):
        """No file may grow beyond `limit` bytes: a full disk, as far as that goes without one."""
        return subprocess.run(command, capture_output=True, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (limit, limit)))

    def test_no_half_file(self):
        output = self.folder / "out"
        output.write_text("old", encoding="utf-8")
        for name, command in self.writers(output).items():
            if name == "run":
                command[command.index("run") + 2] = self.large_image()
            done = self.limited(command, 100)
            self.assertEqual(done.returncode, 1, (name, done.stderr))
            self.assertIn(b"File too large", done.stderr, name)
            self.assertEqual(output.read_text(encoding="utf-8"), "old", name)
        self.assertEqual({path.name for path in self.folder.iterdir()} - {"large.npy"}, {"out"})
        done = self.limited([VERNIER, "build", self.specification, "-o", self.folder / "built"], 4096)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, b"File too large|No space left|file size limit")
        self.assertEqual(list((self.folder / "built").iterdir()), [])

    def large_image(self):
        write_npy(self.folder / "large.npy", [40, 1, 8, 8], [0.5] * 64 * 40)
        return self.folder / "large.npy"

    def test_standard_output_full(self):
        for command in ([VERNIER, "describe", self.specification], [VERNIER, "describe", self.specification, "--json"],
                        [VERNIER, "--help"], [VERNIER, "build", "--help"],
                        [VERNIER, "allocate", self.specification, "--even", "-o", self.folder / "c.toml"],
                        [VERNIER, "verify", self.specification, "--passes-only"],
                        [self.program, "info"], [self.program, "info", "--json"], [self.program, "--help"],
                        [self.program, "bench", "--runs", "1"], [self.program, "bench", "--runs", "1", "--json"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 1, command)
            self.assertEqual(done.stderr, b"error: cannot write to standard output: No space left on device\n", command)
        closed = subprocess.run(["sh", "-c", '"$@" >&-', "sh", self.program, "info"], capture_output=True)
        self.assertEqual(closed.returncode, 1)
        self.assertIn(b"cannot write to standard output", closed.stderr)

    def test_closed_standard_output_takes_no_file(self):
        output = self.folder / "y.npy"
        subprocess.run(["sh", "-c", '"$@" >&-', "sh", *self.writers(output)["run"]], capture_output=True)
        self.assertEqual(read_npy(output)[0], [1, 2])

    def test_format(self):
        target, link = self.folder / "f.vn", self.folder / "link.vn"
        target.write_text(SPECIFICATION.replace("  concat", "    concat"), encoding="utf-8")
        target.chmod(0o600)
        link.symlink_to(target)
        self.assertEqual(self.vernier("fmt", link).returncode, 0)
        self.assertTrue(link.is_symlink())
        self.assertEqual(target.read_text(encoding="utf-8"), SPECIFICATION)
        self.assertEqual(stat.S_IMODE(target.stat().st_mode), 0o600)

    def test_write_protected(self):
        # Root may write everything, unless it gives that up.
        ordinary = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
        output = self.folder / "out"
        output.write_text("old", encoding="utf-8")
        output.chmod(0o444)
        for name, done in self.run_all(output, status=1, under=ordinary):
            self.assertIn(b"Permission denied", done.stderr, name)
        self.assertEqual(output.read_text(encoding="utf-8"), "old")

    def test_build_folder(self):
        before = os.umask(0o022)
        try:
            out = self.folder / "a" / "b"
            done = self.vernier("build", self.specification, "-w", self.weights, "-o", out)
            self.assertEqual(done.returncode, 0, done.stderr)
        finally:
            os.umask(before)
        self.assertEqual([stat.S_IMODE(path.stat().st_mode) for path in (out, out.parent)], [0o755, 0o755])
        modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in out.iterdir() if path.is_file()}
        self.assertEqual({name: mode for name, mode in modes.items() if name.startswith(("m", "libm."))},
                         {"m": "0o755", "m.h": "0o644", "m.safetensors": "0o644", "libm.a": "0o644", "libm.so": "0o755"})


if __name__ == "__main__":
    unittest.main(argv=[__file__])
