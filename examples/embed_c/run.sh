#!/usr/bin/env bash
# run.sh VERNIER: compiles a model to a library and links it into classify.c.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
vernier=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$vernier" build "$root/models/networks/fashion.vn" --model resnet_fashion -o "$out"
"${CC:-clang-22}" -O2 -Wall -Werror -I "$out" -c "$here/classify.c" -o "$out/classify.o"
"${CXX:-clang++-22}" "$out/classify.o" "$out/libresnet_fashion.a" -lm -lpthread -o "$out/classify"
"$out/classify"
