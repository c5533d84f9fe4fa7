#!/bin/bash
# docs_test.sh TOOL PINGPONG EVERYTHING TOYS PAGE...: runs every command line that the pages show, in
# their order, and wants status 0, or N where the line ends in "# exit status N". Command lines stand
# alone on a line inside a fence, as one types them.
set -u
tool=$PWD/$1
pingpong=$PWD/$2
everything=$PWD/$3
toys=$PWD/$4
shift 4
# Where the files go that commands write.
export BUILD_WORKING_DIRECTORY=$TEST_TMPDIR
failed=0
commands=0

for page in "$@"; do
  while IFS= read -r line; do
    case $line in
      *"./bazelw run //chaos -- "*)
        command=${line/'./bazelw run //chaos -- '/"'$tool' "}
        command=${command/'bazel-bin/chaos/pingpong'/"'$pingpong'"}
        command=${command/'bazel-bin/chaos/everything'/"'$everything'"}
        command=${command/'bazel-bin/chaos/explore/toys'/"'$toys'"}
        ;;
      *"./bazelw run //chaos:pingpong"*)
        command=${line/'./bazelw run //chaos:pingpong'/"'$pingpong'"}
        ;;
      # Bazel's own commands: //tests/history and the rest of //... are run by the tests themselves.
      "./bazelw test //tests/history:"* | "./bazelw test //chaos"*) continue ;;
      # What the next commands take is among this test's data.
      "./bazelw build //chaos/explore:toys") continue ;;
      *)
        echo "FAIL: $page shows a command that no test knows: $line"
        failed=1
        continue
        ;;
    esac
    commands=$((commands + 1))
    start=$SECONDS
    printf '%s: %s' "$page" "$line"
    wanted=0
    case $line in *"# exit status "*) wanted=${line##*# exit status } ;; esac
    bash -c "$command" >"$TEST_TMPDIR/out" 2>&1
    status=$?
    echo ": $((SECONDS - start)) s"
    if [ $status -ne "$wanted" ]; then
      echo "FAIL: $page: $line: status $status"
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
