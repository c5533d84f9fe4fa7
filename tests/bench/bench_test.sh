#!/bin/bash
# Every case has a twin in Go under the same name, and every case runs.
set -euo pipefail
cd "$(dirname "$0")"

names() { grep -o 'bench("[^"]*", [0-9]*\|report("[^"]*"' "$1" | sort; }
diff <(names bench.cc) <(names go/main.go) || {
  echo "bench.cc and go/main.go differ in their cases (above)" >&2
  exit 1
}
for p in 1 2 4; do
  out=$(GOMAXPROCS=$p ./bench --scale=0.002)
  while IFS= read -r name; do
    grep -qF "$name" <<<"$out" || {
      echo "no result for «$name» with GOMAXPROCS=$p:" >&2
      echo "$out" >&2
      exit 1
    }
  done < <(grep -o 'bench("[^"]*"' bench.cc | sed 's/bench("\(.*\)"/\1/')
done
./bench --bogus >/dev/null 2>&1 && {
  echo "an unknown argument was accepted" >&2
  exit 1
}
[[ $(./bench --list | wc -l) -ge 29 ]]
