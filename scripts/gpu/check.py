"""Runs what prepare.py packed, part by part, and writes what came out. Needs Python's standard library alone.

A part that fails or runs out of its time leaves the others' results: results.json is written anew after every row.
Exit status 1 where a row failed, or none passed.
"""

import argparse
import csv
import datetime
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import compare
import counters
import speed

HERE = Path(__file__).resolve().parent

# In this order, each with the most seconds that it may take.
PARTS = {
    "primitives": (compare.primitives, 60),
    "kernels": (compare.kernels, 60),
    "updates": (compare.updates, 30),
    "goldens": (compare.goldens, 60),
    "sanitizer": (compare.sanitizer, 60),
    "inference": (speed.inference, 110),
    "training": (speed.training, 30),
    "counters": (counters.counters, 60),
    "eager": (speed.eager, 80),
    "compiled": (speed.compiled, 400),
    "longer": (speed.longer, 60),
}
SECONDS = 465
RESERVED = {"compiled": 45}  # seconds that the part leaves to those behind it


class Run:
    """Where things lie, what time is left, and the rows of results."""

    def __init__(self, options, manifest, payload, out, facts):
        self.options, self.manifest, self.payload, self.out, self.facts = options, manifest, payload, out, facts
        self.rows, self.part = [], ""
        self.suspects = []  # of the comparisons, those that failed: name and command
        self.end = self.part_end = time.monotonic() + options.seconds
        self.scratch = payload / "scratch"
        self.scratch.mkdir()
        self.log = open(out / "log.txt", "w", encoding="utf-8")

    def cases(self, part=None):
        """Of the manifest, those that are wanted."""
        return [case for case in self.manifest[part or self.part] if re.search(self.options.only, case["name"])]

    def seconds_left(self):
        return self.part_end - time.monotonic()

    def path(self, place):
        return self.payload / place

    def execute(self, command, limit, ours=True, output=None):
        """(problem, output): `problem` is empty where the command succeeded within `limit` seconds and the part's time."""
        limit = min(limit, self.seconds_left())
        if limit <= 1:
            return "no time left", ""
        environment = dict(os.environ)
        if ours:  # the libraries that travel with our programs are not for Python; the driver's may be found by the variable
            environment["LD_LIBRARY_PATH"] = ":".join(filter(None, [str(self.path("lib")), os.environ.get("LD_LIBRARY_PATH")]))
        output = output or self.scratch / "output.txt"
        errors = self.scratch / "errors.txt"
        began = time.monotonic()
        with open(output, "wb") as out, open(errors, "wb") as err:
            try:
                child = subprocess.Popen([str(word) for word in command], stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                                         env=environment, cwd=self.scratch, start_new_session=True)
            except OSError as error:
                return f"cannot be started: {error}", ""
            try:
                status = child.wait(limit)
                problem = "" if status == 0 else f"exit status {status}"
            except subprocess.TimeoutExpired:
                problem = f"not ended after {limit:.0f} s"
            finally:
                try:
                    os.killpg(child.pid, signal.SIGKILL)  # the compilers that PyTorch starts, too
                except ProcessLookupError:
                    pass
                child.wait()
        text, said = (path.read_text(encoding="utf-8", errors="replace") for path in (output, errors))
        print(f"$ {' '.join(map(str, command))}\n# {time.monotonic() - began:.1f} s {problem}\n{text[-20000:]}{said[-4000:]}",
              file=self.log, flush=True)
        if problem and said.strip():
            problem += ": " + " ".join(said.strip().splitlines()[-3:] if not ours else said.strip().splitlines()[:3])
        return problem, text

    def row(self, name, status, detail="", **numbers):
        """`status`: passed, failed, measured or skipped."""
        self.rows.append({"part": self.part, "name": name, "status": status, "detail": detail, **numbers})
        print(f"{self.part:<10} {name:<44} {status:<8} {detail}", flush=True)
        self.write()

    def measured(self, name, problem, detail="", **numbers):
        if problem == "no time left":
            self.row(name, "skipped", problem)
        else:
            self.row(name, "failed" if problem else "measured", problem or detail, **numbers)

    def write(self):
        text = json.dumps({**self.facts, "rows": self.rows}, indent=1)
        partial = self.out / "results.json.tmp"
        partial.write_text(text + "\n", encoding="utf-8")
        os.replace(partial, self.out / "results.json")


def device_facts(manifest):
    """Of the machine and of what runs there."""
    def line(*command):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"unknown: {error}"
        return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else "unknown"

    return {"device": line("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"),
            "torch": line(sys.executable, "-c", "import torch; print(torch.__version__, torch.version.cuda)"),
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "revision": manifest["revision"], "prepared": manifest["date"], "target": manifest["target"],
            "architectures": manifest["architectures"], "command": " ".join(["check.sh", *sys.argv[1:]])}


def write_layers(run):
    """One line for each step that was timed, of all networks."""
    rows = [row for row in run.rows if row.get("layers")]
    if not rows:
        return
    with open(run.out / "layers.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["part", "name", "place", "kernel", "microseconds", "MMACs", "bytes", "GB/s", "TFLOP/s"])
        for row in rows:
            for layer in row.pop("layers"):
                seconds = max(layer["milliseconds"] * 1e-3, 1e-9)
                writer.writerow([row["part"], row["name"], layer["place"], layer["kernel"], f"{seconds * 1e6:.2f}",
                                 f"{layer['macs'] / 1e6:.2f}", layer["bytes"], f"{layer['bytes'] / seconds / 1e9:.1f}",
                                 f"{2 * layer['macs'] / seconds / 1e12:.3f}"])
    run.write()


def main():
    parser = argparse.ArgumentParser(prog="check.sh", description=__doc__.split("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS), help=f"comma-separated, of {', '.join(PARTS)} (all)")
    parser.add_argument("--only", default="", metavar="REGEX", help="the cases whose names match")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"for all of it ({SECONDS})")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"there is no part `{unknown[0]}`")
    manifest = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    out = Path(os.environ.get("OUT") or HERE / "results").resolve()
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vernier-gpu-") as payload:
        payload = Path(payload)
        with tarfile.open(HERE / "payload.tar.xz") as archive:
            archive.extractall(payload, filter="data")
        run = Run(options, manifest, payload, out, device_facts(manifest))
        run.end -= time.monotonic() - began
        print("\n".join(f"{key:<13} {value}" for key, value in run.facts.items()))
        for missing in manifest["missing"]:
            print(f"{missing['name']}: not built: {missing['why'].splitlines()[0]}")
        for part, (function, most) in PARTS.items():
            if part not in parts:
                continue
            run.part = part
            run.part_end = min(run.end - RESERVED.get(part, 0), time.monotonic() + most)
            before = len(run.rows)
            try:
                function(run)
            except Exception as error:  # noqa: BLE001 - the other parts go on, whatever it is
                run.row(part, "failed", f"{type(error).__name__}: {error}")
            if len(run.rows) == before:
                run.row(part, "skipped", "there is nothing of it here")
        write_layers(run)
        counts = {status: sum(row["status"] == status for row in run.rows)
                  for status in ("passed", "measured", "failed", "skipped")}
        summary = "\n".join([*(f"{key:<13} {value}" for key, value in run.facts.items()), "", *speed.table(run.rows), "",
                             *(f"{row['part']:<10} {row['name']:<44} {row['status']:<8} {row['detail']}" for row in run.rows
                               if row["status"] in ("failed", "skipped")), "",
                             ", ".join(f"{count} {status}" for status, count in counts.items()) +
                             f", in {time.monotonic() - began:.0f} s"])
        (out / "summary.txt").write_text(summary + "\n", encoding="utf-8")
        print(f"\n{summary}\n\nresults: {out}")
        run.log.close()
    return 1 if counts["failed"] or not counts["passed"] + counts["measured"] else 0


if __name__ == "__main__":
    sys.exit(main())
