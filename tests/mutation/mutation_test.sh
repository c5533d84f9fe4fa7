#!/bin/bash
# mutation_test.sh TOOL: the mutation check with one mutant that the explorer kills at once, with a patch that
# is not ours, and with command lines that are wrong.
set -u
tool=$PWD/$1
chaos=$PWD/chaos/tool
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

# A patch of one's own, and what the explorer finds: a trace, with its program.
mine=$TEST_TMPDIR/mine.patch
tail -n +2 "$(dirname "$tool")"/patches/*-resumeg-no-ready.patch >"$mine"
expect 0 "the trace is in $TEST_TMPDIR/mine.trace" mine.patch --layers explore --for 60
"$chaos" replay "$TEST_TMPDIR/mine.trace" >"$out" 2>&1 || {
  echo "FAIL: the trace does not fail again"
  tail -20 "$out"
  failed=1
}
expect 2 "there is no such file" nothing.patch
echo "no patch" >"$TEST_TMPDIR/no.patch"
expect 2 "no.patch is not a patch as git diff writes it" no.patch
sed 's|runtime/[a-z0-9_]*.cc|runtime/proc.h|' "$mine" >"$TEST_TMPDIR/header.patch"
expect 2 "git apply header.patch" header.patch
sed 's|runtime/[a-z0-9_]*.cc|chaos/main.cc|' "$mine" >"$TEST_TMPDIR/other.patch"
expect 2 "only sources of runtime/ are broken here" other.patch
sed 's/^-/-x/' "$mine" >"$TEST_TMPDIR/stale.patch"
expect 3 "the patch does not apply to runtime/" stale.patch --layers explore
expect 2 "is no folder" --save nowhere resumeg-no-ready
exit $failed
