"""Compares what `vernier describe --json` says of each model with the published tensors and the papers' numbers."""

import argparse
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path


def describe(vernier, models, name, entry):
    command = [vernier, "describe", models / "networks" / entry["file"], "--model", name, "--json"]
    if "configuration" in entry:
        command += ["--config", models / "configurations" / entry["configuration"]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{name}: exit status {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def compare_tensors(described, golden):
    """Lines that say where names or shapes differ."""
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


def rounded_differs(value, unit, printed):
    decimals = len(printed.partition(".")[2])
    return f"{value / unit:.{decimals}f}" != printed


def count_layers(described):
    weights = [tensor["name"] for tensor in described["parameters"] if len(tensor["shape"]) > 1]
    layers = {re.sub(r"\.(conv\d+)\.\d+\.weight$", r".\1.weight", name) for name in weights if "downsample" not in name}
    return len(layers)


def check(name, described, entry, reference):
    differences = []
    if "golden" in entry:
        if reference is None:
            return [], True
        differences += compare_tensors(described, json.loads((reference / f"{entry['golden']}.json").read_text()))
    for key, unit in (("params", 1e6), ("macs", 1e9)):
        if key in entry and rounded_differs(described[key], unit, entry[key]):
            differences.append(f"{key}: {described[key] / unit:.4f}, the paper's {entry[key]}")
    if "layers" in entry and count_layers(described) != entry["layers"]:
        differences.append(f"{count_layers(described)} layers, not {entry['layers']}")
    return [f"{name}: {difference}" for difference in differences], False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--vernier", required=True, type=Path)
    parser.add_argument("--models", required=True, type=Path)
    parser.add_argument("--reference", type=Path, help="folder of the golden files")
    options = parser.parse_args()
    expected = tomllib.loads((Path(__file__).parent / "expected.toml").read_text(encoding="utf-8"))
    reference = options.reference if options.reference and options.reference.is_dir() else None

    failures = 0
    for name, entry in expected.items():
        described = describe(options.vernier, options.models, name, entry)
        differences, skipped = check(name, described, entry, reference)
        failures += bool(differences)
        print("\n".join(differences[:20]) if differences else
              f"{name}: {described['params'] / 1e6:.2f} M parameters, {described['macs'] / 1e9:.3f} G MACs"
              + (" (published tensors not at hand)" if skipped else ""))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
