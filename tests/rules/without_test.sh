#!/bin/bash
# without_test.sh OBJDUMP WITH WITHOUT PATCH POINTS: a program costs nothing for chaos/. WITH is a
# program as it is shipped, WITHOUT the same on a runtime of which PATCH has taken away everything for
# chaos/. All of their instructions are the same. POINTS is the program with points: there a difference is
# seen.
set -euo pipefail
objdump=$1
with=$2
without=$3
patch=$4
with_points=$5

fail() {
  printf 'FAIL: %s\n' "$1"
  exit 1
}

# That something was taken away: as many points as the table has names, and the explorer's questions.
taken() { grep -cE "^-[^-].*$1" "$patch"; }
points=$(taken 'POINT(_FAILS)?\(')
asks=$(taken 'explore::')
((points > 100)) || fail "only $points points were taken away"
((asks > 30)) || fail "only $asks questions to the explorer were taken away"
if left=$(grep -E '^\+.*(POINT(_FAILS)?\(|explore::|GORT_POINTS\b|GORT_EXPLORE\b)' "$patch"); then
  fail "the patch leaves $left"
fi

# A function a line, in the order of their names, without addresses. The same functions may lie elsewhere:
# a constant that is not there moves all others.
code() {
  "$objdump" -d --no-show-raw-insn "$1" | awk '
    /^[0-9a-f]+ <.*>:$/ { printf "\n%s", $2; next }
    !/^ / || $2 == "int3" { next }
    {
      sub(/^ *[0-9a-f]+:[ \t]*/, "")
      sub(/ *#.*/, "")
      gsub(/-?0x[0-9a-f]+\(%rip\)/, "(%rip)")
      gsub(/0x[0-9a-f]+ </, "<")
      printf " | %s", $0
    }' | grep -v "^<[^>]*@plt>:" | sort
}
code "$with" >"$TEST_TMPDIR/with"
code "$without" >"$TEST_TMPDIR/without"
# What has been compared: the hot paths among it.
for name in chansend chanrecv selectgo schedule findRunnable mallocgc newproc casgstatus semacquire1; do
  grep -qE "^<_ZN4gort7runtime[^>]*$name" "$TEST_TMPDIR/with" || fail "$name is not in $with"
done
if ! diff -u "$TEST_TMPDIR/with" "$TEST_TMPDIR/without" >"$TEST_TMPDIR/differences"; then
  grep -E '^[-+]' "$TEST_TMPDIR/differences" | cut -c1-3000 | head -20
  fail "the instructions differ"
fi
# That the comparison could fail.
code "$with_points" >"$TEST_TMPDIR/points"
for name in chansend schedule mallocgc; do
  line() { grep -E "^<_ZN4gort7runtime[^>]*$name" "$1"; }
  if [ "$(line "$TEST_TMPDIR/with")" = "$(line "$TEST_TMPDIR/points")" ]; then
    fail "$name with points looks the same as without"
  fi
done
printf '%s points, %s questions; %s functions\n' "$points" "$asks" \
  "$(wc -l <"$TEST_TMPDIR/with")"
