# without.awk: a source file of runtime/ as it would be if there were no chaos/: without points, without
# what chaos/ reads from outside, without the explorer. Lines keep their numbers.

# The condition of a line that is left out up to its #else, or from there on.
/^#if GORT_(POINTS|EXPLORE)$/ { inside = 1; dropping = 1; print ""; next }
inside && /^#if/ { nested++ }
inside && nested && /^#endif/ { nested--; print dropping ? "" : $0; next }
inside && !nested && /^#else/ { dropping = 0; print ""; next }
inside && !nested && /^#endif/ { inside = 0; dropping = 0; print ""; next }
dropping { print ""; next }

# A block up to the bracket below its if.
block != "" { if ($0 == block) block = ""; print ""; next }
/^ *if \((runtime::)?explore::on\(\)[^{]*\{$/ {
  match($0, /^ */)
  block = substr($0, 1, RLENGTH) "}"
  print ""
  next
}
# if, explorer's statement, else.
skip > 0 { skip--; print ""; next }
/^ *if \(explore::on\(\)\)$/ { skip = 2; print ""; next }

# What is left of it.
/^#include "explore\.h"/ { print "#include \"sys.h\""; next }

# Whole lines.
/^#include "point\.h"/ ||
/^ *if \(explore::[^)]*\)?\)? .*;$/ ||
/^ *(if constexpr \(Steps\) |if \([a-z]+ != 0\) )?explore::[a-z]+\(.*;/ ||
/^ *if \([^;]*\) POINT\([a-z0-9_]+\);$/ ||
/^ *if \(POINT_FAILS\([a-z0-9_]+\)\) return 0;$/ ||
/^ *(setworldstopper|setwaiting)\(.*;$/ ||
/^ *suspendWait [a-z]+\(.*;$/ ||
/^ *receiverWait [a-z]+;$/ ||
/^ *wait\.(begin|end)\(\);$/ { print ""; next }

# The usual capacity alone.
match($0, /(runtime::)?explore::capacity(<[^>]*>)?\(/) {
  head = substr($0, 1, RSTART - 1)
  usual = substr($0, RSTART + RLENGTH)
  small = substr(usual, index(usual, ", "))
  usual = substr(usual, 1, index(usual, ", ") - 1)
  $0 = head usual substr(small, index(small, ")") + 1)
}

{
  sub(/^#if GORT_CHECKED \|\| GORT_POINTS$/, "#if GORT_CHECKED")
  gsub(/POINT\([a-z0-9_]+\);/, "")
  gsub(/POINT_FAILS\([a-z0-9_]+\) (\? nullptr :|\|\|) ?/, "")
  gsub(/ && !explore::on\(\)/, "")
  print
}
