// See heapcheck.h.
//
// Invariants:
//  - Only objects that may still be reached are looked at: in a span that waits to be swept those that
//    the last cycle has marked, else those that are allocated. (A dead object may point to pages that
//    hold a stack by now.)
//  - The world is stopped, so bounds of stacks, spans and objects stand still; no lock is taken.
#include "heapcheck.h"

#include "mbitmap.h"
#include "mheap.h"
#include "panic_throw.h"
#include "print.h"
#include "proc.h"

namespace gort::runtime {

namespace {

// The goroutine whose stack v is in; null for none, for a dead one, and for one that is pinned.
g* stackOwner(uintptr v) {
  mspan* s = spanOf(v);
  if (s == nullptr || s->state.Load() != mSpanManual) return nullptr;
  g* owner = nullptr;
  forEachGRace([&](g* gp) {
    if (gp->stack.lo <= v && v < gp->stack.hi && !gp->pinned && readgstatus(gp) != _Gdead)
      owner = gp;
  });
  return owner;
}

bool live(const mspan* s, uintptr i) {
  std::uint32_t h = mheap_.sweepgen.Load(), sg = s->sweepgen.Load();
  if (sg == h || sg == h + 3) return !s->isFree(i);
  return s->markBitsForIndex(i).isMarked();
}

[[noreturn]] void report(const mspan* s, uintptr base, uintptr addr, uintptr v, g* gp) {
  print("runtime: the object at ", hex(base), ", of ", s->elemsize, " bytes, holds ", hex(v),
        " at offset ", addr - base, ": an address in the stack [", hex(gp->stack.lo), ", ",
        hex(gp->stack.hi), ") of goroutine ", gp->goid, "\n");
  print(
      "runtime: stacks move; store a value, or the address of what make<T>() has made, or run the ",
      "goroutine by go_pinned\n");
  fatal("heap object holds the address of a goroutine's stack");
}

// TSan: reads objects as the collector does; the world is stopped.
__attribute__((disable_sanitizer_instrumentation)) void checkObject(const mspan* s, uintptr base) {
  heapBits h = heapBitsForAddr(base, s->elemsize);
  while (uintptr addr = h.next()) {
    uintptr v = *reinterpret_cast<uintptr*>(addr);
    if (v == 0) continue;
    if (g* gp = stackOwner(v)) report(s, base, addr, v, gp);
  }
}

}  // namespace

void checkHeapForStackPointers() {
  assertWorldStopped();
  for (uintptr k = 0; k < mheap_.allspans.len; k++) {
    const mspan* s = mheap_.allspans.ptr[k];
    if (s->state.Load() != mSpanInUse || s->spanclass.noscan()) continue;
    for (uintptr i = 0; i < s->nelems; i++)
      if (live(s, i)) checkObject(s, s->base() + i * s->elemsize);
  }
}

}  // namespace gort::runtime
