// Growing, moving and shrinking stacks. Ports the second half of stack.go. Allocation is in
// stackalloc.cc.
//
// Invariants:
//  - At a safe point every live value of a goroutine lies in the used part of its stack,
//    [sched.sp, stack.hi): registers were pushed by the switch (asm_amd64.S).
//  - There are no stack maps. copystack adds the distance to every word w of the used part with
//    old.lo < w < old.hi. Not to hi, which may be the address of a heap object behind the stack
//    (gostartstack leaves room below hi, so that one past the end of the outermost object is still
//    inside); nor to lo, which may be one past the end of an array before the stack, and is below
//    the guard, where nothing lives.
//    An integer that happens to have such a value would be changed too; no address-sized integer
//    that a program keeps on its stack may equal an address inside that same stack.
//    A word may also be small data over a part of an address that a dead frame has left. One or two
//    bytes of data survive because of the distance (below), four or more because of where arenas
//    lie (mheap.cc). Three bytes without a zero behind them are the risk that is left: they are
//    changed if they equal the middle bits of an address in the stack, one value in 8192 at 2 KiB.
//  - Outside the stack only these point into it, and are adjusted by name: g.sched.bp, sudog.elem of
//    g.waiting, and the records of defer, panic and func frames.
//  - Other goroutines write to this stack through sudog.elem only, and under the lock of the sudog's
//    channel. If g.activeStackChans is set those locks are free and copystack takes them; if it is
//    not, either nobody can know the address, or g itself holds the locks (it grows its stack while
//    it sets up a channel operation) and taking them would deadlock.
//  - Between the change to _Gwaiting and the commit that sets activeStackChans (g.parkingOnChan),
//    neither is true: the stack may grow then but not shrink.
//  - The distance of a copy is a multiple of 64 KiB (stack.h, colours).
#include "stack.h"

#include <emmintrin.h>

#include "chan.h"
#include "mgc.h"
#include "panic.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"

namespace gort::runtime {

std::uint32_t startingStackSize = fixedStack;
atomic::Racy<uintptr> maxstacksize{1 << 20};  // enough until main sets it
uintptr maxstackceiling = 1 << 20;

namespace {

struct adjustinfo {
  stack old;
  uintptr delta;  // new top - old top
};

GORT_INLINE bool inOld(const adjustinfo& a, uintptr w) { return a.old.lo < w && w < a.old.hi; }

template <class T>
void adjustpointer(const adjustinfo& a, T* slot) {
  uintptr w;
  static_assert(sizeof(T) == sizeof w);
  __builtin_memcpy(&w, slot, sizeof w);
  if (!inOld(a, w)) return;
  w += a.delta;
  __builtin_memcpy(slot, &w, sizeof w);
}

// Adjusts the words of [lo, hi) of the new stack. Most words are no addresses of the stack, and all
// addresses of a stack have the same upper half (unless it straddles 4 GiB), so four words at a time
// are first compared by their upper halves alone.
__attribute__((disable_sanitizer_instrumentation)) void adjustwords(const adjustinfo& a, uintptr lo,
                                                                    uintptr hi) {
  auto* w = reinterpret_cast<uintptr*>(lo);
  auto* end = reinterpret_cast<uintptr*>(hi);
  if (a.old.lo >> 32 == a.old.hi >> 32) {
    const __m128i upper = _mm_set1_epi32(static_cast<int>(a.old.lo >> 32));
    for (; w + 4 <= end; w += 4) {
      const __m128 first = _mm_loadu_ps(reinterpret_cast<const float*>(w));
      const __m128 second = _mm_loadu_ps(reinterpret_cast<const float*>(w + 2));
      const __m128i halves =
          _mm_castps_si128(_mm_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1)));
      int mask = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(halves, upper)));
      for (; mask != 0; mask &= mask - 1) {
        uintptr* slot = w + __builtin_ctz(static_cast<unsigned>(mask));
        if (inOld(a, *slot)) *slot += a.delta;
      }
    }
  }
  for (; w < end; w++)
    if (inOld(a, *w)) *w += a.delta;
}

void adjustctxt(g* gp, const adjustinfo& a) { adjustpointer(a, &gp->sched.bp); }

void adjustsudogs(g* gp, const adjustinfo& a) {
  for (sudog* s = gp->waiting; s != nullptr; s = s->waitlink) adjustpointer(a, &s->elem);
}

__attribute__((disable_sanitizer_instrumentation)) void fillstack(stack stk, unsigned char b) {
  for (uintptr p = stk.lo; p < stk.hi; p++) *reinterpret_cast<volatile unsigned char*>(p) = b;
}

// End of the highest element that a sudog of gp has in stk, up to a whole word; 0 for none. The
// sudogs' channels must be locked: a partner clears elem when it is done with it.
uintptr findsghi(g* gp, stack stk) {
  uintptr sghi = 0;
  for (sudog* sg = gp->waiting; sg != nullptr; sg = sg->waitlink) {
    uintptr p = reinterpret_cast<uintptr>(sg->elem) + sg->c->elemsize;
    if (stk.lo <= p && p < stk.hi && p > sghi) sghi = p;
  }
  return alignUp(sghi, sys::PtrSize);
}

// With all channels of gp locked, so that nobody writes an element: redirects the sudogs to the new
// stack, and copies and adjusts the part of the stack that holds elements. Returns the bytes copied.
// The channels' locks have rank HchanLeaf here: they may be taken with the _Gscan bit held.
uintptr syncadjustsudogs(g* gp, uintptr used, const adjustinfo& a) {
  if (gp->waiting == nullptr) return 0;
  POINT(copystack_before_sudog_lock);
  hchan* lastc = nullptr;
  for (sudog* sg = gp->waiting; sg != nullptr; sg = sg->waitlink) {
    // A select may wait twice on one channel; in lock order those are neighbours.
    if (sg->c != lastc) lockWithRank(&sg->c->lock, lockRankHchanLeaf);
    lastc = sg->c;
  }
  uintptr sghi = findsghi(gp, a.old);
  adjustsudogs(gp, a);
  uintptr sgsize = 0;
  if (sghi != 0) {
    uintptr oldBot = a.old.hi - used;
    sgsize = sghi - oldBot;
    memmove(reinterpret_cast<void*>(oldBot + a.delta), reinterpret_cast<void*>(oldBot), sgsize);
    // Here and not with the rest of the stack: an element may hold a pointer to itself
    // (std::string), and as soon as the locks are free a partner moves it out, or another one in.
    adjustwords(a, oldBot + a.delta, sghi + a.delta);
  }
  lastc = nullptr;
  for (sudog* sg = gp->waiting; sg != nullptr; sg = sg->waitlink) {
    if (sg->c != lastc) unlock(&sg->c->lock);
    lastc = sg->c;
  }
  return sgsize;
}

}  // namespace

void copystack(g* gp, uintptr newsize) {
  if (gp->syscallsp != 0) throw_("stack growth not allowed in system call");
  stack old = gp->stack;
  if (old.lo == 0) throw_("nil stackbase");
  if (gp->pinned) throw_("copystack: goroutine is pinned");
  uintptr used = old.hi - gp->sched.sp;

  gcController.addScannableStack(static_cast<std::int64_t>(newsize) -
                                 static_cast<std::int64_t>(old.hi - old.lo));
  stack nw = stackalloc(static_cast<std::uint32_t>(newsize), colorOf(old.hi));
  if (dbg.stackpoison > 0) fillstack(nw, 0xfd);

  adjustinfo a{old, nw.hi - old.hi};
  uintptr ncopy = used;
  if (!gp->activeStackChans) {
    if (newsize < old.hi - old.lo && gp->parkingOnChan.Load())
      throw_("racy sudog adjustment due to parking on channel");
    adjustsudogs(gp, a);
  } else {
    // The part up to the highest element is copied and adjusted under the channels' locks, the rest
    // after.
    ncopy -= syncadjustsudogs(gp, used, a);
    POINT(copystack_after_sudogs);
  }
  memmove(reinterpret_cast<void*>(nw.hi - ncopy), reinterpret_cast<void*>(old.hi - ncopy), ncopy);

  adjustctxt(gp, a);
  adjustdefers(gp, old.lo, old.hi, a.delta);
  adjustpanics(gp, old.lo, old.hi, a.delta);

  gp->stack = nw;
  gp->stackguard0 = unaskedguard(gp);  // may overwrite a preemption request, which sysmon repeats
  gp->sched.sp = nw.hi - used;
  gp->stktopsp += a.delta;
  adjustwords(a, nw.hi - ncopy, nw.hi);
  POINT(copystack_after_copy);

  if (dbg.stackpoison > 0) fillstack(old, 0xfc);
  stackfree(old);
}

std::int32_t round2(std::int32_t x) {
  unsigned s = 0;
  while ((std::int64_t(1) << s) < x) s++;
  return std::int32_t(1) << s;
}

bool isShrinkStackSafe(g* gp) {
  // In a system call the kernel may hold addresses; at an asynchronous safe point registers are not
  // on the stack; while parking on a channel nobody knows whether the locks must be taken.
  return gp->syscallsp == 0 && !gp->asyncSafePoint && !gp->parkingOnChan.Load() && !gp->pinned;
}

void shrinkstack(g* gp) {
  if (gp->stack.lo == 0) throw_("missing stack in shrinkstack");
  if (std::uint32_t s = readgstatus(gp); (s & _Gscan) == 0) {
    g* curg = getg()->m->curg;
    if (!(gp == curg && getg() != curg && s == _Grunning)) throw_("bad status in shrinkstack");
  }
  if (!isShrinkStackSafe(gp)) throw_("shrinkstack at bad time");
  // heapstackcheck compares with the stacks that there are: the collection that it belongs to must not
  // move them first.
  if (dbg.gcshrinkstackoff > 0 || dbg.heapstackcheck > 0) return;
  // A worker counts as waiting while it marks (mgcworker.cc).
  if (isGCWorker(gp)) return;
  uintptr oldsize = gp->stack.hi - gp->stack.lo;
  uintptr newsize = oldsize / 2;
  if (newsize < fixedStack) return;
  uintptr used = gp->stack.hi - gp->sched.sp + gp->morestackframe + stackGuard - stackSmall;
  if (used >= oldsize / 4) return;
  copystack(gp, newsize);
}

namespace {

[[noreturn]] GORT_NOINLINE void stackoverflow(g* gp, uintptr sp) {
  uintptr limit =
      maxstacksize < maxstackceiling ? static_cast<uintptr>(maxstacksize) : maxstackceiling;
  print("runtime: goroutine stack exceeds ", limit, "-byte limit\n");
  print("runtime: sp=", hex(sp), " stack=[", hex(gp->stack.lo), ", ", hex(gp->stack.hi), "]\n");
  throw_("stack overflow");
}

[[noreturn]] GORT_NOINLINE void badgrowth(g* gp, const char* what) {
  print("runtime: newstack sp=", hex(gp->sched.sp), " stack=[", hex(gp->stack.lo), ", ",
        hex(gp->stack.hi), "]\n");
  getg()->m->traceback = 2;
  throw_(what);
}

}  // namespace

// Called on g0 by __morestack, through mcall, with gp stopped in the prologue of the function that
// needs room: either the stack is too small or somebody asked for preemption. Ports newstack.
extern "C" [[noreturn]] void gort_newstack(g* gp) {
  m* mp = getg()->m;
  uintptr stackguard0 = gp->stackguard0;
  POINT(newstack_guard_read);
  if (stackguard0 == stackFork) badgrowth(gp, "stack growth after fork");
  if (mp->curg != gp) badgrowth(gp, "runtime: wrong goroutine in newstack");
  if (gp->throwsplit) badgrowth(gp, "runtime: stack split at bad time");

  bool preempt = stackguard0 == stackPreempt;
  uintptr sp = gp->sched.sp;
  // The function goes on behind its check, not at it: it must have room when it is resumed.
  // g.morestackframe tells shrinkstack to leave that room while the goroutine is stopped here.
  uintptr framesize = gp->morestackframe;
  bool fits = sp > gp->stack.lo + stackGuard && sp - (gp->stack.lo + stackGuard) > framesize;
  if (gp->stack.lo == 0) throw_("missing stack in newstack");
  if (sp < gp->stack.lo) {
    print("runtime: gp=", static_cast<void*>(gp), ", goid=", gp->goid,
          ", gp->status=", hex(readgstatus(gp)), "\n ");
    print("runtime: split stack overflow: ", hex(sp), " < ", hex(gp->stack.lo), "\n");
    throw_("runtime: split stack overflow");
  }
  if (preempt) {
    gp->stackguard0 = unaskedguard(gp);
    if (canPreemptM(mp)) {
      if (mp->p == nullptr && mp->locks == 0) throw_("runtime: g is running but p is not");
      if (fits) {
        if (gp->preemptShrink) {
          // We are at a synchronous safe point and it was put off to here.
          gp->preemptShrink = false;
          shrinkstack(gp);
        }
        if (gp->preemptStop) preemptPark(gp);
        gopreempt_m(gp);
      }
      // No room: grow first, and leave the request for the next prologue.
    } else if (fits) {
      // Not now. unlock and releasem set the request again.
      POINT(newstack_put_off);
      gogo(gp);
    }
  } else if (fits && (gp->pinned || stackguard0 != stackForceMove)) {
    // A request that was meant for another goroutine and hit this thread's limit after the switch, or one
    // to move a stack that does not move.
    gp->stackguard0 = unaskedguard(gp);
    gogo(gp);
  }

  uintptr oldsize = gp->stack.hi - gp->stack.lo;
  uintptr used = gp->stack.hi - sp;
  uintptr newsize = oldsize;
  if (stackguard0 != stackForceMove) newsize *= 2;
  while (newsize - used < framesize + stackGuard) {
    newsize *= 2;
    if (newsize > maxstackceiling) break;
  }
  if (newsize > maxstacksize || newsize > maxstackceiling) stackoverflow(gp, sp);
  if (gp->pinned) {
    print("runtime: pinned goroutine exceeds its ", oldsize, "-byte stack\n");
    throw_("stack overflow");
  }
  // The status tells a collector that scans concurrently to wait.
  casgstatus(gp, _Grunning, _Gcopystack);
  POINT(newstack_before_copy);
  copystack(gp, newsize);
  casgstatus(gp, _Gcopystack, _Grunning);
  if (gp->preempt && canPreemptM(mp)) gp->stackguard0 = stackPreempt;
  POINT(newstack_moved);
  gogo(gp);
}

extern "C" [[noreturn]] void gort_badmorestack(uintptr bp, uintptr framesize) {
  g* gp = getg();
  if (gp == nullptr) throw_("morestack on a thread that is not the runtime's");
  print("runtime: morestack on g0, stack [", hex(gp->stack.lo), " ", hex(gp->stack.hi),
        "], sp=", hex(bp), ", frame=", framesize, "\n");
  throw_(gp == gp->m->gsignal ? "morestack on gsignal" : "morestack on g0");
}

// The offset of an address of the running goroutine's stack in the closure of a go statement.
void checkclosure(const void* p, uintptr n) {
  g* gp = getg();
  if (gp == gp->m->g0 || gp->pinned) return;
  uintptr lo = gp->stack.lo, hi = gp->stack.hi;
  uintptr self = reinterpret_cast<uintptr>(p);
  const auto* w = reinterpret_cast<const uintptr*>(alignUp(self, sys::PtrSize));
  for (uintptr off = 0; off + sys::PtrSize <= n; off += sys::PtrSize, w++) {
    if (*w < lo || *w >= hi) continue;
    // A value may point to itself (a short std::string): it is moved with the closure.
    if (*w >= self && *w < self + n) continue;
    print("runtime: the word at offset ", off, " of the closure is ", hex(*w),
          ", an address in the stack [", hex(lo), ", ", hex(hi),
          ") of the goroutine that runs the go statement\n");
    print("runtime: stacks move; capture by value, or share through make<T>(), a channel or ",
          "go_pinned\n");
    fatal("go with a closure that holds an address of its creator's stack");
  }
}

}  // namespace gort::runtime
