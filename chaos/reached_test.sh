#!/bin/bash
# reached_test.sh TOOL EVERYTHING: each point of the table is reached by the program that does a bit of
# everything, in some storm. A point that is never reached fails the test: either the code in front of
# it has changed so that it never comes there, or the program has to learn something.
set -u
tool=$1
program=$2
visits=$TEST_TMPDIR/visits
rounds=20

# The points that were never visited: the file has a count of 8 bytes for each, in the table's order.
missed() {
  paste -d ' ' <(od -An -v -t d8 -w8 "$visits") <("$tool" points | tail -n +2) |
    awk '$1 == 0 { print $2 }'
}

run() { # WANTED_STATUS [ARGUMENT...]
  local wanted=$1
  shift
  CHAOS_VISITS=$visits "$program" "$@" >"$TEST_TMPDIR/out" 2>&1
  local status=$?
  [ $status = "$wanted" ] && return
  echo "FAIL: $program $* exits with $status: $(tail -40 "$TEST_TMPDIR/out")"
  exit 1
}

points=$("$tool" points | tail -n +2 | wc -l)
run 0
[ "$(od -An -v -t d8 -w8 "$visits" | wc -l)" = "$points" ] || {
  echo "FAIL: the program knows another number of points than the tool, $points"
  exit 1
}
GOTRACEBACK=all run 2 crash
# A system call that begins just while the world stops.
CHAOS='stoptheworld_before_wait = delay(500); entersyscall_after_release_p = stoptheworld;
       entersyscall_after_release_p = 20%delay(300)' run 0 threads
for ((round = 1; round <= rounds; round++)); do
  [ -n "$(missed)" ] || break
  CHAOS_STORM=seed=$round,sites=50% run 0
done
left=$(missed)
[ -z "$left" ] || {
  echo "FAIL: in $((rounds + 3)) runs nobody has come to these of $points points:"
  echo "$left"
  exit 1
}
echo "all $points points were reached, after $((round - 1)) storms"
