#!/usr/bin/env bash
# Runs on a machine with a GPU what prepare.sh made: check.sh [--parts PART,...] [--only REGEX] [--seconds N]
# Results go to the folder OUT (default: results, here). Needs Python 3.11; for the comparison with PyTorch also torch and numpy.
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
if [[ ! -f $folder/manifest.json ]]; then
  echo "check: $folder is not what scripts/gpu/prepare.sh makes" >&2
  exit 1
fi
exec "${PYTHON:-python3}" "$folder/check.py" "$@"
