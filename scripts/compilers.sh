#!/usr/bin/env bash
# Builds everything anew with one compiler and lists its warnings: scripts/compilers.sh gcc|clang [TARGET...]
# Exit status 1 where there is one. The build folder is build-COMPILER, or BUILD_DIR; JOBS as in scripts/build.sh. COMPILER=OFF leaves
# out what needs LLVM.
set -euo pipefail
cd "$(dirname "$0")/.."

# What an initializer leaves out is zero, and meant to be.
silent=missing-field-initializers,missing-designated-field-initializers
case ${1:-} in
  gcc)
    compilers=(-DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++)
    silent+=,restrict # GCC 12 is wrong about its own strings (its bug 105651)
    ;;
  clang)
    compilers=(-DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 -DCMAKE_{EXE,SHARED,MODULE}_LINKER_FLAGS=-fuse-ld=lld)
    ;;
  *)
    echo "usage: scripts/compilers.sh gcc|clang [TARGET...]" >&2
    exit 1
    ;;
esac
build=${BUILD_DIR:-build-$1}
shift

scripts/setup.sh
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DVERNIER_COMPILER="${COMPILER:-ON}" "${compilers[@]}"
# What is up to date would not be compiled, and not be warned of.
cmake --build "$build" --target clean
cmake --build "$build" -j "${JOBS:-$(nproc)}" ${1:+--target "$@"} 2>&1 | tee "$build/build.log"

# A warning in a header is said for each file that reads it.
warnings=$(grep -E '^[^ ]+: warning: ' "$build/build.log" | grep -vE "\[-W(${silent//,/|})\]$" | sort | uniq -c | sort -rn || true)
if [[ -n $warnings ]]; then
  echo
  echo "$warnings"
  exit 1
fi
