#!/bin/bash
# weak_test.sh NM ARCHIVE...
#
# The linker takes one of many copies of an inline function or of a template's instance. Where that is a
# copy in a program's object, it counts as code of the program, which a signal may preempt at any
# instruction (goroutine.lds); in namespace gort::runtime it does not. So the runtime's objects have no
# such function outside gort::runtime, but for those that may be preempted: they are goroutine code
# that runs without any lock of the runtime, and look at m or p in functions of gort::runtime only. The
# files that write profiles are such code as a whole, as package runtime/pprof is in Go.
set -euo pipefail
nm=$1
shift

fail() {
  printf 'FAIL: %s\n' "$1"
  exit 1
}

# Building an any: its allocation and its write barrier are calls. go, of os::signal's own goroutine.
allowed='^_ZN4gort3anyC[12]I|^_ZN4gort2goI'

weak=$("$nm" --defined-only "$@" | awk '
  /:$/ { profiles = /^(pprof|protobuf|proflabel)/ }
  NF == 3 && $2 == "W" && !profiles { print $3 }' | sort -u)
inside=$(printf '%s\n' "$weak" | grep -c '^_ZN\(K\)\?4gort7runtime\|^_ZZN\(K\)\?4gort7runtime' || true)
((inside > 10)) || fail "only $inside weak functions of gort::runtime are seen in $*"
outside=$(printf '%s\n' "$weak" | grep -v '^_ZNK\?4gort7runtime\|^_ZZNK\?4gort7runtime' |
  grep -vE "$allowed" || true)
if [ -n "$outside" ]; then
  printf '%s\n' "$outside"
  fail "weak functions outside gort::runtime"
fi
printf '%s weak functions of gort::runtime, none outside that would matter\n' "$inside"
