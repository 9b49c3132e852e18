#!/usr/bin/env bash
# run.sh VERNIER: trains the network of small_elastic.vn on generated images of 224 pixels and tests it at 96, 224 and 448.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
vernier=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

python3 "$here/make_images.py" "$out/data"
"$vernier" build "$here/small_elastic.vn" --for train --batch 8 -o "$out/train"
"$out/train/small" train --data "$out/data" --recipe "$here/brief.toml" --out "$out/run"
python3 "$here/stress.py" --vernier "$vernier" --spec "$here/small_elastic.vn" --model small \
  --weights "$out/run/weights.safetensors" --data "$out/data" --runs 5 -o "$out/stress"

# Accuracy and scores at every size; at that of the training images are recognised.
python3 - "$out/stress/results.json" <<'END'
import json
import sys

results = {result["size"]: result for result in json.load(open(sys.argv[1], encoding="utf-8"))}
assert set(results) == {96, 224, 448}
assert all(set(result["scores"]) == {"layer1", "layer2"} for result in results.values()), results
assert results[224]["top1"] > 1 / 3, results
END
