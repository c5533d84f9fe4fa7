#!/bin/bash
# A gort_binary is built in its mode, without the runtime's checks and points, and can be run. One
# that asks for points has them.
set -u
plain=$1
tsan=$2
points=$3

fail() {
  printf 'FAIL: %s\n' "$1"
  exit 1
}

[ "${plain##*/}" = race_plain ] || fail "the program is called $plain"

output=$("$plain" 2>&1) || fail "plain mode exits with $?: $output"
[ "$output" = "checked: 0, points: 0" ] || fail "plain mode prints: $output"

output=$("$points" 2>&1) || fail "with points it exits with $?: $output"
[ "$output" = "checked: 0, points: 1" ] || fail "with points it prints: $output"

# The symbol table names the sanitizer in one of them only.
grep -q __tsan_init "$plain" && fail "plain mode is instrumented"

# The race is there in every run, but only one that TSan looks at ends like this.
output=$(TSAN_OPTIONS=halt_on_error=1:exitcode=66 "$tsan" 2>&1)
status=$?
[ $status = 66 ] || fail "mode tsan exits with $status: $output"
case $output in
  *"WARNING: ThreadSanitizer: data race"*) ;;
  *) fail "mode tsan prints no race report: $output" ;;
esac
