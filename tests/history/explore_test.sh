#!/bin/bash
# explore_test.sh TOOL SEEDS SECONDS PROGRAM:INJECT:NEEDS...: the explorer finds each bug in a program that
# knows nothing of it, from SEEDS base seeds, each within SECONDS; the trace fails again and again, and is made
# small. From more than one seed it fails 100 times, and within a minute there are no more than three preemptions
# left beyond the NEEDS that the bug's script makes. Prints a line for each bug.
set -u
tool=$PWD/$1
seeds=$2
seconds=$3
shift 3
# A single seed is for every day: there the trace is made smaller, not as small as can be.
shrinking=60 times=100
[ "$seeds" -gt 1 ] || shrinking=10 times=10
programs=("${@/#/$PWD/}")
unset BUILD_WORKING_DIRECTORY
cd "$TEST_TMPDIR" || exit 1
failed=0

fail() {
  echo "FAIL: $*"
  failed=1
}

# number KEY: of the JSON on standard input.
number() { sed -nE "s/.*\"$1\":([0-9.e+-]+).*/\1/p"; }

# middle NUMBER...: the median of some numbers, and the largest.
middle() { printf '%s\n' "$@" | sort -g | sed -n "$((($# + 1) / 2))p;\$p" | paste -sd' ' | sed 's/ /; at most /'; }

[ -z "${TEST_SHARD_STATUS_FILE-}" ] || touch "$TEST_SHARD_STATUS_FILE"
for ((entry = ${TEST_SHARD_INDEX:-0}; entry < ${#programs[@]}; entry += ${TEST_TOTAL_SHARDS:-1})); do
  IFS=: read -r program inject needs <<<"${programs[entry]}"
  name=$(basename "$program")
  found_in=() preemptions=() injections=() shrunk_in=()
  for ((i = 0; i < seeds; i++)); do
    seed=$((1 + i * 1000000))
    found=$("$tool" explore "$program" --for "${seconds}s" --seed $seed --inject "$inject" \
      --trace "$name.trace" --json 2>err)
    status=$?
    if [ $status -ne 1 ]; then
      fail "$name: seed $seed: status $status: $found"
      tail -20 err
      continue
    fi
    found_in+=("$(number first_failure_seconds <<<"$found")")
    "$tool" replay "$name.trace" --times $times >out 2>&1 || fail "$name: seed $seed: $(tail -3 out)"
    "$tool" shrink "$name.trace" --for ${shrinking}s --output "$name.small" >shrunk 2>&1 ||
      fail "$name: seed $seed: $(tail -3 shrunk)"
    "$tool" replay "$name.small" --times $times >out 2>&1 || fail "$name: seed $seed: small: $(tail -3 out)"
    echo "$name: seed $seed: $(sed -nE 's/.*"outcome":"([^"]*)".*/\1/p' <<<"$found"); $(grep -m1 " runs in " shrunk)"
    preemptions+=("$(grep -c '^p ' "$name.small")")
    injections+=("$(grep -c '^i ' "$name.small")")
    shrunk_in+=("$(sed -nE 's/.* runs in ([0-9.]+) s:.*/\1/p' shrunk)")
    [ "$seeds" -eq 1 ] || [ "${preemptions[-1]}" -le $((needs + 3)) ] ||
      fail "$name: seed $seed: ${preemptions[-1]} preemptions are left, the script makes $needs"
  done
  [ ${#found_in[@]} -eq 0 ] || echo "$name: ${#found_in[@]} of $seeds seeds, medians: found in s" \
    "$(middle "${found_in[@]}"), shrunk in s $(middle "${shrunk_in[@]}"), to preemptions" \
    "$(middle "${preemptions[@]}"), injections $(middle "${injections[@]}")"
done
exit $failed
