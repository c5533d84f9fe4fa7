#!/bin/bash
# points_test.sh TOOL NO_POINTS WITH_POINTS SOURCE...: every point of the table stands in the code,
# where the table says, once or more; and a program without points has no trace of the hook.
set -u
tool=$1
without=$2
with=$3
shift 3
failed=0

fail() {
  printf 'FAIL: %s\n' "$1"
  failed=1
}

points=0
while read -r point file _; do
  points=$((points + 1))
  found=0
  for source in "$@"; do
    grep -qE "POINT(_FAILS)?\\($point\\)" "$source" || continue
    found=1
    [ "${source##*/}" = "$file" ] || fail "$point stands in ${source##*/}, the table says $file"
  done
  [ $found = 1 ] || fail "$point is in the table and nowhere in the code"
done < <("$tool" points | tail -n +2)
[ "$points" -gt 10 ] || fail "the tool prints $points points"

# The symbol table has the hook's name where there is one.
grep -q pointHook "$without" && fail "a program without points has the hook"
grep -q pointHook "$with" || fail "a program with points has no hook: this test sees nothing"
# Nor does a program of another mode have anything of the explorer.
for program in "$without" "$with"; do
  grep -qE "gort_explore_(budget|call)" "$program" && fail "$program can be explored"
done
[ "$("$without" 2>&1)" = hello ] || fail "the program without points does not run"
exit $failed
