// The monitor thread: takes Ps back from long system calls, asks long-running goroutines to yield,
// wakes for timers nobody waits for; deadlock detection and schedtrace. Ports that part of proc.go.
//
// Invariants:
//  - sysmon runs without a P, on a thread of its own that is not counted by checkdead.
//  - p.sysmontick belongs to sysmon.
//  - A preemption request is two stores, to g.stackguard0 and to the M's %fs:112; either may be lost
//    to the owner's own store, so every request is repeated until it shows.
#include "netpoll.h"
#include "mgc.h"
#include "os_linux.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "signal_unix.h"
#include "stack.h"
#include "timer.h"
#include "trace.h"

namespace gort::runtime {

namespace {

constexpr std::int64_t forcePreemptNS = 10 * 1000 * 1000;

// Takes Ps from system calls that last, preempts goroutines that run long. Returns the number of Ps
// taken.
std::uint32_t retake(std::int64_t now) {
  std::uint32_t n = 0;
  // allp may change size meanwhile (the lock is dropped below), hence the length each time.
  lock(&allpLock);
  for (std::int32_t i = 0; i < allp.len; i++) {
    p* pp = allp[i];
    if (pp == nullptr) continue;  // procresize has grown allp but not filled it yet
    sysmontick* pd = &pp->sysmontick;
    std::uint32_t s = pp->status.Load();
    bool sysretake = false;
    if (s == _Prunning || s == _Psyscall) {
      std::uint32_t t = pp->schedtick;
      if (pd->schedtick != t) {
        pd->schedtick = t;
        pd->schedwhen = now;
      } else if (pd->schedwhen + forcePreemptNS <= now) {
        preemptone(pp);
        // In a system call preemptone does nothing, for there is no M.
        sysretake = true;
      }
    }
    if (s != _Psyscall) continue;
    std::uint32_t t = pp->syscalltick;
    if (!sysretake && pd->syscalltick != t) {
      pd->syscalltick = t;
      pd->syscallwhen = now;
      continue;
    }
    // Leave it if there is nothing else to do for it and it is not long; but take it in the end, or
    // sysmon could not sleep deeply.
    if (runqempty(pp) && sched.nmspinning.Load() + sched.npidle.Load() > 0 &&
        pd->syscallwhen + forcePreemptNS > now)
      continue;
    POINT(retake_before_cas);
    // handoffp takes sched.lock, which ranks before allpLock.
    unlock(&allpLock);
    // Count one more running M, so that the M whose P we take, if it blocks at once, is not seen as
    // the last one by checkdead.
    incidlelocked(-1);
    if (pp->status.CompareAndSwap(s, _Pidle)) {
      if (traceEnabled()) {
        traceGoSysBlock(pp);
        traceProcStop(pp);
      }
      n++;
      pp->syscalltick++;
      handoffp(pp);
    }
    incidlelocked(1);
    lock(&allpLock);
  }
  unlock(&allpLock);
  return n;
}

std::int64_t starttime;

}  // namespace

void sysmon() {
  lock(&sched.lock);
  sched.nmsys++;
  checkdead();
  unlock(&sched.lock);
  sched.sysmonStarting.Store(0);
  if (explore::on()) explore::ask(explore::Kind::kDaemon);

  std::int64_t lasttrace = 0;
  int idle = 0;  // rounds in a row in which nothing was taken
  std::uint32_t delay = 0;
  for (;;) {
    if (idle == 0)
      delay = 20;  // us
    else if (idle > 50)
      delay *= 2;
    if (delay > 10 * 1000) delay = 10 * 1000;
    usleep(delay);
    mDoFixup();
    std::int64_t now = nanotime();

    // Nothing runs: sleep until somebody comes back from a system call, or until a timer is due.
    if (dbg.schedtrace <= 0 && (sched.gcwaiting.Load() || sched.npidle.Load() == gomaxprocs)) {
      lock(&sched.lock);
      if (sched.gcwaiting.Load() || sched.npidle.Load() == gomaxprocs) {
        bool syscallWake = false;
        POINT(sysmon_before_sleepuntil);
        std::int64_t next = timeSleepUntil();
        if (next > now) {
          sched.sysmonwait.Store(true);
          unlock(&sched.lock);
          std::int64_t sleep = forcegcperiod.Load() / 2;
          if (next - now < sleep) sleep = next - now;
          syscallWake = notetsleep(&sched.sysmonnote, sleep);
          mDoFixup();
          lock(&sched.lock);
          sched.sysmonwait.Store(false);
          noteclear(&sched.sysmonnote);
        }
        if (syscallWake) {
          idle = 0;
          delay = 20;
        }
      }
      unlock(&sched.lock);
    }

    lock(&sched.sysmonlock);
    now = nanotime();
    mDoFixup();
    if (retake(now) != 0)
      idle = 0;
    else
      idle++;
    // Two minutes without a cycle: have one, so that finalizers run and memory is given back.
    if (gcTrigger{gcTriggerTime, now}.test() && forcegc.idle.Load()) {
      lock(&forcegc.lock);
      forcegc.idle.Store(false);
      gList list;
      list.push(forcegc.gp);
      injectglist(&list);
      unlock(&forcegc.lock);
    }
    wakeScavengerIfWanted();
    if (dbg.schedtrace > 0 &&
        lasttrace + static_cast<std::int64_t>(dbg.schedtrace) * 1000000 <= now) {
      lasttrace = now;
      schedtrace(dbg.scheddetail > 0);
    }
    unlock(&sched.sysmonlock);
  }
}

atomic::Int64 forcegcperiod{120ll * 1000 * 1000 * 1000};
forcegcstate forcegc;

void forcegchelper() {
  forcegc.gp = getg();
  lockInit(&forcegc.lock, lockRankForcegc);
  for (;;) {
    lock(&forcegc.lock);
    if (forcegc.idle.Load()) throw_("forcegc: phase error");
    forcegc.idle.Store(true);
    goparkunlock(&forcegc.lock, waitReasonForceGCIdle, traceBlockSystemGoroutine, 1);
    gcStart({gcTriggerTime, nanotime()});
  }
}

// Asks every running P to stop. True if there was one to ask.
bool preemptall() {
  bool res = false;
  for (std::int32_t i = 0; i < allp.len; i++) {
    p* pp = allp[i];
    // Not there yet when procresize itself gives up, and the world is frozen for the dump.
    if (pp == nullptr || pp->status.Load() != _Prunning) continue;
    if (preemptone(pp)) res = true;
  }
  return res;
}

// Asks the goroutine that runs on pp to stop, at its next function entry or where a signal finds it.
// It may not: it may just be leaving, or be in the runtime, or the stores may be lost; the caller
// repeats.
bool preemptone(p* pp) {
  m* mp = pp->m;
  if (mp == nullptr || mp == getg()->m) return false;
  g* gp = mp->curg;
  if (gp == nullptr || gp == mp->g0) return false;
  gp->preempt = true;
  gp->stackguard0 = stackPreempt;
  // Every prologue compares with the thread's copy. If another goroutine has come to that M in the
  // meantime, it sees one request in vain.
  // Counted before the load, both sequentially consistent: either the thread, when it ends, sees us, or we
  // see its null.
  mp->stackguardusers.Add(1);
  if (atomic::Uintptr* slot = mp->stackguardslot.Load(); slot != nullptr) {
    POINT(preemptone_has_slot);
    slot->StoreRelaxed(stackPreempt);
  }
  mp->stackguardusers.Add(-1u);
  if (dbg.asyncpreemptoff == 0) {
    pp->preempt = true;
    preemptM(mp);
  }
  return true;
}

void incidlelocked(std::int32_t v) {
  lock(&sched.lock);
  sched.nmidlelocked += v;
  if (v > 0) checkdead();
  unlock(&sched.lock);
}

// Is anybody left who can make progress? Called whenever the number of running Ms falls.
void checkdead() {
  assertLockHeld(&sched.lock);
  // A panicking process prints its own message. A thread that comes in from outside may wake anybody.
  if (panickingNow() || iscgo.Load()) return;
  std::int32_t run = mcount() - sched.nmidle - sched.nmidlelocked - sched.nmsys;
  if (run > 0) return;
  if (run < 0) {
    print("runtime: checkdead: nmidle=", static_cast<std::int32_t>(sched.nmidle),
          " nmidlelocked=", sched.nmidlelocked, " mcount=", mcount(), " nmsys=", sched.nmsys, "\n");
    unlock(&sched.lock);
    throw_("checkdead: inconsistent counts");
  }
  int grunning = 0;
  forEachG([&](g* gp) {
    if (isSystemGoroutine(gp, false)) return;
    std::uint32_t s = readgstatus(gp);
    switch (s & ~_Gscan) {
      case _Gwaiting:
      case _Gpreempted:
        grunning++;
        break;
      case _Grunnable:
      case _Grunning:
      case _Gsyscall:
        print("runtime: checkdead: find g ", gp->goid, " in status ", s, "\n");
        unlock(&sched.lock);
        throw_("checkdead: runnable g");
      default:
        break;
    }
  });
  if (grunning == 0) {
    unlock(&sched.lock);
    fatal("no goroutines (main called runtime.Goexit) - deadlock!");
  }
  // There are no goroutines running, so nobody but a timer can make one ready.
  for (std::int32_t i = 0; i < allp.len; i++)
    if (allp[i]->timerslen > 0) return;
  unlock(&sched.lock);
  fatal("all goroutines are asleep - deadlock!");
}

// GODEBUG=schedtrace=N: a line on the scheduler's state, with scheddetail=1 all of it.
void schedtrace(bool detailed) {
  std::int64_t now = nanotime();
  if (starttime == 0) starttime = now;
  lock(&sched.lock);
  print("SCHED ", (now - starttime) / 1000000,
        "ms: gomaxprocs=", static_cast<std::int32_t>(gomaxprocs),
        " idleprocs=", sched.npidle.Load(), " threads=", mcount(),
        " spinningthreads=", sched.nmspinning.Load(), " needspinning=", sched.needspinning.Load(),
        " idlethreads=", static_cast<std::int32_t>(sched.nmidle),
        " runqueue=", static_cast<std::int32_t>(sched.runqsize));
  if (detailed)
    print(" gcwaiting=", sched.gcwaiting.Load(), " nmidlelocked=", sched.nmidlelocked,
          " stopwait=", static_cast<std::int32_t>(sched.stopwait),
          " sysmonwait=", sched.sysmonwait.Load(), "\n");
  for (std::int32_t i = 0; i < allp.len; i++) {
    p* pp = allp[i];
    std::uint32_t h = pp->runqhead.Load(), t = pp->runqtail.Load();
    if (!detailed) {
      // In the short form: the queues' lengths in brackets.
      print(i == 0 ? " [" : " ", t - h, i == allp.len - 1 ? "]\n" : "");
      continue;
    }
    print("  P", i, ": status=", pp->status.Load(),
          " schedtick=", static_cast<std::uint32_t>(pp->schedtick),
          " syscalltick=", static_cast<std::uint32_t>(pp->syscalltick), " m=");
    if (m* mp = pp->m; mp != nullptr)
      print(mp->id);
    else
      print("nil");
    print(" runqsize=", t - h, " gfreecnt=", static_cast<std::int32_t>(pp->gFree.n),
          " timerslen=", pp->numTimers.Load(), "\n");
  }
  if (!detailed) {
    unlock(&sched.lock);
    return;
  }
  for (m* mp = allm; mp != nullptr; mp = mp->alllink) {
    print("  M", mp->id, ": p=");
    if (p* pp = mp->p; pp != nullptr)
      print(pp->id);
    else
      print("nil");
    print(" curg=");
    if (g* gp = mp->curg; gp != nullptr)
      print(gp->goid);
    else
      print("nil");
    print(" mallocing=", mp->mallocing,
          " throwing=", static_cast<std::uint32_t>(static_cast<throwType>(mp->throwing)),
          " preemptoff=", mp->preemptoff, " locks=", static_cast<std::int32_t>(mp->locks),
          " dying=", static_cast<std::int32_t>(mp->dying),
          " spinning=", static_cast<bool>(mp->spinning),
          " blocked=", static_cast<bool>(mp->blocked), " lockedg=");
    if (g* lockedg = mp->lockedg; lockedg != nullptr)
      print(lockedg->goid);
    else
      print("nil");
    print("\n");
  }
  forEachG([](g* gp) {
    print("  G", gp->goid, ": status=", readgstatus(gp), "(", waitReasonString(gp->waitreason),
          ") m=");
    if (m* mp = gp->m; mp != nullptr)
      print(mp->id);
    else
      print("nil");
    print(" lockedm=");
    if (m* lockedm = gp->lockedm; lockedm != nullptr)
      print(lockedm->id);
    else
      print("nil");
    print("\n");
  });
  unlock(&sched.lock);
}

}  // namespace gort::runtime
