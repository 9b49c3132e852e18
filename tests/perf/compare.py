"""Measures Vernier beside its peers on this machine; see compare.sh, which calls it.

Every measurement is a process of its own, and contenders take turns: in each round every contender of a case runs once,
so that whatever else the machine does falls on all of them. A ratio is taken within a round; the table shows the
median, smallest and largest of them.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

import numpy as np

from networks import read_channels
from weights import tensor, write_weights

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parents[1] / "models"
PEERS = {"ONNX Runtime": "onnx_peer.Inference", "PyTorch": "torch_peer.Inference"}
SCALENET50 = str(MODELS / "configurations/scalenet50.toml")


def inference(model, file, batch, configuration=None):
    return {"name": f"{model}-b{batch}", "model": model, "file": file, "configuration": configuration, "batch": batch,
            "side": 224, "train": False, "runs": 20 if batch == 1 else 5, "peers": PEERS}


CASES = [
    inference("resnet50", "networks/resnet.vn", 1),
    inference("resnet50", "networks/resnet.vn", 16),
    inference("scalenet50", "networks/scalenet.vn", 1, SCALENET50),
    inference("scalenet50", "networks/scalenet.vn", 16, SCALENET50),
    {"name": "scalenet38_cifar-train-b64", "model": "scalenet38_cifar", "file": "networks/scalenet_cifar.vn",
     "configuration": str(MODELS / "configurations/scalenet38_cifar.toml"), "batch": 64, "side": 32, "train": True,
     "runs": 10, "peers": {"PyTorch": "torch_peer.Training"}},
]


class Vernier:
    """A case's built executable."""

    name = "Vernier"

    def __init__(self, case, folder, weights, threads):
        self.case, self.weights, self.threads = case, str(weights), str(threads)
        self.executable = folder / case["name"] / case["model"]

    def build(self, vernier):
        command = [vernier, "build", MODELS / self.case["file"], "--model", self.case["model"], "--batch",
                   str(self.case["batch"]), "--output", self.executable.parent]
        if self.case["configuration"]:
            command += ["--config", self.case["configuration"]]
        if self.case["train"]:
            command += ["--for", "train"]
        subprocess.run(command, check=True, stdout=sys.stderr)

    def call(self, *arguments):
        command = [self.executable, *arguments, "--weights", self.weights, "--threads", self.threads]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def compute(self, image, output):
        self.call("run", "--input", image, "--output", output)

    def measure(self):
        arguments = ["bench", "--json", "--runs", str(self.case["runs"])]
        found = json.loads(self.call(*arguments, *(["--train"] if self.case["train"] else [])))
        return {
            "milliseconds": found["median_milliseconds"],
            "peak_bytes": found["peak_resident_bytes"],
            "operations": found["gflops"] * found["median_milliseconds"] * 1e6,
            "fma_peak": found["fma_peak_gflops"] * 1e9,
        }


class Peer:
    def __init__(self, case, name, folder, weights, threads):
        self.name = name
        self.file = folder / f"{case['name']}.{name.replace(' ', '-')}.json"
        self.specification = {"case": case, "peer": case["peers"][name], "weights": str(weights),
                              "runs": case["runs"], "threads": threads}
        self.environment = dict(os.environ, OMP_NUM_THREADS=str(threads), PYTHONDONTWRITEBYTECODE="1")

    def call(self, **more):
        self.file.write_text(json.dumps(self.specification | more))
        return subprocess.run([sys.executable, HERE / "peer.py", self.file], check=True, stdout=subprocess.PIPE,
                              text=True, env=self.environment).stdout

    def compute(self, image, output):
        self.call(input=str(image), output=str(output))

    def measure(self):
        return json.loads(self.call())


def disagreement(case, contenders, folder):
    """Relative L2 distance of each peer's outputs from Vernier's, on the same input and weights."""
    image = folder / f"{case['name']}.input.npy"
    np.save(image, tensor("input", (case["batch"], 3, case["side"], case["side"]), "input"))
    outputs = {}
    for contender in contenders:
        path = folder / f"{case['name']}.{contender.name.replace(' ', '-')}.npy"
        contender.compute(image, path)
        outputs[contender.name] = np.load(path).astype(np.float64).ravel()
    reference = outputs["Vernier"]
    return {name: float(np.linalg.norm(found - reference) / np.linalg.norm(reference))
            for name, found in outputs.items()}


def median_of(measurements, key):
    return statistics.median(m[key] for m in measurements)


def report_rows(case, measured, distances):
    ours = measured["Vernier"]
    operations, peak = ours[0]["operations"], median_of(ours, "fma_peak")
    for name, measurements in measured.items():
        milliseconds = median_of(measurements, "milliseconds")
        ratios = [a["milliseconds"] / b["milliseconds"] for a, b in zip(ours, measurements)]
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        speed = operations / milliseconds * 1e3
        yield [case["model"] + (", training step" if case["train"] else ""), str(case["batch"]), name,
               f"{milliseconds:.1f}", "" if measurements is ours else ratio, f"{speed * 1e-9:.1f}",
               f"{100 * speed / peak:.0f}%", f"{median_of(measurements, 'peak_bytes') / 2**20:.0f}",
               "" if measurements is ours or not distances else f"{distances[name]:.1e}"]


def cpu_name():
    found = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.processor()


def report(results, threads, rounds, loads):
    """The lines of the report, in Markdown."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("onnxruntime", "torch"))
    peak = statistics.median(m["fma_peak"] for case, measured, _ in results for m in measured["Vernier"])
    yield (f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC; {cpu_name()}, {os.cpu_count()} cores; "
           f"{threads} threads, {peak * 1e-9:.0f} GFLOP/s in float32 multiply-adds; {versions}; {rounds} rounds; load "
           f"before {loads[0]:.1f}, after {loads[1]:.1f}.")
    yield ""
    header = ["network", "batch", "program", "ms", "Vernier's time / this (per round)", "GFLOP/s", "of peak",
              "peak MiB", "relative L2"]
    yield "| " + " | ".join(header) + " |"
    yield "| --- | ---: | --- " + "| ---: " * (len(header) - 3) + "|"
    for case, measured, distances in results:
        for row in report_rows(case, measured, distances):
            yield "| " + " | ".join(row) + " |"
    for case, measured, _ in results:
        if case["train"]:
            step = median_of(measured["PyTorch"], "optimizer_milliseconds")
            yield f"\nPyTorch's optimizer step on {case['model']}, in neither time above: {step:.1f} ms."


def write_between_markers(path, text):
    """Replaces what `path` has between its two markers."""
    begin, end = "<!-- measured: begin -->\n", "<!-- measured: end -->"
    before, rest = path.read_text().split(begin)
    path.write_text(before + begin + text + "\n" + rest[rest.index(end):])


def measure_case(case, options, folder):
    weights = folder / f"{case['model']}.safetensors"
    channels = read_channels(case["configuration"]) if case["configuration"] else None
    write_weights(weights, case["model"], case["side"], channels)
    ours = Vernier(case, folder, weights, options.threads)
    if not (options.reuse and ours.executable.exists()):
        ours.build(options.vernier)
    contenders = [ours] + [Peer(case, name, folder, weights, options.threads) for name in case["peers"]]
    distances = {} if case["train"] else disagreement(case, contenders, folder)
    measured = {contender.name: [] for contender in contenders}
    for turn in range(options.rounds):
        first = turn % len(contenders)  # nobody always follows the same one
        for contender in contenders[first:] + contenders[:first]:
            measured[contender.name].append(contender.measure())
            print(f"{case['name']}, round {turn + 1}, {contender.name}: "
                  f"{measured[contender.name][-1]['milliseconds']:.1f} ms", file=sys.stderr)
    return case, measured, distances


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="build folder")
    parser.add_argument("--vernier", type=pathlib.Path, help="the compiler (default: bin/vernier of the build folder)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--case", action="append", choices=[case["name"] for case in CASES], help="only this one")
    parser.add_argument("--reuse", action="store_true", help="do not build executables again that are there")
    parser.add_argument("--write", type=pathlib.Path, help="a Markdown file whose measured part becomes the report")
    options = parser.parse_args()
    options.vernier = options.vernier or options.build / "bin/vernier"
    if not options.vernier.exists():
        parser.error(f"there is no {options.vernier}: build the project first, or give --vernier")
    if options.write and "<!-- measured: begin -->" not in options.write.read_text():
        parser.error(f"{options.write} has no marker <!-- measured: begin -->")
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads are at least 1")
    return options


def main():
    options = parse_options()
    folder = options.build.resolve() / "perf"
    folder.mkdir(parents=True, exist_ok=True)
    before = os.getloadavg()[0]
    cases = [case for case in CASES if not options.case or case["name"] in options.case]
    results = [measure_case(case, options, folder) for case in cases]
    (folder / "results.json").write_text(json.dumps(results, indent=1))
    text = "\n".join(report(results, options.threads, options.rounds, (before, os.getloadavg()[0])))
    print(text)
    if options.write:
        write_between_markers(options.write, text)


if __name__ == "__main__":
    main()
