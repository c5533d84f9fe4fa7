// Pointers to collected memory that several goroutines change without a lock: package sync/atomic's
// Pointer. (Numbers are std::atomic.) Ports atomic_pointer.go.
//
// Invariants:
//  - Every change tells the write barrier of the old and the new value before it is made, with no safe
//    point in between. Another goroutine may change the word meanwhile, so that the value which is
//    overwritten is not the one that was told: then that one was told when it was put there.
#pragma once

#include <atomic>

#include "mbarrier.h"
#include "stubs.h"

namespace gort::sync::atomic {

template <class T>
class Pointer {
 public:
  constexpr Pointer() = default;
  Pointer(const Pointer&) = delete;
  Pointer& operator=(const Pointer&) = delete;

  // All are sequentially consistent.
  T* Load() const { return p_.load(); }
  void Store(T* v) {
    barrier(v);
    p_.store(v);
  }
  T* Swap(T* v) {
    barrier(v);
    return p_.exchange(v);
  }
  bool CompareAndSwap(T* old, T* v) {
    barrier(v);
    return p_.compare_exchange_strong(old, v);
  }

 private:
  GORT_INLINE void barrier(const T* v) {
    if (GORT_UNLIKELY(runtime::writeBarrier.enabled))
      runtime::gcWriteBarrier2(p_.load(std::memory_order_relaxed), v);
  }
  std::atomic<T*> p_{nullptr};
};

}  // namespace gort::sync::atomic
