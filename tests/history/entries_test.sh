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
for folder in */; do
  bug=${folder%/}
  folders=$((folders + 1))
  for file in unfix.patch scenario.cc bug story.md; do
    [ -s "$bug/$file" ] || fail "$bug has no $file"
  done
  [[ $bug =~ ^[0-9a-f]{12}$ ]] || fail "$bug is not called after the first 12 digits of a commit"
  grep -q "^bug $bug " index.txt || fail "$bug is not in the index"
  commit=$(sed -n 's/^commit *//p' "$bug/bug")
  issue=$(sed -n 's/^issue *//p' "$bug/bug")
  grep -qF "$commit" "$bug/story.md" || fail "the story of $bug does not name the commit $commit"
  grep -qF "$issue" "$bug/story.md" || fail "the story of $bug does not name the issue $issue"
  grep -q '^--- a/runtime/' "$bug/unfix.patch" || fail "the patch of $bug is not for runtime/"
done
[ "$folders" -gt 0 ] || fail "there is no bug at all"
cd - >/dev/null || exit 1

listed=$("$tool" list | tail -n +2 | wc -l)
[ "$listed" = "$folders" ] || fail "the tool lists $listed bugs, and there are $folders folders"
exit $failed
