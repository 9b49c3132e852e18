#!/usr/bin/env bash
# Every specification under the given folders passes `vernier check` and is in canonical form.
set -uo pipefail
vernier=$1
shift
status=0
while IFS= read -r -d '' file; do
  "$vernier" check "$file" || status=1
  "$vernier" fmt --stdout "$file" | diff -u "$file" - || status=1
done < <(find "$@" -name '*.vn' -print0)
exit $status
