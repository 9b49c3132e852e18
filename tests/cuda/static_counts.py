"""What nvcc makes of the kernels of ConvolutionKernels.cu, compared with a table: registers of a thread, bytes that it spills, bytes of
static shared memory, tensor-core instructions in the code. --write writes the table anew.

Counts are of one release of nvcc, which the table names; exit status 77, and the reason, where there is another or none.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import compile_with_nvcc

SOURCE = Path("tests/cuda/ConvolutionKernels.cu")
ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\w+)'")
MANGLED = re.compile(r"_Z(\d+)(\w+)")


def name_of(symbol):
    length, rest = MANGLED.match(symbol).groups()
    return rest[:int(length)]


def release_of(nvcc):
    return re.search(r"release ([\d.]+)", subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout).group(1)


def count(nvcc, root, architecture):
    """[line of the table] in the order of names."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [nvcc, "-std=c++20", "-O3", f"-I{root}", f"-arch=sm_{architecture}", "-Xptxas", "-v", "--keep", "--keep-dir", folder,
             "-cubin", "-o", Path(folder, "kernels.cubin"), root / SOURCE], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)
        tensor, current = {}, None
        for line in Path(folder, SOURCE.stem + ".ptx").read_text(encoding="utf-8").splitlines():
            entry = re.match(r"\.visible \.entry (\w+)", line)
            current = entry.group(1) if entry else current
            if re.search(r"\bmma\.sync\b|\bwgmma\.mma_async\b", line):
                tensor[current] = tensor.get(current, 0) + 1
    lines, report = [], done.stdout + done.stderr
    if slower := re.search(r".*Performance Loss.*", report):  # products of warp groups one by one
        sys.exit(slower.group())
    for part in re.split(r"(?=ptxas info +: Compiling entry)", report)[1:]:
        symbol = ENTRY.search(part).group(1)
        spills = sum(int(n) for n in re.findall(r"(\d+) bytes spill", part))
        registers = int(re.search(r"Used (\d+) registers", part).group(1))
        shared = re.search(r"(\d+) bytes smem", part)
        lines.append(f"sm_{architecture} {name_of(symbol)} registers {registers} spills {spills} "
                     f"shared {shared.group(1) if shared else 0} tensor {tensor.get(symbol, 0)}")
    return sorted(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    root = options.root.resolve()
    nvcc = compile_with_nvcc.compiler(root)
    release = f"release {release_of(nvcc)}"
    expected = [] if options.write else options.table.read_text(encoding="utf-8").splitlines()
    if not options.write and expected[0] != release:
        print(f"skipped: the table is of {expected[0]}, nvcc is {release}")
        sys.exit(77)
    with ThreadPoolExecutor(2) as pool:
        found = [release] + [line for lines in pool.map(lambda name: count(nvcc, root, name), compile_with_nvcc.ARCHITECTURES)
                             for line in lines]
    if options.write:
        options.table.write_text("\n".join(found) + "\n", encoding="utf-8")
        return
    differences = [f"- {line}" for line in expected if line not in found] + [f"+ {line}" for line in found if line not in expected]
    for line in differences:
        print(line)
    print(f"{len(found) - 1} kernels, {len(differences)} lines differ"
          + ("; tests/cuda/static_counts.py ROOT TABLE --write, if they should" if differences else ""))
    sys.exit(1 if differences or len(found) < 2 else 0)


if __name__ == "__main__":
    main()
