#!/bin/bash
# without.sh AWK SOURCE...: prints a patch that takes everything for chaos/ out of the sources of
# runtime/.
set -eu
awk=$1
shift
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
for source in "$@"; do
  name=runtime/${source##*/}
  case $name in
    # They are nothing else. A line is left: an empty file is no file to a patch.
    runtime/explore* | runtime/point.h) echo '// Nothing.' >"$stripped" ;;
    *) awk -f "$awk" "$source" >"$stripped" ;;
  esac
  diff -u --label "a/$name" --label "b/$name" "$source" "$stripped" || [ $? = 1 ]
done
