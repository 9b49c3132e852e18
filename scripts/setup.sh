#!/usr/bin/env bash
# Installs what building and testing Vernier needs on Debian 12. Quick, and needs no rights, when nothing is missing.
set -euo pipefail

packages=(
  # compiler, linker, build
  clang-22 lld-22 libclang-rt-22-dev binutils cmake ninja-build ccache
  # LLVM and MLIR 22; llvm-22-tools brings lit and FileCheck, mlir-22-tools mlir-tblgen
  llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools libzstd-dev
  # libraries
  libomp-22-dev libfmt-dev libtomlplusplus-dev libcli11-dev nlohmann-json3-dev
  libjpeg-dev libpng-dev libwebp-dev zlib1g-dev libboost-test-dev
  # fibers: the threads of emulated CUDA kernels
  libboost-context-dev
  # ONNX's schema and checker
  libonnx-dev libprotobuf-dev
  # the main job's images; scripts and tests use Python's standard library only
  dataset-fashion-mnist python3
  # tests only: pip's packages go into the build folder, searches run as ranks of an MPI program
  python3-venv openmpi-bin
  # the other compiler that Vernier is built with, and its style
  g++ clang-format-14
)

missing=()
for package in "${packages[@]}"; do
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: missing packages: ${missing[*]}" >&2
    echo "setup: run this script as root, or install sudo" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "setup: installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
if ! apt-cache show clang-22 >/dev/null 2>&1; then
  echo "setup: no package clang-22; enable Debian's security archive (bookworm-security), which carries LLVM 22" >&2
  exit 1
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
