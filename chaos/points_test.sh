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

# The files in which each point stands.
declare -A places
while IFS=: read -r source point; do
  point=${point#*\(}
  places[${point%\)}]+=" ${source##*/}"
done < <(grep -oHE 'POINT(_FAILS)?\([a-z0-9_]+\)' "$@")

points=0
while read -r point file _; do
  points=$((points + 1))
  for place in ${places[$point]-}; do
    [ "$place" = "$file" ] || fail "$point stands in $place, the table says $file"
  done
  [ -n "${places[$point]-}" ] || fail "$point is in the table and nowhere in the code"
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
