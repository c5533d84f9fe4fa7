#!/bin/bash
# Every C++ source is formatted as .clang-format says. To mend: bazel run //tools/lint:format
set -euo pipefail
source tools/lint/workspace.sh
clang_format=$1

enter_workspace
mapfile -t files < <(list_files '\.(cc|h)$')
if ((${#files[@]} == 0)); then
  echo "no C++ sources found in $PWD"
  exit 1
fi

"$clang_format" --version
printf '%s\0' "${files[@]}" | xargs -0 "$clang_format" --dry-run -Werror
echo "${#files[@]} files are formatted"
