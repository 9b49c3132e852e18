"""No file names a folder of the machine it was written on."""

import re

import sources

# Absolute paths below a folder that belongs to one machine or one person; system folders such as /usr are the same
# everywhere and may be named.
MACHINE_PATH = re.compile(r"(?<![\w.:/$})~-])/(?:home|root|work|workspace|Users|mnt|srv|media|scratch)(?:/\w|\b(?![\w/]))")


def check(root):
    violations = []
    for path in sources.project_files(root):
        text = sources.text_of(root / path)
        if text is None:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            found = MACHINE_PATH.search(line)
            if found and path.name != "check_machine_paths.py":
                violations.append(f"{path}:{number}: names a machine's folder: {line.strip()[:100]}")
    return violations


if __name__ == "__main__":
    sources.run(check)
