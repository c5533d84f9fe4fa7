// Semaphores for goroutines. Ports sema.go.
//
// Data: semtable hashes addresses to semaRoots. A root is a treap of sudogs with distinct addresses
// (sudog.elem), each of which heads a list of the other waiters on its address:
//
//        root.treap                      tree by elem: prev = smaller, next = larger
//            |                           heap by ticket: no child's is below its parent's
//          head A -waitlink-> A2 -waitlink-> A3
//         /      \   (A.waittail = A3)
//     head B    head C
//
// so that finding an address costs O(log of the distinct addresses) and taking or adding one waiter
// on it costs O(1). Addresses with a long queue therefore do not slow down their neighbours.
//
// Invariants:
//  - root.lock protects the treap, the lists, and the link fields, elem and ticket of the sudogs in
//    them. nwait is changed under it and read without.
//  - No wake-up is lost: a waiter raises nwait, then looks at the count a last time; a releaser
//    raises the count, then looks at nwait. Both are sequentially consistent, so one of the two
//    sees the other.
//  - While queued, a head's ticket is its treap priority and never 0; dequeue clears it. After that
//    the releaser sets it to 1 if the sleeper owns the unit already (handoff), before goready. The
//    sleeper reads it once it runs.
//  - nwait counts the sudogs in the treap and its lists, and those about to be queued.
#include "sema.h"

#include "mprof.h"
#include "os_linux.h"
#include "proc.h"

namespace gort::runtime {
namespace {

struct semaRoot {
  mutex lock;
  sudog* treap = nullptr;
  atomic::Uint32 nwait;

  void queue(atomic::Uint32* addr, sudog* s, bool lifo);
  struct dequeueResult {
    sudog* found;
    // cputicks at which found was dequeued, 0 if it is not to be profiled; and the acquiretime of the
    // last one behind it, or its own.
    std::int64_t now, tailtime;
  };
  dequeueResult dequeue(atomic::Uint32* addr);
  void rotateLeft(sudog* x);
  void rotateRight(sudog* y);
  // The link that points to old in the tree.
  sudog** linkTo(sudog* old, const char* rule);
  // Puts s where t was in the tree.
  static void takePlace(sudog** link, sudog* s, sudog* t);
};

// A prime, so that it does not resonate with the programs' layout.
constexpr uintptr semTabSize = explore::capacity<uintptr>(251, 3);

struct alignas(sys::CacheLineSize) semTableEntry {
  semaRoot root;
};
semTableEntry semtable[semTabSize];

semaRoot* rootFor(atomic::Uint32* addr) {
  return &semtable[(reinterpret_cast<uintptr>(addr) >> 3) % semTabSize].root;
}

// Lets the goroutine of s go on. s belongs to it from here on.
void readyWithTime(sudog* s, int traceskip) {
  setreleasetime(s);
  goready(s->g, traceskip);
}

// What a release that wakes s, dequeued as d says, is charged for in the mutex profile: the wait of s
// and of all who still wait behind it, so that to hold up many counts more than to hold up one. Each
// of those is taken to have waited as long as the mean of the first and the last. dequeue has set
// their times to now, so that the next release does not count the same wait again.
void chargeContention(sudog* s, std::int64_t now, std::int64_t tailtime) {
  std::int64_t dt0 = now - s->acquiretime;
  // 0: the last one came while the profile was off.
  std::int64_t dtail = tailtime == 0 ? 0 : now - tailtime;
  std::int64_t dt = dt0;
  if (s->waiters != 0) dt += (dtail + dt0) / 2 * s->waiters;
  mutexevent(dt);
}

constexpr std::uint16_t maxWaiters = 0xffff;

constexpr int active_spin = 4;
constexpr std::uint32_t active_spin_cnt = 30;

}  // namespace

void (*poolcleanup)() = nullptr;
void sync_runtime_registerPoolCleanup(void (*f)()) { poolcleanup = f; }

int procPin() { return acquirem()->p->id; }
// Does not look for a preemption request that came meanwhile: the next stack check does.
void procUnpin() { getg()->m->locks--; }

void checkNotOnStack(const void* obj, const char* what) {
  g* gp = getg();
  uintptr a = reinterpret_cast<uintptr>(obj);
  if (gp == nullptr || gp->pinned || gp == gp->m->g0) return;
  if (a >= gp->stack.lo && a < gp->stack.hi) fatal(what);
}

void sync_runtime_Semacquire(atomic::Uint32* addr) {
  semacquire1(addr, false, semaBlockProfile, 0, waitReasonSemacquire);
}
void sync_runtime_SemacquireMutex(atomic::Uint32* addr, bool lifo, int skipframes) {
  semacquire1(addr, lifo, semaBlockProfile | semaMutexProfile, skipframes, waitReasonSyncMutexLock);
}
void sync_runtime_SemacquireRWMutexR(atomic::Uint32* addr, bool lifo, int skipframes) {
  semacquire1(addr, lifo, semaBlockProfile | semaMutexProfile, skipframes,
              waitReasonSyncRWMutexRLock);
}
void sync_runtime_SemacquireRWMutex(atomic::Uint32* addr, bool lifo, int skipframes) {
  semacquire1(addr, lifo, semaBlockProfile | semaMutexProfile, skipframes,
              waitReasonSyncRWMutexLock);
}
void sync_runtime_Semrelease(atomic::Uint32* addr, bool handoff, int skipframes) {
  semrelease1(addr, handoff, skipframes);
}

void semacquire(atomic::Uint32* addr) { semacquire1(addr, false, 0, 0, waitReasonSemacquire); }
void semrelease(atomic::Uint32* addr) { semrelease1(addr, false, 0); }

bool cansemacquire(atomic::Uint32* addr) {
  for (;;) {
    std::uint32_t v = addr->Load();
    if (v == 0) return false;
    if (addr->CompareAndSwap(v, v - 1)) return true;
  }
}

void semacquire1(atomic::Uint32* addr, bool lifo, semaProfileFlags profile, int skipframes,
                 waitReason reason) {
  g* gp = getg();
  if (gp != gp->m->curg) throw_("semacquire not on the G stack");

  if (cansemacquire(addr)) return;

  checkNotOnStack(addr,
                  "sync: blocking on a variable in this goroutine's own stack, where no other "
                  "goroutine can release it (allocate it instead)");
  sudog* s = acquireSudog();
  semaRoot* root = rootFor(addr);
  std::int64_t t0 = 0;
  s->releasetime = 0;
  s->acquiretime = 0;
  s->ticket = 0;
  if ((profile & semaBlockProfile) != 0 && (t0 = blockprofiletime()) != 0) s->releasetime = -1;
  if ((profile & semaMutexProfile) != 0 && mutexprofilerate.LoadRelaxed() > 0) {
    if (t0 == 0) t0 = static_cast<std::int64_t>(cputicks());
    s->acquiretime = t0;
  }
  for (;;) {
    lockWithRank(&root->lock, lockRankRoot);
    root->nwait.Add(1);
    // From here on releasers see us, so that a unit that came before is here to be found.
    if (cansemacquire(addr)) {
      root->nwait.Add(~std::uint32_t(0));
      unlock(&root->lock);
      break;
    }
    root->queue(addr, s, lifo);
    POINT(semacquire_queued);
    goparkunlock(&root->lock, reason, traceBlockSync, 4 + skipframes);
    if (s->ticket != 0 || cansemacquire(addr)) break;
  }
  if (GORT_UNLIKELY(s->releasetime > 0)) blockevent(s->releasetime - t0);
  releaseSudog(s);
}

void semrelease1(atomic::Uint32* addr, bool handoff, int skipframes) {
  semaRoot* root = rootFor(addr);
  addr->Add(1);

  // Must come after the addition (see the invariants).
  if (root->nwait.Load() == 0) return;

  lockWithRank(&root->lock, lockRankRoot);
  if (root->nwait.Load() == 0) {
    // Somebody else took the unit meanwhile, so nobody sleeps for it.
    unlock(&root->lock);
    return;
  }
  auto [s, now, tailtime] = root->dequeue(addr);
  if (s != nullptr) root->nwait.Add(~std::uint32_t(0));
  unlock(&root->lock);
  if (s == nullptr) return;

  if (GORT_UNLIKELY(s->acquiretime != 0)) chargeContention(s, now, tailtime);

  if (s->ticket != 0) throw_("corrupted semaphore ticket");
  POINT(semrelease_before_handoff);
  bool handedOff = handoff && cansemacquire(addr);
  if (handedOff) s->ticket = 1;
  readyWithTime(s, 5 + skipframes);
  // The waiter is now this P's runnext. In the starving regime run it at once, in our time slice: a
  // contended semaphore must not hold the P for ever. goyield puts us on the local queue, where
  // Gosched would use the global one. Without handoff this would be wasted, because somebody else
  // may take the unit before the waiter runs.
  if (handedOff && getg()->m->locks == 0) goyield();
}

// Adds s, for the current goroutine, to the waiters on addr. lock must be held.
void semaRoot::queue(atomic::Uint32* addr, sudog* s, bool lifo) {
  s->g = getg();
  s->elem = addr;
  s->next = nullptr;
  s->prev = nullptr;
  s->waiters = 0;

  sudog* last = nullptr;
  sudog** pt = &treap;
  for (sudog* t = *pt; t != nullptr; t = *pt) {
    if (t->elem == addr) {
      if (lifo) {
        // s becomes the head and t the second in the list.
        takePlace(pt, s, t);
        s->acquiretime = t->acquiretime;
        s->waitlink = t;
        s->waittail = t->waittail != nullptr ? t->waittail : t;
        s->waiters = t->waiters == maxWaiters ? maxWaiters : t->waiters + 1;
        t->parent = nullptr;
        t->prev = nullptr;
        t->next = nullptr;
        t->waittail = nullptr;
      } else {
        (t->waittail != nullptr ? t->waittail : t)->waitlink = s;
        t->waittail = s;
        s->waitlink = nullptr;
        if (t->waiters < maxWaiters) t->waiters++;
      }
      return;
    }
    last = t;
    pt = reinterpret_cast<uintptr>(addr) < reinterpret_cast<uintptr>(t->elem) ? &t->prev : &t->next;
  }

  // A new leaf, with a random priority, which rises until the heap order is right again. The
  // lowest bit is set because 0 means «not in the tree».
  s->ticket = fastrand() | 1;
  s->parent = last;
  *pt = s;
  while (s->parent != nullptr && s->parent->ticket > s->ticket) {
    if (s->parent->prev == s) {
      rotateRight(s->parent);
    } else {
      if (s->parent->next != s) throw_("semaRoot queue");
      rotateLeft(s->parent);
    }
  }
}

// Takes the first waiter on addr out; null if there is none. lock must be held.
semaRoot::dequeueResult semaRoot::dequeue(atomic::Uint32* addr) {
  sudog** ps = &treap;
  sudog* s = *ps;
  while (s != nullptr && s->elem != addr) {
    ps = reinterpret_cast<uintptr>(addr) < reinterpret_cast<uintptr>(s->elem) ? &s->prev : &s->next;
    s = *ps;
  }
  if (s == nullptr) return {nullptr, 0, 0};

  std::int64_t now = s->acquiretime != 0 ? static_cast<std::int64_t>(cputicks()) : 0;
  std::int64_t tailtime = s->acquiretime;
  if (sudog* t = s->waitlink; t != nullptr) {
    // The next waiter on addr takes the place of s in the tree.
    takePlace(ps, t, s);
    t->waittail = t->waitlink != nullptr ? s->waittail : nullptr;
    t->waiters = s->waiters == maxWaiters ? maxWaiters : s->waiters - 1;
    // What they have waited up to now is charged to this release.
    t->acquiretime = now;
    tailtime = s->waittail->acquiretime;
    s->waittail->acquiretime = now;
    s->waitlink = nullptr;
    s->waittail = nullptr;
  } else {
    // Let s sink, with the smaller child on top each time, until it is a leaf.
    while (s->next != nullptr || s->prev != nullptr) {
      if (s->next == nullptr || (s->prev != nullptr && s->prev->ticket < s->next->ticket))
        rotateRight(s);
      else
        rotateLeft(s);
    }
    if (s->parent == nullptr)
      treap = nullptr;
    else if (s->parent->prev == s)
      s->parent->prev = nullptr;
    else
      s->parent->next = nullptr;
  }
  s->parent = nullptr;
  s->elem = nullptr;
  s->next = nullptr;
  s->prev = nullptr;
  s->ticket = 0;
  return {s, now, tailtime};
}

void semaRoot::takePlace(sudog** link, sudog* s, sudog* t) {
  *link = s;
  s->ticket = t->ticket;
  s->parent = t->parent;
  s->prev = t->prev;
  s->next = t->next;
  if (s->prev != nullptr) s->prev->parent = s;
  if (s->next != nullptr) s->next->parent = s;
}

sudog** semaRoot::linkTo(sudog* old, const char* rule) {
  sudog* p = old->parent;
  if (p == nullptr) return &treap;
  if (p->prev == old) return &p->prev;
  if (p->next != old) throw_(rule);
  return &p->next;
}

// Turns (x a (y b c)) into (y (x a b) c). lock must be held.
void semaRoot::rotateLeft(sudog* x) {
  sudog** link = linkTo(x, "semaRoot rotateLeft");
  sudog* y = x->next;
  sudog* b = y->prev;
  y->parent = x->parent;
  *link = y;
  y->prev = x;
  x->parent = y;
  x->next = b;
  if (b != nullptr) b->parent = x;
}

// Turns (y (x a b) c) into (x a (y b c)). lock must be held.
void semaRoot::rotateRight(sudog* y) {
  sudog** link = linkTo(y, "semaRoot rotateRight");
  sudog* x = y->prev;
  sudog* b = x->next;
  x->parent = y->parent;
  *link = x;
  x->next = y;
  y->parent = x;
  y->prev = b;
  if (b != nullptr) b->parent = y;
}

// ---- notifyList ----

// Takes no lock: several goroutines may call it at once when Cond.L is the read side of an RWMutex.
std::uint32_t notifyListAdd(notifyList* l) { return l->wait.Add(1) - 1; }

void notifyListWait(notifyList* l, std::uint32_t t) {
  checkNotOnStack(l,
                  "sync: waiting on a Cond in this goroutine's own stack, where no other goroutine "
                  "can signal it (allocate it instead)");
  lockWithRank(&l->lock, lockRankNotifyList);
  if (less(t, l->notify.Load())) {
    unlock(&l->lock);
    return;
  }
  sudog* s = acquireSudog();
  s->g = getg();
  s->ticket = t;
  std::int64_t t0 = blockprofiletime();
  s->releasetime = t0 == 0 ? 0 : -1;
  (l->tail == nullptr ? l->head : l->tail->next) = s;
  l->tail = s;
  goparkunlock(&l->lock, waitReasonSyncCondWait, traceBlockCondWait, 3);
  if (GORT_UNLIKELY(t0 != 0)) blockevent(s->releasetime - t0);
  releaseSudog(s);
}

void notifyListNotifyAll(notifyList* l) {
  // No waiter since the last notification.
  if (l->wait.Load() == l->notify.Load()) return;

  lockWithRank(&l->lock, lockRankNotifyList);
  sudog* s = l->head;
  l->head = nullptr;
  l->tail = nullptr;
  // Whoever drew a ticket below wait is either in the list just taken or will find, when it gets
  // the lock, that it has been notified.
  l->notify.Store(l->wait.Load());
  unlock(&l->lock);

  while (s != nullptr) {
    sudog* next = s->next;
    s->next = nullptr;
    readyWithTime(s, 4);
    s = next;
  }
}

void notifyListNotifyOne(notifyList* l) {
  if (l->wait.Load() == l->notify.Load()) return;

  lockWithRank(&l->lock, lockRankNotifyList);
  std::uint32_t t = l->notify.Load();
  if (t == l->wait.Load()) {
    unlock(&l->lock);
    return;
  }
  l->notify.Store(t + 1);

  // The owner of ticket t may not have come to the list yet; then it will see the new notify and
  // not park. Others can stand before it only if they overtook it between drawing the ticket and
  // taking the lock, so the search ends soon in either case.
  for (sudog *p = nullptr, *s = l->head; s != nullptr; p = s, s = s->next) {
    if (s->ticket != t) continue;
    sudog* n = s->next;
    (p != nullptr ? p->next : l->head) = n;
    if (n == nullptr) l->tail = p;
    unlock(&l->lock);
    s->next = nullptr;
    readyWithTime(s, 4);
    return;
  }
  unlock(&l->lock);
}

// ---- spinning ----

bool sync_runtime_canSpin(int i) {
  if (i >= active_spin || ncpu <= 1 ||
      gomaxprocs <= sched.npidle.Load() + sched.nmspinning.Load() + 1)
    return false;
  return runqempty(getg()->m->p);
}

void sync_runtime_doSpin() { procyield(active_spin_cnt); }

}  // namespace gort::runtime
