// Ms: making threads, parking and waking them, handing Ps from one to another. Ports that part of
// proc.go.
//
// Worker threads park and unpark so that there are enough running to use the processors and no more:
//  - nmspinning counts Ms that have no work and look for some. At most half of the busy Ps' number
//    spin at once.
//  - Whoever makes a goroutine ready wakes one more M only if none is spinning (wakep). A spinning M
//    that finds work and was the last to spin wakes another. So work is noticed without waking
//    everybody, and a wake-up is never lost: see findRunnable in proc_schedule.cc.
//
// Invariants:
//  - An M on sched.midle holds no P and sleeps on m.park; whoever takes it off the list sets nextp
//    and spinning and then wakes it. notewakeup publishes both.
//  - Once an id was reserved (mReserveID) the M counts for checkdead, though its thread is not there
//    yet: so the deadlock detector does not run between.
//  - allm grows at its head under sched.lock; an M leaves it in mexit under the same lock.
#include "cpuprof.h"
#include "malloc.h"
#include "mgc.h"
#include "os_linux.h"
#include "print.h"
#include "proc.h"
#include "rwmutex.h"
#include "signal_unix.h"
#include "stack.h"
#include "timer.h"
#include "trace.h"
#include "traceback.h"
#include "tsan.h"

namespace gort::runtime {

m m0;
g g0;
atomic::Racy<m*> allm;
schedt sched;
bool mainStarted;

struct newmHandoffT newmHandoff;

namespace {

// Reserves the id of a new M; sched.lock must be held.
std::int64_t mReserveID() {
  assertLockHeld(&sched.lock);
  std::int64_t id = sched.mnext;
  sched.mnext++;
  checkmcount();
  return id;
}

void seedfastrand(m* mp) {
  std::uint64_t seed;
  getRandomData(&seed, sizeof seed);
  mp->fastrand = (seed ^ static_cast<std::uint64_t>(mp->id) * 0x9e3779b97f4a7c15ull) | 1;
}

void mspinning() { getg()->m->spinning = true; }

// An M for fn, from those that have ended or new.
m* allocm(mstartfn_t fn, std::int64_t id) {
  m* mp = nullptr;
  lock(&sched.lock);
  m** prev = &sched.freem;
  for (m* f = sched.freem; f != nullptr; f = f->freelink) {
    // The thread still uses its g0 until it has said otherwise.
    if (f->freeWait.Load() != freeMWait) {
      *prev = f->freelink;
      mp = f;
      break;
    }
    prev = &f->freelink;
  }
  unlock(&sched.lock);
  if (mp == nullptr) {
    mp = newpersistent<m>();
    mp->g0 = newpersistent<g>();
    mp->g0->m = mp;
  }
  mp->mstartfn = fn;
  mcommoninit(mp, id);
  return mp;
}

// Starts the thread of mp; not on a locked M.
void newm1(m* mp) { newosproc(mp); }

void mstart1() {
  m* mp = getg()->m;
  if (mp->mstartfn != nullptr) mp->mstartfn();
  if (mp != &m0) {
    acquirep(mp->nextp);
    mp->nextp = nullptr;
  }
  schedule();
}

void templateThread() {
  lock(&sched.lock);
  sched.nmsys++;
  checkdead();
  unlock(&sched.lock);
  for (;;) {
    lock(&newmHandoff.lock);
    while (newmHandoff.newm != nullptr) {
      m* list = newmHandoff.newm;
      newmHandoff.newm = nullptr;
      unlock(&newmHandoff.lock);
      while (list != nullptr) {
        m* next = list->schedlink;
        list->schedlink = nullptr;
        newm1(list);
        list = next;
      }
      lock(&newmHandoff.lock);
    }
    newmHandoff.waiting = true;
    noteclear(&newmHandoff.wake);
    unlock(&newmHandoff.lock);
    notesleep(&newmHandoff.wake);
    mDoFixup();
  }
}

}  // namespace

std::int32_t mcount() { return static_cast<std::int32_t>(sched.mnext - sched.nmfreed); }

void checkmcount() {
  assertLockHeld(&sched.lock);
  if (mcount() > sched.maxmcount) {
    print("runtime: program exceeds ", sched.maxmcount, "-thread limit\n");
    throw_("thread exhaustion");
  }
}

std::int64_t setMaxThreads(std::int64_t in) {
  lock(&sched.lock);
  std::int64_t out = sched.maxmcount;
  sched.maxmcount = in > 0x7fffffff ? 0x7fffffff : static_cast<std::int32_t>(in);
  checkmcount();
  unlock(&sched.lock);
  return out;
}

void mcommoninit(m* mp, std::int64_t id) {
  // Of use only for a stack that users know; g0's would be the scheduler's.
  memclrNoHeapPointers(mp->createstack, sizeof mp->createstack);
  g* gp = getg();
  if (gp != gp->m->g0) callers(0, mp->createstack, std::size(mp->createstack));
  lock(&sched.lock);
  mp->id = id >= 0 ? id : mReserveID();
  seedfastrand(mp);
  mp->preemptoff = "";
  mp->freeWait.Store(freeMWait);
  mpreinit(mp);
  mp->alllink = allm;
  allm = mp;
  unlock(&sched.lock);
}

std::uint64_t fastrand64() {
  m* mp = getg()->m;
  // xorshift64*: the generator belongs to the M, and there is no preemption point in here.
  std::uint64_t x = mp->fastrand;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  mp->fastrand = x;
  return x * 0x2545f4914f6cdd1dull;
}
std::uint32_t fastrand() { return static_cast<std::uint32_t>(fastrand64() >> 32); }
std::uint32_t fastrandn(std::uint32_t n) {
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(fastrand()) * n >> 32);
}

GORT_NOSPLIT void mstart(m* mp) {
  g* gp = mp->g0;
  uintptr sp = reinterpret_cast<uintptr>(__builtin_frame_address(0));
  constexpr uintptr size = raceenabled ? (2 << 20) - (64 << 10) : (256 << 10) - (16 << 10);
  gp->stack = {sp - size, sp + 64};
  gp->stackguard0 = gp->stack.lo + stackGuard;
  setg(gp);
  setstackguard(gp->stackguard0);
  mp->stackguardslot.Store(reinterpret_cast<atomic::Uintptr*>(stackguardslotaddr()));
  mp->procid = static_cast<std::uint64_t>(gettid());
  racethreadinit(gp);
  minit(mp);
  gort_startg0(mstart1);
  mexit(true);
}

void withdrawstackguard(m* mp) {
  mp->stackguardslot.Store(nullptr);
  while (mp->stackguardusers.Load() != 0) osyield();
}

void mexit(bool) {
  m* mp = getg()->m;
  if (mp == &m0) {
    // The main thread cannot end before the process: it gives up its P and waits for ever.
    handoffp(releasep());
    lock(&sched.lock);
    sched.nmfreed++;
    checkdead();
    unlock(&sched.lock);
    mPark();
    throw_("locked m0 woke up");
  }
  sigblock(true);
  // The kernel does not delete a thread's timers with it.
  setThreadCPUProfiler(0);
  unminit(mp);
  lock(&sched.lock);
  bool found = false;
  m* prev = nullptr;
  for (m* q = allm; q != nullptr; prev = q, q = q->alllink) {
    if (q != mp) continue;
    if (prev == nullptr)
      allm = mp->alllink;
    else
      prev->alllink = mp->alllink;
    found = true;
    break;
  }
  if (!found) throw_("m not found in allm");
  mp->freeWait.Store(freeMWait);
  mp->freelink = sched.freem;
  sched.freem = mp;
  unlock(&sched.lock);

  POINT(mexit_before_handoff);
  handoffp(releasep());
  // From here on there is no P.
  lock(&sched.lock);
  sched.nmfreed++;
  checkdead();
  unlock(&sched.lock);
  // The thread's stack is the C library's to free. This tells allocm that m and g0 may be used again;
  // nothing below touches them.
  mp->lockedExt = 0;
  withdrawstackguard(mp);
  setg(nullptr);
  setstackguard(0);
  mp->freeWait.Store(freeMRef);
}

void newm(mstartfn_t fn, p* pp, std::int64_t id) {
  // Not preempted between allocm, which makes the M known, and the start of its thread: it would
  // hold up a stop-the-world whose P it carries.
  acquirem();
  m* mp = allocm(fn, id);
  mp->nextp = pp;
  mp->doesPark = pp != nullptr;
  mp->sigmask = initSigmask;
  if (getg()->m->lockedExt != 0) {
    // A locked thread may be in any state (mask, namespace): do not clone it.
    lock(&newmHandoff.lock);
    if (newmHandoff.haveTemplateThread.Load() == 0)
      throw_("on a locked thread with no template thread");
    mp->schedlink = newmHandoff.newm;
    newmHandoff.newm = mp;
    if (newmHandoff.waiting) {
      newmHandoff.waiting = false;
      notewakeup(&newmHandoff.wake);
    }
    unlock(&newmHandoff.lock);
    releasem(getg()->m);
    return;
  }
  POINT(newm_before_thread);
  newm1(mp);
  releasem(getg()->m);
}

void startTemplateThread() {
  // Not preempted between the flag and the thread: others rely on it once they see the flag.
  m* mp = acquirem();
  if (!newmHandoff.haveTemplateThread.CompareAndSwap(0, 1)) {
    releasem(mp);
    return;
  }
  POINT(starttemplatethread_after_cas);
  newm(templateThread, nullptr, -1);
  releasem(mp);
}

// Sleeps until somebody has given this M a P. It may be woken for a system call that all threads must
// make (doAllThreadsSyscall) instead, or for one that a signal handler here has made in the meantime.
void mPark() {
  m* mp = getg()->m;
  do {
    notesleep(&mp->park);
    noteclear(&mp->park);
    mDoFixup();
    // A waker stores nextp before it sets the note, so it is not missed here.
  } while (mp->nextp == nullptr);
}

void stopm() {
  m* mp = getg()->m;
  if (mp->locks != 0) throw_("stopm holding locks");
  if (mp->p != nullptr) throw_("stopm holding p");
  if (mp->spinning) throw_("stopm spinning");
  lock(&sched.lock);
  mput(mp);
  unlock(&sched.lock);
  mPark();
  acquirep(mp->nextp);
  mp->nextp = nullptr;
}

void becomeSpinning(m* mp) {
  mp->spinning = true;
  sched.nmspinning.Add(1);
  sched.needspinning.Store(0);
}

// Runs pp, or an idle P when pp is null, on some M. spinning: the caller has counted the new M in
// nmspinning. lockheld: sched.lock is held, and is again on return.
void startm(p* pp, bool spinning, bool lockheld) {
  // Not preempted: the P is in our hands only, and a stop-the-world would wait for it.
  m* mp = acquirem();
  if (!lockheld) lock(&sched.lock);
  if (pp == nullptr) {
    if (spinning) throw_("startm: P required for spinning=true");
    pp = pidleget(0).pp;
    if (pp == nullptr) {
      if (!lockheld) unlock(&sched.lock);
      releasem(mp);
      return;
    }
  }
  m* nmp = mget();
  if (nmp == nullptr) {
    // The id is taken before the lock is dropped: checkdead counts the M from now on and does not
    // take its absence for a deadlock.
    std::int64_t id = mReserveID();
    unlock(&sched.lock);
    POINT(startm_before_newm);
    newm(spinning ? mspinning : nullptr, pp, id);
    if (lockheld) lock(&sched.lock);
    releasem(mp);
    return;
  }
  if (!lockheld) unlock(&sched.lock);
  if (nmp->spinning) throw_("startm: m is spinning");
  if (nmp->nextp != nullptr) throw_("startm: m has p");
  if (spinning && !runqempty(pp)) throw_("startm: p has runnable gs");
  POINT(startm_before_handover);
  nmp->spinning = spinning;
  nmp->nextp = pp;
  notewakeupagain(&nmp->park);
  releasem(mp);
}

// Gives up a P from a system call or a locked M: starts an M for it if there is anything to do,
// otherwise it goes to the idle list. Must look at every source of work that findRunnable has.
void handoffp(p* pp) {
  if (!runqempty(pp) || sched.runqsize != 0) {
    startm(pp, false, false);
    return;
  }
  if (traceActive() && traceReaderAvailable() != nullptr) {
    startm(pp, false, false);
    return;
  }
  if (gcBlackenEnabled.Load() != 0 && gcMarkWorkAvailable(pp)) {
    startm(pp, false, false);
    return;
  }
  // No local work: start a spinning M if there is none and nobody is idle, for work may be elsewhere.
  if (sched.nmspinning.Load() + sched.npidle.Load() == 0 && sched.nmspinning.CompareAndSwap(0, 1)) {
    sched.needspinning.Store(0);
    POINT(handoffp_counted_spinning);
    startm(pp, true, false);
    return;
  }
  POINT(handoffp_no_work);
  lock(&sched.lock);
  if (sched.gcwaiting.Load()) {
    pp->status.Store(_Pgcstop);
    sched.stopwait--;
    if (sched.stopwait == 0) notewakeup(&sched.stopnote);
    unlock(&sched.lock);
    return;
  }
  if (pp->runSafePointFn.Load() != 0 && pp->runSafePointFn.CompareAndSwap(1, 0)) {
    sched.safePointFn(pp);
    if (--sched.safePointWait == 0) notewakeup(&sched.safePointNote);
  }
  if (sched.runqsize != 0) {
    unlock(&sched.lock);
    startm(pp, false, false);
    return;
  }
  // A wakep that found no idle P while this one was on its way here leaves the search to us, as it does to
  // findRunnable. (Go looks at needspinning there only, and what was readied can wait for a P that idles.)
  if (sched.needspinning.Load() == 1) {
    sched.nmspinning.Add(1);
    sched.needspinning.Store(0);
    unlock(&sched.lock);
    startm(pp, true, false);
    return;
  }
  // The last running P: somebody has to wait for timers.
  if (sched.npidle.Load() == gomaxprocs - 1 && sched.lastpoll.Load() != 0) {
    unlock(&sched.lock);
    startm(pp, false, false);
    return;
  }
  // After pidleput somebody else may already own pp.
  std::int64_t when = nobarrierWakeTime(pp);
  pidleput(pp, 0);
  unlock(&sched.lock);
  if (when != 0) wakeNetPoller(when);
}

// Called when a goroutine became runnable: starts a spinning M if none spins and a P is idle.
void wakep() {
  // The only P there is, and it is ours: nobody to wake. (Go takes sched.lock to find that out.)
  if (gomaxprocs == 1 && getg()->m->p != nullptr) return;
  // The load keeps the common case, somebody spins already, free of a contended write.
  if (sched.nmspinning.Load() != 0 || !sched.nmspinning.CompareAndSwap(0, 1)) return;
  m* mp = acquirem();
  POINT(wakep_before_lock);
  lock(&sched.lock);
  p* pp = pidlegetSpinning(0).pp;
  if (pp == nullptr) {
    if (sched.nmspinning.Add(-1) < 0) throw_("wakep: negative nmspinning");
    unlock(&sched.lock);
    releasem(mp);
    return;
  }
  unlock(&sched.lock);
  startm(pp, true, false);
  releasem(mp);
}

// The M is locked to a goroutine that cannot run now: gives its P away and sleeps until it can.
void stoplockedm() {
  m* mp = getg()->m;
  g* lockedg = mp->lockedg;
  if (lockedg == nullptr || lockedg->lockedm != mp) throw_("stoplockedm: inconsistent locking");
  if (mp->p != nullptr) handoffp(releasep());
  incidlelocked(1);
  mPark();
  std::uint32_t status = readgstatus(mp->lockedg);
  if ((status & ~_Gscan) != _Grunnable) {
    print("runtime:stoplockedm: lockedg (atomicstatus=", status,
          ") is not Grunnable or Gscanrunnable\n");
    dumpgstatus(mp->lockedg);
    throw_("stoplockedm: not runnable");
  }
  acquirep(mp->nextp);
  mp->nextp = nullptr;
}

// gp is runnable and locked to another M: gives that M our P, and sleeps.
void startlockedm(g* gp) {
  m* mp = gp->lockedm;
  if (mp == getg()->m) throw_("startlockedm: locked to me");
  if (mp->nextp != nullptr) throw_("startlockedm: m has p");
  incidlelocked(-1);
  mp->nextp = releasep();
  notewakeupagain(&mp->park);
  stopm();
}

void mput(m* mp) {
  assertLockHeld(&sched.lock);
  mp->schedlink = sched.midle;
  sched.midle = mp;
  sched.nmidle++;
  checkdead();
}

m* mget() {
  assertLockHeld(&sched.lock);
  m* mp = sched.midle;
  if (mp != nullptr) {
    sched.midle = mp->schedlink;
    sched.nmidle--;
  }
  return mp;
}

}  // namespace gort::runtime
