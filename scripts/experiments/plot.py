#!/usr/bin/env python3
"""Draws lines from JSON ({"x": title, "y": title, "lines": {name: [[x, y], ...]}}) as SVG: plot.py FIGURE.json FIGURE.svg."""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "vernier", "font.size": 9})
import matplotlib.pyplot as plt  # noqa: E402  after the choice of the backend


def main():
    figure = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    _, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for name, points in figure["lines"].items():
        axes.plot(*zip(*points), marker=".", linewidth=1.2, label=name)
    axes.set_xlabel(figure["x"])
    axes.set_ylabel(figure["y"])
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    plt.savefig(sys.argv[2], metadata={"Date": None})


if __name__ == "__main__":
    main()
