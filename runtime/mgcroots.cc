// Root marking: globals, stacks, specials and what the runtime's own structures refer to. Ports the
// first part of mgcmark.go.
//
// Invariants:
//  - markroot job i is done by exactly one worker; the jobs are laid out by gcMarkRootPrepare while
//    the world is stopped.
//  - A stack is scanned while its goroutine is held by its _Gscan bit, once in a cycle: from then on
//    it is black. Goroutines that are made later start black: what their closure refers to is given
//    to the barrier by newproc.
//  - There are no stack maps, so a stack, and data and bss, are scanned conservatively: every word
//    that points into an allocated object keeps it. On stacks the word behind an object keeps that
//    object too: compilers keep nothing but such a pointer through a loop.
//  - Globals and memory from operator new may hold plain pointers, which no barrier knows (in Go the
//    compiler knows all of them). They are scanned in both pauses. If the second scan finds something
//    white, marking goes on (gcMarkDone).
//    Not without the first: a goroutine with a black stack could load the only pointer to an object
//    from such a word and clear it; nobody would look at that stack again. Nor could the first run
//    beside goroutines, even before any stack is black: a pointer that goes from a word which the
//    scan has not reached to one behind it is missed, and a black stack can load it from there later.
//    Not without the second: a stack that is still to be scanned could store its only pointer in such
//    a word and drop it.
//    Most of these words are no pointers, so scanConservative goes by the bounds of the arenas; and
//    words of the program's image only count, not those of shared libraries.
//  - The runtime's structures are not in the collected heap. What of it they refer to is found here:
//    sudog.elem, deferred calls, closures, timers, queued finalizers; and those that change while
//    marking go through the barrier.
#include "mbitmap.h"
#include "mfinal.h"
#include "mgc.h"
#include "mgcmark.h"
#include "moduledata.h"
#include "os_linux.h"
#include "panic.h"
#include "point.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "signal_unix.h"
#include "stack.h"
#include "timer.h"
#include "tsan.h"

namespace gort::runtime {

namespace {

// Entries of work.spans for one job.
constexpr uintptr spansPerSpanRoot = 512;

enum : std::uint32_t { fixedRootFinalizers, fixedRootFreeGStacks, fixedRootTimers, fixedRootCount };

// Scans the words in [lo, hi); returns the bytes.
std::uint64_t scanGlobals(uintptr lo, uintptr hi, gcWork* gcw) {
  uintptr b = alignUp(lo, sys::PtrSize);
  uintptr e = alignDown(hi, sys::PtrSize);
  if (e <= b) return 0;
  scanConservative(b, e - b, gcw);
  return e - b;
}

// Where the program's zeroed data begin.
uintptr bssStart(const moduledata& md) {
#if GORT_TSAN
  static const uintptr start = raceDataEnd(md.bss, md.end);
  return start;
#else
  return md.bss;
#endif
}

// Gives the stacks of dead goroutines back. Those that a P keeps for reuse stay.
void markrootFreeGStacks() {
  lock(&sched.gFree.lock);
  g* first = sched.gFree.stack.head;
  sched.gFree.stack.head = nullptr;
  unlock(&sched.gFree.lock);
  if (first == nullptr) return;
  gQueue q;
  q.head = first;
  for (g* gp = first; gp != nullptr; gp = gp->schedlink) {
    stackfree(gp->stack);
    gp->stack = {0, 0};
    q.tail = gp;
  }
  lock(&sched.gFree.lock);
  sched.gFree.noStack.pushAll(q);
  unlock(&sched.gFree.lock);
}

// Objects with finalizers, for one piece of work.spans: what the object refers to is kept, so that
// the finalizer finds it, but not the object itself, which would never become garbage.
void markrootSpans(gcWork* gcw, std::uint32_t shard) {
  std::uint32_t sg = mheap_.sweepgen.Load();
  uintptr from = shard * spansPerSpanRoot;
  uintptr to = from + spansPerSpanRoot < work.nspan ? from + spansPerSpanRoot : work.nspan;
  for (uintptr i = from; i < to; i++) {
    POINT(markroot_span);
    mspan* s = work.spans[i];
    if (s->state.LoadAcq() != mSpanInUse) continue;
    std::uint32_t g = s->sweepgen.Load();
    if (!useCheckmark && !(g == sg || g == sg + 3)) {
      print("sweep ", g, " ", sg, "\n");
      throw_("gc: unswept span");
    }
    if (s->specials == nullptr) continue;
    lock(&s->speciallock);
    for (special* sp = s->specials; sp != nullptr; sp = sp->next) {
      if (sp->kind != _KindSpecialFinalizer) continue;
      auto* spf = reinterpret_cast<specialfinalizer*>(sp);
      // A finalizer may be set on a tiny object, inside its block.
      uintptr p = s->base() + sp->offset / s->elemsize * s->elemsize;
      if (!s->spanclass.noscan()) scanobject(p, gcw);
      markConservative(reinterpret_cast<uintptr>(spf->closure), gcw);
    }
    unlock(&s->speciallock);
  }
}

void markrootTimers(gcWork* gcw) {
  // allp cannot change: a change of GOMAXPROCS stops the world, and with it this worker.
  for (std::int32_t i = 0; i < allp.len; i++) {
    p* pp = allp[i];
    lock(&pp->timersLock);
    for (std::int32_t j = 0; j < pp->timerslen; j++)
      markConservative(reinterpret_cast<uintptr>(pp->timers[j]), gcw);
    unlock(&pp->timersLock);
  }
}

}  // namespace

void gcMarkRootPrepare() {
  assertWorldStopped();
  work.nSpanRoots =
      static_cast<std::uint32_t>((work.nspan + spansPerSpanRoot - 1) / spansPerSpanRoot);
  // Goroutines that are made from here on need no scan (see the invariants).
  auto [ptr, length] = atomicAllG();
  work.stackRoots = ptr;
  work.nStackRoots = static_cast<std::uint32_t>(length);

  work.markrootNext.Store(0);
  work.baseSpans = fixedRootCount;
  work.baseStacks = work.baseSpans + work.nSpanRoots;
  work.baseEnd = work.baseStacks + work.nStackRoots;
  work.markrootJobs = work.baseEnd;
}

void gcMarkRootCheck() {
  if (work.markrootNext.Load() < work.markrootJobs) {
    print(work.markrootNext.Load(), " of ", work.markrootJobs, " markroot jobs done\n");
    throw_("left over markroot jobs");
  }
  for (std::uint32_t i = 0; i < work.nStackRoots; i++) {
    g* gp = atomicAllGIndex(work.stackRoots, i);
    if (gp->gcscandone) continue;
    println("gp", static_cast<void*>(gp), "goid", gp->goid, "status", readgstatus(gp), "gcscandone",
            gp->gcscandone);
    throw_("scan missed a g");
  }
}

namespace {

// Scans the stack of gp and sets gcscandone. On g0; the calling goroutine, if it is not gp, must be
// preemptible: another worker may want to scan it while this one waits for gp.
std::int64_t markrootStack(g* gp, gcWork* gcw) {
  std::uint32_t status = readgstatus(gp);
  if ((status == _Gwaiting || status == _Gsyscall) && gp->waitsince == 0)
    gp->waitsince = work.tstart;  // when it was first seen blocked, for tracebacks

  std::int64_t workDone = 0;
  // On g0, to be able to scan the caller's own stack.
  systemstack([&, gp] {
    g* userG = getg()->m->curg;
    bool selfScan = gp == userG && readgstatus(userG) == _Grunning;
    // Nobody else can stop it, and it cannot stop itself while it is _Grunning.
    if (selfScan) casGToWaiting(userG, _Grunning, waitReasonGarbageCollectionScan);
    POINT(markroot_before_suspend);
    suspendGState stopped = suspendG(gp);
    if (stopped.dead) {
      gp->gcscandone = true;
    } else {
      if (gp->gcscandone) throw_("g already scanned");
      POINT(markroot_suspended);
      workDone = scanstack(gp, stopped.stopped, gcw);
      POINT(markroot_scanned);
      gp->gcscandone = true;
      resumeG(stopped);
    }
    if (selfScan) casgstatus(userG, _Gwaiting, _Grunning);
  });
  return workDone;
}

}  // namespace

std::int64_t markroot(gcWork* gcw, std::uint32_t i, bool flushBgCredit) {
  std::int64_t workDone = 0;
  atomic::Int64* counter = nullptr;
  if (i == fixedRootFinalizers) {
    forEachQueuedFinalizer(
        [](void* obj, void* closure, void* arg) {
          auto* w = static_cast<gcWork*>(arg);
          markConservative(reinterpret_cast<uintptr>(obj), w);
          markConservative(reinterpret_cast<uintptr>(closure), w);
        },
        gcw);
  } else if (i == fixedRootFreeGStacks) {
    systemstack([] { markrootFreeGStacks(); });
  } else if (i == fixedRootTimers) {
    markrootTimers(gcw);
  } else if (i < work.baseStacks) {
    markrootSpans(gcw, i - work.baseSpans);
  } else {
    if (i >= work.baseEnd) {
      print("runtime: markroot index ", i, " not in stack roots range [", work.baseStacks, ", ",
            work.baseEnd, ")\n");
      throw_("markroot: bad index");
    }
    counter = &gcController.stackScanWork;
    workDone = markrootStack(atomicAllGIndex(work.stackRoots, i - work.baseStacks), gcw);
  }
  if (counter != nullptr && workDone != 0) {
    counter->Add(workDone);
    if (flushBgCredit) gcFlushBgCredit(workDone);
  }
  return workDone;
}

std::uint64_t markUnbarrieredRoots(gcWork* gcw) {
  assertWorldStopped();
  const moduledata md = firstmoduledata();
  std::uint64_t n = scanGlobals(md.data, md.noroots, gcw);
  n += scanGlobals(md.enoroots, md.edata, gcw);
  n += scanGlobals(bssStart(md), md.end, gcw);
  for (std::uint32_t i = 0; i < cxxRootShards; i++)
    markCxxRoots(
        i,
        [](uintptr b, uintptr size, void* arg) {
          scanConservative(b, size, static_cast<gcWork*>(arg));
        },
        gcw);
  // Blocks of operator new do not count: their owners may be dead objects that free them by
  // finalizers, and if they raised the goal, each cycle would come later than the one before.
  return n;
}

// The stack, and the words outside that belong to it. gp is held by its _Gscan bit. On g0. Shrinks
// the stack if little of it is in use. Returns the bytes scanned. stoppedItself: on request, in the
// middle of something.
std::int64_t scanstack(g* gp, bool stoppedItself, gcWork* gcw) {
  std::uint32_t status = readgstatus(gp);
  if ((status & _Gscan) == 0) {
    print("runtime:scanstack: gp=", static_cast<void*>(gp), ", goid=", gp->goid,
          ", gp->atomicstatus=", hex(status), "\n");
    throw_("scanstack - bad status");
  }
  switch (status & ~_Gscan) {
    case _Gdead:
      return 0;
    case _Grunning:
      print("runtime: gp=", static_cast<void*>(gp), ", goid=", gp->goid,
            ", gp->atomicstatus=", status, "\n");
      throw_("scanstack: goroutine not stopped");
    case _Grunnable:
    case _Gsyscall:
    case _Gwaiting:
      break;
    default:
      print("runtime: gp=", static_cast<void*>(gp), ", goid=", gp->goid,
            ", gp->atomicstatus=", status, "\n");
      throw_("mark - bad status");
  }
  if (gp == getg()) throw_("can't scan our own stack");

  if (isShrinkStackSafe(gp))
    shrinkstack(gp);
  else if (!gp->pinned)
    gp->preemptShrink = true;  // at its next synchronous safe point

  uintptr sp = gp->syscallsp != 0 ? gp->syscallsp : gp->sched.sp;
  uintptr size = gp->stack.hi - sp;
  p* pp = getg()->m->p;
  pp->scannedStackSize += size;
  pp->scannedStacks++;

  bool midway = stoppedItself || gp->asyncSafePoint || (status & ~_Gscan) == _Grunnable;
  scanConservativeStack(sp, gp->stack.hi, gcw, midway);
  if (gp->syscallsp != 0)
    scanConservativeStack(reinterpret_cast<uintptr>(gp->syscallregs),
                          reinterpret_cast<uintptr>(gp->syscallregs + std::size(gp->syscallregs)),
                          gcw, false);
  if (gp->asyncSafePoint) {
    // Its other registers are on the stack.
    auto regs = reinterpret_cast<uintptr>(gp->vecstate);
    scanConservativeStack(regs, regs + vecstatesize(), gcw, true);
  }
  for (_defer* d = gp->_defer; d != nullptr; d = d->link) {
    auto arg = reinterpret_cast<uintptr>(d->arg);
    scanConservativeStack(arg, arg + alignDown(d->size, sys::PtrSize), gcw, midway);
  }
  // Where a partner will take a value from or put one: the object may have no other reference.
  for (sudog* sg = gp->waiting; sg != nullptr; sg = sg->waitlink) {
    markConservative(loadWord(reinterpret_cast<uintptr>(&sg->elem)), gcw);
    markConservative(reinterpret_cast<uintptr>(sg->c), gcw);
  }
  markConservative(reinterpret_cast<uintptr>(gp->closure), gcw);
  markConservative(reinterpret_cast<uintptr>(static_cast<void*>(gp->labels)), gcw);
  return static_cast<std::int64_t>(size);
}

}  // namespace gort::runtime
