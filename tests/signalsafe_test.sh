#!/bin/bash
# signalsafe_test.sh PROGRAM: in a program built for ThreadSanitizer, the functions that run in the
# handler of SIGPROF call nothing of the sanitizer, and nothing else but each other.
set -euo pipefail
program=$1

functions='sigprof|sigprofNonGoPC|validSIGPROF|sigcallers|cpuProfile::(add|addNonGo|addExtra)'
functions+='|profBuf::(write|canWriteRecords|takeOverflow|incrementOverflow|wakeupExtra)'

objdump -d --no-show-raw-insn -C "$program" | awk -v functions="$functions" '
  BEGIN {
    ours = "^gort::runtime::(\\(anonymous namespace\\)::)?(" functions ")\\("
    needed["sigprof"] = needed["cpuProfile::add"] = needed["profBuf::write"] = 1
    missing = 3
  }
  /^[0-9a-f]+ <.*>:$/ {
    name = $0
    sub(/^[0-9a-f]+ </, "", name)
    sub(/>:$/, "", name)
    inside = name ~ ours
    if (inside) {
      seen++
      for (n in needed)
        if (index(name, "gort::runtime::" n "(") == 1) missing--
    }
    next
  }
  inside && $2 ~ /^(call|jmp|j[a-z]+)$/ && /</ {
    target = $0
    sub(/^[^<]*</, "", target)
    sub(/(\+0x[0-9a-f]+)?>[^>]*$/, "", target)
    if (target == name || target ~ ours || target ~ /^__morestack/) next
    print name " calls " target
    bad = 1
  }
  inside && $2 == "call" && !/</ {
    print name ": a call through a pointer: " $0
    bad = 1
  }
  END {
    print seen + 0 " functions"
    if (missing != 0) print "not all that are looked for are there"
    exit bad || missing != 0
  }'
