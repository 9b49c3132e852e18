#!/usr/bin/env python3
"""Whether two compilers make the same programs: what a refactoring has to prove.

    tests/codegen/program_records.py record FILE [--vernier VERNIER] [--jobs N] [--quick]
    tests/codegen/program_records.py compare OLD NEW

`record` builds six networks for inference, training and bf16 and writes, of each, the names of its kernels, the hash of each
object of kernels, and the hash of the object with the tables: steps, operands' places in memory, parameters. `--quick` leaves
out all but three of the builds. `compare` names what differs and ends with status 1 where anything does. Objects depend on
how many CPUs share the kernels: record both on one machine, with compilers that are both built from committed files.
"""

import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
NETWORKS = {
    "resnet50": ("resnet.vn",),
    "scalenet50": ("scalenet.vn", "--config", MODELS / "configurations/scalenet50.toml"),
    "res2net50_26w_4s": ("res2net.vn",),
    "dla60x_elastic": ("dla_elastic.vn",),
    "shufflenet_v2_x1_0": ("shufflenet_v2.vn",),
    "rs_resnet50": ("resizable_resnet.vn",), # with open holes
}
KINDS = {"infer": (), "train": ("--for", "train", "--batch", "4"), "bf16": ("--precision", "bf16")}
QUICK = (("scalenet50", "infer"), ("dla60x_elastic", "train"), ("resnet50", "bf16"))
REVISION = re.compile(rb"(?<=revision )[0-9a-f]{10}(-dirty)?") # of the compiler, in the model's description


def run(*command, folder=None):
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def record(vernier, network, kind):
    """Of one program. The CPU is one that every machine can compile for."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        file, *options = NETWORKS[network]
        run(vernier, "build", MODELS / "networks" / file, "--model", network, "--cpu", "avx512bf16", "--quiet",
            *options, *KINDS[kind], "-o", folder)
        library = folder / f"lib{network}.a"
        symbols = re.findall(r" [Tt] (\S+)$", run("nm", library), re.MULTILINE)
        objects = run("ar", "t", library).split()
        run("ar", "x", library.name, folder=folder)
        hashes = [hashlib.sha256(REVISION.sub(b"", (folder / name).read_bytes())).hexdigest() for name in objects]
        return {"kernels": sorted(symbols), "objects": hashes[:-1], "tables": hashes[-1]}


def differences(old, new):
    for name in sorted(old.keys() | new.keys()):
        a, b = old.get(name), new.get(name)
        if a is None or b is None:
            yield f"{name}: is recorded once only"
            continue
        gone, come = sorted(set(a["kernels"]) - set(b["kernels"])), sorted(set(b["kernels"]) - set(a["kernels"]))
        if gone or come:
            yield f"{name}: {len(gone)} kernels are gone ({', '.join(gone[:4])}), {len(come)} are new ({', '.join(come[:4])})"
        elif a["objects"] != b["objects"]:
            yield f"{name}: the kernels have the same names and other code"
        if a["tables"] != b["tables"]:
            yield f"{name}: the steps or the places of their operands differ"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("file", type=pathlib.Path)
    recording.add_argument("--vernier", type=pathlib.Path, default=ROOT / "build/bin/vernier")
    recording.add_argument("--jobs", type=int, default=2)
    recording.add_argument("--quick", action="store_true")
    comparing = commands.add_parser("compare")
    comparing.add_argument("old", type=pathlib.Path)
    comparing.add_argument("new", type=pathlib.Path)
    options = parser.parse_args()
    if options.command == "record":
        chosen = QUICK if options.quick else [(network, kind) for network in NETWORKS for kind in KINDS]
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            made = pool.map(lambda pair: record(options.vernier, *pair), chosen)
            found = {"/".join(pair): entry for pair, entry in zip(chosen, made)}
        options.file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"{len(found)} programs, {sum(len(entry['kernels']) for entry in found.values())} kernels")
        return
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (options.old, options.new))
    found = list(differences({name: entry for name, entry in old.items() if name in new}, new))
    print("\n".join(found) if found else f"{len(new)} programs are the same")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
