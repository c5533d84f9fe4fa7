// Package sync: what programs use to share data. Ports sync/mutex.go, rwmutex.go, waitgroup.go,
// once.go and cond.go; Pool is in sync_pool.h.
//
// Rules for programs:
//  - The zero value of each type is ready for use. None can be copied.
//  - A value that goroutines share must not be a local variable of a goroutine whose stack can
//    move: make it static, allocate it, or let it be part of something that is allocated.
//
// What orders what (Go's memory model): Unlock before the next Lock; RUnlock before the next Lock,
// and Unlock before the next RLock; Done before the Wait that it lets go; the end of f before every
// return of Once::Do; Signal and Broadcast before the Wait that they wake; Put(x) before the Get
// that returns x. All of it is carried by sequentially consistent atomics, which ThreadSanitizer
// understands. RWMutex alone tells it more: readers do not order each other (sync_mutex.cc).
#pragma once

#include <type_traits>

#include "atomic.h"
#include "sema.h"
#include "sync_pool.h"
#include "tsan.h"

namespace gort::sync {

// ---- Mutex ----

// Normal mode: waiters queue first in, first out, but one that wakes up does not own the mutex; it
// competes with goroutines that are running already, and often loses. It then queues in front. That
// is fast, because the mutex changes hands without a switch of goroutines.
// Starvation mode: entered when a waiter has waited for more than 1 ms. Unlock gives the mutex to
// the first waiter directly, and newcomers neither try nor spin, but queue at the end. It ends when
// a waiter that gets the mutex is the last one, or has waited for less than 1 ms.
class Mutex {
 public:
  constexpr Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  GORT_INLINE void Lock() {
    if (GORT_LIKELY(state_.CompareAndSwap(0, mutexLocked))) return;
    lockSlow();
  }
  // Does not wait; reports whether the mutex is locked now, for the caller.
  bool TryLock();
  // Ends the program with «sync: unlock of unlocked mutex» if it is not locked. Another goroutine
  // may have locked it.
  GORT_INLINE void Unlock() {
    std::int32_t nw = state_.Add(-mutexLocked);
    if (GORT_UNLIKELY(nw != 0)) unlockSlow(nw);
  }

 private:
  static constexpr std::int32_t mutexLocked = 1 << 0;
  static constexpr std::int32_t mutexWoken = 1 << 1;  // a waiter is awake: wake no other
  static constexpr std::int32_t mutexStarving = 1 << 2;  // starvation mode
  static constexpr int mutexWaiterShift = 3;  // the number of waiters, above the flags

  void lockSlow();
  void unlockSlow(std::int32_t nw);

  runtime::atomic::Int32 state_;
  runtime::atomic::Uint32 sema_;
};

// Anything with Lock and Unlock, by reference.
class Locker {
 public:
  constexpr Locker() = default;
  template <class T>
    requires requires(T* t) { t->Lock(), t->Unlock(); }
  Locker(T* l)  // NOLINT(google-explicit-constructor): Go converts to interfaces silently
      : l_(l),
        lock_([](void* p) { static_cast<T*>(p)->Lock(); }),
        unlock_([](void* p) { static_cast<T*>(p)->Unlock(); }) {}
  void Lock() const { lock_(l_); }
  void Unlock() const { unlock_(l_); }

 private:
  friend class RWMutex;
  Locker(void* l, void (*lock)(void*), void (*unlock)(void*))
      : l_(l), lock_(lock), unlock_(unlock) {}

  void* l_ = nullptr;
  void (*lock_)(void*) = nullptr;
  void (*unlock_)(void*) = nullptr;
};

// ---- RWMutex ----

// Held by any number of readers or by one writer. A writer that waits keeps new readers out, so a
// goroutine must not take the read side again while it has it.
class RWMutex {
 public:
  constexpr RWMutex() = default;
  RWMutex(const RWMutex&) = delete;
  RWMutex& operator=(const RWMutex&) = delete;

  GORT_INLINE void RLock() {
    if (GORT_UNLIKELY(addReaders(1) < 0))
      runtime::sync_runtime_SemacquireRWMutexR(&readerSem_, false, 0);
    runtime::raceacquire(&readerSem_);
  }
  bool TryRLock();
  GORT_INLINE void RUnlock() {
    runtime::racerelease(&writerSem_);
    std::int32_t r = addReaders(-1);
    if (GORT_UNLIKELY(r < 0)) rUnlockSlow(r);
  }
  void Lock();
  bool TryLock();
  void Unlock();
  // The read side as a Locker.
  Locker RLocker();

 private:
  static constexpr std::int32_t rwmutexMaxReaders = 1 << 30;
  void rUnlockSlow(std::int32_t r);
  GORT_INLINE std::int32_t addReaders(std::int32_t d) {
    return runtime::raceenabled ? readerCount_.AddRelaxed(d) : readerCount_.Add(d);
  }

  Mutex w_;  // held by the writer, the waiting one too
  runtime::atomic::Uint32 writerSem_;  // the writer waits here for the readers it found
  runtime::atomic::Uint32 readerSem_;  // readers wait here for the writer
  // Readers, active and waiting; less rwmutexMaxReaders while there is a writer.
  runtime::atomic::Int32 readerCount_;
  runtime::atomic::Int32 readerWait_;  // readers that the writer still waits for
};

// ---- WaitGroup ----

class WaitGroup {
 public:
  constexpr WaitGroup() = default;
  WaitGroup(const WaitGroup&) = delete;
  WaitGroup& operator=(const WaitGroup&) = delete;

  // Panics with «sync: negative WaitGroup counter». A positive delta on a counter of 0 must come
  // before Wait, not beside it.
  void Add(int delta);
  void Done() { Add(-1); }
  // Blocks until the counter is 0.
  void Wait();

 private:
  runtime::atomic::Uint64 state_;  // counter << 32 | waiters
  runtime::atomic::Uint32 sema_;
};

// ---- Once ----

class Once {
 public:
  constexpr Once() = default;
  Once(const Once&) = delete;
  Once& operator=(const Once&) = delete;

  // Calls f if this is the first call for this Once. No call returns before that f has; an f that
  // panics counts as done.
  template <class F>
  GORT_INLINE void Do(F&& f) {
    using Fn = std::remove_reference_t<F>;
    if constexpr (std::is_function_v<Fn>) {
      Do(&f);
    } else if (GORT_UNLIKELY(done_.Load() == 0)) {
      doSlow([](void* p) { (*static_cast<Fn*>(p))(); },
             const_cast<void*>(static_cast<const void*>(&f)));
    }
  }

 private:
  void doSlow(void (*f)(void*), void* arg);

  // Set after f returned, not before: whoever sees it may rely on what f did.
  runtime::atomic::Uint32 done_;
  Mutex m_;
};

// ---- Cond ----

// Goroutines that wait for a condition, and are told that it may hold now. Those that wait are
// woken first in, first out.
class Cond {
 public:
  constexpr Cond() = default;
  explicit Cond(Locker l) : L(l) {}
  Cond(const Cond&) = delete;
  Cond& operator=(const Cond&) = delete;

  // Held by callers of Wait, and when the condition changes.
  Locker L;

  // Unlocks L, waits to be woken, and locks L. Returns only when woken, but the condition must be
  // looked at again: somebody may have had L in between.
  void Wait();
  void Signal();  // wakes one goroutine, if any waits
  void Broadcast();  // wakes all

 private:
  void check();

  runtime::notifyList notify_;
  // The address of this object once it has been used: finds out copies of its bytes.
  runtime::atomic::Uintptr checker_;
};

// A Cond in memory of its own.
Cond* NewCond(Locker l);

}  // namespace gort::sync
