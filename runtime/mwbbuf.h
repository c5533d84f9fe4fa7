// The per-P buffer of the write barrier. Ports mwbbuf.go; how it is used: mbarrier.h.
#pragma once

#include "explore.h"

namespace gort::runtime {

struct p;

inline constexpr int wbBufEntries = explore::capacity<int>(512, 8);

struct wbBuf {
  uintptr next;  // index of the next free slot
  uintptr buf[wbBufEntries];
  bool empty() const { return next == 0; }
  void reset() { next = 0; }
  void discard() { next = 0; }
};

// Marks what the buffer of pp holds and empties it. pp must be the caller's, or stopped. Must not
// allocate, nor itself use a write barrier.
void wbBufFlush1(p* pp);

}  // namespace gort::runtime
