// Leaving goroutine code for a system call and coming back. Ports entersyscall and exitsyscall of
// proc.go.
//
// Invariants:
//  - From entersyscall to exitsyscall the goroutine is _Gsyscall, its P is _Psyscall and whoever wins
//    the CAS on the P's status has it: the returning M (back to _Pidle, then running), sysmon
//    (retake), or who stops the world.
//  - The stack must not grow meanwhile, for a scan may start from syscallsp at any moment:
//    stackguard0 is stackPreempt and throwsplit is set, so that any function with a stack check
//    throws. All code in between is nosplit or runs on g0; the bookkeeping below does the latter.
//  - The registers that a called function keeps are in g.syscallregs: a scan sees them, and nobody
//    moves the stack that they may point into.
//  - m.locks is raised while the P is changed over, to keep newstack from preempting.
#include "os_linux.h"
#include "print.h"
#include "proc.h"
#include "stack.h"
#include "trace.h"

namespace gort::runtime {

namespace {

void wakesysmon() {
  // sched.lock must be held.
  if (!sched.sysmonwait.Load()) return;
  sched.sysmonwait.Store(false);
  notewakeup(&sched.sysmonnote);
}

void checksyscallsp(g* gp, const char* who) {
  if (gp->syscallsp >= gp->stack.lo && gp->syscallsp <= gp->stack.hi) return;
  print(who, " inconsistent ", hex(gp->syscallsp), " [", hex(gp->stack.lo), ",", hex(gp->stack.hi),
        "]\n");
  throw_(who);
}

// On g0, for the goroutine arg.
void entersyscall1(void* arg) {
  g* gp = static_cast<g*>(arg);
  m* mp = gp->m;
  casgstatus(gp, _Grunning, _Gsyscall);
  checksyscallsp(gp, "entersyscall");
  if (traceEnabled()) traceGoSysCall();
  if (sched.sysmonwait.Load()) {
    lock(&sched.lock);
    wakesysmon();
    unlock(&sched.lock);
  }
  p* pp = mp->p;
  if (pp->runSafePointFn.Load() != 0) runSafePointFn();
  mp->syscalltick = pp->syscalltick;
  gp->sysblocktraced = true;
  pp->m = nullptr;
  mp->oldp = pp;
  mp->p = nullptr;
  // From this store on pp may be taken.
  pp->status.Store(_Psyscall);
  POINT(entersyscall_after_release_p);
  if (sched.gcwaiting.Load()) {
    POINT(entersyscall_gcwaiting);
    lock(&sched.lock);
    if (sched.stopwait > 0 && pp->status.CompareAndSwap(_Psyscall, _Pgcstop)) {
      if (traceEnabled()) {
        traceGoSysBlock(pp);
        traceProcStop(pp);
      }
      pp->syscalltick++;
      sched.stopwait--;
      if (sched.stopwait == 0) notewakeup(&sched.stopnote);
    }
    unlock(&sched.lock);
  }
  mp->locks--;
}

void entersyscallblock1(void* arg) {
  g* gp = static_cast<g*>(arg);
  m* mp = gp->m;
  p* pp = mp->p;
  mp->syscalltick = pp->syscalltick;
  gp->sysblocktraced = true;
  pp->syscalltick++;
  checksyscallsp(gp, "entersyscallblock");
  casgstatus(gp, _Grunning, _Gsyscall);
  if (traceEnabled()) {
    traceGoSysCall();
    traceGoSysBlock(pp);
  }
  handoffp(releasep());
  mp->locks--;
}

// While the tracer is on: who takes a P from a system call writes its events and then raises
// syscalltick. The return is told after them. Called without oldp, which mp has lost.
void waitsysblocktraced(m* mp, p* oldp) {
  // In a dying process nobody takes Ps any more.
  while (oldp->syscalltick == mp->syscalltick && sched.stopwait != freezeStopWait) osyield();
}

bool exitsyscallfast_pidle() {
  lock(&sched.lock);
  p* pp = pidleget(0).pp;
  if (pp != nullptr) wakesysmon();
  unlock(&sched.lock);
  if (pp == nullptr) return false;
  acquirep(pp);
  return true;
}

bool exitsyscallfast(m* mp, p* oldp) {
  // The process is dying: do not come back.
  if (sched.stopwait == freezeStopWait) return false;
  // The old P, if nobody took it.
  if (oldp != nullptr && oldp->status.Load() == _Psyscall &&
      oldp->status.CompareAndSwap(_Psyscall, _Pidle)) {
    wirep(oldp);
    // It was taken and put back in between: count a system call more, for sysmon.
    if (mp->syscalltick != oldp->syscalltick) {
      if (traceEnabled()) {
        // Our own loss of the P has been told. This is another call's, whose P we are taking.
        traceGoSysBlock(oldp);
        traceGoSysExit(0);
      }
      oldp->syscalltick++;
    }
    return true;
  }
  if (sched.pidle == nullptr || !exitsyscallfast_pidle()) return false;
  if (traceEnabled()) {
    if (oldp != nullptr) waitsysblocktraced(mp, oldp);
    traceGoSysExit(0);
  }
  return true;
}

// On g0. On return gp->syscallsp is 0 if the goroutine may go on with a P.
void exitsyscall1(void* arg) {
  g* gp = static_cast<g*>(arg);
  m* mp = gp->m;
  gp->waitsince = 0;
  p* oldp = mp->oldp;
  mp->oldp = nullptr;
  POINT(exitsyscall_before_fast);
  if (!exitsyscallfast(mp, oldp)) {
    gp->sysexitticks = 0;
    if (traceEnabled()) {
      if (oldp != nullptr) waitsysblocktraced(mp, oldp);
      // There is no P to write the event with; execute does it, with this time.
      gp->sysexitticks = static_cast<std::int64_t>(cputicks());
    }
    mp->locks--;
    return;
  }
  if (traceEnabled() && (oldp != mp->p || mp->syscalltick != mp->p->syscalltick)) traceGoStart();
  mp->p->syscalltick++;
  casgstatus(gp, _Gsyscall, _Grunning);
  gp->syscallsp = 0;
  mp->locks--;
  gp->stackguard0 = gp->preempt ? stackPreempt : unaskedguard(gp);
  gp->throwsplit = false;
}

// Slow path, on g0: no P was free. The goroutine queues for one, the M parks.
void exitsyscall0(g* gp) {
  casgstatus(gp, _Gsyscall, _Grunnable);
  dropg();
  lock(&sched.lock);
  p* pp = schedEnabled(gp) ? pidleget(0).pp : nullptr;
  bool locked = false;
  if (pp == nullptr) {
    // Read before gp is on the queue: afterwards another M may run it and change lockedm.
    locked = gp->lockedm != nullptr;
    globrunqput(gp);
  } else {
    wakesysmon();
  }
  unlock(&sched.lock);
  POINT(exitsyscall0_after_unlock);
  if (pp != nullptr) {
    acquirep(pp);
    execute(gp, false);
  }
  if (locked) {
    // Nobody else may run it; wait until somebody brings us a P.
    stoplockedm();
    execute(gp, false);
  }
  stopm();
  schedule();
}

}  // namespace

// Marks the caller's frame as the top of the stack for the time of the call.
#define SAVE_SYSCALL_FRAME(gp)       \
  do {                               \
    (gp)->syscallpc = getcallerpc(); \
    (gp)->syscallsp = getcallersp(); \
    (gp)->syscallbp = getcallerbp(); \
  } while (0)

// The first code of entersyscall and entersyscallblock, which save the registers, is in
// asm_amd64.S; it jumps here.
extern "C" GORT_NOSPLIT GORT_NOINLINE void gort_entersyscall1() {
  g* gp = getg();
  gp->m->locks++;
  SAVE_SYSCALL_FRAME(gp);
  gp->throwsplit = true;
  gp->stackguard0 = stackPreempt;
  gort_systemstack(entersyscall1, gp);
}

extern "C" GORT_NOSPLIT GORT_NOINLINE void gort_entersyscallblock1() {
  g* gp = getg();
  gp->m->locks++;
  SAVE_SYSCALL_FRAME(gp);
  gp->throwsplit = true;
  gp->stackguard0 = stackPreempt;
  gort_systemstack(entersyscallblock1, gp);
}

GORT_NOSPLIT GORT_NOINLINE void exitsyscall() {
  g* gp = getg();
  gp->m->locks++;
  gort_systemstack(exitsyscall1, gp);
  if (gp->syscallsp == 0) return;
  mcall(exitsyscall0);
  // Scheduled again, on this M or another. The stack was not moved: syscallsp was set.
  gp->syscallsp = 0;
  gp->m->p->syscalltick++;
  gp->throwsplit = false;
}

}  // namespace gort::runtime
