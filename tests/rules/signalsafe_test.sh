#!/bin/bash
# signalsafe_test.sh OBJDUMP AWK PROGRAM
#
# No function that a signal handler of the runtime can reach calls the sanitizer: TSan's own code may be
# what the signal has interrupted. PROGRAM is built with TSan. Calls are followed from the handler on,
# but for what ends the process: throws with what they print first, the report of a fatal signal, and
# the growth of a stack, which a signal stack does not need.
set -euo pipefail
objdump=$1
awk=$2
program=$3

code=$TEST_TMPDIR/code
"$objdump" -d --no-show-raw-insn "$program" >"$code"

fail() {
  printf 'FAIL: %s\n' "$1"
  exit 1
}

runtime=_ZN4gort7runtime
stop="^${runtime}6throw_|^${runtime}[0-9]+print|^${runtime}L?.*dieWithDump|morestack"
reached=$(awk -v root='^gort_sigtrampgo$' -v stop="$stop" -f "$awk" "$code")
if printf '%s\n' "$reached" | grep '^BAD'; then
  fail "a signal handler calls the sanitizer"
fi
# What it has looked at.
for name in sigsend isAsyncSafePoint wantAsyncPreempt mDoFixup mDoFixupAndOSYield notewakeupsignal \
  locksignal unlocksignal rawsyscall dieFromSignal signal_ignored setsig unblocksig \
  sigprof cpuProfile3add profBuf5write; do
  printf '%s\n' "$reached" | grep "^reached ${runtime}[0-9]*${name}E" >/dev/null ||
    fail "$name was not reached from gort_sigtrampgo; is it inlined, or has it another name?"
done
printf '%s functions\n' "$(printf '%s\n' "$reached" | grep -c '^reached')"

# That a call of the sanitizer would be seen: ordinary functions make such calls, and those that they
# call.
for root in "^${runtime}2GCEv\$" "^${runtime}5lock2E"; do
  awk -v root="$root" -v stop="$stop" -f "$awk" "$code" | grep '^BAD' >/dev/null ||
    fail "no call of the sanitizer is seen from $root"
done
