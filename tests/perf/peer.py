"""One measurement of one peer in a process of its own: peer.py SPECIFICATION.json prints JSON.

The specification has the case, `peer`, `weights`, `runs`, `threads`, and optionally `input` and `output` (npy): then the
peer runs once on the input and writes what it computes instead of measuring.
"""

import importlib
import json
import resource
import sys
import time

import numpy as np
from safetensors.numpy import load_file

from networks import read_channels
from weights import tensor

WARM_UP = 2  # as the built executable's `bench`


def main():
    with open(sys.argv[1]) as file:
        specification = json.load(file)
    case = specification["case"]
    module, name = specification["peer"].split(".")
    channels = read_channels(case["configuration"]) if case["configuration"] else None
    make = getattr(importlib.import_module(module), name)
    peer = make(case, load_file(specification["weights"]), channels, specification["threads"])
    if "output" in specification:
        peer.prepare(np.load(specification["input"]))
        np.save(specification["output"], peer.run())
        return
    peer.prepare(tensor("input", (case["batch"], 3, case["side"], case["side"]), "input"))
    seconds = []
    for run in range(WARM_UP + specification["runs"]):
        begin = time.perf_counter()
        peer.run()
        seconds.append(time.perf_counter() - begin)
        if hasattr(peer, "finish"):
            peer.finish()
    result = {
        "milliseconds": float(np.median(seconds[WARM_UP:])) * 1e3,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    if hasattr(peer, "finish"):
        result["optimizer_milliseconds"] = float(np.median(peer.optimizer_seconds[WARM_UP:])) * 1e3
    print(json.dumps(result))


if __name__ == "__main__":
    main()
