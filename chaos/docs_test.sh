#!/bin/bash
# docs_test.sh TOOL PINGPONG EVERYTHING PAGE...: runs every command line that the pages show, and wants status
# 0. Command lines stand alone on a line inside a fence, as one types them.
set -u
tool=$1
pingpong=$2
everything=$3
shift 3
failed=0
commands=0

for page in "$@"; do
  while IFS= read -r line; do
    case $line in
      *"./bazelw run //chaos -- "*)
        command=${line/'./bazelw run //chaos -- '/"'$tool' "}
        command=${command/'bazel-bin/chaos/pingpong'/"'$pingpong'"}
        command=${command/'bazel-bin/chaos/everything'/"'$everything'"}
        ;;
      *"./bazelw run //chaos:pingpong"*)
        command=${line/'./bazelw run //chaos:pingpong'/"'$pingpong'"}
        ;;
      # Bazel's own commands: //tests/history and the rest of //... are run by the tests themselves.
      "./bazelw test //tests/history:"* | "./bazelw test //chaos:"*) continue ;;
      *)
        echo "FAIL: $page shows a command that no test knows: $line"
        failed=1
        continue
        ;;
    esac
    commands=$((commands + 1))
    echo "$page: $line"
    if ! bash -c "$command" >"$TEST_TMPDIR/out" 2>&1; then
      echo "FAIL: $page: $line"
      tail -20 "$TEST_TMPDIR/out"
      failed=1
    fi
  done < <(awk '/^```/ { fence = !fence; next } fence && /\.\/bazelw/' "$page")
done
[ $commands -gt 5 ] || {
  echo "FAIL: only $commands commands were found"
  failed=1
}
exit $failed
