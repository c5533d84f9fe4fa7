#!/bin/bash
# calibration_test.sh TOOL TOYS: runs out of N in which a strategy finds a toy's bug, from least to
# most. A bug that a strategy must not find has most 0: chance would have to hold a thread back for
# hundreds of steps in a row. To relay, fairness lends pct:2 the ordering that it lacks in one of a thousand runs:
# it gives the turn to a thread that has waited for it for 3,000 steps, wherever the other one is, and with
# sysmon at work in between the 120 steps of one goroutine take that long. And to update, now and then, those that are
# asked at points, of which it has none between its load and its store: time goes on there, and wakes somebody.
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
order    random    40    8   32
order    pct:1    100   40  100
patience random    60    0    0
patience pct:1    100   40  100
patience burst    100    2   80
update   default   20    0    0
update   pct:1    200    0    2
update   random    40    8   40
update   pct:2   1500    1  300
relay    pct:1    200    0    0
relay    pct:2   1000    0    2
relay    pct:3   4000    1  400
relay    random    40    4   40
plain    burst    200    0    0
plain    random    20    0    0
plain    burst@memory  200   4  200
plain    pct:2@memory 1500   1  300
plain    mix      200    1  200
update   sites    600   10  200
relay    sites    600    2   80
relay    sites@memory 600 4 100
plain    sites    600    0    0
plain    sites@memory 600 20 300
rare     burst@memory 1000 0  1
rare     pct:2@memory 3000 0  2
rare     sites@memory 3000 2 75
outlived pct:1    100   40  100
patience starve   100    4   96
update   starve   200    8  160
relay    starve   400    4  160
plain    starve   200    0    0
plain    starve@memory 200 10 180
update   bounded:0 500   0    0
update   bounded:1 9000 10 1500
relay    bounded:1 1000  0    0
made     pct:1@points  100 0  2
made     pct:2@points  400 2 120
made     burst@points  200 4 120
made     starve@points 200 2 100
made     sites@points  200 3 120
update   pct:2@points  200 0 12
update   burst@points  200 0  8
update   sites@points  200 0  6
update   starve@points 200 0  8
plain    sites@points  400 0  0
held     mix      200    0    0
held     sites@memory 400 0   0
TABLE
exit $failed
