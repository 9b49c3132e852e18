"""`--target cuda` and `cuda-emulated`: what is refused, what a compiler that fails leaves behind, faults found in whole programs."""

import json
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from commands import VERNIER, CommandTest

NETWORKS = Path(__file__).parent / "verify_networks.vn"
SPECIFICATION = """network n() {
  input image: [3, 6, 6]
  image |> conv(4, 3) |> relu |> global_avg_pool |> fc: linear(2)
}

model m = n()
"""
# What is no compiler of CUDA, and says so.
BROKEN = """#!/bin/sh
echo "m.cu(7): error: the moon is in the wrong phase" >&2
exit 3
"""


def names_below(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


class Cuda(CommandTest):
    def setUp(self):
        super().setUp()
        self.specify(SPECIFICATION)
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()

    def build(self, *options, **environment):
        variables = {name: value for name, value in os.environ.items() if name not in ("CUDA_HOME", "CUDA_ENVIRONMENT")}
        variables |= {"TMPDIR": str(self.temporary)} | {name: str(value) for name, value in environment.items()}
        return subprocess.run([VERNIER, "build", self.specification, "-o", self.folder / "built", *options],
                              capture_output=True, text=True, env=variables)

    def expect_nothing_left(self, done, *texts):
        self.expect_refusal(done, *texts)
        self.assertFalse((self.folder / "built").exists())
        self.assertEqual(names_below(self.temporary), [])

    def toolkit(self, compiler):
        """A folder like CUDA's whose nvcc is that script."""
        home = self.folder / "cuda"
        for name in ("bin", "lib64"):
            (home / name).mkdir(parents=True)
        (home / "bin" / "nvcc").write_text(compiler, encoding="utf-8")
        (home / "bin" / "nvcc").chmod(0o755)
        (home / "lib64" / "libcudart_static.a").touch()
        return home

    def test_no_compiler(self):
        empty = self.folder / "empty"
        empty.mkdir()
        self.expect_nothing_left(self.build("--target", "cuda", PATH=empty, CUDA_ENVIRONMENT=empty), "there is no nvcc",
                                 "help: set CUDA_HOME", "scripts/setup_cuda.sh")
        self.expect_nothing_left(self.build("--target", "cuda", CUDA_HOME=empty), f"CUDA_HOME is {empty}", "no bin/nvcc")

    def test_compiler_that_fails(self):
        done = self.build("--target", "cuda", CUDA_HOME=self.toolkit(BROKEN))
        self.expect_nothing_left(done, "the CUDA code cannot be compiled", "the moon is in the wrong phase")

    def test_failure_replaces_nothing(self):
        self.assertEqual(self.build().returncode, 0)
        before = {name: (self.folder / "built" / name).read_bytes() for name in names_below(self.folder / "built")
                  if (self.folder / "built" / name).is_file()}
        done = self.build("--target", "cuda", CUDA_HOME=self.toolkit(BROKEN))
        self.expect_refusal(done, "the moon is in the wrong phase")
        for name, data in before.items():
            self.assertEqual((self.folder / "built" / name).read_bytes(), data, name)
        self.assertEqual(names_below(self.temporary), [])

    def test_files_of_others_stay(self):
        out = self.folder / "built"
        out.mkdir()
        (out / "m.cu").write_text("// mine\n", encoding="utf-8")
        done = self.build("--target", "cuda-emulated")
        self.expect_refusal(done, "the file is not from `vernier build`", f"--> {out / 'm.cu'}")
        self.assertEqual(names_below(out), ["m.cu"])
        self.assertEqual(self.build("--quiet").returncode, 0)  # a CPU's build has no such file
        self.assertEqual((out / "m.cu").read_text(encoding="utf-8"), "// mine\n")
        (out / "m.cu").unlink()
        for _ in range(2):  # its own is replaced
            done = self.build("--target", "cuda-emulated", "--quiet")
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_maps_beyond_32_bits(self):
        done = self.build("--target", "cuda-emulated", "--batch", "4096", "--input", "512x512")
        self.expect_nothing_left(done, "numbers, on a GPU it may take 2147483647")

    def test_tf32_is_not_a_cpus(self):
        self.expect_nothing_left(self.build("--precision", "tf32"), "CPUs have no products in tf32")

    def test_compiler_that_cannot_start(self):
        done = self.build("--target", "cuda", CUDA_HOME=self.toolkit("#!/nowhere/sh\n"))
        self.expect_nothing_left(done, "the CUDA code cannot be compiled", "nvcc")

    def test_toolkit_without_its_library(self):
        home = self.toolkit(BROKEN)
        (home / "lib64" / "libcudart_static.a").unlink()
        self.expect_nothing_left(self.build("--target", "cuda", CUDA_HOME=home), "lacks libcudart_static.a", str(home))

    def test_architectures(self):
        home = self.toolkit(BROKEN)
        for name in ("sm_90", "75", "9.0", "80,", "90b", "native"):
            with self.subTest(name):
                self.expect_nothing_left(self.build("--target", "cuda", "--cuda-arch", name, CUDA_HOME=home), "--cuda-arch",
                                         "compute capability", "80,90a")

    def test_compiler_is_told_the_architectures(self):
        script = '#!/bin/sh\necho "$@" >&2\nexit 1\n'
        done = self.build("--target", "cuda", "--cuda-arch", "80,90a", CUDA_HOME=self.toolkit(script))
        for word in ("-gencode=arch=compute_80,code=sm_80", "-gencode=arch=compute_90a,code=sm_90a",
                     "-gencode=arch=compute_80,code=compute_80"):
            self.assertIn(word, done.stderr)

    def test_without_a_driver(self):
        """Where there is a compiler: the program starts, and says what is missing."""
        found = subprocess.run([Path(__file__).parents[2] / "scripts" / "setup_cuda.sh", "--find"], capture_output=True, text=True)
        if found.returncode != 0:
            self.skipTest(found.stderr.strip())
        if shutil.which("nvidia-smi") and subprocess.run(["nvidia-smi"], capture_output=True).returncode == 0:
            self.skipTest("there is a GPU")
        done = self.build("--target", "cuda", "--cuda-arch", "80", CUDA_HOME=Path(found.stdout.strip()).parents[1])
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.execute(self.folder / "built" / "m", "bench", "--runs", "1")
        self.expect_refusal(done, "error: CUDA: there is no")
        self.assertRegex(done.stderr, "driver|GPU")

    def test_emulated_program(self):
        done = self.build("--target", "cuda-emulated", "--explain")
        self.assertEqual(done.returncode, 0, done.stderr)
        printed = done.stdout
        text = (self.folder / "built" / "m.cu").read_text(encoding="utf-8")
        # A kernel's place, problem and least time are above it.
        self.assertRegex(text, r"// fc\n// \S.*\n// \d+\.\d+ MB, \d+\.\d+ M multiply-adds: \d+\.\d+ us, by bytes\nconstexpr vn::Convolution ")
        # It is the one that `describe` has, where a launch has its time too.
        described = json.loads(self.vernier("describe", self.specification, "--roofline", "h100", "--json").stdout)
        least = {step["kernel"]: step["microseconds"] - described["machine"]["microseconds_per_launch"] for step in described["steps"]}
        written = {kernel: float(time) for time, kernel in re.findall(r"^//.*: (\d+\.\d+) us, by .*\nconstexpr vn::\w+ (\w+)_problem", text,
                                                                      re.MULTILINE)}
        self.assertEqual({kernel: f"{time:.2f}" for kernel, time in least.items()},
                         {kernel: f"{time:.2f}" for kernel, time in written.items() if kernel in least})
        # So is what the build prints, beside what was chosen and why.
        whole = described["step_by_step"]
        self.assertIn(f"  infer on H100 SXM: {whole['launches']} launches in a call, {1e-3 * whole['microseconds']:.3f} ms at best", printed)
        self.assertRegex(printed, r"\n  kernels: .*\b2 convolution \(2 f32 tile 64x8\), ")
        self.assertRegex(printed, r"(?m)^  conv1: convolution .*\n    f32 tile 64x8: 4 channels need no more columns\n")
        self.assertRegex(printed, r"(?m)^  fc: convolution .*\n    f32 tile 64x8: 2 channels need no more columns\n")
        done = self.execute(self.folder / "built" / "m", "bench", "--runs", "1")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_headers_are_read_once(self):
        """By the build; where the compiler refuses what that has kept, they are read anew."""
        if not (VERNIER.parents[1] / "include/vernier/cuda/emulated.pch").exists():
            self.skipTest("built with another compiler than clang")
        log = self.folder / "commands"
        logged = {"CC_PRINT_OPTIONS": "1", "CC_PRINT_OPTIONS_FILE": log}
        self.assertEqual(self.build("--target", "cuda-emulated", **logged).returncode, 0)
        compiled = [line for line in log.read_text(encoding="utf-8").splitlines() if '"VN_PART=' in line]
        self.assertTrue(compiled)
        self.assertEqual([line for line in compiled if "-include-pch" not in line], [])

        elsewhere = self.folder / "elsewhere"
        (elsewhere / "bin").mkdir(parents=True)
        shutil.copy(VERNIER, elsewhere / "bin")
        (elsewhere / "lib").symlink_to(VERNIER.parents[1] / "lib")
        shutil.copytree(VERNIER.parents[1] / "include", elsewhere / "include")
        (elsewhere / "include/vernier/cuda/emulated.pch").write_bytes(b"no headers")
        done = self.execute(elsewhere / "bin/vernier", "build", self.specification, "-o", self.folder / "anew", "--target", "cuda-emulated")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_explanations_are_of_cuda(self):
        self.expect_nothing_left(self.build("--explain"), "choices for a CPU are not explained\n  --> --explain")

    def test_kernels_for_one_architecture(self):
        """Convolutions in bfloat16 by warp groups, where 90a is among the architectures."""
        for architectures in "80,90a", "80":
            out = self.folder / architectures.replace(",", "_")
            done = self.vernier("build", NETWORKS, "--model", "aggregated5", "--target", "cuda-emulated", "--precision", "bf16", "--batch", "32",
                                "--cuda-arch", architectures, "-o", out)
            self.assertEqual(done.returncode, 0, done.stderr)
            text = (out / "aggregated5.cu").read_text(encoding="utf-8")
            twins = re.findall(r"^VN_KERNEL_ALONE\(384\)\n(\w+_hopper)\(\n? *VN_TENSOR_MAP in,\s+VN_TENSOR_MAP weight,", text, re.M)
            self.assertEqual(len(twins) > 0, architectures == "80,90a", twins)
            for name in twins:
                self.assertIn(f"if (vn::is_hopper())\n      VN_LAUNCH({name}, ", text)
                self.assertIn(f"VN_NOT_HOPPER(vn::convolution<{name.removesuffix('_hopper')}_problem>", text)
            # Three channels are not enough for a stage.
            self.assertNotRegex(text, r"convolution_32x16x24x3of8\w*_hopper")
            done = self.execute(out / "aggregated5", "bench", "--runs", "1")
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_fault_in_a_kernel_by_warp_groups(self):
        """Of so many images: of fewer, slices of the sums are faster."""
        done = self.vernier("verify", NETWORKS, "--model", "aggregated5", "--target", "cuda-emulated", "--precision", "bf16", "--code-only",
                            "--batch", "32", "--for", "infer", "--inject-fault", "convolution_32x16x24x16bf16")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, "^error: kernel `\\w*_hopper_128x")

    def test_faults_in_whole_programs(self):
        """Of a product of matrices, of a map's pixels, of parameters and of the optimizer."""
        for name, purpose in ("convolution_", "infer"), ("max_pool_", "infer"), ("fold_weight_", "infer"), ("weight_gradient_", "train"), \
                ("batch_gradient_apply_", "train"), ("sgd", "train"):
            with self.subTest(name):
                done = self.vernier("verify", NETWORKS, "--model", "few5", "--target", "cuda-emulated", "--code-only", "--batch", "2",
                                    "--for", purpose, "--inject-fault", name)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stderr, "^error: kernel `")
                self.assertRegex(done.stderr, "`" + re.escape(name))


if __name__ == "__main__":
    unittest.main()
