#!/bin/bash
# explore_test.sh TOOL SEEDS SECONDS PROGRAM:INJECT...: the explorer finds each bug in a program that knows
# nothing of it, from SEEDS base seeds, each within SECONDS; the trace fails again and again, and is made
# small. Prints the median times.
set -u
tool=$PWD/$1
seeds=$2
seconds=$3
shift 3
# A single seed is for every day: there the trace is made smaller, not as small as can be.
shrinking=60
[ "$seeds" -gt 1 ] || shrinking=10
programs=("${@/#/$PWD/}")
unset BUILD_WORKING_DIRECTORY
cd "$TEST_TMPDIR" || exit 1
failed=0

fail() {
  echo "FAIL: $*"
  failed=1
}

for entry in "${programs[@]}"; do
  program=${entry%:*}
  inject=${entry##*:}
  name=$(basename "$program")
  times=()
  for ((i = 0; i < seeds; i++)); do
    found=$("$tool" explore "$program" --for "${seconds}s" --seed $((1 + i * 1000000)) --inject "$inject" \
      --trace "$name.trace" --json 2>err)
    status=$?
    if [ $status -ne 1 ]; then
      fail "$name: seed $((1 + i * 1000000)): status $status: $found"
      tail -20 err
      continue
    fi
    times+=("$(sed -nE 's/.*"first_failure_seconds":([0-9.e+-]+).*/\1/p' <<<"$found")")
    "$tool" replay "$name.trace" --times 10 >out 2>&1 || fail "$name: $(tail -3 out)"
    "$tool" shrink "$name.trace" --for ${shrinking}s --output "$name.small" >shrunk 2>&1 || fail "$name: $(tail -3 shrunk)"
    "$tool" replay "$name.small" --times 10 >out 2>&1 || fail "$name: small: $(tail -3 out)"
    echo "$name: $(sed -nE 's/.*"outcome":"([^"]*)".*/\1/p' <<<"$found"); $(grep -m1 " runs in " shrunk)"
  done
  [ ${#times[@]} -eq 0 ] ||
    echo "$name: median $(printf '%s\n' "${times[@]}" | sort -g | sed -n "$(((${#times[@]} + 1) / 2))p") s of ${#times[@]} seeds"
done
exit $failed
