// Finding a goroutine to run and running it. Ports schedule, findRunnable and their kin of proc.go.
//
// The delicate dance. An M that found nothing gives up its P and stops spinning; meanwhile others
// make goroutines ready and wake nobody as long as they see somebody spin. No wake-up is lost
// because of two orders:
//  - who readies:   put the g on a queue; then look at nmspinning.
//  - who gives up:  lower nmspinning; then look at all queues (global, every P's, timers) once more.
// Both are sequentially consistent, so one of them sees the other. If the second look finds work, the
// M takes an idle P again; if there is none, needspinning asks the next M that drops a P to look.
//
// Invariants:
//  - schedule runs on g0 with a P and without locks; it never returns.
//  - An M that is spinning has no work on its P.
#include "cpuprof.h"
#include "mfinal.h"
#include "mgc.h"
#include "os_linux.h"
#include "netpoll.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "stack.h"
#include "timer.h"
#include "trace.h"

namespace gort::runtime {

void execute(g* gp, bool inheritTime) {
  m* mp = getg()->m;
  mp->curg = gp;
  gp->m = mp;
  POINT(execute_before_running);
  casgstatus(gp, _Grunnable, _Grunning);
  gp->waitsince = 0;
  gp->preempt = false;
  gp->stackguard0 = unaskedguard(gp);
  if (!inheritTime) mp->p->schedtick++;
  std::int32_t hz = sched.profilehz;
  if (GORT_UNLIKELY(mp->profilehz != hz)) setThreadCPUProfiler(hz);
  if (traceEnabled()) {
    // The end of a system call is told with the P that the goroutine gets, and before it starts.
    if (gp->syscallsp != 0 && gp->sysblocktraced) traceGoSysExit(gp->sysexitticks);
    traceGoStart();
  }
  gogo(gp);
}

bool schedEnabled(g* gp) {
  assertLockHeld(&sched.lock);
  return !sched.disable.user || isSystemGoroutine(gp, true);
}

void schedEnableUser(bool enable) {
  lock(&sched.lock);
  if (sched.disable.user == !enable) {
    unlock(&sched.lock);
    return;
  }
  sched.disable.user = !enable;
  if (!enable) {
    unlock(&sched.lock);
    return;
  }
  std::int32_t n = sched.disable.n;
  sched.disable.n = 0;
  globrunqputbatch(&sched.disable.runnable, n);
  unlock(&sched.lock);
  for (; n != 0 && sched.npidle.Load() != 0; n--) startm(nullptr, false, false);
}

checkTimersResult checkTimers(p* pp, std::int64_t now) {
  // Without the lock first: when the next timer may be due, at the earliest.
  std::int64_t next = pp->timer0When.Load();
  std::int64_t nextAdj = pp->timerModifiedEarliest.Load();
  if (next == 0 || (nextAdj != 0 && nextAdj < next)) next = nextAdj;
  if (next == 0) return {now, 0, false};
  if (now == 0) now = nanotime();
  bool own = pp == getg()->m->p;
  if (now < next) {
    // Nothing is due. Clean up only if it is our P and a quarter of the heap is deleted timers.
    if (!own || pp->deletedTimers.Load() <= pp->numTimers.Load() / 4) return {now, next, false};
  }
  lock(&pp->timersLock);
  std::int64_t pollUntil = 0;
  bool ran = false;
  if (pp->timerslen > 0) {
    adjusttimers(pp, now);
    while (pp->timerslen > 0) {
      // runtimer releases timersLock while it runs the function.
      std::int64_t tw = runtimer(pp, now);
      if (tw != 0) {
        if (tw > 0) pollUntil = tw;
        break;
      }
      ran = true;
    }
  }
  if (own && pp->deletedTimers.Load() > static_cast<std::uint32_t>(pp->timerslen) / 4)
    clearDeletedTimers(pp);
  unlock(&pp->timersLock);
  return {now, pollUntil, ran};
}

void wakeNetPoller(std::int64_t when) {
  if (sched.lastpoll.Load() == 0) {
    // Somebody sleeps in netpoll: make it look again if it would sleep too long.
    std::int64_t pollerPollUntil = sched.pollUntil.Load();
    if (pollerPollUntil == 0 || pollerPollUntil > when) netpollBreak();
  } else {
    // Nobody does: make sure that somebody will look at the timers.
    wakep();
  }
}

namespace {

// The M found work and stops spinning; the last one to do so starts another, so that further work is
// noticed.
void resetspinning() {
  m* mp = getg()->m;
  if (!mp->spinning) throw_("resetspinning: not a spinning m");
  mp->spinning = false;
  if (sched.nmspinning.Add(-1) < 0) throw_("findrunnable: negative nmspinning");
  POINT(resetspinning_before_wakep);
  wakep();
}

}  // namespace

void runSafePointFn() {
  p* pp = getg()->m->p;
  // The flag may have been taken by forEachP itself.
  if (!pp->runSafePointFn.CompareAndSwap(1, 0)) return;
  POINT(runsafepointfn_claimed);
  sched.safePointFn(pp);
  lock(&sched.lock);
  if (--sched.safePointWait == 0) notewakeup(&sched.safePointNote);
  unlock(&sched.lock);
}

namespace {

struct stealResult {
  g* gp;
  bool inheritTime;
  std::int64_t now, pollUntil;
  bool newWork;  // a timer ran, or the world stops: start again from the top
};

// Tries to take a goroutine or to run a due timer of any other P, four rounds in random order; in the
// last round also timers and runnext.
stealResult stealWork(std::int64_t now) {
  p* pp = getg()->m->p;
  bool ranTimer = false;
  std::int64_t pollUntil = 0;
  constexpr int stealTries = 4;
  for (int i = 0; i < stealTries; i++) {
    bool stealTimersOrRunNextG = i == stealTries - 1;
    for (randomEnum e = stealOrderStart(fastrand()); !e.done(); e.next()) {
      if (sched.gcwaiting.Load()) return {nullptr, false, now, pollUntil, true};
      p* p2 = allp[static_cast<std::int32_t>(e.position())];
      if (pp == p2) continue;
      // Timers before runnext: the timer's goroutine may be the one that is stolen next.
      if (stealTimersOrRunNextG && timerpMask.read(e.position())) {
        auto [tnow, w, ran] = checkTimers(p2, now);
        now = tnow;
        if (w != 0 && (pollUntil == 0 || w < pollUntil)) pollUntil = w;
        if (ran) {
          // What the timers readied is on our own queue.
          if (auto [gp, inherit] = runqget(pp); gp != nullptr)
            return {gp, inherit, now, pollUntil, ranTimer};
          ranTimer = true;
        }
      }
      if (!idlepMask.read(e.position()))
        if (g* gp = runqsteal(pp, p2, stealTimersOrRunNextG); gp != nullptr)
          return {gp, false, now, pollUntil, ranTimer};
    }
  }
  // No goroutines; a timer that ran may have readied some elsewhere.
  return {nullptr, false, now, pollUntil, ranTimer};
}

// An idle P if any P of the snapshot has work; for an M that has given up its own. sched.lock must
// not be held.
p* checkRunqsNoP(const pSlice& allpSnapshot, const pMask& idlepMaskSnapshot) {
  for (std::int32_t id = 0; id < allpSnapshot.len; id++) {
    if (idlepMaskSnapshot.read(static_cast<std::uint32_t>(id)) || runqempty(allpSnapshot[id]))
      continue;
    lock(&sched.lock);
    p* pp = pidlegetSpinning(0).pp;
    unlock(&sched.lock);
    return pp;  // no idle P: somebody else will get there
  }
  return nullptr;
}

std::int64_t checkTimersNoP(const pSlice& allpSnapshot, const pMask& timerpMaskSnapshot,
                            std::int64_t pollUntil) {
  for (std::int32_t id = 0; id < allpSnapshot.len; id++) {
    if (!timerpMaskSnapshot.read(static_cast<std::uint32_t>(id))) continue;
    std::int64_t w = nobarrierWakeTime(allpSnapshot[id]);
    if (w != 0 && (pollUntil == 0 || w < pollUntil)) pollUntil = w;
  }
  return pollUntil;
}

struct findResult {
  g* gp;
  bool inheritTime, tryWakeP;
};

// Blocks until there is a goroutine to run.
findResult findRunnable() {
  m* mp = getg()->m;
top:
  // The conditions here and in handoffp must agree: if findRunnable would return a g, handoffp must
  // start an M.
  p* pp = mp->p;
  if (sched.gcwaiting.Load()) {
    gcstopm();
    goto top;
  }
  if (pp->runSafePointFn.Load() != 0) runSafePointFn();

  auto [now, pollUntil, ranTimers] = checkTimers(pp, 0);
  (void)ranTimers;

  if (traceActive()) {
    if (g* gp = traceReader(); gp != nullptr) {
      casgstatus(gp, _Gwaiting, _Grunnable);
      if (traceEnabled()) traceGoUnpark(gp, 0);
      return {gp, false, true};
    }
  }

  // The collector before goroutines, or it would not get its share.
  if (gcBlackenEnabled.Load() != 0)
    if (g* gp = findRunnableGCWorker(pp, &now); gp != nullptr) return {gp, false, true};

  // The global queue once in a while, for fairness: two goroutines that ready each other could keep
  // the local queue busy for ever.
  if (pp->schedtick % 61 == 0 && sched.runqsize > 0) {
    lock(&sched.lock);
    g* gp = globrunqget(pp, 1);
    unlock(&sched.lock);
    if (gp != nullptr) return {gp, false, false};
  }
  if (g* gp = wakefing(); gp != nullptr) ready(gp, 0, true);
  if (auto [gp, inheritTime] = runqget(pp); gp != nullptr) return {gp, inheritTime, false};
  if (sched.runqsize != 0) {
    lock(&sched.lock);
    g* gp = globrunqget(pp, 0);
    unlock(&sched.lock);
    if (gp != nullptr) return {gp, false, false};
  }

  // Spin, unless half as many as there are busy Ps do so already: a program with little parallelism
  // shall not burn processors.
  if (mp->spinning || 2 * sched.nmspinning.Load() < gomaxprocs - sched.npidle.Load()) {
    if (!mp->spinning) becomeSpinning(mp);
    stealResult s = stealWork(now);
    if (s.gp != nullptr) return {s.gp, s.inheritTime, false};
    if (s.newWork) goto top;
    now = s.now;
    if (s.pollUntil != 0 && (pollUntil == 0 || s.pollUntil < pollUntil)) pollUntil = s.pollUntil;
  }

  // Nothing to run: mark, if there is something to mark, rather than give up the P.
  if (g* gp = findIdleGCWorker(pp); gp != nullptr) return {gp, false, false};

  // Copies for the looks without a P: what they name stays readable even if the world is stopped and
  // the number of Ps changes.
  pSlice allpSnapshot = allp;
  pMask idlepMaskSnapshot = idlepMask;
  pMask timerpMaskSnapshot = timerpMask;
  POINT(findrunnable_snapshot);

  lock(&sched.lock);
  if (sched.gcwaiting.Load() || pp->runSafePointFn.Load() != 0) {
    unlock(&sched.lock);
    goto top;
  }
  if (sched.runqsize != 0) {
    g* gp = globrunqget(pp, 0);
    unlock(&sched.lock);
    return {gp, false, false};
  }
  if (!mp->spinning && sched.needspinning.Load() == 1) {
    // Somebody found work and no P for it; the P that we are about to drop would do.
    becomeSpinning(mp);
    unlock(&sched.lock);
    goto top;
  }
  if (releasep() != pp) throw_("findrunnable: wrong p");
  now = pidleput(pp, now);
  unlock(&sched.lock);
  POINT(findrunnable_after_release_p);

  bool wasSpinning = mp->spinning;
  if (mp->spinning) {
    mp->spinning = false;
    if (sched.nmspinning.Add(-1) < 0) throw_("findrunnable: negative nmspinning");
    POINT(findrunnable_after_dec_nmspinning);

    // The second look. See the top of the file: all sources, after nmspinning was lowered.
    lock(&sched.lock);
    if (sched.runqsize != 0) {
      p* idle = pidlegetSpinning(0).pp;
      if (idle != nullptr) {
        g* gp = globrunqget(idle, 0);
        if (gp == nullptr) throw_("global runq empty with non-zero runqsize");
        unlock(&sched.lock);
        acquirep(idle);
        becomeSpinning(mp);
        return {gp, false, false};
      }
    }
    unlock(&sched.lock);
    if (p* idle = checkRunqsNoP(allpSnapshot, idlepMaskSnapshot); idle != nullptr) {
      acquirep(idle);
      becomeSpinning(mp);
      goto top;
    }
    if (idleGCWorker w = checkIdleGCNoP(); w.pp != nullptr) {
      acquirep(w.pp);
      becomeSpinning(mp);
      w.pp->gcMarkWorkerMode = gcMarkWorkerIdleMode;
      casgstatus(w.gp, _Gwaiting, _Grunnable);
      if (traceEnabled()) traceGoUnpark(w.gp, 0);
      return {w.gp, false, false};
    }
    pollUntil = checkTimersNoP(allpSnapshot, timerpMaskSnapshot, pollUntil);
  }

  // Wait for the next timer, if nobody else does.
  if (netpollinited() && (netpollAnyWaiters() || pollUntil != 0) && sched.lastpoll.Swap(0) != 0) {
    sched.pollUntil.Store(pollUntil);
    if (mp->p != nullptr) throw_("findrunnable: netpoll with p");
    if (mp->spinning) throw_("findrunnable: netpoll with spinning");
    std::int64_t delay = -1;
    if (pollUntil != 0) {
      if (now == 0) now = nanotime();
      delay = pollUntil - now;
      if (delay < 0) delay = 0;
    }
    gList list = netpoll(delay);
    now = nanotime();
    sched.pollUntil.Store(0);
    sched.lastpoll.Store(now);
    lock(&sched.lock);
    p* idle = pidleget(now).pp;
    unlock(&sched.lock);
    if (idle == nullptr) {
      injectglist(&list);
    } else {
      acquirep(idle);
      if (!list.empty()) {
        g* gp = list.pop();
        injectglist(&list);
        casgstatus(gp, _Gwaiting, _Grunnable);
        if (traceEnabled()) traceGoUnpark(gp, 0);
        return {gp, false, false};
      }
      if (wasSpinning) becomeSpinning(mp);
      goto top;
    }
  } else if (pollUntil != 0 && netpollinited()) {
    std::int64_t pollerPollUntil = sched.pollUntil.Load();
    if (pollerPollUntil == 0 || pollerPollUntil > pollUntil) netpollBreak();
  }
  stopm();
  goto top;
}

}  // namespace

bool pollWork() {
  if (sched.runqsize != 0) return true;
  return !runqempty(getg()->m->p);
}

void injectglist(gList* glist) {
  if (glist->empty()) return;
  gQueue q;
  int qsize = 0;
  // All become runnable before any is queued, so that none runs while it is still linked here.
  while (!glist->empty()) {
    g* gp = glist->pop();
    if (traceEnabled()) traceGoUnpark(gp, 0);
    casgstatus(gp, _Gwaiting, _Grunnable);
    q.pushBack(gp);
    qsize++;
  }
  POINT(injectglist_before_queue);
  auto startIdle = [](int n) {
    for (int i = 0; i < n; i++) {
      m* mp = acquirem();
      lock(&sched.lock);
      p* pp = pidlegetSpinning(0).pp;
      if (pp == nullptr) {
        unlock(&sched.lock);
        releasem(mp);
        break;
      }
      startm(pp, false, true);
      unlock(&sched.lock);
      releasem(mp);
    }
  };
  p* pp = getg()->m->p;
  if (pp == nullptr) {
    lock(&sched.lock);
    globrunqputbatch(&q, qsize);
    unlock(&sched.lock);
    POINT(injectglist_before_start);
    startIdle(qsize);
    return;
  }
  // As many as there are idle Ps to the global queue, for them; the rest is ours.
  int npidle = sched.npidle.Load();
  gQueue globq;
  int n = 0;
  for (; n < npidle && !q.empty(); n++) globq.pushBack(q.pop());
  if (n > 0) {
    lock(&sched.lock);
    globrunqputbatch(&globq, n);
    unlock(&sched.lock);
    POINT(injectglist_before_start);
    startIdle(n);
    qsize -= n;
  }
  if (!q.empty()) runqputbatch(pp, &q, qsize);
  // A P may have become idle since npidle was read, when the goroutines were in no queue yet.
  wakep();
}

void schedule() {
  m* mp = getg()->m;
  if (mp->locks != 0) throw_("schedule: holding locks");
  if (mp->lockedg != nullptr) {
    stoplockedm();
    execute(mp->lockedg, false);
  }
  for (;;) {
    p* pp = mp->p;
    pp->preempt = false;
    if (mp->spinning &&
        (pp->runnext.Load() != nullptr || pp->runqhead.Load() != pp->runqtail.Load()))
      throw_("schedule: spinning with local work");

    auto [gp, inheritTime, tryWakeP] = findRunnable();

    if (dbg.dontfreezetheworld > 0 && freezing.Load()) {
      // A fatal throw is under way: this M must not run goroutines any more.
      lock(&deadlock);
      lock(&deadlock);
    }
    if (mp->spinning) resetspinning();
    if (sched.disable.user) {
      lock(&sched.lock);
      if (!schedEnabled(gp)) {
        sched.disable.runnable.pushBack(gp);
        sched.disable.n++;
        unlock(&sched.lock);
        continue;
      }
      unlock(&sched.lock);
    }
    if (tryWakeP) wakep();
    if (gp->lockedm != nullptr) {
      // Its own M has to run it: hand over the P, then look for something else.
      startlockedm(gp);
      continue;
    }
    execute(gp, inheritTime);
  }
}

}  // namespace gort::runtime
