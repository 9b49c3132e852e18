"""Commands that build for a GPU and run there what they built: `search` and `allocate` under emulation, and what all of them refuse
before they begin."""

import ctypes
import json
import os
import random
import shutil
import subprocess
import tomllib
import unittest

from commands import SPECIFICATION as TWO_SCALES
from commands import OPEN_SPECIFICATION, VERNIER, CommandTest, parameter_shapes, write_arrays, write_safetensors

RECIPE = "epochs = 1\nbatch = 4\n[optimizer]\nlearning_rate = 0.01\n"
DEVICE = "the emulated device"
# What a driver says of GPUs, by variables of the environment.
DRIVER = """#include <stdlib.h>
#include <string.h>
static int number(const char *name) { return atoi(getenv(name)); }
int cuInit(unsigned flags) { return number("GPU_STATUS"); }
int cuDeviceGetCount(int *count) { *count = number("GPU_COUNT"); return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "NVIDIA Test", length); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  *value = attribute == 75 ? number("GPU_CAPABILITY") / 10 : attribute == 76 ? number("GPU_CAPABILITY") % 10 : -1;
  return 0;
}
"""
# An nvcc that leaves a sign that it was called.
COMPILER = """#!/bin/sh
touch "{}"
echo "the moon is in the wrong phase" >&2
exit 3
"""


class Sizes(ctypes.Structure):
    """vn_model, up to the bytes of its spaces."""
    _fields_ = [("before", ctypes.c_int64 * 15), ("parameter_bytes", ctypes.c_int64), ("statistics_bytes", ctypes.c_int64),
                ("frozen_bytes", ctypes.c_int64), ("derived_bytes", ctypes.c_int64)]


class ChooseTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.specify(OPEN_SPECIFICATION)
        values = random.Random(1)
        self.data, self.recipe, self.weights = self.folder / "data", self.folder / "r.toml", self.folder / "w.safetensors"
        self.data.mkdir()
        for split, count in (("train", 12), ("test", 12)):
            write_arrays(self.data, split, [1, 8, 8], [values.uniform(-1, 1) for _ in range(64 * count)],
                         [i % 2 for i in range(count)])
        self.recipe.write_text(RECIPE, encoding="utf-8")

    def write_weights(self, program):
        values = random.Random(3)
        shapes = parameter_shapes(self.execute(program, "info").stdout)
        tensors = {}
        for name, shape in shapes.items():
            low, high = (0.5, 1.5) if name.endswith("running_var") else (-0.5, 0.5)
            size = 1
            for extent in shape:
                size *= extent
            tensors[name] = [values.uniform(low, high) for _ in range(size)]
        write_safetensors(self.weights, tensors, shapes=shapes)


class Search(ChooseTest):
    def setUp(self):
        super().setUp()
        done = self.vernier("build", self.specification, "-o", self.folder / "cpu", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.write_weights(self.folder / "cpu/m")

    def search(self, *options, found="found", target="cuda-emulated", status=0):
        done = self.vernier("search", self.specification, "--weights", self.weights, "--data", self.data, "--batch", "4", "--runs",
                            "3", "-o", self.folder / found, "--target", target, *options)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def table(self, found="found"):
        return tomllib.loads((self.folder / found / "table.toml").read_text(encoding="utf-8"))

    def lines(self, name):
        return [json.loads(line) for line in (self.folder / "found" / name).read_text().splitlines()]

    def test_search(self):
        report = self.search("--budget", "macs=1G", "--budget", "latency=99s", "--fine-tune", "1", "--recipe", self.recipe)
        self.assertIn(f"times on {DEVICE} (cuda-emulated)\n", report)
        self.assertRegex(report, r"\n  infer on H100 SXM: 6 to 7 launches in a call\n")  # one of them resizes
        table = self.table()
        self.assertEqual((table["target"], table["device"]), ("cuda-emulated", DEVICE))
        # All programs that it has built are the target's.
        for program in ("all", "best", "tuned/4/build", "tuned/8/build"):
            if (self.folder / "found" / program).exists():
                self.assertTrue((self.folder / "found" / program / "m.cu").exists(), program)
        self.assertTrue((self.folder / "found/best/m.cu").exists())
        self.assertTrue((self.folder / "found/fine-tuned.toml").exists())
        # The same accuracies and costs as on the CPU, but for memory; times of this device.
        self.search(target="cpu", found="other")
        other = self.table("other")
        self.assertNotIn("device", other)
        for row, known in zip(table["configuration"], other["configuration"], strict=True):
            for key in ("accuracy", "macs", "parameters", "images", "holes"):
                self.assertEqual(row[key], known[key])
            self.assertGreater(row["milliseconds"], 0)
        self.assertEqual({row["device"] for row in self.lines("times.jsonl")}, {DEVICE})
        # Kernels are timed as they are launched: all of a segment's variant as one.
        kernels = self.lines("kernels.jsonl")
        self.assertEqual([row["device"] for row in kernels if "device" in row], [DEVICE])
        variants = [(row["segment"], row["variant"]) for row in kernels if "segment" in row]
        self.assertEqual(len(variants), len(set(variants)))
        self.assertTrue(all(row["microseconds"] > 0 for row in kernels))
        self.check_memory(table)
        self.check_others_are_refused()

    def check_memory(self, table):
        """The memory in the table is what the specialised program asks the device for."""
        best = tomllib.loads((self.folder / "found/best.toml").read_text())["holes"]["k"]
        library = ctypes.CDLL(str(self.folder / "found/best/libm.so"))
        library.m_model.restype = ctypes.POINTER(Sizes)
        sizes = library.m_model().contents
        bench = json.loads(self.execute(self.folder / "found/best/m", "bench", "--runs", "1", "--json").stdout)
        row = next(row for row in table["configuration"] if row["holes"]["k"] == best)
        self.assertEqual(row["memory_bytes"], sizes.parameter_bytes + sizes.statistics_bytes + sizes.derived_bytes +
                         bench["arena_bytes"] + 4 * 4 * (64 + 2))

    def check_others_are_refused(self):
        """What was measured on another device, or for another target."""
        self.assertIn("another network, weights, images or options", self.search(target="cpu", status=1))
        self.assertIn("another network, weights, images or options", self.search("--cuda-arch", "90a", status=1))
        for name, message in (("inputs.txt", "the directory holds the results of a search on NVIDIA Other, not on the emulated"),
                              ("times.jsonl", "it was measured on NVIDIA Other, not on the emulated device"),
                              ("kernels.jsonl", "it was measured on NVIDIA Other, not on the emulated device")):
            path = self.folder / "found" / name
            whole = path.read_text()
            path.write_text(whole.replace(DEVICE, "NVIDIA Other"))
            self.assertIn(message, self.search(status=1), name)
            path.write_text(whole)
        self.search()  # as it was, it goes on

    def test_recalibrated_in_bfloat16(self):
        """On an accelerator training code, too, is in the precision that is asked for."""
        self.search("--precision", "bf16", "--recalibrate", "8", "--latency", "predicted", "--budget", "macs=1G")
        self.assertTrue((self.folder / "found/recalibrated.safetensors").exists())
        self.assertIn("on a CPU is in float32", self.search("--precision", "bf16", "--recalibrate", "8", target="cpu", status=1))


class Allocate(CommandTest):
    def allocate(self, *options):
        return self.vernier("allocate", TWO_SCALES, "--model", "two_scales8", "--even", "--budget", "latency=99ms", "-o",
                            self.folder / "a.toml", *options)

    def test_latencies(self):
        done = self.allocate("--target", "cuda-emulated", "--runs", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, f"per image, batch 1, {DEVICE}: the seed .* predicted, .* measured")
        latencies = self.folder / "a.latency.toml"
        table = tomllib.loads(latencies.read_text(encoding="utf-8"))["latency"]
        self.assertEqual((table["target"], table["device"]), ("cuda-emulated", DEVICE))
        self.assertFalse({"cpu", "threads"} & set(table))
        self.expect_refusal(self.allocate("--latencies", latencies), "the latencies are for target cuda-emulated, not cpu")
        self.expect_refusal(self.allocate("--latencies", latencies, "--target", "cuda"), "the latencies are for target cuda-emulated")
        done = self.allocate("--latencies", latencies, "--target", "cuda-emulated")
        self.assertEqual(done.returncode, 0, done.stderr)


class NoDevice(ChooseTest):
    """Every command that would run what it builds, before it builds."""

    def setUp(self):
        super().setUp()
        self.toolkit = self.folder / "cuda"
        for name in ("bin", "lib64"):
            (self.toolkit / name).mkdir(parents=True)
        self.called = self.folder / "called"
        (self.toolkit / "bin/nvcc").write_text(COMPILER.format(self.called), encoding="utf-8")
        (self.toolkit / "bin/nvcc").chmod(0o755)
        (self.toolkit / "lib64/libcudart_static.a").touch()
        done = self.vernier("build", self.specification, "-o", self.folder / "cpu", "--quiet")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.write_weights(self.folder / "cpu/m")
        self.output = self.folder / "out"
        data = ("--data", self.data, "-o", self.output)
        self.commands = {
            "search": ("search", self.specification, "--weights", self.weights, *data),
            "adapt": ("adapt", self.specification, "--weights", self.weights, *data, "--candidates", "k=4", "--candidates", "k=8"),
            "train": ("train", self.specification, "--recipe", self.recipe, *data),
            "verify": ("verify", self.specification, "--choose", "k=4"),
            "allocate": ("allocate", TWO_SCALES, "--model", "two_scales8", "--even", "--budget", "latency", "-o", self.output),
        }

    def refusal(self, command, *options, **environment):
        variables = {name: value for name, value in os.environ.items() if name not in ("CUDA_HOME", "CUDA_ENVIRONMENT")}
        variables |= {name: str(value) for name, value in environment.items()}
        done = subprocess.run([VERNIER, *map(str, (*self.commands[command], *options))], capture_output=True, text=True, env=variables)
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stderr

    def driver(self, capability=90, count=1, status=0):
        folder = self.folder / "driver"
        if not folder.exists():
            folder.mkdir()
            (folder / "driver.c").write_text(DRIVER, encoding="utf-8")
            compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or "clang-22"
            subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", folder / "libcuda.so.1", folder / "driver.c"], check=True)
        return {"LD_LIBRARY_PATH": folder, "GPU_CAPABILITY": capability, "GPU_COUNT": count, "GPU_STATUS": status}

    def expect_nothing_begun(self):
        self.assertFalse(self.called.exists())
        self.assertFalse(self.output.exists())

    def test_no_compiler(self):
        empty = self.folder / "empty"
        empty.mkdir()
        for command in self.commands:
            with self.subTest(command):
                self.assertIn("there is no nvcc", self.refusal(command, "--target", "cuda", PATH=empty, CUDA_ENVIRONMENT=empty))
                self.expect_nothing_begun()

    def test_no_gpu(self):
        for command in self.commands:
            for message, driver in ({"there is no GPU\n  --> --target cuda\n": self.driver(count=0),
                                     "there is no GPU\n  --> --target": self.driver(status=100),  # CUDA_ERROR_NO_DEVICE
                                     "the driver of the GPU reports error 803": self.driver(status=803)}).items():
                with self.subTest(command, message=message):
                    self.assertIn(message, self.refusal(command, "--target", "cuda", CUDA_HOME=self.toolkit, **driver))
                    self.expect_nothing_begun()

    def test_no_driver(self):
        try:
            ctypes.CDLL("libcuda.so.1")
        except OSError:
            message = self.refusal("search", "--target", "cuda", CUDA_HOME=self.toolkit)
            self.assertIn("there is no driver of an NVIDIA GPU\n  --> --target cuda\nhelp: `vernier build` needs no GPU", message)
            return self.expect_nothing_begun()
        self.skipTest("there is a driver")

    def test_another_device(self):
        for command in self.commands:
            with self.subTest(command):
                message = self.refusal(command, "--target", "cuda", "--device", "1", CUDA_HOME=self.toolkit, **self.driver())
                self.assertIn("there is no device 1\n  --> --device 1\nhelp: 1 GPU was found", message)
                for target in ("cpu", "cuda-emulated"):
                    self.assertIn("there is no device 1\n", self.refusal(command, "--target", target, "--device", "1"))
                self.expect_nothing_begun()

    def test_code_for_other_gpus(self):
        """What runs there goes on to the compiler."""
        for capability, architectures, runs in ((90, "80,90a", True), (86, "80,90a", True), (90, "90a", True), (100, "90a", False),
                                                (100, "80,90a", True), (100, "90a,80", True), (80, "86", False), (75, "80,90a", False),
                                                (89, "80a,90a", False), (103, "100f", True), (120, "100f", False), (90, "100", False)):
            with self.subTest(capability=capability, architectures=architectures):
                message = self.refusal("search", "--target", "cuda", "--cuda-arch", architectures, CUDA_HOME=self.toolkit,
                                       **self.driver(capability))
                if runs:
                    self.assertIn("the moon is in the wrong phase", message)
                    self.called.unlink()
                    shutil.rmtree(self.output)
                else:
                    self.assertIn(f"NVIDIA Test runs no code for {architectures}\n  --> --cuda-arch\nhelp: its compute capability is "
                                  f"{capability // 10}.{capability % 10}: --cuda-arch {capability}", message)
                    self.expect_nothing_begun()

    def test_commands_that_run_nothing(self):
        for command in (("check",), ("fmt",), ("describe",), ("export-onnx", "--weights", self.weights, "-o", self.output),
                        ("import-weights", "--weights", self.weights, "-o", self.output)):
            with self.subTest(command[0]):
                done = self.vernier(command[0], self.specification, *command[1:], "--target", "cuda")
                self.expect_refusal(done, "--target")


if __name__ == "__main__":
    unittest.main()
