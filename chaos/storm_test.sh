#!/bin/bash
# storm_test.sh TOOL EVERYTHING EVERYTHING_TSAN PROBE NO_POINTS TOYS: storms and fault loops as their user
# sees them, and the knobs as a running program shows them.
set -u
tool=$1
everything=$2
everything_tsan=$3
probe=$4
no_points=$5
explored=$6
failed=0
unset GOMAXPROCS

fail() {
  printf 'FAIL: %s\n' "$1"
  failed=1
}

# run STATUS COMMAND...: its output in $output.
run() {
  local wanted=$1
  shift
  output=$("$@" 2>&1)
  local status=$?
  [ $status = "$wanted" ] || fail "$* exits with $status, not $wanted: $output"
}

shows() {
  [[ $output == *"$1"* ]] || fail "it does not show \"$1\" but: $output"
}

# ---- campaigns ----

move='sites=100%,fires=100%,yield=0,delay=0,preempt=0,shrink=0,collect=0,stoptheworld=0,barrier=0'
move+=',retake=0,starve=0%,signals=0'
at='--focus=timer_fired_unlocked'

run 0 "$tool" storm "$probe" --runs 5 -- calm
shows "5 runs"
shows "5 held, 0 failed"
shows "No failure was found in 5 runs; that is not to say that there is none."

run 1 "$tool" storm "$probe" --runs 4 --seed 70 $at --knobs "$move" -v -- panics
shows "4 runs"
shows "seeds 70 to 73: 0 held, 4 failed"
shows "seed 72,"
shows "panic: moved by the storm"
# The line to paste fails in the same way.
line=$(grep CHAOS_STORM= <<<"$output" | head -1)
run 2 bash -c "$line"
shows "moved by the storm"

run 1 "$tool" storm "$probe" --runs 2 $at --knobs "$move" -- exits
shows "exit status 3 instead of 0"
run 1 "$tool" storm "$probe" --runs 2 --knobs "sites=0%" --chaos 'timer_fired_unlocked=movestack' -- exits
run 1 "$tool" storm "$probe" --runs 2 --json $at --knobs "$move" -- exits
shows '"what":"exit status 3 instead of 0"'
shows '"first_seed":"1"'
# Nothing is known of a run that was cut off; it shows its stacks.
run 3 "$tool" storm "$probe" --runs 1 --timeout 2 $at --knobs "$move" -- hangs
shows "1 cut off"
shows "SIGQUIT: quit"
shows "main.hangs"
run 0 "$tool" storm "$probe" --for 1s -- calm

run 3 "$tool" storm "$probe" -- always
shows "fails without a storm: panic: in any weather"
run 2 "$tool" storm "$no_points"
shows "no points in this program: build it with gort_binary(..., points = True) and"
run 2 "$tool" storm "$TEST_TMPDIR/nowhere"
shows "No such file or directory"
run 2 "$tool" storm
shows "storm wants a program"
run 2 "$tool" storm "$probe" --runs none -- calm
shows '--runs wants a number'
run 2 "$tool" storm "$probe" --focus nowhere_at_all -- calm
shows '--focus nowhere_at_all: unknown point "nowhere_at_all"'
run 2 "$tool" storm "$probe" --knobs 'fires=5' -- calm
shows 'expected a share, as in 12.5%'
run 2 "$tool" storm "$probe" --chaos 'mallocgc_begin=pritn(x)' -- calm
shows 'column 16: unknown action "pritn"'
run 2 "$tool" storm "$probe" --chaos 'mallocgc_bgein=yield' -- calm
shows 'column 1: unknown point "mallocgc_bgein"; did you mean mallocgc_begin?'
run 2 "$tool" storm "$probe" --knobs 'sites=5%,focus=chan_queud' -- calm
shows '--knobs, column 16: unknown point "chan_queud"; did you mean chan_queued?'
run 2 "$tool" storm /bin/true
shows "/bin/true is not a program of gort: build it with gort_binary"
run 2 "$tool" storm "$explored"
shows 'is of mode "explore"'
run 2 env CHAOS=mallocgc_begin=of "$probe" calm
shows 'environment variable CHAOS, column 16: unknown action "of"; did you mean off?'
run 2 env CHAOS_STORM=sede=1 "$probe" calm
shows 'environment variable CHAOS_STORM, column 1: unknown knob "sede"; did you mean seed?'
run 0 "$tool" storm --help
shows "--focus PATTERN"

# ---- the knobs, in a running program: neither too seldom nor too often ----

# count WHAT: the number behind WHAT in the storm's report.
count() {
  local text=${output#*chaos: storm: }
  text=${text#*", $1 "}
  echo "${text%%[!0-9]*}"
}

# between LEAST WHAT MOST
between() {
  local n
  n=$(count "$2")
  [ -n "$n" ] && ((n >= $1 && n <= $3)) || fail "$2: \"$n\" is not from $1 to $3: $output"
}

quiet='starve=0%,signals=0,report=1,focus=timer_fired_unlocked,sites=100%'
only() { # ACTION: the weights of this one only
  local weights=
  for action in yield delay preempt movestack shrink collect stoptheworld barrier retake; do
    [ $action = "$1" ] || weights+=,$action=0
  done
  echo "$quiet$weights"
}

# 30% of 10,000 visits: 5 standard deviations are 229.
run 0 env CHAOS_STORM="$(only yield),fires=30%" "$probe" counts
between 2771 yield 3229
run 0 env CHAOS_STORM="$(only yield),fires=1%" "$probe" counts
between 50 yield 150
run 0 env CHAOS_STORM="$(only movestack),fires=30%" "$probe" counts
between 2771 movestack 3229
run 0 env CHAOS_STORM="$quiet,sites=0%" "$probe" counts
between 0 yield 0
for action in shrink collect stoptheworld barrier retake; do
  run 0 env CHAOS_STORM="$(only $action),fires=30%,pause=0" "$probe" counts
  between 2771 $action 3229
done
# 500 signals a second for 3 seconds: 1500, standard deviation 39. HUP does not end the program.
run 0 env CHAOS_STORM='sites=0%,starve=0%,report=1,signals=500,kinds=URG+HUP+PROF+CHLD' "$probe" busy
between 1250 signals 1700
# 30% of the intervals of 10 ms in 3 s: 90 of 300, standard deviation 8. Some are not noticed.
run 0 env CHAOS_STORM='sites=0%,signals=0,report=1,starve=30%,interval=10000' "$probe" busy
between 280 intervals 310
between 40 starved 130
slept=$(count 'us asleep starved')
((slept > 0 && slept <= 130 * 10000)) || fail "$slept us of starvation: $output"

# ---- everything, in a few storms ----

run 0 "$tool" storm "$everything" --runs 8
run 0 "$tool" storm "$everything_tsan" --runs 4

# ---- fault loops ----

run 0 "$tool" faults "$probe" -- calm
shows "died well"
[ "$(grep -cE '^(throw|mmap) .* 0$' <<<"$output")" = 4 ] || fail "not four loops without problem: $output"
grep -qE '^mmap  *once  *[0-9]+  *[1-9]' <<<"$output" || fail "no request was refused: $output"
run 0 "$tool" faults "$everything" --kind mmap --step 9
run 0 "$tool" faults "$everything" --kind throw --step 9001
run 0 "$tool" faults "$everything_tsan" --kind throw --from 20 --to 20 --json
shows '"died":1'
# What a fault has left behind is found at the end, here without a fault.
run 0 "$probe" damages
run 2 env CHAOS_FAULT=throw:1000000:once GODEBUG=gccheckmark=1,heapstackcheck=1 "$probe" damages
shows "heap object holds the address of a goroutine's stack"
run 1 "$tool" faults "$probe" --kind throw --from 1000000 -- damages
shows "without the fault: throw: heap object holds"
run 2 "$tool" faults "$probe" --kind nothing
shows "--kind wants throw or mmap"
run 2 env CHAOS_FAULT=throw "$probe" calm
shows "environment variable CHAOS_FAULT"
exit $failed
