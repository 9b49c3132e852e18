"""Runs `vernier verify` over the models of models/README.md, at the sizes that it reduces them to.

Of each file the cheapest model is verified altogether, and the inference passes of the others, which are made of the same
blocks: compiling kernels and running training steps in double precision takes most of the time. `--everything` takes
it for all of them.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from check_zoo import ROW


def plan(readme, everything):
    """[(model, file, configuration, altogether?)], the most expensive first"""
    rows = [(float(macs), name, file, configuration) for name, file, configuration, _, macs in ROW.findall(readme)]
    cheapest = {file: min(row for row in rows if row[2] == file) for _, _, file, _ in rows}
    planned = [(everything or row == cheapest[row[2]], *row) for row in rows]
    return [(name, file, configuration, altogether)
            for altogether, _, name, file, configuration in sorted(planned, reverse=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vernier", required=True, type=Path)
    parser.add_argument("--models", required=True, type=Path)
    parser.add_argument("--part", default="1/1", help="K/N: every N-th model, from the K-th on")
    parser.add_argument("--everything", action="store_true")
    parser.add_argument("--options", default="", help="further options of `vernier verify`, such as '--input 224'")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    rows = plan((options.models / "README.md").read_text(encoding="utf-8"), options.everything)
    if not rows:
        sys.exit("models/README.md lists no models")

    failed = []
    for name, file, configuration, altogether in rows[part - 1::parts]:
        command = [options.vernier, "verify", options.models / "networks" / file, "--model", name,
                   "--threads", "2", *options.options.split()]
        if configuration:
            command += ["--config", options.models / "configurations" / configuration]
        if not altogether:
            command += ["--for", "infer", "--passes-only"]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        print(f"{name}: {'everything' if altogether else 'passes'}, {time.monotonic() - start:.1f} s", flush=True)
        if done.returncode != 0:
            failed.append(name)
            print(done.stdout + done.stderr, flush=True)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
