#!/bin/bash
# main_test.sh TOOL: the tool's exit statuses and messages, with a history of shell scripts in place
# of scenarios and general programs.
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
shows "--mode wants script, storm or explore, not \"all\""
run 2 repro good --build all
shows "repro wants one build"
run 2 repro good quiet
run 2 repro good --focus 'chan*'
shows "--focus is for --mode storm or explore, not for --mode script"
run 2 repro good --mode explore --knobs sites=5%
shows "--knobs is for --mode storm, not for --mode explore"
run 2 repro good --mode storm --strategy pct:2
shows "--strategy is for --mode explore, not for --mode storm"
run 2 repro good --runs 3
shows "--runs is for --mode storm or explore"
run 0 repro good --build plain --json
shows '"reproduced":true'

# General programs: they say that they can be explored or stormed, and what they have found. A
# campaign gets its task from the environment.
explored='# gort: this program can be explored, 1
task() { printf "%s\n" "$CHAOS_EXPLORE" | sed -n "s/^$1=//p"; }
said() { # FAILED
  echo "{\"runs\":$(task runs | head -c 3),\"failed\":$1,\"seconds\":0.5,\"first_failure_run\":$1,"
  echo "\"first_failure_seconds\":0.25,\"outcome\":\"exit 2\",\"said\":\"panic: boom\",\"trace\":\"$(task trace)\"}"
}
[ "$(task command)" = replay ] && { echo "panic: boom, at length"; exit 0; }'
program finds "$explored
task inject >inject; task seed >seed; task strategy >strategy; echo trace >\"\$(task trace)\"; said 1; exit 1"
program findsnothing "$explored
said 0"
program breaks "$explored
exit 3"
stormed='# gort chaos: this program has points and listens, version 1
echo "$CHAOS_STORM $CHAOS $*" >>storms
[ -n "$CHAOS_STORM" ] || exit 0'
program fallsover "$stormed
exit 4"
program stands "$stormed"
general() { # BUG LINE...: a history of this one, with these lines about it
  printf '%s\n' "bug $1 tests/history/$1/bug" "${@:2}" >tests/history/index.txt
}
general loose 'explore loose finds findsnothing --inject=0.25' \
  'storm loose fallsover stands --focus=chan* --knobs=sites=60% -- channels'
run 0 verify loose --mode explore
shows "run 1, 0.2 s: exit 2: panic: boom"
shows "no failure in 100 runs"
shows "found, and the fix holds"
[ "$(cat inject)" = 0.25 ] || fail "verify hands on $(cat inject) as the probability of injections"
run 0 verify loose --mode explore --json --seed 7 --strategy burst
shows '"mode":"explore","good":true'
shows '"first_failure_run":1'
[ "$(cat seed strategy)" = $'7\nburst' ] || fail "verify hands on $(cat seed strategy)"
run 0 repro loose --mode explore --seed 9
shows "panic: boom, at length"
shows "loose without the fix, mode explore: reproduced, in run 1, after 0.2 s"
shows "replay -v loose.trace"
shows "shrink loose.trace"
shows "report loose.trace"
[ "$(cat loose.trace seed)" = $'trace\n9' ] || fail "no trace, or not seed 9: $(cat seed)"
run 0 repro loose --mode explore --trace elsewhere --json
shows '"reproduced":true'
shows '"trace":"elsewhere"'
[ -e elsewhere ] || fail "--trace is not heeded"
run 2 repro loose --mode explore --trace no/such/folder
shows "no/such/: No such file or directory"
run 2 repro loose --mode explore --strategy best
shows "unknown strategy"
run 2 verify loose --seed 7
shows "--seed is for --mode explore, not for --mode script"
run 2 verify loose --mode explore --build tsan
shows "--build is for --mode script, not for --mode explore"
run 0 repro loose --mode storm --seed 5
shows "exit status 4 instead of 0"
shows "loose without the fix, mode storm: reproduced"
[ "$(tail -1 storms)" = "seed=5,focus=chan*,sites=60%  channels" ] || fail "the storm is $(tail -1 storms)"
run 0 repro loose --mode storm --focus 'gopark*' --json
shows '"status":0'
[ "$(tail -1 storms)" = "seed=1,focus=gopark*  " ] || fail "the storm is $(tail -1 storms)"
run 2 repro loose --mode storm --focus nowhere_at_all
shows 'unknown point "nowhere_at_all"'
general quiet 'explore quiet findsnothing findsnothing' 'storm quiet stands stands'
run 1 verify quiet --mode explore --runs 7
shows "NOT found in 7 runs"
run 1 repro quiet --mode explore --runs 7
shows "NOT reproduced, no failure found in 7 runs"
run 1 repro quiet --mode storm --runs 2
shows "quiet without the fix, mode storm: NOT reproduced"
general good 'explore good finds finds'
run 1 verify good --mode explore
shows "found, but the fix does NOT hold"
run 3 repro good --mode storm
shows "good is not built for mode storm"
general gone 'explore gone breaks findsnothing'
run 3 verify gone --mode explore
shows "the explorer broke, with status 3"
run 3 repro gone --mode explore
general hangs 'explore hangs deadlocks findsnothing'
run 3 verify hangs --mode explore
shows "is not a program of gort"
run 3 verify hangs
shows "there is nothing to verify"
cp index tests/history/index.txt

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
shows "exit status: 0 what was asked for happened"
run 0 --help
run 0 verify --help
shows "--build BUILD"
run 0 repro --help
shows "--mode storm"
run 0 list --help

run 2
shows "bugs of the history:"
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
shows "--mode wants script, explore or all"
run 2 verify --build slow
shows "--build wants plain, tsan or all"
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
