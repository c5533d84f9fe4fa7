// Ps: making and destroying them, attaching them to Ms, and the idle list. Ports that part of
// proc.go.
//
// Invariants:
//  - A P is owned by exactly one of: an M (_Prunning), a system call that may lose it to a CAS
//    (_Psyscall), the idle list (_Pidle, under sched.lock), whoever stopped the world (_Pgcstop).
//  - Idle list, npidle and idlepMask change together under sched.lock.
//  - allp and the masks are replaced only while the world is stopped, under allpLock; old arrays stay
//    readable, since findRunnable looks at copies without its P.
//  - A P's timerpMask bit may be set with no timers, never clear with some while others rely on it.
#include "malloc.h"
#include "mgc.h"
#include "os_linux.h"
#include "panic.h"
#include "print.h"
#include "proc.h"
#include "stack.h"
#include "timer.h"
#include "trace.h"

namespace gort::runtime {

mutex allpLock;
pSlice allp;
pMask idlepMask;
pMask timerpMask;
atomic::Racy<std::int32_t> gomaxprocs;
std::int32_t newprocs;
std::int32_t allpcap;

namespace {

// Changes only while the world is stopped. start(i) for i of 32 bits gives every start position with
// every step that is coprime to count.
struct {
  std::uint32_t count;
  std::uint32_t* coprimes;
  std::uint32_t ncoprimes;
} stealOrder;

std::uint32_t gcd(std::uint32_t a, std::uint32_t b) {
  while (b != 0) {
    std::uint32_t r = a % b;
    a = b;
    b = r;
  }
  return a;
}

pMask growmask(const pMask& old, std::int32_t words) {
  auto* w = static_cast<atomic::Uint32*>(
      persistentalloc(static_cast<uintptr>(words) * sizeof(atomic::Uint32), 64));
  for (std::int32_t i = 0; i < old.len; i++) w[i].StoreRelaxed(old.words[i].LoadRelaxed());
  return {w, words};
}

// Makes room for nprocs Ps; the world is stopped.
void growallp(std::int32_t nprocs) {
  lock(&allpLock);
  if (nprocs > allpcap) {
    std::int32_t ncap = nprocs < 8 ? 8 : nprocs;
    auto* nptr =
        static_cast<atomic::Racy<p*>*>(persistentalloc(static_cast<uintptr>(ncap) * sizeof(p*)));
    memmove(nptr, allp.ptr, static_cast<uintptr>(allpcap) * sizeof(p*));
    allp.ptr = nptr;
    allpcap = ncap;
    POINT(growallp_replaced);
    std::int32_t words = (ncap + 31) / 32;
    if (words > idlepMask.len) {
      idlepMask = growmask(idlepMask, words);
      timerpMask = growmask(timerpMask, words);
    }
  }
  allp.len = nprocs;
  unlock(&allpLock);
}

void pinit(p* pp, std::int32_t id) {
  pp->id = id;
  pp->status.Store(_Pgcstop);
  pp->sudogcachelen = 0;
  if (pp->mcache == nullptr) pp->mcache = allocmcache();
  lockInit(&pp->timersLock, lockRankTimers);
  // This P may get timers when it starts running; set the bit early, it costs a look.
  timerpMask.set(id);
  // It is not on the idle list now.
  idlepMask.clear(id);
}

// Releases what pp holds; its memory stays, for others may still look at it. sched.lock must be held
// and the world stopped.
void pdestroy(p* pp) {
  assertLockHeld(&sched.lock);
  assertWorldStopped();
  // Runnable goroutines go to the head of the global queue, in order.
  while (pp->runqhead.Load() != pp->runqtail.Load()) {
    std::uint32_t t = pp->runqtail.LoadRelaxed() - 1;
    pp->runqtail.StoreRel(t);
    globrunqputhead(pp->runq[t % runqlen]);
  }
  if (g* next = pp->runnext.Load(); next != nullptr) {
    globrunqputhead(next);
    pp->runnext.Store(nullptr);
  }
  if (pp->timerslen > 0) {
    p* plocal = getg()->m->p;
    // The world is stopped; the locks order us with sysmon's look at the timers.
    lock(&plocal->timersLock);
    lock(&pp->timersLock);
    moveTimers(plocal, pp->timers, pp->timerslen);
    pp->timerslen = 0;
    pp->numTimers.Store(0);
    pp->deletedTimers.Store(0);
    pp->timer0When.Store(0);
    pp->timerModifiedEarliest.Store(0);
    unlock(&pp->timersLock);
    unlock(&plocal->timersLock);
  }
  // Without sudoglock and deferlock, which must not be taken under sched.lock: nobody can hold them
  // while the world is stopped.
  while (pp->sudogcachelen > 0) {
    sudog* s = pp->sudogcache[--pp->sudogcachelen];
    s->next = sched.sudogcache;
    sched.sudogcache = s;
  }
  while (_defer* d = pp->deferpool) {
    pp->deferpool = d->link;
    d->link = sched.deferpool;
    sched.deferpool = d;
  }
  pp->deferpoollen = 0;
  // What it has found to mark becomes everybody's.
  if (gcphase != _GCoff) {
    wbBufFlush1(pp);
    pp->gcw.dispose();
  }
  freemcache(pp->mcache);
  pp->mcache = nullptr;
  mergeHeapStats(pp);
  gfpurge(pp);
  traceProcFree(pp);
  pp->status.Store(_Pdead);
}

}  // namespace

void stealOrderReset(std::uint32_t count) {
  if (count > stealOrder.count)
    stealOrder.coprimes = static_cast<std::uint32_t*>(persistentalloc(count * sizeof(count)));
  stealOrder.count = count;
  stealOrder.ncoprimes = 0;
  for (std::uint32_t i = 1; i <= count; i++)
    if (gcd(i, count) == 1) stealOrder.coprimes[stealOrder.ncoprimes++] = i;
}

randomEnum stealOrderStart(std::uint32_t i) {
  return {0, stealOrder.count, i % stealOrder.count,
          stealOrder.coprimes[i / stealOrder.count % stealOrder.ncoprimes]};
}

p* procresize(std::int32_t nprocs) {
  assertLockHeld(&sched.lock);
  assertWorldStopped();
  std::int32_t old = gomaxprocs;
  if (old < 0 || nprocs <= 0) throw_("procresize: invalid arg");
  if (traceEnabled()) traceGomaxprocs(nprocs);
  std::int64_t now = nanotime();
  if (sched.procresizetime != 0) sched.totaltime += old * (now - sched.procresizetime);
  sched.procresizetime = now;

  if (nprocs > allp.len) growallp(nprocs);
  for (std::int32_t i = old; i < nprocs; i++) {
    p* pp = allp.ptr[i];
    if (pp == nullptr) pp = newpersistent<p>();
    pinit(pp, i);
    allp.ptr[i] = pp;  // published once initialised
  }

  g* gp = getg();
  m* mp = gp->m;
  if (mp->p != nullptr && mp->p->id < nprocs) {
    mp->p->status.Store(_Prunning);
    mp->p->mcache->prepareForSweep();
  } else {
    // Our P goes away, or we have none yet: take the first.
    if (mp->p != nullptr) {
      if (traceEnabled()) {
        // As if the goroutine had been taken off the one P and put on the other.
        traceGoSched();
        traceProcStop(mp->p);
      }
      mp->p->m = nullptr;
    }
    mp->p = nullptr;
    p* pp = allp[0];
    pp->m = nullptr;
    pp->status.Store(_Pidle);
    acquirep(pp);
    if (traceEnabled()) traceGoStart();
  }
  for (std::int32_t i = nprocs; i < old; i++) pdestroy(allp[i]);
  if (allp.len != nprocs) {
    lock(&allpLock);
    allp.len = nprocs;
    unlock(&allpLock);
  }

  p* runnablePs = nullptr;
  for (std::int32_t i = nprocs - 1; i >= 0; i--) {
    p* pp = allp[i];
    if (mp->p == pp) continue;
    pp->status.Store(_Pidle);
    if (runqempty(pp)) {
      pidleput(pp, now);
    } else {
      pp->m = mget();
      pp->link = runnablePs;
      runnablePs = pp;
    }
  }
  stealOrderReset(static_cast<std::uint32_t>(nprocs));
  gomaxprocs = nprocs;
  return runnablePs;
}

void wirep(p* pp) {
  m* mp = getg()->m;
  if (mp->p != nullptr) throw_("wirep: already in go");
  if (pp->m != nullptr || pp->status.Load() != _Pidle) {
    m* owner = pp->m;
    print("wirep: p->m=", static_cast<void*>(owner), "(", owner == nullptr ? 0 : owner->id,
          ") p->status=", pp->status.Load(), "\n");
    throw_("wirep: invalid p state");
  }
  mp->p = pp;
  pp->m = mp;
  pp->status.Store(_Prunning);
}

void acquirep(p* pp) {
  wirep(pp);
  // Before anything can be allocated from spans that a cycle has left stale here.
  pp->mcache->prepareForSweep();
  if (traceEnabled()) traceProcStart();
}

p* releasep() {
  m* mp = getg()->m;
  p* pp = mp->p;
  if (pp == nullptr) throw_("releasep: invalid arg");
  if (pp->m != mp || pp->status.Load() != _Prunning) {
    print("releasep: m=", static_cast<void*>(mp), " m->p=", static_cast<void*>(pp),
          " p->m=", static_cast<void*>(static_cast<m*>(pp->m)), " p->status=", pp->status.Load(),
          "\n");
    throw_("releasep: invalid p state");
  }
  if (traceEnabled()) traceProcStop(pp);
  mp->p = nullptr;
  pp->m = nullptr;
  pp->status.Store(_Pidle);
  return pp;
}

void updateTimerPMask(p* pp) {
  if (pp->numTimers.Load() > 0) return;
  // Nobody adds to an idle P's timers, but a thief may be running them: look again under the lock.
  lock(&pp->timersLock);
  if (pp->numTimers.Load() == 0) timerpMask.clear(pp->id);
  unlock(&pp->timersLock);
}

std::int64_t pidleput(p* pp, std::int64_t now) {
  assertLockHeld(&sched.lock);
  if (!runqempty(pp)) throw_("pidleput: P has non-empty run queue");
  if (now == 0) now = nanotime();
  updateTimerPMask(pp);
  idlepMask.set(pp->id);
  pp->link = sched.pidle;
  sched.pidle = pp;
  sched.npidle.Add(1);
  return now;
}

pidleResult pidleget(std::int64_t now) {
  assertLockHeld(&sched.lock);
  p* pp = sched.pidle;
  if (pp != nullptr) {
    if (now == 0) now = nanotime();
    timerpMask.set(pp->id);
    idlepMask.clear(pp->id);
    sched.pidle = pp->link;
    sched.npidle.Add(-1);
  }
  return {pp, now};
}

pidleResult pidlegetSpinning(std::int64_t now) {
  assertLockHeld(&sched.lock);
  pidleResult r = pidleget(now);
  // Found work but no idle P to run it: whoever drops a P next must look again (proc_schedule.cc).
  if (r.pp == nullptr) sched.needspinning.Store(1);
  return r;
}

}  // namespace gort::runtime
