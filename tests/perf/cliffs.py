#!/usr/bin/env python3
"""Looks for cliffs: sizes at which building, or a byte or a multiply-add, takes much longer than at its neighbours.

Each row of a family differs from the next in one number only. A row's cost is nanoseconds per kilobyte moved, or per
million multiply-adds, of the kernels that compute the operation; its ratio is to the middle of its neighbours' costs, two
on each side. Above 2 it is marked, as is a build that takes twice its neighbours' time and more than two seconds.

  tests/perf/cliffs.py --vernier build/bin/vernier [--family NAME] [--cpu avx2] [--write docs/performance.md]
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

MARKERS = ("<!-- cliffs: begin -->", "<!-- cliffs: end -->")
CHANNELS = (1, 2, 3, 4, 8, 12, 16, 17, 31, 32, 33, 63, 64, 65, 128, 256, 512)
SIDES = {"pools": 112, "groups": 56}  # of maps; --side: of both
SIZES = (56, 60, 64, 96, 112, 120, 128, 144, 160, 192, 224, 240, 256)


class Case:
    """An operation on an image; `kernels`: how the names of its kernels begin (none: all but the layouts')."""

    def __init__(self, name, image, body, kernels=(), train=False, per="bytes", batch=1):
        self.name, self.image, self.body, self.kernels = name, image, body, kernels
        self.train, self.per, self.batch = train, per, batch

    def text(self):
        head = "" if not self.train else " |> global_avg_pool |> linear(4)"
        stem = "image" if not self.train else f"image |> conv({self.image[0]}, 1, bias = true)"
        return (f"network n() {{\n  input image: {list(self.image)}\n  x = {stem}\n  {self.body}{head}\n}}\n"
                "model m = n()\n")


def pools(kind, train):
    grad = kind.replace("avg", "average") + ("_gradient" if train else "")
    for step in ("1", "2", "whole"):
        for k in (2, 3, 5, 7, 9, 13, 21, 31, 56):
            stride = k if step == "whole" else int(step)
            padding = f", padding = {k // 2}" if step != "whole" and k % 2 else ""
            side = SIDES["pools"]
            yield Case(f"{k}x{k}, stride {stride}", (64, side, side), f"x |> {kind}({k}, stride = {stride}{padding})",
                       (grad,), train, batch=2 if train else 1)


def layouts(direction):
    for channels in (1, 3, 21, 64):
        for side in SIZES:
            body = "x |> conv(1, 1)" if direction == "from" else f"x |> conv({channels}, 1)"
            image = (channels if direction == "from" else 3, side, side)
            yield Case(f"{channels}x{side}x{side}", image, body, (f"{direction}_channels_first",))


def convolutions(what, train=False):
    def case(name, image, call):
        kernels = ("weight_gradient", "conv", "grouped", "winograd", "unpack") if train else ()
        return Case(name, image, f"x |> {call}", kernels, train, per="macs", batch=2 if train else 1)

    if what == "kernels":
        for k in (1, 2, 3, 4, 5, 7, 9, 11, 13, 15, 21, 31):
            yield case(f"{k}x{k}", (64, 56, 56), f"conv(64, {k}, padding = {k // 2})")
        for k in (1, 3, 5, 7, 11, 15, 31):
            yield case(f"depthwise {k}x{k}", (64, 56, 56), f"conv(64, {k}, groups = 64)")
    if what == "strides":
        for stride in (1, 2, 3, 4, 5, 7, 8):
            for k in (1, 3, 5):
                yield case(f"{k}x{k}, stride {stride}", (64, 112, 112), f"conv(64, {k}, stride = {stride})")
    if what == "dilations":
        for dilation in (1, 2, 3, 4, 6, 8, 12, 18):
            yield case(f"3x3, dilation {dilation}", (64, 56, 56), f"conv(64, 3, dilation = {dilation})")
    if what == "channels":
        for channels in CHANNELS:
            yield case(f"3x3, {channels} inputs", (channels, 56, 56), "conv(64, 3)")
        for channels in CHANNELS:
            yield case(f"3x3, {channels} outputs", (64, 56, 56), f"conv({channels}, 3)")
    if what == "groups":
        side = SIDES["groups"]
        for width in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 15, 16, 17, 20, 24, 31, 32, 33, 40, 48):
            yield case(f"{width} channels a group", (16 * width, side, side), f"conv({16 * width}, 3, groups = 16)")
        for inputs, outputs in ((1, 2), (1, 4), (2, 4), (4, 8), (2, 1), (4, 2), (8, 4), (4, 1), (8, 1)):
            yield case(f"{inputs} to {outputs} channels a group", (32 * inputs, side, side),
                       f"conv({32 * outputs}, 3, groups = 32)")
    if what == "sizes":
        for side in (1, 2, 3, 4, 5, 7, 8, 14, 15, 16, 28, 31, 32, 56, 63, 64, 112, 127, 128):
            yield case(f"3x3 on {side}x{side}", (128, side, side), "conv(128, 3)")
        for side in (1, 2, 3, 4, 5, 7, 8, 14, 15, 16, 28, 31, 32, 56, 63, 64, 112, 127, 128):
            yield case(f"1x1 on {side}x{side}", (128, side, side), "conv(128, 1)")
    if what == "linear":
        for inputs in (64, 255, 256, 257, 1024, 4095, 4096, 4097, 25088, 65536, 100000):
            yield case(f"{inputs} inputs", (inputs, 1, 1), "linear(128)")
        for outputs in (1, 2, 10, 16, 100, 1000, 1024, 10000):
            yield case(f"{outputs} outputs", (1024, 1, 1), f"linear({outputs})")


def resizes(mode, train):
    kernels = ("resize_gradient" if train else "resize",)
    for factor in (2, 3, 4, 7, 8, 14, 16, 28):
        side = 224 // factor
        yield Case(f"{side} to {side * factor}", (32, side, side), f"x |> resize({mode}, size = [{side * factor}, {side * factor}])",
                   kernels, train)
    for factor in (2, 3, 4, 7, 8, 14, 16, 28):
        side = 224 // factor
        yield Case(f"{side * factor} to {side}", (32, side * factor, side * factor), f"x |> resize({mode}, size = [{side}, {side}])",
                   kernels, train)


def maps(train):
    """Operations that move bytes, over channels and sizes."""
    for channels in (1, 2, 3, 4, 8, 15, 16, 17, 31, 32, 33, 64, 65, 128, 512, 1024):
        side = max(1, int((1 << 19) / channels) ** 0.5 // 1)
        side = int(side)
        image = (channels, side, side)
        for name, body, kernels in (
                ("relu of a sum", "a = x |> relu\n  (a + (x |> sigmoid)) |> relu", ("add",)),
                ("global average", "x |> relu |> global_avg_pool", ("global",)),
                ("replicate", "x |> pad(1, mode = replicate)", ("pad",)),
                ("gate", "x |> multiply(x |> global_avg_pool |> sigmoid)", ("multiply",)),
                ("concat", "concat([x, x |> relu, x])", ("copy",))):
            yield Case(f"{name}, {channels} channels", image, body, kernels, train)


def batch_norms():
    for channels, side in ((8, 1), (64, 1), (512, 1), (4096, 1), (64, 2), (64, 4), (64, 7), (64, 14), (64, 28), (64, 56),
                           (64, 112), (1, 112), (3, 112), (15, 112), (16, 112), (17, 112), (256, 28), (1024, 14)):
        yield Case(f"{channels}x{side}x{side}", (channels, side, side), "x |> max_pool(1) |> batch_norm |> relu",
                   ("batch", "affine", "update"), True, batch=8)


def concats():
    for parts in (2, 4, 8, 16, 32, 64, 128):
        yield Case(f"{parts} parts", (128, 28, 28), f"concat(for s in split(x, {parts}): s |> relu)", ("activate", "copy"))


FAMILIES = {
    "max_pool": lambda: pools("max_pool", False),
    "avg_pool": lambda: pools("avg_pool", False),
    "max_pool, gradient": lambda: pools("max_pool", True),
    "avg_pool, gradient": lambda: pools("avg_pool", True),
    "input layout": lambda: layouts("from"),
    "output layout": lambda: layouts("to"),
    "conv, kernels": lambda: convolutions("kernels"),
    "conv, strides": lambda: convolutions("strides"),
    "conv, dilations": lambda: convolutions("dilations"),
    "conv, channels": lambda: convolutions("channels"),
    "conv, groups": lambda: convolutions("groups"),
    "conv, sizes": lambda: convolutions("sizes"),
    "linear": lambda: convolutions("linear"),
    "conv gradients, kernels": lambda: convolutions("kernels", True),
    "conv gradients, strides": lambda: convolutions("strides", True),
    "conv gradients, channels": lambda: convolutions("channels", True),
    "conv gradients, groups": lambda: convolutions("groups", True),
    "linear, gradients": lambda: convolutions("linear", True),
    "nearest": lambda: resizes("nearest", False),
    "bilinear": lambda: resizes("bilinear", False),
    "nearest, gradient": lambda: resizes("nearest", True),
    "bilinear, gradient": lambda: resizes("bilinear", True),
    "maps": lambda: maps(False),
    "batch norm in training": batch_norms,
    "concat": concats,
}


def measure(case, options, folder):
    """Seconds to build; milliseconds, bytes and multiply-adds of a run; the kernels' names."""
    source = folder / "case.vn"
    source.write_text(case.text())
    build = [options.vernier, "build", source, "--model", "m", "--batch", str(case.batch), "-o", folder / "out",
             *(["--for", "train"] if case.train else []), *(["--cpu", options.cpu] if options.cpu else []),
             *(["--precision", "bf16"] if options.precision == "bf16" and not case.train else [])]
    begin = time.monotonic()
    done = subprocess.run(build, capture_output=True, text=True, timeout=600)
    seconds = time.monotonic() - begin
    if done.returncode:
        raise RuntimeError(f"{case.name}: {done.stdout}{done.stderr}")
    bench = [folder / "out" / "m", "bench", "--layers", "--json", "--threads", str(options.threads), "--runs",
             str(options.runs), *(["--train"] if case.train else [])]
    result = json.loads(subprocess.run(bench, capture_output=True, text=True, check=True).stdout)
    layout = ("from_channels_first", "to_channels_first")
    steps = [step for step in result["layers"]
             if (step["kernel"].startswith(case.kernels) if case.kernels else not step["kernel"].startswith(layout))]
    if not steps:
        return seconds, 0, 0, []
    return (seconds, sum(step["milliseconds"] for step in steps), sum(step[case.per] for step in steps),
            [step["kernel"] for step in steps])


def with_ratios(rows):
    """Adds to each row its cost and build time over the middle of its neighbours', two on each side."""
    for i, row in enumerate(rows):
        around = rows[max(0, i - 2):i] + rows[i + 1:i + 3]
        for key in ("cost", "seconds"):
            middle = statistics.median(other[key] for other in around) if around else row[key]
            row[key + " ratio"] = row[key] / middle if middle else 1


def table(name, rows, per):
    unit = "ns per KB" if per == "bytes" else "ns per million multiply-adds"
    yield f"| {name} | build, s | ms | {unit} | of its neighbours' | |"
    yield "| --- | ---: | ---: | ---: | ---: | --- |"
    for row in rows:
        marks = ["slow"] * (row["cost ratio"] > 2 and row["ms"] > 0.01) + \
                ["slow to build"] * (row["seconds ratio"] > 2 and row["seconds"] > 2)
        yield (f"| {row['name']} | {row['seconds']:.1f} | {row['ms']:.3f} | {row['cost']:.1f} | {row['cost ratio']:.2f} | "
               f"{', '.join(marks)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vernier", default="build/bin/vernier")
    parser.add_argument("--family", action="append", choices=list(FAMILIES), metavar="NAME", help=", ".join(FAMILIES))
    parser.add_argument("--cpu", help="another target than this machine's")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--side", type=int, help="of the maps of pools and groups: small ones where a machine is busy")
    parser.add_argument("--write", type=pathlib.Path, help="put the tables between this file's markers")
    options = parser.parse_args()
    if options.side:
        SIDES.update(pools=options.side, groups=options.side)
    lines = []
    for name in options.family or FAMILIES:
        rows = []
        per = "bytes"
        for case in FAMILIES[name]():
            with tempfile.TemporaryDirectory() as folder:
                try:
                    seconds, ms, amount, kernels = measure(case, options, pathlib.Path(folder))
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    print(f"{name}: {case.name}: {error}", file=sys.stderr)
                    continue
            if not amount:
                print(f"{name}: {case.name}: no kernel named {case.kernels}", file=sys.stderr)
                continue
            per = case.per
            scale = 1e6 * (1024 if per == "bytes" else 1e6)
            rows.append({"name": case.name, "seconds": seconds, "ms": ms, "cost": ms * scale / amount})
            print(f"{name}: {case.name}: {seconds:.1f} s, {ms:.3f} ms, {rows[-1]['cost']:.1f}  {' '.join(kernels)[:100]}",
                  file=sys.stderr, flush=True)
        with_ratios(rows)
        lines += [*table(name, rows, per), ""]
    text = "\n".join(lines)
    if not options.write:
        print(text)
        return
    page = options.write.read_text()
    before, rest = page.split(MARKERS[0], 1)
    options.write.write_text(f"{before}{MARKERS[0]}\n{text}{MARKERS[1]}{rest.split(MARKERS[1], 1)[1]}")


if __name__ == "__main__":
    main()
