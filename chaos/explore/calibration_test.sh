#!/bin/bash
# calibration_test.sh TOOL TOYS: runs out of N in which a strategy finds a toy's bug, from least to
# most. A bug that a strategy must not find has most 0: chance would have to hold a thread back for
# hundreds of steps in a row.
set -u
tool=$PWD/$1
toys=$PWD/$2
unset BUILD_WORKING_DIRECTORY
cd "$TEST_TMPDIR" || exit 1
failed=0

while read -r toy strategy runs least most; do
  [ -n "$toy" ] || continue
  found=$("$tool" explore "$toys" --runs "$runs" --strategy "$strategy" --all --json -- "$toy" |
    sed -nE 's/.*"failed":([0-9]+).*/\1/p')
  verdict=good
  if [ -z "$found" ] || [ "$found" -lt "$least" ] || [ "$found" -gt "$most" ]; then
    verdict=FAIL
    failed=1
  fi
  echo "$verdict: $toy by $strategy: ${found:-no result} of $runs, wanted $least to $most"
done <<'TABLE'
order    random  200   40  160
order    pct:1   200   40  160
patience random  100    0    0
patience pct:1   200   40  160
patience burst   200    2  160
update   default 20     0    0
update   pct:1   200    0    0
update   random  200   40  190
update   pct:2   400    2  200
relay    pct:1   200    0    0
relay    pct:3   1000   1  300
relay    random  400    2  300
held     mix     200    0    0
TABLE
exit $failed
