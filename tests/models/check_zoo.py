"""Compares what `vernier describe --json` says of each model with the table of models/README.md and, where there are
published checkpoints, with their tensors' names and shapes."""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROW = re.compile(r"^\| `(\w+)` \| `([\w.]+)` \| (?:`([\w.]+)`)? ?\| \S+ \| (\S+) \| (\S+) \|$", re.MULTILINE)
MODEL = re.compile(r"^model (\w+)", re.MULTILINE)


def describe(vernier, models, name, file, configuration):
    command = [vernier, "describe", models / "networks" / file, "--model", name, "--json"]
    if configuration:
        command += ["--config", models / "configurations" / configuration]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{name}: exit status {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def compare_tensors(described, golden):
    """Lines that say where names, shapes or counts differ."""
    ours = {tensor["name"]: tensor["shape"] for tensor in described["parameters"]}
    published = {name: shape for name, shape, _ in golden["tensors"]}
    differences = [f"`{name}` is missing" for name in published if name not in ours]
    differences += [f"`{name}` is not in the published model" for name in ours if name not in published]
    differences += [f"`{name}` has shape {ours[name]}, published {shape}"
                    for name, shape in published.items() if name in ours and ours[name] != shape]
    if len(ours) != len(described["parameters"]):
        differences.append("two parameters have one name")
    for ours_key, golden_key in (("params", "params"), ("macs", "macs_224")):
        if described[ours_key] != golden[golden_key]:
            differences.append(f"{ours_key}: {described[ours_key]}, published {golden[golden_key]}")
    return differences


def digest(described):
    """Of the parameters' names and shapes, whatever their order."""
    lines = sorted(f"{tensor['name']} {'x'.join(map(str, tensor['shape']))}\n" for tensor in described["parameters"])
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def compare_counts(described, params, macs):
    differences = []
    for what, value, printed in (("M parameters", described["params"] / 1e6, params),
                                 ("G multiply-adds", described["macs"] / 1e9, macs)):
        decimals = len(printed.partition(".")[2])
        if f"{value:.{decimals}f}" != printed:
            differences.append(f"{value:.4f} {what}, the table says {printed}")
    return differences


def compare_variants(counts, bases):
    """Where a variant of a model, both bound, has another number of parameters than its base."""
    return [f"{variant}: {counts[variant, False]:,} parameters, {base} has {counts[base, False]:,}"
            for variant, base in bases.items() if counts[variant, False] != counts[base, False]]


def count_layers(described):
    weights = [tensor["name"] for tensor in described["parameters"] if len(tensor["shape"]) > 1]
    return len({re.sub(r"\.(conv\d+)\.\d+\.weight$", r".\1.weight", name)
                for name in weights if "downsample" not in name})


def unlisted(models, rows):
    """Models of the networks' files that the table lacks."""
    found = [(file.name, name) for file in sorted((models / "networks").glob("*.vn"))
             for name in MODEL.findall(file.read_text(encoding="utf-8"))]
    listed = {(file, name) for name, file, *_ in rows}
    return [f"models/README.md does not list `{name}` of {file}" for file, name in found if (file, name) not in listed]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--vernier", required=True, type=Path)
    parser.add_argument("--models", required=True, type=Path)
    parser.add_argument("--reference", required=True, type=Path, help="folder of the published tensors")
    options = parser.parse_args()
    expected = tomllib.loads((Path(__file__).parent / "expected.toml").read_text(encoding="utf-8"))
    rows = ROW.findall((options.models / "README.md").read_text(encoding="utf-8"))

    differences = unlisted(options.models, rows)
    counts = {}
    for name, file, configuration, params, macs in rows:
        described = describe(options.vernier, options.models, name, file, configuration)
        is_seed = not all(hole["bound"] for hole in described["holes"])
        counts[name, is_seed] = described["params"]
        found = compare_counts(described, params, macs)
        if name in expected["layers"] and count_layers(described) != expected["layers"][name]:
            found.append(f"{count_layers(described)} layers, not {expected['layers'][name]}")
        if name in expected["golden"] and not is_seed:
            golden = options.reference / f"{expected['golden'][name]}.json"
            found += compare_tensors(described, json.loads(golden.read_text(encoding="utf-8")))[:20]
        if name in expected["tensors"] and not is_seed and digest(described) != expected["tensors"][name]:
            found.append(f"its parameters' names or shapes (digest {digest(described)}) are no longer those published")
        print(f"{name}: {described['params']:,} parameters, {described['macs']:,} multiply-adds")
        differences += [f"{name}: {difference}" for difference in found]
    differences += compare_variants(counts, expected["same_parameters"])
    print("\n".join(differences))
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
