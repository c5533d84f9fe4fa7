// One system call on every thread of the process. Ports doAllThreadsSyscall and mDoFixup of proc.go,
// as they were from 7e97e4e8 (March 2021) on.
//
// What a thread may do, its credentials and capabilities, is the thread's own to the kernel. A program
// that wants to change it for the process has to make the call on every thread.
//
// How it works: the caller stops the world, makes the call itself, and, if that went well, leaves it
// in mFixup of every other M. An M that is parked is woken for it and parks again; sysmon, the
// template thread and the one that waits for signals have a wake-up of their own. The world starts
// when all have made the call.
//
// Invariants:
//  - m.mFixup.fn is written under m.mFixup.lock; used is 1 exactly while there is something to do, and
//    goes to 0 after the call was made.
//  - Who holds an mFixup.lock, and the caller from before the world stops until after it has started,
//    has all signals blocked: a handler may have to wait for a goroutine (sigsend for the receiver),
//    and no goroutine runs.
//  - A handler that waits for the receiver of signals makes the call of its own M meanwhile: the
//    caller waits for that M, and the receiver for the world.
//  - A thread that is in a system call of the program's makes the call when it comes back from that;
//    the caller waits for it. (So did Go then.)
#include "mgc.h"
#include "netpoll.h"
#include "os_linux.h"
#include "panic_throw.h"
#include "point.h"
#include "proc.h"
#include "signal_unix.h"
#include "sigqueue.h"

namespace gort::runtime {

namespace {

// Makes those that sleep without a P look at mFixup. They may be on their way to sleep: called until
// all have done it.
void wakeServiceThreads() {
  lock(&sched.lock);
  if (sched.sysmonwait.Load()) {
    sched.sysmonwait.Store(false);
    notewakeup(&sched.sysmonnote);
  }
  unlock(&sched.lock);
  lock(&newmHandoff.lock);
  if (newmHandoff.waiting) {
    newmHandoff.waiting = false;
    notewakeup(&newmHandoff.wake);
  }
  unlock(&newmHandoff.lock);
}

bool allDone(m* me) {
  for (m* mp = allm; mp != nullptr; mp = mp->alllink)
    if (mp != me && mp->mFixup.used.Load() != 0) return false;
  return true;
}

}  // namespace

GORT_SIGNALSAFE bool allThreadsFn::run(bool initial) {
  long r = rawsyscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
  if (initial) {
    result = r;
    return r >= 0 || r < -4095;
  }
  if (r != result) throw_("AllThreadsSyscall results differ between threads; runtime corrupted");
  return true;
}

namespace {

// The world is stopped. On g0.
void runOnAllThreads(allThreadsFn* fn) {
  if (newmHandoff.haveTemplateThread.Load() != 0) {
    // No thread is being made in between: the template thread is asleep.
    lock(&newmHandoff.lock);
    while (!newmHandoff.waiting) {
      unlock(&newmHandoff.lock);
      osyield();
      lock(&newmHandoff.lock);
    }
    unlock(&newmHandoff.lock);
  }
  if (netpollinited()) netpollBreak();
  sigRecvPrepareForFixup();
  POINT(allthreads_receiver_told);
  m* me = getg()->m;
  if (!fn->run(true)) return;
  // allm grows only with a P, or by who is locked out above.
  for (m* mp = allm; mp != nullptr; mp = mp->alllink) {
    if (mp == me) continue;
    if (mp->procid == 0 && !mp->doesPark) throw_("unsupported runtime environment");
    locksignal(&mp->mFixup.lock);
    mp->mFixup.fn = fn;
    mp->mFixup.used.Store(1);
    if (mp->doesPark) notewakeupagain(&mp->park);
    unlocksignal(&mp->mFixup.lock);
  }
  setwaiting(me, mWaitAllThreads);
  while (!allDone(me)) {
    wakeServiceThreads();
    osyield();
  }
  setwaiting(me, mWaitNone);
}

}  // namespace

void doAllThreadsSyscall(allThreadsFn* fn) {
  // Once sysmon's M is on allm its thread has to be there, too.
  while (sched.sysmonStarting.Load() != 0) osyield();

  // Not this thread: it watches over the others while no goroutine can run.
  lockOSThread();
  sigset mask = sigsave();
  sigblock(false);
  stopTheWorldGC(stwAllThreadsSyscall);
  systemstack([&] { runOnAllThreads(fn); });
  startTheWorldGC();
  msigrestore(mask);
  unlockOSThread();
}

GORT_SIGNALSAFE bool mDoFixup() {
  m* mp = getg()->m;
  if (GORT_LIKELY(mp->mFixup.used.Load() == 0)) return false;
  sigset mask = sigsave();
  sigblock(false);
  locksignal(&mp->mFixup.lock);
  POINT(mdofixup_locked);
  allThreadsFn* fn = mp->mFixup.fn;
  if (fn != nullptr) {
    fn->run(false);
    mp->mFixup.fn = nullptr;
    mp->mFixup.used.Store(0);
  }
  unlocksignal(&mp->mFixup.lock);
  msigrestore(mask);
  return fn != nullptr;
}

GORT_SIGNALSAFE void mDoFixupAndOSYield() {
  // A thread that is not ours has no call to make.
  if (getg() != nullptr) mDoFixup();
  osyield();
}

}  // namespace gort::runtime
