#!/usr/bin/env bash
# Builds with sanitizers and assertions, and runs tests under them: scripts/sanitize.sh address|thread [ARGUMENT...]
#   address       addresses, leaks and undefined behaviour (AddressSanitizer, UndefinedBehaviorSanitizer) of the front end, of what
#                 a built program is linked with and of emulated CUDA kernels
#   thread        races (ThreadSanitizer) in the runtime: its team of threads, its data loader, its progress
# ARGUMENTs are ctest's, instead of the tests named below. The build folder is build-SANITIZER, or BUILD_DIR; JOBS as in
# scripts/build.sh. COMPILER=ON adds what needs LLVM; generated code and LLVM's own libraries stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
  address)
    sanitizers=address,undefined
    compiler=${COMPILER:-OFF}
    targets=()
    # Python loads no library that needs a sanitizer.
    tests=(--tests-regex '^(dsl|runtime|fuzz|unit|compiler|codegen|cuda)' --label-exclude '^long$')
    ;;
  thread)
    sanitizers=thread
    compiler=${COMPILER:-OFF}
    tests=(--tests-regex '^runtime')
    targets=(--target runtime_tests)
    ;;
  *)
    echo "usage: scripts/sanitize.sh address|thread [ARGUMENT...]" >&2
    exit 1
    ;;
esac
build=${BUILD_DIR:-build-$1}
shift

scripts/setup.sh
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="-O1 -g1" \
  -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 -DCMAKE_{EXE,SHARED,MODULE}_LINKER_FLAGS=-fuse-ld=lld \
  -DVERNIER_SANITIZERS=$sanitizers -DVERNIER_COMPILER="$compiler"
cmake --build "$build" -j "${JOBS:-$(nproc)}" "${targets[@]}"

# LLVM's allocators mark what they have not handed out, where their code is inlined into ours; LLVM's own, which is not sanitized,
# takes no mark back.
export ASAN_OPTIONS=allow_user_poisoning=0:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
# Tests start threads in a process that was forked from one with threads.
export TSAN_OPTIONS=halt_on_error=1:die_after_fork=0
exec ctest --test-dir "$build" --output-on-failure -j "${JOBS:-$(nproc)}" "${@:-${tests[@]}}"
