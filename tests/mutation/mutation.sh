#!/bin/bash
# The mutation check: does anybody notice when the runtime is broken a little?
#
# Each file in patches/ breaks one rule of runtime/. This builds a runtime with each of them, links the
# programs of four layers against it, and runs them: the tests, the tests under ThreadSanitizer, storms,
# and the explorer. docs/mutation.md has the table that comes out of it and says what to make of it.
#
# Bazel builds all programs once, as they are. For a mutant only what its patch changes is compiled
# again, with the command that Bazel uses (kit.bzl writes it down), and takes the place of the old
# objects; each program is linked when its turn comes.
set -u
shopt -s nullglob

LAYERS="conformance tsan storm explore"

usage() {
  cat <<'END'
./bazelw run //tests/mutation -- [MUTANT...] [OPTION...]

breaks the runtime with each MUTANT's patch (tests/mutation/patches) and shows which layer notices.
MUTANT is a number, a name, or a pattern: 012, runqget-no-cas, 'copystack-*'. Without any it takes all
of them. It can also be a file, a patch of your own for sources of runtime/: ./mine.patch. First the
runtime as it is goes through all layers, and must survive.

  --layers L,L       only these of conformance, tsan, storm, explore
  --for SECONDS      for each mutant, time for storm and for explore (default 20 each)
  --strategy NAME    what the explorer does (default mix; ./bazelw run //chaos -- explore --help)
  --jobs N           so many mutants at once (default 1)
  --results FILE     where results are kept (default mutation.results in the current folder); what
                     is there is not run again, as long as its patch is the same
  --again            run it again all the same
  --save FOLDER      when the explorer notices, put the trace there, and the program, for
                     chaos report, replay and shrink (default for patches of your own: here)
  --list             say which mutants there are and what they break, run nothing
  --table            print the table of FILE as it stands, for docs/mutation.md, run nothing
  --json             print the results as JSON
  --keep             keep the programs and what they have printed, and say where
  --help

exit status: 0 every mutant was killed, or its survival is explained (tests/mutation/survivors); 1 one
survived that should not have; 2 wrong use; 3 something broke, so that not everything is known: a patch
does not apply or compile, or the runtime as it is does not survive.
END
}

say() { printf 'mutation: %s\n' "$*" >&2; }
wrong() {
  say "$*"
  echo "Try: ./bazelw run //tests/mutation -- --help" >&2
  exit 2
}
broken() {
  say "$*"
  exit 3
}

# ---- the command line

patterns=()
layers=$LAYERS
budget=20
jobs=1
strategy=mix
results=
save=
again=
action=run
json=
keep=
while [ $# -gt 0 ]; do
  option=$1
  shift
  case $option in
    --layers | --for | --jobs | --results | --save | --strategy)
      [ $# -gt 0 ] || wrong "$option wants a value"
      value=$1
      shift
      ;;
  esac
  case $option in
    --layers)
      layers=${value//,/ }
      for layer in $layers; do
        [[ " $LAYERS " == *" $layer "* ]] || wrong "no layer \"$layer\"; there are $LAYERS"
      done
      [ -n "$layers" ] || wrong "--layers wants at least one of $LAYERS"
      ;;
    --for)
      [[ $value =~ ^[1-9][0-9]{0,4}$ ]] || wrong "--for wants a number of seconds, not \"$value\""
      budget=$value
      ;;
    --jobs)
      [[ $value =~ ^[1-9][0-9]{0,2}$ ]] || wrong "--jobs wants a number, not \"$value\""
      jobs=$value
      ;;
    --results) results=$value ;;
    --save) save=$value ;;
    --strategy)
      [[ $value =~ ^[a-z0-9:@]+$ ]] || wrong "--strategy wants a name, not \"$value\""
      strategy=$value
      ;;
    --again) again=1 ;;
    --list) action=list ;;
    --table) action=table ;;
    --json) json=1 ;;
    --keep) keep=1 ;;
    --help | -h)
      usage
      exit 0
      ;;
    -*) wrong "unknown option $option" ;;
    *) patterns+=("$option") ;;
  esac
done

cd -P . || exit 3
here=$PWD/tests/mutation
kit=$here/kit
execroot=${PWD%%/bazel-out/*}
[ -e "$kit/programs" ] || wrong "start it by ./bazelw run //tests/mutation"
caller=${BUILD_WORKING_DIRECTORY:-$PWD}
results=${results:-mutation.results}
[[ $results == /* ]] || results=$caller/$results
[[ $save == "" || $save == /* ]] || save=$caller/$save
[ -z "$save" ] || [ -d "$save" ] || wrong "--save: $save is no folder"

# Cases of the tests that are left out: those that start processes which are to die, and a few that
# take long and tell nothing that the others do not.
LEFT_OUT="errors,*isuse*,*refused*,*ends the program*,*xhaustion*,a second Lock is a deadlock,\
a lock that should be held,unlock of unlocked lock,double wakeup,notesleep not on g0,\
a lock out of order,a lock under which*,without a receiver*,TestNumGoroutine,TestBigGOMAXPROCS,\
marking ends under load,BenchmarkSelectSyncContended*,TestSemTable,select_n"

# What a test may take: seconds, many for a machine that others use too, and seconds of processor.
TEST_SECONDS=120
TEST_CPU=20

# ---- mutants

# Patches that are not ours, by mutant.
declare -A own

patch_of() { printf '%s' "${own[$1]-$here/patches/$1.patch}"; }
# The header is «area: what is broken. Rule: what it violates.»
header_of() {
  local header
  header=$(head -1 "$(patch_of "$1")")
  [[ -z ${own[$1]-} || $header == *": "*". Rule: "* ]] || header="anywhere: ${own[$1]}"
  printf '%s\n' "$header"
}
what_of() {
  local header
  header=$(header_of "$1")
  printf '%s' "${header%%. Rule: *}"
}

all=()
for file in "$here"/patches/*.patch; do
  name=${file##*/}
  all+=("${name%.patch}")
done
[ ${#all[@]} -gt 0 ] || broken "there are no patches in $here/patches"

# add_own FILE: one more mutant, of this patch.
add_own() {
  local file=$1 name changed
  [[ $file == /* ]] || file=$caller/$file
  [ -f "$file" ] || wrong "$1: there is no such file"
  changed=$(sed -nE 's|^\+\+\+ ([^\t ]+).*|\1|p' "$file")
  [ -n "$changed" ] || wrong "$1 is not a patch as git diff writes it"
  while IFS= read -r changed; do
    case ${changed#b/} in
      runtime/*.cc | runtime/*.S) ;;
      runtime/*.h)
        wrong "$1 changes ${changed#b/}, which programs are compiled with too: apply it to the tree" \
          "(git apply $1), and run ./bazelw test //chaos/explore/scenarios:all"
        ;;
      *) wrong "$1 changes ${changed#b/}; only sources of runtime/ are broken here" ;;
    esac
  done <<<"$changed"
  name=${file##*/}
  name=${name%.*}
  [[ $name =~ ^[A-Za-z0-9._-]+$ ]] || wrong "$1: a name of letters, digits, \".\", \"_\" and \"-\" is wanted"
  [[ " ${all[*]} ${mutants[*]-} control " != *" $name "* ]] || wrong "$1: there is a mutant $name already"
  own[$name]=$file
  mutants+=("$name")
  [ -n "$save" ] || save=$caller
}

if [ ${#patterns[@]} -eq 0 ]; then
  mutants=("${all[@]}")
else
  mutants=()
  for pattern in "${patterns[@]}"; do
    if [[ $pattern == */* || $pattern == *.patch || $pattern == *.diff ]]; then
      add_own "$pattern"
      continue
    fi
    found=
    for name in "${all[@]}"; do
      # shellcheck disable=SC2053 # a pattern
      if [[ $name == $pattern || ${name%%-*} == $pattern || ${name#*-} == $pattern ]]; then
        found=1
        [[ " ${mutants[*]-} " == *" $name "* ]] || mutants+=("$name")
      fi
    done
    [ -n "$found" ] || wrong "no mutant \"$pattern\"; --list shows them"
  done
fi

if [ $action = list ]; then
  for name in "${mutants[@]}"; do printf '%-38s %s\n' "$name" "$(header_of "$name")"; done
  exit 0
fi

# ---- results: a line each, «mutant checksum layer seconds verdict what was seen»

# A result holds for a patch, for the programs' runtime as it is, and for these seconds.
declare -A sums
sum_of() {
  if [ "$1" = control ]; then
    echo 0
  else
    cksum <"$(patch_of "$1")" | cut -d' ' -f1
  fi
}
for name in control "${mutants[@]}"; do sums[$name]=$(sum_of "$name"); done

result_of() {  # MUTANT LAYER -> seconds verdict seen, the last one; nothing if there is none
  [ -f "$results" ] || return 0
  awk -F'\t' -v mutant="$1" -v sum="${sums[$1]}" -v layer="$2" \
    '$1 == mutant && $2 == sum && $3 == layer { last = $4 "\t" $5 "\t" $6 } END { if (last != "") print last }' \
    "$results"
}

record() {  # MUTANT LAYER SECONDS VERDICT SEEN
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "${sums[$1]}" "$2" "$3" "$4" "$5" >>"$results"
}

explained() { grep -q "^$1	" "$here/survivors" 2>/dev/null; }

# ---- the table

# What was seen, in a word.
kind_of() {
  case $1 in
    *": race"*) echo race ;;
    *": deadlock"* | *"asleep - deadlock"*) echo deadlock ;;
    *": livelock"*) echo livelock ;;
    *": hang"*) echo hang ;;
    *": fault"*) echo fault ;;
    *": throw"*) echo throw ;;
    *": panic"*) echo panic ;;
    *": wrong value"*) echo wrong value ;;
    *) echo exit ;;
  esac
}

# The results of all mutants named, as a table for docs/mutation.md.
table() {
  local name layer line cell seconds verdict seen killers
  local -A killed=()
  local total=0 nobody=0 unknown=0 only
  local -A alone=()
  printf '| mutant | what it breaks | conformance | tsan | storm | explore |\n'
  printf '| --- | --- | --- | --- | --- | --- |\n'
  for name in "${mutants[@]}"; do
    printf '| %s | %s |' "$name" "$(what_of "$name")"
    total=$((total + 1))
    killers=0
    local missing=0
    for layer in $LAYERS; do
      line=$(result_of "$name" "$layer")
      IFS=$'\t' read -r seconds verdict seen <<<"$line"
      case $verdict in
        killed)
          cell="$(kind_of "$seen"), $seconds s"
          killers=$((killers + 1))
          only=$layer
          killed[$layer]=$((${killed[$layer]:-0} + 1))
          ;;
        survived) cell=- ;;
        error) cell=error missing=1 ;;
        *) cell="not run yet" missing=1 ;;
      esac
      printf ' %s |' "$cell"
    done
    printf '\n'
    if [ $missing = 1 ]; then
      unknown=$((unknown + 1))
    elif [ $killers = 0 ]; then
      nobody=$((nobody + 1))
    fi
    if [ $killers = 1 ] && [ $missing = 0 ]; then alone[$only]=$((${alone[$only]:-0} + 1)); fi
  done
  printf '\n| | conformance | tsan | storm | explore | nobody | not run yet | all |\n'
  printf '| --- | --- | --- | --- | --- | --- | --- | --- |\n| killed |'
  for layer in $LAYERS; do printf ' %d |' "${killed[$layer]:-0}"; done
  printf ' %d | %d | %d |\n| by this layer alone |' $nobody $unknown $total
  for layer in $LAYERS; do printf ' %d |' "${alone[$layer]:-0}"; done
  printf ' | | |\n'
}

print_json() {
  local name layer line seconds verdict seen separator=
  printf '{"mutants":['
  for name in "${mutants[@]}"; do
    printf '%s\n{"mutant":"%s","breaks":"%s","explained":%s,"layers":{' "$separator" "$name" \
      "$(what_of "$name" | sed 's/[\\"]/\\&/g')" "$(explained "$name" && echo true || echo false)"
    separator=,
    local comma=
    for layer in $LAYERS; do
      line=$(result_of "$name" "$layer")
      [ -n "$line" ] || continue
      IFS=$'\t' read -r seconds verdict seen <<<"$line"
      printf '%s"%s":{"verdict":"%s","seconds":%s,"seen":"%s"}' "$comma" "$layer" "$verdict" \
        "$seconds" "$(printf '%s' "$seen" | sed 's/[\\"]/\\&/g')"
      comma=,
    done
    printf '}}'
  done
  printf '\n]}\n'
}

if [ $action = table ]; then
  if [ -n "$json" ]; then print_json; else table; fi
  exit 0
fi

# ---- building a mutant

if ! { [ -f "$results" ] || : >>"$results"; } 2>/dev/null; then
  wrong "cannot write $results; name another file by --results"
fi
if ! work=$(mktemp -d "${TMPDIR:-/tmp}/gort-mutation.XXXXXX"); then
  broken "cannot make a folder in ${TMPDIR:-/tmp}"
fi
finish() {
  local running
  running=$(jobs -p)
  # shellcheck disable=SC2086 # several
  [ -z "$running" ] || kill $running 2>/dev/null
  if [ -n "$keep" ]; then say "kept in $work"; else rm -rf "$work"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM

# make_sources MUTANT FOLDER: the runtime with the patch, and a list of what is to be compiled.
make_sources() {
  local folder=$2 patch_file
  mkdir -p "$folder/runtime" "$folder/objects" "$folder/run"
  cp -L "$PWD"/runtime/*.{cc,S,h} "$folder/runtime"
  chmod -R u+w "$folder/runtime"
  ln -s "$execroot/bazel-out" "$execroot/tools" "$folder"
  # Of the execution root's own links to other repositories the next build may take some away.
  if [ -d "$execroot/../../external" ]; then
    ln -s "$execroot/../../external" "$folder/external"
  else
    ln -s "$execroot/external" "$folder/external"
  fi
  if [ "$1" = control ]; then
    # Nothing has changed; one file is compiled all the same, as for a mutant.
    echo runtime/proc_park.cc >"$folder/changed"
    return 0
  fi
  patch_file=$(patch_of "$1")
  (cd "$folder" && patch -p1 --fuzz=0 --no-backup-if-mismatch --reject-file=- <"$patch_file") \
    >"$folder/patch.out" 2>&1 || return 1
  sed -n 's/^patching file //p' "$folder/patch.out" >"$folder/changed"
}

# make_objects FOLDER COMPILE: the changed files, compiled as COMPILE says.
make_objects() {
  local folder=$1 source object word words
  local objects=$folder/objects/$2
  [ ! -e "$objects" ] || return 0
  mkdir -p "$objects"
  while read -r source; do
    object=${source##*/}
    object=$objects/${object%.*}.pic.o
    words=()
    while IFS= read -r word; do
      word=${word//@SOURCE@/$source}
      words+=("${word//@OBJECT@/$object}")
    done <"$kit/$2"
    # What a patch leaves unused is no error.
    (cd "$folder" && "${words[@]}" -Wno-error) >>"$folder/compile.out" 2>&1 || return 1
  done <"$folder/changed"
}

# make_program FOLDER PROGRAM OUTPUT ARGUMENTS OBJECTS COMPILE: links it with the changed objects, by
# the arguments that Bazel has linked it with.
make_program() {
  local folder=$1 program=$2 output=$3 arguments=$4 objects=$5 object edit
  [ ! -e "$program" ] || return 0
  edit="s|^$output\$|$program|"
  for object in "$folder/objects/$6"/*.o; do
    grep -qxF "$objects/${object##*/}" "$execroot/$arguments" || return 1
    edit+=";s|^$objects/${object##*/}\$|$object|"
  done
  sed "$edit" "$execroot/$arguments" >"$program.params"
  (cd "$folder" && "$compiler" "@$program.params") >"$folder/link.out" 2>&1
}

# ---- running programs

# complaint STATUS FILE: what is wrong with a run that ended so and has printed FILE; "" for nothing.
complaint() {
  local status=$1 file=$2 line
  [ "$status" != 0 ] || return 0
  if grep -q 'WARNING: ThreadSanitizer: data race' "$file"; then
    line=$(grep -m1 'SUMMARY: ThreadSanitizer' "$file")
    echo "race: ${line##* in }"
  elif line=$(grep -m1 -a '^fatal error: all goroutines are asleep' "$file"); then
    echo "deadlock: $line"
  elif line=$(grep -m1 -a '^fatal error: ' "$file"); then
    case $line in
      *"unexpected signal"* | *"fault"*) echo "fault: ${line#fatal error: }" ;;
      *) echo "throw: ${line#fatal error: }" ;;
    esac
  elif [ "$status" = 124 ] || [ "$status" = 137 ]; then
    echo "hang: cut off by the time-out"
  elif line=$(grep -m1 -a '^panic: ' "$file"); then
    echo "panic: ${line#panic: }"
  elif line=$(grep -m1 -a 'SIG[A-Z]*: \|ThreadSanitizer:DEADLYSIGNAL' "$file"); then
    echo "fault: $line"
  elif line=$(grep -m1 -a 'ERROR: \|FAIL' "$file"); then
    echo "wrong value: ${line#*ERROR: }"
  elif [ "$status" -gt 128 ]; then
    echo "fault: signal $((status - 128))"
  else
    echo "exit: status $status"
  fi
}

# One line, short, without tabs.
tidy() { tr '\t\n' '  ' | cut -c1-160 | sed 's/ *$//'; }

# run_program FOLDER LAYER PROGRAM SECONDS: prints what was seen, nothing if all went well.
run_program() {
  local folder=$1 layer=$2 program=$3 seconds=$4 out=$3.out status
  case $layer in
    conformance | tsan)
      # A dump of a program that hangs would take long, and nobody reads it.
      { (cd "$folder/run" && ulimit -t $TEST_CPU && TEST_TMPDIR=$folder/run \
        TSAN_OPTIONS=$tsan_options timeout -s KILL "$seconds" "$program" -tce="$LEFT_OUT") >"$out" 2>&1 </dev/null; } 2>/dev/null
      complaint $? "$out"
      ;;
    storm)
      (cd "$folder/run" && env -u BUILD_WORKING_DIRECTORY timeout -s KILL $((seconds + 60)) \
        "$storm" storm "$program" --for "${seconds}s" --first --timeout 15 --json) \
        >"$out" 2>&1 </dev/null
      status=$?
      [ $status != 0 ] || return 0
      storm_complaint "$status" "$out"
      ;;
    explore)
      # Without injections and with: an injection can hide what an order of threads shows.
      local inject
      for inject in 0 0.01; do
        (cd "$folder/run" && CHAOS_EXPLORE="command=explore
seconds=$(((seconds + 1) / 2))
runs=1000000000
strategy=$strategy
inject=$inject
json=1
trace=$program.trace
name=mutant" timeout -s KILL $((seconds + 90)) "$program") >"$out" 2>&1 </dev/null
        status=$?
        [ $status != 0 ] || continue
        explore_complaint $status "$out"
        [ -z "$save" ] || [ ! -e "$program.trace" ] || save_trace "$program" "${folder##*/}"
        return
      done
      ;;
  esac
}

# save_trace PROGRAM MUTANT: what the explorer has found, and the program that it was found in.
save_trace() {
  local program=$save/$2-${1##*/explore-}
  cp "$1" "$program" &&
    sed "s|^program .*|program $program|" "$1.trace" >"$save/$2.trace" &&
    say "$2: the trace is in $save/$2.trace; to look at it: ./bazelw run //chaos -- report $save/$2.trace" ||
    say "$2: the trace cannot be put into $save"
}

storm_complaint() {
  local what
  what=$(sed -n 's/.*"what":"\([^"]*\)".*/\1/p' "$2" | head -1)
  [ -n "$what" ] || what=$(grep -m1 -a 'chaos: ' "$2")
  what=${what#*fails without a storm: }
  case $what in
    *deadlock*) echo "deadlock: $what" ;;
    *[Rr]ace*) echo "race: $what" ;;
    *throw*) echo "throw: ${what#throw: }" ;;
    *panic*) echo "panic: ${what#panic: }" ;;
    *cut*off* | *time*) echo "hang: $what" ;;
    *SIG* | *signal* | *fault*) echo "fault: $what" ;;
    "") echo "hang: storms did not end" ;;
    *) echo "exit: $what" ;;
  esac
}

explore_complaint() {
  local outcome said
  outcome=$(sed -n 's/.*"outcome":"\([^"]*\)".*/\1/p' "$2" | head -1)
  said=$(sed -n 's/.*"said":"\([^"]*\)".*/\1/p' "$2" | head -1)
  case $outcome in
    "")
      if [ "$1" = 137 ]; then
        echo "hang: the explorer did not end"
      else
        echo "exit: status $1: $(grep -m1 -a explore: "$2")"
      fi
      ;;
    deadlock*) echo "deadlock: $outcome $said" ;;
    livelock*) echo "livelock: $outcome $said" ;;
    *signal*) echo "fault: $outcome $said" ;;
    *)
      case $said in
        *"fatal error: "*unexpected*) echo "fault: ${said#*fatal error: }" ;;
        *"fatal error: "*) echo "throw: ${said#*fatal error: }" ;;
        *"panic: "*) echo "panic: ${said#*panic: }" ;;
        *) echo "exit: $outcome $said" ;;
      esac
      ;;
  esac
}

# programs_of MUTANT LAYER: the lines of the kit's list that are for it, in the order in which they run.
programs_of() {
  local header name row=$2
  if [ "$1" = control ]; then
    grep "^$2 " "$kit/programs"
    return
  fi
  [ "$2" != storm ] || row=explore
  header=$(header_of "$1")
  if ! grep -q "^$row ${header%%: *}: " "$here/areas"; then
    grep "^$2 " "$kit/programs"
    return
  fi
  for name in $(sed -n "s/^$row ${header%%: *}: //p" "$here/areas"); do
    grep -E "^$2 ($name(_explore|_test_plain|_test_tsan)|storm_$name) " "$kit/programs"
  done
}

# run_layer MUTANT FOLDER LAYER: runs its programs until one notices, and records that.
run_layer() {
  local mutant=$1 folder=$2 wanted=$3 layer name output arguments objects compile
  local seconds count begin spent program seen=""
  begin=$EPOCHREALTIME
  count=$(programs_of "$mutant" "$wanted" | wc -l)
  while read -r layer name output arguments objects compile; do
    program=$folder/$layer-$name
    if ! make_objects "$folder" "$compile"; then
      tail -20 "$folder/compile.out" >&2
      record "$mutant" "$wanted" 0 error "does not compile"
      say "$mutant: $wanted: error: the patched runtime does not compile"
      return
    fi
    if ! make_program "$folder" "$program" "$output" "$arguments" "$objects" "$compile"; then
      tail -20 "$folder/link.out" >&2
      record "$mutant" "$wanted" 0 error "does not link"
      say "$mutant: $wanted: error: $name does not link"
      return
    fi
    case $layer in
      conformance | tsan) seconds=$TEST_SECONDS ;;
      *) seconds=$(((budget + count - 1) / count)) ;;
    esac
    seen=$(run_program "$folder" "$layer" "$program" "$seconds" | tidy)
    [ -z "$seen" ] || break
    [ -n "$keep" ] || rm -f "$program"
  done < <(programs_of "$mutant" "$wanted")
  spent=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.0f", b - a }')
  if [ -n "$seen" ]; then
    record "$mutant" "$wanted" "$spent" killed "$name: $seen"
    say "$mutant: $wanted: killed after $spent s: $name: $seen"
  else
    record "$mutant" "$wanted" "$spent" survived ""
    say "$mutant: $wanted: survived $spent s"
  fi
}

# check_mutant MUTANT: all layers of which there is no result yet.
check_mutant() {
  local mutant=$1 folder=$work/$1 layer missing=
  for layer in $layers; do
    # What was an error is tried again.
    case $(result_of "$mutant" "$layer") in
      *$'\t'killed$'\t'* | *$'\t'survived$'\t'*) [ -z "$again" ] || missing+=" $layer" ;;
      *) missing+=" $layer" ;;
    esac
  done
  [ -n "$missing" ] || return 0
  if ! make_sources "$mutant" "$folder"; then
    cat "$folder/patch.out" >&2
    for layer in $missing; do record "$mutant" "$layer" 0 error "the patch does not apply"; done
    say "$mutant: error: the patch does not apply to runtime/"
    return 0
  fi
  for layer in $missing; do run_layer "$mutant" "$folder" "$layer"; done
  [ -n "$keep" ] || rm -rf "$folder"
}

storm=$PWD/chaos/tool
compiler=$(cat "$kit/compiler")
tsan_options=$(cat "$kit/tsan_options")

# ---- all of it

verdict_of() {  # MUTANT -> killed, survived, error or unknown
  local layer line verdict=survived
  for layer in $layers; do
    line=$(result_of "$1" "$layer")
    case $line in
      *$'\t'killed$'\t'*) [ $verdict = error ] || verdict=killed ;;
      *$'\t'survived$'\t'*) ;;
      *) verdict=error ;;
    esac
  done
  echo $verdict
}

say "first the runtime as it is"
check_mutant control
verdict=$(verdict_of control)
if [ "$verdict" != survived ]; then
  for layer in $layers; do printf '%s: %s\n' "$layer" "$(result_of control "$layer")" >&2; done
  broken "the runtime as it is does not survive; what the layers say of mutants would mean nothing"
fi

started=0
for mutant in "${mutants[@]}"; do
  started=$((started + 1))
  if [ $((started % 10)) = 1 ]; then say "mutant $started of ${#mutants[@]}"; fi
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
  check_mutant "$mutant" &
done
wait

if [ -n "$json" ]; then print_json; else table; fi

status=0
for mutant in "${mutants[@]}"; do
  case $(verdict_of "$mutant") in
    killed)
      if explained "$mutant"; then say "$mutant is explained as a survivor, and was killed"; fi
      ;;
    survived)
      if ! explained "$mutant"; then
        if [ -n "${own[$mutant]-}" ]; then
          say "$mutant survived: no layer that was asked has noticed it"
        else
          say "$mutant survived, and tests/mutation/survivors does not explain it"
        fi
        [ $status = 3 ] || status=1
      fi
      ;;
    *)
      say "$mutant: not everything is known: see above"
      status=3
      ;;
  esac
done
exit $status
