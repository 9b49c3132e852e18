#!/usr/bin/env python3
"""The CUDA program of a golden record's model, run under emulation in each precision, against the float32 program for CPUs: on the record's
weights and a part of its first image, since at the record's own size an emulated run takes minutes. That the latter has the record's
logits is what run_generated.py shows."""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
sys.argv.append("")  # which `commands` takes away as the path of `vernier`
from commands import read_npy, write_npy

LIMITS = {"f32": 1e-5, "tf32": 2e-3, "bf16": 2e-2}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("record")
parser.add_argument("specification")
parser.add_argument("--config")
parser.add_argument("--bin", required=True, type=pathlib.Path, help="folder of vernier and the golden tools")
parser.add_argument("--input", default="40x56", help="height and width of the part of the image")
parser.add_argument("--precisions", default=",".join(LIMITS))
options = parser.parse_args()
height, width = map(int, options.input.split("x"))
record = json.loads(pathlib.Path(options.record).read_text())
name = record["model"]


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def distance(found, expected):
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(found, expected)) / sum(b * b for b in expected))


good = True
with tempfile.TemporaryDirectory() as scratch:
    scratch = pathlib.Path(scratch)
    run(options.bin / "golden-weights", options.record, scratch)
    (_, channels, rows, columns), values = read_npy(scratch / "0.input.npy")
    part = [values[(c * rows + y) * columns + x] for c in range(channels) for y in range(height) for x in range(width)]
    write_npy(scratch / "part.npy", [1, channels, height, width], part)

    def logits(*how):
        run(options.bin / "vernier", "build", options.specification, "--model", name, "--for", "infer", "--batch", 1, "--input",
            options.input, "-o", scratch / "built", *(["--config", options.config] if options.config else []), *how)
        run(scratch / "built" / name, "run", "--input", scratch / "part.npy", "--output", scratch / "output.npy", "--weights",
            scratch / f"{name}.safetensors")
        return read_npy(scratch / "output.npy")[1]

    expected = logits("--no-winograd")
    for precision in options.precisions.split(","):
        start = time.monotonic()
        apart = distance(logits("--target", "cuda-emulated", "--precision", precision), expected)
        holds = apart <= LIMITS[precision]  # which NaN is not
        good = good and holds
        print(f"{name}, {options.input}, {precision}: {apart:.1e} apart, the limit is {LIMITS[precision]:.0e}"
              f"{'' if holds else ': TOO FAR'}, {time.monotonic() - start:.1f} s", flush=True)
sys.exit(0 if good else 1)
