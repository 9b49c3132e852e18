#!/usr/bin/env python3
"""Builds a model for each input of a golden record, runs the executable and compares its logits; --train instead builds
the training binary and compares one step. All through the command line, as a user would."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

LIMITS = {"f32": "1e-5", "bf16": "2e-2"}

parser = argparse.ArgumentParser()
parser.add_argument("record")
parser.add_argument("specification")
parser.add_argument("--config")
parser.add_argument("--bin", required=True, help="folder of vernier and the golden tools")
parser.add_argument("--cpu", default="native")
parser.add_argument("--precision", default="f32", choices=LIMITS)
parser.add_argument("--first", action="store_true", help="only the first input")
parser.add_argument("--train", action="store_true")
options = parser.parse_args()
tools = pathlib.Path(options.bin)


def run(*command):
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(result.stdout, end="")
    return result.returncode == 0


record = json.loads(pathlib.Path(options.record).read_text())
name = record["model"]
good = True
with tempfile.TemporaryDirectory() as scratch:
    scratch = pathlib.Path(scratch)

    def build(shape, purpose):
        command = [tools / "vernier", "build", options.specification, "--model", name, "--cpu", options.cpu, "--for", purpose]
        command += ["--precision", options.precision]
        command += ["--batch", shape[0], "--input", f"{shape[2]}x{shape[3]}", "-o", scratch / "built"]
        if options.config:
            command += ["--config", options.config]
        return run(*command)

    if options.train:
        good = build(record["train"]["input"], "train")
        good = good and run(tools / "golden-train", options.record, scratch / "built" / f"lib{name}.so")
    else:
        good = run(tools / "golden-weights", options.record, scratch)
        forwards = record["forward"][:1] if options.first else record["forward"]
        for index, forward in enumerate(forwards):
            print(f"input {forward['input']}")
            output = scratch / "output.npy"
            good = good and build(forward["input"], "infer")
            good = good and run(scratch / "built" / name, "run", "--input", scratch / f"{index}.input.npy", "--output", output,
                                "--weights", scratch / f"{name}.safetensors")
            good = good and run(tools / "golden-weights", "--compare", output, scratch / f"{index}.logits.npy", LIMITS[options.precision])
sys.exit(0 if good else 1)
