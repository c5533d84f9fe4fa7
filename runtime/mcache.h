// A P's store of spans to allocate from, without a lock. Ports mcache.go.
//
// Invariants:
//  - An mcache belongs to its P: it is touched by the M that has the P, between safe points, or by
//    who has stopped the world or runs at the P's safe point (forEachP).
//  - alloc[c] is never null: emptymspan stands for no span.
//  - A span in alloc has sweepgen == mheap_.sweepgen + 3, or + 1 while it is stale: cached before
//    the sweep began that is running now.
#pragma once

#include "mheap.h"

namespace gort::runtime {

inline constexpr int _NumStackOrders = 4;  // sizes of stacks that are cached

// A span without objects: what mcache.alloc holds where no span is cached.
extern mspan emptymspan;

struct mcache {
  // Bytes to allocate before the next sample of the heap profile (mprof.h).
  std::int64_t nextSample;

  // Of a tiny block, the rest that is free; a tiny block holds several objects without pointers.
  uintptr tiny;  // its address, 0 for none
  uintptr tinyoffset;
  uintptr tinyAllocs;  // objects put in tiny blocks since the last flush
  uintptr scanAlloc;  // bytes of scannable heap allocated since the last flush

  mspan* alloc[numSpanClasses];

  struct {
    uintptr list;  // free stacks of this order, linked through their first word
    uintptr size;  // bytes in list
  } stackcache[_NumStackOrders];

  // Sweepgen for which this cache was last flushed; it lags behind mheap_.sweepgen until
  // prepareForSweep has run on this P.
  atomic::Uint32 flushGen;

  // Replaces alloc[spc], which is full, by a span with a free object. Throws «out of memory».
  void refill(struct spanClass spc);
  // A span for one object of size bytes, allocated by the caller; so is zeroing, if the span's
  // needzero is set. Throws «out of memory».
  mspan* allocLarge(uintptr size, bool noscan);
  void releaseAll();
  // Returns stale spans, if the sweep began after they were cached. At the P's safe point.
  void prepareForSweep();
};

mcache* allocmcache();
void freemcache(mcache* c);
// Null when mp has no P.
GORT_INLINE mcache* getMCache(const m* mp) {
  const p* pp = mp->p;
  return GORT_LIKELY(pp != nullptr) ? pp->mcache : nullptr;
}

}  // namespace gort::runtime
