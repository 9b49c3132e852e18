"""Every relative link of a Markdown page leads to a file or folder of the project, and links lead from README.md to every
page of docs/."""

import os
import re
from pathlib import Path

import sources

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def links(root, path):
    """Line and target of each relative link."""
    for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1):
        for target in LINK.findall(line):
            if "://" not in target:
                yield number, target


def reachable(root, start):
    found, left = {start}, [start]
    while left:
        page = left.pop()
        for _, target in links(root, page):
            path = Path(os.path.normpath(page.parent / target))
            if path.suffix == ".md" and path not in found and (root / path).exists():
                found.add(path)
                left.append(path)
    return found


def check(root):
    pages = [path for path in sources.project_files(root) if path.suffix == ".md"]
    violations = [f"{path}:{number}: leads nowhere: {target}" for path in pages for number, target in links(root, path)
                  if not (root / path.parent / target).exists()]
    if (root / "README.md").exists():
        known = reachable(root, Path("README.md"))
        violations += [f"{path}: no links lead here from README.md" for path in pages
                       if path.parts[0] == "docs" and path not in known]
    return violations


if __name__ == "__main__":
    sources.run(check)
