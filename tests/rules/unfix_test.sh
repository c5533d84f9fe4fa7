#!/bin/bash
# unfix.sh applies a patch exactly or fails and says why.
set -u
unfix=$1
patch=$2
source=$3
header=$4
work=$TEST_TMPDIR

fail() {
  printf 'FAIL: %s\n' "$1"
  exit 1
}

"$unfix" "$patch" "$work/good" "$source" "$source" "$header" "$header" || fail "it does not apply"
grep -q '"unfixed"' "$work/good/$source" || fail "the source is not patched"
grep -q '"unfixed"' "$work/good/$header" || fail "the header is not patched"
grep -q '"fixed"' "$source" || fail "the original is patched"

# What is not to be compiled again is left out: the source that is as it was, unless a header is
# patched.
cp "$source" "$work/other.cc"
"$unfix" "$patch" "$work/all" "$source" "$source" "$header" "$header" "$work/other.cc" other.cc ||
  fail "it does not apply"
[ -e "$work/all/other.cc" ] || fail "a header is patched, and a source is missing"
sed -n '/^--- .*\.cc$/,$p' "$patch" >"$work/source.patch"
"$unfix" "$work/source.patch" "$work/one" "$source" "$source" "$header" "$header" \
  "$work/other.cc" other.cc || fail "it does not apply"
grep -q '"unfixed"' "$work/one/$source" || fail "the source is not patched"
[ -e "$work/one/$header" ] || fail "a header is missing"
[ ! -e "$work/one/other.cc" ] || fail "an unchanged source is there"

# The source has moved on: one line of the context is different.
sed 's/^}$/} \/\/ changed/' "$source" >"$work/changed.cc"
if output=$("$unfix" "$patch" "$work/bad" "$work/changed.cc" "$source" "$header" "$header" 2>&1); then
  fail "a patch with fuzz is taken"
fi
case $output in
  *"Hunk #1 FAILED"*"unfix.patch: the patch does not apply"*) ;;
  *) fail "the message is: $output" ;;
esac

# A file that the patch would create is no source of the runtime.
printf -- '--- /dev/null\n+++ b/tests/rules/new.cc\n@@ -0,0 +1 @@\n+int x;\n' >"$work/new.patch"
if output=$("$unfix" "$work/new.patch" "$work/new" "$source" "$source" 2>&1); then
  fail "a patch that adds a file is taken"
fi
case $output in
  *"adds or removes files"*) ;;
  *) fail "the message is: $output" ;;
esac
