#!/bin/bash
# main_test.sh TOOL: the tool's exit statuses and messages, with a history of shell scripts in place
# of scenarios.
set -u
tool=$(realpath "$1")
failed=0

fail() {
  printf 'FAIL: %s\n' "$1"
  failed=1
}

# The history below TEST_TMPDIR instead of the real one.
unset TEST_SRCDIR RUNFILES_DIR
cd "$TEST_TMPDIR" || exit 1
ln -sf "$tool" chaos
mkdir -p tests/history/{good,quiet,loose,hangs,gone}

program() {
  printf '#!/bin/sh\n%s\n' "$2" >"$1"
  chmod +x "$1"
}
report='chaos: deadlock seen\n[allglock] <-\n\nwords\nchaos: end of the report\n'
deadlock="printf '$report' >&2; exit 86"
throw='echo "fatal error: boom" >&2; exit 2'
program deadlocks "$deadlock"
program throws "$throw"
program passes 'exit 0'
program sleeps 'exec sleep 100'

: >index
entry() { # NAME WITHOUT WITH
  cat >"tests/history/$1/bug" <<EOF
commit ${1}$(printf '0%.0s' $(seq $((40 - ${#1}))))
subject about $1
date 2020-01-01
issue https://go.dev/issue/1
procs 1 2
timeout 1
[without]
outcome deadlock
shows [allglock]
[with]
outcome throw
status 2
count 1 boom
EOF
  printf 'bug %s tests/history/%s/bug\nbuild %s plain %s %s\n' "$1" "$1" "$1" "$2" "$3" >>index
}
entry good deadlocks throws
entry quiet passes throws
entry loose deadlocks deadlocks
entry hangs sleeps throws
entry gone nowhere throws
cp index tests/history/index.txt

# run STATUS ARGUMENT...: output in $output
run() {
  local want=$1
  shift
  output=$(./chaos "$@" 2>&1)
  local status=$?
  [ $status = "$want" ] || fail "chaos $* exits with $status, not $want: $output"
}
shows() {
  [[ $output == *"$1"* ]] || fail "it does not say \"$1\" but: $output"
}

run 0 verify good --runs 3
shows "deadlock seen, 3 of 3 as expected"
shows "throw: boom, exit status 2, 3 of 3 as expected"
shows "reproduced, and the fix holds"
shows "[allglock] <-"
shows "good plain, without the fix: 3 runs"

run 1 verify quiet
shows "exit status 0, 0 of 8 AS EXPECTED"
shows "NOT reproduced as history says"
shows "expected deadlock, got exit status 0"
run 1 verify loose --runs=2
shows "the fix does NOT hold"
run 1 verify good quiet --runs 1
run 3 verify hangs
shows "cut off after 1 s"
shows "BROKEN, says nothing"
run 3 verify gone
shows "not started: ./nowhere: No such file"
run 3 verify quiet hangs --runs 1

run 0 verify good --runs 2 --json
shows '"exit_status":0'
shows '"without":{"runs":2,"as_expected":2,"broken":0,"outcomes":{"deadlock seen":2}'
run 0 verify good --runs 1 -v
shows "s: deadlock seen"
shows "words"

run 0 repro good
shows "chaos: deadlock seen"
shows "good without the fix, mode plain: deadlock seen"
run 1 repro quiet
shows "NOT what history says"
run 3 repro hangs
run 3 repro good --mode tsan
run 2 repro
run 2 repro good --mode all
run 2 repro good quiet

# Two ways to take a fix back, and cases that take turns with GOMAXPROCS.
mkdir -p tests/history/twice
program echoes 'echo "case $1 procs $GOMAXPROCS" >&2; exit 0'
program echoesbad 'echo "case $1 procs $GOMAXPROCS" >&2; exit 1'
cat >tests/history/twice/bug <<EOF
commit twice$(printf '0%.0s' $(seq 35))
subject about twice
date 2020-01-01
issue https://go.dev/issue/1
procs 1 2
cases left right
[without one]
outcome deadlock
[without two]
outcome exit
status 1
shows case
procs 4
[with]
outcome exit
status 0
EOF
{
  echo 'bug twice tests/history/twice/bug'
  echo 'build twice/one plain deadlocks echoes'
  echo 'build twice/two plain echoesbad echoes'
} >>tests/history/index.txt
run 0 verify twice good --runs 4
shows "twice/one  plain  deadlock seen, 4 of 4 as expected"
shows "twice/two  plain  exit status 1, 4 of 4 as expected"
shows "plain, two"
shows "2 bugs, 2 of them as history says"
run 0 verify twice/two --runs 4 -v
[[ $output != *twice/one* ]] || fail "twice/two takes twice/one too"
run 1 verify twice quiet --runs 1
shows "2 bugs, 1 of them as history says"
run 0 verify twic/two --json
shows '"unfixing":"two"'
run 0 repro twice/two
shows "case left procs 4"
run 0 repro twice/one
shows "twice/one without the fix, mode plain: deadlock seen"
run 2 repro twice
shows "repro wants one way to take the fix back: twice/one twice/two"
run 2 verify twice/tow
shows "unknown bug twice/tow; did you mean two?"

run 0 list
shows "about loose"
shows "twice/two"
run 0 list --json
shows '"bug":"good"'
run 0 points
shows "allgadd_locked"
run 0 points --json
shows '"file":"malloc.cc"'
run 0 help
shows "exit status: 0 every bug"
run 0 --help
run 0 verify --help

run 2
shows "commands:"
run 2 verify goood
shows "unknown bug goood; did you mean good?"
run 2 verfy
shows "unknown command verfy; did you mean verify?"
run 2 strom
shows "The commands there are: list verify repro points storm faults explore replay shrink report help"
run 2 verify --rnus 3
shows "unknown option --rnus; did you mean --runs?"
run 2 verify --runs 0
shows "--runs wants a number"
run 2 verify --runs
shows "--runs wants a value"
run 2 verify --mode fast
shows "--mode wants plain, tsan or all"
run 2 list good
run 2 verify good --json=1

printf 'bug good tests/history/good/bug\nbuild good plain\nnonsense x\n' >tests/history/index.txt
run 3 list
shows "cannot read the line: nonsense x"
sed -i 's/^outcome throw/outcome thorw/' tests/history/good/bug
run 3 list
shows "unknown outcome \"thorw\"; did you mean throw?"
printf 'bug twice tests/history/twice/bug\nbuild twice plain a b\n' >tests/history/index.txt
run 3 list
shows "twice: the file bug has no section [without]"
rm tests/history/index.txt
run 3 list
shows "cannot read ./tests/history/index.txt"
exit $failed
