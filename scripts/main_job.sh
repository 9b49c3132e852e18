#!/usr/bin/env bash
# ScaleNet's method from end to end: trains the seed network, allocates its channels under the budget, retrains the
# allocated network, trains the evenly allocated one of the same budget beside it, builds an inference program for each,
# and compares them on the test set. DIR/seed, DIR/even and DIR/allocated are made anew.
set -euo pipefail

usage() {
  echo "usage: main_job.sh --vernier PROGRAM --out DIR [--data DIR] [--recipe FILE]" >&2
  exit 1
}

scripts=$(cd "$(dirname "$0")" && pwd)
models=$scripts/../models
data=/usr/share/datasets/fashion-mnist
recipe=$models/recipes/fashion.toml
vernier= out=
while [[ $# -gt 0 ]]; do
  [[ $# -ge 2 ]] || usage
  case $1 in
    --vernier) vernier=$2 ;;
    --out) out=$2 ;;
    --data) data=$2 ;;
    --recipe) recipe=$2 ;;
    *) usage ;;
  esac
  shift 2
done
[[ -n $vernier && -n $out ]] || usage

network=$models/networks/fashion.vn
model=scalenet_fashion
budget=0.5 # of the multiply-adds of the 3x3 convolutions that scale aggregation replaces

step() { printf '\n== %s\n' "$*"; }

# train NAME [build option...]: leaves $out/NAME/weights.safetensors
train() {
  local name=$1
  shift
  "$vernier" build "$network" --model $model --for train --batch 64 "$@" -o "$out/$name/train"
  "$out/$name/train/$model" train --data "$data" --recipe "$recipe" --out "$out/$name"
}

# measure NAME [build option...]: what NAME costs and achieves, as JSON
measure() {
  local name=$1
  shift
  "$vernier" describe "$network" --model $model "$@" --json > "$out/$name/describe.json"
  "$vernier" build "$network" --model $model "$@" --weights "$out/$name/weights.safetensors" -o "$out/$name/infer"
  "$out/$name/infer/$model" eval --data "$data" --json > "$out/$name/eval.json"
  "$out/$name/infer/$model" bench --runs 200 --json > "$out/$name/bench.json"
}

mkdir -p "$out"
rm -rf "$out"/{seed,even,allocated} # of an earlier run
step "Train the seed network: every scale of a block as wide as the block"
train seed

step "Allocate: keep the most useful neurons of each block within the budget"
"$vernier" allocate "$network" --model $model --weights "$out/seed/weights.safetensors" --budget $budget \
  -o "$out/allocated.toml"
"$vernier" allocate "$network" --model $model --even --budget $budget -o "$out/even.toml"

step "Train the evenly allocated network"
train even --config "$out/even.toml"
step "Train the allocated network"
train allocated --config "$out/allocated.toml"

step "Build the inference programs and classify the test set"
measure seed
measure even --config "$out/even.toml"
measure allocated --config "$out/allocated.toml"
"$vernier" describe "$network" --model $model --config "$out/even.toml" --diff "$out/allocated.toml" \
  --svg "$out/channels.svg" > "$out/difference.txt"

step "Fashion-MNIST, $model"
"$scripts/compare_table.py" "$out"/{seed,even,allocated}
printf '\nChannels of each scale in each block: %s\n' "$out/channels.svg"
