"""One idea per file: past 800 lines there are two files in it."""

import sources

LIMIT = 800
SUFFIXES = (".h", ".c", ".cpp", ".cuh", ".cu", ".td", ".py", ".sh", ".vn", ".cmake", ".txt", ".mlir")


def check(root):
    violations = []
    for path in sources.project_files(root):
        if path.suffix not in SUFFIXES:
            continue
        lines = len((root / path).read_text(encoding="utf-8").splitlines())
        if lines > LIMIT:
            violations.append(f"{path}: {lines} lines, more than {LIMIT}")
    return violations


if __name__ == "__main__":
    sources.run(check)
