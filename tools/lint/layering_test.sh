#!/bin/bash
# layering_test.sh FOLDER
#
# Who may include whom: docs/examples and tests -> chaos -> runtime, never the other way. Fails if a
# file of FOLDER, which is runtime/, includes anything of chaos/, tests/, docs/ or tools/.
set -euo pipefail
folder=$1

files=$(find -L "$folder" -type f \( -name '*.h' -o -name '*.cc' -o -name '*.S' \) | sort)
if [ -z "$files" ]; then
  echo "$folder/ has no sources"
  exit 1
fi

upward='^[[:space:]]*#[[:space:]]*include[[:space:]]*["<](\.\./)*(chaos|tests|docs|tools)/'
if printf '%s\n' "$files" | xargs grep -nE "$upward"; then
  echo "$folder/ must not include what stands above it"
  exit 1
fi
printf '%s files include nothing from above\n' "$(printf '%s\n' "$files" | wc -l)"
