#!/usr/bin/env python3
"""The binary of all configurations of RS-ResNet-50 beside the binaries of some: times in turns, and what switching takes.

    tests/perf/open_model.py [--vernier PATH] [--rounds N] [--threads T] [--out DIR]
"""

import argparse
import json
import pathlib
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPECIFICATION = ROOT / "models/networks/resizable_resnet.vn"
MODEL = "rs_resnet50"
HOLES = [f"layer{stage}.factor" for stage in (1, 2, 3, 4)]
# The largest, the smallest, and three between, with larger stages behind smaller ones and the reverse.
CONFIGURATIONS = [(1, 1, 1, 1), (0.65, 0.85, 1, 0.45), (0.45, 1, 0.65, 1), (0.85, 0.65, 0.65, 0.85), (0.45, 0.45, 0.45, 0.45)]


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def bench(folder, options, *more):
    return json.loads(run(folder / MODEL, "bench", "--json", "--runs", options.runs, "--threads", options.threads, *more))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vernier", type=pathlib.Path, default=ROOT / "build/bin/vernier")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build/perf/open_model")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    everything = options.out / "all"
    run(options.vernier, "build", SPECIFICATION, "--model", MODEL, "-o", everything)
    print("| factors | all configurations, ms | this one alone, ms | ratio (per round) | switching, us |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for configuration in CONFIGURATIONS:
        text = ",".join(map(str, configuration))
        alone = options.out / text.replace(",", "-")
        choices = [word for hole, value in zip(HOLES, configuration) for word in ("--choose", f"{hole}={value}")]
        run(options.vernier, "build", SPECIFICATION, "--model", MODEL, "-o", alone, *choices)
        together, apart, switching = [], [], []
        for round_ in range(options.rounds):
            for kind in ((0, 1) if round_ % 2 else (1, 0)):
                if kind:
                    result = bench(everything, options, "--configuration", text)
                    switching.append(result["switch_microseconds"])
                    together.append(result["minimum_milliseconds"])
                else:
                    apart.append(bench(alone, options)["minimum_milliseconds"])
        ratios = sorted(a / b for a, b in zip(together, apart))
        print(f"| `{text}` | {statistics.median(together):.2f} | {statistics.median(apart):.2f} | "
              f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}) | {statistics.median(switching):.1f} |",
              flush=True)


if __name__ == "__main__":
    main()
