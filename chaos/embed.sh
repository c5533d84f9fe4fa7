#!/bin/bash
# embed.sh FILE...: writes a C++ source to standard output in which the text of the files is made
# constants: all .css as gort::chaos::kPageCss, and so on, files of one ending one after the other.
set -euo pipefail

mark=gort
printf '// Made by embed.sh.\n#include "chaos/page_files.h"\n\nnamespace gort::chaos {\n'
for ending in css html js; do
  printf '\nconst char kPage%s[] = R"%s(' "${ending^}" "$mark"
  for file in "$@"; do
    [[ $file == *."$ending" ]] || continue
    if grep -qF ")$mark\"" "$file"; then
      echo "embed.sh: $file contains the end of a raw string" >&2
      exit 1
    fi
    cat "$file"
  done
  printf ')%s";\n' "$mark"
done
printf '\n}  // namespace gort::chaos\n'
