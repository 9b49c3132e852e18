#!/usr/bin/env bash
# run.sh VERNIER [DATA]: checks, describes, verifies, builds and briefly trains the network of gated_dilations.vn.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
vernier=$1
data=${2:-/usr/share/datasets/fashion-mnist}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$vernier" check "$here/gated_dilations.vn"
"$vernier" describe "$here/gated_dilations.vn" --model gated2
"$vernier" verify "$here/gated_dilations.vn" --model gated2
"$vernier" build "$here/gated_dilations.vn" --model gated2 --for train --batch 32 -o "$out"
"$out/gated2" info
if [[ -d $data ]]; then
  "$out/gated2" train --data "$data" --recipe "$here/brief.toml" --out "$out/run"
  "$out/gated2" eval --data "$data" --weights "$out/run/weights.safetensors"
fi
