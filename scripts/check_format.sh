#!/usr/bin/env bash
# Says which C++ and CUDA files clang-format 14 would change, and how; it changes none. To format: clang-format-14 -i FILE...
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v clang-format-14 >/dev/null; then
  echo "check_format: there is no clang-format-14, and other versions format otherwise; scripts/setup.sh installs it" >&2
  exit 1
fi
find . \( -name '.?*' -o -name 'build*' -o -name out \) -prune -o \( -name '*.cpp' -o -name '*.h' -o -name '*.cuh' -o -name '*.cu' \) -print0 |
  xargs -0 -n 50 clang-format-14 --dry-run --Werror
