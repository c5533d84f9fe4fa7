#!/bin/bash
# embed.sh FILE...: writes a C++ source to standard output in which the text of each FILE is a
# constant, page.css as gort::chaos::kPageCss.
set -euo pipefail

mark=gort
printf '// Made by embed.sh.\n#include "chaos/page_files.h"\n\nnamespace gort::chaos {\n'
for file in "$@"; do
  if grep -qF ")$mark\"" "$file"; then
    echo "embed.sh: $file contains the end of a raw string" >&2
    exit 1
  fi
  ending=${file##*.}
  printf '\nconst char kPage%s[] = R"%s(' "${ending^}" "$mark"
  cat "$file"
  printf ')%s";\n' "$mark"
done
printf '\n}  // namespace gort::chaos\n'
