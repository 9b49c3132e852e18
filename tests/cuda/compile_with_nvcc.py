"""nvcc compiles every header of the device library and every kernel of these tests, for each architecture, without a warning.

Exit status 77, and the reason, where there is no nvcc.
"""

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ARCHITECTURES = ("80", "90a")


def compiler(root):
    found = subprocess.run([root / "scripts/setup_cuda.sh", "--find"], capture_output=True, text=True)
    if found.returncode != 0:
        print(f"skipped: {found.stderr.strip()}")
        sys.exit(77)
    return found.stdout.strip()


def compile_one(nvcc, root, source, output):
    """The command's output; empty when it succeeded without a warning."""
    targets = [f"-gencode=arch=compute_{name},code=sm_{name}" for name in ARCHITECTURES]
    done = subprocess.run([nvcc, "-std=c++20", "-O3", "-Werror", "all-warnings", "-Xcompiler", "-Wall", f"-I{root}", f"-I{root}/runtime/include",
                           *targets, "-x", "cu", "-c", source, "-o", output], capture_output=True, text=True)
    return "" if done.returncode == 0 else f"{source.name}:\n{done.stdout}{done.stderr}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    options = parser.parse_args()
    root = options.root.resolve()
    nvcc = compiler(root)
    headers = sorted((root / "codegen/cuda/device").glob("*.cuh"))
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder, "headers.cu")
        # In both orders: each names what it needs.
        alone.write_text("".join(f'#include "{path}"\n' for path in headers), encoding="utf-8")
        reverse = Path(folder, "reverse.cu")
        reverse.write_text("".join(f'#include "{path}"\n' for path in reversed(headers)), encoding="utf-8")
        sources = [alone, reverse, *sorted((root / "tests/cuda").glob("*.cu")), root / "tests/cuda/PrimitivesMain.cpp"]
        with ThreadPoolExecutor(2) as pool:
            failures = [text for text in pool.map(
                lambda source: compile_one(nvcc, root, source, Path(folder, source.name + ".o")), sources) if text]
    for text in failures:
        print(text)
    print(f"{len(headers)} headers, {len(sources)} files, {len(failures)} failed for sm_" + " and sm_".join(ARCHITECTURES))
    sys.exit(1 if failures or not headers else 0)


if __name__ == "__main__":
    main()
