# Reads a disassembly and follows the calls from root (a pattern of names). Prints «reached NAME» for
# every function that is called, and «BAD: NAME calls NAME» for every call of the sanitizer. Functions
# that match stop end the process: what they call is not followed.
/^[0-9a-f]+ <.*>:$/ {
  name = $0
  sub(/^[0-9a-f]+ </, "", name)
  sub(/>:$/, "", name)
  if (name ~ root) todo[++ntodo] = name
  next
}
# A call, or a jump to the beginning of another function.
$2 ~ /^(call|j)/ && $NF ~ /^<[^+]*>$/ {
  target = $NF
  gsub(/[<>]/, "", target)
  if (target != name) calls[name] = calls[name] " " target
}
END {
  for (i = 1; i <= ntodo; i++) {
    f = todo[i]
    if (f in seen) continue
    seen[f] = 1
    if (f ~ stop) continue
    print "reached", f
    n = split(calls[f], callee, " ")
    for (j = 1; j <= n; j++) {
      if (callee[j] ~ /^__tsan_|^__interceptor_/) print "BAD:", f, "calls", callee[j]
      else if (!(callee[j] in seen)) todo[++ntodo] = callee[j]
    }
  }
}
