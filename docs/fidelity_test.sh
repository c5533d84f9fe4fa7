#!/bin/bash
# fidelity.md is true of the code: every file that a row of its function tables names exists in
# runtime/ and has the function, under Go's name or the one in the note; every test file it names
# exists.
set -euo pipefail
page=docs/fidelity.md
failed=0 rows=0 tests=0

while IFS='|' read -r _ go here note _; do
  go=${go//[[:space:]]/} here=${here//[[:space:]]/}
  case $here in
    - | here | --- | '' | *,*) continue ;;
  esac
  case $here in
    *.cc | *.h | *.S) ;;
    *) continue ;;
  esac
  if [[ ! -f runtime/$here ]]; then
    # The tables of tests name files under tests/.
    if [[ ! -f tests/$here ]]; then
      echo "fidelity.md: $go: there is no runtime/$here"
      failed=1
    fi
    tests=$((tests + 1))
    continue
  fi
  name=${go##*.}
  [[ $note =~ \`([A-Za-z_]+)\` ]] && name=${BASH_REMATCH[1]}
  rows=$((rows + 1))
  grep -qwE "(gort_)?$name|$name" "runtime/$here" || {
    echo "fidelity.md: $go: runtime/$here has no $name"
    failed=1
  }
done <"$page"

((rows > 400)) || {
  echo "fidelity.md: only $rows rows read; did its form change?"
  failed=1
}
echo "$rows functions looked up, $tests test files"
exit $failed
