"""Runs a page's snippets and compares what they print with what the page shows.

A ```vernier block is saved under the name its first line gives (`// tiny.vn`). A ```console block holds commands, after
`$ `, and their output; a line `...` stands for any number of lines. Everything runs in one temporary folder.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```(vernier|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def extract(page):
    """([(file name, text)], [(command, output lines)]) in the page's order."""
    files, commands = [], []
    for kind, body in BLOCK.findall(page):
        if kind == "vernier":
            name = re.match(r"// (\S+\.vn)\b", body)
            if name:
                files.append((name.group(1), body))
            continue
        for line in body.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line.rstrip())
    return files, commands


def matches(expected, actual):
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in expected)
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in actual)) is not None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=Path)
    parser.add_argument("--path", required=True, help="folder of the built tools")
    options = parser.parse_args()
    files, commands = extract(options.page.read_text(encoding="utf-8"))
    environment = dict(os.environ, PATH=str(Path(options.path).resolve()) + os.pathsep + os.environ["PATH"])

    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files:
            Path(folder, name).write_text(text, encoding="utf-8")
        for command, expected in commands:
            done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if not matches(expected, done.stdout.splitlines()):
                failures += 1
                print(f"{options.page.name}: `{command}` (exit status {done.returncode}) prints\n{done.stdout}"
                      f"where the page shows\n" + "\n".join(expected) + "\n")
    print(f"{len(files)} files, {len(commands)} commands, {failures} differ")
    sys.exit(1 if failures or not commands else 0)


if __name__ == "__main__":
    main()
