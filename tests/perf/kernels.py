"""Where the time goes: the steps of `M bench --layers` summed up by kind of kernel."""

import collections
import re

CONVOLUTION = re.compile(r"(?P<before>[a-z0-9_]*?)conv(?P<rows>\d+)s(?P<step>\d+)\w*?x(?P<columns>\d+)s")


def kind_of(kernel):
    """The kind in words, read off the kernel's name (docs/kernel-names.md)."""
    if found := CONVOLUTION.match(kernel):
        stride = "" if found["step"] == "1" else f", stride {found['step']}"
        grouped = found["before"].startswith("grouped") or re.search(r"_wg\d+_", kernel)
        before = "grouped " if grouped else found["before"].replace("_", " ")
        return f"{before}convolution {found['rows']}x{found['columns']}{stride}"
    return re.match(r"[a-z]+(?:_[a-z]{2,})*", kernel)[0].replace("_", " ")


def summary(layers, smallest_share=0.01):
    """Rows [kind, steps, ms, share, GMACs, GFLOP/s, of peak, GB/s], the longest first; small ones in one row."""
    sums = collections.defaultdict(lambda: {"steps": 0, "milliseconds": 0.0, "macs": 0, "bytes": 0})
    total = sum(step["milliseconds"] for step in layers["steps"])
    for step in layers["steps"]:
        sums[kind_of(step["kernel"])]["steps"] += 1
        for key in ("milliseconds", "macs", "bytes"):
            sums[kind_of(step["kernel"])][key] += step[key]
    small = [kind for kind, found in sums.items() if found["milliseconds"] < smallest_share * total]
    if len(small) > 1:
        rest = [sums.pop(kind) for kind in small]
        sums["the rest"] = {key: sum(found[key] for found in rest) for key in rest[0]}
    for kind, found in sorted(sums.items(), key=lambda item: (item[0] == "the rest", -item[1]["milliseconds"])):
        seconds = found["milliseconds"] * 1e-3
        speed = 2 * found["macs"] / seconds
        yield [kind, str(found["steps"]), f"{found['milliseconds']:.2f}", f"{100 * found['milliseconds'] / total:.1f}%",
               *([f"{found['macs'] * 1e-9:.2f}", f"{speed * 1e-9:.0f}", f"{100 * speed / layers['fma_peak']:.0f}%"]
                 if found["macs"] else ["", "", ""]),
               f"{found['bytes'] / seconds * 1e-9:.1f}"]
