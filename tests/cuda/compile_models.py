"""nvcc compiles without a warning what `vernier build --target cuda` emits, for inference and for training, for each architecture; and
the emitted file of a small program for inference, beside its headers, by the command that its head names.

Exit status 77, and the reason, where there is no nvcc.
"""

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compile_with_nvcc import ARCHITECTURES, compiler

STRICT = ["-Werror", "all-warnings", "-Xcompiler", "-Wall"]
# Names of files below the root, model, further options.
SMALL = [("tests/tools/verify_networks.vn", "aggregated5", []),
         ("tests/tools/verify_networks.vn", "resampled", [])]
ALONE = ("tests/tools/verify_networks.vn", "maps2", [])
LARGE = [("tests/codegen/new_blocks.vn", "octave2", []),
         ("models/networks/resnet.vn", "resnet50", []),
         ("models/networks/scalenet.vn", "scalenet50", ["--config", "models/configurations/scalenet50.toml"]),
         ("models/networks/res2net.vn", "res2net50_26w_4s", []),
         ("models/networks/resizable_resnet.vn", "rs_resnet50", ["--config", "models/configurations/rs_resnet50_2.3g.toml"])]


def strict_toolkit(nvcc, folder):
    """A toolkit whose nvcc is that one with the options above: `vernier` then stops at a warning."""
    real = Path(nvcc).resolve()
    libraries = sorted(real.parents[1].rglob("libcudart_static.a"))
    if not libraries:
        print(f"skipped: the toolkit of {real} has no libcudart_static.a")
        sys.exit(77)
    (folder / "bin").mkdir()
    (folder / "lib64").mkdir()
    (folder / "lib64" / "libcudart_static.a").symlink_to(libraries[0])
    script = folder / "bin" / "nvcc"
    script.write_text(f'#!/bin/sh\nexec {shlex.join([str(real), *STRICT])} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return folder


def run(command, **keywords):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **keywords)
    return "" if done.returncode == 0 else f"{shlex.join(map(str, command))}\n{done.stdout}{done.stderr}"


def compile_alone(built, model, nvcc):
    """By the command in its head."""
    head = (built / f"{model}.cu").read_text(encoding="utf-8").split("#include")[0]
    found = re.search(r"^// +(nvcc .*)$", head, re.MULTILINE)
    if not found:
        return f"{model}.cu does not say how it is compiled:\n{head}"
    return run([nvcc, *shlex.split(found[1])[1:], "-o", "/dev/null"], cwd=built)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--vernier", type=Path, required=True)
    parser.add_argument("--large", action="store_true", help="networks for ImageNet instead of small ones")
    options = parser.parse_args()
    root = options.root.resolve()
    nvcc = compiler(root)
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        toolkit = Path(scratch, "cuda")
        toolkit.mkdir()
        environment = {"PATH": "/usr/bin:/bin", "CUDA_HOME": str(strict_toolkit(nvcc, toolkit))}
        planned = [(*network, purpose) for network in (LARGE if options.large else SMALL) for purpose in ("infer", "train")]
        for file, model, more, purpose in planned + ([] if options.large else [(*ALONE, "infer")]):
            start = time.monotonic()
            built = Path(scratch, f"{model}-{purpose}")
            failure = run([options.vernier.resolve(), "build", file, "--model", model, *more, "--for", purpose, "--target", "cuda",
                           "--cuda-arch", ",".join(ARCHITECTURES), "-o", built], cwd=root, env=environment)
            if not failure and model == ALONE[1]:
                failure = compile_alone(built, model, toolkit / "bin" / "nvcc")
            print(f"{model}, {purpose}: {time.monotonic() - start:.1f} s", flush=True)
            if failure:
                failed += 1
                print(failure, flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
