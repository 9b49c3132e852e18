#!/usr/bin/env bash
# run.sh VERNIER [WEIGHTS]: compiles a model to a shared library and links classify.c with it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
vernier=$1
shift
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$vernier" build "$root/models/networks/fashion.vn" --model resnet_fashion -o "$out"
"${CC:-clang-22}" -O2 -Wall -Werror -I "$out" "$here/classify.c" \
  -L "$out" -lresnet_fashion -Wl,-rpath,"$out" -lm -o "$out/classify"
"$out/classify" "$@"
