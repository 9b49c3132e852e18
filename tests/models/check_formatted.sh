#!/usr/bin/env bash
# check_formatted.sh VERNIER FOLDER...: every specification is free of mistakes and in the canonical form.
set -euo pipefail
vernier=$1
shift
mapfile -d '' files < <(find "$@" -name '*.vn' -print0)
status=0
for file in "${files[@]}"; do
  "$vernier" check "$file" || status=1
done
"$vernier" fmt --check "${files[@]}" || status=1
exit $status
