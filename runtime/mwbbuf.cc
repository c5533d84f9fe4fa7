// The write barrier's slow path. Ports mwbbuf.go; what the barrier is for: mbarrier.h.
//
// Invariants:
//  - From the barrier's test to the store nothing may stop the goroutine: the functions here have no
//    stack check, and a full buffer is flushed on g0.
//  - Flushing never allocates collected memory and never uses the barrier.
#include "mwbbuf.h"

#include "mbarrier.h"
#include "mbitmap.h"
#include "mgc.h"
#include "panic_throw.h"
#include "proc.h"

namespace gort::runtime {

namespace {

[[noreturn]] GORT_NOINLINE void noP() {
  throw_(
      "write barrier without a P: a system call or cgocall changes pointers to collected memory");
}

// Room for n pointers in the buffer of the P that runs us. Null on a thread that the runtime does not
// know, nothing of which is a root, and while the process dies.
GORT_INLINE uintptr* wbBufGet(uintptr n) {
  g* gp = getg();
  if (gp == nullptr) return nullptr;
  m* mp = gp->m;
  p* pp = mp->p;
  if (GORT_UNLIKELY(pp == nullptr)) {
    // Marking may end, or begin, at any moment while we have no P.
    if (mp->curg != nullptr && mp->dying == 0) noP();
    return nullptr;
  }
  if (GORT_UNLIKELY(pp->wbBuf.next + n > wbBufEntries)) {
    if (mp->dying > 0) {
      pp->wbBuf.discard();
    } else {
      systemstack([] { wbBufFlush1(getg()->m->p); });
    }
  }
  uintptr* slot = &pp->wbBuf.buf[pp->wbBuf.next];
  pp->wbBuf.next += n;
  return slot;
}

}  // namespace

GORT_NOSPLIT void gcWriteBarrier1(const void* p) {
  uintptr* slot = wbBufGet(1);
  if (slot == nullptr) return;
  slot[0] = reinterpret_cast<uintptr>(p);
}

GORT_NOSPLIT void gcWriteBarrier2(const void* p, const void* q) {
  uintptr* slot = wbBufGet(2);
  if (slot == nullptr) return;
  slot[0] = reinterpret_cast<uintptr>(p);
  slot[1] = reinterpret_cast<uintptr>(q);
}

void wbBufFlush1(p* pp) {
  POINT(wbbufflush_begin);
  uintptr n = pp->wbBuf.next;
  // A barrier in here would overwrite what is being read: make it visible.
  pp->wbBuf.next = wbBufEntries + 1;
  if (n > wbBufEntries) throw_("write barrier while its buffer is flushed");
  uintptr* ptrs = pp->wbBuf.buf;
  gcWork* gcw = &pp->gcw;
  uintptr pos = 0;
  for (uintptr i = 0; i < n; i++) {
    if (ptrs[i] < minLegalPointer) continue;  // null is common
    objectRef o = findObject(ptrs[i]);
    // A free object: the word was no pointer (mbitmap.h), or its allocator has just marked it.
    if (o.base == 0 || o.s->isFree(o.objIndex)) continue;
    if (useCheckmark) {
      greyobject(o.base, o.s, gcw, o.objIndex);
      continue;
    }
    markBits mbits = o.s->markBitsForIndex(o.objIndex);
    if (mbits.isMarked()) continue;
    mbits.setMarked();
    if (o.s->spanclass.noscan()) {
      gcw->bytesMarked += o.s->elemsize;
      continue;
    }
    ptrs[pos++] = o.base;  // the front of the buffer has been read
  }
  gcw->putBatch(ptrs, pos);
  pp->wbBuf.reset();
}

}  // namespace gort::runtime
