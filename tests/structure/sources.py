"""The project's own files, and how a check reports what it found."""

import os
import subprocess
import sys
from pathlib import Path

SKIPPED_FOLDERS = ("build", "out", ".git", "__pycache__")


def project_files(root):
    """Paths relative to root: what git tracks or would, or every file outside build folders in an exported tree."""
    if (root / ".git").exists():
        listing = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True)
        if listing.returncode == 0:
            names = listing.stdout.decode().split("\0")
            return sorted(Path(name) for name in names if name and (root / name).is_file())
    found = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if not name.startswith(SKIPPED_FOLDERS)]
        found += [(Path(folder) / name).relative_to(root) for name in names]
    return sorted(found)


def text_of(path):
    """The file's text, or None for a binary file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def run(check):
    """Runs check(root) -> list of violations on the folder named on the command line."""
    violations = check(Path(sys.argv[1]))
    for violation in violations:
        print(violation)
    sys.exit(1 if violations else 0)
