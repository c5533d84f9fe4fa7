#!/bin/bash
# example_test.sh PROGRAM EXPECTED STATUS: runs the program with several numbers of processors and
# compares status and output. Of a traceback only the headers are compared, and the functions: not
# lines, offsets and arguments, nor ids but the main goroutine's: they depend on which P a go statement
# runs on.
set -u
program=$1
expected=$2
want=$3
failed=0
# No wait at exit: the runtime has stopped the other threads by then.
export TSAN_OPTIONS=atexit_sleep_ms=0

# From a goroutine's header on, keep what does not depend on where the compiler put things.
normalise() {
  awk '/^goroutine [0-9]+ \[/ { trace = 1 }
       !trace { print; next }
       /^goroutine / && !/^goroutine 1 / { sub(/[0-9]+/, "N") }
       /^goroutine / || /^created by main/ { print; next }
       /^main\./ { sub(/\(.*\)$/, ""); print }'
}

for procs in 1 2 4 8; do
  GOMAXPROCS=$procs "$program" >"$TEST_TMPDIR/stdout" 2>"$TEST_TMPDIR/stderr"
  status=$?
  if [ $status -ne "$want" ]; then
    echo "FAIL: status $status, not $want, with GOMAXPROCS=$procs"
    failed=1
  fi
  if [ -s "$TEST_TMPDIR/stdout" ]; then
    echo "FAIL: output on standard output with GOMAXPROCS=$procs"
    failed=1
  fi
  if ! diff -u "$expected" <(normalise <"$TEST_TMPDIR/stderr"); then
    echo "FAIL: other output with GOMAXPROCS=$procs; all of it:"
    cat "$TEST_TMPDIR/stderr"
    failed=1
  fi
done
exit $failed
