#!/usr/bin/env python3
"""ONNX Runtime computes from an exported model what the built program computes: relative L2 distance at most 1e-5.

  compare_onnxruntime.py --vernier VERNIER SPECIFICATION...          every model of the files
  compare_onnxruntime.py --vernier VERNIER --zoo models             the models in the table of models/README.md

Weights and images are random, made of their names alone. Needs the packages of requirements.txt.
"""

import argparse
import json
import math
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

LIMIT = 1e-5
ROW = re.compile(r"^\| `(\w+)` \| `(\w+\.vn)` \| (?:`([\w.]+)`)? *\| (\d+x\d+) \|", re.MULTILINE)


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} {command[1]}: {done.stderr.strip()}")
    return done.stdout


def random(name, shape, low, high):
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return generator.uniform(low, high, shape).astype(np.float32)


def parameter(name, shape, kind):
    """Keeps the maps of a deep network in an ordinary range."""
    if kind in ("convolution_weight", "linear_weight"):
        bound = math.sqrt((6 if kind == "convolution_weight" else 3) / math.prod(shape[1:]))
        return random(name, shape, -bound, bound)
    low, high = {"gamma": (0.25, 0.75), "running_var": (0.5, 1.5)}.get(kind, (-0.1, 0.1))
    return random(name, shape, low, high)


def write_weights(path, parameters):
    header, data = {}, []
    end = 0
    for entry in parameters:
        values = parameter(entry["name"], entry["shape"], entry["kind"])
        header[entry["name"]] = {"dtype": "F32", "shape": entry["shape"], "data_offsets": [end, end + values.nbytes]}
        end += values.nbytes
        data.append(values.tobytes())
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


def sessions(path):
    """With all of the runtime's rewrites, and with none, when each node computes what ONNX says it does."""
    levels = onnxruntime.GraphOptimizationLevel
    for level in (levels.ORT_ENABLE_ALL, levels.ORT_DISABLE_ALL):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.log_severity_level = 3
        yield onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def distance(found, expected):
    if found.shape != expected.shape:
        raise RuntimeError(f"shape {found.shape}, expected {expected.shape}")
    return float(np.linalg.norm(found.astype(np.float64) - expected) / max(np.linalg.norm(expected.astype(np.float64)), 1e-30))


def compare(vernier, specification, model, options, folder):
    """The largest distance of any output."""
    selection = [specification, "--model", model, *options]
    described = json.loads(run(vernier, "describe", *selection, "--json"))
    for hole in described["choices"]:
        if not hole["bound"]:
            selection += ["--choose", f"{hole['name']}={hole['chosen']}"]
    described = json.loads(run(vernier, "describe", *selection, "--json"))
    weights, exported, image = folder / "w.safetensors", folder / "m.onnx", folder / "x.npy"
    write_weights(weights, described["parameters"])
    run(vernier, "export-onnx", *selection, "--weights", weights, "-o", exported)
    onnx.checker.check_model(str(exported), full_check=True)

    x = random("image", [described["batch"], *described["input"]], -1.7, 1.7)
    np.save(image, x)
    run(vernier, "build", *selection, "-o", folder / "built")
    run(folder / "built" / model, "run", "--input", image, "--output", folder / "y.npy", "--weights", weights)
    worst = 0
    for session in sessions(exported):
        names = [output.name for output in session.get_outputs()]
        for index, (name, found) in enumerate(zip(names, session.run(None, {"image": x}))):
            expected = np.load(folder / ("y.npy" if index == 0 else f"y.{name}.npy"))
            error = distance(found, expected)
            if error > LIMIT:
                print(f"  {name}: {error:.2e}")
            worst = max(worst, error)
    return worst


def cases(options):
    if options.zoo:
        table = (options.zoo / "README.md").read_text(encoding="utf-8")
        for model, file, configuration, size in ROW.findall(table):
            more = ["--config", options.zoo / "configurations" / configuration] if configuration else []
            yield options.zoo / "networks" / file, model, [*more, "--input", options.input or size]
    for file in options.specifications:
        for model in re.findall(r"^model (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE):
            yield file, model, ["--batch", 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vernier", required=True, type=Path)
    parser.add_argument("--zoo", type=Path, help="folder of the models")
    parser.add_argument("--input", help="of the models of the zoo, HxW, instead of the table's")
    parser.add_argument("--only", default="", help="regular expression that the models' names match")
    parser.add_argument("specifications", nargs="*", type=Path)
    options = parser.parse_args()
    failures = compared = worst = 0
    for specification, model, more in cases(options):
        if not re.search(options.only, model):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                error = compare(options.vernier.resolve(), specification, model, more, Path(folder))
            except Exception as failure:  # the others are still worth comparing
                print(f"{model}: {failure}")
                failures += 1
                continue
        compared += 1
        worst = max(worst, error)
        failures += error > LIMIT
        print(f"{model}: {error:.1e}{'' if error <= LIMIT else ' is too much'}", flush=True)
    print(f"{compared} compared, at most {worst:.1e} apart; {failures} failures")
    sys.exit(1 if failures or not compared else 0)


if __name__ == "__main__":
    main()
