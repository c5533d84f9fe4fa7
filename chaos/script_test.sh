#!/bin/bash
# script_test.sh PROBE...: injections do what they say, and the watcher sees deadlocks and nothing
# else. Each probe is one build of script_probe.cc.
set -u
failed=0
export GOMAXPROCS=4

fail() {
  printf 'FAIL: %s\n' "$1"
  failed=1
}

# run NAME STATUS [SPEC]: the probe's output in $output; with CHAOS if a spec is given.
run() {
  output=$(CHAOS=${3-} "$probe" "$1" 2>&1)
  local status=$?
  [ $status = "$2" ] || fail "$probe $1 CHAOS=${3-} exits with $status, not $2: $output"
}

shows() {
  [[ $output == *"$1"* ]] || fail "$probe does not show \"$1\" but: $output"
}

count() { grep -c -x -- "$1" <<<"$output"; }

p=timer_fired_unlocked
for probe in "$@"; do
  run visits 0 "$p=2*print(two)->visit(4):print(four)->visit(2):print(never)"
  [ "$(count two)" = 2 ] && [ "$(count four)" = 1 ] && [ "$(count never)" = 0 ] ||
    fail "terms: $output"
  shows "visits 1000"

  # The dice: near one half, the same for the same seed, another sequence for another.
  run visits 0 "$p=50%print(half)"
  half=$(count half)
  ((half > 400 && half < 600)) || fail "50% of 1000 fired $half times"
  run visits 0 "$p=50%print(half)"
  [ "$(count half)" = "$half" ] || fail "the same seed fires $half and $(count half) times"
  seeds=$(for CHAOS_SEED in 7 8 9; do
    export CHAOS_SEED
    run visits 0 "$p=50%print(half)"
    count half
  done)
  [ "$seeds" != "$half"$'\n'"$half"$'\n'"$half" ] || fail "seeds change nothing"

  # Two rules for one point both count; a pattern names it too.
  run visits 0 "$p=1*print(one); timer_*=1*print(pattern)"
  [ "$(count one)" = 1 ] && [ "$(count pattern)" = 1 ] || fail "two rules: $output"

  run after 0 "$p=after(retake_before_cas):print(seen)"
  [ "$(count seen)" = 1 ] || fail "after fires $(count seen) times"
  run holding 0 "$p=holding(sched.lock):print(held)"
  [ "$(count held)" = 1 ] || fail "holding fires $(count held) times"
  run visits 0 "$p=1*delay(1000)->1*yield->off"

  run visits 2 "$p=visit(3):throw(by the script)"
  shows "fatal error: by the script"
  shows "runtime stack:"

  run happensafter 0
  shows "held until the other had come"

  run crossed 86
  shows "chaos: deadlock seen"
  shows "waits for the lock in main.crossed"
  shows "chaos: end of the report"
  [ "$(grep -c '^M.* waits for the lock at' <<<"$output")" = 2 ] ||
    fail "the ring has not two Ms: $output"

  run stranger 0
  shows "the stranger has gone"
  run patient 0
  shows "got the lock in the end"

  run barrier 86
  shows "chaos: deadlock seen"
  shows "[goroutine 1]"
  shows "[P "
  shows "waits until it can stop goroutine 1 in main."
  shows "has passed a safe point"
  run stubborn 0
  shows "stopped in the end"

  run await 0 "$p=await(retake_before_cas)"
  shows "held until the other came again"
  run movestack 0 "$p=movestack"
  shows "moved"
  [[ $output != *NOT* ]] || fail "the stack was not moved: $output"
  run movestack 0
  shows "NOT moved"
  run asleep 0 "$p=print(awake)"
  [ "$(count awake)" = 1 ] || fail "a script that sleeps injects: $output"
  shows "visits 1"

  # What the runtime is asked for at a point.
  run collected 0 "$p=collect"
  shows "collected"
  run stopped 0 "$p=stoptheworld"
  shows "stopped and started"
  run passed 0 "$p=barrier"
  shows "all have passed"
  run retaken 0 "$p=retake"
  shows "all have come back"
  run shrunk 0 "$p=shrink"
  shows "moved while parked"
  shows "and well"
  [[ $output != *NOT* ]] || fail "the stack was not moved: $output"
  GOMAXPROCS=1 run preempted 0 "$p=preempt"
  [ "$output" = preempted ] || fail "preempt: $output"
  for whom in '' ,process ,any ,0; do
    run signalled 0 "$p=1*signal(10$whom)"
    shows "a signal came"
  done
  run starved 0 "$p=1%starve(20000)"
  shows "starved"
  run visits 2 "persistentalloc_mmap=enomem"
  shows "fatal error: runtime: cannot allocate memory"
  # Stacks move at every call, once one has moved.
  run alwaysmoved 0 "newstack_moved=movestack; $p=movestack"
  shows "sum 20100"
  shows "moves many"
  # What is asked for again and again under a load is done.
  run visits 0 "*=20%collect; *=20%stoptheworld; *=20%barrier; *=20%shrink; *=20%retake; *=20%preempt"
  shows "visits 1000"

  run visits 2 "$p=1*print(x)->pritn(y)"
  shows "environment variable CHAOS, column 34: unknown action \"pritn\"; did you mean print?"
  shows "                                   ^"
  run visits 2 "timer_fierd_unlocked=off"
  shows "column 1: unknown point \"timer_fierd_unlocked\"; did you mean timer_fired_unlocked?"
done
exit $failed
