// Stopping and starting the world. Ports that part of proc.go, and GOMAXPROCS of debug.go.
//
// Invariants:
//  - worldsema is held from stopTheWorld to startTheWorld: one stopper at a time.
//  - The caller's goroutine is _Gwaiting meanwhile, so that a stopper that waits for a scan of this
//    very goroutine's stack does not deadlock with it.
//  - sched.stopwait counts the Ps that still run; every P's stop lowers it under sched.lock, the last
//    one wakes stopnote. While gcwaiting is set no P starts.
//  - forEachP is the weaker thing: every P passes a safe point once and runs fn there. sched.safePointWait
//    counts the Ps that have not, p.runSafePointFn marks them; whoever clears the mark runs fn.
//  - When stopTheWorldWithSema returns, every P is _Pgcstop and belongs to the caller.
#include "os_linux.h"
#include "print.h"
#include "proc.h"
#include "netpoll.h"
#include "sema.h"
#include "trace.h"

namespace gort::runtime {

atomic::Bool freezing;
mutex deadlock;

atomic::Uint32 worldsema{1};
atomic::Uint32 gcsema{1};

#if GORT_POINTS
atomic::Racy<m*> worldstopper;
#endif

namespace {

constexpr const char* stwReasonStrings[] = {
    "unknown",
    "GC mark termination",
    "GC sweep termination",
    "write heap dump",
    "goroutine profile",
    "goroutine profile cleanup",
    "all goroutines stack trace",
    "read mem stats",
    "AllThreadsSyscall",
    "GOMAXPROCS",
    "start trace",
    "stop trace",
};

}  // namespace

const char* stwReasonString(stwReason r) { return stwReasonStrings[r]; }

void stopTheWorld(stwReason reason) {
  semacquire(&worldsema);
  g* gp = getg();
  gp->m->preemptoff = stwReasonString(reason);
  systemstack([reason] {
    // As soon as the goroutine counts as waiting its stack may be moved, and what the closure has
    // captured with it.
    stwReason r = reason;
    g* self = getg()->m->curg;
    casGToWaiting(self, _Grunning, waitReasonStoppingTheWorld);
    stopTheWorldWithSema(r);
    casgstatus(self, _Gwaiting, _Grunning);
  });
}

void startTheWorld() {
  systemstack([] { startTheWorldWithSema(false); });
  POINT(starttheworld_before_release);
  // worldsema is given to a waiter directly: a loop of stops by one goroutine must not starve the
  // others. Not preempted until it is released, or the new holder would wait for us to be scheduled.
  m* mp = acquirem();
  mp->preemptoff = "";
  semrelease1(&worldsema, true, 0);
  releasem(mp);
}

void stopTheWorldGC(stwReason reason) {
  semacquire(&gcsema);
  stopTheWorld(reason);
}

void startTheWorldGC() {
  startTheWorld();
  semrelease(&gcsema);
}

void forEachP(waitReason reason, void (*fn)(p*)) {
  systemstack([reason, fn] {
    void (*f)(p*) = fn;  // not from the stack once it may be moved (stopTheWorld)
    g* gp = getg()->m->curg;
    // Preemptible, so that a mark worker which waits to scan this goroutine's stack gets it: we may
    // be about to wait for that very worker.
    casGToWaiting(gp, _Grunning, reason);
    forEachPInternal(f);
    casgstatus(gp, _Gwaiting, _Grunning);
  });
}

void forEachPInternal(void (*fn)(p*)) {
  m* mp = acquirem();
  p* pp = mp->p;
  lock(&sched.lock);
  if (sched.safePointWait != 0) throw_("forEachP: sched.safePointWait != 0");
  sched.safePointWait = gomaxprocs - 1;
  sched.safePointFn = fn;
  for (std::int32_t i = 0; i < allp.len; i++)
    if (allp[i] != pp) allp[i]->runSafePointFn.Store(1);
  preemptall();
  // Who becomes idle or enters a system call from here on sees the mark. Those that are idle now stay
  // so while we hold the lock.
  for (p* p2 = sched.pidle; p2 != nullptr; p2 = p2->link)
    if (p2->runSafePointFn.CompareAndSwap(1, 0)) {
      fn(p2);
      sched.safePointWait--;
    }
  bool wait = sched.safePointWait > 0;
  unlock(&sched.lock);
  POINT(foreachp_before_own);
  fn(pp);
  // Those in system calls are taken away; handoffp runs fn for them.
  for (std::int32_t i = 0; i < allp.len; i++) {
    p* p2 = allp[i];
    if (p2->status.Load() == _Psyscall && p2->runSafePointFn.Load() == 1 &&
        p2->status.CompareAndSwap(_Psyscall, _Pidle)) {
      if (traceEnabled()) {
        traceGoSysBlock(p2);
        traceProcStop(p2);
      }
      p2->syscalltick++;
      handoffp(p2);
    }
  }
  if (wait) {
    setwaiting(mp, mWaitSafePoints);
    while (!notetsleep(&sched.safePointNote, 100 * 1000)) preemptall();
    setwaiting(mp, mWaitNone);
    noteclear(&sched.safePointNote);
  }
  if (sched.safePointWait != 0) throw_("forEachP: not done");
  for (std::int32_t i = 0; i < allp.len; i++)
    if (allp[i]->runSafePointFn.Load() != 0) throw_("forEachP: P did not run fn");
  lock(&sched.lock);
  sched.safePointFn = nullptr;
  unlock(&sched.lock);
  releasem(mp);
}

void stopTheWorldWithSema(stwReason) {
  m* mp = getg()->m;
  // Whoever waits for a lock of ours would never stop.
  if (mp->locks > 0) throw_("stopTheWorld: holding locks");
  lock(&sched.lock);
  setworldstopper(mp);
  sched.stopwait = gomaxprocs;
  sched.gcwaiting.Store(true);
  preemptall();
  mp->p->status.Store(_Pgcstop);
  sched.stopwait--;
  for (std::int32_t i = 0; i < allp.len; i++) {
    p* pp = allp[i];
    if (pp->status.Load() == _Psyscall && pp->status.CompareAndSwap(_Psyscall, _Pgcstop)) {
      if (traceEnabled()) {
        traceGoSysBlock(pp);
        traceProcStop(pp);
      }
      pp->syscalltick++;
      sched.stopwait--;
    }
  }
  std::int64_t now = nanotime();
  while (p* pp = pidleget(now).pp) {
    pp->status.Store(_Pgcstop);
    sched.stopwait--;
  }
  bool wait = sched.stopwait > 0;
  unlock(&sched.lock);
  POINT(stoptheworld_before_wait);
  if (wait) {
    // A request for preemption may be lost; repeat until all have stopped.
    setwaiting(mp, mWaitWorld);
    while (!notetsleep(&sched.stopnote, 100 * 1000)) preemptall();
    setwaiting(mp, mWaitNone);
    noteclear(&sched.stopnote);
  }
  const char* bad = nullptr;
  if (sched.stopwait != 0) {
    bad = "stopTheWorld: not stopped (stopwait != 0)";
  } else {
    for (std::int32_t i = 0; i < allp.len; i++)
      if (allp[i]->status.Load() != _Pgcstop)
        bad = "stopTheWorld: not stopped (status != _Pgcstop)";
  }
  if (freezing.Load()) {
    // Some other thread is crashing and has spoilt stopwait. Let it.
    lock(&deadlock);
    lock(&deadlock);
  }
  if (bad != nullptr) throw_(bad);
  worldStopped();
}

std::int64_t startTheWorldWithSema(bool emitTraceEvent) {
  assertWorldStopped();
  m* mp = acquirem();
  setworldstopper(nullptr);
  if (netpollinited()) {
    gList list = netpoll(0);
    injectglist(&list);
  }
  lock(&sched.lock);
  std::int32_t procs = gomaxprocs;
  if (newprocs != 0) {
    procs = newprocs;
    newprocs = 0;
  }
  p* p1 = procresize(procs);
  sched.gcwaiting.Store(false);
  if (sched.sysmonwait.Load()) {
    sched.sysmonwait.Store(false);
    notewakeup(&sched.sysmonnote);
  }
  unlock(&sched.lock);
  worldStarted();
  while (p1 != nullptr) {
    p* pp = p1;
    p1 = p1->link;
    if (m* nmp = pp->m; nmp != nullptr) {
      pp->m = nullptr;
      if (nmp->nextp != nullptr) throw_("startTheWorld: inconsistent mp->nextp");
      nmp->nextp = pp;
      notewakeupagain(&nmp->park);
    } else {
      newm(nullptr, pp, -1);
    }
  }
  std::int64_t startTime = nanotime();
  if (emitTraceEvent && traceEnabled()) traceGCSTWDone();
  // There may be more work than the Ps with local work show; if not, the M stops again.
  wakep();
  releasem(mp);
  return startTime;
}

// Stops as much as can be stopped, without guarantee, for a fatal throw that may hold any lock.
void freezetheworld() {
  freezing.Store(true);
  POINT(freezetheworld_begin);
  for (int i = 0; i < 5; i++) {
    // No Ps start any more, and stopTheWorld waits for ever.
    sched.stopwait = freezeStopWait;
    sched.gcwaiting.Store(true);
    if (!preemptall()) break;
    usleep(1000);
  }
  usleep(1000);
  preemptall();
  usleep(1000);
}

// On g0: the M gives its P to the stopper and sleeps.
void gcstopm() {
  m* mp = getg()->m;
  if (!sched.gcwaiting.Load()) throw_("gcstopm: not waiting for gc");
  if (mp->spinning) {
    mp->spinning = false;
    // Others see fewer spinning; when the world starts, startTheWorld wakes what is needed.
    if (sched.nmspinning.Add(-1) < 0) throw_("gcstopm: negative nmspinning");
  }
  p* pp = releasep();
  lock(&sched.lock);
  pp->status.Store(_Pgcstop);
  sched.stopwait--;
  if (sched.stopwait == 0) notewakeup(&sched.stopnote);
  unlock(&sched.lock);
  stopm();
}

int GOMAXPROCS(int n) {
  lock(&sched.lock);
  int ret = gomaxprocs;
  unlock(&sched.lock);
  if (n <= 0 || n == ret) return ret;
  stopTheWorldGC(stwGOMAXPROCS);
  newprocs = n;
  startTheWorldGC();
  return ret;
}

}  // namespace gort::runtime
