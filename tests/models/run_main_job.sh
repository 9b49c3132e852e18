#!/usr/bin/env bash
# run_main_job.sh VERNIER RECIPE: the main job leaves its table, its plot and allocations within the budget.
set -euo pipefail
scripts=$(cd "$(dirname "$0")/../../scripts" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$scripts/main_job.sh" --vernier "$1" --recipe "$2" --out "$out" | tee "$out/log"
for name in seed even allocated; do
  grep -Eq "^$name +[0-9.]+% +[0-9,]+ +[0-9,]+ +[0-9.]+$" "$out/log"
done
grep -q '<svg' "$out/channels.svg"
macs() { sed -n 's/^ *"macs": \([0-9]*\),\{0,1\}$/\1/p' "$out/$1/describe.json" | head -1; }
[[ $(macs allocated) -le $(macs seed) && $(macs even) -le $(macs seed) ]]
