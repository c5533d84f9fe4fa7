#!/bin/bash
# unfix.sh PATCH TREE [SOURCE NAME]...
#
# Copies each SOURCE to TREE/NAME and applies PATCH to TREE, exactly: an offset is fine, fuzz is
# not, and neither is a file that the patch would add or remove. Otherwise it says what patch said
# and fails.
#
# What then need not be compiled again is taken away: the source files that are as they were, unless
# a header is not.
set -eu

patch_file=$(realpath "$1")
shown=$1
tree=$2
shift 2

sources=()
names=()
while [ $# -gt 0 ]; do
  mkdir -p "$tree/$(dirname "$2")"
  cp -L "$1" "$tree/$2"
  chmod u+w "$tree/$2"
  sources+=("$(realpath "$1")")
  names+=("$2")
  shift 2
done

cd "$tree"
before=$(find . -type f | sort)
if ! output=$(patch -p1 --fuzz=0 --no-backup-if-mismatch --reject-file=- <"$patch_file" 2>&1); then
  printf '%s\n%s: the patch does not apply to these sources any more\n' "$output" "$shown" >&2
  exit 1
fi
if [ "$before" != "$(find . -type f | sort)" ]; then
  printf '%s\n%s: the patch adds or removes files\n' "$output" "$shown" >&2
  exit 1
fi

unchanged=()
for i in "${!names[@]}"; do
  if cmp -s "${sources[i]}" "${names[i]}"; then
    [[ ${names[i]} == *.h ]] || unchanged+=("${names[i]}")
  elif [[ ${names[i]} == *.h ]]; then
    exit 0
  fi
done
rm -f "${unchanged[@]}"
