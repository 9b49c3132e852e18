#!/usr/bin/env bash
# Prints the path of nvcc, CUDA's compiler: scripts/setup_cuda.sh [--find]
#   --find    looks only; without it nvcc is installed where there is none
# It is CUDA_HOME's, else PATH's, else that of a virtual environment in CUDA_ENVIRONMENT (default: .venv-cuda in this
# folder's parent), which Python's package installer fills. No GPU and no rights are needed. Everything else that is
# printed goes to the error stream; status 1: there is no nvcc, and why.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${CUDA_ENVIRONMENT:-.venv-cuda}

mode=${1:-}
if [[ $# -gt 1 || ( -n $mode && $mode != --find ) ]]; then
  echo "usage: scripts/setup_cuda.sh [--find]" >&2
  exit 1
fi

# One that starts: a path alone may be left from a toolkit that is gone.
works() { "$1" --version >/dev/null 2>&1; }

if [[ -n ${CUDA_HOME:-} ]]; then
  if ! works "$CUDA_HOME/bin/nvcc"; then
    echo "setup_cuda: CUDA_HOME is $CUDA_HOME, where no bin/nvcc runs; set it right or unset it" >&2
    exit 1
  fi
  echo "$CUDA_HOME/bin/nvcc"
  exit 0
fi
if found=$(command -v nvcc) && works "$found"; then
  echo "$found"
  exit 0
fi

installed() { find "$environment"/lib/python*/site-packages/nvidia -path '*/bin/nvcc' 2>/dev/null | head -n 1 || true; }
if [[ $mode != --find ]]; then
  if ! scripts/python_environment.sh "$environment" scripts/cuda_requirements.txt >&2; then
    echo "setup_cuda: no nvcc by CUDA_HOME or on PATH, and none could be installed" >&2
    exit 1
  fi
fi
nvcc=$(installed)
if [[ -z $nvcc ]]; then
  echo "setup_cuda: no nvcc by CUDA_HOME, on PATH or in $environment; scripts/setup_cuda.sh installs one" >&2
  exit 1
fi
if ! works "$nvcc"; then
  echo "setup_cuda: $nvcc does not run; remove $environment and run scripts/setup_cuda.sh again" >&2
  exit 1
fi
realpath "$nvcc"
