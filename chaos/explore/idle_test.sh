#!/bin/bash
# idle_test.sh TOOL BROKEN SOUND: a P that stays idle while a goroutine waits for one is a failure of the
# runtime in which that can be, and not of the other.
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

"$tool" explore "$broken" --runs 3000 --trace idle.trace >out 2>&1
[ $? = 1 ] || fail "the broken runtime does not fail"
grep -q "idle: explore: a goroutine waits for a processor while a P is idle" out || fail "another failure"
# Who waits where, and what the threads do.
"$tool" replay idle.trace --times 3 -v >out 2>&1 || fail "the trace is not replayed"
grep -qE "^ +P[0-9]+: (idle|in use), [0-9]+ in its run queue|in the global run queue" out || fail "no queue is shown"
grep -qE "^ +P[0-9]+: idle$" out || fail "no idle P is shown"
grep -qE "^ +M[0-9]+ .*after [0-9]+ steps" out || fail "no thread is shown"
"$tool" explore "$sound" --runs 300 >out 2>&1 || fail "the sound runtime fails"
exit $failed
