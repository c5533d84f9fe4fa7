#!/bin/bash
# entries_test.sh TOOL INDEX: every folder of tests/history/ has all its files, and they belong
# together.
set -u
tool=$1
index=$2
failed=0

fail() {
  printf 'FAIL: %s\n' "$1"
  failed=1
}

cd "$(dirname "$index")" || exit 1
folders=0
rows=0
for folder in */; do
  bug=${folder%/}
  folders=$((folders + 1))
  for file in bug story.md; do
    [ -s "$bug/$file" ] || fail "$bug has no $file"
  done
  # One patch without a name, or several with names and a section for each.
  shopt -s nullglob
  named=("$bug"/unfix-*.patch)
  shopt -u nullglob
  if [ ${#named[@]} = 0 ]; then
    patches=("$bug/unfix.patch")
    [ -s "$bug/scenario.cc" ] || fail "$bug has no scenario.cc"
  else
    patches=("${named[@]}")
    [ ! -e "$bug/unfix.patch" ] || fail "$bug has patches with and without a name"
    for patch in "${named[@]}"; do
      name=${patch#"$bug/unfix-"}
      name=${name%.patch}
      [[ $name =~ ^[a-z][a-z-]*$ ]] || fail "$patch: a name is small letters and dashes"
      [ -s "$bug/scenario-$name.cc" ] || [ -s "$bug/scenario.cc" ] ||
        fail "$bug has no scenario for $name"
      grep -qF "$name" "$bug/story.md" || fail "the story of $bug does not name $name"
    done
  fi
  for patch in "${patches[@]}"; do
    grep -q '^--- a/runtime/' "$patch" || fail "$patch is not for runtime/"
    rows=$((rows + 1))
  done
  [[ $bug =~ ^[0-9a-f]{12}$ ]] || fail "$bug is not called after the first 12 digits of a commit"
  grep -q "^bug $bug " index.txt || fail "$bug is not in the index"
  commit=$(sed -n 's/^commit *//p' "$bug/bug")
  issue=$(sed -n 's/^issue *//p' "$bug/bug")
  grep -qF "$commit" "$bug/story.md" || fail "the story of $bug does not name the commit $commit"
  grep -qF "$issue" "$bug/story.md" || fail "the story of $bug does not name the issue $issue"
done
[ "$folders" -gt 0 ] || fail "there is no bug at all"
cd - >/dev/null || exit 1

listed=$("$tool" list | tail -n +2 | wc -l)
[ "$listed" = "$rows" ] || fail "the tool lists $listed ways to fail, and there are $rows patches"
listed=$("$tool" list | tail -n +2 | sed 's/[/ ].*//' | sort -u | wc -l)
[ "$listed" = "$folders" ] || fail "the tool lists $listed bugs, and there are $folders folders"
exit $failed
