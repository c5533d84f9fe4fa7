// Pointers to collected memory that several goroutines change without a lock: package sync/atomic's
// Pointer. (Numbers are std::atomic.) Ports atomic_pointer.go.
//
// Invariants:
//  - Every change tells the write barrier of the old and the new value before it is made, with no safe
//    point in between. Another goroutine may change the word meanwhile, so that the value which is
//    overwritten is not the one that was told: then that one was told when it was put there.
#pragma once

#include <atomic>

#include "sys.h"

namespace gort::sync::atomic {

void storep(std::atomic<void*>* p, void* v);
void* swapp(std::atomic<void*>* p, void* v);
bool casp(std::atomic<void*>* p, void* old, void* v);

template <class T>
class Pointer {
 public:
  constexpr Pointer() = default;
  Pointer(const Pointer&) = delete;
  Pointer& operator=(const Pointer&) = delete;

  // All are sequentially consistent.
  T* Load() const { return static_cast<T*>(p_.load()); }
  void Store(T* v) { storep(&p_, untyped(v)); }
  T* Swap(T* v) { return static_cast<T*>(swapp(&p_, untyped(v))); }
  bool CompareAndSwap(T* old, T* v) { return casp(&p_, untyped(old), untyped(v)); }

 private:
  static GORT_INLINE void* untyped(T* v) { return const_cast<void*>(static_cast<const void*>(v)); }
  std::atomic<void*> p_{nullptr};
};

}  // namespace gort::sync::atomic
