// Makes a failing trace small.
#pragma once

#include <functional>
#include <string>

#include "chaos/explore/tracefile.h"

namespace gort::chaos {

struct ShrinkResult {
  bool fails = false;  // the trace fails at all
  std::string problem;  // if not: what it does
  Trace trace;  // the small one
  std::uint64_t runs = 0;
  double seconds = 0;
};

// Takes deviations out as long as the program still fails in the same way (outcome and telling line):
// first injections, then leaps of time, then preemptions, then the other choices; in halves, quarters
// and so on down to one by one, in the end two by two, until none can be spared or a share of the time is
// up. Then it looks for another run, of another seed, that fails in the same way with less: above all where the
// trace has its preemptions; for some seconds, or all the time if more than a few are left.
ShrinkResult ShrinkTrace(const Trace& trace, double seconds,
                         const std::function<void(const std::string&)>& progress);

}  // namespace gort::chaos
