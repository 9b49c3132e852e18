#!/usr/bin/env python3
"""Export, import, export: the network that comes back has the parameters and multiply-adds of the first, and ONNX Runtime
computes the same from both exports, to a relative L2 distance of 1e-5.

  compare_imports.py --vernier VERNIER SPECIFICATION...          every model of the files
  compare_imports.py --vernier VERNIER --zoo models              the models in the table of models/README.md
  compare_imports.py --vernier VERNIER --random 100 --first 7    random networks (tests/random), from number 7

Weights and images are random, made of their names alone. Needs the packages of requirements.txt.
"""

import argparse
import json
import re
import sys
import tempfile
from itertools import chain
from pathlib import Path

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).parents[1] / "random"))
import networks
from compare_onnxruntime import LIMIT, cases, distance, random, run, sessions, write_weights


def describe(vernier, *selection):
    return json.loads(run(vernier, "describe", *selection, "--json"))


def totals(described, kept):
    """The sizes of the parameters whatever their names, and multiply-adds, unless some parameters are not kept."""
    shapes = sorted(tuple(entry["shape"]) for entry in described["parameters"] if entry["name"] in kept)
    return shapes, described["macs"] if len(shapes) == len(described["parameters"]) else None


def parameters_of(exported):
    """Without those that no output depends on, as the auxiliary parts of DLA."""
    return {tensor.name for tensor in onnx.load(exported, load_external_data=False).graph.initializer}


def compare(vernier, specification, model, options, folder):
    """The largest distance of any output, and whether all parameters have kept their names."""
    selection = [specification, "--model", model, *options]
    for hole in describe(vernier, *selection)["choices"]:
        if not hole["bound"]:
            selection += ["--choose", f"{hole['name']}={hole['chosen']}"]
    first = describe(vernier, *selection)
    weights, exported, imported, again = (folder / name for name in ("w.safetensors", "m.onnx", "again.vn", "again.onnx"))
    write_weights(weights, first["parameters"])
    run(vernier, "export-onnx", *selection, "--weights", weights, "-o", exported)
    run(vernier, "import-onnx", exported, "-o", imported)
    batch = ["--batch", first["batch"]]
    second = describe(vernier, imported, *batch)
    run(vernier, "export-onnx", imported, *batch, "--weights", imported.with_suffix(".safetensors"), "-o", again)
    shapes, macs = totals(first, parameters_of(exported))
    found = totals(second, {entry["name"] for entry in second["parameters"]})
    if shapes != found[0] or macs not in (None, found[1]):
        raise RuntimeError(f"{macs} multiply-adds became {found[1]}, {len(shapes)} parameters {len(found[0])}")
    x = random("image", [first["batch"], *first["input"]], -1.7, 1.7)
    expected = next(sessions(exported)).run(None, {"image": x})
    found = next(sessions(again)).run(None, {"image": x})
    if len(expected) != len(found):
        raise RuntimeError(f"{len(expected)} outputs became {len(found)}")
    named = {entry["name"] for entry in second["parameters"]} <= {entry["name"] for entry in first["parameters"]}
    return max(distance(ours, theirs.astype(np.float64)) for ours, theirs in zip(found, expected)), named


def random_networks(options, folder):
    for number in range(options.first, options.first + options.random):
        path = folder / f"network_{number}.vn"
        # A batch norm that calls share, as those of a frozen block do, comes back as one for each.
        text = networks.draw(number).text.replace(networks.NORMED, networks.NORMED.replace(" |> batch_norm", ""))
        path.write_text(text, encoding="utf-8")
        for model in re.findall(r"^model (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield path, model, []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vernier", required=True, type=Path)
    parser.add_argument("--zoo", type=Path, help="folder of the models")
    parser.add_argument("--input", help="of the models of the zoo, HxW, instead of the table's")
    parser.add_argument("--only", default="", help="regular expression that the models' names match")
    parser.add_argument("--random", type=int, default=0, help="how many random networks")
    parser.add_argument("--first", type=int, default=0, help="the number of the first of them")
    parser.add_argument("specifications", nargs="*", type=Path)
    options = parser.parse_args()
    failures = compared = worst = 0
    drawn = tempfile.TemporaryDirectory()
    for specification, model, more in chain(cases(options), random_networks(options, Path(drawn.name))):
        if not re.search(options.only, model):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                error, named = compare(options.vernier.resolve(), specification, model, more, Path(folder))
            except Exception as failure:  # the others are still worth comparing
                print(f"{specification.stem}, {model}: {failure}", flush=True)
                failures += 1
                continue
        compared += 1
        worst = max(worst, error)
        failures += error > LIMIT
        print(f"{specification.stem}, {model}: {error:.1e}{'' if error <= LIMIT else ' is too much'}{'' if named else ', some names are others'}",
              flush=True)
    print(f"{compared} compared, at most {worst:.1e} apart; {failures} failures")
    sys.exit(1 if failures or not compared else 0)


if __name__ == "__main__":
    main()
