// The state machine of goroutines: the only code that writes g.atomicstatus. Ports that part of
// proc.go.
//
//     _Gidle -> _Gdead -> _Grunnable <-> _Grunning -> _Gdead
//                            ^              |  ^
//                            |              v  |
//                            +-- _Gwaiting / _Gsyscall / _Gcopystack / _Gpreempted
//
// Invariants:
//  - Whoever sets the _Gscan bit by CAS owns g's stack until it clears the bit; meanwhile no other
//    transition succeeds, and casgstatus of the owner waits for it.
//  - A running goroutine is scanned only after it has stopped itself, so _Gscanrunning lasts for a
//    few instructions.
//  - The CAS that leaves _Grunning publishes all that the goroutine wrote, and the one that enters it
//    sees that; hence sequentially consistent operations and no plain stores.
#include "os_linux.h"
#include "print.h"
#include "proc.h"

namespace gort::runtime {

namespace {

[[noreturn]] GORT_NOINLINE void badincoming(std::uint32_t oldval, std::uint32_t newval) {
  systemstack([&] {
    print("runtime: casgstatus: oldval=", hex(oldval), " newval=", hex(newval), "\n");
    throw_("casgstatus: bad incoming values");
  });
  __builtin_unreachable();
}

// Waits until somebody who scans gp lets go of it.
GORT_NOINLINE void casgstatusSlow(g* gp, std::uint32_t oldval, std::uint32_t newval) {
  constexpr std::int64_t yieldDelay = 5 * 1000;
  std::int64_t nextYield = nanotime() + yieldDelay;
  POINT(casgstatus_blocked);
  while (!gp->atomicstatus.CompareAndSwap(oldval, newval)) {
    if (oldval == _Gwaiting && gp->atomicstatus.Load() == _Grunnable)
      throw_("casgstatus: waiting for Gwaiting but is Grunnable");
    if (nanotime() < nextYield) {
      for (int x = 0; x < 10 && gp->atomicstatus.Load() != oldval; x++) procyield(1);
    } else {
      osyield();
      nextYield = nanotime() + yieldDelay / 2;
    }
  }
}

// Scheduling latency of every eighth transition out of _Grunning.
GORT_NOINLINE void track(g* gp, std::uint32_t oldval, std::uint32_t newval) {
  std::int64_t now = nanotime();
  if (oldval == _Grunnable) {
    gp->runnableTime += now - gp->trackingStamp;
    gp->trackingStamp = 0;
  } else if (oldval == _Gwaiting && isMutexWait(gp->waitreason)) {
    sched.totalMutexWaitTime.Add((now - gp->trackingStamp) * gTrackingPeriod);
    gp->trackingStamp = 0;
  }
  if (newval == _Grunnable || (newval == _Gwaiting && isMutexWait(gp->waitreason))) {
    gp->trackingStamp = now;
  } else if (newval == _Grunning) {
    gp->tracking = false;
    gp->runnableTime = 0;
  }
}

}  // namespace

void dumpgstatus(g* gp) {
  g* thisg = getg();
  print("runtime:   gp: gp=", static_cast<void*>(gp), ", goid=", gp->goid,
        ", gp->atomicstatus=", readgstatus(gp), "\n");
  print("runtime: getg:  g=", static_cast<void*>(thisg), ", goid=", thisg->goid,
        ",  g->atomicstatus=", readgstatus(thisg), "\n");
}

GORT_NOSPLIT void casgstatus(g* gp, std::uint32_t oldval, std::uint32_t newval) {
  if (GORT_UNLIKELY((oldval & _Gscan) != 0 || (newval & _Gscan) != 0 || oldval == newval))
    badincoming(oldval, newval);
  if constexpr (staticLockRanking) {
    acquireLockRank(lockRankGscan);
    releaseLockRank(lockRankGscan);
  }
  if (GORT_UNLIKELY(!gp->atomicstatus.CompareAndSwap(oldval, newval)))
    casgstatusSlow(gp, oldval, newval);
  if (oldval == _Grunning) {
    if (gp->trackingSeq % gTrackingPeriod == 0) gp->tracking = true;
    gp->trackingSeq++;
  }
  if (GORT_UNLIKELY(gp->tracking)) track(gp, oldval, newval);
}

void casGToWaiting(g* gp, std::uint32_t old, waitReason reason) {
  // Before the status: a traceback that sees _Gwaiting reads the reason.
  gp->waitreason = reason;
  casgstatus(gp, old, _Gwaiting);
}

void casfrom_Gscanstatus(g* gp, std::uint32_t oldval, std::uint32_t newval) {
  bool success = false;
  switch (oldval) {
    case _Gscanrunnable:
    case _Gscanwaiting:
    case _Gscanrunning:
    case _Gscansyscall:
    case _Gscanpreempted:
      if (newval == (oldval & ~_Gscan)) success = gp->atomicstatus.CompareAndSwap(oldval, newval);
      break;
    default:
      print("runtime: casfrom_Gscanstatus bad oldval gp=", static_cast<void*>(gp),
            ", oldval=", hex(oldval), ", newval=", hex(newval), "\n");
      dumpgstatus(gp);
      throw_("casfrom_Gscanstatus:top gp->status is not in scan state");
  }
  if (!success) {
    print("runtime: casfrom_Gscanstatus failed gp=", static_cast<void*>(gp),
          ", oldval=", hex(oldval), ", newval=", hex(newval), "\n");
    dumpgstatus(gp);
    throw_("casfrom_Gscanstatus: gp->status is not in scan state");
  }
  releaseLockRank(lockRankGscan);
}

bool castogscanstatus(g* gp, std::uint32_t oldval, std::uint32_t newval) {
  switch (oldval) {
    case _Grunnable:
    case _Grunning:
    case _Gwaiting:
    case _Gsyscall:
      if (newval == (oldval | _Gscan)) {
        bool r = gp->atomicstatus.CompareAndSwap(oldval, newval);
        if (r) acquireLockRank(lockRankGscan);
        return r;
      }
      break;
    default:
      break;
  }
  print("runtime: castogscanstatus oldval=", hex(oldval), " newval=", hex(newval), "\n");
  throw_("castogscanstatus");
}

void casGToPreemptScan(g* gp, std::uint32_t old, std::uint32_t nw) {
  if (old != _Grunning || nw != (_Gscan | _Gpreempted)) throw_("bad g transition");
  acquireLockRank(lockRankGscan);
  // suspendG may hold the scan bit for a moment.
  while (!gp->atomicstatus.CompareAndSwap(_Grunning, _Gscan | _Gpreempted)) {
  }
}

bool casGFromPreempted(g* gp, std::uint32_t old, std::uint32_t nw) {
  if (old != _Gpreempted || nw != _Gwaiting) throw_("bad g transition");
  gp->waitreason = waitReasonPreempted;
  return gp->atomicstatus.CompareAndSwap(_Gpreempted, _Gwaiting);
}

}  // namespace gort::runtime
