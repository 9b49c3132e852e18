#!/usr/bin/env bash
# Measures Vernier beside ONNX Runtime, OpenVINO and PyTorch and prints Markdown tables.
#
#   tests/perf/compare.sh [--vernier PATH] [--rounds N] [--case NAME]... [--peer NAME]... [--reuse] [--write FILE.md]
#
# Everything it makes, the Python environment of the peers included, is below ${BUILD_DIR:-build}/perf.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${BUILD_DIR:-$root/build}
environment=$build/perf/environment

if [[ ! -e $environment/complete || $here/requirements.txt -nt $environment/complete ]]; then
  echo "installing the peers into $environment (2 GB)" >&2
  python3 -m venv --clear "$environment"
  # --no-deps leaves out the gigabytes of CUDA libraries that PyTorch's wheel asks for.
  "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
  "$environment/bin/python" "$here/cpu_torch.py"
  touch "$environment/complete"
fi
exec "$environment/bin/python" -B "$here/compare.py" --build "$build" "$@"
