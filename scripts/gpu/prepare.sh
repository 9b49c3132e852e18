#!/usr/bin/env bash
# Builds what scripts/gpu/check.sh needs on a machine with a GPU: scripts/gpu/prepare.sh OUT [OPTION...]
# OUT becomes a folder of at most 60 MB to be copied there; `OUT/check.sh` runs it. --help lists the options. No GPU is
# needed here. BUILD_DIR (default: build): where the compiler is built, and where programs are kept for the next call.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
if [[ " $* " != *" --help "* && " $* " != *" -h "* ]]; then
  "$root/scripts/build.sh" vernier vernier_main vernier_program vernier_runtime vernier_cuda_emulation cuda_primitives_dump \
    golden-weights >&2
fi
build=$(cd "$root" && realpath -m "${BUILD_DIR:-build}")
exec python3 "$root/scripts/gpu/prepare.py" --build "$build" "$@"
