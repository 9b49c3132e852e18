"""What a run on a GPU is prepared from (scripts/gpu): rehearsed on the CPU, and with nvcc on a machine without a GPU."""

import json
import os
import re
import subprocess
import sys
import tarfile
import unittest
from pathlib import Path

from commands import VERNIER, CommandTest

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 60_000_000


def find_nvcc():
    return subprocess.run([ROOT / "scripts/setup_cuda.sh", "--find"], capture_output=True, text=True)


class GpuTest(CommandTest):
    def prepare(self, *arguments):
        done = self.execute(sys.executable, ROOT / "scripts/gpu/prepare.py", self.folder / "made", "--build", VERNIER.parents[1],
                            *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.made = self.folder / "made"
        self.assertLess(sum(path.stat().st_size for path in self.made.rglob("*") if path.is_file()), MOST_BYTES)
        self.payload = self.folder / "payload"
        with tarfile.open(self.made / "payload.tar.xz") as archive:
            archive.extractall(self.payload, filter="data")
        return json.loads((self.made / "manifest.json").read_text(encoding="utf-8"))

    def repack(self):
        """The folder's programs and data as they have become in self.payload."""
        with tarfile.open(self.made / "payload.tar.xz", "w:xz", preset=0) as archive:
            for path in sorted(p for p in self.payload.rglob("*") if p.is_file()):
                archive.add(path, path.relative_to(self.payload))

    def check(self, *arguments):
        """Exit status and rows; what it prints ends with what it wrote."""
        done = subprocess.run([self.made / "check.sh", *arguments], capture_output=True, text=True,
                              env={**os.environ, "OUT": str(self.folder / "out"), "PYTHON": sys.executable})
        self.assertNotIn("Traceback", done.stderr)
        results = json.loads((self.folder / "out/results.json").read_text(encoding="utf-8"))
        self.assertLessEqual(len(list((self.folder / "out").iterdir())), 4)
        self.assertIn((self.folder / "out/summary.txt").read_text(encoding="utf-8"), done.stdout)
        return done.returncode, {(row["part"], row["name"]): row for row in results["rows"]}

    def start(self, program, *arguments):
        """As check.py does: with the libraries that travel."""
        return subprocess.run([self.payload / program, *map(str, arguments)], capture_output=True, text=True,
                              env={**os.environ, "LD_LIBRARY_PATH": str(self.payload / "lib")})


class Rehearsal(GpuTest):
    def test_emulated(self):
        manifest = self.prepare("--target", "cuda-emulated", "--parts", "primitives,kernels,updates", "--only",
                                "aggregated5|maps2|losses5")
        self.assertEqual(manifest["missing"], [])
        names = [case["name"] for case in manifest["kernels"]]
        self.assertEqual(names, [f"{model} {precision}" for model in ("aggregated5", "maps2") for precision in ("bf16", "tf32", "f32")])
        status, rows = self.check()
        self.assertEqual(status, 0, rows)
        updates = [("updates", f"update {model} f32") for model in ("aggregated5", "losses5")]
        wanted = [("primitives", "primitives"), *(("kernels", name) for name in names), *updates]
        self.assertEqual([key for key, row in rows.items() if row["status"] == "passed"], wanted)
        self.assertEqual({row["status"] for key, row in rows.items() if key not in wanted}, {"skipped"})

        # The program's time by itself, and steps that are timed apart from it.
        done = self.start(manifest["kernels"][2]["program"], "bench", "--json", "--layers", "--runs", 1)
        self.assertEqual(done.returncode, 0, done.stderr)
        bench = json.loads(done.stdout)
        self.assertEqual(bench["device"], "the emulated device")
        self.assertGreater(bench["program_minimum_milliseconds"], 0) # by the host's clock, where it is emulated
        self.assertGreater(bench["median_milliseconds"], 0)
        self.assertNotIn("fma_peak_gflops", bench)
        self.assertIn("first.conv.1", [layer["place"] for layer in bench["layers"]])

        # Each part notices what is wrong in it, and leaves the others' results.
        (self.payload / "primitives.txt").write_text("mma 1 2\n", encoding="utf-8")
        for place in ("data/maps2/expected.coarse.npy", "data/update-aggregated5/expected.safetensors"):
            data = bytearray((self.payload / place).read_bytes())
            data[-1] ^= 0x40  # the last number's exponent
            (self.payload / place).write_bytes(data)
        (self.payload / manifest["kernels"][0]["program"]).write_bytes(b"no program")
        self.repack()
        status, rows = self.check()
        self.assertEqual(status, 1)
        failed = [key for key, row in rows.items() if row["status"] == "failed"]
        self.assertEqual(failed, [("primitives", "primitives"), ("kernels", "aggregated5 bf16"), *(("kernels", name) for name in names[3:]),
                                  ("updates", "update aggregated5 f32")])
        self.assertEqual(rows[updates[1]]["status"], "passed")
        self.assertIn("cannot be started", rows["kernels", "aggregated5 bf16"]["detail"])
        self.assertEqual([rows["kernels", name]["status"] for name in names[1:3]], ["passed", "passed"])

        # Time that is up is no failure of a program's, but nothing has passed either.
        status, rows = self.check("--seconds", "1")
        self.assertEqual(status, 1)
        self.assertEqual({row["status"] for row in rows.values()}, {"skipped"})

    def test_network_on_the_cpu(self):
        manifest = self.prepare("--target", "cpu", "--parts", "goldens,inference", "--only", "^resnet50 f32 batch 1$")
        self.assertEqual([case["name"] for case in manifest["inference"]], ["resnet50 f32 batch 1"])
        status, rows = self.check("--parts", "goldens,inference,eager")
        self.assertEqual(rows["goldens", "resnet50 f32 batch 1"]["status"], "passed", rows)
        measured = rows["inference", "resnet50 f32 batch 1"]
        self.assertEqual(measured["status"], "measured", rows)
        self.assertGreater(measured["milliseconds"], 0)
        layers = (self.folder / "out/layers.csv").read_text(encoding="utf-8").splitlines()
        self.assertEqual(len(layers), 1 + measured["steps"])
        self.assertRegex((self.folder / "out/summary.txt").read_text(encoding="utf-8"),
                         r"\ninference resnet50 f32 batch 1 +\d+\.\d{3} ")
        # Without PyTorch its part fails, and says why.
        if not any(key[0] == "eager" and row["status"] == "measured" for key, row in rows.items()):
            self.assertEqual((status, rows["eager", "PyTorch"]["status"]), (1, "failed"))
            self.assertIn("No module named", rows["eager", "PyTorch"]["detail"])

    def test_refusals(self):
        def refused(text, *arguments):
            done = self.execute(sys.executable, ROOT / "scripts/gpu/prepare.py", *arguments, "--build", VERNIER.parents[1])
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(text, done.stderr)

        refused("is there already", self.folder)
        refused("there is no part `kernel`", self.folder / "made", "--parts", "kernel")
        refused("--only: ", self.folder / "made", "--only", "(")
        self.assertEqual(list(self.folder.iterdir()), [])


class WithNvcc(GpuTest):
    @unittest.skipIf(os.path.exists("/dev/nvidiactl"), "there is a GPU")
    def test_without_a_gpu(self):
        manifest = self.prepare("--parts", "primitives,kernels", "--only", "maps2")
        self.assertTrue(manifest["kernels"])
        program = self.payload / manifest["kernels"][-1]["program"]
        linked = self.start(program, "info")
        self.assertEqual(linked.returncode, 0, linked.stderr)
        libraries = subprocess.run(["ldd", program], capture_output=True, text=True,
                                   env={**os.environ, "LD_LIBRARY_PATH": str(self.payload / "lib")}).stdout
        elsewhere = re.findall(r"^\s*(\S+) => (?!" + re.escape(str(self.payload)) + r")", libraries, re.MULTILINE)
        self.assertLessEqual({name.split(".so")[0] for name in elsewhere}, {"libc", "libm", "libdl", "librt", "libpthread"})

        done = self.start(program, "bench", "--runs", 1)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, "there is no (GPU|driver of an NVIDIA GPU)")
        status, rows = self.check()
        self.assertEqual(status, 1)
        self.assertEqual({row["status"] for key, row in rows.items() if key[0] in ("primitives", "kernels")}, {"failed"})
        for case in manifest["kernels"]:
            self.assertRegex(rows["kernels", case["name"]]["detail"], "there is no (GPU|driver of an NVIDIA GPU)")


if __name__ == "__main__":
    if "WithNvcc" in sys.argv and find_nvcc().returncode != 0:
        print(f"skipped: {find_nvcc().stderr.strip()}")
        sys.exit(77)
    unittest.main()
