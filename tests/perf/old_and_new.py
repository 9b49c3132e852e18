#!/usr/bin/env python3
"""What two compilers make of the same networks, in turns: whether a change costs speed.

    tests/perf/old_and_new.py --old VERNIER [--new VERNIER] [--rounds N] [--threads T] [--case NAME]... [--out DIR]

A ratio is the new program's time over the old one's within a round, each the fastest of its runs, since whatever else the
machine does only adds; shown are the median, smallest and largest. The programs begin a round by turns.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time

from cases import CASES

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFAULT = ("resnet50-b1", "scalenet50-b1", "res2net50_26w_4s-b1", "resnext50_elastic-b1", "dla60x_elastic-b1",
           "scalenet50-bf16-b1", "scalenet38_cifar-train-b64")


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def build(vernier, case, folder):
    """The program, and how many seconds building took. The models are those of this tree for both compilers."""
    options = ["--config", case.configuration] if case.configuration else []
    options += ["--for", "train"] if case.train else []
    options += ["--precision", case.precision] if case.precision != "f32" else []
    begin = time.perf_counter()
    run(vernier, "build", ROOT / "models" / case.file, "--model", case.model, "--batch", case.batch, "-o", folder, *options)
    return folder / case.model, time.perf_counter() - begin


def milliseconds(program, case, threads):
    kind = ["--train"] if case.train else []
    found = json.loads(run(program, "bench", "--json", "--runs", case.runs, "--threads", threads, *kind))
    return found["minimum_milliseconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--old", type=pathlib.Path, required=True)
    parser.add_argument("--new", type=pathlib.Path, default=ROOT / "build/bin/vernier")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/perf/old_and_new")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--case", action="append", choices=list(CASES), metavar="CASE", help=", ".join(CASES))
    options = parser.parse_args()
    print("| case | old, ms | new, ms | new / old (per round) | build, old and new, s |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in options.case or DEFAULT:
        case = CASES[name]
        made = {kind: build(vernier, case, options.out / kind / name)
                for kind, vernier in (("old", options.old), ("new", options.new))}
        times = {kind: [] for kind in made}
        for turn in range(options.rounds):
            for kind in sorted(made, reverse=turn % 2 == 1):
                times[kind].append(milliseconds(made[kind][0], case, options.threads))
        ratios = sorted(new / old for old, new in zip(times["old"], times["new"]))
        print(f"| {name} | {statistics.median(times['old']):.2f} | {statistics.median(times['new']):.2f} | "
              f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}) | "
              f"{made['old'][1]:.1f}, {made['new'][1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
