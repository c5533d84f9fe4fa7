// Timers. Ports time.go: a 4-ary heap by `when` for each P, of which other Ps may change the timers
// but not the order. The heap itself is in timeheap.cc.
//
// Invariants:
//  - timersLock of a P protects its heap: p.timers, timerslen, timerscap, and the pp and when
//    fields of the timers in it.
//  - Whoever wants to change a timer claims it by a CAS of status to one of the short states
//    (timerModifying, timerRunning, timerRemoving, timerMoving); others who find it there wait. Who
//    holds a timer in timerModifying is not preempted: on one P, a waiter would otherwise spin for
//    ever.
//  - timerRunning, timerRemoving and timerMoving are entered only with timersLock held.
//  - A change from another P leaves the heap alone: deltimer only marks the timer, modtimer writes
//    nextwhen. The P that next looks at its heap acts on that.
//  - p.timer0When is the when of the heap's first timer, 0 if it is empty. p.timerModifiedEarliest
//    is not later than any nextwhen of a timer in timerModifiedEarlier, or 0 if there is none.
//    Together they bound the time that an idle P may sleep without looking at its heap. (Not so for
//    a while in adjusttimers and clearDeletedTimers, which clear the bound first and then look at
//    every timer: their P is awake.)
//  - One timer must not be passed to addtimer, deltimer, modtimer and resettimer at the same time
//    by several goroutines if they expect their order to mean something; nothing breaks if they do.
//
// States, and who may leave them (XX: Earlier or Later):
//   timerNoStatus    new or fired         addtimer, modtimer -> Waiting
//   timerWaiting     in a heap            deltimer -> Modifying -> Deleted
//                                         modtimer -> Modifying -> ModifiedXX
//                                         runtimer -> Running -> NoStatus, or Waiting if periodic
//                                         moveTimers -> Moving -> Waiting
//   timerModifiedXX  in a heap, perhaps   deltimer, modtimer as above; cleantimers, adjusttimers,
//                    in the wrong place   runtimer, clearDeletedTimers, moveTimers -> Moving ->
//                                         Waiting
//   timerDeleted     in a heap, inactive  modtimer -> Modifying -> ModifiedXX; the same five ->
//                                         Removing -> Removed
//   timerRemoved     in no heap           modtimer -> Modifying -> Waiting
#include "malloc.h"
#include "os_linux.h"
#include "proc.h"
#include "timeheap.h"

namespace gort::runtime {
namespace {

// Lowers pp's timerModifiedEarliest to nextwhen. Takes no lock.
void updateTimerModifiedEarliest(p* pp, std::int64_t nextwhen) {
  for (;;) {
    std::int64_t old = pp->timerModifiedEarliest.Load();
    if (old != 0 && old < nextwhen) return;
    if (pp->timerModifiedEarliest.CompareAndSwap(old, nextwhen)) return;
  }
}

// ---- the functions of timers ----

void goroutineReady(void* arg, uintptr) { goready(static_cast<g*>(arg), 0); }

// Park commit of timeSleep. The timer is started here because it could fire, and ready the
// goroutine, before that has parked.
bool resetForSleep(g*, void* ut) {
  timer* t = static_cast<timer*>(ut);
  resettimer(t, t->nextwhen);
  return true;
}

struct timerFunc {
  std::int64_t period;
  timerfn_t f;
  void* arg;
  uintptr seq;
};

// modtimer, which leaves period, f, arg and seq as they are if nf is null.
bool modtimer1(timer* t, std::int64_t when, const timerFunc* nf) {
  if (when <= 0) throw_("timer when must be positive");
  if (nf != nullptr && nf->period < 0) throw_("timer period must be non-negative");

  bool wasRemoved = false;
  bool pending = false;
  m* mp = nullptr;
  for (bool claimed = false; !claimed;) {
    std::uint32_t s = t->status.Load();
    switch (s) {
      case timerWaiting:
      case timerModifiedEarlier:
      case timerModifiedLater:
      case timerNoStatus:
      case timerRemoved:
      case timerDeleted:
        mp = acquirem();
        if (!t->status.CompareAndSwap(s, timerModifying)) {
          releasem(mp);
          break;
        }
        claimed = true;
        POINT(modtimer_claimed);
        wasRemoved = s == timerNoStatus || s == timerRemoved;
        pending = !wasRemoved && s != timerDeleted;
        if (s == timerDeleted) t->pp->deletedTimers.Add(~std::uint32_t(0));
        break;
      case timerRunning:
      case timerRemoving:
      case timerMoving:
      case timerModifying:
        osyield();
        break;
      default:
        badTimer();
    }
  }

  if (nf != nullptr) {
    t->period = nf->period;
    // Left alone when they do not change: whoever resets a timer may read them without claiming it.
    if (t->f != nf->f) t->f = nf->f;
    if (t->arg != nf->arg) t->arg = nf->arg;
    if (t->seq != nf->seq) t->seq = nf->seq;
  }

  if (wasRemoved) {
    t->when = when;
    p* pp = mp->p;
    lock(&pp->timersLock);
    doaddtimer(pp, t);
    unlock(&pp->timersLock);
    leave(t, timerModifying, timerWaiting);
    releasem(mp);
    wakeNetPoller(when);
    return pending;
  }

  // On the heap of some P: only that P may change when.
  t->nextwhen = when;
  timerStatus newStatus = when < t->when ? timerModifiedEarlier : timerModifiedLater;
  // Before the status: a P that sees the state must see the bound.
  if (newStatus == timerModifiedEarlier) updateTimerModifiedEarliest(t->pp, when);
  leave(t, timerModifying, newStatus);
  releasem(mp);
  if (newStatus == timerModifiedEarlier) wakeNetPoller(when);
  return pending;
}

// Runs t, the first timer of pp, which is due and timerRunning. pp->timersLock must be held; it is
// released while f runs. On g0.
void runOneTimer(p* pp, timer* t, std::int64_t now) {
  timerfn_t f = t->f;
  void* arg = t->arg;
  uintptr seq = t->seq;

  if (t->period > 0) {
    // Stays in the heap; the next time is the first multiple of the period that is still to come.
    std::int64_t delta = t->when - now;
    std::int64_t step;
    if (__builtin_mul_overflow(t->period, 1 + -delta / t->period, &step) ||
        __builtin_add_overflow(t->when, step, &t->when))
      t->when = maxWhen;
    siftdownTimer0(pp);
    leave(t, timerRunning, timerWaiting);
    updateTimer0When(pp);
  } else {
    dodeltimer0(pp);
    leave(t, timerRunning, timerNoStatus);
  }

  unlock(&pp->timersLock);
  POINT(timer_fired_unlocked);
  f(arg, seq);
  lock(&pp->timersLock);
}

}  // namespace

// ---- package time ----

void timeSleep(std::int64_t ns) {
  if (ns <= 0) return;
  g* gp = getg();
  timer* t = gp->timer;
  if (t == nullptr) {
    t = newpersistent<timer>();
    gp->timer = t;
  }
  t->f = goroutineReady;
  t->arg = gp;
  if (__builtin_add_overflow(nanotime(), ns, &t->nextwhen)) t->nextwhen = maxWhen;
  gopark(resetForSleep, t, waitReasonSleep, traceBlockSleep, 1);
}

void startTimer(timer* t) { addtimer(t); }
bool stopTimer(timer* t) { return deltimer(t); }
bool resetTimer(timer* t, std::int64_t when) { return resettimer(t, when); }
void modTimer(timer* t, std::int64_t when, std::int64_t period, timerfn_t f, void* arg,
              uintptr seq) {
  modtimer(t, when, period, f, arg, seq);
}

// ---- operations on one timer ----

// t must be new: another P could otherwise have it on its heap, whose order this would break.
void addtimer(timer* t) {
  if (t->when <= 0) throw_("timer when must be positive");
  if (t->period < 0) throw_("timer period must be non-negative");
  if (t->status.Load() != timerNoStatus) throw_("addtimer called with initialized timer");
  t->status.Store(timerWaiting);
  std::int64_t when = t->when;

  // Not preempted, so that pp stays ours.
  m* mp = acquirem();
  p* pp = mp->p;
  POINT(addtimer_has_p);
  lock(&pp->timersLock);
  cleantimers(pp);
  doaddtimer(pp, t);
  unlock(&pp->timersLock);
  wakeNetPoller(when);
  releasem(mp);
}

bool deltimer(timer* t) {
  for (;;) {
    std::uint32_t s = t->status.Load();
    switch (s) {
      case timerWaiting:
      case timerModifiedLater:
      case timerModifiedEarlier: {
        m* mp = acquirem();
        if (!t->status.CompareAndSwap(s, timerModifying)) {
          releasem(mp);
          break;
        }
        POINT(deltimer_claimed);
        // Read while the timer is claimed: once it is timerDeleted, its P may clear the field.
        p* tpp = t->pp;
        // Counted before it can be found, so that the count never goes below 0.
        tpp->deletedTimers.Add(1);
        leave(t, timerModifying, timerDeleted);
        releasem(mp);
        return true;
      }
      case timerDeleted:
      case timerRemoving:
      case timerRemoved:
      case timerNoStatus:
        return false;
      case timerRunning:
      case timerMoving:
      case timerModifying:
        osyield();
        break;
      default:
        badTimer();
    }
  }
}

bool modtimer(timer* t, std::int64_t when, std::int64_t period, timerfn_t f, void* arg,
              uintptr seq) {
  timerFunc nf{period, f, arg, seq};
  return modtimer1(t, when, &nf);
}

bool resettimer(timer* t, std::int64_t when) { return modtimer1(t, when, nullptr); }

// ---- operations on a P's heap ----

std::int64_t runtimer(p* pp, std::int64_t now) {
  for (;;) {
    timer* t = pp->timers[0];
    if (t->pp != pp) throw_("runtimer: bad p");
    switch (std::uint32_t s = t->status.Load()) {
      case timerWaiting:
        if (t->when > now) return t->when;
        if (!t->status.CompareAndSwap(s, timerRunning)) continue;
        runOneTimer(pp, t, now);
        return 0;
      case timerDeleted:
        if (!t->status.CompareAndSwap(s, timerRemoving)) continue;
        dodeltimer0(pp);
        leave(t, timerRemoving, timerRemoved);
        pp->deletedTimers.Add(~std::uint32_t(0));
        if (pp->timerslen == 0) return -1;
        break;
      case timerModifiedEarlier:
      case timerModifiedLater:
        if (!t->status.CompareAndSwap(s, timerMoving)) continue;
        t->when = t->nextwhen;
        dodeltimer0(pp);
        doaddtimer(pp, t);
        leave(t, timerMoving, timerWaiting);
        break;
      case timerModifying:
        osyield();
        break;
      default:
        badTimer();
    }
  }
}

std::int64_t nobarrierWakeTime(p* pp) {
  std::int64_t next = pp->timer0When.Load();
  std::int64_t nextAdj = pp->timerModifiedEarliest.Load();
  if (next == 0 || (nextAdj != 0 && nextAdj < next)) next = nextAdj;
  return next;
}

std::int64_t timeSleepUntil() {
  std::int64_t next = maxWhen;
  lock(&allpLock);  // allp stays what it is, as for retake
  for (std::int32_t i = 0; i < allp.len; i++) {
    p* pp = allp[i];
    // procresize grows allp before it makes the new Ps.
    if (pp == nullptr) continue;
    std::int64_t w = nobarrierWakeTime(pp);
    if (w != 0 && w < next) next = w;
  }
  unlock(&allpLock);
  return next;
}

}  // namespace gort::runtime
