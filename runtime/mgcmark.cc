// Marking: from grey objects to black ones. Ports the second part of mgcmark.go.
//
// Invariants (the three colours):
//  - White: mark bit clear. Grey: mark bit set and in a work buffer. Black: mark bit set and in none:
//    all that it refers to is marked, or was put there through the write barrier.
//  - Marking sets the bit first and queues then: an object is queued by who set its bit... or by two
//    workers who set it at the same time, which costs a second scan and nothing else.
//  - Objects without pointers go from white to black at once.
//  - What is found in memory need not be a pointer (mbitmap.h), so whatever is not the address of an
//    allocated object is passed over. Marking a free slot would make the sweeper keep it.
//  - A gcWork is used between safe points only: everything here runs on g0, or with preemption off.
#include "mgcmark.h"

#include "malloc.h"
#include "mbarrier.h"
#include "mbitmap.h"
#include "os_linux.h"
#include "point.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"

namespace gort::runtime {

namespace {

// Larger objects are scanned in pieces (oblets), so that several workers share one and none is busy
// with one for long. More than maxSmallSize: such an object begins where its span does.
constexpr uintptr maxObletBytes = 128 << 10;
static_assert(maxObletBytes > maxSmallSize);

// Scan work between two looks whether a worker should stop.
constexpr std::int64_t drainCheckThreshold = 100000;

GORT_INLINE void grey(uintptr obj, mspan* span, gcWork* gcw, uintptr objIndex) {
  if ((obj & (sys::PtrSize - 1)) != 0) throw_("greyobject: obj not pointer-aligned");
  if (GORT_UNLIKELY(useCheckmark)) {
    if (setCheckmark(obj, span, objIndex)) return;
    if (span->spanclass.noscan()) return;
  } else {
    markBits mbits = span->markBitsForIndex(objIndex);
    if (mbits.isMarked()) return;
    mbits.setMarked();
    if (span->spanclass.noscan()) {
      gcw->bytesMarked += span->elemsize;
      return;
    }
  }
  __builtin_prefetch(reinterpret_cast<void*>(obj));
  if (GORT_UNLIKELY(!gcw->putFast(obj))) gcw->put(obj);
}

// Where there may be objects: [lo, lo+size); other words are no pointers. Good for a whole scan: what
// is allocated meanwhile, perhaps in a new arena, is black.
struct arenaRange {
  uintptr lo, size;
  GORT_INLINE bool has(uintptr p) const { return p - lo < size; }
};
GORT_INLINE arenaRange arenas() {
  uintptr lo = mheap_.arenaIndexLo * heapArenaBytes;
  return {lo, mheap_.arenaIndexHi * heapArenaBytes - lo};
}

GORT_INLINE void markWord(uintptr p, gcWork* gcw) {
  objectRef o = findObject(p);
  if (o.base == 0 || o.s->isFree(o.objIndex)) return;
  if (GORT_UNLIKELY(useCheckmark) && !o.s->markBitsForIndex(o.objIndex).isMarked()) return;
  grey(o.base, o.s, gcw, o.objIndex);
}

}  // namespace

void greyobject(uintptr obj, mspan* span, gcWork* gcw, uintptr objIndex) {
  grey(obj, span, gcw, objIndex);
}

void markConservative(uintptr p, gcWork* gcw) {
  if (arenas().has(p)) markWord(p, gcw);
}

void shade(uintptr p) { markConservative(p, &getg()->m->p->gcw); }

void scanConservative(uintptr b, uintptr n, gcWork* gcw) {
  const arenaRange range = arenas();
  for (uintptr i = 0; i < n; i += sys::PtrSize)
    if (uintptr w = loadWord(b + i); GORT_UNLIKELY(range.has(w))) markWord(w, gcw);
}

namespace {

// markWord, and if the object was marked before, it is scanned once more. Large ones are not: nobody
// constructs them in place, and many stacks may refer to one.
void markWordAgain(uintptr p, gcWork* gcw) {
  objectRef o = findObject(p);
  if (o.base == 0 || o.s->isFree(o.objIndex)) return;
  if (!useCheckmark && !o.s->spanclass.noscan() && o.s->elemsize <= maxSmallSize &&
      o.s->markBitsForIndex(o.objIndex).isMarked()) {
    gcw->bytesMarked -= o.s->elemsize;  // it counts once
    gcw->put(o.base);
    return;
  }
  markWord(p, gcw);
}

template <class Mark>
GORT_INLINE void scanStackWords(uintptr lo, uintptr hi, gcWork* gcw, Mark mark) {
  const arenaRange range = arenas();
  for (uintptr a = alignUp(lo, sys::PtrSize); a + sys::PtrSize <= hi; a += sys::PtrSize) {
    uintptr w = loadWord(a);
    if (range.has(w)) mark(w, gcw);
    // One past the end of an object is the next one's address, or lies behind the last one's.
    if (w % sys::PtrSize == 0 && range.has(w - 1)) markWord(w - 1, gcw);
  }
}

}  // namespace

void scanConservativeStack(uintptr lo, uintptr hi, gcWork* gcw, bool midway) {
  if (midway)
    scanStackWords(lo, hi, gcw, [](uintptr w, gcWork* g) { markWordAgain(w, g); });
  else
    scanStackWords(lo, hi, gcw, [](uintptr w, gcWork* g) { markWord(w, g); });
}

void scanobject(uintptr b, gcWork* gcw) {
  mspan* s = spanOfUnchecked(b);
  uintptr n = s->elemsize;
  if (n == 0) throw_("scanobject n == 0");
  if (s->spanclass.noscan()) throw_("scanobject of a noscan object");
  if (n > maxObletBytes) {
    if (b == s->base()) {
      for (uintptr oblet = b + maxObletBytes; oblet < b + n; oblet += maxObletBytes)
        if (!gcw->putFast(oblet)) gcw->put(oblet);
    }
    n = s->base() + s->elemsize - b;
    if (n > maxObletBytes) n = maxObletBytes;
  }
  heapBits h = heapBitsForAddr(b, n);
  uintptr scanSize = 0;
  while (uintptr addr = h.next()) {
    scanSize = addr - b + sys::PtrSize;
    uintptr w = loadWord(addr);
    // Null, or an address in the same object: nothing to do.
    if (w < minLegalPointer || w - b < n) continue;
    objectRef o = findObject(w);
    if (o.base == 0 || o.s->isFree(o.objIndex)) continue;
    grey(o.base, o.s, gcw, o.objIndex);
  }
  gcw->bytesMarked += n;
  gcw->heapScanWork += static_cast<std::int64_t>(scanSize);
}

void gcmarknewobject(mspan* span, uintptr obj) {
  if (useCheckmark) throw_("gcmarknewobject called while doing checkmark");
  span->markBitsForIndex(span->objIndex(obj)).setMarked();
  getg()->m->p->gcw.bytesMarked += span->elemsize;
}

void gcMarkTinyAllocs() {
  assertWorldStopped();
  for (std::int32_t i = 0; i < allp.len; i++) {
    p* pp = allp[i];
    mcache* c = pp->mcache;
    if (c == nullptr || c->tiny == 0) continue;
    objectRef o = findObject(c->tiny);
    greyobject(o.base, o.s, &pp->gcw, o.objIndex);
  }
}

namespace {

// Whether the fractional worker on this P has had its share of the time.
bool pollFractionalWorkerExit() {
  std::int64_t now = nanotime();
  std::int64_t delta = now - gcController.markStartTime;
  if (delta <= 0) return true;
  p* pp = getg()->m->p;
  std::int64_t selfTime = pp->gcFractionalMarkTime + (now - pp->gcMarkWorkerStartTime);
  // A little more than the goal, not to switch all the time.
  return static_cast<double>(selfTime) / static_cast<double>(delta) >
         1.2 * gcController.fractionalUtilizationGoal;
}

uintptr nextGrey(gcWork* gcw) {
  // Keep some work where others find it.
  if (work.full.empty()) gcw->balance();
  uintptr b = gcw->tryGetFast();
  if (b == 0) b = gcw->tryGet();
  if (b == 0) {
    wbBufFlush1(getg()->m->p);
    b = gcw->tryGet();
  }
  return b;
}

std::uint32_t takeRootJob() {
  if (work.markrootNext.Load() >= work.markrootJobs) return ~std::uint32_t(0);
  std::uint32_t job = work.markrootNext.Add(1) - 1;
  return job < work.markrootJobs ? job : ~std::uint32_t(0);
}

}  // namespace

void gcDrain(gcWork* gcw, std::uint32_t flags) {
  if (!writeBarrier.enabled) throw_("gcDrain phase incorrect");
  g* gp = getg()->m->curg;
  bool preemptible = (flags & gcDrainUntilPreempt) != 0;
  bool flushBgCredit = (flags & gcDrainFlushBgCredit) != 0;
  std::int64_t initScanWork = gcw->heapScanWork;
  std::int64_t checkWork = std::int64_t((~std::uint64_t(0)) >> 1);
  bool (*check)() = nullptr;
  if ((flags & (gcDrainIdle | gcDrainFractional)) != 0) {
    checkWork = initScanWork + drainCheckThreshold;
    check = (flags & gcDrainIdle) != 0 ? pollWork : pollFractionalWorkerExit;
  }
  auto stop = [&] { return gp->preempt && (preemptible || sched.gcwaiting.Load()); };
  bool checked = false;

  while (!stop()) {
    std::uint32_t job = takeRootJob();
    if (job == ~std::uint32_t(0)) break;
    markroot(gcw, job, flushBgCredit);
    if (check != nullptr && check()) {
      checked = true;
      break;
    }
  }
  while (!checked && !stop()) {
    uintptr b = nextGrey(gcw);
    if (b == 0) break;
    scanobject(b, gcw);
    if (gcw->heapScanWork < gcCreditSlack) continue;
    // Let assists have the credit.
    gcController.heapScanWork.Add(gcw->heapScanWork);
    if (flushBgCredit) {
      gcFlushBgCredit(gcw->heapScanWork - initScanWork);
      initScanWork = 0;
    }
    checkWork -= gcw->heapScanWork;
    gcw->heapScanWork = 0;
    if (checkWork <= 0) {
      checkWork += drainCheckThreshold;
      if (check != nullptr && check()) break;
    }
  }
  if (gcw->heapScanWork > 0) {
    gcController.heapScanWork.Add(gcw->heapScanWork);
    if (flushBgCredit) gcFlushBgCredit(gcw->heapScanWork - initScanWork);
    gcw->heapScanWork = 0;
  }
}

std::int64_t gcDrainN(gcWork* gcw, std::int64_t scanWork) {
  if (!writeBarrier.enabled) throw_("gcDrainN phase incorrect");
  // Work that is there already was not done by this call.
  std::int64_t flushed = -gcw->heapScanWork;
  g* gp = getg()->m->curg;
  while (!gp->preempt && flushed + gcw->heapScanWork < scanWork) {
    uintptr b = nextGrey(gcw);
    if (b == 0) {
      std::uint32_t job = takeRootJob();
      if (job == ~std::uint32_t(0)) break;
      flushed += markroot(gcw, job, false);
      continue;
    }
    scanobject(b, gcw);
    if (gcw->heapScanWork >= gcCreditSlack) {
      gcController.heapScanWork.Add(gcw->heapScanWork);
      flushed += gcw->heapScanWork;
      gcw->heapScanWork = 0;
    }
  }
  return flushed + gcw->heapScanWork;
}

}  // namespace gort::runtime
