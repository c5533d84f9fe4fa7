// The heap of timers that each P has. Ports the second half of time.go; the invariants are in
// time.cc. Everything here needs the P's timersLock.
#include "timeheap.h"

#include "malloc.h"
#include "mbarrier.h"
#include "netpoll.h"
#include "os_linux.h"
#include "proc.h"

namespace gort::runtime {
namespace {

// Check the heap after every operation on all of it.
constexpr bool verifyTimers = staticLockRanking;

// ---- memory for the heaps ----
//
// Blocks of 2^k pointers. They are not given back but kept on lists by size.

constexpr int minTimersCap = explore::capacity<int>(16, 4);
struct {
  mutex lock;        // a leaf
  timer** free[32];  // free blocks of 1<<k pointers, linked through their first word
} timersBlocks;

timer** allocTimersBlock(std::int32_t cap) {
  int k = __builtin_ctz(static_cast<unsigned>(cap));
  timer** b = nullptr;
  systemstack([&] {
    lock(&timersBlocks.lock);
    b = timersBlocks.free[k];
    if (b != nullptr) timersBlocks.free[k] = reinterpret_cast<timer**>(b[0]);
    unlock(&timersBlocks.lock);
  });
  if (b == nullptr)
    return static_cast<timer**>(persistentalloc(static_cast<uintptr>(cap) * sizeof(timer*)));
  b[0] = nullptr;
  return b;
}

void freeTimersBlock(timer** b, std::int32_t cap) {
  int k = __builtin_ctz(static_cast<unsigned>(cap));
  systemstack([&] {
    lock(&timersBlocks.lock);
    b[0] = reinterpret_cast<timer*>(timersBlocks.free[k]);
    timersBlocks.free[k] = b;
    unlock(&timersBlocks.lock);
  });
}

void growTimers(p* pp) {
  if (pp->timerslen < pp->timerscap) return;
  // On g0: no stack may grow under a leaf.
  systemstack([pp] {
    std::int32_t cap = pp->timerscap == 0 ? minTimersCap : pp->timerscap * 2;
    timer** b = allocTimersBlock(cap);
    for (std::int32_t i = 0; i < pp->timerslen; i++) b[i] = pp->timers[i];
    if (pp->timers != nullptr) freeTimersBlock(pp->timers, pp->timerscap);
    pp->timers = b;
    pp->timerscap = cap;
  });
}

// ---- the heap ----

// Moves the timer at i towards the top; returns where it comes to rest, the smallest index changed.
std::int32_t siftupTimer(timer** t, std::int32_t n, std::int32_t i) {
  if (i >= n) badTimer();
  timer* tmp = t[i];
  std::int64_t when = tmp->when;
  if (when <= 0) badTimer();
  while (i > 0) {
    std::int32_t parent = (i - 1) / 4;
    if (when >= t[parent]->when) break;
    t[i] = t[parent];
    i = parent;
  }
  t[i] = tmp;
  return i;
}

// Moves the timer at i towards the bottom.
void siftdownTimer(timer** t, std::int32_t n, std::int32_t i) {
  if (i >= n) badTimer();
  timer* tmp = t[i];
  std::int64_t when = tmp->when;
  if (when <= 0) badTimer();
  for (;;) {
    std::int32_t first = i * 4 + 1;
    if (first >= n) break;
    std::int32_t end = first + 4 < n ? first + 4 : n;
    std::int32_t c = first;
    for (std::int32_t j = first + 1; j < end; j++)
      if (t[j]->when < t[c]->when) c = j;
    if (t[c]->when >= when) break;
    t[i] = t[c];
    i = c;
  }
  t[i] = tmp;
}

void verifyTimerHeap(p* pp) {
  for (std::int32_t i = 1; i < pp->timerslen; i++)
    if (pp->timers[i]->when < pp->timers[(i - 1) / 4]->when) throw_("bad timer heap");
  if (static_cast<std::uint32_t>(pp->timerslen) != pp->numTimers.Load())
    throw_("bad timer heap len");
}

}  // namespace

[[noreturn]] void badTimer() { throw_("timer data corruption"); }

void siftdownTimer0(p* pp) { siftdownTimer(pp->timers, pp->timerslen, 0); }

void updateTimer0When(p* pp) { pp->timer0When.Store(pp->timerslen == 0 ? 0 : pp->timers[0]->when); }

void doaddtimer(p* pp, timer* t) {
  // Idle Ms wait for timers in the poller.
  if (!netpollinited()) netpollGenericInit();
  if (t->pp != nullptr) throw_("doaddtimer: P already set in timer");
  // The heap of timers is a root, and adding and dropping one are stores to it.
  gcWriteBarrierInit(t);
  t->pp = pp;
  growTimers(pp);
  std::int32_t i = pp->timerslen++;
  pp->timers[i] = t;
  siftupTimer(pp->timers, pp->timerslen, i);
  if (t == pp->timers[0]) pp->timer0When.Store(t->when);
  pp->numTimers.Add(1);
}

// Takes the timer at i off pp's heap; returns the smallest index changed.
static std::int32_t dodeltimer(p* pp, std::int32_t i) {
  if (pp->timers[i]->pp != pp) throw_("dodeltimer: wrong P");
  gcWriteBarrierInit(pp->timers[i]);
  pp->timers[i]->pp = nullptr;
  std::int32_t last = --pp->timerslen;
  std::int32_t smallestChanged = i;
  timer* moved = pp->timers[last];
  pp->timers[last] = nullptr;
  if (i != last) {
    // The last timer may belong above i as well as below.
    pp->timers[i] = moved;
    smallestChanged = siftupTimer(pp->timers, last, i);
    siftdownTimer(pp->timers, last, i);
  }
  if (i == 0) updateTimer0When(pp);
  if (pp->numTimers.Add(~std::uint32_t(0)) == 0) pp->timerModifiedEarliest.Store(0);
  return smallestChanged;
}

// dodeltimer(pp, 0), which needs no sifting up.
void dodeltimer0(p* pp) {
  if (pp->timers[0]->pp != pp) throw_("dodeltimer0: wrong P");
  gcWriteBarrierInit(pp->timers[0]);
  pp->timers[0]->pp = nullptr;
  std::int32_t last = --pp->timerslen;
  pp->timers[0] = pp->timers[last];
  pp->timers[last] = nullptr;
  if (last > 0) siftdownTimer(pp->timers, last, 0);
  updateTimer0When(pp);
  if (pp->numTimers.Add(~std::uint32_t(0)) == 0) pp->timerModifiedEarliest.Store(0);
}

void cleantimers(p* pp) {
  g* gp = getg();
  while (pp->timerslen > 0) {
    // Nobody can preempt us while we hold the lock. If somebody wants to, leave the rest for later.
    if (gp->preempt) return;
    timer* t = pp->timers[0];
    if (t->pp != pp) throw_("cleantimers: bad p");
    switch (std::uint32_t s = t->status.Load()) {
      case timerDeleted:
        if (!t->status.CompareAndSwap(s, timerRemoving)) continue;
        dodeltimer0(pp);
        leave(t, timerRemoving, timerRemoved);
        pp->deletedTimers.Add(~std::uint32_t(0));
        break;
      case timerModifiedEarlier:
      case timerModifiedLater:
        if (!t->status.CompareAndSwap(s, timerMoving)) continue;
        t->when = t->nextwhen;
        dodeltimer0(pp);
        doaddtimer(pp, t);
        leave(t, timerMoving, timerWaiting);
        break;
      default:
        return;
    }
  }
}

// The timers that are moved are taken off the heap first and put back at the end, because the heap
// changes would make the walk skip others. They are kept in the same array, which has room for
// them: [0, timerslen) is the heap, [timerslen, timerslen+moved) holds the timers taken off. A
// timer taken off goes to the slot that its removal frees; one that is deleted would leave that
// slot empty, so the uppermost of those taken off goes there.
void adjusttimers(p* pp, std::int64_t now) {
  // Until the first of the modified timers is due, leave them where they are: many are modified
  // again before that.
  std::int64_t first = pp->timerModifiedEarliest.Load();
  if (first == 0 || first > now) {
    if (verifyTimers) verifyTimerHeap(pp);
    return;
  }
  pp->timerModifiedEarliest.Store(0);
  POINT(adjusttimers_bound_cleared);

  std::int32_t moved = 0;
  for (std::int32_t i = 0; i < pp->timerslen;) {
    timer* t = pp->timers[i];
    if (t->pp != pp) throw_("adjusttimers: bad p");
    switch (std::uint32_t s = t->status.Load()) {
      case timerDeleted:
        if (!t->status.CompareAndSwap(s, timerRemoving)) break;
        i = dodeltimer(pp, i);
        leave(t, timerRemoving, timerRemoved);
        pp->deletedTimers.Add(~std::uint32_t(0));
        if (moved > 0) {
          pp->timers[pp->timerslen] = pp->timers[pp->timerslen + moved];
          pp->timers[pp->timerslen + moved] = nullptr;
        }
        break;
      case timerModifiedEarlier:
      case timerModifiedLater:
        if (!t->status.CompareAndSwap(s, timerMoving)) break;
        t->when = t->nextwhen;
        i = dodeltimer(pp, i);
        pp->timers[pp->timerslen] = t;
        moved++;
        break;
      case timerWaiting:
        i++;
        break;
      case timerModifying:
        osyield();
        break;
      default:
        badTimer();
    }
  }
  if (moved > 0) POINT(adjusttimers_taken_off);
  for (; moved > 0; moved--) {
    timer* t = pp->timers[pp->timerslen];
    doaddtimer(pp, t);
    leave(t, timerMoving, timerWaiting);
  }
  if (verifyTimers) verifyTimerHeap(pp);
}

// Programs that start many long timers and stop them soon would otherwise fill the heap with dead
// ones. Walks the whole heap and rebuilds it in place: [0, to) is the new one.
void clearDeletedTimers(p* pp) {
  // Before the walk: modifications that come during it raise the bound again.
  pp->timerModifiedEarliest.Store(0);

  std::uint32_t cdel = 0;
  std::int32_t to = 0;
  bool changedHeap = false;
  for (std::int32_t i = 0; i < pp->timerslen;) {
    timer* t = pp->timers[i];
    switch (std::uint32_t s = t->status.Load()) {
      case timerWaiting:
        if (changedHeap) {
          pp->timers[to] = t;
          siftupTimer(pp->timers, to + 1, to);
        }
        to++;
        i++;
        break;
      case timerModifiedEarlier:
      case timerModifiedLater:
        if (!t->status.CompareAndSwap(s, timerMoving)) break;
        t->when = t->nextwhen;
        pp->timers[to] = t;
        siftupTimer(pp->timers, to + 1, to);
        to++;
        i++;
        changedHeap = true;
        leave(t, timerMoving, timerWaiting);
        break;
      case timerDeleted:
        if (!t->status.CompareAndSwap(s, timerRemoving)) break;
        gcWriteBarrierInit(t);
        t->pp = nullptr;
        cdel++;
        i++;
        changedHeap = true;
        leave(t, timerRemoving, timerRemoved);
        break;
      case timerModifying:
        osyield();
        break;
      default:
        badTimer();
    }
  }
  for (std::int32_t i = to; i < pp->timerslen; i++) pp->timers[i] = nullptr;
  pp->timerslen = to;
  pp->deletedTimers.Add(0 - cdel);
  pp->numTimers.Add(0 - cdel);
  updateTimer0When(pp);
  if (verifyTimers) verifyTimerHeap(pp);
}

void moveTimers(p* pp, timer** timers, std::int32_t n) {
  for (std::int32_t i = 0; i < n;) {
    timer* t = timers[i];
    switch (std::uint32_t s = t->status.Load()) {
      case timerWaiting:
      case timerModifiedEarlier:
      case timerModifiedLater:
        if (!t->status.CompareAndSwap(s, timerMoving)) break;
        if (s != timerWaiting) t->when = t->nextwhen;
        POINT(movetimers_moving);
        t->pp = nullptr;
        doaddtimer(pp, t);
        leave(t, timerMoving, timerWaiting);
        i++;
        break;
      case timerDeleted:
        if (!t->status.CompareAndSwap(s, timerRemoved)) break;
        t->pp = nullptr;
        i++;
        break;
      case timerModifying:
        osyield();
        break;
      default:
        badTimer();
    }
  }
}

}  // namespace gort::runtime
