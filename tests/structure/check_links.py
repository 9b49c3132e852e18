"""Every relative link of a Markdown page leads to a file or folder of the project."""

import re

import sources

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def check(root):
    violations = []
    for path in sources.project_files(root):
        if path.suffix != ".md":
            continue
        for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1):
            for target in LINK.findall(line):
                if "://" not in target and not (root / path.parent / target).exists():
                    violations.append(f"{path}:{number}: leads nowhere: {target}")
    return violations


if __name__ == "__main__":
    sources.run(check)
