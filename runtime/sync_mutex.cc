// Mutex and RWMutex. Ports sync/mutex.go and sync/rwmutex.go.
//
// Invariants of Mutex:
//  - state counts in waiters the goroutines that are in lockSlow between the CAS that adds them and
//    the wake-up that takes them off. Who takes one off, in unlockSlow, also sets mutexWoken and
//    releases sema once; in starvation mode the one who wakes takes itself off.
//  - mutexWoken is set only for a goroutine that is awake in lockSlow and knows it (awoke): the one
//    just woken, or one that spins. It clears the bit with its next successful CAS.
//  - mutexStarving is set only together with mutexLocked and with waiters > 0. Between Unlock in
//    starvation mode and the wake-up of the next owner, mutexLocked is clear, but nobody else can
//    take the mutex: they all see mutexStarving.
//
// Invariants of RWMutex:
//  - A writer holds w from before it subtracts rwmutexMaxReaders until after it has added it again,
//    so readerCount is never lowered twice.
//  - readerWait may be below 0 for a moment: a reader that leaves between the writer's announcement
//    and the writer's addition of their number. It reaches 0 once, and whoever brings it there, the
//    last reader or the writer, ends the wait.
//
// RWMutex and ThreadSanitizer: the counts would order each reader after the readers before it, and
// so hide that two of them write the same data. In that build the readers' changes of readerCount
// are relaxed, and what RWMutex promises is said outright: a racerelease on readerSem in Unlock and
// on writerSem in RUnlock, a raceacquire of the former in RLock and of both in Lock.
#include "os_linux.h"
#include "panic_throw.h"
#include "sync.h"

namespace gort::sync {

using runtime::fatal;
using runtime::nanotime;
using runtime::throw_;

namespace {
constexpr std::int64_t starvationThresholdNs = 1000 * 1000;
}  // namespace

bool Mutex::TryLock() {
  std::int32_t old = state_.Load();
  if ((old & (mutexLocked | mutexStarving)) != 0) return false;
  // There may be a waiter that is about to wake up; we are faster.
  return state_.CompareAndSwap(old, old | mutexLocked);
}

void Mutex::lockSlow() {
  std::int64_t waitStartTime = 0;
  bool starving = false;
  bool awoke = false;
  int iter = 0;
  std::int32_t old = state_.Load();
  for (;;) {
    // In starvation mode the mutex is handed on to waiters: spinning cannot get it.
    if ((old & (mutexLocked | mutexStarving)) == mutexLocked &&
        runtime::sync_runtime_canSpin(iter)) {
      // Tell Unlock that somebody is awake already.
      if (!awoke && (old & mutexWoken) == 0 && (old >> mutexWaiterShift) != 0 &&
          state_.CompareAndSwap(old, old | mutexWoken))
        awoke = true;
      runtime::sync_runtime_doSpin();
      iter++;
      old = state_.Load();
      continue;
    }
    std::int32_t nw = old;
    if ((old & mutexStarving) == 0) nw |= mutexLocked;
    if ((old & (mutexLocked | mutexStarving)) != 0) nw += 1 << mutexWaiterShift;
    // Not if it is free: Unlock relies on a starving mutex having waiters, and there would be none.
    if (starving && (old & mutexLocked) != 0) nw |= mutexStarving;
    if (awoke) {
      if ((nw & mutexWoken) == 0) throw_("sync: inconsistent mutex state");
      nw &= ~mutexWoken;
    }
    if (!state_.CompareAndSwap(old, nw)) {
      old = state_.Load();
      continue;
    }
    if ((old & (mutexLocked | mutexStarving)) == 0) return;  // the CAS locked it

    // Who has waited before queues in front.
    bool queueLifo = waitStartTime != 0;
    if (waitStartTime == 0) waitStartTime = nanotime();
    runtime::sync_runtime_SemacquireMutex(&sema_, queueLifo, 1);
    starving = starving || nanotime() - waitStartTime > starvationThresholdNs;
    old = state_.Load();
    if ((old & mutexStarving) != 0) {
      // The mutex was handed to us, but the state does not say so yet.
      if ((old & (mutexLocked | mutexWoken)) != 0 || (old >> mutexWaiterShift) == 0)
        throw_("sync: inconsistent mutex state");
      std::int32_t delta = mutexLocked - (1 << mutexWaiterShift);
      // Starvation mode costs a switch of goroutines each time, and two goroutines could keep each
      // other in it for ever: leave it as soon as the wait was short.
      if (!starving || (old >> mutexWaiterShift) == 1) delta -= mutexStarving;
      state_.Add(delta);
      return;
    }
    awoke = true;
    iter = 0;
  }
}

// nw: the state that Unlock's subtraction left.
void Mutex::unlockSlow(std::int32_t nw) {
  if (((nw + mutexLocked) & mutexLocked) == 0) fatal("sync: unlock of unlocked mutex");
  if ((nw & mutexStarving) != 0) {
    // The next owner sets mutexLocked itself; it runs now, in our time slice.
    runtime::sync_runtime_Semrelease(&sema_, true, 1);
    return;
  }
  std::int32_t old = nw;
  for (;;) {
    // Nobody waits; or somebody has woken up, has taken the mutex, or has started starvation mode
    // meanwhile, and whoever unlocks next will care for the rest.
    if ((old >> mutexWaiterShift) == 0 || (old & (mutexLocked | mutexWoken | mutexStarving)) != 0)
      return;
    nw = (old - (1 << mutexWaiterShift)) | mutexWoken;
    if (state_.CompareAndSwap(old, nw)) {
      runtime::sync_runtime_Semrelease(&sema_, false, 1);
      return;
    }
    old = state_.Load();
  }
}

// ---- RWMutex ----

bool RWMutex::TryRLock() {
  for (;;) {
    std::int32_t c = readerCount_.Load();
    if (c < 0) return false;
    if (readerCount_.CompareAndSwap(c, c + 1)) {
      runtime::raceacquire(&readerSem_);
      return true;
    }
  }
}

// r: the readerCount that RUnlock left.
void RWMutex::rUnlockSlow(std::int32_t r) {
  if (r + 1 == 0 || r + 1 == -rwmutexMaxReaders) fatal("sync: RUnlock of unlocked RWMutex");
  if (readerWait_.Add(-1) == 0) runtime::sync_runtime_Semrelease(&writerSem_, false, 1);
}

void RWMutex::Lock() {
  w_.Lock();
  // Readers that come from here on wait; r of them were here before.
  std::int32_t r = readerCount_.Add(-rwmutexMaxReaders) + rwmutexMaxReaders;
  if (r != 0 && readerWait_.Add(r) != 0)
    runtime::sync_runtime_SemacquireRWMutex(&writerSem_, false, 0);
  runtime::raceacquire(&readerSem_);
  runtime::raceacquire(&writerSem_);
}

bool RWMutex::TryLock() {
  if (!w_.TryLock()) return false;
  if (!readerCount_.CompareAndSwap(0, -rwmutexMaxReaders)) {
    w_.Unlock();
    return false;
  }
  runtime::raceacquire(&readerSem_);
  runtime::raceacquire(&writerSem_);
  return true;
}

void RWMutex::Unlock() {
  runtime::racerelease(&readerSem_);
  std::int32_t r = readerCount_.Add(rwmutexMaxReaders);
  if (r >= rwmutexMaxReaders) fatal("sync: Unlock of unlocked RWMutex");
  // The readers that came meanwhile are active now.
  for (std::int32_t i = 0; i < r; i++) runtime::sync_runtime_Semrelease(&readerSem_, false, 0);
  w_.Unlock();
}

Locker RWMutex::RLocker() {
  return Locker(
      static_cast<void*>(this), [](void* p) { static_cast<RWMutex*>(p)->RLock(); },
      [](void* p) { static_cast<RWMutex*>(p)->RUnlock(); });
}

}  // namespace gort::sync
