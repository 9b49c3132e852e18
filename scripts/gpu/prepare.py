#!/usr/bin/env python3
"""Makes the folder that check.sh runs from on a machine with a GPU: programs, what they should compute, PyTorch's twins.

    scripts/gpu/prepare.sh OUT [--parts kernels,...] [--only REGEX] [--target cuda]

OUT holds check.sh with the Python that it needs, manifest.json, which says what there is, and the programs with their
shared libraries and data in payload.tar.xz. Programs are kept in BUILD_DIR/gpu: what has not changed is not built again. A program
that the compiler refuses is left out, and the manifest says why.
"""

import argparse
import datetime
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import arrays
import cases
from cases import Program

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 60_000_000
PARTS = ("primitives", "kernels", "updates", "goldens", "inference", "training", "longer")
TARGETS = ("cuda", "cuda-emulated", "cpu")
# Of glibc and the driver: the machine's own.
SYSTEM_LIBRARIES = re.compile(r"(linux-vdso|ld-linux.*|lib(c|m|dl|rt|pthread|cuda))\.so\b.*")
TRAVELS = ("check.sh", "check.py", "compare.py", "counters.py", "speed.py", "arrays.py", "peers.py")
PEERS = ("networks.py", "torch_peer.py", "weights.py")


class Failure(Exception):
    """What went wrong, for the person."""


def run(command, **options):
    """Output of a command that succeeds."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failure((done.stderr or done.stdout).strip() or f"{command[0]}: exit status {done.returncode}")
    return done.stdout


def parameters(program):
    """name -> shape, as the program's `info` lists them."""
    found = re.findall(r"^(\S+)  +\[([\d, ]+)\]$", run([program, "info"]), re.MULTILINE)
    return {name: [int(extent) for extent in extents.split(",")] for name, extents in found}


def digest(*parts):
    """Of texts, files and the files of folders."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for path in sorted(p for p in (part.rglob("*") if part.is_dir() else [part]) if p.is_file()):
                total.update(str(path.relative_to(part)).encode() + path.read_bytes())
        else:
            total.update(str(part).encode())
        total.update(b"\0")
    return total.hexdigest()


class Compiler:
    """`vernier build`, which keeps what it has built."""

    def __init__(self, options):
        self.build, self.kept = options.build, options.build / "gpu"
        self.vernier = self.build / "bin/vernier"
        if not self.vernier.is_file():
            raise Failure(f"there is no {self.vernier}: run scripts/build.sh")
        libraries = sorted((self.build / "lib").glob("libvernier_*main.a"))
        libraries += [self.build / "lib" / name for name in ("libvernier_program.a", "libvernier_runtime.a",
                                                             "libvernier_cuda_emulation.a")]
        self.version = digest(self.vernier, self.build / "include", ROOT / "models", *(p for p in libraries if p.exists()))
        self.target, self.architectures = options.target, options.cuda_arch

    def program(self, program, target=None):
        """Its executable, without symbols."""
        target = target or self.target
        specification = ROOT / "models" / program.specification  # an absolute path stays as it is
        words = [self.vernier, "build", specification, "--model", program.model, "--for", program.purpose, "--batch",
                 program.batch, "--precision", program.precision, "--target", target, *program.options]
        if program.configuration:
            words += ["--config", ROOT / "models/configurations" / program.configuration]
        if target == "cuda":
            words += ["--cuda-arch", self.architectures]
        name = f"{target}-{program.name}-{digest(*map(str, words))[:8]}"
        kept = self.kept / f"{name}-{digest(self.version, *words)[:16]}"
        if kept.is_file():
            return kept
        self.kept.mkdir(parents=True, exist_ok=True)
        for old in self.kept.glob(f"{name}-*"):  # of another version
            old.unlink(missing_ok=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self.kept) as folder:  # others may prepare at the same time
            stripped = Path(folder, "stripped")
            run([*words, "-o", Path(folder, "built"), "-q"])
            run(["strip", "-o", stripped, Path(folder, "built", program.model)])
            os.replace(stripped, kept)
        say(f"{program.name} for {target}: {kept.stat().st_size / 1e6:.1f} MB, {time.monotonic() - began:.0f} s")
        return kept


def say(text):
    print(text, file=sys.stderr, flush=True)


class Preparation:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.payload = folder / "payload"
        self.payload.mkdir()
        self.compiler = Compiler(options)
        self.emulated = options.target == "cuda-emulated"
        self.manifest = {"revision": run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"]).strip(),
                         "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                         "target": options.target,
                         "architectures": options.cuda_arch if options.target == "cuda" else "",
                         "missing": [], "primitives": [], "kernels": [], "updates": [], "goldens": [], "inference": [],
                         "training": [], "longer": []}

    def wanted(self, name):
        return re.search(self.options.only, name) is not None

    def put(self, source, *place):
        target = self.payload.joinpath(*place)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copyfile(source, target)
            target.chmod(source.stat().st_mode & 0o777)
        return "/".join(place)

    def built(self, program):
        """The program's place in the payload; None where the compiler refuses it."""
        try:
            return self.put(self.compiler.program(program), "programs", program.name)
        except Failure as failure:
            say(f"{program.name}: left out: {failure}")
            self.manifest["missing"].append({"name": program.name, "why": str(failure)})
            return None

    # --- parts

    def primitives(self):
        if self.options.target == "cpu":
            return
        dump = self.compiler.build / "bin/cuda_primitives_dump"
        expected = self.payload / "primitives.txt"
        run([dump, "--dump", expected])
        if self.emulated:
            program = self.put(dump, "programs", "primitives")
        else:
            nvcc = run([ROOT / "scripts/setup_cuda.sh", "--find"]).strip()
            name = self.options.cuda_arch.split(",")[0]
            program = "programs/primitives"
            (self.payload / "programs").mkdir(exist_ok=True)
            run([nvcc, "-std=c++20", "-O3", f"-gencode=arch=compute_{name},code=sm_{name}", f"-I{ROOT}", "-x", "cu",
                 ROOT / "tests/cuda/PrimitivesMain.cpp", "-o", self.payload / program])
        self.manifest["primitives"].append({"name": "primitives", "program": program, "expected": "primitives.txt"})

    def small_networks(self):
        """Specification, model, options and precisions."""
        specification = ROOT / "tests/tools/verify_networks.vn"
        for model in cases.SMALL:
            if self.wanted(model):
                yield specification, model, 3, (), cases.PRECISIONS
        sys.path.insert(0, str(ROOT / "tests/random"))
        import networks
        for seed in cases.RANDOM_SEEDS:
            model = f"random{seed}"
            if not self.wanted(model):
                continue
            network = networks.draw(seed)
            folder = self.compiler.kept / "networks"
            folder.mkdir(parents=True, exist_ok=True)
            text = re.sub(r"\bmodel m = ", f"model {model} = ", network.text)
            (folder / f"{model}.vn").write_text(text, encoding="utf-8")
            options = ()
            if network.configuration:
                (folder / f"{model}.toml").write_text("[holes]\n" + network.configuration, encoding="utf-8")
                options = ("--config", folder / f"{model}.toml")
            yield folder / f"{model}.vn", model, network.batch, options, ("f32",)

    def kernels(self):
        for specification, model, batch, options, precisions in self.small_networks():
            reference = self.compiler.program(Program(str(specification), model, batch=batch,
                                                      options=(*options, "--no-winograd")), "cpu")
            folder = self.payload / "data" / model
            folder.mkdir(parents=True, exist_ok=True)
            tensors = {name: (shape, arrays.parameter(name, shape)) for name, shape in parameters(reference).items()}
            arrays.write_safetensors(folder / "weights.safetensors", tensors)
            facts = re.search(r"^input +(\d+) images? of (\d+) x (\d+) x (\d+)$", run([reference, "info"]), re.MULTILINE)
            shape = [batch + 1, *map(int, facts.groups()[1:])]  # the last call is not full
            arrays.write_npy(folder / "input.npy", shape, arrays.image(shape))
            run([reference, "run", "--input", folder / "input.npy", "--output", folder / "expected.npy", "--weights",
                 folder / "weights.safetensors"])
            for precision in precisions:
                program = self.built(Program(str(specification), model, precision, batch, options=options))
                if program:
                    self.manifest["kernels"].append(
                        {"name": f"{model} {precision}", "program": program, "weights": f"data/{model}/weights.safetensors",
                         "input": f"data/{model}/input.npy", "limit": cases.LIMITS[precision],
                         "outputs": {path.name.replace("expected", "output", 1): f"data/{model}/{path.name}"
                                     for path in sorted(folder.glob("expected*.npy"))}})

    def updates(self):
        """A few steps of training, beside the CPU's."""
        for case in cases.UPDATED:
            if self.wanted(f"update {case[0]}"):
                self.update(*case)

    def update(self, model, image, targets, recipe):
        batch = 4
        specification = str(ROOT / "tests/tools/verify_networks.vn")
        reference = self.compiler.program(Program(specification, model, batch=batch, purpose="train",
                                                  options=("--no-winograd",)), "cpu")
        folder = self.payload / "data" / f"update-{model}"
        folder.mkdir(parents=True, exist_ok=True)
        weights = folder / "weights.safetensors"
        arrays.write_safetensors(weights, {name: (shape, arrays.parameter(name, shape))
                                           for name, shape in parameters(reference).items()})
        for split, count in (("train", 4 * batch), ("test", batch)):
            shape = [count, *image]
            arrays.write_npy(folder / f"{split}-arrays.npy", shape, arrays.image(shape, split))
            for name, (each, classes) in targets.items():
                shape = [count, *each]
                values = [i % classes for i in range(math.prod(shape))] if classes else map(abs, arrays.image(shape, name))
                arrays.write_npy(folder / f"{split}-{name}.npy", shape, values)
        (folder / "recipe.toml").write_text(f"epochs = 2\n{recipe}\n\n[optimizer]\nlearning_rate = 0.02\n"
                                            "nesterov = true\nweight_decay = 1e-3\n", encoding="utf-8")
        with tempfile.TemporaryDirectory() as trained:
            run([reference, "train", "--data", folder, "--recipe", folder / "recipe.toml", "--out", trained, "--weights", weights,
                 "-q"])
            shutil.copyfile(Path(trained, "weights.safetensors"), folder / "expected.safetensors")
        program = self.built(Program(specification, model, batch=batch, purpose="train"))
        if program:
            self.manifest["updates"].append({"name": f"update {model} f32", "program": program,
                                             "data": f"data/update-{model}", "limit": cases.UPDATE_LIMIT})

    def record(self, network):
        if not (self.payload / "programs/golden-weights").exists():
            self.put(self.compiler.build / "bin/golden-weights", "programs", "golden-weights")
        return self.put(ROOT / "tests/golden" / network.record, "records", network.record)

    def goldens(self):
        for network, program in cases.inference_programs():
            if not self.wanted(f"{network.model} {program.precision} batch {program.batch}"):
                continue
            if place := self.built(program):
                self.manifest["goldens"].append(
                    {"name": f"{network.model} {program.precision} batch {program.batch}", "program": place, "model": network.model,
                     "record": self.record(network), "limit": cases.LIMITS[program.precision]})

    def speed(self, part, programs):
        for network, program in programs:
            name = f"{network.model} {program.precision} batch {program.batch}"
            if self.wanted(name) and (place := self.built(program)):
                entry = {"name": name, "program": place, "model": network.model, "batch": program.batch,
                         "precision": program.precision}
                if network.record:
                    entry["record"] = self.record(network)
                if network.configuration:
                    entry["configuration"] = self.put(ROOT / "models/configurations" / network.configuration, "configurations",
                                                      network.configuration)
                self.manifest[part].append(entry)

    def inference(self):
        self.speed("inference", cases.inference_programs())

    def training(self):
        self.speed("training", cases.training_programs())

    def longer(self):
        """A training on CIFAR-100, or on images that check.py draws in its place."""
        network, program = next(iter(cases.training_programs()))
        if self.wanted(f"longer {network.model}") and (place := self.built(program)):
            recipe = (ROOT / "models/recipes/cifar.toml").read_text(encoding="utf-8")
            recipe = re.sub(r"^batch = .*$", f"batch = {program.batch}", recipe, flags=re.MULTILINE)
            recipe = re.sub(r"^milestones = .*$", "milestones = [2]", recipe, flags=re.MULTILINE)
            (self.payload / "recipe.toml").write_text(recipe, encoding="utf-8")
            self.manifest["longer"].append({"name": f"longer {network.model}", "program": place, "recipe": "recipe.toml",
                                            "epochs": 3})

    # --- all of it

    def shared_libraries(self):
        """Beside the programs, all that they load but for the C library's."""
        missing = []
        for program in sorted((self.payload / "programs").glob("*")):
            for line in run(["ldd", program]).splitlines():
                name, _, place = line.strip().partition(" => ")
                if SYSTEM_LIBRARIES.match(Path(name.split()[0]).name):
                    continue
                if not place.startswith("/"):
                    missing.append(f"{program.name} needs {name}, which is not found")
                    continue
                self.put(Path(place.split()[0]).resolve(), "lib", name)
        if missing:
            raise Failure("\n".join(missing))

    def pack(self):
        shutil.copytree(ROOT / "scripts/gpu", self.folder, dirs_exist_ok=True,
                        ignore=lambda _, names: [name for name in names if name not in TRAVELS])
        for name in PEERS:
            shutil.copyfile(ROOT / "tests/perf" / name, self.folder / name)
        (self.folder / "manifest.json").write_text(json.dumps(self.manifest, indent=1) + "\n", encoding="utf-8")
        # Programs of one network have most of their bytes in common: side by side, in one stream.
        with tarfile.open(self.folder / "payload.tar.xz", "w:xz", preset=9) as archive:
            for path in sorted(p for p in self.payload.rglob("*") if p.is_file()):
                archive.add(path, path.relative_to(self.payload))
        shutil.rmtree(self.payload)
        size = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        if size > MOST_BYTES:
            raise Failure(f"the folder would have {size / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.0f}: leave out some by --parts or --only")
        return size


def main():
    parser = argparse.ArgumentParser(prog="prepare.sh", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="the folder, which must not be there yet")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"comma-separated, of {', '.join(PARTS)} (all)")
    parser.add_argument("--only", default="", metavar="REGEX", help="of networks and cases those whose names match")
    parser.add_argument("--target", choices=TARGETS, default="cuda",
                        help="cuda-emulated and cpu make a rehearsal, which needs no GPU")
    parser.add_argument("--cuda-arch", default="90a", help="compute capabilities of the GPU (90a: Hopper)")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.build, out = options.build.resolve(), options.out.resolve()
    scratch = out.with_name(out.name + ".tmp")
    try:
        parts = options.parts.split(",")
        if unknown := [part for part in parts if part not in PARTS]:
            raise Failure(f"there is no part `{unknown[0]}`: {', '.join(PARTS)}")
        try:
            re.compile(options.only)
        except re.error as error:
            raise Failure(f"--only: {error}") from None
        if out.exists():
            raise Failure(f"{options.out} is there already")
        scratch.mkdir(parents=True)
        try:
            preparation = Preparation(options, scratch)
            for part in PARTS:
                if part in parts:
                    getattr(preparation, part)()
            preparation.shared_libraries()
            size = preparation.pack()
            os.replace(scratch, out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except (Failure, OSError) as failure:
        say(f"prepare: {failure}")
        return 1
    counts = ", ".join(f"{len(preparation.manifest[part])} {part}" for part in PARTS if preparation.manifest[part])
    print(f"{options.out}: {size / 1e6:.1f} MB; {counts}; {len(preparation.manifest['missing'])} left out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
