"""`vernier build`: what it leaves behind, and what it refuses without leaving anything."""

import json
import math
import pathlib
import re
import subprocess
import unittest

from commands import SPECIFICATION, VERNIER, CommandTest, write_safetensors

# What a built program may depend on beside its own code.
LIBRARIES = {"libc.so", "libm.so", "libstdc++.so", "libgcc_s.so", "libjpeg.so", "libpng16.so", "libwebp.so",
             "libz.so", "libpthread.so", "linux-vdso.so", "ld-linux-x86-64.so"}


def write_zeros(path, shapes):
    write_safetensors(path, {name: [0.0] * math.prod(shape) for name, shape in shapes.items()}, shapes=shapes)


class Build(CommandTest):
    def build(self, *options, output="built"):
        return self.vernier("build", SPECIFICATION, "--model", "two_scales8", "-o", self.folder / output, *options)

    def refused(self, done, *texts, output="built"):
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)
        self.assertFalse((self.folder / output).exists() and list((self.folder / output).iterdir()))

    def parameters(self):
        done = self.vernier("describe", SPECIFICATION, "--model", "two_scales8", "--json")
        return {entry["name"]: entry["shape"] for entry in json.loads(done.stdout)["parameters"]}

    def test_leaves_program_libraries_and_header(self):
        done = self.build()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"infer: \d+ steps \(\d+ cop(?:y|ies)\), arena \d+\.\d+ MiB")
        # What each pass saved, in order.
        self.assertRegex(done.stdout, r"(?s)\n  fold-batch-norm: \d+ of \d+ batch norms.*\n  fuse-epilogue: inference: \d+ ")
        names = sorted(path.name for path in (self.folder / "built").iterdir())
        self.assertEqual(names, ["libtwo_scales8.a", "libtwo_scales8.so", "libvernier_runtime.a", "two_scales8", "two_scales8.h", "vernier"])

    def test_prints_the_program(self):
        done = self.build("--print-program", "--quiet", "--for", "train", "--cpu", "avx2")
        self.assertEqual(done.returncode, 0, done.stderr)
        programs = re.findall(r"^(\w+): (\d+) steps, arena \d+ bytes$", done.stdout, re.MULTILINE)
        self.assertEqual([name for name, _ in programs], ["prepare", "infer", "train_step", "update"])
        # A place, the problem, in brackets what was chosen for it; the kernel; where its operands lie.
        steps = re.findall(r"^(?:  |\| )(\S+): (\w+) [^\[\n]*(?:\[.*\])?\n    (\S+), tasks \d+\n((?: +\S+)+)$", done.stdout,
                           re.MULTILINE)
        self.assertEqual(len(steps), sum(int(count) for _, count in programs))
        problems = {problem for _, problem, _, _ in steps}
        self.assertLessEqual({"weight_layout", "convolution", "weight_gradient", "max_pool", "batch_finish"}, problems)
        self.assertIn("[direct, tile ", done.stdout)
        self.assertRegex(steps[0][3], r"^ +(parameters|statistics)\+\d+ .*-> (derived|arena)\+\d+$")

    def test_program_needs_neither_llvm_nor_python(self):
        self.assertEqual(self.build().returncode, 0)
        for name in ("two_scales8", "libtwo_scales8.so"):
            needed = subprocess.run(["ldd", self.folder / "built" / name], capture_output=True, text=True, check=True).stdout
            libraries = {re.sub(r"\.so.*", ".so", pathlib.Path(line.split()[0]).name) for line in needed.splitlines()}
            self.assertLessEqual(libraries, LIBRARIES)

    def test_relative_output_folder(self):
        done = subprocess.run([VERNIER, "build", SPECIFICATION, "--model", "two_scales8", "-o", "here"],
                              cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.folder / "here" / "two_scales8").exists())

    def test_every_cpu(self):
        for cpu in ("avx512", "avx2", "sse", "aarch64"):
            done = self.build("--cpu", cpu, output=cpu)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue((self.folder / cpu / "libtwo_scales8.a").exists())

    def test_bfloat16(self):
        self.assertEqual(self.build("--precision", "bf16").returncode, 0)
        info = subprocess.run([self.folder / "built" / "two_scales8", "info"], stdout=subprocess.PIPE, text=True).stdout
        self.assertIn("precision   bfloat16 maps and weights, float32 sums", info)
        self.refused(self.build("--precision", "bf16", "--for", "train", output="train"), "training on a CPU is in float32 only",
                     "--precision bf16 --for train", "help: train in float32", output="train")
        self.refused(self.build("--precision", "fp8", output="fp8"), "--precision", "fp8", "f32", "bf16", output="fp8")

    def test_weights_go_beside_the_program(self):
        write_zeros(self.folder / "w.safetensors", self.parameters())
        done = self.build("--weights", self.folder / "w.safetensors")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.folder / "built" / "two_scales8.safetensors").exists())

    def test_weights_of_another_shape(self):
        write_zeros(self.folder / "w.safetensors", self.parameters() | {"out.weight": [5, 8, 3, 3]})
        self.refused(self.build("--weights", self.folder / "w.safetensors"), "out.weight", "[5, 8, 3, 3]", "[5, 8, 1, 1]")

    def test_truncated_weights(self):
        path = self.folder / "w.safetensors"
        write_zeros(path, self.parameters())
        path.write_bytes(path.read_bytes()[:-9])
        self.refused(self.build("--weights", path), "error:", str(path))

    def test_unknown_options(self):
        self.refused(self.build("--cpu", "vax"), "`vax`", "one of native, avx512bf16, avx512, avx2, sse, aarch64")
        self.refused(self.build("--batch", "0"), "a batch of 0 images", "--batch")
        self.refused(self.build("--input", "8by8"), "`8by8` is no input size")
        self.refused(self.build("--fast"), "--fast")
        self.refused(self.build("--target", "gpu"), "--target", "cuda-emulated")

    def test_unwritable_output(self):
        done = self.vernier("build", SPECIFICATION, "--model", "two_scales8", "-o", "/proc/built")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot create the folder: ", done.stderr)
        self.assertIn("--> /proc/built", done.stderr)

    def test_files_of_others_stay(self):
        out = self.folder / "out"
        out.mkdir()
        for name, content in ("two_scales8", b"#!/bin/sh\n"), ("two_scales8.h", b"/* mine */\n"), ("libtwo_scales8.a", b"notes"), \
                ("libtwo_scales8.so", b"\x7fELF of another program"):
            (out / name).write_bytes(content)
            self.refused(self.vernier("build", SPECIFICATION, "--model", "two_scales8", "-o", out),
                         "the file is not from `vernier build`", f"--> {out / name}")
            self.assertEqual((out / name).read_bytes(), content)
            (out / name).unlink()
        for _ in range(2):  # its own are replaced
            done = self.vernier("build", SPECIFICATION, "--model", "two_scales8", "-o", out)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_configuration_of_an_unknown_hole(self):
        configuration = self.folder / "c.toml"
        configuration.write_text("[holes]\nchanels = [3, 0]\n", encoding="utf-8")
        self.refused(self.build("--config", configuration), "chanels", "c.toml:2:", "channels")

    def test_check_reports_every_mistake(self):
        specification = self.folder / "wrong.vn"
        specification.write_text("network n() {\n  input image: [3, 8, 8]\n  x = image |> konv(4, 3)\n"
                                 "  x |> conv(4, 3, strid = 2)\n}\nmodel m = n()\n", encoding="utf-8")
        done = self.vernier("check", specification)
        self.assertEqual(done.returncode, 1)
        for text in ("wrong.vn:3:", "`konv`", "`conv`", "wrong.vn:4:", "`strid`", "`stride`"):
            self.assertIn(text, done.stderr)

    def test_format(self):
        specification = self.folder / "loose.vn"
        specification.write_text("network n( ){  // grey\n input image:[1,8,8]\n image|>conv( 4,3 )\n}\nmodel m=n()\n",
                                 encoding="utf-8")
        self.assertEqual(self.vernier("fmt", "--check", specification).returncode, 1)
        self.assertEqual(self.vernier("fmt", specification).returncode, 0)
        first = specification.read_text(encoding="utf-8")
        self.assertIn("// grey", first)
        self.assertEqual(self.vernier("fmt", specification).returncode, 0)
        self.assertEqual(specification.read_text(encoding="utf-8"), first)
        self.assertEqual(self.vernier("fmt", "--check", specification).returncode, 0)


if __name__ == "__main__":
    unittest.main()
