// Blocking, waking, yielding and ending goroutines; the sudog cache. Ports that part of proc.go.
//
// Invariants:
//  - gopark changes the status before it runs unlockf, and unlockf is what makes the goroutine
//    findable by its waker: a waker that finds it sees _Gwaiting. From the status change on, somebody
//    else may own gp's stack, so neither park_m nor any unlockf touches it.
//  - m.waitunlockf and m.waitlock carry gopark's arguments to g0, where there is no stack of gp to
//    hold them; they belong to the M.
//  - P's sudog cache is used with the M pinned (acquirem), so that the P does not change.
#include "os_linux.h"
#include "malloc.h"
#include "mgc.h"
#include "panic.h"
#include "print.h"
#include "proc.h"
#include "signal_unix.h"
#include "stack.h"
#include "trace.h"
#include "tsan.h"

namespace gort::runtime {

void releasem(m* mp) {
  g* gp = getg();
  mp->locks--;
  // newstack put the limit back while the M was pinned: ask again.
  if (mp->locks == 0 && gp->preempt) gp->stackguard0 = stackPreempt, setstackguard(stackPreempt);
}

namespace {

bool parkunlock_c(g*, void* l) {
  unlock(static_cast<mutex*>(l));
  return true;
}

// Continuation of gopark on g0.
void park_m(g* gp) {
  m* mp = getg()->m;
  if (traceEnabled()) traceGoPark(mp->waitTraceBlockReason, mp->waitTraceSkip);
  casgstatus(gp, _Grunning, _Gwaiting);
  dropg();
  POINT(park_m_before_unlockf);
  if (auto fn = mp->waitunlockf; fn != nullptr) {
    bool ok = fn(gp, mp->waitlock);
    mp->waitunlockf = nullptr;
    mp->waitlock = nullptr;
    if (!ok) {
      if (traceEnabled()) traceGoUnpark(gp, 2);
      casgstatus(gp, _Gwaiting, _Grunnable);
      execute(gp, true);
    }
  }
  schedule();
}

[[noreturn]] void goschedImpl(g* gp) {
  std::uint32_t status = readgstatus(gp);
  if ((status & ~_Gscan) != _Grunning) {
    dumpgstatus(gp);
    throw_("bad g status");
  }
  casgstatus(gp, _Grunning, _Grunnable);
  dropg();
  lock(&sched.lock);
  globrunqput(gp);
  unlock(&sched.lock);
  POINT(goschedimpl_after_globrunqput);
  if (mainStarted) wakep();
  schedule();
}

void gosched_m(g* gp) {
  if (traceEnabled()) traceGoSched();
  goschedImpl(gp);
}

void goyield_m(g* gp) {
  if (traceEnabled()) traceGoPreempt();
  p* pp = gp->m->p;
  casgstatus(gp, _Grunning, _Grunnable);
  dropg();
  runqput(pp, gp, false);
  schedule();
}

// Continuation of goexit1 on g0.
void goexit0(g* gp) {
  m* mp = getg()->m;
  p* pp = mp->p;
  if (traceEnabled()) traceGoEnd();
  casgstatus(gp, _Grunning, _Gdead);
  if (isSystemGoroutine(gp, false)) sched.ngsys.Add(-1);
  gp->m = nullptr;
  bool locked = gp->lockedm != nullptr;
  gp->lockedm = nullptr;
  mp->lockedg = nullptr;
  gp->preemptStop = false;
  gp->preemptShrink = false;  // the next goroutine in this g may be pinned
  gp->paniconfault = false;
  gp->sig = 0;
  gp->_defer = nullptr;  // should be true already but just in case
  gp->_panic = nullptr;  // not null for Goexit during a panic
  gp->deferframe_ = nullptr;
  gp->waitreason = waitReasonZero;
  gp->param = nullptr;
  gp->labels = nullptr;
  if (ancestorInfo* a = gp->ancestors) {
    gp->ancestors = nullptr;
    freeAncestors(a);
  }
  // Unused credit for those who are in debt.
  if (gcBlackenEnabled.Load() != 0 && gp->gcAssistBytes > 0) {
    gcController.bgScanCredit.Add(static_cast<std::int64_t>(
        gcController.assistWorkPerByte * static_cast<double>(gp->gcAssistBytes)));
  }
  gp->gcAssistBytes = 0;
  if (gp->vecstate != nullptr) {
    freevecstate(gp->vecstate);
    gp->vecstate = nullptr;
  }
  gcController.addScannableStack(-static_cast<std::int64_t>(gp->stack.hi - gp->stack.lo));
  // gp.timer stays: it is on no heap, and the next goroutine in this g can use it.
  if (mp->isextra)
    throw_("runtime.Goexit called in a thread that was not created by the Go runtime");
  mp->curg = nullptr;
  if (mp->lockedInt != 0) {
    print("invalid m->lockedInt = ", mp->lockedInt, "\n");
    throw_("internal lockOSThread error");
  }
  gfput(pp, gp);
  if (locked) {
    // The goroutine may have left the thread in an unusual state: end the thread with it.
    // Returns to mstart, which releases the P and exits.
    gort_g0return();
  }
  schedule();
}

}  // namespace

void gopark(bool (*unlockf)(g*, void*), void* lock, waitReason reason, traceBlockReason traceReason,
            int traceskip) {
  m* mp = acquirem();
  g* gp = mp->curg;
  std::uint32_t status = readgstatus(gp);
  if (GORT_UNLIKELY(status != _Grunning && status != _Gscanrunning)) throw_("gopark: bad g status");
  mp->waitlock = lock;
  mp->waitunlockf = unlockf;
  gp->waitreason = reason;
  mp->waitTraceBlockReason = traceReason;
  mp->waitTraceSkip = traceskip;
  POINT(gopark_before_mcall);
  releasem(mp);
  // Between releasem and mcall there is no prologue, hence no preemption point that could move gp
  // to another M and leave the arguments behind.
  mcall(park_m);
}

void goparkunlock(mutex* l, waitReason reason, traceBlockReason traceReason, int traceskip) {
  gopark(parkunlock_c, l, reason, traceReason, traceskip);
}

void ready(g* gp, int traceskip, bool next) {
  if (traceEnabled()) traceGoUnpark(gp, traceskip);
  std::uint32_t status = readgstatus(gp);
  m* mp = acquirem();  // the P must not change
  if ((status & ~_Gscan) != _Gwaiting) {
    dumpgstatus(gp);
    throw_("bad g->status in ready");
  }
  casgstatus(gp, _Gwaiting, _Grunnable);
  runqput(mp->p, gp, next);
  wakep();
  releasem(mp);
}

void goready(g* gp, int traceskip) {
  systemstack([=] { ready(gp, traceskip, true); });
}

void dropg() {
  m* mp = getg()->m;
  mp->curg->m = nullptr;
  mp->curg = nullptr;
}

void goschedIfBusy() {
  if (!getg()->preempt && sched.npidle.Load() > 0) return;
  mcall(gosched_m);
}

void Gosched() {
  // Who waits in a loop of Goscheds tells the explorer so.
  if (explore::on()) explore::ask(explore::Kind::kYield);
  mcall(gosched_m);
}
void goyield() { mcall(goyield_m); }
void gopreempt_m(g* gp) {
  if (traceEnabled()) traceGoPreempt();
  goschedImpl(gp);
}

void preemptPark(g* gp) {
  if (traceEnabled()) traceGoPark(traceBlockPreempted, 0);
  std::uint32_t status = readgstatus(gp);
  if ((status & ~_Gscan) != _Grunning) {
    dumpgstatus(gp);
    throw_("bad g status");
  }
  // With the scan bit held across dropg: suspendG may take the goroutine as soon as the status is
  // _Gpreempted, and must not see it attached to this M then.
  casGToPreemptScan(gp, _Grunning, _Gscan | _Gpreempted);
  dropg();
  casfrom_Gscanstatus(gp, _Gscan | _Gpreempted, _Gpreempted);
  schedule();
}

void goexit1() {
  g* gp = getg();
  if (gp->closurefree != nullptr) {
    auto f = gp->closurefree;
    gp->closurefree = nullptr;
    f(gp->closure);
    gp->closure = nullptr;
  }
  mcall(goexit0);
  __builtin_unreachable();
}

extern "C" [[noreturn]] void gort_goexit1() { goexit1(); }
extern "C" [[noreturn]] void gort_badmcall() { throw_("runtime: mcall called on m->g0 stack"); }
extern "C" [[noreturn]] void gort_badmcall2() { throw_("runtime: mcall function returned"); }

namespace {

[[noreturn]] GORT_NOINLINE void badsudog(const char* what) { throw_(what); }

GORT_NOINLINE void refillsudogs(p* pp) {
  lock(&sched.sudoglock);
  while (pp->sudogcachelen < sudogcachecap / 2 && sched.sudogcache != nullptr) {
    sudog* s = sched.sudogcache;
    sched.sudogcache = s->next;
    s->next = nullptr;
    pp->sudogcache[pp->sudogcachelen++] = s;
  }
  unlock(&sched.sudoglock);
  if (pp->sudogcachelen == 0) pp->sudogcache[pp->sudogcachelen++] = newpersistent<sudog>();
}

GORT_NOINLINE void spillsudogs(p* pp) {
  sudog *first = nullptr, *last = nullptr;
  while (pp->sudogcachelen > sudogcachecap / 2) {
    sudog* s = pp->sudogcache[--pp->sudogcachelen];
    if (first == nullptr)
      first = s;
    else
      last->next = s;
    last = s;
  }
  lock(&sched.sudoglock);
  last->next = sched.sudogcache;
  sched.sudogcache = first;
  unlock(&sched.sudoglock);
}

}  // namespace

sudog* acquireSudog() {
  m* mp = acquirem();
  p* pp = mp->p;
  if (GORT_UNLIKELY(pp->sudogcachelen == 0)) refillsudogs(pp);
  sudog* s = pp->sudogcache[--pp->sudogcachelen];
  if (GORT_UNLIKELY(s->elem != nullptr)) badsudog("acquireSudog: found s.elem != nil in cache");
  releasem(mp);
  return s;
}

void releaseSudog(sudog* s) {
  if (GORT_UNLIKELY(s->elem != nullptr)) badsudog("runtime: sudog with non-nil elem");
  if (GORT_UNLIKELY(s->isSelect)) badsudog("runtime: sudog with non-false isSelect");
  if (GORT_UNLIKELY(s->next != nullptr)) badsudog("runtime: sudog with non-nil next");
  if (GORT_UNLIKELY(s->prev != nullptr)) badsudog("runtime: sudog with non-nil prev");
  if (GORT_UNLIKELY(s->waitlink != nullptr)) badsudog("runtime: sudog with non-nil waitlink");
  if (GORT_UNLIKELY(s->c != nullptr)) badsudog("runtime: sudog with non-nil c");
  if (GORT_UNLIKELY(getg()->param != nullptr))
    badsudog("runtime: releaseSudog with non-nil gp.param");
  POINT(releasesudog_checked);
  m* mp = acquirem();
  p* pp = mp->p;
  if (GORT_UNLIKELY(pp->sudogcachelen == sudogcachecap)) spillsudogs(pp);
  pp->sudogcache[pp->sudogcachelen++] = s;
  releasem(mp);
}

}  // namespace gort::runtime
