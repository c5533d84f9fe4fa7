#!/bin/bash
# seen_test.sh TOOL BROKEN SOUND SAID SHOWN: what nothing but the explorer takes for a failure is one of the
# runtime in which that can be, and not of the other.
set -u
tool=$PWD/$1
broken=$PWD/$2
sound=$PWD/$3
said=$4
shown=$5
unset BUILD_WORKING_DIRECTORY
cd "$TEST_TMPDIR" || exit 1
failed=0

fail() {
  echo "FAIL: $1"
  tail -40 out
  failed=1
}

"$tool" explore "$broken" --runs 3000 --trace seen.trace >out 2>&1
[ $? = 1 ] || fail "the broken runtime does not fail"
grep -qE "$said" out || fail "another failure"
# Who waits where, and what the threads do.
"$tool" replay seen.trace --times 3 -v >out 2>&1 || fail "the trace is not replayed"
grep -qE "$shown" out || fail "what it is about is not shown"
grep -qE "^ +P[0-9]+: idle$" out || fail "no idle P is shown"
grep -qE "^ +M[0-9]+ .*after [0-9]+ steps" out || fail "no thread is shown"
"$tool" explore "$sound" --runs 300 >out 2>&1 || fail "the sound runtime fails"
exit $failed
