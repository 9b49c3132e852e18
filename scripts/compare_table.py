#!/usr/bin/env python3
"""Prints one table of networks: a row for each folder, which holds describe.json, eval.json and bench.json."""

import json
import sys
from pathlib import Path

COLUMNS = ("network", "test accuracy", "MACs", "parameters", "ms per image")


def row(folder):
    described, evaluated, measured = (json.loads((folder / name).read_text(encoding="utf-8"))
                                      for name in ("describe.json", "eval.json", "bench.json"))
    return (folder.name, f"{100 * evaluated['top1']:.2f}%", f"{described['macs']:,}", f"{described['params']:,}",
            f"{measured['median_milliseconds'] / measured['batch']:.3f}")


def main():
    rows = [COLUMNS] + [row(Path(folder)) for folder in sys.argv[1:]]
    widths = [max(len(line[column]) for line in rows) for column in range(len(COLUMNS))]
    for line in rows:
        print("  ".join([line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]))


if __name__ == "__main__":
    main()
