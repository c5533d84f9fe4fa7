#!/bin/bash
# clang_tidy_test.sh CLANG_TIDY -- FLAGS...
#
# clang-tidy has nothing to say about runtime/*.cc, compiled with FLAGS. Two files at a time.
set -euo pipefail
clang_tidy=$1
shift 2

shopt -s nullglob
files=(runtime/*.cc)
if ((${#files[@]} == 0)); then
  echo "runtime/ has no sources"
  exit 1
fi
backtrace=$(dirname "$(find -L .. -name backtrace.h | head -n 1)")

# check FILE CLANG_TIDY FLAGS... keeps quiet about a file without findings.
check() {
  local file=$1 tidy=$2 output
  shift 2
  if output=$("$tidy" --quiet --config-file=.clang-tidy "$file" -- "$@" 2>&1); then
    return 0
  fi
  printf '%s\n' "$output"
  return 1
}
export -f check

printf '%s\0' "${files[@]}" |
  xargs -0 -P 2 -I '{}' bash -c 'check "$@"' check '{}' "$clang_tidy" "$@" \
    -iquote . -isystem "$backtrace"
echo "${#files[@]} files without findings"
