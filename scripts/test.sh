#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every test. BUILD_DIR and JOBS as in scripts/build.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh
exec ctest --test-dir "${BUILD_DIR:-build}" --output-on-failure -j "${JOBS:-$(nproc)}"
