// What became of a run, as far as its exit and its output tell.
#pragma once

#include <string>
#include <string_view>

#include "chaos/runner.h"

namespace gort::chaos {

struct Outcome {
  enum Kind {
    kBroken,    // not started or cut off: says nothing about the bug
    kDeadlock,  // the watcher saw threads wait for each other's locks
    kRace,      // ThreadSanitizer reported
    kFault,     // a bad memory access, found by the runtime or by the kernel
    kThrow,     // the runtime or the program gave up: «fatal error: ...»
    kSignal,    // killed by another signal
    kExit,      // ended by itself
  };
  Kind kind = kBroken;
  int status = -1;       // exit status, -1 if there was none
  std::string text;  // the first words of it: the throw, the report's title, why it is broken
  std::string evidence;  // the watcher's report, the race report, a fault's dump; "" for others

  // "deadlock", "race", "throw", ...
  std::string_view Name() const;
  // One line: "deadlock seen", "throw: out of memory, exit status 2", "cut off after 60 s".
  std::string Summary() const;
};

Outcome Classify(const RunResult& run);

// LinesFrom is at most n lines of text, from the first `title` on; "" if there is none.
std::string LinesFrom(const std::string& text, std::string_view title, int n);

}  // namespace gort::chaos
