"""What the GPU's own counters say of each kernel, by Nsight Compute."""

import csv
import io
import re
import shutil

import speed

SECTIONS = ("SpeedOfLight", "MemoryWorkloadAnalysis", "WarpStateStats", "LaunchStats")
# Of their metrics, which differ from one GPU to the next: how busy memory, caches and tensor cores were, and what warps waited for.
KEPT = re.compile(r"Kernel Name|gpu__time_duration|dram__|lts__.*throughput|l1tex__.*throughput|bank_conflict|inst_executed|tensor|"
                  r"warps_active|issue_stalled|registers_per|grid_size|occupancy_limit")
# Not what prepares weights, nor copies.
KERNELS = "regex:convolution|pool|resize|activation|mean|gradient|norm"
MOST_KERNELS = 24  # half a second each


def counters(run):
    """The first kernels of a call, of programs in bfloat16 at the largest batch; a table for each network."""
    tool = shutil.which("ncu")
    cases = [case for case in run.cases("inference") if case["precision"] == "bf16"]
    largest = max((case["batch"] for case in cases), default=0)
    for case in [case for case in cases if case["batch"] == largest] if tool else []:
        sections = [word for section in SECTIONS for word in ("--section", section)]
        problem, text = run.execute(
            [tool, "--clock-control", "none", "--csv", "--page", "raw", "--print-units", "base", *sections,
             "--kernel-name", KERNELS, "--launch-count", MOST_KERNELS,
             run.path(case["program"]), "bench", "--json", "--runs", 1, *speed.weights_of(run, case)], 30)
        lines = [line for line in text.splitlines() if line.startswith('"')]
        path = run.out / f"counters-{case['model']}.csv"
        if not problem and lines:
            rows = list(csv.reader(io.StringIO("\n".join(lines))))
            kept = [i for i, name in enumerate(rows[0]) if KEPT.search(name)]
            with open(path, "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([row[i] for i in kept] for row in rows if len(row) == len(rows[0]))
        run.measured(case["name"], problem, f"{max(len(lines) - 2, 0)} kernels, {path.name}")
