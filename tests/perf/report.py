"""The report, in Markdown, of what compare.py measured."""

import importlib.metadata
import os
import pathlib
import platform
import re
import statistics

import kernels
from cases import CASES

QUIET = 0.9  # of the highest multiply-add peak of all rounds; below, something else ran on the machine

SECTIONS = [
    ("Inference, float32", lambda case: not case.train and case.precision == "f32"),
    ("Inference, bfloat16", lambda case: not case.train and case.precision == "bf16"),
    ("Training steps, float32", lambda case: case.train),
]


def median_of(measurements, key):
    return statistics.median(m[key] for m in measurements)


def spread(ratios):
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def table(header, rows, left=1):
    """`left`: how many columns hold words."""
    yield "| " + " | ".join(header) + " |"
    yield "| " + " | ".join(["---"] * left + ["---:"] * (len(header) - left)) + " |"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def measured_rows(case, result):
    ours = result["measured"]["Vernier"]
    operations, peak = ours[0]["operations"], median_of(ours, "fma_peak")
    for name, measurements in result["measured"].items():
        milliseconds = median_of(measurements, "milliseconds")
        speed = operations / milliseconds * 1e3
        ratios = [a["milliseconds"] / b["milliseconds"] for a, b in zip(ours, measurements)]
        distance = result["distances"].get(name, 0)
        yield [case.title, name, str(case.batch), f"{milliseconds:.1f}", f"{case.batch / milliseconds * 1e3:.1f}",
               "" if measurements is ours else spread(ratios), f"{speed * 1e-9:.1f}", f"{100 * speed / peak:.0f}%",
               f"{median_of(measurements, 'peak_bytes') / 2**20:.0f}", f"{distance:.1e}" if distance else ""]


def peaks(result):
    return [measurement["fma_peak"] for measurement in result["measured"]["Vernier"]]


def quietness(result, results):
    """The lowest of a case's measured multiply-add peaks, as a fraction of the highest of all cases."""
    return min(peaks(result)) / max(peak for other in results.values() for peak in peaks(other))


def goal(found, target, quiet):
    """A median beside its target. A busy machine slows the peers more than Vernier, and proves nothing."""
    if not target:
        return ["", ""]
    return [f"{target:g}", "busy" if not quiet else "yes" if statistics.median(found) >= target else "no"]


def target_row(case, result, quiet):
    ours = result["measured"]["Vernier"]
    peers = {name: found for name, found in result["measured"].items() if name != "Vernier"}
    best = min(peers, key=lambda name: median_of(peers[name], "milliseconds"))
    ratios = [b["milliseconds"] / a["milliseconds"] for a, b in zip(ours, peers[best])]
    row = [case.title, case.precision, best, str(case.batch), spread(ratios), *goal(ratios, case.target, quiet)]
    if not result["reference"]:
        return row + ["", "", ""]
    per_mac = [(a["operations"] / a["milliseconds"]) / (b["operations"] / b["milliseconds"])
               for a, b in zip(ours, result["reference"])]
    return row + [spread(per_mac), *goal(per_mac, case.target_per_mac, quiet)]


def cpu_name():
    found = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.processor()


def header(results):
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("onnxruntime", "openvino", "torch"))
    found = list(results.values())
    peak = statistics.median(m["fma_peak"] for result in found for m in result["measured"]["Vernier"])
    loads = [load for result in found for load in result["loads"]]
    return (f"{min(r['when'] for r in found)} to {max(r['when'] for r in found)} UTC; {cpu_name()}, {os.cpu_count()} "
            f"cores; {found[0]['threads']} threads, {peak * 1e-9:.0f} GFLOP/s in float32 multiply-adds; {versions}; "
            f"{min(r['rounds'] for r in found)} rounds; load {min(loads):.1f} to {max(loads):.1f}.")


def section(title, results):
    yield f"\n### {title}\n"
    columns = ["network", "program", "batch", "ms", "images/s", "Vernier's time / this (per round)", "GFLOP/s",
               "of peak", "peak MiB", "relative L2"]
    rows = (row for name, result in results.items() for row in measured_rows(CASES[name], result))
    yield from table(columns, rows, 2)
    for name, result in results.items():
        for peer, measurements in result["measured"].items():
            if "optimizer_milliseconds" in measurements[0]:
                yield (f"\nNot in the times above: {peer}'s optimizer step on {CASES[name].model}, "
                       f"{median_of(measurements, 'optimizer_milliseconds'):.1f} ms.")
        for failure in result["failures"]:
            yield f"\nNot measured: {failure}."


def report(results):
    """The lines of the report; `results`: name of a case -> what compare.py found."""
    results = {name: results[name] for name in CASES if name in results}
    yield header(results)
    yield "\n### Against the best of the others\n"
    columns = ["network", "type", "best peer", "batch", "speed-up", "target", "met",
               "per multiply-add, against ResNet-50", "target", "met"]
    fractions = {name: quietness(result, results) for name, result in results.items()}
    yield from table(columns, (target_row(CASES[name], result, fractions[name] >= QUIET)
                               for name, result in results.items() if len(result["measured"]) > 1), 3)
    if busy := [f"{name} ({100 * fraction:.0f}%)" for name, fraction in fractions.items() if fraction < QUIET]:
        yield ("\nThe machine was busy, and these say nothing (lowest multiply-add peak of a round, of the highest): "
               f"{', '.join(busy)}.")
    for title, belongs in SECTIONS:
        found = {name: result for name, result in results.items() if belongs(CASES[name])}
        if found:
            yield from section(title, found)
    yield "\n### Where Vernier's time goes\n"
    columns = ["network", "kernels", "steps", "ms", "share", "GMACs", "GFLOP/s", "of peak", "GB/s"]
    yield from table(columns, ([name, *row] for name, result in results.items()
                               for row in kernels.summary(result["layers"])), 2)
    yield "\n### What building takes\n"
    yield from table(["executable", "`vernier build`, s"],
                     ([name, f"{result['build_seconds']:.1f}"] for name, result in results.items()))
