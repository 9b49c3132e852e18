#!/usr/bin/env bash
# Installs what is missing, builds everything and runs tests: scripts/test.sh [--quick | --slow] [ARGUMENT...]
#   --quick       without those marked as long: some minutes, for every change
#   (neither)     what every change that lands has passed: in half an hour on two cores
#   --slow        everything, also what repeats a kind that the default has: deeper networks, more records
# ARGUMENTs are ctest's, such as `-R tools`. BUILD_DIR and JOBS as in scripts/build.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

tier=()
case ${1:-} in
  --quick) tier=(--label-exclude '^long$'); shift ;;
  --slow) tier=(--build-config slow); shift ;;
esac

scripts/build.sh
# CUDA's compiler is optional: the tests that need it say that they were skipped, and why.
scripts/setup_cuda.sh || echo "test: going on without nvcc" >&2
exec ctest --test-dir "${BUILD_DIR:-build}" --output-on-failure -j "${JOBS:-$(nproc)}" "${tier[@]}" "$@"
