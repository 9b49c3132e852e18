#!/usr/bin/env python3
"""Compares the zoo with torchvision and timm: random weights, one random image, the built binary's outputs against
PyTorch's in double precision, as relative L2 distance. Run by hand:

  tests/models/compare_published.py --vernier build/bin/vernier [--model NAME]... [--write docs/zoo.md]

The Python environment that holds PyTorch (--environment) is made if it is not there. Exits with 1 where a distance is above
the limit or parameters differ.
"""

import argparse
import datetime
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIMIT = 1e-5
BEGIN, END = "<!-- compared: begin -->\n", "<!-- compared: end -->"


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vernier", type=Path, default=ROOT / "build/bin/vernier")
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="folder of the specifications")
    parser.add_argument("--model", action="append", help="only this one (repeatable)")
    parser.add_argument("--environment", type=Path, default=ROOT / "build/published",
                        help="virtual environment with torch, torchvision and timm")
    parser.add_argument("--built", type=Path, help="folder to keep executables in; those that are there are not built")
    parser.add_argument("--write", type=Path, help="a Markdown file whose table takes the results")
    options = parser.parse_args()
    if not options.vernier.exists():
        parser.error(f"there is no {options.vernier}: build the project first, or give --vernier")
    if options.write and BEGIN not in options.write.read_text(encoding="utf-8"):
        parser.error(f"{options.write} has no marker {BEGIN.strip()}")
    return options


def enter(environment, program=__file__):
    """Runs this program again with the environment's Python; makes the environment where it is missing."""
    python = environment / "bin/python"
    if Path(sys.prefix).resolve() == environment.resolve():
        return
    incomplete = environment / "incomplete"  # an installation that was interrupted begins anew
    if not python.exists() or incomplete.exists():
        print(f"installing PyTorch into {environment} (2 GB)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        incomplete.touch()
        # --no-deps leaves out the gigabytes of CUDA libraries that PyTorch's wheel asks for; cpu_torch.py replaces them.
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "-r", HERE / "requirements.txt"], check=True)
        subprocess.run([python, ROOT / "tests/perf/cpu_torch.py"], check=True)
        incomplete.unlink()
    os.execv(python, [python, "-B", program, *sys.argv[1:]])


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        text = shlex.join(str(part) for part in command)
        raise RuntimeError(f"exit status {done.returncode} of {text}\n{done.stderr}")
    return done.stdout


def randomise(module, generator):
    """Values that keep the activations of a deep network in an ordinary range; no batch norm is the identity."""
    import torch

    def fill(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                fill(part.weight, 0.25, 0.75)
                fill(part.bias, -0.1, 0.1)
                fill(part.running_mean, -0.1, 0.1)
                fill(part.running_var, 0.5, 1.5)
            elif isinstance(part, torch.nn.LayerNorm):
                fill(part.weight, 0.25, 0.75)
                fill(part.bias, -0.1, 0.1)
            elif isinstance(getattr(part, "layer_scale", None), torch.nn.Parameter):
                fill(part.layer_scale, 0.25, 0.75)
            elif isinstance(part, torch.nn.ParameterDict):  # weights of maps, of which some are below 0
                fill(part["weight"], -0.5, 1)
            elif isinstance(part, (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Linear)):
                bound = (6 / part.weight[0].numel()) ** 0.5
                fill(part.weight, -bound, bound)
                if part.bias is not None:
                    fill(part.bias, -0.1, 0.1)


def match(published, state, ours):
    """The published tensors under our names; raises where they are not the same."""
    import torch

    theirs = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    sources = dict(zip(ours, theirs)) if published.by_order else {name: published.theirs(name) for name in ours}
    tensors, used = {}, set()
    for name, wanted in ours.items():
        source = sources.get(name)
        if source not in theirs:
            if not published.unused or published.unused not in name:
                raise RuntimeError(f"`{name}` is not in the published model")
            tensors[name] = torch.ones(wanted)
            continue
        # A linear layer may be published as one, and be a 1x1 convolution in ours, or the other way around.
        found = list(theirs[source].shape)
        if [side for side in found if side != 1] != [side for side in wanted if side != 1]:
            raise RuntimeError(f"`{name}` has shape {wanted}, published `{source}` {found}")
        tensors[name] = theirs[source].reshape(wanted).contiguous()
        used.add(source)
    if missing := [name for name in theirs if name not in used]:
        raise RuntimeError(f"{len(missing)} published tensors are not in ours: {missing[:5]}")
    return tensors


def distance(found, reference):
    import torch

    return (torch.linalg.vector_norm(found.double().reshape(-1) - reference.double().reshape(-1))
            / torch.linalg.vector_norm(reference.double())).item()


def compare(published, row, options, folder):
    """Distances from double precision of our outputs and of PyTorch's own in single precision: the largest of each."""
    import numpy as np
    import torch
    from check_zoo import describe
    from safetensors.torch import save_file

    name, file, configuration = row[:3]
    described = describe(options.vernier, options.models, name, file, configuration)
    module = published.make().eval()
    generator = torch.Generator().manual_seed(1)
    randomise(module, generator)
    image = torch.randn((1, *described["input"]), generator=generator)
    tensors = match(published, module.state_dict(),
                    {tensor["name"]: tensor["shape"] for tensor in described["parameters"]})

    command = [options.vernier, "build", options.models / "networks" / file, "--model", name, "--output", folder]
    if configuration:
        command += ["--config", options.models / "configurations" / configuration]
    if not (folder / name).exists():
        run(*command)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        save_file(tensors, scratch / "weights.safetensors")
        np.save(scratch / "input.npy", image.numpy())
        run(folder / name, "run", "--input", scratch / "input.npy", "--output", scratch / "output.npy",
            "--weights", scratch / "weights.safetensors")
        ours = {output.stem.removeprefix("output").removeprefix("."): torch.from_numpy(np.load(output))
                for output in scratch.glob("output*.npy")}
    with torch.no_grad():
        single = by_name(published.outputs(module(image)))
        double = by_name(published.outputs(module.double()(image.double())))
    if ours.keys() != double.keys():
        raise RuntimeError(f"published outputs {list(double)}, ours {list(ours)}")
    return (max(distance(ours[name], double[name]) for name in double),
            max(distance(single[name], double[name]) for name in double))


def by_name(outputs):
    """As `M run` names its files: the first output has no name."""
    if not isinstance(outputs, dict):
        return {"": outputs}
    return {name if index else "": tensor for index, (name, tensor) in enumerate(outputs.items())}


def write_row(path, head, name, row, order):
    """Into the compared part; other models' rows stay."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    measured, after = rest[:rest.index(END)], rest[rest.index(END):]
    rows = {other: line for line, other in re.findall(r"^(\| `(\w+)` .*)$", measured, re.MULTILINE)} | {name: row}
    lines = head + [rows[other] for other in order if other in rows]
    temporary = path.with_suffix(".tmp")
    temporary.write_text(before + BEGIN + "\n".join(lines) + "\n" + after, encoding="utf-8")
    temporary.replace(path)


def main():
    options = parse_options()
    enter(options.environment)
    import timm
    import torch
    import torchvision
    from check_zoo import ROW
    from published import PUBLISHED

    rows = {}
    for row in ROW.findall((options.models / "README.md").read_text(encoding="utf-8")):
        rows.setdefault(row[0], row)  # seed forms come second
    names = options.model or list(PUBLISHED)
    if unknown := [name for name in names if name not in PUBLISHED or name not in rows]:
        sys.exit("not among the published models or not in models/README.md: " + ", ".join(unknown))

    versions = ", ".join(f"{name} {library.__version__.partition('+')[0]}" for name, library in
                         (("PyTorch", torch), ("torchvision", torchvision), ("timm", timm)))
    head = [f"Compared with {versions}:", "",
            "| model | published as | date | relative L2 | PyTorch in single precision |",
            "| --- | --- | --- | ---: | ---: |"]
    today = f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}"
    failures = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            published = PUBLISHED[name]
            try:
                ours, single = compare(published, rows[name], options, (options.built or Path(scratch)) / name)
            except RuntimeError as error:
                failures.append(f"{name}: {error}")
                print(failures[-1], flush=True)
                continue
            print(f"{name}: {ours:.1e}, PyTorch in single precision {single:.1e}", flush=True)
            if not ours <= LIMIT:
                failures.append(f"{name}: relative L2 {ours:.1e} is above {LIMIT:.0e}")
            elif options.write:
                row = f"| `{name}` | {published.library} | {today} | {ours:.1e} | {single:.1e} |"
                write_row(options.write, head, name, row, PUBLISHED)
    print("\n".join(failures))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
