// The phases of a collection cycle. Ports mgc.go; workers are in mgcworker.cc, the trace line in
// mgctrace.cc.
//
// Invariants:
//  - work.startSema serialises who starts a cycle, work.markDoneSema who ends its mark phase. gcsema
//    is held from the start of a cycle to the end of mark termination, worldsema while the world is
//    stopped or a ragged barrier runs; gcsema comes first.
//  - gcphase, writeBarrier.enabled and mheap_.sweepgen change while the world is stopped. So a
//    goroutine that does not pass a safe point sees one phase.
//  - All spans are swept when marking begins (finishsweep_m), so that a mark bit means this cycle.
//  - The mark phase ends only when no P and no global list has a grey object, and no P has made one
//    between the last look at it and the stop of the world (flushedWork, and the check in the
//    stopped world).
#include "mgc.h"

#include "goruntime.h"
#include "heapcheck.h"
#include "malloc.h"
#include "mbarrier.h"
#include "mgcmark.h"
#include "os_linux.h"
#include "mprof.h"
#include "panic.h"
#include "point.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "sema.h"
#include "stack.h"
#include "trace.h"

namespace gort::runtime {

atomic::Racy<std::uint32_t> gcphase;
atomic::Uint32 gcBlackenEnabled;
writeBarrierT writeBarrier;
workType work;
bool useCheckmark;

namespace {

enum : std::uint8_t {  // work.mode
  gcBackgroundMode,  // marking and sweeping are concurrent
  gcForceMode,  // GODEBUG=gcstoptheworld=1: no goroutine of the program runs while marking
  gcForceBlockMode,  // =2: nor while sweeping
};

// Resets what the marker knows about each goroutine. On g0.
void gcResetMarkState() {
  forEachG([](g* gp) {
    gp->gcscandone = false;
    gp->gcAssistBytes = 0;
  });
  work.bytesMarked.Store(0);
  work.initialHeapLive = gcController.heapLive.Load();
}

void clearpools() {
  // sync.Pool's contents get older, and what has been there for two cycles is dropped. sudogs and
  // defer records are not in the collected heap; their central lists stay.
  if (poolcleanup != nullptr) poolcleanup();
}

// The marker or the sweeper gets a copy of allspans to go through. The world is stopped, but an
// exitsyscall may allocate a stack at the same time, and so may a stack that is shrunk while marking:
// the array may be replaced at any time, and the copy keeps the old one from being freed.
void cacheSpans() {
  lock(&mheap_.lock);
  mspan** old = work.spans;
  if (old != nullptr && old != mheap_.allspans.ptr)
    sysFree(old, alignUp(work.spanscap * sizeof(mspan*), physPageSize));
  mheap_.gcspans = mheap_.allspans.ptr;
  work.spans = mheap_.allspans.ptr;
  work.nspan = static_cast<std::uint32_t>(mheap_.allspans.len);
  work.spanscap = mheap_.allspans.cap;
  unlock(&mheap_.lock);
}

// How much stack new goroutines get: what those that were scanned used on average.
void gcComputeStartingStackSize() {
  std::uint64_t size = 0, n = 0;
  for (std::int32_t i = 0; i < allp.len; i++) {
    size += allp[i]->scannedStackSize;
    n += allp[i]->scannedStacks;
    allp[i]->scannedStackSize = 0;
    allp[i]->scannedStacks = 0;
  }
  if (dbg.adaptivestackstart == 0) return;
  if (n == 0) {
    startingStackSize = fixedStack;
    return;
  }
  std::uint64_t avg = size / n + stackGuard;
  if (avg > maxstacksize) avg = maxstacksize;
  if (avg < fixedStack) avg = fixedStack;
  startingStackSize = static_cast<std::uint32_t>(round2(static_cast<std::int32_t>(avg)));
}

}  // namespace

void setGCPhase(std::uint32_t x) {
  gcphase = x;
  writeBarrier.enabled = x == _GCmark || x == _GCmarktermination;
}

void gcinit() {
  // Nothing to sweep before the first cycle; sweepgen 0 is as good as swept.
  lockInit(&work.assistQueue.lock, lockRankAssistQueue);
  lockInit(&work.sweepWaiters.lock, lockRankSweepWaiters);
  lockInit(&work.wbufSpans.lock, lockRankWbufSpans);
  work.startSema.Store(1);
  work.markDoneSema.Store(1);
  lock(&mheap_.lock);
  gcController.init(readGOGC());
  unlock(&mheap_.lock);
}

void gcenable() {
  auto start = [](void (*fn)()) {
    newprocargs a{};
    a.fn = [](void* f) { (*static_cast<void (**)()>(f))(); };
    a.closure = &fn;
    a.size = sizeof fn;
    a.startpc = reinterpret_cast<uintptr>(fn);
    a.systemg = true;
    newproc(a, getcallerpc());
  };
  start(bgsweep);
  start(bgscavenge);
  memstats.enablegc = true;
}

bool gcTrigger::test() const {
  if (!memstats.enablegc || panicking.Load() != 0 || gcphase != _GCoff) return false;
  switch (kind) {
    case gcTriggerHeap:
      return gcController.heapLive.Load() >= gcController.trigger();
    case gcTriggerTime: {
      if (gcController.gcPercent < 0) return false;
      std::int64_t last = work.lastgc.Load();
      return last != 0 && now - last > forcegcperiod.Load();
    }
    case gcTriggerCycle:
      // n > cycles, counters that wrap.
      return static_cast<std::int32_t>(n - work.cycles.Load()) > 0;
  }
  return true;
}

void GC() {
  // At the time of the call the world is in some phase of cycle n. Finish n's marking, begin n+1,
  // wait for its marking, and sweep. Others may be faster at each step.
  std::uint32_t n = work.cycles.Load();
  gcWaitOnMark(n);
  gcStart({gcTriggerCycle, 0, n + 1});
  gcWaitOnMark(n + 1);
  while (work.cycles.Load() == n + 1 && sweepone() != ~uintptr(0)) Gosched();
  // Others may still be sweeping the last spans.
  while (work.cycles.Load() == n + 1 && !isSweepDone()) Gosched();

  // All that died in this cycle is known now: it may go into the published heap profile, unless the
  // next mark phase has ended too.
  m* mp = acquirem();
  std::uint32_t cycle = work.cycles.Load();
  if (cycle == n + 1 || (gcphase == _GCmark && cycle == n + 2)) mProf_PostSweep();
  releasem(mp);
}

void gcWaitOnMark(std::uint32_t n) {
  for (;;) {
    // No phase changes while the lock is held.
    lock(&work.sweepWaiters.lock);
    std::uint32_t nMarks = work.cycles.Load();
    if (gcphase != _GCmark) nMarks++;
    if (static_cast<std::int32_t>(nMarks - n) > 0) {
      unlock(&work.sweepWaiters.lock);
      return;
    }
    work.sweepWaiters.list.push(getg());
    goparkunlock(&work.sweepWaiters.lock, waitReasonWaitForGCCycle, traceBlockUntilGCEnds, 1);
  }
}

void gcStart(gcTrigger trigger) {
  // Called from mallocgc, whose callers may hold locks: then somebody else will do it.
  m* mp = acquirem();
  bool bad = getg() == mp->g0 || mp->locks > 1 || mp->preemptoff[0] != 0;
  releasem(mp);
  if (bad) return;

  // Mostly nothing, since sweeping is paced; but a forced cycle may come at any time.
  while (trigger.test() && sweepone() != ~uintptr(0)) npausesweep.Add(1);

  semacquire(&work.startSema);
  if (!trigger.test()) {
    semrelease(&work.startSema);
    return;
  }
  std::uint8_t mode = gcBackgroundMode;
  if (dbg.gcstoptheworld == 1) mode = gcForceMode;
  if (dbg.gcstoptheworld == 2) mode = gcForceBlockMode;

  semacquire(&gcsema);
  semacquire(&worldsema);
  work.userForced = trigger.kind == gcTriggerCycle;
  if (traceEnabled()) traceGCStart();
  for (std::int32_t i = 0; i < allp.len; i++) {
    p* pp = allp[i];
    if (std::uint32_t fg = pp->mcache->flushGen.Load(); fg != mheap_.sweepgen.Load()) {
      println("runtime: p", pp->id, "flushGen", fg, "!= sweepgen", mheap_.sweepgen.Load());
      throw_("p mcache not flushed");
    }
  }
  gcBgMarkStartWorkers();
  systemstack([] {
    gcResetMarkState();
    // So that little of it is left for the pause.
    drainUnsweptSets();
  });
  work.maxprocs = gomaxprocs;
  work.stwprocs = work.maxprocs < ncpu ? work.maxprocs : ncpu;
  work.heap0 = gcController.heapLive.Load();
  work.pauseNS = 0;
  work.mode = mode;

  std::int64_t now = nanotime();
  work.tstart = now;
  work.tSweepTerm = now;
  work.pauseStart = now;
  if (traceEnabled()) traceGCSTWStart(1);
  systemstack([] { stopTheWorldWithSema(stwGCSweepTerm); });
  systemstack([] {
    finishsweep_m();
    cacheSpans();
  });
  clearpools();
  work.cycles.Add(1);
  // Assists and workers may run as soon as the world does.
  gcController.startCycle(now, gomaxprocs, trigger.kind);
  // May keep this very goroutine from running, too.
  if (mode != gcBackgroundMode) schedEnableUser(false);

  // The barrier before assists: before any object that is not a leaf is marked, every P must have it
  // on. The world is stopped, so they all will.
  setGCPhase(_GCmark);
  gcBgMarkPrepare();
  gcMarkRootPrepare();
  gcMarkTinyAllocs();
  systemstack([] {
    std::uint64_t n = markUnbarrieredRoots(&getg()->m->p->gcw);
    gcController.globalsScanWork.Store(static_cast<std::int64_t>(n));
    // The rate of assists counts on that work being done.
    gcController.globalsScan.Store(n);
    gcController.revise();
  });
  gcBlackenEnabled.Store(1);

  mp = acquirem();
  systemstack([] {
    std::int64_t t = startTheWorldWithSema(true);
    work.pauseNS += t - work.pauseStart;
    work.tMark = t;
    work.gcCPUTime += work.stwprocs * (work.tMark - work.tSweepTerm);
  });
  POINT(gcstart_before_release);
  // Before a Gosched that may not come back until the cycle needs worldsema again.
  semrelease(&worldsema);
  releasem(mp);
  if (mode != gcBackgroundMode) Gosched();
  semrelease(&work.startSema);
}

namespace {

// Ps that had work to give away at the last ragged barrier. A variable of its own since the
// function runs on all Ps. Protected by markDoneSema.
atomic::Uint32 gcMarkDoneFlushed;

void gcMarkTermination();

// In the stopped world: has a barrier caught something since the last flush, or is there a
// plain pointer, which no barrier knows, to an object that is not marked?
bool workLeft() {
  bool left = false;
  for (std::int32_t i = 0; i < allp.len; i++) {
    wbBufFlush1(allp[i]);
    if (!allp[i]->gcw.empty()) left = true;
  }
  if (left) return true;
  gcWork* gcw = &getg()->m->p->gcw;
  markUnbarrieredRoots(gcw);
  return !gcw->empty();
}

}  // namespace

void gcMarkDone() {
  semacquire(&work.markDoneSema);
  for (;;) {
    POINT(gcmarkdone_begin);
    // The global lists must be empty before the barrier: a P that takes work from there after its
    // turn would not be noticed.
    if (!(gcphase == _GCmark && work.nwait.Load() == work.nproc && !gcMarkWorkAvailable(nullptr))) {
      semrelease(&work.markDoneSema);
      return;
    }
    semacquire(&worldsema);
    gcMarkDoneFlushed.Store(0);
    forEachP(waitReasonGCMarkTermination, [](p* pp) {
      wbBufFlush1(pp);
      pp->gcw.dispose();
      if (pp->gcw.flushedWork) {
        gcMarkDoneFlushed.Add(1);
        pp->gcw.flushedWork = false;
      }
    });
    if (gcMarkDoneFlushed.Load() != 0) {
      // There was something left, and there may be more.
      semrelease(&worldsema);
      continue;
    }
    POINT(gcmarkdone_before_stop);
    std::int64_t now = nanotime();
    work.tMarkTerm = now;
    work.pauseStart = now;
    getg()->m->preemptoff = "gcing";
    if (traceEnabled()) traceGCSTWStart(0);
    systemstack([] { stopTheWorldWithSema(stwGCMarkTerm); });
    bool restart = false;
    systemstack([&] { restart = workLeft(); });
    if (!restart) break;
    getg()->m->preemptoff = "";
    systemstack([] {
      std::int64_t t = startTheWorldWithSema(true);
      work.pauseNS += t - work.pauseStart;
    });
    semrelease(&worldsema);
  }
  gcComputeStartingStackSize();
  // Off before the assists are woken: none shall queue again.
  gcBlackenEnabled.Store(0);
  POINT(gcmarkdone_before_wake);
  gcWakeAllAssists();
  semrelease(&work.markDoneSema);
  schedEnableUser(true);
  gcController.endCycle(work.tMarkTerm, gomaxprocs);
  gcMarkTermination();
}

namespace {

// What is checked, and reset, when marking is over.
void gcMark() {
  if (gcphase != _GCmarktermination)
    throw_("in gcMark expecting to see gcphase as _GCmarktermination");
  if (!work.full.empty() || work.markrootNext.Load() < work.markrootJobs) {
    print("runtime: full=", hex(work.full.head.Load()), " next=", work.markrootNext.Load(),
          " jobs=", work.markrootJobs, " nSpanRoots=", work.nSpanRoots,
          " nStackRoots=", work.nStackRoots, "\n");
    throw_("non-empty mark queue after concurrent mark");
  }
  if (dbg.gccheckmark > 0) gcMarkRootCheck();
  for (std::int32_t i = 0; i < allp.len; i++) {
    p* pp = allp[i];
    // Everything that was reachable is marked, so what the barrier still catches is black.
    if (dbg.gccheckmark > 0)
      wbBufFlush1(pp);
    else
      pp->wbBuf.reset();
    gcWork* gcw = &pp->gcw;
    if (!gcw->empty()) {
      print("runtime: P ", pp->id, " flushedWork ", gcw->flushedWork, " wbuf1.n=", gcw->wbuf1->nobj,
            " wbuf2.n=", gcw->wbuf2->nobj, "\n");
      throw_("P has cached GC work at end of mark termination");
    }
    // Empty buffers, and counts of objects that were allocated black since the last barrier.
    gcw->dispose();
    // heapScan is about to be set to what was found.
    if (pp->mcache != nullptr) pp->mcache->scanAlloc = 0;
  }
  gcController.resetLive(work.bytesMarked.Load());
}

// The whole heap again, alone and from the start, with other bits: finds what the concurrent marking
// has missed.
void checkmarkHeap() {
  startCheckmarks();
  gcResetMarkState();
  work.markrootNext.Store(0);
  p* pp = getg()->m->p;
  markUnbarrieredRoots(&pp->gcw);
  // A request for preemption of this goroutine from before the stop makes gcDrain return early.
  do {
    getg()->m->curg->preempt = false;
    gcDrain(&pp->gcw, 0);
    wbBufFlush1(pp);
  } while (gcMarkWorkAvailable(pp));
  pp->gcw.dispose();
  endCheckmarks();
}

// Begins the sweep phase; true if it is over on return, as GODEBUG asks. The world is stopped.
bool gcSweep(std::uint8_t mode) {
  assertWorldStopped();
  if (gcphase != _GCoff) throw_("gcSweep being done but phase is not GCoff");
  lock(&mheap_.lock);
  mheap_.sweepgen.Store(mheap_.sweepgen.Load() + 2);
  mheap_.pagesSwept.Store(0);
  unlock(&mheap_.lock);
  // Another copy than the marker's: spans that were made meanwhile have objects that can be dead at
  // the next cycle, and are swept with the others.
  cacheSpans();
  sweepReset();
  nbgsweep.Store(0);
  npausesweep.Store(0);
  if (mode == gcForceBlockMode) {
    mheap_.sweepPagesPerByte = 0;
    for (std::int32_t i = 0; i < allp.len; i++) allp[i]->mcache->prepareForSweep();
    while (sweepone() != ~uintptr(0)) {
    }
    prepareFreeWorkbufs();
    while (freeSomeWbufs(false)) {
    }
    // What was freed has been counted already.
    mProf_NextCycle();
    mProf_Flush();
    return true;
  }
  readySweeper();
  return false;
}

// On the goroutine that ended the mark phase, world stopped, barrier on; starts the world.
void gcMarkTermination() {
  setGCPhase(_GCmarktermination);
  work.heap1 = gcController.heapLive.Load();
  m* mp = acquirem();
  mp->preemptoff = "gcing";
  mp->traceback = 2;
  // Nothing here by reference: checkmark may shrink this very stack. Only on g0 the goroutine counts
  // as waiting: a function's stack check could make it grow otherwise.
  systemstack([] {
    g* curgp = getg()->m->curg;
    casGToWaiting(curgp, _Grunning, waitReasonGarbageCollection);
    gcMark();
    work.heap2 = work.bytesMarked.Load();
    if (dbg.gccheckmark > 0) checkmarkHeap();
    setGCPhase(_GCoff);
    work.stwSwept = gcSweep(work.mode);
    if (dbg.heapstackcheck > 0) checkHeapForStackPointers();
    casgstatus(curgp, _Gwaiting, _Grunning);
  });
  bool stwSwept = work.stwSwept;
  if (traceEnabled()) traceGCDone();
  mp->traceback = 0;
  mp->preemptoff = "";
  if (gcphase != _GCoff) throw_("gc done but gcphase != _GCoff");
  systemstack([] { gcControllerCommit(); });

  std::int64_t now = nanotime();
  walltimeResult wall = walltime();
  auto unixNow = static_cast<std::uint64_t>(wall.sec * 1000000000 + wall.nsec);
  work.pauseNS += now - work.pauseStart;
  work.tEnd = now;
  work.lastgc.Store(now);
  memstats.lastGC = unixNow;
  std::uint32_t slot = memstats.numgc % std::size(memstats.pauseNs);
  memstats.pauseNs[slot] = static_cast<std::uint64_t>(work.pauseNS);
  memstats.pauseEnd[slot] = unixNow;
  memstats.pauseTotalNs += static_cast<std::uint64_t>(work.pauseNS);
  work.gcCPUTime += work.stwprocs * (work.tEnd - work.tMarkTerm) + gcController.assistTime.Load() +
                    gcController.dedicatedMarkTime.Load() + gcController.fractionalMarkTime.Load();
  std::int64_t total = sched.totaltime + (now - sched.procresizetime) * gomaxprocs;
  memstats.gcCPUFraction =
      total > 0 ? static_cast<double>(work.gcCPUTime) / static_cast<double>(total) : 0;
  if (work.userForced) memstats.numforcedgc++;

  lock(&work.sweepWaiters.lock);
  memstats.numgc++;
  gList waiters;
  waiters.head = static_cast<g*>(work.sweepWaiters.list.head);
  work.sweepWaiters.list.head = nullptr;
  injectglist(&waiters);
  unlock(&work.sweepWaiters.lock);

  // What is allocated and freed from here on belongs to the next cycle of the heap profile.
  mProf_NextCycle();

  // Spans in mcaches are not found by index before they have been returned: as long as that has not
  // been done, the phase must not count as done.
  sweepLocker sl = sweepLockerBegin();
  if (!stwSwept && !sl.valid) throw_("failed to set sweep barrier");
  if (stwSwept && sl.valid) throw_("non-concurrent sweep failed to drain all sweep queues");

  systemstack([] { startTheWorldWithSema(true); });
  // These take their time, and the world need not wait for them.
  mProf_Flush();
  systemstack([] {
    prepareFreeWorkbufs();
    freeStackSpans();
  });
  forEachP(waitReasonFlushProcCaches, [](p* pp) {
    pp->mcache->prepareForSweep();
    pp->pinnerCache = nullptr;
  });
  if (sl.valid) sweepLockerEnd(&sl);
  // With worldsema: the next cycle would overwrite the figures.
  if (dbg.gctrace > 0) printgctrace();
  semrelease(&worldsema);
  semrelease(&gcsema);
  // From here on another cycle may begin.
  releasem(mp);
}

}  // namespace

}  // namespace gort::runtime
