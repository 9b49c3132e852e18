"""One peer in a process of its own: peer.py SPECIFICATION.json answers requests, one on each line of standard input.

The specification has the case, the peer's class, its options, `weights` and `threads`. A request with `output` (and
`input`, both npy) runs the peer once and writes what it computes; one with `runs` measures. Requests and answers are
JSON.
"""

import importlib
import json
import os
import sys
import time

import numpy as np
from safetensors.numpy import load_file

from networks import read_channels
from weights import tensor

WARM_UP = 2  # as the built executable's `bench`


def reset_peak():
    """Makes the highest resident size the present one: what compiling and converting took is forgotten."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def peak_bytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


def make_peer(specification):
    case = specification["case"]
    module, name = specification["peer"].split(".")
    channels = read_channels(case["configuration"]) if case["configuration"] else None
    weights = load_file(specification["weights"])
    make = getattr(importlib.import_module(module), name)
    return make(case, weights, channels, specification["threads"], **specification["options"])


def compute(peer, request):
    peer.prepare(np.load(request["input"]))
    np.save(request["output"], peer.run())
    return {}


def measure(peer, case, runs):
    peer.prepare(tensor("input", (case["batch"], 3, case["side"], case["side"]), "input"))
    seconds = []
    for run in range(WARM_UP + runs):
        if run == WARM_UP:
            reset_peak()
        begin = time.perf_counter()
        peer.run()
        seconds.append(time.perf_counter() - begin)
        if hasattr(peer, "finish"):
            peer.finish()
    result = {"milliseconds": float(np.median(seconds[WARM_UP:])) * 1e3, "peak_bytes": peak_bytes()}
    if hasattr(peer, "finish"):
        result["optimizer_milliseconds"] = float(np.median(peer.optimizer_seconds[-runs:])) * 1e3
    return result


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    with open(sys.argv[1]) as file:
        specification = json.load(file)
    peer = make_peer(specification)
    for line in sys.stdin:
        request = json.loads(line)
        if "output" in request:
            answer = compute(peer, request)
        else:
            answer = measure(peer, specification["case"], request["runs"])
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
