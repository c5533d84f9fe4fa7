#!/bin/bash
# finds_test.sh TOOL ALWAYS_LOCKS NEVER_LOCKS 6B37 FF7C: storms and fault loops find bugs of the history
# that were put back, in a program that was not written for them. The rates that docs/chaos.md names are
# such that a campaign as long as these misses less than once in ten thousand times.
set -u
tool=$1
always_locks=$2
never_locks=$3
allglock=$4
barrier=$5
failed=0

# finds TEXT COMMAND...: the command must fail with the text in its evidence.
finds() {
  local text=$1 output
  shift
  output=$("$@" 2>&1)
  local status=$?
  if [ $status = 1 ] && [[ $output == *"$text"* ]]; then
    grep -m1 -E '^[0-9]+ runs|^throw ' <<<"$output"
    return
  fi
  echo "FAIL: $* exits with $status and does not find \"$text\": $output"
  failed=1
}

storm=("$tool" storm --first --runs 200 --timeout 120)
finds 'waits for the lock in runtime.syncadjustsudogs' "${storm[@]}" "$always_locks"
finds 'has passed a safe point' "${storm[@]}" "$barrier"
# Rare in a storm over all points; where a stack is copied and channels are used, frequent.
finds 'wrong' "${storm[@]}" "$never_locks" --focus 'copystack_*' --focus 'chan*' --focus 'sel*' \
  --knobs sites=60%,fires=20%,starve=0%,yield=0,preempt=0,movestack=0,collect=0,pause=50 \
  -- channels
finds 'waits for the lock in runtime.tracebackothers' "$tool" faults "$allglock" --kind throw --to 1
exit $failed
