#!/usr/bin/env python3
"""Fails unless each numbered constraint of an op has a test labelled `vn.op (Cn)`: check_constraints.py TD... -- MLIR..."""
import re
import sys

separator = sys.argv.index("--")
tested = set()
for path in sys.argv[separator + 1:]:
    tested.update(re.findall(r"// vn\.(\w+) \(C(\d+)\)", open(path).read()))

# Inherited by `vn.fused_convolution` from `vn.convolution`, through the same function; two of them are tested again.
INHERITED = re.compile(r"- \(C(\d+)\) to \(C(\d+)\) as for")
missing = []
for path in sys.argv[1:separator]:
    for definition in re.split(r"\n(?=def )", open(path).read()):
        name = re.search(r'Vn_Op<"(\w+)"', definition)
        if not name:
            continue
        for number in re.findall(r"^ *- \(C(\d+)\)", INHERITED.sub("", definition), re.M):
            if (name.group(1), number) not in tested:
                missing.append(f"vn.{name.group(1)} (C{number})")
if missing:
    print("constraints without a test:", ", ".join(missing))
sys.exit(bool(missing))
