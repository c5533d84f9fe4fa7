// Background mark workers: goroutines that mark, one for each P, and how the scheduler picks them.
// Ports that part of mgc.go and mgcpacer.go.
//
// Invariants:
//  - A worker that does not work is parked and in the pool; whoever takes it out makes it runnable
//    and has it executed on his P, with p.gcMarkWorkerMode set.
//  - While it works, a worker holds its M (acquirem): the gcWork is its P's. Its goroutine is
//    _Gwaiting meanwhile, so that other workers can scan its stack; its stack is not touched then.
//  - work.nwait counts who does not mark, from work.nproc = ~0 down: when it is back there, nobody
//    marks, and who came last and finds no work left calls gcMarkDone.
#include "gofunc.h"
#include "malloc.h"
#include "mgcmark.h"
#include "os_linux.h"
#include "print.h"
#include "proc.h"
#include "trace.h"

namespace gort::runtime {

namespace {

struct gcBgMarkWorkerNode {
  gcBgMarkWorkerNode* next;  // in the pool; protected by pool.lock
  g* gp;  // constant
  m* mp;  // to release once the worker is parked
};

// Go has a lock-free stack here. The lock is a leaf and is held for two loads and a store.
struct {
  mutex lock;
  gcBgMarkWorkerNode* first;
} pool;

std::int32_t workerCount;  // worldsema
note bgMarkReady;

void pushWorker(gcBgMarkWorkerNode* node) {
  lock(&pool.lock);
  node->next = pool.first;
  pool.first = node;
  unlock(&pool.lock);
}

gcBgMarkWorkerNode* popWorker() {
  lock(&pool.lock);
  gcBgMarkWorkerNode* node = pool.first;
  if (node != nullptr) pool.first = node->next;
  unlock(&pool.lock);
  return node;
}

bool parkWorker(g*, void* arg) {
  auto* node = static_cast<gcBgMarkWorkerNode*>(arg);
  // Only now, when it is parked: a request for preemption that came while it worked shall not make
  // it be scheduled just to park.
  if (m* mp = node->mp; mp != nullptr) releasem(mp);
  POINT(parkworker_before_push);
  // From here on somebody may run it.
  pushWorker(node);
  return true;
}

// Gives all goroutines of pp's queue to the others: its worker stays for long. An M that has looked for work
// while they were in no queue has parked by now; so somebody is woken for them, which Go leaves out.
void drainRunq(p* pp) {
  gQueue q;
  std::int32_t n = 0;
  for (;;) {
    g* gp = runqget(pp).gp;
    if (gp == nullptr) break;
    q.pushBack(gp);
    n++;
  }
  if (n == 0) return;
  lock(&sched.lock);
  globrunqputbatch(&q, n);
  unlock(&sched.lock);
  if (mainStarted) wakep();
}

// What the worker gp does on pp, on g0.
void drain(p* pp, g* gp) {
  casGToWaiting(gp, _Grunning, waitReasonGCWorkerActive);
  switch (pp->gcMarkWorkerMode) {
    case gcMarkWorkerDedicatedMode:
      gcDrain(&pp->gcw, gcDrainFlushBgCredit | gcDrainUntilPreempt);
      // Somebody wants this P for something: let the goroutines that wait here run elsewhere, and
      // go on.
      if (gp->preempt) drainRunq(pp);
      gcDrain(&pp->gcw, gcDrainFlushBgCredit);
      break;
    case gcMarkWorkerFractionalMode:
      gcDrain(&pp->gcw, gcDrainFlushBgCredit | gcDrainUntilPreempt | gcDrainFractional);
      break;
    case gcMarkWorkerIdleMode:
      gcDrain(&pp->gcw, gcDrainFlushBgCredit | gcDrainUntilPreempt | gcDrainIdle);
      break;
    default:
      throw_("gcBgMarkWorker: unexpected gcMarkWorkerMode");
  }
  casgstatus(gp, _Gwaiting, _Grunning);
}

void gcBgMarkWorker() {
  g* gp = getg();
  // Not on the stack: the park function must not look there.
  auto* node = newpersistent<gcBgMarkWorkerNode>();
  node->gp = gp;
  node->mp = acquirem();
  notewakeup(&bgMarkReady);
  for (;;) {
    gopark(parkWorker, node, waitReasonGCWorkerIdle, traceBlockSystemGoroutine, 0);
    // No preemption from here: another goroutine would see the mode.
    node->mp = acquirem();
    p* pp = gp->m->p;
    if (gcBlackenEnabled.Load() == 0) {
      println("worker mode", pp->gcMarkWorkerMode);
      throw_("gcBgMarkWorker: blackening not enabled");
    }
    if (pp->gcMarkWorkerMode == gcMarkWorkerNotWorker) throw_("gcBgMarkWorker: mode not set");
    std::int64_t start = nanotime();
    pp->gcMarkWorkerStartTime = start;
    std::uint32_t decnwait = work.nwait.Add(~std::uint32_t(0));
    if (decnwait == work.nproc) {
      println("runtime: work.nwait=", decnwait, "work.nproc=", work.nproc);
      throw_("work.nwait was > work.nproc");
    }
    systemstack([pp, gp] { drain(pp, gp); });
    POINT(gcbgmarkworker_before_nwait);

    std::int64_t duration = nanotime() - start;
    gcController.markWorkerStop(pp->gcMarkWorkerMode, duration);
    if (pp->gcMarkWorkerMode == gcMarkWorkerFractionalMode) pp->gcFractionalMarkTime += duration;
    std::uint32_t incnwait = work.nwait.Add(1);
    if (incnwait > work.nproc) {
      println("runtime: p.gcMarkWorkerMode=", pp->gcMarkWorkerMode, "work.nwait=", incnwait,
              "work.nproc=", work.nproc);
      throw_("work.nwait > work.nproc");
    }
    pp->gcMarkWorkerMode = gcMarkWorkerNotWorker;
    if (incnwait == work.nproc && !gcMarkWorkAvailable(nullptr)) {
      // Like any goroutine from here: gcMarkDone blocks.
      releasem(node->mp);
      node->mp = nullptr;
      gcMarkDone();
    }
  }
}

g* runWorker(gcBgMarkWorkerNode* node) {
  casgstatus(node->gp, _Gwaiting, _Grunnable);
  if (traceEnabled()) traceGoUnpark(node->gp, 0);
  return node->gp;
}

}  // namespace

void gcBgMarkStartWorkers() {
  if (workerCount == 0) lockInit(&pool.lock, lockRankLeafRank);
  // Workers stay when GOMAXPROCS falls; they are used again when it rises.
  while (workerCount < gomaxprocs) {
    newprocargs a{};
    a.fn = [](void*) { gcBgMarkWorker(); };
    a.startpc = reinterpret_cast<uintptr>(&gcBgMarkWorker);
    a.systemg = true;
    newproc(a, getcallerpc());
    // It will be in the pool before its P looks for a worker again.
    notetsleepg(&bgMarkReady, -1);
    noteclear(&bgMarkReady);
    workerCount++;
  }
}

bool isGCWorker(g* gp) { return gp->startpc == reinterpret_cast<uintptr>(&gcBgMarkWorker); }

void gcBgMarkPrepare() {
  // Nobody knows how many will mark, assists too: as if there were as many as can be counted, and
  // all waited.
  work.nproc = ~std::uint32_t(0);
  work.nwait.Store(~std::uint32_t(0));
}

bool gcMarkWorkAvailable(p* pp) {
  if (pp != nullptr && !pp->gcw.empty()) return true;
  if (!work.full.empty()) return true;
  return work.markrootNext.Load() < work.markrootJobs;
}

g* findRunnableGCWorker(p* pp, std::int64_t* now) {
  if (gcBlackenEnabled.Load() == 0)
    throw_("gcControllerState.findRunnable: blackening not enabled");
  if (*now == 0) *now = nanotime();
  // Without work a worker would only spin between park and run.
  if (!gcMarkWorkAvailable(pp)) return nullptr;
  // Every P has one; if not, it is on its way to the pool: another time.
  gcBgMarkWorkerNode* node = popWorker();
  if (node == nullptr) return nullptr;
  auto takeDedicated = [] {
    atomic::Int64& needed = gcController.dedicatedMarkWorkersNeeded;
    for (;;) {
      std::int64_t v = needed.Load();
      if (v <= 0) return false;
      if (needed.CompareAndSwap(v, v - 1)) return true;
    }
  };
  if (takeDedicated()) {
    pp->gcMarkWorkerMode = gcMarkWorkerDedicatedMode;
    return runWorker(node);
  }
  double goal = gcController.fractionalUtilizationGoal;
  std::int64_t delta = *now - gcController.markStartTime;
  if (goal == 0 ||
      (delta > 0 &&
       static_cast<double>(pp->gcFractionalMarkTime) / static_cast<double>(delta) > goal)) {
    pushWorker(node);
    return nullptr;
  }
  pp->gcMarkWorkerMode = gcMarkWorkerFractionalMode;
  return runWorker(node);
}

g* findIdleGCWorker(p* pp) {
  if (gcBlackenEnabled.Load() == 0 || !gcMarkWorkAvailable(pp) || !gcController.addIdleMarkWorker())
    return nullptr;
  gcBgMarkWorkerNode* node = popWorker();
  if (node == nullptr) {
    gcController.removeIdleMarkWorker();
    return nullptr;
  }
  pp->gcMarkWorkerMode = gcMarkWorkerIdleMode;
  return runWorker(node);
}

idleGCWorker checkIdleGCNoP() {
  // Marking may end, and another cycle begin, at any time while we have no P; with sched.lock no P
  // can be given to a stopped world.
  if (gcBlackenEnabled.Load() == 0 || !gcController.needIdleMarkWorker()) return {nullptr, nullptr};
  if (!gcMarkWorkAvailable(nullptr)) return {nullptr, nullptr};
  lock(&sched.lock);
  p* pp = pidlegetSpinning(0).pp;
  if (pp == nullptr) {
    unlock(&sched.lock);
    return {nullptr, nullptr};
  }
  POINT(checkidlegcnop_has_p);
  // Now that nobody can end the phase without this P.
  if (gcBlackenEnabled.Load() == 0 || !gcController.addIdleMarkWorker()) {
    pidleput(pp, 0);
    unlock(&sched.lock);
    return {nullptr, nullptr};
  }
  gcBgMarkWorkerNode* node = popWorker();
  if (node == nullptr) {
    pidleput(pp, 0);
    unlock(&sched.lock);
    gcController.removeIdleMarkWorker();
    return {nullptr, nullptr};
  }
  unlock(&sched.lock);
  return {pp, node->gp};
}

}  // namespace gort::runtime
