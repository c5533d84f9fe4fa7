// WaitGroup, Once and Cond. Ports sync/waitgroup.go, sync/once.go and sync/cond.go.
//
// Invariants of WaitGroup:
//  - Counter and number of waiters are one word, so that «the counter became 0 while somebody
//    waits» is one event, seen by exactly one Add. That Add resets the word and releases sema once
//    for each waiter.
//  - While the counter is 0 and waiters is not, nobody changes the word: an Add would be misuse,
//    and Wait does not wait for a counter of 0. The panics check that on the way.
#include "sync.h"

#include "godefer.h"
#include "malloc.h"
#include "point.h"

namespace gort::sync {

void WaitGroup::Add(int delta) {
  std::uint64_t state =
      state_.Add(static_cast<std::uint64_t>(static_cast<std::int64_t>(delta)) << 32);
  std::int32_t v = static_cast<std::int32_t>(state >> 32);
  std::uint32_t w = static_cast<std::uint32_t>(state);
  if (v < 0) panic("sync: negative WaitGroup counter");
  if (w != 0 && delta > 0 && v == delta)
    panic("sync: WaitGroup misuse: Add called concurrently with Wait");
  if (v > 0 || w == 0) return;
  if (state_.Load() != state) panic("sync: WaitGroup misuse: Add called concurrently with Wait");
  state_.Store(0);
  POINT(waitgroup_before_wake);
  for (; w != 0; w--) runtime::sync_runtime_Semrelease(&sema_, false, 0);
}

void WaitGroup::Wait() {
  for (;;) {
    std::uint64_t state = state_.Load();
    if (static_cast<std::int32_t>(state >> 32) == 0) return;
    if (!state_.CompareAndSwap(state, state + 1)) continue;
    runtime::sync_runtime_Semacquire(&sema_);
    if (state_.Load() != 0) panic("sync: WaitGroup is reused before previous Wait has returned");
    return;
  }
}

// Losers of the race wait for the mutex until f has returned. Both deferred calls run when f panics
// or ends its goroutine, too.
void Once::doSlow(void (*f)(void*), void* arg) {
  func([&](auto& defer) {
    m_.Lock();
    defer([this] { m_.Unlock(); });
    if (done_.Load() != 0) return;
    defer([this] { done_.Store(1); });
    f(arg);
  });
}

// ---- Cond ----

void Cond::Wait() {
  check();
  std::uint32_t t = runtime::notifyListAdd(&notify_);
  L.Unlock();
  runtime::notifyListWait(&notify_, t);
  L.Lock();
}

void Cond::Signal() {
  check();
  runtime::notifyListNotifyOne(&notify_);
}

void Cond::Broadcast() {
  check();
  runtime::notifyListNotifyAll(&notify_);
}

// The second look is for who lost the race to be first: after that, checker is set for good.
void Cond::check() {
  runtime::uintptr self = reinterpret_cast<runtime::uintptr>(this);
  if (checker_.Load() != self && !checker_.CompareAndSwap(0, self) && checker_.Load() != self)
    panic("sync.Cond is copied");
}

Cond* NewCond(Locker l) {
  return ::new (runtime::mallocgc(sizeof(Cond), runtime::typeOf<Cond>())) Cond(l);
}

}  // namespace gort::sync
