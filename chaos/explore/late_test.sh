#!/bin/bash
# late_test.sh TOOL BROKEN SOUND: a timer that nobody will wake for is a failure of the runtime in which that
# can be, and not of the other.
set -u
tool=$PWD/$1
broken=$PWD/$2
sound=$PWD/$3
unset BUILD_WORKING_DIRECTORY
cd "$TEST_TMPDIR" || exit 1
failed=0

fail() {
  echo "FAIL: $1"
  tail -40 out
  failed=1
}

"$tool" explore "$broken" --runs 3000 --trace late.trace >out 2>&1
[ $? = 1 ] || fail "the broken runtime does not fail"
grep -qE "late: explore: a timer (is due in|was due) .* us( ago)?, and nobody but sysmon will look" out || fail "another failure"
# Who sleeps, and until when.
"$tool" replay late.trace --times 3 -v >out 2>&1 || fail "the trace is not replayed"
grep -qE "^ +P[0-9]+: idle$" out || fail "no idle P is shown"
grep -qE "^ +M[0-9]+ (sleeps|waits) .*after [0-9]+ steps" out || fail "no thread is shown"
"$tool" explore "$sound" --runs 300 >out 2>&1 || fail "the sound runtime fails"
exit $failed
