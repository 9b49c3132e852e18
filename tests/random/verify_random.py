#!/usr/bin/env python3
"""Random networks (networks.py) through `vernier verify`, and, with holes, one binary for all configurations against one for each.

    tests/random/verify_random.py --vernier build/bin/vernier --count 1000 --first 1000 --jobs 2

Network N is the same in each run. A network that fails is written to the folder --keep, with the command that shows it.
"""

import argparse
import concurrent.futures
import itertools
import math
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import networks

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
sys.argv.append("")  # which `commands` takes away as the path of `vernier`
from commands import read_npy, write_npy, write_safetensors

SECONDS = 300  # of one command: a network takes about one


def run(command, folder):
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=SECONDS, cwd=folder,
                              env={**os.environ, "OMP_WAIT_POLICY": "passive"})
    except subprocess.TimeoutExpired:
        return 124, "", f"not ended after {SECONDS} seconds"
    return done.returncode, done.stdout, done.stderr


def of_another_target(options, target):
    """The options without those of CPUs. Passes are shared, and compared with --target cpu."""
    left, values = [], iter(options)
    for option in values:
        if option in ("--cpu", "--images-together"):
            next(values)
        elif option != "--no-winograd":
            left.append(option)
    return [*left, "--target", target, "--code-only"]


def verify(vernier, network, folder, target):
    """Nothing, or the command and what it says."""
    (folder / "m.vn").write_text(network.text, encoding="utf-8")
    command = [vernier, "verify", "m.vn", *(network.options if target == "cpu" else of_another_target(network.options, target))]
    if network.configuration:
        (folder / "c.toml").write_text("[holes]\n" + network.configuration, encoding="utf-8")
        command += ["--config", "c.toml"]
    status, _, errors = run(command, folder)
    return None if status == 0 else (command, f"exit status {status}: {errors.strip()}")


def distance(expected, found):
    if len(expected) != len(found):
        return math.inf
    norm = math.sqrt(sum(value * value for value in expected))
    difference = math.sqrt(sum((a - b) ** 2 for a, b in zip(expected, found)))
    return difference / norm if norm > 0 else difference


def random_weights(info, path, values):
    """For every parameter that `M info` lists."""
    shapes, tensors = {}, {}
    for line in info.splitlines():
        if found := re.fullmatch(r"(\S+)  +\[([\d, ]+)\]", line):
            shapes[found[1]] = [int(extent) for extent in found[2].split(",")]
    for name, shape in shapes.items():
        low, high = (0.5, 1.5) if name.endswith("running_var") else (-0.5, 0.5)
        tensors[name] = [values.uniform(low, high) for _ in range(math.prod(shape))]
    write_safetensors(path, tensors, shapes=shapes)


def compare_open(vernier, network, folder):
    """The binary of all configurations against one for each of them: nothing, or a command and what is wrong."""
    (folder / "m.vn").write_text(network.text, encoding="utf-8")
    build = [vernier, "build", "m.vn", "--batch", network.batch]
    values = random.Random(7)
    size = (network.batch, *network.image)
    write_npy(folder / "x.npy", size, [values.uniform(-1, 1) for _ in range(math.prod(size))])
    files = ["y.npy"] + [f"y.{name}.npy" for name in network.outputs[1:]]

    def outputs(binary, *more):
        command = [f"./{binary}/m", "run", "--input", "x.npy", "--weights", "w.safetensors", "--output", "y.npy", *more]
        status, _, errors = run(command, folder)
        return command, None if status else [read_npy(folder / name)[1] for name in files], errors

    def failed(command, what):
        return command, what

    command = [*build, "-o", "open"]
    status, _, errors = run(command, folder)
    if status:
        return failed(command, f"exit status {status}: {errors.strip()}")
    random_weights(run(["./open/m", "info"], folder)[1], folder / "w.safetensors", values)
    for number, chosen in enumerate(itertools.product(*network.holes.values())):
        choices = [f"{hole}={value}" for hole, value in zip(network.holes, chosen)]
        bound = f"bound{number}"
        command = [*build, "-o", bound, *(word for choice in choices for word in ("--choose", choice))]
        status, _, errors = run(command, folder)
        if status:
            return failed(command, f"exit status {status}: {errors.strip()}")
        _, expected, errors = outputs(bound)
        command, found, more_errors = outputs("open", "--configuration", ",".join(choices))
        if not expected or not found:
            return failed(command, (errors + more_errors).strip())
        for name, ours, theirs in zip(network.outputs, found, expected):
            if not distance(theirs, ours) <= 1e-4:
                return failed(command, f"output {name} is {distance(theirs, ours):.1e} from that of the specialised binary")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vernier", type=Path, required=True)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--open", type=int, default=0, help="networks with open holes, as binaries, beside these")
    parser.add_argument("--first", type=int, default=1, help="number of the first network")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--target", default="cpu", help="of `verify`; `cuda-emulated` runs what CUDA would")
    parser.add_argument("--keep", type=Path, help="folder for networks that fail")
    options = parser.parse_args()
    vernier = options.vernier.resolve()

    def judge(task):
        number, with_holes = task
        network = networks.draw_open(number) if with_holes else networks.draw(number)
        with tempfile.TemporaryDirectory() as folder:
            return network, compare_open(vernier, network, Path(folder)) if with_holes else verify(vernier, network, Path(folder),
                                                                                                   options.target)

    numbers = range(options.first, options.first + options.count)
    tasks = [(number, False) for number in numbers]
    tasks += [(number, True) for number in range(options.first, options.first + options.open)]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for (number, with_holes), (network, found) in zip(tasks, pool.map(judge, tasks)):
            if not found:
                continue
            failed += 1
            command, text = found
            name = f"open{number}" if with_holes else str(number)
            print(f"network {name}: {text}\n  {shlex.join(map(str, command))}\n", flush=True)
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{name}.vn").write_text(network.text, encoding="utf-8")
                (options.keep / f"{name}.toml").write_text("[holes]\n" + network.configuration, encoding="utf-8")
            else:
                print(network.text + network.configuration, flush=True)
    print(f"{len(tasks) - failed} of {len(tasks)} random networks hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
