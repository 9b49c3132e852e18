#!/usr/bin/env python3
"""A configuration for each image, chosen by a classifier, against the best configuration for all at equal cost."""

import json
import math
import tomllib

from common import ROOT, arguments, build, percent, publish, recipe, run, say, table, train, unpacked

MODEL = "rs_resnet20_cifar"
COST_WEIGHTS = (1, 0, -1, -2, -2.5, -3, -3.5, -4)


def candidates(options, data, weights):
    """Of the configurations that no other beats on unseen training images: the cheapest, the most accurate within twice its
    multiply-adds, and the most accurate."""
    folder = options.out / "adaptive-search"
    say("searching for candidates")
    run(options.vernier, "search", ROOT / "models/networks/resizable_cifar.vn", "--model", MODEL, "--weights", weights, "--data",
        data, "--split", "train", "--first", options.limit, "--count", 5000, "--batch", options.batch, "--latency", "predicted",
        "-o", folder)
    rows = tomllib.loads((folder / "table.toml").read_text(encoding="utf-8"))["configuration"]
    cheapest = min(row["macs"] for row in rows)
    best = [max((row for row in rows if row["macs"] <= limit), key=lambda row: row["accuracy"])
            for limit in (cheapest, 2 * cheapest, math.inf)]
    return list(dict.fromkeys(",".join(f"{value:g}" for value in row["holes"].values()) for row in best))


def adapted(options, data, weights, chosen):
    """The adaptive executable, whose classifier learns from images that the super-network has not seen."""
    folder = options.out / "adaptive"
    if not (folder / f"{MODEL}.safetensors").exists():
        say("labelling and training the classifier")
        words = [word for candidate in chosen for word in ("--candidates", candidate)]
        run(options.vernier, "adapt", ROOT / "models/networks/resizable_cifar.vn", "--model", MODEL, "--weights", weights,
            *words, "--data", data, "--split", "train", "--first", options.limit, "--count", options.images, "--batch",
            options.batch, "-o", folder)
    return folder / MODEL


def main():
    options = arguments(__doc__, epochs=12, limit=20000, batch=64, seed=1, rate=0.1, images=30000)
    data = unpacked(options)
    summary = train(options, build(options, MODEL, "super"), "fair", data,
                    recipe(options, "fair", options.epochs, choices='sampling = "fair"'))
    chosen = candidates(options, data, summary["weights"])
    executable = adapted(options, data, summary["weights"], chosen)
    evaluate = [executable, "eval", "--data", data, "--json", "--cost-weight"]
    curve = {weight: json.loads(run(*evaluate, weight)) for weight in COST_WEIGHTS[1:]}
    curve[COST_WEIGHTS[0]] = json.loads(run(*evaluate, COST_WEIGHTS[0], "--compare"))
    statics = curve[COST_WEIGHTS[0]]["static"]
    rows = []
    for weight in COST_WEIGHTS:
        ours = curve[weight]
        within = [row for row in statics if row["macs"] <= ours["macs"]]
        best = max(within, key=lambda row: row["top1"])
        shares = " / ".join(f"{100 * entry['images'] / ours['images']:.0f}" for entry in ours["candidates"])
        factors = ",".join(choice.split("=")[1] for choice in best["configuration"].split(","))
        rows.append([weight, shares, percent(ours["top1"]), f"{ours['macs'] / 1e6:.2f} M", f"{ours['images_per_second']:.0f}",
                     f"`{factors}`", percent(best["top1"]), f"{best['macs'] / 1e6:.2f} M",
                     f"{best['images_per_second']:.0f}"])
    titles = ["cost weight", "% in each candidate", "accuracy", "MACs", "images/s", "best static", "accuracy", "MACs",
              "images/s"]
    fixed = [[f"`{candidate}`", percent(row["top1"]), f"{row['macs'] / 1e6:.2f} M", f"{row['images_per_second']:.0f}"]
             for candidate in chosen for row in statics
             if [float(choice.split("=")[1]) for choice in row["configuration"].split(",")] ==
             [float(factor) for factor in candidate.split(",")]]
    publish(options, "resizable-adapt", table(titles, rows) + "\n\nThe candidates for all images:\n\n" +
            table(["factors", "accuracy", "MACs", "images/s"], fixed))


if __name__ == "__main__":
    main()
