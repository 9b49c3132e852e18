#!/usr/bin/env python3
"""ELASTIC's scale stress test: the same weights at several image sizes.

Builds a binary for each size from one specification and one file of weights, resizes the images to it, and compares accuracy,
scale policy scores, multiply-adds and time.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path


def run(*arguments, check=True):
    done = subprocess.run([str(argument) for argument in arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if check and done.returncode != 0:
        sys.exit(done.stderr.rstrip())
    return done


def build(options, size, folder):
    """Returns the program, and whether it computes scale policy scores."""
    command = [options.vernier, "build", options.spec, "--model", options.model, "--weights", options.weights,
               "--input", f"{size}x{size}", "--batch", options.batch, "-o", folder]
    done = run(*command, "--scale-policy", check=False)
    scores = done.returncode == 0
    if not scores and "has no scale policy" in done.stderr:
        done = run(*command)  # a network without blocks of two resolutions
    if done.returncode != 0:
        sys.exit(done.stderr.rstrip())
    return folder / options.model, scores


def mean_scores(path):
    """Of each block the mean over the images."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {block: sum(float(row[block]) for row in rows) / len(rows) for block in rows[0] if block not in ("image", "label")}


def measure(options, size):
    program, scores = build(options, size, options.output / str(size))
    images = (["--data", options.data, "--split", options.split] if options.data else
              ["--images", options.images, "--labels", options.labels])
    for name in ("mean", "std"):
        if value := getattr(options, name):
            images += [f"--{name}", value]
    table, figure = options.output / f"scores-{size}.csv", options.output / f"scores-{size}.svg"
    files = ["--scale-policy", table, "--scale-policy-svg", figure] if scores else []
    # The same part of every image at every size.
    evaluation = json.loads(run(program, "eval", "--json", "--resize", round(size / options.crop), *images, *files).stdout)
    bench = json.loads(run(program, "bench", "--json", "--runs", options.runs).stdout)
    return {"size": size, "images": evaluation["images"], "top1": evaluation["top1"], "top5": evaluation["top5"],
            "macs": json.loads(run(program, "info", "--json").stdout)["macs"],
            "milliseconds": bench["median_milliseconds"] / bench["batch"], "scores": mean_scores(table) if scores else {}}


def report(results):
    print(f"{results[0]['images']} images\n\n| size | top-1 | top-5 | million MACs | ms per image |\n| ---: | ---: | ---: | ---: | ---: |")
    for result in results:
        print(f"| {result['size']} | {result['top1']:.1%} | {result['top5']:.1%} | {result['macs'] / 1e6:.1f} | "
              f"{result['milliseconds']:.2f} |")
    # A block of a network without resolutions to choose from at a size has none there.
    blocks = list(dict.fromkeys(block for result in results for block in result["scores"]))
    if blocks:
        print("\n| scale policy score | " + " | ".join(str(result["size"]) for result in results) + " |\n| --- |" +
              " ---: |" * len(results))
    for block in blocks:
        print(f"| `{block}` | " + " | ".join(f"{result['scores'][block]:+.4f}" if block in result["scores"] else ""
                                           for result in results) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vernier", required=True, type=Path)
    parser.add_argument("--spec", required=True, type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--weights", required=True, type=Path)
    parser.add_argument("--data", type=Path, help="a data set, as for `M eval`")
    parser.add_argument("--split", default="test")
    parser.add_argument("--images", type=Path, help="instead of --data, with --labels")
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--mean", help="as for `M eval`")
    parser.add_argument("--std", help="as for `M eval`")
    parser.add_argument("--sizes", type=int, nargs="+", default=[96, 224, 448])
    parser.add_argument("--crop", type=float, default=0.875, help="share of an image's shorter side that is seen")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("-o", "--output", required=True, type=Path)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    results = [measure(options, size) for size in options.sizes]
    (options.output / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    report(results)


if __name__ == "__main__":
    main()
