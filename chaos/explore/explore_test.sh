#!/bin/bash
# explore_test.sh TOOL TOYS TOYS_PLAIN: what a user does with the explorer, and does wrong.
set -u
tool=$PWD/$1
toys=$PWD/$2
plain=$PWD/$3
unset BUILD_WORKING_DIRECTORY
cd "$TEST_TMPDIR" || exit 1
failed=0

# expect STATUS TEXT COMMAND...: the exit status, and a text that its output has.
expect() {
  local status=$1 text=$2
  shift 2
  "$@" >out 2>&1
  local got=$?
  if [ $got -ne "$status" ] || ! grep -qF -- "$text" out; then
    echo "FAIL: $*: status $got, wanted $status and \"$text\""
    tail -20 out
    failed=1
  fi
}

expect 0 "no failure found in 60 runs" "$tool" explore "$toys" --runs 60 -- held
expect 1 "panic: toy: the bug has come up" "$tool" explore "$toys" --runs 2000 --trace up.trace -- update
grep -q "^gort-trace 4$" up.trace || { echo "FAIL: no trace"; failed=1; }
expect 0 "20 of 20 times the same failure" "$tool" replay up.trace --times 20
expect 0 "the trace is in small.trace" "$tool" shrink up.trace --output small.trace
expect 0 "5 of 5 times the same failure" "$tool" replay small.trace --times 5
preemptions=$(grep -c '^p ' small.trace)
[ "$preemptions" -le 3 ] || { echo "FAIL: $preemptions preemptions are left"; failed=1; }
expect 0 "small.html" "$tool" report small.trace --output small.html --chrome small.json
grep -q "<html" small.html && grep -q "toy" small.html || { echo "FAIL: no page"; failed=1; }
grep -q '"ph"' small.json || { echo "FAIL: no Chrome trace"; failed=1; }

# What is seen of the run does not change it, where ordinary loads and stores are steps either.
expect 1 "panic: toy: the bug has come up" "$tool" explore "$toys" --runs 500 --strategy burst@memory --trace plain.trace -- plain
expect 0 "1 of 1 times the same failure" "$tool" replay plain.trace --events plain.events
expect 0 "plain.html" "$tool" report plain.trace --output plain.html
grep -q diverged out && { echo "FAIL: the report's run has diverged"; failed=1; }

# A trace holds in any environment: the runtime's settings are those of the run that failed.
expect 0 "1 of 1 times the same failure" env ONE_MORE=1 GOGC=off GOMAXPROCS=3 "$tool" replay plain.trace
grep -q diverged out && { echo "FAIL: diverged for one more variable"; failed=1; }
expect 1 "panic: toy: the bug has come up" \
  env GOMAXPROCS=3 GODEBUG=gcstoptheworld=1 "$tool" explore "$toys" --runs 500 --strategy burst@memory --trace three.trace -- plain
grep -q "^setting GOMAXPROCS=3$" three.trace || { echo "FAIL: no setting in the trace"; failed=1; }
expect 0 "1 of 1 times the same failure" env -u PATH "$tool" replay three.trace
grep -q diverged out && { echo "FAIL: diverged without the settings"; failed=1; }

# As replay --gdb has it: the run in the process itself.
CHAOS_EXPLORE=$'command=replay\ninprocess=1\ntrace=small.trace' expect 2 "panic: toy" "$toys" update

# The same seeds make the same schedules.
for i in 1 2; do
  "$tool" explore "$toys" --runs 40 --seed 5 --json -- held | sed 's/"[a-z_]*seconds":[^,}]*,//g' >json$i
done
cmp json1 json2 || { echo "FAIL: the same seeds, another campaign"; failed=1; }

expect 0 "these are all schedules with at most 0 preemptions" "$tool" explore "$toys" --strategy bounded:0 -- update
expect 1 "panic: toy: the bug has come up" "$tool" explore "$toys" --runs 9000 --strategy bounded:1 --trace bounded.trace -- update
expect 0 "2 of 2 times the same failure" "$tool" replay bounded.trace --times 2
expect 0 "no failure found in 20 runs" "$tool" explore "$toys" --runs 20 --focus 'gopark_*' --focus goschedimpl_after_globrunqput -- held

# Loops that make no step are interrupted, and told from one that does not end.
expect 0 "no failure found in 300 runs" "$tool" explore "$toys" --runs 300 -- loop
expect 0 "no failure found in 100 runs" "$tool" explore "$toys" --runs 100 --strategy pct:1 -- instep
expect 0 "no failure found in 100 runs" "$tool" explore "$toys" --runs 100 -- instep
expect 1 "livelock: explore: livelock" "$tool" explore "$toys" --runs 3 --trace endless.trace -- endless
expect 0 "2 of 2 times the same failure" "$tool" replay endless.trace --times 2

expect 0 "no failure found in 20 runs" "$tool" explore "$toys" --runs 20 -- clock
expect 0 "no failure found in 40 runs" "$tool" explore "$toys" --runs 40 -- until

# What a program prints is shown as it runs, and changes nothing about its trace.
expect 0 "no failure found in 60 runs" "$tool" explore "$toys" --runs 60 --inject 0.01 -v -- held
expect 1 "panic: toy: the bug has come up" "$tool" explore "$toys" --runs 2000 -v --trace shown.trace -- update
expect 0 "1 of 1 times the same failure" "$tool" replay shown.trace
expect 0 "panic: toy: the bug has come up" "$tool" replay shown.trace -v
expect 0 '"same":3' "$tool" replay shown.trace --times 3 --json
expect 0 '"preemptions":' "$tool" shrink shown.trace --json

# Where a failure rests on how many preemptions there are, another run with few is found.
expect 1 "panic: toy: the bug has come up" "$tool" explore "$toys" --runs 3000 --strategy random --trace often.trace -- often
expect 0 "the trace is in often.small" "$tool" shrink often.trace --for 60s --output often.small
[ "$(grep -c '^p ' often.small)" -le 1 ] || { echo "FAIL: more than one preemption is left"; failed=1; }
expect 0 "5 of 5 times the same failure" "$tool" replay often.small --times 5

# A terminal that changes its size, or is stopped, is none of a run's business.
setsid "$tool" explore "$toys" --runs 600 --trace window.trace -- both >window 2>&1 &
group=$!
while kill -WINCH -- -$group 2>/dev/null; do :; done
wait $group || { echo "FAIL: a signal to the process group has come to a run"; tail -20 window; failed=1; }

# Arguments are the program's, whatever stands in them.
expect 1 "panic: toy: the bug has come up" "$tool" explore "$toys" --runs 2000 --trace odd.trace -- update $'a\nb\\n' $'\xff'
grep -qxF 'argument a\nb\\n' odd.trace || { echo "FAIL: not the argument"; grep -a ^argument odd.trace; failed=1; }
expect 0 "1 of 1 times the same failure" "$tool" replay odd.trace
expect 0 "odd.html" "$tool" report odd.trace --output odd.html
# shellcheck disable=SC2046
expect 0 "no failure found in 2 runs" "$tool" explore "$toys" --runs 2 -- held $(seq 20000)
expect 1 "exit 88" "$tool" explore "$toys" --runs 2 --trace leaves.trace -- leaves
expect 0 "1 of 1 times the same failure: exit 88" "$tool" replay leaves.trace
(ulimit -f 100 && expect 0 "no failure found in 20 runs" "$tool" explore "$toys" --runs 20 -- held; exit $failed) || failed=1

# A goroutine that has lost its M cannot even say what has happened to it: where it was is shown.
expect 132 "fatal: signal 04 in a goroutine without an M, pc=0x" env --default-signal=ILL "$plain" lost
for ((i = 0; i < 20; i++)); do
  expect 132 "fatal: signal 04 in a goroutine without an M, pc=0x" env --default-signal=ILL "$plain" wanted
done
expect 1 "signal 4: fatal: signal # in a goroutine without an M" "$tool" explore "$toys" --runs 3 --trace lost.trace -- lost
grep -q "lost  *.*toys.cc:" out || { echo "FAIL: not where it was"; tail -20 out; failed=1; }
expect 0 "1 of 1 times the same failure" "$tool" replay lost.trace

expect 2 "is not a program of gort" "$tool" explore /bin/true
expect 2 "is of another mode" "$tool" explore "$plain"
expect 2 "No such file" "$tool" explore ./nothing
expect 2 "wants a program" "$tool" explore
expect 2 "unknown strategy" "$tool" explore "$toys" --strategy best
expect 2 "no point matches" "$tool" explore "$toys" --focus 'goparc_*'
expect 2 "unknown option --sead" "$tool" explore "$toys" --sead 4
expect 2 "wants a duration" "$tool" explore "$toys" --for ever
sed 's/gort-trace 4/gort-trace 9/' small.trace >nine.trace
expect 2 "a trace of version 9" "$tool" replay nine.trace
head -8 small.trace >cut.trace
expect 2 "cut off" "$tool" replay cut.trace
expect 2 "not a trace of gort" "$tool" replay "$toys"
sed 's/^build .*/build 00/' small.trace >other.trace
expect 0 "of another build" "$tool" replay other.trace
# A thread that is not there cannot go on.
sed -E 's/^p ([0-9]+) ([0-9]+) .*/p \1 \2 200/; s/^s ([0-9]+) ([0-9]+) .*/s \1 \2 200/' up.trace >wrong.trace
expect 1 "the replay diverged" "$tool" replay wrong.trace
# An option of another command, or a value that is none.
expect 2 "unknown option --times" "$tool" explore "$toys" --times 4
expect 2 "unknown option --runs" "$tool" replay small.trace --runs 4
expect 2 '--runs wants a number' "$tool" explore "$toys" --runs none
expect 2 '--inject wants a probability from 0 to 1, not "2"' "$tool" explore "$toys" --inject 2
expect 2 "replay wants a trace" "$tool" replay
expect 2 "nothing.trace: No such file" "$tool" replay nothing.trace
# The program that a trace names may be gone, or be another one by now.
sed "s|^program .*|program $PWD/gone|" small.trace >gone.trace
expect 2 "another one can be named by --program" "$tool" replay gone.trace
expect 0 "1 of 1 times the same failure" "$tool" replay gone.trace --program "$toys"
expect 2 "is of another mode" "$tool" replay small.trace --program "$plain"
sed 's/^steps .*/steps many/' small.trace >number.trace
expect 2 'number.trace: line 12: "steps" wants a number' "$tool" replay number.trace

# A trace is never what is written over, nor read for what it does not say.
expect 2 "--events would replace the trace" "$tool" replay small.trace --events ./small.trace
expect 2 "--output would replace the trace" "$tool" report small.trace --output "$PWD/small.trace"
expect 2 "--chrome would replace the trace" "$tool" report small.trace --chrome small.trace
expect 2 "--output would replace the trace" "$tool" shrink small.trace --output small.trace
expect 2 "cannot be one file" "$tool" report small.trace --output one.html --chrome ./one.html
for line in 'k 0 1 4294967295' 's 256 1 1' 'p 0 1 2 3' 'p 0 x 2' 's 0 1 4294967298'; do
  sed "s/^p .*/$line/; s/^s .*/$line/" small.trace >hostile.trace
  expect 2 "not a deviation: $line" "$tool" replay hostile.trace
done
sed 's/^deviations .*/deviations 4000000000/' small.trace >many.trace
expect 2 "more deviations than a run can have" "$tool" replay many.trace
"$tool" replay small.trace --events /dev/stdout 2>&1 | grep -q "no regular file" || { echo "FAIL: events into a pipe"; failed=1; }

# A folder that cannot be written to is said before anything is explored, not hours later.
expect 2 "no/such/: No such file or directory" "$tool" explore "$toys" --trace no/such/up.trace -- update
expect 2 "small.trace/: Not a directory" "$tool" explore "$toys" --trace small.trace/up.trace -- update
expect 2 ". is a folder" "$tool" shrink small.trace --output .
expect 2 "no/such/: No such file or directory" "$tool" replay small.trace --events no/such/run.events
# A thread that cannot be made gets no turn.
expect 1 "exit 2: fatal error: newosproc" "$tool" explore "$toys" --runs 3 --trace crowded.trace -- crowded
expect 0 "2 of 2 times the same failure" "$tool" replay crowded.trace --times 2

# On a full disk the trace is not lost: it goes to the folder for temporary files, or else to standard error.
TMPDIR=$PWD expect 1 "/dev/full: cannot be written: No space left on device; the trace is in $PWD/gort-" \
  "$tool" explore "$toys" --runs 2000 --trace /dev/full -- update
expect 0 "1 of 1 times the same failure" "$tool" replay "$PWD"/gort-*.trace
TMPDIR=$PWD/no/such expect 1 "gort-trace 4" "$tool" explore "$toys" --runs 2000 --trace /dev/full -- update
sed -n '/^gort-trace 4$/,/^end$/p' out >err.trace
sed -i '1s/.*\(gort-trace 4\)$/\1/' err.trace
expect 0 "1 of 1 times the same failure" "$tool" replay err.trace
[ -c /dev/full ] || { echo "FAIL: /dev/full is no device any more"; failed=1; }
TMPDIR=$PWD expect 0 "the trace is in $PWD/gort-" "$tool" shrink small.trace --output /dev/full
TMPDIR=$PWD/no/such expect 1 "gort-trace 4" "$tool" shrink small.trace --output /dev/full
expect 3 "cannot write /dev/full: No space left on device" "$tool" replay small.trace --events /dev/full
expect 3 "/dev/full: cannot be written: No space left on device" "$tool" report small.trace --output /dev/full
exit $failed
