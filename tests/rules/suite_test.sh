#!/bin/bash
# The members of a bare gort_test's suite are one test for each mode.
set -eu
want='//tests/rules:mode_test_plain
//tests/rules:mode_test_tsan'
got=$(sort "$1")
if [ "$got" != "$want" ]; then
  printf 'wanted:\n%s\ngot:\n%s\n' "$want" "$got"
  exit 1
fi
