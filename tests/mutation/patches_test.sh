#!/bin/bash
# patches_test.sh DOCUMENT: the patches of the mutation check apply to runtime/ as it is, and the
# documentation's table has the same mutants, and sums that are right.
set -u
document=$1
here=tests/mutation
work=$TEST_TMPDIR
failed=0
fail() {
  printf 'FAIL: %s\n' "$*"
  failed=1
}

number=0
names=()
for file in "$here"/patches/*.patch; do
  name=${file##*/}
  name=${name%.patch}
  names+=("$name")
  number=$((number + 1))
  [[ $name =~ ^$(printf %03d $number)(-[a-z]+)+$ ]] ||
    fail "$name: wanted $(printf %03d $number)-some-words.patch: numbers have no gaps"
  header=$(head -1 "$file")
  [[ $header =~ ^[a-z\ ]+:\ [^|]+\.\ Rule:\ [^|]+\.$ ]] ||
    fail "$name: the first line is no «area: what is broken. Rule: what it violates.»"
  for layer in conformance tsan explore; do
    grep -q "^$layer ${header%%: *}: [a-z]" "$here/areas" ||
      fail "$name: the file areas names no programs of layer $layer for «${header%%: *}»"
  done
  # A header would have to be compiled into the tests as well.
  touched=$(sed -n 's/^+++ b\/\([^\t]*\).*/\1/p' "$file")
  [ -n "$touched" ] || fail "$name changes nothing"
  for path in $touched; do
    [[ $path == runtime/*.cc ]] || fail "$name changes $path, which is no source file of runtime/"
  done
  ! grep -qE '^(---|\+\+\+) /dev/null' "$file" || fail "$name adds or removes files"
  rm -rf "$work/tree"
  mkdir -p "$work/tree/runtime"
  # shellcheck disable=SC2086
  (cp -L $touched "$work/tree/runtime" && chmod u+w "$work/tree/runtime/"*) || fail "$name: no such file"
  if ! output=$(cd "$work/tree" &&
    patch -p1 --fuzz=0 --no-backup-if-mismatch --reject-file=- <"$OLDPWD/$file" 2>&1); then
    printf '%s\n' "$output"
    fail "$name: the patch does not apply to runtime/ any more: mend it, or take it out"
  fi
  row="| $name | ${header%%. Rule: *} |"
  [ "$(grep -cF -- "$row" "$document")" = 1 ] ||
    fail "$document has no row «$row»: run //tests/mutation, and take over what it prints"
done
[ $number -ge 60 ] || fail "there are $number mutants, 60 were promised"

rows=$(grep -c '^| [0-9][0-9][0-9]-' "$document")
[ "$rows" = $number ] || fail "the table has $rows rows for $number mutants"

# The sums below the table, computed anew from its rows.
sums=$(awk -F' [|] ' '
  /^\| [0-9][0-9][0-9]-/ {
    sub(/ \|$/, "")
    n = 0; missing = 0
    for (i = 3; i <= 6; i++) {
      if ($i == "-") continue
      if ($i == "not run yet" || $i == "error") { missing = 1; continue }
      killed[i]++; n++
    }
    if (missing) unknown++
    else if (n == 0) nobody++
    total++
  }
  END {
    printf "| killed | %d | %d | %d | %d | %d | %d | %d |\n", killed[3], killed[4], killed[5],
      killed[6], nobody, unknown, total
  }' "$document")
grep -qF -- "$sums" "$document" || fail "the sums are wrong, they should be: $sums"

while IFS=$'\t' read -r name text; do
  [[ " ${names[*]} " == *" $name "* ]] || fail "survivors: there is no mutant \"$name\""
  [ -n "$text" ] || fail "survivors: $name has no explanation"
  grep -v '^|' "$document" | grep -q "$name" || fail "$document does not explain the survivor $name"
done <"$here/survivors"
exit $failed
