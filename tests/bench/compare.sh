#!/bin/bash
# Runs bench and its twin in Go in turn and prints, for each case, the median of the pairwise ratios
# gort/Go: below 1 gort is faster, or smaller. Both run in one session, so that the machine's drift
# hits both.
#
#   bazel run //tests/bench:compare -- [--runs=N] [--procs=1,2] [--filter=TEXT] [--scale=F]
#
# Needs Go on the PATH (on Debian 12 bazelw installs it).
set -euo pipefail

runs=5 procs=1,2 args=()
for arg in "$@"; do
  case $arg in
    --runs=*) runs=${arg#*=} ;;
    --procs=*) procs=${arg#*=} ;;
    --filter=* | --scale=*) args+=("$arg") ;;
    --help)
      sed -n '2,9s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *)
      echo "compare: unknown argument $arg (--help lists them)" >&2
      exit 2
      ;;
  esac
done

# bazel run starts in the runfiles folder of the workspace.
here=${TEST_SRCDIR:+$TEST_SRCDIR/gort/}tests/bench
[[ -e $here/bench ]] || here=$(dirname "$0")
gort=$here/bench
source=$here/go
command -v go >/dev/null || {
  echo "compare: go is not on the PATH; on Debian 12: ./bazelw version" >&2
  exit 2
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp -L "$source"/main.go "$source"/go.mod "$tmp"
(cd "$tmp" && GOFLAGS=-mod=mod GOCACHE="$tmp/cache" go build -o gobench .)

for p in ${procs//,/ }; do
  for ((i = 1; i <= runs; i++)); do
    echo "GOMAXPROCS=$p, pair $i of $runs" >&2
    GOMAXPROCS=$p "$gort" "${args[@]}" | sed "s/^/gort $p $i /" >>"$tmp/all"
    GOMAXPROCS=$p "$tmp/gobench" "${args[@]}" | sed "s/^/go $p $i /" >>"$tmp/all"
  done
done

echo "$(go version); $(nproc) processors; $runs pairs"
awk '
  function median(list,   v, n, i, j, t) {
    n = split(list, v, " ")
    for (i = 2; i <= n; i++)
      for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
  }
  {
    name = $4
    for (i = 5; i <= NF - 3; i++) name = name " " $i
    if (!(name in seen)) { seen[name] = 1; order[++count] = name }
    value[$1, $2, $3, name] = $(NF - 1)
    unit[name] = $NF
    procs[$2] = 1
    if ($3 > runs) runs = $3
  }
  END {
    printf "%-24s %6s %12s %12s %8s\n", "case", "procs", "gort", "Go", "gort/Go"
    for (k = 1; k <= count; k++)
      for (p in procs) {
        g = o = r = ""
        for (i = 1; i <= runs; i++) {
          a = value["gort", p, i, order[k]]; b = value["go", p, i, order[k]]
          if (a == "" || b == "" || b + 0 == 0) continue
          g = g " " a; o = o " " b; r = r " " a / b
        }
        if (r != "")
          printf "%-24s %6d %12.1f %12.1f %8.2f  %s\n", order[k], p, median(g), median(o), median(r), unit[order[k]]
      }
  }' "$tmp/all"
