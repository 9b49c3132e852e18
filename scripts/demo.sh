#!/usr/bin/env bash
# Installs what is missing, builds, and runs the main job on Fashion-MNIST. Results go to OUT (default: out/demo).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh vernier vernier_main vernier_runtime # the latter are what built models are linked with
exec scripts/main_job.sh --vernier "${BUILD_DIR:-build}/bin/vernier" --out "${OUT:-out/demo}"
