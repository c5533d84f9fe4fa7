#!/bin/bash
# layering_test.sh takes what is allowed, and refuses an upward include in each form and an empty
# folder.
set -euo pipefail
layering=$PWD/tools/lint/layering_test.sh
cd "$TEST_TMPDIR"

fail() {
  printf 'FAIL: %s\n' "$1"
  exit 1
}

mkdir runtime
if "$layering" runtime; then fail "an empty folder is taken"; fi

printf '#include "proc.h"\n#include "runtime/go.h"\n// "chaos/point.h" is not included\n' >runtime/a.cc
"$layering" runtime || fail "allowed includes are refused"

for line in '#include "chaos/point.h"' '#  include <tests/support.h>' ' #include "../docs/x.h"'; do
  printf '%s\n' "$line" >runtime/b.h
  if "$layering" runtime >/dev/null; then fail "taken: $line"; fi
done
