#!/bin/bash
# replace_members.sh AR ARCHIVE OTHER OUTPUT: ARCHIVE with the members that OTHER has too taken from
# OTHER. It is an error if OTHER has a member that ARCHIVE lacks, or none at all.
set -eu
ar=$1
archive=$2
other=$3
output=$4

cp -L "$archive" "$output"
chmod u+w "$output"
"$ar" t "$archive" | sort >"$output.members"
"$ar" t "$other" | sort >"$output.others"
lacking=$(comm -13 "$output.members" "$output.others")
if [ -n "$lacking" ] || [ ! -s "$output.others" ]; then
  printf '%s: not members of %s: %s\n' "$other" "$archive" "$lacking" >&2
  exit 1
fi
objects=$output.objects
mkdir "$objects"
other=$(realpath "$other")
output=$(realpath "$output")
(
  cd "$objects"
  "$ar" x "$other"
  "$ar" r "$output" ./*
)
rm -r "$objects" "$output.members" "$output.others"
