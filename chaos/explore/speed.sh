#!/bin/bash
# speed.sh TOOL TOYS SCENARIO...: how many runs a second the explorer makes on one core, the beginning and
# the end of each run's process included, and what a step costs. Fails if a program of 1,000 scheduling
# points makes fewer than 300 runs a second.
set -u
tool=$PWD/$1
toys=$PWD/$2
shift 2
scenarios=("${@/#/$PWD/}")
unset BUILD_WORKING_DIRECTORY
cd "$TEST_TMPDIR" || exit 1
failed=0

fail() {
  echo "FAIL: $1"
  failed=1
}

# field JSON NAME
field() { sed -nE "s/.*\"$2\":([0-9.e+-]+).*/\1/p" <<<"$1"; }

# measure RUNS STRATEGY PROGRAM [TOY]: sets runs_a_second, steps and decisions of a run.
measure() {
  local found program=$3
  found=$(taskset -c 0 "$tool" explore "$program" --runs "$1" --strategy "$2" --json ${4:+-- "$4"}) ||
    fail "$(basename "$program") ${4:-}: $found"
  steps=$(field "$found" steps)
  decisions=$(field "$found" decisions)
  runs_a_second=$(awk -v n="$(field "$found" runs)" -v s="$(field "$found" seconds)" 'BEGIN { print n / s }')
}

printf '%-12s %-14s %12s %12s %12s\n' program strategy 'runs a s' steps decisions
for program in "$toys" "${scenarios[@]}"; do
  name=$(basename "$program")
  toy=
  [ "$program" != "$toys" ] || toy=both
  for strategy in pct:3 pct:3@points burst pct:3@memory burst@memory sites@memory; do
    measure 300 "$strategy" "$program" "$toy"
    printf '%-12s %-14s %12.0f %12s %12s\n' "${toy:-${name%_explore}}" "$strategy" "$runs_a_second" "$steps" "$decisions"
    if [ "$toy" = both ] && [ "$strategy" = pct:3 ] && awk -v n="$runs_a_second" 'BEGIN { exit n >= 300 }'; then
      fail "fewer than 300 runs a second"
    fi
  done
done

# A step at which nothing is decided, and a decision, which nearly always goes to another thread.
measure 50 default "$toys" held
few=$runs_a_second few_steps=$steps
measure 50 default "$toys" alone
awk -v a="$few" -v b="$runs_a_second" -v m="$few_steps" -v n="$steps" \
  'BEGIN { printf "a step without a decision: %.2f ns\n", 1e9 * (1 / b - 1 / a) / (n - m) }'
measure 50 default "$toys" both
few=$runs_a_second few_decisions=$decisions
measure 50 random "$toys" both
awk -v a="$few" -v b="$runs_a_second" -v m="$few_decisions" -v n="$decisions" \
  'BEGIN { printf "a decision: %.2f us\n", 1e6 * (1 / b - 1 / a) / (n - m) }'
exit $failed
