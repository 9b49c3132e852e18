#!/usr/bin/env python3
"""Compares every pair of sizes from 1 to 64 that a resize may have, as ONNX Runtime and as a built program compute it.

tests/onnx/compare_resizes.py --vernier build/bin/vernier [--sizes 26,28,52]

For each size n a network resizes maps of n x (65 - n) to m x (65 - m) for every m: `nearest` and `bilinear`, by `size`
and by a `scale` that is not the quotient of the sizes. `nearest` must be equal bit by bit, and equal to PyTorch's formula;
`bilinear` to LIMIT. By hand: all sizes take about 20 minutes on two cores. Needs the packages of requirements.txt.
"""

import argparse
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime

LARGEST = 64
LIMIT = 2e-5  # of values from 0 to 1


def factor(n, m):
    """By which n pixels become m, a step of it being another one than the quotient's."""
    return (m + 0.5) / n


def variants(n):
    """Name, mode, text of the argument, and the result's height and width and factor (0: none)."""
    for m in range(1, LARGEST + 1):
        for mode in ("nearest", "bilinear"):
            other = LARGEST + 1 - m
            yield f"{mode}_size{m}", mode, f"size = [{m}, {other}]", m, other, 0
            by = factor(n, m)
            width = math.floor((LARGEST + 1 - n) * by)
            if 1 <= width <= 4 * LARGEST:
                yield f"{mode}_scale{m}", mode, f"scale = {by!r}", math.floor(n * by), width, by


def specification(n):
    lines = ["network resizes() {", f"  input image: [1, {n}, {LARGEST + 1 - n}]"]
    lines += [f"  output {name} = image |> resize({mode}, {text})" for name, mode, text, *_ in variants(n)]
    return "\n".join(lines + ["}", "", "model resizes = resizes()", ""])


def nearest(size, result, by):
    """The input position of each of the result's: aten/src/ATen/native/UpSample.h, nearest_idx."""
    positions = np.arange(result)
    if result == size:
        return positions
    if result == 2 * size:
        return positions >> 1
    step = np.float32(1 / by) if by else np.float32(size) / np.float32(result)
    return np.minimum(np.floor(positions.astype(np.float32) * step).astype(int), size - 1)


def run(*command):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(str(part) for part in command)}\n{result.stdout}{result.stderr}")


def compare(vernier, n, folder):
    """The number of results compared, and a line for each that differs."""
    file, weights, image = folder / "resizes.vn", folder / "none.safetensors", folder / "x.npy"
    file.write_text(specification(n))
    weights.write_bytes((2).to_bytes(8, "little") + b"{}")
    x = np.random.default_rng(n).random((1, 1, n, LARGEST + 1 - n), dtype=np.float32)
    np.save(image, x)
    run(vernier, "export-onnx", file, "--model", "resizes", "--weights", weights, "-o", folder / "m.onnx")
    run(vernier, "build", file, "--model", "resizes", "-o", folder / "built")
    run(folder / "built" / "resizes", "run", "--input", image, "--output", folder / "y.npy", "--weights", weights)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / "m.onnx"), options, providers=["CPUExecutionProvider"])
    found = dict(zip((output.name for output in session.get_outputs()), session.run(None, {"image": x})))
    failures, compared = [], 0
    for index, (name, mode, text, height, width, by) in enumerate(variants(n)):
        ours = np.load(folder / ("y.npy" if index == 0 else f"y.{name}.npy")).reshape(height, width)
        theirs = found[name].reshape(height, width)
        limit = 0 if mode == "nearest" else LIMIT
        error = float(np.abs(ours - theirs).max())
        if error > limit:
            failures.append(f"{n}x{LARGEST + 1 - n} {mode}, {text}: {error:.1e} from ONNX Runtime")
        if mode == "nearest":
            expected = x[0, 0][nearest(n, height, by)][:, nearest(LARGEST + 1 - n, width, by)]
            if not np.array_equal(ours, expected):
                failures.append(f"{n}x{LARGEST + 1 - n} {mode}, {text}: not PyTorch's pixels")
        compared += 1
    return compared, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vernier", required=True, type=Path)
    parser.add_argument("--sizes", help="comma-separated; all otherwise")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")] if options.sizes else range(1, LARGEST + 1)
    total = failures = 0
    for n in sizes:
        with tempfile.TemporaryDirectory() as folder:
            compared, differences = compare(options.vernier.resolve(), n, Path(folder))
        for line in differences:
            print(line)
        total += compared
        failures += len(differences)
        print(f"{n}: {compared} compared", flush=True)
    print(f"{total} compared, {failures} failures")
    sys.exit(1 if failures or not total else 0)


if __name__ == "__main__":
    main()
