#!/bin/bash
# million.sh TOOL PROGRAM...: a million runs, shared out evenly among the programs and Bazel's shards, a
# fifth of them with injections. Shards have seeds of their own; so have the runs of --runs_per_test.
# GORT_EXPLORE_RUNS says how many runs it is in all.
set -u
tool=$1
shift
[ -z "${TEST_SHARD_STATUS_FILE-}" ] || touch "$TEST_SHARD_STATUS_FILE"
shards=${TEST_TOTAL_SHARDS:-1}
runs=$(((${GORT_EXPLORE_RUNS:-1000000} + shards * $# - 1) / (shards * $#)))
with=$(((runs + 4) / 5))
seed=$((((${TEST_SHARD_INDEX:-0} + 1) * 1000 + ${TEST_RUN_NUMBER:-1}) * 1000000))
failed=0

# campaign NAME PROGRAM OPTION...: its trace stays among the test's outputs.
campaign() {
  local name=$1 program=$2 status
  shift 2
  "$tool" explore "$program" --trace "${TEST_UNDECLARED_OUTPUTS_DIR:-.}/$name.trace" "$@"
  status=$?
  [ $status = 0 ] || {
    echo "FAIL: $name: status $status"
    failed=1
  }
}

for program in "$@"; do
  name=$(basename "$program")
  campaign "$name" "$program" --seed $seed --runs $((runs - with))
  campaign "$name-injected" "$program" --seed $((seed + runs - with)) --runs $with --inject 0.01
done
exit $failed
