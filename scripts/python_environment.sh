#!/usr/bin/env bash
# scripts/python_environment.sh FOLDER REQUIREMENTS: a virtual environment in FOLDER with the packages that REQUIREMENTS pins.
# Quick, and needs no network, once it is there. PYTHON: the interpreter that it is made of (default: python3).
set -euo pipefail
folder=$1
requirements=$2
python=${PYTHON:-python3}

wanted="$("$python" -c 'import sys; print(sys.executable, sys.version)')
$(cat "$requirements")"
[[ -x $folder/bin/python && $(cat "$folder/made_of" 2>/dev/null) == "$wanted" ]] && exit 0

if ! "$python" -m venv --clear "$folder"; then
  echo "python_environment: $python makes no virtual environment; on Debian it needs the package python3-venv" >&2
  exit 1
fi
# Wheels only: no package is compiled here.
if ! "$folder/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: -r "$requirements"; then
  echo "python_environment: pip cannot install the packages of $requirements, from PyPI or as pip is configured" >&2
  exit 1
fi
# Last, so that what was interrupted is made anew.
echo "$wanted" > "$folder/made_of"
