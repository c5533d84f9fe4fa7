// Sweeping: frees what was not marked. Ports mgcsweep.go, with the way of finding spans that Go had
// when 7f223e3b was made: by index in work.spans, the copy of mheap_.allspans of this cycle. (Today's
// Go pops them from mcentral's unswept sets; those are used here by allocation only.)
//
// Invariants:
//  - A span is swept once in a cycle, by who changed its sweepgen from h-2 to h-1 (mheap.h). It is
//    that goroutine's until it stores h, which it does before anybody may allocate from the span.
//  - A sweeper is not preempted, so no cycle begins while it is at work; and sweepState counts it, so
//    that nobody takes the phase for finished.
//  - A span that another took an index from before it was freed and used again has sweepgen h or h+3
//    now and is left alone.
#include "malloc.h"
#include "mbitmap.h"
#include "mcentral.h"
#include "mfinal.h"
#include "mgc.h"
#include "os_linux.h"
#include "point.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "trace.h"

namespace gort::runtime {

atomic::Uint32 nbgsweep, npausesweep;

namespace {

struct {
  mutex lock;
  g* gp;  // background sweeper; constant after gcenable
  bool parked;  // protected by lock

  atomic::Uint32 spanidx;  // next index in work.spans
  // Sweepers at work, and sweepDrained when there is nothing left to take. Before the first cycle
  // there is nothing to sweep.
  atomic::Uint32 state{1u << 31};
} sweep;

constexpr std::uint32_t sweepDrained = 1u << 31;

// True for the one call that ends the phase.
bool markDrained() {
  for (;;) {
    std::uint32_t s = sweep.state.Load();
    if ((s & sweepDrained) != 0) return false;
    if (sweep.state.CompareAndSwap(s, s | sweepDrained)) return true;
  }
}

// The next span in use that may need sweeping, null at the end.
mspan* nextSpanForSweep() {
  for (;;) {
    std::uint32_t i = sweep.spanidx.Add(1) - 1;
    if (i >= work.nspan) {
      // Keep the counter from wrapping in the rest of the cycle.
      sweep.spanidx.Store(work.nspan);
      return nullptr;
    }
    mspan* s = work.spans[i];
    if (s->state.LoadAcq() == mSpanInUse) return s;
  }
}

void checkSweepable(mspan* s, std::uint32_t sweepgen, const char* what) {
  if (s->state.LoadAcq() == mSpanInUse && s->sweepgen.Load() == sweepgen - 1) return;
  print("mspan.sweep: state=", static_cast<int>(s->state.LoadAcq()),
        " sweepgen=", s->sweepgen.Load(), " mheap.sweepgen=", sweepgen, "\n");
  throw_(what);
}

// Queues the finalizers of dead objects, which live on for them, and frees other specials of dead
// objects.
void sweepSpecials(mspan* s) {
  special* kept = nullptr;
  special** tail = &kept;
  special* sp = s->specials;
  while (sp != nullptr) {
    // A finalizer may be set on a tiny object inside its block.
    uintptr objIndex = sp->offset / s->elemsize;
    uintptr endOffset = (objIndex + 1) * s->elemsize;
    markBits mbits = s->markBitsForIndex(objIndex);
    if (mbits.isMarked()) {
      *tail = sp;
      tail = &sp->next;
      sp = sp->next;
      continue;
    }
    // All finalizers of one tiny block at once: it is kept for all of them.
    bool hasFin = false;
    for (special* t = sp; t != nullptr && t->offset < endOffset; t = t->next)
      if (t->kind == _KindSpecialFinalizer) hasFin = true;
    if (hasFin) mbits.setMarkedNonAtomic();
    while (sp != nullptr && sp->offset < endOffset) {
      special* next = sp->next;
      if (sp->kind == _KindSpecialFinalizer || !hasFin) {
        freespecial(sp, reinterpret_cast<void*>(s->base() + sp->offset), s->elemsize);
      } else {
        *tail = sp;
        tail = &sp->next;
      }
      sp = next;
    }
  }
  *tail = nullptr;
  s->specials = kept;
}

[[noreturn]] void reportZombies(mspan* s) {
  print("runtime: marked free object in span ", static_cast<void*>(s), ", elemsize=", s->elemsize,
        " freeindex=", s->freeindex, "\n");
  for (uintptr i = 0; i < s->nelems; i++) {
    bool alloc = i < s->freeindex || (s->allocBits[i / 8].LoadRelaxed() & 1 << i % 8) != 0;
    bool marked = s->markBitsForIndex(i).isMarked();
    print(hex(s->base() + i * s->elemsize), alloc ? " alloc" : " free ",
          marked ? " marked  " : " unmarked", marked && !alloc ? " zombie\n" : "\n");
  }
  throw_("found pointer to free object");
}

void checkZombies(mspan* s) {
  if (s->freeindex >= s->nelems) return;
  uintptr i = s->freeindex;
  auto zombies = [&](uintptr byte) {
    return s->gcmarkBits[byte].LoadRelaxed() & ~s->allocBits[byte].LoadRelaxed();
  };
  if (zombies(i / 8) >> i % 8 != 0) reportZombies(s);
  for (uintptr b = i / 8 + 1; b < (s->nelems + 7) / 8; b++)
    if (zombies(b) != 0) reportZombies(s);
}

// GODEBUG=clobberfree=1: what still uses a freed object shall see it.
__attribute__((disable_sanitizer_instrumentation)) void clobberfree(mspan* s) {
  for (uintptr i = 0; i < s->nelems; i++) {
    if (s->markBitsForIndex(i).isMarked() || s->isFree(i)) continue;
    auto* w = reinterpret_cast<volatile std::uint32_t*>(s->base() + i * s->elemsize);
    for (uintptr k = 0; k < s->elemsize / 4; k++) w[k] = 0xdeadbeef;
  }
}

}  // namespace

sweepLocker sweepLockerBegin() {
  for (;;) {
    std::uint32_t s = sweep.state.Load();
    if ((s & sweepDrained) != 0) return {mheap_.sweepgen.Load(), false};
    if (sweep.state.CompareAndSwap(s, s + 1)) return {mheap_.sweepgen.Load(), true};
  }
}

void sweepLockerEnd(sweepLocker* sl) {
  if (sl->sweepGen != mheap_.sweepgen.Load())
    throw_("sweeper left outstanding across sweep generations");
  if ((sweep.state.Add(~std::uint32_t(0)) & ~sweepDrained) == ~sweepDrained)
    throw_("mismatched begin/end of activeSweep");
}

bool sweepLocker::tryAcquire(mspan* s) {
  if (!valid) throw_("use of invalid sweepLocker");
  if (s->sweepgen.Load() != sweepGen - 2) return false;
  return s->sweepgen.CompareAndSwap(sweepGen - 2, sweepGen - 1);
}

bool isSweepDone() { return sweep.state.Load() == sweepDrained; }

uintptr sweepone() {
  m* mp = acquirem();
  sweepLocker sl = sweepLockerBegin();
  if (!sl.valid) {
    releasem(mp);
    return ~uintptr(0);
  }
  uintptr npages = ~uintptr(0);
  bool noMoreWork = false;
  for (;;) {
    mspan* s = nextSpanForSweep();
    if (s == nullptr) {
      noMoreWork = markDrained();
      POINT(sweepone_drained);
      break;
    }
    POINT(sweepone_before_acquire);
    if (!sl.tryAcquire(s)) continue;
    uintptr n = s->npages;
    npages = sweepSpan(s, false) ? n : 0;
    break;
  }
  sweepLockerEnd(&sl);
  // Free pages are what they will be until the next cycle: a good time to give some back.
  if (noMoreWork) wakeScavenger();
  releasem(mp);
  return npages;
}

void ensureSwept(mspan* s) {
  g* gp = getg();
  m* mp = gp->m;
  // Otherwise a new cycle could make the span unswept again on return.
  if (mp->locks == 0 && mp->mallocing == 0 && gp != mp->g0)
    throw_("mspan.ensureSwept: m is not locked");
  sweepLocker sl = sweepLockerBegin();
  if (sl.valid) {
    bool ok = sl.tryAcquire(s);
    if (ok) sweepSpan(s, false);
    sweepLockerEnd(&sl);
    if (ok) return;
  }
  // Somebody else is at it.
  for (;;) {
    std::uint32_t gen = s->sweepgen.Load();
    if (gen == sl.sweepGen || gen == sl.sweepGen + 3) return;
    osyield();
  }
}

bool sweepSpan(mspan* s, bool preserve) {
  g* gp = getg();
  m* mp = gp->m;
  if (mp->locks == 0 && mp->mallocing == 0 && gp != mp->g0) throw_("mspan.sweep: m is not locked");
  std::uint32_t sweepgen = mheap_.sweepgen.Load();
  checkSweepable(s, sweepgen, "mspan.sweep: bad span state");
  if (traceEnabled()) traceGCSweepSpan(s->npages * _PageSize);
  mheap_.pagesSwept.Add(s->npages);

  if (s->specials != nullptr) sweepSpecials(s);
  if (dbg.clobberfree > 0) clobberfree(s);
  checkZombies(s);

  std::uint16_t before = s->allocCount;
  std::uint16_t nalloc = s->countAlloc();
  if (nalloc > before) {
    print("runtime: nelems=", s->nelems, " nalloc=", nalloc, " previous allocCount=", before,
          " nfreed=", static_cast<int>(before) - nalloc, "\n");
    throw_("sweep increased allocation count");
  }
  auto nfreed = static_cast<std::uint16_t>(before - nalloc);
  s->allocCount = nalloc;
  s->freeindex = 0;
  s->freeIndexForScan = 0;
  if (traceEnabled()) traceGCSweepReclaimed(nfreed * s->elemsize);
  s->allocBits = s->gcmarkBits;
  s->gcmarkBits = newMarkBits(s->nelems);
  s->refillAllocCache(0);

  checkSweepable(s, sweepgen, "mspan.sweep: bad span state after sweep");
  // Serialisation point: from here on the span is somebody else's, or nobody's.
  s->sweepgen.Store(sweepgen);
  POINT(sweepspan_published);

  std::uint8_t sizeclass = s->spanclass.sizeclass();
  if (sizeclass != 0) {
    if (nfreed > 0) {
      // Slots that were never used are still zero; freed ones are not.
      s->needzero = true;
      heapStatsDelta* stats = acquireHeapStats();
      stats->smallFreeCount[sizeclass] += nfreed;
      releaseHeapStats();
    }
    if (preserve) return false;
    if (nalloc == 0) {
      mheap_.freeSpan(s);
      return true;
    }
  } else {
    if (preserve) return false;
    if (nfreed != 0) {
      uintptr size = s->elemsize;
      heapStatsDelta* stats = acquireHeapStats();
      stats->largeFreeCount += 1;
      stats->largeFree += size;
      releaseHeapStats();
      mheap_.freeSpan(s);
      return true;
    }
  }
  mcentral& c = mheap_.central[s->spanclass.v];
  (nalloc == s->nelems ? c.fullSwept(sweepgen) : c.partialSwept(sweepgen))->push(s);
  return false;
}

void sweepReset() {
  assertWorldStopped();
  sweep.spanidx.Store(0);
  sweep.state.Store(0);
}

void drainUnsweptSets() {
  std::uint32_t sg = mheap_.sweepgen.Load();
  for (int i = 0; i < numSpanClasses; i++)
    for (spanSet* set : {mheap_.central[i].partialUnswept(sg), mheap_.central[i].fullUnswept(sg)})
      while (set->pop() != nullptr) {
      }
}

void finishsweep_m() {
  assertWorldStopped();
  while (sweepone() != ~uintptr(0)) npausesweep.Add(1);
  if ((sweep.state.Load() & ~sweepDrained) != 0)
    throw_("active sweepers found at start of mark phase");
  drainUnsweptSets();
  std::uint32_t sg = mheap_.sweepgen.Load();
  for (int i = 0; i < numSpanClasses; i++) {
    mheap_.central[i].partialUnswept(sg)->reset();
    mheap_.central[i].fullUnswept(sg)->reset();
  }
  wakeScavenger();
  nextMarkBitArenaEpoch();
}

void deductSweepCredit(uintptr spanBytes, uintptr callerSweepPages) {
  if (mheap_.sweepPagesPerByte == 0) return;
  traceSweeping traced;
  for (;;) {
    std::uint64_t sweptBasis = mheap_.pagesSweptBasis.Load();
    std::uint64_t live = gcController.heapLive.Load();
    std::uint64_t liveBasis = mheap_.sweepHeapLiveBasis;
    uintptr newHeapLive = spanBytes;
    // Not when the pacing is being changed just now and the difference makes no sense.
    if (liveBasis < live) newHeapLive += live - liveBasis;
    double rate = mheap_.sweepPagesPerByte;
    auto pagesTarget = static_cast<std::int64_t>(rate * static_cast<double>(newHeapLive)) -
                       static_cast<std::int64_t>(callerSweepPages);
    bool again = false;
    while (pagesTarget > static_cast<std::int64_t>(mheap_.pagesSwept.Load() - sweptBasis)) {
      if (sweepone() == ~uintptr(0)) {
        mheap_.sweepPagesPerByte = 0;
        break;
      }
      if (mheap_.pagesSweptBasis.Load() != sweptBasis) {
        again = true;
        break;
      }
    }
    if (!again) return;
  }
}

void gcPaceSweeper(std::uint64_t trigger) {
  assertWorldStoppedOrLockHeld(&mheap_.lock);
  if (isSweepDone()) {
    mheap_.sweepPagesPerByte = 0;
    return;
  }
  std::uint64_t live = gcController.heapLive.Load();
  // With a margin, not to be late for rounding errors; and not too close, or the rate would have no
  // bound.
  auto distance = static_cast<std::int64_t>(trigger) - static_cast<std::int64_t>(live) - (1 << 20);
  if (distance < static_cast<std::int64_t>(_PageSize)) distance = _PageSize;
  std::uint64_t pagesSwept = mheap_.pagesSwept.Load();
  std::int64_t pages =
      static_cast<std::int64_t>(mheap_.pagesInUse.Load()) - static_cast<std::int64_t>(pagesSwept);
  if (pages <= 0) {
    mheap_.sweepPagesPerByte = 0;
    return;
  }
  mheap_.sweepPagesPerByte = static_cast<double>(pages) / static_cast<double>(distance);
  mheap_.sweepHeapLiveBasis = live;
  // Last: tells those who sweep to compute anew.
  mheap_.pagesSweptBasis.Store(pagesSwept);
}

void bgsweep() {
  sweep.gp = getg();
  lockInit(&sweep.lock, lockRankSweep);
  constexpr int sweepBatchSize = 10;
  for (;;) {
    int n = 0;
    while (sweepone() != ~uintptr(0)) {
      nbgsweep.Add(1);
      if (++n % sweepBatchSize == 0) goschedIfBusy();
    }
    while (freeSomeWbufs(true)) goschedIfBusy();
    lock(&sweep.lock);
    if (!isSweepDone()) {
      // A collection ran since the last look, or others still sweep.
      unlock(&sweep.lock);
      goschedIfBusy();
      continue;
    }
    sweep.parked = true;
    goparkunlock(&sweep.lock, waitReasonGCSweepWait, traceBlockGCSweep, 1);
  }
}

void readySweeper() {
  lock(&sweep.lock);
  if (sweep.parked) {
    sweep.parked = false;
    ready(sweep.gp, 0, true);
  }
  unlock(&sweep.lock);
}

}  // namespace gort::runtime
