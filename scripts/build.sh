#!/usr/bin/env bash
# Installs what is missing, configures and builds: scripts/build.sh [TARGET...]; everything when no target is named.
# BUILD_DIR (default: build) and JOBS (default: the number of processors) can be set.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD_DIR:-build}

scripts/setup.sh
if [[ ! -f $build/build.ninja ]]; then
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 \
    -DCMAKE_{EXE,SHARED,MODULE}_LINKER_FLAGS=-fuse-ld=lld
fi
cmake --build "$build" -j "${JOBS:-$(nproc)}" ${1:+--target "$@"}
