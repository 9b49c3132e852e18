#!/usr/bin/env python3
"""Runs every op's documented example through vernier-opt: check_examples.py VERNIER_OPT VnOps.td...

Values that an example uses without defining become arguments of a function around it; their types are read from the
types after the colon, one per operand, or one for all.
"""
import re
import subprocess
import sys


def split_types(text):
    return re.findall(r"tensor<[^>]*>", text)


def wrap(example):
    if "vn.hole" in example:
        return example
    defined, arguments = set(), {}
    for statement in re.split(r"\n(?=\S)", example):
        statement = statement.split(" {\n")[0]  # what a region's ops use is defined in it
        left, _, right = statement.rpartition(" = ") if re.match(r"%[^\"]* = vn\.", statement) else ("", "", statement)
        body, _, types = right.partition(" :")
        operands = re.findall(r"%[\w]+", body)
        operand_types = split_types(types.split("->")[0])
        if len(operand_types) == 1:
            operand_types *= len(operands)
        for operand, operand_type in zip(operands, operand_types, strict=True):
            if operand not in defined:
                arguments[operand] = operand_type
        defined.update(re.findall(r"%[\w]+", left))
    signature = ", ".join(f"{name}: {type_}" for name, type_ in arguments.items())
    return f"func.func @example({signature}) {{\n{example}\nreturn\n}}\n"


def main():
    tool, paths = sys.argv[1], sys.argv[2:]
    failures = count = 0
    for path in paths:
        text = open(path).read()
        for definition in re.split(r"\n(?=def )", text):
            name = re.search(r'Vn_Op<"(\w+)"', definition)
            if not name:
                continue
            blocks = re.findall(r"```mlir\n(.*?)```", definition, re.S)
            count += 1
            if len(blocks) != 1 or "vn." + name.group(1) not in blocks[0]:
                print(f"{path}: vn.{name.group(1)} needs one example of itself")
                failures += 1
                continue
            lines = blocks[0].rstrip().split("\n")
            indent = min(len(line) - len(line.lstrip()) for line in lines)
            program = wrap("\n".join(line[indent:] for line in lines))
            result = subprocess.run([tool, "-"], input=program, capture_output=True, text=True)
            if result.returncode:
                print(f"{path}: the example of vn.{name.group(1)} fails:\n{program}{result.stderr}")
                failures += 1
    print(f"{count - failures} of {count} examples parse")
    return failures > 0 or count == 0


sys.exit(main())
