#!/bin/bash
# storm_soak.sh TOOL PROGRAM...: each program in storms for its part of GORT_STORM_SECONDS (1800).
# Bazel's shards have seeds of their own; so have the runs of --runs_per_test.
set -u
tool=$1
shift
[ -z "${TEST_SHARD_STATUS_FILE-}" ] || touch "$TEST_SHARD_STATUS_FILE"
seconds=$((${GORT_STORM_SECONDS:-1800} / $#))
seed=$((((${TEST_SHARD_INDEX:-0} + 1) * 1000 + ${TEST_RUN_NUMBER:-1}) * 1000000))
failed=0
for program in "$@"; do
  "$tool" storm "$program" --for "$seconds" --seed $seed || failed=1
done
exit $failed
