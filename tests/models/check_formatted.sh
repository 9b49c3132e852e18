#!/usr/bin/env bash
# check_formatted.sh VERNIER FOLDER...: every specification is free of mistakes and warnings, and in the canonical form. Of two
# images: a batch norm of a pooled map has one value in a batch of one.
set -euo pipefail
vernier=$1
shift
mapfile -d '' files < <(find "$@" -name '*.vn' -print0)
status=0
for file in "${files[@]}"; do
  "$vernier" check --batch 2 --warnings-as-errors "$file" || status=1
done
"$vernier" fmt --check "${files[@]}" || status=1
exit $status
