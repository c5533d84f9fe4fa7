// See lock_futex.h. Ports lock_futex.go.
#include "os_linux.h"
#include "print.h"
#include "proc.h"
#include "stack.h"

namespace gort::runtime {

namespace {

// mutex.key. Sleeping means locked, with somebody perhaps asleep on it.
constexpr std::uint32_t mutex_unlocked = 0;
constexpr std::uint32_t mutex_locked = 1;
constexpr std::uint32_t mutex_sleeping = 2;

constexpr int active_spin = 4;
constexpr std::uint32_t active_spin_cnt = 30;
constexpr int passive_spin = 1;

#if GORT_POINTS

// Sleeps while the lock is in state mutex_sleeping, visibly: see m.waitinglock. A thread without an
// m sleeps unseen.
GORT_INLINE void lock2sleep(mutex* l) {
  g* gp = getg();
  m* mp = gp == nullptr ? nullptr : static_cast<m*>(gp->m);
  if (mp != nullptr) {
    mp->waitingfp = reinterpret_cast<uintptr>(__builtin_frame_address(0));
    mp->waitinglock = l;
  }
  futexsleep(&l->key, mutex_sleeping, -1);
  if (mp != nullptr) mp->waitinglock = nullptr;
}

// The calling thread has just taken l, at pc.
GORT_INLINE void setowner(mutex* l, m* mp, uintptr pc) {
  l->ownerpc = pc;
  l->owner = mp;
  explore::locked(mp != nullptr ? explore::Kind::kLocked : explore::Kind::kUnlocked, l);
}

#else

GORT_INLINE void lock2sleep(mutex* l) { futexsleep(&l->key, mutex_sleeping, -1); }
GORT_INLINE void setowner(mutex*, m*, uintptr) {}

#endif

GORT_INLINE void lock2wait(mutex* l, std::uint32_t v) {
  // wait is what this thread leaves in key when it gets the lock: once it has slept, others may be
  // asleep too, and the next unlock has to look.
  std::uint32_t wait = v;
  int spin = ncpu > 1 ? active_spin : 0;
  for (;;) {
    for (int i = 0; i < spin; i++) {
      while (l->key.LoadRelaxed() == mutex_unlocked)
        if (l->key.CompareAndSwap(mutex_unlocked, wait)) return;
      procyield(active_spin_cnt);
    }
    for (int i = 0; i < passive_spin; i++) {
      while (l->key.LoadRelaxed() == mutex_unlocked)
        if (l->key.CompareAndSwap(mutex_unlocked, wait)) return;
      osyield();
    }
    v = l->key.Swap(mutex_sleeping);
    if (v == mutex_unlocked) return;
    wait = mutex_sleeping;
    lock2sleep(l);
  }
}

GORT_NOINLINE void lock2slow(mutex* l, std::uint32_t v) { lock2wait(l, v); }
GORT_SIGNALSAFE GORT_NOINLINE void locksignalslow(mutex* l, std::uint32_t v) { lock2wait(l, v); }

GORT_INLINE void lock2with(mutex* l, void (*slow)(mutex*, std::uint32_t), uintptr pc) {
  g* gp = getg();
  m* mp = nullptr;
  if (gp != nullptr) {
    mp = gp->m;
    if (mp->locks < 0) throw_("runtime·lock: lock count");
    mp->locks++;
  }
  std::uint32_t v = l->key.Swap(mutex_locked);
  if (GORT_UNLIKELY(v != mutex_unlocked)) slow(l, v);
  setowner(l, mp, pc);
}

GORT_INLINE void unlock2here(mutex* l) {
  setowner(l, nullptr, 0);
  std::uint32_t v = l->key.Swap(mutex_unlocked);
  if (v == mutex_unlocked) throw_("unlock of unlocked lock");
  if (v == mutex_sleeping) futexwakeup(&l->key, 1);
  g* gp = getg();
  if (gp == nullptr) return;
  m* mp = gp->m;
  std::int32_t n = mp->locks - 1;
  mp->locks = n;
  if (n < 0) throw_("runtime·unlock: lock count");
  // newstack put the limit back while a lock was held: ask again.
  if (n == 0 && gp->preempt) gp->stackguard0 = stackPreempt, setstackguard(stackPreempt);
}

}  // namespace

void lock2(mutex* l) { lock2with(l, lock2slow, getcallerpc()); }
void unlock2(mutex* l) { unlock2here(l); }

GORT_SIGNALSAFE void locksignal(mutex* l) { lock2with(l, locksignalslow, getcallerpc()); }
GORT_SIGNALSAFE void unlocksignal(mutex* l) { unlock2here(l); }

void noteclear(note* n) { n->key.Store(0); }

namespace {
GORT_INLINE void wakeup(note* n) {
  std::uint32_t old = n->key.Swap(1);
  if (old != 0) {
    print("notewakeup - double wakeup (", old, ")\n");
    throw_("notewakeup - double wakeup");
  }
  futexwakeup(&n->key, 1);
}
}  // namespace

void notewakeup(note* n) { wakeup(n); }
void notewakeupagain(note* n) {
  if (n->key.Swap(1) == 0) futexwakeup(&n->key, 1);
}
GORT_SIGNALSAFE void notewakeupsignal(note* n) { wakeup(n); }

void notesleep(note* n) {
  g* gp = getg();
  if (gp != gp->m->g0) throw_("notesleep not on g0");
  while (n->key.Load() == 0) {
    gp->m->blocked = true;
    futexsleep(&n->key, 0, -1);
    gp->m->blocked = false;
  }
}

namespace {

bool notetsleep_internal(note* n, std::int64_t ns) {
  g* gp = getg();
  if (ns < 0) {
    while (n->key.Load() == 0) {
      gp->m->blocked = true;
      futexsleep(&n->key, 0, -1);
      gp->m->blocked = false;
    }
    return true;
  }
  if (n->key.Load() != 0) return true;
  std::int64_t deadline = nanotime() + ns;
  for (;;) {
    gp->m->blocked = true;
    futexsleep(&n->key, 0, ns);
    gp->m->blocked = false;
    if (n->key.Load() != 0) return true;
    std::int64_t now = nanotime();
    if (now >= deadline) return n->key.Load() != 0;
    ns = deadline - now;
  }
}

}  // namespace

bool notetsleep(note* n, std::int64_t ns) {
  g* gp = getg();
  if (gp != gp->m->g0 && gp->m->preemptoff[0] != 0) throw_("notetsleep not on g0");
  return notetsleep_internal(n, ns);
}

bool notetsleepg(note* n, std::int64_t ns) {
  g* gp = getg();
  if (gp == gp->m->g0) throw_("notetsleepg on g0");
  entersyscallblock();
  bool ok = false;
  systemstack([&] { ok = notetsleep_internal(n, ns); });
  exitsyscall();
  return ok;
}

}  // namespace gort::runtime
