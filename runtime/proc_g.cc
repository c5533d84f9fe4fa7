// Making goroutines and keeping dead ones for reuse. Ports that part of proc.go.
//
// Invariants:
//  - allgs holds every g ever made, never loses one, and shows a new g only after its status is
//    _Gdead: a scan of allgs never meets a stack that is not initialised.
//  - allgptr is stored before allglen; atomicAllG loads them the other way round. Both are
//    sequentially consistent. Old arrays stay as they were.
//  - A g on a free list is _Gdead; its stack is either of startingStackSize or gone.
//  - goids are handed out per P in batches of _GoidCacheBatch.
#include "malloc.h"
#include "mbarrier.h"
#include "mfinal.h"
#include "mgc.h"
#include "print.h"
#include "proc.h"
#include "stack.h"
#include "trace.h"
#include "tsan.h"

namespace gort::runtime {

mutex allglock;
allgsSlice allgs;  // protected by allglock or a stopped world

namespace {

atomic::Uintptr allglen;
atomic::Pointer<g*> allgptr;

constexpr std::uint64_t _GoidCacheBatch = 16;
constexpr std::int32_t gFreeHigh = explore::capacity(64, 4), gFreeLow = gFreeHigh / 2;
constexpr std::uint32_t pinnedStackSize = raceenabled ? 2 << 20 : 1 << 20;

// All arrays that allgs has had, the present one too: who reads without the lock may hold any of
// them, and the collector frees what nobody refers to. Protected by allglock.
constexpr int maxAllgsArrays = 48;
g** allgsArrays[maxAllgsArrays];
int nallgsArrays;

// Doubles the array of allgs; allglock must be held. This is an allocation under a runtime lock,
// and the throw that may come out of it is why the fatal traceback must not take allglock.
void allgsgrow() {
  uintptr ncap = allgs.cap == 0 ? 64 : allgs.cap * 2;
  // No type: gs are not in the collected heap.
  // A thread that comes in from outside has no P to allocate with (needm).
  bool haveP = getg()->m->p != nullptr || gomaxprocs == 0;
  g** nptr = static_cast<g**>(haveP ? mallocgc(ncap * sizeof(g*), nullptr)
                                    : persistentalloc(ncap * sizeof(g*)));
  allgsArrays[nallgsArrays++] = nptr;
  memmove(nptr, allgs.ptr, allgs.len * sizeof(g*));
  allgs.ptr = nptr;
  allgs.cap = ncap;
}

// Moves free gs of pp to the global list until at most keep are left.
void gfspill(p* pp, std::int32_t keep) {
  gQueue stackQ, noStackQ;
  std::int32_t inc = 0;
  while (pp->gFree.n > keep) {
    g* gp = pp->gFree.list.pop();
    pp->gFree.n--;
    (gp->stack.lo == 0 ? noStackQ : stackQ).push(gp);
    inc++;
  }
  lock(&sched.gFree.lock);
  sched.gFree.noStack.pushAll(noStackQ);
  sched.gFree.stack.pushAll(stackQ);
  sched.gFree.n += inc;
  unlock(&sched.gFree.lock);
}

void allocgstack(g* gp, std::uint32_t size) {
  gp->stack = stackalloc(size);
  gp->stackguard0 = gp->stack.lo + stackGuard;
}

void freegstack(g* gp) {
  stackfree(gp->stack);
  gp->stack = {0, 0};
  gp->stackguard0 = 0;
}

// Lays out the new goroutine's stack: the closure at the top, below it the switch block that makes
// gogo continue at gort_gostart with the function in r12 and its argument in r13.
void gostartstack(g* newg, const newprocargs& a) {
  // Nothing ends at hi itself, which is not an address of this stack any more (copystack).
  uintptr top = newg->stack.hi - sys::StackAlign - alignUp(a.size, sys::StackAlign);
  void* closure = a.closure;
  if (a.size != 0) {
    closure = reinterpret_cast<void*>(top);
    memmove(closure, a.closure, a.size);
    top -= sys::StackAlign;  // extra space in case of reads slightly beyond the frame
  }
  constexpr uintptr blockwords = 7;
  auto* block = reinterpret_cast<uintptr*>(top - blockwords * sys::PtrSize);
  block[0] = block[1] = 0;                              // r15, r14
  block[2] = reinterpret_cast<uintptr>(closure);        // r13
  block[3] = reinterpret_cast<uintptr>(a.fn);           // r12
  block[4] = block[5] = 0;                              // rbx, rbp: the frame chain ends here
  block[6] = reinterpret_cast<uintptr>(gort_gostart);
  newg->sched = {reinterpret_cast<uintptr>(block), block[6], 0};
  newg->stktopsp = top;
  newg->morestackframe = 0;
}

// A goroutine that starts while the collector marks has a stack that counts as scanned. What stands
// on it from the beginning is told to the write barrier here: on g0, so that marking cannot begin
// between this and the copy.
void shadeclosure(const newprocargs& a) {
  if (!writeBarrier.enabled) return;
  gcWriteBarrier1(a.closure);
  const auto* w = static_cast<void* const*>(a.closure);
  for (uintptr n = a.size / sys::PtrSize; n > 0; n--, w++) gcWriteBarrier1(*w);
}

}  // namespace

// gp, _Gsyscall and without frames, will run fn(arg) when gogo continues it. Its thread is in a system
// call all the while: fn's first call is exitsyscall.
void gostartsyscall(g* gp, void (*fn)(void*), void* arg) {
  newprocargs a{};
  a.fn = fn;
  a.closure = arg;
  gostartstack(gp, a);
  gp->syscallsp = gp->stktopsp;
  gp->syscallpc = reinterpret_cast<uintptr>(gort_gostart);
  gp->syscallbp = 0;
  gp->throwsplit = true;
  gp->stackguard0 = stackPreempt;
}

namespace {

g* newproc1(const newprocargs& a, g* callergp, uintptr callerpc) {
  if (a.fn == nullptr) fatal("go of nil func value");
  m* mp = acquirem();  // M and P are in locals
  p* pp = mp->p;
  g* newg = gfget(pp);
  if (newg == nullptr) {
    newg = malg(static_cast<std::int32_t>(stackMin));
    casgstatus(newg, _Gidle, _Gdead);
    allgadd(newg);
  }
  if (newg->stack.hi == 0) throw_("newproc1: newg missing stack");
  if (readgstatus(newg) != _Gdead) throw_("newproc1: new g is not Gdead");
  if (a.pinned || a.size > startingStackSize / 8) {
    stackfree(newg->stack);
    std::uint32_t want = a.pinned ? pinnedStackSize : startingStackSize;
    while (want < a.size * 8) want *= 2;
    allocgstack(newg, want);
  }
  newg->pinned = a.pinned;
  newg->systemg = a.systemg;
  newg->closure = a.size == 0 ? a.closure : nullptr;
  newg->closurefree = a.closurefree;
  shadeclosure(a);
  gostartstack(newg, a);
  newg->parentGoid = callergp->goid;
  newg->gopc = callerpc;
  newg->ancestors = saveAncestors(callergp);
  newg->startpc = a.startpc;
  if (a.systemg) {
    sched.ngsys.Add(1);
  } else if (g* curg = mp->curg; curg != nullptr) {
    // Only goroutines of users inherit profiling labels.
    void* labels = curg->labels;
    gcWriteBarrierInit(labels);
    newg->labels = labels;
  }
  newg->trackingSeq = static_cast<std::uint8_t>(fastrand());
  if (newg->trackingSeq % gTrackingPeriod == 0) newg->tracking = true;
  casgstatus(newg, _Gdead, _Grunnable);
  if (pp->goidcache == pp->goidcacheend) {
    // goidgen is the last id given out to any P.
    pp->goidcache = sched.goidgen.Add(_GoidCacheBatch);
    pp->goidcache -= _GoidCacheBatch - 1;
    pp->goidcacheend = pp->goidcache + _GoidCacheBatch;
  }
  newg->goid = pp->goidcache++;
  if (traceEnabled()) traceGoCreate(newg, newg->startpc);
  racegostart(newg);
  gcController.addScannableStack(static_cast<std::int64_t>(newg->stack.hi - newg->stack.lo));
  releasem(mp);
  return newg;
}

}  // namespace

void newproc(const newprocargs& a, uintptr callerpc) {
  g* gp = getg();
  systemstack([&] {
    g* newg = newproc1(a, gp, callerpc);
    runqput(getg()->m->p, newg, true);
    POINT(newproc_before_wakep);
    if (mainStarted) wakep();
  });
}

g* malg(std::int32_t stacksize) {
  g* newg = newpersistent<g>();
  if (stacksize >= 0) {
    std::int32_t size = round2(static_cast<std::int32_t>(stackSystem) + stacksize);
    systemstack([&] { newg->stack = stackalloc(static_cast<std::uint32_t>(size)); });
    newg->stackguard0 = newg->stack.lo + stackGuard;
  }
  return newg;
}

void allgadd(g* gp) {
  if (readgstatus(gp) == _Gidle) throw_("allgadd: bad status Gidle");
  lock(&allglock);
  POINT(allgadd_locked);
  if (allgs.len == allgs.cap) allgsgrow();
  allgs.ptr[allgs.len++] = gp;
  if (allgs.ptr != allgptr.LoadRelaxed()) allgptr.Store(allgs.ptr);
  allglen.Store(allgs.len);
  unlock(&allglock);
}

atomicAllGResult atomicAllG() {
  uintptr length = allglen.Load();
  return {allgptr.Load(), length};
}

void gfput(p* pp, g* gp) {
  if (readgstatus(gp) != _Gdead) throw_("gfput: bad status (not Gdead)");
  if (gp->stack.hi - gp->stack.lo != startingStackSize) freegstack(gp);
  pp->gFree.list.push(gp);
  pp->gFree.n++;
  if (pp->gFree.n >= gFreeHigh) gfspill(pp, gFreeLow - 1);
}

g* gfget(p* pp) {
  // The global lists' heads are looked at without their lock: a stale answer costs a new g or a look
  // in vain.
  while (pp->gFree.list.empty() && (!sched.gFree.stack.empty() || !sched.gFree.noStack.empty())) {
    lock(&sched.gFree.lock);
    while (pp->gFree.n < gFreeLow) {
      g* gp = sched.gFree.stack.pop();  // gs with stacks first
      if (gp == nullptr) gp = sched.gFree.noStack.pop();
      if (gp == nullptr) break;
      sched.gFree.n--;
      pp->gFree.list.push(gp);
      pp->gFree.n++;
    }
    unlock(&sched.gFree.lock);
  }
  g* gp = pp->gFree.list.pop();
  if (gp == nullptr) return nullptr;
  pp->gFree.n--;
  systemstack([&] {
    // startingStackSize may have changed since gfput.
    if (gp->stack.lo != 0 && gp->stack.hi - gp->stack.lo != startingStackSize) freegstack(gp);
    if (gp->stack.lo == 0) allocgstack(gp, startingStackSize);
  });
  return gp;
}

void gfpurge(p* pp) { gfspill(pp, 0); }

std::int32_t gcount() {
  std::int32_t n = static_cast<std::int32_t>(allglen.Load()) - sched.gFree.n - sched.ngsys.Load();
  for (std::int32_t i = 0; i < allp.len; i++) n -= allp[i]->gFree.n;
  // The counts are read at slightly different times; there is at least the caller.
  return n < 1 ? 1 : n;
}

bool isSystemGoroutine(g* gp, bool) {
  // The finalizer goroutine is a user's while it calls a finalizer.
  if (gp == fing) return (fingStatus.Load() & fingRunningFinalizer) == 0;
  return gp->systemg;
}

}  // namespace gort::runtime
