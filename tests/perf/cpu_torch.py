"""Makes PyTorch's wheel load without the CUDA libraries it is linked with, several gigabytes that a CPU never uses.

Each of them is replaced by a library of the same name whose functions return 100, cudaErrorNoDevice. Nothing on the
CPU's path calls them; torch.cuda.is_available() is false.
"""

import collections
import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

CUDA_LIBRARY = re.compile(r"lib(cu|nv|nccl)")
CUDA_FUNCTION = re.compile(r"cu|nv|nccl")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def missing_libraries(libraries):
    """The CUDA libraries that `libraries` need: for each, symbol version -> functions; "" for those without version."""
    versions_of = collections.defaultdict(set)
    functions_of = collections.defaultdict(set)
    defined = set()
    for library in libraries:
        needed = ""
        for line in output("readelf", "-dVW", library).splitlines():
            if found := re.search(r"\(NEEDED\).*\[(.*)\]|File: (\S+)", line):
                needed = found[1] or found[2]
                if CUDA_LIBRARY.match(needed):
                    versions_of[needed]  # a library may be needed without any version
            elif (found := re.search(r" Name: (\S+) ", line)) and needed in versions_of:
                versions_of[needed].add(found[1])
        for line in output("nm", "-D", library).splitlines():
            kind, symbol = line.split()[-2:]
            name, _, version = symbol.partition("@")
            if kind in "Uw":
                functions_of[version.lstrip("@")].add(name)
            else:
                defined.add(name)
    missing = {library: {version: functions_of[version] for version in versions}
               for library, versions in versions_of.items()}
    # Which library a function without version comes from is not recorded; the dynamic linker takes it from any.
    loose = {name for name in functions_of[""] - defined if CUDA_FUNCTION.match(name)}
    next(iter(missing.values()))[""] = loose
    return missing


def write_substitute(path, functions_of):
    names = sorted(set().union(*functions_of.values()))
    source = "".join(f"long {name}(void) {{ return 100; }}\n" for name in names)
    versions = "".join("%s { %s };\n" % (version, " ".join(f"{name};" for name in sorted(functions)))
                       for version, functions in functions_of.items() if version)
    with tempfile.NamedTemporaryFile("w", suffix=".map") as script:
        script.write(versions or "{ global: *; };\n")
        script.flush()
        subprocess.run(["cc", "-w", "-shared", "-fPIC", "-fno-builtin", "-xc", "-", "-o", path,
                        f"-Wl,-soname,{path.name}", f"-Wl,--version-script={script.name}"],
                       input=source, text=True, check=True)


def main():
    folder = pathlib.Path(importlib.util.find_spec("torch").origin).parent / "lib"
    present = sorted(folder.glob("lib*.so*"))
    for library, functions_of in missing_libraries(present).items():
        if not (folder / library).exists():
            write_substitute(folder / library, functions_of)
    subprocess.run([sys.executable, "-c", "import torch; assert not torch.cuda.is_available()"], check=True)


if __name__ == "__main__":
    main()
