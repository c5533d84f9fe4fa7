#!/bin/bash
# Every target in a command line «./bazelw ...» of README.md and of docs/*.md exists: the BUILD file of
# its package has it. (Bazel itself cannot be asked inside a test.)
set -euo pipefail

# The repository: where the test's own WORKSPACE links to.
cd "$(dirname "$(readlink -f WORKSPACE)")"
pages=(README.md docs/*.md)
failed=0
checked=0

fail() {
  echo "FAIL: $1"
  failed=1
}

# Whether the BUILD file of package $1 has a target $2. Tests that are made of a list or of files of
# a folder (glob) are found by that name.
has_target() {
  local build=$1/BUILD name=$2
  [ -f "$build" ] || return 1
  grep -qE "(name = |^ *\(?)\"$name\"" "$build" && return 0
  local stem=${name%_plain}
  stem=${stem%_tsan}
  if [ "$stem" != "$name" ]; then
    has_target "$1" "$stem" && return 0
  fi
  # name = something + "_test" and the like, over the items of a list.
  if [ "${name%_test}" != "$name" ] && has_target "$1" "${name%_test}"; then
    grep -qE "name = .*_test\"" "$build" && return 0
  fi
  [ -f "$1/$name.cc" ] && grep -qF 'glob(' "$build"
}

check_label() {
  local page=$1 label=$2 package name
  checked=$((checked + 1))
  package=${label#//}
  case $package in
    ... | */...)
      package=${package%...}
      [ -d "./$package" ] || fail "$page: $label: no such folder"
      return
      ;;
    *:*)
      name=${package#*:}
      package=${package%%:*}
      ;;
    *) name=${package##*/} ;;
  esac
  case $name in
    all | '*')
      [ -f "$package/BUILD" ] || fail "$page: $label: no such package"
      return
      ;;
  esac
  has_target "$package" "$name" || fail "$page: $label: no such target"
}

for page in "${pages[@]}"; do
  while IFS= read -r line; do
    # What stands behind «--» is for the program.
    for word in ${line%% -- *}; do
      case $word in
        //*) check_label "$page" "$word" ;;
      esac
    done
  done < <(grep -oE '\./bazelw [^`#]*' "$page")
done

# The test sees what it is there to see.
exists() (
  failed=0
  check_label self "$1" >/dev/null
  exit $failed
)
for label in //docs:no_such_target //no/such/package/... //docs/examples:no_such_test; do
  if exists "$label"; then fail "$label is taken for a target"; fi
done
if ! exists //docs:commands_test; then fail "//docs:commands_test is not found"; fi

echo "$checked targets looked at in ${#pages[@]} pages"
[ "$checked" -gt 8 ] || fail "too few commands found"
exit $failed
