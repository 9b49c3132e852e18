"""docs/extending.md names what there is: its block is the example's, and its tables' second column is found in the file."""

import re
from pathlib import Path

import sources

PAGE, EXAMPLE = Path("docs/extending.md"), Path("examples/custom_block/gated_dilations.vn")
ROW = re.compile(r"^\| `([\w./-]+)` \| `([^`]+)` \|", re.MULTILINE)
MENTIONED = re.compile(r"`((?:dsl|compiler|codegen|driver|tools|runtime|tests|examples|docs)/[\w./-]+)`")


def check(root):
    page = (root / PAGE).read_text(encoding="utf-8")
    violations = []
    if "```vernier\n" + (root / EXAMPLE).read_text(encoding="utf-8") + "```" not in page:
        violations.append(f"{PAGE}: does not show {EXAMPLE} as it is")
    violations += [f"{PAGE}: there is no {path}" for path in MENTIONED.findall(page) if not (root / path).exists()]
    for path, word in ROW.findall(page):
        if (root / path).is_file() and word not in (root / path).read_text(encoding="utf-8"):
            violations.append(f"{PAGE}: `{word}` is not in {path}")
    return violations


if __name__ == "__main__":
    sources.run(check)
