#!/bin/bash
# mutation_test.sh TOOL: the mutation check with one mutant that the explorer kills at once, and with
# command lines that are wrong.
set -u
tool=$PWD/$1
export BUILD_WORKING_DIRECTORY=$TEST_TMPDIR
export TMPDIR=$TEST_TMPDIR
out=$TEST_TMPDIR/out
failed=0

# expect STATUS TEXT ARGUMENT...: the exit status, and a text that the output has.
expect() {
  local status=$1 text=$2 got
  shift 2
  "$tool" "$@" >"$out" 2>&1
  got=$?
  if [ $got -ne "$status" ] || ! grep -qF -- "$text" "$out"; then
    echo "FAIL: $*: status $got, wanted $status and \"$text\""
    tail -20 "$out"
    failed=1
  fi
}

expect 0 "exit status: 0" --help
expect 0 "Rule: " --list 'copystack-*'
expect 2 "no mutant \"nothing\"" nothing
expect 2 "unknown option --fro" --fro 5
expect 2 "no layer \"tests\"" --layers tests
expect 2 "--for wants a number of seconds" --for ever
expect 2 "--jobs wants a value" --jobs
expect 2 "cannot write" --results /no/such/folder/results resumeg-no-ready

expect 0 "not run yet" --table resumeg-no-ready
expect 0 "resumeg-no-ready: explore: killed after" resumeg-no-ready --layers explore --for 5
grep -q "control: explore: survived" "$out" || { echo "FAIL: no control"; failed=1; }
# What is known is not run again.
expect 0 '"verdict":"killed"' resumeg-no-ready --layers explore --for 5 --json
! grep -q "explore: killed after" "$out" || { echo "FAIL: it was run again"; failed=1; }
exit $failed
