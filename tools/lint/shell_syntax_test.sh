#!/bin/bash
# Every shell script parses.
set -euo pipefail
source tools/lint/workspace.sh

enter_workspace
mapfile -t files < <(
  list_files '(\.sh|^bazelw|^\.ci/[^/]*)$'
  list_files '^[^.]*$' | while IFS= read -r name; do
    if head -c 64 -- "$name" | head -n 1 | tr -d '\0' | grep -qE '^#!.*\bbash\b'; then
      printf '%s\n' "$name"
    fi
  done
)
if ((${#files[@]} == 0)); then
  echo "no shell scripts found in $PWD"
  exit 1
fi

bad=0
for file in "${files[@]}"; do
  bash -n "$file" || bad=$((bad + 1))
done
echo "${#files[@]} scripts looked at, $bad with errors"
exit $((bad > 0))
