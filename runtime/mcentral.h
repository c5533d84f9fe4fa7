// The spans of one span class, for all Ps. Ports mcentral.go.
//
// Invariants:
//  - Each span in use that no mcache has is in one set of its class: partial when it has a free
//    object, full otherwise; and of the two of each kind in the swept one when sweepgen is the
//    heap's, in the unswept one when it is 2 behind. The sets swap roles each cycle.
//  - The sweeper goes by span index (mgcsweep.cc) and leaves the span's entry in the unswept set
//    behind; whoever pops such an entry fails to acquire the span and drops it. When sweeping has
//    ended, drainUnsweptSets empties the unswept sets.
#pragma once

#include "mheap.h"
#include "mspanset.h"

namespace gort::runtime {

struct alignas(sys::CacheLineSize) mcentral {
  struct spanClass spanclass;  // constant
  spanSet partial[2];
  spanSet full[2];

  void init(struct spanClass spc);
  spanSet* partialUnswept(std::uint32_t sweepgen) { return &partial[1 - sweepgen / 2 % 2]; }
  spanSet* partialSwept(std::uint32_t sweepgen) { return &partial[sweepgen / 2 % 2]; }
  spanSet* fullUnswept(std::uint32_t sweepgen) { return &full[1 - sweepgen / 2 % 2]; }
  spanSet* fullSwept(std::uint32_t sweepgen) { return &full[sweepgen / 2 % 2]; }

  // A span with at least one free object, for an mcache; null when the system has no memory. May
  // sweep. As the next two: the caller keeps its M, and is on the system stack.
  mspan* cacheSpan();
  // Takes a span back from an mcache.
  void uncacheSpan(mspan* s);
  mspan* grow();
};

}  // namespace gort::runtime
